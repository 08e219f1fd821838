//! The slow way of a call that lets a lock go: it is not on top of the thread's list, or something wants to see every unlock.
//!
//! Off the list before the real call, as on the plain way: once it is let go, another thread may destroy it, and must not find it held.
#![allow(unsafe_code)] // Safety: calls the real functions as the hooks were called.

use super::failures::{let_go_after_failure, nothing_failed, went_on};
use super::flags::what_of;
use super::{Call, Real, attention, destroyed, heard, holds, on, record, report, watch};
use crate::thread::{self, Entry, Scope};
use crate::{start, sys};
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_void};
use track::lock::rules::{self, Unlocking};
use track::lock::{HoldFacts, Kind};

/// A lock of ours that libc would not let go.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
#[cold]
#[inline(never)]
pub(super) unsafe fn not_released(lock: usize, place: u64, call: &'static Call, result: c_int) {
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter() {
        // SAFETY: the caller's.
        let (what, _) = unsafe { what_of(lock, call, scope.state.locks.epoch()) };
        let held = HoldFacts { lock, place: place as usize, what, ..HoldFacts::default() };
        report::failed(&mut scope, lock, call, result, Some(held));
    }
    sys::set_errno(errno);
}

/// The slow way of [`super::release`].
///
/// # Safety
/// As there.
#[cold]
#[inline(never)]
pub(super) unsafe fn release_slowly(lock: *mut c_void, place: u64, call: &'static Call, real: Real) -> c_int {
    let errno = sys::errno();
    let mut judged = false;
    match thread::enter_for_lock() {
        Entry::Full(mut scope) => {
            if on() {
                // SAFETY: the caller's.
                judged = unsafe { letting_go(&mut scope, lock as usize, call) };
            }
            drop(scope);
            sys::set_errno(errno);
        }
        // A handler lets go what it has taken itself.
        Entry::Nested(state) => {
            let holder = &state.locks.holder;
            holder.find(lock as usize).inspect(|at| holder.remove(*at));
        }
        Entry::Out => {}
    }
    // SAFETY: the caller's.
    let result = unsafe { real(lock) };
    if result != 0 && !judged {
        // SAFETY: the caller's.
        unsafe { not_released(lock as usize, place, call, result) };
    }
    result
}

/// Off the list; what is wrong with it is said. True: it has been said.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
unsafe fn letting_go(scope: &mut Scope, lock: usize, call: &'static Call) -> bool {
    if call.kind != Kind::Mutex && record(lock).is_destroyed(lock) {
        destroyed::used(scope, lock, call);
    }
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED != 0 && scope.inner().failures.grow_old() {
        nothing_failed(scope);
    }
    start::notice_fork();
    watch::look(scope);
    heard::not(scope);
    let own = &scope.state.locks;
    if let Some(at) = own.holder.find(lock) {
        let Some(held) = own.holder.facts(at) else { return false };
        if held.what.kind() != call.kind {
            report::of_another_kind(scope, lock, call, &held);
            return true;
        }
        holds::let_go(scope, at, &held);
        let_go_after_failure(scope, lock);
        return false;
    }
    if own.holder.pop_beyond() {
        return false;
    }
    if went_on(scope, lock, record::lock::act::UNLOCK) {
        return true;
    }
    let elsewhere = holds::elsewhere(scope, lock);
    let known = record(lock).facts(lock);
    let epoch = start::epoch();
    match rules::unlocking(elsewhere.map(|(_, held)| held.what), known.as_ref(), epoch) {
        Unlocking::Unknown => false,
        found => {
            report::unlock_of_anothers(scope, lock, call, found, elsewhere);
            // SAFETY: the caller's.
            elsewhere.inspect(|(holder, _)| unsafe { holds::handed(holder, lock, call) });
            true
        }
    }
}
