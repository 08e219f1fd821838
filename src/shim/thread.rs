//! The calling thread: its block, the guard, its registration and its end.
//!
//! ```text
//! hook → enter() → Scope (guard up) → tracker, stacks, recording → drop (guard down) → the real call, guard down
//! ```
//!
//! The *block* lies in initial-exec TLS and is all zero in a new thread. It holds the guard and caches the address of
//! the thread's [`State`], which `thread_local::ThreadLocal` owns: the registry that the reporter iterates.
//!
//! Why the guard has two levels. A signal handler may interrupt a hook at any instruction and call hooks itself; those
//! still have to be followed (the descriptor that it opens is real), but they must not touch what the interrupted code
//! was changing. So at level [`BUSY`] a nested hook follows the event without a stack and without the thread's private
//! state (`Entry::Nested`). At level [`INTERNAL`] we are inside a libc function that we called ourselves, and what
//! comes back through our hooks is our own: it goes straight to libc (`Entry::Out`).
//!
//! Why the guard is never up across the real call: a cancelled thread is unwound through our frame and would leave it
//! up for ever, and a blocking call would hide every signal handler that runs meanwhile.
//!
//! Why registration may use `ThreadLocal`, whose first use registers a destructor: ours is the hidden
//! `__cxa_thread_atexit_impl` (see `arch`), which neither allocates nor locks; the destructor, which gives the id back
//! for reuse, runs in [`end::end`], after the program's own key destructors. Whoever gets the id next finds the same
//! `State`, ended, and starts it afresh. The id allocator's mutex is only ever held under [`REGISTRY_LOCK`], which fork
//! takes first, so no child is born with it locked.
#![allow(unsafe_code)] // Safety: the block belongs to the calling thread, as `State::inner` does, under the guard.

pub mod beside;
mod end;
mod stack;
mod state;

pub use end::{make_key, register_destructor};
pub use state::{Inner, State};

use crate::arch::{THREAD_BLOCK_LEN, VFORK_FLAG, thread_block};
use crate::roster::real;
use crate::spin::Spin;
use crate::{heap, recording, resolve, start, sys, unwind};
use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU32, compiler_fence};
use libc::c_void;
use record::layout::Counter;
use thread_local::ThreadLocal;
use track::fd::{Actor, StackId, ThreadIndex, Tid};

const IDLE: u32 = 0;
const BUSY: u32 = 1;
const INTERNAL: u32 = 2;

/// 0 is a thread that has not called a hook yet.
const LIVE: u32 = 1;
const ENDED: u32 = 2;

/// The initial-exec block. All fields are written by their own thread only (and by a vfork child, which is the same
/// thread for this purpose); they are atomics because its signal handlers read them.
#[repr(C)]
pub struct Block {
    /// The thread's entry in the recording, for the hooks that only count.
    entry: AtomicPtr<record::layout::Thread>,
    #[cfg(target_pointer_width = "32")]
    _pad: u32,
    /// Raised in a vfork child (`arch` knows its place), and see [`beside`].
    vfork: AtomicU32,
    guard: AtomicU32,
    phase: AtomicU32,
    /// Rounds of key destructors seen.
    rounds: AtomicU32,
    state: AtomicPtr<State>,
    /// The thread's entry in the recording, from its registration to its end, and its index: all that a use needs, in one line
    /// of the cache.
    watched: AtomicPtr<record::layout::Thread>,
    index: AtomicU32,
    /// Bytes that the thread may allocate until one is sampled.
    pub heap_left: AtomicIsize,
    /// Inside `recording`'s commit.
    pub committing: AtomicU32,
    destructors: AtomicU32,
    /// What the thread holds, while locks are watched.
    locks: AtomicPtr<crate::locks::Own>,
    /// What the thread keeps for memory tiers, while it is registered and there are any.
    tiers: AtomicPtr<crate::tiers::Own>,
    /// Destructors of thread-locals of our own library: function and argument.
    destructor: [[AtomicPtr<c_void>; 2]; 4],
}

const _: () = assert!(size_of::<Block>() <= THREAD_BLOCK_LEN);
const _: () = assert!(offset_of!(Block, vfork) == VFORK_FLAG);

