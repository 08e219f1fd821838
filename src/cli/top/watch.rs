//! What `shim top` knows: one look after the other, with what has changed between them.
//!
//! Names are looked up for the rows that are shown, once each; reading and judging is done anew at each look.

use super::{heap, keys, locks};
use crate::deadlock;
use crate::look::findings::{Context, merged};
use crate::look::kernel::Kernel;
use crate::look::{self, Look, Site, words};
use crate::merge::{Merged, Sites, program};
use crate::recordings::Loaded;
use crate::report::sentence;
use crate::symbolise::Symboliser;
use crate::target::{self, Target};
use record::findings::{Involved, Resource};
use record::kind::Severity;
use record::label::Label;
use record::layout::{Counter, ThreadCounter, state};
use record::reader::Sample;
use record::text::Line;
use std::cmp::Reverse;
use std::rc::Rc;

/// Rows whose names are looked up.
const ROWS: usize = 200;
/// Growth is said of this time, or of less when the process is younger.
const GROWTH_NS: u64 = 60_000_000_000;

/// By what the table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Open,
    Growth,
    Opened,
    Oldest,
    Verdict,
}

impl Sort {
    pub const fn next(self) -> Self {
        match self {
            Self::Open => Self::Growth,
            Self::Growth => Self::Opened,
            Self::Opened => Self::Oldest,
            Self::Oldest => Self::Verdict,
            Self::Verdict => Self::Open,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Growth => "growth",
            Self::Opened => "opened",
            Self::Oldest => "oldest",
            Self::Verdict => "verdict",
        }
    }
}

/// What the next look is to show.
#[derive(Clone, Copy, Default)]
pub struct Wanted {
    pub sort: Sort,
    pub heap: heap::Sort,
    pub locks: locks::Sort,
    /// The site whose descriptors are wanted.
    pub listed: Option<u32>,
}

/// A place that opened descriptors, ready to be shown.
#[derive(Clone, Debug)]
pub struct Row {
    pub stack: u32,
    pub call: String,
    pub open: u64,
    /// More than a minute ago.
    pub growth: f64,
    pub opened: u64,
    pub closed: u64,
    /// Age of the oldest, ns.
    pub oldest: u64,
    pub tcp: String,
    pub last: String,
    pub severity: Option<Severity>,
}

/// A descriptor of the selected site.
#[derive(Clone, Debug)]
pub struct Descriptor {
    pub fd: i32,
    pub what: String,
    pub age: u64,
    /// How long ago it was used; none: never.
    pub used: Option<u64>,
    pub last: String,
}

/// One look, ready to be shown.
pub struct View {
    pub program: String,
    pub pid: u32,
    pub state: &'static str,
    pub uptime: u64,
    pub look: Look,
    /// A second.
    pub opens: f64,
    pub closes: f64,
    pub errors: u64,
    pub suspects: u64,
    pub rows: Vec<Row>,
    pub findings: Vec<(Merged, String)>,
    pub descriptors: Vec<Descriptor>,
    /// Open descriptors over time.
    pub curve: Vec<u64>,
    pub heap: Option<heap::View>,
    pub locks: locks::View,
    pub keys: Rc<[keys::Row]>,
    /// Threads that wait for each other, in lines.
    pub deadlocks: Vec<String>,
}

/// A process under observation.
pub struct Watch {
    target: Target,
    kernel: Option<Kernel>,
    memory: Vec<u8>,
    pub symbols: Symboliser,
    /// Time, opens and closes of the last look.
    before: Option<(u64, u64, u64)>,
    heap: heap::Watch,
    locks: locks::Watch,
    keys: keys::Watch,
}

impl Watch {
    pub fn new(target: Target) -> Self {
        let kernel = target.pid.map(Kernel::of);
        let (memory, symbols, heap, locks, keys) = <_>::default();
        Self { target, kernel, memory, symbols, before: None, heap, locks, keys }
    }

    pub fn lives(&self) -> bool {
        self.kernel.is_some()
    }

    pub fn look(&mut self, wanted: Wanted) -> Result<View, String> {
        if self.kernel.is_some() && !self.target.lives() {
            self.kernel = None;
        }
        let mut recording = self.target.read(std::mem::take(&mut self.memory))?;
        if let (Some(pid), true) = (self.target.pid.filter(|_| self.lives()), recording.head().state != state::RUNNING)
        {
            // It has executed another program, which has a recording of its own.
            if let Ok(next) = target::find(pid.to_string().as_ref())
                && next.path != self.target.path
            {
                (self.target, self.before) = (next, None);
                (self.heap, self.locks, self.keys) = <_>::default();
                recording = self.target.read(recording.into_bytes())?;
            }
        }
        let look = look::take(&recording, self.kernel.as_mut(), wanted.listed);
        let view = self.view(look, &recording, wanted);
        self.memory = recording.into_bytes();
        Ok(view)
    }

