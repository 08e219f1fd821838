//! Memory tiers as a recording has them. Every number ends at [`MOST`], as those of the heap do.

use super::Recording;
use super::bytes::Raw;
use super::heap::MOST;
use crate::layout::{self, Section};
use crate::strings::Text;
use crate::tier::NODES;
use core::mem::offset_of;

/// A tier, and what was placed there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tier {
    pub index: u16,
    pub name: String,
    /// [`crate::tier::kind`].
    pub kind: u8,
    /// [`crate::tier::policy`].
    pub policy: u8,
    /// Bytes of its pages; 0 = the system's own; 1 = transparent huge pages.
    pub page: u64,
    /// Bit n: node n.
    pub nodes: u64,
    /// The directory, file or device; or what was wrong, when it could not be made.
    pub path: String,
    pub fault: String,
    /// Bytes that it may have; 0 = no limit.
    pub capacity: u64,
    /// Its addresses.
    pub start: u64,
    pub len: u64,
    /// Bytes of memory that it has now, and had at most.
    pub committed: u64,
    pub committed_most: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
    pub peak_bytes: u64,
    pub allocations: u64,
    pub allocated_bytes: u64,
    /// Allocations that found no room here, their bytes; and those that came here because another was full.
    pub refused: u64,
    pub refused_bytes: u64,
    pub taken_in: u64,
    /// [`crate::tier::verified_by`]; pages that were looked at, and how many were where they belong.
    pub verified_by: u8,
    pub pages: u64,
    pub pages_right: u64,
    /// Pages by node; the last: of all further nodes.
    pub node_pages: [u64; NODES],
}

/// A rule, and what it has placed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierRule {
    pub index: u16,
    pub name: String,
    /// FILE:LINE of the rule.
    pub place: String,
    pub tier: u16,
    /// Live bytes that it may place; 0 = no limit.
    pub limit: u64,
    /// Call stacks that it matched.
    pub sites: u64,
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
    pub peak_bytes: u64,
    /// Beyond the limit: allocations, bytes.
    pub misfits: u64,
    pub misfit_bytes: u64,
    /// Waits for a module that was not loaded.
    pub pending: bool,
    /// May have matched unseen: of sizes that no tier wants, the rules are not asked.
    pub unasked: bool,
}

/// What one call stack has placed by one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierSite {
    pub stack: u32,
    pub rule: u16,
    pub tier: u16,
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub frees: u64,
    pub freed_bytes: u64,
    pub live_blocks: u64,
    pub live_bytes: u64,
    pub peak_bytes: u64,
    /// Allocations that went elsewhere: the tier was full, or the rule's limit reached.
    pub elsewhere: u64,
    /// Pages that were looked at, and how many were where they belong.
    pub pages: u64,
    pub pages_right: u64,
}

/// Bytes below zero are allocations that are not told yet.
fn at_least_none(value: u64) -> u64 {
    if value as i64 > 0 { value.min(MOST) } else { 0 }
}

impl<B: AsRef<[u8]>> Recording<B> {
    fn tier_text(&self, raw: &Raw, at: usize) -> String {
        String::from_utf8_lossy(self.string(Text(raw.u64(at)))).into_owned()
    }

