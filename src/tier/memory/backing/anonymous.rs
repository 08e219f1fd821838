//! Anonymous memory with a policy: of NUMA nodes, of transparent huge pages.
//!
//! The policy is set for the whole window at once, while nothing is accessible; chunks are opened as they are needed. Why not open all
//! at once: what a process may write to counts against RLIMIT_DATA and, where the kernel does not overcommit, against memory.

use super::{Answer, Binding, Grid, Os, Range};
use crate::memory::bits::Bits;
use libc::{MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, PROT_READ, PROT_WRITE};

pub struct Anonymous {
    grid: Grid,
    /// Chunks that were opened once; they stay so.
    open: Bits,
}

impl Anonymous {
    /// Over `[grid.base, + size)`, reserved and inaccessible. What of the policy could not be had is an error.
    pub fn new(os: &dyn Os, grid: Grid, size: usize, binding: Option<&Binding>, huge: bool) -> Answer<Self> {
        if let Some(binding) = binding {
            os.mbind(grid.base, size, binding.mode, &binding.mask, 0)?;
        }
        if huge {
            os.madvise(grid.base, size, MADV_HUGEPAGE)?;
        } else {
            // Where the kernel gives them to all. A kernel without them refuses, and has none.
            let _ = os.madvise(grid.base, size, MADV_NOHUGEPAGE);
        }
        Ok(Self { grid, open: Bits::new(size / grid.chunk) })
    }

    pub fn commit(&mut self, os: &dyn Os, chunks: Range<usize>) -> Answer<bool> {
        if chunks.clone().any(|at| !self.open.get(at)) {
            os.mprotect(self.grid.at(chunks.start), self.grid.size(&chunks), PROT_READ | PROT_WRITE)?;
            self.open.fill(chunks, true);
        }
        Ok(true)
    }

    pub fn release(&mut self, os: &dyn Os, chunks: Range<usize>) -> bool {
        os.madvise(self.grid.at(chunks.start), self.grid.size(&chunks), MADV_DONTNEED).is_ok()
    }
}
