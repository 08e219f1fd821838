//! Lock calls of a thread that failed, until it is known what the thread made of them.
//!
//! Why: the failure that nobody looks at is the beginning of the story of the capture system; what proves that nobody looked
//! is that the thread goes on with the lock as if it held it. Written and read by one thread, under the guard.
//!
//! A failure is open for a while only: a thread that has looked at it need never touch that lock again, and would take the slow
//! way for ever.

use super::What;

/// A call that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// 0 = none.
    pub lock: usize,
    pub what: What,
    pub errno: u16,
    pub stack: u32,
    /// Locks that the thread held at that time.
    pub holds: u32,
    /// The name of the call.
    pub call: &'static str,
    pub time: u64,
    /// Where the thread has let go since what it had of the lock; 0 = it has not.
    pub let_go: u32,
}

/// The latest of them.
#[derive(Default)]
pub struct Failures {
    latest: [Failure; 4],
    next: usize,
    /// Unlocks until all are closed.
    left: u32,
}

/// Unlocks of a thread for which a failure stays open.
pub const OPEN_FOR: u32 = 1000;

impl Failures {
    /// Nothing has failed that is still open. One load.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.latest.iter().all(|failure| failure.lock == 0)
    }

    pub fn add(&mut self, failure: Failure) {
        let at = self.latest.iter().position(|f| f.lock == failure.lock || f.lock == 0).unwrap_or(self.next);
        self.latest[at] = failure;
        self.next = (at + 1) % self.latest.len();
        self.left = OPEN_FOR;
    }

    /// The thread unlocks something. True: what failed is too long ago, and closed now.
    pub fn grow_old(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.clear();
        }
        self.left == 0
    }

    /// The lock whose call failed last, with this error.
    pub fn latest_with(&self, errno: u16) -> Option<usize> {
        let failed = self.latest.iter().filter(|failure| failure.lock != 0 && failure.errno == errno);
        failed.max_by_key(|failure| failure.time).map(|failure| failure.lock)
    }

    /// The failure of this lock, which stays open.
    pub fn of(&mut self, lock: usize) -> Option<&mut Failure> {
        self.latest.iter_mut().find(|failure| failure.lock == lock)
    }

    /// The failure of this lock, which is closed now.
    pub fn take(&mut self, lock: usize) -> Option<Failure> {
        let failure = self.latest.iter_mut().find(|failure| failure.lock == lock)?;
        Some(core::mem::take(failure))
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lock: usize) -> Failure {
        Failure { lock, ..Failure::default() }
    }

    #[test]
    fn a_failure_is_open_for_so_many_unlocks_after_the_last_one() {
        let mut failures = Failures::default();
        failures.add(of(8));
        for _ in 1..OPEN_FOR {
            assert!(!failures.grow_old());
        }
        failures.add(of(16));
        for _ in 1..OPEN_FOR {
            assert!(!failures.grow_old());
        }
        assert_eq!(failures.take(8), Some(of(8)));
        assert!(failures.grow_old());
        assert!(failures.is_empty());
        assert_eq!(failures.take(16), None);
    }
}
