//! Hooks of the calls that take a directory descriptor, and of those that a tombstone would answer.
//!
//! On the descriptor that holds a quarantined number's place these would succeed, or fail in another way than on a closed
//! number: the answer EBADF is given here.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::descriptors::{bad_use, hidden, used};
use crate::roster::real;
use crate::sys;
use libc::EBADF;

/// A call relative to `directory`. False: it must answer EBADF.
#[inline]
fn usable(directory: c_int, name: &str) -> bool {
    if directory < 0 {
        return true; // AT_FDCWD, or for the kernel to refuse
    }
    if hidden(directory) {
        bad_use(directory, name);
        sys::set_errno(EBADF);
        return false;
    }
    used(directory)
}

/// After a failure: EBADF may be the directory's.
#[inline]
fn failed(directory: c_int, name: &str) {
    if directory >= 0 && sys::errno() == EBADF {
        bad_use(directory, name);
    }
}

pub unsafe fn fstatfs(fd: c_int, out: *mut c_void) -> c_int {
    if !usable(fd, "fstatfs") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fstatfs(fd, out) };
    if result == -1 {
        failed(fd, "fstatfs");
    }
    result
}

pub unsafe fn fstatfs64(fd: c_int, out: *mut c_void) -> c_int {
    if !usable(fd, "fstatfs") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fstatfs64(fd, out) };
    if result == -1 {
        failed(fd, "fstatfs");
    }
    result
}

pub unsafe fn fstatvfs(fd: c_int, out: *mut c_void) -> c_int {
    if !usable(fd, "fstatvfs") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fstatvfs(fd, out) };
    if result == -1 {
        failed(fd, "fstatvfs");
    }
    result
}

pub unsafe fn fstatvfs64(fd: c_int, out: *mut c_void) -> c_int {
    if !usable(fd, "fstatvfs") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fstatvfs64(fd, out) };
    if result == -1 {
        failed(fd, "fstatvfs");
    }
    result
}

