//! The table of findings: identical ones (kind and stacks) are one entry with a count.
//!
//! Why first-come: the entry keeps the story of its first event; later ones only add to the count, so that the cost
//! of the millionth double close is a hash and an addition.

use crate::kind::{Kind, Role, Severity};
use crate::label::Label;
use crate::layout::{Counter, Finding, PARTIES, Section, finding_state};
use crate::store::{Store, count, entry_or_commit};
use crate::suppressions::Mark;
use crate::text;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// A thread in a role, with its stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Involved {
    /// `None` in an unused place.
    pub role: Option<Role>,
    pub tid: u32,
    pub stack: u32,
    pub thread: [u8; 16],
}

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

impl Earlier {
    fn pack(self) -> u64 {
        let flags = u8::from(self.ignored) | u8::from(self.inside) << 1;
        let [low, high] = self.errno.to_le_bytes();
        u64::from_le_bytes([self.kind, self.call, flags, low, high, 0, 0, 0])
    }

    fn unpack(lock: u64, word: u64) -> Self {
        let [kind, call, flags, low, high, ..] = word.to_le_bytes();
        let errno = u16::from_le_bytes([low, high]);
        Self { lock, kind, call, errno, ignored: flags & 1 != 0, inside: flags & 2 != 0 }
    }
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

    pub const DESCRIPTOR: u8 = 1;
    pub const LEAK: u8 = 2;
    pub const LIMIT: u8 = 3;
    pub const BLOCK: u8 = 4;
    pub const LOST: u8 = 5;
    pub const KEY: u8 = 6;
    pub const LOCK: u8 = 7;

    /// The tag, `Finding::numbers` and `Finding::more`.
    fn encode(self) -> (u8, [u64; 6], [u64; 6]) {
        match self {
            Self::None => (0, [0; 6], [0; 6]),
            Self::Leak(l) => (
                Self::LEAK,
                [
                    u64::from(l.fd as u32)
                        | u64::from(l.kind) << 32
                        | u64::from(l.owner_kind) << 40
                        | u64::from(l.blocking) << 48
                        | u64::from(l.unended) << 49,
                    u64::from(l.generation)
                        | u64::from(l.call) << 32
                        | u64::from(l.ending) << 40
                        | u64::from(l.errno) << 48,
                    l.oldest,
                    u64::from(l.count) | u64::from(l.newest_ago) << 32,
                    l.as_of,
                    l.unread,
                ],
                core::array::from_fn(|i| u64::from(l.tcp[2 * i]) | u64::from(l.tcp[2 * i + 1]) << 32),
            ),
            Self::Limit(l) => (
                Self::LIMIT,
                [l.open, l.limit, u64::from(l.errno), l.over, u64::from(l.stage), 0],
                l.places.map(|(open, more)| u64::from(open) | u64::from(more) << 32),
            ),
            Self::Block(b) => {
                let mut more = [0; 6];
                for (word, bytes) in more.iter_mut().zip(b.shown.chunks_exact(8)) {
                    *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
                }
                let codes = [b.allocated, b.freed, b.place, b.access, b.sight, b.shown_len, 0, 0];
                let numbers =
                    [b.address, b.size, b.offset as u64, u64::from_le_bytes(codes), b.shown_at as u64, b.earlier.lock];
                more[4] = b.earlier.pack();
                (Self::BLOCK, numbers, more)
            }
            Self::Lost(l) => (
                Self::LOST,
                [
                    u64::from(l.class) | u64::from(l.without_registers) << 8,
                    l.blocks,
                    l.bytes,
                    l.indirect_blocks,
                    l.as_of,
                    l.indirect_bytes,
                ],
                [l.example, u64::from(l.oldest_ago) | u64::from(l.newest_ago) << 32, 0, 0, 0, 0],
            ),
            Self::Key(k) => (
                Self::KEY,
                [
                    u64::from(k.index) | u64::from(k.state) << 32 | u64::from(k.errno) << 40,
                    u64::from(k.owner) | u64::from(k.variable) << 32,
                    k.value,
                    u64::from(k.live) | u64::from(k.limit) << 32,
                    0,
                    0,
                ],
                [0; 6],
            ),
            Self::Lock(l) => {
                let codes = [l.kind, l.mode, l.act, l.other_kind, l.errno as u8, (l.errno >> 8) as u8, 0, 0];
                let places = u64::from(l.place) | u64::from(l.other_place) << 32;
                (
                    Self::LOCK,
                    [l.address, u64::from_le_bytes(codes), places, l.other, l.block, l.block_size],
                    [l.offset, l.old, l.new, l.time, 0, 0],
                )
            }
            Self::Descriptor { fd, kind, owner_kind, owner, generation } => (
                Self::DESCRIPTOR,
                [fd as i64 as u64, u64::from(kind), u64::from(owner_kind), owner, u64::from(generation), 0],
                [0; 6],
            ),
        }
    }

