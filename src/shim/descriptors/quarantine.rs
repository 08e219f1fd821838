//! Tombstones: how closed numbers are kept from being given out again, and let go.
//!
//! Instead of closing socket N, `dup3(tombstone, N)`: the socket is closed at once, the number stays taken by an O_PATH
//! descriptor that answers EBADF to nearly everything, until it is old or the queue is long. The eviction claims the slot
//! (`begin_evict`) before it closes the tombstone, and dup2 onto a number claims it too (`begin_replace`), so that an
//! evictor never closes what the program has just put there.

use super::{open_now, slot};
use crate::private::{self, Use};
use crate::unwind::Object;
use crate::{message, options, recording, symbols, sys, thread};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32};
use libc::c_int;
use record::layout::Counter;
use track::fd::{Quarantine, State, limit_for};

#[unsafe(link_section = ".bss.tables")]
static QUARANTINE: Quarantine = Quarantine::new();

/// A tombstone this old has seen every stale close that was under way when its number was closed.
const TOMBSTONE_AGE_NS: u64 = 2_000_000_000;

/// One that must go younger than this could still be wanted by a thread that was preempted before its second close. A
/// program that closes so fast gives way first, so that such a thread comes to run.
const TOMBSTONE_YOUNG_NS: u64 = 100_000_000;

/// How many tombstones may wait now; recomputed every so often.
static LIMIT: AtomicU32 = AtomicU32::new(0);

static SINCE_LIMIT: AtomicU32 = AtomicU32::new(0);

pub fn quarantined() -> bool {
    options::QUARANTINE_FDS.load(Relaxed)
}

/// At start: the tombstone.
pub fn start() {
    if !quarantined() {
        return;
    }
    // Before the first close: until the next reckoning a limit of zero would let every number go at once.
    set_limit();
    for path in [&b"/dev/null\0"[..], b"/proc/self/exe\0", b"/\0"] {
        let fd = sys::open(path, libc::O_PATH | libc::O_CLOEXEC, 0);
        if fd >= 0 && private::adopt(Use::Tombstone, fd as i32, true) {
            return;
        }
    }
    message::say(b"shim: no descriptor for the quarantine; closed numbers are reused at once\n");
}

/// Closes every tombstone. True when there was one.
pub(super) fn flush() -> bool {
    let errno = sys::errno();
    let mut any = false;
    while let Some(entry) = QUARANTINE.pop_any() {
        any |= evict(entry.fd as c_int, entry.generation);
    }
    if any {
        recording::count(Counter::QuarantineFlushed);
    }
    sys::set_errno(errno);
    any
}

/// A tombstone has taken the number's place. Queued only now: an evictor that found the entry earlier would find no
/// tombstone, and forget it.
pub(super) fn push(fd: c_int, generation: u32, now: u64) {
    if !QUARANTINE.push(fd as u32, generation, now) {
        evict(fd, generation);
    }
}

/// A number was given out. When it is higher than select can bear, and only because of us, the next ones shall be low again.
#[inline(always)]
pub(super) fn keep_low(fd: c_int) {
    if fd as u64 >= FD_SETSIZE && SELECTS.load(Relaxed) && LIMIT.load(Relaxed) > 0 && open_now() < FD_SETSIZE {
        flush();
    }
}

fn evict(fd: c_int, generation: u32) -> bool {
    let Some(slot) = slot(fd) else { return false };
    if !slot.begin_evict(generation) {
        return false;
    }
    sys::close(fd);
    slot.end_evict(generation);
    true
}

fn set_limit() {
    let (soft, open) = (sys::descriptor_limits().soft, open_now());
    // A program that by itself has more open than an fd_set holds copes with such numbers.
    let numbers = if SELECTS.load(Relaxed) && open < FD_SETSIZE { soft.min(FD_SETSIZE) } else { soft };
    // Without another thread only the thread itself, and libc on its behalf, could be hit: few tombstones do, and the table
    // stays in the cache.
    let most = if thread::alone() { ENOUGH_ALONE } else { usize::MAX };
    LIMIT.store(limit_for(numbers, open).min(most) as u32, Relaxed);
}

const ENOUGH_ALONE: usize = 1024;

/// FD_SET writes past the end of its fd_set for this number and every higher one.
const FD_SETSIZE: u64 = 1024;

