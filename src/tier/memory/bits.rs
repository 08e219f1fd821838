//! A long row of bits, most of them never touched: what a slice of a tier is.

pub struct Bits(Vec<u64>);

impl Bits {
    /// All clear; the memory is not touched.
    pub fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    pub fn get(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 != 0)
    }

    /// What it was before.
    pub fn replace(&mut self, at: usize, value: bool) -> bool {
        let Some(word) = self.0.get_mut(at / 64) else { return false };
        let (bit, was) = (1u64 << (at % 64), *word >> (at % 64) & 1 != 0);
        if value {
            *word |= bit
        } else {
            *word &= !bit
        }
        was
    }

    pub fn fill(&mut self, range: core::ops::Range<usize>, value: bool) {
        for at in range {
            self.replace(at, value);
        }
    }
}