pub unsafe fn fstatat(directory: c_int, path: *const c_char, out: *mut c_void, flags: c_int) -> c_int {
    if !usable(directory, "fstatat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fstatat(directory, path, out, flags) };
    if result == -1 {
        failed(directory, "fstatat");
    }
    result
}

pub unsafe fn fstatat64(directory: c_int, path: *const c_char, out: *mut c_void, flags: c_int) -> c_int {
    if !usable(directory, "fstatat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fstatat64(directory, path, out, flags) };
    if result == -1 {
        failed(directory, "fstatat");
    }
    result
}

pub unsafe fn __fxstatat(
    version: c_int,
    directory: c_int,
    path: *const c_char,
    out: *mut c_void,
    flags: c_int,
) -> c_int {
    if !usable(directory, "fstatat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::__fxstatat(version, directory, path, out, flags) };
    if result == -1 {
        failed(directory, "fstatat");
    }
    result
}

pub unsafe fn __fxstatat64(
    version: c_int,
    directory: c_int,
    path: *const c_char,
    out: *mut c_void,
    flags: c_int,
) -> c_int {
    if !usable(directory, "fstatat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::__fxstatat64(version, directory, path, out, flags) };
    if result == -1 {
        failed(directory, "fstatat");
    }
    result
}

pub unsafe fn statx(directory: c_int, path: *const c_char, flags: c_int, mask: c_uint, out: *mut c_void) -> c_int {
    if !usable(directory, "statx") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::statx(directory, path, flags, mask, out) };
    if result == -1 {
        failed(directory, "statx");
    }
    result
}

pub unsafe fn faccessat(directory: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int {
    if !usable(directory, "faccessat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::faccessat(directory, path, mode, flags) };
    if result == -1 {
        failed(directory, "faccessat");
    }
    result
}

pub unsafe fn fchmodat(directory: c_int, path: *const c_char, mode: mode_t, flags: c_int) -> c_int {
    if !usable(directory, "fchmodat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fchmodat(directory, path, mode, flags) };
    if result == -1 {
        failed(directory, "fchmodat");
    }
    result
}

pub unsafe fn fchownat(directory: c_int, path: *const c_char, user: u32, group: u32, flags: c_int) -> c_int {
    if !usable(directory, "fchownat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::fchownat(directory, path, user, group, flags) };
    if result == -1 {
        failed(directory, "fchownat");
    }
    result
}

pub unsafe fn utimensat(directory: c_int, path: *const c_char, times: *const timespec, flags: c_int) -> c_int {
    if !usable(directory, "utimensat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::utimensat(directory, path, times, flags) };
    if result == -1 {
        failed(directory, "utimensat");
    }
    result
}

pub unsafe fn readlinkat(directory: c_int, path: *const c_char, out: *mut c_char, len: usize) -> ssize_t {
    if !usable(directory, "readlinkat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::readlinkat(directory, path, out, len) };
    if result == -1 {
        failed(directory, "readlinkat");
    }
    result
}

pub unsafe fn __readlinkat_chk(
    directory: c_int,
    path: *const c_char,
    out: *mut c_char,
    len: usize,
    room: usize,
) -> ssize_t {
    if !usable(directory, "readlinkat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::__readlinkat_chk(directory, path, out, len, room) };
    if result == -1 {
        failed(directory, "readlinkat");
    }
    result
}

pub unsafe fn mkdirat(directory: c_int, path: *const c_char, mode: mode_t) -> c_int {
    if !usable(directory, "mkdirat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::mkdirat(directory, path, mode) };
    if result == -1 {
        failed(directory, "mkdirat");
    }
    result
}

pub unsafe fn mkfifoat(directory: c_int, path: *const c_char, mode: mode_t) -> c_int {
    if !usable(directory, "mkfifoat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::mkfifoat(directory, path, mode) };
    if result == -1 {
        failed(directory, "mkfifoat");
    }
    result
}

pub unsafe fn mknodat(directory: c_int, path: *const c_char, mode: mode_t, device: u64) -> c_int {
    if !usable(directory, "mknodat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::mknodat(directory, path, mode, device) };
    if result == -1 {
        failed(directory, "mknodat");
    }
    result
}

pub unsafe fn __xmknodat(
    version: c_int,
    directory: c_int,
    path: *const c_char,
    mode: mode_t,
    device: *mut u64,
) -> c_int {
    if !usable(directory, "mknodat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::__xmknodat(version, directory, path, mode, device) };
    if result == -1 {
        failed(directory, "mknodat");
    }
    result
}

pub unsafe fn unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int {
    if !usable(directory, "unlinkat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::unlinkat(directory, path, flags) };
    if result == -1 {
        failed(directory, "unlinkat");
    }
    result
}

pub unsafe fn symlinkat(target: *const c_char, directory: c_int, path: *const c_char) -> c_int {
    if !usable(directory, "symlinkat") {
        return -1;
    }
    // SAFETY: the caller's.
    let result = unsafe { real::symlinkat(target, directory, path) };
    if result == -1 {
        failed(directory, "symlinkat");
    }
    result
}

/// Two directories.
#[inline]
fn with_two(first: c_int, second: c_int, name: &str, call: impl FnOnce() -> c_int) -> c_int {
    if !usable(first, name) || !usable(second, name) {
        sys::set_errno(EBADF);
        return -1;
    }
    let result = call();
    if result == -1 && sys::errno() == EBADF {
        failed(if first >= 0 && !sys::is_open(first) { first } else { second }, name);
    }
    result
}

pub unsafe fn linkat(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's.
    with_two(from, to, "linkat", || unsafe { real::linkat(from, old, to, new, flags) })
}

pub unsafe fn renameat(from: c_int, old: *const c_char, to: c_int, new: *const c_char) -> c_int {
    // SAFETY: the caller's.
    with_two(from, to, "renameat", || unsafe { real::renameat(from, old, to, new) })
}

pub unsafe fn renameat2(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_uint) -> c_int {
    // SAFETY: the caller's.
    with_two(from, to, "renameat2", || unsafe { real::renameat2(from, old, to, new, flags) })
}
