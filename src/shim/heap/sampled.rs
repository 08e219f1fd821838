//! `heap=sites`: one allocation in many is followed with its call stack, chosen by the bytes, so that the sums per site are
//! unbiased (`track::heap::sampling`). `heap=count`: the same without stacks and more of them, for what is live and the peak;
//! to know them exactly, every free would have to find out the size of its block.
//!
//! The cost of all others is a subtraction at malloc and the load of a byte at free: [`special`] counts, in a table of bytes
//! indexed by a hash of the address, the blocks that need the hook's slow way. A byte that is not zero may be another
//! block's; then the table of the sampled ones is asked. Blocks of the bootstrap arena are special for ever.
//!
//! Why no lock: an entry is published by its key, after the allocator has handed the block out, and taken by a
//! compare-exchange on the key, before the allocator gets it back. A full bucket drops the sample, which is counted.
#![allow(unsafe_code)] // Safety: the table is a private mapping of atomics that is never unmapped.

use super::{access, accounts, guard};
use crate::recording::{self, RECORDING};
use crate::thread::{self, Entry as Way};
use crate::{options, start, sys};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, fence};
use record::layout::{Counter, ThreadCounter};
use record::{heap, sites, usage};
use track::heap::sampling::{self, Random, weight};

const BUCKETS: usize = 1 << 12;
/// How many special blocks have this hash; at its maximum it stays, and says "perhaps" for ever. Small enough for the cache
/// nearest to the processor: every free looks here.
#[unsafe(link_section = ".bss.tables")]
static SPECIAL: [AtomicU8; BUCKETS] = [const { AtomicU8::new(0) }; BUCKETS];

const WAYS: usize = 8;
const BUSY: usize = 1;

/// A sampled block.
#[repr(C)]
struct Sampled {
    /// stack:32 | epoch:16 from the low end.
    stack: AtomicU64,
    blocks: AtomicU64,
    bytes: AtomicU64,
    /// Of the block itself.
    size: AtomicU64,
    /// ms since the start.
    born: AtomicU64,
}

/// A sampled block that is live, as others may know it.
pub struct Block {
    pub address: usize,
    pub size: u64,
    pub stack: u32,
    /// For how many blocks it stands.
    pub blocks: u64,
}

/// The sampled blocks of a hash. The keys are a line of the cache: 0 = free, 1 = being written, else the address.
#[repr(C, align(64))]
struct Bucket {
    keys: [AtomicUsize; WAYS],
    samples: [Sampled; WAYS],
}

type Table = [Bucket; BUCKETS];
static TABLE: AtomicPtr<Table> = AtomicPtr::new(null_mut());

#[inline(always)]
fn hash(address: usize) -> usize {
    // Blocks are 16 bytes apart at the least; large ones differ in the bits above the page only.
    (((address >> 4) as u32).wrapping_mul(0x9e37_79b1) >> 20) as usize
}

/// May this block need more than the allocator's free? Async-signal-safe; a load.
#[inline(always)]
pub fn special(address: usize) -> bool {
    SPECIAL[hash(address) % BUCKETS].load(Relaxed) != 0
}

/// From now on `address` is special.
pub fn mark(address: usize) {
    let _ = SPECIAL[hash(address)].fetch_update(Relaxed, Relaxed, |n| (n != u8::MAX).then_some(n + 1));
}

/// From now on every block is special, for ever: somebody wants to see all frees.
pub fn mark_all() {
    SPECIAL.iter().for_each(|n| n.store(u8::MAX, Relaxed));
}

pub fn unmark(address: usize) {
    let less = |n| (n != u8::MAX).then_some(u8::saturating_sub(n, 1));
    let _ = SPECIAL[hash(address)].fetch_update(Relaxed, Relaxed, less);
}

#[cold]
fn make_table() -> Option<&'static Table> {
    let at = sys::map_sparse(size_of::<Table>());
    if at == 0 {
        return None;
    }
    if TABLE.compare_exchange(null_mut(), at as *mut _, AcqRel, Acquire).is_err() {
        // SAFETY: just mapped, and known to nobody.
        unsafe { sys::munmap(at, size_of::<Table>()) };
    }
    table()
}

fn table() -> Option<&'static Table> {
    // SAFETY: null, or the mapping of `make_table`: zero, which is a valid table, and never unmapped.
    unsafe { TABLE.load(Acquire).as_ref() }
}

/// How many bytes a thread may allocate until its next sample: for a new thread, and after a sample. What it has used up of
/// the gap before is added to what it requested: that is counted here only.
pub fn next_gap(state: &thread::State) {
    settle(state);
    let mut gap = isize::MAX;
    if super::samples() {
        let mut random = random(state);
        gap = sampling::gap(&mut random, options::heap_sampling()) as isize;
        state.random.store(random.draw(), Relaxed);
    }
    begin_gap(state, gap);
}

/// So many bytes until the next sample; fewer until the thread is asked for guard pages.
fn begin_gap(state: &thread::State, until_sample: isize) {
    let gap = if guard::on() { until_sample.min(guard::gap_in_bytes(state)) } else { until_sample };
    state.heap_behind.store(until_sample - gap, Relaxed);
    thread::block().heap_left.store(gap, Relaxed);
    state.heap_gap.store(gap, Relaxed);
}

/// What the end of a gap is for.
pub struct Due {
    pub sample: bool,
    /// The allocation goes on guard pages.
    pub guard: bool,
}

/// The allocation that was just counted has used up the thread's gap.
#[inline(always)]
pub fn due() -> Due {
    if guard::on() { due_with_guard() } else { Due { sample: true, guard: false } }
}

