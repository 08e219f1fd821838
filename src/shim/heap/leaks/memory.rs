//! The program's memory as the marking reads it: whatever the program has done to it, no read of ours may fault.
//!
//! Small blocks are read as they lie there, when nobody else runs. All else is copied by the kernel (process_vm_readv of
//! ourselves), which says EFAULT where a plain read would end the program: a page that was unmapped meanwhile, a guard page
//! that no mapping shows (MADV_GUARD_INSTALL), a file that has become shorter. Pages of large ranges that were never touched
//! are skipped by what /proc/self/pagemap says of them.
#![allow(unsafe_code)] // Safety: reads of mapped memory, argued at each place.

use crate::maps::{self, EXECUTE, FILE, HEAP, Mapping, READ};
use crate::sys;
use core::cell::{Cell, UnsafeCell};
use libc::c_int;
use track::heap::reach::{Memory, WORD};

/// A range of at least this size may hold pages that only the kernel can read without a fault.
const PLAIN: u64 = 4096;
/// From here on the pages are asked for.
const SPARSE: u64 = 128 << 10;
const PAGE: u64 = 4096;
/// Of a page in pagemap: it is in memory, or in swap; and a guard, which is neither.
const THERE: u64 = 3 << 62;
const GUARD: u64 = 1 << 58;
/// Words between two looks at the clock.
const PATIENCE: u64 = 1 << 17;

pub const BUFFER: usize = 64 << 10;

pub struct View<'a> {
    pub mappings: &'a [Mapping],
    /// Nobody changes the memory while we look.
    pub still: bool,
    /// /proc/self/pagemap, or -1.
    pub pagemap: c_int,
    /// process_vm_readv may be called: some sandboxes end who calls what they do not know.
    pub may_copy: bool,
    /// CLOCK_MONOTONIC, ns.
    pub deadline: u64,
    /// One copy at a time.
    buffer: UnsafeCell<&'a mut [u64; BUFFER / 8]>,
    last: Cell<usize>,
    patience: Cell<u64>,
    /// A page that is certainly there.
    there: Cell<u64>,
}

impl<'a> View<'a> {
    pub fn new(
        mappings: &'a [Mapping],
        buffer: &'a mut [u64; BUFFER / 8],
        [still, may_copy]: [bool; 2],
        pagemap: c_int,
        deadline: u64,
    ) -> Self {
        let (last, patience) = (Cell::new(0), Cell::new(PATIENCE));
        let (buffer, there) = (UnsafeCell::new(buffer), Cell::new(u64::MAX));
        Self { mappings, still, may_copy, pagemap, deadline, buffer, last, patience, there }
    }

    /// The mapping that holds an address, or the first behind it.
    #[inline]
    pub fn mapping(&self, address: u64) -> Option<&'a Mapping> {
        let last = self.mappings.get(self.last.get());
        if let Some(mapping) = last.filter(|m| m.start <= address && address < m.end) {
            return Some(mapping);
        }
        let at = maps::at_or_behind(self.mappings, address);
        self.last.set(at);
        self.mappings.get(at)
    }

    /// A word at a place that no block proves to be there: the mapping may have a guard page in it that it does not show.
    pub fn word_if_there(&self, at: u64) -> Option<u64> {
        self.mapping(at).filter(|m| m.start <= at && m.has(READ))?;
        if self.there.get() != at / PAGE {
            if !sys::readable(at) {
                return None;
            }
            self.there.set(at / PAGE);
        }
        self.word(at)
    }

    #[inline(always)]
    fn has_time(&self, words: u64) -> bool {
        let left = self.patience.get();
        if left > words {
            self.patience.set(left - words);
            return true;
        }
        self.patience.set(PATIENCE);
        sys::now() < self.deadline
    }

    /// pre: aligned, in one readable mapping.
    #[inline(always)]
    fn plain(&self, start: u64, end: u64, found: &mut impl FnMut(u64)) {
        let mut at = start;
        while at + WORD <= end {
            // SAFETY: aligned, inside a mapping that is readable, which nobody changes (`still`), in one page that is not all
            // of it, or in the break: no guard can be in it. Volatile: the memory is the program's, of any type.
            found(unsafe { (at as *const usize).read_volatile() } as u64);
            at += WORD;
        }
    }

    /// By the kernel; what it cannot read is left out.
    fn copied(&self, start: u64, end: u64, found: &mut impl FnMut(u64)) -> bool {
        let mut at = start;
        while at < end {
            let len = (end - at).min(BUFFER as u64);
            // SAFETY: `found` reads single words of the program at most, never through this buffer.
            let buffer = unsafe { &mut **self.buffer.get() };
            let refused = -(libc::EPERM as isize);
            let got = if self.may_copy { copy(at, buffer.as_mut_ptr().cast(), len as usize) } else { refused };
            if got < 0 && got != -(libc::EFAULT as isize) {
                // Then page by page, each asked for.
                if self.still && sys::readable(at) {
                    self.plain(at, end.min((at | (PAGE - 1)) + 1), found);
                }
                at = (at | (PAGE - 1)) + 1;
                if !self.has_time(PAGE / WORD) {
                    return false;
                }
                continue;
            }
            let words = got.max(0) as u64 / WORD;
            // SAFETY: the kernel has filled as much of the buffer; a usize is aligned in it.
            let read = unsafe { core::slice::from_raw_parts(buffer.as_ptr().cast::<usize>(), words as usize) };
            read.iter().for_each(|word| found(*word as u64));
            // It stops at the page that it cannot read.
            at = if got.max(0) as u64 == len { at + len } else { ((at + got.max(0) as u64) | (PAGE - 1)) + 1 };
            if !self.has_time(words.max(512)) {
                return false;
            }
        }
        true
    }

    /// Page by page, those that are there.
    fn sparse(&self, start: u64, end: u64, found: &mut impl FnMut(u64)) -> bool {
        const MOST: u64 = 256;
        let mut entries = [0u8; MOST as usize * 8];
        let mut at = start;
        while at < end {
            let first = at / PAGE;
            let pages = MOST.min(end.div_ceil(PAGE) - first);
            let got = sys::pread(self.pagemap, &mut entries[..pages as usize * 8], first * 8);
            if got < pages as isize * 8 {
                return self.copied(at, end, found);
            }
            let there = |page: u64| {
                let mut word = [0; 8];
                word.copy_from_slice(&entries[page as usize * 8..][..8]);
                let word = u64::from_ne_bytes(word);
                word & THERE != 0 && word & GUARD == 0
            };
            let mut page = 0;
            while page < pages {
                let run = (page..pages).take_while(|p| there(*p) == there(page)).count() as u64;
                let (from, to) = (at.max((first + page) * PAGE), end.min((first + page + run) * PAGE));
                if there(page) && !self.copied(from, to, found) {
                    return false;
                }
                page += run;
            }
            at = (first + pages) * PAGE;
            if !self.has_time(pages) {
                return false;
            }
        }
        true
    }
}

