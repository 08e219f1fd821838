//! Large blocks: runs of slices in the upper half of a window.
//!
//! Free runs lie in ordinary memory, by address and by length: best fit, the lowest address among equals, neighbours joined. How long
//! a live block is stands in a table of one word per slice, so that it is read without a lock, and so that an address that is
//! no block is told from one that is.

use std::collections::{BTreeMap, BTreeSet};

/// Free runs, in slices.
pub struct Extents {
    by_address: BTreeMap<u32, u32>,
    by_length: BTreeSet<(u32, u32)>,
}

impl Extents {
    pub fn new(slices: u32) -> Self {
        let mut extents = Self { by_address: BTreeMap::new(), by_length: BTreeSet::new() };
        extents.insert(0, slices);
        extents
    }

    fn insert(&mut self, at: u32, length: u32) {
        if length > 0 {
            self.by_address.insert(at, length);
            self.by_length.insert((length, at));
        }
    }

    fn remove(&mut self, at: u32, length: u32) {
        self.by_address.remove(&at);
        self.by_length.remove(&(length, at));
    }

    /// A run of `length` slices whose first number plus `offset` is a multiple of `align`.
    pub fn take(&mut self, length: u32, align: u32, offset: u32) -> Option<u32> {
        let aligned = |at: u32| (at + offset).next_multiple_of(align) - offset;
        let fits = |run: &&(u32, u32)| aligned(run.1) - run.1 + length <= run.0;
        // The first few as they come; else one in which it fits wherever it begins.
        let slack = length.saturating_add(align - 1);
        let found = self
            .by_length
            .range((length, 0)..)
            .take(64)
            .find(fits)
            .or_else(|| self.by_length.range((slack, 0)..).next());
        let &(whole, begin) = found?;
        let at = aligned(begin);
        self.remove(begin, whole);
        self.insert(begin, at - begin);
        self.insert(at + length, begin + whole - at - length);
        Some(at)
    }

    /// The run is free again.
    pub fn give(&mut self, mut at: u32, mut length: u32) {
        if let Some((&before, &size)) = self.by_address.range(..at).next_back() {
            if before + size == at {
                self.remove(before, size);
                (at, length) = (before, length + size);
            }
        }
        if let Some(&size) = self.by_address.get(&(at + length)) {
            self.remove(at + length, size);
            length += size;
        }
        self.insert(at, length);
    }

    /// Takes `length` slices that begin exactly at `at`.
    pub fn take_at(&mut self, at: u32, length: u32) -> bool {
        match self.by_address.get(&at) {
            Some(&size) if size >= length => {
                self.remove(at, size);
                self.insert(at + length, size - length);
                true
            }
            _ => false,
        }
    }
}
