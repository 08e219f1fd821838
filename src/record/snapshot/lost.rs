//! Blocks of the heap in a snapshot: what was lost, or still reachable, at that moment, by the stack that allocated it.
//!
//! They stand among the groups of descriptors, told apart by their magic; who does not know them leaves them out.

use super::Block;
use crate::kind::Severity;

pub const MAGIC: [u8; 8] = *b"SHIMLOST";

/// Blocks of one call stack that were found the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The stack that allocated them, and who allocated one of them.
    pub stack: u32,
    pub tid: u32,
    /// [`crate::heap::class`].
    pub class: u8,
    pub severity: Severity,
    pub blocks: u64,
    pub bytes: u64,
    pub indirect_blocks: u64,
    pub indirect_bytes: u64,
    /// The address of one of them.
    pub example: u64,
}

impl Lost {
    pub(super) fn encode(&self) -> Block {
        let mut block = Block([0; super::BLOCK]);
        block.put(0, MAGIC);
        block.put(8, self.stack.to_ne_bytes());
        block.put(12, self.tid.to_ne_bytes());
        block.put(16, [self.class, self.severity as u8]);
        let numbers = [self.blocks, self.bytes, self.indirect_blocks, self.indirect_bytes, self.example];
        for (i, number) in numbers.into_iter().enumerate() {
            block.put(24 + i * 8, number.to_ne_bytes());
        }
        block
    }

    #[cfg(feature = "read")]
    pub(super) fn decode(block: &Block) -> Option<Self> {
        if block.get(0) != MAGIC {
            return None;
        }
        let [class, severity] = block.get(16);
        Some(Self {
            stack: block.u32(8),
            tid: block.u32(12),
            class,
            severity: Severity::from_code(u16::from(severity))?,
            blocks: block.u64(24),
            bytes: block.u64(32),
            indirect_blocks: block.u64(40),
            indirect_bytes: block.u64(48),
            example: block.u64(56),
        })
    }
}
