//! L5: memory that is given back while somebody holds a lock in it: free, delete, realloc, munmap, dlclose, and the stack of a thread that ends.
//!
//! ```text
//! free      the thread's own list, if it holds anything           every level of heap=
//!           the others' lists, where a lock was ever taken there  heap=full
//! munmap    all lists
//! a stack   all lists
//! dlclose   all lists: who holds what of a module before; what of it is held still, and gone, after
//! ```
//!
//! Why a right program is never meant: a hold leaves the list before the real unlock, and whoever frees the memory has learned
//! of that unlock in some way, be it the lock itself.
//!
//! Why the lists and not an index of locks by address: taking a lock shall cost nothing for this. A free by a thread that
//! holds nothing is one comparison; [`PLACES`], written once per lock, keeps `heap=full` from reading every list at every free.
//!
//! **Sizes.** A block's end is asked of the allocator, if it is one that answers (`malloc_usable_size` beside its malloc). Of
//! glibc's the word before the block is looked at first, as its free does: a pointer that is no block shall reach free as it is,
//! which says so better.
#![allow(unsafe_code)] // Safety: reads the word that glibc's free reads first; asks the allocator for the size of a block that is being freed to it.

use super::report::Found;
use super::{Own, on, report};
use crate::heap::allocator;
use crate::heap::{Level, full, guard, level};
use crate::roster::slots;
use crate::thread::{self, Entry, Scope, State};
use crate::{resolve, start, sys, unwind};
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU8, AtomicU64};
use record::kind::Severity;
use record::layout::module_flag;
use record::lock::act;
use track::lock::{HoldFacts, What};

/// What can be asked about the size of a block.
const NOTHING: u8 = 0;
const ALLOCATOR: u8 = 1;
const GLIBC: u8 = 2;
static SIZES: AtomicU8 = AtomicU8::new(NOTHING);

/// At start, with the modules known.
pub fn start() {
    unwind::with_modules(|modules| {
        let object = |slot: &resolve::Slot| slot.resolved().and_then(|at| modules.object(at.get() as u64));
        let (Some(malloc), Some(usable)) = (object(&slots::malloc), object(&slots::malloc_usable_size)) else { return };
        let answers = malloc.start == usable.start && !crate::heap::elsewhere::is_owner();
        let sizes = if malloc.flags & module_flag::LIBC != 0 { GLIBC } else { ALLOCATOR };
        SIZES.store(if answers { sizes } else { NOTHING }, Relaxed);
    });
}

/// Places where locks have been taken: a bit for each hash of 256 bytes of addresses.
#[unsafe(link_section = ".bss.tables")]
static PLACES: [AtomicU64; PLACE_WORDS] = [const { AtomicU64::new(0) }; PLACE_WORDS];
const PLACE_WORDS: usize = 1 << 10;
const PLACE_BITS: u32 = 8;
/// A larger range is not looked up there place by place.
const MANY_PLACES: usize = 64 << PLACE_BITS;

