//! A spin lock for our own slow paths, valid when zero.
//!
//! Why not a mutex of the standard library: this one can be taken before fork and given back on both sides, and knows
//! how to wait without a system call that a sandbox may refuse. Rules: hold it with the guard up (so no signal handler
//! of this thread can want it), for a bounded number of instructions, and never across a call into libc that may call
//! back.

use core::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

pub struct Spin(AtomicU32);

/// Gives the lock back when dropped.
pub struct Held<'a>(&'a Spin);

impl Spin {
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub fn hold(&self) -> Held<'_> {
        self.acquire();
        Held(self)
    }

    pub fn try_hold(&self) -> Option<Held<'_>> {
        // Lazily: a `Held` that is made for nothing gives back somebody else's lock when it is dropped.
        self.0.compare_exchange(0, 1, Acquire, Relaxed).is_ok().then(|| Held(self))
    }

    /// For fork handlers, where no scope spans both ends.
    pub fn acquire(&self) {
        let mut tries = 0u32;
        while self.0.compare_exchange_weak(0, 1, Acquire, Relaxed).is_err() {
            tries += 1;
            if tries % 64 == 0 {
                crate::sys::sched_yield();
            }
            core::hint::spin_loop();
        }
    }

    pub fn release(&self) {
        self.0.store(0, Release);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}
