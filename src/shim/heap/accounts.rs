//! What a thread has allocated and freed since it last told: per call stack, per size, in all.
//!
//! Why not at once: the totals are shared by all threads, and two threads that write to one cache line at every malloc are
//! slower than all the rest of us. A thread keeps its sums for a few hundred events, then adds them. At exit, those of
//! threads that still run are added by whoever exits, from the outside: that is why the fields are atomics, though only
//! their thread writes them.

use crate::recording::RECORDING;
use crate::thread::State;
use crate::{clock, sys};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use record::layout::{Heap, SIZE_CLASSES, Thread, ThreadCounter};
use record::{heap, sites, usage};

/// Events after which a thread tells; so many bytes count as one more, or a peak could be missed by any number of bytes.
const EVENTS: u64 = 512;
const BYTES_SHIFT: u32 = 8;
const STACKS: usize = 128;

/// The sums of one call stack.
struct Account {
    stack: AtomicU32,
    allocations: AtomicU32,
    frees: AtomicU32,
    allocated: AtomicU64,
    freed: AtomicU64,
    /// Of the freed blocks: their lifetimes, and the longest; ms.
    lived: AtomicU64,
    longest: AtomicU32,
}

pub struct Accounts {
    stacks: [Account; STACKS],
    sizes: [AtomicU32; SIZE_CLASSES],
    size_bytes: [AtomicU64; SIZE_CLASSES],
    events: AtomicU64,
    /// Of accounts that made room for others: allocations, frees, and their bytes.
    given: [AtomicU64; 4],
}

/// Milliseconds since the start, as of the last time that some thread told.
static NOW_MS: AtomicU32 = AtomicU32::new(0);
/// When the next sample of the curve is due, ns; and who takes it.
static NEXT_SAMPLE: AtomicU64 = AtomicU64::new(0);
static SAMPLING: AtomicBool = AtomicBool::new(false);

/// The coarse time that blocks carry.
#[inline(always)]
pub fn now_ms() -> u32 {
    NOW_MS.load(Relaxed)
}

/// Milliseconds from the start to `now`, ns.
pub fn ms(now: u64) -> u32 {
    let started = record::store::Store::header(&RECORDING).started.load(Relaxed);
    (now.saturating_sub(started) / 1_000_000) as u32
}

/// Adds to a field that only this thread writes.
#[inline(always)]
fn add(field: &AtomicU64, by: u64) {
    field.store(field.load(Relaxed).wrapping_add(by), Relaxed);
}

