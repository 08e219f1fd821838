//! Locks in a recording: the codes that findings use, and the writers of the tables of locks and of their order.
//!
//! **The table of locks** is found by a hash of the address, and nothing leaves it: what finds no place near its own is not
//! measured. Who writes has the lock, so that of one that is held by one thread at a time nothing needs to be added
//! atomically; readers of an rwlock add together.
//!
//! **Edges** lie at the index that the order graph gave them. One that ended stays until another takes its index.

use crate::layout::{Lock, LockEdge, Section};
use crate::store::{Store, entry, entry_or_commit};
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// What kind of object it is, `findings::Lock::kind`.
pub mod kind {
    pub const MUTEX: u8 = 1;
    pub const RWLOCK: u8 = 2;
    pub const SPIN: u8 = 3;
    pub const COND: u8 = 4;
    pub const BARRIER: u8 = 5;
    pub const SEM: u8 = 6;
    pub const ONCE: u8 = 7;

    pub const fn name(kind: u8) -> &'static str {
        match kind {
            MUTEX => "mutex",
            RWLOCK => "rwlock",
            SPIN => "spin lock",
            COND => "condition variable",
            BARRIER => "barrier",
            SEM => "semaphore",
            ONCE => "once control",
            _ => "lock",
        }
    }
}

/// How a lock is held or wanted, `findings::Lock::mode`.
pub mod mode {
    pub const NONE: u8 = 0;
    pub const EXCLUSIVE: u8 = 1;
    pub const READ: u8 = 2;
}

/// What happened to the memory of a held lock, or how the program went on after a failure: `findings::Lock::act`.
pub mod act {
    pub const NONE: u8 = 0;
    pub const LOCK: u8 = 1;
    pub const UNLOCK: u8 = 2;
    pub const DESTROY: u8 = 3;
    pub const INIT: u8 = 4;
    pub const FREE: u8 = 5;
    pub const UNMAP: u8 = 6;
    pub const UNLOAD: u8 = 7;
    pub const WAIT: u8 = 8;
    pub const EXIT: u8 = 9;
    /// What excuses a write under a read lock: an atomic instruction, another lock that the writer held, another lock in the block,
    /// locks that somebody held meanwhile.
    pub const ATOMIC: u8 = 10;
    pub const PROTECTED: u8 = 11;
    pub const BESIDE: u8 = 12;
    pub const MEANWHILE: u8 = 13;

    /// As in "and then … it".
    pub const fn verb(act: u8) -> &'static str {
        match act {
            LOCK => "locked",
            UNLOCK => "unlocked",
            DESTROY => "destroyed",
            INIT => "initialised",
            FREE => "freed",
            UNMAP => "unmapped",
            UNLOAD => "unloaded",
            WAIT => "waited with",
            EXIT => "ended",
            _ => "used",
        }
    }
}

/// Of [`Lock::held_by`]: the thread, and how often it has the lock beyond once.
pub(crate) const TID: u64 = 0xffff_ffff;
const DEEPER: u64 = 1 << 32;

/// Places that are looked at for a lock.
const PROBES: usize = 48;

/// The entry of the lock at this address, and whether it was made now. Nothing: there is no room. Lock-free; may commit.
#[inline]
pub fn entry_of(store: &impl Store, address: u64) -> Option<(&Lock, bool)> {
    const CAPACITY: usize = Section::Locks.capacity();
    let hash = (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let first = ((hash * CAPACITY as u64) >> 32) as usize;
    for probe in 0..PROBES {
        let slot = entry_or_commit::<Lock>(store, (first + probe) % CAPACITY)?;
        let mut seen = slot.address.load(Acquire);
        if seen == 0 {
            match slot.address.compare_exchange(0, address, AcqRel, Acquire) {
                Ok(_) => return Some((slot, true)),
                Err(now) => seen = now,
            }
        }
        if seen == address {
            return Some((slot, false));
        }
    }
    None
}

/// Adds, atomically where others add at the same time.
#[inline(always)]
fn add(to: &AtomicU64, by: u64, alone: bool) {
    if alone {
        to.store(to.load(Relaxed).wrapping_add(by), Relaxed);
    } else {
        to.fetch_add(by, Relaxed);
    }
}

/// The most, and where that was.
#[inline(always)]
fn at_most(most: &AtomicU64, at: &AtomicU64, now: u64, stack: u32) {
    if now > most.load(Relaxed) && most.fetch_max(now, Relaxed) < now {
        at.store(u64::from(stack), Relaxed);
    }
}

impl Lock {
    /// What it is: by whom it was made. `place` and `created` are stacks.
    pub fn made(&self, kind: u8, place: u32, created: u32) {
        self.created.store(u64::from(created), Relaxed);
        self.what.store(u64::from(kind) | u64::from(place) << 32, Relaxed);
    }

    /// A thread has it: `alone` as the only one. `waited` ns, if it was not to be had at once.
    #[inline(always)]
    pub fn taken(&self, tid: u32, alone: bool, waited: Option<u64>, stack: u32) {
        add(&self.taken, 1, alone);
        if !alone {
            add(&self.taken_read, 1, false);
        }
        let tid = u64::from(tid);
        let last = self.last_tid.load(Relaxed);
        if last != tid {
            self.last_tid.store(tid, Relaxed);
            if last != 0 {
                add(&self.changed_hands, 1, alone);
            }
        }
        if let Some(waited) = waited {
            add(&self.contended, 1, alone);
            add(&self.waited, waited, alone);
            at_most(&self.waited_most, &self.waited_most_at, waited, stack);
        }
    }

    /// A thread has it for itself: `again`, when it is recursive and the thread may have had it already.
    #[inline(always)]
    pub fn has(&self, tid: u32, again: bool) {
        let (tid, before) = (u64::from(tid), self.held_by.load(Relaxed));
        let deeper = again && before & TID == tid;
        self.held_by.store(if deeper { before.wrapping_add(DEEPER) } else { tid }, Relaxed);
    }

    /// The thread that has it for itself is about to let it go, once.
    #[inline(always)]
    pub fn has_not(&self, again: bool) {
        let before = self.held_by.load(Relaxed);
        self.held_by.store(if again && before >= DEEPER { before - DEEPER } else { 0 }, Relaxed);
    }

    /// It is let go, `held` ns after it was taken at this stack.
    #[inline(always)]
    pub fn let_go(&self, alone: bool, held: u64, stack: u32) {
        add(&self.held, held, alone);
        at_most(&self.held_most, &self.held_most_at, held, stack);
    }
}

/// `to` was taken while `from` was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    pub from: u64,
    pub to: u64,
    /// [`kind`] and [`mode`] of the two.
    pub held: (u8, u8),
    pub taken: (u8, u8),
    /// Where `from` was taken, and then `to`.
    pub stacks: [u32; 2],
    /// Where they lie in a module: stacks of one frame, 0 = in none.
    pub places: [u32; 2],
    pub tid: u32,
}