#[cold]
#[inline(never)]
fn due_with_guard() -> Due {
    // In a handler inside one of our hooks: the next one.
    let Way::Full(scope) = thread::enter() else { return Due { sample: false, guard: false } };
    let state = scope.state;
    settle(state);
    let left = state.heap_behind.load(Relaxed).saturating_add(thread::block().heap_left.load(Relaxed));
    let sample = left < 0;
    if !sample {
        begin_gap(state, left);
    }
    Due { sample, guard: guard::is_due(state) }
}

/// What the thread has allocated of its gap. By the thread itself.
pub fn settle(state: &thread::State) {
    let left = thread::block().heap_left.load(Relaxed);
    let used = state.heap_gap.swap(left, Relaxed).wrapping_sub(left);
    state.add(ThreadCounter::BytesRequested, used.max(0) as u64);
}

fn random(state: &thread::State) -> Random {
    let seed = state.random.load(Relaxed);
    Random::new(if seed == 0 { u64::from(state.tid.load(Relaxed)) << 32 ^ sys::now() } else { seed })
}

/// The allocator has returned a block of `size` bytes that holds a sampled byte. Async-signal-safe.
#[cold]
#[inline(never)]
pub fn sampled(address: usize, size: usize) {
    let left = &thread::block().heap_left;
    if address == 0 {
        // Nothing was allocated.
        left.store(left.load(Relaxed).wrapping_add_unsigned(size), Relaxed);
        return;
    }
    let Way::Full(mut scope) = thread::enter() else {
        // In a handler inside one of our hooks: this one is let go, and the count starts anew.
        left.store(options::heap_sampling() as isize, Relaxed);
        return;
    };
    let state = scope.state;
    next_gap(state);
    start::materialise();
    let Some(totals) = heap::totals(&RECORDING) else { return };
    let stack = if super::level() == super::Level::Sites { scope.stack() } else { 0 };
    let mut random = random(state);
    let (blocks, bytes) = weight(&mut random, size as u64, options::heap_sampling());
    state.random.store(random.draw(), Relaxed);
    let now = sys::now();
    if let Some(site) = sites::of(&RECORDING, stack) {
        site.allocated(totals, blocks, bytes, 1);
        if let Some(usage) = usage::of(&RECORDING, stack) {
            usage.grown(site);
            usage.changed(accounts::ms(now));
        }
    }
    totals.sized(size as u64, blocks, bytes);
    totals.changed(blocks as i64, bytes as i64, now);
    accounts::sample_when_due(now);
    keep(address, size as u64, accounts::ms(now), stack, blocks, bytes);
    access::look();
}

/// The sampled blocks that were allocated since the last fork.
pub fn each(mut look: impl FnMut(Block)) {
    for Bucket { keys, samples } in table().into_iter().flatten() {
        for (key, sample) in keys.iter().zip(samples) {
            let address = key.load(Acquire);
            if address <= BUSY {
                continue;
            }
            let stack = sample.stack.load(Relaxed);
            let block = Block {
                address,
                size: sample.size.load(Relaxed),
                stack: stack as u32,
                blocks: sample.blocks.load(Relaxed),
            };
            // What was read is of this block, as long as it has its place.
            fence(Acquire);
            if key.load(Relaxed) == address && (stack >> 32) as u16 == start::epoch() {
                look(block);
            }
        }
    }
}

fn keep(address: usize, size: u64, born: u32, stack: u32, blocks: u64, bytes: u64) {
    let place = table().or_else(make_table).and_then(|table| {
        let Bucket { keys, samples } = &table[hash(address)];
        keys.iter()
            .zip(samples)
            .find(|(key, _)| key.load(Relaxed) == 0 && key.compare_exchange(0, BUSY, Acquire, Relaxed).is_ok())
    });
    let Some((key, sample)) = place else {
        recording::count(Counter::BlocksUntracked);
        return;
    };
    sample.stack.store(u64::from(stack) | u64::from(start::epoch()) << 32, Relaxed);
    sample.blocks.store(blocks, Relaxed);
    sample.bytes.store(bytes, Relaxed);
    sample.size.store(size, Relaxed);
    sample.born.store(u64::from(born), Relaxed);
    key.store(address, Release);
    mark(address);
}

/// A special block is freed, or its address given up by a realloc. Lock-free and async-signal-safe.
#[cold]
#[inline(never)]
pub fn freed(address: usize) {
    // realloc of nothing gives up no address. A free place has this key: it would be taken for a sample, whose mark is that of
    // another block, and free would no more look at that one.
    if address <= BUSY {
        return;
    }
    let found = table().and_then(|table| {
        let Bucket { keys, samples } = &table[hash(address)];
        keys.iter().zip(samples).find(|(key, _)| key.load(Acquire) == address)
    });
    let Some((key, sample)) = found else { return };
    access::before_free(sample.size.load(Relaxed));
    let (stack, blocks, bytes) = (sample.stack.load(Relaxed), sample.blocks.load(Relaxed), sample.bytes.load(Relaxed));
    let born = sample.born.load(Relaxed);
    if key.compare_exchange(address, 0, AcqRel, Relaxed).is_err() {
        return;
    }
    unmark(address);
    // What a parent allocated is in its recording.
    if (stack >> 32) as u16 != start::epoch() {
        return;
    }
    if let Some(totals) = heap::totals(&RECORDING) {
        if let Some(site) = sites::find(&RECORDING, stack as u32) {
            site.freed(totals, blocks, bytes);
            if let Some(usage) = usage::of(&RECORDING, stack as u32) {
                let now = accounts::ms(sys::now());
                let age = u64::from(now).saturating_sub(born);
                usage.ended(blocks, blocks.saturating_mul(age), age);
                usage.changed(now);
            }
        }
        totals.changed((blocks as i64).wrapping_neg(), (bytes as i64).wrapping_neg(), 0);
    }
}
