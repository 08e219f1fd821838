//! Small blocks of a tier: which of its arenas has room, and the slices that mimalloc asks for.
//!
//! Why the arena that had room last is asked first and alone: a look at all of them, each with its own lists, costs more than the
//! allocation. Why a size that found no room is remembered until something is freed: a full tier is asked as often as any other.

use super::{ARENAS, Tier};
use crate::memory::gate;
use crate::memory::ledger::SLICE;
use crate::memory::small::{Heap, Inside, next_arena};
use crate::spec::Fork;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::ops::Range;

impl Tier {
    pub(super) fn heap(&self, at: usize) -> Option<Heap> {
        NonNull::new(self.heaps.get(at)?.load(Acquire)).map(Heap)
    }

    #[inline]
    pub(super) fn small(&'static self, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)> {
        let current = self.current.load(Relaxed);
        if size < self.starved.load(Relaxed) {
            if let Some(heap) = self.heap(current) {
                if let Some(block) = self.inside.allocate(heap, size, align, zeroed) {
                    return Some(block);
                }
            }
            return self.small_elsewhere(current, size, align, zeroed);
        }
        None
    }

    /// The current arena is full: another, or a new one.
    #[cold]
    fn small_elsewhere(
        &'static self,
        not: usize,
        size: usize,
        align: usize,
        zeroed: bool,
    ) -> Option<(NonNull<u8>, usize)> {
        let _inside = gate::enter();
        let block = self.small_anywhere(not, size, align, zeroed).or_else(|| {
            // mimalloc asks for slices where it likes, also when it has others: it gives those back first, and another thread may
            // have taken them.
            let state = self.state.hold(self.os);
            let room = state.ledger.capacity().saturating_sub(state.ledger.used_bytes());
            drop(state);
            if room > size as u64 { self.small_anywhere(usize::MAX, size, align, zeroed) } else { None }
        });
        if block.is_none() {
            self.starved.fetch_min(size, Relaxed);
        }
        block
    }

    /// From any arena, perhaps a new one; all but the one that was just asked.
    fn small_anywhere(
        &'static self,
        not: usize,
        size: usize,
        align: usize,
        zeroed: bool,
    ) -> Option<(NonNull<u8>, usize)> {
        for at in 0..ARENAS {
            let Some(heap) = self.heap(at).or_else(|| self.add_arena(at)) else { break };
            if at == not && self.current.load(Relaxed) == not && at > 0 {
                continue; // It was just asked.
            }
            if let Some(block) = self.inside.allocate(heap, size, align, zeroed) {
                self.current.store(at, Relaxed);
                return Some(block);
            }
        }
        None
    }

    /// Makes arena number `at`, unless somebody has. Nothing: there is no more room for arenas, or for the new one's description.
    fn add_arena(&'static self, at: usize) -> Option<Heap> {
        let mut arenas = self.arenas.hold(self.os);
        if let Some(heap) = self.heap(at) {
            return Some(heap);
        }
        // An empty arena that finds no memory only takes from the window.
        if at > 0 && self.is_full() {
            return None;
        }
        let size = next_arena(*arenas, self.half - *arenas)?;
        // With `share` a child's mimalloc must not tidy up in the parent's memory.
        let giving_back = !self.shared || self.fork == Fork::Copy;
        let heap = self.inside.heap(self.base + *arenas, size, giving_back, self)?;
        *arenas += size;
        self.heaps[at].store(heap.0.as_ptr(), Release);
        Some(heap)
    }

    fn is_full(&self) -> bool {
        let state = self.state.hold(self.os);
        state.ledger.committed() >= state.ledger.capacity()
    }

    /// mimalloc wants slices: are they all zero? `None`: no room.
    pub fn take(&self, at: usize, size: usize) -> Option<bool> {
        let slices = self.slices(at, size);
        let taken = {
            let mut state = self.state.hold(self.os);
            match state.ledger.take(self.os, slices.clone()) {
                None if self.forget_recent(&mut state) => state.ledger.take(self.os, slices),
                taken => taken,
            }?
        };
        if self.prefault {
            self.touch(at, size); // If not now, then at the first store.
        }
        Some(taken.stale.is_empty())
    }

    /// mimalloc gives slices back.
    pub fn give(&self, at: usize, size: usize) {
        let slices = self.slices(at, size);
        self.state.hold(self.os).ledger.give(self.os, slices);
    }

    /// By number, from the begin of the window.
    fn slices(&self, at: usize, size: usize) -> Range<usize> {
        let begin = (at - self.base) / SLICE;
        begin..begin + size.div_ceil(SLICE)
    }
}
