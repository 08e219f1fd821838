//! What fork does to the descriptor table: the states as they were at that moment, for the child.
#![allow(unsafe_code)] // Safety: one boxed vector, reached by one thread while our locks are held.

use super::growth::PER_PAGE;
use super::{PER_CHUNK, RESOLVING, growth, leaks, on, quarantine, slot};
use crate::private::{self, Use};
use crate::{recording, sys, thread};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicPtr, AtomicUsize};
use libc::c_int;
use record::layout::Section;
use track::fd::{Slot, State};

/// The states of all numbers as they were at the fork, for the child: null when its memory is its own anyway.
///
/// Why: the child's copy of a recording shows what the parent writes to it, page by page until the child writes there
/// itself. What the parent closes after the fork would seem to be closed here, and its tombstones to be ours.
static FROZEN: AtomicPtr<Frozen> = AtomicPtr::new(core::ptr::null_mut());

/// See [`FROZEN`]: a word per number, from 0.
pub struct Frozen(pub Vec<u64>);

/// Chunks of slots, up to the highest that was made.
static CHUNKS: AtomicUsize = AtomicUsize::new(1);

/// A chunk of slots was made.
pub(super) fn chunk_made(index: usize) {
    CHUNKS.fetch_max(index + 1, Relaxed);
}

/// Before a fork, with all of our locks but the allocator's.
pub fn before_fork() {
    growth::before_fork();
    if on() && recording::in_file() {
        let count = CHUNKS.load(Relaxed) * PER_CHUNK;
        FROZEN.store(Box::into_raw(Box::new(Frozen(Vec::with_capacity(count)))), Relaxed);
    }
}

/// As the last step before a fork.
pub fn freeze() {
    // SAFETY: null, or the vector of `before_fork`, which nobody else touches while our locks are held.
    if let Some(Frozen(words)) = unsafe { FROZEN.load(Relaxed).as_mut() } {
        for fd in 0..words.capacity() {
            let slot = if growth::touched(fd / PER_PAGE) { slot(fd as c_int) } else { None };
            words.push(slot.map_or(0, Slot::freeze));
        }
    }
}

/// After a fork, on both sides, before our locks are given back; to be dropped after that, because that takes one.
pub fn take_frozen() -> Option<Box<Frozen>> {
    let frozen = FROZEN.swap(core::ptr::null_mut(), Relaxed);
    // SAFETY: the box of `before_fork`.
    (!frozen.is_null()).then(|| unsafe { Box::from_raw(frozen) })
}

/// Each number as it was at the fork. Where none was ever opened nothing is written, as each page would be copied for that: such pages
/// become memory of our own instead, a run of them in one call.
fn thaw(frozen: &[u64]) {
    let pages = frozen.len() / PER_PAGE;
    let mut page = 0;
    while page < pages {
        let first = page;
        let in_chunk = |page: usize| page < pages && page / PAGES_PER_CHUNK == first / PAGES_PER_CHUNK;
        while in_chunk(page) && !growth::touched(page) {
            page += 1;
        }
        if page > first && recording::forget_pages(Section::Descriptors, first, page - first) {
            continue;
        }
        page = page.max(first + 1);
        for (fd, frozen) in frozen.iter().enumerate().take(page * PER_PAGE).skip(first * PER_PAGE) {
            if let Some(slot) = slot(fd as c_int) {
                slot.thaw(*frozen);
            }
        }
    }
}

const PAGES_PER_CHUNK: usize = PER_CHUNK / PER_PAGE;

/// In a child of a fork that ran no handlers, when it is noticed. Until then the table was its parent's, too, which has gone on
/// closing and opening: what it says is no more than a rumour here. Nothing is known, then; and what is left of the tombstones that
/// were copied with the descriptors goes, for their queue may be of another moment.
pub fn after_missed_fork() {
    for fd in 0..(CHUNKS.load(Relaxed) * PER_CHUNK) as c_int {
        let Some(slot) = slot(fd).filter(|slot| slot.state() != State::Unknown) else { continue };
        slot.forget();
        if quarantine::quarantined() && !private::is(fd) && quarantine::holds(fd) {
            sys::close(fd);
        }
    }
}

/// In a forked child: the resolver calls of other threads are gone. Tombstones were copied with the table, and their
/// queue with our memory, so they are evicted here as there.
pub fn after_fork(frozen: &[u64]) {
    growth::after_fork();
    leaks::after_fork();
    thaw(frozen);
    RESOLVING.store(thread::current().map_or(0, |s| s.resolving.load(Relaxed).min(1)), Relaxed);
    if quarantine::quarantined() && private::get_checked(Use::Tombstone).is_none() {
        private::drop_descriptor(Use::Tombstone);
        quarantine::start();
    }
}