    pub fn decode(tag: u8, numbers: &[u64; 6], more: &[u64; 6]) -> Self {
        match tag {
            Self::LEAK => Self::Leak(Leak {
                fd: numbers[0] as i32,
                kind: (numbers[0] >> 32) as u8,
                owner_kind: (numbers[0] >> 40) as u8,
                blocking: numbers[0] >> 48 & 1 != 0,
                unended: numbers[0] >> 49 & 1 != 0,
                generation: numbers[1] as u32,
                call: (numbers[1] >> 32) as u8,
                ending: (numbers[1] >> 40) as u8,
                errno: (numbers[1] >> 48) as u16,
                oldest: numbers[2],
                count: numbers[3] as u32,
                newest_ago: (numbers[3] >> 32) as u32,
                as_of: numbers[4],
                unread: numbers[5],
                tcp: core::array::from_fn(|i| (more[i / 2] >> (32 * (i % 2))) as u32),
            }),
            Self::LIMIT => Self::Limit(Limit {
                open: numbers[0],
                limit: numbers[1],
                errno: numbers[2] as u16,
                over: numbers[3],
                stage: numbers[4] as u8,
                places: more.map(|word| (word as u32, (word >> 32) as u32)),
            }),
            Self::BLOCK => {
                let [allocated, freed, place, access, sight, shown_len, ..] = numbers[3].to_le_bytes();
                let mut shown = [0; SHOWN_BYTES];
                for (bytes, word) in shown.chunks_exact_mut(8).zip(more) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
                Self::Block(Block {
                    address: numbers[0],
                    size: numbers[1],
                    offset: numbers[2] as i64,
                    allocated,
                    freed,
                    place,
                    access,
                    sight,
                    shown_at: numbers[4] as i64,
                    shown_len: shown_len.min(SHOWN_BYTES as u8),
                    shown,
                    earlier: Earlier::unpack(numbers[5], more[4]),
                })
            }
            Self::LOST => Self::Lost(Lost {
                class: numbers[0] as u8,
                without_registers: numbers[0] >> 8 & 1 != 0,
                blocks: numbers[1],
                bytes: numbers[2],
                indirect_blocks: numbers[3],
                as_of: numbers[4],
                indirect_bytes: numbers[5],
                example: more[0],
                oldest_ago: more[1] as u32,
                newest_ago: (more[1] >> 32) as u32,
            }),
            Self::KEY => Self::Key(Key {
                index: numbers[0] as u32,
                state: (numbers[0] >> 32) as u8,
                errno: (numbers[0] >> 40) as u16,
                owner: numbers[1] as u32,
                variable: (numbers[1] >> 32) as u32,
                value: numbers[2],
                live: numbers[3] as u32,
                limit: (numbers[3] >> 32) as u32,
            }),
            Self::LOCK => {
                let [kind, mode, act, other_kind, low, high, ..] = numbers[1].to_le_bytes();
                Self::Lock(Lock {
                    address: numbers[0],
                    kind,
                    mode,
                    act,
                    other_kind,
                    errno: u16::from_le_bytes([low, high]),
                    place: numbers[2] as u32,
                    other_place: (numbers[2] >> 32) as u32,
                    other: numbers[3],
                    block: numbers[4],
                    block_size: numbers[5],
                    offset: more[0],
                    old: more[1],
                    new: more[2],
                    time: more[3],
                })
            }
            Self::DESCRIPTOR => Self::Descriptor {
                fd: numbers[0] as i32,
                kind: numbers[1] as u8,
                owner_kind: numbers[2] as u8,
                owner: numbers[3],
                generation: numbers[4] as u32,
            },
            _ => Self::None,
        }
    }
}

/// A finding on its way into the table, or out of it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub kind: Kind,
    pub severity: Severity,
    pub tid: u32,
    pub thread: [u8; 16],
    pub time: u64,
    pub resource: Resource,
    pub label: Label,
    pub parties: [Involved; PARTIES],
    /// The name of the call, or other words of the family; up to 112 bytes.
    pub detail: &'a [u8],
}

