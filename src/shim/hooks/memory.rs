//! Memory that goes: munmap, with the locks in it (`locks::memory`).
//!
//! Not mremap: what it moves keeps its contents, and a shared lock may be used at its new place. Not mmap with MAP_FIXED, which
//! allocators and loaders use on memory that they have reserved themselves.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::locks;
use crate::roster::real;

pub unsafe fn munmap(address: *mut c_void, len: usize) -> c_int {
    locks::memory::unmapping(address as usize, len);
    locks::order::memory_ends(address as usize, len);
    // SAFETY: the caller's.
    unsafe { real::munmap(address, len) }
}
