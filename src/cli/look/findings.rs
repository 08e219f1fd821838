//! Groups as findings of kind `fd.leak`, worded and shown like those that the process files itself.

use super::Judged;
use crate::merge::{Merged, Process, Sites, Stack, program};
use crate::recordings::Loaded;
use record::call::Call;
use record::findings::{Involved, Leak, Resource};
use record::kind::{Kind, Role};
use record::layout::PARTIES;
use record::reader::{Finding, Head, Thread};
use record::snapshot;
use record::stacks::Frame;
use record::suppressions::Mark;
use std::fs;
use track::fd::Place;
use track::fd::leak::SiteHistory;

/// What findings need of a recording besides its stacks: its threads and modules, read once.
pub struct Context<'a> {
    recording: &'a Loaded,
    threads: Vec<Thread>,
    modules: Vec<(usize, record::reader::Module)>,
    /// The process, when it lives.
    pid: Option<u32>,
}

/// A finding. `here` is the one frame of the last operation, where only the return address is known.
pub struct Told {
    pub finding: Finding,
    pub here: Option<Frame>,
}

impl<'a> Context<'a> {
    pub fn new(recording: &'a Loaded, pid: Option<u32>) -> Self {
        Self { recording, threads: recording.threads().collect(), modules: recording.modules().collect(), pid }
    }

    /// The name that the thread has now; the recording knows the one that it had when a finding asked for it last.
    fn name(&self, thread: &Thread) -> [u8; 16] {
        let mut name = thread.name;
        if let Some(pid) = self.pid.filter(|_| thread.live)
            && let Ok(comm) = fs::read(format!("/proc/{pid}/task/{}/comm", thread.tid))
        {
            // Fifteen bytes and a newline, which may be part of the name as well.
            let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
            name = std::array::from_fn(|i| comm.get(i).copied().unwrap_or(0));
        }
        name
    }

    /// The frame of a return address, as things were loaded at that time.
    pub fn frame(&self, address: u64, time: u64) -> Frame {
        let holds = |m: &&(usize, record::reader::Module)| {
            (m.1.start..m.1.end).contains(&address) && (m.1.unloaded == 0 || m.1.unloaded > time)
        };
        // Of several, one after the other at the same addresses, the last that was there by then.
        let found = self.modules.iter().filter(holds).max_by_key(|m| (m.1.loaded <= time, m.1.loaded));
        match found {
            Some((index, module)) => Frame::in_module(*index, address.wrapping_sub(module.bias)),
            None => Frame::bare(address),
        }
    }

    /// The group as a finding, as it was at `as_of`.
    pub fn finding(&self, judged: &Judged, as_of: u64) -> Told {
        let group = &judged.group;
        let (stack, here) = match group.last.place {
            Place::Stack(stack) => (stack.0, None),
            Place::Address(address) => (0, Some(self.frame(address, group.last_used))),
            Place::Unknown => (0, None),
        };
        let actor = usize::from(group.last.thread).checked_sub(1);
        let actor = actor.and_then(|index| self.threads.iter().find(|t| t.index == index));
        let opener = group.opener.tid.0;
        let name = self.threads.iter().find(|t| t.tid == opener).map_or([0; 16], |t| self.name(t));
        let mut parties = [Involved::default(); PARTIES];
        if stack != 0 || here.is_some() {
            let (tid, thread) = actor.map_or((0, [0; 16]), |t| (t.tid, self.name(t)));
            parties[0] = Involved { role: Some(Role::Here), tid, stack, thread };
        }
        let opened = Some(Role::Opened);
        parties[1] = Involved { role: opened, tid: opener, stack: group.opener.stack.0, thread: name };
        let leak = Leak {
            fd: group.fd,
            kind: group.kind as u8,
            owner_kind: group.owner as u8,
            generation: group.generation,
            call: group.last.call,
            ending: group.last.ending as u8,
            errno: group.last.errno,
            blocking: group.blocking,
            count: u32::try_from(group.count).unwrap_or(u32::MAX),
            oldest: group.oldest,
            as_of,
            newest_ago: u32::try_from(as_of.saturating_sub(group.newest) / 1_000_000).unwrap_or(u32::MAX),
            unread: group.unread,
            tcp: group.tcp,
            unended: false,
        };
        let mut detail = [0; 112];
        let call = Call::from_code(u16::from(leak.call)).map_or("", Call::name);
        detail[..call.len()].copy_from_slice(call.as_bytes());
        let finding = Finding {
            kind: Kind::FdLeak,
            severity: judged.severity,
            count: group.count,
            first: group.oldest,
            last: group.last_used.max(group.newest),
            tid: opener,
            thread: name,
            resource: Resource::Leak(leak),
            label: judged.label,
            parties,
            detail,
            suppressed: Mark::NONE,
        };
        Told { finding, here }
    }

