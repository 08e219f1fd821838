//! Which live blocks the program can still reach: marking, from the roots through the blocks, without knowing types.
//!
//! ```text
//! roots ──► a word that is the start of a block        reachable; so is what its words lead to
//!       └─► a word that points into a block            possible; what it leads to is possible
//! the rest, by address: lost, until a lost block leads to it: then it is indirect, and counted with that one
//! ```
//!
//! The rules and the words are memcheck's, and so is the order, which decides who of a ring is lost and who only indirectly:
//! users compare. As there, a pointer into a block counts as one to its start where C++ or a library keeps only such a
//! pointer: [`Marking::heuristic`].
//!
//! Why conservative: a number that looks like an address keeps a block alive, so that a leak may be missed, and none is
//! invented.
//!
//! Rules: no recursion, no allocation; what waits is a list threaded through `links`.

use super::Family;
use super::blocks::{Blocks, Hit, Reach};

/// The program's memory, and when to stop.
pub trait Memory {
    /// Hands out each aligned word of the range that can be read. False: there is no more time.
    fn words(&self, start: u64, end: u64, found: &mut impl FnMut(u64)) -> bool;
    /// One aligned word, when it can be read.
    fn word(&self, at: u64) -> Option<u64>;
    /// Do function pointers begin at this address, in memory that a file is mapped to?
    fn is_vtable(&self, at: u64) -> bool;
}

/// Bytes of a pointer of the program.
pub const WORD: u64 = size_of::<usize>() as u64;

/// What kind of root a word was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Data, stacks and registers of the program.
    Program,
    /// libc's description of a thread, which keeps pointers into blocks: they count as pointers to their starts.
    Thread,
    /// Memory in which glibc's allocator keeps its lists: a pointer to the header behind a block is the allocator's.
    Allocator,
}

const NONE: u32 = u32::MAX;

/// See the module.
pub struct Marking<'a, 'b> {
    pub blocks: &'a mut Blocks<'b>,
    /// Of each block: the next that waits; when it is indirect, the lost one that it was found from.
    links: &'a mut [u32],
    waiting: u32,
    /// There was no time for all of it: what is not marked may well be reachable.
    pub cut: bool,
}

impl<'a, 'b> Marking<'a, 'b> {
    /// pre: a link for each block.
    pub fn new(blocks: &'a mut Blocks<'b>, links: &'a mut [u32]) -> Self {
        debug_assert!(links.len() >= blocks.len());
        Self { blocks, links, waiting: NONE, cut: false }
    }

    /// A range of root memory.
    pub fn root(&mut self, memory: &impl Memory, start: u64, end: u64, root: Root) {
        if !self.cut {
            self.cut = !memory.words(start, end, &mut |value| self.follow_root(memory, value, root));
            self.drain(memory);
        }
    }

    /// A single word, such as a register.
    pub fn word(&mut self, memory: &impl Memory, value: u64, root: Root) {
        self.follow_root(memory, value, root);
        self.drain(memory);
    }

    #[inline(always)]
    fn follow_root(&mut self, memory: &impl Memory, value: u64, root: Root) {
        let Some(hit) = self.blocks.find(value) else { return };
        if root == Root::Allocator && hit.offset != 0 && hit.offset == next_header(self.blocks.get(hit.block).size()) {
            return;
        }
        let start = root == Root::Thread || self.is_start(memory, hit);
        self.reached(hit.block, start);
    }

    /// memcheck: lc_push_without_clique_if_a_chunk_ptr.
    fn reached(&mut self, index: usize, definite: bool) {
        let block = self.blocks.get_mut(index);
        match block.reach() {
            Reach::Lost if definite => block.set_reach(Reach::Reachable),
            Reach::Possible if definite => block.set_reach(Reach::Reachable),
            Reach::Lost => block.set_reach(Reach::Possible),
            _ => return,
        }
        self.wait(index);
    }

    fn wait(&mut self, index: usize) {
        if self.blocks.get_mut(index).begin_waiting() {
            self.links[index] = self.waiting;
            self.waiting = index as u32;
        }
    }

