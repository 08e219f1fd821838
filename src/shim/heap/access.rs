//! `access=`: which blocks are touched, by samples of the accesses with their addresses.
//!
//! ```text
//! the kernel writes samples into the ring of each thread                                   perf.rs
//! a thread tells of its allocations (accounts), or one is sampled (sampled) ─→ look: its ring, now and then all rings
//! addresses ─→ a batch ─→ blocks: the side table (full), the sampled blocks (sites) ─→ their sites (record::usage)
//! ```
//!
//! `access=faults` counts page faults, on any machine: the first touch of each page. `access=N` has the processor sample one of N loads
//! and stores, where it can ([`events`]).
//!
//! Why on the slow ways and never by a signal: the program must not be interrupted, and no hook may become slower. So a ring may be full
//! before somebody comes by; the kernel counts what it had no room for, and so do we. A block may be freed between an access and
//! the look: then the sample is that of who lies there now, or of who did last, or of nobody.
//!
//! Rules: a ring is opened by its thread, and read by whoever has its [`Own::held`]; nobody waits for that but the thread that
//! closes it. A batch is one for the process: who does not get it lets the samples lie.
#![allow(unsafe_code)] // Safety: the batch is reached under its lock alone.

mod events;

use super::{Level, sampled, shadow};
use crate::perf::{self, Ring};
use crate::recording::RECORDING;
use crate::spin::Spin;
use crate::thread::State;
use crate::{message, options, ours, private, start, sys, thread};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use events::Event;
use once_cell::race::OnceBox;
use record::heap;
use record::text::Line;
use record::usage::{self, Access, access};

/// What the user asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    Off,
    Faults,
    /// One of so many loads, and stores.
    Period(u64),
}

const EVENTS: usize = 2;
/// Of a ring: a thousand samples and more, and so small that many threads may lock theirs.
const PAGES: usize = 4;
/// Addresses that are looked at together.
const BATCH: usize = 2048;
/// See [`before_free`].
const LARGE: u64 = 64 << 10;
/// Between two looks at the rings of all threads, ns.
const ALL_AGAIN: u64 = 20_000_000;

/// The events of a thread; nothing while accesses are not sampled.
static CHOSEN: OnceBox<Vec<Event>> = OnceBox::new();
static ON: AtomicBool = AtomicBool::new(false);
static LOOKED_AT_ALL: AtomicU64 = AtomicU64::new(0);

/// The rings of a thread. Zero: none.
#[derive(Default)]
pub struct Own {
    /// Forks deep + 1, when they were opened; 0 = not yet.
    opened: AtomicU32,
    held: AtomicBool,
    places: [AtomicUsize; EVENTS],
    rings: [AtomicUsize; EVENTS],
}

#[derive(Clone, Copy)]
struct Sample {
    address: u64,
    access: Access,
}

struct Batch(UnsafeCell<[Sample; BATCH]>);
// SAFETY: reached under `BATCHING` alone.
unsafe impl Sync for Batch {}
#[unsafe(link_section = ".bss.tables")]
static BATCHED: Batch = Batch(UnsafeCell::new([Sample { address: 0, access: Access::Load }; BATCH]));
static BATCHING: Spin = Spin::new();

#[inline(always)]
pub fn on() -> bool {
    ON.load(Relaxed)
}

