//! One life of a descriptor number: who opened, used, owned and closed it, in 120 bytes of atomics.
//!
//! Why the order of the stores matters: [`closer`](Generation) is stored last when a close is claimed, with release, so
//! that whoever sees a closer also sees its standing and time; and all of it is stored *before* the real close, because
//! once the real call returns another thread may own the number, open it again and be judged by what stands here.
//!
//! Rules: fields are read with acquire and written with release, nothing here needs a total order. An entry is reused four
//! generations later, so a reader must check the word afterwards (see `slot`). `owner` and `label` may be set at any time;
//! a label set by two threads at once may be a mixture, and is only ever shown.
//!
//! Zero-validity: every field is an `AtomicU64` and there is no padding (asserted below); an atomic has the
//! representation of its integer, for which every bit pattern is a value.

use super::kind::{FdKind, Owner};
use super::last::Last;
use crate::actor::{Actor, Party, ThreadIndex};
use crate::atomic::{AtomicU64, Ordering, array_of, constructor};

/// Words in a label.
pub const LABEL_WORDS: usize = 5;

/// With what right a generation was closed. The discriminants are stored; never renumber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CloseStanding {
    /// Not closed, or closed where we could not see.
    #[default]
    None = 0,
    /// By a holder, or inherited or imported.
    Holder,
    /// By a non-holder to whom it was probably handed (U).
    HandOff,
    /// By a thread that had closed the former life elsewhere (P): silent until a victim complains.
    Pending,
    /// The same, at a pair of stacks that was proved before (C4).
    Stale,
    /// By a former holder whose descriptor another thread had closed, rightly or not.
    Victim,
    /// By one that was not the owner (C2).
    NotOwner,
}

impl CloseStanding {
    /// The stored discriminant back as a standing; a number that is none is `None`.
    pub const fn from_bits(bits: u64) -> CloseStanding {
        match bits {
            1 => CloseStanding::Holder,
            2 => CloseStanding::HandOff,
            3 => CloseStanding::Pending,
            4 => CloseStanding::Stale,
            5 => CloseStanding::Victim,
            6 => CloseStanding::NotOwner,
            _ => CloseStanding::None,
        }
    }
}

/// The packed small facts of a generation. High to low: kind 8, opener's index 16, closer's index 16, standing 4, flags 4,
/// epoch of the open 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Meta {
    pub kind: FdKind,
    pub opener: ThreadIndex,
    pub closer: ThreadIndex,
    pub standing: CloseStanding,
    /// Found open, not seen opening: by exec's import, a message, or reconciliation.
    pub imported: bool,
    /// A second closer overlapped with the first, proved through the word.
    pub raced: bool,
    /// The fork depth at which it was opened.
    pub epoch: u16,
}

impl Meta {
    const IMPORTED: u64 = 1 << 16;
    const RACED: u64 = 1 << 17;

    pub const fn pack(self) -> u64 {
        (self.kind as u64) << 56
            | (self.opener.0 as u64) << 40
            | (self.closer.0 as u64) << 24
            | (self.standing as u64) << 20
            | if self.imported { Meta::IMPORTED } else { 0 }
            | if self.raced { Meta::RACED } else { 0 }
            | self.epoch as u64
    }

    pub const fn unpack(bits: u64) -> Meta {
        Meta {
            kind: FdKind::from_bits((bits >> 56) as u8),
            opener: ThreadIndex((bits >> 40) as u16),
            closer: ThreadIndex((bits >> 24) as u16),
            standing: CloseStanding::from_bits(bits >> 20 & 0xf),
            imported: bits & Meta::IMPORTED != 0,
            raced: bits & Meta::RACED != 0,
            epoch: bits as u16,
        }
    }
}

/// One life of a number, as it lies in shared memory. Opaque outside this crate: read it as [`Facts`].
#[repr(C)]
pub struct Generation {
    // What every use reads: see the assertion below.
    pub(super) holders: AtomicU64,
    pub(super) last: AtomicU64,
    pub(super) used_at: AtomicU64,
    pub(super) opened_at: AtomicU64,
    pub(super) closed_at: AtomicU64,
    pub(super) opener: AtomicU64,
    pub(super) closer: AtomicU64,
    pub(super) owner: AtomicU64,
    pub(super) racer: AtomicU64,
    pub(super) meta: AtomicU64,
    pub(super) label: [AtomicU64; LABEL_WORDS],
}

