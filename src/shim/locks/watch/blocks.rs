//! The locks that are held for reading, the blocks that they lie in, and the copies that are compared.
//!
//! A place of the table is one lock's at a time, and is reached under a lock of its own: threads that read different blocks do not wait
//! for each other.
#![allow(unsafe_code)] // Safety: a watch is reached under its lock; program memory is read while a lock in it is held.

use super::super::record;
use super::EXCLUSIVES;
use crate::heap::shadow;
use crate::spin::Spin;
use core::cell::UnsafeCell;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use track::heap::{Facts, State};
use track::lock::Kind;

/// Locks that are watched at a time.
pub(super) const WATCHES: usize = 1024;
/// Bytes of a block that are looked at.
const KEPT: usize = 1024;
pub(super) const WORD: usize = size_of::<usize>();
/// Changed words of a block that are judged.
pub(super) const WORDS: usize = 8;

/// A lock that is held for reading, or was. All zero: none.
pub(super) struct Watch {
    pub(super) lock: usize,
    pub(super) readers: u32,
    /// It lies in no block.
    pub(super) nowhere: bool,
    pub(super) block: usize,
    pub(super) life: Life,
    /// What is looked at.
    pub(super) from: usize,
    pub(super) len: usize,
    /// [`EXCLUSIVES`] when it was copied.
    pub(super) exclusives: u32,
    copy: [usize; KEPT / WORD],
}

/// Which block it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) size: u64,
    born: u32,
    pub(super) stack: u32,
    pub(super) tid: u32,
}

impl Life {
    fn of(facts: &Facts) -> Self {
        let allocator = facts.allocator;
        Self { size: facts.size, born: facts.born, stack: allocator.stack.0, tid: allocator.tid.0 }
    }

    pub(super) fn now(block: usize) -> Option<Self> {
        let facts = shadow::entry(block)?.facts()?;
        (facts.state == State::Live && facts.low == shadow::low(block)).then(|| Self::of(&facts))
    }
}

pub(super) struct Place {
    held: Spin,
    watch: UnsafeCell<Watch>,
}

pub(super) static TABLE: AtomicPtr<Place> = AtomicPtr::new(core::ptr::null_mut());

/// Runs `f` with the place of this lock, which may be another's at this time.
pub(super) fn at<R>(lock: usize, f: impl FnOnce(&mut Watch) -> R) -> Option<R> {
    let table = TABLE.load(Acquire);
    if table.is_null() {
        return None;
    }
    let hash = (lock as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - WATCHES.trailing_zeros());
    // SAFETY: the mapping of `start`, which is never unmapped, and of which zero is valid; the watch is reached under its lock.
    unsafe {
        let place = &*table.add(hash as usize % WATCHES);
        let _held = place.held.hold();
        Some(f(&mut *place.watch.get()))
    }
}

/// # Safety
/// The word lies in a live block.
pub(super) unsafe fn word_at(at: usize) -> usize {
    // SAFETY: the caller's.
    unsafe { core::ptr::read_volatile(at as *const usize) }
}

impl Watch {
    /// Finds the block, unless it is known. False: there is none.
    pub(super) fn locate(&mut self) -> bool {
        if self.nowhere || self.block != 0 && Life::now(self.block) == Some(self.life) {
            return !self.nowhere;
        }
        let size = size_of::<libc::pthread_rwlock_t>();
        let found = shadow::around(self.lock).filter(|(start, facts)| self.lock + size <= start + facts.size as usize);
        let Some((start, facts)) = found else {
            self.nowhere = true;
            return false;
        };
        (self.block, self.life) = (start, Life::of(&facts));
        let (len, whole) = (KEPT.min(facts.size as usize), facts.size as usize);
        let ahead = (self.lock - start + size / 2).saturating_sub(KEPT / 2).min(whole - len);
        // Whole words of the block: blocks are aligned to more.
        self.from = start + ahead / WORD * WORD;
        self.len = len / WORD * WORD;
        true
    }

    pub(super) fn take_copy(&mut self) {
        self.exclusives = EXCLUSIVES.load(Relaxed);
        for (at, word) in self.copy.iter_mut().take(self.len / WORD).enumerate() {
            // SAFETY: a live block; the thread holds a lock in it.
            *word = unsafe { word_at(self.from + at * WORD) };
        }
    }

    /// The words that are not what they were: where, before, now.
    pub(super) fn changes(&self, out: &mut [(usize, usize, usize); WORDS]) -> usize {
        let mut len = 0;
        for (i, old) in self.copy.iter().take(self.len / WORD).enumerate() {
            let at = self.from + i * WORD;
            // SAFETY: as above.
            let new = unsafe { word_at(at) };
            if new != *old && len < WORDS && lock_around(at, self.lock).is_none() {
                out[len] = (at, *old, new);
                len += 1;
            }
        }
        len
    }

    /// The copy of a word.
    pub(super) fn copy_of(&self, at: usize) -> Option<usize> {
        (self.from..self.from + self.len).contains(&at).then(|| self.copy[(at - self.from) / WORD])
    }
}

fn size_of_lock(kind: Kind) -> usize {
    match kind {
        Kind::Mutex => size_of::<libc::pthread_mutex_t>(),
        Kind::RwLock => size_of::<libc::pthread_rwlock_t>(),
        Kind::Cond => size_of::<libc::pthread_cond_t>(),
        Kind::Barrier => size_of::<libc::pthread_barrier_t>(),
        Kind::Sem => size_of::<libc::sem_t>(),
        _ => size_of::<u32>(),
    }
}

/// The lock that a word belongs to: this one, or any other that is known.
fn lock_around(word: usize, lock: usize) -> Option<usize> {
    if word + WORD > lock && word < lock + size_of::<libc::pthread_rwlock_t>() {
        return Some(lock);
    }
    let first = (word + WORD).saturating_sub(size_of::<libc::pthread_rwlock_t>()) & !3;
    (first..word + WORD).step_by(4).find(|at| record(*at).facts(*at).is_some_and(|f| at + size_of_lock(f.kind) > word))
}

/// Is there another lock in what is looked at?
pub(super) fn has_another(from: usize, len: usize, lock: usize) -> bool {
    (from..from + len).step_by(4).any(|at| at != lock && record(at).facts(at).is_some())
}
