//! Blocks that a thread had at hand when a lock call of its failed: what is written to such a block after its free began there.
//!
//! A table by the block's address, four places for each hash. The first failure stays: what went wrong later with the same
//! block follows from it. In a full set the oldest makes room.
//!
//! Written where a lock call fails, read where a block was misused: both are rare, from any thread. A place belongs to a block
//! while its address stands in it, and a reader looks at that before and after. Two writers of one place at the same moment may
//! mix what they write; the block's birth then fits neither, as a rule.

use crate::actor::{Party, StackId, Tid};
use crate::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, constructor};
use Ordering::{Acquire, Relaxed, Release};

/// Which life of an address it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    pub address: usize,
    /// When it began, in the clock of the heap.
    pub born: u32,
    /// The stack of its allocation.
    pub stack: StackId,
}

/// The call that failed. The codes are those of `record::lock`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    pub lock: usize,
    pub by: Party,
    pub kind: u8,
    pub call: u8,
    pub errno: u16,
    /// The thread went on as if it held the lock.
    pub ignored: bool,
    /// The lock lies in the block.
    pub inside: bool,
    /// ns.
    pub time: u64,
}

const IGNORED: u32 = 1;
const INSIDE: u32 = 2;

/// All zero in the beginning.
struct Place {
    block: AtomicUsize,
    born: AtomicU32,
    born_at: AtomicU32,
    lock: AtomicUsize,
    tid: AtomicU32,
    stack: AtomicU32,
    /// errno:16 | call:8 | kind:8 from the top.
    what: AtomicU32,
    flags: AtomicU32,
    time: AtomicU64,
}

impl Place {
    constructor! {
        fn new() -> Self {
            Self {
                block: AtomicUsize::new(0),
                born: AtomicU32::new(0),
                born_at: AtomicU32::new(0),
                lock: AtomicUsize::new(0),
                tid: AtomicU32::new(0),
                stack: AtomicU32::new(0),
                what: AtomicU32::new(0),
                flags: AtomicU32::new(0),
                time: AtomicU64::new(0),
            }
        }
    }

    fn is(&self, life: &Life) -> bool {
        self.block.load(Acquire) == life.address
            && self.born.load(Relaxed) == life.born
            && self.born_at.load(Relaxed) == life.stack.0
    }

    fn write(&self, life: &Life, failed: &Failed) {
        self.block.store(0, Release);
        self.born.store(life.born, Release);
        self.born_at.store(life.stack.0, Release);
        self.lock.store(failed.lock, Release);
        self.tid.store(failed.by.tid.0, Release);
        self.stack.store(failed.by.stack.0, Release);
        let what = u32::from(failed.errno) << 16 | u32::from(failed.call) << 8 | u32::from(failed.kind);
        self.what.store(what, Release);
        let flags = if failed.ignored { IGNORED } else { 0 } | if failed.inside { INSIDE } else { 0 };
        self.flags.store(flags, Release);
        self.time.store(failed.time, Release);
        self.block.store(life.address, Release);
    }

    fn read(&self) -> Failed {
        let what = self.what.load(Acquire);
        let flags = self.flags.load(Acquire);
        Failed {
            lock: self.lock.load(Acquire),
            by: Party { tid: Tid(self.tid.load(Acquire)), stack: StackId(self.stack.load(Acquire)) },
            kind: what as u8,
            call: (what >> 8) as u8,
            errno: (what >> 16) as u16,
            ignored: flags & IGNORED != 0,
            inside: flags & INSIDE != 0,
            time: self.time.load(Acquire),
        }
    }
}

const SETS: usize = 1024;
const WAYS: usize = 4;

/// The table.
pub struct Hands {
    sets: [[Place; WAYS]; SETS],
}

#[cfg(not(loom))]
impl Default for Hands {
    fn default() -> Self {
        Self::new()
    }
}

impl Hands {
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { sets: [const { [const { Place::new() }; WAYS] }; SETS] }
    }

    fn set(&self, address: usize) -> &[Place; WAYS] {
        let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SETS.trailing_zeros());
        &self.sets[hash as usize % SETS]
    }

    /// A call has failed with this block at hand.
    pub fn note(&self, life: &Life, failed: &Failed) {
        let set = self.set(life.address);
        if set.iter().any(|place| place.is(life)) {
            return;
        }
        let same = set.iter().find(|place| place.block.load(Relaxed) == life.address);
        let place = same.or_else(|| set.iter().min_by_key(|place| place.time.load(Relaxed)));
        place.inspect(|place| place.write(life, failed));
    }

    /// The thread goes on as if it held the lock, since the failure of this time.
    pub fn ignored(&self, lock: usize, tid: Tid) {
        for place in self.sets.iter().flatten() {
            if place.lock.load(Relaxed) == lock && place.tid.load(Relaxed) == tid.0 {
                place.flags.fetch_or(IGNORED, Relaxed);
            }
        }
    }

    /// The first call that failed with this block at hand.
    pub fn find(&self, life: &Life) -> Option<Failed> {
        let place = self.set(life.address).iter().find(|place| place.is(life))?;
        let failed = place.read();
        place.is(life).then_some(failed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const LIFE: Life = Life { address: 0x5000, born: 7, stack: StackId(3) };

    fn failed(lock: usize, tid: u32, time: u64) -> Failed {
        let by = Party { tid: Tid(tid), stack: StackId(40) };
        Failed { lock, by, kind: 2, call: 5, errno: 35, ignored: false, inside: true, time }
    }

    #[test]
    fn the_first_failure_of_a_life_stays() {
        let hands = Hands::new();
        assert_eq!(hands.find(&LIFE), None);
        hands.note(&LIFE, &failed(1, 10, 1));
        hands.note(&LIFE, &failed(2, 11, 2));
        assert_eq!(hands.find(&LIFE), Some(failed(1, 10, 1)));
        // Another life of the address.
        let next = Life { born: 8, ..LIFE };
        assert_eq!(hands.find(&next), None);
        hands.note(&next, &failed(3, 12, 3));
        assert_eq!((hands.find(&next), hands.find(&LIFE)), (Some(failed(3, 12, 3)), None));
        let elsewhere = Life { stack: StackId(4), ..next };
        assert_eq!(hands.find(&elsewhere), None);
    }

    #[test]
    fn what_was_ignored_is_marked() {
        let hands = Hands::new();
        hands.note(&LIFE, &failed(1, 10, 1));
        for (lock, tid, expected) in [(2, 10, false), (1, 11, false), (1, 10, true)] {
            hands.ignored(lock, Tid(tid));
            assert_eq!(hands.find(&LIFE).map(|f| f.ignored), Some(expected));
        }
    }

    #[test]
    fn the_oldest_makes_room() {
        let hands = Hands::new();
        let lives = || (1..=4 * SETS * WAYS).map(|n| Life { address: n * 32, ..LIFE });
        for (time, life) in lives().enumerate() {
            hands.note(&life, &failed(1, 10, time as u64 + 1));
        }
        let found: Vec<u64> = lives().filter_map(|life| hands.find(&life)).map(|f| f.time).collect();
        assert_eq!(found.len(), SETS * WAYS);
        // What is kept of each set is the latest of it: of all, none from long ago.
        assert!(found.iter().all(|time| *time > 2 * (SETS * WAYS) as u64));
    }
}
