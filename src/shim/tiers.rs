//! `tiers=FILE`: heap blocks on the memory that they belong on.
//!
//! ```text
//! hooks/heap.rs ─► heap/allocator.rs  wants(size)? ── no ──► the allocator under us: one compare was added
//!                        │ yes
//!                        ▼
//!                  place()            who calls: decide.rs, a cache of the thread's own, checked frame by frame
//!                        │ not seen   ► the stack is unwound, tier::rules decides, under DECIDING
//!                        ▼
//!                  at_hand.rs         what this thread freed last at this site; else
//!                  tier::memory       a block; when there is no room, where the tier's `full` leads
//!                        ▼
//!                  accounts.rs        per site, rule and tier: what the thread has not told yet
//! free, realloc, malloc_usable_size: owns(block)?  one compare; blocks of the ordinary heap never come here
//! ```
//!
//! Why below the heap's levels: `heap=full`, the quarantine and guard pages ask for memory as they always do, and get it from a tier
//! when a rule says so.
//!
//! **Signals.** malloc is not async-signal-safe, and yet programs call it in handlers. A handler that interrupts a thread inside a
//! tier (`Own::busy`) gets an ordinary block; a block of a tier that it frees is left where it is.
//!
//! **A wrong tier is no wrong answer.** Every block is memory of the size and alignment that was asked for, wherever it lies: what a
//! decision gets wrong costs time, never correctness. That is why the cache may believe what it compares (see `decide`).
#![allow(unsafe_code)] // Safety: blocks go to the side that they came from, told by their address.

pub mod accounts;
pub mod at_hand;
pub mod decide;
mod names;
mod os;
mod report;
mod start;
mod verify;

pub use start::{before_fork, fork_in_child, fork_in_parent, missed_fork, start};

use crate::thread;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, compiler_fence};
use decide::{Beyond, Decision};
use libc::c_void;
use record::layout::Section;
use tier::memory::{Memory, Obtained};

/// The sizes that some rule wants, as its first and how many more; none while there are no tiers.
static FLOOR: AtomicUsize = AtomicUsize::new(usize::MAX);
static SPAN: AtomicUsize = AtomicUsize::new(0);
/// The addresses of all tiers.
static BASE: AtomicUsize = AtomicUsize::new(0);
static LEN: AtomicUsize = AtomicUsize::new(0);
/// See `tier::memory::Memory::large_bit`.
static LARGE_BIT: AtomicU32 = AtomicU32::new(0);
static MEMORY: AtomicPtr<Memory> = AtomicPtr::new(null_mut());
/// For each 16 bytes of the tiers' addresses, the site of the block that begins there, and one: a sparse mapping.
static SITES: AtomicUsize = AtomicUsize::new(0);
const GRAIN: u32 = 4;
const _: () = assert!(Section::TierSites.capacity() < u16::MAX as usize);

/// Are there any?
#[inline(always)]
pub fn on() -> bool {
    LEN.load(Relaxed) != 0
}

/// Might a rule want a block of this size? The filter of the hooks.
#[inline(always)]
pub fn wants(size: usize) -> bool {
    size.wrapping_sub(FLOOR.load(Relaxed)) < SPAN.load(Relaxed)
}

/// Where all tiers lie: start and end; both are the same when there are none.
pub fn addresses() -> (u64, u64) {
    let base = BASE.load(Relaxed) as u64;
    (base, base + LEN.load(Relaxed) as u64)
}

/// Does the block lie in a tier?
#[inline(always)]
pub fn owns(block: *const c_void) -> bool {
    (block as usize).wrapping_sub(BASE.load(Relaxed)) < LEN.load(Relaxed)
}

/// Of a block that lies in a tier: is it one of pages of its own?
#[inline(always)]
fn is_large(block: usize) -> bool {
    block.wrapping_sub(BASE.load(Relaxed)) >> LARGE_BIT.load(Relaxed) & 1 != 0
}

#[inline(always)]
fn memory() -> Option<&'static Memory> {
    // SAFETY: null, or set once by `start` and never freed.
    unsafe { MEMORY.load(Acquire).as_ref() }
}

