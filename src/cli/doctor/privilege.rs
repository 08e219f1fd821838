//! Set-user-ID, set-group-ID and file capabilities: the loader ignores LD_PRELOAD for a program that gains rights.
#![allow(unsafe_code)] // Safety: getxattr into a local buffer, and two calls that cannot fail.

use super::{Check, fail, ok};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub fn check(path: &Path) -> Check {
    let Ok(meta) = std::fs::metadata(path) else { return ok("privilege", "none") };
    // SAFETY: no memory is involved.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    let gained = "the dynamic loader ignores LD_PRELOAD for it";
    if meta.mode() & libc::S_ISUID != 0 && meta.uid() != user {
        return fail("privilege", format!("it is set-user-ID: {gained}"));
    }
    // Without the execute bit of the group the bit means mandatory locking.
    if meta.mode() & libc::S_ISGID != 0 && meta.mode() & libc::S_IXGRP != 0 && meta.gid() != group {
        return fail("privilege", format!("it is set-group-ID: {gained}"));
    }
    if has_capabilities(path) && user != 0 {
        return fail("privilege", format!("it has file capabilities: {gained}"));
    }
    ok("privilege", "it gains no rights when it is executed")
}

fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut value = [0u8; 64];
    // SAFETY: both names end in NUL, and the length is that of the buffer.
    let len = unsafe {
        libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), value.as_mut_ptr().cast(), value.len())
    };
    len > 0
}
