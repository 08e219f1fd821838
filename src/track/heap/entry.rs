//! One entry of the side table: the block at an address, in four words.
//!
//! ```text
//! word 0   state:3 | low bits of the address:5 | allocated by:2 | freed by:2 | moved:1 | free:3 | epoch:16 | born:32
//! word 1   size
//! word 2   stack of the allocation:32 | of the free:32, from the low end
//! word 3   thread of the allocation:32 | of the free:32
//! ```
//!
//! Several addresses may share an entry (those whose difference is smaller than a granule of the table): the low bits say
//! which one it speaks of.
//!
//! **Why this is right without a lock.** An address belongs to the allocator, then to the thread that was given it, then to
//! the one thread that frees it. [`Entry::allocated`] runs after the allocator handed the address out and before the program
//! has it: nobody else writes. [`Entry::free`] runs before the allocator has it back: whoever wins the compare-exchange
//! from live to freed frees it; another thread that tries the same loses, and that is the double free. So the transition
//! freed → live of the next owner happens after the real free, which happened after ours. A loser may read the stack of
//! the free a moment before the winner has written it, and then sees none.

use super::Family;
use crate::atomic::{AtomicU64, Ordering, constructor};
use crate::fd::{Party, StackId, Tid};
use Ordering::{AcqRel, Acquire, Relaxed, Release};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// No block has started here since we look.
    Unknown = 0,
    Live = 1,
    Freed = 2,
    /// Handed out where we could not follow.
    Untracked = 3,
    /// Freed by the program, held by us.
    Quarantined = 4,
}

const STATE: u64 = 7;
const LOW_AT: u32 = 3;
const LOW: u64 = 31;
const ALLOCATED_AT: u32 = 8;
const FREED_AT: u32 = 10;
const MOVED: u64 = 1 << 12;
const EPOCH_AT: u32 = 16;
const BORN_AT: u32 = 32;

/// See the module.
#[repr(C)]
pub struct Entry {
    word: AtomicU64,
    size: AtomicU64,
    stacks: AtomicU64,
    tids: AtomicU64,
}

/// What an entry says, copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub state: State,
    /// The low bits of the address.
    pub low: u64,
    pub size: u64,
    pub allocated: Family,
    pub freed: Family,
    /// The program's pointer is not the allocator's: there is a redzone in front.
    pub moved: bool,
    /// Forks deep, when it was allocated.
    pub epoch: u16,
    /// Milliseconds since our start.
    pub born: u32,
    pub allocator: Party,
    pub releaser: Party,
}

/// What a call that frees finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeing {
    /// It was live, and is freed now.
    Freed(Facts),
    /// It had been freed before.
    Again(Facts),
    /// A live block starts a few bytes away.
    Beside(Facts),
    /// Handed out where we could not see: none of our business.
    Untracked,
    /// No call has returned this address, as far as we know.
    Unknown,
}

impl Entry {
    constructor! {
        pub fn new() -> Self {
            Self {
                word: AtomicU64::new(0),
                size: AtomicU64::new(0),
                stacks: AtomicU64::new(0),
                tids: AtomicU64::new(0),
            }
        }
    }

    /// A block of `size` bytes starts here. `low`: the low bits of its address.
    #[inline]
    pub fn allocated(&self, low: u64, size: u64, family: Family, moved: bool, epoch: u16, born: u32, by: Party) {
        self.size.store(size, Relaxed);
        self.stacks.store(u64::from(by.stack.0), Relaxed);
        self.tids.store(u64::from(by.tid.0), Relaxed);
        let word = State::Live as u64
            | (low & LOW) << LOW_AT
            | (family as u64) << ALLOCATED_AT
            | if moved { MOVED } else { 0 }
            | u64::from(epoch) << EPOCH_AT
            | u64::from(born) << BORN_AT;
        self.word.store(word, Release);
    }

    /// A block that we do not follow starts here.
    #[inline]
    pub fn untrack(&self, low: u64) {
        self.word.store(State::Untracked as u64 | (low & LOW) << LOW_AT, Release);
    }

    /// The address is the allocator's again, or was never ours.
    pub fn clear(&self) {
        self.word.store(0, Release);
    }

