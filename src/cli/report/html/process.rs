//! A second look at one recording: who the process was, the lives of its descriptor numbers, its open descriptors over time,
//! its heap, its locks.
//!
//! Why a second look: these need the whole recording, which the merge lets go; only the processes that a person will look at
//! are read again. A file that has gone since is left out.

use super::frames::Frames;
use super::heap::{self, Profile, Tree};
use super::lifelines::{self, Incident, Row};
use super::locks::{self, Kept, Locks};
use crate::escape::bytes;
use crate::merge::{Site, Sites, program};
use crate::recordings::{self, Loaded};
use crate::symbolise::Symboliser;
use record::layout::state;
use record::reader::Head;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// Sites with a colour of their own; the others are summed.
const SITES: usize = 8;

/// Times are ns since the start of the process.
#[derive(Serialize)]
pub struct Seen {
    pid: u32,
    rank: Option<u32>,
    program: String,
    command: Vec<String>,
    exe: String,
    options: String,
    libc: String,
    shim: String,
    state: &'static str,
    status: u32,
    /// CLOCK_REALTIME, ms.
    started: u64,
    /// The last moment that is known of.
    end: u64,
    rows: Vec<Row>,
    more_rows: usize,
    curve: Option<Curve>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heap: Option<Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locks: Option<Locks>,
}

/// Open descriptors over time.
#[derive(Serialize)]
struct Curve {
    /// The stacks that opened most.
    sites: Vec<Place>,
    points: Vec<Point>,
}

/// Stack, descriptors opened, closed.
#[derive(Serialize)]
struct Place(usize, u64, u64);

/// Time, open, limit, and open by each site of the curve.
#[derive(Serialize)]
struct Point(u64, u64, u64, Vec<u32>);

pub fn look(
    path: &Path,
    incidents: &[Incident],
    frames: &mut Frames,
    tree: &mut Tree,
    kept: &mut Kept,
    symbols: &mut Symboliser,
) -> Option<Seen> {
    let recording = recordings::load(path).ok()?;
    let head = recording.head();
    let mut stacks = Stacks { sites: Sites::new(&recording), known: HashMap::new(), frames, symbols };
    let lines = lifelines::lines(&recording, &head, incidents, &mut stacks);
    let curve = curve(&recording, &head, &mut stacks);
    // Before the heap, whose calls go without source.
    let locks = locks::look(&recording, kept, &mut stacks);
    let heap = heap::look(&recording, &head, tree, stacks.frames, stacks.symbols);
    let sampled = curve.as_ref().and_then(|c| c.points.last()).map_or(0, |p| p.0);
    let ended = head.ended.saturating_sub(head.started);
    Some(Seen {
        pid: head.pid,
        rank: head.rank,
        program: bytes(program(&head)),
        command: head.command.iter().map(|word| bytes(word)).collect(),
        exe: bytes(&head.exe),
        options: bytes(&head.options),
        libc: bytes(&head.libc_version),
        shim: bytes(&head.shim_version),
        state: match head.state {
            state::EXITED => "exited",
            state::EXEC => "executed another program",
            _ if is_alive(&head) => "running",
            _ => "killed",
        },
        status: head.exit_status,
        started: head.started_real / 1_000_000,
        end: ended.max(lines.last).max(sampled),
        rows: lines.rows,
        more_rows: lines.more,
        curve,
        heap,
        locks,
    })
}

/// A pid may have a new owner: the program must be the recorded one.
fn is_alive(head: &Head) -> bool {
    use std::os::unix::ffi::OsStrExt;
    std::fs::read_link(format!("/proc/{}/exe", head.pid)).is_ok_and(|exe| exe.as_os_str().as_bytes() == head.exe)
}

/// The stacks of one recording, by their index in the page.
pub struct Stacks<'a> {
    sites: Sites<'a>,
    known: HashMap<u32, usize>,
    frames: &'a mut Frames,
    symbols: &'a mut Symboliser,
}

impl Stacks<'_> {
    pub fn index(&mut self, id: u32) -> usize {
        let Self { sites, known, frames, symbols } = self;
        *known.entry(id).or_insert_with(|| frames.stack(&sites.stack(id), symbols))
    }

    /// Of a stack whose calls are known already.
    pub fn of(&mut self, sites: &[Site]) -> usize {
        self.frames.stack(sites, self.symbols)
    }

    pub fn symbols(&mut self) -> &mut Symboliser {
        self.symbols
    }
}

fn curve(recording: &Loaded, head: &Head, stacks: &mut Stacks) -> Option<Curve> {
    let samples = recording.samples();
    let mut peaks: HashMap<usize, u32> = HashMap::new();
    for (site, open) in samples.iter().flat_map(|s| &s.sites) {
        let peak = peaks.entry(*site).or_insert(0);
        *peak = (*peak).max(*open);
    }
    let mut order: Vec<(usize, u32)> = peaks.into_iter().collect();
    order.sort_by_key(|(site, peak)| (u32::MAX - peak, *site));
    order.truncate(SITES);
    let mut sites = Vec::new();
    let mut places = HashMap::new();
    for (index, _) in order {
        let Some(site) = recording.site(index) else { continue };
        places.insert(index, sites.len());
        sites.push(Place(stacks.index(site.stack), site.opened, site.closed));
    }
    let points: Vec<Point> = samples
        .iter()
        .map(|sample| {
            let mut open = vec![0; sites.len()];
            for (site, count) in &sample.sites {
                if let Some(place) = places.get(site) {
                    open[*place] = *count;
                }
            }
            Point(sample.time.saturating_sub(head.started), sample.open, sample.limit, open)
        })
        .collect();
    (points.len() > 1).then_some(Curve { sites, points })
}
