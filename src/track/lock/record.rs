//! What is known of a lock by itself: that all that is done with it is seen, and who initialised or destroyed it.
//!
//! One record serves all locks whose addresses share its hash: whoever writes takes it over. A reader must find its own lock's
//! address in it and the address's tag in the word, or knows nothing; two writers of different locks at the same moment can
//! mix the two, which the tag shows in 255 of 256 cases.
//!
//! Why the state is in the two low bits of the address (every lock is aligned to four bytes): the common question, is this lock
//! known, is then one comparison, and nothing needs to be written while the answer is yes.

use super::{Kind, Party, StackId, Tid};
use crate::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, constructor};
use Ordering::{Acquire, Relaxed, Release};

/// In which state it was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It was taken where we saw it, and is followed since.
    #[default]
    Known = 0,
    /// It was initialised, and is followed since.
    Initialised = 1,
    Destroyed = 2,
    /// Something happened to it where we could not see it.
    Unknown = 3,
}

const STATES: usize = 3;

/// A record, all zero in the beginning: about the lock at address 0, which there is not.
#[repr(C)]
pub struct Record {
    /// The address, and the state.
    lock: AtomicUsize,
    /// tid:32 | epoch:16 | tag:8 | kind:8 from the top: of who brought it into this state.
    who: AtomicU64,
    /// What the lock looked like when it was destroyed: a hash of its bytes.
    looks: AtomicUsize,
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
    pub looks: usize,
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

impl Default for Record {
    fn default() -> Self {
        Self::new()
    }
}

impl Record {
    constructor! {
        pub fn new() -> Self {
            Self {
                lock: AtomicUsize::new(0),
                who: AtomicU64::new(0),
                looks: AtomicUsize::new(0),
                made: AtomicU32::new(0),
                gone: AtomicU32::new(0),
            }
        }
    }

    /// Is it about this lock, and is the lock followed? One load.
    #[inline(always)]
    pub fn is_known(&self, lock: usize) -> bool {
        self.lock.load(Relaxed) == lock
    }

    /// Was this lock destroyed? One load.
    #[inline(always)]
    pub fn is_destroyed(&self, lock: usize) -> bool {
        self.lock.load(Relaxed) == lock | State::Destroyed as usize
    }

    /// The lock was taken where we saw it.
    pub fn known(&self, lock: usize, kind: Kind, actor: u64) {
        self.set(lock, kind, State::Known, actor);
    }

    /// The lock was initialised or destroyed.
    pub fn lived(&self, lock: usize, kind: Kind, state: State, actor: u64, stack: StackId, looks: usize) {
        self.set(lock, kind, state, actor);
        if state == State::Destroyed {
            self.looks.store(looks, Relaxed);
            self.gone.store(stack.0, Release);
        } else {
            self.made.store(stack.0, Release);
        }
    }

    fn set(&self, lock: usize, kind: Kind, state: State, actor: u64) {
        if self.lock.load(Relaxed) & !STATES != lock {
            self.lock.store(0, Release);
            self.made.store(0, Relaxed);
            self.gone.store(0, Relaxed);
        }
        self.who.store(actor | tag(lock) << 8 | kind as u64, Release);
        self.lock.store(lock | state as usize, Release);
    }

    /// What is known of this lock; nothing when the record is another's.
    pub fn facts(&self, lock: usize) -> Option<RecordFacts> {
        let word = self.lock.load(Acquire);
        let who = self.who.load(Acquire);
        let facts = RecordFacts {
            state: match word & STATES {
                0 => State::Known,
                1 => State::Initialised,
                2 => State::Destroyed,
                _ => State::Unknown,
            },
            kind: Kind::from_bits(who as u32 & 0xff),
            tid: Tid((who >> 32) as u32),
            epoch: (who >> 16) as u16,
            looks: self.looks.load(Acquire),
            made: StackId(self.made.load(Acquire)),
            gone: StackId(self.gone.load(Acquire)),
        };
        let mine = word & !STATES == lock && who >> 8 & 0xff == tag(lock) && self.lock.load(Relaxed) == word;
        mine.then_some(facts)
    }

    /// Something happens to the lock that cannot be followed: whatever is done with it is right.
    pub fn forget(&self, lock: usize) {
        if self.lock.load(Relaxed) & !STATES == lock {
            self.lock.store(lock | State::Unknown as usize, Relaxed);
        }
    }
}
