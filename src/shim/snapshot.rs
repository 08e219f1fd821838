//! The picture that a signal asks for: what is open, what was forgotten, written into the recording and told.
//!
//! In slices, because a handler may not hold the program up: each takes a few milliseconds, then a timer of ours raises the
//! signal again, until the look is done. So nothing depends on what the program does meanwhile, and no thread is needed.
//!
//! A handler may interrupt anything. It works only where a hook could: with the guard down, on a stack with room (else it
//! comes again a moment later), by the private allocator and raw system calls. It interrupts a blocking call of the program
//! as every handled signal does; the user who names a signal that the program does not use has asked for that.
//!
//! With `heap=full` one more slice looks for lost blocks; that one takes as long as it takes, see `heap::leaks`.
//!
//! `shim snapshot PID` does the same for descriptors from outside without touching the program.
#![allow(unsafe_code)] // Safety: a signal handler, a timer, and one boxed look that moves from slice to slice.

use crate::descriptors::{Look, open_now};
use crate::heap::{self, leaks};
use crate::private::{self, Use};
use crate::thread::{self, Entry, Scope};
use crate::{locks, message, options, recording, start, sys};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr};
use libc::{c_int, c_void};
use record::findings::retract_leaks;
use record::heap::class;
use record::kind::Kind;
use record::label::Label;
use record::snapshot::{self, Group, Head, Writer, source, taker};
use record::text::Line;
use track::fd::Place;

/// How long a slice may take, and how long the program runs between two of them.
const SLICE_NS: u64 = 4_000_000;
const PAUSE_NS: u64 = 8_000_000;
/// Groups of lost blocks that a snapshot keeps, the gravest first.
const MOST_LOST: usize = 1000;

/// What is left to do, between two slices.
struct Job {
    look: Look,
    /// The look is complete; told.
    looked: bool,
    told: bool,
    /// Blocks of the heap, by who allocated them; nothing before the look, empty where none is made.
    lost: Option<Vec<leaks::Group>>,
}

static JOB: AtomicPtr<Job> = AtomicPtr::new(null_mut());
/// A thread is inside a slice.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// The id of the timer + 1; 0 = none yet.
static TIMER: AtomicI32 = AtomicI32::new(0);

/// In the constructor: installs the handler, unless somebody has one.
pub fn start() {
    let signal = options::SNAPSHOT_SIGNAL.load(Relaxed);
    if signal == 0 {
        return;
    }
    let taken = thread::inside_libc(|| {
        // SAFETY: asks for, and sets, one action; a zeroed sigaction is a valid one.
        unsafe {
            let mut before: libc::sigaction = core::mem::zeroed();
            libc::sigaction(signal, core::ptr::null(), &mut before);
            if before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN {
                return true;
            }
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = handle as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &action, null_mut()) != 0
        }
    });
    if taken {
        let mut buffer = [0; 128];
        let mut line = Line::new(&mut buffer);
        line.text("shim: snapshot_signal=")
            .number(signal as u64)
            .text(": has a handler already; no snapshots by signal\n");
        message::say(line.as_bytes());
    }
}

extern "C" fn handle(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    // What the interrupted code had in registers lies in the signal's frame, above here.
    leaks::from_here(&mut take);
}

#[inline(never)]
fn take(here: &leaks::Here) {
    let errno = sys::errno();
    if !thread::blind() {
        match thread::enter() {
            Entry::Full(mut scope) if scope.state.knows_stack_unasked() && !scope.state.tight() => {
                start::notice_fork();
                slice(&mut scope, here);
            }
            // Inside a hook, or short of stack: in a moment, perhaps in another thread.
            Entry::Full(_) | Entry::Nested(_) => later(),
            Entry::Out => {}
        }
    }
    sys::set_errno(errno);
}

/// One slice of the work. A request that comes while another is served is served with it.
fn slice(scope: &mut Scope, here: &leaks::Here) {
    if RUNNING.swap(true, Acquire) {
        return;
    }
    let waiting = JOB.swap(null_mut(), Acquire);
    // SAFETY: null, or the box that the slice before left; RUNNING makes this thread the only one to take it.
    let job = if waiting.is_null() { None } else { Some(unsafe { Box::from_raw(waiting) }) };
    let job = job.or_else(|| {
        start::materialise();
        Look::begin(usize::MAX).map(|look| Box::new(Job { look, looked: false, told: false, lost: None }))
    });
    let unfinished = match job {
        Some(job) => go_on(scope, here, job),
        // Another look is under way, at the limit: after it.
        None => {
            later();
            None
        }
    };
    if let Some(job) = unfinished {
        JOB.store(Box::into_raw(job), Release);
        later();
    }
    RUNNING.store(false, Release);
}

/// The next step; the job, when there is more to do.
fn go_on(scope: &mut Scope, here: &leaks::Here, mut job: Box<Job>) -> Option<Box<Job>> {
    if !job.looked {
        job.looked = job.look.step(sys::now() + SLICE_NS);
        return Some(job);
    }
    if !job.told {
        job.look.publish(scope);
        retract_leaks(&recording::RECORDING, Kind::FdLeak, job.look.now);
        job.told = true;
        return Some(job);
    }
    if job.lost.is_none() {
        if scope.state.moving.load(Relaxed) != 0 {
            // In the middle of a realloc: what its block leads to would seem lost.
            return Some(job);
        }
        heap::settle();
        job.lost = Some(leaks::look(scope, here, leaks::Occasion::Snapshot).unwrap_or_default());
        return Some(job);
    }
    let lost = job.lost.as_deref().unwrap_or_default();
    let written = if recording::in_file() { write(&job.look, lost) } else { Err(libc::ENOENT) };
    if written == Err(libc::EWOULDBLOCK) {
        // The command is writing one of its own.
        return Some(job);
    }
    tell(&job.look, lost, written);
    locks::waits::tell(scope);
    None
}

