//! Descriptor passing hooks: numbers that arrive in SCM_RIGHTS messages (unix(7)) are opens that no other call shows.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::descriptors::{self, bad_use, begin, hidden, opened, probe};
use crate::roster::real;
use crate::{recording, sys};
use libc::EBADF;
use record::call::Call;
use record::layout::Counter;
use track::fd::Owner;

/// Calls `each` with every descriptor in the control data of a message.
///
/// # Safety
/// The kernel or the program has filled the message; its control buffer is readable.
unsafe fn each_right(message: *const msghdr, mut each: impl FnMut(c_int)) {
    // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR stay inside the buffer that the header describes (cmsg(3)).
    unsafe {
        if (*message).msg_control.is_null() {
            return;
        }
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header).cast::<c_int>();
                let bytes = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                for i in 0..bytes / size_of::<c_int>() {
                    each(data.add(i).read_unaligned());
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
}

/// # Safety
/// The kernel has filled the message.
unsafe fn received(message: *const msghdr) {
    if !descriptors::on() {
        return;
    }
    let errno = sys::errno();
    // SAFETY: the caller's.
    unsafe {
        each_right(message, |fd| {
            if fd >= 0 && !hidden(fd) {
                let (kind, label) = probe(fd);
                opened(fd, kind, Owner::NONE, label);
                recording::count(Counter::Received);
            }
        });
    }
    sys::set_errno(errno);
}

/// Would a tombstone be sent?
///
/// # Safety
/// As sendmsg(2).
unsafe fn sends_hidden(message: *const msghdr) -> bool {
    if !descriptors::quarantined() {
        return false;
    }
    let mut found = false;
    // SAFETY: a message that the caller is about to give to the kernel; an unreadable one is the kernel's to refuse.
    unsafe {
        if message.is_null() || !sys::readable(message as u64 & !7) || (*message).msg_control.is_null() {
            return false;
        }
        if !sys::readable((*message).msg_control as u64 & !7) {
            return false;
        }
        each_right(message, |fd| found |= fd >= 0 && hidden(fd));
    }
    found
}

pub unsafe fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    let Some(under_way) = begin(fd) else {
        sys::set_errno(EBADF);
        return -1;
    };
    // SAFETY: the caller's.
    unsafe {
        let result = real::recvmsg(fd, message, flags);
        if result >= 0 && (*message).msg_controllen > 0 {
            received(message);
        }
        if under_way.end(Call::Recvmsg, result) {
            bad_use(fd, "recvmsg");
        }
        result
    }
}

pub unsafe fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    let Some(under_way) = begin(fd) else {
        sys::set_errno(EBADF);
        return -1;
    };
    // SAFETY: the caller's; the kernel has filled `result` messages.
    unsafe {
        let result = real::recvmmsg(fd, messages, count, flags, timeout);
        for i in 0..result.max(0) as usize {
            let message = &raw const (*messages.add(i)).msg_hdr;
            if (*message).msg_controllen > 0 {
                received(message);
            }
        }
        if under_way.end(Call::Recvmmsg, result as isize) {
            bad_use(fd, "recvmmsg");
        }
        result
    }
}

pub unsafe fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller's.
    unsafe {
        let (Some(under_way), false) = (begin(fd), sends_hidden(message)) else {
            sys::set_errno(EBADF);
            return -1;
        };
        let result = real::sendmsg(fd, message, flags);
        if under_way.end(Call::Sendmsg, result) {
            bad_use(fd, "sendmsg");
        }
        result
    }
}

pub unsafe fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
    let Some(under_way) = begin(fd) else {
        sys::set_errno(EBADF);
        return -1;
    };
    // SAFETY: the caller's.
    unsafe {
        let result = real::sendmmsg(fd, messages, count, flags);
        if under_way.end(Call::Sendmmsg, result as isize) {
            bad_use(fd, "sendmmsg");
        }
        result
    }
}