    /// The tiers; number 0 is the ordinary heap. Empty without `tiers=`.
    pub fn tiers(&self) -> Vec<Tier> {
        use layout::Tier as At;
        let read = |(index, raw): (usize, Raw)| {
            let number = |at: usize| raw.u64(at).min(MOST);
            let what = raw.u64(offset_of!(At, what));
            let mut node_pages = [0; NODES];
            for (i, pages) in node_pages.iter_mut().enumerate() {
                *pages = number(offset_of!(At, node_pages) + 8 * i);
            }
            (what != 0).then(|| Tier {
                index: index as u16,
                name: self.tier_text(&raw, offset_of!(At, name)),
                kind: what as u8,
                policy: (what >> 8) as u8,
                verified_by: raw.u64(offset_of!(At, verified_by)) as u8,
                page: raw.u64(offset_of!(At, page)),
                nodes: raw.u64(offset_of!(At, nodes)),
                path: self.tier_text(&raw, offset_of!(At, path)),
                fault: self.tier_text(&raw, offset_of!(At, fault)),
                capacity: number(offset_of!(At, capacity)),
                start: raw.u64(offset_of!(At, start)),
                len: number(offset_of!(At, len)),
                committed: number(offset_of!(At, committed)),
                committed_most: number(offset_of!(At, committed_most)),
                live_blocks: at_least_none(raw.u64(offset_of!(At, live_blocks))),
                live_bytes: at_least_none(raw.u64(offset_of!(At, live_bytes))),
                peak_bytes: number(offset_of!(At, peak_bytes)),
                allocations: number(offset_of!(At, allocations)),
                allocated_bytes: number(offset_of!(At, allocated_bytes)),
                refused: number(offset_of!(At, refused)),
                refused_bytes: number(offset_of!(At, refused_bytes)),
                taken_in: number(offset_of!(At, taken_in)),
                pages: number(offset_of!(At, pages)),
                pages_right: number(offset_of!(At, pages_right)),
                node_pages,
            })
        };
        self.all(Section::Tiers).filter_map(read).collect()
    }

    /// The rules, in the order of their file.
    pub fn tier_rules(&self) -> Vec<TierRule> {
        use layout::TierRule as At;
        let read = |(index, raw): (usize, Raw)| {
            let number = |at: usize| raw.u64(at).min(MOST);
            let what = raw.u64(offset_of!(At, what));
            (what & layout::TIER_RULE != 0).then(|| TierRule {
                index: index as u16,
                name: self.tier_text(&raw, offset_of!(At, name)),
                place: self.tier_text(&raw, offset_of!(At, place)),
                tier: what as u16,
                limit: number(offset_of!(At, limit)),
                sites: number(offset_of!(At, sites)),
                allocations: number(offset_of!(At, allocations)),
                allocated_bytes: number(offset_of!(At, allocated_bytes)),
                live_blocks: at_least_none(raw.u64(offset_of!(At, live_blocks))),
                live_bytes: at_least_none(raw.u64(offset_of!(At, live_bytes))),
                peak_bytes: number(offset_of!(At, peak_bytes)),
                misfits: number(offset_of!(At, misfits)),
                misfit_bytes: number(offset_of!(At, misfit_bytes)),
                pending: raw.u64(offset_of!(At, pending)) != 0,
                unasked: what & layout::TIER_RULE_UNASKED != 0,
            })
        };
        self.all(Section::TierRules).filter_map(read).collect()
    }

    /// What each call stack has placed.
    pub fn tier_sites(&self) -> Vec<TierSite> {
        use layout::TierSite as At;
        let read = |(_, raw): (usize, Raw)| {
            let number = |at: usize| raw.u64(at).min(MOST);
            let identity = raw.u64(offset_of!(At, identity));
            (identity != 0).then(|| TierSite {
                stack: identity as u32,
                rule: (identity >> 32) as u16,
                tier: (identity >> 48) as u16,
                allocations: number(offset_of!(At, allocations)),
                allocated_bytes: number(offset_of!(At, allocated_bytes)),
                frees: number(offset_of!(At, frees)),
                freed_bytes: number(offset_of!(At, freed_bytes)),
                live_blocks: at_least_none(raw.u64(offset_of!(At, live_blocks))),
                live_bytes: at_least_none(raw.u64(offset_of!(At, live_bytes))),
                peak_bytes: number(offset_of!(At, peak_bytes)),
                elsewhere: number(offset_of!(At, elsewhere)),
                pages: number(offset_of!(At, pages)),
                pages_right: number(offset_of!(At, pages_right)),
            })
        };
        self.all(Section::TierSites).filter_map(read).collect()
    }
}
