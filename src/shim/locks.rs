//! Locks: what a hook asks before and after the real call. `track::lock` decides, [`report`] tells.
//!
//! ```text
//! lock    the list of the thread (does it hold it?) → the real try → taken: onto the list
//!                                                   → busy: where it waits is noted → the real call
//! unlock  off the list → the real call              not on the list: who has it, and was it ever ours to know?
//! ```
//!
//! **Why a try comes first.** It tells an acquisition that waits from one that does not, for nothing: the real lock begins
//! with the same compare-and-swap. So only those that wait pay for a stack, a time, and being seen as waiting.
//!
//! ```text
//! flags.rs        what libc's memory says of a lock          fast.rs       the plain way, inlined into the hooks
//! taking.rs       the slow way of a lock                     letting_go.rs the slow way of an unlock
//! failures.rs     calls that failed, and what came of them   lives.rs      initialised, destroyed
//! ```
//!
//! **The fast path** of a registered thread needs no guard: the list is written so that a signal handler may come between any
//! two of its writes (see `track::lock::Holder`), and nothing else is touched. All that reports, takes stacks or looks at
//! other threads is the slow way, with the guard up.
//!
//! **Records.** That a lock is known to us (each of its locks and unlocks was seen) is written once, when it is first taken, so
//! that a lock that goes from thread to thread drags no line of ours along. In a forked child all that is forgotten: what
//! other threads of the parent held, nobody there lets go.
//!
//! **Allocators** call these hooks with their own locks held. So nothing here asks libc for anything that could allocate: no
//! bounds of a stack that are not known yet, no key beyond the first block of them.
#![allow(unsafe_code)] // Safety: gives pages of our own table back in a forked child.

pub mod at_hand;
mod breakpoint;
pub mod condition;
pub mod destroyed;
mod failures;
mod fast;
mod flags;
pub mod followed;
pub mod futex;
pub mod heard;
pub mod holds;
mod letting_go;
mod lives;
pub mod memory;
pub mod once;
pub mod order;
pub mod report;
mod taking;
pub mod times;
pub mod unowned;
pub mod waits;
pub mod watch;

pub use failures::answered;
pub use fast::{acquire, release, try_acquire};
pub use lives::{destroyed, destroying, initialised, initialising};
pub use taking::wait_for;

use crate::options::{self, Mode};
use crate::start;
use crate::thread::{self, Scope};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32};
use libc::{c_int, c_void};
use track::lock::rules::Intent;
use track::lock::{Holder, Kind, Mode as How, Record, What};

/// What a thread has of its own, in its entry of the registry.
#[repr(C, align(64))]
pub struct Own {
    /// Bits of [`attention`]: the fast path asks for none.
    attention: AtomicU32,
    /// Of the process, in the upper half, as [`What`] has it.
    epoch: AtomicU32,
    pub holder: Holder,
    once: once::Next,
}

/// Why a thread takes the slow way.
pub mod attention {
    /// `locks=order`, `lock_times=1`, `lock_watch=1`: every lock is looked at.
    pub const FEATURES: u32 = 1;
    /// A call has failed, and it is not known yet what the thread makes of it.
    pub const FAILED: u32 = 2;
    /// That it failed has not been said yet: a C++ runtime may hear of it (`heard`).
    pub const UNHEARD: u32 = 4;
    /// `lock_times=1`, `lock_watch=1`: every unlock is looked at, too.
    pub const UNLOCKS: u32 = 8;
    /// `lock_watch=1`: always the slow way, which looks at the watchpoint first.
    pub const WATCH: u32 = 16;
}

impl Own {
    pub const fn new() -> Self {
        Self { attention: AtomicU32::new(0), epoch: AtomicU32::new(0), holder: Holder::new(), once: once::Next::new() }
    }

    /// The thread begins, or becomes the only one of a forked child.
    pub fn begin(&self) {
        self.epoch.store(u32::from(start::epoch()) << 16, Relaxed);
        let unlocks = if times::on() || options::lock_watch() { attention::UNLOCKS } else { 0 };
        let watch = if watch::on() { attention::WATCH } else { 0 };
        self.attention.store(if features() { attention::FEATURES | unlocks | watch } else { 0 }, Relaxed);
    }

    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.attention.load(Relaxed) == 0
    }

    #[inline(always)]
    fn epoch(&self) -> u16 {
        (self.epoch.load(Relaxed) >> 16) as u16
    }
}

/// 0 while nothing is known yet.
static SWITCH: AtomicU8 = AtomicU8::new(0);
const OFF: u8 = 1;
const WATCHED: u8 = 2;
static FEATURES: AtomicBool = AtomicBool::new(false);

const RECORDS: usize = 1 << 15;
/// By a hash of the address.
#[repr(align(4096))]
struct Records([Record; RECORDS]);
#[unsafe(link_section = ".bss.tables")]
static TABLE: Records = Records([const { Record::new() }; RECORDS]);

const _: () = assert!(size_of::<Records>() % 4096 == 0);

/// At start, with the options known.
pub fn start() {
    memory::start();
    order::start();
    times::start();
    FEATURES.store(options::lock_order() || options::lock_times() || options::lock_watch(), Relaxed);
    SWITCH.store(if options::locks_mode() == Mode::Off { OFF } else { WATCHED }, Relaxed);
}

/// Are locks watched?
pub fn on() -> bool {
    SWITCH.load(Relaxed) == WATCHED
}

/// Is it known that they are not?
#[inline(always)]
fn off() -> bool {
    SWITCH.load(Relaxed) == OFF
}

fn features() -> bool {
    FEATURES.load(Relaxed)
}

#[inline(always)]
pub fn record(lock: usize) -> &'static Record {
    // Fibonacci hashing: locks lie at multiples of their size.
    let hash = (lock as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECORDS.trailing_zeros());
    &TABLE.0[hash as usize % RECORDS]
}

/// What a hook calls, and how.
pub struct Call {
    pub kind: Kind,
    pub how: How,
    pub intent: Intent,
    /// Its name, for people.
    pub name: &'static str,
}

/// A real function of one argument, the lock: only as a value, so that the fast path keeps nothing in memory for the slow one.
pub type Real = unsafe extern "C" fn(*mut c_void) -> c_int;

/// The calling thread ends, after its key destructors: L7.
pub fn thread_ends(scope: &mut Scope) {
    watch::thread_ends(scope);
    heard::not(scope);
    memory::stack_goes(scope);
    let own = &scope.state.locks;
    for held in own.holder.all() {
        record(held.lock).forget(held.lock);
        let expected = held.what.has(What::ROBUST | What::SHARED | What::TOLD)
            || held.what.epoch() != start::epoch()
            || held.what.kind() == Kind::Once;
        if !expected {
            report::held_at_end(scope, &held);
        }
    }
    scope.state.locks.holder.clear();
    scope.inner().failures.clear();
}

/// In a forked child: what others held is nobody's now, and what the thread itself held it holds on.
pub fn after_fork() {
    if !on() {
        return;
    }
    let me = thread::current().map(core::ptr::from_ref);
    for state in thread::registry().filter(|state| Some(core::ptr::from_ref(*state)) != me) {
        state.locks.holder.clear();
    }
    thread::current().inspect(|state| {
        state.locks.holder.waits_no_more();
        state.locks.begin();
    });
    watch::after_fork();
    order::after_fork();
    // SAFETY: pages of our own table, of atomics that are valid while zero; this thread is the only one.
    unsafe { libc::madvise((&raw const TABLE).cast_mut().cast(), size_of::<Records>(), libc::MADV_DONTNEED) };
}
