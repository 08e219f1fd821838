//! What this process was given of signals and standard descriptors, so that the program is given the same.
//!
//! Why at all: Rust's start-up ignores SIGPIPE and opens /dev/null where a standard descriptor is closed; `Command`
//! resets the signal mask. A program that runs under shim must not be able to tell. So the state is noted before
//! Rust's start-up, and put back between fork and exec.
//!
//! How the wait works: the signals to forward, and SIGCHLD, are blocked and taken with sigwaitinfo. There is no handler,
//! so nothing here needs to be async-signal-safe but the few lines that run in the child.
#![allow(unsafe_code)] // Safety: plain libc calls on values that live on the stack.

use libc::{SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_SETMASK, SIG_UNBLOCK, c_int, sigaction, sigset_t};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

/// Forwarded to the program. Those of the terminal, SIGINT and SIGQUIT, reach it by themselves.
pub const FORWARDED: [c_int; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];

static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
/// Bit n: standard descriptor n was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

#[used]
// SAFETY: the C runtime calls each function of this array once, before main, in the only thread.
#[unsafe(link_section = ".init_array")]
static NOTE_AT_START: extern "C" fn() = note_at_start;

extern "C" fn note_at_start() {
    PIPE_IGNORED.store(disposition(libc::SIGPIPE) == SIG_IGN, Relaxed);
    let closed = |fd: c_int| {
        // SAFETY: asks about a number, whatever it is.
        unsafe { libc::fcntl(fd, libc::F_GETFD) == -1 }
    };
    let bits = (0..3).filter(|fd| closed(*fd)).fold(0, |bits, fd| bits | 1 << fd);
    CLOSED.store(bits, Relaxed);
}

fn disposition(signal: c_int) -> usize {
    let mut action = MaybeUninit::<sigaction>::zeroed();
    // SAFETY: reads the action into a local; zeroed is a valid sigaction.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    }
}

/// SIG_DFL or SIG_IGN. Async-signal-safe.
pub fn dispose(signal: c_int, how: usize) {
    // SAFETY: zeroed is a valid sigaction, with an empty mask and no flags; `how` is not a function.
    unsafe {
        let mut action: sigaction = std::mem::zeroed();
        action.sa_sigaction = how;
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

fn set_of(signals: &[c_int]) -> sigset_t {
    // SAFETY: sigemptyset initialises the local; the numbers are valid.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

/// The signals of this process while it waits for the program, and what the program gets instead.
#[derive(Clone, Copy)]
pub struct Waiting {
    set: sigset_t,
    mask: sigset_t,
    interrupt: usize,
    quit: usize,
    child: usize,
}

impl Waiting {
    /// Blocks what will be forwarded, and leaves the terminal's signals to the program. Before it is started.
    pub fn begin() -> Self {
        let set = set_of(&[&FORWARDED[..], &[libc::SIGCHLD]].concat());
        let mut mask = set_of(&[]);
        // SAFETY: both sets are locals.
        unsafe { libc::pthread_sigmask(SIG_BLOCK, &set, &mut mask) };
        let saved = Self {
            set,
            mask,
            interrupt: disposition(libc::SIGINT),
            quit: disposition(libc::SIGQUIT),
            child: disposition(libc::SIGCHLD),
        };
        dispose(libc::SIGINT, SIG_IGN);
        dispose(libc::SIGQUIT, SIG_IGN);
        // Inherited as ignored, it would take the exit status with it.
        dispose(libc::SIGCHLD, SIG_DFL);
        saved
    }

    /// Puts everything back. Between fork and exec: only async-signal-safe calls.
    pub fn give_back(&self) {
        self.end();
        dispose(libc::SIGCHLD, self.child);
        dispose(libc::SIGPIPE, if PIPE_IGNORED.load(Relaxed) { SIG_IGN } else { SIG_DFL });
        let closed = CLOSED.load(Relaxed);
        for fd in (0..3).filter(|fd| closed & 1 << fd != 0) {
            // SAFETY: Rust's start-up opened /dev/null here; nothing else uses the number.
            unsafe { libc::close(fd) };
        }
        // SAFETY: the set is a copy of what pthread_sigmask gave.
        unsafe { libc::pthread_sigmask(SIG_SETMASK, &self.mask, std::ptr::null_mut()) };
    }

    /// After the program: a long report can be interrupted. What would be forwarded stays blocked: it was meant for the
    /// program, and must not take the report with it.
    pub fn end(&self) {
        dispose(libc::SIGINT, self.interrupt);
        dispose(libc::SIGQUIT, self.quit);
    }

    /// The next signal: SIGCHLD, or one to forward.
    pub fn next(&self) -> c_int {
        loop {
            // SAFETY: the set is valid, and nothing is written.
            let signal = unsafe { libc::sigwaitinfo(&self.set, std::ptr::null_mut()) };
            if signal > 0 {
                return signal;
            }
        }
    }
}

/// To a process that has not been waited for yet.
pub fn send(pid: u32, signal: c_int) {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}

/// Ends this process by a signal, as the program ended, without a second core file. Returns if that is impossible.
pub fn die_of(signal: c_int) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    dispose(signal, SIG_DFL);
    let set = set_of(&[signal]);
    // SAFETY: locals, and a signal to this process.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        // A core pattern that is a pipe does not heed the limit.
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::pthread_sigmask(SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(signal);
    }
}