/// At start, when the level is known. Says in one line why it cannot be.
pub fn start(level: Level) {
    let asked = options::access();
    if asked == Asked::Off {
        return;
    }
    if !matches!(level, Level::Sites | Level::Full) {
        return message::say(
            b"shim: access: which blocks are touched, heap=sites and heap=full can tell; not sampled\n",
        );
    }
    let mut chosen = Vec::new();
    let (kind, period) = match asked {
        Asked::Faults | Asked::Off => {
            chosen.push(events::faults());
            (access::FAULTS, 1)
        }
        Asked::Period(period) => {
            chosen.extend(events::processor(Access::Load, period));
            let loads = !chosen.is_empty();
            chosen.extend(events::processor(Access::Store, period).filter(|_| loads));
            (if chosen.len() == 2 { access::LOADS_AND_STORES } else { access::LOADS }, period)
        }
    };
    if chosen.is_empty() {
        return message::say(
            b"shim: access: this processor offers no samples of loads; access=faults counts page faults instead\n",
        );
    }
    // Where it is refused, it is refused now and not in each thread.
    for event in &chosen {
        match Ring::open(&event.attributes, PAGES) {
            Ok((ring, _)) => ring.close(),
            Err(errno) => return refused(errno),
        }
    }
    if let Some(totals) = heap::totals(&RECORDING) {
        totals.access_period.store(period, Relaxed);
        totals.access_kind.store(kind, Relaxed);
    }
    CHOSEN.get_or_init(|| Box::new(chosen));
    ON.store(true, Release);
}

#[cold]
fn refused(errno: i32) {
    let mut buffer = [0; 160];
    let mut line = Line::new(&mut buffer);
    line.text("shim: access: perf_event_open: ").text(message::error_name(errno));
    line.text("; not sampled (kernel.perf_event_paranoid above 2, a container, or no such counter)\n");
    message::say(line.as_bytes());
}

impl Own {
    fn try_hold(&self) -> bool {
        !self.held.swap(true, Acquire)
    }

    fn release(&self) {
        self.held.store(false, Release);
    }

    /// By its thread.
    fn open(&self) {
        let now = u32::from(start::epoch()) + 1;
        if self.opened.load(Relaxed) == now || !self.try_hold() {
            return;
        }
        self.opened.store(now, Relaxed);
        for (at, event) in CHOSEN.get().into_iter().flatten().enumerate() {
            // A thread without a ring is one that is not seen: there are only so many.
            let none = Ring { place: 0, at: 0, pages: PAGES };
            let ring = Ring::open(&event.attributes, PAGES).map_or(none, |(ring, _)| ring);
            self.places[at].store(ring.place, Relaxed);
            self.rings[at].store(ring.at, Release);
        }
        self.release();
    }

    /// Under `held`.
    fn ring(&self, at: usize) -> Option<Ring> {
        let ring = Ring { place: self.places[at].load(Relaxed), at: self.rings[at].load(Acquire), pages: PAGES };
        (ring.at != 0 && self.opened.load(Relaxed) == u32::from(start::epoch()) + 1).then_some(ring)
    }

    /// All that its rings hold. Under `held`.
    fn drain(&self) {
        for (at, event) in CHOSEN.get().into_iter().flatten().enumerate() {
            let Some(ring) = self.ring(at) else { continue };
            // Several times, where a batch is full before the ring is empty; not for ever.
            for _ in 0..4 {
                if drain(ring, event.access) < BATCH {
                    break;
                }
            }
        }
    }
}

/// On the slow ways of the heap, under the guard.
#[cold]
pub fn look() {
    if !on() {
        return;
    }
    let Some(state) = thread::current() else { return };
    look_at(state);
    let now = sys::now();
    let last = LOOKED_AT_ALL.load(Relaxed);
    if now.wrapping_sub(last) > ALL_AGAIN && LOOKED_AT_ALL.compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
        look_at_others(state);
    }
}

/// A sampled block is about to be let go: what hit it is counted while it is known. Small ones are left to luck, because a look costs
/// more than they are worth. Async-signal-safe.
#[inline]
pub fn before_free(size: u64) {
    if on() && size >= LARGE {
        look();
    }
}

/// By the thread itself.
fn look_at(state: &State) {
    state.access.open();
    if state.access.try_hold() {
        state.access.drain();
        state.access.release();
    }
}

fn look_at_others(state: &State) {
    for other in thread::registry().filter(|other| other.is_live() && !core::ptr::eq(*other, state)) {
        if other.access.try_hold() {
            other.access.drain();
            other.access.release();
        }
    }
}

