//! What is told to the graph of an edge, and what it answers: plain values.
//!
//! Why gates are hashes: they are only compared with one another, and every edge keeps up to [`MOST_GATES`] of them.

use super::{LONGEST, MOST_GATES, cache};
use crate::lock::{Kind, Mode};

/// A lock in a mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub kind: Kind,
    pub mode: Mode,
}

impl Taken {
    pub(super) const fn bits(self) -> u8 {
        self.kind as u8 | (self.mode as u8) << 3
    }

    pub(super) const fn from_bits(bits: u8) -> Self {
        Self { kind: Kind::from_bits(bits as u32), mode: Mode::from_bits(bits as u32 >> 3) }
    }

    pub(super) fn reads(self) -> bool {
        self.mode == Mode::Read
    }
}

/// What a thread held besides the two locks of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Hashes of their addresses, the lowest bit set for reading.
    locks: [u32; MOST_GATES],
    len: u8,
    /// There were more.
    pub(super) beyond: bool,
    /// Of all of them, in any order.
    sum: u64,
}

impl Gates {
    pub const fn new() -> Self {
        Self { locks: [0; MOST_GATES], len: 0, beyond: false, sum: 0 }
    }

    pub fn add(&mut self, lock: usize, mode: Mode) {
        self.sum = self.sum.wrapping_add(cache::of_gate(lock, mode));
        let Some(place) = self.locks.get_mut(usize::from(self.len)) else {
            self.beyond = true;
            return;
        };
        *place = cache::of_gate(lock, Mode::None) as u32 & !1 | u32::from(mode == Mode::Read);
        self.len += 1;
    }

    pub(super) fn all(&self) -> &[u32] {
        &self.locks[..usize::from(self.len)]
    }

    /// Is everything here there, too?
    pub(super) fn are_among(&self, other: &Self) -> bool {
        self == other || !self.beyond && self.all().iter().all(|lock| other.all().contains(lock))
    }
}

/// `to` was taken while `from` was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub from: usize,
    pub to: usize,
    pub held: Taken,
    pub taken: Taken,
    pub gates: Gates,
    pub tid: u32,
    /// Where `from` was taken, and then `to`.
    pub stacks: [u32; 2],
}

/// An edge, as it was seen first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeFacts {
    pub from: usize,
    pub to: usize,
    pub held: Taken,
    pub taken: Taken,
    pub tid: u32,
    pub stacks: [u32; 2],
}

/// Edges that lead from one to the next, and from the last to the first. The first is the one that closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    pub(super) edges: [EdgeFacts; LONGEST],
    pub(super) len: usize,
}

impl Cycle {
    pub fn edges(&self) -> &[EdgeFacts] {
        &self.edges[..self.len]
    }
}

/// What became of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its index; nothing when there was no room.
    pub edge: Option<usize>,
    /// It was not known before.
    pub new: bool,
    /// It has been seen in several threads.
    pub many: bool,
    pub cycle: Option<Cycle>,
}
