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
//! Everything is valid when zero: a zero entry is an empty entry. Adding a section or a counter at the end is
//! compatible; moving anything is not: bump [`VERSION`].

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64};

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
}

impl Section {
    pub const ALL: [Self; 14] = [
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
            Self::StackWords => 384,
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

/// Values of `Header::state`.
pub mod state {
    pub const RUNNING: u32 = 1;
    pub const EXITED: u32 = 2;
    /// An exec call was made and has not returned: the image was replaced, or the process ended inside it.
    pub const EXEC: u32 = 3;
}

/// Process-wide counters, `Header::counters`. Zero means that nothing was lost. New ones go to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Findings of severity error, repetitions included.
    Errors = 0,
    Suspects,
    Infos,
    /// Distinct findings that found no room in the table.
    FindingsDropped,
    /// Stacks that found no room.
    StacksDropped,
    /// Descriptor numbers beyond the table.
    DescriptorsUntracked,
    /// Threads beyond the table.
    ThreadsUntracked,
    /// Hooks entered while this thread was already inside one (a signal handler), or on a stack too small for an unwinder:
    /// followed without a call stack.
    Reentered,
    /// Chunks that could not be reserved: the disk is full, or the address space.
    ChunksRefused,
    /// Stacks that ended early because a module has no unwind information or a frame could not be read.
    StacksTruncated,
    /// Modules beyond the table.
    ModulesDropped,
    /// Closes that `protect` refused.
    Refused,
    /// Numbers that went through the quarantine.
    Quarantined,
    /// Quarantine flushes because the program ran out of numbers.
    QuarantineFlushed,
    /// Descriptors that appeared or vanished where we could not see it.
    Unseen,
    /// Message lines that could not be written.
    MessagesLost,
    /// Descriptors passed to us by another process.
    Received,
    /// Remembered stacks that were unwound again to check them.
    StacksChecked,
    /// Of those, how many were wrong.
    StacksMismatched,
    /// Call stacks that opened descriptors beyond the table of sites.
    SitesDropped,
    /// Descriptors that a look for leaks had no room for.
    LeaksDropped,
    /// Events of findings that a suppression covers; in no other count.
    Suppressed,
    /// Heap blocks beyond the tables: their frees pass through.
    BlocksUntracked,
    /// Frees of pointers that no allocation hook has returned: passed through.
    ForeignFrees,
    /// Frees that `protect` refused.
    FreesRefused,
    /// Freed blocks that went through the quarantine of the heap.
    BlocksQuarantined,
    /// Allocations that were put on guard pages.
    BlocksGuarded,
    /// Looks for lost blocks that had no time or no room, or were not possible.
    LooksGivenUp,
    /// Groups of blocks that a look for lost ones had no room for.
    LostLeftOut,
    /// Calls on keys that `protect` refused.
    KeysRefused,
    /// Calls on locks that `protect` refused, because they would have waited for ever.
    LocksRefused,
    /// Locks that a thread took beyond those that are followed at a time.
    HoldsUntracked,
    /// Locks, or orders of two, beyond the tables.
    LocksUntracked,
}

impl Counter {
    pub const ALL: [(Self, &'static str); 33] = [
        (Self::Errors, "errors"),
        (Self::Suspects, "suspects"),
        (Self::Infos, "infos"),
        (Self::FindingsDropped, "findings dropped"),
        (Self::StacksDropped, "stacks dropped"),
        (Self::DescriptorsUntracked, "descriptors beyond the table"),
        (Self::ThreadsUntracked, "threads beyond the table"),
        (Self::Reentered, "hooks without a call stack: in a signal handler inside a hook, or short of stack"),
        (Self::ChunksRefused, "recording chunks refused"),
        (Self::StacksTruncated, "stacks truncated"),
        (Self::ModulesDropped, "modules dropped"),
        (Self::Refused, "closes refused"),
        (Self::Quarantined, "numbers quarantined"),
        (Self::QuarantineFlushed, "quarantine flushes"),
        (Self::Unseen, "unseen opens or closes"),
        (Self::MessagesLost, "messages lost"),
        (Self::Received, "descriptors received"),
        (Self::StacksChecked, "remembered stacks checked"),
        (Self::StacksMismatched, "remembered stacks wrong"),
        (Self::SitesDropped, "opening call stacks beyond the table"),
        (Self::LeaksDropped, "descriptors left out of the look for leaks"),
        (Self::Suppressed, "suppressed"),
        (Self::BlocksUntracked, "heap blocks untracked"),
        (Self::ForeignFrees, "frees of foreign pointers"),
        (Self::FreesRefused, "frees refused"),
        (Self::BlocksQuarantined, "heap blocks quarantined"),
        (Self::BlocksGuarded, "heap blocks on guard pages"),
        (Self::LooksGivenUp, "looks for lost blocks given up"),
        (Self::LostLeftOut, "groups of heap blocks left out of the look for lost ones"),
        (Self::KeysRefused, "calls on keys refused"),
        (Self::LocksRefused, "calls on locks refused"),
        (Self::HoldsUntracked, "held locks beyond the list of their thread"),
        (Self::LocksUntracked, "locks beyond the table"),
    ];
}

/// Per-thread counters, `Thread::counters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ThreadCounter {
    /// malloc, calloc, memalign and their kin.
    Allocations = 0,
    Frees,
    Reallocations,
    BytesRequested,
    Opens,
    Closes,
    /// Stacks taken.
    Unwinds,
    /// Lives of descriptors that ended here, by whatever: closes of numbers that were open, and replacements.
    Ended,
    /// Usable bytes of blocks that this thread allocated, and of those that it freed; with `heap=count` and `full` only.
    BytesAllocated,
    BytesFreed,
}

#[repr(C)]
pub struct Header {
    pub magic: [u8; 8],
    pub version: u32,
    pub order: u32,
    pub header_len: u32,
    pub chunk_len: u32,
    /// ELF `e_machine` of the watched program.
    pub machine: u32,
    pub pointer_bits: u32,
    /// See [`state`]; 0 while it is being made.
    pub state: AtomicU32,
    pub exit_status: AtomicU32,
    pub pid: AtomicU32,
    pub ppid: AtomicU32,
    /// MPI rank + 1, 0 = none.
    pub rank: AtomicU32,
    /// Forks since the first process of this chain.
    pub epoch: AtomicU32,
    /// CLOCK_REALTIME at the start, ns.
    pub started_real: AtomicU64,
    /// CLOCK_MONOTONIC at the start, ns: the clock of all other times here.
    pub started: AtomicU64,
    pub ended: AtomicU64,
    /// Chunks in the directory that are valid.
    pub chunks: AtomicU32,
    /// Thread entries ever used.
    pub threads: AtomicU32,
    pub modules: AtomicU32,
    pub findings: AtomicU32,
    /// The next free word of [`Section::StackWords`].
    pub stack_words: AtomicU32,
    pub string_bytes: AtomicU32,
    /// The last message of `Header::state` EXEC: offset and length in [`Section::Strings`].
    pub exec_path: AtomicU64,
    /// Site entries ever used.
    pub sites: AtomicU32,
    /// Samples that are valid.
    pub samples: AtomicU32,
    /// Odd while the samples are being thinned out.
    pub samples_version: AtomicU64,
    /// The least time between two samples, ns; it doubles when the table is full.
    pub sample_interval: AtomicU64,
    pub _reserved: [AtomicU64; 9],
    pub counters: [AtomicU64; 64],
    /// NUL-padded text, see [`crate::text`].
    pub comm: [AtomicU64; 2],
    pub shim_version: [AtomicU64; 4],
    pub libc_version: [AtomicU64; 4],
    pub options: [AtomicU64; 64],
    pub exe: [AtomicU64; 128],
    /// Arguments, each ended by NUL.
    pub command: [AtomicU64; 256],
}

/// One event of the ring; see [`crate::store::Ring`].
#[repr(C)]
pub struct Event {
    /// CLOCK_MONOTONIC, ns.
    pub time: AtomicU64,
    /// op:8 | unused:8 | errno:16 | fd:32 from the low end.
    pub what: AtomicU64,
    /// Depends on the operation: the second descriptor, a generation, a length.
    pub detail: AtomicU64,
    /// stack:32 | low half of the sequence number:32; written last.
    pub seal: AtomicU64,
}

/// What an [`Event`] says. The values are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    Open = 1,
    Close = 2,
    /// `detail` is the new number.
    Dup = 3,
    /// A use that failed with EBADF.
    BadUse = 4,
    /// Closed by us: an eviction from the quarantine.
    Evict = 5,
    Refused = 6,
    Fork = 7,
    Exec = 8,
    /// Arrived by SCM_RIGHTS.
    Receive = 9,
    ThreadStart = 10,
    ThreadEnd = 11,
    /// A range was closed: `fd` to `detail`.
    CloseRange = 12,
    Exit = 13,
}

