//! Closing a number: the claim before the real call, the outcome after it, and the judgement of what was not open.
//!
//! The order of publication, and why: (1) the word goes from `Open` to `Closing`, which makes this thread the only writer of
//! the closer's fields and proves that the facts it judged by were whole; (2) time, standing and last the closer are written
//! to the generation, with release; (3) only then is the claim returned and the real close made. The moment the real call
//! returns the number may belong to another thread, be opened again and be closed stale: whoever judges that finds the
//! closer in the ring, because the new life can only begin after (3). A racing closer that looks between (1) and (2) finds
//! no closer yet; it asks the kernel first, and a kernel that says "not open" answers after (3).
//!
//! A racing closer writes its name, then proves by a compare-and-swap of the word (flag `RACED`) that the first closer is
//! still inside; if it is not, it takes its name back. So a claimant whose close fails believes the flag (in the word, or its
//! copy in the generation, set only after it), never the name alone.
//!
//! Rules: nothing here waits. A number that moved on while we looked is left alone: its new life has its own record.

use super::generation::{CloseStanding, Meta};
use super::kind::Owner;
use super::pairs::Pairs;
use super::rules::{self, Decision};
use super::slot::Slot;
use super::verdict::Verdict;
use super::word::{Flags, State, Word};
use crate::actor::Actor;
use crate::atomic::Ordering;

/// The right to close a number, to be given back through [`Slot::closed`]. Lost with its thread, it leaves the number
/// `Closing` until it is opened again.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a claim must be given back through `closed`"]
pub struct Claim {
    pub generation: u32,
}

/// A number that the record says is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpen {
    pub generation: u32,
    /// `Closed`, `Tombstoned`, `Evicting`, `Replacing` (what was not open), or `Closing` when racing.
    pub state: State,
    /// Another thread is inside its close of the number at this moment.
    pub racing: bool,
}

/// What the record says of a number that is about to be closed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Closing {
    /// Open, and closed by a holder, or inherited or imported: go ahead.
    Ordinary(Claim),
    /// Closed by another thread than used it: go ahead, silently (U).
    HandOff(Claim),
    /// Perhaps stale, or perhaps by one who lost the number to a stale close: go ahead, silently; recorded in case a victim
    /// complains (P).
    Pending(Claim),
    /// A finding, and protect may refuse the close: C2, C4, or a victim of an earlier C4.
    Suspicious(Claim, Verdict),
    /// Not open: ask the kernel, then [`Slot::judge_not_open`].
    NotOpen(NotOpen),
    /// Nothing known.
    Unseen,
}

/// What the kernel says of a number that the record says is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelView {
    NotOpen,
    /// Open, and we have no idea by whom.
    OpenElsewhere,
    /// Open, and a NETLINK_ROUTE socket: libc's resolver.
    LibcNetlink,
    /// Open, and another thread is inside a resolver call.
    OpenDuringResolver,
}

/// What became of a claimed close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Closed,
    /// A tombstone took the number's place.
    Tombstoned,
    /// The real call failed. `bad_fd`: with EBADF, so there was nothing to close. Any other error (EIO, EINTR) has closed it.
    Failed {
        bad_fd: bool,
    },
    /// Protect did not make the call.
    Refused,
}

