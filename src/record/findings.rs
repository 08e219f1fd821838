//! The table of findings: identical ones (kind and stacks) are one entry with a count.
//!
//! Why first-come: the entry keeps the story of its first event; later ones only add to the count, so that the cost
//! of the millionth double close is a hash and an addition.

mod encode;
mod resource;

pub use resource::{Block, Earlier, Key, Leak, Limit, Lock, Lost, Resource, SHOWN_BYTES, TCP_STATES, THINGS, Thing};

use crate::kind::{Kind, Role, Severity};
use crate::label::Label;
use crate::layout::{Counter, Finding, PARTIES, Section, finding_state};
use crate::store::{Store, count, entry_or_commit};
use crate::suppressions::Mark;
use crate::text;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// A thread in a role, with its stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Involved {
    /// `None` in an unused place.
    pub role: Option<Role>,
    pub tid: u32,
    pub stack: u32,
    pub thread: [u8; 16],
}

/// A finding on its way into the table, or out of it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub kind: Kind,
    pub severity: Severity,
    pub tid: u32,
    pub thread: [u8; 16],
    pub time: u64,
    pub resource: Resource,
    pub label: Label,
    pub parties: [Involved; PARTIES],
    /// The name of the call, or other words of the family; up to 112 bytes.
    pub detail: &'a [u8],
}

impl Report<'_> {
    pub fn party(&self, role: Role) -> Option<&Involved> {
        self.parties.iter().find(|p| p.role == Some(role))
    }

    fn key(&self) -> u64 {
        let mut words = [0u64; PARTIES + 1];
        words[0] = (self.kind as u64) << 32 | self.severity as u64;
        if let Resource::Leak(leak) = self.resource {
            // What is a suspicion now may be proved later; how the last operation ended tells two ways apart.
            let way = u64::from(leak.kind) | u64::from(leak.call) << 8 | u64::from(leak.ending) << 16;
            words[0] = (self.kind as u64) << 32 | u64::from(leak.errno) << 48 | way | u64::from(leak.blocking) << 24;
        }
        if let Resource::Lost(lost) = self.resource {
            // The class may change from look to look; what was told of a site is then replaced.
            words[0] = (self.kind as u64) << 32 | u64::from(lost.class);
        }
        if let Resource::Limit(limit) = self.resource {
            // One of each stage; whose stacks they were at that moment is the story, not the identity.
            return crate::stacks::hash(&[words[0], u64::from(limit.stage)]).max(1);
        }
        // Who has created how many changes from one failure to the next.
        let fading = |party: &Involved| self.kind == Kind::KeyExhausted && party.role != Some(Role::Here);
        for (word, party) in words[1..].iter_mut().zip(self.parties.iter().filter(|p| !fading(p))) {
            *word = (party.role.map_or(0, |r| r as u64)) << 32 | u64::from(party.stack);
        }
        // A finding without stacks is one per descriptor kind of call, not one for all.
        let mut h = crate::stacks::hash(&words);
        if self.parties.iter().all(|p| p.stack == 0) {
            for chunk in self.detail.chunks(8) {
                let mut part = [0; 8];
                part[..chunk.len()].copy_from_slice(chunk);
                h = crate::stacks::hash(&[h, u64::from_le_bytes(part)]);
            }
        }
        h.max(1)
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// The first of its kind and stacks: the index of its entry. Whoever files it tells the user, then calls [`told`].
    New(usize),
    /// Counted on an earlier one, by its index.
    Repeated(usize),
    /// The table is full; counted as dropped.
    Dropped,
}

const SLOTS: usize = Section::Findings.capacity();

/// Files a report. Lock-free and async-signal-safe; may commit a chunk.
pub fn file(store: &impl Store, report: &Report) -> Filed {
    file_unless(store, report, || Mark::NONE).0
}

/// As [`file`], and marks what the user does not want to hear of: `decide` is asked once for a finding, as a rule, and
/// gives the same answer for the same kind and stacks. A suppressed event counts as such, and as nothing else.
pub fn file_unless(store: &impl Store, report: &Report, mut decide: impl FnMut() -> Mark) -> (Filed, Mark) {
    let (filed, mark) = place(store, report, &mut decide);
    count(store, counter(report.severity, mark));
    (filed, mark)
}

fn place(store: &impl Store, report: &Report, decide: &mut dyn FnMut() -> Mark) -> (Filed, Mark) {
    let key = report.key();
    for index in 0..SLOTS {
        let Some(slot) = entry_or_commit::<Finding>(store, index) else { break };
        let mut seen = slot.key.load(Acquire);
        if seen == 0 {
            match slot.key.compare_exchange(0, key, AcqRel, Acquire) {
                Ok(_) => {
                    let mark = decide();
                    fill(slot, report, mark);
                    store.header().findings.fetch_max(index as u32 + 1, Relaxed);
                    return (Filed::New(index), mark);
                }
                Err(now) => seen = now,
            }
        }
        if seen == key {
            slot.last.fetch_max(report.time, Relaxed);
            slot.count.fetch_add(1, Relaxed);
            // Until the first finder has decided, the answer is our own.
            let decided = finding_state::is_whole(slot.state.load(Acquire));
            let mark = if decided { Mark(slot.suppressed.load(Relaxed)) } else { decide() };
            return (Filed::Repeated(index), mark);
        }
    }
    count(store, Counter::FindingsDropped);
    (Filed::Dropped, decide())
}

