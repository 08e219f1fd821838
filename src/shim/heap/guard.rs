//! `guard=N`: one allocation in N, by chance, lies on pages of its own between pages that nobody may touch, and its pages are
//! closed when it is freed. An access outside of it, or after its free, faults, and `faults` brings it here.
//!
//! ```text
//! ┆ closed ┆ slot 0: 4 pages ┆ closed ┆ slot 1: 4 pages ┆ … ┆ closed ┆
//!            └ a block at the beginning of the first of them, or at the end of the last, by chance
//! ```
//!
//! The rest of a block's pages is filled with a pattern and looked at when the block is freed. A freed slot stays closed until it
//! is the one that was freed first. With all slots in use an allocation goes the ordinary way.
//!
//! Who asks: with `heap=count` and `sites` the slow way of the hooks, which a thread's gap brings there (`sampled`); with
//! `full` every allocation. Blocks of the pool are special to the filter of `sampled`, so the fast path of free does not change.
//!
//! Why no lock: a slot belongs to whoever moved its state to busy; a thread that is interrupted in between keeps nobody
//! waiting, and a fork loses nothing but the slots that were busy in other threads, which the child takes back.
#![allow(unsafe_code)] // Safety: pages of the pool are ours; a live block's belong to the program, a busy slot's to who moved it there.

use super::full::{Call, after_free, publish};
use super::redzone::{self, Eyes};
use super::{Level, level, protects, sampled, shadow};
use crate::arch::Registers;
use crate::thread::{self, Entry as Way, Scope, State as ThreadState};
use crate::{options, recording, start, sys, unwind};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use libc::c_void;
use record::findings::Block;
use record::heap::{access, place, sight};
use record::kind::{Kind, Role, Severity};
use record::layout::{Counter, ThreadCounter};
use track::fd::{Party, StackId, Tid};
use track::heap::pattern;
use track::heap::sampling::Random;

const SLOTS: usize = 64;
/// Pages of a slot, and so the largest block.
const PAGES: usize = 4;
/// As malloc aligns.
const ALIGN: usize = 16;

const EMPTY: u32 = 0;
const BUSY: u32 = 1;
const LIVE: u32 = 2;
const FREED: u32 = 3;

struct Slot {
    state: AtomicU32,
    /// When it was freed: the lowest is used next.
    freed_at: AtomicU64,
    /// Of the block: there now, or last.
    address: AtomicUsize,
    size: AtomicUsize,
    /// Of the allocation, of the free.
    stacks: [AtomicU32; 2],
    tids: [AtomicU32; 2],
}

#[unsafe(link_section = ".bss.tables")]
static SLOT: [Slot; SLOTS] = [const {
    Slot {
        state: AtomicU32::new(EMPTY),
        freed_at: AtomicU64::new(0),
        address: AtomicUsize::new(0),
        size: AtomicUsize::new(0),
        stacks: [const { AtomicU32::new(0) }; 2],
        tids: [const { AtomicU32::new(0) }; 2],
    }
}; SLOTS];

/// Where the pool begins, and its length; 0: there is none.
static POOL: AtomicUsize = AtomicUsize::new(0);
static LEN: AtomicUsize = AtomicUsize::new(0);
static PAGE: AtomicUsize = AtomicUsize::new(0);
static FREES: AtomicU64 = AtomicU64::new(1);

#[inline(always)]
pub fn on() -> bool {
    LEN.load(Relaxed) != 0
}

/// At start. False: there is no address space.
pub fn start() -> bool {
    if options::guard() == 0 {
        return true;
    }
    let page = sys::page();
    let len = page * (SLOTS * (PAGES + 1) + 1);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let at = sys::mmap(0, len, libc::PROT_NONE, flags, -1, 0);
    if sys::failed(at) {
        return false;
    }
    PAGE.store(page, Relaxed);
    POOL.store(at as usize, Relaxed);
    LEN.store(len, Release);
    crate::faults::start();
    true
}

/// Is it an address in the pool? A load or two.
#[inline(always)]
pub fn owns(address: usize) -> bool {
    address.wrapping_sub(POOL.load(Relaxed)) < LEN.load(Relaxed)
}

fn page() -> usize {
    PAGE.load(Relaxed)
}

/// The first address of a slot's pages.
fn body(slot: usize) -> usize {
    POOL.load(Relaxed) + page() * (slot * (PAGES + 1) + 1)
}

/// The slot in whose pages, or in the closed page before them, an address of the pool lies; and whether in the latter.
fn slot_of(address: usize) -> (usize, bool) {
    let number = (address - POOL.load(Relaxed)) / page();
    (number / (PAGES + 1), number % (PAGES + 1) == 0)
}

