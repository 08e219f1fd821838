//! What the kernel says of a number or a path: is it open, what is behind it, which options and addresses has a socket.
//!
//! Why some are asked in two ways: a sandbox may know fstat and not statx, or know no fcntl, and an old kernel has no statx. A number
//! that nobody may ask about counts as open.
#![allow(unsafe_code)] // Safety: each wrapper passes valid pointers with their lengths; the kernel checks the rest.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

use super::{allowed, call, failed, fcntl};
use core::mem::MaybeUninit;
use libc::{c_int, c_long};

/// The fstat that fills a stat64.
#[cfg(target_pointer_width = "64")]
const FSTAT: c_long = libc::SYS_fstat;
#[cfg(target_pointer_width = "32")]
const FSTAT: c_long = libc::SYS_fstat64;

/// Is the number open in the kernel's table? Yes, where a sandbox lets nobody ask.
pub fn is_open(fd: c_int) -> bool {
    let answer = fcntl(fd, libc::F_GETFD, 0);
    answer >= 0
        || answer == -(libc::EPERM as isize)
            && (!allowed(FSTAT, [fd as usize, 0, 0, 0, 0, 0]) || identity(fd).is_some())
}

/// Who is behind a number.
pub fn identity(fd: c_int) -> Option<Identity> {
    identity_at(fd, b"\0", libc::AT_EMPTY_PATH)
}

/// Who is behind a path, without opening it.
pub fn identity_of_path(path: &[u8]) -> Option<Identity> {
    identity_at(libc::AT_FDCWD, path, 0)
}

/// Who is behind a path; of a symbolic link the link itself. Not before Linux 4.11.
pub fn identity_of_link(path: &[u8]) -> Option<Identity> {
    identity_at(libc::AT_FDCWD, path, libc::AT_SYMLINK_NOFOLLOW)
}

fn identity_at(fd: c_int, path: &[u8], flags: c_int) -> Option<Identity> {
    debug_assert!(path.last() == Some(&0));
    let mut out = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: a NUL-terminated path; statx writes one struct statx.
    let answer = unsafe {
        call(
            libc::SYS_statx,
            [fd as usize, path.as_ptr() as usize, flags as usize, 0x7ff, out.as_mut_ptr() as usize, 0],
        )
    };
    if answer == 0 {
        // SAFETY: filled above.
        let s = unsafe { out.assume_init() };
        return Some(Identity {
            device: u64::from(s.stx_dev_major) << 32 | u64::from(s.stx_dev_minor),
            inode: s.stx_ino,
            mode: u32::from(s.stx_mode),
            owner: s.stx_uid,
            special: (s.stx_rdev_major, s.stx_rdev_minor),
            size: s.stx_size,
        });
    }
    if fd < 0 || answer != -(libc::ENOSYS as isize) && answer != -(libc::EPERM as isize) {
        return None;
    }
    // Before Linux 4.11, or a sandbox that knows only fstat.
    let mut old = MaybeUninit::<libc::stat64>::zeroed();
    // SAFETY: fstat writes one struct stat (stat64 on 32-bit).
    let answer = unsafe { call(FSTAT, [fd as usize, old.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    if answer != 0 {
        return None;
    }
    // SAFETY: filled above.
    let s = unsafe { old.assume_init() };
    // In two halves, as statx has it: what was seen before a sandbox is compared with what is seen within.
    let device = s.st_dev as libc::dev_t;
    let device = u64::from(libc::major(device)) << 32 | u64::from(libc::minor(device));
    let special = s.st_rdev as libc::dev_t;
    let special = (libc::major(special) as u32, libc::minor(special) as u32);
    Some(Identity { device, inode: s.st_ino as u64, mode: s.st_mode, owner: s.st_uid, special, size: s.st_size as u64 })
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
    pub mode: u32,
    /// The user's number.
    pub owner: u32,
    /// Of a device file: which device, major and minor.
    pub special: (u32, u32),
    /// In bytes, as a rule.
    pub size: u64,
}

/// getsockopt of an int at SOL_SOCKET.
pub fn socket_option(fd: c_int, option: c_int) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut len: u32 = 4;
    let (v, l) = (&raw mut value as usize, &raw mut len as usize);
    // SAFETY: the kernel writes at most four bytes.
    let answer =
        unsafe { call(libc::SYS_getsockopt, [fd as usize, libc::SOL_SOCKET as usize, option as usize, v, l, 0]) };
    (answer == 0).then_some(value)
}

/// getsockopt of any option: the bytes written, 0 when it fails.
pub fn read_option(fd: c_int, level: c_int, option: c_int, out: &mut [u8]) -> usize {
    let mut len = out.len() as u32;
    let (v, l) = (out.as_mut_ptr() as usize, &raw mut len as usize);
    // SAFETY: the kernel writes at most `len` bytes.
    let answer = unsafe { call(libc::SYS_getsockopt, [fd as usize, level as usize, option as usize, v, l, 0]) };
    if answer == 0 { (len as usize).min(out.len()) } else { 0 }
}

/// FIONREAD: bytes that could be read at once.
pub fn waiting_bytes(fd: c_int) -> Option<u32> {
    let mut value: c_int = 0;
    let at = &raw mut value as usize;
    // SAFETY: the kernel writes one int.
    let answer = unsafe { call(libc::SYS_ioctl, [fd as usize, libc::FIONREAD as usize, at, 0, 0, 0]) };
    (answer == 0).then_some(value.max(0) as u32)
}

/// getsockname or getpeername: the bytes of the address.
pub fn socket_name(fd: c_int, peer: bool, out: &mut [u8; 128]) -> usize {
    let mut len: u32 = 128;
    let number = if peer { libc::SYS_getpeername } else { libc::SYS_getsockname };
    // SAFETY: the kernel writes at most `len` bytes.
    let answer = unsafe { call(number, [fd as usize, out.as_mut_ptr() as usize, &raw mut len as usize, 0, 0, 0]) };
    if answer == 0 { (len as usize).min(128) } else { 0 }
}

/// Of an open file, bytes.
pub fn file_size(fd: c_int) -> Option<u64> {
    let mut found = core::mem::MaybeUninit::<libc::stat64>::zeroed();
    // SAFETY: zero is a valid stat64, which the kernel fills.
    let size = unsafe {
        let failed = failed(call(FSTAT, [fd as usize, found.as_mut_ptr() as usize, 0, 0, 0, 0]));
        (!failed).then(|| found.assume_init().st_size)
    };
    size.and_then(|size| u64::try_from(size).ok())
}
