//! Findings of many recordings as one list: equal ones are one, with the sum of their counts.
//!
//! Equal means: the same kind, and the same roles with the same stacks, where a frame is a build id (or a path, for a
//! module that has none) and an offset in it; of forgotten descriptors, also the same fate. So one bug in a thousand ranks is
//! one finding.
//!
//! Why stacks are resolved to modules here: ids and module numbers mean something inside one recording only. Each
//! recording is let go as soon as its findings are taken ([`Extract`]), and what is kept grows with the number of
//! distinct findings and stacks, not with the number of recordings.

mod entry;
mod extract;
mod gather;
pub mod tables;

pub use extract::{Extract, KEYS, Sites};
pub use gather::{gather, read_each};

use crate::deadlock::Step;
use crate::escape;
use crate::recordings::Loaded;
use entry::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use record::kind::{Kind, Role, Severity};
use record::layout::Counter;
use record::reader::{Finding, Head};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tables::Tables;

/// A loaded object as it was when it was recorded.
#[derive(Clone, Debug)]
pub struct ModuleId {
    pub path: Vec<u8>,
    pub build_id: Vec<u8>,
}

impl PartialEq for ModuleId {
    fn eq(&self, other: &Self) -> bool {
        self.build_id == other.build_id && (!self.build_id.is_empty() || self.path == other.path)
    }
}

impl Eq for ModuleId {}

impl Hash for ModuleId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.build_id.is_empty() { self.path.hash(state) } else { self.build_id.hash(state) }
    }
}

/// A call: the ELF virtual address in a module, or a bare address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    pub module: Option<Arc<ModuleId>>,
    pub offset: u64,
}

/// A party of a finding with its stack.
#[derive(Clone, Debug)]
pub struct Stack {
    pub role: Role,
    pub tid: u32,
    pub thread: [u8; 16],
    pub frames: Vec<Site>,
}

/// Static data that a finding names: see [`record::findings::Thing`].
#[derive(Clone, Debug)]
pub struct Thing {
    pub prefix: &'static str,
    pub words: &'static str,
    pub site: Site,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// The base name of the program.
    pub program: Vec<u8>,
    /// The number of its recording, in the order of the files.
    pub file: u32,
}

/// A finding of one or more processes, with all that it names.
#[derive(Clone, Debug)]
pub struct Merged {
    /// As the earliest process tells it.
    pub finding: Finding,
    pub stacks: Vec<Stack>,
    pub count: u64,
    /// CLOCK_REALTIME of the first event, ns.
    pub first: u64,
    /// What it names beside its stacks.
    pub things: Vec<Thing>,
    /// In the order of their first event.
    pub processes: Vec<Process>,
    /// The ranks of MPI of all its processes, sorted.
    pub ranks: Vec<u32>,
    /// Processes that are not among `processes`.
    pub more_processes: usize,
}

/// In which order findings are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// The gravest first, then the most frequent
    #[default]
    Severity,
    /// The most frequent first
    Count,
    /// The earliest first
    Time,
    /// By kind, then as by severity
    Kind,
}

/// A sum for each counter.
struct Losses([u64; Counter::ALL.len()]);

impl Default for Losses {
    fn default() -> Self {
        Self([0; Counter::ALL.len()])
    }
}

#[derive(Default)]
pub struct Merge {
    keys: DefaultHashBuilder,
    tables: Tables,
    known: HashTable<u32>,
    entries: Vec<Entry>,
    /// By the number of the file: pid and program, and whether it has a finding.
    processes: Vec<Option<(u32, u32, bool)>>,
    /// The files of the largest heaps, the largest first; peaks and numbers.
    heaps: Vec<(u64, u32)>,
    pub recordings: usize,
    /// Losses: what was dropped, summed over the recordings.
    losses: Losses,
    unreadable: u64,
    errors_dropped: bool,
    /// Programs whose heap was not seen, each with the module whose malloc it calls.
    elsewhere: BTreeSet<(Vec<u8>, Vec<u8>)>,
    /// Files of processes whose threads wait for each other, the first of them.
    deadlocked: BTreeMap<usize, Deadlocked>,
    /// Of MPI, of all processes that were read.
    ranks: BTreeSet<u32>,
    /// Files of processes with memory tiers.
    placing: BTreeSet<usize>,
}

/// A process that hung, or hangs.
pub struct Deadlocked {
    pub program: Vec<u8>,
    pub pid: u32,
    pub rings: Vec<Vec<Step>>,
}

/// Processes whose deadlocks are shown.
const DEADLOCKS: usize = 8;
/// So many of them are named.
const ELSEWHERE_NAMED: usize = 8;
/// Processes that are known by the size of their heap.
const LARGEST_HEAPS: usize = 12;

