//! The slow way of a call that takes a lock: the list is full or in doubt, the lock is not to be had at once, something failed.
//!
//! ```text
//! before ─► the try ─► not to be had: is it the thread itself that has it? ─► seen as waiting, the real call ─► after
//! ```
//!
//! The guard is up in `before`, where the thread begins to wait, and in `after`; never across a real call (see [`crate::thread`]).
#![allow(unsafe_code)] // Safety: calls the real functions as the hooks were called.

use super::failures::{self, ERRORS};
use super::flags::what_of;
use super::{
    Call, Own, Real, destroyed, followed, heard, holds, memory, on, order, record, report, times, waits, watch,
};
use crate::options::{self, Mode};
use crate::thread::{self, Entry, Scope};
use crate::{start, sys};
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_void};
use track::lock::rules::{self, Again, Intent};
use track::lock::{HoldFacts, Kind, actor_word};

/// # Safety
/// As [`super::acquire`].
#[cold]
#[inline(never)]
pub(super) unsafe fn acquire_by(
    lock: usize,
    place: u64,
    call: &'static Call,
    first: Option<c_int>,
    [attempt, wait]: [Real; 2],
) -> c_int {
    let lock_at = lock as *mut c_void;
    // SAFETY: the caller's.
    unsafe { acquire_slowly(lock, place, call, first, &|| attempt(lock_at), &|| wait(lock_at)) }
}

/// As [`super::acquire`] for a call that waits for so long: no try comes first, because the real call looks at the time first.
///
/// # Safety
/// As there.
#[inline(never)]
pub unsafe fn wait_for(lock: *mut c_void, place: u64, call: &'static Call, wait: &dyn Fn() -> c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { acquire_slowly(lock as usize, place, call, Some(libc::EBUSY), wait, wait) }
}

#[cold]
#[inline(never)]
pub(super) fn now_known(own: &Own, hold: &HoldFacts) {
    let lock = hold.lock;
    memory::took_in(lock);
    if own.holder.is_beyond() && own.holder.find(lock).is_none() && own.holder.make_room() {
        own.holder.push_again(hold);
    }
    if own.holder.is_beyond() {
        crate::recording::count(record::layout::Counter::HoldsUntracked);
        record(lock).forget(lock);
        return;
    }
    let tid = thread::current().map_or(0, |state| state.tid.load(Relaxed));
    record(lock).known(lock, hold.what.kind(), actor_word(tid, own.epoch()));
}

/// The slow way of [`super::acquire`].
///
/// # Safety
/// As there.
#[cold]
#[inline(never)]
unsafe fn acquire_slowly(
    lock: usize,
    place: u64,
    call: &'static Call,
    first: Option<c_int>,
    attempt: &dyn Fn() -> c_int,
    wait: &dyn Fn() -> c_int,
) -> c_int {
    let errno = sys::errno();
    let state = match thread::enter_for_lock() {
        Entry::Full(mut scope) if on() => {
            before(&mut scope, lock, call);
            scope.state
        }
        _ => {
            return match first {
                Some(result) if matches!(result, 0 | libc::EOWNERDEAD) || call.intent == Intent::Try => result,
                _ => wait(),
            };
        }
    };
    let mut waited = None;
    let result = match first.unwrap_or_else(attempt) {
        // SAFETY: the caller's.
        libc::EBUSY if call.intent == Intent::Lock && unsafe { is_refused(lock, call) } => {
            sys::set_errno(errno);
            return libc::EDEADLK;
        }
        // Expected of a lock that waits, and of nothing else.
        libc::EBUSY if call.intent != Intent::Try => waiting(state, lock, call, wait, &mut waited),
        0 => 0,
        libc::EOWNERDEAD => libc::EOWNERDEAD,
        libc::EBUSY => libc::EBUSY,
        other if call.intent == Intent::Try => other,
        // What else is wrong, the real call says itself.
        _ => wait(),
    };
    sys::set_errno(errno);
    if let Entry::Full(mut scope) = thread::enter() {
        // SAFETY: the caller's.
        unsafe { after(&mut scope, lock, place, call, result, waited) };
        drop(scope);
        sys::set_errno(errno);
    }
    result
}

/// The real call that may wait, with the thread seen to wait, and for how long, ns.
fn waiting(
    state: &'static thread::State,
    lock: usize,
    call: &'static Call,
    wait: &dyn Fn() -> c_int,
    waited: &mut Option<u64>,
) -> c_int {
    if let Entry::Full(mut scope) = thread::enter() {
        waits::begin(&mut scope, lock, call);
    }
    let begun = if times::on() { crate::clock::now() } else { 0 };
    let result = wait();
    waits::end(state);
    if times::on() {
        *waited = Some(crate::clock::now().saturating_sub(begun));
    }
    result
}

/// Is there anything against this call?
fn before(scope: &mut Scope, lock: usize, call: &'static Call) {
    start::notice_fork();
    watch::look(scope);
    heard::not(scope);
    let own = &scope.state.locks;
    if own.epoch() != start::epoch() {
        own.begin();
    }
    if call.kind != Kind::Mutex && record(lock).is_destroyed(lock) {
        destroyed::used(scope, lock, call);
    }
}

/// The lock is not to be had at once. Is it the thread itself that has it, and would it wait for ever? Then that is said, before
/// it does, and with `protect` it does not. Asked after the try: what the list has and the lock has not is no hold any more.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
unsafe fn is_refused(lock: usize, call: &'static Call) -> bool {
    let Entry::Full(mut scope) = thread::enter() else { return false };
    let own = &scope.state.locks;
    let Some(held) = own.holder.holding(lock) else { return false };
    if !held.what.counts(own.epoch()) {
        holds::stale(own, lock);
        return false;
    }
    // SAFETY: the caller's.
    let (_, refuses) = unsafe { what_of(lock, call, own.epoch()) };
    let again = rules::waits_for_itself(held.what, call.how, refuses);
    if again == Again::Fine {
        return false;
    }
    report::waits_for_itself(&mut scope, lock, call, &held, again);
    if options::locks_mode() == Mode::Protect {
        crate::recording::count(record::layout::Counter::LocksRefused);
        failures::failed(&mut scope, lock, call, libc::EDEADLK, Some(held));
        return true;
    }
    false
}

/// The real call has answered.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
unsafe fn after(scope: &mut Scope, lock: usize, place: u64, call: &'static Call, result: c_int, waited: Option<u64>) {
    let own = &scope.state.locks;
    if result == 0 || result == libc::EOWNERDEAD {
        // SAFETY: the caller's.
        let (what, _) = unsafe { what_of(lock, call, own.epoch()) };
        if order::on() || times::on() {
            followed::taken_slowly(scope, lock, place, what, call, waited);
        } else {
            holds::taken(scope, lock, place, what);
        }
        failures::settled(scope, lock);
    } else if rules::failed(call.kind, call.intent, result, &ERRORS) {
        let held = own.holder.holding(lock);
        if !heard::may_be(scope, lock, place, call, result, held) {
            report::failed(scope, lock, call, result, held);
        }
        failures::failed(scope, lock, call, result, held);
    }
}