/// Of [`LockEdge::what`].
pub(crate) const ENDED: u64 = 1 << 32;

/// Writes an edge to its place. One thread at a time.
pub fn write_edge(store: &impl Store, index: usize, edge: &Edge) {
    let Some(slot) = entry_or_commit::<LockEdge>(store, index) else { return };
    let [held, held_mode, taken, taken_mode] = [edge.held.0, edge.held.1, edge.taken.0, edge.taken.1].map(u64::from);
    slot.to.store(0, Release);
    slot.from.store(edge.from, Relaxed);
    slot.stacks.store(u64::from(edge.stacks[0]) | u64::from(edge.stacks[1]) << 32, Relaxed);
    slot.places.store(u64::from(edge.places[0]) | u64::from(edge.places[1]) << 32, Relaxed);
    slot.what.store(held | held_mode << 8 | taken << 16 | taken_mode << 24, Relaxed);
    slot.count.store(1, Relaxed);
    slot.tid.store(u64::from(edge.tid), Relaxed);
    slot.to.store(edge.to, Release);
}

/// It was seen again. Lock-free.
#[inline(always)]
pub fn edge_seen(store: &impl Store, index: usize) {
    if let Some(slot) = entry::<LockEdge>(store, index) {
        add(&slot.count, 1, true);
    }
}

/// One of its locks is no more.
pub fn edge_ended(store: &impl Store, index: usize) {
    if let Some(slot) = entry::<LockEdge>(store, index) {
        slot.what.fetch_or(ENDED, Relaxed);
    }
}

/// What the functions of C11 answer instead of an error number: beyond all of these.
pub mod thrd {
    pub const ERROR: u16 = 0xff02;
    pub const NOMEM: u16 = 0xff03;
}

/// The name of an error of a lock, which is an error number or one of [`thrd`].
pub fn error_name(number: u16) -> Option<&'static str> {
    match number {
        thrd::ERROR => Some("thrd_error"),
        thrd::NOMEM => Some("thrd_nomem"),
        _ => crate::errno::name(number),
    }
}

/// Calls that take a lock, as a code: what failed before a block was misused, `findings::Earlier::call`.
pub mod call {
    const NAMES: [&str; 12] = [
        "pthread_mutex_lock",
        "pthread_mutex_timedlock",
        "pthread_mutex_clocklock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_wrlock",
        "pthread_rwlock_timedrdlock",
        "pthread_rwlock_timedwrlock",
        "pthread_rwlock_clockrdlock",
        "pthread_rwlock_clockwrlock",
        "pthread_spin_lock",
        "mtx_lock",
        "mtx_timedlock",
    ];

    /// 0: another one.
    pub fn code(name: &str) -> u8 {
        NAMES.iter().position(|known| *known == name).map_or(0, |at| at as u8 + 1)
    }

    pub fn name(code: u8) -> &'static str {
        usize::from(code).checked_sub(1).and_then(|at| NAMES.get(at)).copied().unwrap_or("a lock call")
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn names_round_trip() {
            for name in super::NAMES {
                assert_eq!(super::name(super::code(name)), name);
            }
            assert_eq!(
                (super::code("pthread_join"), super::name(0), super::name(200)),
                (0, "a lock call", "a lock call")
            );
        }
    }
}
