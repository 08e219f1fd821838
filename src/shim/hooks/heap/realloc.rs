//! realloc and reallocarray: a block ends and another begins, perhaps at the same address.
//!
//! What is known of the old block goes before the call, because another thread may be given its address at once. A block that the
//! allocator does not have (of the bootstrap arena, on guard pages) is copied into one that it has.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::{Way, counted, first, malloc, slow_malloc, tiered};
use crate::heap::full::{self, Call};
use crate::heap::sampled::{self, special};
use crate::heap::{Level, allocator, elsewhere, guard, level};
use crate::hooks::c_types::*;
use crate::locks::{memory, order};
use crate::resolve::{bootstrap_size, is_bootstrap};
use crate::roster::{known, slots};
use crate::{sys, thread, tiers};
use core::ptr::null_mut;
use record::layout::ThreadCounter::Reallocations;
use track::heap::Family;

#[inline(always)]
pub unsafe fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let moving = if memory::holding() { memory::moving(block as usize) } else { None };
    if let Some(moving) = moving {
        // SAFETY: the caller's.
        return unsafe { realloc_with_lock(block, size, &moving) };
    }
    // SAFETY: the caller's.
    unsafe { realloc_without_lock(block, size) }
}

/// realloc of a block in which the thread holds a lock.
#[cold]
#[inline(never)]
unsafe fn realloc_with_lock(block: *mut c_void, size: usize, moving: &memory::Moving) -> *mut c_void {
    // SAFETY: the caller's.
    let new = unsafe { realloc_without_lock(block, size) };
    memory::moved(moving, new as usize, size);
    new
}

#[inline(always)]
unsafe fn realloc_without_lock(block: *mut c_void, size: usize) -> *mut c_void {
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
    let due = sampled::due();
    // SAFETY: as realloc(3): the hook's own contract.
    let new = unsafe { known::realloc(block, size) };
    if due.sample {
        sampled::sampled(new as usize, size);
    }
    new
}

/// realloc of a block that lies on guard pages: to another place.
#[cold]
#[inline(never)]
fn guarded_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    let Some(old) = guard::size_of(block) else {
        guard::free(block as usize, Some(&Call { family: Family::Malloc, name: "realloc" }));
        sys::set_errno(libc::ENOMEM);
        return null_mut();
    };
    // SAFETY: a new block of `size` bytes, and a live one of `old`, which is the caller's to free.
    unsafe {
        let new = if size == 0 { null_mut() } else { malloc(size) };
        if !new.is_null() {
            core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), size.min(old));
        }
        if !new.is_null() || size == 0 {
            sampled::freed(block as usize);
            guard::free(block as usize, Some(&Call { family: Family::Malloc, name: "realloc" }));
        }
        new
    }
}

#[inline(never)]
fn slow_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if order::on() {
        order::block_ends(block as usize);
    }
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
        return if block.is_null() { slow_malloc(size, call) } else { unsafe { full::realloc(block, size, call) } };
    }
    if guard::owns(block as usize) {
        return guarded_realloc(block, size);
    }
    if tiers::on() {
        if special(block as usize) {
            sampled::freed(block as usize);
        }
        // SAFETY: as realloc(3): the hook's own contract.
        return tiered(Reallocations, size, 0, |size| unsafe { allocator::realloc(block, size) });
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
    unsafe { allocator::realloc(block, size) }
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
