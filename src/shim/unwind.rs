//! Stacks: from the registers of the hook to an id in the recording, without allocating, locking or calling libc.
//!
//! framehop does the unwinding, from .eh_frame, with a cache of rules per thread. A stack that this thread has unwound
//! before is *remembered* (see [`remembered::Remembered`]) and only compared; one that it has unwound at another place is recognised
//! by the hash of its addresses.
//!
//! ```text
//! remembered.rs      what a thread has unwound before; compared in place
//! trace.rs           a stack with the places of its addresses, for who compares it himself
//! walk.rs            what a walk yields, and how it reads the stack
//! engine.rs          the walk with framehop
//! cfi.rs             the walk without it: i686
//! frame_pointers.rs  our own frames
//! modules.rs         the list of loaded objects, and its changes
//! loader.rs          what the loader says of an object, without its lock
//! ```
#![allow(unsafe_code)] // Safety: reads are bounded as `walk` says; what a capture is given is its own thread's.

#[cfg(target_arch = "x86")]
mod cfi;
#[cfg(not(target_arch = "x86"))]
mod engine;
mod frame_pointers;
mod loader;
mod modules;
mod remembered;
#[cfg(not(target_arch = "x86"))]
mod tables;
mod trace;
mod walk;

use crate::arch::{self, Registers};
use crate::thread::State;
use crate::{options, recording, sys, thread};
#[cfg(target_arch = "x86")]
use cfi::walk;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
#[cfg(not(target_arch = "x86"))]
use engine::walk;
pub use frame_pointers::{called_by_libc, own_frames};
pub use loader::loading;
pub use modules::{CHANGING, Modules, Object, around_unload, module_of, modules, with_modules};
use modules::{GENERATION, UNLOADING, learn, ours};
use record::layout::{Counter, ThreadCounter};
use record::stacks::{MAX_FRAMES, hash, intern};
use remembered::{CACHED, CHECK_EVERY, Known, ORIGINS, WAYS, remember};
pub use remembered::{Scratch, boxed};
pub use trace::{Trace, caller, ends, generation, trace};

static STACK_END: AtomicU64 = AtomicU64::new(0);

/// Builds the first list. At start, by the thread that starts us, with no lock of the program's held.
pub fn start() {
    // SAFETY: names are NUL-terminated; `__libc_stack_end` is a pointer variable of the loader (GLIBC_2.2.5 / 2.17).
    unsafe {
        let (find, end) = thread::inside_libc(|| {
            let find = libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr());
            let end = libc::dlsym(libc::RTLD_DEFAULT, c"__libc_stack_end".as_ptr());
            if find.is_null() || end.is_null() {
                crate::resolve::forget_failure();
            }
            (find, end)
        });
        loader::FIND_OBJECT.store(find, Relaxed);
        if !end.is_null() {
            let at = *end.cast::<usize>() as u64;
            STACK_END.store((at | 4095) + 1, Relaxed);
        }
    }
    modules::reread();
}

/// The end of the main thread's stack, rounded up to a page.
pub fn main_stack_end() -> Option<u64> {
    Some(STACK_END.load(Relaxed)).filter(|e| *e != 0)
}

/// Before a thread is made, under the guard.
pub fn before_thread() {
    #[cfg(not(target_arch = "x86"))]
    if let Some(place) = engine::SPARE.iter().find(|p| p.load(Relaxed).is_null()) {
        let made = Box::into_raw(engine::new_cache());
        if place.compare_exchange(core::ptr::null_mut(), made, core::sync::atomic::Ordering::Release, Relaxed).is_err()
        {
            // SAFETY: just made, and not published.
            drop(unsafe { Box::from_raw(made) });
        }
    }
}

