//! Which edges are known: one word for each, at a place that its hash gives; the last one to come stays.
//!
//! ```text
//! fingerprint:34 | edge + 1:14 | thread:16 from the top      edge 0: known to have found no room
//! ```
//!
//! Why the generations of addresses are part of the hash: when a lock ends, every word that speaks of it has to be worth
//! nothing, and nobody knows where they are. A generation is shared by all addresses of a hash, whose edges are then
//! observed once more.
//!
//! Readers take no lock. A word that is written at the same moment belongs to one edge or the other. Two edges with the same
//! place and fingerprint (48 bits of hash) would make one of them go unseen, which is silence and no lie.
//!
//! Why no access is ordered: a word says all that it says by itself. That a lock has ended is known to whoever uses its address
//! again, by what gave the memory from one to the other; and a key is made *before* the graph is asked, under whose lock locks
//! end: so one that was made of an ended lock is never the key of an edge that is still there (tests/loom/order.rs).

use super::super::Mode;
use super::EDGES;
use crate::atomic::{AtomicU32, AtomicU64, Ordering, array_of, constructor};
use Ordering::Relaxed;

const SLOTS: usize = if cfg!(loom) { 4 } else { 1 << 14 };
const GENERATIONS: usize = if cfg!(loom) { 2 } else { 1 << 12 };
const THREAD: u64 = 0xffff;
/// Seen in several threads: it is known to all.
const MANY: u64 = THREAD;
const EDGE_AT: u32 = 16;
const EDGE: u64 = 0x3fff;
const FINGERPRINT_AT: u32 = 30;

const _: () = assert!(EDGES < EDGE as usize);

/// The hash of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

/// See the module.
#[repr(C)]
pub struct Cache {
    slots: [AtomicU64; SLOTS],
    generations: [AtomicU32; GENERATIONS],
    /// Of the whole.
    salt: AtomicU32,
}

/// Addresses lie at multiples of something; all bits of the result depend on theirs.
#[inline(always)]
pub(super) const fn spread(number: usize) -> u64 {
    let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

/// Of a lock that is held besides: the sum of these is what [`Cache::key`] is given.
#[inline(always)]
pub const fn of_gate(lock: usize, mode: Mode) -> u64 {
    spread(lock).wrapping_mul(if matches!(mode, Mode::Read) { 0xff51_afd7_ed55_8ccd } else { 0xc4ce_b9fe_1a85_ec53 })
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Cache {
    constructor! {
        pub fn new() -> Self {
            Self {
                slots: array_of!(AtomicU64::new(0); SLOTS),
                generations: array_of!(AtomicU32::new(0); GENERATIONS),
                salt: AtomicU32::new(0),
            }
        }
    }

    /// What a lock that is held adds to the `gates` of the others.
    #[inline(always)]
    pub fn gate(lock: usize, mode: Mode) -> u64 {
        of_gate(lock, mode)
    }

    #[inline(always)]
    fn generation(&self, lock: usize) -> u64 {
        u64::from(self.generations[(spread(lock) >> 40) as usize % GENERATIONS].load(Relaxed))
    }

    /// The end of an edge: the lock that is taken, and how.
    #[inline(always)]
    pub fn end(&self, to: usize, mode: Mode) -> u64 {
        of_gate(to, mode).rotate_left(23).wrapping_add(self.generation(to)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    /// An edge: from a lock that is held so to this [`Cache::end`], with the sum of its gates.
    #[inline(always)]
    pub fn key(&self, from: usize, mode: Mode, end: u64, gates: u64) -> Key {
        let salt = u64::from(self.salt.load(Relaxed)) << 32;
        let ends = of_gate(from, mode).wrapping_add(self.generation(from) ^ salt) ^ end;
        let mixed = (ends ^ ends >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ gates;
        Key((mixed ^ mixed >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[inline(always)]
    fn slot(&self, key: Key) -> (&AtomicU64, u64) {
        (&self.slots[key.0 as usize % SLOTS], key.0 >> FINGERPRINT_AT << FINGERPRINT_AT)
    }

    #[inline(always)]
    const fn thread(tid: u32) -> u64 {
        tid as u64 % THREAD
    }

    /// Is it known that this thread has taken locks so? Its index in the graph, nothing in that for an edge without room.
    #[inline(always)]
    pub fn find(&self, key: Key, tid: u32) -> Option<Option<usize>> {
        let (slot, fingerprint) = self.slot(key);
        let word = slot.load(Relaxed);
        let thread = word & THREAD;
        let known = word != 0
            && word >> FINGERPRINT_AT << FINGERPRINT_AT == fingerprint
            && (thread == MANY || thread == Self::thread(tid));
        known.then(|| ((word >> EDGE_AT & EDGE) as usize).checked_sub(1))
    }

    /// It is known from now on: to this thread, or to all.
    pub fn store(&self, key: Key, edge: Option<usize>, tid: u32, many: bool) {
        let (slot, fingerprint) = self.slot(key);
        let edge = edge.map_or(0, |edge| edge as u64 + 1);
        let thread = if many { MANY } else { Self::thread(tid) };
        slot.store(fingerprint | edge << EDGE_AT | thread, Relaxed);
    }

    /// Nothing is known of the lock at this address.
    pub(super) fn forget(&self, lock: usize) {
        self.generations[(spread(lock) >> 40) as usize % GENERATIONS].fetch_add(1, Relaxed);
    }

    pub(super) fn forget_all(&self) {
        self.salt.fetch_add(1, Relaxed);
    }
}
