//! Texts that other entries point to: paths. Written once, never changed, bounded.
#![allow(unsafe_code)] // Safety: one copy into memory that `bump` just gave to this caller alone.

use crate::layout::Section;
use crate::store::{Store, bump, words};
use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::Relaxed;

/// Where a text lies: offset and length. `0` is the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(pub u64);

impl Text {
    pub const NONE: Self = Self(0);

    pub fn offset(self) -> usize {
        (self.0 >> 32) as usize
    }

    pub fn len(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Stores a text; [`Text::NONE`] when there is no room. Lock-free, async-signal-safe.
pub fn intern(store: &impl Store, text: &[u8]) -> Text {
    let Some(at) = bump(store, Section::Strings, &store.header().string_bytes, text.len()) else {
        return Text::NONE;
    };
    let Some(chunk) = store.chunk(Section::Strings, at / Section::Strings.per_chunk()) else {
        return Text::NONE;
    };
    // SAFETY: `bump` gave [at, at + len) of this committed chunk to this call alone; no reference to it exists yet.
    unsafe {
        let to = chunk.as_ptr().add(at % Section::Strings.per_chunk());
        core::ptr::copy_nonoverlapping(text.as_ptr(), to, text.len());
    }
    Text((at as u64) << 32 | text.len() as u64)
}

/// The text, as far as there is room; how many bytes. Thread- and signal-safe.
pub fn read(store: &impl Store, text: Text, out: &mut [u8]) -> usize {
    let len = text.len().min(out.len());
    let Some(bytes) = words::<AtomicU8>(store, Section::Strings, text.offset(), len) else { return 0 };
    for (to, byte) in out.iter_mut().zip(bytes) {
        *to = byte.load(Relaxed);
    }
    len
}
