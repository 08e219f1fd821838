//! The aligned forms: posix_memalign and its kin, one way for all of them.
//!
//! Why one: they differ only in the real call and in how they say that it failed. What is counted, sampled, put on a tier or given
//! redzones is decided once.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::{Way, counted, first, followed, sampled_by, tiered};
use crate::heap::full::{self, Call};
use crate::heap::{Level, allocator, level};
use crate::hooks::c_types::*;
use crate::resolve::bootstrap;
use crate::roster::{real, slots};
use crate::{sys, thread, tiers};
use core::cell::Cell;
use record::layout::ThreadCounter::Allocations;
use track::heap::Family;

/// What all the aligned forms share: the real call, for so many bytes, told afterwards. The program's pointer.
#[inline(always)]
pub(in crate::hooks) fn aligned(
    size: usize,
    align: usize,
    call: &'static Call,
    real: impl Fn(usize) -> *mut c_void,
) -> *mut c_void {
    if tiers::on() && level() != Level::Full {
        return tiered(Allocations, size, align, real);
    }
    let way = counted(Allocations, size);
    if way == Way::Slow && (level() == Level::Full || first(Allocations, size)) {
        return followed(full::obtain(size, align, real), size, call);
    }
    if way == Way::Sample { sampled_by(size, align, real) } else { real(size) }
}

#[inline(always)]
pub unsafe fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    let result = Cell::new(0);
    let block = aligned(size, align, &Call { family: Family::Malloc, name: "posix_memalign" }, |whole| {
        // SAFETY: the caller's; on success the block is in `out`, which is left alone otherwise.
        unsafe {
            let (answer, block) = allocator::posix_memalign(out, align, whole);
            result.set(answer);
            block
        }
    });
    if !block.is_null() {
        // SAFETY: the real call has written there.
        unsafe { *out = block };
    }
    result.get()
}

#[inline(always)]
pub unsafe fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    aligned(size, align, &Call { family: Family::Malloc, name: "aligned_alloc" }, |whole| unsafe {
        allocator::aligned(align, whole, || real::aligned_alloc(align, whole))
    })
}

#[inline(always)]
pub unsafe fn memalign(align: usize, size: usize) -> *mut c_void {
    if slots::memalign.resolved().is_none() && thread::internal() {
        return bootstrap(size, align);
    }
    // SAFETY: the caller's.
    aligned(size, align, &Call { family: Family::Malloc, name: "memalign" }, |whole| unsafe {
        allocator::aligned(align, whole, || real::memalign(align, whole))
    })
}

#[inline(always)]
pub unsafe fn valloc(size: usize) -> *mut c_void {
    // SAFETY: the caller's.
    aligned(size, sys::page(), &Call { family: Family::Malloc, name: "valloc" }, |whole| unsafe {
        allocator::aligned(sys::page(), whole, || real::valloc(whole))
    })
}

#[inline(always)]
pub unsafe fn pvalloc(size: usize) -> *mut c_void {
    // The program may use the last page to its end.
    let Some(size) = size.checked_next_multiple_of(sys::page()) else {
        // SAFETY: the caller's; it says what is wrong.
        return unsafe { real::pvalloc(size) };
    };
    // SAFETY: the caller's.
    aligned(size, sys::page(), &Call { family: Family::Malloc, name: "pvalloc" }, |whole| unsafe {
        allocator::aligned(sys::page(), whole, || real::pvalloc(whole))
    })
}
