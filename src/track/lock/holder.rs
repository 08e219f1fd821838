//! What one thread holds and waits for.
//!
//! Written by its own thread only; read by others when a finding or a picture of all waits is made.
//!
//! **Signals.** A handler may take and release locks while the interrupted call is in the middle of a change here. So a push
//! raises the length before it fills the place, a removal empties the place before it lowers the length, and an empty place
//! (lock 0) is no hold. A handler that leaves everything as it found it, as it must, then disturbs nothing.
//!
//! **Readers** in other threads copy a hold between two reads of its lock. A lock that was let go and taken again between the
//! two gives the place of either time, and both are true.

use super::What;
use crate::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, array_of, constructor};
use Ordering::{Acquire, Relaxed, Release};

/// Locks that a thread holds at a time and that are followed. What is beyond is counted.
pub const MOST_HOLDS: usize = 32;

/// One lock that the thread holds. Lock 0 is none.
#[repr(C)]
pub struct Hold {
    lock: AtomicUsize,
    /// Where it was taken: a return address.
    place: AtomicUsize,
    /// A [`What`].
    what: AtomicU32,
    /// The stack, where stacks are taken.
    stack: AtomicU32,
    /// When, ns, where times are taken.
    since: AtomicU64,
}

/// A copy of a [`Hold`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldFacts {
    pub lock: usize,
    pub place: usize,
    pub what: What,
    pub stack: u32,
    pub since: u64,
}

impl Hold {
    constructor! {
        fn new() -> Self {
            Self {
                lock: AtomicUsize::new(0),
                place: AtomicUsize::new(0),
                what: AtomicU32::new(0),
                stack: AtomicU32::new(0),
                since: AtomicU64::new(0),
            }
        }
    }

    fn without_stack(&self) {
        self.stack.store(0, Relaxed);
        self.since.store(0, Relaxed);
    }

    fn copy(&self) -> Option<HoldFacts> {
        let lock = self.lock.load(Acquire);
        let facts = HoldFacts {
            lock,
            place: self.place.load(Acquire),
            what: What(self.what.load(Acquire)),
            stack: self.stack.load(Acquire),
            since: self.since.load(Acquire),
        };
        (lock != 0 && self.lock.load(Relaxed) == lock).then_some(facts)
    }

    /// It counts from now on. Its own thread.
    pub fn begins(&self, now: u64) {
        self.since.store(now, Relaxed);
    }

    /// Adds a flag of [`What`]. Any thread.
    pub fn mark(&self, flag: u32) {
        self.what.fetch_or(flag, Relaxed);
    }

    /// Takes it away. Any thread.
    pub fn unmark(&self, flag: u32) {
        self.what.fetch_and(!flag, Relaxed);
    }
}

/// The holds of a thread, all zero in the beginning.
#[repr(C)]
pub struct Holder {
    len: AtomicU32,
    /// Holds beyond the list.
    beyond: AtomicU32,
    /// The lock that it waits for at this moment, and how: 0 = none.
    waits_for: AtomicUsize,
    waits_what: AtomicU32,
    waits_stack: AtomicU32,
    waits_since: AtomicU64,
    holds: [Hold; MOST_HOLDS],
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

impl Holder {
    constructor! {
        pub fn new() -> Self {
            Self {
                len: AtomicU32::new(0),
                beyond: AtomicU32::new(0),
                waits_for: AtomicUsize::new(0),
                waits_what: AtomicU32::new(0),
                waits_stack: AtomicU32::new(0),
                waits_since: AtomicU64::new(0),
                holds: array_of!(Hold::new(); MOST_HOLDS),
            }
        }
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        (self.len.load(Relaxed) as usize).min(MOST_HOLDS)
    }

    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len.load(Relaxed) == 0
    }

    /// Does the thread hold more than is followed? Then what is not in the list may be held all the same.
    #[inline(always)]
    pub fn is_beyond(&self) -> bool {
        self.beyond.load(Relaxed) != 0
    }

    /// The place of the hold, the latest first.
    #[inline(always)]
    pub fn find(&self, lock: usize) -> Option<usize> {
        let mut at = self.len();
        while at > 0 {
            at -= 1;
            if self.holds[at].lock.load(Relaxed) == lock {
                return Some(at);
            }
        }
        None
    }

    #[inline(always)]
    pub fn hold(&self, at: usize) -> &Hold {
        &self.holds[at % MOST_HOLDS]
    }

    /// Is a lock in this range of addresses held? The place of the first such hold from this place on. Any thread.
    #[inline(always)]
    pub fn inside(&self, range: &core::ops::Range<usize>, from: usize) -> Option<usize> {
        // Addresses are compared by their distance: an empty place, 0, is in no range of the program's.
        let len = range.end.wrapping_sub(range.start);
        (from..self.len()).find(|at| self.holds[*at].lock.load(Relaxed).wrapping_sub(range.start) < len)
    }

    /// The hold of this lock, if there is one, is none any more: another thread has let the lock go. Any thread; the owner of
    /// the list may be changing it, so it is looked at again.
    pub fn take_away(&self, lock: usize) -> bool {
        let mut found = false;
        for _ in 0..4 {
            let Some(at) = self.find(lock) else { break };
            found |= self.holds[at].lock.compare_exchange(lock, 0, Relaxed, Relaxed).is_ok();
        }
        found
    }

