//! The heap in a recording: the codes that findings use, totals in place per call stack, the peak, and live bytes over time.
//!
//! Why in place and not as a log of events: the size stays bounded, and nothing has to be added up afterwards.
//!
//! **The peak by site without copying.** When the process's live bytes reach a new peak, only `Heap::peak_epoch` is raised. A
//! site that changes later first saves what it held (`peak_blocks`, `peak_bytes`) and notes the epoch. So a site whose epoch
//! is the present one held what it saved, and any other holds now what it held then: [`at_peak`]. Between threads this is as
//! exact as the moment of the peak is: a few allocations.

pub use crate::layout::Heap;
use crate::layout::{HeapSample, SAMPLE_SITES, SIZE_CLASSES, Section, Site};
use crate::store::{Store, entry, entry_or_commit};
use crate::strings;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::fence;

/// What is known of the heap, `Heap::level`.
pub mod level {
    /// Calls and bytes.
    pub const COUNT: u32 = 1;
    /// Call stacks, from a sample of the allocations.
    pub const SITES: u32 = 2;
    /// Every block.
    pub const FULL: u32 = 3;
}

/// By what a block is allocated or freed: they must fit each other.
pub mod family {
    /// malloc, calloc, realloc, memalign, …; free and realloc.
    pub const MALLOC: u8 = 1;
    /// operator new and delete.
    pub const NEW: u8 = 2;
    /// operator new[] and delete[].
    pub const NEW_ARRAY: u8 = 3;

    /// The name of what allocates.
    pub const fn allocator(family: u8) -> &'static str {
        match family {
            MALLOC => "malloc",
            NEW => "operator new",
            NEW_ARRAY => "operator new[]",
            _ => "an unknown allocator",
        }
    }

    /// The name of what frees.
    pub const fn releaser(family: u8) -> &'static str {
        match family {
            MALLOC => "free",
            NEW => "operator delete",
            NEW_ARRAY => "operator delete[]",
            _ => "an unknown call",
        }
    }
}

/// Where a pointer lies that is not the start of a live block.
pub mod place {
    /// At the start of a block.
    pub const START: u8 = 0;
    pub const INSIDE: u8 = 1;
    pub const STACK: u8 = 2;
    /// In the static data of a module; its path is the finding's detail.
    pub const STATIC: u8 = 3;
    /// No allocator gives out such an address.
    pub const MISALIGNED: u8 = 4;
    /// No allocation call that we saw has returned it.
    pub const UNKNOWN: u8 = 5;
    /// Just behind the end of a block.
    pub const BEHIND: u8 = 6;
}

pub mod access {
    pub const NONE: u8 = 0;
    pub const READ: u8 = 1;
    pub const WRITE: u8 = 2;
}

/// What saw it.
pub mod sight {
    /// The call itself: a free or a realloc.
    pub const CALL: u8 = 1;
    pub const CANARY: u8 = 2;
    pub const QUARANTINE: u8 = 3;
    pub const GUARD: u8 = 4;
}

/// How a block that was never freed was found at the end, as memcheck's users know it.
pub mod class {
    /// Nothing points to it.
    pub const DEFINITE: u8 = 1;
    /// Only lost blocks point to it.
    pub const INDIRECT: u8 = 2;
    /// Something points into it, nothing to its start.
    pub const POSSIBLE: u8 = 3;
    pub const REACHABLE: u8 = 4;

    pub const fn name(class: u8) -> &'static str {
        match class {
            DEFINITE => "definitely lost",
            INDIRECT => "indirectly lost",
            POSSIBLE => "possibly lost",
            REACHABLE => "still reachable",
            _ => "never freed",
        }
    }
}

/// The totals; nothing before [`begin`].
#[inline]
pub fn totals(store: &impl Store) -> Option<&Heap> {
    entry::<Heap>(store, 0)
}

/// Makes the totals. `sampling`: one byte in so many, 0 = all.
pub fn begin(store: &impl Store, level: u32, sampling: u64) {
    if let Some(heap) = entry_or_commit::<Heap>(store, 0) {
        heap.sampling.store(sampling, Relaxed);
        heap.level.store(level, Release);
    }
}

