//! What of a tier's window is memory, and who has it: slices in use, chunks that are committed, the capacity.
//!
//! A *slice* (64 KiB) is what is handed to a user, which is mimalloc or an extent. A *chunk* is what the backing commits and gives
//! back: one slice in a tiny tier, 2 MiB as a rule, a huge page. Capacity counts whole chunks, over both halves of the window. A chunk
//! that nobody uses stays committed ("held") until the held ones are many, or their bytes are wanted elsewhere.
//!
//! Rules: no slice is handed out before its chunk is committed, and the backing commits only what it has reserved: a full
//! device is a failure here, never a fault later.

use super::backing::Backing;
use super::bits::Bits;
use super::os::Os;
use std::collections::BTreeSet;

pub const SLICE: usize = 64 << 10;

/// In `chunks`: committed. The rest of the word counts slices in use.
const THERE: u32 = 1 << 31;

pub struct Ledger {
    backing: Backing,
    chunk: usize,
    /// Whole chunks.
    capacity: u64,
    committed: u64,
    high: u64,
    used: Bits,
    /// Handed out since it was known to be zero.
    dirty: Bits,
    chunks: Vec<u32>,
    held: BTreeSet<u32>,
    /// So many held bytes are kept.
    keep: u64,
    used_slices: u64,
}

/// A range was taken. The runs of slices in it whose content is not known to be zero.
pub struct Taken {
    pub stale: Vec<core::ops::Range<usize>>,
}

impl Ledger {
    pub fn new(backing: Backing, chunk: usize, capacity: u64, window: usize) -> Self {
        let capacity = capacity / chunk as u64 * chunk as u64;
        Self {
            backing,
            chunk,
            capacity,
            committed: 0,
            high: 0,
            used: Bits::new(window / SLICE),
            dirty: Bits::new(window / SLICE),
            chunks: vec![0; window / chunk],
            held: BTreeSet::new(),
            keep: (64 << 20).min(capacity / 8).max(chunk as u64),
            used_slices: 0,
        }
    }

    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    pub fn committed(&self) -> u64 {
        self.committed
    }

    pub fn high(&self) -> u64 {
        self.high
    }

    pub fn used_bytes(&self) -> u64 {
        self.used_slices * SLICE as u64
    }

    pub fn backing(&mut self) -> &mut Backing {
        &mut self.backing
    }

    fn per_chunk(&self) -> usize {
        self.chunk / SLICE
    }

    /// The chunks that a range of slices touches.
    fn chunks_of(&self, slices: &core::ops::Range<usize>) -> core::ops::Range<usize> {
        slices.start / self.per_chunk()..slices.end.div_ceil(self.per_chunk())
    }

    /// Makes a range of slices memory, and the caller's. What was the caller's already stays so. `None`: there is no room.
    pub fn take(&mut self, os: &dyn Os, slices: core::ops::Range<usize>) -> Option<Taken> {
        let chunks = self.chunks_of(&slices);
        let missing = chunks.clone().filter(|at| self.chunks[*at] & THERE == 0).count() as u64 * self.chunk as u64;
        if self.committed + missing > self.capacity {
            self.release_held(os, self.committed + missing - self.capacity, &chunks);
            if self.committed + missing > self.capacity {
                return None;
            }
        }
        let mut at = chunks.start;
        while at < chunks.end {
            let begin = at;
            while at < chunks.end && self.chunks[at] & THERE == 0 {
                at += 1;
            }
            if at > begin && !self.commit(os, begin..at) {
                return None;
            }
            at = at.max(begin + 1);
        }
        let mut stale: Vec<core::ops::Range<usize>> = Vec::new();
        for at in slices {
            if !self.used.replace(at, true) {
                let chunk = at / self.per_chunk();
                if self.chunks[chunk] & !THERE == 0 {
                    self.held.remove(&(chunk as u32));
                }
                self.chunks[chunk] += 1;
                self.used_slices += 1;
            }
            if self.dirty.replace(at, true) {
                match stale.last_mut() {
                    Some(run) if run.end == at => run.end += 1,
                    _ => stale.push(at..at + 1),
                }
            }
        }
        Some(Taken { stale })
    }

