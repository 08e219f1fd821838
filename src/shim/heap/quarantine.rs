//! `quarantine=SIZE`: freed blocks are held back, first in, first out, filled with a pattern that nobody may write to.
//!
//! ```text
//! free ─► filled ─► the thread's batch (64 blocks) ─► the ring of all (a lock per batch) ─► looked at ─► the allocator
//! ```
//!
//! While a block is held no allocation gets its address: a second free of it is a double free for certain, and a write to it is
//! found when it leaves. Held are at most SIZE bytes and [`PLACES`] blocks; a block that is larger than a quarter of SIZE
//! goes straight back, and of blocks larger than [`FILLED`] only the beginning is filled and looked at.
//!
//! **Fork.** The lock is taken before it, so the ring is whole in the child; batches of threads that are gone stay as they are,
//! held for ever. A fork that nobody saw empties the ring without giving back.
//!
//! **The guard is up while the allocator takes a block back**, against the rule of the hooks: its free is no cancellation point,
//! waits for nothing but its own locks, and a signal handler that comes meanwhile is followed as a nested one.
#![allow(unsafe_code)] // Safety: the ring is a private mapping under the lock; held blocks belong to whoever holds them.

use super::full::{after_free, publish};
use super::guard;
use super::redzone::{self, Eyes};
use super::shadow;
use crate::heap::allocator;
use crate::spin::Spin;
use crate::thread::{self, Entry as Way, Scope};
use crate::{options, recording, sys};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize};
use libc::c_void;
use record::findings::Block;
use record::heap::{access, sight};
use record::kind::{Kind, Severity};
use record::layout::Counter;
use track::fd::Party;
use track::heap::pattern::{self, FREED};
use track::heap::{Entry, Facts, State};

/// The most blocks that are held.
const PLACES: usize = 1 << 20;
/// Bytes of a block that are filled and looked at.
pub const FILLED: usize = 64 << 10;
const BATCH: usize = 64;
/// What a block costs beside its size, about.
const OVERHEAD: u64 = 32;

/// What a thread has not handed over yet. Used by its thread only, under the guard.
pub struct Batch {
    len: usize,
    bytes: u64,
    blocks: [Held; BATCH],
}

#[derive(Clone, Copy)]
struct Held {
    address: usize,
    bytes: u64,
}

impl Batch {
    pub const fn new() -> Self {
        Self { len: 0, bytes: 0, blocks: [Held { address: 0, bytes: 0 }; BATCH] }
    }

    /// What a thread left behind that a fork took away: held for ever.
    pub fn abandon(&mut self) {
        (self.len, self.bytes) = (0, 0);
    }
}

/// The most bytes held; 0: no quarantine.
static BUDGET: AtomicU64 = AtomicU64::new(0);
/// Guards all that follows.
pub static LOCK: Spin = Spin::new();
static RING: AtomicPtr<[Held; PLACES]> = AtomicPtr::new(null_mut());
/// Blocks that ever came and went.
static CAME: AtomicUsize = AtomicUsize::new(0);
static WENT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[inline(always)]
pub fn on() -> bool {
    BUDGET.load(Relaxed) != 0
}

/// At start. False: there is no memory for it.
pub fn start() -> bool {
    let budget = options::heap_quarantine();
    if budget == 0 {
        return true;
    }
    let at = sys::map_sparse(size_of::<[Held; PLACES]>());
    RING.store(at as *mut _, Release);
    BUDGET.store(if at == 0 { 0 } else { budget }, Relaxed);
    at != 0
}

fn cost(facts: &Facts) -> u64 {
    let redzones = if facts.front == 0 { 0 } else { facts.front + pattern::REDZONE };
    facts.size + redzones as u64 + OVERHEAD
}

/// Is the block that is about to be freed to be held? Asked by whoever frees it.
#[inline(always)]
pub fn wants(address: usize, entry: &Entry) -> bool {
    on() && !guard::owns(address)
        && entry.facts().is_some_and(|facts| facts.state == State::Live && cost(&facts) <= BUDGET.load(Relaxed) / 4)
}

/// # Safety
/// The block is held by the caller, and mapped.
unsafe fn filled<'a>(address: usize, size: u64) -> &'a mut [u8] {
    // SAFETY: the caller's.
    unsafe { core::slice::from_raw_parts_mut(address as *mut u8, (size as usize).min(FILLED)) }
}

/// Takes a block whose entry says [`State::Quarantined`]. Keeps errno.
pub fn hold(scope: &mut Scope, address: usize, facts: &Facts) {
    // SAFETY: the program has given it up, and the allocator does not have it.
    unsafe { filled(address, facts.size) }.fill(FREED);
    let budget = BUDGET.load(Relaxed);
    let batch = &mut scope.inner().quarantine;
    let bytes = cost(facts);
    batch.blocks[batch.len] = Held { address, bytes };
    batch.len += 1;
    batch.bytes += bytes;
    if batch.len == BATCH || batch.bytes > (budget / 16).min(256 << 10) {
        hand_over(scope, budget);
    }
}