/// What came of the wish for a block in a tier.
pub enum Placed {
    /// There it is; null: the tier is full, and its rule wants that to be an error.
    Block(*mut c_void),
    /// The allocator under us.
    Ordinary,
}

/// A block where the rules want it.
#[inline(never)]
pub fn place(size: usize, align: usize, zeroed: bool) -> Placed {
    let Some(memory) = memory() else { return Placed::Ordinary };
    let Some(own) = decide::own() else { return Placed::Ordinary };
    let Some(decision) = own.decide(size) else { return Placed::Ordinary };
    if decision.tier == 0 {
        return Placed::Ordinary;
    }
    if let Some(block) = at_hand::take(own, &decision, size, align) {
        if zeroed {
            // SAFETY: a block of at least so many bytes, which nobody else has.
            unsafe { block.cast::<u8>().write_bytes(0, size) };
        }
        return Placed::Block(block);
    }
    place_new(memory, own, decision, size, align, zeroed)
}

/// A block of the allocator inside.
#[inline(never)]
fn place_new(
    memory: &'static Memory,
    own: &'static Own,
    decision: Decision,
    size: usize,
    align: usize,
    zeroed: bool,
) -> Placed {
    let Some(busy) = own.hold() else { return Placed::Ordinary };
    let (mut tier, mut rule) = (decision.tier, true);
    if !accounts::reserve(&decision, size) {
        rule = false;
        match decision.beyond {
            Beyond(0) | Beyond::FAIL => {
                own.accounts.elsewhere(&decision, size as u64, None);
                drop(busy);
                let there = (decision.beyond != Beyond::FAIL).then_some(0);
                report::full(&decision, size, there, true);
                return if there.is_none() { failed() } else { Placed::Ordinary };
            }
            Beyond(next) => tier = next,
        }
    }
    let mut got = memory.allocate(tier, size, align, zeroed);
    if !matches!(got, Obtained::Block { tier: there, .. } if there == tier) && at_hand::put_all_down(&own.accounts) {
        if let Obtained::Block { block, .. } = got {
            memory.free(block);
        }
        got = memory.allocate(tier, size, align, zeroed);
    }
    match got {
        Obtained::Block { block, tier: there, usable } => {
            let mut site = decision.site;
            if there != decision.tier || !rule {
                site = decide::site_elsewhere(site, rule, there);
                own.accounts.elsewhere(&decision, size as u64, Some(there));
            }
            if rule {
                accounts::correct(decision.account, (usable as u64).wrapping_sub(size as u64));
            }
            mark_at(block.as_ptr() as usize, if site == 0 { NO_SITE } else { site });
            own.accounts.allocated(site, usable as u64);
            drop(busy);
            if there != decision.tier || !rule {
                report::full(&decision, size, Some(there), !rule);
            }
            Placed::Block(block.as_ptr().cast())
        }
        got => {
            if rule {
                accounts::correct(decision.account, (size as u64).wrapping_neg());
            }
            own.accounts.elsewhere(&decision, size as u64, None);
            drop(busy);
            let there = matches!(got, Obtained::Heap).then_some(0);
            report::full(&decision, size, there, !rule);
            if there.is_some() { Placed::Ordinary } else { failed() }
        }
    }
}

/// As [`place`], for malloc in a thread that [`quick`] knows.
#[inline(always)]
pub fn place_quickly(own: &'static Own, size: usize) -> Placed {
    if thread::is_idle() {
        if let Some(decision) = own.known(size) {
            if decision.tier == 0 {
                return Placed::Ordinary;
            }
            if let Some(block) = at_hand::take(own, decision, size, 1) {
                return Placed::Block(block);
            }
        }
    }
    place(size, 16, false)
}

/// A registered thread that has tiers and of whose blocks nothing more is wanted than that they are counted, and its entry.
#[inline(always)]
pub fn quick() -> Option<(&'static Own, &'static record::layout::Thread)> {
    let own = thread::block().tiers()?;
    let entry = own.entry.load(Relaxed);
    // SAFETY: null, or an entry of the recording, which stays mapped (`Own::begin`).
    (!entry.is_null()).then(|| (own, unsafe { &*entry }))
}

