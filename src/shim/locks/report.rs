//! From a verdict about a lock to a finding.
//!
//! Where a lock was taken is a return address, kept for every hold because it costs one store; a finding shows it as a stack of
//! one frame. With `locks=order` there are whole stacks.

use super::Call;
use crate::options::{self, Mode};
use crate::thread::{Scope, State};
use crate::{finding, sys, unwind};
use core::sync::atomic::Ordering::Relaxed;
use libc::c_int;
use record::findings::{Involved, Lock, Report, Resource};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::PARTIES;
use record::lock::act;
use track::lock::rules::{Again, Unlocking};
use track::lock::order::{Cycle, Taken};
use track::lock::{Failure, HoldFacts, What};

/// The parties of a finding, as they come together.
struct Parties {
    all: [Involved; PARTIES],
    len: usize,
}

impl Parties {
    fn here(scope: &mut Scope) -> Self {
        let mut parties = Self { all: [Involved::default(); PARTIES], len: 0 };
        let stack = scope.stack_unasked();
        parties.add(Role::Here, scope.state.tid.load(Relaxed), stack);
        parties
    }

    fn none() -> Self {
        Self { all: [Involved::default(); PARTIES], len: 0 }
    }

    fn add(&mut self, role: Role, tid: u32, stack: u32) {
        if let Some(party) = self.all.get_mut(self.len) {
            *party = Involved { role: Some(role), tid, stack, thread: finding::name_of(tid) };
            self.len += 1;
        }
    }

    /// Where a thread has taken a lock.
    fn locked(&mut self, scope: &Scope, holder: &State, held: &HoldFacts) {
        self.add(Role::Locked, holder.tid.load(Relaxed), stack_of_hold(scope, held));
    }
}

/// The stack at which a lock was taken: one frame, if no stack was taken there.
pub fn stack_of_hold(scope: &Scope, held: &HoldFacts) -> u32 {
    if held.stack != 0 { held.stack } else { unwind::stack_of(scope.state, held.place as u64) }
}

/// What is known of a lock by its address.
fn about(scope: &Scope, lock: usize, what: What) -> Lock {
    Lock {
        address: lock as u64,
        kind: what.kind() as u8,
        mode: what.mode() as u8,
        place: place(scope, lock),
        ..Lock::default()
    }
}

/// The module that a lock lies in, as a stack of one frame: 0 when it lies in none.
pub fn place(scope: &Scope, lock: usize) -> u32 {
    let in_module = unwind::modules(scope.state).is_some_and(|list| list.object(lock as u64).is_some());
    if in_module { unwind::stack_of(scope.state, lock as u64 + 1) } else { 0 }
}

fn what(call: &Call) -> What {
    What::new(call.kind, call.how, 0, 0)
}

fn publish(scope: &mut Scope, kind: Kind, severity: Severity, lock: Lock, parties: &Parties, call: &str) {
    let tid = scope.state.tid.load(Relaxed);
    let report = Report {
        kind,
        severity,
        tid,
        thread: finding::name_of(tid),
        time: sys::now(),
        resource: Resource::Lock(lock),
        label: Label::NONE,
        parties: parties.all,
        detail: call.as_bytes(),
    };
    finding::publish(scope, &report);
}

/// L1: the call has failed.
pub fn failed(scope: &mut Scope, lock: usize, call: &Call, error: c_int, held: Option<HoldFacts>) {
    let mut parties = Parties::here(scope);
    if let Some(held) = held {
        parties.locked(scope, scope.state, &held);
    }
    let kind = if error == libc::EINVAL && super::record(lock).is_destroyed(lock) {
        return used_after_destroy(scope, lock, call);
    } else {
        Kind::LockFailed
    };
    let mode = held.map_or(what(call), |held| held.what);
    let lock = Lock { errno: error as u16, ..about(scope, lock, what(call)) };
    publish(scope, kind, Severity::Error, Lock { mode: mode.mode() as u8, ..lock }, &parties, call.name);
}

/// L2: the thread goes on with a lock that it failed to take.
pub fn ignored(scope: &mut Scope, failure: &Failure, by: u8) {
    let me = scope.state.tid.load(Relaxed);
    let mut parties = Parties::none();
    parties.add(Role::Here, me, failure.stack);
    let now = scope.stack_unasked();
    parties.add(Role::Victim, me, now);
    if let Some(held) = scope.state.locks.holder.holding(failure.lock) {
        parties.locked(scope, scope.state, &held);
    }
    let lock = Lock { errno: failure.errno, act: by, ..about(scope, failure.lock, failure.what) };
    publish(scope, Kind::LockIgnored, Severity::Error, lock, &parties, failure.call);
}

