//! Heap hooks. The fast path counts and goes on; what it is for, `crate::heap` says.
//!
//! A registered thread with `heap=count` or `sites` finds its entry in the block: that is the fast path, a few instructions
//! and a jump to the allocator. All else goes the slow way: a thread's first call, `heap=full`, `heap=off`, an allocation that
//! is sampled, a block that is [`special`].
//!
//! Before the real functions are known (the first dlsym may itself call malloc) blocks come from the bootstrap arena,
//! whose pointers free, realloc and malloc_usable_size know for ever.
//!
//! **errno.** free keeps it: the allocator's business, and we touch it nowhere (our own system calls are raw).
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::heap::elsewhere;
use crate::heap::full::{self, Call, Verdict};
use crate::heap::sampled::{self, special};
use crate::heap::{Level, level};
use crate::resolve::{any_mapped, bootstrap, bootstrap_size, in_arena, is_bootstrap};
use crate::roster::{known, real, slots};
use crate::{sys, thread};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;
use record::layout::ThreadCounter::{self, Allocations, BytesRequested, Frees, Reallocations};
use track::heap::Family;

/// How the fast path of an allocation may go on.
#[derive(PartialEq, Eq)]
pub(super) enum Way {
    /// Counted: to the allocator.
    Fast,
    /// Counted, and it holds the next byte to be sampled.
    Sample,
    /// Not counted: a thread's first, or a level that has no fast path.
    Slow,
}

/// Counts an allocation of a registered thread.
///
/// A registered thread also means that all real functions are known: they are resolved before any thread registers.
#[inline(always)]
pub(super) fn counted(counter: ThreadCounter, bytes: usize) -> Way {
    let Some(entry) = thread::counters() else { return Way::Slow };
    entry.add(counter, 1);
    let left = &thread::block().heap_left;
    let rest = left.load(Relaxed).wrapping_sub_unsigned(bytes);
    left.store(rest, Relaxed);
    if rest < 0 { Way::Sample } else { Way::Fast }
}

/// Registers the thread if need be, and counts where the level counts here. False: not watched, or by `heap=full`.
#[cold]
#[inline(never)]
fn first(counter: ThreadCounter, bytes: usize) -> bool {
    let registered = thread::current_or_register();
    match level() {
        Level::Count | Level::Sites => {
            if let Some(state) = registered {
                state.add(counter, 1);
                state.add(BytesRequested, bytes as u64);
            }
            false
        }
        Level::Full => true,
        Level::Unknown | Level::Off => false,
    }
}

#[inline(always)]
pub unsafe fn malloc(size: usize) -> *mut c_void {
    match counted(Allocations, size) {
        // SAFETY: the caller's; the thread is registered.
        Way::Fast => unsafe { known::malloc(size) },
        Way::Sample => sampled_malloc(size),
        Way::Slow => slow_malloc(size, &Call { family: Family::Malloc, name: "malloc" }),
    }
}

#[inline(never)]
pub(super) fn sampled_malloc(size: usize) -> *mut c_void {
    // SAFETY: as malloc(3), for any size.
    let block = unsafe { known::malloc(size) };
    sampled::sampled(block as usize, size);
    block
}

#[inline(never)]
pub(super) fn slow_malloc(size: usize, call: &'static Call) -> *mut c_void {
    // A level means that the real functions are known.
    if level() == Level::Full {
        // SAFETY: as malloc(3), for any size.
        return followed(unsafe { known::malloc(full::request(size)) }, size, call);
    }
    first_malloc(size, call)
}

#[inline(never)]
fn first_malloc(size: usize, call: &'static Call) -> *mut c_void {
    if level() == Level::Off {
        // SAFETY: as malloc(3), for any size.
        return unsafe { known::malloc(size) };
    }
    if slots::malloc.resolved().is_none() && thread::internal() {
        return bootstrap(size, 16);
    }
    let full = first(Allocations, size);
    // SAFETY: as malloc(3), for any size.
    let block = unsafe { real::malloc(size) };
    if full { followed(block, size, call) } else { block }
}

/// A block of the allocator's, with its entry when it is one.
#[inline(always)]
fn followed(block: *mut c_void, size: usize, call: &'static Call) -> *mut c_void {
    if !block.is_null() {
        full::allocated(block, size, call);
    }
    block
}

