//! Descriptor use hooks: the calls that only use a number. A few ns each: the holder mark before, and after an EBADF the
//! question whose fault it is.
//!
//! Here is the way of all of them, and those that ask or change something; `transferring` has those that move bytes, `polling` those
//! that wait for many numbers.
//!
//! A tombstone answers EBADF to most of them by itself; those that it would not (fstat, fchdir) are answered here.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::descriptors::{bad_use, begin, begin_in, hidden, is_tombstone, used};
use crate::roster::real;
use crate::{sys, thread};
use libc::EBADF;
use record::call::Call;

/// A result that says whether the call failed, by -1.
pub(super) trait Outcome: Copy {
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
pub(super) fn using<R: Outcome>(fd: c_int, call: Call, real: impl FnOnce() -> R) -> R {
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
pub(super) fn using_hot<R: Outcome>(fd: c_int, call: Call, known: impl FnOnce() -> R, real: impl FnOnce() -> R) -> R {
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
pub(super) fn using_two<R: Outcome>(first: c_int, second: c_int, call: Call, real: impl FnOnce() -> R) -> R {
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
