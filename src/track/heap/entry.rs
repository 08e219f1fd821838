//! One entry of the side table: the block at an address, in four words.
//!
//! ```text
//! word 0   state:3 | low bits of the address:5 | allocated by:2 | freed by:2 | moved:1 | front:3 | epoch:16 | born:32
//! word 1   size
//! word 2   stack of the allocation:32, of the free:32
//! word 3   thread of the allocation:32, of the free:32
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
use super::pattern::{LARGEST_FRONT, REDZONE};
use crate::atomic::{AtomicU32, AtomicU64, Ordering, array_of, constructor};
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
/// The redzone in front of a moved block is [`REDZONE`] shifted left by so much.
const FRONT_AT: u32 = 13;
const EPOCH_AT: u32 = 16;
const BORN_AT: u32 = 32;

/// See the module.
#[repr(C)]
pub struct Entry {
    word: AtomicU64,
    size: AtomicU64,
    /// Of the allocation, of the free.
    stacks: [AtomicU32; 2],
    tids: [AtomicU32; 2],
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
    /// How far the program's pointer is from the allocator's.
    pub front: usize,
    /// Forks deep, when it was allocated.
    pub epoch: u16,
    /// Milliseconds since our start.
    pub born: u32,
    pub allocator: Party,
    pub releaser: Party,
}

/// The block that a free has ended; its entry says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended(u64);

impl Ended {
    /// By what it was allocated.
    #[inline(always)]
    pub fn allocated(self) -> Family {
        Family::from_bits(self.0 >> ALLOCATED_AT)
    }

    /// Forks deep, when it was allocated.
    #[inline(always)]
    pub fn epoch(self) -> u16 {
        (self.0 >> EPOCH_AT) as u16
    }

    /// See [`Facts::born`].
    #[inline(always)]
    pub fn born(self) -> u32 {
        (self.0 >> BORN_AT) as u32
    }

    /// See [`Facts::moved`].
    #[inline(always)]
    pub fn moved(self) -> bool {
        self.0 & MOVED != 0
    }
}