/// Allocations until the thread's next guarded one, this one included: 1 to 2N - 1, N on average.
fn gap(state: &ThreadState) -> u64 {
    let n = u64::from(options::guard());
    let mut random = random(state);
    1 + random.draw() % (2 * n - 1)
}

fn random(state: &ThreadState) -> Random {
    let seed = state.random.load(Relaxed);
    let mut random = Random::new(if seed == 0 { u64::from(state.tid.load(Relaxed)) << 32 ^ sys::now() } else { seed });
    state.random.store(random.draw(), Relaxed);
    random
}

/// Allocations of the thread, where the hooks count them.
fn allocations(state: &ThreadState) -> u64 {
    let count = |counter: ThreadCounter| state.entry.counters[counter as usize].load(Relaxed);
    count(ThreadCounter::Allocations) + count(ThreadCounter::Reallocations)
}

/// After how many bytes the thread has to be asked again at the latest, where the hooks count bytes: an allocation is taken
/// for one of 16 at the least. A smaller one comes late by a few.
pub fn gap_in_bytes(state: &ThreadState) -> isize {
    if state.guard_at.load(Relaxed) == 0 {
        state.guard_at.store(allocations(state) + gap(state), Relaxed);
    }
    let left = state.guard_at.load(Relaxed).saturating_sub(allocations(state));
    (left.saturating_sub(1) * ALIGN as u64).min(isize::MAX as u64) as isize
}

/// Is it the turn of the allocation that was just counted?
pub fn is_due(state: &ThreadState) -> bool {
    on() && allocations(state) >= state.guard_at.load(Relaxed)
}

/// The same for `heap=full`, where every allocation asks.
pub fn is_due_in_full() -> bool {
    let Some(state) = thread::current().filter(|_| on()) else { return false };
    let left = state.guard_at.load(Relaxed);
    if left <= 1 {
        state.guard_at.store(gap(state), Relaxed);
        return left == 1 || options::guard() == 1;
    }
    state.guard_at.store(left - 1, Relaxed);
    false
}

/// A block of the pool, zeroed; null when there is none to be had. `align` 0 or 1: as malloc aligns.
#[cold]
#[inline(never)]
pub fn allocate(size: usize, align: usize) -> *mut c_void {
    let none = core::ptr::null_mut();
    let align = if align <= 1 { ALIGN } else { align };
    let Way::Full(mut scope) = thread::enter() else { return none };
    let state = scope.state;
    if level() != Level::Full {
        state.guard_at.store(allocations(state) + gap(state), Relaxed);
    }
    if size > PAGES * page() || !align.is_power_of_two() || align < ALIGN || align > page() {
        return none;
    }
    let Some(number) = take() else { return none };
    start::materialise();
    let stack = scope.stack();
    let slot = &SLOT[number];
    // A block of no bytes has an address of its own, too.
    let pages = size.max(1).div_ceil(page()) * page();
    let right = random(state).draw() >> 32 & 1 != 0;
    let first = if right { body(number) + PAGES * page() - pages } else { body(number) };
    let block = if right { (first + pages - size.max(1)) & !(align - 1) } else { first };
    // SAFETY: a busy slot is ours.
    if !unsafe { sys::mprotect(first, pages, libc::PROT_READ | libc::PROT_WRITE) } {
        slot.state.store(EMPTY, Release);
        return none;
    }
    for (at, len) in slack(block, size) {
        // SAFETY: inside of the pages that were just opened, and nobody else's yet.
        pattern::fill(unsafe { core::slice::from_raw_parts_mut(at as *mut u8, len) }, at, redzone::secret());
    }
    // SAFETY: as above.
    unsafe { (block as *mut u8).write_bytes(0, size) };
    slot.address.store(block, Relaxed);
    slot.size.store(size, Relaxed);
    for (fields, value) in [(&slot.stacks, stack), (&slot.tids, state.tid.load(Relaxed))] {
        fields[0].store(value, Relaxed);
        fields[1].store(0, Relaxed);
    }
    slot.state.store(LIVE, Release);
    if level() != Level::Full {
        sampled::mark(block);
    }
    recording::count(Counter::BlocksGuarded);
    block as *mut c_void
}

/// The parts of a block's pages that are not its own, in front and behind: where, and how many bytes.
fn slack(block: usize, size: usize) -> [(usize, usize); 2] {
    let (first, end) = (block & !(page() - 1), (block + size.max(1)).next_multiple_of(page()));
    [(first, block - first), (block + size, end - (block + size))]
}

