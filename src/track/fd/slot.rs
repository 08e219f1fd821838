//! The record of one descriptor number, and the transitions that no close is part of: opened, used, owned, shown.
//!
//! Why opening takes two steps: the kernel gave the number to one thread, but a program that closes twice can make it hand
//! the same number to two threads before either is recorded. So the opener first *reserves* the next generation in the word
//! (flag `FILLING`), fills the ring entry, which from then on nobody else writes, and publishes. Until then everybody sees
//! the number as it was; two overlapping openers see it as unknown. Nobody ever waits.
//!
//! The protocol of the ring: generation g lives in `ring[g & 3]`. Whoever copies an entry must afterwards find that the
//! word's generation is at most g + 3, either by a successful compare-and-swap of the word it had read before, or by
//! reading the word again. A late writer (the claimant of a close, preempted before it wrote its name while the number went
//! through four more lives) can still soil a newer entry's closer; that costs a wrong name in a report until the entry is
//! really closed, and would cost a lock to prevent.
//!
//! Zero-validity: `Slot` is 64 `AtomicU64` and nothing else (asserted below), each valid while zero, and zero is `Unknown`.

use super::generation::{Facts, GENERATION_WORDS, Generation, LABEL_WORDS, Meta};
use super::kind::{FdKind, Owner};
use super::rules::{self, Older, Past};
use super::verdict::Verdict;
use super::word::{Flags, State, Word};
use crate::actor::{Actor, ThreadIndex};
use crate::atomic::{AtomicU64, Ordering, array_of, constructor};

/// How many lives of a number are remembered.
pub const RING: usize = 4;

/// The record of one descriptor number, in memory that the caller owns. All zero is `Unknown`.
///
/// Every method takes `&self`, may be called from any thread and from signal handlers, never blocks, never allocates, and
/// touches no errno.
#[repr(C)]
pub struct Slot {
    pub(super) word: AtomicU64,
    _head: [AtomicU64; 3],
    ring: [Generation; RING],
}

/// Words in a slot.
pub const SLOT_WORDS: usize = HEAD_WORDS + RING * GENERATION_WORDS;
const HEAD_WORDS: usize = 4;

#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot>() == 8 * SLOT_WORDS);
#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot>() == 512 && size_of::<Slot>() == 64 * size_of::<AtomicU64>());
/// In a slot that begins a cache line of 64 bytes, what every use of a life reads lies in one line of them, whichever life it is.
#[cfg(not(loom))]
const _: () = {
    let mut life = 0;
    while life < RING {
        let at = core::mem::offset_of!(Slot, ring) + life * size_of::<Generation>();
        assert!(at / 64 == (at + 3 * size_of::<AtomicU64>() - 1) / 64);
        life += 1;
    }
};

/// What was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    pub kind: FdKind,
    pub owner: Owner,
    /// Found open rather than seen opening: nobody is its holder, and anybody may close it.
    pub imported: bool,
    pub label: [u64; LABEL_WORDS],
}

/// The new life of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Opened {
    pub generation: u32,
    /// The state that was replaced. `Open`: a close was invisible. `Closing`, `Evicting`: the closer had returned from the
    /// kernel but not yet said so. `Replacing`: the ordinary end of a dup2.
    pub displaced: State,
}

