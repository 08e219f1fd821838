//! What a thread has placed and freed since it last told: per site, per tier.
//!
//! Why not at once: see `heap::accounts`. Here a thread tells after [`EVENTS`] events or [`BYTES`] bytes, so that a peak is missed by
//! no more than that for each thread. What a limit is compared with is counted at once, for all threads together.
//!
//! The fields are atomics, though only their thread writes them, because whoever exits tells for the threads that still run; an
//! event that its thread counts at that very moment may be lost or told twice, never more than that.

use super::decide::Decision;
use crate::recording::RECORDING;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};
use record::layout::{Section, Tier, TierRule, TierSite};
use record::tier as recorded;
use tier::rules::MOST_RULES;

const EVENTS: u64 = 256;
const BYTES: u64 = 256 << 10;
const SITES: usize = 64;
/// The ordinary heap is number 0.
pub const TIERS: usize = 16;

/// The sums of one site. Its number and one; 0 = no site.
#[derive(Default)]
struct Site {
    site: AtomicU32,
    allocations: AtomicU64,
    allocated: AtomicU64,
    frees: AtomicU64,
    freed: AtomicU64,
    elsewhere: AtomicU64,
}

#[derive(Default)]
struct InTier {
    allocations: AtomicU64,
    allocated: AtomicU64,
    frees: AtomicU64,
    freed: AtomicU64,
    refused: AtomicU64,
    refused_bytes: AtomicU64,
    taken_in: AtomicU64,
}

pub struct Accounts {
    sites: [Site; SITES],
    tiers: [InTier; TIERS],
    events: AtomicU64,
    bytes: AtomicU64,
}

#[inline(always)]
fn add(field: &AtomicU64, by: u64) {
    field.store(field.load(Relaxed).wrapping_add(by), Relaxed);
}

fn take(field: &AtomicU64) -> u64 {
    let value = field.load(Relaxed);
    if value != 0 {
        field.store(0, Relaxed);
    }
    value
}

/// Live bytes of the rules' limits: several rules may share one.
static LIMITED: [AtomicU64; MOST_RULES + 1] = [const { AtomicU64::new(0) }; MOST_RULES + 1];
/// The account of a site (its number and one), and one.
static ACCOUNTS: [AtomicU16; Section::TierSites.capacity() + 1] =
    [const { AtomicU16::new(0) }; Section::TierSites.capacity() + 1];

pub fn set_account(site: u16, account: u16) {
    if let Some(place) = ACCOUNTS.get(usize::from(site)).filter(|_| site != 0) {
        place.store(account, Relaxed);
    }
}

/// May the rule place so many more bytes? Then they are counted. A limit holds for all threads together, to the byte.
#[inline(always)]
pub fn reserve(decision: &Decision, size: usize) -> bool {
    decision.account == 0 || reserve_in_account(decision, size as u64)
}

#[inline(never)]
fn reserve_in_account(decision: &Decision, size: u64) -> bool {
    let Some(live) = LIMITED.get(usize::from(decision.account)) else { return true };
    let fits =
        live.fetch_update(Relaxed, Relaxed, |now| now.checked_add(size).filter(|sum| *sum <= decision.most)).is_ok();
    if !fits {
        if let Some(rule) = recorded::rule(&RECORDING, usize::from(decision.rule)) {
            rule.misfits.fetch_add(1, Relaxed);
            rule.misfit_bytes.fetch_add(size, Relaxed);
        }
    }
    fits
}

/// A block is larger than what was reserved for it, or smaller, or gone. `site`: its number and one.
#[inline(always)]
pub fn correct(site: u16, more: u64) {
    let account = ACCOUNTS.get(usize::from(site)).map_or(0, |account| account.load(Relaxed));
    if account != 0 {
        LIMITED[usize::from(account) % LIMITED.len()].fetch_add(more, Relaxed);
    }
}

