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
//! for reuse, runs in [`end`], after the program's own key destructors. Whoever gets the id next finds the same
//! `State`, ended, and starts it afresh. The id allocator's mutex is only ever held under [`REGISTRY_LOCK`], which fork
//! takes first, so no child is born with it locked.
#![allow(unsafe_code)] // Safety: the block belongs to the calling thread; `State::inner` to its thread, under the guard.

use crate::arch::{THREAD_BLOCK_LEN, VFORK_FLAG, thread_block};
use crate::roster::real;
use crate::spin::Spin;
use crate::{heap, keys, recording, resolve, start, sys, unwind};
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, compiler_fence};
use libc::c_void;
use record::layout::{Counter, Op, ThreadCounter, thread_state};
use record::store::Logged;
use thread_local::ThreadLocal;
use track::fd::{Actor, Held, StackId, Sweep, ThreadIndex, Tid, Verdict};

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
    /// Raised in a vfork child; `arch` knows its place.
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
    /// Destructors of thread-locals of our own library: function and argument.
    destructor: [[AtomicPtr<c_void>; 2]; 4],
}

const _: () = assert!(size_of::<Block>() <= THREAD_BLOCK_LEN);
const _: () = assert!(offset_of!(Block, vfork) == VFORK_FLAG);

#[inline(always)]
pub fn block() -> &'static Block {
    // SAFETY: the block is zero-initialised TLS of the right size and alignment (checked above), valid for any content,
    // and lives as long as the thread; the reference does not leave it.
    unsafe { &*thread_block().cast::<Block>() }
}

impl Block {
    /// What the thread holds, while it is registered and locks are watched. Not guarded.
    #[inline(always)]
    pub fn locks(&self) -> Option<&'static crate::locks::Own> {
        let own = self.locks.load(Relaxed);
        // SAFETY: set by `register` to a part of an entry of the registry, which is never freed.
        (!own.is_null()).then(|| unsafe { &*own })
    }
}

/// What the reporter may read of any thread, and what the thread keeps for itself.
pub struct State {
    pub entry: &'static record::layout::Thread,
    pub index: u16,
    pub tid: AtomicU32,
    name: [AtomicU64; 2],
    name_epoch: AtomicU32,
    live: AtomicBool,
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
    probed_low: AtomicU64,
    probed_high: AtomicU64,
    /// libc's description of the thread, pthread_self(); it stays when the thread has ended.
    pub description: AtomicU64,
    /// Inside the real realloc of this block, which is neither here nor there; 0 = of none.
    pub moving: AtomicU64,
    /// Where on it an unwinder has room, and how many bytes that is.
    room: AtomicU64,
    room_len: AtomicU64,
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
    inner: UnsafeCell<Inner>,
}

/// What the unwinder and the text of a finding take, with something to spare.
const STACK_NEEDED: u64 = 12 << 10;

