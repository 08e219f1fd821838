//! `locks=order`: which lock is taken while which is held, and when two orders may wait for each other: L8.
//!
//! `track::lock::order` has the graph and the rules. An edge that is known costs a hash of the holds and the load of a word;
//! one that is not takes the graph's lock, under the guard, for a bounded number of steps.
//!
//! **What makes no edge.** A lock that does not wait (a try), or only for so long (timed); one that the thread has already; what
//! is taken while the process has one thread, as far as we know: it waits for nobody, and most programs take locks in another
//! order while they start than later.
//!
//! **New identities.** A lock ends when it is destroyed or made anew, and when its memory does: with `locks=order` every free
//! takes the slow way of its hook and asks whether locks that the graph knows lay in the block; an unloaded module takes its
//! locks along. What lies on a thread's stack ends unseen: such a lock is followed only if it was initialised by a call.
//! Memory that a program hands out by itself (pools) is not seen to end.
#![allow(unsafe_code)] // Safety: the graph is reached under its lock only.

use super::{Call, memory, record, report};
use crate::heap::{self, Level};
use crate::options::{self, Mode};
use crate::recording::{self, RECORDING};
use crate::spin::Spin;
use crate::thread::{self, Scope};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU64};
use record::layout::Counter;
use record::lock::Edge;
use track::lock::order::{Cache, Gates, Graph, Outcome, Seen, Taken};
use track::lock::rules::Intent;
use track::lock::{HoldFacts, MOST_HOLDS, What};

/// Holds, counted from the latest, from which edges lead to a lock that is taken.
const EDGES_FROM: usize = 8;

#[repr(align(4096))]
struct Shared(UnsafeCell<Graph>);
// SAFETY: reached by `with_graph` only, which holds the lock.
unsafe impl Sync for Shared {}

static ON: AtomicBool = AtomicBool::new(false);
/// Held with the guard up, or with nobody there to interrupt us.
static LOCK: Spin = Spin::new();
#[unsafe(link_section = ".bss.tables")]
static GRAPH: Shared = Shared(UnsafeCell::new(Graph::new()));
#[repr(align(4096))]
struct Known(Cache);
#[unsafe(link_section = ".bss.tables")]
static KNOWN: Known = Known(Cache::new());

/// Pages that have had locks of the graph, by a hash: a bit each. Never taken back.
#[unsafe(link_section = ".bss.tables")]
static PAGES: [AtomicU64; PAGE_BITS / 64] = [const { AtomicU64::new(0) }; PAGE_BITS / 64];
const PAGE_BITS: usize = 1 << 16;
const PAGE: usize = 4096;
/// A block of more pages is looked for in the graph without asking them.
const MOST_PAGES: usize = 64;
static ANY: AtomicBool = AtomicBool::new(false);
/// Locks have ended that could not be forgotten: nothing in the graph is believed any more.
static SPOILED: AtomicBool = AtomicBool::new(false);
const TRIES: usize = 1000;

/// At start, with the options known.
pub fn start() {
    let on = options::lock_order() && options::locks_mode() != Mode::Off;
    if on {
        heap::sampled::mark_all();
    }
    ON.store(on, Relaxed);
}

#[inline(always)]
pub fn on() -> bool {
    ON.load(Relaxed)
}

fn with_graph<R>(f: impl FnOnce(&mut Graph) -> R) -> R {
    let _held = LOCK.hold();
    // SAFETY: the lock is held; `f` does not come back here.
    let graph = unsafe { &mut *GRAPH.0.get() };
    if SPOILED.swap(false, Relaxed) {
        graph.forget_range(1, usize::MAX - 1, &KNOWN.0, |edge| record::lock::edge_ended(&RECORDING, edge));
    }
    f(graph)
}

/// Does this hold count? A condition variable that has a mutex has let it go.
fn counts(hold: &HoldFacts) -> bool {
    !hold.what.has(What::WAITING) && !hold.what.has(What::TOLD)
}