/// Of the slots that hold no block the one that was freed first, made busy.
fn take() -> Option<usize> {
    for _ in 0..4 {
        let free = SLOT.iter().enumerate().filter(|(_, slot)| matches!(slot.state.load(Relaxed), EMPTY | FREED));
        let (number, slot) = free.min_by_key(|(_, slot)| slot.freed_at.load(Relaxed))?;
        let was = slot.state.load(Relaxed);
        if matches!(was, EMPTY | FREED) && slot.state.compare_exchange(was, BUSY, AcqRel, Relaxed).is_ok() {
            if was == FREED && level() != Level::Full {
                sampled::unmark(slot.address.load(Relaxed));
            }
            return Some(number);
        }
    }
    None
}

/// The size of a live block.
pub fn size_of(block: *mut c_void) -> Option<usize> {
    if !owns(block as usize) {
        return None;
    }
    let slot = SLOT.get(slot_of(block as usize).0)?;
    let its = slot.state.load(Acquire) == LIVE && slot.address.load(Relaxed) == block as usize;
    its.then(|| slot.size.load(Relaxed))
}

/// An address of the pool is freed. `call`: who asks what is wrong with that; nobody where the table of all blocks has said so.
/// Async-signal-safe.
#[cold]
#[inline(never)]
pub fn free(block: usize, call: Option<&Call>) {
    let (number, _) = slot_of(block);
    let Some(slot) = SLOT.get(number) else { return };
    let mut way = thread::enter();
    let by = match &mut way {
        Way::Full(scope) => {
            let stack = scope.stack();
            Party { tid: Tid(scope.state.tid.load(Relaxed)), stack: StackId(stack) }
        }
        Way::Nested(state) => Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(0) },
        Way::Out => Party::ABSENT,
    };
    let its = slot.address.load(Relaxed) == block;
    if !its || slot.state.compare_exchange(LIVE, BUSY, AcqRel, Relaxed).is_err() {
        if let (Way::Full(scope), Some(call)) = (&mut way, call) {
            wrong_free(scope, block, number, by, call);
        }
        return;
    }
    let size = slot.size.load(Relaxed);
    if let Way::Full(scope) = &mut way {
        look_at_slack(scope, slot, block, size, by);
    }
    slot.stacks[1].store(by.stack.0, Relaxed);
    slot.tids[1].store(by.tid.0, Relaxed);
    close(number);
    slot.freed_at.store(FREES.fetch_add(1, Relaxed), Relaxed);
    slot.state.store(FREED, Release);
}

/// Nobody may touch the slot, nor the pages around it, of which `protect` may have opened one.
fn close(number: usize) {
    // SAFETY: a busy slot is ours, and so are the pages around it.
    unsafe { sys::mprotect(body(number) - page(), (PAGES + 2) * page(), libc::PROT_NONE) };
}

fn party(slot: &Slot, which: usize) -> Party {
    Party { tid: Tid(slot.tids[which].load(Relaxed)), stack: StackId(slot.stacks[which].load(Relaxed)) }
}

fn about(slot: &Slot, at: usize) -> Block {
    let address = slot.address.load(Relaxed);
    Block {
        address: address as u64,
        size: slot.size.load(Relaxed) as u64,
        offset: at.wrapping_sub(address) as isize as i64,
        sight: sight::GUARD,
        ..Block::default()
    }
}

/// What was written beside the block, where its pages reach.
fn look_at_slack(scope: &mut Scope, slot: &Slot, block: usize, size: usize, by: Party) {
    for (side, (at, len)) in slack(block, size).into_iter().enumerate() {
        // SAFETY: inside of the slot's open pages, which are ours again.
        let zone = unsafe { core::slice::from_raw_parts(at as *const u8, len) };
        let Some((first, last)) = pattern::damage(zone, at, redzone::secret()) else { continue };
        let (kind, nearest) =
            if side == 0 { (Kind::HeapUnderflow, at + last) } else { (Kind::HeapOverflow, at + first) };
        let mut block = Block { access: access::WRITE, sight: sight::CANARY, ..about(slot, nearest) };
        let [(low, in_front), (high, behind)] = slack(block.address as usize, size);
        let ends = (-(in_front as i64), (high + behind) as i64 - (low + in_front) as i64);
        redzone::show(&mut block, ends, side == 0, Eyes::Owner);
        let parties = [(Role::Here, by), (Role::Allocated, party(slot, 0))];
        publish(scope, kind, Severity::Error, block, &parties, b"");
    }
}

