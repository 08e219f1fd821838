//! A look at the descriptors of a process from outside, through its recording: how many are open, who opened them, in what
//! state they are, and which were forgotten.
//!
//! ```text
//! recording ─→ slots ─→ Candidates ─┐
//!              sites ─→ SiteHistory ┼─→ track::fd::leak groups and judges ─→ Look ─→ snapshot, top, metrics, report
//!              kernel (of the pid) ─┘
//! ```
//!
//! Why from outside: the process is neither stopped nor asked; it goes on writing while we read a copy. A slot that changes
//! under the copy is as torn as the copy, which costs a line of one look, not more.
//!
//! Without a kernel to ask (the process is gone) the states of sockets are unknown. What is then called proved is only what
//! the last operation proves by itself; see [`severity`].

pub mod findings;
pub mod kernel;
mod net_tables;
pub mod words;

use crate::recordings::Loaded;
use kernel::{Answer, Kernel, Said};
use record::kind::Severity;
use record::label::Label;
use record::layout::DESCRIPTOR_LEN;
use record::reader::Head;
use record::snapshot::source;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};
use track::fd::leak::{Candidate, Group, Groups, SiteHistory, tcp};
use track::fd::{Ending, FdKind, SLOT_WORDS, Slot, State, Word};

/// Room for groups; half as many are kept in a snapshot.
const MOST_GROUPS: usize = 8192;
/// Descriptors of one site that are listed.
const MOST_LISTED: usize = 10_000;

const _: () = assert!(DESCRIPTOR_LEN == SLOT_WORDS * 8);

/// A group with its verdict.
#[derive(Clone, Debug)]
pub struct Judged {
    pub group: Group,
    pub site: SiteHistory,
    pub severity: Severity,
    pub label: Label,
}

/// A place that opened descriptors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Site {
    /// Its index in the recording's table; none for what was open when it began.
    pub index: Option<usize>,
    pub stack: u32,
    pub history: SiteHistory,
    pub open: u64,
    /// When the oldest that is open was opened.
    pub oldest: u64,
    pub tcp: [u64; tcp::STATES],
    /// Index of its gravest group.
    pub worst: Option<usize>,
}

/// What was seen.
pub struct Look {
    pub head: Head,
    /// The process, when it lives and has the same number for us as for itself.
    pub pid: Option<u32>,
    /// CLOCK_MONOTONIC of the look; of a process that is gone, the last moment that it recorded.
    pub time: u64,
    /// CLOCK_REALTIME of the same.
    pub real: u64,
    /// One of [`source`], and why there are no states.
    pub source: u32,
    pub refused: Option<String>,
    pub open: u64,
    /// RLIMIT_NOFILE, soft; 0 = unknown.
    pub limit: u64,
    pub kinds: [u64; FdKind::ALL.len()],
    pub tcp: [u64; tcp::STATES],
    /// The gravest first.
    pub groups: Vec<Judged>,
    /// Those with most open descriptors first.
    pub sites: Vec<Site>,
    /// Descriptors that found no room in a group.
    pub dropped: u64,
    /// The descriptors of the site that was asked for.
    pub listed: Vec<Candidate>,
}

/// Looks. `kernel`: who can be asked about a process that lives; `listed`: the opening stack whose descriptors are wanted.
pub fn take(recording: &Loaded, kernel: Option<&mut Kernel>, listed: Option<u32>) -> Look {
    let mut taking = Taking::new(recording, kernel);
    for (fd, bytes) in recording.descriptors() {
        taking.slot(fd, bytes, listed);
    }
    taking.finish(recording)
}

struct Taking<'k> {
    head: Head,
    kernel: Option<&'k mut Kernel>,
    latest: u64,
    open: u64,
    kinds: [u64; FdKind::ALL.len()],
    tcp: [u64; tcp::STATES],
    table: Vec<Group>,
    dropped: u64,
    sites: HashMap<u32, Site>,
    /// Numbers inside a call of a live thread.
    busy: HashSet<u32>,
    listed: Vec<Candidate>,
}

