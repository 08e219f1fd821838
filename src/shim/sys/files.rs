//! Descriptors and files by raw calls: opened, read, written, closed.
//!
//! As in all of `sys`, answers are the kernel's: a negative value is `-errno`.
#![allow(unsafe_code)] // Safety: each wrapper passes valid pointers with their lengths; the kernel checks the rest.

use super::call;
use libc::{c_int, c_long};

pub fn write(fd: c_int, bytes: &[u8]) -> isize {
    // SAFETY: a live slice.
    unsafe { call(libc::SYS_write, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

/// Two pieces as one, as far as that is possible.
pub fn write_both(fd: c_int, first: &[u8], second: &[u8]) -> isize {
    let piece = |bytes: &[u8]| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let pieces = [piece(first), piece(second)];
    // SAFETY: two pieces, of their lengths; they are only read.
    let written = unsafe { call(libc::SYS_writev, [fd as usize, pieces.as_ptr() as usize, pieces.len(), 0, 0, 0]) };
    // A sandbox that knows only write.
    if written == -(libc::EPERM as isize) { write(fd, if first.is_empty() { second } else { first }) } else { written }
}

/// As [`write`], to somebody whom the program knows nothing of: when the reader is gone the answer is EPIPE, and no SIGPIPE
/// reaches the program.
pub fn write_without_sigpipe(fd: c_int, bytes: &[u8]) -> isize {
    const SIGPIPE: u64 = 1 << (libc::SIGPIPE - 1);
    let (mut before, mut pending) = (0u64, 0u64);
    let zero = [0 as c_long; 2];
    let at = |set: &u64| core::ptr::from_ref(set) as usize;
    // SAFETY: sets of the kernel's 8 bytes, one of them and a timespec read, two written; all live.
    unsafe {
        let old = &raw mut before as usize;
        call(libc::SYS_rt_sigprocmask, [libc::SIG_BLOCK as usize, at(&SIGPIPE), old, 8, 0, 0]);
        call(libc::SYS_rt_sigpending, [&raw mut pending as usize, 8, 0, 0, 0, 0]);
        let written = write(fd, bytes);
        // The signal is this thread's own; one that was pending before is the program's.
        if written == -(libc::EPIPE as isize) && pending & SIGPIPE == 0 {
            call(libc::SYS_rt_sigtimedwait, [at(&SIGPIPE), 0, zero.as_ptr() as usize, 8, 0, 0]);
        }
        call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, at(&before), 0, 8, 0, 0]);
        written
    }
}

/// Would a write return at once, now or within so many milliseconds? A pipe then takes 4096 bytes whole.
pub fn writable(fd: c_int, milliseconds: u32) -> bool {
    let mut asked = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    let mut wait = [(milliseconds / 1000) as c_long, (milliseconds % 1000 * 1_000_000) as c_long];
    // SAFETY: one pollfd and one timespec, both written to by the kernel; no signal mask.
    let ready = unsafe { call(libc::SYS_ppoll, [&raw mut asked as usize, 1, wait.as_mut_ptr() as usize, 0, 8, 0]) };
    ready > 0
}

pub fn pwrite(fd: c_int, bytes: &[u8], offset: u64) -> isize {
    // SAFETY: a live slice.
    unsafe { at_offset(libc::SYS_pwrite64, fd, bytes.as_ptr() as usize, bytes.len(), offset) }
}

pub fn pread(fd: c_int, bytes: &mut [u8], offset: u64) -> isize {
    // SAFETY: a live slice.
    unsafe { at_offset(libc::SYS_pread64, fd, bytes.as_mut_ptr() as usize, bytes.len(), offset) }
}

/// pread64 or pwrite64; i386 takes the offset in two halves.
///
/// # Safety
/// The memory is live for as long as the call wants it.
unsafe fn at_offset(number: c_long, fd: c_int, at: usize, len: usize, offset: u64) -> isize {
    let [low, high] = if cfg!(target_pointer_width = "64") {
        [offset as usize, 0]
    } else {
        [offset as usize, (offset >> 32) as usize]
    };
    // SAFETY: the caller's.
    unsafe { call(number, [fd as usize, at, len, low, high, 0]) }
}

pub fn flock(fd: c_int, operation: c_int) -> isize {
    // SAFETY: no pointers.
    unsafe { call(libc::SYS_flock, [fd as usize, operation as usize, 0, 0, 0, 0]) }
}

pub fn read(fd: c_int, bytes: &mut [u8]) -> isize {
    // SAFETY: a live slice.
    unsafe { call(libc::SYS_read, [fd as usize, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

/// `path` ends with NUL.
pub fn open(path: &[u8], flags: c_int, mode: u32) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path.
    unsafe {
        call(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags as usize, mode as usize, 0, 0])
    }
}

pub fn readlink(path: &[u8], out: &mut [u8]) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path and a live slice.
    unsafe {
        call(
            libc::SYS_readlinkat,
            [libc::AT_FDCWD as usize, path.as_ptr() as usize, out.as_mut_ptr() as usize, out.len(), 0, 0],
        )
    }
}

pub fn close(fd: c_int) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) }
}

/// Linux 5.9; ENOSYS before.
pub fn close_range(first: u32, last: u32) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_close_range, [first as usize, last as usize, 0, 0, 0, 0]) }
}

pub fn dup3(from: c_int, to: c_int, flags: c_int) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_dup3, [from as usize, to as usize, flags as usize, 0, 0, 0]) }
}

/// fcntl with an integer argument.
pub fn fcntl(fd: c_int, command: c_int, argument: usize) -> isize {
    #[cfg(target_pointer_width = "64")]
    let number = libc::SYS_fcntl;
    #[cfg(target_pointer_width = "32")]
    let number = libc::SYS_fcntl64;
    // SAFETY: the commands used here take integers.
    unsafe { call(number, [fd as usize, command as usize, argument, 0, 0, 0]) }
}

pub fn fallocate(fd: c_int, offset: u64, len: u64) -> isize {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: no memory.
    unsafe {
        call(libc::SYS_fallocate, [fd as usize, 0, offset as usize, len as usize, 0, 0])
    }
    #[cfg(target_pointer_width = "32")]
    // SAFETY: no memory; i386 takes 64-bit values in two halves.
    unsafe {
        let (o, l) = ([offset as usize, (offset >> 32) as usize], [len as usize, (len >> 32) as usize]);
        call(libc::SYS_fallocate, [fd as usize, 0, o[0], o[1], l[0], l[1]])
    }
}

/// lseek from the start.
pub fn lseek(fd: c_int, to: usize) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_lseek, [fd as usize, to, libc::SEEK_SET as usize, 0, 0, 0]) }
}

/// getdents64 into a buffer.
pub fn directory_entries(fd: c_int, out: &mut [u8]) -> isize {
    // SAFETY: a live slice.
    unsafe { call(libc::SYS_getdents64, [fd as usize, out.as_mut_ptr() as usize, out.len(), 0, 0, 0]) }
}

pub fn mkdir(path: &[u8], mode: u32) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path.
    unsafe { call(libc::SYS_mkdirat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, mode as usize, 0, 0, 0]) }
}

pub fn unlink(path: &[u8]) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path.
    unsafe { call(libc::SYS_unlinkat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0, 0, 0, 0]) }
}
