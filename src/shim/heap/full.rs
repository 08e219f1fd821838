//! `heap=full`: every block has an entry in the side table, with the stacks and threads of its allocation and its free.
//!
//! Order of the steps: an entry is written after the allocator has handed the block out and before the program has it; it is
//! freed before the allocator gets it back. So an entry is only ever changed by the one who owns the address (see
//! `track::heap::Entry`), and no lock is needed.
//!
//! Where a call cannot be followed (inside a libc function that we called, in a vfork child, after the thread's end) the
//! entry is marked as untracked or cleared: an entry that says too little is silent, one that is out of date would lie.
#![allow(unsafe_code)] // Safety: calls the real allocator as the hooks were called.

use super::{accounts, guard, is_reinforced, quarantine, redzone, shadow};
use crate::heap::allocator;
use crate::thread::{self, Entry as Way, Scope};
use crate::{locks, start, unwind};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use libc::c_void;
use record::layout::module_flag;
use track::fd::{Party, StackId, Tid};
use track::heap::pattern::REDZONE;
use track::heap::{Entry, Facts, Family, Freeing, State};

mod misuse;
mod moving;

pub use misuse::{after_free, publish};
use misuse::{again, invalid, mismatch, stranger};
pub use moving::realloc;

/// The allocator is not glibc's, whose blocks are a granule apart by themselves.
static DENSE: AtomicBool = AtomicBool::new(false);

/// Maps the table. False: there is no address space.
pub fn start() -> bool {
    unwind::with_modules(|modules| {
        let allocator = crate::roster::slots::malloc.resolved().and_then(|at| modules.object(at.get() as u64));
        DENSE.store(allocator.is_none_or(|o| o.flags & module_flag::LIBC == 0), Relaxed);
    });
    shadow::start()
}

/// The allocator is libc's own.
pub fn is_glibc() -> bool {
    !DENSE.load(Relaxed)
}

/// What the allocator is asked for: no less than a granule of the table, where blocks may be nearer together than that.
#[inline(always)]
pub fn request(size: usize) -> usize {
    if DENSE.load(Relaxed) && size < shadow::SMALLEST { shadow::SMALLEST } else { size }
}

/// A call of the program that allocates or frees.
pub struct Call {
    pub family: Family,
    /// Its name, for people.
    pub name: &'static str,
}

/// What the hook shall do with a pointer that the program wants to free.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The allocator gets this: its own pointer, which need not be the program's.
    Free(*mut c_void),
    Refuse,
    /// It lies in the quarantine: nothing.
    Held,
}

/// What the allocator has returned, and the redzone that there is room for in front.
#[derive(Clone, Copy)]
pub struct Obtained {
    pub block: *mut c_void,
    pub front: usize,
}

impl From<*mut c_void> for Obtained {
    #[inline(always)]
    fn from(block: *mut c_void) -> Self {
        Self { block, front: 0 }
    }
}

/// Asks the allocator for a block of `size` bytes, and for what we need around it. `align` 0 or 1: as malloc aligns.
#[inline(always)]
pub fn obtain(size: usize, align: usize, ask: impl Fn(usize) -> *mut c_void) -> Obtained {
    if is_reinforced() { obtain_with_room(size, align, ask) } else { ask(request(size)).into() }
}

#[inline(never)]
fn obtain_with_room(size: usize, align: usize, ask: impl Fn(usize) -> *mut c_void) -> Obtained {
    if guard::is_due_in_full() {
        let block = guard::allocate(size, align);
        if !block.is_null() {
            return block.into();
        }
    }
    let front = redzone::front(align);
    let whole = if front == 0 { request(size) } else { size.saturating_add(front + REDZONE) };
    let mut block = ask(whole);
    // Out of memory, perhaps because of what we hold: without it, and then without redzones.
    if block.is_null() && whole <= isize::MAX as usize && quarantine::evict_all() {
        block = ask(whole);
    }
    if block.is_null() && front != 0 {
        return ask(request(size)).into();
    }
    Obtained { block, front }
}

/// The allocator has returned a block for `size` bytes; the program's pointer.
///
/// # Errors
/// None: what cannot be followed is marked so. Async-signal-safe.
#[inline(always)]
pub fn allocated(got: Obtained, size: usize, call: &Call) -> *mut c_void {
    let block = got.block.wrapping_byte_add(got.front);
    let address = block as usize;
    let Some(entry) = shadow::entry_of_new(address) else { return not_moved(got) };
    match thread::enter_registered() {
        Some(mut scope) => allocated_in(&mut scope, entry, address, size, got.front, call),
        None => return allocated_slowly(entry, got, size, call),
    }
    block
}

#[inline(always)]
fn allocated_in(scope: &mut Scope, entry: &Entry, address: usize, size: usize, front: usize, call: &Call) {
    if front != 0 {
        redzone::fill(address, size, front);
    }
    let stack = scope.stack();
    let state = scope.state;
    let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(stack) };
    let born = accounts::now_ms();
    entry.allocated(shadow::low(address), size as u64, call.family, front, start::epoch(), born, by);
    if let Some(accounts) = accounts::of(state) {
        accounts.allocated(state.entry, stack, size as u64);
    }
}

/// A thread's first call, or one that is not to be followed.
#[cold]
#[inline(never)]
fn allocated_slowly(entry: &Entry, got: Obtained, size: usize, call: &Call) -> *mut c_void {
    let front = got.front;
    let block = got.block.wrapping_byte_add(front);
    let address = block as usize;
    match thread::enter() {
        Way::Full(mut scope) => allocated_in(&mut scope, entry, address, size, front, call),
        Way::Nested(state) => {
            if front != 0 {
                redzone::fill(address, size, front);
            }
            let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(0) };
            let low = shadow::low(address);
            entry.allocated(low, size as u64, call.family, front, start::epoch(), accounts::now_ms(), by);
        }
        Way::Out => return not_moved(got),
    }
    block
}

