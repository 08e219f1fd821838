//! Signal hooks: the calls that install handlers. With guard pages on, SIGSEGV and SIGBUS are ours first, see `faults`; all else
//! goes straight to libc.
//!
//! signal and its kin are sigaction with fixed flags, as in glibc (signal/signal.c, sysv_signal.c, sigset.c); they are answered by
//! it, because libc's own would not come by us again.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::faults;
use crate::roster::real;
use core::mem::zeroed;
use libc::sigaction as Action;

pub unsafe fn sigaction(signal: c_int, new: *const Action, old: *mut Action) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        if faults::watches(signal) { faults::change(signal, new, old) } else { real::sigaction(signal, new, old) }
    }
}

/// Installs a handler; the one before, or SIG_ERR.
unsafe fn install(signal: c_int, handler: usize, flags: c_int, masked: bool) -> usize {
    if handler == libc::SIG_ERR {
        crate::sys::set_errno(libc::EINVAL);
        return libc::SIG_ERR;
    }
    // SAFETY: two actions of ours; a zeroed one is valid.
    unsafe {
        let (mut new, mut old): (Action, Action) = (zeroed(), zeroed());
        new.sa_sigaction = handler;
        new.sa_flags = flags;
        if masked {
            libc::sigaddset(&raw mut new.sa_mask, signal);
        }
        if faults::change(signal, &new, &raw mut old) == 0 { old.sa_sigaction } else { libc::SIG_ERR }
    }
}

/// BSD's: stays installed, restarts calls.
pub unsafe fn signal(signal: c_int, handler: usize) -> usize {
    // SAFETY: the caller's.
    unsafe {
        if faults::watches(signal) {
            install(signal, handler, libc::SA_RESTART, true)
        } else {
            real::signal(signal, handler)
        }
    }
}

/// System V's: for once, and the signal is not blocked meanwhile.
pub unsafe fn __sysv_signal(signal: c_int, handler: usize) -> usize {
    // SAFETY: the caller's.
    unsafe {
        if faults::watches(signal) {
            install(signal, handler, libc::SA_RESETHAND | libc::SA_NODEFER, false)
        } else {
            real::__sysv_signal(signal, handler)
        }
    }
}

/// XSI's, obsolete: a handler, or SIG_HOLD (2), which blocks the signal.
pub unsafe fn sigset(signal: c_int, handler: usize) -> usize {
    const SIG_HOLD: usize = 2;
    if !faults::watches(signal) {
        // SAFETY: the caller's.
        return unsafe { real::sigset(signal, handler) };
    }
    // SAFETY: sets of ours.
    unsafe {
        let (mut set, mut before, mut old): (libc::sigset_t, libc::sigset_t, Action) = (zeroed(), zeroed(), zeroed());
        libc::sigaddset(&raw mut set, signal);
        let how = if handler == SIG_HOLD { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
        let previous = if handler == SIG_HOLD {
            if faults::change(signal, core::ptr::null(), &raw mut old) == 0 { old.sa_sigaction } else { libc::SIG_ERR }
        } else {
            install(signal, handler, 0, false)
        };
        if previous == libc::SIG_ERR || libc::sigprocmask(how, &set, &raw mut before) != 0 {
            return libc::SIG_ERR;
        }
        if libc::sigismember(&before, signal) == 1 { SIG_HOLD } else { previous }
    }
}

pub unsafe fn sigignore(signal: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        if faults::watches(signal) {
            if install(signal, libc::SIG_IGN, 0, false) == libc::SIG_ERR { -1 } else { 0 }
        } else {
            real::sigignore(signal)
        }
    }
}
