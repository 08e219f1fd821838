//! What a finding is about: a descriptor, a block, a key, a lock, and what is told of each.
//!
//! Plain numbers and codes, which the crates on both sides name. [`super::encode`] has their places in the table.

use crate::layout::PARTIES;

/// What the finding is about, and the meaning of `Finding::numbers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    None,
    /// `kind_name` is an index that the tracker defines (`track::fd::FdKind`), `owner` a pointer or 0 of `owner_kind`
    /// (1 FILE*, 2 DIR*, 3 popen).
    Descriptor {
        fd: i32,
        kind: u8,
        owner_kind: u8,
        owner: u64,
        generation: u32,
    },
    /// Descriptors that went the same way and were never closed; the number, kind and owner are those of one of them.
    Leak(Leak),
    /// The descriptor table is filling up.
    Limit(Limit),
    /// A block of the heap that was misused.
    Block(Block),
    /// Blocks that were allocated at one place and never freed.
    Lost(Lost),
    /// A thread-specific key.
    Key(Key),
    /// A lock, or another object that threads wait for.
    Lock(Lock),
}

/// Bytes of memory that a finding can show.
pub const SHOWN_BYTES: usize = 32;

/// See [`Resource::Block`]. Codes are those of [`crate::heap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Of the block; of the pointer itself when no block is known.
    pub address: u64,
    /// As the program asked for it.
    pub size: u64,
    /// Of the access, or of the pointer that was freed, from the block's start.
    pub offset: i64,
    /// By what it was allocated, and by what it was or is being freed: [`crate::heap::family`].
    pub allocated: u8,
    pub freed: u8,
    /// Where a pointer that is no block's start lies: [`crate::heap::place`].
    pub place: u8,
    /// [`crate::heap::access`].
    pub access: u8,
    /// What saw it: [`crate::heap::sight`].
    pub sight: u8,
    /// The memory around what was overwritten: from where, how many, what.
    pub shown_at: i64,
    pub shown_len: u8,
    pub shown: [u8; SHOWN_BYTES],
    /// What had gone wrong with the block in hand.
    pub earlier: Earlier,
}

/// A lock call that failed before a block was misused, while the thread had a pointer to the block in hand: the party
/// [`Role::Locked`] of the finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// 0: there was none.
    pub lock: u64,
    /// [`crate::lock::kind`].
    pub kind: u8,
    /// [`crate::lock::call`].
    pub call: u8,
    pub errno: u16,
    /// The thread went on as if it held the lock.
    pub ignored: bool,
    /// The lock lies in the block.
    pub inside: bool,
}

/// See [`Resource::Lost`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// [`crate::heap::class`].
    pub class: u8,
    pub blocks: u64,
    pub bytes: u64,
    /// What only these blocks point to.
    pub indirect_blocks: u64,
    pub indirect_bytes: u64,
    /// The address of one of them.
    pub example: u64,
    /// When it was looked, CLOCK_MONOTONIC, ns.
    pub as_of: u64,
    /// Of the oldest and the newest of them, ms before `as_of`.
    pub oldest_ago: u32,
    pub newest_ago: u32,
    /// The registers of other threads were not to be had, so that what only they point to is among these.
    pub without_registers: bool,
}

/// See [`Resource::Key`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// The number that the program passed.
    pub index: u32,
    /// [`crate::key::state`].
    pub state: u8,
    /// Where the variable lies that holds the key of the index's owner: a stack of one frame, one byte behind it; 0 = unknown.
    pub owner: u32,
    /// The same of the variable that the program passed, where it is known.
    pub variable: u32,
    /// What the owner has stored there, in this thread; 0 = nothing.
    pub value: u64,
    /// Keys in use, and how many there can be.
    pub live: u32,
    pub limit: u32,
    /// The error that the program got, or 0.
    pub errno: u16,
}

/// See [`Resource::Lock`]. Codes are those of [`crate::lock`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    pub address: u64,
    pub kind: u8,
    /// How it is held, or was wanted.
    pub mode: u8,
    /// [`crate::lock::act`].
    pub act: u8,
    /// What the call returned, or would have.
    pub errno: u16,
    /// Where the lock lies in a module: a stack of one frame, one byte behind it; 0 = not in one.
    pub place: u32,
    /// A second lock: the mutex of a condition variable, the other of an order.
    pub other: u64,
    pub other_kind: u8,
    pub other_place: u32,
    /// The heap block that the lock lies in, when it is known.
    pub block: u64,
    pub block_size: u64,
    /// Of what was written under a read lock: from the block's start, and the word before and after.
    pub offset: u64,
    pub old: u64,
    pub new: u64,
    /// How long, ns.
    pub time: u64,
}

/// States of TCP that are counted: `track::fd::leak::tcp` numbers them.
pub const TCP_STATES: usize = 12;

/// See [`Resource::Leak`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leak {
    pub fd: i32,
    pub kind: u8,
    pub owner_kind: u8,
    pub generation: u32,
    /// The last operation: a [`crate::call::Call`], 0 = none.
    pub call: u8,
    /// How it ended: `track::fd::Ending` (0 done, 1 end of the stream, 2 EAGAIN, 3 failed).
    pub ending: u8,
    pub errno: u16,
    /// EAGAIN was a timeout.
    pub blocking: bool,
    /// How many.
    pub count: u32,
    /// CLOCK_MONOTONIC, ns: when the oldest was opened, and when all this was so.
    pub oldest: u64,
    pub as_of: u64,
    /// How long before that the newest was opened, ms.
    pub newest_ago: u32,
    pub unread: u64,
    /// How many are in each state of TCP.
    pub tcp: [u32; TCP_STATES],
    /// Seen in the recording of a process that did not exit: the kernel was not asked.
    pub unended: bool,
}

/// See [`Resource::Limit`]. Counts and growth belong to the parties, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    pub open: u64,
    /// RLIMIT_NOFILE, soft.
    pub limit: u64,
    /// 80 or 95 percent, or 100: a call was refused.
    pub stage: u8,
    /// The error that the program got, or 0: near the limit.
    pub errno: u16,
    /// The time over which the growth was, ns; 0 = unknown.
    pub over: u64,
    /// Open now, and how many more than `over` ago.
    pub places: [(u32, u32); PARTIES],
}

/// Something of static data that a finding names: a variable that holds a key, a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Before the keys of JSON: `variable`, `module` and `offset`.
    pub prefix: &'static str,
    /// What it is, to people.
    pub words: &'static str,
    /// A stack of one frame, one byte behind it; 0 = not known.
    pub place: u32,
}

/// The most that a finding names.
pub const THINGS: usize = 2;

impl Resource {
    /// What the finding names beside its stacks.
    pub fn things(&self) -> [Thing; THINGS] {
        let [first, second] = match self {
            Self::Key(key) => [("", "variable", key.variable), ("owner_", "the owner's variable", key.owner)],
            Self::Lock(lock) => [("", "lock", lock.place), ("other_", "the other", lock.other_place)],
            _ => [("", "", 0); 2],
        };
        [first, second].map(|(prefix, words, place)| Thing { prefix, words, place })
    }
}
