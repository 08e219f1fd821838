//! The table of findings: identical ones (kind and stacks) are one entry with a count.
//!
//! Why first-come: the entry keeps the story of its first event; later ones only add to the count, so that the cost
//! of the millionth double close is a hash and an addition.

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

/// What the finding is about, and the meaning of `Finding::numbers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    None,
    /// `kind_name` is an index that the tracker defines (`track::fd::FdKind`), `owner` a pointer or 0 of `owner_kind`
    /// (1 FILE*, 2 DIR*, 3 popen).
    Descriptor {
        fd: i32,
        kind: u8,
        owner_kind: u8,
        owner: u64,
        generation: u32,
    },
}

impl Resource {
    pub const DESCRIPTOR: u8 = 1;

    fn encode(self) -> (u8, [u64; 6]) {
        match self {
            Self::None => (0, [0; 6]),
            Self::Descriptor { fd, kind, owner_kind, owner, generation } => (
                Self::DESCRIPTOR,
                [fd as i64 as u64, u64::from(kind), u64::from(owner_kind), owner, u64::from(generation), 0],
            ),
        }
    }

    pub fn decode(tag: u8, numbers: &[u64; 6]) -> Self {
        match tag {
            Self::DESCRIPTOR => Self::Descriptor {
                fd: numbers[0] as i32,
                kind: numbers[1] as u8,
                owner_kind: numbers[2] as u8,
                owner: numbers[3],
                generation: numbers[4] as u32,
            },
            _ => Self::None,
        }
    }
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
    /// The name of the call, or other words of the family; up to 120 bytes.
    pub detail: &'a [u8],
}

impl Report<'_> {
    pub fn party(&self, role: Role) -> Option<&Involved> {
        self.parties.iter().find(|p| p.role == Some(role))
    }

    fn key(&self) -> u64 {
        let mut words = [0u64; PARTIES + 1];
        words[0] = (self.kind as u64) << 32 | self.severity as u64;
        for (word, party) in words[1..].iter_mut().zip(&self.parties) {
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
    let counter = match report.severity {
        _ if !mark.is_none() => Counter::Suppressed,
        Severity::Error => Counter::Errors,
        Severity::Suspect => Counter::Suspects,
        Severity::Info => Counter::Infos,
    };
    count(store, counter);
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
    let (tag, numbers) = report.resource.encode();
    for (field, number) in slot.numbers.iter().zip(numbers) {
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
