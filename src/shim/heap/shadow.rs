//! The side table of `heap=full`: for each address at which a block can start, its entry, found by arithmetic.
//!
//! ```text
//! address >> 26          index into the directory: one pointer per 64 MiB of address space
//! (address >> 5) % 2^21  index into the region's entries: one per 32 bytes (16 on 32-bit systems)
//! ```
//!
//! Why a shadow and not a hash table: no collisions, no growth, no probing; neighbouring blocks have neighbouring entries, so
//! that a page of small blocks costs a page here; the entry of a freed block stays until a block starts there again; and the
//! block around an address is found by walking back. Why 32 bytes: glibc's blocks are at least that far apart, and of
//! other allocators [`SMALLEST`] bytes are asked for at the least.
//!
//! Memory: address space is reserved by the region, pages appear as they are touched. The worst case is one byte per byte of
//! heap. A region that cannot be had leaves its blocks untracked, which is counted.
#![allow(unsafe_code)] // Safety: regions are private mappings that are never unmapped; all fields are atomics, valid when zero.

use crate::recording;
use crate::sys;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};
use record::layout::Counter;
use track::heap::{Entry, Facts, State};

const REGION_BITS: u32 = 26;
#[cfg(target_pointer_width = "64")]
const GRANULE_BITS: u32 = 5;
#[cfg(target_pointer_width = "64")]
const REGIONS: usize = 1 << (47 - REGION_BITS);
#[cfg(target_pointer_width = "32")]
const GRANULE_BITS: u32 = 4;
#[cfg(target_pointer_width = "32")]
const REGIONS: usize = 1 << (32 - REGION_BITS);
const ENTRIES: usize = 1 << (REGION_BITS - GRANULE_BITS);
const GRANULE: usize = 1 << GRANULE_BITS;
/// Entries whose part of the table may have been written share a bit: those of one page of the heap.
const PAGE_BITS: u32 = 12;
const PAGE_ENTRIES: usize = 1 << (PAGE_BITS - GRANULE_BITS);
const TOUCHED_WORDS: usize = ENTRIES / PAGE_ENTRIES / 64;

/// What is asked of an allocator that could put blocks nearer together than a granule.
pub const SMALLEST: usize = GRANULE;

#[repr(C)]
struct Region {
    entries: [Entry; ENTRIES],
    touched: [AtomicU64; TOUCHED_WORDS],
}

type Directory = [AtomicPtr<Region>; REGIONS];

/// There are blocks without entries.
static INCOMPLETE: AtomicBool = AtomicBool::new(false);
static DIRECTORY: AtomicPtr<Directory> = AtomicPtr::new(null_mut());
/// Where in the directory regions may be, a bit for each [`PART`] of its places: it is far too large to be walked.
const PART: usize = if REGIONS < 512 { REGIONS } else { 512 };
static PARTS: [AtomicU64; (REGIONS / PART).div_ceil(64)] = [const { AtomicU64::new(0) }; (REGIONS / PART).div_ceil(64)];

/// Reserves the directory. False: there is no address space.
pub fn start() -> bool {
    let at = sys::map_sparse(size_of::<Directory>());
    DIRECTORY.store(at as *mut Directory, Release);
    at != 0
}

#[inline(always)]
fn directory() -> Option<&'static Directory> {
    // SAFETY: null, or the mapping of `start`: zero, which is a valid directory, and never unmapped.
    unsafe { DIRECTORY.load(Acquire).as_ref() }
}

#[inline(always)]
fn region(address: usize) -> Option<&'static Region> {
    let at = directory()?.get(address >> REGION_BITS)?.load(Acquire);
    // SAFETY: null, or a mapping of `make`: zero, which is a valid region, and never unmapped.
    unsafe { at.as_ref() }
}

#[cold]
fn make(address: usize) -> Option<&'static Region> {
    let place = directory()?.get(address >> REGION_BITS)?;
    let at = sys::map_sparse(size_of::<Region>());
    if at == 0 {
        INCOMPLETE.store(true, Relaxed);
        return None;
    }
    let part = (address >> REGION_BITS) / PART;
    PARTS[part / 64].fetch_or(1 << (part % 64), Relaxed);
    if let Err(theirs) = place.compare_exchange(null_mut(), at as *mut Region, AcqRel, Acquire) {
        // SAFETY: just mapped, and known to nobody; `theirs` is as in `region`.
        unsafe {
            sys::munmap(at, size_of::<Region>());
            return theirs.as_ref();
        }
    }
    region(address)
}

#[inline(always)]
fn index(address: usize) -> usize {
    address >> GRANULE_BITS & (ENTRIES - 1)
}

/// The part of an address that its entry has to keep.
#[inline(always)]
pub fn low(address: usize) -> u64 {
    (address & (GRANULE - 1)) as u64
}

/// The entry of an address, when its region exists. Lock-free and async-signal-safe.
#[inline(always)]
pub fn entry(address: usize) -> Option<&'static Entry> {
    region(address).map(|region| &region.entries[index(address)])
}

/// The entry of an address at which a block starts. `None` (counted): no memory for the table.
/// Lock-free and async-signal-safe; may make a system call.
#[inline(always)]
pub fn entry_of_new(address: usize) -> Option<&'static Entry> {
    let Some(region) = region(address).or_else(|| make(address)) else {
        recording::count(Counter::BlocksUntracked);
        return None;
    };
    let at = index(address);
    let (page, bit) = (at / PAGE_ENTRIES / 64, 1 << (at / PAGE_ENTRIES % 64));
    if region.touched[page].load(Relaxed) & bit == 0 {
        region.touched[page].fetch_or(bit, Relaxed);
    }
    Some(&region.entries[at])
}

