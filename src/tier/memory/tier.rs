//! One tier: a window of addresses, what of it is memory, and its blocks.
//!
//! The lower half of a window is lent to the allocator of small blocks, arena by arena; the upper half holds large blocks, as runs of
//! slices. Both draw on one [`Ledger`], so that the capacity counts for both together; each half is as large as the capacity, so that
//! either may have it all.
//!
//! A tier lives as long as the process: mimalloc holds its address. Whatever takes a lock enters the gate first, so that a fork finds
//! none taken; small blocks enter it on mimalloc's side.

use super::backing::Backing;
use super::extents::Extents;
use super::gate;
use super::ledger::{Ledger, SLICE, Taken};
use super::lock::Lock;
use super::os::Os;
use super::recent::Recent;
use super::small::mimalloc::Mimalloc;
use super::small::{Heap, Inside, next_arena};
use crate::spec::Fork;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use std::ops::Range;

/// From this size on a block is a run of slices.
pub const LARGE: usize = 1 << 20;
/// Beyond this alignment too: mimalloc has no more.
pub const ALIGN_MOST: usize = 64 << 10;

const ARENAS: usize = 96;

/// Of freed runs that are kept at hand; never more than an eighth of the capacity.
const RECENT_BYTES: u64 = 64 << 20;

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
            lengths: untouched(slices as usize),
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

    fn heap(&self, at: usize) -> Option<Heap> {
        NonNull::new(self.heaps.get(at)?.load(Acquire)).map(Heap)
    }

    #[inline]
    fn small(&'static self, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)> {
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
            // mimalloc asks for slices where it likes, also when it has others: it gives those back first, but only one thread at
            // a time does so, and the rest find nothing.
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

    fn large(&self, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)> {
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
                memory::zero(address, length as usize * SLICE);
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
                memory::zero(self.base + run.start * SLICE, run.len() * SLICE);
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
    fn forget_recent(&self, state: &mut State) -> bool {
        let mut any = false;
        while let Some((at, length)) = state.recent.oldest() {
            self.large_free(state, at, length);
            any = true;
        }
        any
    }

    /// A run that is nobody's any more: kept at hand, when it is of a size that may be.
    fn large_freed(&self, at: u32, length: u32) {
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

    fn large_free(&self, state: &mut State, at: u32, length: u32) {
        let half = self.half / SLICE;
        state.ledger.give(self.os, half + at as usize..half + (at + length) as usize);
        state.extents.give(at, length);
    }

    #[inline]
    /// Which slice of the upper half an address begins; `None` for the lower half.
    fn large_at(&self, block: NonNull<u8>) -> Option<(u32, bool)> {
        let offset = (block.as_ptr() as usize - self.base).checked_sub(self.half)?;
        Some(((offset / SLICE) as u32, offset % SLICE == 0))
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

    #[inline]
    /// How many bytes the block held; 0 where that is not known.
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
                memory::touch(at, size);
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

/// Words that are all zero, in memory that is not touched for it.
fn untouched(count: usize) -> Vec<AtomicU32> {
    memory::words(vec![0u32; count])
}

mod memory {
    //! Memory of the tier that nobody else has yet.
    #![allow(unsafe_code)] // Safety: said at each.
    use core::sync::atomic::AtomicU32;

    pub fn zero(at: usize, size: usize) {
        // SAFETY: committed slices of a block that has not been handed out.
        unsafe { (at as *mut u8).write_bytes(0, size) };
    }

    /// Writes to each page what is there.
    pub fn touch(at: usize, size: usize) {
        for page in (at..at + size).step_by(4096) {
            let word = page as *mut u8;
            // SAFETY: as above.
            unsafe { word.write_volatile(word.read_volatile()) };
        }
    }

    pub fn words(zeros: Vec<u32>) -> Vec<AtomicU32> {
        let mut zeros = core::mem::ManuallyDrop::new(zeros);
        let (at, length, capacity) = (zeros.as_mut_ptr(), zeros.len(), zeros.capacity());
        // SAFETY: an AtomicU32 is laid out as a u32; the old owner is forgotten.
        unsafe { Vec::from_raw_parts(at.cast(), length, capacity) }
    }
}
