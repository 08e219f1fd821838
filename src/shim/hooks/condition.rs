//! Condition variables. A thread may be cancelled in a wait: what stands behind the real call never runs then (see
//! `locks::condition`).
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::arch::return_address;
use crate::locks::{self, Call, condition, unowned};
use crate::roster::real;
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const fn call(intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::Cond, how: Mode::None, intent, name }
}

static WAIT: Call = call(Intent::Wait, "pthread_cond_wait");
static TIMEDWAIT: Call = call(Intent::Wait, "pthread_cond_timedwait");
static CLOCKWAIT: Call = call(Intent::Wait, "pthread_cond_clockwait");
static SIGNAL: Call = call(Intent::Other, "pthread_cond_signal");
static BROADCAST: Call = call(Intent::Other, "pthread_cond_broadcast");
static INIT: Call = call(Intent::Initialise, "pthread_cond_init");
static DESTROY: Call = call(Intent::Destroy, "pthread_cond_destroy");

pub unsafe fn pthread_cond_wait(cond: *mut c_void, mutex: *mut c_void) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &WAIT);
        let result = real::pthread_cond_wait(cond, mutex);
        condition::waited(cond, mutex, place, &WAIT, result, said);
        result
    }
}

pub unsafe fn pthread_cond_timedwait(cond: *mut c_void, mutex: *mut c_void, until: *const timespec) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &TIMEDWAIT);
        let result = real::pthread_cond_timedwait(cond, mutex, until);
        condition::waited(cond, mutex, place, &TIMEDWAIT, result, said);
        result
    }
}

pub unsafe fn pthread_cond_clockwait(
    cond: *mut c_void,
    mutex: *mut c_void,
    clock: c_int,
    until: *const timespec,
) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &CLOCKWAIT);
        let result = real::pthread_cond_clockwait(cond, mutex, clock, until);
        condition::waited(cond, mutex, place, &CLOCKWAIT, result, said);
        result
    }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __pthread_cond_timedwait64(cond: *mut c_void, mutex: *mut c_void, until: *const c_void) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &TIMEDWAIT);
        let result = real::__pthread_cond_timedwait64(cond, mutex, until);
        condition::waited(cond, mutex, place, &TIMEDWAIT, result, said);
        result
    }
}

pub unsafe fn __pthread_cond_clockwait64(
    cond: *mut c_void,
    mutex: *mut c_void,
    clock: c_int,
    until: *const c_void,
) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &CLOCKWAIT);
        let result = real::__pthread_cond_clockwait64(cond, mutex, clock, until);
        condition::waited(cond, mutex, place, &CLOCKWAIT, result, said);
        result
    }
}

pub unsafe fn pthread_cond_signal(cond: *mut c_void) -> c_int {
    condition::waking(cond);
    unowned::used(cond, &SIGNAL);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_cond_signal(cond) };
    locks::answered(cond, &SIGNAL, result);
    result
}

pub unsafe fn pthread_cond_broadcast(cond: *mut c_void) -> c_int {
    condition::waking(cond);
    unowned::used(cond, &BROADCAST);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_cond_broadcast(cond) };
    locks::answered(cond, &BROADCAST, result);
    result
}

pub unsafe fn pthread_cond_init(cond: *mut c_void, attributes: *const c_void) -> c_int {
    condition::initialising(cond, &INIT);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_cond_init(cond, attributes) };
    locks::initialised(cond, &INIT, result);
    // SAFETY: attributes that libc has just read.
    if unsafe { unowned::are_shared(attributes) } {
        unowned::made_shared(cond);
    }
    result
}

pub unsafe fn pthread_cond_destroy(cond: *mut c_void) -> c_int {
    condition::destroying(cond, &DESTROY);
    let said = locks::destroying(cond, &DESTROY);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_cond_destroy(cond) };
    locks::destroyed(cond, &DESTROY, result, said);
    result
}