impl Op {
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Open, "open"),
        (Self::Close, "close"),
        (Self::Dup, "dup"),
        (Self::BadUse, "bad use"),
        (Self::Evict, "evict"),
        (Self::Refused, "refused"),
        (Self::Fork, "fork"),
        (Self::Exec, "exec"),
        (Self::Receive, "receive"),
        (Self::ThreadStart, "thread start"),
        (Self::ThreadEnd, "thread end"),
        (Self::CloseRange, "close range"),
        (Self::Exit, "exit"),
    ];
}

pub const RING_LEN: usize = 240;

/// Values of `Thread::state`.
pub mod thread_state {
    pub const LIVE: u32 = 1;
    pub const ENDED: u32 = 2;
}

#[repr(C)]
pub struct Thread {
    pub state: AtomicU32,
    pub tid: AtomicU32,
    pub name: [AtomicU64; 2],
    pub started: AtomicU64,
    pub ended: AtomicU64,
    pub counters: [AtomicU64; 32],
    /// Events ever written; the ring holds the last [`RING_LEN`].
    pub written: AtomicU64,
    /// The descriptor number + 1 that the thread uses at this moment, 0 = none: it may wait there for hours.
    pub using: AtomicU32,
    pub _reserved_half: AtomicU32,
    /// The lock that the thread waits for at this moment, 0 = none; what it is and how it is wanted (`track::lock::What`) in
    /// the low, a stack in the high half; since when, CLOCK_MONOTONIC, ns.
    pub waits_for: AtomicU64,
    pub waits_what: AtomicU64,
    pub waits_since: AtomicU64,
    /// What it held when it began to wait, the latest first.
    pub holds: [ThreadHold; THREAD_HOLDS],
    pub _reserved: [AtomicU64; 4],
    pub ring: [Event; RING_LEN],
}