/// What a call that frees finds. Of the block, [`Entry::facts`] tells more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeing {
    /// It was live, and is freed now.
    Freed(Ended),
    /// It had been freed before.
    Again,
    /// A live block starts a few bytes away.
    Beside,
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
                stacks: array_of![AtomicU32::new(0); 2],
                tids: array_of![AtomicU32::new(0); 2],
            }
        }
    }

    /// A block of `size` bytes starts here. `low`: the low bits of its address; `front`: the redzone in front of it, 0 or a
    /// power of two from [`REDZONE`] to [`LARGEST_FRONT`].
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // They are the fields.
    pub fn allocated(&self, low: u64, size: u64, family: Family, front: usize, epoch: u16, born: u32, by: Party) {
        debug_assert!(front == 0 || front.is_power_of_two() && (REDZONE..=LARGEST_FRONT).contains(&front));
        self.size.store(size, Relaxed);
        self.stacks[0].store(by.stack.0, Relaxed);
        self.stacks[1].store(0, Relaxed);
        self.tids[0].store(by.tid.0, Relaxed);
        self.tids[1].store(0, Relaxed);
        let word = State::Live as u64
            | (low & LOW) << LOW_AT
            | (family as u64) << ALLOCATED_AT
            | if front == 0 { 0 } else { MOVED | u64::from((front / REDZONE).trailing_zeros()) << FRONT_AT }
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

    /// The block is freed by a call of `family`; `held`: it goes into the quarantine. `alone`: the process has one thread, and
    /// nobody else can free it at this moment; the exchange, half of the cost, is then a store.
    #[inline(always)]
    pub fn free(&self, low: u64, family: Family, held: bool, alone: bool, by: Party) -> Freeing {
        let word = self.word.load(Acquire);
        let next = if held { State::Quarantined } else { State::Freed };
        let after = word & !STATE & !(3 << FREED_AT) | next as u64 | (family as u64) << FREED_AT;
        let live = word & (STATE | LOW << LOW_AT) == State::Live as u64 | (low & LOW) << LOW_AT;
        // A live word changes by another free only: whoever loses the exchange to it finds a freed block.
        let won = live
            && if alone {
                self.word.store(after, Release);
                true
            } else {
                self.word.compare_exchange(word, after, AcqRel, Acquire).is_ok()
            };
        if won {
            self.stacks[1].store(by.stack.0, Relaxed);
            self.tids[1].store(by.tid.0, Relaxed);
            return Freeing::Freed(Ended(word));
        }
        self.not_live(low)
    }

    #[cold]
    #[inline(never)]
    fn not_live(&self, low: u64) -> Freeing {
        let word = self.word.load(Acquire);
        let same = word >> LOW_AT & LOW == low & LOW;
        match state(word) {
            State::Live if !same => Freeing::Beside,
            State::Freed | State::Quarantined if same => Freeing::Again,
            State::Untracked if same => {
                self.clear();
                Freeing::Untracked
            }
            // Live at the same address: freed and handed out again since the exchange failed. Two threads free one pointer.
            State::Live => Freeing::Again,
            _ => Freeing::Unknown,
        }
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

    #[inline(always)]
    pub fn size(&self) -> u64 {
        self.size.load(Relaxed)
    }

    /// The stack of the allocation.
    #[inline(always)]
    pub fn allocating_stack(&self) -> StackId {
        StackId(self.stacks[0].load(Relaxed))
    }

    /// The state and the low bits, without the rest.
    #[inline]
    pub fn state(&self) -> (State, u64) {
        let word = self.word.load(Acquire);
        (state(word), word >> LOW_AT & LOW)
    }

    #[inline(always)]
    fn facts_of(&self, word: u64) -> Facts {
        let party =
            |i: usize| Party { tid: Tid(self.tids[i].load(Relaxed)), stack: StackId(self.stacks[i].load(Relaxed)) };
        Facts {
            state: state(word),
            low: word >> LOW_AT & LOW,
            size: self.size.load(Relaxed),
            allocated: Family::from_bits(word >> ALLOCATED_AT),
            freed: Family::from_bits(word >> FREED_AT),
            moved: word & MOVED != 0,
            front: front(word),
            epoch: (word >> EPOCH_AT) as u16,
            born: (word >> BORN_AT) as u32,
            allocator: party(0),
            releaser: party(1),
        }
    }
}

#[cfg(not(loom))]
impl Default for Entry {
    fn default() -> Self {
        Self::new()
    }
}

const fn front(word: u64) -> usize {
    if word & MOVED == 0 { 0 } else { REDZONE << (word >> FRONT_AT & 7) }
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
        assert_eq!(entry.free(16, Family::Malloc, false, false, BY), Freeing::Unknown);
        entry.allocated(16, 40, Family::New, 64, 3, 99, BY);
        let Some(facts) = entry.facts() else { panic!("no facts") };
        assert_eq!((facts.state, facts.low, facts.size), (State::Live, 16, 40));
        assert_eq!((facts.allocated, facts.moved, facts.epoch, facts.born), (Family::New, true, 3, 99));
        assert_eq!((facts.allocator, facts.front), (BY, 64));
        assert!(matches!(entry.free(0, Family::Malloc, false, false, OTHER), Freeing::Beside));
        let Freeing::Freed(freed) = entry.free(16, Family::Malloc, false, false, OTHER) else { panic!("not freed") };
        assert!(!freed.allocated().fits(Family::Malloc) && freed.epoch() == 3 && freed.moved());
        assert_eq!(entry.free(16, Family::Malloc, false, false, BY), Freeing::Again);
        let Some(again) = entry.facts() else { panic!("no facts") };
        assert_eq!((again.allocator, again.releaser, again.freed), (BY, OTHER, Family::Malloc));
        assert_eq!(entry.free(0, Family::Malloc, false, false, BY), Freeing::Unknown);
    }

    #[test]
    fn a_failed_realloc_keeps_the_block() {
        let entry = Entry::new();
        entry.allocated(0, 40, Family::Malloc, 0, 0, 1, BY);
        assert!(matches!(entry.free(0, Family::Malloc, false, false, OTHER), Freeing::Freed(_)));
        entry.keep();
        assert!(matches!(entry.free(0, Family::Malloc, false, false, OTHER), Freeing::Freed(_)));
    }

    #[test]
    fn quarantine() {
        let entry = Entry::new();
        entry.allocated(0, 40, Family::Malloc, 0, 0, 1, BY);
        assert!(!entry.release());
        assert!(matches!(entry.free(0, Family::Malloc, true, false, OTHER), Freeing::Freed(_)));
        assert_eq!(entry.free(0, Family::Malloc, true, false, OTHER), Freeing::Again);
        assert_eq!(entry.state().0, State::Quarantined);
        assert!(entry.release() && !entry.release());
    }

    #[test]
    fn the_redzone_in_front() {
        let entry = Entry::new();
        for front in [0, 64, 128, 4096, LARGEST_FRONT] {
            entry.allocated(0, 40, Family::NewArray, front, u16::MAX, u32::MAX, BY);
            let Freeing::Freed(ended) = entry.free(0, Family::NewArray, true, false, OTHER) else {
                panic!("not freed")
            };
            assert_eq!((ended.moved(), ended.epoch()), (front != 0, u16::MAX));
            assert!(entry.release());
            let Some(facts) = entry.facts() else { panic!("no facts") };
            assert_eq!((facts.front, facts.epoch, facts.born), (front, u16::MAX, u32::MAX));
        }
    }

    #[test]
    fn untracked_blocks_are_nobodys_business() {
        let entry = Entry::new();
        entry.allocated(0, 40, Family::Malloc, 0, 0, 1, BY);
        assert!(matches!(entry.free(0, Family::Malloc, false, false, BY), Freeing::Freed(_)));
        entry.untrack(0);
        assert_eq!(entry.free(0, Family::Malloc, false, false, BY), Freeing::Untracked);
        assert_eq!(entry.free(0, Family::Malloc, false, false, BY), Freeing::Unknown);
    }
}