/// Files a leak, whose count is the number of descriptors and not of events: what was filed before of the same kind and
/// stacks is replaced. Lock-free and async-signal-safe, but a reader may see one replacement half done.
pub fn file_leak(store: &impl Store, report: &Report) -> Filed {
    file_leak_unless(store, report, || Mark::NONE).0
}

/// As [`file_leak`], with marks, as [`file_unless`] has them.
pub fn file_leak_unless(store: &impl Store, report: &Report, mut decide: impl FnMut() -> Mark) -> (Filed, Mark) {
    let key = report.key();
    for index in 0..SLOTS {
        let Some(slot) = entry_or_commit::<Finding>(store, index) else { break };
        let mut seen = slot.key.load(Acquire);
        let mut filed = Filed::Repeated(index);
        if seen == 0 {
            match slot.key.compare_exchange(0, key, AcqRel, Acquire) {
                Ok(_) => {
                    store.header().findings.fetch_max(index as u32 + 1, Relaxed);
                    (seen, filed) = (key, Filed::New(index));
                }
                Err(now) => seen = now,
            }
        }
        if seen == key {
            let before = Severity::from_code((slot.what.load(Relaxed) >> 16 & 0xff) as u16);
            let mut mark = Mark(slot.suppressed.load(Relaxed));
            if before != Some(report.severity) || filed == Filed::New(index) {
                // More serious than it was: new to the user.
                filed = Filed::New(index);
                mark = decide();
                count(store, counter(report.severity, mark));
            }
            let told = slot.state.load(Relaxed) == finding_state::TOLD && filed == Filed::Repeated(index);
            fill(slot, report, mark);
            let resources = match report.resource {
                Resource::Leak(leak) => u64::from(leak.count),
                Resource::Lost(lost) => lost.blocks,
                _ => 1,
            };
            slot.count.store(resources, Relaxed);
            if told {
                slot.state.store(finding_state::TOLD, Release);
            }
            return (filed, mark);
        }
    }
    count(store, Counter::FindingsDropped);
    (Filed::Dropped, decide())
}

/// Takes back leaks of a kind that were filed before `as_of`: their descriptors have been closed since, or blocks freed.
pub fn retract_leaks(store: &impl Store, kind: Kind, as_of: u64) {
    for index in 0..(store.header().findings.load(Acquire) as usize).min(SLOTS) {
        let Some(slot) = crate::store::entry::<Finding>(store, index) else { continue };
        let what = slot.what.load(Acquire);
        if what as u16 == kind as u16 && slot.numbers[4].load(Relaxed) < as_of {
            slot.count.store(0, Relaxed);
        }
    }
}

fn counter(severity: Severity, mark: Mark) -> Counter {
    match severity {
        _ if !mark.is_none() => Counter::Suppressed,
        Severity::Error => Counter::Errors,
        Severity::Suspect => Counter::Suspects,
        Severity::Info => Counter::Infos,
    }
}

/// The user has been told of this finding, or never will be.
pub fn told(store: &impl Store, index: usize) {
    if let Some(slot) = entry_or_commit::<Finding>(store, index) {
        slot.state.store(finding_state::TOLD, Release);
    }
}

/// Has the user been told?
pub fn is_told(store: &impl Store, index: usize) -> bool {
    entry_or_commit::<Finding>(store, index).is_none_or(|slot| slot.state.load(Acquire) == finding_state::TOLD)
}

fn fill(slot: &Finding, report: &Report, mark: Mark) {
    slot.state.store(finding_state::WRITING, Relaxed);
    slot.count.fetch_add(1, Relaxed);
    slot.first.store(report.time, Relaxed);
    slot.last.fetch_max(report.time, Relaxed);
    slot.tid.store(u64::from(report.tid), Relaxed);
    text::store(&slot.thread, &report.thread);
    let (tag, numbers, more) = report.resource.encode();
    for (field, number) in slot.numbers.iter().chain(&slot.more).zip(numbers.into_iter().chain(more)) {
        field.store(number, Relaxed);
    }
    for (field, word) in slot.label.iter().zip(report.label.words()) {
        field.store(word, Relaxed);
    }
    for (field, party) in slot.parties.iter().zip(&report.parties) {
        field.who.store(party.role.map_or(0, |r| r as u64) | u64::from(party.tid) << 32, Relaxed);
        field.stack.store(u64::from(party.stack), Relaxed);
        text::store(&field.thread, &party.thread);
    }
    text::store(&slot.detail, report.detail);
    slot.suppressed.store(mark.0, Relaxed);
    slot.what.store(u32::from(report.kind as u16) | (report.severity as u32) << 16 | u32::from(tag) << 24, Relaxed);
    slot.state.store(finding_state::READY, Release);
}
