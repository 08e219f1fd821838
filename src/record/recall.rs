//! Findings read back from the table by the process that filed them: at its end, to tell how often each came again.
//!
//! Why not the reader: that one reads bytes of a file that it does not trust, and allocates; here the entries are our own.

use crate::findings::{Involved, Report, Resource};
use crate::kind::{Kind, Role, Severity};
use crate::label::Label;
use crate::layout::{Finding, PARTIES, Party, Section, finding_state};
use crate::store::{Store, entry};
use crate::suppressions::Mark;
use crate::text;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// Most findings that there can be.
pub const MOST: usize = Section::Findings.capacity();

/// A finding as it stands in the table.
pub struct Recalled {
    pub kind: Kind,
    pub severity: Severity,
    pub count: u64,
    pub suppressed: Mark,
    first: u64,
    tid: u32,
    thread: [u8; 16],
    resource: Resource,
    label: Label,
    parties: [Involved; PARTIES],
    detail: [u8; 112],
}

/// The finding at `index`, when there is one and it is whole.
pub fn recall(store: &impl Store, index: usize) -> Option<Recalled> {
    let slot = entry::<Finding>(store, index).filter(|slot| finding_state::is_whole(slot.state.load(Acquire)))?;
    let what = slot.what.load(Relaxed);
    let mut detail = [0; 112];
    text::load(&slot.detail, &mut detail);
    Some(Recalled {
        kind: Kind::from_code(what as u16)?,
        severity: Severity::from_code((what >> 16 & 0xff) as u16)?,
        count: slot.count.load(Relaxed),
        suppressed: Mark(slot.suppressed.load(Relaxed)),
        first: slot.first.load(Relaxed),
        tid: slot.tid.load(Relaxed) as u32,
        thread: name(&slot.thread),
        resource: Resource::decode((what >> 24) as u8, &words(&slot.numbers), &words(&slot.more)),
        label: Label::from_words(words(&slot.label)),
        parties: core::array::from_fn(|i| party(&slot.parties[i])),
        detail,
    })
}

impl Recalled {
    pub fn report(&self) -> Report<'_> {
        Report {
            kind: self.kind,
            severity: self.severity,
            tid: self.tid,
            thread: self.thread,
            time: self.first,
            resource: self.resource,
            label: self.label,
            parties: self.parties,
            detail: &self.detail,
        }
    }
}

fn party(party: &Party) -> Involved {
    let who = party.who.load(Relaxed);
    Involved {
        role: u16::try_from(who & 0xffff_ffff).ok().and_then(Role::from_code),
        tid: (who >> 32) as u32,
        stack: party.stack.load(Relaxed) as u32,
        thread: name(&party.thread),
    }
}

fn name(field: &[AtomicU64]) -> [u8; 16] {
    let mut name = [0; 16];
    text::load(field, &mut name);
    name
}

fn words<const N: usize>(fields: &[AtomicU64; N]) -> [u64; N] {
    core::array::from_fn(|i| fields[i].load(Relaxed))
}
