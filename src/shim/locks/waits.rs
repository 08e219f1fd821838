//! Who waits for what: seen from outside, and told when a signal asks.
//!
//! A thread that begins to wait writes what it wants and what it holds into its entry of the recording. In a deadlock every
//! thread waits, so `shim top`, or the recording of a process that was killed, has all of it, and nobody else's memory needs to
//! be read. Costs something only where a thread waits anyway.

use super::Call;
use crate::thread::{self, Scope, State};
use crate::{clock, finding, message, recording, unwind};
use core::sync::atomic::Ordering::{Relaxed, Release};
use record::layout::THREAD_HOLDS;
use record::stacks::{Frame, MAX_FRAMES};
use record::text::Line;
use track::lock::waits::{MOST_THREADS, Waiting, cycles};
use track::lock::{HoldFacts, Mode, What};

/// The thread is about to wait for the lock, with its stack.
pub fn begin(scope: &mut Scope, lock: usize, call: &Call) {
    let state = scope.state;
    let stack = scope.stack_unasked();
    let what = What::new(call.kind, call.how, 0, state.locks.epoch());
    let now = clock::now();
    let entry = state.entry;
    let list = unwind::modules(state);
    let mut places = entry.holds.iter();
    for held in state.locks.holder.all().rev().filter(|held| !held.what.has(What::WAITING)).take(THREAD_HOLDS) {
        let Some(place) = places.next() else { break };
        place.what.store(u64::from(held.what.0) | u64::from(held.stack) << 32, Relaxed);
        let frame = list.and_then(|list| list.frame(held.place as u64)).unwrap_or(0);
        place.frame.store(frame, Relaxed);
        place.lock.store(held.lock as u64, Relaxed);
    }
    if let Some(end) = places.next() {
        end.lock.store(0, Relaxed);
    }
    entry.waits_what.store(u64::from(what.0) | u64::from(stack) << 32, Relaxed);
    entry.waits_since.store(now, Relaxed);
    entry.waits_for.store(lock as u64, Release);
    state.locks.holder.waits(lock, what, stack, now);
}

/// It waits no more. Any thread that is registered; not guarded.
#[inline(always)]
pub fn end(state: &State) {
    state.locks.holder.waits_no_more();
    state.entry.waits_for.store(0, Release);
}

/// The threads that wait, as they are now.
struct Now {
    threads: Vec<&'static State>,
}

impl Now {
    /// Allocates from the private allocator.
    fn new() -> Self {
        Self { threads: thread::registry().filter(|state| state.is_live()).take(MOST_THREADS).collect() }
    }

    fn state(&self, thread: usize) -> Option<&'static State> {
        self.threads.get(thread).copied()
    }
}

impl Waiting for Now {
    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn wants(&self, thread: usize) -> Option<(u64, Mode)> {
        let waiting = self.state(thread)?.locks.holder.waiting()?;
        Some((waiting.lock as u64, waiting.what.mode()))
    }

    fn holds(&self, thread: usize, lock: u64) -> Option<Mode> {
        let held = self.state(thread)?.locks.holder.holding(lock as usize)?;
        (!held.what.has(What::WAITING)).then(|| held.what.mode())
    }
}

/// Tells of all cycles among threads that wait. How many there are.
pub fn tell(scope: &mut Scope) -> usize {
    let now = Now::new();
    let mut count = 0;
    cycles(&now, |cycle| {
        count += 1;
        tell_cycle(scope, &now, cycle);
    });
    count
}

fn tell_cycle(scope: &mut Scope, now: &Now, cycle: &[usize]) {
    let mut buffer = [0; 256];
    let mut line = Line::new(&mut buffer);
    line.text("shim: deadlock: ").number(cycle.len() as u64);
    line.text(if cycle.len() == 1 { " thread waits for itself\n" } else { " threads wait for each other\n" });
    message::say(line.as_bytes());
    for (i, thread) in cycle.iter().enumerate() {
        let next = cycle[(i + 1) % cycle.len()];
        let (Some(waiter), Some(holder)) = (now.state(*thread), now.state(next)) else { continue };
        let Some(wait) = waiter.locks.holder.waiting() else { continue };
        let Some(held) = holder.locks.holder.holding(wait.lock) else { continue };
        tell_wait(scope, waiter, &wait, holder, &held);
    }
}

fn tell_wait(scope: &mut Scope, waiter: &State, wait: &HoldFacts, holder: &State, held: &HoldFacts) {
    let (stack, state) = (super::report::stack_of_hold(scope, held), scope.state);
    let (names, now) = ([waiter, holder].map(|s| finding::name_of(s.tid.load(Relaxed))), clock::now());
    let mut line = Line::new(&mut scope.inner().text[..]);
    line.text("shim: thread ").number(u64::from(waiter.tid.load(Relaxed)));
    line.text(" \"").foreign(record::text::until_nul(&names[0])).text("\" waits for ");
    line.text(record::lock::kind::name(wait.what.kind() as u8)).text(" ").hex(wait.lock as u64).text(" since ");
    line.number(now.saturating_sub(wait.since) / 1_000_000).text(" ms, held by thread ");
    line.number(u64::from(holder.tid.load(Relaxed))).text(" \"");
    line.foreign(record::text::until_nul(&names[1])).text("\"\n");
    for (what, stack) in [("waits", wait.stack), ("locked", stack)] {
        line.text("shim:   ").text(what).text("\n");
        let mut frames = [0; MAX_FRAMES];
        let len = record::stacks::load(&recording::RECORDING, stack, &mut frames);
        for (i, frame) in frames[..len].iter().enumerate().take_while(|(i, _)| *i < 16) {
            line.text("shim:     #").number(i as u64).text(" ");
            finding::write_frame(Frame(*frame), unwind::modules(state), &mut line);
            line.text("\n");
        }
    }
    message::say(line.as_bytes());
}
