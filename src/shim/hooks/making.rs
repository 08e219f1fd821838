//! Descriptor making hooks: every libc call that returns a new number.
//!
//! Each runs the real call through [`making`] (which lets the quarantine give numbers back when the process is out of
//! them) and records the result with its kind and a label: the path, or both ends of a connection.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use super::resolver;
use crate::address::endpoint;
use crate::arch::return_address;
use crate::descriptors::{
    self, bad_use, begin, hidden, kind_and_label, made, making, opened, retrying, socket_kind, socket_label, used,
};
use crate::roster::real;
use crate::sys::{self, fail};
use core::ffi::CStr;
use libc::EBADF;
use record::call::Call;
use record::label::Label;
use track::fd::{FdKind, Owner};

/// A call whose result is a new descriptor of this kind.
#[inline]
fn make(kind: FdKind, label: impl FnOnce(c_int) -> Label, call: impl Fn() -> c_int) -> c_int {
    let fd = making(call);
    if fd >= 0 {
        opened(fd, kind, Owner::NONE, label(fd));
    }
    made();
    fd
}

fn plain(_: c_int) -> Label {
    Label::NONE
}

/// The tail of a path that the real call has just accepted, so it is a readable string.
///
/// # Safety
/// `path` is NUL-terminated.
unsafe fn path_label(path: *const c_char) -> Label {
    if path.is_null() {
        return Label::NONE;
    }
    // SAFETY: the caller's.
    Label::path(unsafe { CStr::from_ptr(path) }.to_bytes())
}

fn file_kind(flags: c_int) -> FdKind {
    if flags & libc::O_DIRECTORY != 0 && flags & libc::O_TMPFILE != libc::O_TMPFILE {
        FdKind::Dir
    } else {
        FdKind::File
    }
}

/// An openat: its directory is a descriptor in use.
#[inline]
fn make_at(directory: c_int, path: *const c_char, flags: c_int, name: &str, call: impl Fn() -> c_int) -> c_int {
    if directory != libc::AT_FDCWD && directory >= 0 {
        if hidden(directory) {
            bad_use(directory, name);
            return fail(EBADF);
        }
        used(directory);
    }
    // SAFETY: the real call accepted the path.
    let fd = make(file_kind(flags), |_| unsafe { path_label(path) }, call);
    if fd == -1 && directory >= 0 && sys::errno() == EBADF {
        bad_use(directory, name);
    }
    fd
}

pub unsafe fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's; the label is taken when the real call has accepted the path.
    unsafe { make(file_kind(flags), |_| path_label(path), || real::open(path, flags, mode)) }
}

pub unsafe fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's; the label is taken when the real call has accepted the path.
    unsafe { make(file_kind(flags), |_| path_label(path), || real::open64(path, flags, mode)) }
}

pub unsafe fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as in [`open`].
    unsafe { make(file_kind(flags), |_| path_label(path), || real::__open_2(path, flags)) }
}

pub unsafe fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as in [`open`].
    unsafe { make(file_kind(flags), |_| path_label(path), || real::__open64_2(path, flags)) }
}

pub unsafe fn creat(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as in [`open`].
    unsafe { make(FdKind::File, |_| path_label(path), || real::creat(path, mode)) }
}

pub unsafe fn creat64(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: as in [`open`].
    unsafe { make(FdKind::File, |_| path_label(path), || real::creat64(path, mode)) }
}

pub unsafe fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    make_at(directory, path, flags, "openat", || unsafe { real::openat(directory, path, flags, mode) })
}

pub unsafe fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    make_at(directory, path, flags, "openat", || unsafe { real::openat64(directory, path, flags, mode) })
}

pub unsafe fn __openat_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make_at(directory, path, flags, "openat", || unsafe { real::__openat_2(directory, path, flags) })
}

pub unsafe fn __openat64_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make_at(directory, path, flags, "openat", || unsafe { real::__openat64_2(directory, path, flags) })
}

pub unsafe fn open_by_handle_at(mount: c_int, handle: *mut c_void, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make(file_kind(flags), plain, || unsafe { real::open_by_handle_at(mount, handle, flags) })
}

pub unsafe fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    if resolver::asks(return_address()) {
        // SAFETY: the caller's.
        return retrying(|| unsafe { real::socket(domain, kind, protocol) });
    }
    // SAFETY: the caller's.
    make(socket_kind(domain, kind), plain, || unsafe { real::socket(domain, kind, protocol) })
}

