//! Snapshots: what was open at a moment, and what had been forgotten, kept in the tail of a recording.
//!
//! ```text
//! 129 MiB   Head     256 bytes       the first snapshot; it stays
//!           Group    256 bytes each  descriptors that went the same way, the gravest first
//!           Lost     256 bytes each  blocks of the heap, by who allocated them, when it was looked for them
//!           Head     the next one, with a higher sequence number, …
//! 193 MiB   the end
//! ```
//!
//! Why a tail: the chunks below belong to the process, which may be adding one at this moment. A hole of the file costs
//! no disk, so the tail begins where no chunk can ever be, and whoever takes a snapshot, the command from outside or a
//! signal handler inside, never meets the process.
//!
//! Why the magic is written last: a snapshot whose writer died, or whose disk was full, is not there. The walk over the
//! tail ends at the first block that is no head, or whose sequence number is not higher than the one before.
//!
//! When the tail is full, all snapshots but the first are given up and writing starts over behind it: how things began
//! and how they are now is what an operator compares.
//!
//! Rules: no allocation, no lock, no `core::fmt`; the integers are in the writer's byte order, as everywhere in the file.
//! Writers are serialised by flock(LOCK_EX) on the file, which the caller holds.

mod lost;

pub use lost::Lost;

use crate::kind::Severity;
use crate::label::Label;
use crate::layout::{CHUNK_LEN, CHUNKS_AT, MAX_CHUNKS};

pub const MAGIC: [u8; 8] = *b"SHIMSNAP";
/// At the front of each group, so that no text of the program can pass for a head.
pub const GROUP_MAGIC: [u8; 8] = *b"SHIMGRP\n";
pub const VERSION: u32 = 1;

/// Where the tail begins: the end of the last possible chunk, rounded up to a whole MiB.
pub const TAIL_AT: u64 = ((CHUNKS_AT + MAX_CHUNKS * CHUNK_LEN) as u64).next_multiple_of(1 << 20);
/// The most that it holds.
pub const TAIL_LEN: u64 = 64 << 20;
/// The longest file that can be a recording with its tail.
pub const MAX_FILE_LEN: u64 = TAIL_AT + TAIL_LEN;
/// Bytes of a head, and of a group.
pub const BLOCK: usize = 256;
/// Groups that one snapshot may have: what does not fit is counted as dropped.
pub const MAX_GROUPS: usize = 4096;
/// Two of the longest snapshots fit, whatever the first was.
const _: () = assert!(TAIL_LEN >= 2 * (MAX_GROUPS as u64 + 1) * BLOCK as u64);

/// States of TCP, as `track::fd::leak::tcp` numbers them.
pub const TCP_STATES: usize = crate::findings::TCP_STATES;

/// Who took it. The values are part of the format.
pub mod taker {
    /// The command.
    pub const OUTSIDE: u32 = 1;
    /// The process itself, in a signal handler.
    pub const SIGNAL: u32 = 2;
}

/// Where the states of sockets come from. The values are part of the format.
pub mod source {
    /// Nowhere: there are none.
    pub const NONE: u32 = 0;
    /// Each socket was asked.
    pub const SOCKETS: u32 = 1;
    /// /proc/PID/net/tcp and tcp6.
    pub const NET_TABLES: u32 = 2;
}

/// What a snapshot says of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Set by [`Writer::finish`].
    pub sequence: u64,
    /// CLOCK_MONOTONIC and CLOCK_REALTIME, ns.
    pub time: u64,
    pub real: u64,
    /// One of [`taker`].
    pub by: u32,
    /// One of [`source`].
    pub source: u32,
    pub pid: u32,
    pub open: u64,
    /// RLIMIT_NOFILE, soft; 0 = unknown.
    pub limit: u64,
    /// Set by [`Writer::finish`].
    pub groups: u32,
    /// Descriptors that found no room in a group, and groups that found none in the snapshot.
    pub dropped: u64,
}

/// Where in the program a call was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    #[default]
    Unknown,
    /// A stack of the recording.
    Stack(u32),
    /// A return address.
    Address(u64),
}

/// Descriptors that went the same way; `track::fd::leak::Group` with its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The stack that opened them, and who opened the one shown.
    pub stack: u32,
    pub opener: u32,
    /// The last operation: a [`crate::call::Call`], 0 = none.
    pub call: u8,
    /// `track::fd::Ending`.
    pub ending: u8,
    pub errno: u16,
    /// Index of the thread + 1, 0 = unknown.
    pub thread: u16,
    pub place: Place,
    /// EAGAIN was a timeout.
    pub blocking: bool,
    /// All have the same label.
    pub same_label: bool,
    /// `track::fd::FdKind` and `OwnerKind`.
    pub kind: u8,
    pub owner: u8,
    pub severity: Severity,
    /// One of them.
    pub fd: i32,
    pub generation: u32,
    pub label: Label,
    pub count: u64,
    pub idle: u64,
    pub oldest: u64,
    pub newest: u64,
    pub last_used: u64,
    pub unread: u64,
    pub tcp: [u32; TCP_STATES],
    /// Totals of the opening stack at that moment.
    pub opened: u64,
    pub closed: u64,
    pub last_opened: u64,
}

