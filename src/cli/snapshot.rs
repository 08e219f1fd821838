//! `shim snapshot`: what is open and what was forgotten, now, written into the recording of the running program.
//!
//! The program is not stopped and not asked. The snapshot goes into the tail of its recording (`record::snapshot`), where
//! `shim report` compares the first with the last; the text says what was found.

mod lost;

use crate::args::SnapshotArgs;
use crate::deadlock;
use crate::escape::shown;
use crate::fd_kind;
use crate::files;
use crate::look::findings::{Context, judged, kept};
use crate::look::kernel::Kernel;
use crate::look::{self, Look, words};
use crate::merge::{Merged, Sites, program};
use crate::message::{Failure, exit, reason, say};
use crate::recordings::{self, Loaded, Tail};
use crate::report::{Render, json::Json, text::Text};
use crate::symbolise::Symboliser;
use crate::target::{self, Target, who};
use crate::when;
use record::reader::Head;
use record::snapshot::{self, Group, MAX_GROUPS, Snapshot, TAIL_AT, Writer, taker};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

/// Groups that the text shows, and changes that a comparison shows.
const SHOWN: usize = 40;
const CHANGES: usize = 12;

pub fn snapshot(args: &SnapshotArgs) -> Result<ExitCode, Failure> {
    let fail = |line| Failure::new(exit::PARTLY, line);
    let target = target::find(&args.target).map_err(fail)?;
    let recording = target.read(Vec::new()).map_err(fail)?;
    let mut kernel = target.pid.map(Kernel::of);
    let look = look::take(&recording, kernel.as_mut(), None);
    // Before anything is printed: whoever reads the output may be slow.
    let kept = keep(&target, &look);
    let mut symbols = Symboliser::default();
    let mut out = BufWriter::new(io::stdout().lock());
    if !args.json {
        headline(kept.as_ref().ok(), &look, &mut out)?;
    }
    let found = merged(&look, &recording);
    if !args.json {
        let lines = deadlock::lines(&recording, look.time, &mut symbols);
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    if args.json {
        for one in &found {
            Json.finding(one, &mut symbols, &mut out)?;
        }
    } else {
        let mut text = Text::default();
        for one in found.iter().take(SHOWN) {
            text.finding(one, &mut symbols, &mut out)?;
        }
        if found.len() > SHOWN {
            writeln!(out, "\nand {} more groups; --json has all", found.len() - SHOWN)?;
        }
    }
    out.flush()?;
    symbols.take_problems().iter().for_each(say);
    match kept {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(why) => Err(fail(format!("{}: the snapshot was not kept: {why}", target.name))),
    }
}

/// The groups as findings, the gravest first.
pub fn merged(look: &Look, recording: &Loaded) -> Vec<Merged> {
    let context = Context::new(recording, look.pid);
    let mut sites = Sites::new(recording);
    let told = look.groups.iter().map(|judged| context.finding(judged, look.time));
    told.map(|told| told.merged(&look.head, &mut sites)).collect()
}

/// Appends the look to the recording.
fn keep(target: &Target, look: &Look) -> Result<snapshot::Head, String> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&target.path);
    let file = file.map_err(|e| reason(&e))?;
    files::lock(&file).map_err(|e| reason(&e))?;
    let write = || {
        let tail = Tail(&file);
        let mut writer = Writer::begin(&tail, look.groups.len().min(MAX_GROUPS))?;
        for judged in &look.groups {
            writer.add(&kept(judged))?;
        }
        writer.finish(&snapshot::Head {
            time: look.time,
            real: look.real,
            by: taker::OUTSIDE,
            source: look.source,
            pid: look.head.pid,
            open: look.open,
            limit: look.limit,
            dropped: look.dropped,
            ..snapshot::Head::default()
        })
    };
    write().map_err(|errno| reason(&io::Error::from_raw_os_error(errno)))
}

/// Who, when, how many of what.
fn headline(kept: Option<&snapshot::Head>, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let number = kept.map_or_else(String::new, |head| format!(" {}", head.sequence));
    let program = who(program(&look.head), look.head.pid);
    writeln!(out, "== shim: snapshot{number} of {program}, {} UTC: {}", when::moment(look.real), open(look))?;
    let states = words::tcp_states(&look.tcp);
    if !states.is_empty() {
        writeln!(out, "TCP: {states}")?;
    }
    if let Some(why) = &look.refused {
        writeln!(out, "the states of sockets are not known: {why}")?;
    }
    if look.dropped > 0 {
        writeln!(out, "{} descriptors found no room in a group", look.dropped)?;
    }
    Ok(())
}

