//! Our own descriptors: kept where the program does not look, and hidden where it does.
//!
//! Where: above the soft RLIMIT_NOFILE when the hard one allows it, so that they neither take a number that the program
//! could get, nor bring EMFILE nearer, nor lie in the way of a loop up to `sysconf(_SC_OPEN_MAX)`; else just below it. Where the
//! limit is high, below [`HIGHEST`]: the kernel's table of descriptors is as long as the highest number, and every fork copies it
//! (8 MiB with the million that containers have), and a listing of /proc/self/fd walks over it. A program with as many open finds a few
//! numbers taken; one that names them itself, for dup2, gets them: see [`make_way`].
//! A descriptor above the limit stays usable. The limit is raised and put back only while the process has one thread.
//!
//! Every hook that takes a descriptor asks [`is`] first and answers EBADF, which is what the number would have been
//! without us. Raw system calls can still reach them, so whoever writes through one checks its identity first.

use crate::clock::HOT;
use crate::sys::{self, Identity};
use crate::thread;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicI32, AtomicU64};

/// What each is for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Use {
    Message = 0,
    Record = 1,
    Tombstone = 2,
    Json = 3,
}

const USES: usize = 4;
/// Performance events, of as many threads.
pub const EVENTS: usize = 64;
/// Files of memory tiers, and pipes around a fork.
const FILES: usize = 24;
const ALL: usize = USES + EVENTS + FILES;
/// The number + 1; 0 = none.
static NUMBERS: [AtomicI32; ALL] = [const { AtomicI32::new(0) }; ALL];
static INODES: [AtomicU64; USES] = [const { AtomicU64::new(0) }; USES];
/// i32::MAX - the lowest of them, so that zero means "none". Only ever grows.
static BELOW_MAX: &AtomicI32 = &HOT.below_max;

/// Is this number one of ours?
#[inline(always)]
pub fn is(fd: i32) -> bool {
    fd >= i32::MAX - BELOW_MAX.load(Relaxed) && is_slowly(fd)
}

/// May one of ours be below this number?
pub fn any_below(count: i32) -> bool {
    count > i32::MAX - BELOW_MAX.load(Relaxed)
}

#[cold]
fn is_slowly(fd: i32) -> bool {
    fd >= 0 && fd != i32::MAX && NUMBERS.iter().any(|n| n.load(Acquire) == fd + 1)
}

/// The lowest and highest of our numbers, for calls that take ranges.
pub fn in_range(first: u32, last: u32) -> impl Iterator<Item = u32> {
    let mut ours: [u32; ALL] = [u32::MAX; ALL];
    for (to, n) in ours.iter_mut().zip(&NUMBERS) {
        let n = n.load(Acquire);
        if n > 0 {
            *to = n as u32 - 1;
        }
    }
    ours.sort_unstable();
    ours.into_iter().filter(move |n| *n != u32::MAX && (first..=last).contains(n))
}

/// The descriptor, if it is there.
pub fn get(what: Use) -> Option<i32> {
    let n = NUMBERS[what as usize].load(Acquire);
    (n > 0).then_some(n - 1)
}

/// As [`get`], when it still is what we put there: a raw close may have given the number to somebody else.
pub fn get_checked(what: Use) -> Option<i32> {
    get(what).filter(|fd| is_same(what, *fd))
}

/// Is the same behind this number as what we put there?
pub fn is_same(what: Use, fd: i32) -> bool {
    sys::identity(fd).is_some_and(|its| fingerprint(&its) == INODES[what as usize].load(Acquire))
}

pub fn fingerprint(i: &Identity) -> u64 {
    i.inode ^ i.device.rotate_left(40) ^ u64::from(i.mode & 0o170000) << 20
}

/// Moves `fd` to a private number; the original is closed when `close_original`. False: no number was to be had, and
/// nothing has changed but that close.
pub fn adopt(what: Use, fd: i32, close_original: bool) -> bool {
    let Some(high) = moved_up(fd, close_original) else { return false };
    let print = sys::identity(high).map_or(0, |i| fingerprint(&i));
    drop_descriptor(what);
    INODES[what as usize].store(print, Release);
    BELOW_MAX.fetch_max(i32::MAX - high, Relaxed);
    NUMBERS[what as usize].store(high + 1, Release);
    true
}

