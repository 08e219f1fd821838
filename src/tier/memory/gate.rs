//! The gate: every allocation, free and thread end passes it, and fork closes it.
//!
//! Why: a forked child has one thread. Whatever another thread was in the midst of stays so for ever there: a lock held, a bit of an
//! atomic bitmap taken for a moment, on which mimalloc waits without a lock. So before a fork nobody may be inside, and then no lock
//! need be taken: all are free.
//!
//! How: each thread has a node, and writes there that it is inside (mimalloc.c, `tier_enter`: two plain stores and a load, about
//! a nanosecond). Whoever closes the gate sets its word, lets the kernel put a barrier on every running thread (membarrier), and
//! waits until all nodes say "outside". Either a thread's entry was visible to the barrier, and is waited for; or its look at the
//! word came after it, and finds the gate closed. Where the kernel has no membarrier, each entry pays for a fence.
//!
//! Rules: a thread that is inside may enter again, closed or not. The closing thread may itself be inside, in a signal handler: it
//! does not wait for itself. Nodes are never freed, so a thread may vanish without a word.
#![allow(unsafe_code)] // Safety: nodes live for ever; the C side is mimalloc.c, whose layout of a node is the same.

use super::os::Os;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicPtr, AtomicU32, fence};

/// As `tier_thread_t` in mimalloc.c.
#[repr(C)]
pub(super) struct Thread {
    inside: AtomicU32,
    used: AtomicU32,
    next: AtomicPtr<Thread>,
}

#[cfg(not(target_pointer_width = "64"))]
use super::small::absent::{gate, tier_gate_enter, tier_gate_forget, tier_gate_leave, tier_gate_own};
#[cfg(target_pointer_width = "64")]
unsafe extern "C" {
    #[link_name = "tier_gate"]
    static GATE: AtomicU32;
    fn tier_gate_enter();
    fn tier_gate_leave();
    fn tier_gate_forget() -> *mut Thread;
    fn tier_gate_own() -> *const Thread;
}

const CLOSED: u32 = 1;
/// No membarrier.
const STRICT: u32 = 2;

const REGISTER_PRIVATE_EXPEDITED: i32 = 16;
const PRIVATE_EXPEDITED: i32 = 8;

static THREADS: AtomicPtr<Thread> = AtomicPtr::new(null_mut());
static MACHINE: AtomicPtr<&'static dyn Os> = AtomicPtr::new(null_mut());

#[cfg(target_pointer_width = "64")]
fn gate() -> &'static AtomicU32 {
    // SAFETY: a static of mimalloc.c that is only used as an atomic word.
    unsafe { &GATE }
}

/// The kernel for whoever has no other way to it: the first that was given.
pub fn machine() -> Option<&'static dyn Os> {
    let os = MACHINE.load(Acquire);
    // SAFETY: leaked by `start`, never freed.
    (!os.is_null()).then(|| unsafe { *os })
}

/// Once per process; again does no harm.
pub fn start(os: &'static dyn Os) {
    if MACHINE.load(Acquire).is_null() {
        let ours = Box::into_raw(Box::new(os));
        if MACHINE.compare_exchange(null_mut(), ours, AcqRel, Acquire).is_err() {
            // SAFETY: it was not published.
            drop(unsafe { Box::from_raw(ours) });
        }
    }
    if os.membarrier(REGISTER_PRIVATE_EXPEDITED).is_err() {
        gate().fetch_or(STRICT, SeqCst);
    }
}

/// Inside while it lives.
pub struct Inside(());

pub fn enter() -> Inside {
    // SAFETY: no argument.
    unsafe { tier_gate_enter() };
    Inside(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        // SAFETY: paired with `enter` on this thread.
        unsafe { tier_gate_leave() };
    }
}

fn threads() -> impl Iterator<Item = &'static Thread> {
    let mut next = THREADS.load(SeqCst);
    core::iter::from_fn(move || {
        // SAFETY: null, or a node, which lives for ever.
        let node = unsafe { next.as_ref() }?;
        next = node.next.load(Acquire);
        Some(node)
    })
}

/// Has the calling thread ever been inside?
pub fn knows_thread() -> bool {
    !own().is_null()
}

/// The calling thread needs its node no more. It may come back for another.
pub fn forget() {
    // SAFETY: the thread's own node or null.
    if let Some(node) = unsafe { tier_gate_forget().as_ref() } {
        node.used.store(0, Release);
    }
}

/// Nobody is inside when this returns, but perhaps the caller; nobody gets in before [`open`]. For one thread at a time.
pub fn close(os: &'static dyn Os) {
    let word = gate().fetch_or(CLOSED, SeqCst);
    if word & STRICT != 0 || os.membarrier(PRIVATE_EXPEDITED).is_err() {
        fence(SeqCst);
    }
    let own = own();
    for thread in threads() {
        let mut tries = 0u32;
        while thread.inside.load(Acquire) != 0 && !core::ptr::eq(thread, own) {
            tries += 1;
            if tries % 64 == 0 {
                os.give_way();
            }
            core::hint::spin_loop();
        }
    }
}

pub fn open(os: &'static dyn Os) {
    gate().fetch_and(!CLOSED, SeqCst);
    os.wake(gate(), u32::MAX);
}

/// In a forked child, where the calling thread is the only one.
pub fn alone() {
    let own = own();
    for thread in threads().filter(|thread| !core::ptr::eq(*thread, own)) {
        thread.inside.store(0, Relaxed);
        thread.used.store(0, Relaxed);
    }
}

fn own() -> *const Thread {
    // SAFETY: no argument; only compared.
    unsafe { tier_gate_own() }
}

/// A node for the calling thread: one that nobody uses, else a new one.
pub(super) extern "C" fn register() -> *mut Thread {
    let unused = |thread: &&Thread| {
        thread.used.load(Relaxed) == 0 && thread.used.compare_exchange(0, 1, AcqRel, Relaxed).is_ok()
    };
    if let Some(thread) = threads().find(unused) {
        return core::ptr::from_ref(thread).cast_mut();
    }
    let node = Box::leak(Box::new(Thread {
        inside: AtomicU32::new(0),
        used: AtomicU32::new(1),
        next: AtomicPtr::new(null_mut()),
    }));
    let mut head = THREADS.load(Acquire);
    loop {
        node.next.store(head, Relaxed);
        match THREADS.compare_exchange(head, node, SeqCst, Acquire) {
            Ok(_) => return node,
            Err(now) => head = now,
        }
    }
}

/// The word was not zero when this thread entered. Returns inside, with the gate open.
pub(super) extern "C" fn wait_outside(thread: *const Thread) {
    // SAFETY: the calling thread's node.
    let (thread, word) = (unsafe { &*thread }, gate());
    loop {
        fence(SeqCst);
        let now = word.load(SeqCst);
        if now & CLOSED == 0 {
            return;
        }
        thread.inside.store(0, Release);
        if let Some(os) = machine() {
            os.wait(word, now);
        }
        thread.inside.store(1, SeqCst);
    }
}
