//! The lives of descriptor numbers: who opened each, who closed it, and which closes were wrong.
//!
//! Three sources, the best first: the descriptor table, which remembers the last four lives of each number; the rings of
//! the threads, which remember the last events and so older lives; the findings, which say what went wrong and when.

use super::process::Stacks;
use crate::escape::bytes;
use crate::fd_kind;
use crate::recordings::Loaded;
use record::findings::Resource;
use record::kind::{Kind, Role};
use record::label::Label;
use record::layout::Op;
use record::reader::{Event, Finding, Head};
use record::text::{Line, until_nul};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use track::fd::{CloseStanding, Facts, Party, SLOT_WORDS, State, Stored};

/// Rows of a process: those that findings are about, then the busiest.
const ROWS: usize = 64;
/// Lives in a row: the last ones, and those that findings are about.
const LIVES: usize = 64;

/// What a finding says of a descriptor number.
pub struct Incident {
    finding: usize,
    fd: i32,
    generation: u32,
    kind: Kind,
    first: u64,
    last: u64,
    count: u64,
    here: Option<Actor>,
    victim: Option<Actor>,
}

/// Thread and name. Stacks are in the finding.
type Actor = (u32, [u8; 16]);

impl Incident {
    pub fn of(index: usize, finding: &Finding) -> Option<Self> {
        let (fd, generation) = match finding.resource {
            Resource::Descriptor { fd, generation, .. } => (fd, generation),
            Resource::Leak(leak) => (leak.fd, leak.generation),
            _ => return None,
        };
        let party = |role| finding.parties.iter().find(|p| p.role == Some(role)).map(|p| (p.tid, p.thread));
        (fd >= 0).then_some(Self {
            finding: index,
            fd,
            generation,
            kind: finding.kind,
            first: finding.first,
            last: finding.last,
            count: finding.count,
            here: party(Role::Here),
            victim: party(Role::Victim),
        })
    }
}

/// One descriptor number.
#[derive(Serialize)]
pub struct Row {
    fd: i32,
    /// How many lives it has had.
    generation: u32,
    lives: Vec<Life>,
    marks: Vec<Mark>,
}

#[derive(Serialize)]
struct Life {
    generation: u32,
    from: u64,
    /// None: still open, or nobody saw its end.
    to: Option<u64>,
    kind: &'static str,
    label: String,
    opener: Who,
    closer: Option<Who>,
    standing: &'static str,
}

#[derive(Clone, Serialize)]
struct Who {
    tid: u32,
    thread: String,
    stack: usize,
}

/// Something that went wrong.
#[derive(Serialize)]
struct Mark {
    at: u64,
    /// `offender`, `victim` or `use`.
    what: &'static str,
    text: &'static str,
    who: Option<Who>,
    finding: Option<usize>,
}

pub struct Lines {
    pub rows: Vec<Row>,
    /// Numbers that were in use and have no row.
    pub more: usize,
    /// The last moment that was seen.
    pub last: u64,
}

