//! The fuzzer of everything that is read and was written by somebody else: a function per kind of input.
//!
//! ```text
//! scripts/fuzz → main.rs (libFuzzer, chooses bytes by what they reach) ─┐
//! cargo test   → tests/corpus.rs (the bytes that are kept) ─────────────┴→ TARGETS → record, tier, cli, files of shim
//! ```
//!
//! A target reads its bytes as the product does and asks for everything that can be asked. What it claims beyond "no panic"
//! stands in its header. What was found is a named test in the crate where it was mended; docs/fuzzing.md lists it.
//!
//! Why the library's parsers come in by their files: libshim.so has no Rust interface, and exports malloc.

mod commands;
mod dense;
mod stand_in;
mod targets;

pub use dense::pack;

// As the files of shim call them.
use stand_in::{heap, message};

#[path = "../shim/options.rs"]
#[allow(dead_code)] // Most of it is for hooks.
mod options;
#[path = "../shim/unwind/tables.rs"]
mod tables;

pub struct Target {
    pub name: &'static str,
    /// Inputs that are longer are not made.
    pub longest: usize,
    pub run: fn(&[u8]),
}

pub const TARGETS: [Target; 10] = [
    Target { name: "recording", longest: 16 << 10, run: targets::recording::run },
    Target { name: "report", longest: 16 << 10, run: targets::report::run },
    Target { name: "snapshots", longest: 4 << 10, run: targets::snapshots::run },
    Target { name: "options", longest: 512, run: targets::options::run },
    Target { name: "rules", longest: 4 << 10, run: targets::rules::run },
    Target { name: "flexmalloc", longest: 4 << 10, run: targets::flexmalloc::run },
    Target { name: "suppressions", longest: 1 << 10, run: targets::suppressions::run },
    Target { name: "names", longest: 16 << 10, run: targets::names::run },
    Target { name: "symbols", longest: 16 << 10, run: targets::symbols::run },
    Target { name: "unwind", longest: 4 << 10, run: targets::unwind::run },
];

pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
