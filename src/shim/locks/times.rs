//! `lock_times=1`: how often each lock is taken, how often not at once, how long it is waited for and held.
//!
//! Written into the recording where it is, by whoever has the lock at that moment: see `record::lock`. Time is the processor's
//! counter ([`crate::clock`]).

use super::{record, report};
use crate::clock;
use crate::options::{self, Mode};
use crate::recording::{self, RECORDING};
use crate::thread::{Scope, State};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU64};
use record::layout::{Counter, Lock};
use track::lock::{Hold, HoldFacts, Mode as How, What};

static ON: AtomicBool = AtomicBool::new(false);

/// Locks that found no place in the table, by a hash: each is counted once.
#[unsafe(link_section = ".bss.tables")]
static COUNTED: [AtomicU64; BITS / 64] = [const { AtomicU64::new(0) }; BITS / 64];
const BITS: usize = 1 << 16;

/// At start, with the options known.
pub fn start() {
    ON.store(options::lock_times() && options::locks_mode() != Mode::Off, Relaxed);
}

#[inline(always)]
pub fn on() -> bool {
    ON.load(Relaxed)
}

fn alone(hold: &HoldFacts) -> bool {
    hold.what.mode() != How::Read
}

/// The thread has the lock. `waited` ns, when it was not to be had at once.
#[inline(always)]
pub fn taken(scope: &mut Scope, hold: &HoldFacts, waited: Option<u64>) {
    let Some((entry, new)) = record::lock::entry_of(&RECORDING, hold.lock as u64) else { return no_room(hold.lock) };
    if new {
        made(scope, hold, entry);
    }
    let tid = scope.state.tid.load(Relaxed);
    entry.taken(tid, alone(hold), waited, hold.stack);
    has(entry, hold, tid);
}

/// Who has a lock that others read is not kept: they would have to add it up together.
#[inline(always)]
fn has(entry: &Lock, hold: &HoldFacts, tid: u32) {
    if alone(hold) {
        entry.has(tid, hold.what.has(What::RECURSIVE));
    }
}

#[cold]
#[inline(never)]
fn made(scope: &mut Scope, hold: &HoldFacts, entry: &Lock) {
    let made = record(hold.lock).facts(hold.lock).map_or(0, |facts| facts.made.0);
    let created = if made != 0 { made } else { hold.stack };
    entry.made(hold.what.kind() as u8, report::place(scope, hold.lock), created);
}

#[cold]
#[inline(never)]
fn no_room(lock: usize) {
    let bit = (lock as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize >> 16 & (BITS - 1);
    if COUNTED[bit / 64].fetch_or(1 << (bit % 64), Relaxed) & 1 << (bit % 64) == 0 {
        recording::count(Counter::LocksUntracked);
    }
}

/// The thread has waited with the lock, and has it again.
#[inline(never)]
pub fn has_again(state: &State, hold: &Hold, lock: usize, what: What) {
    if !on() {
        return;
    }
    hold.begins(clock::now());
    if let Some((entry, _)) = record::lock::entry_of(&RECORDING, lock as u64) {
        has(entry, &HoldFacts { lock, what, ..HoldFacts::default() }, state.tid.load(Relaxed));
    }
}

/// Nobody has it any more, and it is not its holder who let it go.
#[cold]
#[inline(never)]
pub fn no_longer(lock: usize) {
    if let Some((entry, _)) = on().then(|| record::lock::entry_of(&RECORDING, lock as u64)).flatten() {
        entry.has_not(false);
    }
}

/// The thread is about to let go of the lock, or to wait with it. Needs no guard.
#[inline(always)]
pub fn let_go(hold: &HoldFacts) {
    if hold.since == 0 || hold.what.has(What::WAITING) {
        return;
    }
    if let Some((entry, _)) = record::lock::entry_of(&RECORDING, hold.lock as u64) {
        entry.let_go(alone(hold), clock::now().saturating_sub(hold.since), hold.stack);
        if alone(hold) {
            entry.has_not(hold.what.has(What::RECURSIVE));
        }
    }
}