impl Slot {
    /// Before the real close: claim the number when it is open, and say with what right. `acting` is the FILE or DIR whose
    /// end this is, or [`Owner::NONE`] for a plain close.
    ///
    /// Thread- and signal-safe, lock-free. A handler that closes the number its own thread is closing is racing until the
    /// interrupted claim was written, and gets the claim again afterwards.
    pub fn closing(&self, by: &Actor, acting: Owner, pairs: &impl Pairs) -> Closing {
        loop {
            let word = self.load();
            let generation = word.settled_generation();
            let not_open = |racing| Closing::NotOpen(NotOpen { generation, state: word.state(), racing });
            let elsewhere = word.epoch() != by.epoch;
            match word.state() {
                State::Unknown => return Closing::Unseen,
                State::Open => {
                    if let Some(closing) = self.claim(word, by, acting, pairs) {
                        return closing;
                    }
                }
                _ if elsewhere && word.is_filling() => return Closing::Unseen,
                // Of another process, and no finding may be made of it here. Forget it, so that no evictor of a former
                // tombstone mistakes what is opened next for one.
                _ if elsewhere => {
                    if self.swap(word, Word::new(State::Unknown, Flags::NONE, by.epoch, generation)).is_ok() {
                        return Closing::Unseen;
                    }
                }
                State::Closed | State::Tombstoned | State::Evicting => return not_open(false),
                State::Replacing => match word.flags().was() {
                    State::Closed | State::Tombstoned => return not_open(false),
                    _ => return Closing::Unseen,
                },
                State::Closing => {
                    let ring = self.ring(generation);
                    if ring.closer().tid == by.tid {
                        // Cancelled, or interrupted by a signal: our own claim is ours again, with the right it had.
                        ring.write_closer(by, ring.meta().standing);
                        return Closing::Ordinary(Claim { generation });
                    }
                    if self.record_racer(generation, by) {
                        return not_open(true);
                    }
                }
            }
        }
    }

    /// After the real close, or after a tombstone took its place. A verdict only when the close failed with EBADF because a
    /// racing closer was faster.
    ///
    /// Thread- and signal-safe, lock-free.
    pub fn closed(&self, claim: Claim, by: &Actor, outcome: Outcome) -> Option<Verdict> {
        let generation = claim.generation;
        match outcome {
            Outcome::Closed | Outcome::Failed { bad_fd: false } => self.settle(generation, State::Closed, by),
            Outcome::Tombstoned => self.settle(generation, State::Tombstoned, by),
            Outcome::Refused => self.restore(generation, by),
            Outcome::Failed { bad_fd: true } => return self.vanished(generation, by),
        }
        None
    }

    /// A number whose record says not open was closed, and the kernel was asked. A tombstone counts as
    /// [`KernelView::NotOpen`]. Also right after a real close of such a number failed with EBADF.
    ///
    /// The slot keeps its state: a descriptor that was opened where we cannot see is closed without us. Double closes by
    /// one thread are learned in `pairs`. No verdict when the facts were overtaken by four newer lives.
    ///
    /// Thread- and signal-safe, lock-free.
    pub fn judge_not_open(
        &self,
        by: &Actor,
        standing: &NotOpen,
        kernel: KernelView,
        pairs: &impl Pairs,
    ) -> Option<Verdict> {
        let past = self.past(standing.generation)?;
        rules::not_open(&past, standing.racing, by, kernel, pairs)
    }

    /// Has the number begun another life since this was said of it? Then nothing that was asked of the kernel meanwhile is about
    /// the life that was looked at.
    ///
    /// Thread- and signal-safe, lock-free.
    pub fn has_moved_on(&self, standing: &NotOpen) -> bool {
        self.load().settled_generation() != standing.generation
    }

    /// A call that used the number failed with EBADF, and the kernel agrees (F_GETFD) that it is closed. Silent while the
    /// record says open or changing hands.
    ///
    /// Thread- and signal-safe, lock-free.
    pub fn failed_use(&self, by: &Actor, _pairs: &impl Pairs) -> Option<Verdict> {
        let word = self.load();
        let elsewhere = word.epoch() != by.epoch;
        match word.state() {
            _ if word.is_filling() => None,
            State::Open => None,
            State::Closed | State::Tombstoned => Some(rules::failed_use(&self.past(word.generation())?, by, elsewhere)),
            State::Unknown => Some(rules::bad_fd(by)),
            _ if elsewhere => Some(rules::bad_fd(by)),
            State::Replacing => None,
            State::Closing | State::Evicting => Some(rules::failed_use(&self.past(word.generation())?, by, false)),
        }
    }

