//! How C++ runtimes throw a system error: the sign that a failed lock was heard (`locks::heard`).
//!
//! The real function throws through our frame, which has unwind tables and no landing pads (see `super`).
#![allow(unsafe_code)] // Safety: every hook has the contract of the function of its name, which does not return.
#![allow(clippy::missing_safety_doc)]
#![allow(non_snake_case)] // The functions have mangled names.

use super::c_types::*;
use crate::arch::return_address;
use crate::{locks, message, symbols, sys, thread, unwind};
use core::ffi::CStr;
use core::num::NonZeroUsize;

/// libstdc++'s `std::__throw_system_error(int)`.
#[inline(always)]
pub unsafe fn _ZSt20__throw_system_errori(error: c_int) {
    let real = throwing(error, return_address(), c"_ZSt20__throw_system_errori");
    // SAFETY: the function of that name.
    unsafe { core::mem::transmute::<usize, unsafe extern "C" fn(c_int)>(real)(error) }
}

/// libc++'s `std::__throw_system_error(int, char const*)`.
#[inline(always)]
pub unsafe fn _ZNSt3__120__throw_system_errorEiPKc(error: c_int, what: *const c_char) {
    let real = throwing(error, return_address(), c"_ZNSt3__120__throw_system_errorEiPKc");
    // SAFETY: as above.
    unsafe { core::mem::transmute::<usize, unsafe extern "C" fn(c_int, *const c_char)>(real)(error, what) }
}

/// Tells, and finds the real one: behind us in scope; in the calling module itself, which may have its runtime inside; in a runtime
/// that was loaded for a plugin alone.
#[cold]
#[inline(never)]
fn throwing(error: c_int, from: u64, name: &'static CStr) -> usize {
    locks::heard::throwing(error);
    // SAFETY: a NUL-terminated name.
    let next = thread::inside_libc(|| unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }) as usize;
    if next != 0 {
        return next;
    }
    crate::resolve::forget_failure();
    let own = thread::current().and_then(|state| unwind::module_of(state, from));
    let own = own.and_then(|module| symbols::definition(&module, name.to_bytes())).map(NonZeroUsize::get);
    let Some(found) = own.or_else(|| super::operators::runtime(name)) else {
        message::say(b"shim: no C++ runtime to throw a system error from\n");
        sys::die_of_abort()
    };
    found
}