fn place_of(address: usize) -> (&'static AtomicU64, u64) {
    let hash = ((address >> PLACE_BITS) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    (&PLACES[hash as usize / 64 % PLACE_WORDS], 1 << (hash % 64))
}

/// A lock has been taken here for the first time, or for the first time in long.
pub fn took_in(lock: usize) {
    let (word, bit) = place_of(lock);
    if word.load(Relaxed) & bit == 0 {
        word.fetch_or(bit, Relaxed);
    }
}

fn may_have_locks(range: &Range<usize>) -> bool {
    range.len() > MANY_PLACES
        || (range.start >> PLACE_BITS..=range.end.wrapping_sub(1) >> PLACE_BITS).any(|place| {
            let (word, bit) = place_of(place << PLACE_BITS);
            word.load(Relaxed) & bit != 0
        })
}

/// Does the thread hold anything, as far as it is watched?
#[inline(always)]
pub fn holding() -> bool {
    thread::block().locks().is_some_and(|own| !own.holder.is_empty())
}

/// A block that is not `special` is about to be freed on the fast path.
#[inline(always)]
pub fn freeing_plain(block: usize, call: &'static str) {
    if let Some(own) = thread::block().locks().filter(|own| !own.holder.is_empty()) {
        freeing_holding(own, block, call);
    }
}

/// Most frees under a lock are of blocks that have none in them, which glibc's word before the block shows.
#[inline(never)]
fn freeing_holding(own: &Own, block: usize, call: &'static str) {
    if SIZES.load(Relaxed) != GLIBC || block != 0 && own.holder.inside(&by_glibc(block), 0).is_some() {
        freeing(block, call);
    }
}

/// No less than the memory of one of glibc's blocks, or of the bootstrap arena's.
#[inline(always)]
fn by_glibc(block: usize) -> Range<usize> {
    // SAFETY: the caller frees this block: the first that libc's free does is to read this word. It is the size, with flags.
    let word = unsafe { core::ptr::read_volatile((block - size_of::<usize>()) as *const usize) };
    block..block.wrapping_add(word & !7)
}

/// Can the allocator be asked how large its blocks are?
pub fn knows_sizes() -> bool {
    SIZES.load(Relaxed) != NOTHING
}

/// The memory of a block, as far as the allocator can be asked. Nothing, too, when it `reaches` nothing.
pub fn extent(block: usize, reaches: impl Fn(&Range<usize>) -> bool) -> Option<Range<usize>> {
    let sizes = SIZES.load(Relaxed);
    if block == 0 || level() == Level::Full || sizes == NOTHING || resolve::is_bootstrap(block as *const _) {
        return None;
    }
    if let Some(size) = guard::size_of(block as *mut _) {
        return Some(block..block.saturating_add(size));
    }
    if sizes == GLIBC && !reaches(&by_glibc(block)) {
        return None;
    }
    // SAFETY: a block that the caller frees.
    let size = unsafe { allocator::usable_size(block as *mut _) };
    Some(block..block.saturating_add(size))
}

/// A block is about to be freed by a thread that is [`holding`] something.
#[cold]
#[inline(never)]
pub fn freeing(block: usize, call: &'static str) {
    let Some(own) = thread::block().locks() else { return };
    let reaches = |range: &Range<usize>| own.holder.inside(range, 0).is_some();
    if let Some(range) = extent(block, reaches).filter(reaches) {
        let errno = sys::errno();
        if let Entry::Full(mut scope) = thread::enter() {
            mine(&mut scope, &range, call, act::FREE);
        }
        sys::set_errno(errno);
    }
}

/// With `heap=full`: this block is being freed, by whoever has just made sure that it is one.
#[inline(always)]
pub fn freed(scope: &mut Scope, block: usize, size: u64, call: &'static str) {
    let range = block..block.saturating_add(size as usize);
    if holding() {
        mine(scope, &range, call, act::FREE);
    }
    if !thread::alone() && on() && may_have_locks(&range) {
        others(scope, &range, call, act::FREE);
    }
}

/// A range is about to be unmapped.
#[inline(always)]
pub fn unmapping(start: usize, len: usize) {
    if on() && len != 0 && (holding() || !thread::alone()) {
        unmapped(start..start.saturating_add(len));
    }
}

#[cold]
#[inline(never)]
fn unmapped(range: Range<usize>) {
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        mine(&mut scope, &range, "munmap", act::UNMAP);
        others(&mut scope, &range, "munmap", act::UNMAP);
    }
    sys::set_errno(errno);
}

/// What the thread itself holds there.
fn mine(scope: &mut Scope, range: &Range<usize>, call: &'static str, by: u8) {
    let state = scope.state;
    look(scope, state, range, call, by);
}

/// What others hold there.
#[inline(never)]
fn others(scope: &mut Scope, range: &Range<usize>, call: &'static str, by: u8) {
    for state in super::holds::others(scope) {
        look(scope, state, range, call, by);
    }
}

#[inline(always)]
fn look(scope: &mut Scope, state: &'static State, range: &Range<usize>, call: &'static str, by: u8) {
    if state.locks.holder.inside(range, 0).is_some() {
        tell(scope, state, range, call, by);
    }
}