/// Counters that say what a report does not show.
const LOSSES: [Counter; 8] = [
    Counter::FindingsDropped,
    Counter::StacksDropped,
    Counter::DescriptorsUntracked,
    Counter::ThreadsUntracked,
    Counter::ChunksRefused,
    Counter::StacksTruncated,
    Counter::ModulesDropped,
    Counter::MessagesLost,
];

impl Merge {
    /// The next recording, all of it.
    pub fn add(&mut self, recording: &Loaded) {
        let file = self.processes.len();
        let extract = Extract::new(recording, &|_| true, &|_| true);
        self.take(file, &extract);
    }

    /// What was found in a recording, under the number of its file.
    pub fn take(&mut self, file: usize, extract: &Extract) {
        self.recordings += 1;
        self.unreadable += extract.unreadable;
        self.errors_dropped |= extract.errors_dropped;
        for (sum, lost) in self.losses.0.iter_mut().zip(extract.counters) {
            *sum = sum.saturating_add(lost);
        }
        self.deadlock(file, extract);
        self.ranks.extend(extract.head.rank);
        if extract.has_tiers {
            self.placing.insert(file);
        }
        if let Some(module) = &extract.heap_elsewhere {
            self.elsewhere.insert((program(&extract.head).to_vec(), module.clone()));
        }
        let program = self.tables.text(program(&extract.head));
        if self.processes.len() <= file {
            self.processes.resize(file + 1, None);
        }
        self.heap(extract.heap_peak, file as u32);
        self.processes[file] = Some((extract.head.pid, program, !extract.findings.is_empty()));
        let modules: Vec<u32> = extract.modules.iter().map(|module| self.tables.module(module)).collect();
        let stacks: Vec<u32> =
            extract.stacks().map(|(hash, frames)| self.tables.stack(hash, frames, &modules)).collect();
        let head = &extract.head;
        for (finding, places, things) in &extract.findings {
            let first = head.started_real.saturating_add(finding.first.saturating_sub(head.started));
            let id = |place: u32| stacks.get(place as usize).copied().unwrap_or(tables::NONE);
            let things = things.map(id);
            let entry = Entry::new(finding, places.map(id), things, (first, file as u32), head.rank, &mut self.tables);
            self.file(entry);
        }
    }

    fn file(&mut self, entry: Entry) {
        let Self { keys, tables, known, entries, .. } = self;
        let hash = entry.hash(keys, tables);
        if let Some(&index) = known.find(hash, |index| entries[*index as usize].is(&entry, tables)) {
            entries[index as usize].add(entry);
            return;
        }
        let index = entries.len() as u32;
        entries.push(entry);
        known.insert_unique(hash, index, |index| entries[*index as usize].hash(keys, tables));
    }

    /// The ranks of MPI of all processes, sorted.
    pub fn ranks(&self) -> Vec<u32> {
        self.ranks.iter().copied().collect()
    }

    /// Files of processes with memory tiers.
    pub fn placing(&self) -> impl Iterator<Item = usize> {
        self.placing.iter().copied()
    }

    /// Distinct findings.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The findings in order, each made as it is asked for. Nothing is added afterwards.
    pub fn findings(&mut self, sort: Sort) -> impl Iterator<Item = Merged> {
        self.known = HashTable::new();
        let key = |e: &Entry| (e.severity() as u16, u64::MAX - e.count, e.earliest());
        match sort {
            Sort::Severity => self.entries.sort_by_cached_key(key),
            Sort::Count => self.entries.sort_by_cached_key(|e| (u64::MAX - e.count, key(e))),
            Sort::Time => self.entries.sort_by_cached_key(|e| (e.earliest().0, key(e))),
            Sort::Kind => self.entries.sort_by_cached_key(|e| (e.kind().name(), key(e))),
        }
        self.entries.iter().map(|entry| self.view(entry))
    }

    fn view(&self, entry: &Entry) -> Merged {
        entry.view(&self.tables, |file| self.process(file))
    }

    fn process(&self, file: u32) -> Process {
        let (pid, program, _) =
            self.processes.get(file as usize).copied().flatten().unwrap_or((0, tables::NONE, false));
        Process { pid, program: self.tables.text_of(program).to_vec(), file }
    }

    /// Takes out what is worth knowing only.
    pub fn drop_infos(&mut self) {
        self.known = HashTable::new();
        self.entries.retain(|e| e.severity() != Severity::Info);
    }

