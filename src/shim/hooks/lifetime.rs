//! Descriptor lifetime hooks: every libc call that copies or ends a descriptor, and `syscall`, which does everything.
//!
//! What a close means is decided in `descriptors` and `track::fd`; the order of steps is written out here.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::descriptors::{self, Before, Way, after_close, before_close, duplicated, hidden, made, making, opened};
use crate::private;
use crate::roster::real;
use crate::sandbox::{self, Wanted};
use crate::sys::{self, fail};
use libc::EBADF;
use record::label::Label;
use track::fd::{FdKind, Owner};

unsafe extern "C" {
    fn pthread_testcancel();
}

/// A close by way of `call`, which libc knows as `name`.
#[inline]
fn closing(fd: c_int, name: &str, call: impl FnOnce() -> c_int) -> c_int {
    match before_close(fd, Owner::NONE, Way::Close, name) {
        Before::Call(ticket) => {
            let result = call();
            after_close(fd, ticket, result, name);
            result
        }
        Before::Pass => call(),
        Before::Refuse => fail(EBADF),
        Before::Done => 0,
    }
}

pub unsafe fn close(fd: c_int) -> c_int {
    if descriptors::quarantined() && crate::thread::has_tls() {
        // close is a cancellation point, and a pending cancellation takes effect before anything is closed; a tombstone
        // is not, so the point is made here. Nothing of ours is up yet.
        // SAFETY: as the call that it stands for.
        unsafe { pthread_testcancel() };
    }
    // SAFETY: the caller's.
    closing(fd, "close", || unsafe { real::close(fd) })
}

/// A message queue is a descriptor on Linux (mq_overview(7)).
pub unsafe fn mq_close(fd: c_int) -> c_int {
    // SAFETY: the caller's.
    closing(fd, "mq_close", || unsafe { real::mq_close(fd) })
}

const CLOSE_RANGE_CLOEXEC: c_int = 4;

pub unsafe fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    if flags & CLOSE_RANGE_CLOEXEC == 0 {
        closing_range(first, last);
    }
    // SAFETY: the caller's.
    unsafe { around_ours(first, last, |from, to| real::close_range(from, to, flags)) }
}

/// Recorded first, as every close: afterwards the numbers may have new owners.
fn closing_range(first: c_uint, last: c_uint) {
    if first > last || !descriptors::on() || crate::thread::blind() {
        return;
    }
    if first <= 2 && last >= 2 {
        crate::finding::guarded(|_| crate::message::stderr_closing());
    }
    descriptors::range_closed(first, last);
}

/// Runs `f` on the parts of a range that leave our own numbers out.
unsafe fn around_ours(first: c_uint, last: c_uint, f: impl Fn(c_uint, c_uint) -> c_int) -> c_int {
    let mut from = first;
    for ours in private::in_range(first, last) {
        if from < ours {
            let result = f(from, ours - 1);
            if result != 0 {
                return result;
            }
        }
        from = ours + 1;
        if ours == last {
            return 0;
        }
    }
    f(from, last)
}

/// glibc's own falls back to /proc/self/fd where the kernel has no close_range; so does this one, in the simplest way.
pub unsafe fn closefrom(first: c_int) {
    let first = first.max(0) as c_uint;
    closing_range(first, c_uint::MAX);
    // SAFETY: closes what the caller asked to close, our own excepted.
    unsafe {
        if private::in_range(first, c_uint::MAX).next().is_none() {
            real::closefrom(first as c_int);
            return;
        }
        around_ours(first, c_uint::MAX, |from, to| {
            let args = [from as usize, to as usize, 0, 0, 0, 0];
            if sys::call(libc::SYS_close_range, args) == 0 {
                return 0;
            }
            let limit = sys::descriptor_limits().hard.clamp(1024, 1 << 20) as c_uint;
            for fd in from..=to.min(limit) {
                sys::close(fd as c_int);
            }
            0
        });
    }
}

pub unsafe fn dup(fd: c_int) -> c_int {
    if hidden(fd) {
        descriptors::bad_use(fd, "dup");
        return fail(EBADF);
    }
    // SAFETY: the caller's.
    let new = making(|| unsafe { real::dup(fd) });
    if new >= 0 {
        duplicated(fd, new);
    } else if sys::errno() == EBADF {
        descriptors::bad_use(fd, "dup");
    }
    made();
    new
}

/// dup2 and dup3, whose target is a number that the program names.
#[inline]
fn replacing(fd: c_int, to: c_int, name: &str, call: impl FnOnce() -> c_int) -> c_int {
    if hidden(fd) {
        descriptors::bad_use(fd, name);
        return fail(EBADF);
    }
    // What a child of vfork has there is a copy, which the real call replaces.
    let ours = private::is(to) && !crate::thread::blind();
    if ours && !private::make_way(to) {
        return fail(EBADF);
    }
    let claim = descriptors::begin_replace(to);
    let result = call();
    if ours && result == -1 {
        let errno = sys::errno();
        sys::close(to);
        sys::set_errno(errno);
    }
    descriptors::end_replace(fd, to, result, claim);
    if result == -1 && sys::errno() == EBADF {
        descriptors::bad_use(fd, name);
    }
    result
}

pub unsafe fn dup2(fd: c_int, to: c_int) -> c_int {
    // A test whether the number is open, no more (dup2(2)).
    if fd == to {
        // SAFETY: the caller's.
        return if hidden(fd) { fail(EBADF) } else { unsafe { real::dup2(fd, to) } };
    }
    // SAFETY: the caller's.
    replacing(fd, to, "dup2", || unsafe { real::dup2(fd, to) })
}

