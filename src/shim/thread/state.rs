//! What is known of a thread: what the reporter may read of any, and what each keeps for itself.
//!
//! The block of a thread ([`super::Block`]) is gone with the thread; this stays, in the registry, and is the next thread's that
//! gets the same id: [`State::begin`] and [`Inner::take_over`] leave nothing of the one before.
//!
//! Rules: whatever another thread may read is atomic. The rest is [`Inner`], which only a [`super::Scope`] gives out.
#![allow(unsafe_code)] // Safety: `State::inner` belongs to its thread, under the guard.

use super::{LIVE_NOW, NAMES};
use crate::{heap, recording, sys, unwind};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64};
use record::layout::{Op, ThreadCounter, thread_state};
use record::store::Logged;
use track::fd::{Held, LatestClose, Sweep, Verdict};

/// What the reporter may read of any thread, and what the thread keeps for itself.
pub struct State {
    pub entry: &'static record::layout::Thread,
    pub index: u16,
    pub tid: AtomicU32,
    name: [AtomicU64; 2],
    name_epoch: AtomicU32,
    pub(super) live: AtomicBool,
    /// The module list that this thread is walking: it may not be freed meanwhile.
    pub hazard: AtomicPtr<unwind::Modules>,
    /// Between the return of a call that made a descriptor and its record.
    pub opening: AtomicBool,
    /// Inside a resolver call of libc.
    pub resolving: AtomicU32,
    /// When it last took a stack for an EAGAIN.
    pub again_at: AtomicU64,
    pub stack_low: AtomicU64,
    pub stack_high: AtomicU64,
    /// See [`State::probed`].
    pub(super) probed_low: AtomicU64,
    pub(super) probed_high: AtomicU64,
    /// libc's description of the thread, pthread_self(); it stays when the thread has ended.
    pub description: AtomicU64,
    /// Inside the real realloc of this block, which is neither here nor there; 0 = of none.
    pub moving: AtomicU64,
    /// Where on it an unwinder has room, and how many bytes that is.
    pub(super) room: AtomicU64,
    pub(super) room_len: AtomicU64,
    /// Of the generator that chooses the allocations that are sampled; 0 = not seeded.
    pub random: AtomicU64,
    /// What `Block::heap_left` was when it was last settled.
    pub heap_gap: AtomicIsize,
    /// What is left until a sample behind that, where a thread comes by more often, for the sake of guard pages.
    pub heap_behind: AtomicIsize,
    /// At which allocation one goes on guard pages; with `heap=full`, in how many; 0 = not chosen yet.
    pub guard_at: AtomicU64,
    /// What it has allocated and not told yet, with `heap=full`.
    pub heap: Option<Box<heap::accounts::Accounts>>,
    pub locks: crate::locks::Own,
    /// Its rings, with `access=`.
    pub access: heap::access::Own,
    /// For memory tiers, where there are any.
    pub tiers: Option<Box<crate::tiers::Own>>,
    pub(super) inner: UnsafeCell<Inner>,
}

/// Used by the owning thread only, under the guard.
pub struct Inner {
    pub unwinding: unwind::Scratch,
    pub sweep: Sweep,
    pub held: Held<(i32, Verdict), 8>,
    pub latest_close: LatestClose,
    pub text: Box<[u8; 8192]>,
    /// Freed blocks on their way into the quarantine.
    pub quarantine: heap::quarantine::Batch,
    /// Lock calls that failed.
    pub failures: track::lock::Failures,
    /// Its hardware watchpoint, with `lock_watch=1`.
    pub watching: crate::locks::watch::Watching,
    /// One of them that has not been told yet.
    pub unheard: Option<crate::locks::report::Found>,
}

impl Inner {
    /// What the thread before left behind is not this one's.
    pub(super) fn take_over(&mut self) {
        self.unwinding.forget();
        self.sweep = Sweep::new();
        self.held.discard();
        self.latest_close = LatestClose::new();
        self.quarantine.abandon();
        self.failures.clear();
        self.unheard = None;
    }
}

// SAFETY: everything but `inner` is atomic or immutable; `inner` is reached by `Scope::inner` only, which exists for the
// owning thread, once at a time (the guard).
unsafe impl Sync for State {}
// SAFETY: `Inner` holds no thread-bound resource; `ThreadLocal` drops it never (the registry is a static).
unsafe impl Send for State {}

