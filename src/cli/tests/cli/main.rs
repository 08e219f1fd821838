//! The command from outside: what it prints, how it ends, and what it leaves alone.
//!
//! No libshim.so is needed: recordings come from the writer of `record`, and `shim run` gets a stand-in that puts such a
//! recording where the library would. The real pair is tested by the C tests.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so, in its functions too.

mod advise;
mod allocations;
mod architectures;
mod bad_files;
mod built;
mod diff;
mod doctor;
mod explain;
mod filters;
mod heap;
mod hooks;
mod installed;
mod json_lines;
mod locks;
mod machines;
mod page;
mod page_heap;
mod page_locks;
mod page_tiers;
mod pages;
mod placement;
mod placements;
mod profiled;
mod proto;
mod ranks;
mod report;
mod run;
mod sample;
mod suppressions;
mod symbols;