/// Used by the owning thread only, under the guard.
pub struct Inner {
    pub unwinding: unwind::Scratch,
    pub sweep: Sweep,
    pub held: Held<(i32, Verdict), 8>,
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
    fn take_over(&mut self) {
        self.unwinding.forget();
        self.sweep = Sweep::new();
        self.held.discard();
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
    if block.vfork.load(Relaxed) == 0 && block.phase.load(Relaxed) != ENDED && start::ready() {
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

/// In a vfork child (which shares our memory), or after the thread's end.
pub fn blind() -> bool {
    block().vfork.load(Relaxed) != 0
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
        let stack = unwind::capture(state, &mut self.inner().unwinding);
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
        let main = state.tid.load(Relaxed) == sys::getpid();
        if main || !unwind::called_by_libc(state) {
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

pub fn actor(state: &State, stack: u32) -> Actor {
    Actor {
        tid: Tid(state.tid.load(Relaxed)),
        thread: ThreadIndex(state.index),
        stack: StackId(stack),
        now: sys::now(),
        epoch: start::epoch(),
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
    state.locks.holder.clear();
    state.locks.begin();
    if crate::locks::on() {
        block.locks.store(core::ptr::from_ref(&state.locks).cast_mut(), Release);
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

/// Creates the key whose destructor ends threads. Once, before any thread can use it.
pub fn make_key() {
    if let Some(key) = keys::own(ended) {
        KEY.store(key, Release);
        if current().is_some() {
            // SAFETY: as in `register`.
            inside_libc(|| unsafe { real::pthread_setspecific(key, core::ptr::from_ref(block()).cast()) });
        }
    }
}

/// Runs among the program's key destructors; re-arms itself until the last round, so that theirs come first.
unsafe extern "C" fn ended(_: *mut c_void) {
    let block = block();
    let round = block.rounds.load(Relaxed) + 1;
    block.rounds.store(round, Relaxed);
    // PTHREAD_DESTRUCTOR_ITERATIONS is 4 on glibc.
    if round < 4 {
        let key = KEY.load(Relaxed);
        // SAFETY: our key, created by `make_key`.
        inside_libc(|| unsafe { real::pthread_setspecific(key, core::ptr::from_ref(block).cast()) });
        return;
    }
    end();
}

/// The calling thread needs us no more.
fn end() {
    let block = block();
    if let Entry::Full(mut scope) = enter() {
        crate::finding::flush_held(&mut scope);
        heap::thread_ends(&mut scope);
        crate::locks::thread_ends(&mut scope);
        block.locks.store(null_mut(), Relaxed);
        let state = scope.state;
        state.log(Op::ThreadEnd, 0, 0, 0, 0);
        state.entry.ended.store(sys::now(), Relaxed);
        state.entry.state.store(thread_state::ENDED, Release);
        state.live.store(false, Release);
        LIVE_NOW.fetch_sub(1, Relaxed);
        block.phase.store(ENDED, Relaxed);
        block.entry.store(null_mut(), Relaxed);
        block.watched.store(null_mut(), Relaxed);
        block.state.store(null_mut(), Relaxed);
        let _held = REGISTRY_LOCK.hold();
        run_destructors(block);
    }
}

fn run_destructors(block: &Block) {
    let count = block.destructors.swap(0, Relaxed) as usize;
    for [function, argument] in block.destructor.iter().take(count).rev() {
        let function = function.load(Relaxed);
        if !function.is_null() {
            // SAFETY: registered by our own standard library through `register_destructor` with this signature, and
            // run once, on the same thread.
            unsafe {
                core::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(function)(
                    argument.load(Relaxed),
                );
            }
        }
    }
}

/// Our library's own `__cxa_thread_atexit_impl`, reached through the hidden symbol in `arch`.
pub extern "C" fn register_destructor(function: *mut c_void, argument: *mut c_void, _dso: *mut c_void) -> libc::c_int {
    let block = block();
    let at = block.destructors.load(Relaxed) as usize;
    if let Some([f, a]) = block.destructor.get(at) {
        f.store(function, Relaxed);
        a.store(argument, Relaxed);
        block.destructors.store(at as u32 + 1, Relaxed);
    }
    0
}

impl State {
    /// Under `REGISTRY_LOCK`.
    fn new() -> Result<Self, ()> {
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
            inner: UnsafeCell::new(Inner {
                unwinding: unwind::Scratch::default(),
                sweep: Sweep::new(),
                held: Held::new((0, Verdict::default())),
                text: unwind::boxed(0),
                quarantine: heap::quarantine::Batch::new(),
                failures: track::lock::Failures::default(),
                watching: crate::locks::watch::Watching::default(),
                unheard: None,
            }),
        })
    }

    fn begin(&self) {
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

    /// Is it known yet? Whoever may have interrupted pthread_getattr_np asks this first.
    pub fn knows_stack(&self) -> bool {
        self.stack_high.load(Relaxed) != 0
    }

    /// Is it known, or to be had without asking libc, as the main thread's is?
    pub fn knows_stack_unasked(&self) -> bool {
        if !self.knows_stack() && self.tid.load(Relaxed) == sys::getpid() {
            self.find_stack_now();
        }
        self.knows_stack()
    }

    /// Is there room for an unwinder, where libc may not be asked?
    #[cold]
    #[inline(never)]
    fn finds_room_unasked(&self) -> bool {
        if self.knows_stack_unasked() {
            return !self.tight();
        }
        self.probe_stack() || self.probably_has_room()
    }

    /// What can be found of the stack without asking: libc keeps its description of a thread at the upper end of the thread's
    /// stack, above all of its frames, and what lies between can be probed, page by page. Kept apart from the true bounds: the
    /// lower one is only as far down as the thread has been, and is moved when it goes deeper.
    fn probe_stack(&self) -> bool {
        const MOST: u64 = 256;
        let at = crate::arch::registers().sp;
        let (low, high) = (at.saturating_sub(STACK_NEEDED) & !4095, self.description.load(Relaxed) & !15);
        let (known_low, known_high) = self.probed();
        let known = known_high == high && known_high != 0;
        let (low, until) = if known { (low.min(known_low), known_low) } else { (low, high) };
        let pages = until.saturating_sub(low).div_ceil(4096);
        if at >= high || pages > MOST || sys::signal_stack().is_some() {
            return false;
        }
        if !(0..pages).all(|page| sys::readable(low + page * 4096)) {
            return false;
        }
        self.probed_low.store(low, Relaxed);
        self.probed_high.store(high, Relaxed);
        self.room.store(low + STACK_NEEDED, Relaxed);
        self.room_len.store(high.saturating_sub(low + STACK_NEEDED), Relaxed);
        true
    }

    /// Bounds between which the stack may be read, where the true ones are not known; 0 and 0 = none.
    #[inline(always)]
    pub fn probed(&self) -> (u64, u64) {
        (self.probed_low.load(Relaxed), self.probed_high.load(Relaxed))
    }

    /// The bounds of the stack, found now. Not at registration: the first hook of a thread may be the realloc that
    /// pthread_getattr_np makes with the thread's own lock held (glibc nptl/pthread_getattr_np.c; a JVM thread begins so),
    /// and asking again from inside would wait for ever. No descriptor hook is called from there.
    #[cold]
    #[inline(never)]
    fn find_stack_now(&self) {
        inside_libc(|| self.find_stack());
        let (low, high) = self.stack();
        self.room.store(low + STACK_NEEDED, Relaxed);
        self.room_len.store(high.saturating_sub(low + STACK_NEEDED), Relaxed);
    }

    /// The bounds of the stack, for the unwinder. The main thread's come from `__libc_stack_end`, because
    /// pthread_getattr_np would open /proc/self/maps, and take a descriptor number, there.
    fn find_stack(&self) {
        if self.tid.load(Relaxed) == sys::getpid() {
            if let Some(end) = unwind::main_stack_end() {
                self.stack_low.store(0, Relaxed);
                self.stack_high.store(end, Relaxed);
            }
            return;
        }
        // SAFETY: pthread_getattr_np initialises the attribute, which is then read and destroyed once.
        unsafe {
            let mut attribute = core::mem::MaybeUninit::<libc::pthread_attr_t>::zeroed();
            if libc::pthread_getattr_np(libc::pthread_self(), attribute.as_mut_ptr()) == 0 {
                let (mut low, mut len) = (null_mut(), 0);
                if libc::pthread_attr_getstack(attribute.as_ptr(), &raw mut low, &raw mut len) == 0 {
                    self.stack_low.store(low as u64, Relaxed);
                    self.stack_high.store(low as u64 + len as u64, Relaxed);
                }
                libc::pthread_attr_destroy(attribute.as_mut_ptr());
            }
        }
    }

    /// Is this the thread's own stack, with room for an unwinder and a report?
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        crate::arch::stack_pointer().wrapping_sub(self.room.load(Relaxed)) < self.room_len.load(Relaxed)
    }

    /// Is there too little stack for an unwinder and a report? On a signal stack of 8 KiB, where the kernel's own frame may
    /// have taken half, or in a thread that was given the least that there is.
    #[inline(always)]
    pub fn tight(&self) -> bool {
        !self.has_room() && self.tight_elsewhere(crate::arch::registers().sp)
    }

    /// The same for a handler that may have interrupted anything: nothing is asked of libc.
    #[cold]
    pub fn is_short_of_stack(&self) -> bool {
        let at = crate::arch::registers().sp;
        if let Some((low, _)) = sys::signal_stack() {
            return at.saturating_sub(low) < STACK_NEEDED;
        }
        let (low, high) = self.stack();
        self.knows_stack() && at >= low && at < high && at < low + STACK_NEEDED
    }

    /// Is there room for an unwinder, as far as can be told without asking for the bounds of the stack?
    #[cold]
    fn probably_has_room(&self) -> bool {
        let at = crate::arch::registers().sp;
        if let Some((low, _)) = sys::signal_stack() {
            return at.saturating_sub(low) >= STACK_NEEDED;
        }
        (1..=STACK_NEEDED.div_ceil(4096)).all(|page| sys::readable((at & !4095).saturating_sub(page * 4096)))
    }

    #[cold]
    #[inline(never)]
    fn tight_elsewhere(&self, at: u64) -> bool {
        if self.stack_high.load(Relaxed) == 0 {
            self.find_stack_now();
        }
        let (low, high) = self.stack();
        if at >= low && at < high {
            return at < low + STACK_NEEDED;
        }
        // Neither a signal stack nor its own: a coroutine, whose bounds nobody knows.
        sys::signal_stack().is_some_and(|(low, len)| at >= low && at < low + len && at - low < STACK_NEEDED)
    }

    /// The bounds of the thread's stack, asked for if they are not known. By the thread itself, when it ends.
    pub fn stack_at_end(&self) -> (u64, u64) {
        if !self.knows_stack() {
            self.find_stack_now();
        }
        self.stack()
    }

    /// The bounds between which a walk that begins at `sp` may read.
    #[inline(always)]
    pub fn readable_stack(&self, sp: u64) -> (u64, u64) {
        if self.knows_stack() || !(self.probed().0..self.probed().1).contains(&sp) {
            self.stack()
        } else {
            self.probed()
        }
    }

    /// The bounds of the thread's stack. The main thread's grows; nothing else is mapped within 128 MiB below its end (the
    /// kernel's stack gap).
    #[inline(always)]
    pub fn stack(&self) -> (u64, u64) {
        let (low, high) = (self.stack_low.load(Relaxed), self.stack_high.load(Relaxed));
        (if low == 0 { high.saturating_sub(128 << 20) } else { low }, high)
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
