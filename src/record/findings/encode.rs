//! How a [`Resource`] lies in `Finding::numbers` and `Finding::more`, behind its tag.
//!
//! Both directions side by side, so that they are changed together: a number that moves is a new version of the format.

use super::{Block, Earlier, Key, Leak, Limit, Lock, Lost, Resource, SHOWN_BYTES};

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

impl Resource {
    pub const DESCRIPTOR: u8 = 1;
    pub const LEAK: u8 = 2;
    pub const LIMIT: u8 = 3;
    pub const BLOCK: u8 = 4;
    pub const LOST: u8 = 5;
    pub const KEY: u8 = 6;
    pub const LOCK: u8 = 7;

    /// The tag, `Finding::numbers` and `Finding::more`.
    pub(super) fn encode(self) -> (u8, [u64; 6], [u64; 6]) {
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