pub fn lines(recording: &Loaded, head: &Head, incidents: &[Incident], stacks: &mut Stacks) -> Lines {
    let threads: HashMap<u32, Vec<u8>> = recording.threads().map(|t| (t.tid, until_nul(&t.name).to_vec())).collect();
    let mut people = People { threads, stacks };
    let mut stored: BTreeMap<i32, Stored> = BTreeMap::new();
    for (fd, bytes) in recording.descriptors() {
        let words: [u64; SLOT_WORDS] = core::array::from_fn(|i| {
            bytes.get(i * 8..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_ne_bytes(*word))
        });
        let slot = Stored::read(&words);
        if slot.generation > 0 {
            stored.insert(fd as i32, slot);
        }
    }
    let mut events: BTreeMap<i32, Vec<(Event, u32)>> = BTreeMap::new();
    let mut last = 0;
    for thread in recording.threads() {
        for event in thread.events {
            last = last.max(event.time);
            if matches!(event.op, Op::Open | Op::Receive | Op::Close | Op::BadUse | Op::Refused) {
                events.entry(event.fd).or_default().push((event, thread.tid));
            }
        }
    }
    let mut chosen: BTreeSet<i32> = incidents.iter().map(|i| i.fd).take(ROWS).collect();
    let mut busiest: Vec<(i32, u32)> = stored.iter().map(|(fd, slot)| (*fd, slot.generation)).collect();
    busiest.sort_by_key(|(fd, lives)| (Reverse(*lives), *fd));
    for (fd, _) in &busiest {
        if chosen.len() >= ROWS {
            break;
        }
        chosen.insert(*fd);
    }
    let more = busiest.iter().filter(|(fd, _)| !chosen.contains(fd)).count();
    let mut rows = Vec::new();
    for fd in chosen {
        let slot = stored.get(&fd).copied().unwrap_or_default();
        let mut of_row = events.remove(&fd).unwrap_or_default();
        of_row.sort_by_key(|(event, _)| event.time);
        let lives = lives(&slot, &of_row);
        let marks = marks(&lives, &of_row, incidents.iter().filter(|i| i.fd == fd), head, &mut people);
        last = lives.iter().map(|l| l.1.opened_at.max(l.1.closed_at)).max().unwrap_or(0).max(last);
        let since = |at: u64| at.saturating_sub(head.started);
        let skipped = lives.len().saturating_sub(LIVES);
        let near = |generation: u32| {
            let mut of_row = incidents.iter().filter(|i| i.fd == fd).take(LIVES);
            of_row.any(|i| i.generation.abs_diff(generation) <= 1)
        };
        let shown = lives.iter().enumerate().filter(|(i, (generation, _))| *i >= skipped || near(*generation));
        let lives = shown.map(|(_, (generation, facts))| {
            let open = facts.closer.is_absent() && *generation == slot.generation && slot.state == State::Open;
            let closed = if open { 0 } else { facts.closed_at };
            Life {
                generation: *generation,
                from: since(facts.opened_at),
                to: (closed != 0).then(|| since(closed)),
                kind: fd_kind::name(facts.meta.kind as u8),
                label: label(facts),
                opener: people.party(facts.opener),
                closer: (!facts.closer.is_absent()).then(|| people.party(facts.closer)),
                standing: standing(facts.meta.standing),
            }
        });
        let lives = lives.collect();
        rows.push(Row { fd, generation: slot.generation, lives, marks });
    }
    Lines { rows, more, last: last.saturating_sub(head.started) }
}

/// Threads by name, stacks by index.
struct People<'a, 'b> {
    threads: HashMap<u32, Vec<u8>>,
    stacks: &'a mut Stacks<'b>,
}

impl People<'_, '_> {
    fn who(&mut self, tid: u32, stack: u32) -> Who {
        let thread = self.threads.get(&tid).map(|name| bytes(name)).unwrap_or_default();
        Who { tid, thread, stack: self.stacks.index(stack) }
    }

    fn party(&mut self, party: Party) -> Who {
        self.who(party.tid.0, party.stack.0)
    }
}

/// From the table, and older ones from the rings.
fn lives(slot: &Stored, events: &[(Event, u32)]) -> Vec<(u32, Facts)> {
    let mut lives: BTreeMap<u32, Facts> = slot.lives.iter().flatten().copied().collect();
    let remembered: BTreeSet<u32> = lives.keys().copied().collect();
    for (event, tid) in events.iter().filter(|(event, _)| event.errno == 0) {
        let generation = event.detail as u32;
        if generation == 0 || remembered.contains(&generation) {
            continue;
        }
        let party = Party { tid: track::fd::Tid(*tid), stack: track::fd::StackId(event.stack) };
        match event.op {
            Op::Open | Op::Receive => {
                let life = lives.entry(generation).or_default();
                (life.opened_at, life.opener) = (event.time, party);
            }
            Op::Close => {
                let life = lives.entry(generation).or_default();
                (life.closed_at, life.closer) = (event.time, party);
            }
            _ => {}
        }
    }
    lives.into_iter().filter(|(_, facts)| facts.exists()).collect()
}

