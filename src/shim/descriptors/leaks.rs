//! The look for forgotten descriptors: at exit, near the limit, and when a snapshot is asked for.
//!
//! `track::fd::leak` groups and judges; here is what needs the process: the walk over the table, what the kernel says of each
//! number that is open, and the findings.
//!
//! What is no leak: descriptors 0 to 2, what was open when we came, what a parent opened before a fork, what the kernel says
//! is not open any more.

use super::probe::{self, Tcp};
use super::{growth, usage};
use crate::recording::{self, RECORDING};
use crate::thread::{self, Scope};
use crate::unwind;
use crate::{finding, start, sys};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use libc::c_int;
use record::findings::{Involved, Leak, Report, Resource, retract_leaks};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{Counter, PARTIES};
use record::{sites, stacks};
use track::fd::leak::{Candidate, Group, Groups, SiteHistory};
use track::fd::{Ending, FdKind, LABEL_WORDS, Place, Slot, State};

/// How far to look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// While the program runs: so many numbers that a hook does not take longer than a few milliseconds.
    Bounded,
    /// At exit: all.
    Whole,
}

/// Descriptors looked at when bounded; each costs one to three system calls.
const BOUNDED: usize = 4096;
const MOST_GROUPS: usize = 1024;

static LOOKING: AtomicBool = AtomicBool::new(false);

/// Files what was forgotten, and prints what is new and no information. The worst severity, if there was anything.
pub fn look(scope: &mut Scope, extent: Extent) -> Option<Severity> {
    if growth::highest() <= 3 {
        return None;
    }
    let most = if extent == Extent::Whole { usize::MAX } else { BOUNDED };
    let mut look = Look::begin(most)?;
    while !look.step(u64::MAX) {}
    let worst = look.publish(scope);
    if extent == Extent::Whole {
        retract_leaks(&RECORDING, Kind::FdLeak, look.now);
    }
    worst
}

/// A look under way; one at a time in a process. It may be taken in steps.
pub struct Look {
    table: Vec<Group>,
    dropped: u64,
    /// The next number to look at.
    next: c_int,
    /// So many more at most.
    most: usize,
    /// Numbers that some thread waits for at this moment, in order.
    busy: Vec<c_int>,
    /// When it began.
    pub now: u64,
}

impl Look {
    /// Nothing when a look is under way.
    pub fn begin(most: usize) -> Option<Self> {
        if LOOKING.swap(true, Acquire) {
            return None;
        }
        let open = growth::open_slots(3).take(MOST_GROUPS).count();
        let table = vec![Group::default(); (open * 2).clamp(8, MOST_GROUPS)];
        Some(Look { table, dropped: 0, next: 3, most, busy: usage::busy_now(), now: sys::now() })
    }

    /// Goes on until `deadline`; true when there is no more. At least a few numbers are looked at.
    pub fn step(&mut self, deadline: u64) -> bool {
        let mut groups = Groups::new(&mut self.table);
        for (seen, (fd, slot)) in growth::open_slots(self.next).enumerate() {
            if self.most == 0 {
                break;
            }
            if seen % 64 == 63 && deadline != u64::MAX && sys::now() >= deadline {
                self.next = fd;
                self.dropped += groups.dropped;
                return false;
            }
            self.most -= 1;
            if let Some(candidate) = candidate(fd, slot, &self.busy) {
                groups.add(&candidate, history(candidate.facts.opener.stack.0));
            }
        }
        self.dropped += groups.dropped;
        true
    }

    /// Descriptors that found no room in a group.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Files the groups that were found; the worst severity.
    pub fn publish(&mut self, scope: &mut Scope) -> Option<Severity> {
        if self.dropped > 0 {
            record::store::count(&RECORDING, Counter::LeaksDropped);
        }
        let mut worst = None;
        for (group, severity) in self.judged() {
            worst = Some(worst.map_or(severity, |w: Severity| w.min(severity)));
            publish(scope, group, severity, self.now);
        }
        worst
    }

    /// The groups with what is thought of them.
    pub fn judged(&self) -> impl Iterator<Item = (&Group, Severity)> {
        self.table.iter().filter(|group| group.count > 0).map(|group| {
            let severity = match group.judge(history(group.opener.stack.0)) {
                track::fd::Severity::Error => Severity::Error,
                track::fd::Severity::Suspect => Severity::Suspect,
                track::fd::Severity::Info => Severity::Info,
            };
            (group, severity)
        })
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        LOOKING.store(false, Release);
    }
}

