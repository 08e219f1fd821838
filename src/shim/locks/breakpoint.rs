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

use crate::perf::{self, Attributes, Record, Ring};
use crate::sys;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

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
/// From here on an address of a call chain says what the next ones are (PERF_CONTEXT_MAX).
const CONTEXT: u64 = -4095i64 as u64;
/// Of the ring.
const PAGES: usize = 1;

/// May a watchpoint be had?
pub fn possible() -> bool {
    !REFUSED.load(Relaxed)
}

fn attributes(address: usize, disabled: bool) -> Attributes {
    let mut all = [0; 14];
    all[0] = PERF_TYPE_BREAKPOINT | (size_of::<Attributes>() as u64) << 32;
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
    fd: i32,
    ring: Ring,
}

impl Event {
    /// `None`: not now, or never.
    pub fn open(address: usize) -> Option<Self> {
        if !possible() {
            return None;
        }
        match Ring::open(&attributes(address & !(LEN as usize - 1), true), PAGES) {
            Ok((ring, fd)) => Some(Self { fd, ring }),
            // No room for now: of numbers, of memory, of our own descriptors (0).
            Err(0 | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR) => None,
            Err(_) => {
                REFUSED.store(true, Relaxed);
                None
            }
        }
    }

    /// Watches the word at this address from now on. False: the kernel would not.
    pub fn arm(&self, address: usize) -> bool {
        let wanted = attributes(address & !(LEN as usize - 1), false);
        !sys::failed(sys::perf_control(self.fd, IOC_MODIFY_ATTRIBUTES, wanted.as_ptr() as usize))
    }

    pub fn disarm(&self) {
        sys::perf_control(self.fd, IOC_DISABLE, 0);
    }

    /// Takes what was written down: of each write the address behind the instruction, then the return addresses of its callers as
    /// frame pointers give them, which need not be right.
    pub fn drain(&self, look: &mut dyn FnMut(&[u64])) {
        self.ring.drain(&mut |record| {
            if record.kind == perf::RECORD_SAMPLE && record.words >= 2 {
                sample(record, look);
            }
            true
        });
    }

    pub fn close(self) {
        self.ring.close();
    }
}

/// ip, number of addresses, addresses.
fn sample(record: &Record, look: &mut dyn FnMut(&[u64])) {
    let mut chain = [0; FRAMES];
    chain[0] = record.word(0);
    let mut len = 1;
    let count = record.word(1).min(record.words - 2);
    let addresses = (0..count).map(|i| record.word(2 + i)).filter(|address| *address < CONTEXT);
    // The first of them is the instruction again.
    for (to, address) in chain[1..].iter_mut().zip(addresses.skip(1)) {
        *to = address;
        len += 1;
    }
    look(&chain[..len]);
}
