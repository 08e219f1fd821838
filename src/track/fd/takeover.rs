//! The two who take a number that is not open to them: the quarantine that evicts a tombstone, and dup2 that replaces
//! whatever is there.
//!
//! Why both must claim the number: an evictor that closes a tombstone a moment after dup2 put a live descriptor in its
//! place would commit the very bug that shim looks for. Both leave `Tombstoned` by a compare-and-swap of the word, so one
//! of them loses: the evictor drops its entry, the replacer is told that the number is busy.

use super::slot::Slot;
use super::verdict::Verdict;
use super::word::{Flags, State, Word};
use crate::actor::Actor;

/// The answer to a thread that is about to put another descriptor onto a number.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a claimed number must be given back through `opened` or `end_replace`"]
pub enum Replace {
    /// Ours until [`Slot::opened`] or [`Slot::end_replace`].
    Claimed {
        was: State,
        /// Never set by the present rules: replacing an open number, owned or not, is what dup2 is for.
        verdict: Option<Verdict>,
        generation: u32,
    },
    /// Closing, being evicted, opened or replaced by another thread: yield and try again a few times, then go on unclaimed.
    Busy,
}

impl Slot {
    /// The tombstone left the quarantine: claim it for the real close. False when the number moved on, and then it must not
    /// be closed.
    ///
    /// Thread- and signal-safe, lock-free.
    #[must_use]
    pub fn begin_evict(&self, generation: u32) -> bool {
        let word = self.load();
        // One attempt: the only ways out of `Tombstoned` are the ones that must win.
        word.is(State::Tombstoned, generation)
            && self.swap(word, Word::new(State::Evicting, Flags::NONE, word.epoch(), generation)).is_ok()
    }

    /// The tombstone is closed. Nothing to do when the number was opened again already. Thread- and signal-safe.
    pub fn end_evict(&self, generation: u32) {
        let word = self.load();
        if word.is(State::Evicting, generation) {
            let _ = self.swap(word, Word::new(State::Closed, Flags::NONE, word.epoch(), generation));
        }
    }

    /// Before dup2 or dup3 onto the number: claim it, so that no evictor closes it under us.
    ///
    /// Thread- and signal-safe, lock-free.
    pub fn begin_replace(&self, by: &Actor) -> Replace {
        let mut word = self.load();
        loop {
            if word.is_filling() {
                return Replace::Busy;
            }
            let generation = word.generation();
            let elsewhere = word.epoch() != by.epoch;
            let was = match word.state() {
                State::Open => State::Open,
                // Left by a process that is not this one: its threads do not exist here.
                _ if elsewhere => State::Unknown,
                State::Closing if self.ring(generation).closer().tid == by.tid => State::Closing,
                State::Closing | State::Evicting | State::Replacing => return Replace::Busy,
                settled => settled,
            };
            match self.swap(word, Word::new(State::Replacing, Flags::remember(was), by.epoch, generation)) {
                Ok(()) => return Replace::Claimed { was, verdict: None, generation },
                Err(now) => word = now,
            }
        }
    }

    /// The replacement failed: the number is what it was. Nothing to do for [`Replace::Busy`].
    ///
    /// Thread- and signal-safe, lock-free.
    pub fn end_replace(&self, r: Replace) {
        let Replace::Claimed { was, generation, .. } = r else { return };
        let word = self.load();
        if word.is(State::Replacing, generation) {
            let _ = self.swap(word, Word::new(was, Flags::NONE, word.epoch(), generation));
        }
    }
}