/// The program's malloc is that of the module at `path`: nothing is seen of its heap.
pub fn is_elsewhere(store: &impl Store, path: &[u8]) {
    if let Some(heap) = entry_or_commit::<Heap>(store, 0) {
        let path = if path.is_empty() { &b"?"[..] } else { path };
        heap.elsewhere.store(strings::intern(store, path).0, Relaxed);
    }
}

/// The index of a size in [`Heap::sizes`].
#[inline(always)]
pub fn size_class(size: u64) -> usize {
    ((u64::BITS - size.saturating_sub(1).leading_zeros()) as usize).min(SIZE_CLASSES - 1)
}

impl Heap {
    /// All but how it is looked at: for a forked child, which counts its own.
    pub fn forget(&self) {
        let Heap {
            live_bytes, live_blocks, peak_bytes, peak_time, peak_epoch, samples, sample_interval, looked, ..
        } = self;
        for field in [live_bytes, live_blocks, peak_bytes, peak_time, peak_epoch, samples, sample_interval, looked] {
            field.store(0, Relaxed);
        }
        self.samples_version.store(0, Relaxed);
        for field in [&self.access_samples, &self.access_elsewhere, &self.access_lost] {
            field.store(0, Relaxed);
        }
        for field in self.leak_classes.as_flattened() {
            field.store(0, Relaxed);
        }
        for class in &self.sizes {
            class.blocks.store(0, Relaxed);
            class.bytes.store(0, Relaxed);
        }
    }

    /// Live blocks and bytes have changed by so much. Thread- and signal-safe.
    pub fn changed(&self, blocks: i64, bytes: i64, now: u64) {
        self.live_blocks.fetch_add(blocks as u64, Relaxed);
        let live = self.live_bytes.fetch_add(bytes as u64, Relaxed).wrapping_add(bytes as u64);
        if bytes > 0 && live < 1 << 63 && live > self.peak_bytes.load(Relaxed) {
            self.peak_bytes.fetch_max(live, Relaxed);
            self.peak_time.store(now, Relaxed);
            self.peak_epoch.fetch_add(1, Release);
        }
    }

    /// Blocks of `size` bytes were allocated: `blocks` of them, as far as is known.
    #[inline]
    pub fn sized(&self, size: u64, blocks: u64, bytes: u64) {
        let class = &self.sizes[size_class(size)];
        class.blocks.fetch_add(blocks, Relaxed);
        class.bytes.fetch_add(bytes, Relaxed);
    }
}

/// What a site has of the heap, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub blocks: u64,
    pub bytes: u64,
}

impl Site {
    /// Allocated here: `observed` allocations were looked at and stand for `blocks`. Thread- and signal-safe.
    #[inline]
    pub fn allocated(&self, heap: &Heap, blocks: u64, bytes: u64, observed: u64) {
        self.keep_peak(heap);
        self.allocations.fetch_add(blocks, Relaxed);
        self.allocated_bytes.fetch_add(bytes, Relaxed);
        self.observed.fetch_add(observed, Relaxed);
    }

    /// Freed, that were allocated here. Thread- and signal-safe.
    #[inline]
    pub fn freed(&self, heap: &Heap, blocks: u64, bytes: u64) {
        self.keep_peak(heap);
        self.frees.fetch_add(blocks, Relaxed);
        self.freed_bytes.fetch_add(bytes, Relaxed);
    }

    /// Before the first change since a peak.
    #[inline]
    fn keep_peak(&self, heap: &Heap) {
        let epoch = heap.peak_epoch.load(Acquire);
        if self.peak_epoch.load(Relaxed) != epoch {
            let live = self.live();
            self.peak_blocks.store(live.blocks, Relaxed);
            self.peak_bytes.store(live.bytes, Relaxed);
            self.peak_epoch.store(epoch, Release);
        }
    }

    /// Allocated in all.
    pub fn total(&self) -> Amount {
        Amount { blocks: self.allocations.load(Relaxed), bytes: self.allocated_bytes.load(Relaxed) }
    }

