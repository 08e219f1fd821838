//! What a thread has placed and freed since it last told: per site, per tier.
//!
//! Why not at once: see `heap::accounts`. A thread tells when what it has placed and freed comes to [`BYTES`] more or less than when it told
//! last, or at a site after [`EVENTS`] events; with the most that it had meanwhile, so that the peak of a process with one thread
//! and one site is exact, and of others by [`BYTES`] for each, or by [`BYTES_ALONE`]. What a limit is compared with is counted at once, for all threads together.
//!
//! Sites are all there is: a site is of one rule and one tier, and what goes elsewhere is another site's ([`super::decide::site_elsewhere`]).
//!
//! The fields are atomics, though only their thread writes them, because whoever exits tells for the threads that still run; an
//! event that its thread counts at that very moment may be lost or told twice, never more than that.

use super::at_hand::{self, Hand};
use super::decide::Decision;
use crate::recording::RECORDING;
use crate::thread;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicI64, AtomicU16, AtomicU32, AtomicU64, AtomicUsize};
use record::layout::{Section, Tier, TierRule, TierSite};
use record::tier as recorded;
use tier::rules::MOST_RULES;

const EVENTS: u32 = 1024;
const BYTES: i64 = 4 << 20;
/// The only thread's: a block of the size that glibc, too, hands out again at once does not make it tell at every turn.
const BYTES_ALONE: u64 = 33 << 20;
const SITES: usize = 64;
/// The ordinary heap is number 0.
pub const TIERS: usize = 16;

/// The sums of one site. Its number and one; 0 = no site.
#[derive(Default)]
pub struct Site {
    pub site: AtomicU32,
    events: AtomicU32,
    allocations: AtomicU64,
    allocated: AtomicU64,
    frees: AtomicU64,
    freed: AtomicU64,
    /// The most that was allocated more than freed.
    high: AtomicU64,
    elsewhere: AtomicU64,
    /// See [`super::at_hand`].
    pub hand: Hand,
}

