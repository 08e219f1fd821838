//! Pure state machines for the resources whose lifetime shim watches: events in, verdicts out.
//!
//! `shim` owns the memory and calls these functions around the real libc calls; this crate decides. It does no I/O, reads
//! no clock and no global, allocates nothing, and knows no libc, so the same rules run in a hook, under a property test,
//! under loom, and on the report side.
//!
//! Architecture invariant: no `unsafe`, no dependency, nothing that blocks. All shared state is atomics that are valid
//! while zero, because hooks run before any constructor did.
#![no_std]

pub mod actor;
mod atomic;
pub mod fd;
pub mod heap;
pub mod key;
pub mod lock;
pub mod seccomp;
