//! The heap as a whole, and live bytes over time.

use super::site::SAMPLE_SITES;
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64};

/// Live bytes at a time, and the sites that hold most of them.
#[repr(C)]
pub struct HeapSample {
    /// CLOCK_MONOTONIC, ns; 0 = empty.
    pub time: AtomicU64,
    pub live_bytes: AtomicU64,
    pub live_blocks: AtomicU64,
    pub _reserved: AtomicU64,
    /// site + 1:20 | live bytes:44 from the low end, the most first; 0 = no more.
    pub sites: [AtomicU64; SAMPLE_SITES],
}

/// Classes of sizes in [`Heap::sizes`]: class `n` is up to `2^n` bytes, and more than the class before.
pub const SIZE_CLASSES: usize = 48;

/// Blocks of a class of sizes, and their bytes.
#[repr(C)]
pub struct SizeClass {
    pub blocks: AtomicU64,
    pub bytes: AtomicU64,
}

/// The heap as a whole. Written when `heap` is not `off`.
#[repr(C)]
pub struct Heap {
    /// See [`crate::heap::level`]; 0 = nothing is known of the heap.
    pub level: AtomicU32,
    /// Odd while the samples are being thinned out.
    pub samples_version: AtomicU32,
    /// One byte in so many is sampled, and what is live an estimate; 0 = every allocation is seen.
    pub sampling: AtomicU64,
    pub live_bytes: AtomicU64,
    pub live_blocks: AtomicU64,
    pub peak_bytes: AtomicU64,
    pub peak_time: AtomicU64,
    /// How many times the peak was exceeded, in steps.
    pub peak_epoch: AtomicU64,
    /// [`HeapSample`]s that are valid, and the least time between two, ns.
    pub samples: AtomicU64,
    pub sample_interval: AtomicU64,
    /// At the last look for leaks: when, and blocks and bytes of each class: definitely, indirectly, possibly lost, reachable.
    pub looked: AtomicU64,
    pub leak_classes: [[AtomicU64; 2]; 4],
    /// The path of the module whose malloc the program calls, when that is not libshim.so's: text in [`super::Section::Strings`]. The
    /// heap was not seen then.
    pub elsewhere: AtomicU64,
    /// How accesses were sampled, see [`crate::usage::access`]: 0 = not. One of so many was written down.
    pub access_kind: AtomicU64,
    pub access_period: AtomicU64,
    /// Samples in all, those of them that hit no block that is known, and those that the kernel had no room for.
    pub access_samples: AtomicU64,
    pub access_elsewhere: AtomicU64,
    pub access_lost: AtomicU64,
    pub _reserved: [AtomicU64; 8],
    pub sizes: [SizeClass; SIZE_CLASSES],
}

assert_offsets!(HeapSample, 256, time = 0, live_bytes = 8, live_blocks = 16, _reserved = 24, sites = 32);
assert_offsets!(
    Heap,
    1024,
    level = 0,
    samples_version = 4,
    sampling = 8,
    live_bytes = 16,
    live_blocks = 24,
    peak_bytes = 32,
    peak_time = 40,
    peak_epoch = 48,
    samples = 56,
    sample_interval = 64,
    looked = 72,
    leak_classes = 80,
    elsewhere = 144,
    access_kind = 152,
    access_period = 160,
    access_samples = 168,
    access_elsewhere = 176,
    access_lost = 184,
    _reserved = 192,
    sizes = 256
);
