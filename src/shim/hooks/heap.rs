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
use crate::heap::full::{self, Call, Obtained, Verdict};
use crate::heap::sampled::{self, special};
use crate::heap::{Level, guard, level};
use crate::heap::{allocator, elsewhere};
use crate::locks::{memory, order};
use crate::resolve::{any_mapped, bootstrap, bootstrap_size, in_arena, is_bootstrap};
use crate::roster::{known, slots};
use crate::tiers::Placed;
use crate::{thread, tiers};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;
use record::layout::ThreadCounter::{self, Allocations, BytesRequested, Frees};
use track::heap::Family;

mod aligned;
mod realloc;

pub(super) use aligned::aligned;
pub use aligned::{aligned_alloc, memalign, posix_memalign, pvalloc, valloc};
pub use realloc::{realloc, reallocarray};

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
    counted_in(entry, counter, bytes)
}

#[inline(always)]
fn counted_in(entry: &record::layout::Thread, counter: ThreadCounter, bytes: usize) -> Way {
    entry.add(counter, 1);
    let left = &thread::block().heap_left;
    let rest = left.load(Relaxed).wrapping_sub_unsigned(bytes);
    left.store(rest, Relaxed);
    if rest < 0 { Way::Sample } else { Way::Fast }
}

/// An allocation of a process that has tiers, and so no fast path; not with `heap=full`.
#[inline(always)]
fn tiered(counter: ThreadCounter, size: usize, align: usize, ask: impl FnOnce(usize) -> *mut c_void) -> *mut c_void {
    match thread::watched() {
        Some((entry, _)) if level() != Level::Off => match counted_in(entry, counter, size) {
            Way::Sample if counter == Allocations => return sampled_by(size, align, ask),
            _ => {}
        },
        None if level() != Level::Off => {
            first(counter, size);
        }
        _ => {}
    }
    ask(size)
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
    sampled_by(size, 0, |size| unsafe { known::malloc(size) })
}

/// The end of a thread's gap: an allocation to be looked at, or to be put on guard pages, or neither.
#[inline(always)]
fn sampled_by(size: usize, align: usize, ask: impl FnOnce(usize) -> *mut c_void) -> *mut c_void {
    let due = sampled::due();
    let mut block = if due.guard { guard::allocate(size, align) } else { null_mut() };
    if block.is_null() {
        block = ask(size);
    }
    if due.sample {
        sampled::sampled(block as usize, size);
    }
    block
}

#[inline(never)]
pub(super) fn slow_malloc(size: usize, call: &'static Call) -> *mut c_void {
    if let Some((own, entry)) = tiers::quick() {
        return match counted_in(entry, Allocations, size) {
            Way::Sample => sampled_and_placed(size),
            _ if tiers::wants(size) => routed_malloc(own, size),
            // SAFETY: as malloc(3), for any size; the thread is registered.
            _ => unsafe { known::malloc(size) },
        };
    }
    slower_malloc(size, call)
}

#[inline(never)]
fn routed_malloc(own: &'static tiers::Own, size: usize) -> *mut c_void {
    match tiers::place_quickly(own, size) {
        Placed::Block(block) => block,
        // SAFETY: as malloc(3), for any size; the thread is registered.
        Placed::Ordinary => unsafe { known::malloc(size) },
    }
}

#[inline(never)]
fn sampled_and_placed(size: usize) -> *mut c_void {
    // SAFETY: as malloc(3), for any size.
    sampled_by(size, 0, |size| unsafe { allocator::malloc(size) })
}

