//! The recording: one fixed-layout, memory-mapped file per process, shared by the library that writes it and the
//! command that reads it.
//!
//! Why a mapped file with tables that are updated in place: SIGKILL, abort and `_exit` lose nothing, and the size is
//! bounded whatever the run length, because identical events are counted and not logged. A ring per thread keeps the
//! most recent events, for the question "what happened just before".
//!
//! - [`layout`] is the format: read its header first. Any change there is a version bump.
//! - [`kind`] names every finding; [`label`] packs an endpoint or a path into 40 bytes; [`sentence`] words a finding,
//!   [`json`] writes one as a line, [`suppressions`] says which are not wanted.
//! - [`store`] and the modules that take a [`store::Store`] write. They allocate nothing, take no lock and are
//!   async-signal-safe.
//! - [`sites`] and [`heap`] are totals per call stack, [`usage`] how long their blocks lived and who touched them, [`tier`] what
//!   was placed where, [`samples`] a curve over time.
//! - [`snapshot`] is the tail of the file: what was open at a moment.
//! - [`reader`] reads, with no trust in the file at all.
//! - [`memory`] is a recording on the heap, for tests.

pub mod call;
pub mod errno;
pub mod findings;
pub mod heap;
pub mod json;
pub mod key;
pub mod kind;
pub mod label;
pub mod layout;
pub mod lock;
#[cfg(feature = "memory")]
pub mod memory;
pub mod modules;
#[cfg(feature = "read")]
pub mod reader;
pub mod recall;
pub mod samples;
pub mod sentence;
pub mod sites;
pub mod snapshot;
pub mod stacks;
pub mod store;
pub mod strings;
pub mod suppressions;
pub mod text;
pub mod tier;
pub mod usage;