    /// Commits chunks of which none is there. On failure they are not, or held.
    fn commit(&mut self, os: &dyn Os, chunks: core::ops::Range<usize>) -> bool {
        let Ok(zero) = self.backing.commit(os, chunks.clone()) else { return false };
        for at in chunks.clone() {
            self.chunks[at] |= THERE;
            self.held.insert(at as u32);
        }
        self.committed += (chunks.len() * self.chunk) as u64;
        self.high = self.high.max(self.committed);
        if !zero {
            self.dirty.fill(chunks.start * self.per_chunk()..chunks.end * self.per_chunk(), true);
        }
        true
    }

    /// Nobody uses these slices any more; those that nobody used do not matter.
    pub fn give(&mut self, os: &dyn Os, slices: core::ops::Range<usize>) {
        let chunks = self.chunks_of(&slices);
        for at in slices {
            if self.used.replace(at, false) {
                let chunk = at / self.per_chunk();
                self.chunks[chunk] -= 1;
                self.used_slices -= 1;
                if self.chunks[chunk] & !THERE == 0 {
                    self.held.insert(chunk as u32);
                }
            }
        }
        let held = self.held.len() as u64 * self.chunk as u64;
        if held > self.keep {
            // Those that have just been given: the oldest ones are likelier to be low, where the next block goes.
            self.release_among(os, chunks, held - self.keep);
        }
    }

    /// Gives back held chunks outside of a range, until so many bytes are back.
    fn release_held(&mut self, os: &dyn Os, bytes: u64, not: &core::ops::Range<usize>) {
        let wanted = bytes.div_ceil(self.chunk as u64) as usize;
        let outside = |at: &u32| !not.contains(&(*at as usize));
        let these: Vec<u32> = self.held.iter().rev().copied().filter(outside).take(wanted).collect();
        for at in these {
            self.release(os, at as usize..at as usize + 1);
        }
    }

    /// Gives back held chunks of a range, until so many bytes are back; runs at a time.
    fn release_among(&mut self, os: &dyn Os, chunks: core::ops::Range<usize>, bytes: u64) {
        let mut left = bytes.div_ceil(self.chunk as u64) as usize;
        let mut end = chunks.end;
        while left > 0 && end > chunks.start {
            let free = |at: usize| self.chunks[at] == THERE;
            if !free(end - 1) {
                end -= 1;
                continue;
            }
            let mut begin = end - 1;
            while begin > chunks.start && end - begin < left && free(begin - 1) {
                begin -= 1;
            }
            self.release(os, begin..end);
            left -= end - begin;
            end = begin;
        }
    }

    fn release(&mut self, os: &dyn Os, chunks: core::ops::Range<usize>) {
        if !self.backing.release(os, chunks.clone()) {
            return; // They stay held.
        }
        self.committed -= (chunks.len() * self.chunk) as u64;
        for at in chunks.clone() {
            self.chunks[at] &= !THERE;
            self.held.remove(&(at as u32));
        }
        self.dirty.fill(chunks.start * self.per_chunk()..chunks.end * self.per_chunk(), false);
    }

    pub fn is_used(&self, slice: usize) -> bool {
        self.used.get(slice)
    }

    /// Runs of committed chunks, of at most so many bytes each.
    pub fn committed_runs(&self, most: usize) -> Vec<core::ops::Range<usize>> {
        let mut runs: Vec<core::ops::Range<usize>> = Vec::new();
        let most = (most / self.chunk).max(1);
        for at in (0..self.chunks.len()).filter(|at| self.chunks[*at] & THERE != 0) {
            match runs.last_mut() {
                Some(run) if run.end == at && run.len() < most => run.end += 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    pub fn chunk(&self) -> usize {
        self.chunk
    }
}
