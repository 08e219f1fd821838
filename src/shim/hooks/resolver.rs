//! Resolver hooks: libc opens and closes descriptors of its own inside these calls, unseen. While a thread is inside
//! one, a close of a number that the record says is closed, and the kernel says is open, is aimed at libc.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::descriptors::RESOLVING;
use crate::roster::real;
use crate::{thread, unwind};
use core::sync::atomic::Ordering::Relaxed;
use record::layout::module_flag;

/// A cancelled resolver call leaves the count up, which only makes one kind of finding a little too eager to be asked
/// about, never made without the kernel's word.
fn resolving<R>(call: impl FnOnce() -> R) -> R {
    let Some(state) = thread::current() else { return call() };
    state.resolving.fetch_add(1, Relaxed);
    RESOLVING.fetch_add(1, Relaxed);
    let result = call();
    RESOLVING.fetch_sub(1, Relaxed);
    state.resolving.fetch_sub(1, Relaxed);
    result
}

/// Is this address in libc's own resolver, inside one of these calls? Up to glibc 2.33 it is libraries of their own, which open files
/// and sockets by name and close the latter unseen: a record of them would outlive them. So there is none, as with newer ones.
pub fn asks(from: u64) -> bool {
    let Some(state) = thread::current() else { return false };
    state.resolving.load(Relaxed) > 0
        && unwind::module_of(state, from).is_some_and(|object| object.flags & module_flag::LIBC != 0)
}

pub unsafe fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const c_void,
    out: *mut c_void,
) -> c_int {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::getaddrinfo(node, service, hints, out) })
}

pub unsafe fn getnameinfo(
    address: *const sockaddr,
    len: socklen_t,
    host: *mut c_char,
    host_len: socklen_t,
    service: *mut c_char,
    service_len: socklen_t,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::getnameinfo(address, len, host, host_len, service, service_len, flags) })
}

pub unsafe fn gethostbyname(name: *const c_char) -> *mut c_void {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::gethostbyname(name) })
}

pub unsafe fn gethostbyname2(name: *const c_char, family: c_int) -> *mut c_void {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::gethostbyname2(name, family) })
}

pub unsafe fn gethostbyname_r(
    name: *const c_char,
    result: *mut c_void,
    buffer: *mut c_char,
    len: usize,
    out: *mut c_void,
    error: *mut c_int,
) -> c_int {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::gethostbyname_r(name, result, buffer, len, out, error) })
}

#[allow(clippy::too_many_arguments)] // libc's signature
pub unsafe fn gethostbyname2_r(
    name: *const c_char,
    family: c_int,
    result: *mut c_void,
    buffer: *mut c_char,
    len: usize,
    out: *mut c_void,
    error: *mut c_int,
) -> c_int {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::gethostbyname2_r(name, family, result, buffer, len, out, error) })
}

pub unsafe fn gethostbyaddr(address: *const c_void, len: socklen_t, family: c_int) -> *mut c_void {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::gethostbyaddr(address, len, family) })
}

#[allow(clippy::too_many_arguments)] // libc's signature
pub unsafe fn gethostbyaddr_r(
    address: *const c_void,
    len: socklen_t,
    family: c_int,
    result: *mut c_void,
    buffer: *mut c_char,
    buffer_len: usize,
    out: *mut c_void,
    error: *mut c_int,
) -> c_int {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::gethostbyaddr_r(address, len, family, result, buffer, buffer_len, out, error) })
}

pub unsafe fn getifaddrs(out: *mut *mut c_void) -> c_int {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::getifaddrs(out) })
}

pub unsafe fn if_nameindex() -> *mut c_void {
    // SAFETY: the caller's.
    resolving(|| unsafe { real::if_nameindex() })
}
