//! Objects that nobody owns: semaphores, barriers, and what is not a wait on a condition. What is seen is that they were destroyed,
//! that a call failed, and who waits.
#![allow(unsafe_code)] // Safety: reads attributes that the program has passed to libc.

use super::{Call, destroyed, on, record, waits};
use crate::thread::{self, Entry};
use crate::{start, sys};
use libc::c_void;

/// A call that does not wait is about to be made.
#[inline(always)]
pub fn used(object: *mut c_void, call: &'static Call) {
    if record(object as usize).is_destroyed(object as usize) {
        used_slowly(object as usize, call);
    }
}

#[cold]
#[inline(never)]
fn used_slowly(object: usize, call: &'static Call) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        destroyed::used(&mut scope, object, call);
    }
    sys::set_errno(errno);
}

/// A call that waits is about to be made: the thread is seen to wait.
#[cold]
#[inline(never)]
pub fn waits(object: *mut c_void, call: &'static Call) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let own = &scope.state.locks;
        if own.epoch() != start::epoch() {
            own.begin();
        }
        waits::begin(&mut scope, object as usize, call);
    }
    sys::set_errno(errno);
}

/// It has come back.
#[inline(always)]
pub fn waited() {
    if let Some(state) = thread::current() {
        waits::end(state);
    }
}

/// Do these attributes of a barrier or condition variable say that other processes may have it? Lowest bit of the first int
/// (glibc sysdeps/nptl/internaltypes.h).
///
/// # Safety
/// `attributes` is NULL or points to them.
pub unsafe fn are_shared(attributes: *const c_void) -> bool {
    // SAFETY: the caller's.
    !attributes.is_null() && unsafe { attributes.cast::<i32>().read_unaligned() } & 1 != 0
}

/// An object was made that other processes may destroy and make anew, unseen.
pub fn made_shared(object: *mut c_void) {
    record(object as usize).forget(object as usize);
}
