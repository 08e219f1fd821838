//! A thread's own latest close.
//!
//! Why, when every number remembers who closed it: it remembers four lives. On a busy machine a thread that was preempted
//! between its two closes comes back after more of them, and its second close looks like that of a stranger who was handed
//! the descriptor.
//!
//! Per thread and not atomic: it lives in the thread's own block, valid while zero.

use crate::actor::{Actor, StackId};

/// A close that is longer ago proves nothing of the next one: no thread that is ready to run waits that long.
const RECENT_NS: u64 = 2_000_000_000;

/// All zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LatestClose {
    fd: i32,
    stack: StackId,
    at: u64,
}

impl LatestClose {
    pub const fn new() -> LatestClose {
        LatestClose { fd: 0, stack: StackId(0), at: 0 }
    }

    /// `by` is about to close `fd`. Where it closed the same number just before, as its latest close; unknown when it did not.
    ///
    /// For the owning thread only, as [`opened`](Self::opened). A signal handler in between may make it forget.
    #[inline]
    pub fn closing(&mut self, fd: i32, by: &Actor) -> StackId {
        let former = core::mem::replace(self, LatestClose { fd, stack: by.stack, at: by.now });
        let is_it = former.fd == fd && by.now.saturating_sub(former.at) < RECENT_NS;
        if is_it { former.stack } else { StackId(0) }
    }

    /// The thread has been given `fd`: a close of it is no second one.
    #[inline(always)]
    pub fn opened(&mut self, fd: i32) {
        if self.fd == fd {
            *self = Self::new();
        }
    }
}