/// A call that writes two new descriptors.
#[inline]
fn make_two(kind: FdKind, out: *mut c_int, call: impl Fn() -> c_int) -> c_int {
    let result = making(call);
    if result == 0 {
        // SAFETY: the real call has written two descriptors there.
        let (first, second) = unsafe { (*out, *out.add(1)) };
        opened(first, kind, Owner::NONE, Label::NONE);
        opened(second, kind, Owner::NONE, Label::NONE);
    }
    made();
    result
}

pub unsafe fn socketpair(domain: c_int, kind: c_int, protocol: c_int, out: *mut c_int) -> c_int {
    // SAFETY: the caller's.
    make_two(socket_kind(domain, kind), out, || unsafe { real::socketpair(domain, kind, protocol, out) })
}

pub unsafe fn pipe(out: *mut c_int) -> c_int {
    // SAFETY: the caller's.
    make_two(FdKind::Pipe, out, || unsafe { real::pipe(out) })
}

pub unsafe fn pipe2(out: *mut c_int, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make_two(FdKind::Pipe, out, || unsafe { real::pipe2(out, flags) })
}

#[inline]
fn accepting(fd: c_int, call: Call, real: impl Fn() -> c_int) -> c_int {
    let Some(under_way) = begin(fd) else { return fail(EBADF) };
    // Not marked as about to open: it may wait for ever.
    let new = retrying(real);
    let bad = under_way.end(call, new.clamp(-1, 1) as isize);
    if new >= 0 {
        // The connection is of the listener's kind, whatever made the listener.
        let kind = match kind_and_label(fd).0 {
            FdKind::Unknown => descriptors::probe(new).0,
            known => known,
        };
        opened(new, kind, Owner::NONE, socket_label(new));
    } else if bad {
        bad_use(fd, call.name());
    }
    new
}

pub unsafe fn accept(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int {
    // SAFETY: the caller's.
    accepting(fd, Call::Accept, || unsafe { real::accept(fd, address, len) })
}

pub unsafe fn accept4(fd: c_int, address: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    accepting(fd, Call::Accept4, || unsafe { real::accept4(fd, address, len, flags) })
}

/// Not a maker, but where a connection gets its ends.
pub unsafe fn connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int {
    let Some(under_way) = begin(fd) else { return fail(EBADF) };
    // SAFETY: the caller's.
    let result = unsafe { real::connect(fd, address, len) };
    let errno = sys::errno();
    if under_way.end(Call::Connect, result as isize) {
        bad_use(fd, "connect");
    } else if descriptors::on() {
        let mut local = [0u8; 128];
        let n = sys::socket_name(fd, false, &mut local);
        let peer: &[u8] = if address.is_null() || errno == libc::EFAULT && result == -1 {
            &[]
        } else {
            // SAFETY: the kernel has read `len` bytes there, or has said EFAULT.
            unsafe { core::slice::from_raw_parts(address.cast(), (len as usize).min(128)) }
        };
        if let Some(slot) = descriptors::slot(fd) {
            slot.set_label(Label::endpoints(endpoint(&local[..n]), endpoint(peer)).words());
        }
        sys::set_errno(errno);
    }
    result
}

pub unsafe fn bind(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int {
    let Some(under_way) = begin(fd) else { return fail(EBADF) };
    // SAFETY: the caller's.
    let result = unsafe { real::bind(fd, address, len) };
    if under_way.end(Call::Bind, result as isize) {
        bad_use(fd, "bind");
    } else if result == 0 && descriptors::on() {
        if let Some(slot) = descriptors::slot(fd) {
            slot.set_label(socket_label(fd).words());
        }
    }
    result
}

pub unsafe fn signalfd(fd: c_int, mask: *const sigset_t, flags: c_int) -> c_int {
    if fd >= 0 {
        // Changes the mask of an existing one.
        if !used(fd) {
            return fail(EBADF);
        }
        // SAFETY: the caller's.
        let result = unsafe { real::signalfd(fd, mask, flags) };
        if result == -1 && sys::errno() == EBADF {
            bad_use(fd, "signalfd");
        }
        return result;
    }
    // SAFETY: the caller's.
    make(FdKind::Signal, plain, || unsafe { real::signalfd(fd, mask, flags) })
}

pub unsafe fn memfd_create(name: *const c_char, flags: c_uint) -> c_int {
    // SAFETY: the caller's; the label is taken when the real call has accepted the name.
    unsafe { make(FdKind::Memfd, |_| path_label(name), || real::memfd_create(name, flags)) }
}

pub unsafe fn pidfd_getfd(pidfd: c_int, target: c_int, flags: c_uint) -> c_int {
    if !used(pidfd) {
        return fail(EBADF);
    }
    // SAFETY: the caller's.
    let fd = making(|| unsafe { real::pidfd_getfd(pidfd, target, flags) });
    if fd >= 0 {
        let (kind, label) = descriptors::probe(fd);
        opened(fd, kind, Owner::NONE, label);
    }
    made();
    fd
}

pub unsafe fn shm_open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::Shm, |_| path_label(name), || real::shm_open(name, flags, mode)) }
}

