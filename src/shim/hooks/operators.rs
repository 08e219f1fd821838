//! operator new and delete, all forms: call sites in the program instead of in libstdc++, and which of them frees what.
//!
//! A `new` is the allocator's malloc and a `delete` its free, as in libstdc++ and libc++ (new_op.cc, del_op.cc); so no C++
//! runtime is needed until an allocation fails. Then the real operator is called: it asks the new-handler, and throws, through
//! our frame, which has unwind tables and no landing pads (see `super`).
//!
//! Where the operators that would be called without us are neither a C++ runtime's nor the allocator's own (a library with
//! its own pool), they are left alone: `forwards`. So are they where malloc is not ours, and in a program that replaces some of them: it does not call ours then,
//! and the runtime's others end in the program's (new[] in new, a sized delete in delete), which ours would not.
#![allow(unsafe_code)] // Safety: every hook has the contract of the operator of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use super::heap::{Way, aligned, counted, sampled_malloc, slow_free, slow_malloc};
use crate::heap::allocator;
use crate::heap::full::Call;
use crate::heap::sampled::special;
use crate::locks::memory;
use crate::roster::{known, real, slots};
use crate::unwind::Modules;
use crate::{message, sys, thread};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use record::layout::ThreadCounter::{Allocations, Frees};
use record::layout::module_flag;
use track::heap::Family;

static FORWARDS: AtomicBool = AtomicBool::new(false);

/// Are the operators another library's own affair?
#[inline(always)]
fn forwards() -> bool {
    FORWARDS.load(Relaxed)
}

/// At start, with the modules known.
pub fn start(modules: &Modules) {
    let Some(operator) = slots::_Znwm.resolved() else { return };
    let Some(object) = modules.object(operator.get() as u64) else { return };
    let allocator = slots::malloc.resolved().and_then(|at| modules.object(at.get() as u64));
    let mut path = [0; 256];
    let len = object.recorded.map_or(0, |i| record::modules::path(&crate::recording::RECORDING, i, &mut path));
    let name = path[..len].rsplit(|b| *b == b'/').next().unwrap_or(b"");
    let runtime = name.starts_with(b"libstdc++") || name.starts_with(b"libc++");
    let foreign = !runtime && allocator.is_none_or(|a| a.start != object.start);
    if foreign || crate::heap::elsewhere::is_owner() || replaced(modules) {
        FORWARDS.store(true, Relaxed);
    }
}

/// Does the program, or a library before us, answer to one of their names?
fn replaced(modules: &Modules) -> bool {
    let mut operators = crate::roster::SLOTS.iter().flatten().filter(|s| s.name.to_bytes().starts_with(b"_Z"));
    operators.any(|slot| {
        // One that nobody else has is not looked for: a failing dlsym allocates.
        let Some(next) = slot.resolved() else { return false };
        // SAFETY: NUL-terminated names.
        let first = thread::inside_libc(|| unsafe { libc::dlsym(libc::RTLD_DEFAULT, slot.name.as_ptr()) }) as usize;
        first == next.get() || modules.object(first as u64).is_some_and(|o| o.flags & module_flag::SHIM == 0)
    })
}

#[inline(always)]
fn allocate(size: usize, call: &'static Call) -> *mut c_void {
    let size = size.max(1);
    match counted(Allocations, size) {
        // SAFETY: as malloc(3); the thread is registered.
        Way::Fast => unsafe { known::malloc(size) },
        Way::Sample => sampled_malloc(size),
        Way::Slow => slow_malloc(size, call),
    }
}

#[inline(always)]
fn allocate_aligned(size: usize, align: usize, call: &'static Call) -> *mut c_void {
    // As libstdc++'s new_opa.cc: aligned_alloc wants a multiple.
    let Some(size) = size.max(1).checked_next_multiple_of(align.max(1)) else { return core::ptr::null_mut() };
    // SAFETY: as aligned_alloc(3).
    aligned(size, align, call, |whole| unsafe {
        allocator::aligned(align, whole, || real::aligned_alloc(align, whole))
    })
}

#[inline(always)]
fn release(block: *mut c_void, call: &'static Call) {
    match thread::counters() {
        Some(entry) if !special(block as usize) => {
            entry.add(Frees, 1);
            memory::freeing_plain(block as usize, call.name);
            // SAFETY: the caller's block; the thread is registered.
            unsafe { known::free(block) }
        }
        _ => slow_free(block, call),
    }
}

/// The real operator for an allocation that failed: it tries again, asks the handler, and throws.
#[cold]
#[inline(never)]
fn failed(size: usize, align: Option<usize>) -> *mut c_void {
    let Some(operator) = runtime(if align.is_some() { slots::_ZnwmSt11align_val_t.name } else { slots::_Znwm.name })
    else {
        message::say(b"shim: out of memory in operator new, and no C++ runtime to throw from\n");
        sys::die_of_abort()
    };
    // SAFETY: the operator of that name.
    unsafe {
        match align {
            Some(align) => {
                core::mem::transmute::<usize, unsafe extern "C" fn(usize, usize) -> *mut c_void>(operator)(size, align)
            }
            None => core::mem::transmute::<usize, unsafe extern "C" fn(usize) -> *mut c_void>(operator)(size),
        }
    }
}

