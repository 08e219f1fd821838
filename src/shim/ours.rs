//! Which memory is our own: the look for lost blocks does not take it for the program's.
//!
//! A fixed list without a lock, because mappings are made in hooks, signal handlers included. What finds no room in it is
//! looked at as if it were the program's, which costs time and can only hide a leak.
#![allow(unsafe_code)] // Safety: only a section's name.

use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const MOST: usize = 1024;

struct Range {
    start: AtomicUsize,
    len: AtomicUsize,
}

#[unsafe(link_section = ".bss.tables")]
static RANGES: [Range; MOST] = [const { Range { start: AtomicUsize::new(0), len: AtomicUsize::new(0) } }; MOST];
/// Where an empty place may be.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Async-signal-safe, as all here.
pub fn add(start: usize, len: usize) {
    let first = NEXT.load(Relaxed);
    for i in 0..MOST {
        let at = (first + i) % MOST;
        let range = &RANGES[at];
        if range.start.load(Relaxed) == 0 && range.start.compare_exchange(0, start, Acquire, Relaxed).is_ok() {
            range.len.store(len, Release);
            NEXT.store((at + 1) % MOST, Relaxed);
            return;
        }
    }
}

/// Unmapped, or about to be.
pub fn remove(start: usize) {
    if let Some((at, range)) = RANGES.iter().enumerate().find(|(_, range)| range.start.load(Relaxed) == start) {
        range.len.store(0, Relaxed);
        range.start.store(0, Release);
        NEXT.store(at, Relaxed);
    }
}

/// A part is unmapped, or about to be.
pub fn cut(start: usize, len: usize) {
    let end = start + len;
    let Some((first, behind)) = RANGES.iter().find_map(|range| {
        let (first, len) = (range.start.load(Relaxed), range.len.load(Relaxed));
        (first != 0 && first <= start && start < first + len).then_some((first, first + len))
    }) else {
        return;
    };
    remove(first);
    for (from, to) in [(first, start), (end, behind)] {
        if from < to {
            add(from, to - from);
        }
    }
}

/// Start and end of each.
pub fn ranges() -> impl Iterator<Item = (u64, u64)> {
    RANGES.iter().filter_map(|range| {
        let (start, len) = (range.start.load(Acquire) as u64, range.len.load(Acquire) as u64);
        (start != 0 && len != 0).then_some((start, start + len))
    })
}
