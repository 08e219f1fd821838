//! What the rules say: a fault, how sure we are, and the parties.
//!
//! Why parties and no text: track knows no formatting and no names of threads; the reporter does. Every verdict is `Copy`
//! and valid while zero, so that a thread can hold some back in its block without memory of its own.

use super::kind::Owner;
use crate::actor::Party;

/// What was done wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// The number was closed already.
    #[default]
    DoubleClose = 0,
    /// A second close of a former life of the number hit its present one.
    StaleClose,
    /// The number belonged to libc itself at that moment.
    ClosedLibc,
    /// A FILE or DIR owns the number, and it was not the one that acted.
    Owner,
    /// A call used a number that was closed.
    UseAfterClose,
    /// A call used a number of which nothing is known.
    BadFd,
}

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Severity {
    /// Proved by what was observed.
    #[default]
    Error = 0,
    /// Evidence, no proof.
    Suspect,
    /// For the record.
    Info,
}

/// One finding about one descriptor number. Parties that are not known are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Verdict {
    pub fault: Fault,
    pub severity: Severity,
    /// Protect may refuse the close that is about to happen. Always false when there is none to refuse.
    pub refuse: bool,
    /// The generation that the finding is about.
    pub generation: u32,
    /// The offender.
    pub here: Party,
    /// Who closed the number before.
    pub closed: Party,
    /// Who opened it.
    pub opened: Party,
    /// Who tripped over it, when that is not the offender.
    pub victim: Party,
    /// The object concerned, for [`Fault::Owner`].
    pub owner: Owner,
}
