//! Open descriptors over time: a few hundred samples, whatever the run length.
//!
//! Why they are thinned out: when the table is full every second sample goes and the interval doubles, so that a night is
//! seen as evenly as a minute. Why no thread: whoever opens a descriptor takes a sample when one is due.
//!
//! A reader from outside finds `Header::samples_version` odd, or changed, while the table is being thinned out.

use crate::layout::{SAMPLE_SITES, Sample, Section, Site};
use crate::store::{Store, entry, entry_or_commit};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::fence;

/// The first interval, ns.
pub const FIRST_INTERVAL: u64 = 100_000_000;
const CAPACITY: usize = Section::Samples.capacity();

/// Adds a sample; when the next one is due, or nothing when there is no room for the table.
///
/// pre: no other thread is in here (the caller holds a lock, or is alone). Async-signal-safe otherwise.
pub fn take(store: &impl Store, now: u64, open: u64, limit: u64) -> Option<u64> {
    let header = store.header();
    let mut interval = header.sample_interval.load(Relaxed).max(FIRST_INTERVAL);
    let mut at = header.samples.load(Relaxed) as usize;
    if at >= CAPACITY {
        thin_out(store);
        interval *= 2;
        header.sample_interval.store(interval, Relaxed);
        at = CAPACITY / 2;
    }
    let sample = entry_or_commit::<Sample>(store, at)?;
    sample.open.store(open, Relaxed);
    sample.limit.store(limit, Relaxed);
    let top = most_open(store);
    for (place, word) in sample.sites.iter().zip(top) {
        place.store(word, Relaxed);
    }
    sample.time.store(now, Relaxed);
    header.samples.store(at as u32 + 1, Release);
    Some(now + interval)
}

/// The sites with most open descriptors, the most first, as `site + 1 | open << 32`.
pub fn most_open(store: &impl Store) -> [u64; SAMPLE_SITES] {
    let mut top = [0u64; SAMPLE_SITES];
    for index in 0..(store.header().sites.load(Acquire) as usize).min(Section::Sites.capacity()) {
        let Some(site) = entry::<Site>(store, index) else { continue };
        let open = site.open_now().min(u64::from(u32::MAX));
        if open <= top[SAMPLE_SITES - 1] >> 32 {
            continue;
        }
        let place = top.partition_point(|word| word >> 32 >= open);
        top[place..].rotate_right(1);
        top[place] = open << 32 | (index as u64 + 1);
    }
    top
}

fn thin_out(store: &impl Store) {
    let version = &store.header().samples_version;
    version.store(version.load(Relaxed) | 1, Relaxed);
    fence(Release);
    for to in 0..CAPACITY / 2 {
        let (Some(from), Some(to)) = (entry::<Sample>(store, to * 2 + 1), entry::<Sample>(store, to)) else { continue };
        to.time.store(from.time.load(Relaxed), Relaxed);
        to.open.store(from.open.load(Relaxed), Relaxed);
        to.limit.store(from.limit.load(Relaxed), Relaxed);
        for (a, b) in to.sites.iter().zip(&from.sites) {
            a.store(b.load(Relaxed), Relaxed);
        }
    }
    store.header().samples.store((CAPACITY / 2) as u32, Relaxed);
    version.store((version.load(Relaxed) | 1).wrapping_add(1), Release);
}

/// How many descriptors of a site were open at the first sample of all, and when that was.
pub fn first_open(store: &impl Store, site: usize) -> Option<(u64, u64)> {
    let sample = entry::<Sample>(store, 0).filter(|_| store.header().samples.load(Acquire) > 0)?;
    Some((sample.time.load(Relaxed), open_at(sample, site)))
}

fn open_at(sample: &Sample, site: usize) -> u64 {
    let found = sample.sites.iter().map(|word| word.load(Relaxed)).find(|w| (*w as u32) as usize == site + 1);
    found.map_or(0, |word| word >> 32)
}

/// How many descriptors of a site were open at the latest sample before `before`; 0 when that sample does not have it.
/// Nothing when there is no such sample.
pub fn open_before(store: &impl Store, before: u64, site: usize) -> Option<(u64, u64)> {
    let count = (store.header().samples.load(Acquire) as usize).min(CAPACITY);
    let sample = (0..count).rev().filter_map(|i| entry::<Sample>(store, i)).find(|s| s.time.load(Relaxed) <= before)?;
    Some((sample.time.load(Relaxed), open_at(sample, site)))
}