/// Places in [`Thread::holds`].
pub const THREAD_HOLDS: usize = 6;

/// A lock that a waiting thread holds.
#[repr(C)]
pub struct ThreadHold {
    /// 0 = no more.
    pub lock: AtomicU64,
    /// As [`Thread::waits_what`]; where the stack is 0, there is a frame.
    pub what: AtomicU64,
    /// Where it was taken: a [`crate::stacks::Frame`].
    pub frame: AtomicU64,
}

/// Values of `Finding::state`.
pub mod finding_state {
    pub const WRITING: u32 = 1;
    pub const READY: u32 = 2;
    /// As ready, and its text is out.
    pub const TOLD: u32 = 3;

    /// Are the entry's fields all written?
    pub const fn is_whole(state: u32) -> bool {
        matches!(state, READY | TOLD)
    }
}

/// One party of a finding: who, where, in which role.
#[repr(C)]
pub struct Party {
    /// role:32 | tid:32 from the low end; role 0 = absent. See [`crate::kind::Role`].
    pub who: AtomicU64,
    /// Stack id; 0 = unknown.
    pub stack: AtomicU64,
    pub thread: [AtomicU64; 2],
}

pub const PARTIES: usize = 6;

/// A finding: kind and stacks make its identity, everything else is of its first event.
#[repr(C)]
pub struct Finding {
    pub state: AtomicU32,
    /// kind:16 | severity:8 | resource tag:8 from the low end.
    pub what: AtomicU32,
    pub key: AtomicU64,
    pub count: AtomicU64,
    pub first: AtomicU64,
    pub last: AtomicU64,
    pub tid: AtomicU64,
    /// The meaning depends on the resource tag, see [`crate::findings::Resource`].
    pub numbers: [AtomicU64; 6],
    pub thread: [AtomicU64; 2],
    /// A [`crate::label::Label`].
    pub label: [AtomicU64; 5],
    pub parties: [Party; PARTIES],
    /// Free text of the family, such as the name of the call.
    pub detail: [AtomicU64; 14],
    /// A [`crate::suppressions::Mark`]; 0 = not suppressed.
    pub suppressed: AtomicU64,
    /// More numbers of the resource, two in a word.
    pub more: [AtomicU64; 6],
}

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
    /// The path of the module whose malloc the program calls, when that is not libshim.so's: text in [`Section::Strings`]. The
    /// heap was not seen then.
    pub elsewhere: AtomicU64,
    pub _reserved: [AtomicU64; 13],
    pub sizes: [SizeClass; SIZE_CLASSES],
}