impl Report<'_> {
    pub fn party(&self, role: Role) -> Option<&Involved> {
        self.parties.iter().find(|p| p.role == Some(role))
    }

    fn key(&self) -> u64 {
        let mut words = [0u64; PARTIES + 1];
        words[0] = (self.kind as u64) << 32 | self.severity as u64;
        if let Resource::Leak(leak) = self.resource {
            // What is a suspicion now may be proved later; how the last operation ended tells two ways apart.
            let way = u64::from(leak.kind) | u64::from(leak.call) << 8 | u64::from(leak.ending) << 16;
            words[0] = (self.kind as u64) << 32 | u64::from(leak.errno) << 48 | way | u64::from(leak.blocking) << 24;
        }
        if let Resource::Lost(lost) = self.resource {
            // The class may change from look to look; what was told of a site is then replaced.
            words[0] = (self.kind as u64) << 32 | u64::from(lost.class);
        }
        if let Resource::Limit(limit) = self.resource {
            // One of each stage; whose stacks they were at that moment is the story, not the identity.
            return crate::stacks::hash(&[words[0], u64::from(limit.stage)]).max(1);
        }
        // Who has created how many changes from one failure to the next.
        let fading = |party: &Involved| self.kind == Kind::KeyExhausted && party.role != Some(Role::Here);
        for (word, party) in words[1..].iter_mut().zip(self.parties.iter().filter(|p| !fading(p))) {
            *word = (party.role.map_or(0, |r| r as u64)) << 32 | u64::from(party.stack);
        }
        // A finding without stacks is one per descriptor kind of call, not one for all.
        let mut h = crate::stacks::hash(&words);
        if self.parties.iter().all(|p| p.stack == 0) {
            for chunk in self.detail.chunks(8) {
                let mut part = [0; 8];
                part[..chunk.len()].copy_from_slice(chunk);
                h = crate::stacks::hash(&[h, u64::from_le_bytes(part)]);
            }
        }
        h.max(1)
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// The first of its kind and stacks: the index of its entry. Whoever files it tells the user, then calls [`told`].
    New(usize),
    /// Counted on an earlier one, by its index.
    Repeated(usize),
    /// The table is full; counted as dropped.
    Dropped,
}

const SLOTS: usize = Section::Findings.capacity();

/// Files a report. Lock-free and async-signal-safe; may commit a chunk.
pub fn file(store: &impl Store, report: &Report) -> Filed {
    file_unless(store, report, || Mark::NONE).0
}

/// As [`file`], and marks what the user does not want to hear of: `decide` is asked once for a finding, as a rule, and
/// gives the same answer for the same kind and stacks. A suppressed event counts as such, and as nothing else.
pub fn file_unless(store: &impl Store, report: &Report, mut decide: impl FnMut() -> Mark) -> (Filed, Mark) {
    let (filed, mark) = place(store, report, &mut decide);
    count(store, counter(report.severity, mark));
    (filed, mark)
}

fn place(store: &impl Store, report: &Report, decide: &mut dyn FnMut() -> Mark) -> (Filed, Mark) {
    let key = report.key();
    for index in 0..SLOTS {
        let Some(slot) = entry_or_commit::<Finding>(store, index) else { break };
        let mut seen = slot.key.load(Acquire);
        if seen == 0 {
            match slot.key.compare_exchange(0, key, AcqRel, Acquire) {
                Ok(_) => {
                    let mark = decide();
                    fill(slot, report, mark);
                    store.header().findings.fetch_max(index as u32 + 1, Relaxed);
                    return (Filed::New(index), mark);
                }
                Err(now) => seen = now,
            }
        }
        if seen == key {
            slot.last.fetch_max(report.time, Relaxed);
            slot.count.fetch_add(1, Relaxed);
            // Until the first finder has decided, the answer is our own.
            let decided = finding_state::is_whole(slot.state.load(Acquire));
            let mark = if decided { Mark(slot.suppressed.load(Relaxed)) } else { decide() };
            return (Filed::Repeated(index), mark);
        }
    }
    count(store, Counter::FindingsDropped);
    (Filed::Dropped, decide())
}

/// Files a leak, whose count is the number of descriptors and not of events: what was filed before of the same kind and
/// stacks is replaced. Lock-free and async-signal-safe, but a reader may see one replacement half done.
pub fn file_leak(store: &impl Store, report: &Report) -> Filed {
    file_leak_unless(store, report, || Mark::NONE).0
}