/// Something in this process calls select: the quarantine must not drive the program's numbers beyond FD_SETSIZE.
static SELECTS: AtomicBool = AtomicBool::new(false);

/// Before the first FD_SET, as a rule: whoever calls select, or has FD_SET checked by libc, imports it.
pub fn look_for_select(objects: &[Object]) {
    const NAMES: &[&[u8]] = &[b"select", b"pselect", b"__select", b"__fdelt_chk"];
    if quarantined() && !SELECTS.load(Relaxed) && objects.iter().any(|o| symbols::imports(o, NAMES)) {
        SELECTS.store(true, Relaxed);
    }
}

/// select is being called, by one that we have not found: through dlsym, or from a library that was loaded later.
#[inline]
pub fn selecting() {
    if quarantined() && !SELECTS.swap(true, Relaxed) {
        flush();
        set_limit();
    }
}

pub(super) fn evict_due(now: u64) {
    if SINCE_LIMIT.fetch_add(1, Relaxed) % 256 == 255 {
        set_limit();
    }
    let limit = LIMIT.load(Relaxed) as usize;
    // In batches: numbers that were closed one after the other lie side by side as a rule, and go in one system call.
    if QUARANTINE.len() > limit + BATCH {
        evict_batch(now, limit);
    } else if let Some(entry) = QUARANTINE.pop_due(now, usize::MAX, TOMBSTONE_AGE_NS) {
        evict(entry.fd as c_int, entry.generation);
    }
}

/// How many tombstones go at once when the queue is over its limit.
const BATCH: usize = 32;

#[cold]
fn evict_batch(now: u64, limit: usize) {
    let mut claimed = [(0u32, 0u32); BATCH];
    let mut count = 0;
    while count < BATCH {
        let Some(entry) = QUARANTINE.pop_due(now, limit, TOMBSTONE_AGE_NS) else { break };
        if count == 0 && now.saturating_sub(entry.pushed_at) < TOMBSTONE_YOUNG_NS && !thread::alone() {
            sys::sched_yield();
        }
        if slot(entry.fd as c_int).is_some_and(|s| s.begin_evict(entry.generation)) {
            claimed[count] = (entry.fd, entry.generation);
            count += 1;
        }
    }
    let claimed = &mut claimed[..count];
    claimed.sort_unstable();
    for run in claimed.chunk_by(|a, b| a.0 + 1 == b.0) {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        // Every number of the run is claimed by us, so the range holds nothing else.
        if run.len() == 1 || sys::close_range(first, last) != 0 {
            for (fd, _) in run {
                sys::close(*fd as c_int);
            }
        }
        for (fd, generation) in run {
            if let Some(slot) = slot(*fd as c_int) {
                slot.end_evict(*generation);
            }
        }
    }
}

/// Does a tombstone hold this number?
#[inline]
pub fn is_tombstone(fd: c_int) -> bool {
    quarantined() && says_tombstone(fd) && still_says_tombstone(fd)
}

#[inline(always)]
fn says_tombstone(fd: c_int) -> bool {
    slot(fd).is_some_and(|s| matches!(s.state(), State::Tombstoned | State::Evicting))
}

/// It may be the parent's, if this is a child that nobody has noticed yet.
#[cold]
fn still_says_tombstone(fd: c_int) -> bool {
    crate::finding::guarded(|_| crate::start::notice_fork());
    says_tombstone(fd)
}

/// Is what the kernel has behind the number a tombstone of ours?
pub(super) fn holds(fd: c_int) -> bool {
    let flags = sys::fcntl(fd, libc::F_GETFL, 0);
    flags >= 0 && flags as c_int & libc::O_PATH != 0 && private::is_same(Use::Tombstone, fd)
}

/// Puts a tombstone in the place of `fd`. False: the number must be closed the ordinary way.
pub(super) fn entomb(fd: c_int) -> bool {
    let Some(tombstone) = private::get(Use::Tombstone) else { return false };
    // pre: the number is open; dup3 would open a closed one. EBUSY: the number is between two owners in the kernel; EBADF:
    // the tombstone is gone, or the limit was lowered.
    if LIMIT.load(Relaxed) == 0 || sys::dup3(tombstone, fd, libc::O_CLOEXEC) != fd as isize {
        return false;
    }
    recording::count(Counter::Quarantined);
    true
}
