//! realloc of a followed block: its entry ends, and another begins.
//!
//! Freed first: once the allocator has the old block, another thread may be given its address. With redzones, a quarantine or guard
//! pages it is always another block, and the old one is freed as any other.
#![allow(unsafe_code)] // Safety: calls the real allocator as the hooks were called.

use super::{Call, Verdict, allocated, freeing, give_back, kept, live, obtain, request};
use crate::heap::{allocator, guard, is_reinforced};
use crate::{sys, thread};
use core::sync::atomic::Ordering::Relaxed;
use libc::c_void;

/// The real realloc of a block that the table knows, or may not know.
///
/// # Safety
/// As realloc(3); `block` is not null.
pub unsafe fn realloc(block: *mut c_void, size: usize, call: &Call) -> *mut c_void {
    let state = thread::current();
    state.inspect(|state| state.moving.store(block as u64, Relaxed));
    // SAFETY: the caller's.
    let new = unsafe { moved(block, size, call) };
    state.inspect(|state| state.moving.store(0, Relaxed));
    new
}

/// # Safety
/// As [`realloc`].
#[inline(always)]
unsafe fn moved(block: *mut c_void, size: usize, call: &Call) -> *mut c_void {
    if is_reinforced() {
        // SAFETY: the caller's.
        if let Some(done) = unsafe { realloc_by_copy(block, size, call) } {
            return done;
        }
    }
    // Freed first: once the allocator has it, another thread may be given the same address.
    let Verdict::Free(its) = freeing(block, call) else {
        sys::set_errno(libc::ENOMEM);
        return core::ptr::null_mut();
    };
    if guard::owns(its as usize) {
        // No live block, which has been said.
        sys::set_errno(libc::ENOMEM);
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's.
    let new = unsafe { allocator::realloc(its, if size == 0 { 0 } else { request(size) }) };
    if !new.is_null() {
        return allocated(new.into(), size, call);
    }
    if size != 0 {
        kept(block);
    }
    new
}

/// A new block, and the old one freed as any other; nothing when it is no live block of ours.
///
/// # Safety
/// As realloc(3); `block` is not null.
unsafe fn realloc_by_copy(block: *mut c_void, size: usize, call: &Call) -> Option<*mut c_void> {
    let facts = live(block)?;
    let mut new = core::ptr::null_mut();
    if size != 0 {
        // SAFETY: as malloc(3), for any size.
        let got = obtain(size, 0, |whole| unsafe { allocator::malloc(whole) });
        if got.block.is_null() {
            return Some(new);
        }
        new = allocated(got, size, call);
        // SAFETY: both are live, and of these sizes.
        unsafe { core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), size.min(facts.size as usize)) };
    }
    if let Verdict::Free(its) = freeing(block, call) {
        // SAFETY: the allocator's own pointer.
        unsafe { give_back(its) };
    }
    Some(new)
}
