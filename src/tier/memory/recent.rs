//! Runs of slices that were freed a moment ago, kept as they are for the next of their size.
//!
//! Why: a program that allocates and frees a large field in a loop would pay for two searches, two counts of every slice and, beyond what
//! a tier holds back, for new pages each time. What is here is still taken, for extents and ledger alike; it is given back
//! when something finds no room.

const PLACES: usize = 8;

/// Oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    runs: [(u32, u32); PLACES],
    len: usize,
    slices: u64,
}

impl Recent {
    /// A run of exactly this length and alignment; as in [`super::extents::Extents::take`].
    pub fn take(&mut self, length: u32, align: u32, offset: u32) -> Option<u32> {
        let fits = |run: &(u32, u32)| run.1 == length && run.0.wrapping_add(offset) & (align - 1) == 0;
        let found = self.runs[..self.len].iter().rposition(fits)?;
        Some(self.remove(found).0)
    }

    /// What must go before a run of this length comes, when all together are to be no more than `most` slices.
    pub fn make_room(&mut self, length: u32, most: u64) -> Option<(u32, u32)> {
        if self.len == PLACES || self.len > 0 && self.slices + u64::from(length) > most { self.oldest() } else { None }
    }

    pub fn oldest(&mut self) -> Option<(u32, u32)> {
        (self.len > 0).then(|| self.remove(0))
    }

    /// There is room for one more.
    pub fn add(&mut self, at: u32, length: u32) {
        self.runs[self.len] = (at, length);
        self.len += 1;
        self.slices += u64::from(length);
    }

    pub fn slices(&self) -> u64 {
        self.slices
    }

    fn remove(&mut self, at: usize) -> (u32, u32) {
        let run = self.runs[at];
        self.runs.copy_within(at + 1..self.len, at);
        self.len -= 1;
        self.slices -= u64::from(run.1);
        run
    }
}
