//! Calls that failed: told when they fail, and what the thread makes of them afterwards.
//!
//! ```text
//! failed ─► kept with the thread, whose fast path is closed ─► it takes the lock after all: it looked      settled
//!                                                           ─► it lets go, or destroys, as if it had it   went_on
//! ```
//!
//! Why the fast path is closed meanwhile: the next call on the lock is the proof, and the plain way does not look.

use super::{Call, at_hand, attention, on, report};
use crate::sys;
use crate::thread::{self, Entry, Scope};
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_void};
use record::kind::Severity;
use track::lock::rules::{self, Errors, Intent};
use track::lock::{Failure, HoldFacts, What};

pub(super) const ERRORS: Errors = Errors {
    busy: libc::EBUSY,
    timed_out: libc::ETIMEDOUT,
    owner_dead: libc::EOWNERDEAD,
    interrupted: libc::EINTR,
    again: libc::EAGAIN,
    deadlock: libc::EDEADLK,
};

/// A call has failed: what the thread makes of it will show.
pub(super) fn failed(scope: &mut Scope, lock: usize, call: &'static Call, error: c_int, held: Option<HoldFacts>) {
    if !matches!(call.intent, Intent::Lock | Intent::Timed) {
        return;
    }
    let own = &scope.state.locks;
    let holds = own.holder.len() as u32;
    let what = held.map_or(What::new(call.kind, call.how, 0, own.epoch()), |h| h.what);
    let stack = scope.stack_unasked();
    let time = crate::clock::now();
    let errno = error as u16;
    let failure = Failure { lock, what, errno, stack, holds, call: call.name, time, let_go: 0 };
    at_hand::note(scope, &failure);
    scope.inner().failures.add(failure);
    scope.state.locks.attention.fetch_or(attention::FAILED, Relaxed);
}

/// The thread has the lock after all: what failed before was looked at. But not if it has let go meanwhile what it had: then
/// nothing shows that anybody looked, and the evidence is told.
pub(super) fn settled(scope: &mut Scope, lock: usize) {
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED != 0 {
        let failure = scope.inner().failures.take(lock);
        nothing_failed(scope);
        if let Some(failure) = failure.filter(|failure| failure.let_go != 0) {
            at_hand::ignored(scope, lock);
            report::ignored(scope, &failure, record::lock::act::UNLOCK, Severity::Suspect);
        }
    }
}

/// The thread lets go of a lock that it has, and that it failed to take once more. What it had it may let go: what it does next
/// with the lock will tell.
pub(super) fn let_go_after_failure(scope: &mut Scope, lock: usize) {
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED == 0 {
        return;
    }
    let stack = scope.stack_unasked();
    if let Some(failure) = scope.inner().failures.of(lock).filter(|failure| failure.let_go == 0) {
        failure.let_go = stack;
    }
}

/// The fast path is open again when no failure is.
pub(super) fn nothing_failed(scope: &mut Scope) {
    if scope.inner().failures.is_empty() {
        scope.state.locks.attention.fetch_and(!attention::FAILED, Relaxed);
    }
}

/// The thread goes on with a lock that it failed to take: L2. True: that was said.
///
/// Asked where it cannot be in the right: it lets go what it does not have, or destroys what it has. A thread that was refused
/// what it had already (EDEADLK), that looked, and that lets go what it had, may be in the right: see [`let_go_after_failure`].
pub(super) fn went_on(scope: &mut Scope, lock: usize, act: u8) -> bool {
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED == 0 {
        return false;
    }
    let failure = scope.inner().failures.take(lock);
    nothing_failed(scope);
    if let Some(failure) = &failure {
        at_hand::ignored(scope, lock);
        report::ignored(scope, failure, act, Severity::Error);
    }
    failure.is_some()
}

/// Any other call has answered with an error number.
#[inline(always)]
pub fn answered(lock: *mut c_void, call: &'static Call, result: c_int) {
    if result != 0 {
        answered_otherwise(lock, call, result);
    }
}

#[cold]
#[inline(never)]
fn answered_otherwise(lock: *mut c_void, call: &'static Call, result: c_int) {
    if !on() || !rules::failed(call.kind, call.intent, result, &ERRORS) {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        report::failed(&mut scope, lock as usize, call, result, None);
    }
    sys::set_errno(errno);
}