impl<'k> Taking<'k> {
    fn new(recording: &Loaded, mut kernel: Option<&'k mut Kernel>) -> Self {
        if let Some(kernel) = &mut kernel {
            kernel.refresh();
        }
        let head = recording.head();
        let mut latest = head.started.max(head.ended);
        let mut sites = HashMap::new();
        for (index, site) in recording.sites() {
            let history = SiteHistory { opened: site.opened, closed: site.closed, last_opened: site.last_opened };
            latest = latest.max(site.last_opened);
            sites.insert(site.stack, Site { index: Some(index), stack: site.stack, history, ..Site::default() });
        }
        let mut busy = HashSet::new();
        for thread in recording.threads() {
            busy.extend(thread.using.filter(|_| thread.live));
            latest = latest.max(thread.started).max(thread.ended).max(thread.events.last().map_or(0, |e| e.time));
        }
        let open = recording.descriptors().filter(|(_, bytes)| is_open(bytes)).count();
        let table = vec![Group::default(); (open * 2).clamp(8, MOST_GROUPS)];
        let (kinds, tcp) = Default::default();
        Self { head, kernel, latest, open: 0, kinds, tcp, table, dropped: 0, sites, busy, listed: Vec::new() }
    }

    fn slot(&mut self, fd: usize, bytes: &[u8; DESCRIPTOR_LEN], listed: Option<u32>) {
        let Ok(fd) = i32::try_from(fd) else { return };
        if !is_open(bytes) {
            return;
        }
        let snapshot = slot(bytes).snapshot();
        let Some(facts) = snapshot.current.filter(|_| snapshot.state == State::Open) else { return };
        let kind = facts.meta.kind;
        let said = match self.ask(fd, kind, facts.last.ending == Ending::Again) {
            Answer::Closed => return,
            Answer::Open(said) => said,
        };
        self.latest = self.latest.max(facts.opened_at).max(facts.used_at);
        self.open += 1;
        self.kinds[kind as usize] += 1;
        if kind == FdKind::Tcp {
            self.tcp[usize::from(said.tcp) % tcp::STATES] += 1;
        }
        let candidate = Candidate {
            fd,
            generation: snapshot.generation,
            facts,
            tcp: said.tcp,
            unread: said.unread,
            // What was accepted has both ends from the start.
            port: Label::from_words(facts.label).local_port(),
            blocking: said.blocking,
            busy: self.busy.contains(&(fd as u32)),
        };
        let foreign = fd <= 2 || facts.meta.imported || u32::from(facts.meta.epoch) != self.head.epoch & 0xffff;
        let stack = if foreign { 0 } else { facts.opener.stack.0 };
        let site = self.sites.entry(stack).or_insert_with(|| Site { stack, ..Site::default() });
        site.oldest = if site.open == 0 { facts.opened_at } else { site.oldest.min(facts.opened_at) };
        site.open += 1;
        if kind == FdKind::Tcp {
            site.tcp[usize::from(said.tcp) % tcp::STATES] += 1;
        }
        if listed == Some(stack) && self.listed.len() < MOST_LISTED {
            self.listed.push(candidate);
        }
        if !foreign {
            let history = site.history;
            let mut groups = Groups::new(&mut self.table);
            groups.add(&candidate, history);
            self.dropped += groups.dropped;
        }
    }

    /// Sockets are asked about, and what may have timed out; the rest is as the recording says.
    fn ask(&mut self, fd: i32, kind: FdKind, flags: bool) -> Answer {
        let stream = matches!(kind, FdKind::Unix | FdKind::Udp | FdKind::Socket) || flags && kind == FdKind::Pipe;
        match &mut self.kernel {
            Some(kernel) if stream || kind == FdKind::Tcp => kernel.ask(fd, kind, flags),
            _ => Answer::Open(Said::default()),
        }
    }

