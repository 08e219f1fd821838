//! The entries of a recording as owned values.

use super::bytes::Raw;
use super::ring::{Event, events};
use crate::findings::{Involved, Report, Resource};
use crate::kind::{Kind, Role, Severity};
use crate::label::Label;
use crate::layout::{self, Header, PARTIES, Party, finding_state, thread_state};
use crate::suppressions::Mark;
use core::mem::{offset_of, size_of};

/// What the header says of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// ELF `e_machine`.
    pub machine: u32,
    pub pointer_bits: u32,
    /// See [`layout::state`].
    pub state: u32,
    pub exit_status: u32,
    pub pid: u32,
    pub ppid: u32,
    pub rank: Option<u32>,
    pub epoch: u32,
    /// CLOCK_REALTIME, ns.
    pub started_real: u64,
    /// CLOCK_MONOTONIC, ns, as all other times.
    pub started: u64,
    pub ended: u64,
    pub comm: Vec<u8>,
    pub shim_version: Vec<u8>,
    pub libc_version: Vec<u8>,
    pub options: Vec<u8>,
    pub exe: Vec<u8>,
    pub command: Vec<Vec<u8>>,
    /// What the last exec call named, when there was one.
    pub exec_path: Vec<u8>,
}

impl Head {
    pub(super) fn read(raw: Raw, exec_path: &[u8]) -> Self {
        let text = |at, words: usize| raw.text(at, words * 8).to_vec();
        let command = raw.slice(offset_of!(Header, command), 256 * 8);
        let end = command.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        Self {
            machine: raw.u32(offset_of!(Header, machine)),
            pointer_bits: raw.u32(offset_of!(Header, pointer_bits)),
            state: raw.u32(offset_of!(Header, state)),
            exit_status: raw.u32(offset_of!(Header, exit_status)),
            pid: raw.u32(offset_of!(Header, pid)),
            ppid: raw.u32(offset_of!(Header, ppid)),
            rank: raw.u32(offset_of!(Header, rank)).checked_sub(1),
            epoch: raw.u32(offset_of!(Header, epoch)),
            started_real: raw.u64(offset_of!(Header, started_real)),
            started: raw.u64(offset_of!(Header, started)),
            ended: raw.u64(offset_of!(Header, ended)),
            comm: text(offset_of!(Header, comm), 2),
            shim_version: text(offset_of!(Header, shim_version), 4),
            libc_version: text(offset_of!(Header, libc_version), 4),
            options: text(offset_of!(Header, options), 64),
            exe: text(offset_of!(Header, exe), 128),
            command: command[..end].split(|b| *b == 0).map(<[u8]>::to_vec).collect(),
            exec_path: exec_path.to_vec(),
        }
    }
}

/// A thread that the recording knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its place in the table.
    pub index: usize,
    pub tid: u32,
    pub name: [u8; 16],
    pub live: bool,
    pub started: u64,
    pub ended: u64,
    /// See [`layout::ThreadCounter`].
    pub counters: [u64; 32],
    /// Events ever written; the ring keeps the last ones.
    pub written: u64,
    /// The descriptor that it uses at this moment.
    pub using: Option<u32>,
    pub events: Vec<Event>,
}

/// A lock that a thread waits for, or that it holds while it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub lock: u64,
    /// See `track::lock::What`.
    pub what: u32,
    /// 0: see the frame.
    pub stack: u32,
    pub frame: u64,
}

/// A thread that waits for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub wanted: Hold,
    /// CLOCK_MONOTONIC, ns.
    pub since: u64,
    /// What it held when it began to wait, the latest first.
    pub holds: Vec<Hold>,
}

/// A waiting thread, and nothing else of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub tid: u32,
    pub name: [u8; 16],
    pub wait: Wait,
}

impl Waiter {
    pub(super) fn read(raw: Raw) -> Option<Self> {
        if raw.u32(offset_of!(layout::Thread, state)) != thread_state::LIVE {
            return None;
        }
        let (tid, name) = (raw.u32(offset_of!(layout::Thread, tid)), raw.bytes(offset_of!(layout::Thread, name)));
        Some(Self { tid, name, wait: Wait::read(&raw)? })
    }
}