fn copy(from: u64, to: *mut u8, len: usize) -> isize {
    let local = [to as usize, len];
    let remote = [from as usize, len];
    // SAFETY: the kernel writes at most `len` bytes to a buffer of ours, and checks what it reads.
    unsafe {
        let (l, r) = (local.as_ptr() as usize, remote.as_ptr() as usize);
        sys::call(libc::SYS_process_vm_readv, [sys::getpid() as usize, l, 1, r, 1, 0])
    }
}

impl Memory for View<'_> {
    #[inline]
    fn words(&self, start: u64, end: u64, found: &mut impl FnMut(u64)) -> bool {
        let end = end & !(WORD - 1);
        let mut at = start.next_multiple_of(WORD);
        while at < end {
            let Some(mapping) = self.mapping(at) else { return true };
            let (from, to) = (at.max(mapping.start), end.min(mapping.end));
            at = mapping.end;
            if from >= to || !mapping.has(READ) {
                continue;
            }
            let len = to - from;
            let no_guard = mapping.any(HEAP) || from / PAGE == (to - 1) / PAGE;
            let in_time = if len < PLAIN && no_guard && self.still && !mapping.any(FILE) {
                self.plain(from, to, found);
                self.has_time(len / WORD + 1)
            } else if len >= SPARSE && self.pagemap >= 0 && !mapping.any(FILE) {
                self.sparse(from, to, found)
            } else {
                self.copied(from, to, found)
            };
            if !in_time {
                return false;
            }
        }
        true
    }

    fn word(&self, at: u64) -> Option<u64> {
        let mapping = self.mapping(at).filter(|m| m.start <= at && m.has(READ) && at + WORD <= m.end)?;
        if at % WORD != 0 {
            return None;
        }
        if self.still && !mapping.any(FILE) {
            // SAFETY: as in `plain`; a block that is asked about starts here, or the word lies in it, or `word_if_there` has asked.
            return Some(unsafe { (at as *const usize).read_volatile() } as u64);
        }
        if !self.may_copy {
            // SAFETY: as above; the page was asked for.
            return sys::readable(at).then(|| unsafe { (at as *const usize).read_volatile() } as u64);
        }
        let mut word = 0usize;
        let got = copy(at, (&raw mut word).cast(), size_of::<usize>());
        (got == size_of::<usize>() as isize).then_some(word as u64)
    }

    /// Two functions at least among the first twenty words, and nothing else but zeroes before them.
    fn is_vtable(&self, at: u64) -> bool {
        const WORDS: u64 = 20;
        if !self.mapping(at).is_some_and(|m| m.start <= at && m.has(READ | FILE)) {
            return false;
        }
        let mut functions = 0;
        for i in 0..WORDS {
            match self.word(at + i * WORD) {
                Some(0) => continue,
                Some(word) if self.mapping(word).is_some_and(|m| m.start <= word && m.has(EXECUTE | FILE)) => {
                    functions += 1;
                }
                _ => return false,
            }
            if functions == 2 {
                return true;
            }
        }
        false
    }
}
