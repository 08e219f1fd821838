//! Memory tiers for programs: one JSON object per line, told apart by `record`: the total, then each process, tier, rule and call stack.
//!
//! A key whose value is unknown is left out. Tiers and rules are named by their index, in the order in which they are written.

use crate::heap::json::{frames, line};
use crate::placement::{Placement, Rule, Site, Tier};
use crate::ranks::JsonSpread;
use crate::report::json::text;
use crate::symbolise::Symboliser;
use record::tier::policy;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Total {
    record: &'static str,
    processes: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranks: Vec<u32>,
    without_tiers: usize,
    rules_never_matched: usize,
    pages: u64,
    pages_right: u64,
    call_stacks: usize,
}

#[derive(Serialize)]
struct JsonProcess {
    record: &'static str,
    pid: u32,
    program: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u32>,
    running: bool,
}

#[derive(Serialize)]
struct NodePages {
    node: usize,
    pages: u64,
}

#[derive(Serialize)]
struct JsonTier {
    record: &'static str,
    tier: usize,
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<u32>,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u64>,
    committed: u64,
    committed_most: u64,
    allocations: u64,
    allocated_bytes: u64,
    live_blocks: u64,
    live_bytes: u64,
    peak_bytes: u64,
    refused: u64,
    refused_bytes: u64,
    taken_in: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    verified_by: &'static str,
    pages: u64,
    pages_right: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node_pages: Vec<NodePages>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated_by_rank: Option<JsonSpread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_by_rank: Option<JsonSpread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_by_rank: Option<JsonSpread>,
}

#[derive(Serialize)]
struct JsonRule {
    record: &'static str,
    rule: usize,
    name: String,
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    call_stacks: u64,
    /// Of a rule that leaves blocks on the heap calls are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<u64>,
    allocations: u64,
    allocated_bytes: u64,
    live_bytes: u64,
    peak_bytes: u64,
    misfits: u64,
    misfit_bytes: u64,
    never_matched: bool,
    /// It stands for sizes that no tier wants, of which no rule is asked.
    never_asked: bool,
    processes: usize,
    /// Processes in which it waits for a module.
    pending: usize,
}

#[derive(Serialize)]
struct JsonSite {
    record: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<usize>,
    /// False: its blocks stay on the heap, and nobody counts them.
    counted: bool,
    allocations: u64,
    allocated_bytes: u64,
    live_blocks: u64,
    live_bytes: u64,
    peak_bytes: u64,
    elsewhere: u64,
    pages: u64,
    pages_right: u64,
    processes: usize,
    frames: Vec<crate::report::json::JsonFrame>,
}

/// `limit`: of call stacks.
pub fn write(placement: &Placement, limit: usize, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let (pages, pages_right) = placement.verified();
    let total = Total {
        record: "total",
        processes: placement.processes.len(),
        ranks: placement.ranks(),
        without_tiers: placement.without,
        rules_never_matched: placement.unmatched().count(),
        pages,
        pages_right,
        call_stacks: placement.sites.len(),
    };
    line(&total, out)?;
    for one in &placement.processes {
        let (pid, rank, running) = (one.pid, one.rank, one.running);
        line(&JsonProcess { record: "process", pid, program: text(&one.program), rank, running }, out)?;
    }
    for (index, one) in placement.tiers.iter().enumerate() {
        line(&tier(placement, index, one), out)?;
    }
    for (index, one) in placement.rules.iter().enumerate() {
        line(&rule(index, one), out)?;
    }
    for one in placement.sites.iter().take(limit) {
        line(&site(one, symbols), out)?;
    }
    Ok(())
}

fn known(words: &str) -> Option<String> {
    (!words.is_empty()).then(|| text(words.as_bytes()))
}

fn tier(placement: &Placement, index: usize, tier: &Tier) -> JsonTier {
    JsonTier {
        record: "tier",
        tier: index,
        name: text(tier.name.as_bytes()),
        kind: tier.kind_name(),
        nodes: tier.node_list(),
        policy: policy::name(tier.policy),
        path: known(&tier.path),
        fault: known(&tier.fault),
        capacity: (tier.capacity > 0).then_some(tier.capacity),
        committed: tier.committed,
        committed_most: tier.committed_most,
        allocations: tier.allocations,
        allocated_bytes: tier.allocated_bytes,
        live_blocks: tier.live_blocks,
        live_bytes: tier.live_bytes,
        peak_bytes: tier.peak_bytes,
        refused: tier.refused,
        refused_bytes: tier.refused_bytes,
        taken_in: tier.taken_in,
        verified_by: tier.verified_by(),
        pages: tier.pages,
        pages_right: tier.pages_right,
        node_pages: (0..)
            .zip(tier.node_pages)
            .filter(|(_, pages)| *pages > 0)
            .map(|(node, pages)| NodePages { node, pages })
            .collect(),
        allocated_by_rank: placement.spread(tier, |share| share.allocated_bytes).map(JsonSpread::from),
        peak_by_rank: placement.spread(tier, |share| share.peak_bytes).map(JsonSpread::from),
        refused_by_rank: placement.spread(tier, |share| share.refused).map(JsonSpread::from),
    }
}

fn rule(index: usize, rule: &Rule) -> JsonRule {
    JsonRule {
        record: "rule",
        rule: index,
        name: text(rule.name.as_bytes()),
        place: text(rule.place.as_bytes()),
        tier: rule.tier,
        limit: (rule.limit > 0).then_some(rule.limit),
        call_stacks: rule.sites,
        hits: rule.hits(),
        allocations: rule.allocations,
        allocated_bytes: rule.allocated_bytes,
        live_bytes: rule.live_bytes,
        peak_bytes: rule.peak_bytes,
        misfits: rule.misfits,
        misfit_bytes: rule.misfit_bytes,
        never_matched: rule.never_matched(),
        never_asked: rule.never_asked(),
        processes: rule.processes,
        pending: rule.pending,
    }
}

fn site(site: &Site, symbols: &mut Symboliser) -> JsonSite {
    JsonSite {
        record: "site",
        tier: site.tier,
        rule: site.rule,
        counted: site.is_counted(),
        allocations: site.allocations,
        allocated_bytes: site.allocated_bytes,
        live_blocks: site.live_blocks,
        live_bytes: site.live_bytes,
        peak_bytes: site.peak_bytes,
        elsewhere: site.elsewhere,
        pages: site.pages,
        pages_right: site.pages_right,
        processes: site.processes,
        frames: frames(&super::calls(site, symbols)),
    }
}
