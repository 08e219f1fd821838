//! A finding, with those who took part in it.

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64};

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
