//! Once controls. `__pthread_once` is not exported: up to glibc 2.33 dlerror calls it from inside the calls that find the real
//! functions.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::locks::{Call, once};
use crate::roster::real;
use track::lock::rules::Intent;
use track::lock::{Kind, Mode};

const fn call(name: &'static str) -> Call {
    Call { kind: Kind::Once, how: Mode::Exclusive, intent: Intent::Lock, name }
}

static ONCE: Call = call("pthread_once");
static CALL_ONCE: Call = call("call_once");

pub unsafe fn pthread_once(control: *mut c_void, routine: once::Routine) -> c_int {
    // SAFETY: the caller's.
    unsafe { once::once(control as usize, routine, &ONCE, |routine| real::pthread_once(control, routine)) }
}

pub unsafe fn call_once(control: *mut c_void, routine: once::Routine) {
    let real = |routine| {
        // SAFETY: the caller's.
        unsafe { real::call_once(control, routine) };
        0
    };
    // SAFETY: the caller's.
    unsafe { once::once(control as usize, routine, &CALL_ONCE, real) };
}