/// Once for each hold.
#[cold]
#[inline(never)]
fn tell(scope: &mut Scope, state: &'static State, range: &Range<usize>, call: &'static str, by: u8) {
    start::notice_fork();
    let holder = &state.locks.holder;
    let mut at = 0;
    while let Some(found) = holder.inside(range, at) {
        at = found + 1;
        if let Some(held) = holder.facts(found).filter(is_bound) {
            holder.hold(found).mark(What::TOLD);
            report::freed_held(scope, &held, state, call, by);
        }
    }
}

/// Is it wrong to give back the memory of a lock that is held so? What waits with a mutex has let it go, and what other processes
/// share they may go on with.
fn is_bound(held: &HoldFacts) -> bool {
    held.what.counts(start::epoch()) && !held.what.has(What::WAITING) && !held.what.has(What::SHARED)
}

/// How far below a thread's description its stack may reach, where it lies at the stack's top.
const STACK_MOST: usize = 64 << 20;

/// The calling thread ends, and its stack goes, with what others hold there.
pub fn stack_goes(scope: &mut Scope) {
    let state = scope.state;
    let top = state.description.load(Relaxed) as usize;
    if thread::alone() || state.is_main() {
        return;
    }
    // Its bounds cost a call into libc: asked for when there is something about where it must be.
    let about = top.saturating_sub(STACK_MOST)..top;
    if super::holds::others(scope).any(|other| other.locks.holder.inside(&about, 0).is_some()) {
        let (low, high) = state.stack_at_end();
        others(scope, &(low as usize..high as usize), "", act::UNMAP);
    }
}

/// A block of the heap that is being reallocated, with a lock in it that the thread holds.
pub struct Moving {
    range: Range<usize>,
    lock: usize,
}

/// Before a realloc.
#[cold]
#[inline(never)]
pub fn moving(block: usize) -> Option<Moving> {
    let own = thread::block().locks()?;
    let reaches = |range: &Range<usize>| own.holder.inside(range, 0).is_some();
    let range = if level() == Level::Full { full::extent(block) } else { extent(block, reaches) }.filter(reaches)?;
    let held = own.holder.facts(own.holder.inside(&range, 0)?).filter(is_bound)?;
    Some(Moving { range, lock: held.lock })
}

/// The block lies elsewhere now, or is no more: a lock cannot be moved. Not when it has stayed, and the lock is still in it.
#[cold]
#[inline(never)]
pub fn moved(before: &Moving, block: usize, size: usize) {
    let failed = block == 0 && size != 0;
    let kept = block == before.range.start && before.lock - block < size;
    if failed || kept {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter() {
        let from = if block == before.range.start { block + size } else { before.range.start };
        mine(&mut scope, &(from..before.range.end), "realloc", act::FREE);
    }
    sys::set_errno(errno);
}

/// Who holds locks in modules that may be about to be unloaded.
pub struct Unloading {
    found: [Option<(&'static State, Found)>; 8],
}

/// Before a dlclose. Nothing: nobody holds a lock in a module other than the program.
pub fn unloading() -> Option<Unloading> {
    if !on() {
        return None;
    }
    let mut held = Unloading { found: [None; 8] };
    let mut places = held.found.iter_mut();
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter() {
        start::notice_fork();
        for state in thread::registry().filter(|state| state.is_live()) {
            for hold in state.locks.holder.all().filter(is_bound) {
                let unloadable =
                    unwind::module_of(scope.state, hold.lock as u64).is_some_and(|m| m.recorded != Some(0));
                if !unloadable {
                    continue;
                }
                let Some(place) = places.next() else { break };
                *place = Some((state, report::going(&mut scope, &hold, state, "dlclose", act::UNLOAD)));
            }
        }
    }
    sys::set_errno(errno);
    held.found[0].is_some().then_some(held)
}

/// After the dlclose that has unloaded something: destructors of the module may have let its locks go.
pub fn unloaded(before: &Unloading) {
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter() {
        for (holder, found) in before.found.iter().flatten() {
            let lock = found.lock();
            if unwind::module_of(scope.state, lock as u64).is_some() {
                continue;
            }
            if let Some(at) = holder.locks.holder.find(lock) {
                holder.locks.holder.hold(at).mark(What::TOLD);
                found.publish(&mut scope, Severity::Error);
            }
        }
    }
    sys::set_errno(errno);
}
