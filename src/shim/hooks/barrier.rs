//! Barriers.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::locks::{self, Call, unowned};
use crate::roster::real;
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const fn call(intent: Intent, name: &'static str) -> Call {
    Call { kind: Kind::Barrier, how: Mode::None, intent, name }
}

static WAIT: Call = call(Intent::Wait, "pthread_barrier_wait");
static INIT: Call = call(Intent::Initialise, "pthread_barrier_init");
static DESTROY: Call = call(Intent::Destroy, "pthread_barrier_destroy");

pub unsafe fn pthread_barrier_wait(barrier: *mut c_void) -> c_int {
    unowned::used(barrier, &WAIT);
    unowned::waits(barrier, &WAIT);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_barrier_wait(barrier) };
    unowned::waited();
    if result != libc::PTHREAD_BARRIER_SERIAL_THREAD {
        locks::answered(barrier, &WAIT, result);
    }
    result
}

pub unsafe fn pthread_barrier_init(barrier: *mut c_void, attributes: *const c_void, count: c_uint) -> c_int {
    locks::initialising(barrier, &INIT);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_barrier_init(barrier, attributes, count) };
    locks::initialised(barrier, &INIT, result);
    // SAFETY: attributes that libc has just read.
    if unsafe { unowned::are_shared(attributes) } {
        unowned::made_shared(barrier);
    }
    result
}

pub unsafe fn pthread_barrier_destroy(barrier: *mut c_void) -> c_int {
    let said = locks::destroying(barrier, &DESTROY);
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_barrier_destroy(barrier) };
    locks::destroyed(barrier, &DESTROY, result, said);
    result
}
