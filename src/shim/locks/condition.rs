//! Condition variables: what is noted around a wait, and L9.
//!
//! During the wait the mutex is not held, but its hold stays in the list of the thread, marked [`What::WAITING`]: libc takes the
//! mutex again before it comes back, and a thread that is cancelled in its wait comes back into its cleanup handlers, with the
//! mutex held, and not to us.
//!
//! Whether a thread waits, where that is to prove something, is asked of the kernel ([`futex`]), so nothing is counted here that a
//! cancelled thread could leave behind. Which mutex was waited with last is kept for each condition only to know when to look
//! at the other threads at all; conditions that share a place there cost a look.

use super::failures::ERRORS;
use super::flags::mutex_flags;
use super::{Call, destroyed, futex, holds, on, record, report, times, waits};
use crate::thread::{self, Entry, Scope, State};
use crate::{start, sys};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU64, AtomicUsize};
use libc::{c_int, c_void};
use record::lock::act;
use track::lock::rules::{self, Unlocking};
use track::lock::{HoldFacts, Kind, Mode, What};

/// The mutex that was waited with last.
struct Last {
    cond: AtomicUsize,
    mutex: AtomicUsize,
    /// When a condition of this place was last signalled or broadcast.
    woken: AtomicU64,
}

const LASTS: usize = 1024;
#[unsafe(link_section = ".bss.tables")]
static LAST: [Last; LASTS] =
    [const { Last { cond: AtomicUsize::new(0), mutex: AtomicUsize::new(0), woken: AtomicU64::new(0) } }; LASTS];

fn last(cond: usize) -> &'static Last {
    &LAST[(cond >> 4) % LASTS]
}

const LEN: usize = size_of::<libc::pthread_cond_t>();

/// The thread is about to wait. True: it was said that it does not hold the mutex.
///
/// # Safety
/// They point to a condition variable and a mutex.
pub unsafe fn waits(cond: *mut c_void, mutex: *mut c_void, call: &'static Call) -> bool {
    if !on() {
        return false;
    }
    let errno = sys::errno();
    let mut said = false;
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let (cond, mutex) = (cond as usize, mutex as usize);
        let own = &scope.state.locks;
        if own.epoch() != start::epoch() {
            own.begin();
        }
        if record(cond).is_destroyed(cond) {
            destroyed::used(&mut scope, cond, call);
        }
        match own.holder.find(mutex) {
            Some(at) => {
                own.holder.facts(at).inspect(times::let_go);
                own.holder.hold(at).mark(What::WAITING);
            }
            // SAFETY: the caller's.
            None if !own.holder.is_beyond() => said = unsafe { not_held(&mut scope, cond, mutex, call) },
            None => {}
        }
        another_mutex(&mut scope, cond, mutex, call);
        waits::begin(&mut scope, cond, call);
    }
    sys::set_errno(errno);
    said
}

/// The real wait has answered: whatever it says, timeouts included, the mutex is the thread's again, unless it says that it never was.
///
/// # Safety
/// As [`waits`].
pub unsafe fn waited(
    cond: *mut c_void,
    mutex: *mut c_void,
    place: u64,
    call: &'static Call,
    result: c_int,
    said: bool,
) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let (cond, mutex) = (cond as usize, mutex as usize);
        waits::end(scope.state);
        let own = &scope.state.locks;
        match own.holder.find(mutex) {
            Some(at) if result == libc::ENOTRECOVERABLE => own.holder.remove(at),
            Some(at) => {
                let hold = own.holder.hold(at);
                hold.unmark(What::WAITING);
                own.holder.facts(at).inspect(|held| times::has_again(scope.state, hold, mutex, held.what));
            }
            None if matches!(result, 0 | libc::ETIMEDOUT | libc::EOWNERDEAD) && !own.holder.is_beyond() => {
                // SAFETY: the caller's.
                let (flags, _) = unsafe { mutex_flags(mutex) };
                holds::taken(&mut scope, mutex, place, What::new(Kind::Mutex, Mode::Exclusive, flags, own.epoch()));
            }
            None => {}
        }
        if !said && rules::failed(Kind::Cond, call.intent, result, &ERRORS) {
            report::failed(&mut scope, cond, call, result, None);
        }
    }
    sys::set_errno(errno);
}

