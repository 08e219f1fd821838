//! Seccomp: what a filter would make of our own system calls is found out before they are made.
//!
//! Why: a hook makes calls that the program itself does not (what kind of socket is this? whose thread am I?). A filter that does not
//! know them may end the program (SECCOMP_RET_KILL, or SECCOMP_RET_TRAP with a handler that does: Chromium's). So the filters that
//! the program installs are copied, and each of our own calls is put to them first. One that would not pass is not made: to the
//! caller it failed with EPERM, which every caller can live with.
//!
//! ```text
//! prctl(PR_SET_SECCOMP, …), syscall(SYS_seccomp, …)  ──► installing(): copy, then the real call; taken back when that fails
//! sys::call  ──► FILTERED? ──► allows(number, arguments): every copy is asked, as the kernel does
//! ```
//!
//! A filter is a thread's, and its later children's; here it counts for the whole process, which costs questions unasked and harms
//! nobody. One that was inherited cannot be read. Docker's and Flatpak's answer with errors; systemd's, as services use it
//! (`SystemCallFilter=@system-service`), ends the process, and has all that we use but perf_event_open: that is not called then.
//! An address that an installer gives is only read where it is readable.
#![allow(unsafe_code)] // Safety: the program's filter is copied after a look whether it can be read.

use crate::{finding, spin::Spin, sys};
use core::slice;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
use libc::{c_int, c_long};
use track::seccomp::{ARCHITECTURE, Call, Instruction, LONGEST, evaluate, passes};

/// Is there any? Asked before each of our own calls.
pub static FILTERED: AtomicBool = AtomicBool::new(false);
/// Only read, write and the end are left (SECCOMP_MODE_STRICT), or a filter could not be copied.
static CLOSED: AtomicBool = AtomicBool::new(false);
static INHERITED: AtomicBool = AtomicBool::new(false);

const MOST: usize = 32;

struct Copied {
    program: AtomicPtr<Instruction>,
    len: AtomicUsize,
}

/// Filled from the begin; the kernel takes none back, so neither do we, but those that it refused.
static FILTERS: [Copied; MOST] =
    [const { Copied { program: AtomicPtr::new(core::ptr::null_mut()), len: AtomicUsize::new(0) } }; MOST];
static INSTALLING: Spin = Spin::new();

/// At start: is there a filter of whoever started us?
pub fn start() {
    if sys::in_sandbox() {
        INHERITED.store(true, Relaxed);
        FILTERED.store(true, Release);
    }
}

/// Would this call of ours pass? Async-signal-safe, no lock.
#[cold]
pub fn allows(number: c_long, arguments: &[usize; 6]) -> bool {
    if CLOSED.load(Relaxed) {
        return matches!(number, libc::SYS_write | libc::SYS_read);
    }
    if INHERITED.load(Relaxed) && number == libc::SYS_perf_event_open {
        return false;
    }
    let call = Call {
        number: number as u32,
        architecture: ARCHITECTURE,
        instruction_pointer: allows as *const () as u64,
        arguments: arguments.map(|argument| argument as u64),
    };
    FILTERS.iter().all(|filter| {
        let len = filter.len.load(Acquire);
        // SAFETY: `keep` has written so many there before it said so; they are never unmapped.
        len == 0 || passes(evaluate(unsafe { slice::from_raw_parts(filter.program.load(Relaxed), len) }, &call))
    })
}

/// A call that may lock the program in: `call` is the real one, and how it fails is the kernel's affair.
pub fn installing(wanted: Option<Wanted>, call: impl FnOnce() -> c_long) -> c_long {
    // A blind child's filter is its own affair: it makes no calls of ours.
    let Some(wanted) = wanted.filter(|_| !crate::thread::blind()) else { return call() };
    let before = (CLOSED.load(Relaxed), FILTERED.load(Relaxed));
    let mut kept = None;
    let mut looked = false;
    finding::guarded(|_| {
        looked = true;
        let _held = INSTALLING.hold();
        match wanted {
            Wanted::Strict => CLOSED.store(true, Relaxed),
            Wanted::Filter(program) => match keep(program) {
                Ok(index) => kept = Some(index),
                Err(Unreadable::ByUs) => CLOSED.store(true, Relaxed),
                Err(Unreadable::ByAnybody) => {}
            },
        }
    });
    if !looked {
        // In a signal handler that interrupted a hook.
        CLOSED.store(true, Relaxed);
    }
    FILTERED.store(true, Release);
    let result = call();
    // seccomp(2) with TSYNC answers with the id of a thread that could not follow.
    if result != 0 {
        if let Some(index) = kept {
            FILTERS[index].len.store(0, Release);
        }
        CLOSED.store(before.0, Relaxed);
        FILTERED.store(before.1, Release);
    }
    result
}

/// What the program asks for.
pub enum Wanted {
    Strict,
    /// A `struct sock_fprog`.
    Filter(usize),
}

impl Wanted {
    /// Out of the arguments of prctl(2).
    pub fn of_prctl(option: c_int, mode: usize, program: usize) -> Option<Self> {
        match mode as u32 {
            _ if option != libc::PR_SET_SECCOMP => None,
            libc::SECCOMP_MODE_STRICT => Some(Self::Strict),
            libc::SECCOMP_MODE_FILTER => Some(Self::Filter(program)),
            _ => None,
        }
    }

    /// Out of the arguments of seccomp(2).
    pub fn of_call(operation: usize, program: usize) -> Option<Self> {
        match operation as u32 {
            libc::SECCOMP_SET_MODE_STRICT => Some(Self::Strict),
            libc::SECCOMP_SET_MODE_FILTER => Some(Self::Filter(program)),
            _ => None,
        }
    }
}

enum Unreadable {
    /// There is no room for it: all is refused from now on.
    ByUs,
    /// The kernel will refuse it.
    ByAnybody,
}

/// Copies a filter; its place. Under `INSTALLING`.
fn keep(program: usize) -> Result<usize, Unreadable> {
    const HEAD: usize = size_of::<libc::sock_fprog>();
    if !readable(program, HEAD) {
        return Err(Unreadable::ByAnybody);
    }
    // SAFETY: readable, just now; whoever installs a filter keeps it until the call returns.
    let head = unsafe { (program as *const libc::sock_fprog).read_unaligned() };
    let (len, from) = (usize::from(head.len), head.filter as usize);
    if len == 0 || len > LONGEST || !readable(from, len * size_of::<Instruction>()) {
        return Err(Unreadable::ByAnybody);
    }
    let index = FILTERS.iter().position(|f| f.len.load(Relaxed) == 0).ok_or(Unreadable::ByUs)?;
    let mut to = FILTERS[index].program.load(Relaxed);
    if to.is_null() {
        to = sys::map_anonymous(LONGEST * size_of::<Instruction>()) as *mut Instruction;
        if to.is_null() {
            return Err(Unreadable::ByUs);
        }
        FILTERS[index].program.store(to, Relaxed);
    }
    // SAFETY: readable, as above; a mapping of ours with room for the longest, which nobody reads while its length is 0.
    unsafe { core::ptr::copy_nonoverlapping(from as *const u8, to.cast(), len * size_of::<Instruction>()) };
    FILTERS[index].len.store(len, Release);
    Ok(index)
}

fn readable(at: usize, len: usize) -> bool {
    at != 0
        && (at & !7..at + len)
            .step_by(sys::page() / 2)
            .chain([(at + len - 1) & !7])
            .all(|word| sys::readable(word as u64))
}
