//! Words that were written while a lock in their block was held for reading only: by kind of block, so that many objects of one
//! type are one suspect.
//!
//! Nobody is accused here while somebody may still be caught at it: see [`super::watchpoint`].
#![allow(unsafe_code)] // Safety: the suspects are reached under their lock.

use super::super::{breakpoint, report};
use super::blocks::Life;
use super::watchpoint::look_there;
use crate::spin::Spin;
use crate::thread::Scope;
use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;
use record::findings::Lock;
use record::kind::{Role, Severity};
use record::lock::act;
use track::lock::HoldFacts;

/// Kinds of words that are suspected at a time.
pub(super) const TARGETS: usize = 32;
/// So many changes of a word, while those who read its block are watched, and nobody is caught: its writer does not hold the lock.
const CHANGES: u32 = 16;
/// So many writes are told or excused; then the word is watched no more.
const WRITES: u32 = 1000;
const EXCUSED: u32 = 16;

/// A word of a kind of block, that was written under a read lock.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) used: bool,
    /// The block's size, where in it the lock lies, and the word: so many objects of one type are one.
    pub(super) size: u64,
    pub(super) lock_at: u64,
    pub(super) at: u64,
    pub(super) changes: u32,
    pub(super) writes: u32,
    pub(super) excused: u32,
    /// It has been told, or is watched no more.
    pub(super) told: bool,
    /// The first change, and who had the lock then.
    pub(super) lock: Lock,
    pub(super) reader: (u32, u32),
    pub(super) allocator: (u32, u32),
}

pub(super) struct Targets {
    pub(super) held: Spin,
    all: UnsafeCell<[Target; TARGETS]>,
}

// SAFETY: `all` is reached under the lock only.
unsafe impl Sync for Targets {}

const NO_TARGET: Target = Target {
    used: false,
    size: 0,
    lock_at: 0,
    at: 0,
    changes: 0,
    writes: 0,
    excused: 0,
    told: false,
    lock: Lock {
        address: 0,
        kind: 0,
        mode: 0,
        act: 0,
        errno: 0,
        place: 0,
        other: 0,
        other_kind: 0,
        other_place: 0,
        block: 0,
        block_size: 0,
        offset: 0,
        old: 0,
        new: 0,
        time: 0,
    },
    reader: (0, 0),
    allocator: (0, 0),
};

#[unsafe(link_section = ".bss.tables")]
pub(super) static SUSPECTED: Targets = Targets { held: Spin::new(), all: UnsafeCell::new([NO_TARGET; TARGETS]) };
/// Targets that are to be watched.
pub(super) static WANTED: AtomicU32 = AtomicU32::new(0);

pub(super) fn targets<R>(f: impl FnOnce(&mut [Target; TARGETS]) -> R) -> R {
    let _held = SUSPECTED.held.hold();
    // SAFETY: under the lock.
    f(unsafe { &mut *SUSPECTED.all.get() })
}

impl Target {
    pub(super) fn told_enough(&self) -> bool {
        self.writes >= WRITES || self.writes == 0 && (self.told || self.excused >= EXCUSED)
    }
}

/// A word of a block was written while its lock was held for reading.
#[cold]
pub(super) fn changed(scope: &mut Scope, held: &HoldFacts, lock: Lock, life: &Life) {
    let me = scope.state.tid.load(Relaxed);
    let reader = (me, report::stack_of_hold(scope, held));
    let lock_at = lock.address - lock.block;
    let told = targets(|all| {
        let its = |t: &&Target| t.used && t.size == life.size && t.lock_at == lock_at && t.at == lock.offset;
        if let Some(i) = all.iter().position(|t| its(&t)) {
            let target = &mut all[i];
            target.changes += 1;
            if target.lock.act != act::NONE && lock.act == act::NONE {
                // Nothing excuses this one.
                (target.lock, target.reader) = (lock, reader);
            }
            let caught = target.told || target.writes + target.excused > 0;
            if caught || target.changes < CHANGES && breakpoint::possible() {
                if !caught {
                    look_there(&lock, i);
                }
                return None;
            }
            target.told = true;
            WANTED.fetch_sub(1, Relaxed);
            return Some(*target);
        }
        let i = all.iter().position(|target| !target.used)?;
        let target = &mut all[i];
        let allocator = (life.tid, life.stack);
        *target =
            Target { used: true, size: life.size, lock_at, at: lock.offset, lock, reader, allocator, ..NO_TARGET };
        target.changes = 1;
        WANTED.fetch_add(1, Relaxed);
        if breakpoint::possible() {
            look_there(&lock, i);
            return None;
        }
        target.told = true;
        WANTED.fetch_sub(1, Relaxed);
        Some(*target)
    });
    if let Some(target) = told {
        tell(scope, &target);
    }
}

/// Nobody was caught.
pub(super) fn tell(scope: &mut Scope, target: &Target) {
    let locked = (Role::Locked, target.reader.0, target.reader.1);
    let allocated = (Role::Allocated, target.allocator.0, target.allocator.1);
    let severity = if target.lock.act == act::NONE { Severity::Suspect } else { Severity::Info };
    report::written_under_read(scope, severity, target.lock, &[locked, allocated]);
}
