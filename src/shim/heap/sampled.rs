//! `heap=sites`: one allocation in many is followed with its call stack, chosen by the bytes, so that the sums per site are
//! unbiased (`track::heap::sampling`). `heap=count`: the same without stacks and more of them, for what is live and the peak;
//! to know them exactly, every free would have to find out the size of its block.
//!
//! The cost of all others is a subtraction at malloc and the load of a byte at free: [`special`] counts, in a table of bytes
//! indexed by a hash of the address, the blocks that need the hook's slow way. A byte that is not zero may be another
//! block's; then the table of the sampled ones is asked.
//!
//! Why no lock: an entry is published by its key, after the allocator has handed the block out, and taken by a
//! compare-exchange on the key, before the allocator gets it back. A full neighbourhood drops the sample, which is counted.
#![allow(unsafe_code)] // Safety: the table is a private mapping of atomics that is never unmapped.

use super::accounts;
use crate::recording::{self, RECORDING};
use crate::thread::{self, Entry as Way};
use crate::{options, start, sys};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize};
use record::layout::Counter;
use record::{heap, sites};
use track::heap::sampling::{Random, gap, weight};

const FILTER: usize = 1 << 15;
/// How many special blocks have this hash; at its maximum it stays, and says "perhaps" for ever.
static SPECIAL: [AtomicU8; FILTER] = [const { AtomicU8::new(0) }; FILTER];

const SLOTS: usize = 1 << 17;
/// Slots in which an address may lie.
const WINDOW: usize = 16;
const BUSY: usize = 1;

/// A sampled block.
#[repr(C)]
struct Sampled {
    /// 0 = free, 1 = being written, else the address.
    key: AtomicUsize,
    /// stack:32 | epoch:16 from the low end.
    stack: AtomicU64,
    blocks: AtomicU64,
    bytes: AtomicU64,
}

static TABLE: AtomicPtr<[Sampled; SLOTS]> = AtomicPtr::new(null_mut());

#[inline(always)]
fn hash(address: usize) -> usize {
    // Blocks are 16 bytes apart at the least; the upper bits tell arenas apart.
    (address >> 4).wrapping_mul(0x9e37_79b1) >> 7
}

/// May this block need more than the allocator's free? Async-signal-safe; a load.
#[inline(always)]
pub fn special(address: usize) -> bool {
    SPECIAL[hash(address) % FILTER].load(Relaxed) != 0
}

/// From now on `address` is special.
pub fn mark(address: usize) {
    let _ = SPECIAL[hash(address) % FILTER].fetch_update(Relaxed, Relaxed, |n| (n != u8::MAX).then_some(n + 1));
}

pub fn unmark(address: usize) {
    let _ =
        SPECIAL[hash(address) % FILTER].fetch_update(Relaxed, Relaxed, |n| (n != u8::MAX).then_some(n.wrapping_sub(1)));
}

#[cold]
fn make_table() -> Option<&'static [Sampled; SLOTS]> {
    let at = sys::map_sparse(size_of::<[Sampled; SLOTS]>());
    if at == 0 {
        return None;
    }
    if TABLE.compare_exchange(null_mut(), at as *mut _, AcqRel, Acquire).is_err() {
        // SAFETY: just mapped, and known to nobody.
        unsafe { sys::munmap(at, size_of::<[Sampled; SLOTS]>()) };
    }
    table()
}

fn table() -> Option<&'static [Sampled; SLOTS]> {
    // SAFETY: null, or the mapping of `make_table`: zero, which is a valid table, and never unmapped.
    unsafe { TABLE.load(Acquire).as_ref() }
}

fn window(table: &'static [Sampled; SLOTS], address: usize) -> impl Iterator<Item = &'static Sampled> {
    let first = hash(address);
    (0..WINDOW).map(move |i| &table[(first + i) % SLOTS])
}

/// The bytes until the thread's next sample; never when allocations are only counted.
pub fn next_gap(state: &thread::State) -> isize {
    if !super::counts_in_hooks() {
        return isize::MAX;
    }
    let mut random = random(state);
    let gap = gap(&mut random, options::heap_sampling());
    state.random.store(random.next(), Relaxed);
    gap as isize
}

fn random(state: &thread::State) -> Random {
    let seed = state.random.load(Relaxed);
    Random::new(if seed == 0 { u64::from(state.tid.load(Relaxed)) << 32 ^ sys::now() } else { seed })
}

/// The allocator has returned a block of `size` bytes that holds a sampled byte. Async-signal-safe.
#[cold]
#[inline(never)]
pub fn sampled(address: usize, size: usize) {
    let Way::Full(mut scope) = thread::enter() else {
        // In a handler inside one of our hooks: this one is let go, and the count starts anew.
        thread::block().heap_left.store(options::heap_sampling() as isize, Relaxed);
        return;
    };
    let state = scope.state;
    thread::block().heap_left.store(next_gap(state), Relaxed);
    if address == 0 {
        return;
    }
    start::materialise();
    let Some(totals) = heap::totals(&RECORDING) else { return };
    let stack = if super::level() == super::Level::Sites { scope.stack() } else { 0 };
    let mut random = random(state);
    let (blocks, bytes) = weight(&mut random, size as u64, options::heap_sampling());
    state.random.store(random.next(), Relaxed);
    let now = sys::now();
    if let Some(site) = sites::of(&RECORDING, stack) {
        site.allocated(totals, blocks, bytes, 1);
    }
    totals.sized(size as u64, blocks, bytes);
    totals.changed(blocks as i64, bytes as i64, now);
    accounts::sample_when_due(now);
    keep(address, stack, blocks, bytes);
}

fn keep(address: usize, stack: u32, blocks: u64, bytes: u64) {
    let place = table().or_else(make_table).and_then(|table| {
        window(table, address)
            .find(|s| s.key.load(Relaxed) == 0 && s.key.compare_exchange(0, BUSY, Acquire, Relaxed).is_ok())
    });
    let Some(place) = place else {
        recording::count(Counter::BlocksUntracked);
        return;
    };
    place.stack.store(u64::from(stack) | u64::from(start::epoch()) << 32, Relaxed);
    place.blocks.store(blocks, Relaxed);
    place.bytes.store(bytes, Relaxed);
    place.key.store(address, Release);
    mark(address);
}

/// A special block is freed, or its address given up by a realloc. Lock-free and async-signal-safe.
#[cold]
#[inline(never)]
pub fn freed(address: usize) {
    let Some(found) = table().and_then(|table| window(table, address).find(|s| s.key.load(Acquire) == address)) else {
        return;
    };
    let (stack, blocks, bytes) = (found.stack.load(Relaxed), found.blocks.load(Relaxed), found.bytes.load(Relaxed));
    if found.key.compare_exchange(address, 0, AcqRel, Relaxed).is_err() {
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
        }
        totals.changed((blocks as i64).wrapping_neg(), (bytes as i64).wrapping_neg(), 0);
    }
}
