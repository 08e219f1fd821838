//! Threads that wait for each other, out of a recording: of a process that lives, or that was killed while it hung.
//!
//! Each waiting thread wrote what it wants and holds when it began to wait (`shim::locks::waits`); in a deadlock all of them
//! wait, so nothing else needs to be known.

use crate::merge::{Site, Sites};
use crate::recordings::Loaded;
use crate::report::text::{before_start, frame, thread};
use crate::symbolise::Symboliser;
use crate::when::duration;
use record::layout::state;
use record::lock::kind;
use record::reader::{Hold, Wait, Waiter};
use record::stacks::Frame;
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

/// A thread of a ring: what it waits for, and who has that.
#[derive(Clone)]
pub struct Step {
    pub tid: u32,
    pub name: [u8; 16],
    /// `record::lock::kind`.
    pub kind: u8,
    pub lock: u64,
    /// For how long, ns.
    pub waited: u64,
    pub waits: Vec<Site>,
    pub holder: (u32, [u8; 16]),
    /// Where the holder took it.
    pub locked: Vec<Site>,
}

/// The rings of a process; none when no thread waits for itself. `now` is CLOCK_MONOTONIC.
pub fn rings(recording: &Loaded, now: u64) -> Vec<Vec<Step>> {
    let waits = Waits(recording.waiters().collect());
    let mut found = Vec::new();
    cycles(&waits, |cycle| found.push(cycle.to_vec()));
    let mut sites = Sites::new(recording);
    let mut step = |at: usize, next: usize| {
        let (waiter, holder) = (&waits.0[at], &waits.0[next]);
        let wanted = &waiter.wait.wanted;
        let locked = held(&holder.wait, wanted.lock).map(|hold| match hold.stack {
            0 => vec![sites.frame(Frame(hold.frame))],
            id => sites.stack(id),
        });
        Step {
            tid: waiter.tid,
            name: waiter.name,
            kind: What(wanted.what).kind() as u8,
            lock: wanted.lock,
            waited: now.saturating_sub(waiter.wait.since),
            waits: sites.stack(wanted.stack),
            holder: (holder.tid, holder.name),
            locked: locked.unwrap_or_default(),
        }
    };
    let steps = found.iter().map(|ring| {
        let next = ring.iter().cycle().skip(1);
        ring.iter().zip(next).map(|(at, next)| step(*at, *next)).collect()
    });
    steps.collect()
}

/// The deadlock of a process that did not end by itself: the one in which it was when it was killed, or is. Times end with the
/// last thing that it wrote.
pub fn last(recording: &Loaded) -> Vec<Vec<Step>> {
    if recording.head().state != state::RUNNING {
        return Vec::new();
    }
    let since = recording.waiters().map(|waiter| waiter.wait.since).max().unwrap_or(0);
    let mut rings = rings(recording, since);
    if !rings.is_empty() {
        let event = recording.threads().filter_map(|thread| Some(thread.events.last()?.time)).max();
        let after = event.unwrap_or(0).saturating_sub(since);
        rings.iter_mut().flatten().for_each(|step| step.waited = step.waited.saturating_add(after));
    }
    rings
}

/// The rings as they are now, as lines.
pub fn lines(recording: &Loaded, now: u64, symbols: &mut Symboliser) -> Vec<String> {
    words(&rings(recording, now), symbols)
}

/// Rings as lines.
pub fn words(rings: &[Vec<Step>], symbols: &mut Symboliser) -> Vec<String> {
    let mut lines = Vec::new();
    for ring in rings {
        lines.push(match ring.len() {
            1 => "deadlock: a thread waits for itself".to_owned(),
            n => format!("deadlock: {n} threads wait for each other"),
        });
        for step in ring {
            lines.push(format!(
                "  {} waits for {} {:#x} since {}, held by {}",
                thread(step.tid, &step.name),
                kind::name(step.kind),
                step.lock,
                duration(step.waited),
                thread(step.holder.0, &step.holder.1),
            ));
            stack("waits", &step.waits, symbols, &mut lines);
            stack("locked", &step.locked, symbols, &mut lines);
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
