//! How the heap blocks of a call stack were used: how long they lived, how much of them was live at a time, who touched them.
//!
//! Place in the flow: the heap's trackers count here on their slow ways, when a thread tells or a sampled block is freed;
//! `shim advise` reads it, to say which call stacks belong on which memory. Why beside [`crate::layout::Site`] and not in it: an
//! entry there is full, and moving anything is another version of the format.
//!
//! Rules: as [`crate::sites`]: in place, no lock, no allocation. Numbers are weighted as those of the site are: a sampled block
//! counts as many times as it stands for.

use crate::layout::{Section, Site, SiteUse};
use crate::stacks::site_link;
use crate::store::{Store, entry, entry_or_commit};
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// How accesses are sampled, `Heap::access_kind`.
pub mod access {
    pub const NONE: u64 = 0;
    /// Loads and stores, by the processor's own sampling.
    pub const LOADS_AND_STORES: u64 = 1;
    /// Loads only: the processor samples no stores.
    pub const LOADS: u64 = 2;
    /// Page faults: the first touch of a page, and no more.
    pub const FAULTS: u64 = 3;

    /// What was counted, in words.
    pub const fn name(kind: u64) -> &'static str {
        match kind {
            LOADS_AND_STORES => "loads and stores",
            LOADS => "loads",
            FAULTS => "page faults",
            _ => "nothing",
        }
    }
}

/// What a sample says that was done to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Load,
    Store,
    Fault,
}

/// Of the site of a stack, when it has one: made now if need be. Lock-free and async-signal-safe; may commit a chunk.
#[inline]
pub fn of(store: &impl Store, stack: u32) -> Option<&SiteUse> {
    let link = site_link(store, stack)?.load(Acquire);
    entry_or_commit::<SiteUse>(store, (link as usize).checked_sub(1)?)
}

/// For a forked child, which counts its own.
pub fn forget(store: &impl Store) {
    for index in 0..(store.header().sites.load(Acquire) as usize).min(Section::SiteUses.capacity()) {
        if let Some(usage) = entry::<SiteUse>(store, index) {
            usage.forget();
        }
    }
}

impl SiteUse {
    pub fn forget(&self) {
        let Self { ended, lifetime_ms, longest_ms, most_bytes, loads, stores, faults, active } = self;
        for field in [ended, lifetime_ms, longest_ms, most_bytes, loads, stores, faults, active] {
            field.store(0, Relaxed);
        }
    }

    /// So many blocks were freed that had lived this long in all, the longest of them this long. Thread- and signal-safe.
    #[inline]
    pub fn ended(&self, blocks: u64, lifetime_ms: u64, longest_ms: u64) {
        self.ended.fetch_add(blocks, Relaxed);
        self.lifetime_ms.fetch_add(lifetime_ms, Relaxed);
        if longest_ms > self.longest_ms.load(Relaxed) {
            self.longest_ms.fetch_max(longest_ms, Relaxed);
        }
    }

    /// Its blocks came or went, `ms` after the start. Thread- and signal-safe.
    #[inline]
    pub fn changed(&self, ms: u32) {
        let now = u64::from(ms.saturating_add(1));
        let active = self.active.load(Relaxed);
        if active == 0 {
            let _ = self.active.compare_exchange(0, now << 32 | now, Relaxed, Relaxed);
        } else if active >> 32 < now {
            // Between two threads the later write stands: they are milliseconds apart.
            self.active.store(now << 32 | u64::from(active as u32), Relaxed);
        }
    }

    /// The site has grown. Thread- and signal-safe.
    #[inline]
    pub fn grown(&self, site: &Site) {
        let live = site.live().bytes;
        if live > self.most_bytes.load(Relaxed) {
            self.most_bytes.fetch_max(live, Relaxed);
        }
    }

    /// A sample hit a block that stands for so many. Thread- and signal-safe.
    #[inline]
    pub fn touched(&self, access: Access, blocks: u64) {
        let field = match access {
            Access::Load => &self.loads,
            Access::Store => &self.stores,
            Access::Fault => &self.faults,
        };
        field.fetch_add(blocks, Relaxed);
    }
}
