//! Close-everything sweeps: a daemon that closes 0 to 1023 is no bug, however many of them were not open.
//!
//! Why findings are held back: the first closes of a sweep look like any others. A sweep shows in its run: consecutive
//! numbers, one direction, one call stack. So a finding that could be the start of one is held until the run breaks (then it
//! is reported) or reaches [`SWEEP`] (then it is dropped with the rest).
//!
//! Per thread and not atomic: it lives in the thread's own block, valid while zero. A signal handler that interrupts a step
//! may make it miscount a run; it can do no other harm.

use crate::actor::StackId;

/// How many consecutive closes make a sweep.
pub const SWEEP: u32 = 8;

/// The highest number at which a sweep is expected to start: 0, or just above the standard streams.
const FIRST: i32 = 3;

/// The run that a thread's latest close belongs to. All zero: none was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Sweep {
    last: i32,
    stack: StackId,
    run: u32,
    /// +1 or -1 once the run has two members.
    direction: i32,
}

/// Where a close stands: as which member of how long a run. At least 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub run: u32,
    /// The thread's close before this one was of the same number: no sweep does that.
    pub again: bool,
}

/// What to do with a finding made at a close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Now, after any that were held.
    #[default]
    Report,
    /// It could be the start of a sweep: wait.
    Hold,
    /// It is a sweep: drop it and those held.
    Silent,
}

impl Sweep {
    pub const fn new() -> Sweep {
        Sweep { last: 0, stack: StackId(0), run: 0, direction: 0 }
    }

    /// Count a close, whatever it closed. For the owning thread only; signal-safe.
    pub fn step(&mut self, fd: i32, stack: StackId) -> Standing {
        let direction = match fd.checked_sub(self.last) {
            Some(by @ (1 | -1)) if self.run > 0 && stack == self.stack => by,
            _ => 0,
        };
        let run_before = self.run;
        self.run = match direction {
            0 => 1,
            same if same == self.direction => self.run.saturating_add(1),
            _ => 2,
        };
        let again = run_before > 0 && fd == self.last;
        *self = Sweep { last: fd, stack, run: self.run, direction };
        Standing { run: self.run, again }
    }
}

impl Standing {
    /// What to do with a finding at this close of `fd`. When it is a finding or not, a run of 1 also means that whatever is
    /// still held was no sweep and is due.
    pub const fn policy(self, fd: i32) -> Policy {
        match self.run {
            0 | 1 if fd <= FIRST && !self.again => Policy::Hold,
            0 | 1 => Policy::Report,
            run if run < SWEEP => Policy::Hold,
            _ => Policy::Silent,
        }
    }
}

/// A few findings held back, oldest first. Valid while zero when `V` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Held<V: Copy, const N: usize> {
    items: [V; N],
    start: u32,
    len: u32,
}

impl<V: Copy, const N: usize> Held<V, N> {
    /// Nothing held; `blank` fills the unused places.
    pub const fn new(blank: V) -> Self {
        Held { items: [blank; N], start: 0, len: 0 }
    }

    /// Hold one more. When there is no room, the oldest comes back, to be reported. Signal handlers of the owning thread
    /// must not run in between.
    #[must_use]
    pub fn push(&mut self, item: V) -> Option<V> {
        let oldest = if self.len() == N { self.pop() } else { None };
        if let Some(place) = self.items.get_mut((self.start as usize + self.len as usize) % N.max(1)) {
            *place = item;
            self.len += 1;
            return oldest;
        }
        Some(item)
    }

    /// Take the oldest: the run broke, and what was held is due.
    pub fn pop(&mut self) -> Option<V> {
        let item = self.items.get(self.start as usize).copied().filter(|_| self.len > 0)?;
        self.start = (self.start + 1) % N as u32;
        self.len -= 1;
        Some(item)
    }

    /// Drop all: it was a sweep. Says how many.
    pub fn discard(&mut self) -> usize {
        let dropped = self.len();
        self.len = 0;
        dropped
    }

    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