pub struct Accounts {
    sites: [Site; SITES],
    /// Bytes allocated more than freed, of all sites.
    net: AtomicI64,
    /// Bytes at hand in small blocks: see [`at_hand`].
    pub held: AtomicUsize,
    /// By tier: allocations that found no room, their bytes; those that came from another tier.
    refused: [[AtomicU64; 3]; TIERS],
    /// There is something in it.
    has_refused: AtomicU32,
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
#[unsafe(link_section = ".bss.tables")]
static LIMITED: [AtomicU64; MOST_RULES + 1] = [const { AtomicU64::new(0) }; MOST_RULES + 1];
/// The account of a site (its number and one), and one.
#[unsafe(link_section = ".bss.tables")]
static ACCOUNTS: [AtomicU16; Section::TierSites.capacity() + 1] =
    [const { AtomicU16::new(0) }; Section::TierSites.capacity() + 1];

pub fn set_account(site: u16, account: u16) {
    if let Some(place) = ACCOUNTS.get(usize::from(site)).filter(|_| site != 0) {
        place.store(account, Relaxed);
    }
}

pub fn account_of(site: u16) -> u16 {
    ACCOUNTS.get(usize::from(site)).map_or(0, |account| account.load(Relaxed))
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

/// A block is larger than what was reserved for it, or smaller, or gone. `account`: its number and one.
#[inline]
pub fn correct(account: u16, more: u64) {
    if account != 0 {
        LIMITED[usize::from(account) % LIMITED.len()].fetch_add(more, Relaxed);
    }
}

impl Accounts {
    /// `site`: its number and one.
    #[inline(always)]
    pub fn allocated(&self, site: u16, bytes: u64) {
        self.allocated_at(self.site(site), bytes);
    }

    /// At the site that the sums are of.
    #[inline(always)]
    pub fn allocated_at(&self, sums: &Site, bytes: u64) {
        add(&sums.allocations, 1);
        self.more(sums, bytes);
    }

    #[inline(always)]
    fn more(&self, sums: &Site, bytes: u64) {
        let allocated = sums.allocated.load(Relaxed).wrapping_add(bytes);
        sums.allocated.store(allocated, Relaxed);
        let net = allocated.wrapping_sub(sums.freed.load(Relaxed));
        if net as i64 > sums.high.load(Relaxed) as i64 {
            sums.high.store(net, Relaxed);
        }
        self.event(sums, bytes as i64);
    }

    #[inline(always)]
    pub fn freed(&self, site: u16, bytes: u64) {
        self.freed_at(self.site(site), bytes);
    }

    #[inline(always)]
    pub fn freed_at(&self, sums: &Site, bytes: u64) {
        add(&sums.frees, 1);
        add(&sums.freed, bytes);
        self.event(sums, -(bytes as i64));
    }

    /// A block has changed its size where it is.
    pub fn resized(&self, site: u16, before: u64, after: u64) {
        let sums = self.site(site);
        if after > before {
            self.more(sums, after - before);
        } else {
            add(&sums.freed, before - after);
            self.event(sums, -((before - after) as i64));
        }
    }

    /// The tier that was wanted had no room; `there`: the tier that had.
    #[cold]
    pub fn elsewhere(&self, decision: &Decision, bytes: u64, there: Option<u16>) {
        add(&self.site(decision.site).elsewhere, 1);
        self.has_refused.store(1, Relaxed);
        if let Some([refused, refused_bytes, _]) = self.refused.get(usize::from(decision.tier)) {
            add(refused, 1);
            add(refused_bytes, bytes);
        }
        if let Some([.., taken_in]) = there.and_then(|there| self.refused.get(usize::from(there))) {
            add(taken_in, 1);
        }
    }

    #[inline(always)]
    fn site(&self, site: u16) -> &Site {
        let sums = self.place_of(site);
        if sums.site.load(Relaxed) != u32::from(site) {
            self.replace(sums, site);
        }
        sums
    }

    /// Where the sums of a site are, unless another's are there.
    #[inline(always)]
    pub fn place_of(&self, site: u16) -> &Site {
        &self.sites[usize::from(site) % SITES]
    }

    #[cold]
    #[inline(never)]
    fn replace(&self, sums: &Site, site: u16) {
        give(sums);
        at_hand::put_down(self, sums);
        sums.site.store(u32::from(site), Relaxed);
        sums.hand.begin(site);
    }

    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    #[inline(always)]
    fn event(&self, sums: &Site, bytes: i64) {
        let (events, net) = (sums.events.load(Relaxed) + 1, self.net.load(Relaxed).wrapping_add(bytes));
        sums.events.store(events, Relaxed);
        self.net.store(net, Relaxed);
        if net.wrapping_add(BYTES) as u64 > 2 * BYTES as u64 {
            self.tell_soon(net);
        } else if events >= EVENTS {
            give(sums);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_soon(&self, net: i64) {
        if !thread::alone() || net.unsigned_abs() > BYTES_ALONE {
            self.tell();
        }
    }

    /// Adds everything to the totals. By the owning thread, or when that thread is gone or about to be.
    #[cold]
    #[inline(never)]
    pub fn tell(&self) {
        self.net.store(0, Relaxed);
        self.sites.iter().for_each(give);
        if self.has_refused.load(Relaxed) == 0 {
            return;
        }
        self.has_refused.store(0, Relaxed);
        for (index, sums) in self.refused.iter().enumerate() {
            let [refused, refused_bytes, taken_in] = sums.each_ref().map(take);
            if refused | taken_in == 0 {
                continue;
            }
            let Some(entry) = recorded::tier(&RECORDING, index) else { continue };
            entry.refused.fetch_add(refused, Relaxed);
            entry.refused_bytes.fetch_add(refused_bytes, Relaxed);
            entry.taken_in.fetch_add(taken_in, Relaxed);
        }
    }

    /// For a forked child: what was not told is its parent's.
    pub fn forget(&self) {
        for sums in &self.sites {
            let Site { site, events, allocations, allocated, frees, freed, high, elsewhere, hand } = sums;
            hand.begin(0);
            for field in [site, events] {
                field.store(0, Relaxed);
            }
            for field in [allocations, allocated, frees, freed, high, elsewhere] {
                field.store(0, Relaxed);
            }
        }
        self.net.store(0, Relaxed);
        self.has_refused.store(0, Relaxed);
        self.refused.iter().flatten().for_each(|field| field.store(0, Relaxed));
    }
}

/// Adds the sums of one site.
#[cold]
#[inline(never)]
fn give(sums: &Site) {
    let Site { site, events, allocations, allocated, frees, freed, high, elsewhere, hand: _ } = sums;
    if events.load(Relaxed) == 0 && elsewhere.load(Relaxed) == 0 {
        return;
    }
    events.store(0, Relaxed);
    let told = Told {
        allocations: take(allocations),
        allocated: take(allocated),
        frees: take(frees),
        freed: take(freed),
        high: take(high),
        elsewhere: take(elsewhere),
    };
    told.at(site.load(Relaxed) as u16);
}

#[derive(Default)]
struct Told {
    allocations: u64,
    allocated: u64,
    frees: u64,
    freed: u64,
    high: u64,
    elsewhere: u64,
}

impl Told {
    /// `site`: its number and one.
    fn at(&self, site: u16) {
        let Some(entry) = site.checked_sub(1).and_then(|index| recorded::site(&RECORDING, usize::from(index))) else {
            return;
        };
        let entry: &TierSite = entry;
        let (blocks, bytes) = (self.allocations.wrapping_sub(self.frees), self.allocated.wrapping_sub(self.freed));
        entry.allocations.fetch_add(self.allocations, Relaxed);
        entry.allocated_bytes.fetch_add(self.allocated, Relaxed);
        entry.frees.fetch_add(self.frees, Relaxed);
        entry.freed_bytes.fetch_add(self.freed, Relaxed);
        entry.elsewhere.fetch_add(self.elsewhere, Relaxed);
        entry.live().changed(blocks, bytes, self.high);
        let identity = entry.identity.load(Relaxed);
        if let Some(rule) = recorded::rule(&RECORDING, usize::from((identity >> 32) as u16)) {
            let rule: &TierRule = rule;
            rule.allocations.fetch_add(self.allocations, Relaxed);
            rule.allocated_bytes.fetch_add(self.allocated, Relaxed);
            rule.live().changed(blocks, bytes, self.high);
        }
        if let Some(tier) = recorded::tier(&RECORDING, usize::from((identity >> 48) as u16)) {
            let tier: &Tier = tier;
            tier.allocations.fetch_add(self.allocations, Relaxed);
            tier.allocated_bytes.fetch_add(self.allocated, Relaxed);
            tier.live().changed(blocks, bytes, self.high);
        }
    }
}

/// A free by a thread that keeps no accounts.
pub fn freed_unheard(site: u16, bytes: u64) {
    Told { frees: 1, freed: bytes, ..Told::default() }.at(site);
}
