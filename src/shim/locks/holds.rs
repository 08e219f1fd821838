//! The lists of what threads hold: how a hold comes onto one and off it the slow way, and who else has a lock.

#![allow(unsafe_code)] // Safety: reads the kind of a mutex where libc has it.

use super::{Call, Own, memory, record, report, times, watch};
use crate::recording;
use crate::start;
use crate::thread::{self, Scope, State};
use core::sync::atomic::Ordering::Relaxed;
use record::layout::Counter;
use record::lock::act;
use track::lock::{HoldFacts, Kind, Mode, What, actor_word};

/// The thread has taken the lock.
pub fn taken(scope: &mut Scope, lock: usize, place: u64, what: What) {
    let own = &scope.state.locks;
    if !what.has(What::RECURSIVE) && what.mode() == Mode::Exclusive {
        // It was to be had, so a hold that the list has is none: its memory was given back and taken again, or another thread
        // has let it go.
        stale(own, lock);
    }
    let facts = HoldFacts { lock, place: place as usize, what, ..HoldFacts::default() };
    memory::took_in(lock);
    if own.holder.push_with(&facts) || own.holder.make_room() && own.holder.push_again(&facts) {
        let actor = actor_word(scope.state.tid.load(Relaxed), start::epoch());
        record(lock).known(lock, what.kind(), actor);
        watch::taken(scope, &facts);
    } else {
        recording::count(Counter::HoldsUntracked);
        record(lock).forget(lock);
    }
}

/// The thread lets go of the hold at this place of its list.
pub fn let_go(scope: &mut Scope, at: usize, held: &HoldFacts) {
    watch::letting_go(scope, held);
    times::let_go(held);
    scope.state.locks.holder.remove(at);
}

/// The other live threads.
pub fn others(scope: &Scope) -> impl Iterator<Item = &'static State> + use<> {
    let me = core::ptr::from_ref(scope.state);
    thread::registry().filter(move |state| state.is_live() && !core::ptr::eq(*state, me))
}

/// Another live thread that has the lock, and how. Who waits with it has let it go.
pub fn elsewhere(scope: &Scope, lock: usize) -> Option<(&'static State, HoldFacts)> {
    let of = |state: &'static State| {
        state.locks.holder.holding(lock).filter(|held| !held.what.has(What::TOLD | What::WAITING))
    };
    others(scope).find_map(|state| Some((state, of(state)?)))
}

/// The thread was about to wait for a lock that its list has, wrongly: the hold is from before a fork, or a finding has spoken of
/// it, or the lock was free after all.
pub fn stale(own: &Own, lock: usize) {
    while let Some(at) = own.holder.find(lock) {
        own.holder.remove(at);
    }
}

/// The thread lets go of another's lock, and libc lets it: then that one holds it no more. A mutex that knows its owner stays.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
pub unsafe fn handed(holder: &State, lock: usize, call: &Call) {
    // SAFETY: the caller's.
    if call.kind != Kind::Mutex || !unsafe { super::flags::knows_owner(lock) } {
        holder.locks.holder.take_away(lock);
        times::no_longer(lock);
    }
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
    let ours = held.what.counts(start::epoch()) && !held.what.has(What::SHARED);
    // What waits with a mutex has let it go.
    if ours && !held.what.has(What::WAITING) {
        report::freed_held(scope, &held, holder, call.name, by);
        holder.locks.holder.find(lock).inspect(|at| holder.locks.holder.hold(*at).mark(What::TOLD));
    }
    if let Some(at) = mine.filter(|_| by == act::INIT || !ours) {
        scope.state.locks.holder.remove(at);
        times::no_longer(lock);
    }
    ours
}
