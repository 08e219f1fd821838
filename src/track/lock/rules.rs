//! The rule table of locks: pure functions of what is known, in the order of the rules' numbers.
//!
//! | rule | |
//! |---|---|
//! | L1 | [`failed`]: a call failed, and not in a way that a program expects |
//! | L3 | [`waits_for_itself`]: the thread holds what it is about to wait for |
//! | L4 | [`unlocking`]: the thread lets go what it does not hold |
//!
//! Numbers of errors are arguments: this crate knows no libc.

use super::{Kind, Mode, RecordFacts, State, What};

/// What a call wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Lock,
    /// It does not wait.
    Try,
    /// It waits for so long.
    Timed,
    Unlock,
    /// Of a condition variable or barrier.
    Wait,
    Destroy,
    Initialise,
    /// Everything else.
    Other,
}

/// The error numbers that rules know.
#[derive(Clone, Copy, Debug)]
pub struct Errors {
    pub busy: i32,
    pub timed_out: i32,
    pub owner_dead: i32,
    pub interrupted: i32,
    pub again: i32,
    pub deadlock: i32,
}

/// L1: is this result a failure?
///
/// Not: EBUSY and EDEADLK of a try, ETIMEDOUT, EOWNERDEAD (the lock is taken), EINTR, EAGAIN of a semaphore's try.
pub fn failed(kind: Kind, intent: Intent, error: i32, errors: &Errors) -> bool {
    let expected = match intent {
        // glibc says EDEADLK of a robust mutex that the thread has itself.
        Intent::Try => error == errors.busy || error == errors.deadlock || kind == Kind::Sem && error == errors.again,
        Intent::Timed | Intent::Wait => error == errors.timed_out,
        _ => false,
    };
    error != 0 && !expected && error != errors.owner_dead && error != errors.interrupted
}

/// L3: what a thread that holds a lock in one mode gets when it asks for it in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It may: a recursive mutex, a second reader; or libc refuses it by itself.
    Fine,
    /// It would wait for itself for ever.
    SelfDeadlock,
    /// It reads and wants to write: it would wait for its own reading to end.
    Upgrade,
}

/// `waits` is whether libc would wait and not refuse: normal and adaptive mutexes, spin locks, and rwlocks held for reading.
pub fn waits_for_itself(held: What, wanted: Mode, refuses: bool) -> Again {
    match (held.kind(), held.mode(), wanted) {
        _ if refuses || held.has(What::RECURSIVE) || held.has(What::WAITING) => Again::Fine,
        (Kind::RwLock, Mode::Read, Mode::Exclusive) => Again::Upgrade,
        // glibc answers EDEADLK to a writer that asks again, and lets a reader in a second time.
        (Kind::RwLock, ..) => Again::Fine,
        (Kind::Mutex | Kind::Spin, Mode::Exclusive, _) => Again::SelfDeadlock,
        _ => Again::Fine,
    }
}

/// L4: an unlock of what the thread's list does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocking {
    /// Nothing is known against it.
    Unknown,
    /// Another thread has it.
    NotOwner,
    /// Nobody has it.
    NotLocked,
}

/// `elsewhere` is the hold of another thread, if there is one; `known` the record of the lock; `epoch` that of the process.
pub fn unlocking(elsewhere: Option<What>, known: Option<&RecordFacts>, epoch: u16) -> Unlocking {
    if let Some(what) = elsewhere {
        let ours = what.epoch() == epoch && !what.has(What::SHARED) && !what.has(What::WAITING);
        return if ours { Unlocking::NotOwner } else { Unlocking::Unknown };
    }
    match known {
        // What was locked where we could not see it has no record, or one that says so.
        Some(facts) if facts.epoch == epoch && matches!(facts.state, State::Known | State::Initialised) => {
            Unlocking::NotLocked
        }
        _ => Unlocking::Unknown,
    }
}