#[inline(always)]
pub fn block() -> &'static Block {
    match thread_block() {
        // SAFETY: the block is zero-initialised TLS of the right size and alignment (checked above), valid for any content,
        // and lives as long as the thread; the reference does not leave it.
        Some(block) => unsafe { block.cast::<Block>().as_ref() },
        None => beside::foreign(),
    }
}

/// Has the caller a TLS of libc's, where errno lies?
#[inline(always)]
pub fn has_tls() -> bool {
    thread_block().is_some()
}

impl Block {
    /// What the thread keeps for memory tiers, while it is registered and there are any. Not guarded.
    #[inline(always)]
    pub fn tiers(&self) -> Option<&'static crate::tiers::Own> {
        let own = self.tiers.load(Relaxed);
        // SAFETY: set by `register` to a part of an entry of the registry, which is never freed.
        (!own.is_null()).then(|| unsafe { &*own })
    }

    /// What the thread holds, while it is registered and locks are watched. Not guarded.
    #[inline(always)]
    pub fn locks(&self) -> Option<&'static crate::locks::Own> {
        let own = self.locks.load(Relaxed);
        // SAFETY: set by `register` to a part of an entry of the registry, which is never freed.
        (!own.is_null()).then(|| unsafe { &*own })
    }
}

static REGISTRY: ThreadLocal<State> = ThreadLocal::new();
pub static REGISTRY_LOCK: Spin = Spin::new();
/// Bumped when some thread changes a thread's name.
pub static NAMES: AtomicU32 = AtomicU32::new(1);
/// Registered threads that have not ended.
static LIVE_NOW: AtomicU32 = AtomicU32::new(0);
static KEY: AtomicU32 = AtomicU32::new(u32::MAX);

/// All threads ever registered, ended ones included. Takes [`REGISTRY_LOCK`] nowhere: `ThreadLocal` iterates lock-free.
pub fn registry() -> impl Iterator<Item = &'static State> {
    REGISTRY.iter()
}

/// Has the process, as far as we know, one thread?
pub fn alone() -> bool {
    LIVE_NOW.load(Relaxed) <= 1
}

/// How a hook may proceed.
pub enum Entry {
    /// With everything.
    Full(Scope),
    /// In a signal handler that interrupted one of our hooks: no stack, no private state.
    Nested(&'static State),
    /// Not at all: straight to libc.
    Out,
}

/// The guard is up while this lives. Not `Send`; lives on the stack of one hook.
pub struct Scope {
    block: &'static Block,
    pub state: &'static State,
}

impl Drop for Scope {
    #[inline(always)]
    fn drop(&mut self) {
        compiler_fence(Release);
        self.block.guard.store(IDLE, Relaxed);
    }
}

/// Raises the guard. Async-signal-safe; the first call in a thread registers it.
#[inline]
pub fn enter() -> Entry {
    let block = block();
    if block.guard.load(Relaxed) != IDLE {
        return nested(block);
    }
    block.guard.store(BUSY, Relaxed);
    compiler_fence(Acquire);
    let state = block.state.load(Relaxed);
    if state.is_null() || block.vfork.load(Relaxed) != 0 {
        return enter_slowly(block);
    }
    // SAFETY: set by `register` to an entry of the registry, which is never freed.
    Entry::Full(Scope { block, state: unsafe { &*state } })
}

/// As [`enter`] for a hook that an allocator may have called with its own lock held: a thread is registered only where that
/// asks nothing of libc that could allocate.
pub fn enter_for_lock() -> Entry {
    // glibc has room for so many keys in a thread's own block (PTHREAD_KEY_2NDLEVEL_SIZE).
    if current().is_none() && matches!(KEY.load(Relaxed), 32..=0xffff_fffe) {
        return Entry::Out;
    }
    enter()
}

/// As [`enter`] for a registered thread outside of all hooks; nothing for any other, who calls [`enter`].
#[inline(always)]
pub fn enter_registered() -> Option<Scope> {
    let block = block();
    let state = block.state.load(Relaxed);
    if block.guard.load(Relaxed) != IDLE || state.is_null() || block.vfork.load(Relaxed) != 0 {
        return None;
    }
    block.guard.store(BUSY, Relaxed);
    compiler_fence(Acquire);
    // SAFETY: as in `enter`.
    Some(Scope { block, state: unsafe { &*state } })
}

#[cold]
fn nested(block: &'static Block) -> Entry {
    let state = block.state.load(Relaxed);
    if block.guard.load(Relaxed) == BUSY && block.vfork.load(Relaxed) == 0 && !state.is_null() {
        recording::count(Counter::Reentered);
        // SAFETY: as in `enter`.
        return Entry::Nested(unsafe { &*state });
    }
    Entry::Out
}

#[cold]
fn enter_slowly(block: &'static Block) -> Entry {
    let mut state = block.state.load(Relaxed);
    if !beside::is_child(block) && block.phase.load(Relaxed) != ENDED && start::ready() {
        if state.is_null() {
            state = register(block);
        }
        if !state.is_null() {
            // SAFETY: as in `enter`.
            return Entry::Full(Scope { block, state: unsafe { &*state } });
        }
    }
    block.guard.store(IDLE, Relaxed);
    Entry::Out
}

/// In a child that shares our memory: a vfork child, or as [`beside`] has it.
pub fn blind() -> bool {
    beside::is_child(block())
}

/// The state of a registered, live thread: the shortest way for counters. Not guarded.
#[inline(always)]
pub fn current() -> Option<&'static State> {
    let state = block().state.load(Relaxed);
    // SAFETY: as in `enter`.
    (!state.is_null()).then(|| unsafe { &*state })
}