    /// Judge and claim an open number; none when the word changed meanwhile.
    fn claim(&self, word: Word, by: &Actor, acting: Owner, pairs: &impl Pairs) -> Option<Closing> {
        let generation = word.generation();
        let ring = self.ring(generation);
        // The common close, by a holder in its own process, needs three words of the generation and not all of it.
        let Decision { standing, verdict } = if ring.plainly_held(by, acting) {
            Decision { standing: CloseStanding::Holder, verdict: None }
        } else {
            rules::closing(generation, &ring.facts(), || self.older(generation), by, acting, pairs)
        };
        // Success proves that nothing judged by was reused: the word would have a newer generation.
        self.swap(word, Word::new(State::Closing, Flags::NONE, by.epoch, generation)).ok()?;
        ring.write_closer(by, standing);
        let claim = Claim { generation };
        Some(match (verdict, standing) {
            (Some(verdict), _) => Closing::Suspicious(claim, verdict),
            (None, CloseStanding::Pending | CloseStanding::Victim) => Closing::Pending(claim),
            (None, CloseStanding::HandOff) => Closing::HandOff(claim),
            (None, _) => Closing::Ordinary(claim),
        })
    }

    /// Name this thread as the racer of the claimant. True only when the claimant was certainly still inside.
    fn record_racer(&self, generation: u32, by: &Actor) -> bool {
        let ring = self.ring(generation);
        let mine = by.party().pack();
        let first = ring.racer.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Acquire).is_ok();
        let mut word = self.load();
        while word.is(State::Closing, generation) {
            if word.flags().has(Flags::RACED) {
                return true;
            }
            let raced = Word::new(State::Closing, word.flags().with(Flags::RACED), word.epoch(), generation);
            match self.swap(word, raced) {
                Ok(()) => {
                    // The word's flag is lost when the number is opened again; a late claimant looks here.
                    ring.update_meta(|meta| Meta { raced: true, ..meta });
                    return true;
                }
                Err(now) => word = now,
            }
        }
        if first {
            let _ = ring.racer.compare_exchange(mine, 0, Ordering::AcqRel, Ordering::Acquire);
        }
        false
    }

    /// The close happened. Nothing to do when the number was opened again before we could say so.
    fn settle(&self, generation: u32, state: State, by: &Actor) {
        let mut word = self.load();
        while word.is(State::Closing, generation) {
            match self.swap(word, Word::new(state, Flags::NONE, by.epoch, generation)) {
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
    }

    /// The close was not made: the number is open as before, with no closer.
    fn restore(&self, generation: u32, by: &Actor) {
        let mut word = self.load();
        while word.is(State::Closing, generation) {
            // Before the word: once it says open, the next claimant writes here.
            self.ring(generation).clear_closer();
            self.ring(generation).clear_racer();
            match self.swap(word, Word::new(State::Open, Flags::NONE, by.epoch, generation)) {
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
    }

    /// There was nothing to close: a racer was faster, or it was closed where we could not see.
    fn vanished(&self, generation: u32, by: &Actor) -> Option<Verdict> {
        let ring = self.ring(generation);
        let mut word = self.load();
        while word.is(State::Closing, generation) {
            let facts = ring.facts();
            // Either proof will do: a dup2 of our own that failed in between drops the word's flag.
            let raced = (word.flags().has(Flags::RACED) || facts.meta.raced) && !facts.racer.is_absent();
            // Before the word: once it says closed, a later EBADF would accuse this thread of a close it did not make. The
            // racer's name stays: one that has not proved itself yet makes the swap fail when it does, or takes it back.
            ring.clear_closer();
            if raced {
                ring.closer.store(facts.racer.pack(), Ordering::Release);
            }
            match self.swap(word, Word::new(State::Closed, Flags::NONE, by.epoch, generation)) {
                Ok(()) => return raced.then(|| rules::lost_race(generation, &facts, by)),
                Err(now) => word = now,
            }
        }
        let past = self.past(generation)?;
        let raced = past.facts.meta.raced && !past.facts.racer.is_absent();
        raced.then(|| rules::lost_race(generation, &past.facts, by))
    }
}
