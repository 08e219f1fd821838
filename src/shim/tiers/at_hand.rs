//! The block that a thread freed last at a site, kept for its next call there.
//!
//! Why: a temporary that is made and freed in a loop is what programs do most, and what glibc's own cache is fastest at. With the block at
//! hand neither the gate nor the allocator inside is asked, small or large.
//!
//! What it costs: memory of a tier that is free, and which only this thread gets: [`SMALL_MOST`] bytes in small blocks, and of a tier for
//! all threads together [`LARGE_MOST`], or a sixteenth of it, in larger ones. A thread that finds a tier full puts down what it has.
//!
//! Rules:
//! - A block at hand has no mark in the table of sites: it is no live block, and a second free of it finds that out.
//! - It lies in the tier that its site says, and its site has no limit ([`Hand::begin`]).
//! - Only its thread takes and keeps, while [`Own::busy`] keeps its handlers out; of threads that are gone, the forked child's only one. The
//!   mark is taken before the block is at hand, and it is at hand no more before it is marked: a fork between finds it lost, never twice.

use super::accounts::{self, Accounts, Site, TIERS};
use super::{NO_BLOCK, Own, decide::Decision, is_large, mark_at, memory, site_at, verify};
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, compiler_fence};
use libc::c_void;
use tier::memory::Memory;

/// Bytes of one thread's, in blocks of no more than [`SMALL`].
const SMALL_MOST: usize = 256 << 10;
const SMALL: usize = 64 << 10;
/// Bytes of one tier's in larger ones, of all threads.
const LARGE_MOST: u64 = 64 << 20;

/// By tier: bytes at hand in larger blocks.
static LARGE: [AtomicU64; TIERS] = [const { AtomicU64::new(0) }; TIERS];

/// Of one site.
#[derive(Default)]
pub struct Hand {
    /// 0 = none.
    block: AtomicUsize,
    usable: AtomicUsize,
    /// May blocks of this site be kept?
    keeps: AtomicBool,
    /// How often in a row what was at hand was of no use.
    misfits: AtomicU8,
}

impl Hand {
    /// For another site's blocks. `site`: its number and one. A block whose free must be seen (a limit, a look at its pages) is not kept,
    /// nor one of no site, whose tier nobody knows. In a forked child with a tier of the parent's none is, because a block may
    /// be the parent's, and the numbers of sites begin anew there.
    pub fn begin(&self, site: u16) {
        let has_tier = site != 0 && memory().is_some_and(|memory| !memory.any_closed());
        self.misfits.store(0, Relaxed);
        self.keeps.store(has_tier && accounts::account_of(site) == 0 && !verify::at_free(), Relaxed);
    }
}

/// So many misfits, and a site whose blocks are of all sizes is left to the allocator inside.
const MISFITS: u8 = 16;

impl Hand {
    #[inline(never)]
    fn misfit(&self) {
        let misfits = self.misfits.load(Relaxed) + 1;
        self.misfits.store(misfits, Relaxed);
        if misfits >= MISFITS {
            self.misfits.store(0, Relaxed);
            self.keeps.store(false, Relaxed);
        }
    }
}

/// The block at hand, when it is as large as is wanted, and not much larger.
#[inline(always)]
pub fn take(own: &Own, decision: &Decision, size: usize, align: usize) -> Option<*mut c_void> {
    let sums = own.accounts.place_of(decision.site);
    let (block, usable) = (sums.hand.block.load(Relaxed), sums.hand.usable.load(Relaxed));
    if block == 0 || sums.site.load(Relaxed) != u32::from(decision.site) || own.busy.load(Relaxed) {
        return None;
    }
    let fits = size <= usable && usable - size <= usable / 4 + 64 && block & (align - 1) == 0;
    if !fits {
        sums.hand.misfit();
        return None;
    }
    sums.hand.misfits.store(0, Relaxed);
    own.busy.store(true, Relaxed);
    compiler_fence(Acquire);
    sums.hand.block.store(0, Relaxed);
    if usable <= SMALL {
        own.accounts.held.store(own.accounts.held.load(Relaxed) - usable, Relaxed);
    } else {
        large(block, usable);
    }
    mark_at(block, decision.site);
    own.accounts.allocated_at(sums, usable as u64);
    compiler_fence(Release);
    own.busy.store(false, Relaxed);
    Some(block as *mut c_void)
}