/// The entry and the index of a registered, live thread. Not guarded.
#[inline(always)]
pub fn watched() -> Option<(&'static record::layout::Thread, ThreadIndex)> {
    let block = block();
    let entry = block.watched.load(Relaxed);
    // SAFETY: set by `register` to an entry of the recording, which stays mapped.
    (!entry.is_null()).then(|| (unsafe { &*entry }, ThreadIndex(block.index.load(Relaxed) as u16)))
}

/// The counters of a registered, live thread. Not guarded.
#[inline(always)]
pub fn counters() -> Option<&'static record::layout::Thread> {
    let entry = block().entry.load(Relaxed);
    // SAFETY: set by `register` to an entry of the recording, which stays mapped.
    (!entry.is_null()).then(|| unsafe { &*entry })
}

/// Registers without keeping the guard: for hooks that only count.
#[cold]
pub fn current_or_register() -> Option<&'static State> {
    match enter() {
        Entry::Full(scope) => Some(scope.state),
        Entry::Nested(state) => Some(state),
        Entry::Out => None,
    }
}

impl Scope {
    /// # Why this is sound
    /// `&mut self`, one `Scope` per thread at a time.
    pub fn inner(&mut self) -> &mut Inner {
        // SAFETY: only the owning thread has a Scope for this state, and it has one: `enter` gives the next one only
        // after this one is dropped; a nested entry has no access.
        unsafe { &mut *self.state.inner.get() }
    }

    /// Who acts, with its stack.
    pub fn actor(&mut self) -> Actor {
        let state = self.state;
        if state.stack_high.load(Relaxed) == 0 {
            state.find_stack_now();
        }
        // Not known: a sandbox forbids to ask.
        let stack = if state.knows_stack() {
            unwind::capture(state, &mut self.inner().unwinding)
        } else {
            self.stack_unasked()
        };
        actor(state, stack)
    }

    /// The stack of a heap hook; 0 when there is too little stack for an unwinder. While the bounds of the thread's stack are
    /// not known, and libc itself is the caller, they are not asked for (see [`State::find_stack_now`]): 0, too.
    #[inline(always)]
    pub fn stack(&mut self) -> u32 {
        let state = self.state;
        if !state.has_room() && !self.look_for_room() {
            return 0;
        }
        unwind::capture(state, &mut self.inner().unwinding)
    }

    /// The stack with the places of its return addresses; nothing where an unwinder has no room.
    pub fn trace(&mut self, depth: usize) -> Option<unwind::Trace> {
        let state = self.state;
        let room = state.has_room() || state.finds_room_unasked();
        if room { unwind::trace(state, &mut self.inner().unwinding, depth) } else { None }
    }

    /// As [`Scope::stack`], where libc may not be asked for the bounds of the stack: unknown ones are probed for.
    pub fn stack_unasked(&mut self) -> u32 {
        let state = self.state;
        let room = state.has_room() || state.finds_room_unasked();
        if room { unwind::capture(state, &mut self.inner().unwinding) } else { 0 }
    }

    #[cold]
    #[inline(never)]
    fn look_for_room(&mut self) -> bool {
        let found = (self.state.knows_stack() || self.look_for_stack()) && !self.state.tight();
        if !found {
            recording::count(Counter::Reentered);
        }
        found
    }