#[inline(never)]
fn slower_malloc(size: usize, call: &'static Call) -> *mut c_void {
    // A level means that the real functions are known.
    if level() == Level::Full {
        // SAFETY: as malloc(3), for any size.
        return followed(full::obtain(size, 0, |whole| unsafe { allocator::malloc(whole) }), size, call);
    }
    if tiers::on() {
        // SAFETY: as malloc(3), for any size.
        return tiered(Allocations, size, 0, |size| unsafe { allocator::malloc(size) });
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
    if first(Allocations, size) {
        // SAFETY: as malloc(3), for any size.
        return followed(full::obtain(size, 0, |whole| unsafe { allocator::malloc(whole) }), size, call);
    }
    // SAFETY: as malloc(3), for any size.
    unsafe { allocator::malloc(size) }
}

/// A block of the allocator's, with its entry when it is one; the program's pointer.
#[inline(always)]
fn followed(got: Obtained, size: usize, call: &'static Call) -> *mut c_void {
    if got.block.is_null() { null_mut() } else { full::allocated(got, size, call) }
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
    let Some(bytes) = count.checked_mul(size) else {
        // SAFETY: as calloc(3): it says what is wrong.
        return unsafe { known::calloc(count, size) };
    };
    // SAFETY: as calloc(3), for any sizes.
    sampled_by(bytes, 0, |_| unsafe { known::calloc(count, size) })
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
    if tiers::on() && level() != Level::Full {
        // SAFETY: as calloc(3), for any sizes.
        return tiered(Allocations, bytes, 0, |_| unsafe { allocator::calloc(count, size) });
    }
    let full = level() == Level::Full || first(Allocations, bytes);
    // SAFETY: as calloc(3), for any sizes.
    unsafe {
        // Of a product that overflows it says what is wrong.
        if !full || count.checked_mul(size).is_none() {
            return allocator::calloc(count, size);
        }
        let got = full::obtain(bytes, 0, |whole| allocator::calloc(1, whole));
        followed(got, bytes, &Call { family: Family::Malloc, name: "calloc" })
    }
}

#[inline(always)]
pub unsafe fn free(block: *mut c_void) {
    match thread::counters() {
        Some(entry) if !special(block as usize) => {
            entry.add(Frees, 1);
            memory::freeing_plain(block as usize, "free");
            // SAFETY: the caller's; the thread is registered.
            unsafe { known::free(block) }
        }
        _ => slow_free(block, &Call { family: Family::Malloc, name: "free" }),
    }
}

#[inline(never)]
pub(super) fn slow_free(block: *mut c_void, call: &'static Call) {
    // A process with tiers has no other fast path.
    if let Some((own, entry)) = tiers::quick().filter(|_| !special(block as usize) && !memory::holding()) {
        entry.add(Frees, 1);
        if tiers::owns(block) {
            return tiers::free_quickly(own, block);
        }
        // SAFETY: as free(3): the hook's own contract; the thread is registered.
        return unsafe { known::free(block) };
    }
    slower_free(block, call);
}

#[cold]
#[inline(never)]
fn slower_free(block: *mut c_void, call: &'static Call) {
    if order::on() {
        order::block_ends(block as usize);
    }
    if memory::holding() {
        memory::freeing(block as usize, call.name);
    }
    if level() != Level::Full || in_arena(block) || any_mapped() {
        return unfollowed_free(block, call);
    }
    if block.is_null() {
        return;
    }
    if let Verdict::Free(its) = full::freeing(block, call) {
        // SAFETY: as free(3): the hook's own contract.
        unsafe { full::give_back(its) }
    }
}

#[inline(never)]
fn unfollowed_free(block: *mut c_void, call: &'static Call) {
    if block.is_null() || is_bootstrap(block) || slots::free.resolved().is_none() && thread::internal() {
        return;
    }
    if level() == Level::Full {
        if let Verdict::Free(its) = full::freeing(block, call) {
            // SAFETY: as free(3): the hook's own contract.
            unsafe { full::give_back(its) }
        }
        return;
    }
    if level() == Level::Off {
        // SAFETY: as free(3): the hook's own contract.
        return unsafe { allocator::free(block) };
    }
    if special(block as usize) {
        sampled::freed(block as usize);
        if guard::owns(block as usize) {
            thread::counters().inspect(|entry| entry.add(Frees, 1));
            return guard::free(block as usize, Some(call));
        }
    }
    if let Some((entry, _)) = thread::watched() {
        entry.add(Frees, 1);
    } else if first(Frees, 0) {
        return slow_free(block, call);
    }
    // SAFETY: as free(3): the hook's own contract.
    unsafe { allocator::free(block) }
}

pub unsafe fn malloc_usable_size(block: *mut c_void) -> usize {
    if is_bootstrap(block) {
        return bootstrap_size(block);
    }
    if let Some(size) = guard::size_of(block).or_else(|| full::usable(block)) {
        return size;
    }
    // SAFETY: the caller's.
    unsafe { allocator::usable_size(block) }
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
