//! Call stacks that opened descriptors or allocated, with their totals; open descriptors over time.

use core::mem::{offset_of, size_of};
use core::sync::atomic::AtomicU64;

/// A call stack that opened descriptors or allocated, and how many.
///
/// The heap's numbers are exact when every block is followed, and unbiased estimates when allocations are sampled: each
/// sampled block then stands for many.
#[repr(C)]
pub struct Site {
    /// 0 = empty.
    pub stack: AtomicU64,
    pub opened: AtomicU64,
    /// Of those: closed, by whom and how ever.
    pub closed: AtomicU64,
    pub first_opened: AtomicU64,
    pub last_opened: AtomicU64,
    /// Blocks and bytes that were allocated here, and those of them that were freed.
    pub allocations: AtomicU64,
    pub allocated_bytes: AtomicU64,
    pub frees: AtomicU64,
    pub freed_bytes: AtomicU64,
    /// Live at the process's peak `peak_epoch`: see [`crate::heap`] before you read them.
    pub peak_blocks: AtomicU64,
    pub peak_bytes: AtomicU64,
    pub peak_epoch: AtomicU64,
    /// Allocations that were looked at: fewer than `allocations` when they are sampled. What the error of an estimate rests on.
    pub observed: AtomicU64,
    /// Definitely lost at the last look for leaks.
    pub lost_blocks: AtomicU64,
    pub lost_bytes: AtomicU64,
    pub _reserved: AtomicU64,
}

/// How the heap blocks of a call stack were used. Estimates where allocations are sampled, as in [`Site`].
#[repr(C)]
pub struct SiteUse {
    /// Freed blocks whose lifetime is known, the sum of their lifetimes, and the longest; ms.
    pub ended: AtomicU64,
    pub lifetime_ms: AtomicU64,
    pub longest_ms: AtomicU64,
    /// The most bytes that were live at a time.
    pub most_bytes: AtomicU64,
    /// Of the sampled accesses, those that hit a block: see [`super::Heap::access_kind`].
    pub loads: AtomicU64,
    pub stores: AtomicU64,
    pub faults: AtomicU64,
    /// When its first and its last block were allocated or freed, as far as was told: ms since the start + 1, first:32 |
    /// last:32 from the low end; 0 = not known.
    pub active: AtomicU64,
}

/// Places in a [`Sample`].
pub const SAMPLE_SITES: usize = 28;

/// How many descriptors were open at a time, and which sites had opened most of them.
#[repr(C)]
pub struct Sample {
    /// CLOCK_MONOTONIC, ns; 0 = empty.
    pub time: AtomicU64,
    pub open: AtomicU64,
    /// RLIMIT_NOFILE, soft.
    pub limit: AtomicU64,
    pub _reserved: AtomicU64,
    /// site + 1:32 | open:32 from the low end, the most first; 0 = no more.
    pub sites: [AtomicU64; SAMPLE_SITES],
}

assert_offsets!(
    Site,
    128,
    stack = 0,
    opened = 8,
    closed = 16,
    first_opened = 24,
    last_opened = 32,
    allocations = 40,
    allocated_bytes = 48,
    frees = 56,
    freed_bytes = 64,
    peak_blocks = 72,
    peak_bytes = 80,
    peak_epoch = 88,
    observed = 96,
    lost_blocks = 104,
    lost_bytes = 112,
    _reserved = 120
);
assert_offsets!(
    SiteUse,
    64,
    ended = 0,
    lifetime_ms = 8,
    longest_ms = 16,
    most_bytes = 24,
    loads = 32,
    stores = 40,
    faults = 48,
    active = 56
);
assert_offsets!(Sample, 256, time = 0, open = 8, limit = 16, _reserved = 24, sites = 32);