pub unsafe fn mq_open(name: *const c_char, flags: c_int, mode: mode_t, attributes: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::Other, |_| path_label(name), || real::mq_open(name, flags, mode, attributes)) }
}

pub unsafe fn openpty(
    main: *mut c_int,
    other: *mut c_int,
    name: *mut c_char,
    terminal: *const c_void,
    size: *const c_void,
) -> c_int {
    // SAFETY: the caller's.
    let result = making(|| unsafe { real::openpty(main, other, name, terminal, size) });
    if result == 0 {
        // SAFETY: the real call has written both.
        let (first, second) = unsafe { (*main, *other) };
        opened(first, FdKind::Pty, Owner::NONE, Label::NONE);
        opened(second, FdKind::Pty, Owner::NONE, Label::NONE);
    }
    made();
    result
}

/// The child's side (descriptors 0 to 2) is libc's doing and stays unknown.
pub unsafe fn forkpty(main: *mut c_int, name: *mut c_char, terminal: *const c_void, size: *const c_void) -> pid_t {
    // SAFETY: the caller's.
    let pid = unsafe { real::forkpty(main, name, terminal, size) };
    if pid > 0 {
        // SAFETY: the real call has written it.
        opened(unsafe { *main }, FdKind::Pty, Owner::NONE, Label::NONE);
    }
    pid
}

pub unsafe fn eventfd(value: c_uint, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Event, plain, || unsafe { real::eventfd(value, flags) })
}

pub unsafe fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Timer, plain, || unsafe { real::timerfd_create(clock, flags) })
}

pub unsafe fn inotify_init() -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Inotify, plain, || unsafe { real::inotify_init() })
}

pub unsafe fn inotify_init1(flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Inotify, plain, || unsafe { real::inotify_init1(flags) })
}

pub unsafe fn fanotify_init(flags: c_uint, event_flags: c_uint) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Inotify, plain, || unsafe { real::fanotify_init(flags, event_flags) })
}

pub unsafe fn epoll_create(size: c_int) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Epoll, plain, || unsafe { real::epoll_create(size) })
}

pub unsafe fn epoll_create1(flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Epoll, plain, || unsafe { real::epoll_create1(flags) })
}

pub unsafe fn pidfd_open(pid: pid_t, flags: c_uint) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Pidfd, plain, || unsafe { real::pidfd_open(pid, flags) })
}

pub unsafe fn posix_openpt(flags: c_int) -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Pty, plain, || unsafe { real::posix_openpt(flags) })
}

pub unsafe fn getpt() -> c_int {
    // SAFETY: the caller's.
    make(FdKind::Pty, plain, || unsafe { real::getpt() })
}

/// The mkstemp family has written the name that it used into the template.
pub unsafe fn mkstemp(template: *mut c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkstemp(template)) }
}

pub unsafe fn mkstemp64(template: *mut c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkstemp64(template)) }
}

pub unsafe fn mkostemp(template: *mut c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkostemp(template, flags)) }
}

pub unsafe fn mkostemp64(template: *mut c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkostemp64(template, flags)) }
}

pub unsafe fn mkstemps(template: *mut c_char, suffix: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkstemps(template, suffix)) }
}

pub unsafe fn mkstemps64(template: *mut c_char, suffix: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkstemps64(template, suffix)) }
}

pub unsafe fn mkostemps(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkostemps(template, suffix, flags)) }
}

pub unsafe fn mkostemps64(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { make(FdKind::File, |_| path_label(template), || real::mkostemps64(template, suffix, flags)) }
}
