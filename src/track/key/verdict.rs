//! What comes out: the fault, how sure it is, whether the call is to be refused, and the parties.

use crate::actor::Party;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NeverCreated,
    Deleted,
    Foreign,
    Stale,
    Unloaded,
    Exhausted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Suspect,
    Info,
}

/// What the index was when it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody's.
    Never,
    Deleted,
    /// Beyond the last index that there can be.
    Range,
    Decoy,
    /// The C library's own.
    Libc,
    /// A live key.
    Live,
    /// A live key whose module is gone; its destructor was not run.
    Skipped,
}

/// In which mode the call is answered with an error instead of being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refuse {
    Never,
    /// In `protect`.
    Protect,
    /// Always: without shim the index would be nobody's.
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub fault: Fault,
    pub severity: Severity,
    pub standing: Standing,
    pub refuse: Refuse,
    /// Of the life that was meant.
    pub created: Party,
    pub deleted: Party,
    /// Who created the key that was hit.
    pub victim: Party,
}
