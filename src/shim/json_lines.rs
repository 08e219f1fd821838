//! `json=PATH` or `json=fd:N`: each new error or suspect as one line of JSON, for log shippers.
//!
//! A finding is a line when it is found; one that came again is a second line, with the count, when the process ends or
//! becomes another. A line goes out in one write(2) of at most 4096 bytes, which a pipe and a file opened with O_APPEND
//! keep whole, whoever else writes there.
//!
//! Where to: a private descriptor, as for messages; the program may close or reuse the number it was started with. A reader that
//! has gone away must not kill the program: SIGPIPE is kept from it, and no more is written.
#![allow(unsafe_code)] // Safety: only a section's name.

use crate::message::{self, error_name};
use crate::private::{self, Use};
use crate::thread::Scope;
use crate::{options, recording, symbols, sys, unwind};
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;
use record::findings::Report;
use record::json;
use record::kind::Severity;
use record::layout::Counter;
use record::recall::{self, recall};
use record::stacks::{Frame, MAX_FRAMES};
use record::text::Line;
use track::fd::FdKind;

/// The count that the last line of each finding told.
#[unsafe(link_section = ".bss.tables")]
static TOLD: [AtomicU64; recall::MOST] = [const { AtomicU64::new(0) }; recall::MOST];

/// PIPE_BUF.
const LONGEST: usize = 4096;
/// Milliseconds to wait for room.
const PATIENCE: u32 = 100;

/// Opens the way out. Again in a forked child when the path depends on the pid.
pub fn open() {
    let to = options::paths().map_or(&b""[..], |p| &p.json[..]);
    if to.is_empty() {
        return;
    }
    let why = match to.strip_prefix(b"fd:") {
        Some(given) => duplicate(given),
        None => create(to),
    };
    if let Err(why) = why {
        let mut buffer = [0; 512];
        let mut line = Line::new(&mut buffer);
        line.text("shim: json=").foreign(&to[to.len().saturating_sub(256)..]).text(": cannot be written to (");
        line.text(why).text("); no lines of JSON\n");
        message::say(line.as_bytes());
    }
}

fn create(path: &[u8]) -> Result<(), &'static str> {
    let expanded = message::expand(path);
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NOFOLLOW;
    // A FIFO without a reader must not make the program wait.
    let fd = sys::open(&expanded, flags | libc::O_NONBLOCK, 0o644);
    if fd < 0 {
        return Err(error_name(-fd as i32));
    }
    if private::adopt(Use::Json, fd as i32, true) { Ok(()) } else { Err("too many open files") }
}

/// `N`, or `N@INODE`: then the number must still be what it was, because in a program that ours has executed it may be
/// another file by now.
fn duplicate(given: &[u8]) -> Result<(), &'static str> {
    let Some((fd, inode)) = options::descriptor(given) else { return Err("expected fd:N") };
    let Some(identity) = sys::identity(fd) else { return Err("not open") };
    if inode.is_some_and(|inode| inode != identity.inode) {
        return Err("another file has the number now");
    }
    if sys::fcntl(fd, libc::F_GETFL, 0) as i32 & libc::O_ACCMODE == libc::O_RDONLY {
        return Err("open for reading only");
    }
    if private::adopt(Use::Json, fd, false) { Ok(()) } else { Err("too many open files") }
}

/// For a child of fork: what it finds is its own.
pub fn after_fork() {
    if private::get(Use::Json).is_some() {
        TOLD.iter().for_each(|told| told.store(0, Relaxed));
    }
    let to = options::paths().map_or(&b""[..], |p| &p.json[..]);
    if !to.starts_with(b"fd:") && to.windows(2).any(|w| w == b"%p") {
        open();
    }
}

/// A finding that was just filed. The scope's text is scratch.
pub fn found(scope: &mut Scope, report: &Report, index: usize) {
    if report.severity == Severity::Info || private::get(Use::Json).is_none() {
        return;
    }
    let count = recall(&recording::RECORDING, index).map_or(1, |r| r.count);
    if let Some(told) = TOLD.get(index) {
        told.store(count, Relaxed);
    }
    write(scope, report, count);
}

/// Findings that came again since they were told.
pub fn repeated(scope: &mut Scope) {
    if private::get(Use::Json).is_none() {
        return;
    }
    for (index, told) in TOLD.iter().enumerate() {
        let before = told.load(Relaxed);
        // Never told: dropped, suppressed or only worth knowing; or its finder is about to tell it.
        if before == 0 {
            continue;
        }
        let Some(finding) = recall(&recording::RECORDING, index) else { continue };
        if finding.count > before && told.compare_exchange(before, finding.count, Relaxed, Relaxed).is_ok() {
            write(scope, &finding.report(), finding.count);
        }
    }
}

fn write(scope: &mut Scope, report: &Report, count: u64) {
    let Some(fd) = private::get_checked(Use::Json) else { return };
    let modules = unwind::modules(scope.state);
    // Half of the thread's text is the line, the other half the path of a module.
    let (text, path) = scope.inner().text.split_at_mut(LONGEST);
    let mut frames = |stack: u32, most: usize, each: &mut dyn FnMut(&json::Frame)| {
        let mut frames = [0; MAX_FRAMES];
        let len = record::stacks::load(&recording::RECORDING, stack, &mut frames).min(most);
        for frame in frames[..len].iter().map(|f| Frame(*f)) {
            let offset = frame.offset().saturating_sub(1);
            let Some(index) = frame.module() else {
                each(&json::Frame { function: None, module: None, offset });
                continue;
            };
            let len = record::modules::path(&recording::RECORDING, index, path);
            let object = modules.and_then(|m| m.by_record(index));
            let function = object.and_then(|o| symbols::find(o, offset)).map(|(name, _)| name);
            each(&json::Frame { function, module: (len > 0).then_some(&path[..len]), offset });
        }
    };
    let mut line = Line::new(text);
    let name = |kind| FdKind::from_bits(kind).name();
    if json::write(report, recording::pid(), count, name, &mut frames, &mut line) {
        send(fd, line.as_bytes());
    } else {
        recording::count(Counter::MessagesLost);
    }
}

/// One write, as a rule; the rest of a line after a part of it when a disk or a socket took no more at once.
fn send(fd: i32, mut rest: &[u8]) {
    let mut tries = 0;
    while !rest.is_empty() {
        // A reader that does not read must not stop the program.
        if !sys::writable(fd, PATIENCE) {
            recording::count(Counter::MessagesLost);
            return;
        }
        match sys::write_without_sigpipe(fd, rest) {
            n if n > 0 => rest = &rest[n as usize..],
            n if (n == -(libc::EAGAIN as isize) || n == -(libc::EINTR as isize)) && tries < 1000 => {
                tries += 1;
                sys::sched_yield();
            }
            n => {
                recording::count(Counter::MessagesLost);
                if n == -(libc::EPIPE as isize) {
                    private::drop_descriptor(Use::Json);
                }
                return;
            }
        }
    }
}
