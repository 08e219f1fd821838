//! Heap blocks: who allocated each, who freed it, and what is wrong with a free.
//!
//! # Glossary
//! - **block**: what an allocation call returned: an address and a size.
//! - **entry** ([`Entry`]): four words that the side table keeps for an address; of the block that starts there, or that did last.
//! - **family** ([`Family`]): malloc, operator new, operator new[]. A block is freed by its own.
//! - **live**, **freed**, **quarantined**: the program has it; it was given back; it was given back and we hold it.
//! - **redzone** ([`pattern`]): bytes in front of a block and behind it that nobody may write to. **moved**: there is one in
//!   front, so that the program's pointer is not the allocator's.
//! - **untracked**: handed out where we could not follow. Whatever happens to it is right.
//! - **root**: memory that the program can reach without a pointer: its data, stacks, registers ([`reach`]).
//!
//! The table itself (which entry belongs to which address) is `shim`'s; here are the transitions of one entry, the sampling of
//! allocations ([`sampling`]), what redzones and freed blocks are filled with ([`pattern`]), and the words of a fault.
//!
//! Why entries outlive their blocks: the entry of a freed block is the evidence for the second free. It is replaced when a
//! block starts at the same place again; every allocation does that, also one that we do not follow ([`Entry::untrack`]), or a
//! legitimate free would look like a second one.

pub mod blocks;
mod entry;
pub mod pattern;
pub mod reach;
pub mod sampling;

pub use entry::{Ended, Entry, Facts, Freeing, State};

/// By what a block is allocated and freed. The codes are those of `record::heap::family`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    #[default]
    Unknown = 0,
    Malloc = 1,
    New = 2,
    NewArray = 3,
}

impl Family {
    pub const fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            1 => Self::Malloc,
            2 => Self::New,
            3 => Self::NewArray,
            _ => Self::Unknown,
        }
    }

    /// May what was allocated by `self` be freed by `other`?
    pub fn fits(self, other: Self) -> bool {
        self == other || self == Self::Unknown || other == Self::Unknown
    }
}
