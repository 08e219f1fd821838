//! Which tier a block belongs on: rule files, and the policy that decides.
//!
//! ```text
//! rule file (TOML)          document → read ┐
//!                                           ├→ Policy { tiers, rules } → decide(stack, size, thread, rank) → Decision
//! FlexMalloc's two files    flexmalloc ─────┘                              ▲
//!                                                       Names: what the process knows of its addresses
//! ```
//!
//! A decision is made when a cache does not know the answer; it says for which sizes and how much of the stack it holds, so
//! that the cache may keep it. First match wins.
//!
//! Architecture invariant: nothing here calls the operating system or knows an address of the process. Files come as bytes,
//! names through [`Names`], links through a callback; so all of it is tested without any of them.
//!
//! Rules: a fault of a file is one line ([`Complaint`]) and never the end of the program; what a file can make long is
//! bounded ([`MOST_RULES`], [`MOST_TIERS`], [`LONGEST_FILE`]).

mod document;
pub mod flexmalloc;
mod frames;
mod glob;
mod index;
mod nearest;
mod number;
mod policy;
mod read;
mod rule;
mod shadow;
mod vocabulary;

pub use policy::{Options, Policy, RuleFacts, Verify};
pub use rule::Limit;

use crate::spec::{Complaint, Place};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use vocabulary::FunctionId;

pub const MOST_RULES: usize = 1024;
/// Beside the heap.
pub const MOST_TIERS: usize = 15;
pub const LONGEST_FILE: usize = 4 << 20;
/// No rule looks at more frames.
pub const DEEPEST: usize = 64;
/// More faults than this are only counted.
const MOST_COMPLAINTS: usize = 32;

/// What the process knows of its addresses. shim implements it.
pub trait Names {
    /// The loaded file that holds an address.
    fn module(&mut self, address: u64) -> Option<Module<'_>>;
    /// The linkage name of the function.
    fn function(&mut self, address: u64) -> Option<Cow<'_, str>>;
    /// The source file as in DWARF, and the line.
    fn line(&mut self, address: u64) -> Option<(Cow<'_, str>, u32)>;
    /// A path after all links were followed; asked once for a module. `None`: it is real as it is.
    fn real_path(&mut self, _path: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    pub path: &'a [u8],
    pub build_id: &'a [u8],
    /// Where in the file the address lies.
    pub file_offset: u64,
    /// The address without the bias of the load.
    pub link_address: u64,
}

/// An allocation, before it is made.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub size: usize,
    pub thread: &'a [u8],
    /// Of MPI.
    pub rank: Option<u32>,
    /// Return addresses, innermost first, the program's call into libc (or operator new) first; as many as
    /// [`Policy::depth`], or all that there are.
    pub frames: &'a [u64],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// None: no rule wants it, and the tier is the heap.
    pub rule: Option<u16>,
    pub tier: u16,
    pub limit: Option<Limit>,
    /// The same answer holds for these sizes, from this stack.
    pub sizes: RangeInclusive<usize>,
    /// The same answer holds for all stacks whose first `depth` frames are these; where there are fewer frames here, they
    /// are the whole of it. 0: for all.
    pub depth: usize,
    /// May change when another module is loaded.
    pub pending: bool,
}

/// A file that was read: what could be used of it, and what was wrong.
#[derive(Debug)]
pub struct Reading {
    /// None: nothing of it.
    pub policy: Option<Policy>,
    /// By line.
    pub complaints: Vec<Complaint>,
}

/// How FlexMalloc's stacks are compared.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    /// The call, not what it returns to.
    minus_1: bool,
    /// Stacks end where one of these is.
    main: Option<[FunctionId; 2]>,
}

/// Complaints about one file.
#[derive(Debug)]
struct Faults {
    file: String,
    list: Vec<Complaint>,
    more: usize,
}

impl Faults {
    fn of(file: &str) -> Self {
        Self { file: file.to_owned(), list: Vec::new(), more: 0 }
    }

    fn place(&self, line: u32) -> Place {
        Place { file: self.file.clone(), line }
    }

    /// `what; expected …`
    fn add(&mut self, line: u32, what: &str, expected: &str) {
        self.say(line, format!("{what}; expected {expected}"));
    }

    fn say(&mut self, line: u32, what: String) {
        if self.list.len() < MOST_COMPLAINTS {
            self.list.push(Complaint { at: self.place(line), what });
        } else {
            self.more += 1;
        }
    }

    fn into_list(mut self) -> Vec<Complaint> {
        self.list.sort_by_key(|complaint| complaint.at.line);
        if self.more > 0 {
            self.list.push(Complaint { at: self.place(0), what: format!("{} more faults", self.more) });
        }
        self.list
    }
}

/// What follows the last `/`.
fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