    /// Was this told already by a finding of the process?
    pub fn is_same(&self, told: &Told, other: &Finding) -> bool {
        let (Resource::Leak(a), Resource::Leak(b)) = (&told.finding.resource, &other.resource) else { return false };
        let way = |l: &Leak| (l.kind, l.call, l.ending, l.errno);
        let stack = |finding: &Finding, role| finding.report().party(role).map_or(0, |p| p.stack);
        way(a) == way(b)
            && stack(&told.finding, Role::Opened) == stack(other, Role::Opened)
            && match told.here {
                // Of a bare address the process has made a stack of one frame.
                Some(frame) => self.recording.stack(stack(other, Role::Here)) == [frame],
                None => stack(&told.finding, Role::Here) == stack(other, Role::Here),
            }
    }
}

impl Told {
    /// The stacks of its parties.
    pub fn stacks(&self, sites: &mut Sites) -> Vec<Stack> {
        let mut stack = |p: &Involved| {
            let role = p.role?;
            let frames = match self.here.filter(|_| role == Role::Here) {
                Some(frame) => vec![sites.frame(frame)],
                None => sites.stack(p.stack),
            };
            Some(Stack { role, tid: p.tid, thread: p.thread, frames })
        };
        self.finding.parties.iter().filter_map(&mut stack).collect()
    }

    /// As `shim report` shows one of a single process.
    pub fn merged(self, head: &Head, sites: &mut Sites) -> Merged {
        let stacks = self.stacks(sites);
        merged(self.finding, stacks, head)
    }
}

/// A finding of one process, as `shim report` shows it.
pub fn merged(finding: Finding, stacks: Vec<Stack>, head: &Head) -> Merged {
    let processes = vec![Process { pid: head.pid, program: program(head).to_vec(), file: 0 }];
    Merged {
        count: finding.count,
        first: finding.first,
        finding,
        stacks,
        things: Vec::new(),
        processes,
        ranks: head.rank.into_iter().collect(),
        more_processes: 0,
    }
}

/// The group as a snapshot keeps it.
pub fn kept(judged: &Judged) -> snapshot::Group {
    let Judged { group, site, severity, label } = judged;
    snapshot::Group {
        stack: group.opener.stack.0,
        opener: group.opener.tid.0,
        call: group.last.call,
        ending: group.last.ending as u8,
        errno: group.last.errno,
        thread: group.last.thread,
        place: match group.last.place {
            Place::Unknown => snapshot::Place::Unknown,
            Place::Stack(stack) => snapshot::Place::Stack(stack.0),
            Place::Address(address) => snapshot::Place::Address(address),
        },
        blocking: group.blocking,
        same_label: group.same_label,
        kind: group.kind as u8,
        owner: group.owner as u8,
        severity: *severity,
        fd: group.fd,
        generation: group.generation,
        label: *label,
        count: group.count,
        idle: group.idle,
        oldest: group.oldest,
        newest: group.newest,
        last_used: group.last_used,
        unread: group.unread,
        tcp: group.tcp,
        opened: site.opened,
        closed: site.closed,
        last_opened: site.last_opened,
    }
}

/// A group of a snapshot, as it was judged then. The other way of [`kept`].
pub fn judged(kept: &snapshot::Group) -> Judged {
    use track::fd::{Ending, FdKind, Last, Party, StackId, Tid};
    let ending = match kept.ending {
        1 => Ending::End,
        2 => Ending::Again,
        3 => Ending::Failed,
        _ => Ending::Done,
    };
    let place = match kept.place {
        snapshot::Place::Unknown => Place::Unknown,
        snapshot::Place::Stack(stack) => Place::Stack(StackId(stack)),
        snapshot::Place::Address(address) => Place::Address(address),
    };
    let group = track::fd::leak::Group {
        fd: kept.fd,
        generation: kept.generation,
        opener: Party { tid: Tid(kept.opener), stack: StackId(kept.stack) },
        kind: FdKind::from_bits(kept.kind),
        owner: track::fd::Owner::unpack(u64::from(kept.owner) << 56 | 1).kind,
        last: Last { call: kept.call, ending, errno: kept.errno, thread: kept.thread, place },
        blocking: kept.blocking,
        label: kept.label.words(),
        same_label: kept.same_label,
        count: kept.count,
        idle: kept.idle,
        oldest: kept.oldest,
        newest: kept.newest,
        last_used: kept.last_used,
        unread: kept.unread,
        tcp: kept.tcp,
        // What it was judged by and is not kept.
        ..track::fd::leak::Group::default()
    };
    let site = SiteHistory { opened: kept.opened, closed: kept.closed, last_opened: kept.last_opened };
    Judged { group, site, severity: kept.severity, label: kept.label }
}
