//! The plain way of a lock and an unlock: the thread's list and one real call, no guard, nothing else touched.
//!
//! Why it is a file of its own: all of it is inlined into every hook, and costs each lock of the program. What is rare is a call of a
//! function that is not inlined and takes its arguments in registers, so that the plain way keeps nothing in memory for it.
//!
//! Rules: no guard, so a signal handler may come between any two instructions; nothing that could allocate; no errno.
#![allow(unsafe_code)] // Safety: calls the real functions as the hooks were called.

use super::flags::what_of;
use super::letting_go::{not_released, release_slowly};
use super::taking::{acquire_by, now_known};
use super::{Call, Own, Real, attention, features, followed, off, record, times};
use crate::thread;
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_void};
use track::lock::{HoldFacts, Kind, What};

/// The calling thread's own, when its hooks may take the fast path.
#[inline(always)]
pub fn plain() -> Option<&'static Own> {
    let own = thread::block().locks()?;
    own.is_plain().then_some(own)
}

/// The same for an unlock.
#[inline(always)]
fn plain_unlock() -> Option<&'static Own> {
    let own = thread::block().locks()?;
    (own.attention.load(Relaxed) & !attention::FEATURES == 0).then_some(own)
}

/// Takes a lock. `attempt` does not wait, `wait` may: both are the real functions. What libc answers, or EDEADLK where
/// `protect` keeps the thread from waiting for itself.
///
/// # Safety
/// `lock` points to a lock of the call's kind; the functions are libc's, known to a registered thread.
#[inline(always)]
pub unsafe fn acquire(lock: *mut c_void, place: u64, call: &'static Call, reals: impl Fn() -> [Real; 2]) -> c_int {
    let at = lock as usize;
    let mut first = None;
    if let Some(own) = plain() {
        let destroyed = call.kind != Kind::Mutex && record(at).is_destroyed(at);
        if !destroyed && own.holder.find(at).is_none() {
            // Where there is one thread, nobody waits, and libc's lock is faster than its try: it needs no atomic.
            let [attempt, wait] = reals();
            // SAFETY: the caller's.
            let result = unsafe { if thread::alone() { wait(lock) } else { attempt(lock) } };
            if result == 0 {
                // SAFETY: the caller's.
                let (what, _) = unsafe { what_of(at, call, own.epoch()) };
                return took(own, at, place, what);
            }
            first = Some(result);
        }
    }
    if off() {
        // SAFETY: the caller's.
        return unsafe { reals()[1](lock) };
    }
    // SAFETY: the caller's.
    unsafe {
        match first {
            None if features() => followed::acquire(lock, place, call, reals()),
            _ => acquire_by(at, place, call, first, reals()),
        }
    }
}

/// As [`acquire`] for a call that does not wait.
///
/// # Safety
/// As there.
#[inline(always)]
pub unsafe fn try_acquire(lock: *mut c_void, place: u64, call: &'static Call, real: impl Fn() -> Real) -> c_int {
    let at = lock as usize;
    let mut first = None;
    let destroyed = call.kind != Kind::Mutex && record(at).is_destroyed(at);
    if let Some(own) = plain().filter(|_| !destroyed) {
        // SAFETY: the caller's.
        let result = unsafe { real()(lock) };
        if result == libc::EBUSY {
            return result;
        }
        if result == 0 && own.holder.find(at).is_none() {
            // SAFETY: the caller's.
            let (what, _) = unsafe { what_of(at, call, own.epoch()) };
            return took(own, at, place, what);
        }
        first = Some(result);
    }
    if off() {
        // SAFETY: the caller's.
        return unsafe { real()(lock) };
    }
    // SAFETY: the caller's.
    unsafe {
        match first {
            None if features() => followed::acquire(lock, place, call, [real(); 2]),
            _ => acquire_by(at, place, call, first, [real(); 2]),
        }
    }
}

/// Onto the list; 0.
#[inline(always)]
pub(super) fn took(own: &Own, lock: usize, place: u64, what: What) -> c_int {
    let record = record(lock);
    if !own.holder.push(lock, place as usize, what) || !record.is_known(lock) {
        now_known(own, &HoldFacts { lock, place: place as usize, what, ..HoldFacts::default() });
    }
    0
}

/// Lets a lock go: `call` is the real function.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
#[inline(always)]
pub unsafe fn release(lock: *mut c_void, place: u64, call: &'static Call, real: impl Fn() -> Real) -> c_int {
    let at = lock as usize;
    // Off the list first: once it is let go, another thread may destroy it, and must not find it held.
    match plain_unlock() {
        Some(own) if own.holder.pop(at) => {
            // SAFETY: the caller's.
            let result = unsafe { real()(lock) };
            if result != 0 {
                // SAFETY: the caller's.
                unsafe { not_released(at, place, call, result) };
            }
            result
        }
        // SAFETY: the caller's.
        _ if off() => unsafe { real()(lock) },
        // SAFETY: the caller's.
        _ if times::on() => unsafe { followed::release(lock, place, call, real()) },
        // SAFETY: the caller's.
        _ => unsafe { release_slowly(lock, place, call, real()) },
    }
}
