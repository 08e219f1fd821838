//! The lists of what threads hold: how a hold comes onto one and off it the slow way, and who else has a lock.

use super::{Call, record, report, times};
use crate::recording;
use crate::start;
use crate::thread::{self, Scope, State};
use core::sync::atomic::Ordering::Relaxed;
use record::layout::Counter;
use record::lock::act;
use track::lock::{HoldFacts, Mode, What, actor_word};

/// The thread has taken the lock.
pub fn taken(scope: &mut Scope, lock: usize, place: u64, what: What) {
    let own = &scope.state.locks;
    no_longer_held(scope, lock, what);
    let facts = HoldFacts { lock, place: place as usize, what, ..HoldFacts::default() };
    if own.holder.push_with(&facts) {
        let actor = actor_word(scope.state.tid.load(Relaxed), start::epoch());
        record(lock).known(lock, what.kind(), actor);
    } else {
        recording::count(Counter::HoldsUntracked);
        record(lock).forget(lock);
    }
}

/// The thread has taken a lock that its list has already.
pub fn no_longer_held(scope: &Scope, lock: usize, what: What) {
    let own = &scope.state.locks;
    if let Some(at) = own.holder.find(lock).filter(|_| !what.has(What::RECURSIVE) && what.mode() == Mode::Exclusive) {
        // It was to be had, so the hold that the list has is none: its memory was given back and taken again, or another
        // thread has let it go.
        own.holder.remove(at);
    }
}

/// The thread lets go of the hold at this place of its list.
pub fn let_go(scope: &mut Scope, at: usize, held: &HoldFacts) {
    times::let_go(held);
    scope.state.locks.holder.remove(at);
}

/// Another live thread that has the lock, and how.
pub fn elsewhere(scope: &Scope, lock: usize) -> Option<(&'static State, HoldFacts)> {
    let me = core::ptr::from_ref(scope.state);
    let others = thread::registry().filter(|state| state.is_live() && !core::ptr::eq(*state, me));
    others.filter_map(|state| Some((state, state.locks.holder.holding(lock)?))).next()
}

/// A lock ceases to be, by a call on itself. True: somebody holds it, and that was said.
pub fn gone(scope: &mut Scope, lock: usize, call: &'static Call, by: u8) -> bool {
    let mine = scope.state.locks.holder.find(lock);
    let held = match mine {
        Some(at) => scope.state.locks.holder.facts(at).map(|held| (scope.state, held)),
        None => elsewhere(scope, lock),
    };
    let Some((holder, held)) = held else { return false };
    // A child of fork makes its locks anew; what it held before, it held for that.
    let ours = held.what.epoch() == start::epoch() && !held.what.has(What::TOLD) && !held.what.has(What::SHARED);
    // What waits with a mutex has let it go.
    if ours && !held.what.has(What::WAITING) {
        report::freed_held(scope, &held, holder, Some(call), by);
    }
    if let Some(at) = mine.filter(|_| by == act::INIT || !ours) {
        scope.state.locks.holder.remove(at);
    }
    ours
}
