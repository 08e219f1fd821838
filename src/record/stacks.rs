//! Stacks, stored once: a hash table of ids over runs of words.
//!
//! ```text
//! word -1    site + 1, or 0: see [`crate::sites`]
//! word 0     length:8 | hash:56 from the low end
//! word 1…    frames, innermost first: (module + 1):16 | offset:48, or module part 0 and a bare address
//! ```
//!
//! The id of a stack is the index of its word 0; 0 means "unknown". Ids are stable for the life of the recording, so
//! that every other entry can name a stack in 32 bits.
//!
//! Why lock-free insertion is right: the words are written before the id is published with a compare-exchange
//! (release), and whoever finds an id in the index compares the whole stack, so a lost race costs a few words, never a
//! wrong answer. Frames name a module and an offset, not an address, so that a plugin that is unloaded and loaded
//! again does not make new stacks.

use crate::layout::{Counter, Section};
use crate::store::{Store, bump, count, words};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64};

/// Frames that a stack may have; `stack_depth` is cut to it.
pub const MAX_FRAMES: usize = 64;
/// The index grows: stacks that find no place among the slots of one part are looked for in the next. Each part: its first slot, how
/// many it has, and how many of them are tried.
///
/// Why the first is a page: most processes live short and take a few dozen stacks, and each page of a recording that is touched costs two
/// faults. Why so few are tried there: once it is full, every stack pays for them.
const PARTS: [(usize, usize, usize); 3] = {
    let (page, chunk) = (4096 / 4, Section::StackIndex.per_chunk());
    [(0, page, 4), (page, chunk - page, 64), (chunk, Section::StackIndex.capacity() - chunk, 64)]
};

/// Odd numbers: what a hash is multiplied by for each of [`PARTS`].
const MIX: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// A frame as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame(pub u64);

impl Frame {
    /// `offset` is relative to the module's load bias: an ELF virtual address.
    pub fn in_module(module: usize, offset: u64) -> Self {
        Self((module as u64 + 1) << 48 | offset & 0xffff_ffff_ffff)
    }

    pub fn bare(address: u64) -> Self {
        Self(address & 0xffff_ffff_ffff)
    }

    pub fn module(self) -> Option<usize> {
        ((self.0 >> 48) as usize).checked_sub(1)
    }

    pub fn offset(self) -> u64 {
        self.0 & 0xffff_ffff_ffff
    }
}

/// FNV-1a over words with a final mix: enough to spread; equality is always checked on the whole stack.
pub fn hash(frames: &[u64]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    for f in frames {
        h = (h ^ f).wrapping_mul(0x0000_0100_0000_01b3);
        h ^= h >> 29;
    }
    h ^ (h >> 32)
}

/// The id of a stack, stored now if it is new. 0 when it is empty or there is no room (counted).
/// Lock-free and async-signal-safe.
pub fn intern(store: &impl Store, frames: &[u64]) -> u32 {
    let frames = &frames[..frames.len().min(room(store))];
    if frames.is_empty() {
        return 0;
    }
    let hash = hash(frames);
    let head = (frames.len() as u64) << 56 | hash & 0x00ff_ffff_ffff_ffff;
    let mut ours = 0;
    let places = PARTS.into_iter().enumerate().flat_map(|(part, (first, slots, tries))| {
        // Mixed anew: stacks that crowd each other out in one part do not meet again in the next.
        let mixed = hash.wrapping_mul(MIX[part]) >> 32;
        (0..tries).map(move |probe| first + (mixed as usize).wrapping_add(probe) % slots)
    });
    for place in places {
        let Some(slot) = index_slot(store, place) else { break };
        let mut id = slot.load(Acquire);
        if id == 0 {
            if ours == 0 {
                ours = write(store, head, frames);
                if ours == 0 {
                    break;
                }
            }
            match slot.compare_exchange(0, ours, Release, Acquire) {
                Ok(_) => {
                    store.indexed(place);
                    return ours;
                }
                Err(theirs) => id = theirs,
            }
        }
        if equals(store, id, head, frames) {
            return id;
        }
    }
    count(store, Counter::StacksDropped);
    0
}

/// How many frames a stack may have. When the tables fill up, only the innermost ones of new stacks are kept: there are far
/// fewer of those, and a short stack says more than none.
fn room(store: &impl Store) -> usize {
    let header = store.header();
    let words = header.stack_words.load(Relaxed) as usize * 16 / Section::StackWords.capacity();
    let sites = header.sites.load(Relaxed) as usize * 16 / Section::Sites.capacity();
    match words.max(sites) {
        0..12 => MAX_FRAMES,
        12..14 => 8,
        _ => 3,
    }
}

fn index_slot(store: &impl Store, index: usize) -> Option<&AtomicU32> {
    let per_chunk = Section::StackIndex.per_chunk();
    if store.chunk(Section::StackIndex, index / per_chunk).is_none() {
        store.commit(Section::StackIndex, index / per_chunk)?;
    }
    words::<AtomicU32>(store, Section::StackIndex, index, 1).map(|s| &s[0])
}

fn write(store: &impl Store, head: u64, frames: &[u64]) -> u32 {
    let Some(at) = bump(store, Section::StackWords, &store.header().stack_words, frames.len() + 2) else { return 0 };
    let at = at + 1;
    let Some(run) = words::<AtomicU64>(store, Section::StackWords, at, frames.len() + 1) else { return 0 };
    for (word, frame) in run[1..].iter().zip(frames) {
        word.store(*frame, Relaxed);
    }
    run[0].store(head, Release);
    at as u32
}

fn equals(store: &impl Store, id: u32, head: u64, frames: &[u64]) -> bool {
    words::<AtomicU64>(store, Section::StackWords, id as usize, frames.len() + 1).is_some_and(|run| {
        run[0].load(Acquire) == head && run[1..].iter().zip(frames).all(|(word, frame)| word.load(Relaxed) == *frame)
    })
}

/// The word that leads from a stack to its site.
#[inline]
pub(crate) fn site_link(store: &impl Store, id: u32) -> Option<&AtomicU64> {
    words::<AtomicU64>(store, Section::StackWords, (id as usize).checked_sub(1)?, 1).map(|run| &run[0])
}

/// Copies a stack out; the number of frames.
pub fn load(store: &impl Store, id: u32, out: &mut [u64; MAX_FRAMES]) -> usize {
    if id == 0 {
        return 0;
    }
    let Some(head) = words::<AtomicU64>(store, Section::StackWords, id as usize, 1) else { return 0 };
    let len = ((head[0].load(Acquire) >> 56) as usize).min(MAX_FRAMES);
    let Some(run) = words::<AtomicU64>(store, Section::StackWords, id as usize, len + 1) else { return 0 };
    for (to, word) in out.iter_mut().zip(&run[1..]) {
        *to = word.load(Relaxed);
    }
    len
}
