//! One index: its life, and the one before it, in eight words.
//!
//! ```text
//! word 0   state:8 | generation:32 from bit 32
//! word 1   address of the variable
//! word 2   the program's destructor
//! word 3   created by, a [`Party`]
//! word 4   deleted by
//! word 5   of the life before: variable
//! word 6                       created by
//! word 7                       deleted by
//! ```
//!
//! Why this is right without a lock: an index belongs to whoever libc has given it to. [`Slot::created`] runs in the thread that was given it;
//! [`Slot::deleting`] runs before libc has it back, and one deleter wins the compare-exchange. A reader that comes in between sees
//! [`State::Changing`], or a word that is another one after it has read the rest, and then says nothing.

use crate::actor::Party;
use crate::atomic::{AtomicU64, Ordering, constructor};
use Ordering::{AcqRel, Acquire, Relaxed, Release};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// No call that we saw has created it.
    Unknown = 0,
    Live = 1,
    Deleted = 2,
    /// Live, and created where we could not see.
    Unseen = 3,
    /// The C library's.
    Libc = 4,
    Decoy = 5,
    /// shim's own.
    Own = 6,
    /// Between two others.
    Changing = 7,
}

impl State {
    fn from_bits(bits: u64) -> Self {
        match bits & 0xff {
            1 => Self::Live,
            2 => Self::Deleted,
            3 => Self::Unseen,
            4 => Self::Libc,
            5 => Self::Decoy,
            6 => Self::Own,
            7 => Self::Changing,
            _ => Self::Unknown,
        }
    }

    /// Has libc given it to somebody?
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Live | Self::Unseen | Self::Libc | Self::Decoy | Self::Own)
    }
}

/// For whom an index was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Program,
    Libc,
    Decoy,
    Own,
}

/// A life of an index; all zero when there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    pub variable: u64,
    pub created: Party,
    pub deleted: Party,
}

/// What a slot says, copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub state: State,
    /// Lives so far.
    pub generation: u32,
    pub now: Life,
    pub destructor: u64,
    pub before: Life,
}

/// See the module.
#[repr(C)]
pub struct Slot {
    word: AtomicU64,
    variable: AtomicU64,
    destructor: AtomicU64,
    created: AtomicU64,
    deleted: AtomicU64,
    before_variable: AtomicU64,
    before_created: AtomicU64,
    before_deleted: AtomicU64,
}

/// How often a copy is tried. Under loom each of them multiplies the interleavings.
const TRIES: usize = if cfg!(loom) { 2 } else { 8 };

fn word(state: State, generation: u32) -> u64 {
    state as u64 | u64::from(generation) << 32
}