/// A lock, and how it was used: with `lock_times=1`. Locks that had one address, one after the other, are one.
#[repr(C)]
pub struct Lock {
    /// 0 = empty.
    pub address: AtomicU64,
    /// [`crate::lock::kind`]:8 | unused:24 | the lock's place (a stack of one frame):32 from the low end.
    pub what: AtomicU64,
    /// Where it was initialised, or first locked: a stack.
    pub created: AtomicU64,
    pub taken: AtomicU64,
    /// Of those: for reading.
    pub taken_read: AtomicU64,
    /// Of those: not at once.
    pub contended: AtomicU64,
    /// Taken by another thread than the time before.
    pub changed_hands: AtomicU64,
    /// ns, in sum and at most.
    pub waited: AtomicU64,
    pub waited_most: AtomicU64,
    pub held: AtomicU64,
    pub held_most: AtomicU64,
    /// Where it was held longest, and who waited longest: stacks.
    pub held_most_at: AtomicU64,
    pub waited_most_at: AtomicU64,
    /// Who took it last.
    pub last_tid: AtomicU64,
    /// Who has it for itself at this moment, 0 = nobody; in the high half how often more, of one that is recursive.
    pub held_by: AtomicU64,
    pub _reserved: [AtomicU64; 1],
}

/// The lock `to` was taken while `from` was held.
#[repr(C)]
pub struct LockEdge {
    /// Addresses; 0 = empty.
    pub from: AtomicU64,
    pub to: AtomicU64,
    /// Where `from` was taken, and then `to`: stacks, low and high half.
    pub stacks: AtomicU64,
    /// held kind:8 | held mode:8 | taken kind:8 | taken mode:8 | ended:1 from the low end: see [`crate::lock`].
    pub what: AtomicU64,
    /// How often it was seen: counted without a lock, so it may be a few less.
    pub count: AtomicU64,
    pub tid: AtomicU64,
    /// Places, as in [`Lock::what`]: `from` low, `to` high half.
    pub places: AtomicU64,
    pub _reserved: AtomicU64,
}