pub unsafe fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int {
    if fd == to {
        // SAFETY: the caller's. EINVAL.
        return unsafe { real::dup3(fd, to, flags) };
    }
    // SAFETY: the caller's.
    replacing(fd, to, "dup3", || unsafe { real::dup3(fd, to, flags) })
}

pub unsafe fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    // SAFETY: the caller's.
    controlling(fd, command, || unsafe { real::fcntl(fd, command, argument) })
}

pub unsafe fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    if crate::roster::slots::fcntl64.get().is_none() {
        // SAFETY: the caller's. Before glibc 2.28 there is only one.
        return unsafe { fcntl(fd, command, argument) };
    }
    // SAFETY: the caller's.
    controlling(fd, command, || unsafe { real::fcntl64(fd, command, argument) })
}

#[inline]
fn controlling(fd: c_int, command: c_int, call: impl Fn() -> c_int) -> c_int {
    if hidden(fd) {
        if !matches!(command, libc::F_GETFD | libc::F_GETFL) {
            descriptors::bad_use(fd, "fcntl");
        }
        return fail(EBADF);
    }
    match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => {
            let new = making(&call);
            if new >= 0 {
                duplicated(fd, new);
            } else if sys::errno() == EBADF {
                descriptors::bad_use(fd, "fcntl");
            }
            made();
            new
        }
        // Reading the flags is how programs ask whether a number is open.
        libc::F_GETFD | libc::F_GETFL => call(),
        _ => {
            descriptors::used(fd);
            let result = call();
            if result == -1 && sys::errno() == EBADF {
                descriptors::bad_use(fd, "fcntl");
            }
            result
        }
    }
}

/// libuv closes with it, musl-minded programs do everything with it: the calls that make or end descriptors are decoded.
pub unsafe fn syscall(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> c_long {
    // SAFETY: the caller's.
    let call = || unsafe { real::syscall(number, a, b, c, d, e, f) };
    let fd = a as c_int;
    // SAFETY: each has the contract of the system call that the caller asked for.
    unsafe {
        match number {
            libc::SYS_close => c_long::from(closing(fd, "syscall(SYS_close)", || call() as c_int)),
            libc::SYS_close_range => c_long::from(close_range_by(a as c_uint, b as c_uint, c as c_int)),
            libc::SYS_dup => {
                if hidden(fd) {
                    return c_long::from(fail(EBADF));
                }
                let new = call();
                duplicated(fd, new as c_int);
                new
            }
            #[cfg(not(target_arch = "aarch64"))]
            libc::SYS_dup2 if fd != b as c_int => {
                c_long::from(replacing(fd, b as c_int, "syscall(SYS_dup2)", || call() as c_int))
            }
            libc::SYS_dup3 if fd != b as c_int => {
                c_long::from(replacing(fd, b as c_int, "syscall(SYS_dup3)", || call() as c_int))
            }
            libc::SYS_fcntl => c_long::from(controlling(fd, b as c_int, || call() as c_int)),
            libc::SYS_seccomp => sandbox::installing(Wanted::of_call(a, c), call),
            libc::SYS_prctl => sandbox::installing(Wanted::of_prctl(a as c_int, b, c), call),
            _ => {
                let Some(kind) = maker(number, a, b) else { return call() };
                let new = making(|| call() as c_int);
                opened(new, kind, Owner::NONE, Label::NONE);
                made();
                c_long::from(new)
            }
        }
    }
}

unsafe fn close_range_by(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    if flags & CLOSE_RANGE_CLOEXEC == 0 {
        closing_range(first, last);
    }
    // SAFETY: the caller's.
    unsafe {
        around_ours(first, last, |from, to| {
            real::syscall(libc::SYS_close_range, from as usize, to as usize, flags as usize, 0, 0, 0) as c_int
        })
    }
}

/// What a raw system call makes, when its result is a new descriptor.
fn maker(number: c_long, a: usize, b: usize) -> Option<FdKind> {
    const SYS_OPENAT2: c_long = 437;
    Some(match number {
        #[cfg(not(target_arch = "aarch64"))]
        libc::SYS_open | libc::SYS_creat => FdKind::File,
        libc::SYS_openat | SYS_OPENAT2 | libc::SYS_open_by_handle_at => FdKind::File,
        libc::SYS_socket => descriptors::socket_kind(a as c_int, b as c_int),
        #[cfg(not(target_arch = "x86"))]
        libc::SYS_accept => FdKind::Socket,
        libc::SYS_accept4 => FdKind::Socket,
        libc::SYS_eventfd2 => FdKind::Event,
        libc::SYS_epoll_create1 => FdKind::Epoll,
        libc::SYS_timerfd_create => FdKind::Timer,
        libc::SYS_signalfd4 if a as c_int == -1 => FdKind::Signal,
        libc::SYS_inotify_init1 => FdKind::Inotify,
        libc::SYS_memfd_create => FdKind::Memfd,
        libc::SYS_pidfd_open => FdKind::Pidfd,
        libc::SYS_pidfd_getfd
        | libc::SYS_io_uring_setup
        | libc::SYS_perf_event_open
        | libc::SYS_bpf
        | libc::SYS_userfaultfd
        | libc::SYS_fanotify_init => return other_maker(number),
        _ => return None,
    })
}

/// bpf(2) returns numbers that are no descriptors for some commands; those are left alone.
fn other_maker(number: c_long) -> Option<FdKind> {
    (number != libc::SYS_bpf).then_some(FdKind::Other)
}
