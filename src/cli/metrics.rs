//! `shim metrics`: recordings as one page of OpenMetrics text, for a collector that reads files or runs a command.
//!
//! Of a process that lives the kernel is asked, as in `shim snapshot`; of one that has ended the page shows its last moment,
//! and `shim_process_up` is 0. Several recordings of one program and pid (it executed itself) are one: the latest.

mod heap;
mod openmetrics;

use crate::args::MetricsArgs;
use crate::escape::bytes;
use crate::fd_kind;
use crate::look::kernel::Kernel;
use crate::look::{self, Look};
use crate::merge::{Site, Sites, program};
use crate::message::{Failure, exit, say};
use crate::recordings::Loaded;
use crate::symbolise::{Location, Symboliser};
use crate::target::{self, Target};
use openmetrics::{Family, Labels, Type};
use record::findings::Resource;
use record::kind::Severity;
use record::layout::{Counter, ThreadCounter, state};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use track::fd::leak::tcp;

/// Sites that are shown one by one; the rest is `other`.
const TOP: usize = 20;

pub fn metrics(args: &MetricsArgs) -> Result<ExitCode, Failure> {
    let mut problems = Vec::new();
    let mut targets = Vec::new();
    for named in &args.targets {
        let (found, more) = target::find_all(named);
        targets.extend(found);
        problems.extend(more);
    }
    let mut latest: BTreeMap<(u32, Vec<u8>), (u64, Target)> = BTreeMap::new();
    for target in targets {
        // Only the header matters here; reading again later keeps one recording in memory at a time.
        match target.read(Vec::new()) {
            Ok(recording) => {
                let head = recording.head();
                let key = (head.pid, program(&head).to_vec());
                if latest.get(&key).is_none_or(|(started, _)| *started <= head.started_real) {
                    latest.insert(key, (head.started_real, target));
                }
            }
            Err(line) => problems.push(line),
        }
    }
    problems.iter().for_each(say);
    if latest.is_empty() {
        return Ok(ExitCode::from(exit::PARTLY));
    }
    let mut page = Page { heap: heap::Families::new(args.heap_sites), ..Page::default() };
    let mut symbols = Symboliser::default();
    let mut failed = !problems.is_empty();
    for (_, target) in latest.values() {
        match target.read(Vec::new()) {
            Ok(recording) => page.process(target, &recording, &mut symbols),
            Err(line) => {
                failed = true;
                say(line);
            }
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    page.write(&mut out)?;
    out.flush()?;
    Ok(if failed { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

struct Page {
    info: Family,
    up: Family,
    started: Family,
    threads: Family,
    open: Family,
    limit: Family,
    types: Family,
    states: Family,
    site_open: Family,
    site_opens: Family,
    site_closes: Family,
    leaked: Family,
    opens: Family,
    closes: Family,
    ended: Family,
    allocations: Family,
    reallocations: Family,
    frees: Family,
    requested: Family,
    heap: heap::Families,
    findings: Family,
    losses: Family,
    events: Family,
}

impl Default for Page {
    fn default() -> Self {
        let gauge = |name, help| Family::new(name, Type::Gauge, help);
        let counter = |name, help| Family::new(name, Type::Counter, help);
        Self {
            info: Family::new("shim_process", Type::Info, "A watched process."),
            up: gauge(
                "shim_process_up",
                "1 while the process lives, 0 once it has ended: the rest is then its last moment.",
            ),
            started: gauge("shim_process_start_time_seconds", "When it started, since 1970.").unit("seconds"),
            threads: gauge("shim_threads", "Threads that shim has seen and that have not ended."),
            open: gauge("shim_fd_open", "Open descriptors."),
            limit: gauge("shim_fd_limit", "RLIMIT_NOFILE, soft."),
            types: gauge("shim_fd_open_by_type", "Open descriptors by what is behind them."),
            states: gauge("shim_tcp_sockets", "Open TCP sockets by the state of their connection."),
            site_open: gauge(
                "shim_fd_site_open",
                "Open descriptors by the call that opened them: the 20 with most, and other.",
            ),
            site_opens: counter("shim_fd_site_opens", "Descriptors opened, by the call that opened them."),
            site_closes: counter("shim_fd_site_closes", "Of those, descriptors closed, by whomever."),
            leaked: gauge("shim_fd_leaked", "Open descriptors that were forgotten, by how sure that is."),
            opens: counter("shim_fd_opens", "Descriptors opened."),
            closes: counter("shim_fd_closes", "Calls that close a descriptor."),
            ended: counter("shim_fd_ended", "Descriptors that were closed or replaced."),
            allocations: counter("shim_heap_allocations", "Calls of malloc, calloc, memalign and their kin."),
            reallocations: counter("shim_heap_reallocations", "Calls of realloc and reallocarray."),
            frees: counter("shim_heap_frees", "Calls of free."),
            requested: counter("shim_heap_requested_bytes", "Bytes asked for.").unit("bytes"),
            heap: heap::Families::new(false),
            findings: counter(
                "shim_findings",
                "Findings by kind and severity: events, of fd.leak and fd.limit distinct ones.",
            ),
            losses: counter("shim_recording_losses", "What the recording had no room for, or could not see."),
            events: counter(
                "shim_events",
                "What shim did: closes refused, numbers in quarantine, descriptors received.",
            ),
        }
    }
}

/// `pid` and `program` stand first in every sample.
struct Base(Labels);

impl Base {
    fn and(&self, more: Labels) -> Labels {
        self.0.iter().cloned().chain(more).collect()
    }
}

impl Page {
    fn process(&mut self, target: &Target, recording: &Loaded, symbols: &mut Symboliser) {
        let lives = target.lives();
        let mut kernel = target.pid.filter(|_| lives).map(Kernel::of);
        let look = look::take(recording, kernel.as_mut(), None);
        let head = &look.head;
        let pid = target.pid.unwrap_or(head.pid);
        let base = Base(vec![("pid", pid.to_string()), ("program", bytes(program(head)))]);
        let state = match head.state {
            state::RUNNING if lives => "running",
            state::RUNNING => "ended",
            state::EXITED => "exited",
            state::EXEC => "exec",
            _ => "starting",
        };
        let rank = head.rank.map_or_else(String::new, |rank| rank.to_string());
        self.info.add(
            base.and(vec![
                ("exe", bytes(&head.exe)),
                ("state", state.to_owned()),
                ("rank", rank),
                ("shim", bytes(&head.shim_version)),
                ("libc", bytes(&head.libc_version)),
            ]),
            1.0,
        );
        self.up.add(base.and(vec![]), f64::from(u8::from(lives)));
        self.started.add(base.and(vec![]), (head.started_real / 1_000_000) as f64 / 1e3);
        self.descriptors(&base, &look);
        self.sites(&base, &look, recording, symbols);
        self.counters(&base, recording);
        self.heap.process(&base, recording, symbols);
        self.findings(&base, recording);
    }

    fn descriptors(&mut self, base: &Base, look: &Look) {
        self.open.add(base.and(vec![]), look.open as f64);
        if look.limit > 0 {
            let limit = if look.limit == u64::MAX { f64::INFINITY } else { look.limit as f64 };
            self.limit.add(base.and(vec![]), limit);
        }
        for (kind, count) in look.kinds.iter().enumerate().filter(|(_, n)| **n > 0) {
            self.types.add(base.and(vec![("type", fd_kind::name(kind as u8).to_owned())]), *count as f64);
        }
        for (state, count) in look.tcp.iter().enumerate().filter(|(_, n)| **n > 0) {
            self.states.add(base.and(vec![("state", tcp::name(state as u8).to_owned())]), *count as f64);
        }
        for severity in [Severity::Error, Severity::Suspect] {
            let count: u64 = look.groups.iter().filter(|j| j.severity == severity).map(|j| j.group.count).sum();
            self.leaked.add(base.and(vec![("severity", severity.name().to_owned())]), count as f64);
        }
    }

    /// Several stacks may end in one call: they are one here.
    fn sites(&mut self, base: &Base, look: &Look, recording: &Loaded, symbols: &mut Symboliser) {
        let mut resolved = Sites::new(recording);
        let mut calls: BTreeMap<Labels, [u64; 3]> = BTreeMap::new();
        for site in look.sites.iter().filter(|s| s.stack != 0) {
            let labels = call_labels(resolved.stack(site.stack).first(), symbols);
            let sums = calls.entry(labels).or_default();
            for (sum, n) in sums.iter_mut().zip([site.open, site.history.opened, site.history.closed]) {
                *sum = sum.saturating_add(n);
            }
        }
        let mut calls: Vec<(Labels, [u64; 3])> = calls.into_iter().collect();
        calls.sort_by_key(|(_, [open, opened, _])| (Reverse(*open), Reverse(*opened)));
        let mut other = [0u64; 3];
        for (i, (labels, numbers)) in calls.iter().enumerate() {
            if i >= TOP {
                other.iter_mut().zip(numbers).for_each(|(sum, n)| *sum = sum.saturating_add(*n));
            } else {
                self.site(base.and(labels.clone()), numbers);
            }
        }
        if calls.len() > TOP {
            self.site(base.and(vec![("function", "other".to_owned())]), &other);
        }
    }

    fn site(&mut self, labels: Labels, [open, opened, closed]: &[u64; 3]) {
        self.site_open.add(labels.clone(), *open as f64);
        self.site_opens.add(labels.clone(), *opened as f64);
        self.site_closes.add(labels, *closed as f64);
    }

    fn counters(&mut self, base: &Base, recording: &Loaded) {
        let mut sums = [0u64; 32];
        let mut live = 0;
        for thread in recording.threads() {
            live += u64::from(thread.live);
            sums.iter_mut().zip(thread.counters).for_each(|(sum, n)| *sum = sum.saturating_add(n));
        }
        self.threads.add(base.and(vec![]), live as f64);
        for (family, counter) in [
            (&mut self.opens, ThreadCounter::Opens),
            (&mut self.closes, ThreadCounter::Closes),
            (&mut self.ended, ThreadCounter::Ended),
            (&mut self.allocations, ThreadCounter::Allocations),
            (&mut self.reallocations, ThreadCounter::Reallocations),
            (&mut self.frees, ThreadCounter::Frees),
            (&mut self.requested, ThreadCounter::BytesRequested),
        ] {
            family.add(base.and(vec![]), sums[counter as usize] as f64);
        }
        for (counter, _) in Counter::ALL {
            let family = match counter {
                // Counted as findings.
                Counter::Errors | Counter::Suspects | Counter::Infos => continue,
                Counter::Refused | Counter::Quarantined | Counter::QuarantineFlushed | Counter::Received => {
                    &mut self.events
                }
                Counter::StacksChecked | Counter::StacksMismatched => &mut self.events,
                _ => &mut self.losses,
            };
            family.add(base.and(vec![("what", snake(&format!("{counter:?}")))]), recording.counter(counter) as f64);
        }
    }

    fn findings(&mut self, base: &Base, recording: &Loaded) {
        for finding in recording.findings() {
            let distinct = matches!(finding.resource, Resource::Leak(_) | Resource::Limit(_) | Resource::Lost(_));
            let count = if distinct { 1 } else { finding.count };
            let (kind, severity) = (finding.kind.name().to_owned(), finding.severity.name().to_owned());
            self.findings.add(base.and(vec![("kind", kind), ("severity", severity)]), count as f64);
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for family in [
            &self.info,
            &self.up,
            &self.started,
            &self.threads,
            &self.open,
            &self.limit,
            &self.types,
            &self.states,
            &self.site_open,
            &self.site_opens,
            &self.site_closes,
            &self.leaked,
            &self.opens,
            &self.closes,
            &self.ended,
            &self.allocations,
            &self.reallocations,
            &self.frees,
            &self.requested,
        ] {
            family.write(out)?;
        }
        self.heap.write(out)?;
        for family in [&self.findings, &self.losses, &self.events] {
            family.write(out)?;
        }
        writeln!(out, "# EOF")
    }
}

/// What tells one call from another.
fn call_labels(call: Option<&Site>, symbols: &mut Symboliser) -> Labels {
    let Some(call) = call else { return vec![("function", "unknown".to_owned())] };
    let first = symbols.locate(call).first().cloned().unwrap_or_default();
    located(call, first)
}

/// Of a call that may be inlined: which one of it.
fn located(call: &Site, location: Location) -> Labels {
    let line = location.line.map_or_else(String::new, |line| line.to_string());
    let module = call.module.as_ref().map_or_else(String::new, |m| bytes(&m.path));
    // Without a line the offset tells two calls of a function apart.
    let offset = if line.is_empty() { format!("{:#x}", call.offset) } else { String::new() };
    vec![
        ("function", location.function.unwrap_or_default()),
        ("file", location.file.unwrap_or_default()),
        ("line", line),
        ("module", module),
        ("offset", offset),
    ]
}

/// `StacksDropped` as `stacks_dropped`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}
