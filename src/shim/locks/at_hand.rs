//! What a thread had at hand when a lock call failed: the blocks that its registers and the innermost words of its stack point to,
//! and the block that the lock lies in.
//!
//! ```text
//! a lock call fails ─► note ─► track::lock::hand, by block ◄─ earlier ◄─ a freed block is written, read, freed again
//! ```
//!
//! Why: a destructor whose lock fails and that returns "smoothly" leaves its object half destroyed. What comes of that is found
//! much later, in another thread, as a write to freed memory; the failure is where it began. The object is what the destructor
//! was called with, so a pointer to it is in a register that the call preserves, or in the frames next to it.
//!
//! **Where the program's registers are.** A function of ours that uses a register that it must preserve pushes it next to its
//! frame pointer. The outermost of our frames that did has what the program had in it; what none of them pushed is still there.
//!
//! Rules: with `heap=full` only, whose table knows starts of blocks; bounded words, bounded blocks; a word that points to no live
//! block's start is nothing.
#![allow(unsafe_code)] // Safety: reads words of the calling thread's own stack, above its stack pointer.

use crate::heap::{self, Level, shadow};
use crate::thread::Scope;
use crate::{arch, sys, unwind};
use core::sync::atomic::Ordering::Relaxed;
use record::findings::Earlier;
use track::heap::{Facts, State};
use track::lock::hand::{Failed, Hands, Life};
use track::lock::{Failure, Party, StackId, Tid};

#[unsafe(link_section = ".bss.tables")]
static HANDS: Hands = Hands::new();

/// Words of the program's stack that are looked at.
const WORDS: usize = 64;
/// Blocks of a failure.
const BLOCKS: usize = 8;
/// Frames of our own.
const FRAMES: usize = 16;
/// Registers that a function preserves, its caller's frame pointer among them, which need not be one: where a frame keeps them, in
/// words from its own.
#[cfg(not(target_arch = "aarch64"))]
const KEPT: core::ops::RangeInclusive<isize> = -5..=0;
#[cfg(target_arch = "aarch64")]
const KEPT: core::ops::RangeInclusive<isize> = 2..=11;

fn life(address: usize, facts: &Facts) -> Life {
    Life { address, born: facts.born, stack: facts.allocator.stack }
}

/// The life of the live block that starts there.
fn starting(address: usize) -> Option<Life> {
    let facts = shadow::entry(address)?.facts()?;
    let its = facts.state == State::Live && facts.low == shadow::low(address);
    its.then(|| life(address, &facts))
}

/// A lock call has failed.
#[inline(never)]
pub fn note(scope: &Scope, failure: &Failure) {
    if heap::level() != Level::Full {
        return;
    }
    let mut failed = Failed {
        lock: failure.lock,
        by: Party { tid: Tid(scope.state.tid.load(Relaxed)), stack: StackId(failure.stack) },
        kind: failure.what.kind() as u8,
        call: record::lock::call::code(failure.call),
        errno: failure.errno,
        ignored: false,
        inside: true,
        time: failure.time,
    };
    if let Some((address, facts)) = shadow::around(failure.lock) {
        HANDS.note(&life(address, &facts), &failed);
    }
    failed.inside = false;
    let mut left = BLOCKS;
    words(scope, &mut |word| {
        if let Some(life) = starting(word) {
            HANDS.note(&life, &failed);
            left -= 1;
        }
        left > 0
    });
}

/// The words that the program had at hand, until the function has enough.
fn words(scope: &Scope, look: &mut dyn FnMut(usize) -> bool) {
    let Some((frames, len, top)) = unwind::own_frames::<FRAMES>() else { return };
    for frame in frames[..len].iter().rev() {
        for at in KEPT {
            // SAFETY: next to a frame pointer of our own, above our stack pointer.
            let word = unsafe { *(*frame as *const usize).offset(at) };
            if !look(word) {
                return;
            }
        }
    }
    if !arch::saved_registers().iter().all(|word| look(*word as usize)) {
        return;
    }
    let (low, high) = scope.state.stack();
    let known = scope.state.knows_stack() && (low..high).contains(&(top as u64));
    let page = sys::page();
    for at in (0..WORDS).map(|word| top + word * size_of::<usize>()) {
        let readable = if known { (at as u64) < high } else { at / page == top / page || sys::readable(at as u64) };
        if !readable {
            return;
        }
        // SAFETY: on the thread's stack, or readable.
        if !look(unsafe { *(at as *const usize) }) {
            return;
        }
    }
}

/// The thread goes on with a lock that it failed to take.
pub fn ignored(scope: &Scope, lock: usize) {
    if heap::level() == Level::Full {
        HANDS.ignored(lock, Tid(scope.state.tid.load(Relaxed)));
    }
}

/// The first lock call that failed with this block at hand, and who made it.
pub fn earlier(address: usize, facts: &Facts) -> Option<(Earlier, Party)> {
    let failed = HANDS.find(&life(address, facts))?;
    let Failed { kind, call, errno, ignored, inside, .. } = failed;
    Some((Earlier { lock: failed.lock as u64, kind, call, errno, ignored, inside }, failed.by))
}
