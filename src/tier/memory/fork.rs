//! Fork: what a child sees of the tiers.
//!
//! Memory that is private needs nothing: the kernel copies it as it does the stack. What is mapped from a file is shared: the child
//! would see the parent's later stores, the parent the child's, and both would hand out the same blocks. So, with `fork = "copy"`:
//!
//! 1. Before: the gate is closed and everybody out. Nothing about blocks changes any more; stores into blocks go on, as they do
//!    during any fork of a program with threads.
//! 2. The child copies every committed chunk into private memory and moves that onto the chunk's address: contents and pointers stay
//!    what they were. The parent's forking thread waits meanwhile, and the gate stays closed: otherwise a block could be freed
//!    and given to somebody else, whose stores the child would copy. So it is with the forking thread's own blocks: it cannot change
//!    what the child has not copied yet.
//! 3. The child writes a byte into a pipe for each piece that is copied, and at the end another. The parent waits for that, for the
//!    end of the pipe (the child died), or for five seconds without a byte (the child was stopped): it never hangs.
//! 4. The child's tier is closed: new blocks go where `full` leads, since the device is the parent's. Frees of large blocks give
//!    the copy back; those of small ones do nothing.
//!
//! With `fork = "share"` nothing is copied; the child's tier is closed all the same, for there cannot be two owners of one
//! allocator's state. What cannot be copied for want of memory is made inaccessible: a fault is better than the parent's data changed.

use super::gate;
use super::ledger::SLICE;
use super::os::{Errno, Os};
use super::tier::Tier;
use core::sync::atomic::AtomicI32;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_NORESERVE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};

/// So long without a sign of life of the child, and the parent goes on.
const PATIENCE: i32 = 5_000;
const PROGRESS: u8 = b'.';
const DONE: u8 = b'!';

/// One fork at a time, for there is one gate: 1 = somebody is at it.
static TURN: AtomicU32 = AtomicU32::new(0);

/// The pipe of a fork, each end + 1, 0 = none; what went wrong.
#[derive(Default)]
pub struct Forks {
    read: AtomicI32,
    write: AtomicI32,
    /// Parents that did not wait to the end.
    pub given_up: AtomicU32,
    /// Tiers of which a child has lost some.
    pub lost: AtomicU32,
}

impl Forks {
    /// The ends of the pipe, once.
    fn pipe(&self) -> (i32, i32) {
        (self.read.swap(0, Relaxed) - 1, self.write.swap(0, Relaxed) - 1)
    }

    pub fn before(&self, os: &'static dyn Os, mut tiers: impl Iterator<Item = &'static Tier>) {
        while TURN.compare_exchange(0, 1, Acquire, Relaxed).is_err() {
            os.wait(&TURN, 1);
        }
        gate::close(os);
        if tiers.any(Tier::needs_copy) {
            if let Ok((read, write)) = os.pipe() {
                self.read.store(read + 1, Relaxed);
                self.write.store(write + 1, Relaxed);
            }
        }
    }

    /// In the parent, whether or not there is a child.
    pub fn parent(&self, os: &'static dyn Os) {
        let (read, write) = self.pipe();
        if read >= 0 {
            os.close(write);
            if !wait_for_child(os, read) {
                self.given_up.fetch_add(1, Relaxed);
            }
            os.close(read);
        }
        self.end(os);
    }

    pub fn child(&self, os: &'static dyn Os, tiers: impl Iterator<Item = &'static Tier>) {
        gate::alone();
        let (read, write) = self.pipe();
        if read >= 0 {
            os.close(read);
        }
        let say = |byte| {
            if write >= 0 {
                let _ = os.write_byte(write, byte);
            }
        };
        for tier in tiers {
            if !tier.after_fork(&mut || say(PROGRESS)) {
                self.lost.fetch_add(1, Relaxed);
            }
        }
        say(DONE);
        if write >= 0 {
            os.close(write);
        }
        self.end(os);
    }

    fn end(&self, os: &'static dyn Os) {
        gate::open(os);
        TURN.store(0, Release);
        os.wake(&TURN, u32::MAX);
    }
}

/// True when the child has copied everything, or there is none.
fn wait_for_child(os: &dyn Os, read: i32) -> bool {
    let mut last = os.milliseconds();
    loop {
        match os.read_byte(read, PATIENCE) {
            Ok(Some(DONE) | None) => return true,
            Ok(Some(_)) => last = os.milliseconds(),
            Err(Errno(libc::EINTR)) if os.milliseconds().saturating_sub(last) < PATIENCE as u64 => {}
            Err(_) => return false,
        }
    }
}

/// Puts a private copy of `[at, at + size)` in its place: the slices that are used, from number `first` on. `advice`: of madvise(2),
/// for the copy. False: there was no memory, and the range is inaccessible.
pub fn copy(
    os: &dyn Os,
    at: usize,
    size: usize,
    advice: Option<i32>,
    first: usize,
    used: &dyn Fn(usize) -> bool,
) -> bool {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    let Ok(to) = os.mmap(0, size, PROT_READ | PROT_WRITE, flags, -1, 0) else {
        let _ = os.mmap(at, size, PROT_NONE, flags | MAP_FIXED, -1, 0);
        return false;
    };
    if let Some(advice) = advice {
        let _ = os.madvise(to, size, advice);
    }
    for slice in (0..size / SLICE).filter(|slice| used(first + slice)) {
        bytes::copy(at + slice * SLICE, to + slice * SLICE, SLICE);
    }
    if os.mremap_onto(to, size, at).is_err() {
        let _ = os.munmap(to, size);
        let _ = os.mmap(at, size, PROT_NONE, flags | MAP_FIXED, -1, 0);
        return false;
    }
    true
}

mod bytes {
    #![allow(unsafe_code)] // Safety: a committed slice of a tier, and fresh memory.
    pub fn copy(from: usize, to: usize, size: usize) {
        // SAFETY: as above; they do not overlap. Other threads do not exist in the child; the parent's may store meanwhile.
        unsafe { core::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, size) };
    }
}