/// L9: does somebody else have the mutex, or nobody?
///
/// # Safety
/// `mutex` points to a mutex.
unsafe fn not_held(scope: &mut Scope, cond: usize, mutex: usize, call: &'static Call) -> bool {
    let elsewhere = holds::elsewhere(scope, mutex);
    let known = record(mutex).facts(mutex);
    let found = rules::unlocking(elsewhere.map(|(_, held)| held.what), known.as_ref(), start::epoch());
    // SAFETY: the caller's.
    let (flags, _) = unsafe { mutex_flags(mutex) };
    if found == Unlocking::Unknown || flags & What::SHARED != 0 {
        return false;
    }
    report::waits_without(scope, cond, mutex, call, elsewhere);
    true
}

/// L9: does another thread wait on it at this moment, with another mutex?
fn another_mutex(scope: &mut Scope, cond: usize, mutex: usize, call: &'static Call) {
    let last = last(cond);
    if last.cond.load(Relaxed) == cond && last.mutex.load(Relaxed) != mutex {
        let other = |state: &'static State| {
            let mut holds = state.locks.holder.all();
            let with = holds.find(|held| held.what.has(What::WAITING) && held.what.kind() == Kind::Mutex)?.lock;
            Some(with).filter(|with| *with != mutex)
        };
        let found = waiter(scope, cond, |state| other(state).is_some());
        if let Some((state, waits, with)) = found.and_then(|(state, waits)| Some((state, waits, other(state)?))) {
            report::waits_with_another(scope, cond, mutex, call, state, &waits, with);
        }
    }
    last.cond.store(cond, Relaxed);
    last.mutex.store(mutex, Relaxed);
}

/// L9: a condition is about to be destroyed: does a thread wait on it? Asked before the call, which may never return.
pub fn destroying(cond: *mut c_void, call: &'static Call) {
    going(cond as usize, call, act::DESTROY);
}

/// The same of one that is about to be made anew, if it was the last of its place that was waited on: most are new.
pub fn initialising(cond: *mut c_void, call: &'static Call) {
    let cond = cond as usize;
    if last(cond).cond.load(Relaxed) == cond {
        going(cond, call, act::INIT);
    }
}

fn going(cond: usize, call: &'static Call, by: u8) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        if let Some((state, waits)) = waiter(&scope, cond, |_| true) {
            report::gone_with_waiter(&mut scope, cond, call, by, state, &waits);
        }
    }
    sys::set_errno(errno);
}

/// The condition is about to be signalled or broadcast: who waits on it since before may be no waiter any more, though it has
/// not run yet, and nobody can tell.
pub fn waking(cond: *mut c_void) {
    if on() {
        last(cond as usize).woken.store(crate::clock::now(), Relaxed);
    }
}

/// Another thread that sleeps in a wait on this condition, proved by the kernel, and that nobody may have woken.
fn waiter(scope: &Scope, cond: usize, wanted: impl Fn(&'static State) -> bool) -> Option<(&'static State, HoldFacts)> {
    let me = core::ptr::from_ref(scope.state);
    let woken = || last(cond).woken.load(Relaxed);
    let waits =
        |state: &State| state.locks.holder.waiting().filter(|waits| waits.lock == cond && waits.since > woken());
    let others = thread::registry().filter(|state| state.is_live() && !core::ptr::eq(*state, me));
    let mut found = others.filter_map(|state| Some((state, waits(state)?)));
    found.find(|(state, _)| {
        let tid = state.tid.load(Relaxed);
        wanted(state) && futex::sleeps_in(tid, cond, LEN, || waits(state).is_some()) && wanted(state)
    })
}