/// A consistent copy of a number's record, for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub state: State,
    pub epoch: u16,
    /// The generation that `state` and `current` are about.
    pub generation: u32,
    /// Absent when nothing was ever recorded, or when the number changed hands faster than it could be copied.
    pub current: Option<Facts>,
    pub previous: Option<Facts>,
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    constructor! {
        /// An unknown number: all zero, so zeroed memory is as good.
        pub fn new() -> Self {
            Slot { word: AtomicU64::new(0), _head: array_of!(AtomicU64::new(0); 3), ring: array_of!(Generation::new(); RING) }
        }
    }

    /// A copy of a slot out of a recording: its words in the order of memory. Any words are a slot; one that was copied while
    /// it changed is as torn as the copy.
    pub fn from_words(words: &[u64; SLOT_WORDS]) -> Self {
        let word = |i: usize| AtomicU64::new(words[i]);
        Slot {
            word: word(0),
            _head: core::array::from_fn(|i| word(1 + i)),
            ring: core::array::from_fn(|i| {
                Generation::from_words(|field| words[HEAD_WORDS + i * GENERATION_WORDS + field])
            }),
        }
    }

    /// The same way back.
    pub fn words(&self) -> [u64; SLOT_WORDS] {
        let head = [&self.word, &self._head[0], &self._head[1], &self._head[2]];
        let mut words = [0; SLOT_WORDS];
        let all = head.into_iter().chain(self.ring.iter().flat_map(Generation::fields));
        for (word, field) in words.iter_mut().zip(all) {
            *word = field.load(Ordering::Acquire);
        }
        words
    }

    /// The number was just returned by the kernel. Any previous state is replaced.
    ///
    /// Thread- and signal-safe, lock-free. Call it before the number is returned to the program.
    pub fn opened(&self, by: &Actor, what: Opening) -> Opened {
        let mut word = self.load();
        let (reserved, displaced) = loop {
            let generation = word.generation().wrapping_add(1);
            let reserved = Word::new(seen_while_filling(word), Flags::FILLING, word.epoch(), generation);
            match self.swap(word, reserved) {
                // An opener that is overtaken while it fills was open all the same.
                Ok(()) => break (reserved, if word.is_filling() { State::Open } else { word.state() }),
                Err(now) => word = now,
            }
        };
        let generation = reserved.generation();
        self.ring(generation).fill(&Facts {
            opened_at: by.now,
            opener: by.party(),
            holders: if what.imported { 0 } else { by.thread.bit() },
            owner: what.owner,
            meta: Meta {
                kind: what.kind,
                opener: by.thread,
                imported: what.imported,
                epoch: by.epoch,
                ..Meta::default()
            },
            label: what.label,
            ..Facts::default()
        });
        // Fails only when another opener reserved a newer generation: then that one is the truth.
        let _ = self.swap(reserved, Word::new(State::Open, Flags::NONE, by.epoch, generation));
        Opened { generation, displaced }
    }

    /// The thread uses the descriptor, so it is a holder. Costs two loads and a test when it was one already. What comes back
    /// is the life that is used, to be told what came of it; nothing unless the number is open.
    ///
    /// Thread- and signal-safe, wait-free. Call it before the real call, while the number cannot have moved on.
    #[inline]
    pub fn used(&self, thread: ThreadIndex) -> Option<&Generation> {
        let word = self.load();
        if word.state() != State::Open {
            return None;
        }
        let ring = self.ring(word.generation());
        if ring.holders.load(Ordering::Relaxed) & thread.bit() == 0 {
            ring.holders.fetch_or(thread.bit(), Ordering::AcqRel);
        }
        Some(ring)
    }

    /// One life of the number, by its generation. The entry may be of another life by now.
    pub fn life(&self, generation: u32) -> &Generation {
        self.ring(generation)
    }

    /// A FILE or DIR takes the number (fdopen, fdopendir) or, with [`Owner::NONE`], lets go of it. A second owner of an
    /// owned number is a finding, and takes its place.
    ///
    /// Thread- and signal-safe, wait-free.
    pub fn set_owner(&self, by: &Actor, owner: Owner) -> Option<Verdict> {
        let word = self.load();
        if word.state() != State::Open {
            return None;
        }
        let ring = self.ring(word.generation());
        let first = Owner::unpack(ring.owner.swap(owner.pack(), Ordering::AcqRel));
        if owner.is_none() || first.is_none() || first.is(owner) {
            return None;
        }
        rules::second_owner(word.generation(), &ring.facts(), first, by)
    }

    /// Replace the label, which track never reads. Ignored unless the number is open. Thread- and signal-safe; two writers
    /// at once may leave a mixture.
    pub fn set_label(&self, label: [u64; LABEL_WORDS]) {
        let word = self.load();
        if word.state() == State::Open {
            self.ring(word.generation()).set_label(&label);
        }
    }

    /// Correct the kind once it is known. Ignored unless the number is open. Thread- and signal-safe, lock-free.
    pub fn set_kind(&self, kind: FdKind) {
        let word = self.load();
        if word.state() == State::Open {
            self.ring(word.generation()).update_meta(|meta| Meta { kind, ..meta });
        }
    }

    /// A consistent copy of the word and of the current and previous generations.
    ///
    /// Thread- and signal-safe; gives up on the generations after a few disturbed attempts rather than wait.
    pub fn snapshot(&self) -> Snapshot {
        let mut word = self.load();
        for _ in 0..8 {
            let generation = word.settled_generation();
            let current = Some(self.ring(generation).facts()).filter(Facts::exists);
            let previous = Some(self.ring(generation.wrapping_sub(1)).facts()).filter(Facts::exists);
            let again = self.load();
            if again == word {
                let (state, epoch) = (word.state(), word.epoch());
                return Snapshot { state, epoch, generation, current, previous };
            }
            word = again;
        }
        let (state, epoch, generation) = (word.state(), word.epoch(), word.settled_generation());
        Snapshot { state, epoch, generation, ..Snapshot::default() }
    }

    /// The state alone: a load. Thread- and signal-safe.
    #[inline]
    pub fn state(&self) -> State {
        self.load().state()
    }

    /// What the current life is, as far as one read tells: for the thread that has claimed it. Thread- and signal-safe.
    #[inline]
    pub fn kind(&self) -> FdKind {
        self.ring(self.load().settled_generation()).meta().kind
    }

    /// What is to be put back by [`thaw`](Self::thaw) in a forked child whose memory shows what its parent did afterwards.
    pub fn freeze(&self) -> u64 {
        self.load().bits()
    }

    /// Back to a frozen state, always by a store, so that memory that is copied on write becomes our own.
    ///
    /// pre: nobody else uses the slot; `frozen` came from [`freeze`](Self::freeze) of the same slot.
    pub fn thaw(&self, frozen: u64) {
        self.word.store(frozen, Ordering::Release);
    }

    /// Nothing is known of the number any more; always by a store, as [`thaw`](Self::thaw).
    ///
    /// pre: nobody else uses the slot.
    pub fn forget(&self) {
        let word = self.load();
        self.word.store(
            Word::new(State::Unknown, Flags::NONE, word.epoch(), word.settled_generation()).bits(),
            Ordering::Release,
        );
    }

    pub(super) fn load(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Compare-and-swap of the whole word; the word found when it was another.
    pub(super) fn swap(&self, from: Word, to: Word) -> Result<(), Word> {
        self.word
            .compare_exchange(from.bits(), to.bits(), Ordering::AcqRel, Ordering::Acquire)
            .map(|_| ())
            .map_err(Word::from_bits)
    }

    pub(super) fn ring(&self, generation: u32) -> &Generation {
        &self.ring[generation as usize % RING]
    }

    /// The three lives before `generation`. Torn unless the caller checks the word afterwards.
    pub(super) fn older(&self, generation: u32) -> Older {
        core::array::from_fn(|age| {
            let facts = self.ring(generation.wrapping_sub(1 + age as u32)).facts();
            Some(facts).filter(Facts::exists)
        })
    }

    /// A checked copy of a generation and of those before it that are still there. None when it is gone itself.
    pub(super) fn past(&self, generation: u32) -> Option<Past> {
        let facts = self.ring(generation).facts();
        let mut older = self.older(generation);
        let ahead = self.load().generation().wrapping_sub(generation);
        for (age, entry) in older.iter_mut().enumerate() {
            if ahead.saturating_add(1 + age as u32) >= RING as u32 {
                *entry = None;
            }
        }
        (ahead < RING as u32 && facts.exists()).then_some(Past { generation, facts, older })
    }
}

/// What the others see of the former life while the next one is being filled: the kernel gave the number out again, so
/// whatever was closing it has closed it, and what we believed open was closed where we could not see.
fn seen_while_filling(word: Word) -> State {
    if word.is_filling() {
        return State::Unknown;
    }
    match word.state() {
        State::Closing | State::Closed | State::Evicting => State::Closed,
        State::Tombstoned => State::Tombstoned,
        State::Unknown | State::Open | State::Replacing => State::Unknown,
    }
}
