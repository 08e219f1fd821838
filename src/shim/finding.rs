//! From a verdict to a finding: filed in the recording, and printed the first time.
//!
//! What a hook may not do (format, write) happens here, under the guard, on a path that only misbehaving programs take.

use crate::thread::{self, Entry, Scope, State};
use crate::unwind::Modules;
use crate::{json_lines, message, options, recording, start, suppressions, symbols, sys, unwind};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32};
use record::findings::{Filed, Involved, Report, Resource, file_leak_unless, file_unless, is_told, told};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{Counter, PARTIES};
use record::stacks::{Frame, MAX_FRAMES};
use record::text::Line;
use track::fd::{self, Due, Fault, Party, Slot, Verdict};

/// Distinct findings that are printed in full; after that they are only counted and recorded.
const PRINTED_MOST: u32 = 100;
static PRINTED: AtomicU32 = AtomicU32::new(0);
static ANY: AtomicBool = AtomicBool::new(false);

/// A verdict about a descriptor. `call` is the name of the libc function.
pub fn descriptor(scope: &mut Scope, fd: i32, slot: Option<&Slot>, verdict: &Verdict, call: &str) {
    let kind = match verdict.fault {
        Fault::DoubleClose => Kind::FdDoubleClose,
        Fault::StaleClose => Kind::FdStaleClose,
        Fault::ClosedLibc => Kind::FdClosedLibc,
        Fault::Owner => Kind::FdOwner,
        Fault::UseAfterClose => Kind::FdUseAfterClose,
        Fault::BadFd => Kind::FdBadFd,
    };
    let severity = match verdict.severity {
        fd::Severity::Error => Severity::Error,
        fd::Severity::Suspect => Severity::Suspect,
        fd::Severity::Info => Severity::Info,
    };
    // The generation that the verdict is about may be the current one or the one before.
    let facts = slot.map(Slot::snapshot).and_then(|s| {
        if s.generation == verdict.generation {
            s.current
        } else {
            s.previous.filter(|_| s.generation == verdict.generation.wrapping_add(1))
        }
    });
    let me = scope.state.tid.load(Relaxed);
    let mut parties = [Involved::default(); PARTIES];
    parties[0] = involved(Role::Here, verdict.here);
    parties[1] = involved(Role::Closed, verdict.closed);
    parties[2] = involved(Role::Opened, verdict.opened);
    parties[3] = involved(Role::Victim, verdict.victim);
    let report = Report {
        kind,
        severity,
        tid: if verdict.here == Party::default() { me } else { verdict.here.tid.0 },
        thread: name_of(if verdict.here == Party::default() { me } else { verdict.here.tid.0 }),
        time: sys::now(),
        resource: Resource::Descriptor {
            fd,
            kind: facts.map_or(0, |f| f.meta.kind as u8),
            owner_kind: verdict.owner.kind as u8,
            owner: verdict.owner.addr,
            generation: verdict.generation,
        },
        label: facts.map_or(Label::NONE, |f| Label::from_words(f.label)),
        parties,
        detail: call.as_bytes(),
    };
    publish(scope, &report);
}

/// A party of a finding; none when it is absent.
pub fn involved(role: Role, party: Party) -> Involved {
    Involved {
        role: (party != Party::default()).then_some(role),
        tid: party.tid.0,
        stack: party.stack.0,
        thread: name_of(party.tid.0),
    }
}

/// The name of a thread by its id: live ones first, because ids are reused.
pub fn name_of(tid: u32) -> [u8; 16] {
    let mut ended = None;
    for state in thread::registry().filter(|s| s.tid.load(Relaxed) == tid) {
        if state.is_live() {
            return state.name();
        }
        ended = Some(state);
    }
    ended.map_or([0; 16], State::name)
}

