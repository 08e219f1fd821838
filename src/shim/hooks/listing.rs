//! Listing hooks: a program that reads /proc/self/fd to close everything must not be shown our descriptors, nor the
//! tombstones, which would look like its own and be "closed twice".
//!
//! Only streams that `stdio::opendir` found to be such a listing are filtered; for all others the price is one load.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::descriptors::hidden;
use crate::roster::real;
use crate::sys;
use core::ffi::CStr;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Open streams on our own descriptor directory. More at once than this are not filtered.
static LISTINGS: [AtomicPtr<DIR>; 8] = [const { AtomicPtr::new(null_mut()) }; 8];

/// Is this descriptor open on this process's own list of descriptors?
fn lists_descriptors(fd: c_int) -> bool {
    let directory = sys::identity(fd);
    directory.is_some() && directory == sys::identity_of_path(b"/proc/self/fd\0")
}

/// A stream was opened on `path`.
pub fn opened(directory: *mut DIR, fd: c_int, path: &[u8]) {
    if (path.starts_with(b"/proc") || path.starts_with(b"/dev/fd") || !path.starts_with(b"/") && path.ends_with(b"fd"))
        && lists_descriptors(fd)
    {
        let _ = LISTINGS.iter().any(|l| l.compare_exchange(null_mut(), directory, Release, Relaxed).is_ok());
    }
}

/// The stream is about to be closed.
pub fn closing(directory: *mut DIR) {
    for listing in &LISTINGS {
        let _ = listing.compare_exchange(directory, null_mut(), Release, Relaxed);
    }
}

#[inline]
fn filtered(directory: *mut DIR) -> bool {
    LISTINGS.iter().any(|l| l.load(Acquire) == directory) && !directory.is_null()
}

/// # Safety
/// `name` is NUL-terminated.
unsafe fn is_hidden(name: *const c_char) -> bool {
    // SAFETY: the caller's.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().ok().and_then(|n| n.parse().ok()).is_some_and(hidden)
}

pub unsafe fn readdir(directory: *mut DIR) -> *mut dirent {
    // SAFETY: the caller's; an entry's name is NUL-terminated.
    unsafe {
        loop {
            let entry = real::readdir(directory);
            if entry.is_null() || !filtered(directory) || !is_hidden((*entry).d_name.as_ptr()) {
                return entry;
            }
        }
    }
}

pub unsafe fn readdir64(directory: *mut DIR) -> *mut dirent64 {
    // SAFETY: as above.
    unsafe {
        loop {
            let entry = real::readdir64(directory);
            if entry.is_null() || !filtered(directory) || !is_hidden((*entry).d_name.as_ptr()) {
                return entry;
            }
        }
    }
}

pub unsafe fn readdir_r(directory: *mut DIR, entry: *mut dirent, out: *mut *mut dirent) -> c_int {
    // SAFETY: as above; `*out` is the entry or null when the call succeeds.
    unsafe {
        loop {
            let result = real::readdir_r(directory, entry, out);
            if result != 0 || (*out).is_null() || !filtered(directory) || !is_hidden((*entry).d_name.as_ptr()) {
                return result;
            }
        }
    }
}

pub unsafe fn readdir64_r(directory: *mut DIR, entry: *mut dirent64, out: *mut *mut dirent64) -> c_int {
    // SAFETY: as above.
    unsafe {
        loop {
            let result = real::readdir64_r(directory, entry, out);
            if result != 0 || (*out).is_null() || !filtered(directory) || !is_hidden((*entry).d_name.as_ptr()) {
                return result;
            }
        }
    }
}
