//! Close-everything sweeps: a daemon that closes 0 to 1023 is no bug, however many of them were not open.
//!
//! Why findings are held back: the first closes of a sweep look like any others. A sweep shows in its run: consecutive
//! numbers, one direction, one call stack. So a finding that could be the start of one is held until the run breaks (then it
//! is reported) or reaches [`SWEEP`] (then it is dropped with the rest).
//!
//! Gaps: a daemon leaves out the numbers that it keeps, and may do something at those that were open, such as open /dev/null
//! there, with a close of its own (varnish does both). So a *loop* is more than a run: closes from one call stack, in one
//! direction, each at most [`GAP`] numbers behind the last, with at most one close from elsewhere (an *aside*) between two.
//! Why that hides no bug: what a loop earns, from [`LOOP`] closes on, is that a finding behind a gap waits. It is dropped only
//! if the loop then makes a run, which is proof as ever: [`SWEEP`] consecutive numbers with nothing between. A list of
//! descriptors that is closed twice has gaps and no such run; its findings are reported when the loop ends. An aside is
//! judged by itself, whatever becomes of the loop.
//!
//! Per thread and not atomic: it lives in the thread's own block, valid while zero. A signal handler that interrupts a step
//! may make it miscount a run; it can do no other harm.

use crate::actor::StackId;

/// How many consecutive closes make a sweep.
pub const SWEEP: u32 = 8;

/// How many closes of a loop it takes until findings behind a gap are held.
pub const LOOP: u32 = 4;

/// And only where it began no higher than here, as a loop over all numbers does: a finding that waits is lost if the process ends
/// before its thread closes something again, and a worker may well close a few rising numbers from one place.
pub const LOW: i32 = 8;

/// How many numbers a loop may leave out at once.
pub const GAP: u32 = 16;

/// The highest number at which a sweep is expected to start: 0, or just above the standard streams.
const FIRST: i32 = 3;

/// What is known of a thread's latest closes. All zero: none was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Sweep {
    going: Loop,
    /// The one close from elsewhere since.
    aside: Loop,
    /// The number of the latest close.
    latest: i32,
}

/// Closes from one call stack, in one direction. All zero: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Loop {
    first: i32,
    last: i32,
    stack: StackId,
    members: u32,
    /// How many of them, up to the last, were of consecutive numbers, with nothing between.
    run: u32,
    /// +1 or -1 once it has two members.
    direction: i32,
}

/// Where a close stands: as which member of how long a run, and of what loop. At least 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub run: u32,
    /// The loop is long enough for what is found behind a gap to wait.
    pub in_loop: bool,
    /// The thread's close before this one was of the same number: no sweep does that.
    pub again: bool,
    /// It stands beside a loop that may go on.
    pub aside: bool,
    pub due: Due,
}

/// Which of the findings held back are due before this close is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Due {
    #[default]
    None,
    /// The loop has ended.
    All,
    /// Those of the loop, which has ended; the aside began the one that goes on.
    BeforeMark,
    /// That of the aside: the loop goes on without it.
    SinceMark,
}

/// What to do with a finding made at a close.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Now, after any that were held.
    #[default]
    Report,
    /// It could be part of a sweep: wait.
    Hold,
    /// It is a sweep: drop it and those held.
    Silent,
}

impl Loop {
    const NONE: Loop = Loop { first: 0, last: 0, stack: StackId(0), members: 0, run: 0, direction: 0 };

    const fn starting(fd: i32, stack: StackId) -> Loop {
        Loop { first: fd, last: fd, stack, members: 1, run: 1, ..Loop::NONE }
    }

    const fn is_loop(&self) -> bool {
        self.members >= LOOP && self.first <= LOW
    }

    /// With this close as its next member; none when it cannot be one. `beside`: something was closed between.
    fn extended(self, fd: i32, stack: StackId, beside: bool) -> Option<Loop> {
        if self.members == 0 || stack != self.stack {
            return None;
        }
        let by = fd.checked_sub(self.last).filter(|by| (1..=GAP + 1).contains(&by.unsigned_abs()))?;
        let direction = by.signum();
        let next = by == direction && !beside;
        let before = if self.direction == 0 || self.direction == direction {
            self
        } else if next {
            // It has turned; the last may have been the first of the way back.
            Loop::starting(self.last, stack)
        } else {
            return None;
        };
        let run = if next { before.run.saturating_add(1) } else { 1 };
        Some(Loop { last: fd, members: before.members.saturating_add(1), run, direction, ..before })
    }
}

