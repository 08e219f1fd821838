//! Findings as one page to look at: a file of its own, with no need of a network.
//!
//! ```text
//! findings ─→ frames.rs (calls, stacks, source: each once) ─┐
//! files ────→ process.rs (a second look at those that matter: lifelines, curves, heap.rs) ─→ data ─→ page.rs ─→ the file
//! ```
//!
//! Why the data is JSON and the page a program that reads it: ten thousand findings as markup would be a hundred
//! megabytes. The scripts in html/ make elements with `textContent` only.
//!
//! Rules: text of the watched program is escaped as for a terminal ([`crate::escape`]) before it becomes JSON, the JSON is
//! escaped for where it stands ([`page`]), and a content security policy lets nothing run but our own script.

mod frames;
mod heap;
mod lifelines;
mod page;
mod process;

use super::{Render, Shown, owner, sentence, written};
use crate::escape::bytes;
use crate::explain;
use crate::fd_kind;
use crate::merge::{Merged, Process};
use crate::symbolise::Symboliser;
use crate::when::duration;
use frames::Frames;
use record::findings::{Block, Lost, Resource};
use record::heap::{class, family, place, sight};
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

/// Bytes of a block, or around it, that a finding shows. Offsets are from the block's start.
#[derive(Serialize)]
struct Memory {
    at: i64,
    /// In hexadecimal.
    bytes: String,
    /// Of the block.
    size: u64,
    /// Where the first wrong byte is.
    wrong: i64,
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
    seen: Vec<process::Seen>,
    more_seen: usize,
    leaks: &'a [Leak],
}

#[derive(Serialize)]
struct Kind {
    name: &'static str,
    count: usize,
    summary: &'static str,
    page: Option<&'static str>,
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
        let (fd, about) = about(found);
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
        let seen: Vec<process::Seen> = looked_at(&files, merge.largest_heaps().collect())
            .iter()
            .filter_map(|file| {
                let incidents = self.numbers.get(file).unwrap_or(&none);
                process::look(self.files.get(*file as usize)?, incidents, &mut self.frames, &mut tree, symbols)
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
            more_seen: files.len().saturating_sub(seen.len()),
            seen,
            leaks: &self.leaks,
        };
        page::write(&data, out)
    }
}

/// Those with the largest heaps, and of the others the first: in `files` those with findings are first.
fn looked_at(files: &[u32], largest: Vec<u32>) -> Vec<u32> {
    let mut room = LOOKED_AT.saturating_sub(largest.len());
    let mut wanted = |file: &u32| {
        let large = largest.contains(file);
        let taken = large || room > 0;
        room -= usize::from(taken && !large);
        taken
    };
    files.iter().filter(|file| wanted(file)).copied().collect()
}

/// The descriptor number, and what is known of what is behind it.
fn about(found: &Merged) -> (Option<i32>, Vec<(&'static str, String)>) {
    let (fd, kind, owner_kind, object) = match found.finding.resource {
        Resource::Descriptor { fd, kind, owner_kind, owner, .. } => (fd, kind, owner_kind, owner),
        Resource::Leak(leak) => (leak.fd, leak.kind, 0, 0),
        Resource::Limit(limit) => {
            return (None, vec![("open", limit.open.to_string()), ("limit", limit.limit.to_string())]);
        }
        Resource::Block(block) => return (None, about_block(&block)),
        Resource::Lost(lost) => return (None, about_lost(&lost)),
        Resource::None => return (None, Vec::new()),
    };
    let label = &found.finding.label;
    let path = if label.is_path() { written(|line| label.write_name(line)) } else { None };
    let local = written(|line| {
        label.write_local(line);
    });
    let peer = written(|line| {
        label.write_peer(line);
    });
    let known = [
        ("type", Some(fd_kind::name(kind).to_owned()).filter(|name| name != "unknown")),
        ("local", local),
        ("peer", peer),
        ("path", path),
        ("owner", owner(owner_kind, object)),
    ];
    (Some(fd), known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

fn about_block(block: &Block) -> Vec<(&'static str, String)> {
    let name = if block.place == place::START || block.size > 0 { "block" } else { "pointer" };
    let mut about = vec![(name, format!("{:#x}", block.address))];
    if block.size > 0 {
        about.push(("size", counted(block.size, "byte", "bytes")));
    }
    if block.offset != 0 {
        about.push(("offset", format!("{:+}", block.offset)));
    }
    for (name, family) in [("allocated by", block.allocated), ("freed by", block.freed)] {
        if family != 0 {
            let call = if name == "freed by" { family::releaser(family) } else { family::allocator(family) };
            about.push((name, call.to_owned()));
        }
    }
    let seen = match block.sight {
        sight::CANARY => Some("in its redzone"),
        sight::QUARANTINE => Some("in the quarantine"),
        sight::GUARD => Some("by a guard page"),
        _ => None,
    };
    about.extend(seen.map(|seen| ("seen", seen.to_owned())));
    about
}

fn about_lost(lost: &Lost) -> Vec<(&'static str, String)> {
    let ago = |ms: u32| format!("{} old", duration(u64::from(ms) * 1_000_000));
    let mut about = vec![
        ("class", class::name(lost.class).to_owned()),
        ("blocks", lost.blocks.to_string()),
        ("bytes", lost.bytes.to_string()),
    ];
    if lost.indirect_blocks > 0 {
        let (blocks, bytes) =
            (counted(lost.indirect_blocks, "block", "blocks"), counted(lost.indirect_bytes, "byte", "bytes"));
        about.push(("only through them", format!("{blocks}, {bytes}")));
    }
    if lost.example != 0 {
        about.push(("one is at", format!("{:#x}", lost.example)));
    }
    if lost.oldest_ago > 0 {
        about.extend([("the oldest", ago(lost.oldest_ago)), ("the newest", ago(lost.newest_ago))]);
    }
    about
}

fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn memory(resource: &Resource) -> Option<Memory> {
    let Resource::Block(block) = resource else { return None };
    let shown = block.shown.get(..usize::from(block.shown_len)).unwrap_or(&block.shown);
    let bytes: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    (!bytes.is_empty()).then_some(Memory { at: block.shown_at, bytes, size: block.size, wrong: block.offset })
}
