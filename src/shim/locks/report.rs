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
use record::lock::{act, thrd};
use track::lock::order::{Cycle, Taken};
use track::lock::rules::{Again, Unlocking};
use track::lock::{Failure, HoldFacts, What};

const EINVAL: u16 = libc::EINVAL as u16;

/// The parties of a finding, as they come together.
#[derive(Clone, Copy)]
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
    // The place of a once control is no place of a call.
    let has_stack = held.stack != 0 || held.what.kind() == track::lock::Kind::Once;
    if has_stack { held.stack } else { unwind::stack_of(scope.state, held.place as u64) }
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
    if unwind::module_of(scope.state, lock as u64).is_some() {
        unwind::stack_of(scope.state, lock as u64 + 1)
    } else {
        0
    }
}

fn what(call: &Call) -> What {
    What::new(call.kind, call.how, 0, 0)
}

/// A finding that is made and not filed yet: what it waits for decides about it.
#[derive(Clone, Copy)]
pub struct Found {
    kind: Kind,
    lock: Lock,
    parties: Parties,
    call: &'static str,
}

impl Found {
    pub fn publish(&self, scope: &mut Scope, severity: Severity) {
        publish(scope, self.kind, severity, self.lock, &self.parties, self.call);
    }

    /// The lock that it is about.
    pub fn lock(&self) -> usize {
        self.lock.address as usize
    }

    pub fn errno(&self) -> c_int {
        c_int::from(self.lock.errno)
    }
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
    // Of a mutex libc says so itself.
    let says_so = call.kind == track::lock::Kind::Mutex && matches!(error as u16, thrd::ERROR | EINVAL);
    if says_so && super::record(lock).is_destroyed(lock) {
        return used_after_destroy(scope, lock, call, Severity::Error);
    }
    failure(scope, lock, call, error, held).publish(scope, Severity::Error);
}

/// The same, for whoever decides later how much it matters.
pub fn failure(scope: &mut Scope, lock: usize, call: &Call, error: c_int, held: Option<HoldFacts>) -> Found {
    let mut parties = Parties::here(scope);
    if let Some(held) = held {
        parties.locked(scope, scope.state, &held);
    }
    let mode = held.map_or(what(call), |held| held.what).mode() as u8;
    let lock = Lock { errno: error as u16, mode, ..about(scope, lock, what(call)) };
    Found { kind: Kind::LockFailed, lock, parties, call: call.name }
}

/// L2: the thread goes on with a lock that it failed to take.
pub fn ignored(scope: &mut Scope, failure: &Failure, by: u8, severity: Severity) {
    let me = scope.state.tid.load(Relaxed);
    let mut parties = Parties::none();
    parties.add(Role::Here, me, failure.stack);
    let proved = severity == Severity::Error;
    let went_on = if proved { scope.stack_unasked() } else { failure.let_go };
    parties.add(Role::Victim, me, went_on);
    if let Some(held) = scope.state.locks.holder.holding(failure.lock).filter(|_| proved) {
        parties.locked(scope, scope.state, &held);
    }
    let lock = Lock { errno: failure.errno, act: by, ..about(scope, failure.lock, failure.what) };
    publish(scope, Kind::LockIgnored, severity, lock, &parties, failure.call);
}

/// L3: the thread is about to wait for itself.
pub fn waits_for_itself(scope: &mut Scope, lock: usize, call: &Call, held: &HoldFacts, again: Again) {
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
pub fn freed_held(scope: &mut Scope, held: &HoldFacts, holder: &State, call: &'static str, by: u8) {
    going(scope, held, holder, call, by).publish(scope, Severity::Error);
}

/// The same, while it is not known yet whether the memory goes.
pub fn going(scope: &mut Scope, held: &HoldFacts, holder: &State, call: &'static str, by: u8) -> Found {
    // A thread that ends has returned from all that the program has called.
    let mut parties = if call.is_empty() { Parties::none() } else { Parties::here(scope) };
    parties.locked(scope, holder, held);
    let lock = Lock { act: by, ..about(scope, held.lock, held.what) };
    Found { kind: Kind::LockFreedHeld, lock, parties, call }
}

/// L6: the lock was destroyed.
pub fn used_after_destroy(scope: &mut Scope, lock: usize, call: &Call, severity: Severity) {
    let Some(facts) = super::record(lock).facts(lock) else { return };
    let mut parties = Parties::here(scope);
    parties.add(Role::Deleted, facts.destroyer().tid.0, facts.destroyer().stack.0);
    if facts.made.is_known() {
        parties.add(Role::Created, facts.tid.0, facts.made.0);
    }
    let lock = about(scope, lock, what(call));
    publish(scope, Kind::LockDestroyed, severity, lock, &parties, call.name);
}

/// L9: the thread waits with a mutex that it does not have: another has it, or nobody.
pub fn waits_without(
    scope: &mut Scope,
    cond: usize,
    mutex: usize,
    call: &Call,
    elsewhere: Option<(&'static State, HoldFacts)>,
) {
    let mut parties = Parties::here(scope);
    if let Some((holder, held)) = &elsewhere {
        parties.locked(scope, holder, held);
    }
    let lock = Lock { act: act::LOCK, ..with_mutex(scope, cond, mutex, call) };
    publish(scope, Kind::LockCond, Severity::Error, lock, &parties, call.name);
}

/// L9: another thread waits on this condition, with another mutex.
pub fn waits_with_another(
    scope: &mut Scope,
    cond: usize,
    mutex: usize,
    call: &Call,
    waiter: &State,
    waits: &HoldFacts,
    others: usize,
) {
    let mut parties = Parties::here(scope);
    parties.add(Role::Victim, waiter.tid.load(Relaxed), waits.stack);
    let lock = Lock { act: act::WAIT, old: others as u64, ..with_mutex(scope, cond, mutex, call) };
    publish(scope, Kind::LockCond, Severity::Error, lock, &parties, call.name);
}

/// L9: the condition is destroyed or made anew, and a thread waits on it.
pub fn gone_with_waiter(scope: &mut Scope, cond: usize, call: &Call, by: u8, waiter: &State, waits: &HoldFacts) {
    let mut parties = Parties::here(scope);
    parties.add(Role::Victim, waiter.tid.load(Relaxed), waits.stack);
    let lock = Lock { act: by, ..about(scope, cond, what(call)) };
    publish(scope, Kind::LockCond, Severity::Error, lock, &parties, call.name);
}

fn with_mutex(scope: &Scope, cond: usize, mutex: usize, call: &Call) -> Lock {
    Lock {
        other: mutex as u64,
        other_kind: record::lock::kind::MUTEX,
        other_place: place(scope, mutex),
        ..about(scope, cond, what(call))
    }
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

/// L11: what a lock protects was written while it was held for reading.
pub fn written_under_read(scope: &mut Scope, severity: Severity, lock: Lock, involved: &[(Role, u32, u32)]) {
    let mut parties = Parties::none();
    for (role, tid, stack) in involved {
        parties.add(*role, *tid, *stack);
    }
    publish(scope, Kind::LockWriteUnderRead, severity, lock, &parties, "");
}
