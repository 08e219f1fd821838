//! The heap's numbers: what the writer added up, what the reader makes of it, and of numbers that nobody wrote.

use record::heap::{self, Amount, Heap, level};
use record::layout::{self, CHUNK_LEN, CHUNKS_AT, SAMPLE_SITES, Section, Site, Thread, ThreadCounter};
use record::memory::Memory;
use record::reader::{HeapSite, MOST, Recording};
use record::store::{entry, entry_or_commit};
use record::{sites, stacks};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

const fn amount(blocks: u64, bytes: u64) -> Amount {
    Amount { blocks, bytes }
}

fn site(memory: &Memory, n: u64) -> &Site {
    sites::of(memory, stacks::intern(memory, &[n, n + 1])).expect("room")
}

fn begin(memory: &Memory, level: u32, sampling: u64) -> &Heap {
    heap::begin(memory, level, sampling);
    heap::totals(memory).expect("begun")
}

fn allocate(heap: &Heap, site: &Site, blocks: u64, bytes: u64, now: u64) {
    site.allocated(heap, blocks, bytes, blocks);
    heap.sized(bytes / blocks, blocks, bytes);
    heap.changed(blocks as i64, bytes as i64, now);
}

fn free(heap: &Heap, site: &Site, blocks: u64, bytes: u64) {
    site.freed(heap, blocks, bytes);
    heap.changed(-(blocks as i64), -(bytes as i64), 0);
}

fn read(memory: &Memory) -> Recording<Vec<u8>> {
    Recording::parse(memory.to_bytes()).expect("a recording")
}

#[test]
fn totals_and_sites_come_back() {
    let memory = Memory::new();
    assert_eq!(read(&memory).heap(), None);
    let heap = begin(&memory, level::FULL, 0);
    let (a, b) = (site(&memory, 1), site(&memory, 10));
    sites::of(&memory, stacks::intern(&memory, &[99])).expect("room").opened(5);
    allocate(heap, a, 10, 1000, 7);
    allocate(heap, b, 1, 4096, 8);
    // The peak: 5096 bytes. Only then a changes.
    free(heap, a, 8, 800);
    allocate(heap, a, 1, 50, 9);
    a.lost_blocks.store(1, Relaxed);
    a.lost_bytes.store(50, Relaxed);
    heap.leak_classes[3][0].store(2, Relaxed);
    heap.leak_classes[3][1].store(200, Relaxed);
    heap.looked.store(11, Relaxed);

    let recording = read(&memory);
    let totals = recording.heap().expect("a heap");
    assert_eq!((totals.level, totals.sampling, totals.is_estimate()), (level::FULL, 0, false));
    assert_eq!((totals.live, totals.peak_bytes, totals.peak_time), (amount(4, 4346), 5096, 8));
    assert_eq!((totals.looked, totals.leaks[3], totals.leaks[0]), (11, amount(2, 200), Amount::default()));
    let classes: Vec<_> = (0..).zip(totals.sizes).filter(|(_, size)| size.blocks > 0).collect();
    assert_eq!(classes, [(6, amount(1, 50)), (7, amount(10, 1000)), (12, amount(1, 4096))]);

    let found: Vec<(usize, HeapSite)> = recording.heap_sites().collect();
    assert_eq!(found.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [0, 1], "who opens is not who allocates");
    assert_eq!(
        found[0].1,
        HeapSite {
            stack: a.stack.load(Relaxed) as u32,
            total: amount(11, 1050),
            live: amount(3, 250),
            at_peak: amount(10, 1000),
            lost: amount(1, 50),
            observed: 11,
        }
    );
    assert_eq!((found[1].1.live, found[1].1.at_peak), (amount(1, 4096), amount(1, 4096)));
    assert_eq!(recording.heap_site(1), Some(found[1].1));
    assert_eq!([recording.heap_site(2), recording.heap_site(usize::MAX)], [None, None]);
    assert_eq!(recording.sites().map(|(index, _)| index).collect::<Vec<_>>(), [2], "who allocates opens nothing");
}