/// No block, because the rules want that to be an error.
#[cold]
fn failed() -> Placed {
    crate::sys::set_errno(libc::ENOMEM);
    Placed::Block(null_mut())
}

#[inline(always)]
fn slot(block: usize) -> *mut u16 {
    let at = SITES.load(Relaxed) + (block.wrapping_sub(BASE.load(Relaxed)) >> GRAIN) * size_of::<u16>();
    at as *mut u16
}

/// No live block begins here.
const NO_BLOCK: u16 = 0;
/// A live block begins here, of a site that found no entry.
const NO_SITE: u16 = u16::MAX;

/// `site`: its number and one, or one of the two above.
#[inline(always)]
fn mark_at(block: usize, site: u16) {
    // SAFETY: the block lies in a tier, so its slot in the mapping; its owner alone writes it.
    unsafe { slot(block).write(site) };
}

#[inline(always)]
fn site_at(block: usize) -> u16 {
    // SAFETY: as in `mark_at`.
    unsafe { slot(block).read() }
}

/// The number and one of a live block's site; 0 = it has none.
#[inline(always)]
fn site_of(block: usize) -> u16 {
    let site = site_at(block);
    if site == NO_SITE { 0 } else { site }
}

/// free of a block that [`owns`] knows, by a thread that [`quick`] knows.
#[inline(never)]
pub fn free_quickly(own: &'static Own, block: *mut c_void) {
    if !(thread::is_idle() && at_hand::keep_small(own, block)) {
        free(block);
    }
}

/// free of a block that [`owns`] knows. What is no live block is left alone. By a handler that interrupts its thread in here: the block is left where it is.
#[inline(never)]
pub fn free(block: *mut c_void) {
    let (Some(memory), Some(its)) = (memory(), NonNull::new(block.cast::<u8>())) else { return };
    let own = thread::block().tiers();
    let _busy = match own.map(Own::hold) {
        Some(None) => return,
        held => held,
    };
    let _guard = own.is_none().then(thread::guarded);
    let at = block as usize;
    if site_at(at) == NO_BLOCK {
        return memory.no_block(its);
    }
    let site = site_of(at);
    verify::before_free(memory, its, site);
    mark_at(at, NO_BLOCK);
    let kept = own.and_then(|own| at_hand::keep(own, memory, its, site));
    let held = kept.unwrap_or_else(|| memory.free(its)) as u64;
    accounts::correct(accounts::account_of(site), held.wrapping_neg());
    match own {
        Some(own) => own.accounts.freed(site, held),
        // A thread that is not watched, or has ended.
        None => accounts::freed_unheard(site, held),
    }
}

/// malloc_usable_size of a block that [`owns`] knows.
pub fn usable(block: *mut c_void) -> usize {
    let (Some(memory), Some(its)) = (memory(), NonNull::new(block.cast::<u8>())) else { return 0 };
    memory.usable(its)
}

