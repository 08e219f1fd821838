//! The heap as a recording has it: totals, live bytes over time, and what each call stack allocated.
//!
//! Why live is a difference that cannot fall below zero: the writer adds to two words, and a reader, or a crash, may come
//! between them. Why every number ends at [`MOST`]: a damaged file then gives large numbers, and no overflow where a
//! reader adds a few or writes them as signed.

use super::Recording;
use super::bytes::Raw;
use crate::heap::{self, Amount};
use crate::layout::{self, SIZE_CLASSES, Section, ThreadCounter, thread_state};
use core::mem::offset_of;

/// No number here is larger.
pub const MOST: u64 = i64::MAX as u64;

/// The heap as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heap {
    /// See [`heap::level`]; never 0.
    pub level: u32,
    /// Mean bytes between two samples; 0 = every allocation is seen.
    pub sampling: u64,
    pub live: Amount,
    pub peak_bytes: u64,
    /// CLOCK_MONOTONIC, ns.
    pub peak_time: u64,
    /// CLOCK_MONOTONIC of the last look for leaks, ns; 0 = none.
    pub looked: u64,
    /// At that look: definitely, indirectly, possibly lost, reachable; see [`heap::class`].
    pub leaks: [Amount; 4],
    /// Allocated in all, by size: class `n` is up to `2^n` bytes, and more than the class before.
    pub sizes: [Amount; SIZE_CLASSES],
    pub accesses: Accesses,
}

/// How accesses to blocks were sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// See [`crate::usage::access`].
    pub kind: u64,
    /// One of so many was written down; at least 1 where any were.
    pub period: u64,
    pub samples: u64,
    /// Samples that hit no known block.
    pub elsewhere: u64,
    /// Samples that the kernel had no room for.
    pub lost: u64,
}

impl Heap {
    /// Are the numbers of call stacks estimates?
    pub fn is_estimate(&self) -> bool {
        self.sampling > 1
    }

    /// Live blocks and bytes. With totals only, and no sample, they are what the threads counted, and bytes are known only
    /// where those were counted.
    pub fn held(&self, calls: &Calls) -> (u64, Option<u64>) {
        if self.level != heap::level::COUNT || self.sampling > 0 || self.live != Amount::default() {
            return (self.live.blocks, Some(self.live.bytes));
        }
        let bytes = calls.bytes_allocated.saturating_sub(calls.bytes_freed);
        (calls.allocations.saturating_sub(calls.frees), (calls.bytes_allocated > 0).then_some(bytes))
    }
}

/// What a call stack allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapSite {
    pub stack: u32,
    pub total: Amount,
    pub live: Amount,
    pub at_peak: Amount,
    /// Definitely lost at the last look for leaks.
    pub lost: Amount,
    /// Allocations that stand behind the numbers.
    pub observed: u64,
}

/// How the blocks of a call stack were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Freed blocks whose lifetime is known, the sum of their lifetimes, and the longest; ms.
    pub ended: u64,
    pub lifetime_ms: u64,
    pub longest_ms: u64,
    /// The most bytes that were live at a time; 0 = not known.
    pub most_bytes: u64,
    /// Samples that hit its blocks.
    pub loads: u64,
    pub stores: u64,
    pub faults: u64,
    /// When the first and the last of its blocks came or went, ms after the start.
    pub active_ms: Option<(u64, u64)>,
}

/// Calls of all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub allocations: u64,
    pub frees: u64,
    pub reallocations: u64,
    pub bytes_requested: u64,
    /// Usable bytes; 0 when they were not counted.
    pub bytes_allocated: u64,
    pub bytes_freed: u64,
}

/// Live bytes at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapSample {
    /// CLOCK_MONOTONIC, ns.
    pub time: u64,
    pub live: Amount,
    /// Index of the site and its live bytes, the most first. For each there is a [`Recording::heap_site`].
    pub sites: Vec<(usize, u64)>,
}

fn number(raw: Raw, at: usize) -> u64 {
    raw.u64(at).min(MOST)
}

/// A number that additions and subtractions of several threads keep, in any order: for a moment it may be below zero.
fn balance(raw: Raw, at: usize) -> u64 {
    u64::try_from(raw.u64(at) as i64).unwrap_or(0)
}

/// Blocks and bytes that stand one after the other.
fn amount(raw: Raw, at: usize) -> Amount {
    Amount { blocks: number(raw, at), bytes: number(raw, at + 8) }
}

impl Heap {
    fn read(raw: Raw) -> Option<Self> {
        use layout::Heap as At;
        let level = raw.u32(offset_of!(At, level));
        (level != 0).then(|| Self {
            level,
            sampling: number(raw, offset_of!(At, sampling)),
            live: Amount {
                blocks: balance(raw, offset_of!(At, live_blocks)),
                bytes: balance(raw, offset_of!(At, live_bytes)),
            },
            peak_bytes: number(raw, offset_of!(At, peak_bytes)),
            peak_time: raw.u64(offset_of!(At, peak_time)),
            looked: raw.u64(offset_of!(At, looked)),
            leaks: core::array::from_fn(|i| amount(raw, offset_of!(At, leak_classes) + i * 16)),
            sizes: core::array::from_fn(|i| amount(raw, offset_of!(At, sizes) + i * 16)),
            accesses: Accesses {
                kind: raw.u64(offset_of!(At, access_kind)),
                period: number(raw, offset_of!(At, access_period)).max(1),
                samples: number(raw, offset_of!(At, access_samples)),
                elsewhere: number(raw, offset_of!(At, access_elsewhere)),
                lost: number(raw, offset_of!(At, access_lost)),
            },
        })
    }
}

