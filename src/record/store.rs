//! The writer's view of a recording: typed entries in chunks that somebody else maps.
//!
//! Why a trait: `shim` maps a file, or anonymous memory when nobody asked for a recording; the tests use the heap.
//! The functions here are the same for all of them, allocate nothing and take no lock, so they may run in a hook and
//! in a signal handler.
#![allow(unsafe_code)] // Safety: entries are reached through `Store`, whose contract is below; all fields are atomics.

use crate::layout::{CHUNK_LEN, Counter, Event, Header, Op, RING_LEN, Section, Thread, ThreadCounter};
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Who maps the chunks.
///
/// # Safety
/// `chunk` and `commit` return either nothing, or memory of [`CHUNK_LEN`] bytes, aligned to 4096, that was zero when
/// it was committed, stays mapped and writable until the process ends, and is only reached through atomics. Both
/// return the same memory for the same chunk. `header` is such memory too.
pub unsafe trait Store {
    fn header(&self) -> &Header;
    /// The chunk, when it has been committed. A load and a test.
    fn chunk(&self, section: Section, index: usize) -> Option<NonNull<u8>>;
    /// The chunk, committed now if need be: a slow path that may make system calls. `None`: no room.
    fn commit(&self, section: Section, index: usize) -> Option<NonNull<u8>>;
    /// A slot of the index of stacks has been filled. Lock-free.
    fn indexed(&self, _slot: usize) {}
}

/// A type that a section holds.
///
/// # Safety
/// `Self` is `repr(C)`, valid when zero, made of atomics only, and its size is `SECTION.entry_len()`.
pub unsafe trait Entry {
    const SECTION: Section;
}

// SAFETY: `repr(C)` structs of atomics, whose sizes `layout` asserts.
unsafe impl Entry for Thread {
    const SECTION: Section = Section::Threads;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::Finding {
    const SECTION: Section = Section::Findings;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::Module {
    const SECTION: Section = Section::Modules;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::Site {
    const SECTION: Section = Section::Sites;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::SiteUse {
    const SECTION: Section = Section::SiteUses;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::Sample {
    const SECTION: Section = Section::Samples;
}

// SAFETY: as above.
unsafe impl Entry for crate::layout::Heap {
    const SECTION: Section = Section::Heap;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::HeapSample {
    const SECTION: Section = Section::HeapSamples;
}

// SAFETY: as above.
unsafe impl Entry for crate::layout::Lock {
    const SECTION: Section = Section::Locks;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::LockEdge {
    const SECTION: Section = Section::LockEdges;
}

// SAFETY: as above.
unsafe impl Entry for crate::layout::Tier {
    const SECTION: Section = Section::Tiers;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::TierRule {
    const SECTION: Section = Section::TierRules;
}
// SAFETY: as above.
unsafe impl Entry for crate::layout::TierSite {
    const SECTION: Section = Section::TierSites;
}

/// The entry, when its chunk is committed.
#[inline]
pub fn entry<E: Entry>(store: &impl Store, index: usize) -> Option<&E> {
    let per_chunk = const { CHUNK_LEN / size_of::<E>() };
    let chunk = store.chunk(E::SECTION, index / per_chunk)?;
    // SAFETY: the chunk is `CHUNK_LEN` bytes of mapped, page-aligned memory (Store), the offset stays inside it, and
    // E is valid for any content and shared through atomics (Entry).
    Some(unsafe { &*chunk.as_ptr().cast::<E>().add(index % per_chunk) })
}

/// The entry, its chunk committed if need be. `None` beyond the section's capacity, or when there is no room.
pub fn entry_or_commit<E: Entry>(store: &impl Store, index: usize) -> Option<&E> {
    if let Some(found) = entry(store, index) {
        return Some(found);
    }
    if index >= E::SECTION.capacity() {
        return None;
    }
    store.commit(E::SECTION, index / (CHUNK_LEN / size_of::<E>()))?;
    entry(store, index)
}

/// `N` words of a section of bytes or words, from a committed chunk.
pub(crate) fn words<W>(store: &impl Store, section: Section, index: usize, len: usize) -> Option<&[W]> {
    let per_chunk = section.per_chunk();
    if index % per_chunk + len > per_chunk || size_of::<W>() != section.entry_len() {
        return None;
    }
    let chunk = store.chunk(section, index / per_chunk)?;
    // SAFETY: as in `entry`; the range was just checked to stay inside the chunk. W is an atomic at every call here.
    Some(unsafe { core::slice::from_raw_parts(chunk.as_ptr().cast::<W>().add(index % per_chunk), len) })
}

/// Adds to a process-wide counter.
pub fn count(store: &impl Store, counter: Counter) {
    store.header().counters[counter as usize].fetch_add(1, Relaxed);
}

impl Thread {
    /// Adds to a counter that only this thread writes: a load and a store.
    #[inline]
    pub fn add(&self, counter: ThreadCounter, by: u64) {
        let field = &self.counters[counter as usize];
        field.store(field.load(Relaxed).wrapping_add(by), Relaxed);
    }

    /// Appends to the ring. Only the thread itself writes; a signal handler that interrupts it here may overwrite one
    /// entry, which its seal then tells apart.
    pub fn log(&self, event: Logged) {
        let sequence = self.written.load(Relaxed);
        self.written.store(sequence.wrapping_add(1), Relaxed);
        let Event { time, what, detail, seal } = &self.ring[(sequence % RING_LEN as u64) as usize];
        seal.store(0, Release);
        time.store(event.time, Relaxed);
        what.store(u64::from(event.fd as u32) << 32 | u64::from(event.errno) << 16 | event.op as u64, Relaxed);
        detail.store(event.detail, Relaxed);
        // +1 so that the seal of the first event differs from an empty one.
        seal.store(u64::from(event.stack) << 32 | (sequence as u32).wrapping_add(1) as u64, Release);
    }
}

/// One event on its way into a ring.
#[derive(Clone, Copy)]
pub struct Logged {
    pub time: u64,
    pub op: Op,
    pub errno: u16,
    pub fd: i32,
    pub detail: u64,
    pub stack: u32,
}

/// Claims `len` units of a bump section so that they do not straddle a chunk; the chunk is committed. `None`: full.
pub(crate) fn bump(
    store: &impl Store,
    section: Section,
    next: &core::sync::atomic::AtomicU32,
    len: usize,
) -> Option<usize> {
    let per_chunk = section.per_chunk();
    if len > per_chunk {
        return None;
    }
    let mut seen = next.load(Relaxed);
    loop {
        // Unit 0 stays unused, so that an offset of 0 can mean "none".
        let mut at = (seen as usize).max(1);
        if at % per_chunk + len > per_chunk {
            at = at.next_multiple_of(per_chunk);
        }
        if at + len > section.capacity() {
            return None;
        }
        match next.compare_exchange_weak(seen, (at + len) as u32, Acquire, Relaxed) {
            Ok(_) => {
                store.commit(section, at / per_chunk)?;
                return Some(at);
            }
            Err(now) => seen = now,
        }
    }
}