/// The calling thread begins: what it touches is written down from now on.
pub fn thread_begins(state: &State) {
    if on() {
        state.access.open();
    }
}

pub fn thread_ends(state: &State) {
    let own = &state.access;
    if !on() || own.opened.load(Relaxed) == 0 {
        return;
    }
    // Another thread reads it for a moment at most.
    while !own.try_hold() {
        core::hint::spin_loop();
    }
    own.drain();
    for at in 0..EVENTS {
        if let Some(ring) = own.ring(at) {
            ring.close();
        }
        own.rings[at].store(0, Relaxed);
    }
    own.opened.store(0, Relaxed);
    own.release();
}

/// The process ends.
pub fn at_exit(state: &State) {
    if on() {
        look_at(state);
        look_at_others(state);
    }
}

/// In a forked child: rings are not there, their numbers are.
pub fn after_fork() {
    if !on() {
        return;
    }
    private::drop_events();
    BATCHING.release();
    for state in thread::registry() {
        for ring in &state.access.rings {
            let at = ring.swap(0, Relaxed);
            if at != 0 {
                ours::remove(at);
            }
        }
        state.access.opened.store(0, Relaxed);
        state.access.release();
    }
}

/// One batch of a ring; how many samples it had.
fn drain(ring: Ring, access: Access) -> usize {
    let Some(totals) = heap::totals(&RECORDING) else { return 0 };
    let Some(_held) = BATCHING.try_hold() else { return 0 };
    // SAFETY: the lock is held.
    let all = unsafe { &mut *BATCHED.0.get() };
    let mut taken = 0;
    let mut len = 0;
    let mut lost = 0;
    ring.drain(&mut |record| {
        if record.kind == perf::RECORD_LOST && record.words >= 2 {
            lost += record.word(1);
        }
        if record.kind != perf::RECORD_SAMPLE || record.words == 0 {
            return true;
        }
        let (address, source) = (record.word(0), record.word(1));
        taken += 1;
        if address != 0 && !(access != Access::Fault && events::is_cached(source)) {
            all[len] = Sample { address, access };
            len += 1;
        }
        taken < BATCH
    });
    totals.access_lost.fetch_add(lost, Relaxed);
    let samples = &mut all[..len];
    let known = if super::level() == Level::Full { full(samples) } else { sampled(samples) };
    totals.access_samples.fetch_add(len as u64, Relaxed);
    totals.access_elsewhere.fetch_add((len - known) as u64, Relaxed);
    taken
}

/// Blocks by the side table, live or just freed; how many samples lie in one that was allocated since the last fork.
fn full(samples: &[Sample]) -> usize {
    let hit = |sample: &&Sample| {
        let at = sample.address as usize;
        let live = shadow::around(at).filter(|(start, facts)| at - start < facts.size.max(1) as usize);
        let Some((_, facts)) = live.or_else(|| shadow::was_around(at)) else { return false };
        facts.epoch == start::epoch() && touch(facts.allocator.stack.0, sample.access, 1)
    };
    samples.iter().filter(hit).count()
}

/// Sampled blocks; each stands for more than itself.
fn sampled(samples: &mut [Sample]) -> usize {
    samples.sort_unstable_by_key(|sample| sample.address);
    let mut known = 0;
    sampled::each(|block| {
        let (start, end) = (block.address as u64, block.address as u64 + block.size.max(1));
        let first = samples.partition_point(|sample| sample.address < start);
        for sample in samples[first..].iter().take_while(|sample| sample.address < end) {
            known += usize::from(touch(block.stack, sample.access, block.blocks));
        }
    });
    known
}

fn touch(stack: u32, access: Access, blocks: u64) -> bool {
    let usage = usage::of(&RECORDING, stack);
    usage.inspect(|usage| usage.touched(access, blocks)).is_some()
}
