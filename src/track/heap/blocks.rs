//! Which block an address lies in, for the look for lost blocks: a few instructions and two lines of the cache per question.
//!
//! ```text
//! address >> 22    a span of 4 MiB, in a hash table
//! address >> 12    its page: the blocks that start before it, and a bit for each granule at which one starts
//! ```
//!
//! The number of bits up to the address, added to the page's count, is the rank of the block in the list, which is in the
//! order of the addresses. Why not a search: every word of the program's memory is asked about.
//!
//! The memory is the caller's ([`Room`] says how much): zeroed, and nothing is allocated here. A span in which no block
//! starts, the inside of a large one, has no pages.

use super::Family;

#[cfg(target_pointer_width = "64")]
const GRANULE_BITS: u32 = 5;
#[cfg(target_pointer_width = "32")]
const GRANULE_BITS: u32 = 4;
const PAGE_BITS: u32 = 12;
const SPAN_BITS: u32 = 22;
const PAGES: usize = 1 << (SPAN_BITS - PAGE_BITS);
const WORDS: usize = 1 << (PAGE_BITS - GRANULE_BITS - 6);

const STATE: u64 = 7;
const PENDING: u64 = 1 << 3;
const FAMILY_AT: u32 = 4;
const SIZE_AT: u32 = 8;
/// Longer ones are cut: no address space has room for them.
const LONGEST: u64 = (1 << (64 - SIZE_AT)) - 1;

/// How a live block was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reach {
    /// Nothing leads to it: definitely lost.
    #[default]
    Lost = 0,
    /// Only lost blocks lead to it.
    Indirect = 1,
    /// Something points into it, or a block that is possibly lost points to it.
    Possible = 2,
    Reachable = 3,
}

/// A live block. Valid when zero.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Block {
    start: u64,
    /// size:56 | unused:2 | family:2 | pending:1 | reach:3, from the low end.
    word: u64,
}

impl Block {
    fn new(start: u64, size: u64, family: Family) -> Self {
        Self { start, word: size.min(LONGEST) << SIZE_AT | (family as u64) << FAMILY_AT }
    }

    pub fn start(&self) -> u64 {
        self.start
    }

    /// As the program asked for it.
    pub fn size(&self) -> u64 {
        self.word >> SIZE_AT
    }

    /// An empty one has an address, too.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.size().max(1))
    }

    pub fn family(&self) -> Family {
        Family::from_bits(self.word >> FAMILY_AT)
    }

    pub fn reach(&self) -> Reach {
        match self.word & STATE {
            1 => Reach::Indirect,
            2 => Reach::Possible,
            3 => Reach::Reachable,
            _ => Reach::Lost,
        }
    }

    pub(super) fn set_reach(&mut self, reach: Reach) {
        self.word = self.word & !STATE | reach as u64;
    }

    /// Marks it as waiting; false when it was.
    pub(super) fn begin_waiting(&mut self) -> bool {
        let before = self.word;
        self.word |= PENDING;
        before & PENDING == 0
    }

    pub(super) fn end_waiting(&mut self) {
        self.word &= !PENDING;
    }
}

/// 4 MiB of address space in which a block lies. Valid when zero.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Span {
    /// Number of the span + 1; 0 = empty.
    key: u64,
    /// Blocks that start before it.
    rank: u32,
    /// Index of its first page + 1; 0 = no block starts in it.
    pages: u32,
}

/// Valid when zero.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Page {
    starts: [u64; WORDS],
    rank: u32,
}

/// How much memory [`Blocks`] needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    pub blocks: usize,
    /// A power of two.
    pub spans: usize,
    pub pages: usize,
    /// The last span that is filled, and the last in which a block starts; how many of each.
    last_span: u64,
    last_start: u64,
    filled: usize,
    started: usize,
}

impl Room {
    /// Makes room for a block; they come in the order of their addresses.
    pub fn add(&mut self, start: u64, size: u64) {
        let (first, last) = (start >> SPAN_BITS, start.saturating_add(size.max(1) - 1) >> SPAN_BITS);
        if self.blocks == 0 || first != self.last_start {
            self.started += 1;
            self.last_start = first;
        }
        let new = if self.blocks == 0 { first } else { first.max(self.last_span + 1) };
        self.filled += (last + 1).saturating_sub(new) as usize;
        self.last_span = self.last_span.max(last);
        self.blocks += 1;
    }

    /// With something to spare, for what is allocated between the count and the look.
    pub fn finish(mut self, spare: bool) -> Self {
        if spare {
            self.blocks += self.blocks / 8 + 4096;
            self.started += self.started / 8 + 16;
            self.filled += self.filled / 8 + 64;
        }
        self.spans = (self.filled * 2).next_power_of_two().max(8);
        self.pages = self.started * PAGES;
        self
    }
}

/// Where a value points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Index of the block.
    pub block: usize,
    /// From its start.
    pub offset: u64,
}

/// See the module.
pub struct Blocks<'a> {
    blocks: &'a mut [Block],
    spans: &'a mut [Span],
    pages: &'a mut [Page],
    len: usize,
    pages_used: usize,
    low: u64,
    high: u64,
    /// The last span that is in the table.
    last_span: Option<u64>,
    spans_used: usize,
}

