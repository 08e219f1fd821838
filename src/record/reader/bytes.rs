//! Integers and texts out of bytes that nobody checked: what lies beyond the end reads as zero.

use crate::text::until_nul;

/// Part of the file: an entry, or all of it.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(pub &'a [u8]);

impl<'a> Raw<'a> {
    pub fn bytes<const N: usize>(self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    pub fn u32(self, at: usize) -> u32 {
        u32::from_ne_bytes(self.bytes(at))
    }

    pub fn u64(self, at: usize) -> u64 {
        u64::from_ne_bytes(self.bytes(at))
    }

    pub fn words<const N: usize>(self, at: usize) -> [u64; N] {
        core::array::from_fn(|i| self.u64(at + i * 8))
    }

    /// The text in a NUL-padded field.
    pub fn text(self, at: usize, len: usize) -> &'a [u8] {
        until_nul(self.slice(at, len))
    }

    pub fn slice(self, at: usize, len: usize) -> &'a [u8] {
        self.0.get(at..at + len).unwrap_or_default()
    }
}