/// realloc where the old block, or the new size, is a matter of tiers. `ordinary`: the realloc and malloc of the allocator under us.
///
/// # Safety
/// As realloc(3).
#[inline(never)]
pub unsafe fn reallocate(
    block: *mut c_void,
    size: usize,
    ordinary: impl Fn(*mut c_void, usize) -> *mut c_void,
    ordinary_usable: impl Fn(*mut c_void) -> usize,
    ordinary_free: impl Fn(*mut c_void),
) -> *mut c_void {
    let ours = owns(block);
    if size == 0 && !block.is_null() {
        // As glibc has it.
        if !ours {
            return ordinary(block, 0);
        }
        free(block);
        return null_mut();
    }
    let wanted = if wants(size) { decide::own().and_then(|own| own.decide(size)).map_or(0, |d| d.tier) } else { 0 };
    if !ours && wanted == 0 {
        return ordinary(block, size);
    }
    let at = block as usize;
    let Some(memory) = memory() else { return null_mut() };
    if let Some(its) = NonNull::new(block.cast::<u8>()).filter(|_| ours && memory.owner(at) == Some(wanted)) {
        let resized = decide::own().filter(|_| site_at(at) != NO_BLOCK).and_then(|own| {
            let _busy = own.hold()?;
            let before = memory.usable(its) as u64;
            let fits = memory.resize(its, size);
            if fits {
                let after = memory.usable(its) as u64;
                accounts::correct(accounts::account_of(site_of(at)), after.wrapping_sub(before));
                own.accounts.resized(site_of(at), before, after);
            }
            Some(fits)
        });
        if resized == Some(true) {
            return block;
        }
    }
    let new = match if wanted == 0 { Placed::Ordinary } else { place(size, 16, false) } {
        Placed::Block(new) => new,
        Placed::Ordinary if ours => ordinary(null_mut(), size),
        Placed::Ordinary => return ordinary(block, size),
    };
    if !new.is_null() && !block.is_null() {
        let old = if ours { usable(block) } else { ordinary_usable(block) };
        // SAFETY: a new block of `size` bytes, and the old one of `old`, which is the caller's.
        unsafe { core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), old.min(size)) };
        if ours {
            free(block);
        } else {
            ordinary_free(block);
        }
    }
    new
}

/// What a thread keeps for its decisions and has not told.
pub struct Own {
    pub cache: decide::Cache,
    pub accounts: accounts::Accounts,
    /// Its entry in the recording, for [`quick`]; null: it is not.
    entry: AtomicPtr<record::layout::Thread>,
    busy: core::sync::atomic::AtomicBool,
}

/// While a thread is inside a tier: its signal handlers keep out, of the tier and, by the guard, of the private allocator.
struct Busy<'a> {
    own: &'a Own,
    _guard: thread::Guarded,
}

impl Own {
    /// For a thread that is being registered. Made where it will lie, because a new thread may have little stack.
    #[cold]
    #[inline(never)]
    pub fn of_new_thread() -> Option<Box<Self>> {
        if !on() {
            return None;
        }
        let known = decide::Cache::untouched();
        let at = Box::into_raw(Box::<Self>::new_uninit()).cast::<Self>();
        // SAFETY: as many bytes as the box has. Zero is a valid value of every field but the cache's table, which is written.
        unsafe {
            at.write_bytes(0, 1);
            decide::Cache::place(&raw mut (*at).cache, known);
            Some(Box::from_raw(at))
        }
    }

    /// A thread takes it, perhaps after another. `entry`: where its blocks are counted, if that is all that the heap wants.
    pub fn begin(&self, entry: Option<&'static record::layout::Thread>) {
        self.entry.store(entry.map_or(null_mut(), |entry| core::ptr::from_ref(entry).cast_mut()), Relaxed);
        self.begin_again();
    }

    /// In a forked child.
    fn begin_again(&self) {
        self.cache.forget();
        self.busy.store(false, Relaxed);
    }

    fn hold(&self) -> Option<Busy<'_>> {
        if self.busy.load(Relaxed) {
            return None;
        }
        self.busy.store(true, Relaxed);
        compiler_fence(Acquire);
        Some(Busy { own: self, _guard: thread::guarded() })
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        compiler_fence(core::sync::atomic::Ordering::Release);
        self.own.busy.store(false, Relaxed);
    }
}

/// The calling thread ends: what it has not told, and its part of the allocators inside.
pub fn thread_ends(state: &thread::State) {
    if let Some(own) = state.tiers.as_deref() {
        own.accounts.tell();
        at_hand::put_all_down(&own.accounts);
    }
    if let Some(memory) = memory() {
        memory.thread_ends();
    }
}

/// The process ends: what threads have not told, and where the pages are.
pub fn at_exit() {
    if !on() {
        return;
    }
    settle();
    verify::at_exit();
    start::tell_unmatched();
}

/// What threads have not told.
pub fn settle() {
    for state in thread::registry() {
        if let Some(own) = state.tiers.as_deref() {
            own.accounts.tell();
        }
    }
    start::show_memory();
}
