//! Findings as one page to look at: a file of its own, with no need of a network.
//!
//! ```text
//! findings ─→ frames.rs (calls, stacks, source: each once) ─┐
//! files ────→ process.rs (a second look at those that matter: lifelines, curves, heap.rs, locks.rs) ─→ data ─→ page.rs ─→ the file
//!       └───→ tiers.rs (those with memory tiers, together) ─────────────────────────────────────────────┘
//! ```
//!
//! Why the data is JSON and the page a program that reads it: ten thousand findings as markup would be a hundred
//! megabytes. The scripts in html/ make elements with `textContent` only.
//!
//! Rules: text of the watched program is escaped as for a terminal ([`crate::escape`]) before it becomes JSON, the JSON is
//! escaped for where it stands ([`page`]), and a content security policy lets nothing run but our own script.

mod about;
pub mod frames;
pub mod heap;
mod lifelines;
mod locks;
pub mod page;
mod process;
mod tiers;

use super::{Render, Shown, sentence};
use crate::escape::bytes;
use crate::explain;
use crate::merge::{Merged, Process};
use crate::placement::Placement;
use crate::ranks;
use crate::symbolise::Symboliser;
use about::{Memory, about, memory};
use frames::Frames;
use record::findings::Resource;
use record::sentence::TCP_NAMES;
use record::text::until_nul;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::PathBuf;

/// Processes that are looked at a second time.
const LOOKED_AT: usize = 32;

pub struct Html {
    files: Vec<PathBuf>,
    frames: Frames,
    findings: Vec<Finding>,
    processes: Vec<Named>,
    places: HashMap<u32, usize>,
    /// Descriptor numbers that findings are about, with what happened, by the file of the process.
    numbers: BTreeMap<u32, Vec<lifelines::Incident>>,
    leaks: Vec<Leak>,
    notes: Vec<String>,
}

/// One process as findings name it.
#[derive(Serialize)]
struct Named {
    pid: u32,
    program: String,
}

#[derive(Serialize)]
struct Finding {
    kind: &'static str,
    severity: &'static str,
    count: u64,
    /// CLOCK_REALTIME, ms.
    first: u64,
    message: String,
    /// Indices of processes.
    processes: Vec<usize>,
    more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fd: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
    /// What else is known of the resource: name and value.
    about: Vec<(&'static str, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    stacks: Vec<Stack>,
}

#[derive(Serialize)]
struct Stack {
    role: &'static str,
    tid: u32,
    thread: String,
    /// See [`Frames`].
    stack: usize,
}

/// Descriptors that were never closed and their states of TCP.
#[derive(Serialize)]
struct Leak {
    finding: usize,
    count: u32,
    states: Vec<(&'static str, u32)>,
}

#[derive(Serialize)]
struct Data<'a> {
    shim: &'static str,
    recordings: usize,
    total: usize,
    left_out: usize,
    losses: Option<String>,
    notes: &'a [String],
    severities: Vec<(&'static str, usize)>,
    kinds: Vec<Kind>,
    processes: &'a [Named],
    findings: &'a [Finding],
    frames: &'a Frames,
    #[serde(skip_serializing_if = "heap::Tree::is_empty")]
    tree: heap::Tree,
    #[serde(skip_serializing_if = "Option::is_none")]
    tiers: Option<tiers::Tiers>,
    seen: Vec<process::Seen>,
    more_seen: usize,
    leaks: &'a [Leak],
}

#[derive(Serialize)]
struct Kind {
    name: &'static str,
    count: usize,
    summary: &'static str,
    page: &'static str,
}

impl Html {
    /// `notes` are lines about the report itself.
    pub fn new(files: &[PathBuf], notes: Vec<String>) -> Self {
        Self {
            files: files.to_vec(),
            frames: Frames::default(),
            findings: Vec::new(),
            processes: Vec::new(),
            places: HashMap::new(),
            numbers: BTreeMap::new(),
            leaks: Vec::new(),
            notes,
        }
    }

