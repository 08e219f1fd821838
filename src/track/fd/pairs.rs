//! The pairs of stacks that were proved to close one descriptor twice; and the places where descriptors are handed off.
//!
//! Why: a stale close looks like a hand-off. But once the same two places were seen to close a number that was not reopened
//! in between, the same two places with a reopening in between are no hand-off either.
//!
//! An insert-only open-addressing table of words, lock-free and valid while zero. When it is full, new pairs are not
//! learned, and the caller is told; what was learned stays.

use crate::actor::StackId;
use crate::atomic::{AtomicU64, Ordering, array_of, constructor};

/// How many pairs fit.
pub const PAIRS: usize = 512;

/// What became of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    New,
    /// It was there.
    Known,
    /// The table is full: the pair is dropped.
    Full,
    /// One of the stacks is unknown: there is nothing to learn.
    Ignored,
}

/// What the rules ask of the pairs that were learned. Whoever knows more of a stack than its id may compare less of it: a
/// compiler that unrolls a loop makes two stacks of one place.
pub trait Pairs {
    /// A number closed at `from` was closed again at `to`. Thread- and signal-safe.
    fn learn(&self, from: StackId, to: StackId) -> Learned;
    /// Whether the pair was learned. Thread- and signal-safe.
    fn knows(&self, from: StackId, to: StackId) -> bool;
    /// A thread closed here what it had never held: threads of this program hand descriptors to each other. Thread- and signal-safe.
    fn learn_hand_off(&self, place: StackId);
    /// Whether that was learned of the place. Thread- and signal-safe.
    fn hands_off(&self, place: StackId) -> bool;
}

/// Stands for "elsewhere" in the pair of a place where descriptors are handed off; no stack has this number.
const HANDED_OFF: StackId = StackId(u32::MAX);

impl Pairs for PairSet {
    fn learn(&self, from: StackId, to: StackId) -> Learned {
        PairSet::learn(self, from, to)
    }

    fn knows(&self, from: StackId, to: StackId) -> bool {
        PairSet::knows(self, from, to)
    }

    fn learn_hand_off(&self, place: StackId) {
        PairSet::learn(self, place, HANDED_OFF);
    }

    fn hands_off(&self, place: StackId) -> bool {
        PairSet::knows(self, place, HANDED_OFF)
    }
}

/// A set of pairs of call stacks. All zero is the empty set. Thread- and signal-safe.
#[repr(C)]
pub struct PairSet {
    cells: [AtomicU64; PAIRS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<PairSet>() == PAIRS * size_of::<AtomicU64>() && PAIRS.is_power_of_two());

impl Default for PairSet {
    fn default() -> Self {
        Self::new()
    }
}

impl PairSet {
    constructor! {
        /// The empty set.
        pub fn new() -> Self {
            PairSet { cells: array_of!(AtomicU64::new(0); PAIRS) }
        }
    }

    /// Remember that a number closed at `from` was closed again at `to`. Thread- and signal-safe, lock-free.
    pub fn learn(&self, from: StackId, to: StackId) -> Learned {
        let Some(key) = key(from, to) else { return Learned::Ignored };
        for cell in self.probe(key) {
            match cell.compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Learned::New,
                Err(found) if found == key => return Learned::Known,
                Err(_) => {}
            }
        }
        Learned::Full
    }

    /// Whether the pair was learned. Thread- and signal-safe, wait-free.
    pub fn knows(&self, from: StackId, to: StackId) -> bool {
        let Some(key) = key(from, to) else { return false };
        for cell in self.probe(key) {
            match cell.load(Ordering::Acquire) {
                0 => return false,
                found if found == key => return true,
                _ => {}
            }
        }
        false
    }

    /// How many pairs are known; [`PAIRS`] when the table is full. Walks the table: for reports.
    pub fn len(&self) -> usize {
        self.cells.iter().filter(|cell| cell.load(Ordering::Acquire) != 0).count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every cell once, from the key's own place on.
    fn probe(&self, key: u64) -> impl Iterator<Item = &AtomicU64> {
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let start = (hash >> (64 - PAIRS.trailing_zeros())) as usize;
        (0..PAIRS).map(move |step| &self.cells[(start + step) % PAIRS])
    }
}

/// The pair as one word; never zero, which means empty.
fn key(from: StackId, to: StackId) -> Option<u64> {
    (from.is_known() && to.is_known()).then_some((from.0 as u64) << 32 | to.0 as u64)
}
