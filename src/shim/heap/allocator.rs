//! The allocator under us: the program's own, as the loader found it behind us, or a tier where a rule wants that.
//!
//! Everything of the heap that is not a fast path asks here, so that redzones, the quarantine and guard pages do not know of tiers.
//! Without tiers each of these is the real function and one compare.
#![allow(unsafe_code)] // Safety: every function has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use crate::hooks::c_types::*;
use crate::roster::real;
use crate::tiers::{self, Placed};
use core::ptr::null_mut;

/// What malloc aligns to.
pub const ALIGN: usize = 16;

#[inline(always)]
pub unsafe fn malloc(size: usize) -> *mut c_void {
    if tiers::wants(size) {
        if let Placed::Block(block) = tiers::place(size, ALIGN, false) {
            return block;
        }
    }
    // SAFETY: the caller's.
    unsafe { real::malloc(size) }
}

#[inline(always)]
pub unsafe fn calloc(count: usize, size: usize) -> *mut c_void {
    // Of a product that overflows the real one says what is wrong.
    if let Some(bytes) = count.checked_mul(size).filter(|bytes| tiers::wants(*bytes)) {
        if let Placed::Block(block) = tiers::place(bytes, ALIGN, true) {
            return block;
        }
    }
    // SAFETY: the caller's.
    unsafe { real::calloc(count, size) }
}

/// With an alignment; `ordinary` is the call that the program made, or one that does the same.
#[inline(always)]
pub fn aligned(align: usize, size: usize, ordinary: impl FnOnce() -> *mut c_void) -> *mut c_void {
    // What is no alignment the real one judges.
    if tiers::wants(size) && align.is_power_of_two() {
        if let Placed::Block(block) = tiers::place(size, align.max(ALIGN), false) {
            return block;
        }
    }
    ordinary()
}

#[inline(always)]
pub unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if tiers::wants(size) || tiers::owns(block) {
        // SAFETY: the caller's.
        return unsafe { realloc_with_tiers(block, size) };
    }
    // SAFETY: the caller's.
    unsafe { real::realloc(block, size) }
}

#[inline(never)]
unsafe fn realloc_with_tiers(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: blocks of the allocator under us go back there.
    unsafe {
        tiers::reallocate(
            block,
            size,
            |block, size| if block.is_null() { real::malloc(size) } else { real::realloc(block, size) },
            |block| real::malloc_usable_size(block),
            |block| real::free(block),
        )
    }
}

#[inline(always)]
pub unsafe fn free(block: *mut c_void) {
    if tiers::owns(block) {
        return tiers::free(block);
    }
    // SAFETY: the caller's.
    unsafe { real::free(block) }
}

#[inline(always)]
pub unsafe fn usable_size(block: *mut c_void) -> usize {
    if tiers::owns(block) {
        return tiers::usable(block);
    }
    if block.is_null() {
        return 0;
    }
    // SAFETY: the caller's.
    unsafe { real::malloc_usable_size(block) }
}

/// posix_memalign through `aligned`: its answer, and the block.
#[inline(always)]
pub unsafe fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> (c_int, *mut c_void) {
    // POSIX: a power of two, and a multiple of the size of a pointer.
    let valid = align.is_power_of_two() && align % size_of::<usize>() == 0;
    if valid && tiers::wants(size) {
        match tiers::place(size, align.max(ALIGN), false) {
            Placed::Block(block) if block.is_null() => return (libc::ENOMEM, null_mut()),
            Placed::Block(block) => return (0, block),
            Placed::Ordinary => {}
        }
    }
    // SAFETY: the caller's; on success the block is in `out`, which is left alone otherwise.
    unsafe {
        let result = real::posix_memalign(out, align, size);
        (result, if result == 0 { *out } else { null_mut() })
    }
}
