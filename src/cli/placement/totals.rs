//! Tiers, rules and call stacks of several processes, added up.

use crate::escape::bytes;
use crate::heap::profile::plus;
use crate::merge;
use crate::ranges;
use crate::size;
use record::reader;
use record::tier::{NODES, kind, policy, verified_by};

/// What makes tiers of two processes the same: name, kind, policy, pages, nodes, path.
pub type Key = (String, u8, u8, u64, u64, String);

/// What one process had on a tier.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    pub process: usize,
    pub allocated_bytes: u64,
    pub peak_bytes: u64,
    pub refused: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Tier {
    pub name: String,
    pub kind: u8,
    pub policy: u8,
    pub page: u64,
    pub nodes: u64,
    pub path: String,
    /// Why it could not be made, and in how many processes.
    pub fault: String,
    pub faults: usize,
    /// Of all processes together; 0: one of them has no limit.
    pub capacity: u64,
    pub committed: u64,
    pub committed_most: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
    pub peak_bytes: u64,
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub refused: u64,
    pub refused_bytes: u64,
    pub taken_in: u64,
    pub verified_by: u8,
    pub pages: u64,
    pub pages_right: u64,
    pub node_pages: [u64; NODES],
    pub shares: Vec<Share>,
}

impl Tier {
    pub fn key(tier: &reader::Tier) -> Key {
        (tier.name.clone(), tier.kind, tier.policy, tier.page, tier.nodes, tier.path.clone())
    }

    pub fn new(tier: &reader::Tier) -> Self {
        Self {
            name: tier.name.clone(),
            kind: tier.kind,
            policy: tier.policy,
            page: tier.page,
            nodes: tier.nodes,
            path: tier.path.clone(),
            ..Self::default()
        }
    }

    pub fn add(&mut self, process: usize, tier: &reader::Tier) {
        let first = self.shares.is_empty();
        self.capacity = match (tier.capacity, self.capacity) {
            (0, _) => 0,
            (_, 0) if !first => 0,
            (own, sum) => plus(own, sum),
        };
        if !tier.fault.is_empty() {
            self.faults += 1;
            self.fault.clone_from(&tier.fault);
        }
        let sums = [
            (&mut self.committed, tier.committed),
            (&mut self.committed_most, tier.committed_most),
            (&mut self.live_blocks, tier.live_blocks),
            (&mut self.live_bytes, tier.live_bytes),
            (&mut self.peak_bytes, tier.peak_bytes),
            (&mut self.allocations, tier.allocations),
            (&mut self.allocated_bytes, tier.allocated_bytes),
            (&mut self.refused, tier.refused),
            (&mut self.refused_bytes, tier.refused_bytes),
            (&mut self.taken_in, tier.taken_in),
            (&mut self.pages, tier.pages),
            (&mut self.pages_right, tier.pages_right.min(tier.pages)),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum = plus(*sum, more));
        self.node_pages.iter_mut().zip(tier.node_pages).for_each(|(sum, more)| *sum = plus(*sum, more));
        self.verified_by = self.verified_by.max(tier.verified_by);
        self.shares.push(Share {
            process,
            allocated_bytes: tier.allocated_bytes,
            peak_bytes: tier.peak_bytes,
            refused: tier.refused,
        });
    }

