//! Memory tiers in a recording: the tiers, the rules, and what each call stack placed. Totals in place, as everywhere.
//!
//! **Sites of tiers** are not the sites of the heap: one stack may be placed by several rules, of which each is an entry here; and a
//! process has few of them, because only what a rule wants gets one.
//!
//! **Peaks** are as exact as the threads' own sums are small: a thread tells after so many bytes (`shim::tiers::accounts`).

use crate::layout::{Section, Tier, TierRule, TierSite};
use crate::store::{Store, entry, entry_or_commit};
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// What backs a tier, `Tier::kind`.
pub mod kind {
    /// The ordinary allocator.
    pub const HEAP: u8 = 1;
    pub const NUMA: u8 = 2;
    pub const FILE: u8 = 3;
    pub const HUGE: u8 = 4;
    pub const MEMFD: u8 = 5;

    pub const fn name(kind: u8) -> &'static str {
        match kind {
            HEAP => "heap",
            NUMA => "numa",
            FILE => "file",
            HUGE => "hugepages",
            MEMFD => "memfd",
            _ => "unknown",
        }
    }
}

/// The memory policy of a NUMA tier, `Tier::policy`: the values of the kernel's MPOL_* (<linux/mempolicy.h>).
pub mod policy {
    pub const PREFERRED: u8 = 1;
    pub const BIND: u8 = 2;
    pub const INTERLEAVE: u8 = 3;
    pub const PREFERRED_MANY: u8 = 5;
    pub const WEIGHTED_INTERLEAVE: u8 = 6;

    pub const fn name(policy: u8) -> &'static str {
        match policy {
            PREFERRED => "preferred",
            BIND => "bind",
            INTERLEAVE => "interleave",
            PREFERRED_MANY => "preferred-many",
            WEIGHTED_INTERLEAVE => "weighted-interleave",
            _ => "",
        }
    }
}

/// How the placement of a tier's pages was verified, `Tier::verified_by`.
pub mod verified_by {
    pub const NOTHING: u8 = 0;
    /// move_pages(2): the node of each page.
    pub const NODES: u8 = 1;
    /// The mapping that the page lies in, and that it is in core: /proc/self/maps, mincore(2).
    pub const MAPPING: u8 = 2;
    /// The size of the pages: /proc/self/smaps.
    pub const PAGE_SIZE: u8 = 3;

    pub const fn name(by: u8) -> &'static str {
        match by {
            NODES => "move_pages",
            MAPPING => "mapping",
            PAGE_SIZE => "page size",
            _ => "",
        }
    }
}

/// Nodes whose pages are counted one by one; the last place counts all others.
pub const NODES: usize = 16;

/// Live bytes and blocks with their peak; shared by tiers, rules and sites.
pub struct Live<'a> {
    pub blocks: &'a AtomicU64,
    pub bytes: &'a AtomicU64,
    pub peak: &'a AtomicU64,
}

impl Live<'_> {
    /// So many blocks and bytes more, or less, as two's complement; meanwhile it was up to `high` bytes more. Thread- and signal-safe.
    #[inline]
    pub fn changed(&self, blocks: u64, bytes: u64, high: u64) {
        self.blocks.fetch_add(blocks, Relaxed);
        let most = self.bytes.fetch_add(bytes, Relaxed).wrapping_add(high);
        // Other threads may have told of frees whose allocation is not told yet: below zero is no peak.
        if most as i64 > 0 && most > self.peak.load(Relaxed) {
            self.peak.fetch_max(most, Relaxed);
        }
    }
}

impl Tier {
    pub fn live(&self) -> Live<'_> {
        Live { blocks: &self.live_blocks, bytes: &self.live_bytes, peak: &self.peak_bytes }
    }
}

impl TierRule {
    pub fn live(&self) -> Live<'_> {
        Live { blocks: &self.live_blocks, bytes: &self.live_bytes, peak: &self.peak_bytes }
    }
}

impl TierSite {
    pub fn live(&self) -> Live<'_> {
        Live { blocks: &self.live_blocks, bytes: &self.live_bytes, peak: &self.peak_bytes }
    }

    /// For a forked child, which counts its own; its parent's live blocks are copies in it and stay.
    pub fn forget(&self) {
        for field in [&self.allocations, &self.allocated_bytes, &self.frees, &self.freed_bytes, &self.elsewhere] {
            field.store(0, Relaxed);
        }
        self.peak_bytes.store(self.live_bytes.load(Relaxed), Relaxed);
    }
}

/// The entry of a tier, made now if need be. By the thread that starts us.
pub fn tier(store: &impl Store, index: usize) -> Option<&Tier> {
    entry_or_commit(store, index)
}

/// The entry of a rule, made now if need be. By the thread that starts us.
pub fn rule(store: &impl Store, index: usize) -> Option<&TierRule> {
    entry_or_commit(store, index)
}

/// The entry of a site, when it is there.
#[inline]
pub fn site(store: &impl Store, index: usize) -> Option<&TierSite> {
    entry(store, index)
}

/// The rule of blocks that are beyond the limit of theirs.
pub const NO_RULE: u16 = u16::MAX;

/// What identifies a site: the stack, the rule and the tier that it asks for.
pub const fn identity(stack: u32, rule: u16, tier: u16) -> u64 {
    stack as u64 | (rule as u64) << 32 | (tier as u64) << 48
}

/// The site of this identity and its index, made now if need be; nothing when the table is full. By one thread at a time: placement
/// decisions are made under a lock.
pub fn site_of(store: &impl Store, identity: u64) -> Option<(usize, &TierSite)> {
    for index in 0..Section::TierSites.capacity() {
        let site = entry_or_commit::<TierSite>(store, index)?;
        match site.identity.load(Acquire) {
            0 => {
                site.identity.store(identity, Release);
                return Some((index, site));
            }
            found if found == identity => return Some((index, site)),
            _ => {}
        }
    }
    None
}