impl<'a> Blocks<'a> {
    /// pre: all is zero; the number of spans is a power of two.
    pub fn new(blocks: &'a mut [Block], spans: &'a mut [Span], pages: &'a mut [Page]) -> Self {
        debug_assert!(spans.len().is_power_of_two());
        Self { blocks, spans, pages, len: 0, pages_used: 0, low: u64::MAX, high: 0, last_span: None, spans_used: 0 }
    }

    /// Adds a block. False: it is not behind the one before, or there is no room.
    pub fn push(&mut self, start: u64, size: u64, family: Family) -> bool {
        let block = Block::new(start, size, family);
        if self.len >= self.blocks.len() || self.len >= u32::MAX as usize - 1 {
            return false;
        }
        let before = self.len.checked_sub(1).map(|i| self.blocks[i].start >> GRANULE_BITS);
        if before.is_some_and(|before| start >> GRANULE_BITS <= before) {
            return false;
        }
        let Some(first_page) = self.pages_of(start >> SPAN_BITS) else { return false };
        let page = &mut self.pages[first_page + (start >> PAGE_BITS) as usize % PAGES];
        let granule = (start >> GRANULE_BITS) as usize % (WORDS * 64);
        page.starts[granule / 64] |= 1 << (granule % 64);
        self.blocks[self.len] = block;
        self.len += 1;
        self.low = self.low.min(start);
        self.high = self.high.max(block.end());
        let last = (block.end() - 1) >> SPAN_BITS;
        for span in (start >> SPAN_BITS) + 1..=last {
            if !self.enter(span) {
                return false;
            }
        }
        true
    }

    /// The index of the first page of a span in which a block starts.
    fn pages_of(&mut self, span: u64) -> Option<usize> {
        if !self.enter(span) {
            return None;
        }
        let at = self.slot(span)?;
        if self.spans[at].pages == 0 {
            let first = self.pages_used;
            if first + PAGES > self.pages.len() {
                return None;
            }
            self.pages_used += PAGES;
            self.spans[at].pages = first as u32 + 1;
        }
        Some(self.spans[at].pages as usize - 1)
    }

    /// Puts the span into the table, unless it is there. False: it is full.
    fn enter(&mut self, span: u64) -> bool {
        if self.last_span.is_some_and(|last| span <= last) {
            return true;
        }
        if self.spans_used + 1 >= self.spans.len() {
            return false;
        }
        let mut at = self.hash(span);
        while self.spans[at].key != 0 {
            at = (at + 1) & (self.spans.len() - 1);
        }
        self.spans[at] = Span { key: span + 1, rank: self.len as u32, pages: 0 };
        self.spans_used += 1;
        self.last_span = Some(span);
        true
    }

    /// After the last block.
    pub fn seal(&mut self) {
        let mut rank = 0;
        for page in &mut self.pages[..self.pages_used] {
            page.rank = rank;
            rank += page.starts.iter().map(|bits| bits.count_ones()).sum::<u32>();
        }
    }

    #[inline(always)]
    fn hash(&self, span: u64) -> usize {
        (span.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.spans.len() - 1)
    }

    #[inline(always)]
    fn slot(&self, span: u64) -> Option<usize> {
        let mut at = self.hash(span);
        // One place is always empty.
        loop {
            match self.spans[at].key {
                0 => return None,
                key if key == span + 1 => return Some(at),
                _ => at = (at + 1) & (self.spans.len() - 1),
            }
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, index: usize) -> &Block {
        &self.blocks[..self.len][index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Block {
        &mut self.blocks[..self.len][index]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks[..self.len].iter()
    }

    /// The block that an address lies in. pre: sealed.
    #[inline(always)]
    pub fn find(&self, address: u64) -> Option<Hit> {
        if address < self.low || address >= self.high {
            return None;
        }
        self.find_inside(address)
    }

    #[inline]
    fn find_inside(&self, address: u64) -> Option<Hit> {
        let span = &self.spans[self.slot(address >> SPAN_BITS)?];
        let mut rank = if span.pages == 0 {
            span.rank as usize
        } else {
            let page = &self.pages[span.pages as usize - 1 + (address >> PAGE_BITS) as usize % PAGES];
            let granule = (address >> GRANULE_BITS) as usize % (WORDS * 64);
            let (word, bit) = (granule / 64, granule % 64);
            let up_to = page.starts[word] & (u64::MAX >> (63 - bit));
            let before: u32 = page.starts[..word].iter().map(|bits| bits.count_ones()).sum();
            (page.rank + before + up_to.count_ones()) as usize
        };
        // One that starts in the same granule may start behind the address.
        if rank > 0 && self.blocks[rank - 1].start > address {
            rank -= 1;
        }
        let block = rank.checked_sub(1)?;
        let offset = address - self.blocks[block].start;
        (offset < self.blocks[block].size().max(1)).then_some(Hit { block, offset })
    }

    /// The index of the first block at or behind an address: where a walk in the order of addresses begins.
    pub fn first_from(&self, address: u64) -> usize {
        self.blocks[..self.len].partition_point(|block| block.start < address)
    }
}