/// In a forked child.
pub(super) fn after_fork() {
    LOOKING.store(false, Relaxed);
}

/// The totals of the place that opened a group.
pub fn history(stack: u32) -> SiteHistory {
    sites::find(&RECORDING, stack).map_or(SiteHistory::default(), |site| SiteHistory {
        opened: site.opened.load(Relaxed),
        closed: site.closed.load(Relaxed),
        last_opened: site.last_opened.load(Relaxed),
    })
}

/// An open number of the program's own, with what the kernel says of it.
fn candidate(fd: c_int, slot: &Slot, busy: &[c_int]) -> Option<Candidate> {
    let snapshot = slot.snapshot();
    let facts = snapshot.current.filter(|_| snapshot.state == State::Open)?;
    if facts.meta.imported || facts.meta.epoch != start::epoch() || !probe::still_is(fd, facts.meta.kind) {
        return None;
    }
    let tcp = if facts.meta.kind == FdKind::Tcp { probe::tcp(fd) } else { Tcp::default() };
    Some(Candidate {
        fd,
        generation: snapshot.generation,
        facts,
        tcp: tcp.state,
        unread: if is_stream(facts.meta.kind) { probe::unread(fd) } else { 0 },
        port: label(fd, facts.meta.kind, facts.label).local_port(),
        blocking: facts.last.ending == Ending::Again
            && sys::fcntl(fd, libc::F_GETFL, 0) & libc::O_NONBLOCK as isize == 0,
        busy: busy.binary_search(&fd).is_ok(),
    })
}

/// The endpoints that the program gave to connect or bind, or, where it was told none, those that the kernel knows.
fn label(fd: c_int, kind: FdKind, words: [u64; LABEL_WORDS]) -> Label {
    match Label::from_words(words) {
        label if label.is_none() && is_stream(kind) => probe::socket_label(fd),
        label => label,
    }
}

fn is_stream(kind: FdKind) -> bool {
    matches!(kind, FdKind::Tcp | FdKind::Unix | FdKind::Udp | FdKind::Socket | FdKind::Pipe)
}

fn publish(scope: &mut Scope, group: &Group, severity: Severity, now: u64) {
    let (here, tid) = (place(scope, group), group.last.thread);
    let actor = thread::registry().find(|t| u32::from(t.index) + 1 == u32::from(tid));
    let mut parties = [Involved::default(); PARTIES];
    parties[0] = Involved {
        role: (here != 0).then_some(Role::Here),
        tid: actor.map_or(0, |t| t.tid.load(Relaxed)),
        stack: here,
        thread: actor.map_or([0; 16], thread::State::name),
    };
    let opener = group.opener.tid.0;
    let thread = finding::name_of(opener);
    parties[1] = Involved { role: Some(Role::Opened), tid: opener, stack: group.opener.stack.0, thread };
    let label = label(group.fd, group.kind, group.label);
    let leak = Leak {
        fd: group.fd,
        kind: group.kind as u8,
        owner_kind: group.owner as u8,
        generation: group.generation,
        call: group.last.call,
        ending: group.last.ending as u8,
        errno: group.last.errno,
        blocking: group.blocking,
        count: group.count.min(u64::from(u32::MAX)) as u32,
        oldest: group.oldest,
        as_of: now,
        newest_ago: (now.saturating_sub(group.newest) / 1_000_000).min(u64::from(u32::MAX)) as u32,
        unread: group.unread,
        tcp: group.tcp,
        unended: false,
    };
    let name = record::call::Call::from_code(u16::from(leak.call)).map_or("", record::call::Call::name);
    finding::publish_leak(
        scope,
        &Report {
            kind: Kind::FdLeak,
            severity,
            tid: opener,
            thread,
            time: group.oldest,
            resource: Resource::Leak(leak),
            label,
            parties,
            detail: name.as_bytes(),
        },
    );
}

/// The stack of the last operation, as an id: of a return address a stack of one frame is made.
fn place(scope: &mut Scope, group: &Group) -> u32 {
    match group.last.place {
        Place::Stack(stack) => stack.0,
        Place::Address(address) => {
            let frame = unwind::modules(scope.state).and_then(|list| list.frame(address));
            frame.map_or(0, |frame| stacks::intern(&recording::RECORDING, &[frame]))
        }
        Place::Unknown => 0,
    }
}