impl Wait {
    fn read(raw: &Raw) -> Option<Self> {
        let hold = |lock: usize, what: usize, frame: Option<usize>| Hold {
            lock: raw.u64(lock),
            what: raw.u64(what) as u32,
            stack: (raw.u64(what) >> 32) as u32,
            frame: frame.map_or(0, |at| raw.u64(at)),
        };
        let wanted = hold(offset_of!(layout::Thread, waits_for), offset_of!(layout::Thread, waits_what), None);
        let holds = (0..layout::THREAD_HOLDS).map(|i| {
            let at = offset_of!(layout::Thread, holds) + i * size_of::<layout::ThreadHold>();
            hold(
                at + offset_of!(layout::ThreadHold, lock),
                at + offset_of!(layout::ThreadHold, what),
                Some(at + offset_of!(layout::ThreadHold, frame)),
            )
        });
        let holds = holds.take_while(|hold| hold.lock != 0).collect();
        let since = raw.u64(offset_of!(layout::Thread, waits_since));
        (wanted.lock != 0).then_some(Self { wanted, since, holds })
    }
}

impl Thread {
    pub(super) fn read(index: usize, raw: Raw) -> Option<Self> {
        let state = raw.u32(offset_of!(layout::Thread, state));
        if state != thread_state::LIVE && state != thread_state::ENDED {
            return None;
        }
        Some(Self {
            index,
            tid: raw.u32(offset_of!(layout::Thread, tid)),
            name: raw.bytes(offset_of!(layout::Thread, name)),
            live: state == thread_state::LIVE,
            started: raw.u64(offset_of!(layout::Thread, started)),
            ended: raw.u64(offset_of!(layout::Thread, ended)),
            counters: raw.words(offset_of!(layout::Thread, counters)),
            written: raw.u64(offset_of!(layout::Thread, written)),
            using: raw.u32(offset_of!(layout::Thread, using)).checked_sub(1),
            events: events(raw),
        })
    }
}

/// A finding; `report` gives what `sentence` words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub severity: Severity,
    pub count: u64,
    /// CLOCK_MONOTONIC of the first and the last event, ns.
    pub first: u64,
    pub last: u64,
    pub tid: u32,
    pub thread: [u8; 16],
    pub resource: Resource,
    pub label: Label,
    pub parties: [Involved; PARTIES],
    pub detail: [u8; 112],
    /// The process was told not to speak of it.
    pub suppressed: Mark,
}

impl Finding {
    /// A leak that was filed and whose descriptors have been closed since.
    pub(super) fn is_retracted(raw: Raw) -> bool {
        let what = raw.u32(offset_of!(layout::Finding, what));
        raw.u64(offset_of!(layout::Finding, count)) == 0 && (what >> 24) as u8 == Resource::LEAK
    }

    pub(super) fn read(raw: Raw) -> Option<Self> {
        if !finding_state::is_whole(raw.u32(offset_of!(layout::Finding, state))) {
            return None;
        }
        let what = raw.u32(offset_of!(layout::Finding, what));
        let count = raw.u64(offset_of!(layout::Finding, count));
        if Self::is_retracted(raw) {
            return None;
        }
        Some(Self {
            kind: Kind::from_code(what as u16)?,
            severity: Severity::from_code((what >> 16 & 0xff) as u16)?,
            // The writer makes the entry ready and counts in two steps.
            count: count.max(1),
            first: raw.u64(offset_of!(layout::Finding, first)),
            last: raw.u64(offset_of!(layout::Finding, last)),
            tid: raw.u64(offset_of!(layout::Finding, tid)) as u32,
            thread: raw.bytes(offset_of!(layout::Finding, thread)),
            resource: Resource::decode(
                (what >> 24) as u8,
                &raw.words(offset_of!(layout::Finding, numbers)),
                &raw.words(offset_of!(layout::Finding, more)),
            ),
            label: Label::from_words(raw.words(offset_of!(layout::Finding, label))),
            parties: core::array::from_fn(|i| {
                let at = offset_of!(layout::Finding, parties) + i * size_of::<Party>();
                party(Raw(raw.slice(at, size_of::<Party>())))
            }),
            detail: raw.bytes(offset_of!(layout::Finding, detail)),
            suppressed: Mark(raw.u64(offset_of!(layout::Finding, suppressed))),
        })
    }

