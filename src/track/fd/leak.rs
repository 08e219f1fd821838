//! Which open descriptors were forgotten: grouped by who opened them and by what happened to them last, and judged.
//!
//! Why groups: an operator asks which line forgot to close, not which of 4000 numbers is open. Descriptors that were opened
//! at one stack and whose last operation ended the same way at the same place went the same way through the program, and
//! that last operation is where the missing close belongs.
//!
//! Why so few are errors: a program may keep what it likes open until it ends, and the kernel will close it. What proves a
//! leak is that the program *went on*: it opened another at the same place while the old one could serve no purpose any
//! more (its connection was refused or reset, its stream had ended, its peer was silent for longer than the program was
//! willing to wait) and nobody touched it again. What only rises for a long time is a leak as well. Everything else is
//! information. See [`Group::judge`] for the table.
//!
//! Place in the flow: the library feeds it at exit and near the limit, the command from a recording; both with what the
//! kernel says of each descriptor, where it can be asked.

use super::generation::{Facts, LABEL_WORDS};
use super::kind::{FdKind, OwnerKind};
use super::last::{Ending, Last};
use super::verdict::Severity;
use crate::actor::{Party, ThreadIndex};

/// States of TCP, as tcpi_state numbers them (include/net/tcp_states.h); 0 = not asked.
pub mod tcp {
    pub const ESTABLISHED: u8 = 1;
    pub const FIN_WAIT2: u8 = 5;
    pub const CLOSE: u8 = 7;
    pub const CLOSE_WAIT: u8 = 8;
    pub const LISTEN: u8 = 10;

    /// The name that ss(8) and netstat(8) users know.
    pub const fn name(state: u8) -> &'static str {
        match state {
            1 => "ESTABLISHED",
            2 => "SYN_SENT",
            3 => "SYN_RECV",
            4 => "FIN_WAIT1",
            5 => "FIN_WAIT2",
            6 => "TIME_WAIT",
            7 => "CLOSE",
            8 => "CLOSE_WAIT",
            9 => "LAST_ACK",
            10 => "LISTEN",
            11 => "CLOSING",
            _ => "UNKNOWN",
        }
    }

    /// One more than the highest state.
    pub const STATES: usize = 12;
}

/// An open descriptor, with what the kernel says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candidate {
    pub fd: i32,
    pub generation: u32,
    pub facts: Facts,
    /// One of [`tcp`], 0 when unknown or no TCP socket.
    pub tcp: u8,
    /// Bytes that the program has not read, where the kernel tells.
    pub unread: u64,
    /// Where others reach this end of a connection; 0 when unknown. Those that a server has accepted share theirs.
    pub port: u16,
    /// O_NONBLOCK is not set: EAGAIN was a timeout.
    pub blocking: bool,
    /// A thread is inside a call on it at this moment.
    pub busy: bool,
}

/// The history of the place that opened a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteHistory {
    pub opened: u64,
    pub closed: u64,
    /// When it last opened one.
    pub last_opened: u64,
}

/// Descriptors that went the same way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group {
    /// The first one seen: an example.
    pub fd: i32,
    pub generation: u32,
    pub opener: Party,
    pub kind: FdKind,
    pub owner: OwnerKind,
    pub last: Last,
    /// Whether EAGAIN was a timeout.
    pub blocking: bool,
    pub label: [u64; LABEL_WORDS],
    pub same_label: bool,
    pub port: u16,
    pub same_port: bool,
    pub count: u64,
    /// Unused since the site last opened another, and nobody inside a call on them.
    pub idle: u64,
    pub oldest: u64,
    pub newest: u64,
    pub last_used: u64,
    /// Bits of the threads that opened them, and the highest of their indices.
    pub openers: u64,
    pub last_opener: u16,
    pub unread: u64,
    pub tcp: [u32; tcp::STATES],
}

impl Group {
    fn holds(&self, candidate: &Candidate) -> bool {
        let facts = &candidate.facts;
        self.count > 0
            && self.opener.stack == facts.opener.stack
            && self.last.is_same_way(facts.last)
            && self.kind == facts.meta.kind
            && self.owner == facts.owner.kind
            && self.blocking == candidate.blocking
    }

    fn add(&mut self, candidate: &Candidate, site: SiteHistory) {
        let facts = &candidate.facts;
        let used = facts.used_at.max(facts.opened_at);
        if self.count == 0 {
            *self = Group {
                fd: candidate.fd,
                generation: candidate.generation,
                opener: facts.opener,
                kind: facts.meta.kind,
                owner: facts.owner.kind,
                last: facts.last,
                blocking: candidate.blocking,
                label: facts.label,
                same_label: true,
                port: candidate.port,
                same_port: true,
                oldest: facts.opened_at,
                ..Group::default()
            };
        }
        self.count += 1;
        self.same_label &= self.label == facts.label;
        self.same_port &= self.port == candidate.port;
        self.oldest = self.oldest.min(facts.opened_at);
        self.newest = self.newest.max(facts.opened_at);
        self.last_used = self.last_used.max(used);
        if used < site.last_opened && !candidate.busy {
            self.idle += 1;
        }
        self.openers |= opener_bit(facts.meta.opener);
        self.last_opener = self.last_opener.max(facts.meta.opener.0);
        self.unread += candidate.unread;
        self.tcp[candidate.tcp as usize % tcp::STATES] += 1;
    }

