//! The way of every lock and unlock while a feature looks at all of them: `locks=order`, `lock_times=1`.
//!
//! As the fast path, with the guard up in the middle: the stack is taken, the order asked, the times are added up. What is not
//! plain (a lock that waits, one that the thread has already, a failure that is open) goes the slow way of [`super`], which
//! comes back here when the lock is taken.
#![allow(unsafe_code)] // Safety: calls the real functions as the hooks were called.

use super::fast::took;
use super::flags::what_of;
use super::letting_go::{not_released, release_slowly};
use super::taking::{acquire_by, now_known};
use super::{Call, Own, Real, attention, holds, order, record, times, watch};
use crate::thread::{self, Scope};
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_void};
use track::lock::rules::Intent;
use track::lock::{HoldFacts, Kind, Mode, What};

/// The calling thread's own, when nothing but features wants its attention.
#[inline(always)]
fn own() -> Option<&'static Own> {
    let own = thread::block().locks()?;
    (own.attention.load(Relaxed) & !(attention::FEATURES | attention::UNLOCKS) == 0).then_some(own)
}

/// As [`super::acquire`], or [`super::try_acquire`], by the call's intent.
///
/// # Safety
/// As there.
#[inline(never)]
pub unsafe fn acquire(lock: *mut c_void, place: u64, call: &'static Call, reals: [Real; 2]) -> c_int {
    let at = lock as usize;
    let mut first = None;
    if let Some(own) = own().filter(|_| order::on() || times::on()) {
        let destroyed = call.kind != Kind::Mutex && record(at).is_destroyed(at);
        if !destroyed && own.holder.find(at).is_none() {
            let [attempt, wait] = reals;
            // SAFETY: the caller's.
            let result = unsafe { if thread::alone() { wait(lock) } else { attempt(lock) } };
            if result == 0 {
                // SAFETY: the caller's.
                let (what, _) = unsafe { what_of(at, call, own.epoch()) };
                // In a handler inside a hook of ours, and in a vfork child: as the fast path.
                let Some(mut scope) = thread::enter_registered() else { return took(own, at, place, what) };
                taken(&mut scope, at, place, what, call, None);
                return 0;
            }
            if result == libc::EBUSY && call.intent == Intent::Try {
                return result;
            }
            first = Some(result);
        }
    }
    // SAFETY: the caller's.
    unsafe { acquire_by(at, place, call, first, reals) }
}

/// The thread has taken the lock: after `waited` ns, if it was not to be had at once.
#[inline(always)]
pub fn taken(scope: &mut Scope, lock: usize, place: u64, what: What, call: &Call, waited: Option<u64>) {
    let times = times::on();
    // What the only thread takes is in no finding of two; where it was taken is known all the same.
    let stack = if times || !thread::alone() { scope.stack_unasked() } else { 0 };
    if order::on() {
        order::taken(scope, lock, what, stack, call);
    }
    let since = if times { crate::clock::now() } else { 0 };
    let facts = HoldFacts { lock, place: place as usize, what, stack, since };
    let own = &scope.state.locks;
    let listed = own.holder.push_with(&facts);
    if !listed || !record(lock).is_known(lock) {
        now_known(own, &facts);
    }
    if watch::on() {
        watch::look(scope);
        if listed {
            watch::taken(scope, &facts);
        }
    }
    if times {
        times::taken(scope, &facts, waited);
    }
}

/// As [`taken`], of a lock that the list of the thread may have.
pub fn taken_slowly(scope: &mut Scope, lock: usize, place: u64, what: What, call: &Call, waited: Option<u64>) {
    if !what.has(What::RECURSIVE) && what.mode() == Mode::Exclusive {
        holds::stale(&scope.state.locks, lock);
    }
    taken(scope, lock, place, what, call, waited);
}

/// As [`super::release`].
///
/// # Safety
/// As there.
#[inline(never)]
pub unsafe fn release(lock: *mut c_void, place: u64, call: &'static Call, real: Real) -> c_int {
    let at = lock as usize;
    if let Some(own) = own().filter(|_| !watch::on()) {
        let latest = own.holder.len().checked_sub(1).and_then(|at| own.holder.facts(at));
        if let Some(held) = latest.filter(|held| held.lock == at && held.what.kind() == call.kind) {
            times::let_go(&held);
            if own.holder.pop(at) {
                // SAFETY: the caller's.
                let result = unsafe { real(lock) };
                if result != 0 {
                    // SAFETY: the caller's.
                    unsafe { not_released(at, place, call, result) };
                }
                return result;
            }
        }
    }
    // SAFETY: the caller's.
    unsafe { release_slowly(lock, place, call, real) }
}
