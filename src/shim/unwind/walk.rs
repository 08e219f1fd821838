//! What a walk over a stack yields, and how it reads: shared by the walk with framehop and the one along frame pointers.
//!
//! **Reading the stack.** Between the stack pointer and the known top of the thread's stack every word may be read. A
//! stack pointer elsewhere (sigaltstack, coroutines) is followed page by page, each page probed first.
#![allow(unsafe_code)] // Safety: reads are bounded as above.

use super::modules::{Modules, ours};
use super::remembered::SLOTS;
use crate::sys;
use crate::thread::State;
use record::layout::module_flag;

/// The addresses of a walk, and where they were found.
pub(super) struct Walk {
    pub(super) len: usize,
    /// Of all frames, ours included; meaningless when not `exact`.
    pub(super) slots: usize,
    pub(super) slot: [u32; SLOTS],
    pub(super) value: [u64; SLOTS],
    /// Every return address was found in its slot, on the thread's own stack.
    pub(super) exact: bool,
    /// The slot of the return address out of our own frames.
    pub(super) origin: Option<usize>,
}

impl Walk {
    /// An instruction as a frame, unless it is one of libc: frames are return addresses, one behind their calls.
    pub(super) fn begin_with(&mut self, list: &Modules, pc: u64, out: &mut [u64]) {
        self.exact = false;
        if !ours(pc) && list.object(pc).is_none_or(|o| o.flags & module_flag::LIBC == 0) {
            out[0] = pc + 1;
            self.len = 1;
        }
    }
}

/// Reads stack words with bounds.
pub(super) struct Reader {
    low: u64,
    /// Words below this may be read.
    end: u64,
    pub(super) on_stack: bool,
    probes: u32,
}

impl Reader {
    pub(super) fn new(state: &State, sp: u64) -> Self {
        let (low, high) = state.readable_stack(sp);
        let on_stack = sp >= low && sp < high;
        Self { low: sp, end: if on_stack { high } else { (sp | 4095) + 1 }, on_stack, probes: 0 }
    }

    pub(super) fn read(&mut self, at: u64) -> Result<u64, ()> {
        const WORD: u64 = size_of::<usize>() as u64;
        if at < self.low || at % WORD != 0 {
            return Err(());
        }
        while at + WORD > self.end {
            if self.on_stack || at + WORD > self.end + 4096 || self.probes == 64 || !sys::readable(self.end) {
                return Err(());
            }
            self.probes += 1;
            self.end += 4096;
        }
        // SAFETY: aligned, between the stack pointer and the end of what is known to be mapped.
        Ok(unsafe { *(at as usize as *const usize) } as u64)
    }
}