    /// The peer has closed, and the program has not.
    pub fn peer_closed(&self) -> u32 {
        self.tcp[tcp::CLOSE_WAIT as usize]
    }

    /// Did the last operation say that they can serve no purpose any more?
    pub fn is_over(&self) -> bool {
        let stream = matches!(self.kind, FdKind::Tcp | FdKind::Unix | FdKind::Socket | FdKind::Pipe | FdKind::Pty);
        let failed = self.last.ending == Ending::Failed;
        let told = self.last.ending == Ending::End;
        let timed_out = self.last.ending == Ending::Again && self.blocking;
        stream && (failed || told || timed_out)
    }

    /// How many threads opened them; when the bits do not tell any more, how many there can be.
    fn threads(&self) -> u64 {
        match u64::from(self.openers.count_ones()) {
            64 => u64::from(self.last_opener) + 1,
            n => n,
        }
    }

    /// One call makes both ends of a pipe, or both sockets of a pair.
    fn per_call(&self) -> u64 {
        if matches!(self.kind, FdKind::Pipe | FdKind::Unix) { 2 } else { 1 }
    }

    /// How sure is it that these were forgotten?
    ///
    /// | what happened last | forgotten (unused since the site went on) | severity |
    /// |---|---|---|
    /// | an operation on a connection or pipe failed | 2 or more; 1 | error; suspect |
    /// | the end of a stream was read | 2 or more; 1 | error; suspect |
    /// | a blocking call timed out | 2 or more; 1 | error; suspect |
    /// | the peer closed, the program did not look | 16 or more over 10 s; 4 or more | error; suspect |
    /// | anything else, one for each thread (of pipes: both ends) | | info |
    /// | anything else, live connections that were accepted (they share their port) | | info |
    /// | anything else, hardly ever closed, over 10 s | 32 or more; 16 or more | error; suspect |
    /// | the same, live connections | 16 or more | suspect |
    /// | the same in less than 10 s, all of one target | 16 or more; 64 live connections | suspect |
    pub fn judge(&self, site: SiteHistory) -> Severity {
        let graded = |errors: u64, suspects: u64, of: u64| match of {
            n if n >= errors => Severity::Error,
            n if n >= suspects => Severity::Suspect,
            _ => Severity::Info,
        };
        if self.is_over() {
            return graded(2, 1, self.idle);
        }
        // One for each thread is a design: an epoll or a wake-up pipe of its own.
        if self.count > 1 && self.threads() * self.per_call() >= self.count {
            return Severity::Info;
        }
        let spread = self.newest.saturating_sub(self.oldest);
        if u64::from(self.peer_closed()) * 2 > self.count {
            return if spread >= LONG_NS { graded(16, 4, self.idle) } else { graded(u64::MAX, 4, self.idle) };
        }
        // Ten in a hundred were closed at most, and nearly all of those that are open lie idle.
        if site.closed.saturating_mul(10) > site.opened || self.idle * 10 < self.count * 9 {
            return Severity::Info;
        }
        let live = u64::from(self.tcp[tcp::ESTABLISHED as usize] + self.tcp[tcp::LISTEN as usize]) * 2 > self.count
            || self.kind == FdKind::Unix;
        // Guests of a server: they may stay for as long as they like.
        if live && self.port != 0 && self.same_port {
            return Severity::Info;
        }
        match spread >= LONG_NS {
            true if live => graded(u64::MAX, 16, self.idle),
            true => graded(32, 16, self.idle),
            false if self.same_label && live => graded(u64::MAX, 64, self.idle),
            false if self.same_label => graded(u64::MAX, 16, self.idle),
            false => Severity::Info,
        }
    }
}

/// A site that opens for this long without closing is not setting something up any more.
const LONG_NS: u64 = 10_000_000_000;

fn opener_bit(thread: ThreadIndex) -> u64 {
    1 << (thread.0 % 64)
}

/// Groups in memory of the caller's: an open-addressing table. All zero is empty.
pub struct Groups<'a> {
    table: &'a mut [Group],
    /// Descriptors that found no room.
    pub dropped: u64,
}

impl<'a> Groups<'a> {
    /// `table`: every entry as by `Default`, which is all zero.
    pub fn new(table: &'a mut [Group]) -> Self {
        Groups { table, dropped: 0 }
    }

    /// Adds a descriptor; `site` is the history of the place that opened it.
    pub fn add(&mut self, candidate: &Candidate, site: SiteHistory) {
        let len = self.table.len();
        let start = hash(candidate) as usize;
        for probe in 0..len.min(PROBES) {
            let group = &mut self.table[(start + probe) % len];
            if group.count == 0 || group.holds(candidate) {
                group.add(candidate, site);
                return;
            }
        }
        self.dropped += 1;
    }

    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.table.iter().filter(|group| group.count > 0)
    }
}

const PROBES: usize = 64;

fn hash(candidate: &Candidate) -> u64 {
    let facts = &candidate.facts;
    let mut h = 0x9e37_79b9_7f4a_7c15u64;
    for word in [facts.opener.stack.0 as u64, facts.last.without_thread().pack(), facts.meta.kind as u64] {
        h = (h ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h ^= h >> 32;
    }
    h
}
