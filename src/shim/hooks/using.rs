//! Descriptor use hooks: the calls that only use a number. A few ns each: the holder mark before, and after an EBADF the
//! question whose fault it is.
//!
//! A tombstone answers EBADF to most of them by itself; those that it would not (fstat, fchdir, select) are answered here.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::descriptors::{bad_use, begin, begin_in, hidden, is_tombstone, quarantined, selecting, used};
use crate::roster::{known, real};
use crate::{private, sys, thread};
use libc::EBADF;
use record::call::Call;

/// A result that says whether the call failed, by -1.
trait Outcome: Copy {
    const FAILED: Self;
    fn value(self) -> isize;
}

impl Outcome for c_int {
    const FAILED: Self = -1;
    fn value(self) -> isize {
        self as isize
    }
}

impl Outcome for isize {
    const FAILED: Self = -1;
    fn value(self) -> isize {
        self
    }
}

impl Outcome for i64 {
    const FAILED: Self = -1;
    fn value(self) -> isize {
        self.clamp(-1, 1) as isize
    }
}

/// A use of `fd` by `call`.
#[inline(always)]
fn using<R: Outcome>(fd: c_int, call: Call, real: impl FnOnce() -> R) -> R {
    let Some(under_way) = begin(fd) else {
        sys::set_errno(EBADF);
        return R::FAILED;
    };
    let result = real();
    if under_way.end(call, result.value()) {
        bad_use(fd, call.name());
    }
    result
}

/// [`using`] for the hottest calls: `known` is the real function without the check whether it has been found, for registered
/// threads, and `real` is with it. One way through the hook, so that few registers are saved.
#[inline(always)]
fn using_hot<R: Outcome>(fd: c_int, call: Call, known: impl FnOnce() -> R, real: impl FnOnce() -> R) -> R {
    let thread = thread::watched();
    if thread.is_none() {
        return first_use(fd, call, real);
    }
    let Some(under_way) = begin_in(thread, fd) else {
        sys::set_errno(EBADF);
        return R::FAILED;
    };
    let result = known();
    if under_way.end(call, result.value()) {
        bad_use(fd, call.name());
    }
    result
}

/// The first use of a thread, or one that is not watched.
#[cold]
#[inline(never)]
fn first_use<R: Outcome>(fd: c_int, call: Call, real: impl FnOnce() -> R) -> R {
    using(fd, call, real)
}

/// A call that would succeed on a tombstone. `probe`: programs use it to ask whether a number is open, so its EBADF is no
/// finding.
#[inline(always)]
fn using_visible<R: Outcome>(fd: c_int, call: Call, probe: bool, real: impl FnOnce() -> R) -> R {
    if hidden(fd) {
        if !probe {
            bad_use(fd, call.name());
        }
        sys::set_errno(EBADF);
        return R::FAILED;
    }
    if probe {
        return real();
    }
    using(fd, call, real)
}

/// A call that uses two descriptors; what came of it is noted of the first.
#[inline(always)]
fn using_two<R: Outcome>(first: c_int, second: c_int, call: Call, real: impl FnOnce() -> R) -> R {
    let (Some(under_way), true) = (begin(first), used(second)) else {
        sys::set_errno(EBADF);
        return R::FAILED;
    };
    let result = real();
    if under_way.end(call, result.value()) {
        let culprit = if sys::is_open(first) && !is_tombstone(first) { second } else { first };
        bad_use(culprit, call.name());
    }
    result
}

pub unsafe fn read(fd: c_int, to: *mut c_void, len: usize) -> ssize_t {
    // SAFETY: the caller's; the thread is registered where it must be.
    using_hot(fd, Call::Read, move || unsafe { known::read(fd, to, len) }, move || unsafe { real::read(fd, to, len) })
}

pub unsafe fn __read_chk(fd: c_int, to: *mut c_void, len: usize, room: usize) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Read, || unsafe { real::__read_chk(fd, to, len, room) })
}

pub unsafe fn write(fd: c_int, from: *const c_void, len: usize) -> ssize_t {
    // SAFETY: the caller's; the thread is registered where it must be.
    using_hot(
        fd,
        Call::Write,
        move || unsafe { known::write(fd, from, len) },
        move || unsafe { real::write(fd, from, len) },
    )
}

pub unsafe fn pread(fd: c_int, to: *mut c_void, len: usize, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pread, || unsafe { real::pread(fd, to, len, at) })
}

pub unsafe fn pread64(fd: c_int, to: *mut c_void, len: usize, at: off64_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pread, || unsafe { real::pread64(fd, to, len, at) })
}

pub unsafe fn __pread_chk(fd: c_int, to: *mut c_void, len: usize, at: off_t, room: usize) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pread, || unsafe { real::__pread_chk(fd, to, len, at, room) })
}

pub unsafe fn __pread64_chk(fd: c_int, to: *mut c_void, len: usize, at: off64_t, room: usize) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pread, || unsafe { real::__pread64_chk(fd, to, len, at, room) })
}