/// A free of what is no live block's start.
fn wrong_free(scope: &mut Scope, block: usize, number: usize, by: Party, call: &Call) {
    let slot = &SLOT[number];
    let mut what = Block { freed: call.family as u8, ..about(slot, block) };
    let state = slot.state.load(Acquire);
    if state == FREED && what.offset == 0 {
        let parties = [(Role::Here, by), (Role::Freed, party(slot, 1)), (Role::Allocated, party(slot, 0))];
        publish(scope, Kind::HeapDoubleFree, Severity::Error, what, &parties, call.name.as_bytes());
    } else if state != BUSY {
        let size = what.size as i64;
        what.place = match what.offset {
            at if state == LIVE && at > 0 && at < size => place::INSIDE,
            at if state == LIVE && at == size => place::BEHIND,
            _ => place::UNKNOWN,
        };
        let mut parties = [(Role::Here, by), (Role::Allocated, party(slot, 0))];
        if what.place == place::UNKNOWN {
            what = Block { address: block as u64, size: 0, offset: 0, ..what };
            parties[1].1 = Party::ABSENT;
        }
        publish(scope, Kind::HeapInvalidFree, Severity::Error, what, &parties, call.name.as_bytes());
    }
    if protects() {
        recording::count(Counter::FreesRefused);
    }
}

/// The block that a faulting address is about: that of its slot, or, in a closed page, the nearer one of its neighbours.
fn block_near(address: usize) -> Option<&'static Slot> {
    let (number, between) = slot_of(address);
    let known = |slot: &&Slot| matches!(slot.state.load(Acquire), LIVE | FREED) && slot.address.load(Relaxed) != 0;
    let distance = |slot: &Slot| {
        let (start, size) = (slot.address.load(Relaxed), slot.size.load(Relaxed));
        if address < start { start - address } else { address.saturating_sub(start + size) }
    };
    let before = if between { number.checked_sub(1).and_then(|n| SLOT.get(n)) } else { None };
    let found = [before, SLOT.get(number)].into_iter().flatten().filter(known).min_by_key(|slot| distance(slot))?;
    Some(found)
}

/// The program touched a closed page of the pool. True: it may go on, the page is open now.
#[cold]
#[inline(never)]
pub fn fault(address: usize, writes: Option<bool>, registers: Registers) -> bool {
    let Way::Full(mut scope) = thread::enter() else { return false };
    let Some(slot) = block_near(address) else { return false };
    let freed = slot.state.load(Acquire) == FREED;
    let mut block = Block {
        access: match writes {
            Some(true) => access::WRITE,
            Some(false) => access::READ,
            None => access::NONE,
        },
        ..about(slot, address)
    };
    let kind = match block.offset {
        _ if freed => Kind::HeapUseAfterFree,
        offset if offset < 0 => Kind::HeapUnderflow,
        offset if offset as u64 >= block.size => Kind::HeapOverflow,
        // In the middle of a live block: it was freed and handed out again since.
        _ => return false,
    };
    start::materialise();
    let state = scope.state;
    let stack = if state.is_short_of_stack() || !scope.inner().unwinding.is_made() {
        recording::count(Counter::Reentered);
        0
    } else {
        unwind::capture_interrupted(state, &mut scope.inner().unwinding, registers)
    };
    let here = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(stack) };
    // With `heap=full` the table knows more of it.
    let life = shadow::entry(block.address as usize).and_then(|entry| entry.facts()).filter(|_| freed);
    let parties = match life.filter(|facts| facts.low == shadow::low(block.address as usize)) {
        Some(facts) => after_free(&mut block, &facts, here),
        None => {
            let releaser = if freed { party(slot, 1) } else { Party::ABSENT };
            let allocator = (Role::Allocated, party(slot, 0));
            [(Role::Here, here), (Role::Freed, releaser), allocator, (Role::Locked, Party::ABSENT)]
        }
    };
    publish(&mut scope, kind, Severity::Error, block, &parties, b"");
    let page = page();
    // SAFETY: a page of the pool. What is read there is what was there; it is closed again with the slot.
    protects() && unsafe { sys::mprotect(address & !(page - 1), page, libc::PROT_READ | libc::PROT_WRITE) }
}

/// In a forked child: a slot that another thread was at work on is nobody's.
pub fn after_fork() {
    for (number, slot) in SLOT.iter().enumerate().filter(|(_, slot)| slot.state.load(Relaxed) == BUSY) {
        close(number);
        slot.state.store(EMPTY, Relaxed);
    }
}
