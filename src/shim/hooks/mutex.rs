//! Mutexes. `__pthread_mutex_*` are the names that libraries of glibc before 2.34 call.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::arch::return_address;
use crate::locks::{self, Call};
use crate::roster::{function, real};
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const fn call(intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::Mutex, how: Mode::Exclusive, intent, name }
}

static LOCK: Call = call(Intent::Lock, "pthread_mutex_lock");
static TRYLOCK: Call = call(Intent::Try, "pthread_mutex_trylock");
static TIMEDLOCK: Call = call(Intent::Timed, "pthread_mutex_timedlock");
static CLOCKLOCK: Call = call(Intent::Timed, "pthread_mutex_clocklock");
static UNLOCK: Call = call(Intent::Unlock, "pthread_mutex_unlock");
static INIT: Call = call(Intent::Initialise, "pthread_mutex_init");
static DESTROY: Call = call(Intent::Destroy, "pthread_mutex_destroy");
static CONSISTENT: Call = call(Intent::Other, "pthread_mutex_consistent");

#[inline(always)]
pub unsafe fn pthread_mutex_lock(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        locks::acquire(mutex, return_address(), &LOCK, || {
            [function::pthread_mutex_trylock(), function::pthread_mutex_lock()]
        })
    }
}

#[inline(always)]
pub unsafe fn pthread_mutex_trylock(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::try_acquire(mutex, return_address(), &TRYLOCK, function::pthread_mutex_trylock) }
}

pub unsafe fn pthread_mutex_timedlock(mutex: *mut c_void, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::wait_for(mutex, return_address(), &TIMEDLOCK, &|| real::pthread_mutex_timedlock(mutex, until)) }
}

pub unsafe fn pthread_mutex_clocklock(mutex: *mut c_void, clock: c_int, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        locks::wait_for(mutex, return_address(), &CLOCKLOCK, &|| real::pthread_mutex_clocklock(mutex, clock, until))
    }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __pthread_mutex_timedlock64(mutex: *mut c_void, until: *const c_void) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        unsafe { real::__pthread_mutex_timedlock64(mutex, until) }
    };
    // SAFETY: the caller's.
    unsafe { locks::wait_for(mutex, return_address(), &TIMEDLOCK, &wait) }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __pthread_mutex_clocklock64(mutex: *mut c_void, clock: c_int, until: *const c_void) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        unsafe { real::__pthread_mutex_clocklock64(mutex, clock, until) }
    };
    // SAFETY: the caller's.
    unsafe { locks::wait_for(mutex, return_address(), &CLOCKLOCK, &wait) }
}

#[inline(always)]
pub unsafe fn pthread_mutex_unlock(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::release(mutex, return_address(), &UNLOCK, function::pthread_mutex_unlock) }
}

pub unsafe fn pthread_mutex_init(mutex: *mut c_void, attributes: *const c_void) -> c_int {
    locks::initialising(mutex, &INIT);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_mutex_init(mutex, attributes) };
    locks::initialised(mutex, &INIT, result);
    result
}

pub unsafe fn pthread_mutex_destroy(mutex: *mut c_void) -> c_int {
    let said = locks::destroying(mutex, &DESTROY);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_mutex_destroy(mutex) };
    locks::destroyed(mutex, &DESTROY, result, said);
    result
}

pub unsafe fn pthread_mutex_consistent(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_mutex_consistent(mutex) };
    locks::answered(mutex, &CONSISTENT, result);
    result
}