/// L3: the thread is about to wait for itself.
pub fn waits_for_itself(scope: &mut Scope, lock: usize, _place: u64, call: &Call, held: &HoldFacts, again: Again) {
    let kind = if again == Again::Upgrade { Kind::LockUpgrade } else { Kind::LockSelfDeadlock };
    let mut parties = Parties::here(scope);
    parties.locked(scope, scope.state, held);
    let refused = options::locks_mode() == Mode::Protect;
    let errno = if refused { libc::EDEADLK as u16 } else { 0 };
    let lock = Lock { errno, mode: held.what.mode() as u8, ..about(scope, lock, what(call)) };
    publish(scope, kind, Severity::Error, lock, &parties, call.name);
}

/// L4: the thread lets go what another has, or nobody.
pub fn unlock_of_anothers(
    scope: &mut Scope,
    lock: usize,
    call: &Call,
    found: Unlocking,
    elsewhere: Option<(&'static State, HoldFacts)>,
) {
    let kind = if found == Unlocking::NotOwner { Kind::LockNotOwner } else { Kind::LockNotLocked };
    let mut parties = Parties::here(scope);
    if let Some((holder, held)) = &elsewhere {
        parties.locked(scope, holder, held);
    }
    let held = elsewhere.map_or(what(call), |(_, held)| held.what);
    let lock = about(scope, lock, held);
    publish(scope, kind, Severity::Error, Lock { kind: call.kind as u8, ..lock }, &parties, call.name);
}

/// L4: what the thread holds is no lock of the call's kind.
pub fn of_another_kind(scope: &mut Scope, lock: usize, call: &Call, held: &HoldFacts) {
    let mut parties = Parties::here(scope);
    parties.locked(scope, scope.state, held);
    let lock = Lock { other_kind: call.kind as u8, ..about(scope, lock, held.what) };
    publish(scope, Kind::LockNotLocked, Severity::Error, lock, &parties, call.name);
}

/// L5: the memory of a held lock is destroyed, made anew, or given back.
pub fn freed_held(scope: &mut Scope, held: &HoldFacts, holder: &State, call: Option<&Call>, by: u8) {
    let mut parties = Parties::here(scope);
    parties.locked(scope, holder, held);
    let lock = Lock { act: by, ..about(scope, held.lock, held.what) };
    let name = call.map_or(act::verb(by), |call| call.name);
    publish(scope, Kind::LockFreedHeld, Severity::Error, lock, &parties, name);
}

/// L6: the lock was destroyed.
pub fn used_after_destroy(scope: &mut Scope, lock: usize, call: &Call) {
    let Some(facts) = super::record(lock).facts(lock) else { return };
    let mut parties = Parties::here(scope);
    parties.add(Role::Deleted, facts.destroyer().tid.0, facts.destroyer().stack.0);
    if facts.made.is_known() {
        parties.add(Role::Created, facts.tid.0, facts.made.0);
    }
    let lock = about(scope, lock, what(call));
    publish(scope, Kind::LockDestroyed, Severity::Error, lock, &parties, call.name);
}

/// L8: what was just taken, and how the others were, could wait for each other.
pub fn order(scope: &mut Scope, cycle: &Cycle, call: &Call) {
    let [first, others @ ..] = cycle.edges() else { return };
    let mut parties = Parties::here(scope);
    parties.add(Role::Locked, first.tid, first.stacks[0]);
    // Of long cycles, the calls that would wait.
    let whole = 2 * others.len() + 2 <= PARTIES;
    for edge in others {
        parties.add(Role::Victim, edge.tid, edge.stacks[1]);
        if whole {
            parties.add(Role::Locked, edge.tid, edge.stacks[0]);
        }
    }
    let what = |taken: Taken| What::new(taken.kind, taken.mode, 0, 0);
    let lock = Lock {
        other: first.from as u64,
        other_kind: first.held.kind as u8,
        other_place: place(scope, first.from),
        ..about(scope, first.to, what(first.taken))
    };
    publish(scope, Kind::LockOrder, Severity::Suspect, lock, &parties, call.name);
}

/// L7: the thread has ended and has the lock.
pub fn held_at_end(scope: &mut Scope, held: &HoldFacts) {
    let mut parties = Parties::none();
    parties.locked(scope, scope.state, held);
    let lock = Lock { act: act::EXIT, ..about(scope, held.lock, held.what) };
    publish(scope, Kind::LockHeldAtExit, Severity::Error, lock, &parties, "");
}
