//! Descriptors: who opened this number, who used it, who closed it, and whose fault is it now.
//!
//! A hook asks a [`Slot`] before the real call ([`Slot::closing`]), makes the call, and tells the outcome
//! ([`Slot::closed`]). What comes back are verdicts: plain values with the parties named, which shim turns into findings.
//!
//! Why one record per number is not enough: the number of a descriptor is reused at once, so the classic bug (a second
//! close that hits somebody else's descriptor) looks like an innocent close. Each slot therefore keeps a short ring of
//! *generations*, one per life of the number, and the rules compare neighbours.
//!
//! Glossary:
//! - *generation*: one life of a descriptor number, from the call that returned it to the close that ended it;
//! - *holder*: a thread that opened a generation or used it; closing is its right;
//! - *tombstone*: a placeholder that keeps a closed number taken while it is in *quarantine*;
//! - *inherited*: opened in another process than this one, before a fork;
//! - *pending*: a close by a non-holder that looks stale but could be a hand-off; only a victim's complaint proves it.
//!
//! Map: `word` and `generation` are the packed layout, `rules` the pure rule table, `slot`, `close` and `takeover` the
//! transitions, `last` the last operation on a life,
//! `latest` a thread's own latest close, `leak` which lives were forgotten, `pairs` what was learned, `quarantine` the queue of tombstones, `sweep` the close-everything filter.

mod close;
mod generation;
mod kind;
mod last;
mod latest;
pub mod leak;
mod pairs;
mod quarantine;
mod rules;
mod slot;
#[cfg(not(loom))]
mod stored;
mod sweep;
mod takeover;
mod verdict;
mod word;

pub use crate::actor::{Actor, Party, StackId, ThreadIndex, Tid};
pub use close::{Claim, Closing, KernelView, NotOpen, Outcome};
pub use generation::{CloseStanding, Facts, Generation, LABEL_WORDS, Meta};
pub use kind::{FdKind, Owner, OwnerKind};
pub use last::{Ending, Last, Place};
pub use latest::LatestClose;
pub use pairs::{Learned, PAIRS, PairSet, Pairs};
pub use quarantine::{Entry, QUARANTINE_CAPACITY, Quarantine, limit_for};
pub use slot::{Opened, Opening, RING, SLOT_WORDS, Slot, Snapshot};
#[cfg(not(loom))]
pub use stored::Stored;
pub use sweep::{Due, GAP, Held, Policy, SWEEP, Standing, Sweep};
pub use takeover::Replace;
pub use verdict::{Fault, Severity, Verdict};
pub use word::{Flags, State, Word};
