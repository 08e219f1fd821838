//! A thread: its counters, what it waits for at this moment, and the ring of its latest events.

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64};

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