    pub fn report(&self) -> Report<'_> {
        Report {
            kind: self.kind,
            severity: self.severity,
            tid: self.tid,
            thread: self.thread,
            time: self.first,
            resource: self.resource,
            label: self.label,
            parties: self.parties,
            detail: &self.detail,
        }
    }
}

fn party(raw: Raw) -> Involved {
    let who = raw.u64(offset_of!(Party, who));
    Involved {
        role: u16::try_from(who & 0xffff_ffff).ok().and_then(Role::from_code),
        tid: (who >> 32) as u32,
        stack: raw.u64(offset_of!(Party, stack)) as u32,
        thread: raw.bytes(offset_of!(Party, thread)),
    }
}

/// A loaded object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    pub path: Vec<u8>,
    /// Empty when it has none.
    pub build_id: Vec<u8>,
    pub bias: u64,
    pub start: u64,
    pub end: u64,
    pub loaded: u64,
    /// 0 = still loaded.
    pub unloaded: u64,
    /// See [`layout::module_flag`].
    pub flags: u64,
}

impl Module {
    pub(super) fn read(raw: Raw, path: &[u8]) -> Option<Self> {
        if raw.u32(offset_of!(layout::Module, state)) != 1 {
            return None;
        }
        let id: [u8; 32] = raw.bytes(offset_of!(layout::Module, build_id));
        let len = (raw.u32(offset_of!(layout::Module, build_id_len)) as usize).min(id.len());
        Some(Self {
            path: path.to_vec(),
            build_id: id[..len].to_vec(),
            bias: raw.u64(offset_of!(layout::Module, bias)),
            start: raw.u64(offset_of!(layout::Module, start)),
            end: raw.u64(offset_of!(layout::Module, end)),
            loaded: raw.u64(offset_of!(layout::Module, loaded)),
            unloaded: raw.u64(offset_of!(layout::Module, unloaded)),
            flags: raw.u64(offset_of!(layout::Module, flags)),
        })
    }
}

/// A call stack that opened descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    pub stack: u32,
    pub opened: u64,
    pub closed: u64,
    /// CLOCK_MONOTONIC, ns.
    pub first_opened: u64,
    pub last_opened: u64,
}

impl Site {
    pub(super) fn read(raw: Raw) -> Option<Self> {
        let stack = raw.u64(offset_of!(layout::Site, stack)) as u32;
        let site = Self {
            stack,
            opened: raw.u64(offset_of!(layout::Site, opened)),
            closed: raw.u64(offset_of!(layout::Site, closed)),
            first_opened: raw.u64(offset_of!(layout::Site, first_opened)),
            last_opened: raw.u64(offset_of!(layout::Site, last_opened)),
        };
        (stack != 0).then_some(site)
    }

    pub fn open_now(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}

/// How many descriptors were open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// CLOCK_MONOTONIC, ns.
    pub time: u64,
    pub open: u64,
    pub limit: u64,
    /// Index of the site and how many of its descriptors were open, the most first.
    pub sites: Vec<(usize, u32)>,
}

impl Sample {
    pub(super) fn read(raw: Raw) -> Option<Self> {
        let time = raw.u64(offset_of!(layout::Sample, time));
        let places: [u64; layout::SAMPLE_SITES] = raw.words(offset_of!(layout::Sample, sites));
        let sites = places
            .into_iter()
            .filter_map(|word| Some(((word as u32).checked_sub(1)? as usize, (word >> 32) as u32)))
            .collect();
        let (open, limit) = (raw.u64(offset_of!(layout::Sample, open)), raw.u64(offset_of!(layout::Sample, limit)));
        (time != 0).then_some(Self { time, open, limit, sites })
    }
}