/// A file that is read and written at offsets. The errors are errno values.
pub trait File {
    /// Fills the buffer as far as the file reaches; how many bytes.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<usize, i32>;
    /// Writes everything.
    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), i32>;
}

/// One block under construction or examination.
struct Block([u8; BLOCK]);

impl Block {
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }

    #[cfg(feature = "read")]
    fn u16(&self, at: usize) -> u16 {
        u16::from_ne_bytes(self.get(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.get(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.get(at))
    }
}

impl Head {
    fn encode(&self) -> Block {
        let mut block = Block([0; BLOCK]);
        block.put(0, MAGIC);
        block.put(8, VERSION.to_ne_bytes());
        block.put(12, self.by.to_ne_bytes());
        block.put(16, self.len().to_ne_bytes());
        block.put(24, self.sequence.to_ne_bytes());
        block.put(32, self.time.to_ne_bytes());
        block.put(40, self.real.to_ne_bytes());
        block.put(48, self.open.to_ne_bytes());
        block.put(56, self.limit.to_ne_bytes());
        block.put(64, self.groups.to_ne_bytes());
        block.put(68, self.source.to_ne_bytes());
        block.put(72, self.dropped.to_ne_bytes());
        block.put(80, self.pid.to_ne_bytes());
        block
    }

    fn decode(block: &Block) -> Option<Self> {
        let head = Self {
            by: block.u32(12),
            sequence: block.u64(24),
            time: block.u64(32),
            real: block.u64(40),
            open: block.u64(48),
            limit: block.u64(56),
            groups: block.u32(64),
            source: block.u32(68),
            dropped: block.u64(72),
            pid: block.u32(80),
        };
        let holds = block.get(0) == MAGIC
            && block.u32(8) == VERSION
            && head.groups as usize <= MAX_GROUPS
            && block.u64(16) == head.len();
        holds.then_some(head)
    }

    /// Bytes of the snapshot.
    const fn len(&self) -> u64 {
        (1 + self.groups as u64) * BLOCK as u64
    }
}

impl Group {
    fn encode(&self) -> Block {
        let mut block = Block([0; BLOCK]);
        let (place, at) = match self.place {
            Place::Unknown => (0, 0),
            Place::Stack(stack) => (1, u64::from(stack)),
            Place::Address(address) => (2, address),
        };
        block.put(0, GROUP_MAGIC);
        block.put(8, self.stack.to_ne_bytes());
        block.put(12, self.opener.to_ne_bytes());
        block.put(16, [self.call, self.ending]);
        block.put(18, self.errno.to_ne_bytes());
        block.put(20, self.thread.to_ne_bytes());
        block.put(22, [place, u8::from(self.blocking) | u8::from(self.same_label) << 1]);
        block.put(24, at.to_ne_bytes());
        block.put(32, [self.kind, self.owner, self.severity as u8, 0]);
        block.put(36, self.fd.to_ne_bytes());
        block.put(40, self.generation.to_ne_bytes());
        for (i, word) in self.label.words().into_iter().enumerate() {
            block.put(48 + i * 8, word.to_ne_bytes());
        }
        let numbers = [self.count, self.idle, self.oldest, self.newest, self.last_used, self.unread];
        for (i, number) in numbers.into_iter().enumerate() {
            block.put(88 + i * 8, number.to_ne_bytes());
        }
        for (i, count) in self.tcp.into_iter().enumerate() {
            block.put(136 + i * 4, count.to_ne_bytes());
        }
        for (i, number) in [self.opened, self.closed, self.last_opened].into_iter().enumerate() {
            block.put(184 + i * 8, number.to_ne_bytes());
        }
        block
    }

    #[cfg(feature = "read")]
    fn decode(block: &Block) -> Option<Self> {
        if block.get(0) != GROUP_MAGIC {
            return None;
        }
        let [place, flags] = block.get(22);
        let at = block.u64(24);
        let [call, ending] = block.get(16);
        let [kind, owner, severity, _] = block.get(32);
        Some(Self {
            stack: block.u32(8),
            opener: block.u32(12),
            call,
            ending,
            errno: block.u16(18),
            thread: block.u16(20),
            place: match place {
                1 => Place::Stack(at as u32),
                2 => Place::Address(at),
                _ => Place::Unknown,
            },
            blocking: flags & 1 != 0,
            same_label: flags & 2 != 0,
            kind,
            owner,
            severity: Severity::from_code(u16::from(severity))?,
            fd: i32::from_ne_bytes(block.get(36)),
            generation: block.u32(40),
            label: Label::from_words(core::array::from_fn(|i| block.u64(48 + i * 8))),
            count: block.u64(88),
            idle: block.u64(96),
            oldest: block.u64(104),
            newest: block.u64(112),
            last_used: block.u64(120),
            unread: block.u64(128),
            tcp: core::array::from_fn(|i| block.u32(136 + i * 4)),
            opened: block.u64(184),
            closed: block.u64(192),
            last_opened: block.u64(200),
        })
    }
}

/// The head at an offset, when there is a whole one.
fn head_at(file: &impl File, at: u64) -> Result<Option<Head>, i32> {
    let mut block = Block([0; BLOCK]);
    if at + BLOCK as u64 > MAX_FILE_LEN || file.read_at(at, &mut block.0)? < BLOCK {
        return Ok(None);
    }
    Ok(Head::decode(&block))
}

/// A snapshot that is being written: nobody sees it before [`finish`](Self::finish).
pub struct Writer<'f, F: File> {
    file: &'f F,
    at: u64,
    sequence: u64,
    groups: u32,
    dropped: u64,
}