    /// The list is full: what is no hold any more, or was spoken of, makes room. By the thread itself. False: nothing is.
    pub fn make_room(&self) -> bool {
        let before = self.len();
        for at in (0..before).rev() {
            let hold = &self.holds[at];
            if hold.lock.load(Relaxed) == 0 || What(hold.what.load(Relaxed)).has(What::TOLD) {
                self.remove(at);
            }
        }
        self.len() < before
    }

    /// A copy of the hold, when there is one. Any thread.
    pub fn facts(&self, at: usize) -> Option<HoldFacts> {
        self.holds.get(at)?.copy()
    }

    /// All holds, the earliest first. Any thread.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = HoldFacts> + '_ {
        (0..self.len()).filter_map(|at| self.facts(at))
    }

    /// The hold of this lock, if any. Any thread.
    pub fn holding(&self, lock: usize) -> Option<HoldFacts> {
        self.all().rev().find(|hold| hold.lock == lock)
    }

    /// The thread has taken a lock. False: the list is full.
    #[inline(always)]
    pub fn push(&self, lock: usize, place: usize, what: What) -> bool {
        let at = self.len.load(Relaxed) as usize;
        let Some(hold) = self.holds.get(at) else {
            self.beyond.store(self.beyond.load(Relaxed) + 1, Relaxed);
            return false;
        };
        self.len.store(at as u32 + 1, Relaxed);
        hold.place.store(place, Relaxed);
        hold.what.store(what.0, Relaxed);
        hold.lock.store(lock, Release);
        true
    }

    /// As [`Holder::push`], with a stack and a time. Where only some are pushed so, these go by [`Holder::remove`].
    #[inline(always)]
    pub fn push_with(&self, facts: &HoldFacts) -> bool {
        let at = self.len.load(Relaxed) as usize;
        if let Some(hold) = self.holds.get(at) {
            hold.stack.store(facts.stack, Relaxed);
            hold.since.store(facts.since, Relaxed);
        }
        self.push(facts.lock, facts.place, facts.what)
    }

    /// As [`Holder::push_with`] after one that found the list full and counted it.
    pub fn push_again(&self, facts: &HoldFacts) -> bool {
        self.pop_beyond();
        self.push_with(facts)
    }

    /// The latest hold, if it is of this lock, is none any more.
    #[inline(always)]
    pub fn pop(&self, lock: usize) -> bool {
        let Some(at) = (self.len.load(Relaxed) as usize).checked_sub(1) else { return false };
        let Some(hold) = self.holds.get(at) else { return false };
        if hold.lock.load(Relaxed) != lock {
            return false;
        }
        hold.lock.store(0, Release);
        self.len.store(at as u32, Relaxed);
        true
    }

    /// The hold at this place is none any more; later ones move up. What goes leaves no stack: [`Holder::push`] writes none.
    pub fn remove(&self, at: usize) {
        let len = self.len();
        if at >= len {
            return;
        }
        for i in at..len - 1 {
            let (to, from) = (&self.holds[i], &self.holds[i + 1]);
            to.lock.store(0, Release);
            to.place.store(from.place.load(Relaxed), Release);
            to.what.store(from.what.load(Relaxed), Release);
            to.stack.store(from.stack.load(Relaxed), Release);
            to.since.store(from.since.load(Relaxed), Release);
            to.lock.store(from.lock.load(Relaxed), Release);
        }
        self.holds[len - 1].lock.store(0, Release);
        self.holds[len - 1].without_stack();
        self.len.store(len as u32 - 1, Relaxed);
    }

    /// One of those beyond the list was let go. False: there is none.
    pub fn pop_beyond(&self) -> bool {
        let beyond = self.beyond.load(Relaxed);
        if beyond > 0 {
            self.beyond.store(beyond - 1, Relaxed);
        }
        beyond > 0
    }

    /// The thread is gone, or another one takes its place.
    pub fn clear(&self) {
        for hold in &self.holds {
            hold.lock.store(0, Relaxed);
            hold.without_stack();
        }
        self.len.store(0, Relaxed);
        self.beyond.store(0, Relaxed);
        self.waits_for.store(0, Relaxed);
    }

    /// The thread is about to wait for a lock.
    pub fn waits(&self, lock: usize, what: What, stack: u32, since: u64) {
        self.waits_what.store(what.0, Relaxed);
        self.waits_stack.store(stack, Relaxed);
        self.waits_since.store(since, Relaxed);
        self.waits_for.store(lock, Release);
    }

    #[inline(always)]
    pub fn waits_no_more(&self) {
        self.waits_for.store(0, Release);
    }

    /// What it waits for, if it does. Any thread. The place is unknown: there is a stack.
    pub fn waiting(&self) -> Option<HoldFacts> {
        let lock = self.waits_for.load(Acquire);
        let facts = HoldFacts {
            lock,
            place: 0,
            what: What(self.waits_what.load(Acquire)),
            stack: self.waits_stack.load(Acquire),
            since: self.waits_since.load(Acquire),
        };
        (lock != 0 && self.waits_for.load(Relaxed) == lock).then_some(facts)
    }
}
