//! Heap hooks: pass-through with per-thread counters.
//!
//! Before the real functions are known (the first dlsym may itself call malloc) blocks come from the bootstrap arena,
//! whose pointers free, realloc and malloc_usable_size know for ever.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::resolve::{bootstrap, bootstrap_size, is_bootstrap};
use crate::roster::{real, slots};
use crate::{sys, thread};
use record::layout::ThreadCounter::{self, Allocations, BytesRequested, Frees, Reallocations};

/// One load and two stores in the usual case.
#[inline(always)]
fn counted(counter: ThreadCounter, bytes: usize) {
    match thread::current() {
        Some(state) => {
            state.add(counter, 1);
            if bytes != 0 {
                state.add(BytesRequested, bytes as u64);
            }
        }
        None => first(counter, bytes),
    }
}

#[cold]
#[inline(never)]
fn first(counter: ThreadCounter, bytes: usize) {
    if let Some(state) = thread::current_or_register() {
        state.add(counter, 1);
        state.add(BytesRequested, bytes as u64);
    }
}

/// Is the real malloc out of reach because we are just looking for it?
#[inline(always)]
fn bootstrapping() -> bool {
    slots::malloc.resolved().is_none() && thread::internal()
}

pub unsafe fn malloc(size: usize) -> *mut c_void {
    if bootstrapping() {
        return bootstrap(size, 16);
    }
    counted(Allocations, size);
    // SAFETY: the caller's.
    unsafe { real::malloc(size) }
}

pub unsafe fn calloc(count: usize, size: usize) -> *mut c_void {
    if slots::calloc.resolved().is_none() && thread::internal() {
        return match count.checked_mul(size) {
            Some(bytes) => bootstrap(bytes, 16),
            None => core::ptr::null_mut(),
        };
    }
    counted(Allocations, count.saturating_mul(size));
    // SAFETY: the caller's.
    unsafe { real::calloc(count, size) }
}

pub unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if is_bootstrap(block) || slots::realloc.resolved().is_none() && thread::internal() {
        return leave_bootstrap(block, size);
    }
    counted(Reallocations, size);
    // SAFETY: the caller's.
    unsafe { real::realloc(block, size) }
}

#[cold]
fn leave_bootstrap(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: a new block of `size` bytes; the old one is a bootstrap block (or null) of the size that it says.
    unsafe {
        let new = malloc(size);
        if !new.is_null() && is_bootstrap(block) {
            core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), size.min(bootstrap_size(block)));
        }
        new
    }
}

pub unsafe fn free(block: *mut c_void) {
    if is_bootstrap(block) || slots::free.resolved().is_none() && thread::internal() {
        return;
    }
    if !block.is_null() {
        counted(Frees, 0);
    }
    // SAFETY: the caller's.
    unsafe { real::free(block) }
}

pub unsafe fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        // glibc's reallocarray is this (malloc/reallocarray.c), and 2.25 and older have none.
        // SAFETY: the caller's.
        Some(bytes) => unsafe { realloc(block, bytes) },
        None => {
            sys::set_errno(libc::ENOMEM);
            core::ptr::null_mut()
        }
    }
}

pub unsafe fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    counted(Allocations, size);
    // SAFETY: the caller's.
    unsafe { real::posix_memalign(out, align, size) }
}

pub unsafe fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    counted(Allocations, size);
    // SAFETY: the caller's.
    unsafe { real::aligned_alloc(align, size) }
}

pub unsafe fn memalign(align: usize, size: usize) -> *mut c_void {
    if slots::memalign.resolved().is_none() && thread::internal() {
        return bootstrap(size, align);
    }
    counted(Allocations, size);
    // SAFETY: the caller's.
    unsafe { real::memalign(align, size) }
}

pub unsafe fn valloc(size: usize) -> *mut c_void {
    counted(Allocations, size);
    // SAFETY: the caller's.
    unsafe { real::valloc(size) }
}

pub unsafe fn pvalloc(size: usize) -> *mut c_void {
    counted(Allocations, size);
    // SAFETY: the caller's.
    unsafe { real::pvalloc(size) }
}

pub unsafe fn malloc_usable_size(block: *mut c_void) -> usize {
    if is_bootstrap(block) {
        return bootstrap_size(block);
    }
    // SAFETY: the caller's.
    unsafe { real::malloc_usable_size(block) }
}

/// Gone from glibc 2.26, still imported by old binaries.
pub unsafe fn cfree(block: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { free(block) }
}

/// C23; glibc has none yet. The size is a hint.
pub unsafe fn free_sized(block: *mut c_void, _size: usize) {
    // SAFETY: the caller's.
    unsafe { free(block) }
}

/// C23; as [`free_sized`].
pub unsafe fn free_aligned_sized(block: *mut c_void, _align: usize, _size: usize) {
    // SAFETY: the caller's.
    unsafe { free(block) }
}
