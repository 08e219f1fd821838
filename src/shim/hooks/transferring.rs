//! Hooks of the calls that move bytes through a descriptor: read, write, send, recv and their kin.
//!
//! Why apart from other uses: these are called most, and four of them (read, write, send, recv) go by [`using_hot`].
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use super::using::{using, using_hot, using_two};
use crate::roster::{known, real};
use record::call::Call;

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