#[inline(never)]
fn large(block: usize, usable: usize) {
    let tier = memory().and_then(|memory| memory.owner(block)).unwrap_or(0);
    LARGE[usize::from(tier) % TIERS].fetch_sub(usable as u64, Relaxed);
}

/// free of a small block, by its own thread, with nothing at hand. False: it is not done.
#[inline(always)]
pub fn keep_small(own: &Own, block: *mut c_void) -> bool {
    let (at, mark_of) = (block as usize, site_at(block as usize));
    let sums = own.accounts.place_of(mark_of);
    // A mark of 0 is no site's, and keeps nothing.
    let keeps = sums.hand.keeps.load(Relaxed) && sums.site.load(Relaxed) == u32::from(mark_of);
    if !keeps || sums.hand.block.load(Relaxed) != 0 || own.busy.load(Relaxed) {
        return false;
    }
    let (Some(memory), Some(its)) = (memory(), NonNull::new(block.cast::<u8>())) else { return false };
    if is_large(at) {
        return false;
    }
    let usable = memory.usable_small(its);
    let held = own.accounts.held.load(Relaxed) + usable;
    if usable > SMALL || held > SMALL_MOST {
        return false;
    }
    own.busy.store(true, Relaxed);
    compiler_fence(Acquire);
    mark_at(at, NO_BLOCK);
    own.accounts.held.store(held, Relaxed);
    sums.hand.usable.store(usable, Relaxed);
    sums.hand.block.store(at, Relaxed);
    own.accounts.freed_at(sums, usable as u64);
    compiler_fence(Release);
    own.busy.store(false, Relaxed);
    true
}

/// The same for any block, with `busy` held: what was at hand goes back. How many bytes it held; nothing: it is not kept.
pub fn keep(own: &Own, memory: &Memory, block: NonNull<u8>, site: u16) -> Option<usize> {
    let sums = own.accounts.place_of(site);
    if !sums.hand.keeps.load(Relaxed) || sums.site.load(Relaxed) != u32::from(site) {
        return None;
    }
    let usable = memory.usable(block);
    if usable == 0 {
        return None;
    }
    put_down(&own.accounts, sums);
    if usable <= SMALL {
        let held = own.accounts.held.load(Relaxed) + usable;
        if held > SMALL_MOST {
            return None;
        }
        own.accounts.held.store(held, Relaxed);
    } else {
        let tier = memory.owner(block.as_ptr() as usize)?;
        let all = LARGE.get(usize::from(tier))?;
        let most = memory.capacity(tier).map_or(0, |capacity| (capacity / 16).min(LARGE_MOST));
        if all.fetch_add(usable as u64, Relaxed) + usable as u64 > most {
            all.fetch_sub(usable as u64, Relaxed);
            return None;
        }
    }
    sums.hand.usable.store(usable, Relaxed);
    sums.hand.block.store(block.as_ptr() as usize, Relaxed);
    Some(usable)
}

/// What is at hand of this site goes back to its tier. False: nothing was.
pub fn put_down(accounts: &Accounts, sums: &Site) -> bool {
    let block = sums.hand.block.load(Relaxed);
    let (Some(memory), Some(its)) = (memory(), NonNull::new(block as *mut u8)) else { return false };
    let usable = sums.hand.usable.load(Relaxed);
    sums.hand.block.store(0, Relaxed);
    if usable <= SMALL {
        accounts.held.store(accounts.held.load(Relaxed).saturating_sub(usable), Relaxed);
    } else {
        large(block, usable);
    }
    memory.free(its);
    true
}

/// Everything that is at hand. With `busy` held, or by the only thread there is. False: nothing was.
#[cold]
pub fn put_all_down(accounts: &Accounts) -> bool {
    let mut any = false;
    for sums in accounts.sites() {
        any |= put_down(accounts, sums);
    }
    any
}