    /// Takes out what is not wanted. Nothing is added afterwards.
    pub fn take_out(&mut self, mut unwanted: impl FnMut(&Merged) -> bool) {
        self.known = HashTable::new();
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|entry| !unwanted(&self.view(entry)));
        self.entries = entries;
    }

    /// Was some process told not to speak of a finding?
    pub fn any_suppressed(&self) -> bool {
        self.entries.iter().any(Entry::is_suppressed)
    }

    /// Did any process find an error? Also one that found no room in its recording.
    pub fn any_error(&self) -> bool {
        self.errors_dropped || self.entries.iter().any(|e| e.severity() == Severity::Error)
    }

    /// Findings by severity.
    pub fn severities(&self) -> [(Severity, usize); 3] {
        [Severity::Error, Severity::Suspect, Severity::Info]
            .map(|severity| (severity, self.entries.iter().filter(|e| e.severity() == severity).count()))
    }

    /// The kinds of the findings, in the order of their codes.
    pub fn kinds(&self) -> Vec<(Kind, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.kind()).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    /// Distinct processes (pid and program) that have a finding.
    pub fn processes(&self) -> usize {
        let whole = self.entries.iter().all(|e| e.processes as usize <= entry::KEPT);
        let all = self.processes.iter().enumerate();
        let named: HashSet<u32> = if whole {
            self.entries.iter().flat_map(Entry::files).collect()
        } else {
            all.filter(|(_, p)| p.is_some_and(|(.., found)| found)).map(|(file, _)| file as u32).collect()
        };
        let processes = named.iter().filter_map(|file| self.processes.get(*file as usize).copied().flatten());
        processes.map(|(pid, program, _)| (pid, program)).collect::<HashSet<_>>().len()
    }

    /// Processes whose threads wait for each other, and their files.
    pub fn deadlocked(&self) -> impl Iterator<Item = (usize, &Deadlocked)> {
        self.deadlocked.iter().map(|(file, deadlocked)| (*file, deadlocked))
    }

    /// Was this file read, and is its process wanted?
    pub fn has_read(&self, file: usize) -> bool {
        self.processes.get(file).is_some_and(Option::is_some)
    }

    /// The files that were read: those of the first findings first, then those without any.
    pub fn files(&self) -> Vec<u32> {
        let mut seen = HashSet::new();
        let mut files = Vec::new();
        for entry in &self.entries {
            files.extend(entry.files().into_iter().filter(|file| seen.insert(*file)));
        }
        let read = (0..).zip(&self.processes).filter(|(_, process)| process.is_some());
        files.extend(read.map(|(file, _)| file).filter(|file| !seen.contains(file)));
        files
    }

    fn heap(&mut self, peak: u64, file: u32) {
        let at = self.heaps.partition_point(|(known, other)| (Reverse(*known), *other) < (Reverse(peak), file));
        if peak > 0 && at < LARGEST_HEAPS {
            self.heaps.insert(at, (peak, file));
            self.heaps.truncate(LARGEST_HEAPS);
        }
    }

    /// Of more than are shown, those of the first files.
    fn deadlock(&mut self, file: usize, extract: &Extract) {
        if extract.deadlock.is_empty() {
            return;
        }
        let program = program(&extract.head).to_vec();
        self.deadlocked.insert(file, Deadlocked { program, pid: extract.head.pid, rings: extract.deadlock.clone() });
        if self.deadlocked.len() > DEADLOCKS {
            self.deadlocked.pop_last();
        }
    }

    /// The files of the processes with the largest heaps, whatever was found in them.
    pub fn largest_heaps(&self) -> impl Iterator<Item = u32> {
        self.heaps.iter().map(|(_, file)| *file)
    }

    /// What is missing, in words; `None` when nothing is.
    pub fn losses(&self) -> Option<String> {
        let lost = Counter::ALL.iter().zip(self.losses.0);
        let mut parts: Vec<String> = lost
            .filter(|((counter, _), sum)| *sum > 0 && LOSSES.contains(counter))
            .map(|((_, name), sum)| format!("{name}: {sum}"))
            .collect();
        parts.extend(self.elsewhere.iter().take(ELSEWHERE_NAMED).map(|(program, module)| {
            format!("the heap of {}, whose malloc is that of {}", escape::bytes(program), escape::bytes(module))
        }));
        if self.elsewhere.len() > ELSEWHERE_NAMED {
            parts.push(format!("the heaps of {} programs more", self.elsewhere.len() - ELSEWHERE_NAMED));
        }
        if self.unreadable > 0 {
            parts.push(format!("findings of a kind that this shim does not know: {}", self.unreadable));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The base name of the program.
pub fn program(head: &Head) -> &[u8] {
    let base = head.exe.rsplit(|b| *b == b'/').next().unwrap_or_default();
    if base.is_empty() { &head.comm } else { base }
}
