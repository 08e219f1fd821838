//! Locks: who holds which, and what is wrong with a lock, an unlock, an end.
//!
//! # Glossary
//! - **lock**: any object that threads wait for, by its address: mutex, rwlock, spin lock, condition variable, barrier,
//!   semaphore, once control ([`Kind`]).
//! - **hold** ([`Hold`]): one thread has one lock: since which call, in which [`Mode`], how often.
//! - **holder** ([`Holder`]): what a thread holds and waits for, and which of its calls failed. Written by that thread only.
//! - **record** ([`Record`]): what is known of a lock by itself: who took it or let it go last, who destroyed it. A table of
//!   them is indexed by a hash of the address; the last writer wins, and a reader that finds another lock there knows nothing.
//! - **place**: where in the program a call was made: a return address.
//!
//! Why the list of the thread and not the record says who holds a lock: a lock is let go by whoever took it, so the common
//! case needs no memory that is shared. The record is asked when the list has no answer, on the way to a finding.
//!
//! Why ownership is never read out of libc's own structs: their layout is private and changes. Only the kind of a mutex is
//! read there, because static initialisers make it part of the ABI.

mod failure;
pub mod hand;
mod holder;
pub mod instruction;
pub mod order;
mod record;
pub mod rules;
pub mod waits;

pub use crate::actor::{Party, StackId, Tid};
pub use failure::{Failure, Failures};
pub use holder::{Hold, HoldFacts, Holder, MOST_HOLDS};
pub use record::{Record, RecordFacts, State, actor_word};

/// What it is. The codes are those of `record::lock::kind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    #[default]
    Unknown = 0,
    Mutex = 1,
    RwLock = 2,
    Spin = 3,
    Cond = 4,
    Barrier = 5,
    Sem = 6,
    Once = 7,
}

impl Kind {
    pub const fn from_bits(bits: u32) -> Self {
        match bits & 7 {
            1 => Self::Mutex,
            2 => Self::RwLock,
            3 => Self::Spin,
            4 => Self::Cond,
            5 => Self::Barrier,
            6 => Self::Sem,
            7 => Self::Once,
            _ => Self::Unknown,
        }
    }
}

/// How it is held. The codes are those of `record::lock::mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    #[default]
    None = 0,
    Exclusive = 1,
    Read = 2,
}

impl Mode {
    pub const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            1 => Self::Exclusive,
            2 => Self::Read,
            _ => Self::None,
        }
    }
}

/// What is known of a hold besides its lock and place, in one word.
///
/// `kind:3 | mode:2 | waiting:1 | told:1 | shared:1 | robust:1 | recursive:1 | unused:6 | epoch:16` from the low end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct What(pub u32);

impl What {
    /// It is being waited with: the condition variable has it.
    pub const WAITING: u32 = 1 << 5;
    /// A finding has spoken of it; no other shall.
    pub const TOLD: u32 = 1 << 6;
    /// Other processes may have it.
    pub const SHARED: u32 = 1 << 7;
    /// It survives the death of its owner.
    pub const ROBUST: u32 = 1 << 8;
    /// Its holder may take it again.
    pub const RECURSIVE: u32 = 1 << 9;

    pub const fn new(kind: Kind, mode: Mode, flags: u32, epoch: u16) -> Self {
        Self(kind as u32 | (mode as u32) << 3 | flags | (epoch as u32) << 16)
    }

    pub const fn kind(self) -> Kind {
        Kind::from_bits(self.0)
    }

    pub const fn mode(self) -> Mode {
        Mode::from_bits(self.0 >> 3)
    }

    /// Does it say that the lock is held, in a process of this epoch? Not when a finding has spoken of the hold: what became of the
    /// lock then is not known. Nor when it is the parent's of a fork: its child may have made the lock anew.
    pub const fn counts(self, epoch: u16) -> bool {
        !self.has(Self::TOLD) && self.epoch() == epoch
    }

    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    pub const fn epoch(self) -> u16 {
        (self.0 >> 16) as u16
    }
}
