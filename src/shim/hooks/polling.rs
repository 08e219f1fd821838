//! Hooks of the calls that wait for many descriptors at once: poll, select, epoll.
//!
//! poll and select are told the numbers by lists in the program's memory. The kernel is asked first, and the lists are read when
//! its answer says that they can be; but select would call a tombstone ready, and is answered here when one is among its numbers.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use super::using::{using, using_two};
use crate::descriptors::{bad_use, hidden, quarantined, selecting, used};
use crate::roster::real;
use crate::{private, sys};
use libc::EBADF;
use record::call::Call;

pub unsafe fn epoll_wait(fd: c_int, events: *mut c_void, count: c_int, timeout: c_int) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::EpollWait, || unsafe { real::epoll_wait(fd, events, count, timeout) })
}

pub unsafe fn epoll_pwait(
    fd: c_int,
    events: *mut c_void,
    count: c_int,
    timeout: c_int,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::EpollPwait, || unsafe { real::epoll_pwait(fd, events, count, timeout, mask) })
}

pub unsafe fn epoll_ctl(fd: c_int, op: c_int, target: c_int, event: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    using_two(fd, target, Call::EpollCtl, || unsafe { real::epoll_ctl(fd, op, target, event) })
}

/// After a poll that the kernel accepted, so that the list is readable: the holder mark for each, and POLLNVAL, which is
/// EBADF here.
///
/// # Safety
/// `list` has `count` entries when the call succeeded.
#[inline]
unsafe fn polled(list: *const pollfd, count: nfds_t, result: c_int) {
    if result < 0 || list.is_null() {
        return;
    }
    // SAFETY: the caller's.
    let list = unsafe { core::slice::from_raw_parts(list, count as usize) };
    let invalid = |entry: &pollfd| entry.fd >= 0 && entry.revents & libc::POLLNVAL != 0;
    // A sweep of a kind: xargs asks about every number there could be, many in a call.
    let asking = result >= SWEEP && list.iter().filter(|e| invalid(e)).count() >= SWEEP as usize;
    for entry in list.iter().filter(|e| e.fd >= 0 && !asking) {
        if invalid(entry) {
            bad_use(entry.fd, "poll");
        } else {
            used(entry.fd);
        }
    }
}

/// So many closed numbers in one poll are no mistake but the question which are open (track::fd::SWEEP, for closes).
const SWEEP: c_int = 8;

pub unsafe fn poll(list: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let result = real::poll(list, count, timeout);
        polled(list, count, result);
        result
    }
}

pub unsafe fn ppoll(list: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let result = real::ppoll(list, count, timeout, mask);
        polled(list, count, result);
        result
    }
}

pub unsafe fn __poll_chk(list: *mut pollfd, count: nfds_t, timeout: c_int, room: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let result = real::__poll_chk(list, count, timeout, room);
        polled(list, count, result);
        result
    }
}

pub unsafe fn __ppoll_chk(
    list: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
    room: usize,
) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let result = real::__ppoll_chk(list, count, timeout, mask, room);
        polled(list, count, result);
        result
    }
}

/// The members of the sets, as far as `count` goes.
unsafe fn members(count: c_int, sets: [*mut fd_set; 3], mut each: impl FnMut(c_int) -> bool) {
    const BITS: usize = usize::BITS as usize;
    for set in sets {
        if set.is_null() || !sys::readable(set as u64 & !7) {
            continue;
        }
        for word in 0..(count.max(0) as usize).div_ceil(BITS) {
            // SAFETY: the program says that the set has `count` bits (programs allocate sets beyond FD_SETSIZE).
            let mut bits = unsafe { *set.cast::<usize>().add(word) };
            while bits != 0 {
                let fd = (word * BITS) as c_int + bits.trailing_zeros() as c_int;
                bits &= bits - 1;
                if fd < count && !each(fd) {
                    return;
                }
            }
        }
    }
}

/// select would call a tombstone ready, and one of ours too.
unsafe fn select_refused(count: c_int, sets: [*mut fd_set; 3]) -> bool {
    let mut refused = false;
    if !quarantined() && !private::any_below(count) {
        return false;
    }
    // SAFETY: the caller's sets.
    unsafe {
        members(count, sets, |fd| {
            refused = hidden(fd);
            if refused && !private::is(fd) {
                bad_use(fd, "select");
            }
            !refused
        });
    }
    if refused {
        sys::set_errno(EBADF);
    }
    refused
}

/// After EBADF: which one was it?
#[cold]
unsafe fn select_failed(count: c_int, sets: [*mut fd_set; 3]) {
    let errno = sys::errno();
    // SAFETY: on an error the kernel leaves the sets as they were (select(2)).
    unsafe {
        members(count, sets, |fd| {
            if sys::is_open(fd) {
                return true;
            }
            bad_use(fd, "select");
            false
        });
    }
    sys::set_errno(errno);
}

/// select or pselect on these sets.
unsafe fn selecting_from(count: c_int, sets: [*mut fd_set; 3], call: impl FnOnce() -> c_int) -> c_int {
    selecting();
    // SAFETY: the caller's: null, or sets of `count` numbers.
    unsafe {
        if select_refused(count, sets) {
            return -1;
        }
        let result = call();
        if result == -1 && sys::errno() == EBADF {
            select_failed(count, sets);
        }
        result
    }
}

pub unsafe fn select(
    count: c_int,
    readable: *mut fd_set,
    writable: *mut fd_set,
    exceptional: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    let sets = [readable, writable, exceptional];
    // SAFETY: the caller's.
    unsafe { selecting_from(count, sets, || real::select(count, readable, writable, exceptional, timeout)) }
}

pub unsafe fn pselect(
    count: c_int,
    readable: *mut fd_set,
    writable: *mut fd_set,
    exceptional: *mut fd_set,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    let sets = [readable, writable, exceptional];
    // SAFETY: the caller's.
    unsafe { selecting_from(count, sets, || real::pselect(count, readable, writable, exceptional, timeout, mask)) }
}