    fn next(&mut self) -> Option<usize> {
        let index = self.waiting as usize;
        if self.waiting == NONE {
            return None;
        }
        self.waiting = self.links[index];
        self.blocks.get_mut(index).end_waiting();
        Some(index)
    }

    /// Follows what waits, until nothing does.
    fn drain(&mut self, memory: &impl Memory) {
        while let Some(index) = self.next() {
            if self.cut {
                continue;
            }
            let block = *self.blocks.get(index);
            let strong = block.reach() == Reach::Reachable;
            self.cut = !memory.words(block.start(), block.start() + block.size(), &mut |value| {
                if let Some(hit) = self.blocks.find(value) {
                    let definite = strong && self.is_start(memory, hit);
                    self.reached(hit.block, definite);
                }
            });
        }
    }

    /// After all roots: what is lost, and what only lost blocks lead to.
    pub fn lose(&mut self, memory: &impl Memory) {
        for leader in 0..self.blocks.len() {
            if self.cut {
                return;
            }
            if self.blocks.get(leader).reach() != Reach::Lost {
                continue;
            }
            self.wait(leader);
            while let Some(index) = self.next() {
                // No leader of itself: the end of a chain.
                self.links[index] = if index == leader { NONE } else { leader as u32 };
                let block = *self.blocks.get(index);
                let whole = memory.words(block.start(), block.start() + block.size(), &mut |value| {
                    // A pointer into a block is as good as one to its start here, and all that is reached is indirect.
                    if let Some(hit) = self.blocks.find(value) {
                        let other = self.blocks.get_mut(hit.block);
                        if hit.block != leader && other.reach() == Reach::Lost {
                            other.set_reach(Reach::Indirect);
                            self.wait(hit.block);
                        }
                    }
                });
                self.cut |= !whole;
            }
        }
    }

    /// The lost block that leads to an indirect one. pre: after [`Self::lose`].
    pub fn leader(&mut self, index: usize) -> usize {
        let mut leader = index;
        while self.blocks.get(leader).reach() == Reach::Indirect && self.links[leader] != NONE {
            leader = self.links[leader] as usize;
        }
        // A leader that became indirect itself makes a chain; the next walk is short.
        let mut at = index;
        while at != leader {
            let next = self.links[at] as usize;
            self.links[at] = leader as u32;
            at = next;
        }
        leader
    }

    #[inline]
    fn is_start(&self, memory: &impl Memory, hit: Hit) -> bool {
        hit.offset == 0 || hit.offset % WORD == 0 && self.heuristic(memory, hit)
    }

    /// Where only a pointer into a block is kept, and that is as it should be (memcheck: heuristic_reachedness):
    /// - the characters of an old std::string: length, capacity, count, text;
    /// - the elements of a `new[]` with destructors: their number lies in front;
    /// - a length of 64 bits in front (sqlite);
    /// - an object of a class with several bases, by a base that is not the first: both have a table of functions.
    #[cold]
    fn heuristic(&self, memory: &impl Memory, hit: Hit) -> bool {
        let block = self.blocks.get(hit.block);
        let (start, size) = (block.start(), block.size());
        let Some(first) = memory.word(start) else { return false };
        let string = || {
            let capacity = memory.word(start + WORD);
            capacity.is_some_and(|c| first <= c && c.checked_add(3 * WORD + 1) == Some(size))
        };
        let array = || first > 0 && (size - WORD) % first == 0;
        let length = || first == size - 8 && (WORD == 8 || memory.word(start + WORD) == Some(0));
        // No table lies in the first page.
        let table = |at: u64| at >= 4096 && at % WORD == 0 && memory.is_vtable(at);
        hit.offset == 3 * WORD && string()
            || hit.offset == WORD && matches!(block.family(), Family::NewArray | Family::Unknown) && array()
            || hit.offset == 8 && length()
            || table(first) && memory.word(start + hit.offset).is_some_and(table)
    }
}

/// Where glibc puts the header of the chunk behind a block of `size` bytes, from the block's start.
fn next_header(size: u64) -> u64 {
    let align = 2 * WORD;
    (size + WORD + align - 1).max(4 * WORD) / align * align - align
}