fn marks<'a>(
    lives: &[(u32, Facts)],
    events: &[(Event, u32)],
    incidents: impl Iterator<Item = &'a Incident>,
    head: &Head,
    people: &mut People,
) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    let since = |at: u64| at.saturating_sub(head.started);
    for incident in incidents {
        let who = |actor: Option<Actor>, people: &mut People| {
            actor.map(|(tid, thread)| Who { tid, thread: bytes(until_nul(&thread)), stack: people.stacks.index(0) })
        };
        let life = lives.iter().find(|(generation, _)| *generation == incident.generation).map(|(_, facts)| facts);
        let close = life.filter(|facts| !facts.closer.is_absent()).map(|facts| (facts.closed_at, facts.closer));
        let mut mark = |at, what, text, who| {
            marks.push(Mark { at: since(at), what, text, who, finding: Some(incident.finding) });
        };
        match incident.kind {
            Kind::FdStaleClose | Kind::FdClosedLibc | Kind::FdOwner => {
                let text = match incident.kind {
                    Kind::FdStaleClose => "closed what was no longer its own",
                    Kind::FdClosedLibc => "closed what the C library owns",
                    _ => "closed behind the back of its owner",
                };
                match close {
                    Some((at, closer)) => mark(at, "offender", text, Some(people.party(closer))),
                    None => mark(incident.first, "offender", text, who(incident.here, people)),
                }
                if incident.victim.is_some() {
                    mark(
                        incident.first,
                        "victim",
                        "noticed that its descriptor was gone",
                        who(incident.victim, people),
                    );
                }
            }
            Kind::FdDoubleClose => {
                mark(incident.first, "offender", "closed it again", who(incident.here, people));
            }
            Kind::FdUseAfterClose => mark(incident.first, "use", "used it after its close", who(incident.here, people)),
            Kind::FdBadFd => mark(incident.first, "use", "used a number that is not open", who(incident.here, people)),
            _ => {}
        }
        if incident.count > 1 && incident.last > incident.first && !matches!(incident.kind, Kind::FdLeak) {
            let what = if incident.kind == Kind::FdUseAfterClose || incident.kind == Kind::FdBadFd {
                "use"
            } else {
                "offender"
            };
            mark(incident.last, what, "the same again, for the last time", None);
        }
    }
    for (_, facts) in lives {
        let (what, text) = match facts.meta.standing {
            CloseStanding::Stale | CloseStanding::Pending => {
                ("offender", "closed by a thread that had closed its own before")
            }
            CloseStanding::NotOwner => ("offender", "closed behind the back of its owner"),
            CloseStanding::Victim => ("victim", "closed by the thread whose descriptor had been taken away"),
            _ => continue,
        };
        let at = since(facts.closed_at);
        if facts.closed_at != 0 && !marks.iter().any(|m| m.at == at) {
            // What only looks stale is no fault until a victim complains.
            if facts.meta.standing == CloseStanding::Pending && marks.is_empty() {
                continue;
            }
            marks.push(Mark { at, what, text, who: Some(people.party(facts.closer)), finding: None });
        }
    }
    for (event, tid) in events {
        let (what, text) = match event.op {
            Op::BadUse => ("use", "a call failed with EBADF"),
            Op::Refused => ("offender", "a close was refused"),
            _ => continue,
        };
        let at = since(event.time);
        if !marks.iter().any(|m| m.at.abs_diff(at) < 50_000) {
            marks.push(Mark { at, what, text, who: Some(people.who(*tid, event.stack)), finding: None });
        }
    }
    marks.sort_by_key(|m| m.at);
    marks
}

fn standing(standing: CloseStanding) -> &'static str {
    match standing {
        CloseStanding::None => "",
        CloseStanding::Holder => "by a thread that used it",
        CloseStanding::HandOff => "by a thread to which it was handed",
        CloseStanding::Pending => "by a thread that never used it",
        CloseStanding::Stale => "stale",
        CloseStanding::Victim => "by the victim",
        CloseStanding::NotOwner => "not by its owner",
    }
}

/// What is behind it, as the sentences show it.
fn label(facts: &Facts) -> String {
    let label = Label::from_words(facts.label);
    let mut buffer = [0; 256];
    let mut line = Line::new(&mut buffer);
    if label.name().is_some() {
        label.write_name(&mut line);
    } else if label.write_local(&mut line) {
        let mark = line.as_bytes().len();
        line.text(" → ");
        if !label.write_peer(&mut line) {
            line.truncate(mark);
        }
    } else {
        label.write_peer(&mut line);
    }
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}