/// Puts the thread's batch into the ring, and gives back what is beyond `budget`.
#[cold]
#[inline(never)]
pub fn hand_over(scope: &mut Scope, budget: u64) {
    let errno = sys::errno();
    let mut placed = false;
    loop {
        let mut out = [Held { address: 0, bytes: 0 }; BATCH];
        let mut count = 0;
        {
            let _held = LOCK.hold();
            // SAFETY: null, or the mapping of `start`; only touched under the lock.
            let Some(ring) = (unsafe { RING.load(Acquire).as_mut() }) else { return };
            let (mut came, mut went, mut bytes) = (CAME.load(Relaxed), WENT.load(Relaxed), BYTES.load(Relaxed));
            let batch = &mut scope.inner().quarantine;
            if !placed && came - went + batch.len <= PLACES {
                for block in &batch.blocks[..batch.len] {
                    ring[came % PLACES] = *block;
                    came += 1;
                }
                bytes += batch.bytes;
                recording::count_many(Counter::BlocksQuarantined, batch.len as u64);
                batch.abandon();
                placed = true;
            }
            while count < BATCH && went < came && (bytes > budget || !placed) {
                out[count] = ring[went % PLACES];
                bytes -= out[count].bytes;
                went += 1;
                count += 1;
            }
            CAME.store(came, Relaxed);
            WENT.store(went, Relaxed);
            BYTES.store(bytes, Relaxed);
        }
        for block in &out[..count] {
            leave(scope, block.address);
        }
        if count == 0 && placed {
            break;
        }
    }
    sys::set_errno(errno);
}

/// The program is out of memory: everything goes back. False: there was nothing.
#[cold]
pub fn evict_all() -> bool {
    if !on() {
        return false;
    }
    let Way::Full(mut scope) = thread::enter() else { return false };
    let any = BYTES.load(Relaxed) != 0 || scope.inner().quarantine.len != 0;
    hand_over(&mut scope, 0);
    any
}

/// The calling thread ends, or the process: what it holds is everybody's.
pub fn settle(scope: &mut Scope) {
    if on() {
        hand_over(scope, BUDGET.load(Relaxed));
    }
}

/// Back to the allocator, when nobody wrote to it.
fn leave(scope: &mut Scope, address: usize) {
    let Some(entry) = shadow::entry(address) else { return };
    let Some(facts) = entry.facts().filter(|facts| facts.state == State::Quarantined) else { return };
    look(scope, address, &facts);
    if entry.release() {
        // SAFETY: the allocator's own pointer of a block that it has handed out, and that was kept from it until now.
        unsafe { allocator::free((address - facts.front) as *mut c_void) };
    }
}

/// A held block that is the caller's.
fn look(scope: &mut Scope, address: usize, facts: &Facts) {
    // SAFETY: held by the caller.
    if let Some(offset) = pattern::written_after_free(unsafe { filled(address, facts.size) }) {
        report(scope, address, facts, offset, Eyes::Owner);
    }
    let damage = redzone::look(address, facts, Eyes::Owner);
    if !damage.is_none() {
        redzone::report(scope, address, facts, damage, Party::ABSENT, Eyes::Owner);
    }
}

#[cold]
#[inline(never)]
fn report(scope: &mut Scope, address: usize, facts: &Facts, offset: usize, eyes: Eyes) {
    let mut about = Block {
        address: address as u64,
        size: facts.size,
        offset: offset as i64,
        allocated: facts.allocated as u8,
        freed: facts.freed as u8,
        access: access::WRITE,
        sight: sight::QUARANTINE,
        ..Block::default()
    };
    redzone::show(&mut about, (0, facts.size as i64), false, eyes);
    let parties = after_free(&mut about, facts, Party::ABSENT);
    publish(scope, Kind::HeapWriteAfterFree, Severity::Error, about, &parties, b"");
}

/// At exit: a block that some thread may be about to give back.
pub fn look_from_outside(scope: &mut Scope, address: usize, entry: &Entry, facts: &Facts, eyes: Eyes) {
    let written = || {
        let mut copy = [0; 1024];
        let size = (facts.size as usize).min(FILLED);
        (0..size).step_by(copy.len()).find_map(|at| {
            let piece = &mut copy[..(size - at).min(1024)];
            if eyes.read(address + at, piece) { Some(at + pattern::written_after_free(piece)?) } else { None }
        })
    };
    if let Some(Some(offset)) = redzone::settled(entry, facts, written) {
        report(scope, address, facts, offset, eyes);
    }
}

/// In the child of a fork that nobody saw: the ring may be half written.
pub fn abandon() {
    WENT.store(CAME.load(Relaxed), Relaxed);
    BYTES.store(0, Relaxed);
}