impl<'f, F: File> Writer<'f, F> {
    /// Finds the place for a snapshot of up to `groups` groups. Async-signal-safe when the file is.
    /// pre: the caller holds the lock, here and until `finish`.
    pub fn begin(file: &'f F, groups: usize) -> Result<Self, i32> {
        let wanted = (1 + groups.min(MAX_GROUPS) as u64) * BLOCK as u64;
        let (mut at, mut sequence, mut behind_first) = (TAIL_AT, 0, TAIL_AT);
        while let Some(head) = head_at(file, at)?.filter(|head| head.sequence > sequence) {
            sequence = head.sequence;
            at += head.len();
            if behind_first == TAIL_AT {
                behind_first = at;
            }
        }
        if at + wanted > MAX_FILE_LEN {
            at = behind_first;
        }
        // What stood here is gone before anything else is written.
        file.write_at(at, &[0; BLOCK])?;
        Ok(Self { file, at, sequence: sequence.saturating_add(1), groups: 0, dropped: 0 })
    }

    /// Adds a group; beyond [`MAX_GROUPS`], or the end of the tail, its descriptors are counted as dropped.
    pub fn add(&mut self, group: &Group) -> Result<(), i32> {
        let at = self.at + u64::from(self.groups + 1) * BLOCK as u64;
        if self.groups as usize >= MAX_GROUPS || at + BLOCK as u64 > MAX_FILE_LEN {
            self.dropped = self.dropped.saturating_add(group.count);
            return Ok(());
        }
        self.file.write_at(at, &group.encode().0)?;
        self.groups += 1;
        Ok(())
    }

    /// Adds blocks of the heap, where there is room.
    pub fn add_lost(&mut self, lost: &Lost) -> Result<(), i32> {
        let at = self.at + u64::from(self.groups + 1) * BLOCK as u64;
        if (self.groups as usize) < MAX_GROUPS && at + BLOCK as u64 <= MAX_FILE_LEN {
            self.file.write_at(at, &lost.encode().0)?;
            self.groups += 1;
        }
        Ok(())
    }

    /// Makes it visible. `sequence` and `groups` of the head are set here, and what was dropped is added.
    pub fn finish(self, head: &Head) -> Result<Head, i32> {
        let dropped = head.dropped.saturating_add(self.dropped);
        let head = Head { sequence: self.sequence, groups: self.groups, dropped, ..*head };
        let block = head.encode();
        self.file.write_at(self.at + 8, &block.0[8..])?;
        self.file.write_at(self.at, &block.0[..8])?;
        Ok(head)
    }
}

/// A snapshot as it was read.
#[cfg(feature = "read")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub head: Head,
    pub groups: Vec<Group>,
    /// Empty where the heap was not looked at.
    pub lost: Vec<Lost>,
}

/// Reads the tail: the snapshots, the oldest first. A group that does not hold is left out.
#[cfg(feature = "read")]
pub fn read_all(file: &impl File) -> Result<Vec<Snapshot>, i32> {
    let (mut at, mut sequence) = (TAIL_AT, 0);
    let mut all = Vec::new();
    while let Some(head) = head_at(file, at)?.filter(|head| head.sequence > sequence) {
        sequence = head.sequence;
        let (mut groups, mut lost) = (Vec::new(), Vec::new());
        for i in 1..=u64::from(head.groups) {
            let (mut block, at) = (Block([0; BLOCK]), at + i * BLOCK as u64);
            if at + BLOCK as u64 > MAX_FILE_LEN || file.read_at(at, &mut block.0)? < BLOCK {
                break;
            }
            groups.extend(Group::decode(&block));
            lost.extend(Lost::decode(&block));
        }
        all.push(Snapshot { head, groups, lost });
        at += head.len();
    }
    Ok(all)
}