/// Moves a performance event to a private number; the original is closed. Its place, and the number.
pub fn adopt_event(fd: i32) -> Option<(usize, i32)> {
    let high = moved_up(fd, true)?;
    // Hidden before it has its place: an interval is short, and a number that is ours may be refused to the program.
    BELOW_MAX.fetch_max(i32::MAX - high, Relaxed);
    let free = |place: &usize| NUMBERS[*place].compare_exchange(0, high + 1, AcqRel, Relaxed).is_ok();
    let place = (USES..USES + EVENTS).find(free);
    if place.is_none() {
        sys::close(high);
    }
    Some((place?, high))
}

/// Closes a performance event.
pub fn drop_event(place: usize) {
    if let Some(number) = NUMBERS.get(place) {
        let fd = number.swap(0, AcqRel) - 1;
        if fd >= 0 {
            sys::close(fd);
        }
    }
}

/// In a forked child, where events count nothing that happens there.
pub fn drop_events() {
    (USES..USES + EVENTS).for_each(drop_event);
}

/// Moves a file to a private number; the number. Where there is none, it stays where it is.
pub fn hide(fd: i32) -> i32 {
    let Some(high) = moved_up(fd, false) else { return fd };
    BELOW_MAX.fetch_max(i32::MAX - high, Relaxed);
    let free = |n: &&AtomicI32| n.compare_exchange(0, high + 1, AcqRel, Relaxed).is_ok();
    if NUMBERS[USES + EVENTS..].iter().find(free).is_none() {
        sys::close(high);
        return fd;
    }
    sys::close(fd);
    high
}

/// Before one of [`hide`] is closed.
pub fn unhide(fd: i32) {
    for number in &NUMBERS[USES + EVENTS..] {
        let _ = number.compare_exchange(fd + 1, 0, AcqRel, Relaxed);
    }
}

/// A program that may have no more than so many descriptors keeps them all.
const LEAST: u64 = 24;

/// See the header: a table of as many entries is 32 KiB. Lower would hardly be cheaper, and more programs would come to these numbers.
const HIGHEST: u64 = 1 << 12;

/// The program wants this number of ours for itself (dup2): we move to another. False: none is free, or it is one of those that do not
/// move (events, files of tiers).
///
/// Only in a process with one thread, outside a commit: who has read the number goes on to use it, and a chunk reserved in the
/// program's new file, or a line written there, would be worse than EBADF. Not for a child of vfork: its numbers are its own, and its
/// memory is not.
pub fn make_way(number: i32) -> bool {
    let Some(place) = NUMBERS[..USES].iter().find(|n| n.load(Acquire) == number + 1) else { return false };
    if !thread::alone() || thread::block().committing.load(Relaxed) != 0 {
        return false;
    }
    let Some(other) = moved_up(number, false) else { return false };
    BELOW_MAX.fetch_max(i32::MAX - other, Relaxed);
    if place.compare_exchange(number + 1, other + 1, AcqRel, Relaxed).is_err() {
        sys::close(other);
        return false;
    }
    true
}

/// A copy at a private number.
fn moved_up(fd: i32, close_original: bool) -> Option<i32> {
    let limits = sys::descriptor_limits();
    let mut high = -1;
    if thread::alone() && limits.soft <= HIGHEST {
        // Only who may lift the hard limit can do so where it equals the soft one: there is nothing below the lowest limits to take.
        let least = if limits.soft <= LEAST { limits.soft + 64 } else { 0 };
        let hard = limits.hard.max(least);
        let raised = sys::Limits { soft: hard.min(limits.soft + 64), hard };
        if raised.soft > limits.soft && sys::set_descriptor_limits(&raised) {
            high = sys::fcntl(fd, libc::F_DUPFD_CLOEXEC, limits.soft as usize);
            sys::set_descriptor_limits(&limits);
        }
    }
    // Soft equals hard, or threads are about: the last numbers below the limit. Never the low ones, which programs
    // expect to get in order.
    let mut room = 8;
    while high < 0 && room <= 64 && limits.soft > room + LEAST - 8 {
        high = sys::fcntl(fd, libc::F_DUPFD_CLOEXEC, (limits.soft.min(HIGHEST) - room) as usize);
        room *= 2;
    }
    if close_original {
        sys::close(fd);
    }
    (high >= 0).then_some(high as i32)
}

/// Closes one of ours.
pub fn drop_descriptor(what: Use) {
    let still = get_checked(what);
    NUMBERS[what as usize].store(0, Release);
    if let Some(fd) = still {
        sys::close(fd);
    }
}
