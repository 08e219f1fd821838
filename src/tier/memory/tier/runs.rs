//! Large blocks of a tier: runs of slices of the upper half.
//!
//! Freed runs stay at hand for a while, memory and all: programs that allocate a large block again and again have its pages at once.
//! When there is no room otherwise, they are the first to go.

use super::{State, Tier, fresh};
use crate::memory::gate;
use crate::memory::ledger::{SLICE, Taken};
use crate::memory::small::Inside;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Relaxed, Release};

/// Of freed runs that are kept at hand; never more than an eighth of the capacity.
const RECENT_BYTES: u64 = 64 << 20;

impl Tier {
    pub(super) fn large(&self, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)> {
        let _inside = gate::enter();
        self.large_now(size, align, zeroed).or_else(|| {
            // Some of what the small blocks had may be free.
            let state = self.state.hold(self.os);
            let room = state.ledger.used_bytes() > self.large_slices.load(Relaxed) * SLICE as u64;
            drop(state);
            let heap = self.heap(0).filter(|_| room && size as u64 <= self.capacity)?;
            self.inside.give_back(heap);
            self.large_now(size, align, zeroed)
        })
    }

    fn large_now(&self, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)> {
        let length = u32::try_from(size.max(1).div_ceil(SLICE)).ok()?;
        let natural = if length as usize >= self.natural { self.natural } else { 1 };
        let align = u32::try_from((align / SLICE).max(natural)).ok()?;
        let half = self.half / SLICE;
        // Windows begin at multiples of 1 GiB; larger alignments count from address 0.
        let offset = ((self.base / SLICE + half) & (align as usize - 1)) as u32;
        let mut state = self.state.hold(self.os);
        if let Some(at) = state.recent.take(length, align, offset) {
            drop(state);
            let address = self.base + self.half + at as usize * SLICE;
            if zeroed {
                fresh::zero(address, length as usize * SLICE);
            }
            return self.handed_out(address, at, length);
        }
        let mut found = self.new_run(&mut state, length, align, offset);
        if found.is_none() && self.forget_recent(&mut state) {
            found = self.new_run(&mut state, length, align, offset);
        }
        drop(state);
        let (at, taken) = found?;
        let address = self.base + self.half + at as usize * SLICE;
        if self.prefault && !self.touch(address, length as usize * SLICE) {
            self.large_free(&mut self.state.hold(self.os), at, length);
            return None;
        }
        if zeroed {
            for run in taken.stale {
                fresh::zero(self.base + run.start * SLICE, run.len() * SLICE);
            }
        }
        self.handed_out(address, at, length)
    }

    fn handed_out(&self, address: usize, at: u32, length: u32) -> Option<(NonNull<u8>, usize)> {
        self.lengths[at as usize].store(length, Release);
        self.large_slices.fetch_add(u64::from(length), Relaxed);
        NonNull::new(address as *mut u8).map(|block| (block, length as usize * SLICE))
    }

    /// Addresses and memory for a run that was nobody's.
    fn new_run(&self, state: &mut State, length: u32, align: u32, offset: u32) -> Option<(u32, Taken)> {
        let half = self.half / SLICE;
        let at = state.extents.take(length, align, offset)?;
        match state.ledger.take(self.os, half + at as usize..half + (at + length) as usize) {
            Some(taken) => Some((at, taken)),
            None => {
                state.extents.give(at, length);
                None
            }
        }
    }

    /// Gives back the runs that were kept at hand. False: there was none.
    pub(super) fn forget_recent(&self, state: &mut State) -> bool {
        let mut any = false;
        while let Some((at, length)) = state.recent.oldest() {
            self.large_free(state, at, length);
            any = true;
        }
        any
    }

    /// A run that is nobody's any more: kept at hand, when it is of a size that may be.
    pub(super) fn large_freed(&self, at: u32, length: u32) {
        let mut state = self.state.hold(self.os);
        let most = (state.ledger.capacity() / 8).min(RECENT_BYTES) / SLICE as u64;
        if u64::from(length) > most {
            return self.large_free(&mut state, at, length);
        }
        while let Some((at, length)) = state.recent.make_room(length, most) {
            self.large_free(&mut state, at, length);
        }
        state.recent.add(at, length);
    }

    pub(super) fn large_free(&self, state: &mut State, at: u32, length: u32) {
        let half = self.half / SLICE;
        state.ledger.give(self.os, half + at as usize..half + (at + length) as usize);
        state.extents.give(at, length);
    }

    /// Which slice of the upper half an address begins; `None` for the lower half.
    #[inline]
    pub(super) fn large_at(&self, block: NonNull<u8>) -> Option<(u32, bool)> {
        let offset = (block.as_ptr() as usize - self.base).checked_sub(self.half)?;
        Some(((offset / SLICE) as u32, offset % SLICE == 0))
    }
}