/// Has every block that was handed out its entry? Not where the table could not grow.
pub fn is_complete() -> bool {
    !INCOMPLETE.load(Relaxed)
}

/// How far back the start of a block is looked for, in regions: 1 GiB.
const FAR: usize = 16;

/// The live block that `address` lies in, or ends just before it: its start and what is known of it.
pub fn around(address: usize) -> Option<(usize, Facts)> {
    let first = address >> REGION_BITS;
    for number in (first.saturating_sub(FAR)..=first).rev() {
        let base = number << REGION_BITS;
        let Some(region) = region(base) else { continue };
        let last = if number == first { index(address) } else { ENTRIES - 1 };
        for at in region.live_before(last) {
            let entry = &region.entries[at];
            let Some(facts) = entry.facts().filter(|f| matches!(f.state, State::Live)) else { continue };
            let start = base + (at << GRANULE_BITS) + facts.low as usize;
            if start > address {
                continue;
            }
            // The next live block before it decides: they do not overlap.
            return (address - start <= facts.size as usize).then_some((start, facts));
        }
    }
    None
}

/// How many freed blocks before an address are asked whether they held it.
const FREED: usize = 512;

/// The freed block that `address` lay in, when no live one is there: that which starts nearest before it. Its memory may have been another's
/// since, where that started elsewhere.
pub fn was_around(address: usize) -> Option<(usize, Facts)> {
    let first = address >> REGION_BITS;
    let freed = (first.saturating_sub(FAR)..=first)
        .rev()
        .filter_map(|number| region(number << REGION_BITS).map(|r| (number, r)));
    let entries = freed.flat_map(|(number, region)| {
        let last = if number == first { index(address) } else { ENTRIES - 1 };
        region.freed_before(last).map(move |at| ((number << REGION_BITS) + (at << GRANULE_BITS), &region.entries[at]))
    });
    entries.take(FREED).find_map(|(granule, entry)| {
        let facts = entry.facts()?;
        let start = granule + facts.low as usize;
        (start <= address && address - start < facts.size as usize).then_some((start, facts))
    })
}

/// Regions that exist, from the one of `address` on: their first address.
fn regions(address: usize) -> impl Iterator<Item = (usize, &'static Region)> {
    let first = address >> REGION_BITS;
    let parts = PARTS.iter().enumerate().skip(first / PART / 64).flat_map(|(word, bits)| {
        let bits = bits.load(Relaxed);
        (0..64).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| word * 64 + bit)
    });
    let places = parts.flat_map(move |part| (part * PART).max(first)..(part + 1) * PART);
    places.filter_map(|number| {
        let at = directory()?.get(number)?.load(Acquire);
        // SAFETY: as in `region`.
        unsafe { at.as_ref() }.map(|region| (number << REGION_BITS, region))
    })
}

/// Where the table itself lies: start and end of each part.
pub fn ranges() -> impl Iterator<Item = (u64, u64)> {
    let of = |at: usize, len: usize| (at as u64, (at + len) as u64);
    let directory = DIRECTORY.load(Acquire) as usize;
    let regions = regions(0).map(move |(_, region)| of(core::ptr::from_ref(region) as usize, size_of::<Region>()));
    regions.chain((directory != 0).then(|| of(directory, size_of::<Directory>())))
}

/// All blocks that the table knows, in the order of their addresses: live, freed, quarantined and untracked. While others
/// allocate, what is seen of them is of some moment.
pub fn blocks() -> impl Iterator<Item = (usize, &'static Entry, Facts)> {
    blocks_from(0).map(|(start, entry)| (start, entry, entry.facts())).filter_map(|(s, e, f)| Some((s, e, f?)))
}

/// As [`blocks`], from the granule of an address on: starts and entries, whatever their state is.
pub fn blocks_from(address: usize) -> impl Iterator<Item = (usize, &'static Entry)> {
    regions(address).flat_map(move |(base, region)| {
        let first = if base >> REGION_BITS == address >> REGION_BITS { index(address) } else { 0 };
        region.touched_pages(first / PAGE_ENTRIES).flat_map(move |page| {
            (first.max(page * PAGE_ENTRIES)..(page + 1) * PAGE_ENTRIES).filter_map(move |at| {
                let entry = &region.entries[at];
                let (state, low) = entry.state();
                (state != State::Unknown).then_some((base + (at << GRANULE_BITS) + low as usize, entry))
            })
        })
    })
}

impl Region {
    /// From the `first` on.
    fn touched_pages(&'static self, first: usize) -> impl Iterator<Item = usize> {
        self.touched.iter().enumerate().skip(first / 64).flat_map(move |(word, bits)| {
            let bits = bits.load(Relaxed);
            let set = (0..64).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| word * 64 + bit);
            set.filter(move |page| *page >= first)
        })
    }

    /// Indices of live blocks' entries from `last` downwards.
    fn live_before(&self, last: usize) -> impl Iterator<Item = usize> {
        self.before(last).filter(|at| self.entries[*at].state().0 == State::Live)
    }

    fn freed_before(&self, last: usize) -> impl Iterator<Item = usize> {
        self.before(last).filter(|at| matches!(self.entries[*at].state().0, State::Freed | State::Quarantined))
    }

    /// Indices of entries that may have been written, from `last` downwards.
    fn before(&self, last: usize) -> impl Iterator<Item = usize> {
        (0..=last / PAGE_ENTRIES)
            .rev()
            .filter(|page| self.touched[page / 64].load(Relaxed) >> (page % 64) & 1 != 0)
            .flat_map(move |page| (page * PAGE_ENTRIES..=((page + 1) * PAGE_ENTRIES - 1).min(last)).rev())
    }
}
