//! Small blocks of a tier: an allocator over arenas that the tier lends it, behind a trait.
//!
//! Why arenas in a chain, each with a heap of its own: mimalloc uses only the first 16 GiB of an arena, and a heap in an exclusive
//! arena never looks elsewhere. They double in size, so that a tier of a few megabytes does not pay for the description of
//! gigabytes. Why one per tier and not per thread: any thread may allocate from a heap; mimalloc keeps its per-thread part itself.

#[cfg(not(target_pointer_width = "64"))]
pub(super) mod absent;
pub mod mimalloc;

use super::tier::Tier;
use core::ptr::NonNull;

/// An allocator of small blocks. Its heaps live as long as the process.
pub trait Inside: Sync {
    /// A heap over `[at, at + size)`, whose slices it gets from the tier when it needs them. `giving_back`: it may return them.
    fn heap(&self, at: usize, size: usize, giving_back: bool, of: &'static Tier) -> Option<Heap>;
    /// A block, and how many bytes it holds. `align` is a power of two.
    fn allocate(&self, heap: Heap, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)>;
    /// `block` came from `allocate`, whichever thread and heap. How many bytes it held.
    fn free(&self, block: NonNull<u8>) -> usize;
    fn usable(&self, block: NonNull<u8>) -> usize;
    /// Does the block hold so many bytes where it is, without waste?
    fn resize(&self, block: NonNull<u8>, size: usize) -> bool {
        let usable = self.usable(block);
        size <= usable && size >= usable / 2
    }
    /// Gives back at once what is free, of all heaps as far as the calling thread can.
    fn give_back(&self, heap: Heap);
    /// The calling thread will not come back.
    fn thread_ends(&self);
    /// In a forked child: the calling thread lets go of this heap without touching its memory.
    fn abandon(&self, heap: Heap);
}

/// A heap of an [`Inside`], by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap(pub NonNull<u8>);

/// The smallest arena that mimalloc takes.
pub const ARENA_LEAST: usize = 32 << 20;
/// The largest that it uses whole.
pub const ARENA_MOST: usize = 16 << 30;

/// How large the next arena is, when so many bytes of address space are taken already and so many are left.
pub fn next_arena(taken: usize, left: usize) -> Option<usize> {
    let size = taken.clamp(2 * ARENA_LEAST, ARENA_MOST).min(left) / ARENA_LEAST * ARENA_LEAST;
    (size >= ARENA_LEAST).then_some(size)
}