fn tell(look: &Look, lost: &[leaks::Group], written: Result<(), i32>) {
    let mut buffer = [0; 320];
    let mut line = Line::new(&mut buffer);
    let groups = look.judged().count() as u64;
    line.text("shim: pid ").number(u64::from(recording::pid())).text(": snapshot: ").number(open_now());
    line.text(" descriptors open, in ").number(groups).text(if groups == 1 { " group" } else { " groups" });
    if heap::level() == heap::Level::Full {
        let definite = lost.iter().filter(|group| group.class == class::DEFINITE);
        let (blocks, bytes) = definite.fold((0, 0), |(blocks, bytes), group| {
            (blocks + group.blocks + group.indirect_blocks, bytes + group.bytes + group.indirect_bytes)
        });
        line.text("; ").number(blocks).text(if blocks == 1 { " block, " } else { " blocks, " });
        line.number(bytes).text(if bytes == 1 { " byte lost" } else { " bytes lost" });
    }
    match written {
        Ok(()) => line.text("; in the recording\n"),
        Err(libc::ENOENT) => line.text("; no recording to keep it in (record=DIR)\n"),
        Err(errno) => line.text("; not kept: ").text(message::error_name(errno)).text("\n"),
    };
    message::say(line.as_bytes());
}

/// The recording as a file to write the tail of.
struct Tail(c_int);

impl snapshot::File for Tail {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<usize, i32> {
        let n = sys::pread(self.0, buffer, at);
        if n < 0 { Err(-n as i32) } else { Ok(n as usize) }
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), i32> {
        let mut done = 0;
        while done < bytes.len() {
            match sys::pwrite(self.0, &bytes[done..], at + done as u64) {
                0 => return Err(libc::ENOSPC),
                n if n < 0 && n != -(libc::EINTR as isize) => return Err(-n as i32),
                n => done += n.max(0) as usize,
            }
        }
        Ok(())
    }
}

fn write(look: &Look, lost: &[leaks::Group]) -> Result<(), i32> {
    let fd = private::get_checked(Use::Record).ok_or(libc::EBADF)?;
    // A write beyond this limit would not only fail: it raises SIGXFSZ, whose default ends the program.
    if sys::file_size_limit() < snapshot::MAX_FILE_LEN {
        return Err(libc::EFBIG);
    }
    let locked = sys::flock(fd, libc::LOCK_EX | libc::LOCK_NB);
    if locked < 0 {
        return Err(-locked as i32);
    }
    let result = append(&Tail(fd), look, lost);
    sys::flock(fd, libc::LOCK_UN);
    result
}

fn append(tail: &Tail, look: &Look, lost: &[leaks::Group]) -> Result<(), i32> {
    let lost = &lost[..lost.len().min(MOST_LOST)];
    let mut writer = Writer::begin(tail, look.judged().count() + lost.len())?;
    for severity in [record::kind::Severity::Error, record::kind::Severity::Suspect, record::kind::Severity::Info] {
        for (group, _) in look.judged().filter(|(_, s)| *s == severity) {
            let site = crate::descriptors::history(group.opener.stack.0);
            writer.add(&Group {
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
                severity,
                fd: group.fd,
                generation: group.generation,
                label: Label::from_words(group.label),
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
            })?;
        }
    }
    for group in lost {
        writer.add_lost(&snapshot::Lost {
            stack: group.allocator.stack.0,
            tid: group.allocator.tid.0,
            class: group.class,
            severity: group.severity.unwrap_or(record::kind::Severity::Info),
            blocks: group.blocks,
            bytes: group.bytes,
            indirect_blocks: group.indirect_blocks,
            indirect_bytes: group.indirect_bytes,
            example: group.example,
        })?;
    }
    writer.finish(&Head {
        time: look.now,
        real: sys::clock(libc::CLOCK_REALTIME),
        by: taker::SIGNAL,
        source: source::SOCKETS,
        pid: sys::getpid(),
        open: open_now(),
        limit: sys::descriptor_limits().soft,
        dropped: look.dropped(),
        ..Head::default()
    })?;
    Ok(())
}

/// Raises the signal again in a moment, in whatever thread takes it.
fn later() {
    let mut timer = TIMER.load(Relaxed) - 1;
    if timer < 0 {
        let Some(made) = sys::make_timer(options::SNAPSHOT_SIGNAL.load(Relaxed)) else { return };
        if TIMER.compare_exchange(0, made + 1, Relaxed, Relaxed).is_err() {
            sys::drop_timer(made);
        }
        timer = TIMER.load(Relaxed) - 1;
    }
    sys::set_timer(timer, PAUSE_NS);
}

/// In a forked child: timers are not inherited, and a look that was under way belongs to the parent.
pub fn after_fork() {
    TIMER.store(0, Relaxed);
    JOB.store(null_mut(), Relaxed);
    RUNNING.store(false, Relaxed);
}
