//! The hardware watchpoint of a thread: which word it is aimed at, and what it has seen.
//!
//! ```text
//! aim     at a suspected word of the block that the thread begins to read, until it lets the lock go
//! roam    at the word that changed last, of any block, when there is nothing nearer
//! look    before anything else is done about a lock: whoever wrote holds what it held then
//! ```
#![allow(unsafe_code)] // Safety: program memory is read while a lock in it is held.

use super::super::breakpoint::{self, Event};
use super::super::report;
use super::blocks::{Life, WORD, at, word_at};
use super::suspects::{Target, WANTED, targets};
use crate::spin::Spin;
use crate::thread::Scope;
use crate::{start as process, sys, unwind};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicUsize};
use record::findings::Lock;
use record::kind::{Role, Severity};
use record::lock::act;
use track::lock::{Mode, What, instruction};

/// What a thread has of its own, under the guard.
#[derive(Default)]
pub struct Watching {
    /// Of the process that the event belongs to: a forked child has neither event nor ring.
    epoch: u16,
    pub(super) event: Option<Event>,
    /// The lock in whose block a word is watched now.
    pub(super) lock: usize,
    /// Only while the thread has that lock for reading.
    pub(super) near: bool,
    /// The word that is watched; 0: none.
    address: usize,
    target: usize,
}

/// The word that changed last without anybody having been caught, for threads that have nothing nearer to watch.
pub(super) static HOT: Spin = Spin::new();
pub(super) static HOT_ADDRESS: AtomicUsize = AtomicUsize::new(0);
static HOT_LOCK: AtomicUsize = AtomicUsize::new(0);
static HOT_TARGET: AtomicU32 = AtomicU32::new(0);

/// Watches a word of the block, when it is of a kind that is suspected.
#[cold]
pub(super) fn aim(scope: &mut Scope, lock: usize, block: usize, life: &Life) {
    let lock_at = (lock - block) as u64;
    let found = targets(|all| {
        let its = |t: &Target| t.used && !t.told_enough() && t.size == life.size && t.lock_at == lock_at;
        let candidates = all.iter().enumerate().filter(|(_, target)| its(target));
        candidates.min_by_key(|(_, target)| target.writes + target.excused).map(|(i, target)| (i, target.at))
    });
    let Some((target, offset)) = found else { return };
    if offset as usize + WORD <= life.size as usize {
        own(scope).arm(lock, block + offset as usize, target, true);
    }
}

/// Watches the word that changed last, when there is nothing nearer.
#[cold]
pub(super) fn roam(scope: &mut Scope) {
    let (lock, address, target) = {
        let _held = HOT.hold();
        (HOT_LOCK.load(Relaxed), HOT_ADDRESS.load(Relaxed), HOT_TARGET.load(Relaxed) as usize)
    };
    let watching = own(scope);
    if address != 0 && watching.address != address {
        watching.arm(lock, address, target, false);
    }
}

impl Watching {
    /// `near`: until the thread lets the lock go. What is watched near is not given up for what is not.
    fn arm(&mut self, lock: usize, address: usize, target: usize, near: bool) {
        if self.near {
            return;
        }
        if self.event.is_none() {
            self.event = Event::open(address);
        }
        // What was seen of another word is not of this one.
        self.event.as_ref().inspect(|event| event.drain(&mut |_| {}));
        if self.event.as_ref().is_some_and(|event| event.arm(address)) {
            (self.lock, self.address, self.target, self.near) = (lock, address, target, near);
        }
    }

    pub(super) fn disarm(&mut self) {
        self.event.as_ref().inspect(|event| event.disarm());
        (self.lock, self.address, self.near) = (0, 0, false);
    }
}

/// Before anything is done about a lock: what has the thread's watchpoint seen? The thread holds what it held then.
#[inline]
pub fn look(scope: &mut Scope) {
    if own(scope).address != 0 {
        look_now(scope);
    }
}