impl HeapSite {
    /// Nothing for a call stack that never allocated.
    fn read(raw: Raw, epoch: u64) -> Option<Self> {
        use layout::Site as At;
        let stack = raw.u64(offset_of!(At, stack)) as u32;
        let (total, freed) = (amount(raw, offset_of!(At, allocations)), amount(raw, offset_of!(At, frees)));
        if stack == 0 || total == Amount::default() {
            return None;
        }
        let live = Amount {
            blocks: total.blocks.saturating_sub(freed.blocks),
            bytes: total.bytes.saturating_sub(freed.bytes),
        };
        let kept = raw.u64(offset_of!(At, peak_epoch)) == epoch;
        Some(Self {
            stack,
            total,
            live,
            at_peak: if kept { amount(raw, offset_of!(At, peak_blocks)) } else { live },
            lost: amount(raw, offset_of!(At, lost_blocks)),
            observed: number(raw, offset_of!(At, observed)),
        })
    }
}

impl Usage {
    /// May its blocks have come or gone in between? True where nothing is known of it.
    pub fn is_active(&self, from_ms: u64, to_ms: u64) -> bool {
        self.active_ms.is_none_or(|(first, last)| first <= to_ms && from_ms <= last)
    }

    fn read(raw: Raw) -> Self {
        use layout::SiteUse as At;
        Self {
            ended: number(raw, offset_of!(At, ended)),
            lifetime_ms: number(raw, offset_of!(At, lifetime_ms)),
            longest_ms: number(raw, offset_of!(At, longest_ms)),
            most_bytes: number(raw, offset_of!(At, most_bytes)),
            loads: number(raw, offset_of!(At, loads)),
            stores: number(raw, offset_of!(At, stores)),
            faults: number(raw, offset_of!(At, faults)),
            active_ms: {
                let active = raw.u64(offset_of!(At, active));
                let ms = |word: u64| word.checked_sub(1);
                ms(active & u64::from(u32::MAX)).zip(ms(active >> 32))
            },
        }
    }
}

impl HeapSample {
    fn read(raw: Raw) -> Option<Self> {
        use layout::HeapSample as At;
        let time = raw.u64(offset_of!(At, time));
        let places: [u64; layout::SAMPLE_SITES] = raw.words(offset_of!(At, sites));
        let live = Amount {
            blocks: balance(raw, offset_of!(At, live_blocks)),
            bytes: balance(raw, offset_of!(At, live_bytes)),
        };
        (time != 0).then(|| Self { time, live, sites: places.into_iter().filter_map(heap::unpack).collect() })
    }
}

impl<B: AsRef<[u8]>> Recording<B> {
    fn heap_entry(&self) -> Option<Raw<'_>> {
        self.entry(Section::Heap, 0).filter(|raw| raw.u32(offset_of!(layout::Heap, level)) != 0)
    }

    fn peak_epoch(&self) -> u64 {
        self.heap_entry().map_or(0, |raw| raw.u64(offset_of!(layout::Heap, peak_epoch)))
    }

    /// The heap as a whole. Nothing when it was not watched.
    pub fn heap(&self) -> Option<Heap> {
        Heap::read(self.heap_entry()?)
    }

    /// The call stacks that allocated, by the index of their site.
    pub fn heap_sites(&self) -> impl Iterator<Item = (usize, HeapSite)> {
        let epoch = self.peak_epoch();
        self.all(Section::Sites).filter_map(move |(index, raw)| HeapSite::read(raw, epoch).map(|site| (index, site)))
    }

    pub fn heap_site(&self, index: usize) -> Option<HeapSite> {
        HeapSite::read(self.entry(Section::Sites, index)?, self.peak_epoch())
    }

    /// How the blocks of a site were used; all zero where nothing is known of it.
    pub fn heap_usage(&self, index: usize) -> Usage {
        self.entry(Section::SiteUses, index).map_or_else(Usage::default, Usage::read)
    }

    /// Live bytes over time, in the order of time. Empty while the writer is thinning them out; ask again.
    pub fn heap_samples(&self) -> Vec<HeapSample> {
        let Some(heap) = self.heap_entry() else { return Vec::new() };
        let version = || heap.u32(offset_of!(layout::Heap, samples_version));
        let before = version();
        let count = usize::try_from(heap.u64(offset_of!(layout::Heap, samples))).unwrap_or(usize::MAX);
        let raws = self.all(Section::HeapSamples).take(count).map(|(_, raw)| raw);
        let mut samples: Vec<HeapSample> = raws.filter_map(HeapSample::read).collect();
        if before % 2 != 0 || version() != before {
            return Vec::new();
        }
        for sample in &mut samples {
            sample.sites.retain(|(site, _)| self.heap_site(*site).is_some());
        }
        samples.sort_by_key(|sample| sample.time);
        samples
    }

    /// What the threads counted of the heap, together.
    pub fn heap_calls(&self) -> Calls {
        let mut calls = Calls::default();
        for (_, raw) in self.all(Section::Threads) {
            let state = raw.u32(offset_of!(layout::Thread, state));
            if state != thread_state::LIVE && state != thread_state::ENDED {
                continue;
            }
            let at = |counter: ThreadCounter| number(raw, offset_of!(layout::Thread, counters) + counter as usize * 8);
            for (sum, counter) in [
                (&mut calls.allocations, ThreadCounter::Allocations),
                (&mut calls.frees, ThreadCounter::Frees),
                (&mut calls.reallocations, ThreadCounter::Reallocations),
                (&mut calls.bytes_requested, ThreadCounter::BytesRequested),
                (&mut calls.bytes_allocated, ThreadCounter::BytesAllocated),
                (&mut calls.bytes_freed, ThreadCounter::BytesFreed),
            ] {
                *sum = sum.saturating_add(at(counter)).min(MOST);
            }
        }
        calls
    }
}
