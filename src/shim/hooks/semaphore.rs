//! Semaphores: they answer -1, and errno. `sem_post` is async-signal-safe, and stays so.
//!
//! Why no try comes before a wait: sem_wait(3) is a point of cancellation even where it does not wait.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name; reads the value of a semaphore.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::locks::{self, Call, unowned};
use crate::roster::real;
use crate::sys;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const fn call(intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::Sem, how: Mode::None, intent, name }
}

static WAIT: Call = call(Intent::Wait, "sem_wait");
static TRYWAIT: Call = call(Intent::Try, "sem_trywait");
static TIMEDWAIT: Call = call(Intent::Wait, "sem_timedwait");
static CLOCKWAIT: Call = call(Intent::Wait, "sem_clockwait");
static POST: Call = call(Intent::Other, "sem_post");
static INIT: Call = call(Intent::Initialise, "sem_init");
static DESTROY: Call = call(Intent::Destroy, "sem_destroy");

/// Will a wait have to wait, as far as can be told now? The value is the first word; where there is no 64-bit atomic, its lowest
/// bit says something else (glibc nptl/sem_init.c). A wrong answer costs a stack, or that one wait is not shown.
///
/// # Safety
/// `semaphore` points to one.
#[inline(always)]
unsafe fn is_zero(semaphore: *mut c_void) -> bool {
    // SAFETY: the caller's; other threads change it atomically.
    let word = unsafe { &*semaphore.cast::<AtomicU32>() }.load(Relaxed);
    if cfg!(target_pointer_width = "64") { word == 0 } else { word >> 1 == 0 }
}

/// A wait of any kind, around the real one.
///
/// # Safety
/// `semaphore` points to one.
#[inline(always)]
unsafe fn waiting(semaphore: *mut c_void, call: &'static Call, wait: impl Fn() -> c_int) -> c_int {
    unowned::used(semaphore, call);
    // SAFETY: the caller's.
    let waits = unsafe { is_zero(semaphore) };
    if waits {
        unowned::waits(semaphore, call);
    }
    let result = wait();
    if waits {
        unowned::waited();
    }
    answered(semaphore, call, result)
}

/// The real call's answer, which is passed on.
#[inline(always)]
fn answered(semaphore: *mut c_void, call: &'static Call, result: c_int) -> c_int {
    if result != 0 {
        locks::answered(semaphore, call, sys::errno());
    }
    result
}

pub unsafe fn sem_wait(semaphore: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { waiting(semaphore, &WAIT, || real::sem_wait(semaphore)) }
}

pub unsafe fn sem_timedwait(semaphore: *mut c_void, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe { waiting(semaphore, &TIMEDWAIT, || real::sem_timedwait(semaphore, until)) }
}

pub unsafe fn sem_clockwait(semaphore: *mut c_void, clock: c_int, until: *const timespec) -> c_int {
    // SAFETY: the caller's.
    unsafe { waiting(semaphore, &CLOCKWAIT, || real::sem_clockwait(semaphore, clock, until)) }
}

/// With a 64-bit time, on 32-bit machines.
pub unsafe fn __sem_timedwait64(semaphore: *mut c_void, until: *const c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { waiting(semaphore, &TIMEDWAIT, || real::__sem_timedwait64(semaphore, until)) }
}

pub unsafe fn __sem_clockwait64(semaphore: *mut c_void, clock: c_int, until: *const c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { waiting(semaphore, &CLOCKWAIT, || real::__sem_clockwait64(semaphore, clock, until)) }
}

pub unsafe fn sem_trywait(semaphore: *mut c_void) -> c_int {
    unowned::used(semaphore, &TRYWAIT);
    // SAFETY: the caller's.
    answered(semaphore, &TRYWAIT, unsafe { real::sem_trywait(semaphore) })
}

pub unsafe fn sem_post(semaphore: *mut c_void) -> c_int {
    unowned::used(semaphore, &POST);
    // SAFETY: the caller's.
    answered(semaphore, &POST, unsafe { real::sem_post(semaphore) })
}

pub unsafe fn sem_init(semaphore: *mut c_void, shared: c_int, value: c_uint) -> c_int {
    locks::initialising(semaphore, &INIT);
    // SAFETY: the caller's.
    let result = unsafe { real::sem_init(semaphore, shared, value) };
    let error = if result == 0 { 0 } else { sys::errno() };
    locks::initialised(semaphore, &INIT, error);
    if shared != 0 {
        unowned::made_shared(semaphore);
    }
    result
}

pub unsafe fn sem_destroy(semaphore: *mut c_void) -> c_int {
    let said = locks::destroying(semaphore, &DESTROY);
    // SAFETY: the caller's.
    let result = unsafe { real::sem_destroy(semaphore) };
    let error = if result == 0 { 0 } else { sys::errno() };
    locks::destroyed(semaphore, &DESTROY, error, said);
    result
}