/// `870 of 1024 descriptors open (tcp 860, file 7)`.
pub fn open(look: &Look) -> String {
    let mut kinds: Vec<(u64, u8)> = look.kinds.iter().enumerate().map(|(kind, n)| (*n, kind as u8)).collect();
    kinds.retain(|(n, _)| *n > 0);
    kinds.sort_by_key(|(n, kind)| (std::cmp::Reverse(*n), *kind));
    let parts: Vec<String> = kinds.iter().map(|(n, kind)| format!("{} {n}", fd_kind::name(*kind))).collect();
    let kinds = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{}{} descriptors open{kinds}", look.open, of(look.limit))
}

fn of(limit: u64) -> String {
    if limit == 0 || limit == u64::MAX { String::new() } else { format!(" of {limit}") }
}

/// For `shim report`: how many snapshots a recording holds, and how the groups grew from the first to the last.
pub fn history(path: &Path, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let Ok((file, len)) = files::open(path) else { return Ok(()) };
    if len <= TAIL_AT {
        return Ok(());
    }
    let snapshots = match recordings::snapshots(&file) {
        Ok(snapshots) => snapshots,
        Err(why) => {
            say(format!("{}: its snapshots cannot be read: {why}", shown(path)));
            return Ok(());
        }
    };
    match (snapshots.first(), snapshots.last(), recordings::load_file(&file, Vec::new())) {
        (Some(first), Some(last), Ok(recording)) => {
            writeln!(out)?;
            compare(&recording, snapshots.len(), first, last, symbols, out)
        }
        _ => Ok(()),
    }
}

fn compare(
    recording: &Loaded,
    count: usize,
    first: &Snapshot,
    last: &Snapshot,
    symbols: &mut Symboliser,
    out: &mut dyn Write,
) -> io::Result<()> {
    let head: Head = recording.head();
    let (from, to) = (when::moment(first.head.real), when::moment(last.head.real));
    let over = when::duration(last.head.time.saturating_sub(first.head.time));
    write!(out, "{count} snapshot{} of {}: ", if count == 1 { "" } else { "s" }, who(program(&head), head.pid))?;
    let limit = of(last.head.limit);
    if count == 1 {
        writeln!(out, "{from} UTC; {}{limit} descriptors open", first.head.open)?;
    } else {
        let (a, b) = (first.head.open, last.head.open);
        writeln!(out, "{from} to {to} UTC ({over}); {a} → {b}{limit} descriptors open")?;
    }
    let before: HashMap<Way, u64> = first.groups.iter().map(|g| (way(g), g.count)).collect();
    let mut changes: Vec<(i64, u64, &Group)> = Vec::new();
    for group in &last.groups {
        let was = before.get(&way(group)).copied().unwrap_or(0);
        let change = i64::try_from(group.count).unwrap_or(i64::MAX).saturating_sub_unsigned(was);
        if change != 0 && count > 1 {
            changes.push((change, was, group));
        }
    }
    changes.sort_by_key(|(change, _, group)| (std::cmp::Reverse(*change), group.stack));
    let context = Context::new(recording, None);
    let mut sites = Sites::new(recording);
    for (change, was, group) in changes.iter().take(CHANGES) {
        let judged = judged(group);
        let place = words::last_place(&judged, &context, &mut sites, symbols);
        let place = place.map_or_else(String::new, |place| format!(" at {place}"));
        writeln!(
            out,
            "  {change:>+7}  {was} → {}  {}: {}, opened at {}; last: {}{place}",
            group.count,
            group.severity.name(),
            fd_kind::name(group.kind),
            words::opener(group.stack, &mut sites, symbols),
            words::last_operation(&judged.group),
        )?;
    }
    if changes.len() > CHANGES {
        writeln!(out, "  and {} more groups that changed", changes.len() - CHANGES)?;
    }
    lost::compare(first, last, &mut sites, symbols, out)
}

type Way = (u32, u8, u8, u16, u8, u8, snapshot::Place, bool);

/// What makes a group the same in two snapshots.
fn way(group: &Group) -> Way {
    (group.stack, group.call, group.ending, group.errno, group.kind, group.owner, group.place, group.blocking)
}
