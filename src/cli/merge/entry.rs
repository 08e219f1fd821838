//! A finding as it is kept while recordings are read: a quarter of a kilobyte, with ids where texts and stacks were.
//!
//! Rules: what makes two findings one is [`Entry::is`] and [`Entry::hash`], nothing else; of several that are one, the
//! earliest tells the story, and between equally early ones the first file, so that the order of reading does not show.

use super::tables::{NONE, Tables};
use super::{Merged, Process, Site, Stack, Thing};
use record::findings::{Involved, Resource, THINGS};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::PARTIES;
use record::reader::Finding;
use record::suppressions::Mark;
use record::text::until_nul;
use std::hash::{BuildHasher, Hash};

/// Processes of a finding that are kept by name: the earliest ones. The others are counted.
pub const KEPT: usize = 64;

#[derive(Clone, Copy)]
struct Party {
    role: Option<Role>,
    tid: u32,
    thread: u32,
    stack: u32,
}

/// A [`Resource`] of which the big ones are elsewhere: they are few.
enum About {
    None,
    Descriptor {
        fd: i32,
        kind: u8,
        owner_kind: u8,
        owner: u64,
        generation: u32,
    },
    /// With the stacks of what it names.
    Other(Box<(Resource, [u32; THINGS])>),
}

impl About {
    fn new(resource: Resource, things: [u32; THINGS]) -> Self {
        match resource {
            Resource::None => Self::None,
            Resource::Descriptor { fd, kind, owner_kind, owner, generation } => {
                Self::Descriptor { fd, kind, owner_kind, owner, generation }
            }
            other => Self::Other(Box::new((other, things))),
        }
    }

    fn resource(&self) -> Resource {
        match *self {
            Self::None => Resource::None,
            Self::Descriptor { fd, kind, owner_kind, owner, generation } => {
                Resource::Descriptor { fd, kind, owner_kind, owner, generation }
            }
            Self::Other(ref other) => other.0,
        }
    }

    fn things(&self, tables: &Tables) -> Vec<Thing> {
        let Self::Other(other) = self else { return Vec::new() };
        let named = other.0.things().into_iter().zip(other.1);
        let thing = |(thing, stack): (record::findings::Thing, u32)| {
            let (module, offset) = tables.frames(stack).next()?;
            let site = Site { module: module.cloned(), offset };
            Some(Thing { prefix: thing.prefix, words: thing.words, site })
        };
        named.filter_map(thing).collect()
    }

