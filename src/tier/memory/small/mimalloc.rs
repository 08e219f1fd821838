//! mimalloc v3 behind [`Inside`]: see mimalloc.c for what is left of it, and why.
#![allow(unsafe_code)] // Safety: the C side keeps the heaps and blocks it hands out; who frees a block got it from there.

use super::{Heap, Inside};
use crate::memory::gate::{self, Thread};
use crate::memory::os::Os;
use crate::memory::tier::Tier;
use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use libc::{MADV_DONTNEED, PROT_NONE, PROT_READ, PROT_WRITE};

pub(super) type CommitFunction = extern "C" fn(bool, *mut c_void, usize, *mut bool, *mut c_void) -> bool;

/// As `tier_machine_t` in mimalloc.c.
#[repr(C)]
pub(super) struct Machine {
    map: extern "C" fn(usize, bool) -> *mut c_void,
    unmap: extern "C" fn(*mut c_void, usize) -> c_int,
    access: extern "C" fn(*mut c_void, usize, bool) -> c_int,
    discard: extern "C" fn(*mut c_void, usize) -> c_int,
    milliseconds: extern "C" fn() -> i64,
    give_way: extern "C" fn(),
    wait: extern "C" fn(*const AtomicU32, u32),
    wake: extern "C" fn(*const AtomicU32),
    gate_register: extern "C" fn() -> *mut Thread,
    gate_wait: extern "C" fn(*const Thread),
}

#[cfg(not(target_pointer_width = "64"))]
use super::absent::{
    tier_small_abandon, tier_small_allocate, tier_small_free, tier_small_give_back, tier_small_heap, tier_small_start,
    tier_small_thread_ends, tier_small_usable,
};
#[cfg(target_pointer_width = "64")]
unsafe extern "C" {
    fn tier_small_start(machine: *const Machine);
    fn tier_small_heap(at: *mut c_void, size: usize, pinned: bool, commit: CommitFunction, of: *mut c_void) -> *mut u8;
    fn tier_small_allocate(heap: *mut u8, size: usize, align: usize, zeroed: bool, usable: *mut usize) -> *mut u8;
    fn tier_small_free(block: *mut u8) -> usize;
    fn tier_small_usable(block: *const u8) -> usize;
    fn tier_small_give_back(heap: *mut u8);
    fn tier_small_thread_ends();
    fn tier_small_abandon(heap: *mut u8);
}

static MACHINE: Machine = Machine {
    map,
    unmap,
    access,
    discard,
    milliseconds,
    give_way,
    wait,
    wake,
    gate_register: gate::register,
    gate_wait: gate::wait_outside,
};

const UNSTARTED: u32 = 0;
const STARTING: u32 = 1;
const STARTED: u32 = 2;
static STATE: AtomicU32 = AtomicU32::new(UNSTARTED);

/// mimalloc, one per process.
#[derive(Clone, Copy, Debug)]
pub struct Mimalloc(());

impl Mimalloc {
    /// The first call begins it, with the calling thread as its main thread.
    pub fn start(os: &'static dyn Os) -> Self {
        gate::start(os);
        match STATE.compare_exchange(UNSTARTED, STARTING, AcqRel, Acquire) {
            Ok(_) => {
                // SAFETY: once, and the table lives for ever.
                unsafe { tier_small_start(&raw const MACHINE) };
                STATE.store(STARTED, Release);
            }
            Err(_) => {
                while STATE.load(Acquire) != STARTED {
                    os.give_way();
                }
            }
        }
        Self(())
    }
}

impl Inside for Mimalloc {
    fn heap(&self, at: usize, size: usize, giving_back: bool, of: &'static Tier) -> Option<Heap> {
        let tier = core::ptr::from_ref(of).cast_mut().cast();
        // SAFETY: the tier lends the range for ever; `commit` gets the tier back.
        NonNull::new(unsafe { tier_small_heap(at as *mut c_void, size, !giving_back, commit, tier) }).map(Heap)
    }

    #[inline]
    fn allocate(&self, heap: Heap, size: usize, align: usize, zeroed: bool) -> Option<(NonNull<u8>, usize)> {
        let mut usable = 0;
        // SAFETY: a heap of ours, and a number to write.
        let block = unsafe { tier_small_allocate(heap.0.as_ptr(), size, align, zeroed, &raw mut usable) };
        NonNull::new(block).map(|block| (block, usable))
    }

    #[inline]
    fn free(&self, block: NonNull<u8>) -> usize {
        // SAFETY: as the trait demands.
        unsafe { tier_small_free(block.as_ptr()) }
    }

    #[inline]
    fn usable(&self, block: NonNull<u8>) -> usize {
        // SAFETY: as the trait demands.
        unsafe { tier_small_usable(block.as_ptr()) }
    }

    fn give_back(&self, heap: Heap) {
        // SAFETY: a heap of ours.
        unsafe { tier_small_give_back(heap.0.as_ptr()) }
    }

    fn thread_ends(&self) {
        // SAFETY: no argument.
        unsafe { tier_small_thread_ends() }
    }

    fn abandon(&self, heap: Heap) {
        // SAFETY: a heap of ours.
        unsafe { tier_small_abandon(heap.0.as_ptr()) }
    }
}

/// mimalloc wants slices of a tier, or gives them back.
extern "C" fn commit(take: bool, at: *mut c_void, size: usize, zero: *mut bool, of: *mut c_void) -> bool {
    // SAFETY: what `heap` passed.
    let tier = unsafe { &*of.cast::<Tier>() };
    if !take {
        tier.give(at as usize, size);
        return true; // It must ask again before it touches them.
    }
    let Some(clean) = tier.take(at as usize, size) else { return false };
    if !zero.is_null() {
        // SAFETY: mimalloc's own variable.
        unsafe { *zero = clean };
    }
    true
}

// mimalloc's own metadata lies in ordinary memory.

extern "C" fn map(size: usize, accessible: bool) -> *mut c_void {
    let protection = if accessible { PROT_READ | PROT_WRITE } else { PROT_NONE };
    let map = gate::machine().and_then(|os| os.map_own(size, protection).ok());
    map.map_or(null_mut(), |at| at as *mut c_void)
}

/// 0, or an error number.
fn answer(call: impl FnOnce(&'static dyn Os) -> crate::memory::os::Answer<()>) -> c_int {
    match gate::machine().map(call) {
        Some(Ok(())) => 0,
        Some(Err(error)) => error.0,
        None => libc::ENOSYS,
    }
}

extern "C" fn unmap(at: *mut c_void, size: usize) -> c_int {
    answer(|os| os.unmap_own(at as usize, size))
}

extern "C" fn access(at: *mut c_void, size: usize, allow: bool) -> c_int {
    let protection = if allow { PROT_READ | PROT_WRITE } else { PROT_NONE };
    answer(|os| os.mprotect(at as usize, size, protection))
}

extern "C" fn discard(at: *mut c_void, size: usize) -> c_int {
    answer(|os| os.madvise(at as usize, size, MADV_DONTNEED))
}

extern "C" fn milliseconds() -> i64 {
    gate::machine().map_or(0, |os| os.milliseconds() as i64)
}

extern "C" fn give_way() {
    if let Some(os) = gate::machine() {
        os.give_way();
    }
}

extern "C" fn wait(word: *const AtomicU32, value: u32) {
    if let Some(os) = gate::machine() {
        // SAFETY: a live word of mimalloc's.
        os.wait(unsafe { &*word }, value);
    }
}

extern "C" fn wake(word: *const AtomicU32) {
    if let Some(os) = gate::machine() {
        // SAFETY: as above.
        os.wake(unsafe { &*word }, 1);
    }
}