/// Takes the caller's stack; its id, 0 when there is none. Under the guard, by the owning thread.
#[inline(always)]
pub fn capture(state: &'static State, scratch: &mut Scratch) -> u32 {
    let state = core::ptr::from_ref(state);
    #[cfg(target_arch = "x86")]
    return capture_at(state, scratch, arch::registers().sp, arch::registers().pc, arch::registers().fp);
    #[cfg(not(target_arch = "x86"))]
    // SAFETY: hands its arguments to `capture_at`, of whose types they are.
    unsafe {
        arch::shim_capture(state.cast(), core::ptr::from_mut(scratch).cast())
    }
}

/// The smallest that there are.
const PAGE: u64 = 4096;

/// As [`capture`], which is the only caller, by way of assembly: the caller's registers as they will be when it returns there.
pub extern "C" fn capture_at(state: *const State, scratch: *mut Scratch, sp: u64, from: u64, fp: u64) -> u32 {
    // SAFETY: `capture` passes references.
    let (state, scratch) = unsafe { (&*state, &mut *scratch) };
    let generation = GENERATION.load(Acquire);
    // Hooks that are called from one function are at one depth: which of its calls it is tells them apart.
    let (place, offset) = scratch.origins[(from >> 2) as usize % ORIGINS];
    // They were deeper then, perhaps: a coroutine's stack, or that of a main with an empty environment, may end before.
    let slot = sp + u64::from(offset);
    let (low, high) = state.stack();
    let is_there = (slot ^ sp) < PAGE || (low..high).contains(&sp) && slot < high;
    let caller = if place == from && is_there {
        // SAFETY: aligned, and in the page of the stack pointer or between it and the end of the thread's stack.
        unsafe { *(slot as usize as *const usize) as u64 }
    } else {
        from
    };
    let sets = scratch.remembered.len();
    let set = ((sp >> 4) ^ (caller >> 2) ^ (caller >> 7) ^ (from >> 4)) as usize & (sets - 1);
    // A loop comes by the same way again.
    let (Some(ways), Some(latest)) = (scratch.remembered.get(set), scratch.latest.get(set)) else { return 0 };
    let way = &ways[usize::from(*latest) % WAYS];
    let unwinds = &state.entry.counters[ThreadCounter::Unwinds as usize];
    let count = unwinds.load(Relaxed);
    unwinds.store(count + 1, Relaxed);
    if count % CHECK_EVERY != 0 && way.matches(sp, from, generation) {
        return way.id;
    }
    capture_elsewhere(state, scratch, sp, from, fp, set)
}

/// It is not the latest way of its set.
#[cold]
#[inline(never)]
fn capture_elsewhere(state: &'static State, scratch: &mut Scratch, sp: u64, from: u64, fp: u64, set: usize) -> u32 {
    let (generation, ways) = (GENERATION.load(Acquire), &scratch.remembered[set]);
    let way = ways.iter().position(|r| r.matches(sp, from, generation));
    let hit = way.map(|way| ways[way].id);
    scratch.latest[set] = way.unwrap_or(0) as u8;
    // `capture_at` has counted this one.
    let check = state.entry.counters[ThreadCounter::Unwinds as usize].load(Relaxed) % CHECK_EVERY == 1;
    match hit {
        Some(id) if !check => id,
        _ => capture_slowly(state, scratch, Registers { pc: from, sp, fp, lr: 0 }, set, hit),
    }
}

