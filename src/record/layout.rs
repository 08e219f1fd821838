//! The format of a recording, version 2.
//!
//! ```text
//! 0        Header                                8 KiB
//! 8 KiB    directory: one u32 per chunk          8 KiB   section << 24 | index of the chunk in its section
//! 16 KiB   chunk 0, chunk 1, …                   64 KiB each, in the order of the directory
//! 129 MiB  snapshots, if any was taken           a sparse tail beyond the last possible chunk: see [`crate::snapshot`]
//! ```
//!
//! A *section* is an array of equal entries that grows by chunks. Entries never straddle a chunk, so entry `i` of a
//! section lies in its chunk `i / per_chunk`. The file grows by whole chunks whose blocks were reserved first: a full
//! disk is an error where the chunk is asked for, never a SIGBUS where it is written.
//!
//! Why every wide field is an atomic: several threads, and a reader in another process, look at them at the same
//! time, and an atomic is 8-byte aligned on i686 too, where a plain `u64` is not. All integers are in the writer's
//! byte order; `Header::order` tells.
//!
//! ```text
//! layout/process.rs  the header            layout/site.rs    call stacks and their totals
//! layout/thread.rs   threads, events       layout/heap.rs    the heap
//! layout/finding.rs  findings              layout/lock.rs    locks and their order
//!                                          layout/module.rs  loaded objects
//! ```
//!
//! Everything is valid when zero: a zero entry is an empty entry. Adding a section or a counter at the end is
//! compatible; moving anything is not: bump [`VERSION`].

/// The size of a struct, and where its fields lie. Ahead of the modules: they use it.
macro_rules! assert_offsets {
    ($type:ty, $size:expr, $($field:ident = $at:expr),* $(,)?) => {
        const _: () = assert!(size_of::<$type>() == $size);
        $(const _: () = assert!(offset_of!($type, $field) == $at);)*
    };
}

mod finding;
mod heap;
mod lock;
mod module;
mod process;
mod site;
mod thread;
mod tier;

pub use finding::{Finding, PARTIES, Party, finding_state};
pub use heap::{Heap, HeapSample, SIZE_CLASSES, SizeClass};
pub use lock::{Lock, LockEdge};
pub use module::{Module, module_flag};
pub use process::{Counter, Header, state};
pub use site::{SAMPLE_SITES, Sample, Site, SiteUse};
pub use thread::{Event, Op, RING_LEN, THREAD_HOLDS, Thread, ThreadCounter, ThreadHold, thread_state};
pub use tier::{TIER_RULE, TIER_RULE_UNASKED, Tier, TierRule, TierSite};

use core::mem::size_of;

pub const MAGIC: [u8; 8] = *b"SHIMREC\n";
pub const VERSION: u32 = 2;
/// Written as a native integer: a reader of the other byte order sees it reversed.
pub const ORDER: u32 = 0x0102_0304;

pub const HEADER_LEN: usize = 8192;
pub const DIRECTORY_LEN: usize = 8192;
/// Where chunk 0 begins.
pub const CHUNKS_AT: usize = HEADER_LEN + DIRECTORY_LEN;
pub const CHUNK_LEN: usize = 65536;
/// Directory entries, and so the bound on a recording: 2048 × 64 KiB.
pub const MAX_CHUNKS: usize = DIRECTORY_LEN / 4;

/// What a chunk holds. The values are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Section {
    Threads = 1,
    /// `track::fd::Slot`, indexed by descriptor number.
    Descriptors = 2,
    /// Open-addressing hash table of stack ids.
    StackIndex = 3,
    /// Stacks, as runs of words: see [`crate::stacks`].
    StackWords = 4,
    Findings = 5,
    Modules = 6,
    /// Bytes that other entries point to.
    Strings = 7,
    /// Places that opened descriptors, with their totals: see [`crate::sites`].
    Sites = 8,
    /// Open descriptors over time, by site: see [`crate::samples`].
    Samples = 9,
    /// One [`Heap`].
    Heap = 10,
    /// Live bytes of the heap over time, by site: see [`crate::heap`].
    HeapSamples = 11,
    /// `track::key::Slot`, indexed by key.
    Keys = 12,
    /// Locks, with how often they were taken and waited for: see [`crate::lock`].
    Locks = 13,
    /// Which lock was taken while which was held: see [`crate::lock`].
    LockEdges = 14,
    /// Memory tiers, with what was placed there: see [`crate::tier`].
    Tiers = 15,
    /// The rules that place, in the order of their file.
    TierRules = 16,
    /// What each call stack has placed.
    TierSites = 17,
    /// How the blocks of a site were used, by the index of the site: see [`crate::usage`].
    SiteUses = 18,
}