/// Files a report, prints it when it is new and worth it, and ends the program when the mode says so. A suppressed one is
/// only filed.
pub fn publish(scope: &mut Scope, report: &Report) {
    start::materialise();
    let (filed, mark) = file_unless(&recording::RECORDING, report, || suppressions::decide(scope, report));
    if !mark.is_none() {
        return;
    }
    pass_on(scope, report, filed);
    if let Filed::Repeated(index) = filed {
        // What happens next may end the process: the first finder's text shall be out by then.
        let mut patience = 2000;
        while patience > 0 && !is_told(&recording::RECORDING, index) {
            sys::sched_yield();
            patience -= 1;
        }
    }
    if mode_of(report.kind) == options::Mode::Abort && report.severity == Severity::Error {
        message::say(b"shim: the first error ends the program (abort)\n");
        sys::die_of_abort();
    }
}

/// The mode of a kind's family.
fn mode_of(kind: Kind) -> options::Mode {
    match kind as u16 >> 8 {
        2 => options::heap_mode(),
        3 => options::keys_mode(),
        4 => options::locks_mode(),
        _ => options::fd_mode(),
    }
}

/// Files a leak, whose count is the number of descriptors at this moment, and prints it when it is new and worth it, and
/// not suppressed. Does not end the program: nothing has gone wrong yet.
pub fn publish_leak(scope: &mut Scope, report: &Report) {
    start::materialise();
    let (filed, mark) = file_leak_unless(&recording::RECORDING, report, || suppressions::decide(scope, report));
    if mark.is_none() {
        pass_on(scope, report, filed);
    }
}

/// Tells what was filed and not suppressed, when it is new.
fn pass_on(scope: &mut Scope, report: &Report, filed: Filed) {
    if report.severity != Severity::Info {
        ANY.store(true, Relaxed);
    }
    match filed {
        Filed::New(index) => {
            tell(scope, report);
            json_lines::found(scope, report, index);
            told(&recording::RECORDING, index);
        }
        Filed::Dropped => tell(scope, report),
        Filed::Repeated(_) => {}
    }
}

/// Prints a new finding that is worth it.
fn tell(scope: &mut Scope, report: &Report) {
    if report.severity == Severity::Info {
        return;
    }
    let printed = PRINTED.fetch_add(1, Relaxed);
    if printed < PRINTED_MOST {
        print(scope, report);
    } else if printed == PRINTED_MOST {
        message::say(b"shim: 100 different findings were printed; further ones are only counted and recorded\n");
    }
}

fn print(scope: &mut Scope, report: &Report) {
    let state = scope.state;
    let modules = unwind::modules(state);
    let mut line = Line::new(&mut scope.inner().text[..]);
    line.text("shim: ");
    record::sentence::write(report, kind_name, &mut line);
    line.text("\n");
    for thing in report.resource.things().iter().filter(|thing| thing.place != 0) {
        let mut frames = [0; MAX_FRAMES];
        if record::stacks::load(&recording::RECORDING, thing.place, &mut frames) > 0 {
            line.text("shim:   ").text(thing.words).text(": ");
            write_frame(Frame(frames[0]), modules, &mut line);
            line.text("\n");
        }
    }
    for party in &report.parties {
        let Some(role) = party.role else { continue };
        line.text("shim:   ").text(role.name()).text("\n");
        let mut frames = [0; MAX_FRAMES];
        let len = record::stacks::load(&recording::RECORDING, party.stack, &mut frames);
        if len == 0 {
            line.text("shim:     (no stack)\n");
        }
        for (i, frame) in frames[..len].iter().enumerate() {
            // One write takes a whole finding: what does not fit is the outer end of long stacks.
            if line.room() < 512 {
                line.text("shim:     …\n");
                break;
            }
            line.text("shim:     #").number(i as u64).text(" ");
            write_frame(Frame(*frame), modules, &mut line);
            line.text("\n");
        }
        if line.room() < 600 {
            break;
        }
    }
    message::say(line.as_bytes());
}

fn kind_name(kind: u8) -> &'static str {
    fd::FdKind::from_bits(kind).name()
}