impl State {
    /// Under `REGISTRY_LOCK`.
    pub(super) fn new() -> Result<Self, ()> {
        let (index, entry) = recording::new_thread_entry().ok_or(())?;
        Ok(Self {
            entry,
            index,
            tid: AtomicU32::new(0),
            name: [const { AtomicU64::new(0) }; 2],
            name_epoch: AtomicU32::new(0),
            live: AtomicBool::new(false),
            hazard: AtomicPtr::new(null_mut()),
            opening: AtomicBool::new(false),
            resolving: AtomicU32::new(0),
            again_at: AtomicU64::new(0),
            stack_low: AtomicU64::new(0),
            stack_high: AtomicU64::new(0),
            probed_low: AtomicU64::new(0),
            probed_high: AtomicU64::new(0),
            description: AtomicU64::new(0),
            moving: AtomicU64::new(0),
            room: AtomicU64::new(0),
            room_len: AtomicU64::new(0),
            random: AtomicU64::new(0),
            heap_gap: AtomicIsize::new(0),
            heap_behind: AtomicIsize::new(0),
            guard_at: AtomicU64::new(0),
            heap: heap::accounts::of_new_thread(),
            locks: crate::locks::Own::new(),
            access: heap::access::Own::default(),
            tiers: crate::tiers::Own::of_new_thread(),
            inner: UnsafeCell::new(Inner {
                unwinding: unwind::Scratch::default(),
                sweep: Sweep::new(),
                held: Held::new((0, Verdict::default())),
                latest_close: LatestClose::new(),
                text: unwind::boxed(0),
                quarantine: heap::quarantine::Batch::new(),
                failures: track::lock::Failures::default(),
                watching: crate::locks::watch::Watching::default(),
                unheard: None,
            }),
        })
    }

    pub(super) fn begin(&self) {
        self.tid.store(sys::gettid(), Relaxed);
        self.live.store(true, Relaxed);
        LIVE_NOW.fetch_add(1, Relaxed);
        self.opening.store(false, Relaxed);
        self.resolving.store(0, Relaxed);
        self.entry.using.store(0, Relaxed);
        self.name_epoch.store(0, Relaxed);
        self.entry.tid.store(self.tid.load(Relaxed), Relaxed);
        self.entry.started.store(sys::now(), Relaxed);
        self.entry.ended.store(0, Relaxed);
        self.entry.state.store(thread_state::LIVE, Release);
        self.stack_low.store(0, Relaxed);
        self.stack_high.store(0, Relaxed);
        self.probed_low.store(0, Relaxed);
        self.probed_high.store(0, Relaxed);
        // SAFETY: returns a number.
        self.description.store(unsafe { libc::pthread_self() } as u64, Relaxed);
        self.moving.store(0, Relaxed);
        self.room_len.store(0, Relaxed);
        self.entry.waits_for.store(0, Relaxed);
        self.name();
        self.log(Op::ThreadStart, 0, 0, 0, 0);
    }

    /// After fork, in the child's only thread.
    pub fn adopt(&self, entry_alive: bool) {
        if entry_alive {
            LIVE_NOW.store(1, Relaxed);
            self.tid.store(sys::gettid(), Relaxed);
            self.entry.tid.store(self.tid.load(Relaxed), Relaxed);
            // SAFETY: this is the owning thread, and its guard is up.
            let inner = unsafe { &mut *self.inner.get() };
            // The parent tells these.
            inner.held.discard();
            inner.unheard = None;
        } else {
            self.live.store(false, Relaxed);
            self.opening.store(false, Relaxed);
            self.resolving.store(0, Relaxed);
            self.hazard.store(null_mut(), Relaxed);
            self.entry.state.store(thread_state::ENDED, Relaxed);
        }
    }

    pub fn is_live(&self) -> bool {
        self.live.load(Acquire)
    }

    /// The thread's name, read again when any thread's name has changed since.
    pub fn name(&self) -> [u8; 16] {
        let epoch = NAMES.load(Relaxed);
        if self.name_epoch.load(Relaxed) != epoch && self.tid.load(Relaxed) == sys::gettid() {
            let name = sys::thread_name();
            record::text::store(&self.name, &name);
            record::text::store(&self.entry.name, &name);
            self.name_epoch.store(epoch, Relaxed);
        }
        let mut name = [0; 16];
        record::text::load(&self.name, &mut name);
        name
    }

    #[inline]
    pub fn add(&self, counter: ThreadCounter, by: u64) {
        self.entry.add(counter, by);
    }

    pub fn log(&self, op: Op, fd: i32, detail: u64, stack: u32, errno: i32) {
        self.log_at(sys::now(), op, fd, detail, stack, errno);
    }

    #[inline]
    pub fn log_at(&self, time: u64, op: Op, fd: i32, detail: u64, stack: u32, errno: i32) {
        self.entry.log(Logged { time, op, errno: errno as u16, fd, detail, stack });
    }
}
