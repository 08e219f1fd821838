//! The begin and the end of a lock: initialised, destroyed.
//!
//! Before the real call it is asked who holds the lock; after it the record gets its new life. In this order, because of what was
//! destroyed another thread may make something new as soon as the call has returned.
#![allow(unsafe_code)] // Safety: looks at the memory of a lock that has just been destroyed.

use super::destroyed::{self};
use super::failures::{answered, settled, went_on};
use super::{Call, heard, holds, on, order, record, report, watch};
use crate::thread::{self, Entry};
use crate::{start, sys};
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_void};
use track::lock::{Kind, StackId, State, actor_word};

/// Can a thread hold it?
const fn has_owner(kind: Kind) -> bool {
    !matches!(kind, Kind::Cond | Kind::Barrier | Kind::Sem)
}

/// A lock is about to be initialised.
pub fn initialising(lock: *mut c_void, call: &'static Call) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        start::notice_fork();
        heard::not(&mut scope);
        if has_owner(call.kind) {
            holds::gone(&mut scope, lock as usize, call, record::lock::act::INIT);
        }
        watch::gone(lock as usize);
        settled(&mut scope, lock as usize);
    }
    sys::set_errno(errno);
}

/// The real initialisation has answered.
pub fn initialised(lock: *mut c_void, call: &'static Call, result: c_int) {
    if !on() {
        return;
    }
    if result != 0 {
        return answered(lock, call, result);
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let lock = lock as usize;
        let stack = StackId(scope.stack_unasked());
        let actor = actor_word(scope.state.tid.load(Relaxed), start::epoch());
        record(lock).lived(lock, call.kind, State::Initialised, actor, stack, 0);
        order::ends(&scope, lock);
    }
    sys::set_errno(errno);
}

/// A lock is about to be destroyed. True: something was said about it.
pub fn destroying(lock: *mut c_void, call: &'static Call) -> bool {
    if !on() {
        return false;
    }
    let errno = sys::errno();
    let mut said = false;
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let lock = lock as usize;
        start::notice_fork();
        heard::not(&mut scope);
        if call.kind != Kind::Mutex && record(lock).is_destroyed(lock) {
            said = destroyed::used(&mut scope, lock, call);
        }
        if scope.state.locks.holder.find(lock).is_some() {
            went_on(&mut scope, lock, record::lock::act::DESTROY);
        }
        said |= has_owner(call.kind) && holds::gone(&mut scope, lock, call, record::lock::act::DESTROY);
        watch::gone(lock);
    }
    sys::set_errno(errno);
    said
}

/// The real destruction has answered.
pub fn destroyed(lock: *mut c_void, call: &'static Call, result: c_int, said: bool) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let lock = lock as usize;
        if result == 0 {
            let stack = StackId(scope.stack_unasked());
            let actor = actor_word(scope.state.tid.load(Relaxed), start::epoch());
            // SAFETY: libc has just destroyed it.
            let looks = unsafe { destroyed::looks(lock, call.kind) };
            if !destroyed::is_shared(lock, call.kind) {
                record(lock).lived(lock, call.kind, State::Destroyed, actor, stack, looks);
            }
            order::ends(&scope, lock);
        } else if !said {
            report::failed(&mut scope, lock, call, result, None);
        }
    }
    sys::set_errno(errno);
}