/// `name+0x12 (path+0xoffset)`. The address of the call, not of the return: what addr2line wants.
pub fn write_frame(frame: Frame, modules: Option<&Modules>, line: &mut Line) {
    let offset = frame.offset().saturating_sub(1);
    let Some(index) = frame.module() else {
        line.hex(offset);
        return;
    };
    if let Some((name, distance)) = modules.and_then(|m| m.by_record(index)).and_then(|o| symbols::find(o, offset)) {
        line.foreign(name).text("+").hex(distance).text(" ");
    }
    let mut path = [0; 256];
    let len = record::modules::path(&recording::RECORDING, index, &mut path);
    line.text("(").foreign(&path[..len]).text("+").hex(offset).text(")");
}

/// Reports what the sweep filter held back: the run of closes has ended without becoming a sweep.
#[inline(always)]
pub fn flush_held(scope: &mut Scope) {
    if !scope.inner().held.is_empty() {
        flush_all(scope);
    }
}

/// The same where the thread opens something: between two closes of a loop it may.
#[inline(always)]
pub fn flush_before_open(scope: &mut Scope) {
    let inner = scope.inner();
    if !inner.held.is_empty() && !inner.sweep.is_in_loop() {
        flush_all(scope);
    }
}

#[cold]
fn flush_all(scope: &mut Scope) {
    held_due(scope, Due::All);
}

/// Reports those that are due.
#[cold]
pub fn held_due(scope: &mut Scope, due: Due) {
    loop {
        let held = &mut scope.inner().held;
        let next = match due {
            Due::None => None,
            Due::All => held.pop(),
            Due::BeforeMark => held.pop_before_mark(),
            Due::SinceMark => held.pop_since_mark(),
        };
        let Some((fd, verdict)) = next else { return };
        descriptor(scope, fd, crate::descriptors::slot(fd), &verdict, "close");
    }
}

/// At exit: one line when there was something.
pub fn summary() {
    if !recording::ready() || !ANY.load(Relaxed) {
        return;
    }
    let header = record::store::Store::header(&recording::RECORDING);
    let get = |c: Counter| header.counters[c as usize].load(Relaxed);
    let mut buffer = [0; 256];
    let mut line = Line::new(&mut buffer);
    line.text("shim: pid ").number(u64::from(recording::pid())).text(": ");
    // What was told, repetitions included; information is for the report.
    counted(&mut line, get(Counter::Errors), "error").text(", ");
    counted(&mut line, get(Counter::Suspects), "suspect");
    for (counter, one) in [
        (Counter::Refused, "close refused"),
        (Counter::FreesRefused, "free refused"),
        (Counter::KeysRefused, "call on a key refused"),
        (Counter::Suppressed, "event suppressed"),
        (Counter::FindingsDropped, "finding dropped"),
        (Counter::StacksDropped, "stack dropped"),
        (Counter::MessagesLost, "message lost"),
        (Counter::ChunksRefused, "chunk of the recording refused"),
    ] {
        if get(counter) > 0 {
            counted(line.text("; "), get(counter), one);
        }
    }
    line.text("\n");
    message::say(line.as_bytes());
}

/// `1 error`, `2 errors`, `2 closes refused`: the plural is on the first word.
fn counted<'l, 'b>(line: &'l mut Line<'b>, count: u64, one: &str) -> &'l mut Line<'b> {
    let (noun, rest) = one.split_at(one.find(' ').unwrap_or(one.len()));
    line.number(count).text(" ").text(noun).text(if count == 1 { "" } else { "s" }).text(rest)
}

/// For a child of fork: its findings are its own.
pub fn after_fork() {
    ANY.store(false, Relaxed);
    PRINTED.store(0, Relaxed);
}

/// Were there errors?
pub fn errors() -> bool {
    recording::ready()
        && record::store::Store::header(&recording::RECORDING).counters[Counter::Errors as usize].load(Relaxed) > 0
}

/// Runs `f` with the guard up, when that is possible.
pub fn guarded(f: impl FnOnce(&mut Scope)) {
    if let Entry::Full(mut scope) = thread::enter() {
        f(&mut scope);
    }
}