/// Where nothing can be kept of a block, it is handed out as the allocator returned it.
#[cold]
#[inline(never)]
fn not_moved(got: Obtained) -> *mut c_void {
    let address = got.block as usize;
    if let Some(entry) = shadow::entry_of_new(address) {
        entry.untrack(shadow::low(address));
    }
    got.block
}

/// The program frees `block`, which is not null.
#[inline(always)]
pub fn freeing(block: *mut c_void, call: &Call) -> Verdict {
    let address = block as usize;
    let Some(entry) = shadow::entry(address) else {
        return stranger(address, call);
    };
    match thread::enter_registered() {
        Some(mut scope) => freeing_in(&mut scope, entry, address, call),
        None => freeing_slowly(entry, address, call),
    }
}

#[inline(always)]
fn freeing_in(scope: &mut Scope, entry: &Entry, address: usize, call: &Call) -> Verdict {
    let stack = scope.stack();
    let state = scope.state;
    let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(stack) };
    let held = is_reinforced() && quarantine::wants(address, entry);
    match entry.free(shadow::low(address), call.family, held, thread::alone(), by) {
        Freeing::Freed(ended) => {
            if let Some(accounts) = accounts::of(state).filter(|_| ended.epoch() == start::epoch()) {
                accounts.freed(state.entry, entry.allocating_stack().0, entry.size(), ended.born());
            }
            // A realloc may leave the block where it is.
            if state.moving.load(Relaxed) == 0 {
                locks::memory::freed(scope, address, entry.size(), call.name);
            }
            if !ended.allocated().fits(call.family) {
                mismatch(scope, address, entry, by, call);
            }
            if held || ended.moved() {
                return given_up(scope, address, entry, by);
            }
            Verdict::Free(address as *mut c_void)
        }
        other => fault(scope, other, entry, address, by, call),
    }
}

/// A block with redzones, or one that goes into the quarantine, was freed for the first time.
#[inline(never)]
fn given_up(scope: &mut Scope, address: usize, entry: &Entry, by: Party) -> Verdict {
    let Some(facts) = &entry.facts() else { return Verdict::Held };
    let damage = redzone::look(address, facts, redzone::Eyes::Owner);
    if !damage.is_none() {
        // Whose free it is, `here` says.
        let facts = &Facts { releaser: Party::ABSENT, ..*facts };
        redzone::report(scope, address, facts, damage, by, redzone::Eyes::Owner);
        redzone::fill(address, facts.size as usize, facts.front);
    }
    if facts.state == State::Quarantined {
        quarantine::hold(scope, address, facts);
    }
    the_allocators(address, facts)
}

/// What the allocator gets of a block: its own pointer, or nothing, as long as it lies in the quarantine.
#[inline(always)]
fn the_allocators(address: usize, facts: &Facts) -> Verdict {
    match facts.state {
        State::Quarantined => Verdict::Held,
        _ => Verdict::Free((address - facts.front) as *mut c_void),
    }
}

/// The same of what the table says of this very address.
fn as_the_table_says(address: usize, entry: &Entry) -> Verdict {
    let facts = entry.facts().filter(|facts| facts.low == shadow::low(address));
    facts.map_or(Verdict::Free(address as *mut c_void), |facts| the_allocators(address, &facts))
}

#[cold]
#[inline(never)]
fn fault(scope: &mut Scope, found: Freeing, entry: &Entry, address: usize, by: Party, call: &Call) -> Verdict {
    match found {
        Freeing::Freed(_) | Freeing::Untracked => Verdict::Free(address as *mut c_void),
        Freeing::Again => again(scope, address, entry, by, call),
        Freeing::Beside | Freeing::Unknown => invalid(scope, address, by, call),
    }
}

#[cold]
#[inline(never)]
fn freeing_slowly(entry: &Entry, address: usize, call: &Call) -> Verdict {
    let low = shadow::low(address);
    match thread::enter() {
        Way::Full(mut scope) => freeing_in(&mut scope, entry, address, call),
        Way::Nested(state) => {
            let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(0) };
            // A fault is not told from here, where no report can be made; the allocator has the last word.
            entry.free(low, call.family, false, false, by);
            as_the_table_says(address, entry)
        }
        Way::Out => {
            let verdict = as_the_table_says(address, entry);
            if entry.state().1 == low && verdict != Verdict::Held {
                entry.clear();
            }
            verdict
        }
    }
}

/// What malloc_usable_size says of a block with redzones: what the program asked for.
pub fn usable(block: *mut c_void) -> Option<usize> {
    live(block).filter(|facts| facts.moved).map(|facts| facts.size as usize)
}

/// The memory of a live block.
pub fn extent(block: usize) -> Option<core::ops::Range<usize>> {
    live(block as *mut c_void).map(|facts| block..block.saturating_add(facts.size as usize))
}

fn live(block: *mut c_void) -> Option<Facts> {
    let facts = shadow::entry(block as usize)?.facts()?;
    (facts.state == State::Live && facts.low == shadow::low(block as usize)).then_some(facts)
}

/// The call that would have freed it failed.
pub fn kept(block: *mut c_void) {
    if let Some(entry) = shadow::entry(block as usize) {
        entry.keep();
    }
}

/// To the allocator, or to the pool of guard pages.
///
/// # Safety
/// What [`Verdict::Free`] says.
#[inline(always)]
pub unsafe fn give_back(its: *mut c_void) {
    if is_reinforced() && guard::owns(its as usize) {
        return guard::free(its as usize, None);
    }
    // SAFETY: the caller's. A level means that the real functions are known.
    unsafe { allocator::free(its) }
}