/// As [`file_leak`], with marks, as [`file_unless`] has them.
pub fn file_leak_unless(store: &impl Store, report: &Report, mut decide: impl FnMut() -> Mark) -> (Filed, Mark) {
    let key = report.key();
    for index in 0..SLOTS {
        let Some(slot) = entry_or_commit::<Finding>(store, index) else { break };
        let mut seen = slot.key.load(Acquire);
        let mut filed = Filed::Repeated(index);
        if seen == 0 {
            match slot.key.compare_exchange(0, key, AcqRel, Acquire) {
                Ok(_) => {
                    store.header().findings.fetch_max(index as u32 + 1, Relaxed);
                    (seen, filed) = (key, Filed::New(index));
                }
                Err(now) => seen = now,
            }
        }
        if seen == key {
            let before = Severity::from_code((slot.what.load(Relaxed) >> 16 & 0xff) as u16);
            let mut mark = Mark(slot.suppressed.load(Relaxed));
            if before != Some(report.severity) || filed == Filed::New(index) {
                // More serious than it was: new to the user.
                filed = Filed::New(index);
                mark = decide();
                count(store, counter(report.severity, mark));
            }
            let told = slot.state.load(Relaxed) == finding_state::TOLD && filed == Filed::Repeated(index);
            fill(slot, report, mark);
            let resources = match report.resource {
                Resource::Leak(leak) => u64::from(leak.count),
                Resource::Lost(lost) => lost.blocks,
                _ => 1,
            };
            slot.count.store(resources, Relaxed);
            if told {
                slot.state.store(finding_state::TOLD, Release);
            }
            return (filed, mark);
        }
    }
    count(store, Counter::FindingsDropped);
    (Filed::Dropped, decide())
}

/// Takes back leaks of a kind that were filed before `as_of`: their descriptors have been closed since, or blocks freed.
pub fn retract_leaks(store: &impl Store, kind: Kind, as_of: u64) {
    for index in 0..(store.header().findings.load(Acquire) as usize).min(SLOTS) {
        let Some(slot) = crate::store::entry::<Finding>(store, index) else { continue };
        let what = slot.what.load(Acquire);
        if what as u16 == kind as u16 && slot.numbers[4].load(Relaxed) < as_of {
            slot.count.store(0, Relaxed);
        }
    }
}

fn counter(severity: Severity, mark: Mark) -> Counter {
    match severity {
        _ if !mark.is_none() => Counter::Suppressed,
        Severity::Error => Counter::Errors,
        Severity::Suspect => Counter::Suspects,
        Severity::Info => Counter::Infos,
    }
}

/// The user has been told of this finding, or never will be.
pub fn told(store: &impl Store, index: usize) {
    if let Some(slot) = entry_or_commit::<Finding>(store, index) {
        slot.state.store(finding_state::TOLD, Release);
    }
}

/// Has the user been told?
pub fn is_told(store: &impl Store, index: usize) -> bool {
    entry_or_commit::<Finding>(store, index).is_none_or(|slot| slot.state.load(Acquire) == finding_state::TOLD)
}

fn fill(slot: &Finding, report: &Report, mark: Mark) {
    slot.state.store(finding_state::WRITING, Relaxed);
    slot.count.fetch_add(1, Relaxed);
    slot.first.store(report.time, Relaxed);
    slot.last.fetch_max(report.time, Relaxed);
    slot.tid.store(u64::from(report.tid), Relaxed);
    text::store(&slot.thread, &report.thread);
    let (tag, numbers, more) = report.resource.encode();
    for (field, number) in slot.numbers.iter().chain(&slot.more).zip(numbers.into_iter().chain(more)) {
        field.store(number, Relaxed);
    }
    for (field, word) in slot.label.iter().zip(report.label.words()) {
        field.store(word, Relaxed);
    }
    for (field, party) in slot.parties.iter().zip(&report.parties) {
        field.who.store(party.role.map_or(0, |r| r as u64) | u64::from(party.tid) << 32, Relaxed);
        field.stack.store(u64::from(party.stack), Relaxed);
        text::store(&field.thread, &party.thread);
    }
    text::store(&slot.detail, report.detail);
    slot.suppressed.store(mark.0, Relaxed);
    slot.what.store(u32::from(report.kind as u16) | (report.severity as u32) << 16 | u32::from(tag) << 24, Relaxed);
    slot.state.store(finding_state::READY, Release);
}
