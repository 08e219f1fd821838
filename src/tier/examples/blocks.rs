//! What a pair of malloc and free costs in a tier, beside libc's: nanoseconds, by size, with one thread and with eight.
//!
//!     cargo run --release -p tier --example blocks
//!
//! Each round takes 64 blocks and gives them back, and touches the first byte of each. The least of several rounds is shown.
#![allow(unsafe_code)] // Safety: blocks that were just handed out.
#![allow(clippy::unwrap_used)]

use core::ptr::NonNull;
use std::time::Instant;
use tier::memory::os::libc::Libc;
use tier::memory::{Memory, Obtained};
use tier::spec::{Kind, NumaPolicy, TierSpec};

static LIBC: Libc = Libc;

/// One thread's nanoseconds for a pair, over so many pairs.
fn pairs(pairs: usize, take: &dyn Fn() -> NonNull<u8>, give: &dyn Fn(NonNull<u8>)) -> f64 {
    let mut blocks = [NonNull::dangling(); 64];
    let round = |blocks: &mut [NonNull<u8>; 64]| {
        for block in blocks.iter_mut() {
            *block = take();
            // SAFETY: a live block.
            unsafe { block.as_ptr().write_volatile(1) };
        }
        blocks.iter().for_each(|block| give(*block));
    };
    round(&mut blocks);
    let begin = Instant::now();
    for _ in 0..pairs / 64 {
        round(&mut blocks);
    }
    begin.elapsed().as_nanos() as f64 / (pairs / 64 * 64) as f64
}

/// Nanoseconds of processor for a pair, when so many threads do it.
fn among(threads: usize, count: usize, pair: &(dyn Fn(usize) -> f64 + Sync)) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(threads);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| pair(count));
        }
    });
    begin.elapsed().as_nanos() as f64 * processors as f64 / (threads * count) as f64
}

fn main() {
    let specs = [TierSpec::heap(), TierSpec::new("fast", Kind::Numa { nodes: vec![0], policy: NumaPolicy::Bind })];
    let (memory, complaints) = Memory::start(&specs, &LIBC);
    complaints.iter().for_each(|complaint| println!("{complaint}"));
    println!("{:>8} {:>8} {:>10} {:>10} {:>7}", "size", "threads", "libc ns", "tier ns", "ratio");
    for (size, count) in [(64usize, 2_000_000usize), (1024, 2_000_000), (65_536, 200_000), (1 << 20, 20_000)] {
        for threads in [1, 8] {
            let libc = |count: usize| {
                // SAFETY: malloc and free.
                let take = || unsafe { NonNull::new(libc::malloc(size).cast()).unwrap() };
                // SAFETY: a block of malloc's.
                let give = |block: NonNull<u8>| unsafe { libc::free(block.as_ptr().cast()) };
                pairs(count, &take, &give)
            };
            let tier = |count: usize| {
                let take = || match memory.allocate(1, size, 16, false) {
                    Obtained::Block { block, .. } => block,
                    other => panic!("{other:?}"),
                };
                let nanoseconds = pairs(count, &take, &|block| _ = memory.free(block));
                memory.thread_ends();
                nanoseconds
            };
            let least = |pair: &(dyn Fn(usize) -> f64 + Sync)| {
                (0..5).map(|_| among(threads, count / threads, pair)).fold(f64::MAX, f64::min)
            };
            let (native, ours) = (least(&libc), least(&tier));
            println!("{size:>8} {threads:>8} {native:>10.1} {ours:>10.1} {:>7.2}", ours / native);
        }
    }
}
