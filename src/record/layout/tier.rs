//! Memory tiers: what there is, which rules placed what, and from which call stacks.

use core::mem::{offset_of, size_of};
use core::sync::atomic::AtomicU64;

/// Bit of [`TierRule::what`]: there is a rule.
pub const TIER_RULE: u64 = 1 << 63;
/// Another: of some sizes that it wants no tier wants any, and nobody asks the rules: it may have matched unseen.
pub const TIER_RULE_UNASKED: u64 = 1 << 62;

/// A tier. Texts are [`crate::strings::Text`].
#[repr(C)]
pub struct Tier {
    /// [`crate::tier::kind`]:8 | [`crate::tier::policy`]:8 from the low end; 0 = empty.
    pub what: AtomicU64,
    pub name: AtomicU64,
    /// The directory, file or device of a tier that has one.
    pub path: AtomicU64,
    /// Why it could not be made; empty when it was.
    pub fault: AtomicU64,
    /// Bytes of its pages: 0 = the system's own, 1 = transparent huge pages.
    pub page: AtomicU64,
    /// Bit n: node n.
    pub nodes: AtomicU64,
    /// Bytes that it may have; 0 = no limit.
    pub capacity: AtomicU64,
    /// Its addresses.
    pub start: AtomicU64,
    pub len: AtomicU64,
    /// Bytes of memory that it has now, and had at most.
    pub committed: AtomicU64,
    pub committed_most: AtomicU64,
    pub live_blocks: AtomicU64,
    pub live_bytes: AtomicU64,
    pub peak_bytes: AtomicU64,
    pub allocations: AtomicU64,
    pub allocated_bytes: AtomicU64,
    /// Allocations that found no room here, and their bytes.
    pub refused: AtomicU64,
    pub refused_bytes: AtomicU64,
    /// Allocations that came here because their own tier was full.
    pub taken_in: AtomicU64,
    /// [`crate::tier::verified_by`].
    pub verified_by: AtomicU64,
    /// Pages that were looked at, and those that were where they belong.
    pub pages: AtomicU64,
    pub pages_right: AtomicU64,
    /// Pages by node; the last: of all further nodes.
    pub node_pages: [AtomicU64; crate::tier::NODES],
    pub _reserved: [AtomicU64; 26],
}

/// A rule of the file, in its order.
#[repr(C)]
pub struct TierRule {
    /// The tier:16 from the low end | [`TIER_RULE`] | [`TIER_RULE_UNASKED`].
    pub what: AtomicU64,
    pub name: AtomicU64,
    /// FILE:LINE.
    pub place: AtomicU64,
    /// Live bytes that it may place; 0 = no limit.
    pub limit: AtomicU64,
    /// Call stacks that it matched.
    pub sites: AtomicU64,
    pub allocations: AtomicU64,
    pub allocated_bytes: AtomicU64,
    pub live_blocks: AtomicU64,
    pub live_bytes: AtomicU64,
    pub peak_bytes: AtomicU64,
    /// Allocations beyond the limit, and their bytes.
    pub misfits: AtomicU64,
    pub misfit_bytes: AtomicU64,
    /// It waits for a module that is not loaded.
    pub pending: AtomicU64,
    pub _reserved: [AtomicU64; 3],
}

/// What one call stack has placed by one rule.
#[repr(C)]
pub struct TierSite {
    /// [`crate::tier::identity`]; 0 = empty.
    pub identity: AtomicU64,
    pub allocations: AtomicU64,
    pub allocated_bytes: AtomicU64,
    pub frees: AtomicU64,
    pub freed_bytes: AtomicU64,
    pub live_blocks: AtomicU64,
    pub live_bytes: AtomicU64,
    pub peak_bytes: AtomicU64,
    /// Allocations that went elsewhere: the tier was full, or the limit of the rule was reached.
    pub elsewhere: AtomicU64,
    /// Pages that were looked at, and those that were where they belong.
    pub pages: AtomicU64,
    pub pages_right: AtomicU64,
    pub _reserved: [AtomicU64; 5],
}

assert_offsets!(
    Tier,
    512,
    what = 0,
    name = 8,
    path = 16,
    fault = 24,
    page = 32,
    nodes = 40,
    capacity = 48,
    start = 56,
    len = 64,
    committed = 72,
    committed_most = 80,
    live_blocks = 88,
    live_bytes = 96,
    peak_bytes = 104,
    allocations = 112,
    allocated_bytes = 120,
    refused = 128,
    refused_bytes = 136,
    taken_in = 144,
    verified_by = 152,
    pages = 160,
    pages_right = 168,
    node_pages = 176
);
assert_offsets!(
    TierRule,
    128,
    what = 0,
    name = 8,
    place = 16,
    limit = 24,
    sites = 32,
    allocations = 40,
    allocated_bytes = 48,
    live_blocks = 56,
    live_bytes = 64,
    peak_bytes = 72,
    misfits = 80,
    misfit_bytes = 88,
    pending = 96
);
assert_offsets!(
    TierSite,
    128,
    identity = 0,
    allocations = 8,
    allocated_bytes = 16,
    frees = 24,
    freed_bytes = 32,
    live_blocks = 40,
    live_bytes = 48,
    peak_bytes = 56,
    elsewhere = 64,
    pages = 72,
    pages_right = 80
);