    fn finish(self, recording: &Loaded) -> Look {
        let samples = recording.samples();
        let lives = self.kernel.is_some();
        let last = samples.last();
        let time = if lives { kernel::now() } else { self.latest.max(last.map_or(0, |s| s.time)) };
        let limit = self.kernel.as_ref().and_then(|k| k.limit()).or(last.map(|s| s.limit)).unwrap_or(0);
        let (source, refused) = match &self.kernel {
            Some(kernel) => (kernel.source(), kernel.refused().map(str::to_owned)),
            None => (source::NONE, None),
        };
        let mut sites = self.sites;
        let mut groups: Vec<Judged> = Vec::new();
        for group in self.table.into_iter().filter(|g| g.count > 0) {
            let site = sites.get(&group.opener.stack.0).map(|s| s.history).unwrap_or_default();
            let severity = severity(&group, site, source != source::NONE);
            let mut label = Label::from_words(group.label);
            if let (Some(kernel), true) = (&self.kernel, label.is_none() && is_socket(group.kind)) {
                label = kernel.label(group.fd);
            }
            groups.push(Judged { group, site, severity, label });
        }
        groups.sort_by_key(|j| (j.severity as u16, Reverse(j.group.count), j.group.oldest, j.group.fd));
        for (index, judged) in groups.iter().enumerate().rev() {
            if let Some(site) = sites.get_mut(&judged.group.opener.stack.0) {
                site.worst = Some(index);
            }
        }
        let mut sites: Vec<Site> = sites.into_values().collect();
        sites.sort_by_key(|s| (Reverse(s.open), Reverse(s.history.opened), s.stack));
        let real = if lives {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
        } else {
            self.head.started_real.saturating_add(time.saturating_sub(self.head.started))
        };
        let pid = self.kernel.as_ref().map(|k| k.pid()).filter(|pid| *pid == self.head.pid);
        Look {
            pid,
            head: self.head,
            time,
            real,
            source,
            refused,
            open: self.open,
            limit,
            kinds: self.kinds,
            tcp: self.tcp,
            groups,
            sites,
            dropped: self.dropped,
            listed: self.listed,
        }
    }
}

/// The verdict. Without the kernel's word on the state of its sockets nothing is proved but by the last operation.
fn severity(group: &Group, site: SiteHistory, asked: bool) -> Severity {
    match group.judge(site) {
        track::fd::Severity::Error if !asked && !group.is_over() => Severity::Suspect,
        track::fd::Severity::Error => Severity::Error,
        track::fd::Severity::Suspect => Severity::Suspect,
        track::fd::Severity::Info => Severity::Info,
    }
}

pub fn is_socket(kind: FdKind) -> bool {
    matches!(kind, FdKind::Tcp | FdKind::Unix | FdKind::Udp | FdKind::Socket)
}

/// By the first word alone: most slots of a long table are not open.
fn is_open(bytes: &[u8; DESCRIPTOR_LEN]) -> bool {
    let first = bytes.first_chunk().copied().unwrap_or_default();
    Word::from_bits(u64::from_ne_bytes(first)).state() == State::Open
}

fn slot(bytes: &[u8; DESCRIPTOR_LEN]) -> Slot {
    let mut words = [0; SLOT_WORDS];
    for (word, part) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_ne_bytes(part.first_chunk().copied().unwrap_or_default());
    }
    Slot::from_words(&words)
}

#[cfg(test)]
mod tests {
    use super::findings::Context;
    use super::*;
    use crate::{merge::Merge, snapshot, unexited};
    use record::layout::{CHUNK_LEN, CHUNKS_AT, Section};
    use record::memory::Memory;
    use record::reader::Recording;
    use record::store::{Store, entry_or_commit};
    use std::sync::atomic::Ordering::Relaxed;
    use track::fd::{Actor, Opening, StackId, Tid};