/// One loaded object.
#[repr(C)]
pub struct Module {
    /// 0 = empty, 1 = ready.
    pub state: AtomicU32,
    pub build_id_len: AtomicU32,
    /// Text in [`Section::Strings`]: offset:32 | length:32 from the low end.
    pub path: AtomicU64,
    /// What to subtract from an address to get the ELF virtual address.
    pub bias: AtomicU64,
    pub start: AtomicU64,
    pub end: AtomicU64,
    pub loaded: AtomicU64,
    /// 0 = still loaded.
    pub unloaded: AtomicU64,
    /// See [`module_flag`].
    pub flags: AtomicU64,
    pub build_id: [AtomicU64; 4],
    pub _reserved: [AtomicU64; 20],
}

pub mod module_flag {
    /// The program itself.
    pub const MAIN: u64 = 1;
    pub const LIBC: u64 = 2;
    /// libshim.so.
    pub const SHIM: u64 = 4;
}

macro_rules! assert_offsets {
    ($type:ty, $size:expr, $($field:ident = $at:expr),* $(,)?) => {
        const _: () = assert!(size_of::<$type>() == $size);
        $(const _: () = assert!(offset_of!($type, $field) == $at);)*
    };
}

assert_offsets!(
    Header,
    4384,
    magic = 0,
    version = 8,
    order = 12,
    header_len = 16,
    chunk_len = 20,
    machine = 24,
    pointer_bits = 28,
    state = 32,
    exit_status = 36,
    pid = 40,
    ppid = 44,
    rank = 48,
    epoch = 52,
    started_real = 56,
    started = 64,
    ended = 72,
    chunks = 80,
    threads = 84,
    modules = 88,
    findings = 92,
    stack_words = 96,
    string_bytes = 100,
    exec_path = 104,
    sites = 112,
    samples = 116,
    samples_version = 120,
    sample_interval = 128,
    _reserved = 136,
    counters = 208,
    comm = 720,
    shim_version = 736,
    libc_version = 768,
    options = 800,
    exe = 1312,
    command = 2336
);
const _: () = assert!(size_of::<Header>() <= HEADER_LEN);
assert_offsets!(Event, 32, time = 0, what = 8, detail = 16, seal = 24);
assert_offsets!(
    Thread,
    8192,
    state = 0,
    tid = 4,
    name = 8,
    started = 24,
    ended = 32,
    counters = 40,
    written = 296,
    using = 304,
    waits_for = 312,
    waits_what = 320,
    waits_since = 328,
    holds = 336,
    _reserved = 480,
    ring = 512
);
assert_offsets!(ThreadHold, 24, lock = 0, what = 8, frame = 16);
assert_offsets!(Party, 32, who = 0, stack = 8, thread = 16);
assert_offsets!(
    Finding,
    512,
    state = 0,
    what = 4,
    key = 8,
    count = 16,
    first = 24,
    last = 32,
    tid = 40,
    numbers = 48,
    thread = 96,
    label = 112,
    parties = 152,
    detail = 344,
    suppressed = 456,
    more = 464
);
assert_offsets!(
    Module,
    256,
    state = 0,
    build_id_len = 4,
    path = 8,
    bias = 16,
    start = 24,
    end = 32,
    loaded = 40,
    unloaded = 48,
    flags = 56,
    build_id = 64,
    _reserved = 96
);

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
    _reserved = 152,
    sizes = 256
);
assert_offsets!(
    Lock,
    128,
    address = 0,
    what = 8,
    created = 16,
    taken = 24,
    taken_read = 32,
    contended = 40,
    changed_hands = 48,
    waited = 56,
    waited_most = 64,
    held = 72,
    held_most = 80,
    held_most_at = 88,
    waited_most_at = 96,
    last_tid = 104,
    held_by = 112,
    _reserved = 120
);
assert_offsets!(
    LockEdge,
    64,
    from = 0,
    to = 8,
    stacks = 16,
    what = 24,
    count = 32,
    tid = 40,
    places = 48,
    _reserved = 56
);
assert_offsets!(Sample, 256, time = 0, open = 8, limit = 16, _reserved = 24, sites = 32);

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
