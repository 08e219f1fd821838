//! Locks, and the order in which they are taken.

use core::mem::{offset_of, size_of};
use core::sync::atomic::AtomicU64;

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
