//! CLOCK_MONOTONIC, at a third of its price.
//!
//! Every event carries a time, and the vDSO's clock_gettime orders its read of the time stamp counter against all that
//! surrounds it, which is most of its cost. We need no such order: the counter is read alone and scaled.
//!
//! The scale is learned while the process runs: the first [`LEARN_NS`] use the vDSO; then two readings far apart give the
//! rate. Every [`AGAIN_NS`] a new pair is taken, so that an error of the rate (a few parts in a million) never grows beyond
//! microseconds; a counter that jumps (a migrated or restored machine) is noticed there, too. Where the counter is not
//! invariant (CPUID 8000_0007h, EDX bit 8), and on other architectures, the vDSO is used for good.
//!
//! The pair lives behind a sequence lock whose readers fall back to the vDSO while it is being written: nothing waits.

use crate::{arch, sys};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, fence};

const LEARN_NS: u64 = 20_000_000;
const AGAIN_NS: u64 = 1_000_000_000;
/// Of the fixed-point rate.
const SHIFT: u32 = 32;

/// Odd while the pair is being written.
static SEQUENCE: AtomicU32 = AtomicU32::new(0);
static TICKS: AtomicU64 = AtomicU64::new(0);
static NANOSECONDS: AtomicU64 = AtomicU64::new(0);
/// ns per tick, times 2^32; 0 = not known yet.
static RATE: AtomicU64 = AtomicU64::new(0);
/// Ticks for which the pair holds.
static VALID: AtomicU64 = AtomicU64::new(0);

/// CLOCK_MONOTONIC in ns, to within microseconds. Lock-free and async-signal-safe.
#[inline(always)]
pub fn now() -> u64 {
    let Some(ticks) = arch::ticks() else { return sys::clock(libc::CLOCK_MONOTONIC) };
    let sequence = SEQUENCE.load(Acquire);
    let (from, base, rate) = (TICKS.load(Relaxed), NANOSECONDS.load(Relaxed), RATE.load(Relaxed));
    let valid = VALID.load(Relaxed);
    fence(Acquire);
    let passed = ticks.wrapping_sub(from);
    if sequence & 1 == 0 && rate != 0 && passed < valid && SEQUENCE.load(Relaxed) == sequence {
        return base + ((u128::from(passed) * u128::from(rate)) >> SHIFT) as u64;
    }
    read_again()
}

#[cold]
#[inline(never)]
fn read_again() -> u64 {
    let now = sys::clock(libc::CLOCK_MONOTONIC);
    let Some(ticks) = arch::ticks() else { return now };
    let sequence = SEQUENCE.load(Relaxed);
    if sequence & 1 == 1 || SEQUENCE.compare_exchange(sequence, sequence + 1, Acquire, Relaxed).is_err() {
        return now;
    }
    let (from, base) = (TICKS.load(Relaxed), NANOSECONDS.load(Relaxed));
    let (ticks_passed, passed) = (ticks.wrapping_sub(from), now.wrapping_sub(base));
    if base == 0 || passed > 100 * AGAIN_NS || ticks_passed == 0 {
        // The first reading, or one after a long sleep: a new beginning.
        RATE.store(0, Relaxed);
        TICKS.store(ticks, Relaxed);
        NANOSECONDS.store(now, Relaxed);
    } else if passed >= LEARN_NS {
        let rate = (u128::from(passed) << SHIFT) / u128::from(ticks_passed);
        RATE.store(rate as u64, Relaxed);
        VALID.store((u128::from(AGAIN_NS) * u128::from(ticks_passed) / u128::from(passed)) as u64, Relaxed);
        TICKS.store(ticks, Relaxed);
        NANOSECONDS.store(now, Relaxed);
    }
    SEQUENCE.store(sequence + 2, Release);
    now
}

/// What every use of a descriptor reads besides its slot, in one cache line.
#[repr(C, align(64))]
pub struct Hot {
    /// The time of the last event of note, ns.
    coarse: AtomicU64,
    /// i32::MAX - the lowest number of our own descriptors: see `private`.
    pub below_max: AtomicI32,
}

pub static HOT: Hot = Hot { coarse: AtomicU64::new(0), below_max: AtomicI32::new(0) };

/// The time of the last event that had one: of an open at the latest. Costs a load. What was used at a coarse time before an
/// open was used before that open, which is what the search for leaks asks. Async-signal-safe.
#[inline(always)]
pub fn coarse() -> u64 {
    HOT.coarse.load(Relaxed)
}

/// Moves the coarse clock. Two threads at once may move it back by the moment that lies between them.
#[inline(always)]
pub fn advance(now: u64) {
    HOT.coarse.store(now, Relaxed);
}