impl Accounts {
    pub fn new() -> Self {
        Self {
            sites: core::array::from_fn(|_| Site::default()),
            tiers: core::array::from_fn(|_| InTier::default()),
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// `tier`: where it really lies.
    #[inline(always)]
    pub fn allocated(&self, decision: &Decision, tier: u16, bytes: u64) {
        let site = self.site(decision.site);
        add(&site.allocations, 1);
        add(&site.allocated, bytes);
        if let Some(here) = self.tiers.get(usize::from(tier)) {
            add(&here.allocations, 1);
            add(&here.allocated, bytes);
            if tier != decision.tier {
                self.went_on(decision, here, bytes);
            }
        }
        self.event(bytes);
    }

    /// It lies in another tier than its rule wants.
    #[cold]
    fn went_on(&self, decision: &Decision, here: &InTier, bytes: u64) {
        add(&here.taken_in, 1);
        self.refused(decision, bytes);
    }

    #[cold]
    fn refused(&self, decision: &Decision, bytes: u64) {
        add(&self.site(decision.site).elsewhere, 1);
        if let Some(wanted) = self.tiers.get(usize::from(decision.tier)) {
            add(&wanted.refused, 1);
            add(&wanted.refused_bytes, bytes);
        }
    }

    /// There was no room: an ordinary block, or none.
    #[cold]
    pub fn elsewhere(&self, decision: &Decision, bytes: u64) {
        self.refused(decision, bytes);
        self.event(bytes);
    }

    #[inline(always)]
    pub fn freed(&self, site: u16, tier: u16, bytes: u64) {
        let sums = self.site(site);
        add(&sums.frees, 1);
        add(&sums.freed, bytes);
        if let Some(here) = self.tiers.get(usize::from(tier)) {
            add(&here.frees, 1);
            add(&here.freed, bytes);
        }
        self.event(bytes);
    }

    /// A block has changed its size where it is.
    pub fn resized(&self, site: u16, tier: u16, before: u64, after: u64) {
        let sums = self.site(site);
        let (more, less) = (after.saturating_sub(before), before.saturating_sub(after));
        add(&sums.allocated, more);
        add(&sums.freed, less);
        if let Some(here) = self.tiers.get(usize::from(tier)) {
            add(&here.allocated, more);
            add(&here.freed, less);
        }
        self.event(more + less);
    }

    #[inline(always)]
    fn site(&self, site: u16) -> &Site {
        let sums = &self.sites[usize::from(site) % SITES];
        if sums.site.load(Relaxed) != u32::from(site) {
            self.replace(sums, site);
        }
        sums
    }

    #[cold]
    #[inline(never)]
    fn replace(&self, sums: &Site, site: u16) {
        give(sums);
        sums.site.store(u32::from(site), Relaxed);
    }

    #[inline(always)]
    fn event(&self, bytes: u64) {
        let (events, bytes) = (self.events.load(Relaxed) + 1, self.bytes.load(Relaxed) + bytes);
        self.events.store(events, Relaxed);
        self.bytes.store(bytes, Relaxed);
        if events >= EVENTS || bytes >= BYTES {
            self.tell();
        }
    }

    /// Adds everything to the totals. By the owning thread, or when that thread is gone or about to be.
    #[cold]
    #[inline(never)]
    pub fn tell(&self) {
        self.events.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        for site in &self.sites {
            give(site);
        }
        for (index, here) in self.tiers.iter().enumerate() {
            let sums = [&here.allocations, &here.allocated, &here.frees, &here.freed].map(take);
            let others = [&here.refused, &here.refused_bytes, &here.taken_in].map(take);
            if sums == [0; 4] && others == [0; 3] {
                continue;
            }
            let Some(entry) = recorded::tier(&RECORDING, index) else { continue };
            let [allocations, allocated, frees, freed] = sums;
            let [refused, refused_bytes, taken_in] = others;
            tell_tier(entry, allocations, allocated, frees, freed);
            entry.refused.fetch_add(refused, Relaxed);
            entry.refused_bytes.fetch_add(refused_bytes, Relaxed);
            entry.taken_in.fetch_add(taken_in, Relaxed);
        }
    }

    /// For a forked child: what was not told is its parent's.
    pub fn forget(&self) {
        for site in &self.sites {
            let Site { site: _, allocations, allocated, frees, freed, elsewhere } = site;
            for field in [allocations, allocated, frees, freed, elsewhere] {
                field.store(0, Relaxed);
            }
        }
        for here in &self.tiers {
            let InTier { allocations, allocated, frees, freed, refused, refused_bytes, taken_in } = here;
            for field in [allocations, allocated, frees, freed, refused, refused_bytes, taken_in] {
                field.store(0, Relaxed);
            }
        }
        self.events.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
    }
}

fn tell_tier(entry: &Tier, allocations: u64, allocated: u64, frees: u64, freed: u64) {
    entry.allocations.fetch_add(allocations, Relaxed);
    entry.allocated_bytes.fetch_add(allocated, Relaxed);
    entry.live().changed(allocations.wrapping_sub(frees), allocated.wrapping_sub(freed));
}

/// Adds the sums of one site.
fn give(sums: &Site) {
    let Site { site, allocations, allocated, frees, freed, elsewhere } = sums;
    let site = site.load(Relaxed) as u16;
    let [allocations, allocated, frees, freed, elsewhere] = [allocations, allocated, frees, freed, elsewhere].map(take);
    if allocations | allocated | frees | freed | elsewhere != 0 {
        tell_site(site, allocations, allocated, frees, freed, elsewhere);
    }
}

fn tell_site(site: u16, allocations: u64, allocated: u64, frees: u64, freed: u64, elsewhere: u64) {
    let Some(entry) = site.checked_sub(1).and_then(|index| recorded::site(&RECORDING, usize::from(index))) else {
        return;
    };
    let entry: &TierSite = entry;
    let (blocks, bytes) = (allocations.wrapping_sub(frees), allocated.wrapping_sub(freed));
    entry.allocations.fetch_add(allocations, Relaxed);
    entry.allocated_bytes.fetch_add(allocated, Relaxed);
    entry.frees.fetch_add(frees, Relaxed);
    entry.freed_bytes.fetch_add(freed, Relaxed);
    entry.elsewhere.fetch_add(elsewhere, Relaxed);
    entry.live().changed(blocks, bytes);
    let rule = (entry.identity.load(Relaxed) >> 32) as u16;
    let Some(rule) = recorded::rule(&RECORDING, usize::from(rule)) else { return };
    let rule: &TierRule = rule;
    rule.allocations.fetch_add(allocations, Relaxed);
    rule.allocated_bytes.fetch_add(allocated, Relaxed);
    rule.live().changed(blocks, bytes);
}

/// A free by a thread that keeps no accounts.
pub fn freed_unheard(site: u16, tier: u16, bytes: u64) {
    tell_site(site, 0, 0, 1, bytes, 0);
    if let Some(entry) = recorded::tier(&RECORDING, usize::from(tier)) {
        tell_tier(entry, 0, 0, 1, bytes);
    }
}
