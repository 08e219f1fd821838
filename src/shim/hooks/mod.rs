//! The hooks, one file per family. A hook asks, calls the real function, tells, and returns libc's answer.
//!
//! Rules of every hook: no allocation from the program's heap, no lock that the program can hold, errno unchanged
//! unless the call itself changes it, correct while every static is zero, no guard up and nothing to drop across the
//! real call. The last one is because a cancelled thread is unwound through our frame: these functions are `extern "C"`
//! in a crate with `panic = "abort"`, so their frames have unwind tables but no landing pads, and glibc's forced unwind
//! steps over them (c-tests/fd/cancel_*.c).

pub mod barrier;
pub mod c11;
pub mod c_types;
pub mod condition;
pub mod directory;
pub mod heap;
pub mod keys;
pub mod lifetime;
pub mod listing;
pub mod loading;
pub mod making;
pub mod memory;
pub mod mutex;
pub mod once;
pub mod operators;
pub mod passing;
pub mod polling;
pub mod process;
pub mod resolver;
pub mod rwlock;
pub mod semaphore;
pub mod signals;
pub mod spin;
pub mod stdio;
pub mod throwing;
pub mod transferring;
pub mod using;
