//! One tier: a window of addresses, what of it is memory, and its blocks.
//!
//! The lower half of a window is lent to the allocator of small blocks, arena by arena; the upper half holds large blocks, as runs of
//! slices. Both draw on one [`Ledger`], so that the capacity counts for both together; each half is as large as the capacity, so that
//! either may have it all.
//!
//! Here is what both halves share, and what is asked of a block; `tier/arenas.rs` and `tier/runs.rs` are the halves.
//!
//! A tier lives as long as the process: mimalloc holds its address. Whatever takes a lock enters the gate first, so that a fork finds
//! none taken; small blocks enter it on mimalloc's side.

use super::backing::Backing;
use super::extents::Extents;
use super::gate;
use super::ledger::{Ledger, SLICE};
use super::lock::Lock;
use super::os::Os;
use super::recent::Recent;
use super::small::Inside;
use super::small::mimalloc::Mimalloc;
use crate::spec::Fork;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use std::ops::Range;

mod arenas;
mod fresh;
mod runs;

/// From this size on a block is a run of slices.
pub const LARGE: usize = 1 << 20;
/// Beyond this alignment too: mimalloc has no more.
pub const ALIGN_MOST: usize = 64 << 10;

const ARENAS: usize = 96;

pub struct Tier {
    os: &'static dyn Os,
    inside: Mimalloc,
    pub base: usize,
    half: usize,
    capacity: u64,
    /// Runs of this many slices and more begin at a multiple of it: huge pages.
    natural: usize,
    prefault: bool,
    pub shared: bool,
    pub fork: Fork,
    /// Bit n: its policy names node n.
    pub nodes: u64,
    state: Lock<State>,
    /// Of the upper half: the length of the live block that begins at this slice, in slices.
    lengths: Vec<AtomicU32>,
    /// How much of the lower half is arenas; held while one is made, before `state`.
    arenas: Lock<usize>,
    /// The heaps of its arenas, filled from the first on.
    heaps: [AtomicPtr<u8>; ARENAS],
    /// The arena that had room last.
    current: AtomicUsize,
    /// Small blocks from this size on have found no room since something was last freed.
    starved: AtomicUsize,
    /// A forked child: no new blocks.
    closed: AtomicBool,
    misses: AtomicU64,
    bad_frees: AtomicU64,
    large_slices: AtomicU64,
}

struct State {
    ledger: Ledger,
    extents: Extents,
    recent: Recent,
}

/// How a tier is made.
pub struct Plan {
    pub backing: Backing,
    pub base: usize,
    pub window: usize,
    pub chunk: usize,
    pub capacity: u64,
    pub natural: usize,
    pub prefault: bool,
    pub fork: Fork,
    pub nodes: u64,
}

/// What a tier has, for reports. Bytes, but for the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub capacity: u64,
    /// Of address space.
    pub reserved: u64,
    pub committed: u64,
    /// The most that was ever committed.
    pub high_water: u64,
    /// In blocks; small ones by the slices that their pages take.
    pub live: u64,
    /// Of that: in large blocks.
    pub large: u64,
    /// Allocations that found no room here.
    pub misses: u64,
    /// Frees of what is no block.
    pub bad_frees: u64,
    /// A forked child's: no new blocks.
    pub closed: bool,
}

impl Tier {
    pub fn new(os: &'static dyn Os, inside: Mimalloc, plan: Plan) -> Self {
        let half = plan.window / 2;
        let slices = (half / SLICE) as u32;
        let shared = plan.backing.is_shared();
        let ledger = Ledger::new(plan.backing, plan.chunk, plan.capacity.min(half as u64), plan.window);
        let state = State { ledger, extents: Extents::new(slices), recent: Recent::default() };
        Self {
            os,
            inside,
            base: plan.base,
            half,
            capacity: plan.capacity,
            natural: (plan.natural / SLICE).max(1),
            prefault: plan.prefault,
            shared,
            fork: plan.fork,
            nodes: plan.nodes,
            state: Lock::new(state),
            lengths: fresh::untouched(slices as usize),
            arenas: Lock::new(0),
            heaps: [const { AtomicPtr::new(core::ptr::null_mut()) }; ARENAS],
            current: AtomicUsize::new(0),
            starved: AtomicUsize::new(usize::MAX),
            closed: AtomicBool::new(false),
            misses: AtomicU64::new(0),
            bad_frees: AtomicU64::new(0),
            large_slices: AtomicU64::new(0),
        }
    }

    /// A block and how many bytes it holds, or `None` when there is no room. `align` is a power of two.
    #[inline]
    pub fn allocate(&'static self, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)> {
        if self.closed.load(Relaxed) {
            return None;
        }
        let block = if size < LARGE && align <= ALIGN_MOST {
            self.small(size, align, zeroed)
        } else {
            self.large(size, align, zeroed)
        };
        if block.is_none() {
            self.misses.fetch_add(1, Relaxed);
        }
        block
    }