    pub fn kind_name(&self) -> &'static str {
        kind::name(self.kind)
    }

    /// Is it the ordinary allocator?
    pub fn is_heap(&self) -> bool {
        self.kind == kind::HEAP
    }

    /// Nothing was placed here, and nothing was refused.
    pub fn is_untouched(&self) -> bool {
        self.allocations == 0 && self.refused == 0 && self.faults == 0
    }

    pub fn node_list(&self) -> Vec<u32> {
        (0..u64::BITS).filter(|node| self.nodes >> node & 1 != 0).collect()
    }

    /// `numa, node 1, bind`; `file, /mnt/pmem0`; safe for a terminal.
    pub fn made_of(&self) -> String {
        let mut parts = vec![self.kind_name().to_owned()];
        match self.node_list().as_slice() {
            [] => {}
            [one] => parts.push(format!("node {one}")),
            many => parts.push(format!("nodes {}", ranges::words(many, 8))),
        }
        if !policy::name(self.policy).is_empty() {
            parts.push(policy::name(self.policy).to_owned());
        }
        match self.page {
            0 => {}
            1 => parts.push("transparent huge pages".to_owned()),
            page => parts.push(format!("pages of {}", size::bytes(page))),
        }
        if !self.path.is_empty() {
            parts.push(bytes(self.path.as_bytes()));
        }
        parts.join(", ")
    }

    /// How its pages were looked at.
    pub fn verified_by(&self) -> &'static str {
        verified_by::name(self.verified_by)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Rule {
    pub name: String,
    pub place: String,
    /// The index of its tier.
    pub tier: Option<usize>,
    pub limit: u64,
    pub sites: u64,
    /// Calls that it matched, wherever their blocks went; see [`Self::hits`].
    hits: u64,
    /// What was placed in a tier.
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub live_bytes: u64,
    pub peak_bytes: u64,
    pub misfits: u64,
    pub misfit_bytes: u64,
    /// Processes that have the rule, and those in which it waits for a module.
    pub processes: usize,
    pub pending: usize,
    /// Its tier is the ordinary heap.
    pub stays: bool,
    /// It may have matched calls of which the rules were not asked, because no tier wants their sizes.
    unasked: bool,
}

impl Rule {
    pub fn new(rule: &reader::TierRule, tier: Option<usize>) -> Self {
        Self { name: rule.name.clone(), place: rule.place.clone(), tier, limit: rule.limit, ..Self::default() }
    }

    pub fn add(&mut self, rule: &reader::TierRule) {
        let sums = [
            (&mut self.sites, rule.sites),
            (&mut self.allocations, rule.allocations),
            (&mut self.allocated_bytes, rule.allocated_bytes),
            (&mut self.live_bytes, rule.live_bytes),
            (&mut self.peak_bytes, rule.peak_bytes),
            (&mut self.misfits, rule.misfits),
            (&mut self.misfit_bytes, rule.misfit_bytes),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum = plus(*sum, more));
        self.processes += 1;
        self.pending += usize::from(rule.pending);
        self.stays = rule.tier == 0;
        self.unasked |= rule.unasked;
    }

    pub fn hit(&mut self, calls: u64) {
        self.hits = plus(self.hits, calls);
    }

    /// How many calls it matched. Nothing of a rule that leaves blocks on the heap: each call would pay for it.
    pub fn hits(&self) -> Option<u64> {
        (!self.stays).then_some(self.hits)
    }

    /// No call is known that it matched.
    fn is_silent(&self) -> bool {
        self.sites == 0 && self.allocations == 0 && self.misfits == 0
    }

    pub fn never_matched(&self) -> bool {
        self.is_silent() && !self.unasked
    }

    /// Nobody asked: it stands for sizes that no tier wants.
    pub fn never_asked(&self) -> bool {
        self.is_silent() && self.unasked
    }
}

#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Innermost first.
    pub calls: Vec<merge::Site>,
    pub rule: Option<usize>,
    pub tier: Option<usize>,
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
    pub peak_bytes: u64,
    pub elsewhere: u64,
    pub pages: u64,
    pub pages_right: u64,
    pub processes: usize,
    /// Its blocks stay on the ordinary heap.
    stays: bool,
}

impl Site {
    pub fn new(calls: Vec<merge::Site>, rule: Option<usize>, tier: Option<usize>) -> Self {
        Self { calls, rule, tier, ..Self::default() }
    }

    /// Has it numbers? Those of blocks that stay on the heap nobody keeps.
    pub fn is_counted(&self) -> bool {
        !self.stays
    }

    pub fn add(&mut self, site: &reader::TierSite) {
        let sums = [
            (&mut self.allocations, site.allocations),
            (&mut self.allocated_bytes, site.allocated_bytes),
            (&mut self.live_blocks, site.live_blocks),
            (&mut self.live_bytes, site.live_bytes),
            (&mut self.peak_bytes, site.peak_bytes),
            (&mut self.elsewhere, site.elsewhere),
            (&mut self.pages, site.pages),
            (&mut self.pages_right, site.pages_right.min(site.pages)),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum = plus(*sum, more));
        self.processes += 1;
        self.stays = site.tier == 0;
    }
}
