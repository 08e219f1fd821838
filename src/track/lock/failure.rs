//! Lock calls of a thread that failed, until it is known what the thread made of them.
//!
//! Why: the failure that nobody looks at is the beginning of the story of the capture system; what proves that nobody looked
//! is that the thread goes on with the lock as if it held it. Written and read by one thread, under the guard.

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
}

/// The latest of them.
#[derive(Default)]
pub struct Failures {
    latest: [Failure; 4],
    next: usize,
}

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
    }

    /// The lock whose call failed last, with this error.
    pub fn latest_with(&self, errno: u16) -> Option<usize> {
        let failed = self.latest.iter().filter(|failure| failure.lock != 0 && failure.errno == errno);
        failed.max_by_key(|failure| failure.time).map(|failure| failure.lock)
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
