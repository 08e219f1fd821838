//! Threads that wait for each other, out of a recording: of a process that lives, or that was killed while it hung.
//!
//! Each waiting thread wrote what it wants and holds when it began to wait (`shim::locks::waits`); in a deadlock all of them
//! wait, so nothing else needs to be known.

use crate::merge::{Site, Sites, program};
use crate::recordings::{self, Loaded};
use crate::report::text::{before_start, frame, thread};
use crate::symbolise::Symboliser;
use crate::target::who;
use crate::when::duration;
use record::layout::state;
use record::lock::kind;
use record::reader::{Hold, Wait, Waiter};
use record::stacks::Frame;
use std::io::{self, Write};
use std::path::Path;
use track::lock::waits::{Waiting, cycles};
use track::lock::{Mode, What};

struct Waits(Vec<Waiter>);

impl Waiting for Waits {
    fn threads(&self) -> usize {
        self.0.len()
    }

    fn wants(&self, thread: usize) -> Option<(u64, Mode)> {
        let wanted = &self.0.get(thread)?.wait.wanted;
        Some((wanted.lock, What(wanted.what).mode()))
    }

    fn holds(&self, thread: usize, lock: u64) -> Option<Mode> {
        let hold = held(&self.0.get(thread)?.wait, lock)?;
        Some(What(hold.what).mode())
    }
}

fn held(wait: &Wait, lock: u64) -> Option<&Hold> {
    wait.holds.iter().find(|hold| hold.lock == lock)
}

/// Do threads of this process wait for each other, as far as it has written?
pub fn is_in(recording: &Loaded) -> bool {
    recording.head().state == state::RUNNING && !find(recording).1.is_empty()
}

fn find(recording: &Loaded) -> (Waits, Vec<Vec<usize>>) {
    let waits = Waits(recording.waiters().collect());
    let mut found = Vec::new();
    cycles(&waits, |cycle| found.push(cycle.to_vec()));
    (waits, found)
}

/// The cycles as lines; none when no thread waits for itself. `now` is CLOCK_MONOTONIC.
pub fn lines(recording: &Loaded, now: u64, symbols: &mut Symboliser) -> Vec<String> {
    let (waits, found) = find(recording);
    let mut sites = Sites::new(recording);
    let mut lines = Vec::new();
    for cycle in &found {
        lines.push(match cycle.len() {
            1 => "deadlock: a thread waits for itself".to_owned(),
            n => format!("deadlock: {n} threads wait for each other"),
        });
        for (i, at) in cycle.iter().enumerate() {
            let (waiter, holder) = (&waits.0[*at], &waits.0[cycle[(i + 1) % cycle.len()]]);
            let wanted = &waiter.wait.wanted;
            lines.push(format!(
                "  {} waits for {} {:#x} since {}, held by {}",
                thread(waiter.tid, &waiter.name),
                kind::name(What(wanted.what).kind() as u8),
                wanted.lock,
                duration(now.saturating_sub(waiter.wait.since)),
                thread(holder.tid, &holder.name),
            ));
            stack("waits", &sites.stack(wanted.stack), symbols, &mut lines);
            let frames = held(&holder.wait, wanted.lock).map(|hold| match hold.stack {
                0 => vec![sites.frame(Frame(hold.frame))],
                id => sites.stack(id),
            });
            stack("locked", &frames.unwrap_or_default(), symbols, &mut lines);
        }
    }
    lines
}

fn stack(role: &str, frames: &[Site], symbols: &mut Symboliser, lines: &mut Vec<String>) {
    lines.push(format!("    {role}:"));
    if frames.is_empty() {
        lines.push("      (no stack)".to_owned());
        return;
    }
    let mut number = 0;
    for site in &frames[..before_start(frames, symbols)] {
        for location in symbols.locate(site).iter() {
            lines.push(format!("      #{number} {}", frame(location, site)));
            number += 1;
        }
    }
}

/// For `shim report`: the deadlock in which a process was when it was killed, or is.
pub fn of_recording(path: &Path, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let Ok(recording) = recordings::load(path) else { return Ok(()) };
    let head = recording.head();
    let last = recording.threads().flat_map(|thread| thread.events.last().map(|event| event.time)).max();
    let since = recording.waiters().map(|waiter| waiter.wait.since).max();
    let now = last.max(since).unwrap_or(0);
    let lines = lines(&recording, now, symbols);
    if !lines.is_empty() {
        writeln!(out, "\nin {}:", who(program(&head), head.pid))?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}
