//! One descriptor number and the threads that use it, in the words of the rule table.

#![allow(dead_code)] // Each test file uses its own part of the vocabulary.
#![allow(clippy::unwrap_used)] // A test that finds nothing where something must be has failed.

use track::fd::*;

/// A thread at a stack: `t(2).at(31)`.
#[derive(Clone, Copy)]
pub struct T {
    pub actor: Actor,
}

pub fn t(tid: u32) -> T {
    let actor = Actor { tid: Tid(tid), thread: ThreadIndex(tid as u16), now: 7, ..Actor::default() };
    T { actor }.at(tid * 100)
}

impl T {
    pub fn at(mut self, stack: u32) -> T {
        self.actor.stack = StackId(stack);
        self
    }

    /// The same thread number in a process that many forks deep.
    pub fn forked(mut self, epoch: u16) -> T {
        self.actor.epoch = epoch;
        self
    }

    pub fn party(self) -> Party {
        self.actor.party()
    }
}

pub fn file(addr: u64) -> Owner {
    Owner { kind: OwnerKind::Stdio, addr }
}

pub fn tcp() -> Opening {
    Opening { kind: FdKind::Tcp, ..Opening::default() }
}

/// The number, and what was learned.
#[derive(Default)]
pub struct Number {
    pub slot: Slot,
    pub pairs: PairSet,
}

impl Number {
    pub fn open(&self, by: T) -> u32 {
        self.slot.opened(&by.actor, tcp()).generation
    }

    pub fn open_as(&self, by: T, what: Opening) -> u32 {
        self.slot.opened(&by.actor, what).generation
    }

    pub fn uses(&self, by: T) {
        self.slot.used(by.actor.thread);
    }

    pub fn closing(&self, by: T) -> Closing {
        self.slot.closing(&by.actor, Owner::NONE, &self.pairs)
    }

    pub fn closing_as(&self, by: T, acting: Owner) -> Closing {
        self.slot.closing(&by.actor, acting, &self.pairs)
    }

    pub fn closed(&self, claim: Claim, by: T, outcome: Outcome) -> Option<Verdict> {
        self.slot.closed(claim, &by.actor, outcome)
    }

    /// A close of an open number, whatever its right, that succeeds.
    pub fn close(&self, by: T) -> CloseStanding {
        let claim = match self.closing(by) {
            Closing::Ordinary(claim) | Closing::HandOff(claim) | Closing::Pending(claim) => claim,
            other => panic!("expected a silent claim, got {other:?}"),
        };
        assert_eq!(self.closed(claim, by, Outcome::Closed), None);
        self.slot.snapshot().current.unwrap().meta.standing
    }

    /// A close of a number that is not open, and what the kernel says of it.
    pub fn judge(&self, by: T, kernel: KernelView) -> Option<Verdict> {
        match self.closing(by) {
            Closing::NotOpen(found) => self.slot.judge_not_open(&by.actor, &found, kernel, &self.pairs),
            other => panic!("expected not open, got {other:?}"),
        }
    }

    pub fn failed_use(&self, by: T) -> Option<Verdict> {
        self.slot.failed_use(&by.actor, &self.pairs)
    }

    pub fn state(&self) -> State {
        self.slot.snapshot().state
    }

    /// `by` opens the number and closes it at 11, then thread 3 opens it: `by` has a stale number in hand.
    pub fn stale_in_the_hand_of(by: T) -> Number {
        let number = Number::default();
        number.open(by);
        assert_eq!(number.close(by.at(11)), CloseStanding::Holder);
        number.open(t(3));
        number
    }
}

/// An error with nothing but its parties; the rest is the common case of a close.
pub fn error(fault: Fault, generation: u32, here: Party) -> Verdict {
    Verdict { fault, generation, here, refuse: true, ..Verdict::default() }
}