/// The thread has taken a lock, whose hold is not on its list yet.
#[inline(always)]
pub fn taken(scope: &mut Scope, lock: usize, what: What, stack: u32, call: &Call) {
    if !scope.state.locks.holder.is_empty() && call.intent == Intent::Lock && !thread::alone() {
        taken_while_others_are_held(scope, lock, what, stack, call);
    }
}

#[inline(never)]
fn taken_while_others_are_held(scope: &mut Scope, lock: usize, what: What, stack: u32, call: &Call) {
    let state = scope.state;
    let holder = &state.locks.holder;
    let len = holder.len();
    let tid = state.tid.load(Relaxed);
    let known = &KNOWN.0;
    let end = known.end(lock, what.mode());
    let mut gates = 0u64;
    for hold in holder.all().filter(counts) {
        if hold.lock == lock {
            return;
        }
        gates = gates.wrapping_add(Cache::gate(hold.lock, hold.what.mode()));
    }
    let mut said = false;
    for at in (0..len).rev().take(EDGES_FROM) {
        let Some(hold) = holder.facts(at).filter(counts) else { continue };
        let (from, mode) = (hold.lock, hold.what.mode());
        let key = known.key(from, mode, end, gates.wrapping_sub(Cache::gate(from, mode)));
        match known.find(key, tid) {
            Some(edge) => {
                edge.inspect(|edge| record::lock::edge_seen(&RECORDING, *edge));
            }
            None => {
                let outcome = new(scope, &hold, lock, what, stack);
                known.store(key, outcome.edge, tid, outcome.many || outcome.edge.is_none());
                if let Some(cycle) = outcome.cycle.filter(|_| !said) {
                    // One of the same acquisition is enough: the latest hold's.
                    said = true;
                    report::order(scope, &cycle, call);
                }
            }
        }
    }
}

/// An edge that this thread has not made before.
#[cold]
#[inline(never)]
fn new(scope: &mut Scope, hold: &HoldFacts, lock: usize, what: What, stack: u32) -> Outcome {
    if ends_unseen(scope, hold.lock) || ends_unseen(scope, lock) {
        return Outcome::default();
    }
    let mut gates = Gates::new();
    let others = scope.state.locks.holder.all().filter(|other| counts(other) && other.lock != hold.lock);
    others.for_each(|other| gates.add(other.lock, other.what.mode()));
    if scope.state.locks.holder.is_beyond() {
        // Which they are is not known.
        (0..MOST_HOLDS).for_each(|n| gates.add(n, track::lock::Mode::Exclusive));
    }
    let held_at = report::stack_of_hold(scope, hold);
    let taken = |what: What| Taken { kind: what.kind(), mode: what.mode() };
    let seen = Seen {
        from: hold.lock,
        to: lock,
        held: taken(hold.what),
        taken: taken(what),
        gates,
        tid: scope.state.tid.load(Relaxed),
        stacks: [held_at, stack],
    };
    let places = [report::place(scope, seen.from), report::place(scope, seen.to)];
    ANY.store(true, Relaxed);
    for lock in [seen.from, seen.to] {
        let page = lock / PAGE % PAGE_BITS;
        PAGES[page / 64].fetch_or(1 << (page % 64), Relaxed);
    }
    let outcome = with_graph(|graph| {
        let outcome = graph.observe(&seen);
        if let Some(edge) = outcome.edge.filter(|_| outcome.new) {
            record::lock::write_edge(&RECORDING, edge, &as_recorded(&seen, places));
        }
        outcome
    });
    match outcome.edge {
        Some(edge) if !outcome.new => record::lock::edge_seen(&RECORDING, edge),
        Some(_) => {}
        None => recording::count(Counter::LocksUntracked),
    }
    outcome
}

fn as_recorded(seen: &Seen, places: [u32; 2]) -> Edge {
    let code = |taken: Taken| (taken.kind as u8, taken.mode as u8);
    Edge {
        from: seen.from as u64,
        to: seen.to as u64,
        held: code(seen.held),
        taken: code(seen.taken),
        stacks: seen.stacks,
        places,
        tid: seen.tid,
    }
}

