//! What is known of a lock by itself: the last who took it or let it go, and who destroyed it.
//!
//! One record serves all locks whose addresses share its hash: whoever writes takes it over. A reader must find its own lock's
//! address in it and the address's tag in the word, or knows nothing; two writers of different locks at the same moment can
//! mix the two, which the tag shows in 255 of 256 cases.

use super::{Kind, Party, StackId, Tid};
use crate::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, constructor};
use Ordering::{Acquire, Relaxed, Release};

/// In which state it was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    #[default]
    Unknown = 0,
    /// Taken by the thread, or one more time by it.
    Held = 1,
    /// Let go by the thread. Of an rwlock: by one of its readers.
    Free = 2,
    Initialised = 3,
    Destroyed = 4,
}

/// A record, all zero in the beginning.
#[repr(C)]
pub struct Record {
    lock: AtomicUsize,
    /// tid:32 | epoch:16 | tag:8 | kind:4 | state:4 from the top.
    who: AtomicU64,
    /// Where: a return address.
    place: AtomicUsize,
    /// Stacks of its initialisation and its destruction.
    made: AtomicU32,
    gone: AtomicU32,
}

/// A copy of a [`Record`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordFacts {
    pub state: State,
    pub kind: Kind,
    pub tid: Tid,
    pub epoch: u16,
    pub place: usize,
    pub made: StackId,
    pub gone: StackId,
}

impl RecordFacts {
    /// Who destroyed it.
    pub fn destroyer(&self) -> Party {
        Party { tid: self.tid, stack: self.gone }
    }
}

/// The thread's part of the word: what [`Record`] is given with every event.
pub const fn actor_word(tid: u32, epoch: u16) -> u64 {
    (tid as u64) << 32 | (epoch as u64) << 16
}

const fn tag(lock: usize) -> u64 {
    ((lock >> 3) ^ (lock >> 11) ^ (lock >> 19)) as u64 & 0xff
}

impl Record {
    constructor! {
        pub fn new() -> Self {
            Self {
                lock: AtomicUsize::new(0),
                who: AtomicU64::new(0),
                place: AtomicUsize::new(0),
                made: AtomicU32::new(0),
                gone: AtomicU32::new(0),
            }
        }
    }

    /// Is it about this lock, at this moment?
    #[inline(always)]
    pub fn is_of(&self, lock: usize) -> bool {
        self.lock.load(Relaxed) == lock
    }

    /// Was this lock destroyed? One load, when it was not.
    #[inline(always)]
    pub fn is_destroyed(&self, lock: usize) -> bool {
        self.who.load(Relaxed) & 15 == State::Destroyed as u64 && self.facts(lock).is_some()
    }

    /// The thread has taken the lock, or let it go.
    #[inline(always)]
    pub fn now(&self, lock: usize, kind: Kind, state: State, actor: u64, place: usize) {
        if self.lock.load(Relaxed) != lock {
            self.made.store(0, Relaxed);
            self.lock.store(lock, Relaxed);
        }
        self.place.store(place, Relaxed);
        self.who.store(actor | tag(lock) << 8 | (kind as u64) << 4 | state as u64, Release);
    }

    /// The lock was initialised or destroyed.
    #[inline(always)]
    pub fn lived(&self, lock: usize, kind: Kind, state: State, actor: u64, stack: StackId) {
        if self.lock.load(Relaxed) != lock {
            self.lock.store(lock, Relaxed);
            self.made.store(0, Relaxed);
        }
        if state == State::Destroyed {
            self.gone.store(stack.0, Relaxed);
        } else {
            self.made.store(stack.0, Relaxed);
        }
        self.place.store(0, Relaxed);
        self.who.store(actor | tag(lock) << 8 | (kind as u64) << 4 | state as u64, Release);
    }

    /// What is known of this lock; nothing when the record is another's.
    pub fn facts(&self, lock: usize) -> Option<RecordFacts> {
        let who = self.who.load(Acquire);
        let facts = RecordFacts {
            state: match who & 15 {
                1 => State::Held,
                2 => State::Free,
                3 => State::Initialised,
                4 => State::Destroyed,
                _ => return None,
            },
            kind: Kind::from_bits((who >> 4) as u32 & 15),
            tid: Tid((who >> 32) as u32),
            epoch: (who >> 16) as u16,
            place: self.place.load(Acquire),
            made: StackId(self.made.load(Acquire)),
            gone: StackId(self.gone.load(Acquire)),
        };
        let mine = self.lock.load(Acquire) == lock && who >> 8 & 0xff == tag(lock) && self.who.load(Relaxed) == who;
        mine.then_some(facts)
    }

    /// Nothing is known any more: the memory is another's, or nobody can tell.
    pub fn forget(&self, lock: usize) {
        if self.lock.load(Relaxed) == lock {
            self.who.store(0, Relaxed);
        }
    }
}