    /// A running process with 40 sockets from two stacks, of which those of the first were refused.
    fn recording() -> Vec<u8> {
        let memory = Memory::new();
        memory.process(b"/srv/app", 12, 1);
        let object = record::modules::Loaded {
            path: b"/srv/app",
            build_id: &[],
            bias: 0x1000,
            start: 0x1000,
            end: 0x9000,
            flags: 1,
        };
        let module = record::modules::register(&memory, &object, 1).unwrap();
        let stack = |at| record::stacks::intern(&memory, &[record::stacks::Frame::in_module(module, at).0]);
        let (refused, quiet, here) = (stack(0x10), stack(0x20), stack(0x30));
        let thread = entry_or_commit::<record::layout::Thread>(&memory, 0).unwrap();
        thread.state.store(1, Relaxed);
        thread.tid.store(12, Relaxed);
        memory.commit(Section::Descriptors, 0).unwrap();
        for site in [refused, quiet] {
            for now in 0..20 {
                record::sites::of(&memory, site).unwrap().opened(1000 + now);
            }
        }
        record::samples::take(&memory, 2000, 40, 1024);
        let mut bytes = memory.to_bytes();
        let chunks = (bytes.len() - CHUNKS_AT) / CHUNK_LEN;
        let directory = |i: usize| u32::from_ne_bytes(*bytes[8192 + i * 4..].first_chunk().unwrap());
        let at = (0..chunks).find(|i| directory(*i) >> 24 == Section::Descriptors as u32).unwrap();
        let table = CHUNKS_AT + at * CHUNK_LEN;
        for fd in 3..43u64 {
            let slot = Slot::new();
            let stack = StackId(if fd < 23 { refused } else { quiet });
            let by = Actor { tid: Tid(12), stack, now: 900 + fd, ..Actor::default() };
            let what = Opening { kind: FdKind::Tcp, ..Opening::default() };
            let generation = slot.opened(&by, what).generation;
            if fd < 23 {
                let place = track::fd::Place::Stack(StackId(here));
                let last = track::fd::Last { call: 19, ending: Ending::Failed, errno: 111, thread: 1, place };
                slot.life(generation).acted(last, 950);
            }
            for (i, word) in slot.words().into_iter().enumerate() {
                let at = table + fd as usize * DESCRIPTOR_LEN + i * 8;
                bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
            }
        }
        bytes
    }

    #[test]
    fn without_a_kernel_only_the_last_operation_proves() {
        let recording = Recording::parse(recording()).unwrap();
        let look = take(&recording, None, None);
        assert_eq!((look.open, look.limit, look.source), (40, 1024, source::NONE));
        let told: Vec<_> = look.groups.iter().map(|j| (j.severity, j.group.count)).collect();
        assert_eq!(told, [(Severity::Error, 20), (Severity::Suspect, 20)]);
        // The first site's gravest group is the first.
        assert_eq!(look.sites.iter().map(|s| (s.open, s.worst)).collect::<Vec<_>>(), [(20, Some(0)), (20, Some(1))]);
        let leaks = unexited::leaks(&recording);
        assert_eq!(leaks.len(), 2);
    }

    /// Whatever a file holds, a look at it ends.
    #[test]
    fn damage_never_panics() {
        let good = recording();
        let chunks = (good.len() - CHUNKS_AT) / CHUNK_LEN;
        let mut seed = 88_172_645_463_325_252u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let mut looked = 0;
        for _ in 0..300 {
            let mut bytes = good.clone();
            for _ in 0..20 {
                let at = match next() % 4 {
                    0 => next() as usize % 4384,
                    _ => CHUNKS_AT + next() as usize % chunks * CHUNK_LEN + next() as usize % 24_000,
                };
                let value = if next() % 3 == 0 { u64::MAX } else { next() };
                bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
            }
            let Ok(recording) = Recording::parse(bytes) else { continue };
            let look = take(&recording, None, Some(1));
            let context = Context::new(&recording, None);
            look.groups.iter().map(|judged| context.finding(judged, look.time)).for_each(|_| ());
            looked += snapshot::merged(&look, &recording).len().min(1);
            Merge::default().add(&recording);
        }
        assert!(looked > 100, "{looked}");
    }
}