#[inline(always)]
pub unsafe fn calloc(count: usize, size: usize) -> *mut c_void {
    match counted(Allocations, count.wrapping_mul(size)) {
        // SAFETY: the caller's; the thread is registered.
        Way::Fast => unsafe { known::calloc(count, size) },
        Way::Sample => sampled_calloc(count, size),
        Way::Slow => slow_calloc(count, size),
    }
}

#[inline(never)]
fn sampled_calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: as calloc(3), for any sizes.
    let block = unsafe { known::calloc(count, size) };
    sampled::sampled(block as usize, count.wrapping_mul(size));
    block
}

#[inline(never)]
fn slow_calloc(count: usize, size: usize) -> *mut c_void {
    if slots::calloc.resolved().is_none() && thread::internal() {
        return match count.checked_mul(size) {
            Some(bytes) => bootstrap(bytes, 16),
            None => null_mut(),
        };
    }
    let bytes = count.wrapping_mul(size);
    let full = level() == Level::Full || first(Allocations, bytes);
    // SAFETY: as calloc(3), for any sizes.
    unsafe {
        if !full {
            return real::calloc(count, size);
        }
        let small = bytes < full::request(bytes) && count.checked_mul(size).is_some();
        let block = if small { real::calloc(1, full::request(bytes)) } else { real::calloc(count, size) };
        followed(block, bytes, &Call { family: Family::Malloc, name: "calloc" })
    }
}

#[inline(always)]
pub unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if special(block as usize) {
        return slow_realloc(block, size);
    }
    match counted(Reallocations, size) {
        // SAFETY: the caller's; the thread is registered.
        Way::Fast => unsafe { known::realloc(block, size) },
        Way::Sample => sampled_realloc(block, size),
        Way::Slow => slow_realloc(block, size),
    }
}

#[inline(never)]
fn sampled_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: as realloc(3): the hook's own contract.
    let new = unsafe { known::realloc(block, size) };
    sampled::sampled(new as usize, size);
    new
}

#[inline(never)]
fn slow_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if is_bootstrap(block) || slots::realloc.resolved().is_none() && thread::internal() {
        // SAFETY: a new block of `size` bytes; the old one is a bootstrap block (or null) of the size that it says.
        return unsafe {
            let new = malloc(size);
            if !new.is_null() && is_bootstrap(block) {
                core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), size.min(bootstrap_size(block)));
            }
            new
        };
    }
    let call: &'static Call = &Call { family: Family::Malloc, name: "realloc" };
    if level() == Level::Full {
        // SAFETY: as realloc(3): the hook's own contract.
        return match block.is_null() {
            true => slow_malloc(size, call),
            false => unsafe { full::realloc(block, size, call) },
        };
    }
    // A sample goes with its address, before another thread can have it. When the realloc fails it is lost.
    if special(block as usize) {
        sampled::freed(block as usize);
        match counted(Reallocations, size) {
            Way::Sample => return sampled_realloc(block, size),
            Way::Fast => {}
            Way::Slow => {
                first(Reallocations, size);
            }
        }
    } else if first(Reallocations, size) {
        return slow_realloc(block, size);
    }
    // SAFETY: as realloc(3): the hook's own contract.
    unsafe { real::realloc(block, size) }
}

#[inline(always)]
pub unsafe fn free(block: *mut c_void) {
    match thread::counters() {
        Some(entry) if !special(block as usize) => {
            entry.add(Frees, 1);
            // SAFETY: the caller's; the thread is registered.
            unsafe { known::free(block) }
        }
        _ => slow_free(block, &Call { family: Family::Malloc, name: "free" }),
    }
}

#[inline(never)]
pub(super) fn slow_free(block: *mut c_void, call: &'static Call) {
    if level() != Level::Full || in_arena(block) || any_mapped() {
        return unfollowed_free(block, call);
    }
    if !block.is_null() && full::freeing(block, call) == Verdict::Free {
        // SAFETY: as free(3): the hook's own contract.
        unsafe { known::free(block) }
    }
}