#[test]
fn the_peak_by_site_is_that_of_a_copy() {
    // Many sites, a fixed walk; beside them, a copy of all sites at each new peak.
    let memory = Memory::new();
    let heap = begin(&memory, level::FULL, 0);
    let all: Vec<&Site> = (0..20).map(|n| site(&memory, n * 5)).collect();
    let (mut live, mut at_peak, mut peak) = ([0u64; 20], [0u64; 20], 0);
    let mut state = 12345u64;
    for step in 0..5000u64 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let (which, size) = ((state >> 40) as usize % 20, (state >> 50) % 900 + 1);
        if state >> 33 & 1 == 0 || live[which] < size {
            allocate(heap, all[which], 1, size, step);
            live[which] += size;
        } else {
            free(heap, all[which], 1, size);
            live[which] -= size;
        }
        if live.iter().sum::<u64>() > peak {
            (peak, at_peak) = (live.iter().sum(), live);
        }
    }
    let recording = read(&memory);
    assert_eq!(recording.heap().map(|h| h.peak_bytes), Some(peak));
    let found: BTreeMap<usize, u64> = recording.heap_sites().map(|(i, s)| (i, s.at_peak.bytes)).collect();
    assert_eq!(found, (0..20).zip(at_peak).collect());
}

#[test]
fn samples_come_back_thinned_out_and_in_order() {
    let memory = Memory::new();
    let heap = begin(&memory, level::SITES, 512);
    let all: Vec<&Site> = (0..40).map(|n| site(&memory, n * 5)).collect();
    let (mut now, mut due, mut taken) = (1_000_000_000u64, 0, 0u64);
    while now < 601_000_000_000 {
        if now >= due {
            allocate(heap, all[taken as usize % 40], 1, 1000 * (taken % 40 + 1), now);
            due = heap::sample(&memory, now).expect("room");
            taken += 1;
        }
        now += 5_000_000;
    }
    let samples = read(&memory).heap_samples();
    let capacity = Section::HeapSamples.capacity();
    assert!(taken as usize > capacity && (capacity / 2..=capacity).contains(&samples.len()), "{}", samples.len());
    assert!(samples.is_sorted_by(|a, b| a.time < b.time && a.live.bytes <= b.live.bytes));
    let last = samples.last().expect("one");
    assert_eq!(last.sites.len(), SAMPLE_SITES);
    assert!(last.sites.is_sorted_by(|a, b| a.1 >= b.1));
    assert!(last.sites.iter().all(|(_, bytes)| *bytes > 0));
    // While they are moved, nothing is shown.
    heap.samples_version.store(3, Relaxed);
    assert_eq!(read(&memory).heap_samples(), []);
}

#[test]
fn calls_are_summed_over_threads_of_any_state() {
    let memory = Memory::new();
    for (index, state) in [1, 2, 0, 77].into_iter().enumerate() {
        let thread = entry_or_commit::<Thread>(&memory, index).expect("room");
        thread.state.store(state, Relaxed);
        thread.add(ThreadCounter::Allocations, 10);
        thread.add(ThreadCounter::BytesFreed, 1 << 40);
    }
    let calls = read(&memory).heap_calls();
    assert_eq!((calls.allocations, calls.bytes_freed, calls.frees), (20, 2 << 40, 0));
    let thread = entry::<Thread>(&memory, 0).expect("made");
    thread.counters[ThreadCounter::Allocations as usize].store(u64::MAX, Relaxed);
    assert_eq!(read(&memory).heap_calls().allocations, MOST);
}