/// Does it lie where it may end without a call that we see: on the stack of a thread, or among what is thread-local?
fn ends_unseen(scope: &Scope, lock: usize) -> bool {
    let lock = lock as u64;
    let initialised = record(lock as usize).facts(lock as usize).is_some_and(|facts| facts.made.is_known());
    if initialised || report::place(scope, lock as usize) != 0 {
        return false;
    }
    thread::registry().filter(|state| state.is_live()).any(|state| {
        let known = state.knows_stack();
        // libc's description of a thread lies at the upper end of its stack.
        let (low, high) = if known { state.stack() } else { (0, state.description.load(Relaxed)) };
        // Of the first thread only the upper end is known; below its limit an emulator has the heap.
        let bounded = known && state.stack_low.load(Relaxed) != 0;
        (low..high).contains(&lock) && (bounded || high - lock <= most_of_a_stack())
    })
}

/// How large a stack may be whose lower end nobody has asked for.
#[cold]
fn most_of_a_stack() -> u64 {
    const USUAL: u64 = 8 << 20;
    crate::sys::stack_limit().max(USUAL)
}

/// The lock at this address has been made, or destroyed.
pub fn ends(_: &Scope, lock: usize) {
    memory_ends_with(lock, 1, true);
}

/// May the graph have any lock?
#[inline(always)]
pub fn has_locks() -> bool {
    ANY.load(Relaxed)
}

/// A block of the heap is about to be freed: the locks in it are no more. Async-signal-safe.
pub fn block_ends(block: usize) {
    if !has_locks() || block == 0 {
        return;
    }
    let extent = match heap::level() {
        Level::Full => heap::full::extent(block),
        _ => memory::extent(block, |range| may_be_in(range.start, range.len())),
    };
    match extent {
        Some(extent) => memory_ends(extent.start, extent.len()),
        // Nobody to ask. To forget too much is to be silent.
        None if !memory::knows_sizes() => memory_ends(block, PAGE),
        None => {}
    }
}

fn may_be_in(start: usize, len: usize) -> bool {
    let pages = start / PAGE..=start.saturating_add(len.max(1) - 1) / PAGE;
    let marked = |page: usize| PAGES[page % PAGE_BITS / 64].load(Relaxed) & 1 << (page % 64) != 0;
    pages.end() - pages.start() >= MOST_PAGES || pages.into_iter().any(marked)
}

/// Memory is given back: the locks in it are no more. Async-signal-safe.
pub fn memory_ends(start: usize, len: usize) {
    let scope = if has_locks() { thread::enter_registered() } else { None };
    memory_ends_with(start, len, scope.is_some());
}

/// `guarded`: no handler of this thread comes here meanwhile.
fn memory_ends_with(start: usize, len: usize, guarded: bool) {
    if !has_locks() || len == 0 || !may_be_in(start, len) {
        return;
    }
    let end = |graph: &mut Graph| {
        graph.forget_range(start, len, &KNOWN.0, |edge| record::lock::edge_ended(&RECORDING, edge));
    };
    if guarded {
        return with_graph(end);
    }
    // Perhaps a handler that has interrupted ourselves, and whom we cannot wait for.
    let held = (0..TRIES).find_map(|_| LOCK.try_hold());
    match held {
        // SAFETY: the lock is held.
        Some(_held) => end(unsafe { &mut *GRAPH.0.get() }),
        None => SPOILED.store(true, Relaxed),
    }
}

/// In a forked child: what other threads of the parent did is not its own.
pub fn after_fork() {
    if !on() {
        return;
    }
    LOCK.release();
    ANY.store(false, Relaxed);
    // SAFETY: pages of our own, valid while zero; this thread is the only one.
    unsafe {
        libc::madvise(GRAPH.0.get().cast(), size_of::<Shared>(), libc::MADV_DONTNEED);
        libc::madvise((&raw const KNOWN).cast_mut().cast(), size_of::<Known>(), libc::MADV_DONTNEED);
    }
}