#[inline(never)]
fn unfollowed_free(block: *mut c_void, call: &'static Call) {
    if block.is_null() || is_bootstrap(block) || slots::free.resolved().is_none() && thread::internal() {
        return;
    }
    if level() == Level::Full {
        if full::freeing(block, call) == Verdict::Free {
            // SAFETY: as free(3): the hook's own contract.
            unsafe { real::free(block) }
        }
        return;
    }
    if level() == Level::Off {
        // SAFETY: as free(3): the hook's own contract.
        return unsafe { known::free(block) };
    }
    if special(block as usize) {
        sampled::freed(block as usize);
    }
    if let Some(entry) = thread::counters() {
        entry.add(Frees, 1);
    } else if first(Frees, 0) {
        return slow_free(block, call);
    }
    // SAFETY: as free(3): the hook's own contract.
    unsafe { real::free(block) }
}

#[inline(always)]
pub unsafe fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        // glibc's reallocarray is this (malloc/reallocarray.c), and 2.25 and older have none.
        // SAFETY: the caller's.
        Some(bytes) => unsafe { elsewhere::realloc(block, bytes).unwrap_or_else(|| realloc(block, bytes)) },
        None => {
            sys::set_errno(libc::ENOMEM);
            null_mut()
        }
    }
}

/// What all the aligned forms share: the real call, told afterwards.
#[inline(always)]
pub(super) fn aligned(size: usize, call: &'static Call, real: impl FnOnce() -> *mut c_void) -> *mut c_void {
    let way = counted(Allocations, size);
    let full = way == Way::Slow && (level() == Level::Full || first(Allocations, size));
    let block = real();
    match way {
        Way::Sample => sampled::sampled(block as usize, size),
        _ if full => return followed(block, size, call),
        _ => {}
    }
    block
}

#[inline(always)]
pub unsafe fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    let mut result = 0;
    aligned(size, &Call { family: Family::Malloc, name: "posix_memalign" }, || {
        // SAFETY: the caller's; on success the block is in `out`, which is left alone otherwise.
        unsafe {
            result = real::posix_memalign(out, align, size);
            if result == 0 { *out } else { null_mut() }
        }
    });
    result
}

#[inline(always)]
pub unsafe fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    aligned(size, &Call { family: Family::Malloc, name: "aligned_alloc" }, || unsafe {
        real::aligned_alloc(align, size)
    })
}

#[inline(always)]
pub unsafe fn memalign(align: usize, size: usize) -> *mut c_void {
    if slots::memalign.resolved().is_none() && thread::internal() {
        return bootstrap(size, align);
    }
    // SAFETY: the caller's.
    aligned(size, &Call { family: Family::Malloc, name: "memalign" }, || unsafe { real::memalign(align, size) })
}

#[inline(always)]
pub unsafe fn valloc(size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    aligned(size, &Call { family: Family::Malloc, name: "valloc" }, || unsafe { real::valloc(size) })
}

#[inline(always)]
pub unsafe fn pvalloc(size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    aligned(size, &Call { family: Family::Malloc, name: "pvalloc" }, || unsafe { real::pvalloc(size) })
}

pub unsafe fn malloc_usable_size(block: *mut c_void) -> usize {
    if is_bootstrap(block) {
        return bootstrap_size(block);
    }
    // SAFETY: the caller's.
    unsafe { real::malloc_usable_size(block) }
}

/// Gone from glibc 2.26, still imported by old binaries.
#[inline(always)]
pub unsafe fn cfree(block: *mut c_void) {
    // SAFETY: the caller's.
    unsafe { free_of_process(block) }
}

/// free, or that of the allocator whose blocks the process has: it may lack the names below.
#[inline(always)]
unsafe fn free_of_process(block: *mut c_void) {
    // SAFETY: the caller's.
    unsafe {
        if !elsewhere::is_owner() || !elsewhere::free(block) {
            free(block);
        }
    }
}

/// C23; glibc has none yet. The size is a hint.
#[inline(always)]
pub unsafe fn free_sized(block: *mut c_void, _size: usize) {
    // SAFETY: the caller's.
    unsafe { free_of_process(block) }
}

/// C23; as [`free_sized`].
#[inline(always)]
pub unsafe fn free_aligned_sized(block: *mut c_void, _align: usize, _size: usize) {
    // SAFETY: the caller's.
    unsafe { free_of_process(block) }
}
