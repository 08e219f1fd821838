//! The header: the process, how far each table is filled, and what was lost.

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64};

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
    /// The next free word of [`super::Section::StackWords`].
    pub stack_words: AtomicU32,
    pub string_bytes: AtomicU32,
    /// The last message of `Header::state` EXEC: offset and length in [`super::Section::Strings`].
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
const _: () = assert!(size_of::<Header>() <= super::HEADER_LEN);