/// Words in a generation.
pub(super) const GENERATION_WORDS: usize = 15;

#[cfg(not(loom))]
const _: () = assert!(size_of::<Generation>() == 120 && size_of::<Generation>() == 15 * size_of::<AtomicU64>());

/// A copy of a generation, for the rules and for reports. Consistent only after the word was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub opened_at: u64,
    pub closed_at: u64,
    pub opener: Party,
    pub closer: Party,
    pub holders: u64,
    pub owner: Owner,
    pub racer: Party,
    pub last: Last,
    /// When it was last used, at the coarse clock that [`Generation::acted`] was given; 0 = never.
    pub used_at: u64,
    pub meta: Meta,
    pub label: [u64; LABEL_WORDS],
}

impl Facts {
    /// Something was recorded here at all.
    pub const fn exists(&self) -> bool {
        !self.opener.is_absent()
    }

    /// Whether the thread opened it or used it (or shares its bit with one that did).
    pub const fn held_by(&self, thread: ThreadIndex) -> bool {
        self.holders & thread.bit() != 0
    }

    /// Whether it was opened in another process than the actor's.
    pub const fn inherited_by(&self, by: &Actor) -> bool {
        self.meta.epoch != by.epoch
    }
}

impl Generation {
    constructor! {
        /// Nothing recorded: all zero.
        pub(super) fn new() -> Self {
            Generation {
                opened_at: AtomicU64::new(0),
                closed_at: AtomicU64::new(0),
                opener: AtomicU64::new(0),
                closer: AtomicU64::new(0),
                holders: AtomicU64::new(0),
                owner: AtomicU64::new(0),
                racer: AtomicU64::new(0),
                last: AtomicU64::new(0),
                used_at: AtomicU64::new(0),
                meta: AtomicU64::new(0),
                label: array_of!(AtomicU64::new(0); LABEL_WORDS),
            }
        }
    }

    /// A copy, by the words of the original in the order of memory.
    pub(super) fn from_words(word: impl Fn(usize) -> u64) -> Self {
        // By their place in memory, whatever the order of the fields.
        macro_rules! at {
            ($field:ident) => {
                core::mem::offset_of!(Generation, $field) / size_of::<u64>()
            };
        }
        let word = |field| AtomicU64::new(word(field));
        Generation {
            holders: word(at!(holders)),
            last: word(at!(last)),
            used_at: word(at!(used_at)),
            opened_at: word(at!(opened_at)),
            closed_at: word(at!(closed_at)),
            opener: word(at!(opener)),
            closer: word(at!(closer)),
            owner: word(at!(owner)),
            racer: word(at!(racer)),
            meta: word(at!(meta)),
            label: core::array::from_fn(|i| word(at!(label) + i)),
        }
    }

    /// All fields in the order of memory.
    pub(super) fn fields(&self) -> impl Iterator<Item = &AtomicU64> {
        let fields = [
            &self.holders,
            &self.last,
            &self.used_at,
            &self.opened_at,
            &self.closed_at,
            &self.opener,
            &self.closer,
            &self.owner,
            &self.racer,
            &self.meta,
        ];
        fields.into_iter().chain(&self.label)
    }

    /// Write a new life over whatever was here.
    /// pre: the caller reserved this generation in the word and has not published it.
    pub(super) fn fill(&self, facts: &Facts) {
        self.opened_at.store(facts.opened_at, Ordering::Release);
        self.closed_at.store(facts.closed_at, Ordering::Release);
        self.opener.store(facts.opener.pack(), Ordering::Release);
        self.closer.store(facts.closer.pack(), Ordering::Release);
        self.holders.store(facts.holders, Ordering::Release);
        self.owner.store(facts.owner.pack(), Ordering::Release);
        self.racer.store(facts.racer.pack(), Ordering::Release);
        self.last.store(facts.last.pack(), Ordering::Release);
        self.used_at.store(facts.used_at, Ordering::Release);
        self.meta.store(facts.meta.pack(), Ordering::Release);
        self.set_label(&facts.label);
    }

