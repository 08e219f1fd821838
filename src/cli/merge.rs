//! Findings of many recordings as one list: equal ones are one, with the sum of their counts.
//!
//! Equal means: the same kind, and the same roles with the same stacks, where a frame is a build id (or a path, for a
//! module that has none) and an offset in it; of forgotten descriptors, also the same fate. So one bug in a thousand ranks is
//! one finding.
//!
//! Why stacks are resolved to modules here: ids and module numbers mean something inside one recording only. Each
//! recording is let go as soon as its findings are taken.

use crate::recordings::Loaded;
use record::findings::Resource;
use record::kind::{Role, Severity};
use record::layout::Counter;
use record::reader::{Finding, Head};
use record::stacks::Frame;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

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
    pub module: Option<Rc<ModuleId>>,
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

#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    /// The base name of the program.
    pub program: Vec<u8>,
}

/// A finding of one or more processes.
#[derive(Clone, Debug)]
pub struct Merged {
    /// As the earliest process tells it.
    pub finding: Finding,
    pub stacks: Vec<Stack>,
    pub count: u64,
    /// CLOCK_REALTIME of the first event, ns.
    pub first: u64,
    /// In the order of their first event.
    pub processes: Vec<Process>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    kind: u16,
    severity: u16,
    stacks: Vec<(Role, Vec<Site>)>,
    /// What became of forgotten descriptors: one line may be refused, reset and kept waiting, and each is a way of its own.
    fate: Option<(u8, u16, bool)>,
    /// Without stacks, the call tells findings apart, as it does in the recording.
    detail: Option<[u8; 112]>,
    /// What some process was told not to speak of is not what others speak of.
    suppressed: bool,
}

#[derive(Default)]
pub struct Merge {
    known: HashMap<Key, usize>,
    found: Vec<Merged>,
    pub recordings: usize,
    /// Losses: what was dropped, summed over the recordings.
    losses: [u64; Counter::ALL.len()],
    unreadable: u64,
    errors_dropped: bool,
}

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
    pub fn add(&mut self, recording: &Loaded) {
        self.recordings += 1;
        self.unreadable += recording.findings_unreadable() as u64;
        for (sum, (counter, _)) in self.losses.iter_mut().zip(Counter::ALL) {
            *sum = sum.saturating_add(recording.counter(counter));
        }
        let head = recording.head();
        let mut sites = Sites::new(recording);
        let mut told = 0u64;
        for finding in recording.findings() {
            if finding.severity == Severity::Error && finding.suppressed.is_none() {
                told = told.saturating_add(finding.count);
            }
            let stacks = stacks(&finding, &mut sites);
            self.file(finding, stacks, &head);
        }
        for leak in crate::unexited::leaks(recording) {
            let stacks = leak.stacks(&mut sites);
            self.file(leak.finding, stacks, &head);
        }
        // A table that is full counts errors that are in no finding.
        self.errors_dropped |=
            recording.counter(Counter::FindingsDropped) > 0 && recording.counter(Counter::Errors) > told;
    }

    fn file(&mut self, finding: Finding, stacks: Vec<Stack>, head: &Head) {
        let first = head.started_real.saturating_add(finding.first.saturating_sub(head.started));
        let process = Process { pid: head.pid, program: program(head).to_vec() };
        let bare = stacks.iter().all(|s| s.frames.is_empty());
        let key = Key {
            kind: finding.kind as u16,
            severity: finding.severity as u16,
            stacks: stacks.iter().map(|s| (s.role, s.frames.clone())).collect(),
            fate: match finding.resource {
                Resource::Leak(leak) => Some((leak.ending, leak.errno, leak.blocking)),
                _ => None,
            },
            detail: bare.then_some(finding.detail),
            suppressed: !finding.suppressed.is_none(),
        };
        match self.known.get(&key) {
            None => {
                self.known.insert(key, self.found.len());
                let count = finding.count;
                self.found.push(Merged { finding, stacks, count, first, processes: vec![process] });
            }
            Some(&index) => {
                let merged = &mut self.found[index];
                merged.count = merged.count.saturating_add(finding.count);
                if first < merged.first {
                    (merged.finding, merged.stacks, merged.first) = (finding, stacks, first);
                    merged.processes.insert(0, process);
                } else {
                    merged.processes.push(process);
                }
            }
        }
    }

    /// The findings: the gravest first, then the earliest. Nothing is added afterwards.
    pub fn findings(&mut self) -> &[Merged] {
        self.known.clear();
        self.found.sort_by_key(|f| (f.finding.severity as u16, f.first));
        &self.found
    }

    /// Takes out what is worth knowing only.
    pub fn drop_infos(&mut self) {
        self.take_out(|f| f.finding.severity == Severity::Info);
    }

    /// Takes out what is not wanted. Nothing is added afterwards.
    pub fn take_out(&mut self, mut unwanted: impl FnMut(&Merged) -> bool) {
        self.known.clear();
        self.found.retain(|f| !unwanted(f));
    }

    /// Did any process find an error? Also one that found no room in its recording.
    pub fn any_error(&self) -> bool {
        self.errors_dropped || self.found.iter().any(|f| f.finding.severity == Severity::Error)
    }

    /// What is missing, in words; `None` when nothing is.
    pub fn losses(&self) -> Option<String> {
        let lost = Counter::ALL.iter().zip(self.losses);
        let mut parts: Vec<String> = lost
            .filter(|((counter, _), sum)| *sum > 0 && LOSSES.contains(counter))
            .map(|((_, name), sum)| format!("{name}: {sum}"))
            .collect();
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

/// The modules of one recording, shared by the frames that name them.
pub struct Sites<'a> {
    recording: &'a Loaded,
    modules: HashMap<usize, Option<Rc<ModuleId>>>,
}

impl<'a> Sites<'a> {
    pub fn new(recording: &'a Loaded) -> Self {
        Self { recording, modules: HashMap::new() }
    }

    /// The calls of a stack. All frames are return addresses; the call is before it.
    pub fn stack(&mut self, id: u32) -> Vec<Site> {
        self.recording.stack(id).into_iter().map(|frame| self.frame(frame)).collect()
    }

    pub fn frame(&mut self, frame: Frame) -> Site {
        Site { module: frame.module().and_then(|index| self.module(index)), offset: frame.offset().saturating_sub(1) }
    }

    fn module(&mut self, index: usize) -> Option<Rc<ModuleId>> {
        let recording = self.recording;
        let read = || {
            let module = recording.module(index)?;
            Some(Rc::new(ModuleId { path: module.path, build_id: module.build_id }))
        };
        self.modules.entry(index).or_insert_with(read).clone()
    }
}

fn stacks(finding: &Finding, sites: &mut Sites) -> Vec<Stack> {
    let party = |p: &record::findings::Involved| {
        Some(Stack { role: p.role?, tid: p.tid, thread: p.thread, frames: sites.stack(p.stack) })
    };
    finding.parties.iter().filter_map(party).collect()
}