fn generation(word: u64) -> u32 {
    (word >> 32) as u32
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    constructor! {
        pub fn new() -> Self {
            Self {
                word: AtomicU64::new(0),
                variable: AtomicU64::new(0),
                destructor: AtomicU64::new(0),
                created: AtomicU64::new(0),
                deleted: AtomicU64::new(0),
                before_variable: AtomicU64::new(0),
                before_created: AtomicU64::new(0),
                before_deleted: AtomicU64::new(0),
            }
        }
    }

    pub fn state(&self) -> State {
        State::from_bits(self.word.load(Acquire))
    }

    /// State and generation in one number, which no two lives share.
    pub fn life(&self) -> u64 {
        self.word.load(Acquire)
    }

    /// libc has given the index out. The life before is kept beside it.
    pub fn created(&self, variable: u64, destructor: u64, by: Party, whose: Whose) {
        // By an exchange: somebody who believes libc may count a life at this moment (`accepted`).
        let mut before = self.word.load(Relaxed);
        let changing = |before| word(State::Changing, generation(before));
        while let Err(now) = self.word.compare_exchange(before, changing(before), Relaxed, Relaxed) {
            before = now;
        }
        crate::atomic::fence(Release);
        if generation(before) > 0 {
            self.before_variable.store(self.variable.load(Relaxed), Relaxed);
            self.before_created.store(self.created.load(Relaxed), Relaxed);
            self.before_deleted.store(self.deleted.load(Relaxed), Relaxed);
        }
        self.variable.store(variable, Relaxed);
        self.destructor.store(destructor, Relaxed);
        self.created.store(by.pack(), Relaxed);
        self.deleted.store(0, Relaxed);
        let state = match whose {
            Whose::Program => State::Live,
            Whose::Libc => State::Libc,
            Whose::Decoy => State::Decoy,
            Whose::Own => State::Own,
        };
        self.word.store(word(state, generation(before).wrapping_add(1).max(1)), Release);
    }

    /// The index goes back to libc. True: it was taken, and this call ends its life.
    pub fn deleting(&self, by: Party) -> bool {
        let seen = self.word.load(Acquire);
        if !State::from_bits(seen).is_taken() {
            return false;
        }
        let changing = word(State::Changing, generation(seen));
        if self.word.compare_exchange(seen, changing, AcqRel, Relaxed).is_err() {
            return false;
        }
        // Whoever reads one of the next words finds another state after it. The exchange alone orders what is before it.
        crate::atomic::fence(Release);
        if State::from_bits(seen) == State::Unseen {
            // Whoever created it, it was not the life that is recorded here.
            self.variable.store(0, Relaxed);
            self.created.store(0, Relaxed);
        }
        self.deleted.store(by.pack(), Relaxed);
        self.word.store(word(State::Deleted, generation(seen).max(1)), Release);
        true
    }

    /// libc takes the index for a live one, although no creation was seen: its own at our start, or somebody's.
    /// True: that is news.
    pub fn accepted(&self, whose: Whose) -> bool {
        let seen = self.word.load(Acquire);
        if !matches!(State::from_bits(seen), State::Unknown | State::Deleted) {
            return false;
        }
        let state = if whose == Whose::Libc { State::Libc } else { State::Unseen };
        let now = word(state, generation(seen).wrapping_add(1).max(1));
        self.word.compare_exchange(seen, now, AcqRel, Relaxed).is_ok()
    }

    /// Its variable and destructor are gone; nobody can name it any more.
    pub fn orphaned(&self) {
        self.variable.store(0, Relaxed);
    }

    /// In a forked child: what another thread was changing stays unknown.
    pub fn settle(&self) {
        let seen = self.word.load(Relaxed);
        if State::from_bits(seen) == State::Changing {
            self.word.store(word(State::Unseen, generation(seen).wrapping_add(1).max(1)), Relaxed);
        }
    }

    /// A copy of one moment; nothing while the slot is being changed.
    pub fn facts(&self) -> Option<Facts> {
        for _ in 0..TRIES {
            let before = self.word.load(Acquire);
            let life = |variable: &AtomicU64, created: &AtomicU64, deleted: &AtomicU64| Life {
                variable: variable.load(Relaxed),
                created: Party::unpack(created.load(Relaxed)),
                deleted: Party::unpack(deleted.load(Relaxed)),
            };
            let facts = Facts {
                state: State::from_bits(before),
                generation: generation(before),
                now: life(&self.variable, &self.created, &self.deleted),
                destructor: self.destructor.load(Relaxed),
                before: life(&self.before_variable, &self.before_created, &self.before_deleted),
            };
            crate::atomic::fence(Acquire);
            if self.word.load(Relaxed) == before && facts.state != State::Changing {
                return Some(facts);
            }
        }
        None
    }

    /// All eight words, for the recording.
    pub fn words(&self) -> [u64; 8] {
        let fields = [
            &self.word,
            &self.variable,
            &self.destructor,
            &self.created,
            &self.deleted,
            &self.before_variable,
            &self.before_created,
            &self.before_deleted,
        ];
        fields.map(|field| field.load(Relaxed))
    }

    /// The words of a slot in a recording, as facts.
    pub fn read(words: &[u64; 8]) -> Facts {
        let [first, variable, destructor, created, deleted, before_variable, before_created, before_deleted] = *words;
        let life = |variable, created, deleted| Life {
            variable,
            created: Party::unpack(created),
            deleted: Party::unpack(deleted),
        };
        Facts {
            state: State::from_bits(first),
            generation: generation(first),
            now: life(variable, created, deleted),
            destructor,
            before: life(before_variable, before_created, before_deleted),
        }
    }
}