#[inline(always)]
fn add_one(field: &AtomicU32) {
    field.store(field.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Made where it will lie, because a new thread may have little stack; only where every block is followed.
#[allow(unsafe_code)]
pub fn of_new_thread() -> Option<Box<Accounts>> {
    (super::level() == super::Level::Full).then(|| {
        let at = Box::into_raw(Box::<Accounts>::new_uninit());
        // SAFETY: as many bytes as the box has; zero is a valid value of every atomic.
        unsafe {
            at.cast::<u8>().write_bytes(0, size_of::<Accounts>());
            Box::from_raw(at.cast())
        }
    })
}

/// A thread's; nothing where they are not kept.
#[inline(always)]
pub fn of(state: &State) -> Option<&Accounts> {
    state.heap.as_deref()
}

/// No exchange: that is a locked instruction, and there are hundreds of fields.
fn take(field: &AtomicU64) -> u64 {
    let value = field.load(Relaxed);
    field.store(0, Relaxed);
    value
}

impl Accounts {
    /// By the owning thread, under the guard.
    #[inline(always)]
    pub fn allocated(&self, thread: &Thread, stack: u32, size: u64) {
        let account = self.account(stack);
        add_one(&account.allocations);
        add(&account.allocated, size);
        let class = heap::size_class(size);
        add_one(&self.sizes[class]);
        add(&self.size_bytes[class], size);
        self.event(thread, size);
    }

    /// By the owning thread, under the guard. `stack`: of the allocation, at `born` ms.
    #[inline(always)]
    pub fn freed(&self, thread: &Thread, stack: u32, size: u64, born: u32) {
        let account = self.account(stack);
        add_one(&account.frees);
        add(&account.freed, size);
        // Most blocks live shorter than the clock's step.
        let age = now_ms().saturating_sub(born);
        if age > 0 {
            add(&account.lived, u64::from(age));
            account.longest.store(account.longest.load(Relaxed).max(age), Relaxed);
        }
        self.event(thread, size);
    }

    #[inline(always)]
    fn account(&self, stack: u32) -> &Account {
        // Ids are indices of words: neighbouring stacks are some words apart.
        let account = &self.stacks[((stack >> 2) ^ (stack >> 9)) as usize % STACKS];
        if account.stack.load(Relaxed) != stack {
            self.replace(account, stack);
        }
        account
    }

    #[inline(always)]
    fn event(&self, thread: &Thread, size: u64) {
        let events = self.events.load(Relaxed) + 1 + (size >> BYTES_SHIFT);
        self.events.store(events, Relaxed);
        if events >= EVENTS {
            self.tell(thread);
            super::access::look();
        }
    }

    #[cold]
    #[inline(never)]
    fn replace(&self, account: &Account, stack: u32) {
        if let Some(totals) = heap::totals(&RECORDING) {
            self.give(account, totals);
        }
        account.stack.store(stack, Relaxed);
    }

    /// Adds the sums of one stack to its site.
    fn give(&self, account: &Account, totals: &Heap) {
        let (allocations, frees) = (account.allocations.load(Relaxed), account.frees.load(Relaxed));
        if allocations == 0 && frees == 0 {
            return;
        }
        account.allocations.store(0, Relaxed);
        account.frees.store(0, Relaxed);
        let (allocated, freed) = (take(&account.allocated), take(&account.freed));
        let (allocations, frees) = (u64::from(allocations), u64::from(frees));
        for (sum, more) in self.given.iter().zip([allocations, frees, allocated, freed]) {
            add(sum, more);
        }
        let (lived, longest) = (take(&account.lived), account.longest.swap(0, Relaxed));
        let stack = account.stack.load(Relaxed);
        let Some(site) = sites::of(&RECORDING, stack) else { return };
        if allocations > 0 {
            site.allocated(totals, allocations, allocated, allocations);
        }
        let usage = usage::of(&RECORDING, stack);
        usage.inspect(|usage| usage.grown(site));
        if frees > 0 {
            site.freed(totals, frees, freed);
            usage.inspect(|usage| usage.ended(frees, lived, u64::from(longest)));
        }
        usage.inspect(|usage| usage.changed(now_ms()));
    }

    /// Adds everything to the totals. By the owning thread under the guard, or when that thread is gone or about to be.
    #[cold]
    #[inline(never)]
    pub fn tell(&self, thread: &Thread) {
        let Some(totals) = heap::totals(&RECORDING) else { return };
        let now = sys::now();
        clock::advance(now);
        NOW_MS.store(ms(now), Relaxed);
        self.events.store(0, Relaxed);
        for account in &self.stacks {
            self.give(account, totals);
        }
        for ((class, blocks), bytes) in totals.sizes.iter().zip(&self.sizes).zip(&self.size_bytes) {
            let count = blocks.load(Relaxed);
            if count > 0 {
                class.blocks.fetch_add(u64::from(count), Relaxed);
                class.bytes.fetch_add(take(bytes), Relaxed);
                blocks.store(0, Relaxed);
            }
        }
        let [allocations, frees, allocated, freed] = self.given.each_ref().map(take);
        thread.add(ThreadCounter::Allocations, allocations);
        thread.add(ThreadCounter::BytesRequested, allocated);
        thread.add(ThreadCounter::Frees, frees);
        totals.changed(allocations.wrapping_sub(frees) as i64, allocated.wrapping_sub(freed) as i64, now);
        sample_when_due(now);
    }

    /// For a forked child: what was not told is its parent's.
    pub fn forget(&self) {
        for account in &self.stacks {
            for field in [&account.stack, &account.allocations, &account.frees] {
                field.store(0, Relaxed);
            }
            account.allocated.store(0, Relaxed);
            account.freed.store(0, Relaxed);
            account.lived.store(0, Relaxed);
            account.longest.store(0, Relaxed);
        }
        for (blocks, bytes) in self.sizes.iter().zip(&self.size_bytes) {
            blocks.store(0, Relaxed);
            bytes.store(0, Relaxed);
        }
        self.events.store(0, Relaxed);
        for field in &self.given {
            field.store(0, Relaxed);
        }
    }
}

/// A point of the curve, when one is due; by one thread at a time, the others do without.
pub fn sample_when_due(now: u64) {
    if now >= NEXT_SAMPLE.load(Relaxed) && !SAMPLING.swap(true, Acquire) {
        let next = heap::sample(&RECORDING, now).unwrap_or(u64::MAX);
        NEXT_SAMPLE.store(next, Relaxed);
        SAMPLING.store(false, Release);
    }
}

/// For a forked child.
pub fn after_fork() {
    NEXT_SAMPLE.store(0, Relaxed);
    SAMPLING.store(false, Relaxed);
}
