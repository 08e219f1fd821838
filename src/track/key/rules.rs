//! The rule table of keys: from what is known of an index and of its user to a verdict.
//!
//! | rule | |
//! |---|---|
//! | K0 | the decoy is used: a variable that nobody has initialised. Error |
//! | K1 | an index that is not live is used: never created, deleted, out of range. Error |
//! | K2 | a stranger uses a live key: suspect; deletes it, or overwrites its value: error |
//! | K3 | a stranger, or a variable of the life before, uses an index that was created again. Error |
//! | K4 | the module of a live key's destructor (error) or variable (info) is gone |
//! | K5 | no index is left (error), or few are (info) |
//! | K6 | an index that libc accepts and that we never saw created: silent |
//!
//! Why an index that is not live by our record is asked of libc first: it may have been created where we could not see, or its
//! creator may be about to record it.

use super::slot::{Facts, Life, State};
use super::verdict::{Fault, Refuse, Severity, Standing, Verdict};
use crate::actor::Party;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Get,
    Set,
    Delete,
}

/// Who uses a live key, as far as it can be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The owner, the maker, who names the variable; or nothing is proved.
    Entitled,
    /// Another module.
    Stranger {
        /// Its own variable is that of the life before, and still holds the number.
        stale: bool,
        /// The owner has a value there, and the call would replace it.
        overwrites: bool,
    },
    /// The owner's module, through the variable of the life before.
    Stale,
}

/// Judges a use. `facts`: of the index, `None` beyond the range. `live`: does libc take it for a live one? Asked only where our
/// record does not say. `user`: asked only of live keys.
pub fn judge(
    call: Call,
    facts: Option<&Facts>,
    live: impl FnOnce() -> bool,
    user: impl FnOnce() -> User,
) -> Option<Verdict> {
    let Some(facts) = facts else { return Some(never(Standing::Range, Refuse::Protect)) };
    if matches!(facts.state, State::Unknown | State::Deleted) && live() {
        return None;
    }
    match facts.state {
        State::Decoy => Some(never(Standing::Decoy, Refuse::Protect)),
        State::Libc => Some(never(Standing::Libc, Refuse::Protect)),
        State::Own => Some(never(Standing::Never, Refuse::Always)),
        State::Unseen | State::Changing => None,
        State::Unknown => Some(never(Standing::Never, Refuse::Protect)),
        State::Deleted => Some(Verdict {
            fault: Fault::Deleted,
            severity: Severity::Error,
            standing: Standing::Deleted,
            refuse: Refuse::Protect,
            created: facts.now.created,
            deleted: facts.now.deleted,
            victim: Party::ABSENT,
        }),
        State::Live => live_key(call, facts, user()),
    }
}

fn never(standing: Standing, refuse: Refuse) -> Verdict {
    Verdict {
        fault: Fault::NeverCreated,
        severity: Severity::Error,
        standing,
        refuse,
        created: Party::ABSENT,
        deleted: Party::ABSENT,
        victim: Party::ABSENT,
    }
}

fn live_key(call: Call, facts: &Facts, user: User) -> Option<Verdict> {
    let verdict = |fault, severity, meant: Life| Verdict {
        fault,
        severity,
        standing: Standing::Live,
        refuse: Refuse::Never,
        created: meant.created,
        deleted: meant.deleted,
        victim: facts.now.created,
    };
    match user {
        User::Entitled => None,
        User::Stale | User::Stranger { stale: true, .. } => Some(verdict(Fault::Stale, Severity::Error, facts.before)),
        User::Stranger { overwrites, .. } => {
            let harm = call == Call::Delete || call == Call::Set && overwrites;
            let severity = if harm { Severity::Error } else { Severity::Suspect };
            Some(verdict(Fault::Foreign, severity, Life::default()))
        }
    }
}

/// A module was unloaded: what of a live key lay in it?
pub fn unloaded(facts: &Facts, variable: bool, destructor: bool) -> Option<Verdict> {
    if facts.state != State::Live || !(variable || destructor) {
        return None;
    }
    // Threads will call the destructor that is gone. Without one, an index is lost, and nothing crashes.
    let severity = if destructor { Severity::Error } else { Severity::Info };
    Some(Verdict {
        fault: Fault::Unloaded,
        severity,
        standing: Standing::Live,
        refuse: Refuse::Never,
        created: facts.now.created,
        deleted: Party::ABSENT,
        victim: Party::ABSENT,
    })
}

/// A thread ends, and the destructor that libc was to call is gone: it was not called.
pub fn skipped(facts: &Facts) -> Verdict {
    Verdict {
        fault: Fault::Unloaded,
        severity: Severity::Error,
        standing: Standing::Skipped,
        refuse: Refuse::Never,
        created: facts.now.created,
        deleted: Party::ABSENT,
        victim: Party::ABSENT,
    }
}

/// How full the table is, after a creation that has failed or not.
pub fn filling(live: usize, limit: usize, failed: bool) -> Option<Severity> {
    if failed {
        return Some(Severity::Error);
    }
    (live * 10 >= limit * 9).then_some(Severity::Info)
}