    fn view(&mut self, look: Look, recording: &Loaded, wanted: Wanted) -> View {
        let head = &look.head;
        let sum = |counter: ThreadCounter| {
            recording.threads().fold(0u64, |sum, t| sum.saturating_add(t.counters[counter as usize]))
        };
        let now = (look.time, sum(ThreadCounter::Opens), sum(ThreadCounter::Ended));
        // The first time: on average, since it started.
        let then = self.before.filter(|b| b.0 < now.0).unwrap_or((head.started, 0, 0));
        let seconds = (now.0.saturating_sub(then.0) as f64 / 1e9).max(1e-3);
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        self.before = Some(now);
        let samples = recording.samples();
        // A recording may claim anything; the curve is scaled by multiplication.
        let mut curve: Vec<u64> = samples.iter().map(|s| s.open.min(u64::from(u32::MAX))).collect();
        curve.push(look.open);
        View {
            program: crate::escape::bytes(program(head)),
            pid: self.target.pid.unwrap_or(head.pid),
            state: match head.state {
                state::RUNNING if self.lives() => "running",
                state::RUNNING => "ended",
                state::EXITED => "exited",
                state::EXEC => "executed another program",
                _ => "starting",
            },
            uptime: look.time.saturating_sub(head.started),
            opens: rate(now.1, then.1),
            closes: rate(now.2, then.2),
            errors: recording.counter(Counter::Errors),
            suspects: recording.counter(Counter::Suspects),
            rows: self.rows(&look, recording, &samples, wanted.sort),
            findings: self.findings(&look, recording),
            descriptors: descriptors(&look),
            curve,
            deadlocks: deadlock::lines(recording, look.time, &mut self.symbols),
            heap: self.heap.look(recording, head.started, look.time, wanted.heap, &mut self.symbols),
            locks: self.locks.look(recording, head.started, look.time, wanted.locks, &mut self.symbols),
            keys: self.keys.look(recording, &mut self.symbols),
            look,
        }
    }

    fn rows(&mut self, look: &Look, recording: &Loaded, samples: &[Sample], sort: Sort) -> Vec<Row> {
        let then = growth_base(look.time, samples);
        let growth = |site: &Site| site.index.map_or(0.0, |index| growth(site.open, index, look.time, then));
        let verdict = |site: &Site| site.worst.map(|index| look.groups[index].severity);
        let mut sites: Vec<&Site> = look.sites.iter().filter(|s| s.open > 0 || s.history.opened > 0).collect();
        match sort {
            Sort::Open => {}
            Sort::Growth => sites.sort_by(|a, b| growth(b).total_cmp(&growth(a))),
            Sort::Opened => sites.sort_by_key(|s| Reverse(s.history.opened)),
            Sort::Oldest => sites.sort_by_key(|s| if s.open == 0 { u64::MAX } else { s.oldest }),
            Sort::Verdict => sites.sort_by_key(|s| (verdict(s).map_or(u16::MAX, |v| v as u16), Reverse(s.open))),
        }
        let context = Context::new(recording, look.pid);
        let mut names = Sites::new(recording);
        let row = |site: &&Site| {
            let worst = site.worst.map(|index| &look.groups[index]);
            let last = worst.map_or_else(String::new, |judged| {
                let what = words::last_operation(&judged.group);
                match words::last_place(judged, &context, &mut names, &mut self.symbols) {
                    Some(place) => format!("{what} {place}"),
                    None => what,
                }
            });
            Row {
                stack: site.stack,
                call: words::opener(site.stack, &mut names, &mut self.symbols),
                open: site.open,
                growth: growth(site),
                opened: site.history.opened,
                closed: site.history.closed,
                oldest: if site.open == 0 { 0 } else { look.time.saturating_sub(site.oldest) },
                tcp: words::tcp_states(&site.tcp),
                last,
                severity: worst.map(|j| j.severity),
            }
        };
        sites.iter().take(ROWS).map(row).collect()
    }

