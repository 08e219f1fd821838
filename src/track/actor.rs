//! Who did it: the identity of the thread behind an event, and the part of it that findings keep.
//!
//! Why two identities for one thread: the tid names it exactly, to people and in comparisons; the dense index is small
//! enough to be a bit in a generation's set of holders. Numbers that could be confused are types of their own.

/// A kernel thread id. Zero is no thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Tid(pub u32);

/// A call stack in the recording's table. Zero is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct StackId(pub u32);

impl StackId {
    /// Whether a stack was taken at all.
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }
}

/// A thread's dense number in this process; the bit of a holder is this modulo 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct ThreadIndex(pub u16);

impl ThreadIndex {
    /// The thread's bit in a set of holders. Threads 64 apart share one: that can only make a close look more legitimate.
    pub(crate) const fn bit(self) -> u64 {
        1 << (self.0 % 64)
    }
}

/// The thread behind an event, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    pub tid: Tid,
    pub thread: ThreadIndex,
    pub stack: StackId,
    /// Nanoseconds of a monotonic clock.
    pub now: u64,
    /// How many forks deep this process is: 0 in the first.
    pub epoch: u16,
    /// At a close: where the thread closed the same number just before, as [`LatestClose`](crate::fd::LatestClose) has it.
    pub closed_before: StackId,
}

impl Actor {
    /// The actor as a finding shows it.
    pub const fn party(&self) -> Party {
        Party { tid: self.tid, stack: self.stack }
    }
}

/// A thread at a call stack, as a finding names it. Zero is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Party {
    pub tid: Tid,
    pub stack: StackId,
}

impl Party {
    /// Nobody.
    pub const ABSENT: Party = Party { tid: Tid(0), stack: StackId(0) };

    pub const fn is_absent(self) -> bool {
        self.tid.0 == 0
    }

    /// tid in the high half, stack in the low half.
    pub const fn pack(self) -> u64 {
        (self.tid.0 as u64) << 32 | self.stack.0 as u64
    }

    pub const fn unpack(bits: u64) -> Party {
        Party { tid: Tid((bits >> 32) as u32), stack: StackId(bits as u32) }
    }
}
