//! Spin locks.
//!
//! Why the attempt is patient: a spin lock is held for some nanoseconds, and the slow way of one that is busy takes longer.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::arch::return_address;
use crate::locks::{self, Call};
use crate::roster::{function, real};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const fn call(intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::Spin, how: Mode::Exclusive, intent, name }
}

static LOCK: Call = call(Intent::Lock, "pthread_spin_lock");
static TRYLOCK: Call = call(Intent::Try, "pthread_spin_trylock");
static UNLOCK: Call = call(Intent::Unlock, "pthread_spin_unlock");
static INIT: Call = call(Intent::Initialise, "pthread_spin_init");
static DESTROY: Call = call(Intent::Destroy, "pthread_spin_destroy");

/// Looks at a lock that is not free before it says so.
const PATIENCE: u32 = 4000;

unsafe extern "C" fn attempt(lock: *mut c_void) -> c_int {
    let try_it = function::pthread_spin_trylock();
    let mut left = PATIENCE;
    loop {
        // SAFETY: the caller's.
        let result = unsafe { try_it(lock) };
        if result == 0 || left == 0 {
            return result;
        }
        // SAFETY: a spin lock is an int, which other threads change atomically.
        let word = unsafe { &*lock.cast::<AtomicU32>() };
        let busy = word.load(Relaxed);
        while left > 0 && word.load(Relaxed) == busy {
            left -= 1;
            spin_loop();
        }
    }
}

#[inline(always)]
pub unsafe fn pthread_spin_lock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::acquire(lock, return_address(), &LOCK, || [attempt, function::pthread_spin_lock()]) }
}

#[inline(always)]
pub unsafe fn pthread_spin_trylock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::try_acquire(lock, return_address(), &TRYLOCK, function::pthread_spin_trylock) }
}

#[inline(always)]
pub unsafe fn pthread_spin_unlock(lock: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    unsafe { locks::release(lock, return_address(), &UNLOCK, function::pthread_spin_unlock) }
}

pub unsafe fn pthread_spin_init(lock: *mut c_void, shared: c_int) -> c_int {
    locks::initialising(lock, &INIT);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_spin_init(lock, shared) };
    locks::initialised(lock, &INIT, result);
    result
}

pub unsafe fn pthread_spin_destroy(lock: *mut c_void) -> c_int {
    let said = locks::destroying(lock, &DESTROY);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_spin_destroy(lock) };
    locks::destroyed(lock, &DESTROY, result, said);
    result
}
