//! C11: mutexes and condition variables of <threads.h>. In glibc they are those of POSIX, but call hidden aliases, so that they
//! need hooks of their own.
//!
//! They answer thrd_success, thrd_busy, …: between the real call and the caller that is an error number, or one of
//! `record::lock::thrd` where C11 says no more than that it failed.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::arch::return_address;
use crate::locks::{self, Call, condition, unowned};
use crate::roster::real;
use record::lock::thrd;
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const BUSY: c_int = 1;
const ERROR: c_int = 2;
const NOMEM: c_int = 3;
const TIMED_OUT: c_int = 4;

const fn mutex(intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::Mutex, how: Mode::Exclusive, intent, name }
}

const fn cond(intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::Cond, how: Mode::None, intent, name }
}

static LOCK: Call = mutex(Intent::Lock, "mtx_lock");
static TRYLOCK: Call = mutex(Intent::Try, "mtx_trylock");
static TIMEDLOCK: Call = mutex(Intent::Timed, "mtx_timedlock");
static UNLOCK: Call = mutex(Intent::Unlock, "mtx_unlock");
static INIT: Call = mutex(Intent::Initialise, "mtx_init");
static DESTROY: Call = mutex(Intent::Destroy, "mtx_destroy");
static WAIT: Call = cond(Intent::Wait, "cnd_wait");
static TIMEDWAIT: Call = cond(Intent::Wait, "cnd_timedwait");
static SIGNAL: Call = cond(Intent::Other, "cnd_signal");
static BROADCAST: Call = cond(Intent::Other, "cnd_broadcast");
static CND_INIT: Call = cond(Intent::Initialise, "cnd_init");
static CND_DESTROY: Call = cond(Intent::Destroy, "cnd_destroy");

/// From C11's answer to an error number.
#[inline(always)]
fn error_of(answer: c_int) -> c_int {
    match answer {
        0 => 0,
        BUSY => libc::EBUSY,
        TIMED_OUT => libc::ETIMEDOUT,
        NOMEM => c_int::from(thrd::NOMEM),
        _ => c_int::from(thrd::ERROR),
    }
}

/// And back.
#[inline(always)]
fn answer_of(error: c_int) -> c_int {
    match error {
        0 => 0,
        libc::EBUSY => BUSY,
        libc::ETIMEDOUT => TIMED_OUT,
        error if error == c_int::from(thrd::NOMEM) => NOMEM,
        _ => ERROR,
    }
}

unsafe extern "C" fn try_it(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    error_of(unsafe { real::mtx_trylock(mutex) })
}

unsafe extern "C" fn lock_it(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    error_of(unsafe { real::mtx_lock(mutex) })
}

unsafe extern "C" fn unlock_it(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    error_of(unsafe { real::mtx_unlock(mutex) })
}

pub unsafe fn mtx_lock(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    answer_of(unsafe { locks::acquire(mutex, return_address(), &LOCK, || [try_it, lock_it]) })
}

pub unsafe fn mtx_trylock(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    answer_of(unsafe { locks::try_acquire(mutex, return_address(), &TRYLOCK, || try_it) })
}

pub unsafe fn mtx_timedlock(mutex: *mut c_void, until: *const timespec) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        error_of(unsafe { real::mtx_timedlock(mutex, until) })
    };
    // SAFETY: the caller's.
    answer_of(unsafe { locks::wait_for(mutex, return_address(), &TIMEDLOCK, &wait) })
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __mtx_timedlock64(mutex: *mut c_void, until: *const c_void) -> c_int {
    let wait = || {
        // SAFETY: the caller's.
        error_of(unsafe { real::__mtx_timedlock64(mutex, until) })
    };
    // SAFETY: the caller's.
    answer_of(unsafe { locks::wait_for(mutex, return_address(), &TIMEDLOCK, &wait) })
}

pub unsafe fn mtx_unlock(mutex: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    answer_of(unsafe { locks::release(mutex, return_address(), &UNLOCK, || unlock_it) })
}

pub unsafe fn mtx_init(mutex: *mut c_void, kind: c_int) -> c_int {
    locks::initialising(mutex, &INIT);
    // SAFETY: the caller's.
    let answer = unsafe { real::mtx_init(mutex, kind) };
    locks::initialised(mutex, &INIT, error_of(answer));
    answer
}

pub unsafe fn mtx_destroy(mutex: *mut c_void) {
    let said = locks::destroying(mutex, &DESTROY);
    // SAFETY: the caller's.
    unsafe { real::mtx_destroy(mutex) };
    locks::destroyed(mutex, &DESTROY, 0, said);
}

pub unsafe fn cnd_wait(cond: *mut c_void, mutex: *mut c_void) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &WAIT);
        let answer = real::cnd_wait(cond, mutex);
        condition::waited(cond, mutex, place, &WAIT, error_of(answer), said);
        answer
    }
}

pub unsafe fn cnd_timedwait(cond: *mut c_void, mutex: *mut c_void, until: *const timespec) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &TIMEDWAIT);
        let answer = real::cnd_timedwait(cond, mutex, until);
        condition::waited(cond, mutex, place, &TIMEDWAIT, error_of(answer), said);
        answer
    }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __cnd_timedwait64(cond: *mut c_void, mutex: *mut c_void, until: *const c_void) -> c_int {
    let place = return_address();
    // SAFETY: the caller's.
    unsafe {
        let said = condition::waits(cond, mutex, &TIMEDWAIT);
        let answer = real::__cnd_timedwait64(cond, mutex, until);
        condition::waited(cond, mutex, place, &TIMEDWAIT, error_of(answer), said);
        answer
    }
}

pub unsafe fn cnd_signal(cond: *mut c_void) -> c_int {
    condition::waking(cond);
    unowned::used(cond, &SIGNAL);
    // SAFETY: the caller's.
    let answer = unsafe { real::cnd_signal(cond) };
    locks::answered(cond, &SIGNAL, error_of(answer));
    answer
}

pub unsafe fn cnd_broadcast(cond: *mut c_void) -> c_int {
    condition::waking(cond);
    unowned::used(cond, &BROADCAST);
    // SAFETY: the caller's.
    let answer = unsafe { real::cnd_broadcast(cond) };
    locks::answered(cond, &BROADCAST, error_of(answer));
    answer
}

pub unsafe fn cnd_init(cond: *mut c_void) -> c_int {
    condition::initialising(cond, &CND_INIT);
    // SAFETY: the caller's.
    let answer = unsafe { real::cnd_init(cond) };
    locks::initialised(cond, &CND_INIT, error_of(answer));
    answer
}

pub unsafe fn cnd_destroy(cond: *mut c_void) {
    condition::destroying(cond, &CND_DESTROY);
    let said = locks::destroying(cond, &CND_DESTROY);
    // SAFETY: the caller's.
    unsafe { real::cnd_destroy(cond) };
    locks::destroyed(cond, &CND_DESTROY, 0, said);
}