#[test]
fn numbers_that_nobody_wrote_end_somewhere() {
    let memory = Memory::new();
    let heap = begin(&memory, level::FULL, 0);
    let a = site(&memory, 1);
    allocate(heap, a, 1, 8, 1);
    heap::sample(&memory, 5).expect("room");
    for word in [&a.allocations, &a.frees, &a.freed_bytes, &a.lost_bytes, &a.observed, &heap.sampling, &heap.samples] {
        word.store(u64::MAX, Relaxed);
    }
    // More frees than allocations: a moment between two additions.
    heap.live_bytes.store((-5i64) as u64, Relaxed);
    heap.sizes[47].blocks.store(u64::MAX, Relaxed);
    let sample = entry::<layout::HeapSample>(&memory, 0).expect("made");
    for (place, word) in sample.sites[1..].iter().zip([9 << 20 | 2, 9 << 20 | 0xf_ffff, u64::MAX, 3 << 20]) {
        place.store(word, Relaxed);
    }
    let recording = read(&memory);
    let totals = recording.heap().expect("a heap");
    assert_eq!((totals.live.bytes, totals.sampling, totals.sizes[47].blocks), (0, MOST, MOST));
    let site = recording.heap_site(0).expect("a site");
    assert_eq!((site.total, site.live), (amount(MOST, 8), amount(0, 0)));
    assert_eq!((site.lost.bytes, site.observed), (MOST, MOST));
    let samples = recording.heap_samples();
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].sites, [(0, 8)], "places of sites that are not there");
}

#[test]
fn a_heap_that_was_not_begun_has_nothing() {
    let memory = Memory::new();
    let heap = begin(&memory, level::FULL, 0);
    allocate(heap, site(&memory, 1), 1, 8, 1);
    heap::sample(&memory, 5).expect("room");
    heap.level.store(0, Relaxed);
    let recording = read(&memory);
    assert_eq!((recording.heap(), recording.heap_samples()), (None, Vec::new()));
    // A section without its chunk: cut out of the directory.
    heap.level.store(level::FULL, Relaxed);
    let mut bytes = memory.to_bytes();
    let chunks = (bytes.len() - CHUNKS_AT) / CHUNK_LEN;
    let at = (0..chunks).map(|i| 8192 + i * 4).find(|at| bytes[at + 3] == Section::Heap as u8).expect("its chunk");
    bytes[at + 3] = 99;
    let recording = Recording::parse(bytes).expect("a recording");
    assert_eq!((recording.heap(), recording.heap_samples()), (None, Vec::new()));
    assert_eq!(recording.heap_sites().count(), 1);
}

#[test]
fn how_blocks_were_used_comes_back() {
    use record::reader::{Accesses, Usage};
    use record::store::Store;
    use record::usage::{self, Access, access};
    let memory = Memory::new();
    let heap = begin(&memory, level::FULL, 0);
    let stack = stacks::intern(&memory, &[1, 2]);
    assert!(usage::of(&memory, stack).is_none(), "no site yet");
    let site = sites::of(&memory, stack).expect("room");
    let index = memory.header().sites.load(Relaxed) as usize - 1;
    allocate(heap, site, 2, 300, 7);
    let used = usage::of(&memory, stack).expect("room");
    used.grown(site);
    free(heap, site, 1, 200);
    used.grown(site);
    used.ended(1, 40, 40);
    used.ended(2, 7, 6);
    used.changed(0);
    used.changed(90);
    used.changed(50);
    used.touched(Access::Load, 3);
    used.touched(Access::Store, 1);
    used.touched(Access::Fault, 2);
    heap.access_kind.store(access::LOADS, Relaxed);
    heap.access_samples.store(9, Relaxed);

    let recording = read(&memory);
    let found = recording.heap_usage(index);
    let expected = Usage {
        ended: 3,
        lifetime_ms: 47,
        longest_ms: 40,
        most_bytes: 300,
        loads: 3,
        stores: 1,
        faults: 2,
        active_ms: Some((0, 90)),
    };
    assert_eq!(found, expected);
    assert!(found.is_active(80, 100) && found.is_active(0, 0) && !found.is_active(91, 100));
    let accesses = recording.heap().expect("a heap").accesses;
    assert_eq!(accesses, Accesses { kind: access::LOADS, period: 1, samples: 9, elsewhere: 0, lost: 0 });

    // A forked child counts its own.
    usage::forget(&memory);
    heap.forget();
    let recording = read(&memory);
    assert_eq!(recording.heap_usage(index), Usage::default());
    assert_eq!(recording.heap_usage(99_999), Usage::default());
    assert_eq!(recording.heap().expect("a heap").accesses.samples, 0);
}