impl Sweep {
    pub const fn new() -> Sweep {
        Sweep { going: Loop::NONE, aside: Loop::NONE, latest: 0 }
    }

    /// Is the thread in a loop, as far as its closes show? Then what it opens meanwhile is no reason to report what is held.
    pub const fn is_in_loop(&self) -> bool {
        self.going.is_loop()
    }

    /// Count a close, whatever it closed. For the owning thread only; signal-safe.
    pub fn step(&mut self, fd: i32, stack: StackId) -> Standing {
        let again = self.going.members > 0 && fd == self.latest;
        self.latest = fd;
        let beside = self.aside.members > 0;
        if let Some(going) = self.going.extended(fd, stack, beside) {
            (self.going, self.aside) = (going, Loop::NONE);
            let due = match going {
                Loop { run: 1, .. } if !going.is_loop() => Due::All,
                _ if beside => Due::SinceMark,
                _ => Due::None,
            };
            return going.standing(again, due);
        }
        let alone = Loop::starting(fd, stack);
        if !beside && self.going.members > 0 && stack != self.going.stack {
            self.aside = alone;
            let due = if self.going.is_loop() { Due::None } else { Due::All };
            return Standing { aside: true, ..alone.standing(again, due) };
        }
        if let Some(going) = self.aside.extended(fd, stack, false) {
            (self.going, self.aside) = (going, Loop::NONE);
            return going.standing(again, if going.run > 1 { Due::BeforeMark } else { Due::All });
        }
        if beside && stack != self.aside.stack {
            // Of three places the latest two may be a loop and what is done in it.
            (self.going, self.aside) = (self.aside, alone);
            return Standing { aside: true, ..alone.standing(again, Due::All) };
        }
        (self.going, self.aside) = (alone, Loop::NONE);
        alone.standing(again, Due::All)
    }
}

impl Loop {
    const fn standing(self, again: bool, due: Due) -> Standing {
        Standing { run: self.run, in_loop: self.is_loop(), again, aside: false, due }
    }
}

impl Standing {
    /// What to do with a finding at this close of `fd`.
    pub const fn policy(self, fd: i32) -> Policy {
        match self.run {
            0 | 1 if self.again => Policy::Report,
            0 | 1 if fd <= FIRST || self.in_loop => Policy::Hold,
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
    /// How many of them, the newest, came since the mark.
    since: u32,
}

impl<V: Copy, const N: usize> Held<V, N> {
    /// Nothing held; `blank` fills the unused places.
    pub const fn new(blank: V) -> Self {
        Held { items: [blank; N], start: 0, len: 0, since: 0 }
    }

    /// Hold one more. When there is no room, the oldest comes back, to be reported. Signal handlers of the owning thread
    /// must not run in between.
    #[must_use]
    pub fn push(&mut self, item: V) -> Option<V> {
        let oldest = if self.len() == N { self.pop() } else { None };
        if let Some(place) = self.items.get_mut((self.start as usize + self.len as usize) % N.max(1)) {
            *place = item;
            self.len += 1;
            self.since += 1;
            return oldest;
        }
        Some(item)
    }

    /// Take the oldest: the run broke, and what was held is due.
    pub fn pop(&mut self) -> Option<V> {
        let item = self.items.get(self.start as usize).copied().filter(|_| self.len > 0)?;
        self.start = (self.start + 1) % N as u32;
        self.len -= 1;
        self.since = self.since.min(self.len);
        Some(item)
    }

    /// What comes from now on is told from what is held already.
    pub fn mark(&mut self) {
        self.since = 0;
    }

    /// Take the oldest, if it was there at the mark.
    pub fn pop_before_mark(&mut self) -> Option<V> {
        if self.since < self.len { self.pop() } else { None }
    }

    /// Take the newest, if it came since the mark.
    pub fn pop_since_mark(&mut self) -> Option<V> {
        self.since = self.since.checked_sub(1)?;
        self.len -= 1;
        self.items.get((self.start as usize + self.len as usize) % N.max(1)).copied()
    }

    /// Drop all: it was a sweep. Says how many.
    pub fn discard(&mut self) -> usize {
        let dropped = self.len();
        (self.len, self.since) = (0, 0);
        dropped
    }

    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