    fn place(&mut self, process: &Process) -> usize {
        *self.places.entry(process.file).or_insert_with(|| {
            self.processes.push(Named { pid: process.pid, program: bytes(&process.program) });
            self.processes.len() - 1
        })
    }
}

impl Render for Html {
    fn finding(&mut self, found: &Merged, symbols: &mut Symboliser, _out: &mut dyn Write) -> io::Result<()> {
        let index = self.findings.len();
        let finding = &found.finding;
        let stacks = found.stacks.iter().map(|stack| Stack {
            role: stack.role.name(),
            tid: stack.tid,
            thread: bytes(until_nul(&stack.thread)),
            stack: self.frames.stack(&stack.frames, symbols),
        });
        let stacks = stacks.collect();
        let processes = found.processes.iter().map(|process| self.place(process)).collect();
        let (fd, mut about) = about(found, symbols);
        about.extend(ranks::list(&found.ranks).map(|ranks| ("on", ranks)));
        if let (Some(process), Some(incident)) = (found.processes.first(), lifelines::Incident::of(index, finding)) {
            self.numbers.entry(process.file).or_default().push(incident);
        }
        if let Resource::Leak(leak) = finding.resource {
            let states = TCP_NAMES.into_iter().zip(leak.tcp).skip(1).filter(|(_, count)| *count > 0).collect();
            self.leaks.push(Leak { finding: index, count: leak.count, states });
        }
        self.findings.push(Finding {
            kind: finding.kind.name(),
            severity: finding.severity.name(),
            count: found.count,
            first: found.first / 1_000_000,
            message: sentence(finding),
            processes,
            more: found.more_processes,
            fd,
            generation: match finding.resource {
                Resource::Descriptor { generation, .. } => Some(generation),
                _ => None,
            },
            about,
            memory: memory(&finding.resource),
            stacks,
        });
        Ok(())
    }

    fn end(&mut self, shown: &Shown, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
        let merge = shown.merge;
        let files = merge.files();
        let none = Vec::new();
        let mut tree = heap::Tree::default();
        // Before the heap, whose calls go without source.
        let placing: Vec<PathBuf> = merge.placing().filter_map(|file| self.files.get(file).cloned()).collect();
        let mut placement = Placement::read(&placing).0;
        placement.without = merge.recordings.saturating_sub(placing.len());
        let tiers = tiers::look(&placement, &mut self.frames, symbols);
        let mut kept = locks::Kept::default();
        let hung = merge.deadlocked().map(|(file, _)| file as u32);
        let mut wanted: Vec<u32> = merge.largest_heaps().chain(hung).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let seen: Vec<process::Seen> = looked_at(&files, &wanted)
            .iter()
            .filter_map(|file| {
                let incidents = self.numbers.get(file).unwrap_or(&none);
                process::look(
                    self.files.get(*file as usize)?,
                    incidents,
                    &mut self.frames,
                    &mut tree,
                    &mut kept,
                    symbols,
                )
            })
            .collect();
        let kinds = merge.kinds().into_iter().map(|(kind, count)| {
            let (summary, page) = explain::text(kind);
            Kind { name: kind.name(), count, summary, page }
        });
        let data = Data {
            shim: env!("CARGO_PKG_VERSION"),
            recordings: merge.recordings,
            total: merge.len(),
            left_out: shown.left_out,
            losses: merge.losses(),
            notes: &self.notes,
            severities: merge.severities().into_iter().map(|(severity, count)| (severity.name(), count)).collect(),
            kinds: kinds.collect(),
            processes: &self.processes,
            findings: &self.findings,
            frames: &self.frames,
            tree,
            tiers,
            more_seen: files.len().saturating_sub(seen.len()),
            seen,
            leaks: &self.leaks,
        };
        page::write(&data, out)
    }
}

/// Those that are wanted anyway, and of the others the first: in `files` those with findings are first.
fn looked_at(files: &[u32], wanted: &[u32]) -> Vec<u32> {
    let mut room = LOOKED_AT.saturating_sub(wanted.len());
    let mut is_taken = |file: &u32| {
        let anyway = wanted.contains(file);
        let taken = anyway || room > 0;
        room -= usize::from(taken && !anyway);
        taken
    };
    files.iter().filter(|file| is_taken(file)).copied().collect()
}
