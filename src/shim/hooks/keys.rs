//! Thread-specific keys: pthread_key_create and its kin, and those of C11, which reach hidden functions of libc.
//!
//! The fast path of get and set is two loads: does the call come from the module that owns the key (`keys::may_get`)? All else
//! goes the slow way: a first use from elsewhere, an index that is nobody's.
//!
//! `__pthread_getspecific` and `__pthread_setspecific` are left alone: older libcs call them for keys of their own.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::arch;
use crate::keys::{self, Before, Function, Use};
use crate::roster::{exports, known, real, slots};
use core::ptr::null_mut;

/// `thrd_error` of <threads.h>.
const THRD_ERROR: c_int = 2;

static KEY_CREATE: Function = Function::new("pthread_key_create", &slots::pthread_key_create);
static KEY_DELETE: Function = Function::new("pthread_key_delete", &slots::pthread_key_delete);
static GETSPECIFIC: Function = Function::new("pthread_getspecific", &slots::pthread_getspecific);
static SETSPECIFIC: Function = Function::new("pthread_setspecific", &slots::pthread_setspecific);
static TSS_CREATE: Function = Function::new("tss_create", &slots::tss_create);
static TSS_DELETE: Function = Function::new("tss_delete", &slots::tss_delete);
static TSS_GET: Function = Function::new("tss_get", &slots::tss_get);
static TSS_SET: Function = Function::new("tss_set", &slots::tss_set);

#[inline(always)]
pub unsafe fn pthread_key_create(key: *mut pthread_key_t, destructor: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe { creating(key, destructor, arch::return_address(), &KEY_CREATE, |k, d| real::pthread_key_create(k, d)) }
}

#[inline(always)]
pub unsafe fn tss_create(key: *mut pthread_key_t, destructor: usize) -> c_int {
    // SAFETY: the caller's.
    unsafe { creating(key, destructor, arch::return_address(), &TSS_CREATE, |k, d| real::tss_create(k, d)) }
}

#[inline(never)]
unsafe fn creating(
    key: *mut pthread_key_t,
    destructor: usize,
    from: u64,
    function: &'static Function,
    create: impl FnOnce(*mut pthread_key_t, usize) -> c_int,
) -> c_int {
    let making = keys::before_create(destructor, function);
    let result = create(key, making.handed);
    // SAFETY: libc has just written there.
    let index = if result == 0 { Some(unsafe { *key }) } else { None };
    keys::after_create(index, key as u64, making, from, function);
    result
}

#[inline(always)]
pub unsafe fn pthread_key_delete(key: pthread_key_t) -> c_int {
    // SAFETY: the caller's.
    unsafe { deleting(key, arch::return_address()) }
}

#[inline(never)]
unsafe fn deleting(key: pthread_key_t, from: u64) -> c_int {
    let hook = exports::pthread_key_delete as *const () as u64;
    if keys::before(Use::Delete, key, from, hook, &KEY_DELETE) == Before::Refuse {
        return libc::EINVAL;
    }
    let ticket = keys::ending(key);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_key_delete(key) };
    keys::ended(ticket);
    result
}

#[inline(always)]
pub unsafe fn tss_delete(key: pthread_key_t) {
    // SAFETY: the caller's.
    unsafe { tss_deleting(key, arch::return_address()) }
}

#[inline(never)]
unsafe fn tss_deleting(key: pthread_key_t, from: u64) {
    let hook = exports::tss_delete as *const () as u64;
    if keys::before(Use::Delete, key, from, hook, &TSS_DELETE) == Before::Call {
        let ticket = keys::ending(key);
        // SAFETY: the caller's.
        unsafe { real::tss_delete(key) };
        keys::ended(ticket);
    }
}

#[inline(always)]
pub unsafe fn pthread_getspecific(key: pthread_key_t) -> *mut c_void {
    let from = arch::return_address();
    if keys::may_get(key, from) {
        // SAFETY: the caller's; an index that may be got means that the real functions are known.
        return unsafe { known::pthread_getspecific(key) };
    }
    // SAFETY: the caller's.
    unsafe { getting(key, from) }
}

#[cold]
#[inline(never)]
unsafe fn getting(key: pthread_key_t, from: u64) -> *mut c_void {
    let hook = exports::pthread_getspecific as *const () as u64;
    match keys::before(Use::Get, key, from, hook, &GETSPECIFIC) {
        Before::Refuse => null_mut(),
        // SAFETY: the caller's.
        Before::Call => unsafe { real::pthread_getspecific(key) },
    }
}

#[inline(always)]
pub unsafe fn tss_get(key: pthread_key_t) -> *mut c_void {
    let from = arch::return_address();
    if keys::may_get(key, from) {
        // SAFETY: the caller's.
        return unsafe { real::tss_get(key) };
    }
    // SAFETY: the caller's.
    unsafe { tss_getting(key, from) }
}

#[cold]
#[inline(never)]
unsafe fn tss_getting(key: pthread_key_t, from: u64) -> *mut c_void {
    let hook = exports::tss_get as *const () as u64;
    match keys::before(Use::Get, key, from, hook, &TSS_GET) {
        Before::Refuse => null_mut(),
        // SAFETY: the caller's.
        Before::Call => unsafe { real::tss_get(key) },
    }
}

#[inline(always)]
pub unsafe fn pthread_setspecific(key: pthread_key_t, value: *const c_void) -> c_int {
    let from = arch::return_address();
    if keys::may_set(key, from) {
        // SAFETY: the caller's; as in `pthread_getspecific`.
        return unsafe { known::pthread_setspecific(key, value) };
    }
    // SAFETY: the caller's.
    unsafe { setting(key, value, from) }
}

#[cold]
#[inline(never)]
unsafe fn setting(key: pthread_key_t, value: *const c_void, from: u64) -> c_int {
    let hook = exports::pthread_setspecific as *const () as u64;
    match keys::before(Use::Set(value as usize), key, from, hook, &SETSPECIFIC) {
        Before::Refuse => libc::EINVAL,
        // SAFETY: the caller's.
        Before::Call => unsafe { real::pthread_setspecific(key, value) },
    }
}

#[inline(always)]
pub unsafe fn tss_set(key: pthread_key_t, value: *mut c_void) -> c_int {
    let from = arch::return_address();
    if keys::may_set(key, from) {
        // SAFETY: the caller's.
        return unsafe { real::tss_set(key, value) };
    }
    // SAFETY: the caller's.
    unsafe { tss_setting(key, value, from) }
}

#[cold]
#[inline(never)]
unsafe fn tss_setting(key: pthread_key_t, value: *mut c_void, from: u64) -> c_int {
    let hook = exports::tss_set as *const () as u64;
    match keys::before(Use::Set(value as usize), key, from, hook, &TSS_SET) {
        Before::Refuse => THRD_ERROR,
        // SAFETY: the caller's.
        Before::Call => unsafe { real::tss_set(key, value) },
    }
}