    /// Allocated and not freed. A thread that is between its two additions is seen half.
    pub fn live(&self) -> Amount {
        let (frees, freed) = (self.frees.load(Acquire), self.freed_bytes.load(Acquire));
        let total = self.total();
        Amount { blocks: total.blocks.saturating_sub(frees), bytes: total.bytes.saturating_sub(freed) }
    }

    /// Live at the peak whose epoch is `epoch`.
    pub fn at_peak(&self, epoch: u64) -> Amount {
        if self.peak_epoch.load(Acquire) == epoch {
            Amount { blocks: self.peak_blocks.load(Relaxed), bytes: self.peak_bytes.load(Relaxed) }
        } else {
            self.live()
        }
    }
}

/// The first interval between two samples, ns.
pub const FIRST_INTERVAL: u64 = 10_000_000;
const CAPACITY: usize = Section::HeapSamples.capacity();
const SITE_BITS: u32 = 20;

/// The site's index and its live bytes, of a word of [`HeapSample::sites`].
pub fn unpack(word: u64) -> Option<(usize, u64)> {
    let site = word & ((1 << SITE_BITS) - 1);
    Some((site.checked_sub(1)? as usize, word >> SITE_BITS))
}

/// Adds a sample of the live heap; when the next one is due, or nothing when there is no room. It thins itself out as
/// [`crate::samples`] does.
///
/// pre: no other thread is in here. Async-signal-safe otherwise.
pub fn sample(store: &impl Store, now: u64) -> Option<u64> {
    let heap = totals(store)?;
    let mut interval = heap.sample_interval.load(Relaxed).max(FIRST_INTERVAL);
    let mut at = heap.samples.load(Relaxed) as usize;
    if at >= CAPACITY {
        thin_out(store, heap);
        interval *= 2;
        at = CAPACITY / 2;
    }
    heap.sample_interval.store(interval, Relaxed);
    let sample = entry_or_commit::<HeapSample>(store, at)?;
    sample.live_bytes.store(heap.live_bytes.load(Relaxed), Relaxed);
    sample.live_blocks.store(heap.live_blocks.load(Relaxed), Relaxed);
    for (place, word) in sample.sites.iter().zip(most_live(store)) {
        place.store(word, Relaxed);
    }
    sample.time.store(now, Relaxed);
    heap.samples.store(at as u64 + 1, Release);
    Some(now + interval)
}

/// The sites with most live bytes, the most first, packed as in a sample.
fn most_live(store: &impl Store) -> [u64; SAMPLE_SITES] {
    let mut top = [0u64; SAMPLE_SITES];
    for index in 0..(store.header().sites.load(Acquire) as usize).min(Section::Sites.capacity()) {
        let Some(site) = entry::<Site>(store, index) else { continue };
        let live = site.live().bytes.min((1 << (64 - SITE_BITS)) - 1);
        if live <= top[SAMPLE_SITES - 1] >> SITE_BITS {
            continue;
        }
        let place = top.partition_point(|word| word >> SITE_BITS >= live);
        top[place..].rotate_right(1);
        top[place] = live << SITE_BITS | (index as u64 + 1);
    }
    top
}

fn thin_out(store: &impl Store, heap: &Heap) {
    let version = &heap.samples_version;
    version.store(version.load(Relaxed) | 1, Relaxed);
    fence(Release);
    for to in 0..CAPACITY / 2 {
        let (Some(from), Some(to)) = (entry::<HeapSample>(store, to * 2 + 1), entry::<HeapSample>(store, to)) else {
            continue;
        };
        to.time.store(from.time.load(Relaxed), Relaxed);
        to.live_bytes.store(from.live_bytes.load(Relaxed), Relaxed);
        to.live_blocks.store(from.live_blocks.load(Relaxed), Relaxed);
        for (a, b) in to.sites.iter().zip(&from.sites) {
            a.store(b.load(Relaxed), Relaxed);
        }
    }
    heap.samples.store((CAPACITY / 2) as u64, Relaxed);
    version.store((version.load(Relaxed) | 1).wrapping_add(1), Release);
}