    /// What is more than worth knowing: what the process found, and what the look found; the gravest first, of each the
    /// newest.
    fn findings(&mut self, look: &Look, recording: &Loaded) -> Vec<(Merged, String)> {
        let exited = look.head.state == state::EXITED;
        let context = Context::new(recording, look.pid);
        let mut sites = Sites::new(recording);
        let mut found: Vec<Merged> = Vec::new();
        for finding in recording.findings() {
            // Of a process that goes on, the look knows better.
            let known_better = !exited && matches!(finding.resource, Resource::Leak(_));
            if finding.severity == Severity::Info || !finding.suppressed.is_none() || known_better {
                continue;
            }
            let party = |p: &Involved, sites: &mut Sites| {
                let frames = sites.stack(p.stack);
                Some(crate::merge::Stack { role: p.role?, tid: p.tid, thread: p.thread, frames })
            };
            let stacks = finding.parties.iter().filter_map(|p| party(p, &mut sites)).collect();
            found.push(merged(finding, stacks, &look.head));
        }
        if !exited {
            let grave = look.groups.iter().filter(|judged| judged.severity != Severity::Info);
            found.extend(grave.map(|judged| context.finding(judged, look.time).merged(&look.head, &mut sites)));
        }
        found.sort_by_key(|f| (f.finding.severity as u16, Reverse(f.first)));
        found.truncate(ROWS);
        found.into_iter().map(|merged| (sentence(&merged.finding), merged)).map(|(s, m)| (m, s)).collect()
    }
}

fn descriptors(look: &Look) -> Vec<Descriptor> {
    let row = |candidate: &track::fd::leak::Candidate| {
        let facts = &candidate.facts;
        let mut buffer = [0; 256];
        let mut line = Line::new(&mut buffer);
        line.text(facts.meta.kind.name());
        let label = Label::from_words(facts.label);
        if label.is_path() {
            line.text(" ");
            label.write_name(&mut line);
        } else if !label.is_none() {
            line.text(" ");
            label.write_local(&mut line);
            line.text(" → ");
            label.write_peer(&mut line);
        }
        if candidate.tcp != 0 {
            line.text(" ").text(track::fd::leak::tcp::name(candidate.tcp));
        }
        if candidate.busy {
            line.text(" (in a call)");
        }
        let what = String::from_utf8_lossy(line.as_bytes()).into_owned();
        let ago = |time: u64| look.time.saturating_sub(time);
        let group = track::fd::leak::Group {
            last: facts.last,
            blocking: candidate.blocking,
            ..track::fd::leak::Group::default()
        };
        Descriptor {
            fd: candidate.fd,
            what,
            age: ago(facts.opened_at),
            used: (facts.used_at != 0).then(|| ago(facts.used_at)),
            last: words::last_operation(&group),
        }
    };
    look.listed.iter().map(row).collect()
}

/// The last sample that is a minute old, or the first of all.
fn growth_base(now: u64, samples: &[Sample]) -> Option<&Sample> {
    samples.iter().rfind(|s| s.time <= now.saturating_sub(GROWTH_NS)).or(samples.first())
}

/// How many more descriptors of a site are open than a minute ago, or in proportion.
fn growth(open: u64, site: usize, now: u64, then: Option<&Sample>) -> f64 {
    let Some(then) = then else { return 0.0 };
    let over = now.saturating_sub(then.time) as f64;
    let was = then.sites.iter().find(|(index, _)| *index == site).map_or(0, |(_, open)| *open);
    // Of less than a second nothing can be said.
    if over < 1e9 { 0.0 } else { (open as f64 - f64::from(was)) * 60e9 / over }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: u64, sites: Vec<(usize, u32)>) -> Sample {
        Sample { time: seconds * 1_000_000_000, open: 0, limit: 0, sites }
    }

    #[test]
    fn growth_is_of_a_minute() {
        let samples = [sample(10, vec![(3, 5)]), sample(100, vec![(3, 50)]), sample(130, vec![(3, 90)])];
        let at = |seconds: u64, open| {
            let now = seconds * 1_000_000_000;
            growth(open, 3, now, growth_base(now, &samples))
        };
        // 100 s is the last one that is a minute old.
        assert!((at(170, 120) - 60.0).abs() < 1e-9, "{}", at(170, 120));
        // Younger than a minute: in proportion.
        assert!((at(40, 20) - 30.0).abs() < 1e-9, "{}", at(40, 20));
        assert_eq!(growth(7, 3, 5, None), 0.0);
        // A site that was not among those with most had none, as far as is known.
        assert!((growth(30, 9, 70_000_000_000, Some(&samples[0])) - 30.0).abs() < 1e-9);
    }
}