/// The same for the forms that return null.
#[cold]
#[inline(never)]
fn failed_quietly(size: usize, align: Option<usize>, tag: *const c_void) -> *mut c_void {
    let name =
        if align.is_some() { slots::_ZnwmSt11align_val_tRKSt9nothrow_t.name } else { slots::_ZnwmRKSt9nothrow_t.name };
    let Some(operator) = runtime(name) else { return core::ptr::null_mut() };
    // SAFETY: the operator of that name.
    unsafe {
        match align {
            Some(align) => core::mem::transmute::<
                usize,
                unsafe extern "C" fn(usize, usize, *const c_void) -> *mut c_void,
            >(operator)(size, align, tag),
            None => core::mem::transmute::<usize, unsafe extern "C" fn(usize, *const c_void) -> *mut c_void>(operator)(
                size, tag,
            ),
        }
    }
}

/// An operator of the C++ runtime, also of one that was loaded for a plugin alone.
pub(super) fn runtime(name: &core::ffi::CStr) -> Option<usize> {
    let found = thread::inside_libc(|| {
        // SAFETY: NUL-terminated names; RTLD_NOLOAD only finds what is there.
        unsafe {
            let at = libc::dlsym(libc::RTLD_NEXT, name.as_ptr());
            if !at.is_null() {
                return at as usize;
            }
            for library in [c"libstdc++.so.6", c"libc++.so.1", c"libc++abi.so.1"] {
                let handle = libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
                if !handle.is_null() {
                    let at = libc::dlsym(handle, name.as_ptr());
                    libc::dlclose(handle);
                    if !at.is_null() {
                        return at as usize;
                    }
                }
            }
            crate::resolve::forget_failure();
            0
        }
    });
    (found != 0).then_some(found)
}

macro_rules! operators {
    ($(new $name:ident($($align:ident)? $(; $tag:ident)?) = $family:ident, $text:literal;)* $(delete $delete:ident($($extra:ident),*) = $of:ident, $words:literal;)*) => {
        $(
            #[inline(always)]
            #[allow(non_snake_case)]
            pub unsafe fn $name(size: usize $(, $align: usize)? $(, $tag: *const c_void)?) -> *mut c_void {
                if forwards() {
                    // SAFETY: the caller's.
                    return unsafe { real::$name(size $(, $align)? $(, $tag)?) };
                }
                let block = operators!(@allocate size, ($($align)?), &Call { family: Family::$family, name: $text });
                if block.is_null() {
                    return operators!(@failed size, ($($align)?), ($($tag)?));
                }
                block
            }
        )*
        $(
            #[inline(always)]
            #[allow(non_snake_case)]
            pub unsafe fn $delete(block: *mut c_void $(, $extra: usize)*) {
                if forwards() {
                    // SAFETY: the caller's.
                    return unsafe { real::$delete(block $(, $extra)*) };
                }
                release(block, &Call { family: Family::$of, name: $words });
            }
        )*
    };
    (@allocate $size:ident, (), $call:expr) => { allocate($size, $call) };
    (@allocate $size:ident, ($align:ident), $call:expr) => { allocate_aligned($size, $align, $call) };
    (@failed $size:ident, (), ()) => { failed($size, None) };
    (@failed $size:ident, ($align:ident), ()) => { failed($size, Some($align)) };
    (@failed $size:ident, (), ($tag:ident)) => { failed_quietly($size, None, $tag) };
    (@failed $size:ident, ($align:ident), ($tag:ident)) => { failed_quietly($size, Some($align), $tag) };
}

operators! {
    new _Znwm() = New, "operator new";
    new _ZnwmRKSt9nothrow_t(; tag) = New, "operator new";
    new _ZnwmSt11align_val_t(align) = New, "operator new";
    new _ZnwmSt11align_val_tRKSt9nothrow_t(align; tag) = New, "operator new";
    new _Znam() = NewArray, "operator new[]";
    new _ZnamRKSt9nothrow_t(; tag) = NewArray, "operator new[]";
    new _ZnamSt11align_val_t(align) = NewArray, "operator new[]";
    new _ZnamSt11align_val_tRKSt9nothrow_t(align; tag) = NewArray, "operator new[]";
    delete _ZdlPv() = New, "operator delete";
    delete _ZdlPvm(_size) = New, "operator delete";
    delete _ZdlPvRKSt9nothrow_t(_tag) = New, "operator delete";
    delete _ZdlPvSt11align_val_t(_align) = New, "operator delete";
    delete _ZdlPvmSt11align_val_t(_size, _align) = New, "operator delete";
    delete _ZdlPvSt11align_val_tRKSt9nothrow_t(_align, _tag) = New, "operator delete";
    delete _ZdaPv() = NewArray, "operator delete[]";
    delete _ZdaPvm(_size) = NewArray, "operator delete[]";
    delete _ZdaPvRKSt9nothrow_t(_tag) = NewArray, "operator delete[]";
    delete _ZdaPvSt11align_val_t(_align) = NewArray, "operator delete[]";
    delete _ZdaPvmSt11align_val_t(_size, _align) = NewArray, "operator delete[]";
    delete _ZdaPvSt11align_val_tRKSt9nothrow_t(_align, _tag) = NewArray, "operator delete[]";
}