#[cold]
#[inline(never)]
fn capture_slowly(
    state: &'static State,
    scratch: &mut Scratch,
    registers: Registers,
    set: usize,
    hit: Option<u32>,
) -> u32 {
    let mut frames = [0u64; MAX_FRAMES];
    let depth = options::stack_depth().min(MAX_FRAMES);
    let Some(mut list) = modules(state) else { return 0 };
    let mut walked = walk(state, scratch, list, registers, false, &mut frames[..depth]);
    let mut h = hash(&frames[..walked.len]);
    let known = scratch.known[h as usize % CACHED];
    let mut id = if known.hash == h && known.generation == list.generation { known.id } else { 0 };
    if id == 0 {
        // A frame in no known module: loaded since. Learn it, and unwind again with its help.
        for _ in 0..8 {
            let stranger = frames[..walked.len].iter().copied().find(|pc| list.object(*pc).is_none());
            if !stranger.is_some_and(learn) {
                break;
            }
            let Some(now) = modules(state) else { return 0 };
            list = now;
            walked = walk(state, scratch, list, registers, false, &mut frames[..depth]);
        }
        h = hash(&frames[..walked.len]);
        let mut encoded = [0u64; MAX_FRAMES];
        for (to, pc) in encoded.iter_mut().zip(&frames[..walked.len]) {
            *to = list.encode(*pc);
        }
        id = intern(&recording::RECORDING, &encoded[..walked.len]);
        scratch.known[h as usize % CACHED] = Known { hash: h, generation: list.generation, id };
    }
    match hit {
        Some(remembered) => {
            recording::count(Counter::StacksChecked);
            if remembered != id {
                recording::count(Counter::StacksMismatched);
            }
        }
        None if walked.exact && id != 0 => remember(scratch, set, registers, list.generation, id, &walked),
        None => {}
    }
    id
}

/// The stack of what a signal interrupted, beginning with the very instruction. Under the guard, by the owning thread.
#[cold]
#[inline(never)]
pub fn capture_interrupted(state: &'static State, scratch: &mut Scratch, registers: Registers) -> u32 {
    let mut frames = [0u64; MAX_FRAMES];
    let depth = options::stack_depth().min(MAX_FRAMES);
    for attempt in 0..8 {
        let Some(list) = modules(state) else { return 0 };
        let len = walk(state, scratch, list, registers, true, &mut frames[..depth]).len;
        // As in `capture_slowly`.
        let stranger = frames[..len].iter().copied().find(|pc| list.object(*pc).is_none());
        if attempt < 7 && stranger.is_some_and(learn) {
            continue;
        }
        for pc in &mut frames[..len] {
            *pc = list.encode(*pc);
        }
        return intern(&recording::RECORDING, &frames[..len]);
    }
    0
}

/// The id of these addresses.
fn intern_frames(list: &Modules, addresses: &[u64]) -> u32 {
    let mut frames = [0u64; MAX_FRAMES];
    for (to, pc) in frames.iter_mut().zip(addresses) {
        *to = list.encode(*pc);
    }
    intern(&recording::RECORDING, &frames[..addresses.len().min(MAX_FRAMES)])
}

/// The stack of one frame for an address: of a return address, or one byte behind a variable. 0: nothing is known of it.
pub fn stack_of(state: &'static State, address: u64) -> u32 {
    module_of(state, address);
    let Some(list) = modules(state) else { return 0 };
    if address == 0 || ours(address) {
        return 0;
    }
    intern(&recording::RECORDING, &[list.encode(address)])
}

/// The stack of an address behind an instruction, and of return addresses that need not be right: it ends before the first that no
/// call is in front of.
pub fn stack_of_all(state: &'static State, addresses: &[u64]) -> u32 {
    let Some(list) = modules(state) else { return 0 };
    let mut frames = [0; MAX_FRAMES];
    let mut len = 0;
    for (i, address) in addresses.iter().enumerate().take(MAX_FRAMES) {
        if ours(*address) || list.object(*address).is_none() || i > 0 && !follows_a_call(*address) {
            break;
        }
        frames[i] = list.encode(*address);
        len = i + 1;
    }
    if len == 0 { 0 } else { intern(&recording::RECORDING, &frames[..len]) }
}

/// x86: is there a call in front of the address? Direct, or through a register or memory.
fn follows_a_call(address: u64) -> bool {
    let mut code = [0; 7];
    let read = sys::read_own_memory((address as usize).wrapping_sub(code.len()), &mut code);
    let through = |len: usize| code[7 - len] == 0xff && code[8 - len] >> 3 & 7 == 2;
    read && (code[2] == 0xe8 || [2, 3, 4, 6, 7].into_iter().any(through))
}

/// After fork, in the child: the other threads are gone, and so are the dlcloses that they were in.
pub fn after_fork() {
    UNLOADING.store(0, Relaxed);
}