    #[cold]
    pub fn no_block(&self) {
        self.bad_frees.fetch_add(1, Relaxed);
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How many bytes the block held; 0 where that is not known.
    #[inline]
    pub fn free(&self, block: NonNull<u8>) -> usize {
        let held = match self.large_at(block) {
            None if self.closed.load(Relaxed) => 0,
            None => self.inside.free(block),
            Some((at, exact)) => {
                let _inside = gate::enter();
                let length = if exact { self.lengths[at as usize].swap(0, AcqRel) } else { 0 };
                if length == 0 {
                    self.bad_frees.fetch_add(1, Relaxed);
                    return 0;
                }
                self.large_slices.fetch_sub(u64::from(length), Relaxed);
                if !self.closed.load(Relaxed) {
                    self.large_freed(at, length);
                } else if self.fork == Fork::Copy || !self.shared {
                    let _ = self.os.madvise(block.as_ptr() as usize, length as usize * SLICE, libc::MADV_DONTNEED);
                }
                length as usize * SLICE
            }
        };
        if self.starved.load(Relaxed) != usize::MAX {
            self.starved.store(usize::MAX, Relaxed);
        }
        held
    }

    #[inline]
    pub fn usable(&self, block: NonNull<u8>) -> usize {
        match self.large_at(block) {
            None => self.inside.usable(block),
            Some((at, true)) => self.lengths[at as usize].load(Acquire) as usize * SLICE,
            Some(_) => 0,
        }
    }

    /// Makes the block hold `size` bytes where it is; false when it must move.
    pub fn resize(&self, block: NonNull<u8>, size: usize) -> bool {
        let closed = self.closed.load(Relaxed);
        let Some((at, _)) = self.large_at(block) else {
            return if closed { size <= self.inside.usable(block) } else { self.inside.resize(block, size) };
        };
        let _inside = gate::enter();
        let length = self.usable(block) / SLICE;
        let Ok(length) = u32::try_from(length) else { return false };
        if closed {
            return size <= length as usize * SLICE;
        }
        if size < LARGE / 2 || length == 0 {
            return false;
        }
        let Ok(wanted) = u32::try_from(size.div_ceil(SLICE)) else { return false };
        let half = self.half / SLICE;
        let cells = |from: u32, to: u32| half + (at + from) as usize..half + (at + to) as usize;
        if wanted > length {
            let mut state = self.state.hold(self.os);
            self.forget_recent(&mut state);
            if !state.extents.take_at(at + length, wanted - length) {
                return false;
            }
            if state.ledger.take(self.os, cells(length, wanted)).is_none() {
                state.extents.give(at + length, wanted - length);
                return false;
            }
            drop(state);
            let begin = self.base + self.half + (at + length) as usize * SLICE;
            if self.prefault && !self.touch(begin, (wanted - length) as usize * SLICE) {
                self.large_free(&mut self.state.hold(self.os), at + length, wanted - length);
                return false;
            }
        }
        self.lengths[at as usize].store(wanted, Release);
        if wanted < length {
            self.large_free(&mut self.state.hold(self.os), at + wanted, length - wanted);
        }
        self.large_slices.fetch_add(u64::from(wanted).wrapping_sub(u64::from(length)), Relaxed);
        true
    }

    /// Makes pages be there. False: the kernel has none.
    fn touch(&self, at: usize, size: usize) -> bool {
        match self.os.madvise(at, size, libc::MADV_POPULATE_WRITE) {
            Ok(()) => true,
            // Linux before 5.14.
            Err(error) if error.0 == libc::EINVAL => {
                fresh::touch(at, size);
                true
            }
            Err(error) => error.0 == libc::EINTR || error.0 == libc::EAGAIN,
        }
    }

    pub fn facts(&self) -> Facts {
        let _inside = gate::enter();
        let (capacity, committed, high_water, live) = {
            let state = self.state.hold(self.os);
            let ledger = &state.ledger;
            let live = ledger.used_bytes() - state.recent.slices() * SLICE as u64;
            (ledger.capacity(), ledger.committed(), ledger.high(), live)
        };
        Facts {
            capacity,
            reserved: 2 * self.half as u64,
            committed,
            high_water,
            live,
            large: self.large_slices.load(Relaxed) * SLICE as u64,
            misses: self.misses.load(Relaxed),
            bad_frees: self.bad_frees.load(Relaxed),
            closed: self.closed.load(Relaxed),
        }
    }

    /// The addresses of its committed memory, in order.
    pub fn committed(&self) -> Vec<Range<usize>> {
        let _inside = gate::enter();
        let state = self.state.hold(self.os);
        let chunk = state.ledger.chunk();
        let runs = state.ledger.committed_runs(usize::MAX);
        runs.into_iter().map(|run| self.base + run.start * chunk..self.base + run.end * chunk).collect()
    }

    /// Has it blocks that a forked child would share?
    pub fn needs_copy(&self) -> bool {
        self.shared
            && !self.closed.load(Relaxed)
            && self.fork == Fork::Copy
            && self.state.hold(self.os).ledger.committed() > 0
    }

    /// In a forked child, with nobody else there: no new blocks, and with [`Fork::Copy`] memory of its own. `progress` is called
    /// again and again meanwhile. False: some of it could not be copied, and is gone.
    pub fn after_fork(&self, progress: &mut dyn FnMut()) -> bool {
        if !self.shared || self.closed.swap(true, Relaxed) {
            return true;
        }
        for at in 0..ARENAS {
            if let Some(heap) = self.heap(at) {
                self.inside.abandon(heap);
            }
        }
        let mut state = self.state.hold(self.os);
        let mut whole = true;
        if self.fork == Fork::Copy {
            let advice = if let Backing::File(file) = state.ledger.backing() { file.advice } else { None };
            let ledger = &state.ledger;
            for run in ledger.committed_runs(64 << 20) {
                let used = |slice: usize| ledger.is_used(slice);
                let (at, size) = (self.base + run.start * ledger.chunk(), run.len() * ledger.chunk());
                whole &= super::fork::copy(self.os, at, size, advice, (at - self.base) / SLICE, &used);
                progress();
            }
        }
        if let Backing::File(file) = state.ledger.backing() {
            file.abandon(self.os);
        }
        whole
    }
}