    fn look_for_stack(&mut self) -> bool {
        let state = self.state;
        if state.is_main() || !unwind::called_by_libc(state) {
            state.find_stack_now();
        }
        state.knows_stack()
    }
}

/// For the fork handlers, which forget their scope.
pub fn lower_guard() {
    compiler_fence(Release);
    block().guard.store(IDLE, Relaxed);
}

/// Runs libc code of our own choice: whatever comes back through the hooks meanwhile is ours and passes through.
/// Keeps errno.
pub fn inside_libc<R>(f: impl FnOnce() -> R) -> R {
    let block = block();
    let before = block.guard.swap(INTERNAL, Relaxed);
    compiler_fence(Acquire);
    let errno = sys::errno();
    let result = f();
    sys::set_errno(errno);
    compiler_fence(Release);
    block.guard.store(before, Relaxed);
    result
}

/// Are we inside a libc function that we called ourselves?
#[inline]
pub fn internal() -> bool {
    block().guard.load(Relaxed) == INTERNAL
}

/// The guard, up for as long as this lives: for work that needs no more of the thread than that its handlers keep out.
pub struct Guarded {
    block: &'static Block,
    before: u32,
}

#[inline(always)]
pub fn guarded() -> Guarded {
    let block = block();
    let before = block.guard.load(Relaxed);
    if before == IDLE {
        block.guard.store(BUSY, Relaxed);
    }
    compiler_fence(Acquire);
    Guarded { block, before }
}

impl Drop for Guarded {
    #[inline(always)]
    fn drop(&mut self) {
        compiler_fence(Release);
        self.block.guard.store(self.before, Relaxed);
    }
}

/// Are we in no hook, and in no libc function that we called ourselves?
#[inline(always)]
pub fn is_idle() -> bool {
    block().guard.load(Relaxed) == IDLE
}

pub fn actor(state: &State, stack: u32) -> Actor {
    Actor {
        tid: Tid(state.tid.load(Relaxed)),
        thread: ThreadIndex(state.index),
        stack: StackId(stack),
        now: sys::now(),
        epoch: start::epoch(),
        closed_before: StackId(0),
    }
}

#[cold]
fn register(block: &'static Block) -> *mut State {
    block.phase.store(LIVE, Relaxed);
    start::materialise();
    let state = {
        let _held = REGISTRY_LOCK.hold();
        if recording::free_thread_entries() == 0 && REGISTRY.get().is_none() {
            recording::count(Counter::ThreadsUntracked);
            block.phase.store(ENDED, Relaxed);
            return null_mut();
        }
        REGISTRY.get_or_try(State::new)
    };
    let Ok(state) = state else {
        recording::count(Counter::ThreadsUntracked);
        block.phase.store(ENDED, Relaxed);
        return null_mut();
    };
    state.begin();
    // SAFETY: this thread owns the state now, its guard is up, and no Scope for it exists yet.
    unsafe { &mut *state.inner.get() }.take_over();
    let at = core::ptr::from_ref(state).cast_mut();
    block.state.store(at, Release);
    block.index.store(u32::from(state.index), Relaxed);
    block.watched.store(core::ptr::from_ref(state.entry).cast_mut(), Release);
    state.heap_gap.store(block.heap_left.load(Relaxed), Relaxed);
    heap::sampled::next_gap(state);
    heap::access::thread_begins(state);
    state.locks.holder.clear();
    state.locks.begin();
    if crate::locks::on() {
        block.locks.store(core::ptr::from_ref(&state.locks).cast_mut(), Release);
    }
    if let Some(own) = state.tiers.as_deref() {
        own.begin((!resolve::any_mapped() && heap::samples()).then_some(state.entry));
        block.tiers.store(core::ptr::from_ref(own).cast_mut(), Release);
    }
    if !resolve::any_mapped() && heap::has_fast_path() {
        block.entry.store(core::ptr::from_ref(state.entry).cast_mut(), Release);
    }
    inside_libc(|| {
        let key = KEY.load(Relaxed);
        if key != u32::MAX {
            // SAFETY: a key that `make_key` created; the value is only a flag.
            unsafe { real::pthread_setspecific(key, core::ptr::from_ref(block).cast()) };
        }
    });
    at
}
