//! A hardware watchpoint of the calling thread: the kernel writes down which instructions of it write to a word.
//!
//! perf_event_open(2) with PERF_TYPE_BREAKPOINT: no privilege is needed up to `perf_event_paranoid` 2, no signal is sent, and the
//! program is not stopped. What was written down lies in a mapped ring until the thread's next lock call reads it.
//!
//! Why not in every process: a container may refuse the call (EPERM, EACCES, ENOSYS), a machine may have no such register
//! (ENOSPC, EOPNOTSUPP). The first refusal is final. On other processors than x86 the reported address is not that behind the
//! instruction, so there are none there.
//!
//! Rules: an event is opened, used and closed by its own thread, under the guard. Its descriptor is private (`private`); a forked
//! child has none of it.
#![allow(unsafe_code)] // Safety: reads the ring that the kernel writes, as perf_event_open(2) says.

use crate::{ours, private, sys};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU64};

/// The kernel has refused, once and for all.
static REFUSED: AtomicBool = AtomicBool::new(!cfg!(any(target_arch = "x86_64", target_arch = "x86")));

/// Frames that the kernel follows, by frame pointers.
pub const FRAMES: usize = 16;

const PERF_TYPE_BREAKPOINT: u64 = 5;
const SAMPLE_IP: u64 = 1;
const SAMPLE_CALLCHAIN: u64 = 1 << 5;
const DISABLED: u64 = 1;
/// exclude_kernel, exclude_hv, exclude_callchain_kernel.
const OF_USER_CODE: u64 = 1 << 5 | 1 << 6 | 1 << 21;
const BREAKPOINT_W: u64 = 2;
const LEN: u64 = size_of::<usize>() as u64;
const IOC_DISABLE: usize = 0x2401;
/// _IOW('$', 11, void *)
const IOC_MODIFY_ATTRIBUTES: usize = 0x4000_240b | size_of::<usize>() << 16;
const RECORD_SAMPLE: u32 = 9;
/// From here on an address of a call chain says what the next ones are (PERF_CONTEXT_MAX).
const CONTEXT: u64 = -4095i64 as u64;
/// Where in the first page the ring's ends are.
const HEAD: usize = 1024;
const TAIL: usize = 1032;

/// May a watchpoint be had?
pub fn possible() -> bool {
    !REFUSED.load(Relaxed)
}

fn attributes(address: usize, disabled: bool) -> [u64; 14] {
    let mut all = [0; 14];
    all[0] = PERF_TYPE_BREAKPOINT | (size_of::<[u64; 14]>() as u64) << 32;
    all[2] = 1;
    all[3] = SAMPLE_IP | SAMPLE_CALLCHAIN;
    all[5] = OF_USER_CODE | if disabled { DISABLED } else { 0 };
    all[6] = BREAKPOINT_W << 32;
    all[7] = address as u64;
    all[8] = LEN;
    all[13] = (FRAMES as u64) << 32;
    all
}

/// An open event with its ring.
pub struct Event {
    place: usize,
    fd: i32,
    ring: usize,
}

impl Event {
    /// `None`: not now, or never.
    pub fn open(address: usize) -> Option<Self> {
        if !possible() {
            return None;
        }
        let fd = sys::perf_event(&attributes(address & !(LEN as usize - 1), true));
        if sys::failed(fd) {
            let errno = -fd as i32;
            if !matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR) {
                REFUSED.store(true, Relaxed);
            }
            return None;
        }
        let (place, fd) = private::adopt_event(fd as i32)?;
        let len = 2 * sys::page();
        let ring = sys::mmap(0, len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0);
        if sys::failed(ring) {
            // Locked memory is short: without a ring nothing is written down.
            private::drop_event(place);
            REFUSED.store(true, Relaxed);
            return None;
        }
        ours::add(ring as usize, len);
        Some(Self { place, fd, ring: ring as usize })
    }

    /// Watches the word at this address from now on. False: the kernel would not.
    pub fn arm(&self, address: usize) -> bool {
        let wanted = attributes(address & !(LEN as usize - 1), false);
        !sys::failed(sys::perf_control(self.fd, IOC_MODIFY_ATTRIBUTES, wanted.as_ptr() as usize))
    }

    pub fn disarm(&self) {
        sys::perf_control(self.fd, IOC_DISABLE, 0);
    }

    fn end(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the ring's first page is mapped while the event is open; both ends are aligned words of the kernel's interface.
        unsafe { &*((self.ring + at) as *const AtomicU64) }
    }

    fn word(&self, at: u64) -> u64 {
        let page = sys::page();
        // SAFETY: inside of the ring's second page; records are multiples of eight bytes, and so is the page.
        unsafe { core::ptr::read_volatile((self.ring + page + at as usize % page) as *const u64) }
    }

    /// Takes what was written down: of each write the address behind the instruction, then the return addresses of its callers as
    /// frame pointers give them, which need not be right.
    pub fn drain(&self, look: &mut dyn FnMut(&[u64])) {
        let head = self.end(HEAD).load(Acquire);
        let mut tail = self.end(TAIL).load(Relaxed);
        while tail.wrapping_add(8) <= head {
            // type:32, misc:16, size:16
            let header = self.word(tail);
            let size = header >> 48;
            if size < 8 || tail + size > head {
                break;
            }
            if header as u32 == RECORD_SAMPLE && size >= 24 {
                self.sample(tail + 8, (size - 8) / 8, look);
            }
            tail += size;
        }
        self.end(TAIL).store(head, Release);
    }

    /// ip, number of addresses, addresses.
    fn sample(&self, at: u64, words: u64, look: &mut dyn FnMut(&[u64])) {
        let mut chain = [0; FRAMES];
        chain[0] = self.word(at);
        let mut len = 1;
        let count = self.word(at + 8).min(words - 2);
        let addresses = (0..count).map(|i| self.word(at + 16 + 8 * i)).filter(|address| *address < CONTEXT);
        // The first of them is the instruction again.
        for (to, address) in chain[1..].iter_mut().zip(addresses.skip(1)) {
            *to = address;
            len += 1;
        }
        look(&chain[..len]);
    }

    pub fn close(self) {
        ours::remove(self.ring);
        // SAFETY: mapped by `open`, and nobody else's.
        unsafe { sys::munmap(self.ring, 2 * sys::page()) };
        private::drop_event(self.place);
    }
}