    /// What became of forgotten resources: one line may be refused, reset and kept waiting, and each is a way of its own.
    fn fate(&self) -> Option<(u8, u16, bool)> {
        match self {
            Self::Other(other) => match other.0 {
                Resource::Leak(leak) => Some((leak.ending, leak.errno, leak.blocking)),
                Resource::Lost(lost) => Some((lost.class, 0, false)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Leaks of several processes that went the same way: as many as they are together, with the times of the earliest.
    fn add(&mut self, other: &Self) {
        let (Self::Other(this), Self::Other(other)) = (self, other) else { return };
        match (&mut this.0, &other.0) {
            (Resource::Leak(this), Resource::Leak(other)) => {
                this.count = this.count.saturating_add(other.count);
                this.unread = this.unread.saturating_add(other.unread);
                for (sum, more) in this.tcp.iter_mut().zip(other.tcp) {
                    *sum = sum.saturating_add(more);
                }
            }
            (Resource::Lost(this), Resource::Lost(other)) => {
                this.blocks = this.blocks.saturating_add(other.blocks);
                this.bytes = this.bytes.saturating_add(other.bytes);
                this.indirect_blocks = this.indirect_blocks.saturating_add(other.indirect_blocks);
                this.indirect_bytes = this.indirect_bytes.saturating_add(other.indirect_bytes);
            }
            _ => {}
        }
    }
}

/// When a finding was first seen in a process, by CLOCK_REALTIME, and in which file.
type Occurrence = (u64, u32);

pub struct Entry {
    kind: Kind,
    severity: Severity,
    tid: u32,
    thread: u32,
    detail: u32,
    /// Processes; at least as many as `occurrences`.
    pub processes: u32,
    pub count: u64,
    /// CLOCK_MONOTONIC of its process.
    first: u64,
    last: u64,
    /// The earliest, whose story this is.
    earliest: Occurrence,
    about: About,
    label: Label,
    /// What some process was told not to speak of is not what others speak of.
    suppressed: Mark,
    parties: [Party; PARTIES],
    occurrences: Vec<Occurrence>,
    /// Of MPI, of all its processes, as they came.
    ranks: Vec<u32>,
}

impl Entry {
    /// `stacks` are the ids of the parties' stacks, `things` those of what it names.
    pub fn new(
        finding: &Finding,
        stacks: [u32; PARTIES],
        things: [u32; THINGS],
        seen: Occurrence,
        rank: Option<u32>,
        tables: &mut Tables,
    ) -> Self {
        let parties = core::array::from_fn(|i| {
            let party = &finding.parties[i];
            let thread = tables.text(until_nul(&party.thread));
            Party { role: party.role, tid: party.tid, thread, stack: stacks[i] }
        });
        Self {
            kind: finding.kind,
            severity: finding.severity,
            tid: finding.tid,
            thread: tables.text(until_nul(&finding.thread)),
            detail: tables.text(until_nul(&finding.detail)),
            processes: 1,
            count: finding.count,
            first: finding.first,
            last: finding.last,
            earliest: seen,
            about: About::new(finding.resource, things),
            label: finding.label,
            suppressed: finding.suppressed,
            parties,
            occurrences: Vec::new(),
            ranks: rank.into_iter().collect(),
        }
    }

    /// Kind, severity, the roles with their stacks, the fate of what was forgotten. Without stacks, the call tells
    /// findings apart, as it does in the recording.
    fn identity(&self, tables: &Tables) -> impl PartialEq + Hash + use<> {
        let stack = |id| if tables.is_empty_stack(id) { NONE } else { id };
        let parties = self.parties.map(|p| match p.role {
            Some(role) => (role as u16, stack(p.stack)),
            None => (0, NONE),
        });
        let bare = parties.iter().all(|(_, stack)| *stack == NONE);
        let detail = if bare { self.detail } else { NONE };
        (self.kind as u16, self.severity as u16, self.is_suppressed(), parties, self.about.fate(), detail)
    }

    pub fn is(&self, other: &Self, tables: &Tables) -> bool {
        self.identity(tables) == other.identity(tables)
    }

    pub fn hash(&self, keys: &impl BuildHasher, tables: &Tables) -> u64 {
        keys.hash_one(self.identity(tables))
    }

    /// Takes in one that is the same.
    pub fn add(&mut self, mut other: Self) {
        if self.occurrences.is_empty() {
            self.occurrences.push(self.earliest);
        }
        self.occurrences.push(other.earliest);
        // Now and then, so that it costs little.
        if self.occurrences.len() >= 2 * KEPT {
            self.occurrences.sort_unstable();
            self.occurrences.truncate(KEPT);
        }
        let mut ranks = std::mem::take(&mut self.ranks);
        ranks.append(&mut other.ranks);
        let (count, processes) = (self.count.saturating_add(other.count), self.processes.saturating_add(1));
        if other.earliest >= self.earliest {
            self.about.add(&other.about);
        } else {
            other.about.add(&self.about);
            other.occurrences = std::mem::take(&mut self.occurrences);
            *self = other;
        }
        (self.count, self.processes, self.ranks) = (count, processes, ranks);
    }

    pub fn is_suppressed(&self) -> bool {
        !self.suppressed.is_none()
    }

    pub fn severity(&self) -> Severity {
        self.severity
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn earliest(&self) -> (u64, u32) {
        self.earliest
    }

    /// The files of its processes, the earliest first; at most [`KEPT`].
    pub fn files(&self) -> Vec<u32> {
        let mut seen = if self.occurrences.is_empty() { vec![self.earliest] } else { self.occurrences.clone() };
        seen.sort_unstable();
        seen.truncate(KEPT);
        seen.into_iter().map(|(_, file)| file).collect()
    }

    /// Sorted, each once.
    fn ranks(&self) -> Vec<u32> {
        let mut ranks = self.ranks.clone();
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }

    /// The finding with everything that the ids stand for.
    pub fn view(&self, tables: &Tables, process: impl Fn(u32) -> Process) -> Merged {
        let thread = |id| padded(tables.text_of(id));
        let parties = self.parties.map(|p| Involved { role: p.role, tid: p.tid, stack: 0, thread: thread(p.thread) });
        let stack = |p: &Party| {
            let frames = tables.frames(p.stack).map(|(module, offset)| Site { module: module.cloned(), offset });
            Some(Stack { role: p.role?, tid: p.tid, thread: thread(p.thread), frames: frames.collect() })
        };
        Merged {
            finding: Finding {
                kind: self.kind,
                severity: self.severity,
                count: self.count,
                first: self.first,
                last: self.last,
                tid: self.tid,
                thread: thread(self.thread),
                resource: self.about.resource(),
                label: self.label,
                suppressed: self.suppressed,
                parties,
                detail: padded(tables.text_of(self.detail)),
            },
            stacks: self.parties.iter().filter_map(stack).collect(),
            count: self.count,
            first: self.earliest.0,
            things: self.about.things(tables),
            ranks: self.ranks(),
            processes: self.files().into_iter().map(process).collect(),
            more_processes: (self.processes as usize).saturating_sub(self.occurrences.len().clamp(1, KEPT)),
        }
    }
}

fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    core::array::from_fn(|i| text.get(i).copied().unwrap_or(0))
}

const _: () = assert!(size_of::<Entry>() <= 296);