    /// The descriptor was used: what, how it ended, where, at the coarse time `now`. Writes only what has changed, so that
    /// threads that share a descriptor do not take its cache line from each other.
    ///
    /// Thread- and signal-safe, wait-free. A thread that was held up while the number went through four more lives writes
    /// into a newer one; that costs a wrong line in a report.
    #[inline(always)]
    pub fn acted(&self, last: Last, now: u64) {
        let last = last.pack();
        if self.last.load(Ordering::Relaxed) != last {
            self.last.store(last, Ordering::Relaxed);
        }
        if self.used_at.load(Ordering::Relaxed) != now {
            self.used_at.store(now, Ordering::Relaxed);
        }
    }

    /// How the last operation ended, or nothing when there was none.
    #[inline]
    pub fn last(&self) -> Last {
        Last::unpack(self.last.load(Ordering::Relaxed))
    }

    /// What it is.
    #[inline]
    pub fn kind(&self) -> FdKind {
        self.meta().kind
    }

    /// Who opened it. Torn unless the caller has claimed the generation.
    pub fn opener(&self) -> Party {
        Party::unpack(self.opener.load(Ordering::Acquire))
    }

    pub(super) fn closer(&self) -> Party {
        Party::unpack(self.closer.load(Ordering::Acquire))
    }

    /// The rule for holders (see `rules::closing`), when no other rule can apply: opened in this process, owned by who
    /// acts, and held.
    pub(super) fn plainly_held(&self, by: &Actor, acting: Owner) -> bool {
        self.holders.load(Ordering::Acquire) & by.thread.bit() != 0
            && self.owner.load(Ordering::Acquire) == acting.pack()
            && self.meta().epoch == by.epoch
    }

    /// Everything, field by field. The closer is read first: a closer that is seen was stored after its standing.
    pub(super) fn facts(&self) -> Facts {
        let closer = Party::unpack(self.closer.load(Ordering::Acquire));
        let mut label = [0; LABEL_WORDS];
        for (copy, word) in label.iter_mut().zip(&self.label) {
            *copy = word.load(Ordering::Acquire);
        }
        Facts {
            opened_at: self.opened_at.load(Ordering::Acquire),
            closed_at: self.closed_at.load(Ordering::Acquire),
            opener: Party::unpack(self.opener.load(Ordering::Acquire)),
            closer,
            holders: self.holders.load(Ordering::Acquire),
            owner: Owner::unpack(self.owner.load(Ordering::Acquire)),
            racer: Party::unpack(self.racer.load(Ordering::Acquire)),
            last: Last::unpack(self.last.load(Ordering::Acquire)),
            used_at: self.used_at.load(Ordering::Acquire),
            meta: self.meta(),
            label,
        }
    }

    /// The small facts.
    pub fn meta(&self) -> Meta {
        Meta::unpack(self.meta.load(Ordering::Acquire))
    }

    /// Change the small facts; lock-free, because the kind may be set by another thread meanwhile.
    pub(super) fn update_meta(&self, change: impl Fn(Meta) -> Meta) {
        let mut bits = self.meta.load(Ordering::Acquire);
        loop {
            let next = change(Meta::unpack(bits)).pack();
            match self.meta.compare_exchange(bits, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => bits = now,
            }
        }
    }

    pub(super) fn set_label(&self, label: &[u64; LABEL_WORDS]) {
        for (word, value) in self.label.iter().zip(label) {
            word.store(*value, Ordering::Release);
        }
    }

    /// Write down who is about to close.
    /// pre: the caller holds the claim; the real close has not been made.
    pub(super) fn write_closer(&self, by: &Actor, standing: CloseStanding) {
        self.closed_at.store(by.now, Ordering::Release);
        self.update_meta(|meta| Meta { closer: by.thread, standing, ..meta });
        self.closer.store(by.party().pack(), Ordering::Release);
    }

    /// Take back what [`write_closer`](Self::write_closer) wrote.
    /// pre: the caller holds the claim.
    pub(super) fn clear_closer(&self) {
        self.closer.store(0, Ordering::Release);
        self.closed_at.store(0, Ordering::Release);
        self.update_meta(|meta| Meta { closer: ThreadIndex(0), standing: CloseStanding::None, ..meta });
    }

    /// Forget who raced. Not before the outcome of a failed close is decided: a racer may be between its name and its proof.
    /// pre: the caller holds the claim.
    pub(super) fn clear_racer(&self) {
        self.racer.store(0, Ordering::Release);
        self.update_meta(|meta| Meta { raced: false, ..meta });
    }
}
