//! The queue of tombstones: closed numbers that stay taken for a while, so that a stale close hits a tombstone and not
//! somebody else's descriptor.
//!
//! A bounded multi-producer multi-consumer queue in the manner of Vyukov: a cell's *turn* says whose it is. Where the
//! original starts cell i at sequence i, a turn here counts laps: 2L is empty and waiting for the producer of lap L, 2L + 1 is
//! full and waiting for the consumer of lap L. So an all-zero queue is the empty queue.
//!
//! Why the order of the stores: a producer owns its cell from the moment it moved `tail` until it publishes the turn, and the
//! entry is written before that with release; a consumer reads the oldest entry *before* it claims it, because whether it
//! may be taken depends on its age; the claim succeeding proves that nobody took it, hence that nobody overwrote it.
//!
//! Rules: nothing waits. A thread that dies inside `push` stops the queue; it then fills up, and pushes are refused. An entry
//! is only a hint: what counts is [`Slot::begin_evict`](super::Slot::begin_evict).

use crate::atomic::{AtomicU64, Ordering, array_of, constructor};

/// How many tombstones can wait.
pub const QUARANTINE_CAPACITY: usize = 16384;

/// A number that waits for its eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub fd: u32,
    pub generation: u32,
    /// When it was pushed, in the clock of the caller.
    pub pushed_at: u64,
}

#[repr(C)]
struct Cell {
    turn: AtomicU64,
    number: AtomicU64,
    pushed_at: AtomicU64,
}

impl Cell {
    constructor! {
        fn new() -> Self {
            Cell { turn: AtomicU64::new(0), number: AtomicU64::new(0), pushed_at: AtomicU64::new(0) }
        }
    }

    fn entry(&self) -> Entry {
        let number = self.number.load(Ordering::Relaxed);
        let pushed_at = self.pushed_at.load(Ordering::Relaxed);
        Entry { fd: (number >> 32) as u32, generation: number as u32, pushed_at }
    }
}

/// The queue. All zero is empty. Every method is thread- and signal-safe, lock-free, and never waits.
///
/// `N`, a power of two, is a parameter for the tests' sake only.
#[repr(C)]
pub struct Quarantine<const N: usize = QUARANTINE_CAPACITY> {
    head: AtomicU64,
    tail: AtomicU64,
    cells: [Cell; N],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Quarantine>() == (2 + 3 * QUARANTINE_CAPACITY) * size_of::<AtomicU64>());

impl<const N: usize> Default for Quarantine<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Quarantine<N> {
    const SIZE: u64 = {
        assert!(N.is_power_of_two());
        N as u64
    };

    constructor! {
        /// The empty queue.
        pub fn new() -> Self {
            Quarantine { head: AtomicU64::new(0), tail: AtomicU64::new(0), cells: array_of!(Cell::new(); N) }
        }
    }

    /// Append a tombstone. False when the queue is full: then close it for real.
    pub fn push(&self, fd: u32, generation: u32, now: u64) -> bool {
        let mut at = self.tail.load(Ordering::Relaxed);
        loop {
            let (cell, lap) = self.cell(at);
            let turn = cell.turn.load(Ordering::Acquire);
            if turn == 2 * lap {
                match self.tail.compare_exchange(at, at + 1, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => {
                        cell.number.store((fd as u64) << 32 | generation as u64, Ordering::Relaxed);
                        cell.pushed_at.store(now, Ordering::Relaxed);
                        cell.turn.store(2 * lap + 1, Ordering::Release);
                        return true;
                    }
                    Err(moved) => at = moved,
                }
            } else if turn < 2 * lap {
                return false;
            } else {
                at = self.tail.load(Ordering::Relaxed);
            }
        }
    }

    /// Take the oldest tombstone when more than `limit` wait or when it has waited longer than `max_age_ns`.
    pub fn pop_due(&self, now: u64, limit: usize, max_age_ns: u64) -> Option<Entry> {
        self.pop_if(|queue, entry| queue.len() > limit || now.saturating_sub(entry.pushed_at) > max_age_ns)
    }

    /// Take the oldest tombstone whatever its age: the program ran out of numbers.
    pub fn pop_any(&self) -> Option<Entry> {
        self.pop_if(|_, _| true)
    }

    /// How many wait. A moment's estimate while others push and pop.
    pub fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Acquire);
        tail.saturating_sub(head).min(Self::SIZE) as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn pop_if(&self, due: impl Fn(&Self, &Entry) -> bool) -> Option<Entry> {
        let mut at = self.head.load(Ordering::Relaxed);
        loop {
            let (cell, lap) = self.cell(at);
            let turn = cell.turn.load(Ordering::Acquire);
            if turn == 2 * lap + 1 {
                let entry = cell.entry();
                if !due(self, &entry) {
                    return None;
                }
                match self.head.compare_exchange(at, at + 1, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => {
                        cell.turn.store(2 * (lap + 1), Ordering::Release);
                        return Some(entry);
                    }
                    Err(moved) => at = moved,
                }
            } else if turn <= 2 * lap {
                return None;
            } else {
                at = self.head.load(Ordering::Relaxed);
            }
        }
    }

    fn cell(&self, at: u64) -> (&Cell, u64) {
        (&self.cells[(at % Self::SIZE) as usize], at / Self::SIZE)
    }
}

/// How many tombstones may wait, given RLIMIT_NOFILE's soft limit and how many descriptors the program itself has open
/// (tombstones not counted): at most three quarters of the free numbers, because a program that runs out gets them back
/// first; as many as the queue holds; and none when numbers are scarce anyway.
pub const fn limit_for(nofile_soft: u64, open_now: u64) -> usize {
    const SCARCE: u64 = 64;
    const MOST: u64 = (QUARANTINE_CAPACITY - QUARANTINE_CAPACITY / 8) as u64;
    if nofile_soft < SCARCE {
        return 0;
    }
    let most = nofile_soft.saturating_sub(open_now) / 4 * 3;
    if most < MOST { most as usize } else { MOST as usize }
}
