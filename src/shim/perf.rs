//! A performance event of the calling thread whose records lie in a mapped ring, until somebody reads it.
//!
//! perf_event_open(2) and its ring, for samples of accesses (`heap::access`) and watchpoints (`locks::breakpoint`).
//!
//! Rules: opened by its own thread, under the guard; read and closed by one thread at a time, as its owner sees to. The descriptor is
//! private (`private`); a forked child has neither event nor ring.
#![allow(unsafe_code)] // Safety: reads the ring that the kernel writes, as perf_event_open(2) says.

use crate::{ours, private, sys};
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

pub const RECORD_LOST: u32 = 2;
pub const RECORD_SAMPLE: u32 = 9;
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
    /// Of records, beside that of the ends: a power of two.
    pub pages: usize,
}

/// What the kernel has written down: words behind a header.
pub struct Record<'a> {
    pub kind: u32,
    /// How many words there are.
    pub words: u64,
    ring: &'a Ring,
    at: u64,
}

impl Record<'_> {
    /// 0 for those that are not there.
    pub fn word(&self, number: u64) -> u64 {
        if number < self.words { self.ring.word(self.at + 8 * number) } else { 0 }
    }
}

impl Ring {
    /// The event with its ring, and the event's descriptor.
    ///
    /// # Errors
    /// The errno of the kernel; 0 where it gave an event that cannot be kept.
    pub fn open(attributes: &Attributes, pages: usize) -> Result<(Self, i32), i32> {
        let fd = sys::perf_event(attributes);
        if sys::failed(fd) {
            return Err(-fd as i32);
        }
        let Some((place, fd)) = private::adopt_event(fd as i32) else { return Err(0) };
        let len = (1 + pages) * sys::page();
        let at = sys::mmap(0, len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0);
        if sys::failed(at) {
            private::drop_event(place);
            return Err(-at as i32);
        }
        ours::add(at as usize, len);
        Ok((Self { place, at: at as usize, pages }, fd))
    }

    fn end(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the ring's first page is mapped while the event is open; both ends are aligned words of the kernel's interface.
        unsafe { &*((self.at + at) as *const AtomicU64) }
    }

    fn word(&self, at: u64) -> u64 {
        let page = sys::page();
        // SAFETY: inside of the pages behind the first; records are multiples of eight bytes, and so are the pages.
        unsafe { core::ptr::read_volatile((self.at + page + at as usize % (self.pages * page)) as *const u64) }
    }

    /// Takes what was written down, until `look` has enough.
    pub fn drain(&self, look: &mut dyn FnMut(&Record) -> bool) {
        let head = self.end(HEAD).load(Acquire);
        let mut tail = self.end(TAIL).load(Relaxed);
        while tail.wrapping_add(8) <= head {
            // type:32, misc:16, size:16
            let header = self.word(tail);
            let size = header >> 48;
            if size < 8 || tail + size > head {
                tail = head;
                break;
            }
            let record = Record { kind: header as u32, words: size / 8 - 1, ring: self, at: tail + 8 };
            tail += size;
            if !look(&record) {
                break;
            }
        }
        self.end(TAIL).store(tail, Release);
    }

    pub fn close(self) {
        // SAFETY: mapped by `open`, and nobody else's.
        unsafe { sys::munmap(self.at, (1 + self.pages) * sys::page()) };
        private::drop_event(self.place);
    }
}