    /// The block is freed by a call of `family`; `held`: it goes into the quarantine.
    #[inline]
    pub fn free(&self, low: u64, family: Family, held: bool, by: Party) -> Freeing {
        let mut word = self.word.load(Acquire);
        loop {
            let same = word >> LOW_AT & LOW == low & LOW;
            match state(word) {
                State::Live if same => {}
                State::Live => return Freeing::Beside(self.facts_of(word)),
                State::Freed | State::Quarantined if same => return Freeing::Again(self.facts_of(word)),
                State::Untracked if same => {
                    self.clear();
                    return Freeing::Untracked;
                }
                _ => return Freeing::Unknown,
            }
            let next = if held { State::Quarantined } else { State::Freed };
            let after = word & !STATE & !(3 << FREED_AT) | next as u64 | (family as u64) << FREED_AT;
            match self.word.compare_exchange(word, after, AcqRel, Acquire) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        let facts = self.facts_of(word);
        self.stacks.store(u64::from(facts.allocator.stack.0) | u64::from(by.stack.0) << 32, Relaxed);
        self.tids.store(u64::from(facts.allocator.tid.0) | u64::from(by.tid.0) << 32, Relaxed);
        Freeing::Freed(facts)
    }

    /// The call that would have freed it failed: it is live again. Of its own thread, right after [`Entry::free`].
    pub fn keep(&self) {
        let word = self.word.load(Relaxed);
        self.word.store(word & !STATE & !(3 << FREED_AT) | State::Live as u64, Release);
    }

    /// Leaves the quarantine: the allocator gets it back. False: it was not there.
    pub fn release(&self) -> bool {
        let word = self.word.load(Acquire);
        state(word) == State::Quarantined
            && self.word.compare_exchange(word, word & !STATE | State::Freed as u64, AcqRel, Relaxed).is_ok()
    }

    /// What it says now; nothing when no block has started here.
    #[inline]
    pub fn facts(&self) -> Option<Facts> {
        let word = self.word.load(Acquire);
        (word & STATE != 0).then(|| self.facts_of(word))
    }

    /// The state and the low bits, without the rest.
    #[inline]
    pub fn state(&self) -> (State, u64) {
        let word = self.word.load(Acquire);
        (state(word), word >> LOW_AT & LOW)
    }

    fn facts_of(&self, word: u64) -> Facts {
        let (stacks, tids) = (self.stacks.load(Relaxed), self.tids.load(Relaxed));
        Facts {
            state: state(word),
            low: word >> LOW_AT & LOW,
            size: self.size.load(Relaxed),
            allocated: Family::from_bits(word >> ALLOCATED_AT),
            freed: Family::from_bits(word >> FREED_AT),
            moved: word & MOVED != 0,
            epoch: (word >> EPOCH_AT) as u16,
            born: (word >> BORN_AT) as u32,
            allocator: Party { tid: Tid(tids as u32), stack: StackId(stacks as u32) },
            releaser: Party { tid: Tid((tids >> 32) as u32), stack: StackId((stacks >> 32) as u32) },
        }
    }
}

#[cfg(not(loom))]
impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

const fn state(word: u64) -> State {
    match word & STATE {
        1 => State::Live,
        2 => State::Freed,
        3 => State::Untracked,
        4 => State::Quarantined,
        _ => State::Unknown,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const BY: Party = Party { tid: Tid(7), stack: StackId(70) };
    const OTHER: Party = Party { tid: Tid(8), stack: StackId(80) };

    #[test]
    fn a_life() {
        let entry = Entry::new();
        assert_eq!(entry.free(16, Family::Malloc, false, BY), Freeing::Unknown);
        entry.allocated(16, 40, Family::New, true, 3, 99, BY);
        let Some(facts) = entry.facts() else { panic!("no facts") };
        assert_eq!((facts.state, facts.low, facts.size), (State::Live, 16, 40));
        assert_eq!((facts.allocated, facts.moved, facts.epoch, facts.born), (Family::New, true, 3, 99));
        assert_eq!(facts.allocator, BY);
        assert!(matches!(entry.free(0, Family::Malloc, false, OTHER), Freeing::Beside(_)));
        let Freeing::Freed(freed) = entry.free(16, Family::Malloc, false, OTHER) else { panic!("not freed") };
        assert!(!freed.allocated.fits(Family::Malloc));
        let Freeing::Again(again) = entry.free(16, Family::Malloc, false, BY) else { panic!("not again") };
        assert_eq!((again.allocator, again.releaser, again.freed), (BY, OTHER, Family::Malloc));
        assert_eq!(entry.free(0, Family::Malloc, false, BY), Freeing::Unknown);
    }

    #[test]
    fn a_failed_realloc_keeps_the_block() {
        let entry = Entry::new();
        entry.allocated(0, 40, Family::Malloc, false, 0, 1, BY);
        assert!(matches!(entry.free(0, Family::Malloc, false, OTHER), Freeing::Freed(_)));
        entry.keep();
        assert!(matches!(entry.free(0, Family::Malloc, false, OTHER), Freeing::Freed(_)));
    }

    #[test]
    fn quarantine() {
        let entry = Entry::new();
        entry.allocated(0, 40, Family::Malloc, false, 0, 1, BY);
        assert!(!entry.release());
        assert!(matches!(entry.free(0, Family::Malloc, true, OTHER), Freeing::Freed(_)));
        assert!(
            matches!(entry.free(0, Family::Malloc, true, OTHER), Freeing::Again(f) if f.state == State::Quarantined)
        );
        assert!(entry.release() && !entry.release());
    }

    #[test]
    fn untracked_blocks_are_nobodys_business() {
        let entry = Entry::new();
        entry.allocated(0, 40, Family::Malloc, false, 0, 1, BY);
        assert!(matches!(entry.free(0, Family::Malloc, false, BY), Freeing::Freed(_)));
        entry.untrack(0);
        assert_eq!(entry.free(0, Family::Malloc, false, BY), Freeing::Untracked);
        assert_eq!(entry.free(0, Family::Malloc, false, BY), Freeing::Unknown);
    }
}
