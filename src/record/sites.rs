//! Sites: for each call stack that opened descriptors, how many it opened and how many of those were closed.
//!
//! Why counted in place, at each open and close: growth is then a look at a short table, by the process itself, by a
//! command from outside, or after a crash; no helper thread, no walk over the descriptors.
//!
//! A word in front of each stack leads to its site, so that the way from an open to its counter is two loads.

use crate::layout::{Counter, Section, Site};
use crate::stacks::site_link;
use crate::store::{Store, count, entry, entry_or_commit};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The site of a stack, when it has one. Lock-free and async-signal-safe.
#[inline]
pub fn find(store: &impl Store, stack: u32) -> Option<&Site> {
    let link = site_link(store, stack)?.load(Acquire);
    entry::<Site>(store, (link as usize).checked_sub(1)?)
}

/// The site of a stack, made now if need be. Nothing for stack 0, or when the table is full (counted).
/// Lock-free and async-signal-safe; may commit a chunk.
#[inline]
pub fn of(store: &impl Store, stack: u32) -> Option<&Site> {
    find(store, stack).or_else(|| make(store, stack))
}

#[cold]
fn make(store: &impl Store, stack: u32) -> Option<&Site> {
    let link = site_link(store, stack)?;
    let index = store.header().sites.fetch_add(1, Relaxed) as usize;
    let Some(site) = (index < Section::Sites.capacity()).then(|| entry_or_commit::<Site>(store, index)).flatten()
    else {
        store.header().sites.fetch_sub(1, Relaxed);
        count(store, Counter::SitesDropped);
        return None;
    };
    site.stack.store(u64::from(stack), Release);
    match link.compare_exchange(0, index as u64 + 1, AcqRel, Acquire) {
        Ok(_) => Some(site),
        Err(_) => {
            // Another thread was first: this entry stays empty.
            site.stack.store(0, Release);
            find(store, stack)
        }
    }
}

impl Site {
    /// All but the stack: for a forked child, which counts its own.
    pub fn forget(&self) {
        let Site { stack: _, opened, closed, first_opened, last_opened, allocations, allocated_bytes, .. } = self;
        let Site { frees, freed_bytes, peak_blocks, peak_bytes, peak_epoch, observed, lost_blocks, lost_bytes, .. } =
            self;
        for field in [opened, closed, first_opened, last_opened, allocations, allocated_bytes, frees, freed_bytes] {
            field.store(0, Relaxed);
        }
        for field in [peak_blocks, peak_bytes, peak_epoch, observed, lost_blocks, lost_bytes] {
            field.store(0, Relaxed);
        }
    }

    /// One was opened here. Thread- and signal-safe.
    #[inline]
    pub fn opened(&self, now: u64) {
        self.opened.fetch_add(1, Relaxed);
        self.last_opened.store(now, Relaxed);
        if self.first_opened.load(Relaxed) == 0 {
            self.first_opened.store(now, Relaxed);
        }
    }

    /// One that was opened here was closed. Thread- and signal-safe.
    #[inline]
    pub fn closed(&self) {
        self.closed.fetch_add(1, Relaxed);
    }

    /// How many are open.
    pub fn open_now(&self) -> u64 {
        // The closes first: a pair that comes between the two loads then makes one too many, never billions.
        let closed = self.closed.load(Acquire);
        self.opened.load(Relaxed).saturating_sub(closed)
    }
}