pub unsafe fn pwrite(fd: c_int, from: *const c_void, len: usize, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pwrite, || unsafe { real::pwrite(fd, from, len, at) })
}

pub unsafe fn pwrite64(fd: c_int, from: *const c_void, len: usize, at: off64_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pwrite, || unsafe { real::pwrite64(fd, from, len, at) })
}

pub unsafe fn readv(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Readv, || unsafe { real::readv(fd, parts, count) })
}

pub unsafe fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Writev, || unsafe { real::writev(fd, parts, count) })
}

pub unsafe fn preadv(fd: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Preadv, || unsafe { real::preadv(fd, parts, count, at) })
}

pub unsafe fn preadv64(fd: c_int, parts: *const iovec, count: c_int, at: off64_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Preadv, || unsafe { real::preadv64(fd, parts, count, at) })
}

pub unsafe fn pwritev(fd: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pwritev, || unsafe { real::pwritev(fd, parts, count, at) })
}

pub unsafe fn pwritev64(fd: c_int, parts: *const iovec, count: c_int, at: off64_t) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pwritev, || unsafe { real::pwritev64(fd, parts, count, at) })
}

pub unsafe fn preadv2(fd: c_int, parts: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Preadv2, || unsafe { real::preadv2(fd, parts, count, at, flags) })
}

pub unsafe fn preadv64v2(fd: c_int, parts: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Preadv2, || unsafe { real::preadv64v2(fd, parts, count, at, flags) })
}

pub unsafe fn pwritev2(fd: c_int, parts: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pwritev2, || unsafe { real::pwritev2(fd, parts, count, at, flags) })
}

pub unsafe fn pwritev64v2(fd: c_int, parts: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Pwritev2, || unsafe { real::pwritev64v2(fd, parts, count, at, flags) })
}

pub unsafe fn send(fd: c_int, from: *const c_void, len: usize, flags: c_int) -> ssize_t {
    // SAFETY: the caller's; the thread is registered where it must be.
    using_hot(
        fd,
        Call::Send,
        || unsafe { known::send(fd, from, len, flags) },
        || unsafe { real::send(fd, from, len, flags) },
    )
}

pub unsafe fn sendto(
    fd: c_int,
    from: *const c_void,
    len: usize,
    flags: c_int,
    to: *const sockaddr,
    to_len: socklen_t,
) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Sendto, || unsafe { real::sendto(fd, from, len, flags, to, to_len) })
}

pub unsafe fn recv(fd: c_int, to: *mut c_void, len: usize, flags: c_int) -> ssize_t {
    // SAFETY: the caller's; the thread is registered where it must be.
    using_hot(
        fd,
        Call::Recv,
        || unsafe { known::recv(fd, to, len, flags) },
        || unsafe { real::recv(fd, to, len, flags) },
    )
}

pub unsafe fn __recv_chk(fd: c_int, to: *mut c_void, len: usize, room: usize, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Recv, || unsafe { real::__recv_chk(fd, to, len, room, flags) })
}

pub unsafe fn recvfrom(
    fd: c_int,
    to: *mut c_void,
    len: usize,
    flags: c_int,
    from: *mut sockaddr,
    from_len: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Recvfrom, || unsafe { real::recvfrom(fd, to, len, flags, from, from_len) })
}

pub unsafe fn __recvfrom_chk(
    fd: c_int,
    to: *mut c_void,
    len: usize,
    room: usize,
    flags: c_int,
    from: *mut sockaddr,
    from_len: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the caller's.
    using(fd, Call::Recvfrom, || unsafe { real::__recvfrom_chk(fd, to, len, room, flags, from, from_len) })
}

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

/// SO_ERROR is how a connection that was made in the background tells that it failed.
pub unsafe fn getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, len: *mut socklen_t) -> c_int {
    // SAFETY: the caller's.
    let result = using(fd, Call::Getsockopt, || unsafe { real::getsockopt(fd, level, option, value, len) });
    if (result, level, option) == (0, libc::SOL_SOCKET, libc::SO_ERROR) {
        // SAFETY: the kernel has just written `len`, and an error number when there was room for one.
        let error =
            unsafe { if *len as usize >= size_of::<c_int>() { value.cast::<c_int>().read_unaligned() } else { 0 } };
        if error != 0 {
            if let Some(under_way) = begin(fd) {
                under_way.learned(Call::Connect, error as u16);
            }
        }
    }
    result
}

pub unsafe fn setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, len: socklen_t) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Setsockopt, || unsafe { real::setsockopt(fd, level, option, value, len) })
}

pub unsafe fn getsockname(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Getsockname, || unsafe { real::getsockname(fd, address, len) })
}

pub unsafe fn getpeername(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Getpeername, || unsafe { real::getpeername(fd, address, len) })
}

pub unsafe fn shutdown(fd: c_int, how: c_int) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Shutdown, || unsafe { real::shutdown(fd, how) })
}

pub unsafe fn listen(fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Listen, || unsafe { real::listen(fd, backlog) })
}

