//! libshim.so: what must touch the process. See src/README.md for the map and the invariants.
//!
//! - `roster` lists every interposed symbol; `hooks` answer them, one file per family, thin.
//! - `resolve` finds the real functions; `start` is the life of the process; `thread` the guard and the registry.
//! - `descriptors` asks `track::fd` and acts on what it says; `finding` files and prints,
//!   unless `suppressions` forbids it; `json_lines` tells log shippers.
//! - `heap` follows blocks: counted, sampled or each with its entry; `track::heap` decides.
//! - `locks` follows who holds what; `track::lock` decides.
//! - `keys` follows thread-specific keys; `track::key` decides.
//! - `recording` maps the memory that `record` writes to; `unwind` takes stacks; `symbols` names them.
//! - `arch`, `sys`, `ours`, `clock`, `spin`, `alloc`, `private`, `message`, `options` are the ground that the rest stands on.
//!
//! Statics of 2 KiB and more are in the section `.bss.tables`: so the small ones lie together, and a start or a fork, which touch nearly
//! all of these, have few pages to touch. `scripts/check-library` looks.

mod address;
mod alloc;
mod arch;
mod clock;
mod descriptors;
mod faults;
mod finding;
mod heap;
mod hooks;
mod json_lines;
mod keys;
mod locks;
mod maps;
mod message;
mod options;
mod ours;
mod perf;
mod private;
mod recording;
mod resolve;
mod roster;
mod sandbox;
mod snapshot;
mod spin;
mod start;
mod suppressions;
mod symbols;
mod sys;
mod text_file;
mod thread;
mod tiers;
mod unwind;