#[cold]
fn look_now(scope: &mut Scope) {
    let mut seen = [([0; breakpoint::FRAMES], 0); 4];
    let mut count = 0;
    let watching = own(scope);
    let (lock, address, target) = (watching.lock, watching.address, watching.target);
    if let Some(event) = &watching.event {
        event.drain(&mut |chain| {
            if let Some((frames, len)) = seen.get_mut(count) {
                frames[..chain.len()].copy_from_slice(chain);
                (*len, count) = (chain.len(), count + 1);
            }
        });
    }
    for (frames, len) in &seen[..count] {
        caught(scope, lock, address, target, &frames[..*len]);
    }
    if WANTED.load(Relaxed) == 0 {
        own(scope).disarm();
    }
}

/// A write to a word that is watched, by the calling thread.
fn caught(scope: &mut Scope, lock: usize, address: usize, target: usize, chain: &[u64]) {
    let holder = &scope.state.locks.holder;
    let held = holder.all().find(|held| held.lock == lock);
    if held.is_some_and(|held| held.what.mode() != Mode::Read) {
        return;
    }
    let protected = holder
        .all()
        .any(|other| other.lock != lock && other.what.mode() == Mode::Exclusive && !other.what.has(What::WAITING));
    let mut code = [0; instruction::LONGEST];
    let wide = cfg!(target_pointer_width = "64");
    let atomic = sys::read_own_memory((chain[0] as usize).wrapping_sub(code.len()), &mut code)
        && instruction::is_atomic(&code, wide);
    let excuse = match (atomic, protected) {
        (true, _) => act::ATOMIC,
        (_, true) => act::PROTECTED,
        _ => act::NONE,
    };
    // The block as it is now: somebody reads it, and it is the one that was meant.
    let seen = at(lock, |watch| {
        let its = watch.lock == lock && watch.readers > 0 && Life::now(watch.block) == Some(watch.life);
        its.then(|| (watch.block, watch.life, watch.copy_of(address)))
    });
    let Some((block, life, before)) = seen.flatten() else { return };
    let found = targets(|all| {
        let target =
            all.get_mut(target).filter(|t| t.used && t.size == life.size && block + t.at as usize == address)?;
        let enough = target.told_enough();
        let first = match (excuse, held) {
            (act::NONE, Some(_)) => {
                target.writes += 1;
                target.told = true;
                true
            }
            (act::NONE, None) => !core::mem::replace(&mut target.told, true),
            _ => {
                target.excused += 1;
                target.excused == 1
            }
        };
        if target.told_enough() && !enough {
            WANTED.fetch_sub(1, Relaxed);
        }
        first.then_some(*target)
    });
    let Some(found) = found else { return };
    // SAFETY: in a live block with a lock that is held for reading.
    let now = unsafe { word_at(address) };
    let mut about = Lock { act: excuse, address: lock as u64, block: block as u64, ..found.lock };
    if let Some(before) = before.filter(|before| *before != now) {
        (about.old, about.new) = (before as u64, now as u64);
    }
    let me = scope.state.tid.load(Relaxed);
    let here = (Role::Here, me, unwind::stack_of_all(scope.state, chain));
    let locked = match &held {
        Some(held) => (Role::Locked, me, report::stack_of_hold(scope, held)),
        None => (Role::Locked, found.reader.0, found.reader.1),
    };
    let severity = match (excuse, held) {
        (act::NONE, Some(_)) => Severity::Error,
        (act::NONE, None) => Severity::Suspect,
        _ => Severity::Info,
    };
    let allocated = (Role::Allocated, found.allocator.0, found.allocator.1);
    report::written_under_read(scope, severity, about, &[here, locked, allocated]);
}

/// Threads that come by shall watch this word.
pub(super) fn look_there(lock: &Lock, target: usize) {
    let _held = HOT.hold();
    HOT_LOCK.store(lock.address as usize, Relaxed);
    HOT_TARGET.store(target as u32, Relaxed);
    HOT_ADDRESS.store((lock.block + lock.offset) as usize, Relaxed);
}

/// The calling thread's own.
pub(super) fn own(scope: &mut Scope) -> &mut Watching {
    let watching = &mut scope.inner().watching;
    if watching.epoch != process::epoch() {
        *watching = Watching { epoch: process::epoch(), ..Watching::default() };
    }
    watching
}
