//! Reader-writer locks. `__pthread_rwlock_*` are the names that libraries of glibc before 2.34 call.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::arch::return_address;
use crate::locks::{self, Call};
use crate::roster::{function, real};
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const fn call(how: Mode, intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::RwLock, how, intent, name }
}

static RDLOCK: Call = call(Mode::Read, Intent::Lock, "pthread_rwlock_rdlock");
static WRLOCK: Call = call(Mode::Exclusive, Intent::Lock, "pthread_rwlock_wrlock");
static TRYRDLOCK: Call = call(Mode::Read, Intent::Try, "pthread_rwlock_tryrdlock");
static TRYWRLOCK: Call = call(Mode::Exclusive, Intent::Try, "pthread_rwlock_trywrlock");
static TIMEDRDLOCK: Call = call(Mode::Read, Intent::Timed, "pthread_rwlock_timedrdlock");
static TIMEDWRLOCK: Call = call(Mode::Exclusive, Intent::Timed, "pthread_rwlock_timedwrlock");
static CLOCKRDLOCK: Call = call(Mode::Read, Intent::Timed, "pthread_rwlock_clockrdlock");
static CLOCKWRLOCK: Call = call(Mode::Exclusive, Intent::Timed, "pthread_rwlock_clockwrlock");
static UNLOCK: Call = call(Mode::None, Intent::Unlock, "pthread_rwlock_unlock");
static INIT: Call = call(Mode::None, Intent::Initialise, "pthread_rwlock_init");
static DESTROY: Call = call(Mode::None, Intent::Destroy, "pthread_rwlock_destroy");

#[inline(always)]
pub unsafe fn pthread_rwlock_rdlock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        locks::acquire(lock, return_address(), &RDLOCK, || {
            [function::pthread_rwlock_tryrdlock(), function::pthread_rwlock_rdlock()]
        })
    }
}

#[inline(always)]
pub unsafe fn pthread_rwlock_wrlock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        locks::acquire(lock, return_address(), &WRLOCK, || {
            [function::pthread_rwlock_trywrlock(), function::pthread_rwlock_wrlock()]
        })
    }
}

#[inline(always)]
pub unsafe fn pthread_rwlock_tryrdlock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::try_acquire(lock, return_address(), &TRYRDLOCK, function::pthread_rwlock_tryrdlock) }
}

#[inline(always)]
pub unsafe fn pthread_rwlock_trywrlock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::try_acquire(lock, return_address(), &TRYWRLOCK, function::pthread_rwlock_trywrlock) }
}

pub unsafe fn pthread_rwlock_timedrdlock(lock: *mut c_void, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::wait_for(lock, return_address(), &TIMEDRDLOCK, &|| real::pthread_rwlock_timedrdlock(lock, until)) }
}

pub unsafe fn pthread_rwlock_timedwrlock(lock: *mut c_void, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::wait_for(lock, return_address(), &TIMEDWRLOCK, &|| real::pthread_rwlock_timedwrlock(lock, until)) }
}

pub unsafe fn pthread_rwlock_clockrdlock(lock: *mut c_void, clock: c_int, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        locks::wait_for(lock, return_address(), &CLOCKRDLOCK, &|| real::pthread_rwlock_clockrdlock(lock, clock, until))
    }
}

pub unsafe fn pthread_rwlock_clockwrlock(lock: *mut c_void, clock: c_int, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        locks::wait_for(lock, return_address(), &CLOCKWRLOCK, &|| real::pthread_rwlock_clockwrlock(lock, clock, until))
    }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __pthread_rwlock_timedrdlock64(lock: *mut c_void, until: *const c_void) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        unsafe { real::__pthread_rwlock_timedrdlock64(lock, until) }
    };
    // SAFETY: the caller's.
    unsafe { locks::wait_for(lock, return_address(), &TIMEDRDLOCK, &wait) }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __pthread_rwlock_clockrdlock64(lock: *mut c_void, clock: c_int, until: *const c_void) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        unsafe { real::__pthread_rwlock_clockrdlock64(lock, clock, until) }
    };
    // SAFETY: the caller's.
    unsafe { locks::wait_for(lock, return_address(), &CLOCKRDLOCK, &wait) }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __pthread_rwlock_timedwrlock64(lock: *mut c_void, until: *const c_void) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        unsafe { real::__pthread_rwlock_timedwrlock64(lock, until) }
    };
    // SAFETY: the caller's.
    unsafe { locks::wait_for(lock, return_address(), &TIMEDWRLOCK, &wait) }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __pthread_rwlock_clockwrlock64(lock: *mut c_void, clock: c_int, until: *const c_void) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        unsafe { real::__pthread_rwlock_clockwrlock64(lock, clock, until) }
    };
    // SAFETY: the caller's.
    unsafe { locks::wait_for(lock, return_address(), &CLOCKWRLOCK, &wait) }
}

#[inline(always)]
pub unsafe fn pthread_rwlock_unlock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::release(lock, return_address(), &UNLOCK, function::pthread_rwlock_unlock) }
}

pub unsafe fn pthread_rwlock_init(lock: *mut c_void, attributes: *const c_void) -> c_int {
    locks::initialising(lock, &INIT);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_rwlock_init(lock, attributes) };
    locks::initialised(lock, &INIT, result);
    result
}

pub unsafe fn pthread_rwlock_destroy(lock: *mut c_void) -> c_int {
    let said = locks::destroying(lock, &DESTROY);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_rwlock_destroy(lock) };
    locks::destroyed(lock, &DESTROY, result, said);
    result
}
