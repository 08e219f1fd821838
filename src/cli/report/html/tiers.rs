//! Memory tiers for the page: what was placed where, by which rule, from which call stacks, and where its pages really are.
//!
//! ```text
//! files with tiers ─→ placement::Placement ─→ Tiers ─→ tiers.js (bars, tables)
//! ```
//!
//! One view of all processes together, unlike locks: a rule file is one for all ranks, and what a person asks is whether the fast
//! memory was used well. What the ranks had is behind each tier.

use super::frames::Frames;
use crate::escape::bytes;
use crate::placement::{Placement, Tier};
use crate::ranks::{self, Spread};
use crate::size;
use crate::symbolise::Symboliser;
use serde::Serialize;
use std::collections::BTreeMap;

/// Call stacks that the page has.
const SITES: usize = 5000;
/// Ranks, or processes, that stand behind a tier.
const SHARES: usize = 1024;

#[derive(Serialize)]
pub struct Tiers {
    processes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranks: Option<String>,
    without: usize,
    tiers: Vec<JsonTier>,
    rules: Vec<JsonRule>,
    sites: Vec<JsonSite>,
    more_sites: usize,
}

#[derive(Serialize)]
struct JsonTier {
    name: String,
    kind: &'static str,
    /// In words: kind, nodes, policy, pages, path.
    made: String,
    /// Nodes that its pages may be on; empty: any.
    nodes: Vec<u32>,
    capacity: u64,
    committed: u64,
    committed_most: u64,
    live: u64,
    peak: u64,
    allocations: u64,
    bytes: u64,
    refused: u64,
    refused_bytes: u64,
    taken_in: u64,
    fault: String,
    /// How its pages were looked at.
    by: &'static str,
    pages: u64,
    right: u64,
    node_pages: Vec<(usize, u64)>,
    /// What is said of the ranks: of what, in words.
    spreads: Vec<(&'static str, String)>,
    shares: Vec<Share>,
    more_shares: usize,
}

/// Rank or process, whether it is odd; allocated, peak, refused.
#[derive(Serialize)]
struct Share(String, bool, u64, u64, u64);

#[derive(Serialize)]
struct JsonRule {
    name: String,
    place: String,
    tier: Option<usize>,
    limit: u64,
    sites: u64,
    /// Nothing: not counted.
    hits: Option<u64>,
    placed: u64,
    bytes: u64,
    peak: u64,
    misfits: u64,
    misfit_bytes: u64,
    never: bool,
    pending: usize,
}

/// Stack, tier, rule; allocations, bytes, peak, live, elsewhere, pages, right, processes.
#[derive(Serialize)]
struct JsonSite(usize, Option<usize>, Option<usize>, [u64; 8]);

pub fn look(placement: &Placement, frames: &mut Frames, symbols: &mut Symboliser) -> Option<Tiers> {
    if placement.is_empty() {
        return None;
    }
    let rules = placement.rules.iter().map(|rule| JsonRule {
        name: bytes(rule.name.as_bytes()),
        place: bytes(rule.place.as_bytes()),
        tier: rule.tier,
        limit: rule.limit,
        sites: rule.sites,
        hits: rule.hits(),
        placed: rule.allocations,
        bytes: rule.allocated_bytes,
        peak: rule.peak_bytes,
        misfits: rule.misfits,
        misfit_bytes: rule.misfit_bytes,
        never: rule.never_matched(),
        pending: rule.pending,
    });
    let sites = placement.sites.iter().take(SITES).map(|site| {
        let numbers = [
            site.allocations,
            site.allocated_bytes,
            site.peak_bytes,
            site.live_bytes,
            site.elsewhere,
            site.pages,
            site.pages_right,
            site.processes as u64,
        ];
        JsonSite(frames.stack(&site.calls, symbols), site.tier, site.rule, numbers)
    });
    Some(Tiers {
        processes: placement.processes.len(),
        ranks: ranks::list(&placement.ranks()),
        without: placement.without,
        sites: sites.collect(),
        more_sites: placement.sites.len().saturating_sub(SITES),
        tiers: placement.tiers.iter().map(|one| tier(placement, one)).collect(),
        rules: rules.collect(),
    })
}

fn tier(placement: &Placement, tier: &Tier) -> JsonTier {
    let allocated = placement.spread(tier, |share| share.allocated_bytes);
    let peak = placement.spread(tier, |share| share.peak_bytes);
    let refused = placement.spread(tier, |share| share.refused).filter(|spread| spread.total > 0);
    let mut odd: Vec<u32> = [&allocated, &peak, &refused].into_iter().flatten().flat_map(of_odd).collect();
    odd.sort_unstable();
    let mut spreads = Vec::new();
    spreads.extend(allocated.map(|spread| ("Allocated", spread.words(size::bytes))));
    spreads.extend(peak.map(|spread| ("At the peak", spread.words(size::bytes))));
    spreads.extend(refused.map(|spread| ("Refused", spread.words(size::count))));
    let shares = shares(placement, tier, &odd);
    JsonTier {
        name: bytes(tier.name.as_bytes()),
        kind: tier.kind_name(),
        made: tier.made_of(),
        nodes: tier.node_list(),
        capacity: tier.capacity,
        committed: tier.committed,
        committed_most: tier.committed_most,
        live: tier.live_bytes,
        peak: tier.peak_bytes,
        allocations: tier.allocations,
        bytes: tier.allocated_bytes,
        refused: tier.refused,
        refused_bytes: tier.refused_bytes,
        taken_in: tier.taken_in,
        fault: bytes(tier.fault.as_bytes()),
        by: tier.verified_by(),
        pages: tier.pages,
        right: tier.pages_right,
        node_pages: (0..).zip(tier.node_pages).filter(|(_, pages)| *pages > 0).collect(),
        spreads,
        more_shares: shares.len().saturating_sub(SHARES),
        shares: shares.into_iter().take(SHARES).collect(),
    }
}

fn of_odd(spread: &Spread) -> impl Iterator<Item = u32> {
    spread.odd.iter().map(|of| of.0)
}

/// Of one process there is nothing to tell apart.
fn shares(placement: &Placement, tier: &Tier, odd: &[u32]) -> Vec<Share> {
    if placement.processes.len() < 2 {
        return Vec::new();
    }
    let mut by: BTreeMap<(u32, u32), (String, [u64; 3])> = BTreeMap::new();
    for share in &tier.shares {
        let Some(process) = placement.processes.get(share.process) else { continue };
        let (key, name) = match process.rank {
            Some(rank) => ((rank, 0), format!("rank {rank}")),
            None => ((u32::MAX, process.pid), crate::target::who(&process.program, process.pid)),
        };
        let (_, sums) = by.entry(key).or_insert_with(|| (name, [0; 3]));
        for (sum, more) in sums.iter_mut().zip([share.allocated_bytes, share.peak_bytes, share.refused]) {
            *sum = sum.saturating_add(more);
        }
    }
    let is_odd = |(rank, pid): &(u32, u32)| *pid == 0 && odd.binary_search(rank).is_ok();
    by.into_iter().map(|(key, (name, [all, peak, refused]))| Share(name, is_odd(&key), all, peak, refused)).collect()
}
