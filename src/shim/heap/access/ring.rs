//! A performance event of the calling thread whose samples lie in a mapped ring, until somebody reads it.
//!
//! perf_event_open(2) and its ring, as `locks::breakpoint` has them for one word; here for any kind of event, and read from any thread.
//!
//! Rules: opened by its own thread, under the guard. Read and closed under the lock of its owner (`super::Own`). The descriptor is
//! private (`private`); a forked child has neither event nor ring.
#![allow(unsafe_code)] // Safety: reads the ring that the kernel writes, as perf_event_open(2) says.

use crate::{ours, private, sys};
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Pages of samples, beside that of the ends: a thousand samples and more, and so small that many threads may lock theirs.
const PAGES: usize = 4;
const RECORD_LOST: u32 = 2;
const RECORD_SAMPLE: u32 = 9;
/// Where in the first page the ring's ends are.
const HEAD: usize = 1024;
const TAIL: usize = 1032;

/// What perf_event_open(2) is asked for.
pub type Attributes = [u64; 14];

/// An open event with its ring.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// See `private::adopt_event`.
    pub place: usize,
    pub at: usize,
}

/// Bytes of a ring.
fn len() -> usize {
    (1 + PAGES) * sys::page()
}

impl Ring {
    /// # Errors
    /// The errno of the kernel; 0 where it gave an event that cannot be kept.
    pub fn open(attributes: &Attributes) -> Result<Self, i32> {
        let fd = sys::perf_event(attributes);
        if sys::failed(fd) {
            return Err(-fd as i32);
        }
        let Some((place, fd)) = private::adopt_event(fd as i32) else { return Err(0) };
        let at = sys::mmap(0, len(), libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0);
        if sys::failed(at) {
            private::drop_event(place);
            return Err(-at as i32);
        }
        ours::add(at as usize, len());
        Ok(Self { place, at: at as usize })
    }

    fn end(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the ring's first page is mapped while the event is open; both ends are aligned words of the kernel's interface.
        unsafe { &*((self.at + at) as *const AtomicU64) }
    }

    fn word(&self, at: u64) -> u64 {
        let page = sys::page();
        // SAFETY: inside of the pages behind the first; records are multiples of eight bytes, and so are the pages.
        unsafe { core::ptr::read_volatile((self.at + page + at as usize % (PAGES * page)) as *const u64) }
    }

    /// Takes what was written down, the first two words of each sample, until `look` has enough; how many the kernel had no
    /// room for.
    pub fn drain(&self, look: &mut dyn FnMut(u64, u64) -> bool) -> u64 {
        let head = self.end(HEAD).load(Acquire);
        let mut tail = self.end(TAIL).load(Relaxed);
        let mut lost = 0;
        while tail.wrapping_add(8) <= head {
            // type:32, misc:16, size:16
            let header = self.word(tail);
            let size = header >> 48;
            if size < 8 || tail + size > head {
                tail = head;
                break;
            }
            if header as u32 == RECORD_LOST && size >= 24 {
                lost += self.word(tail + 16);
            } else if header as u32 == RECORD_SAMPLE && size >= 16 {
                let second = if size >= 24 { self.word(tail + 16) } else { 0 };
                if !look(self.word(tail + 8), second) {
                    break;
                }
            }
            tail += size;
        }
        self.end(TAIL).store(tail, Release);
        lost
    }

    pub fn close(self) {
        ours::remove(self.at);
        // SAFETY: mapped by `open`, and nobody else's.
        unsafe { sys::munmap(self.at, len()) };
        private::drop_event(self.place);
    }
}