impl Section {
    pub const ALL: [Self; 18] = [
        Self::Threads,
        Self::Descriptors,
        Self::StackIndex,
        Self::StackWords,
        Self::Findings,
        Self::Modules,
        Self::Strings,
        Self::Sites,
        Self::Samples,
        Self::Heap,
        Self::HeapSamples,
        Self::Keys,
        Self::Locks,
        Self::LockEdges,
        Self::Tiers,
        Self::TierRules,
        Self::TierSites,
        Self::SiteUses,
    ];

    pub const fn from_code(code: u8) -> Option<Self> {
        let mut i = 0;
        while i < Self::ALL.len() {
            if Self::ALL[i] as u8 == code {
                return Some(Self::ALL[i]);
            }
            i += 1;
        }
        None
    }

    /// Bytes per entry.
    pub const fn entry_len(self) -> usize {
        match self {
            Self::Threads => size_of::<Thread>(),
            Self::Descriptors => DESCRIPTOR_LEN,
            Self::StackIndex => 4,
            Self::StackWords => 8,
            Self::Findings => size_of::<Finding>(),
            Self::Modules => size_of::<Module>(),
            Self::Strings => 1,
            Self::Sites => size_of::<Site>(),
            Self::Samples => size_of::<Sample>(),
            Self::Heap => size_of::<Heap>(),
            Self::HeapSamples => size_of::<HeapSample>(),
            Self::Keys => KEY_LEN,
            Self::Locks => size_of::<Lock>(),
            Self::LockEdges => size_of::<LockEdge>(),
            Self::Tiers => size_of::<Tier>(),
            Self::TierRules => size_of::<TierRule>(),
            Self::TierSites => size_of::<TierSite>(),
            Self::SiteUses => size_of::<SiteUse>(),
        }
    }

    pub const fn per_chunk(self) -> usize {
        CHUNK_LEN / self.entry_len()
    }

    /// The most chunks that this section may have; the sum stays below [`MAX_CHUNKS`].
    pub const fn max_chunks(self) -> usize {
        match self {
            Self::Threads => 512,
            Self::Descriptors => 1024,
            Self::StackIndex => 8,
            Self::StackWords => 342,
            Self::Findings => 8,
            Self::Modules => 4,
            Self::Strings => 16,
            Self::Sites => 64,
            Self::Samples => 2,
            Self::Heap => 1,
            Self::HeapSamples => 2,
            Self::Keys => 1,
            Self::Locks => 12,
            Self::LockEdges => 8,
            Self::Tiers => 1,
            Self::TierRules => 2,
            Self::TierSites => 8,
            Self::SiteUses => 32,
        }
    }

    pub const fn capacity(self) -> usize {
        self.max_chunks() * self.per_chunk()
    }
}

/// Bytes of one `track::fd::Slot`; `shim` asserts that the two agree.
pub const DESCRIPTOR_LEN: usize = 512;

/// Bytes of one `track::key::Slot`; `shim` asserts that the two agree.
pub const KEY_LEN: usize = 64;

const _: () = {
    let mut total = 0;
    let mut i = 0;
    while i < Section::ALL.len() {
        total += Section::ALL[i].max_chunks();
        assert!(CHUNK_LEN % Section::ALL[i].entry_len() == 0);
        i += 1;
    }
    assert!(total <= MAX_CHUNKS);
};
