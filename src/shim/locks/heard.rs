//! EDEADLK in C++: `std::shared_mutex::lock` and its like make an exception of it, and then the failure was heard.
//!
//! ```text
//! the lock fails with EDEADLK ─► the caller's module throws system errors? ─► no: an error, at once
//!                                      yes: the finding is made and kept
//!   next, this thread throws EDEADLK ─► information; nothing is pending for L2
//!   next, it calls a lock function, or ends ─► an error, with the stack of the failure
//! ```
//!
//! Why the module and not the process: in a C++ process there are C libraries, and theirs are failures that nobody hears.
//!
//! The throwing functions are hooks (`hooks/throwing.rs`). Other errors than EDEADLK are misuse, whoever hears of them.

use super::report::{self, Found};
use super::{Call, attention};
use crate::thread::{self, Entry, Scope};
use crate::{symbols, sys, unwind};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicU64};
use libc::c_int;
use record::kind::Severity;
use track::lock::HoldFacts;

/// `std::__throw_system_error` of libstdc++ and of libc++.
const THROWERS: [&[u8]; 2] = [b"_ZSt20__throw_system_errori", b"_ZNSt3__120__throw_system_errorEiPKc"];

/// What was found out about modules: index in the recording and one, and whether they throw. The last one wins.
static KNOWN: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
/// Bumped when modules go.
static UNLOADS: AtomicU32 = AtomicU32::new(0);

/// Something was unloaded: indexes may be given anew.
pub fn forget_modules() {
    UNLOADS.fetch_add(1, Relaxed);
}

/// Does the code at this place make exceptions of errors?
fn throws(scope: &Scope, place: u64) -> bool {
    let Some(object) = unwind::module_of(scope.state, place) else { return false };
    let Some(index) = object.recorded else { return symbols::imports(&object, &THROWERS) };
    let key = u64::from(UNLOADS.load(Relaxed)) << 32 | (index as u64 + 1) << 1;
    let known = &KNOWN[index % KNOWN.len()];
    let found = known.load(Relaxed);
    if found & !1 == key {
        return found & 1 != 0;
    }
    let throws = symbols::imports(&object, &THROWERS);
    known.store(key | u64::from(throws), Relaxed);
    throws
}

/// A call has failed. True: the finding waits for what the thread does next.
pub fn may_be(
    scope: &mut Scope,
    lock: usize,
    place: u64,
    call: &'static Call,
    error: c_int,
    held: Option<HoldFacts>,
) -> bool {
    if error != libc::EDEADLK || !throws(scope, place) {
        return false;
    }
    let found = report::failure(scope, lock, call, error, held);
    scope.inner().unheard = Some(found);
    scope.state.locks.attention.fetch_or(attention::UNHEARD, Relaxed);
    true
}

/// The thread goes on with locks, or ends: nobody has heard.
#[inline(always)]
pub fn not(scope: &mut Scope) {
    if scope.state.locks.attention.load(Relaxed) & attention::UNHEARD != 0 {
        nobody(scope);
    }
}

#[cold]
#[inline(never)]
fn nobody(scope: &mut Scope) {
    if let Some(found) = taken(scope) {
        found.publish(scope, Severity::Error);
    }
}

fn taken(scope: &mut Scope) -> Option<Found> {
    scope.state.locks.attention.fetch_and(!attention::UNHEARD, Relaxed);
    scope.inner().unheard.take()
}

/// The thread throws this error.
pub fn throwing(error: c_int) {
    if !super::on() || error != libc::EDEADLK {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter() {
        if let Some(found) = taken(&mut scope) {
            debug_assert!(found.errno() == error);
            found.publish(&mut scope, Severity::Info);
            super::failures::settled(&mut scope, found.lock());
        } else if let Some(lock) = scope.inner().failures.latest_with(error as u16) {
            // What `protect` has refused, and said.
            super::failures::settled(&mut scope, lock);
        }
    }
    sys::set_errno(errno);
}