pub unsafe fn lseek(fd: c_int, at: off_t, whence: c_int) -> off_t {
    // SAFETY: the caller's.
    using(fd, Call::Lseek, || unsafe { real::lseek(fd, at, whence) })
}

pub unsafe fn lseek64(fd: c_int, at: off64_t, whence: c_int) -> off64_t {
    // SAFETY: the caller's.
    using(fd, Call::Lseek, || unsafe { real::lseek64(fd, at, whence) })
}

pub unsafe fn fsync(fd: c_int) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Fsync, || unsafe { real::fsync(fd) })
}

pub unsafe fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Fdatasync, || unsafe { real::fdatasync(fd) })
}

pub unsafe fn ftruncate(fd: c_int, len: off_t) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Ftruncate, || unsafe { real::ftruncate(fd, len) })
}

pub unsafe fn ftruncate64(fd: c_int, len: off64_t) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Ftruncate, || unsafe { real::ftruncate64(fd, len) })
}

pub unsafe fn fchmod(fd: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Fchmod, || unsafe { real::fchmod(fd, mode) })
}

pub unsafe fn fchown(fd: c_int, user: u32, group: u32) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Fchown, || unsafe { real::fchown(fd, user, group) })
}

pub unsafe fn flock(fd: c_int, operation: c_int) -> c_int {
    // SAFETY: the caller's.
    using(fd, Call::Flock, || unsafe { real::flock(fd, operation) })
}

/// TCGETS is isatty(3), which is also asked of numbers that may not be open.
pub unsafe fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int {
    if request == libc::TCGETS as c_ulong {
        // SAFETY: the caller's.
        return using_visible(fd, Call::Ioctl, true, || unsafe { real::ioctl(fd, request, argument) });
    }
    // SAFETY: the caller's.
    using(fd, Call::Ioctl, || unsafe { real::ioctl(fd, request, argument) })
}

pub unsafe fn epoll_ctl(fd: c_int, op: c_int, target: c_int, event: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    using_two(fd, target, Call::EpollCtl, || unsafe { real::epoll_ctl(fd, op, target, event) })
}

pub unsafe fn sendfile(to: c_int, from: c_int, at: *mut off_t, len: usize) -> ssize_t {
    // SAFETY: the caller's.
    using_two(to, from, Call::Sendfile, || unsafe { real::sendfile(to, from, at, len) })
}

pub unsafe fn sendfile64(to: c_int, from: c_int, at: *mut off64_t, len: usize) -> ssize_t {
    // SAFETY: the caller's.
    using_two(to, from, Call::Sendfile, || unsafe { real::sendfile64(to, from, at, len) })
}

pub unsafe fn splice(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    len: usize,
    flags: c_uint,
) -> ssize_t {
    // SAFETY: the caller's.
    using_two(from, to, Call::Splice, || unsafe { real::splice(from, from_at, to, to_at, len, flags) })
}

pub unsafe fn copy_file_range(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    len: usize,
    flags: c_uint,
) -> ssize_t {
    // SAFETY: the caller's.
    using_two(from, to, Call::CopyFileRange, || unsafe { real::copy_file_range(from, from_at, to, to_at, len, flags) })
}

pub unsafe fn fchdir(fd: c_int) -> c_int {
    // SAFETY: the caller's.
    using_visible(fd, Call::Fchdir, false, || unsafe { real::fchdir(fd) })
}

pub unsafe fn fstat(fd: c_int, out: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    using_visible(fd, Call::Fstat, true, || unsafe { real::fstat(fd, out) })
}

pub unsafe fn fstat64(fd: c_int, out: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    using_visible(fd, Call::Fstat, true, || unsafe { real::fstat64(fd, out) })
}

pub unsafe fn __fxstat(version: c_int, fd: c_int, out: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    using_visible(fd, Call::Fstat, true, || unsafe { real::__fxstat(version, fd, out) })
}

pub unsafe fn __fxstat64(version: c_int, fd: c_int, out: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    using_visible(fd, Call::Fstat, true, || unsafe { real::__fxstat64(version, fd, out) })
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

pub unsafe fn select(
    count: c_int,
    readable: *mut fd_set,
    writable: *mut fd_set,
    exceptional: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    selecting();
    let sets = [readable, writable, exceptional];
    // SAFETY: the caller's.
    unsafe {
        if select_refused(count, sets) {
            return -1;
        }
        let result = real::select(count, readable, writable, exceptional, timeout);
        if result == -1 && sys::errno() == EBADF {
            select_failed(count, sets);
        }
        result
    }
}

pub unsafe fn pselect(
    count: c_int,
    readable: *mut fd_set,
    writable: *mut fd_set,
    exceptional: *mut fd_set,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    selecting();
    let sets = [readable, writable, exceptional];
    // SAFETY: the caller's.
    unsafe {
        if select_refused(count, sets) {
            return -1;
        }
        let result = real::pselect(count, readable, writable, exceptional, timeout, mask);
        if result == -1 && sys::errno() == EBADF {
            select_failed(count, sets);
        }
        result
    }
}
