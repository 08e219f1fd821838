//! L6: a lock is used after its destruction, where libc notices nothing. A destroyed mutex answers EINVAL by itself.
//!
//! Memory is given back and used again, and a lock can be made without a call: by a static initialiser, in the constructor of a
//! `std::shared_mutex`. So a use proves nothing by its address; the bytes are asked. They must be those that the destruction
//! left behind, and such as no static initialiser makes: an rwlock that was never written under, say, is all zero on both
//! sides of its life, and is suspected in static memory only. What has other bytes was made anew where we did not see it, and
//! is known from then on.
//!
//! The first use is told, not those behind it: they are of a lock that lives again.
//!
//! Why reading the lock is allowed: the real call reads it next.
#![allow(unsafe_code)] // Safety: reads the lock that the hook was given, as the real call will.

use super::{Call, record, report};
use crate::thread::Scope;
use crate::{start, sys, unwind};
use core::sync::atomic::Ordering::Relaxed;
use libc::{pthread_barrier_t, pthread_cond_t, pthread_spinlock_t, sem_t};
use record::kind::Severity;
use track::lock::{Kind, State, actor_word};

/// How many bytes tell one state of such a lock from another. Of an rwlock those that change: its kind stands behind them.
const fn telling(kind: Kind) -> usize {
    match kind {
        Kind::RwLock => 24,
        Kind::Spin => size_of::<pthread_spinlock_t>(),
        Kind::Cond => size_of::<pthread_cond_t>(),
        Kind::Barrier => size_of::<pthread_barrier_t>(),
        Kind::Sem => size_of::<sem_t>(),
        Kind::Unknown | Kind::Mutex | Kind::Once => 0,
    }
}

/// A hash of the lock's bytes; 0 when all are zero.
///
/// # Safety
/// `lock` points to a lock of this kind, which was destroyed or not.
pub unsafe fn looks(lock: usize, kind: Kind) -> usize {
    let (mut hash, mut any) = (0x811c_9dc5_u32, 0);
    for at in (lock..lock + telling(kind)).step_by(4) {
        // SAFETY: the caller's; every lock is aligned to four bytes.
        let word = unsafe { core::ptr::read_volatile(at as *const u32) };
        hash = (hash ^ word).wrapping_mul(0x0100_0193);
        any |= word;
    }
    if any == 0 { 0 } else { (hash | 1) as usize }
}

/// May all of it be read? Memory that was given back may have gone in part.
fn is_readable(lock: usize, kind: Kind) -> bool {
    let last = lock + telling(kind).max(1) - 1;
    sys::readable(lock as u64 & !7) && sys::readable(last as u64 & !7)
}

/// Was it made for other processes, too? They may destroy it and make it anew where we cannot see it.
pub fn is_shared(lock: usize, kind: Kind) -> bool {
    matches!(kind, Kind::Sem | Kind::Barrier | Kind::Cond)
        && record(lock).facts(lock).is_some_and(|facts| facts.state == State::Unknown)
}

/// A call on a lock whose record says that it was destroyed. True: so it was, and that was said.
pub fn used(scope: &mut Scope, lock: usize, call: &'static Call) -> bool {
    let Some(facts) = record(lock).facts(lock).filter(|facts| facts.state == State::Destroyed) else { return false };
    let found = if facts.kind == call.kind && facts.epoch == start::epoch() {
        let is_static = unwind::module_of(scope.state, lock as u64).is_some();
        // SAFETY: looked at first: the real call will read less of it.
        let now = if is_readable(lock, call.kind) { unsafe { looks(lock, call.kind) } } else { 0 };
        judged(facts.kind, facts.looks, now, is_static)
    } else {
        None
    };
    if let Some(severity) = found {
        report::used_after_destroy(scope, lock, call, severity);
    }
    record(lock).known(lock, call.kind, actor_word(scope.state.tid.load(Relaxed), start::epoch()));
    found.is_some()
}

/// What the bytes prove: those at the destruction, and those now.
fn judged(kind: Kind, then: usize, now: usize, is_static: bool) -> Option<Severity> {
    match (then == now, then != 0, is_static) {
        (false, ..) => None,
        (true, true, _) => Some(Severity::Error),
        // An initialiser that is assigned to it leaves nothing but zeros, too.
        (true, false, true) if kind == Kind::RwLock => Some(Severity::Suspect),
        (true, false, true) => Some(Severity::Error),
        (true, false, false) => None,
    }
}
