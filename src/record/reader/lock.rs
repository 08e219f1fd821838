//! Locks as a recording has them: how each was used, and in which order they were taken.
//!
//! Every number ends at [`MOST`], as those of the heap do, so that sums of a few do not overflow whatever the file says.

use super::Recording;
use super::bytes::Raw;
use super::heap::MOST;
use crate::layout::{self, Section};
use crate::lock::{ENDED, Edge, TID};
use core::mem::offset_of;

/// How a lock was used. Times are ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    pub address: u64,
    /// [`crate::lock::kind`].
    pub kind: u8,
    /// Where it lies in a module: a stack of one frame; 0 = in none.
    pub place: u32,
    /// Where it was initialised, or first locked: a stack.
    pub created: u32,
    pub taken: u64,
    /// Of those: for reading.
    pub taken_read: u64,
    /// Of those: not at once.
    pub contended: u64,
    pub changed_hands: u64,
    pub waited: u64,
    pub waited_most: u64,
    pub held: u64,
    pub held_most: u64,
    /// Stacks.
    pub held_most_at: u32,
    pub waited_most_at: u32,
    /// The thread that has it for itself, 0 = none.
    pub held_by: u32,
}

/// A lock that was taken while another was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockEdge {
    pub edge: Edge,
    pub count: u64,
    /// One of the two locks is no more.
    pub ended: bool,
}

impl Lock {
    fn read(raw: Raw) -> Option<Self> {
        use layout::Lock as At;
        let number = |at: usize| raw.u64(at).min(MOST);
        let (address, what) = (raw.u64(offset_of!(At, address)), raw.u64(offset_of!(At, what)));
        (address != 0).then(|| Self {
            address,
            kind: what as u8,
            place: (what >> 32) as u32,
            created: raw.u64(offset_of!(At, created)) as u32,
            taken: number(offset_of!(At, taken)),
            taken_read: number(offset_of!(At, taken_read)),
            contended: number(offset_of!(At, contended)),
            changed_hands: number(offset_of!(At, changed_hands)),
            waited: number(offset_of!(At, waited)),
            waited_most: number(offset_of!(At, waited_most)),
            held: number(offset_of!(At, held)),
            held_most: number(offset_of!(At, held_most)),
            held_most_at: raw.u64(offset_of!(At, held_most_at)) as u32,
            waited_most_at: raw.u64(offset_of!(At, waited_most_at)) as u32,
            held_by: (raw.u64(offset_of!(At, held_by)) & TID) as u32,
        })
    }
}

impl LockEdge {
    fn read(raw: Raw) -> Option<Self> {
        use layout::LockEdge as At;
        let (from, to) = (raw.u64(offset_of!(At, from)), raw.u64(offset_of!(At, to)));
        let (what, stacks) = (raw.u64(offset_of!(At, what)), raw.u64(offset_of!(At, stacks)));
        let places = raw.u64(offset_of!(At, places));
        let halves = |word: u64| [word as u32, (word >> 32) as u32];
        (from != 0 && to != 0).then(|| Self {
            edge: Edge {
                from,
                to,
                held: (what as u8, (what >> 8) as u8),
                taken: ((what >> 16) as u8, (what >> 24) as u8),
                stacks: halves(stacks),
                places: halves(places),
                tid: raw.u64(offset_of!(At, tid)) as u32,
            },
            count: raw.u64(offset_of!(At, count)).min(MOST),
            ended: what & ENDED != 0,
        })
    }
}

impl<B: AsRef<[u8]>> Recording<B> {
    /// The locks whose use was measured (`lock_times=1`).
    pub fn locks(&self) -> impl Iterator<Item = Lock> {
        self.all(Section::Locks).filter_map(|(_, raw)| Lock::read(raw)).filter(|lock| lock.taken > 0)
    }

    /// The order in which locks were taken (`locks=order`).
    pub fn lock_edges(&self) -> impl Iterator<Item = LockEdge> {
        self.all(Section::LockEdges).filter_map(|(_, raw)| LockEdge::read(raw))
    }
}
