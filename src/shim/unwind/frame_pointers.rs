//! Walks along the chain of frame pointers of our own frames, where an unwinder would want more stack than there may be.
#![allow(unsafe_code)] // Safety: the chain is followed through our own functions.

use super::modules::{modules, ours};
use crate::arch;
use crate::thread::State;
use record::layout::module_flag;

/// Is it libc that called the hook that we are in, or somebody whom nobody knows? Needs no unwinder, which wants more stack
/// than there may be: all of our own frames have frame pointers. Under the guard, by the owning thread.
#[cold]
#[inline(never)]
pub fn called_by_libc(state: &'static State) -> bool {
    let Some(list) = modules(state) else { return true };
    let mut frame = arch::registers().fp as usize;
    for _ in 0..if cfg!(frame_pointers) { 32 } else { 0 } {
        // SAFETY: the chain of frame pointers begins with our own frame and is followed through our own functions only.
        let (next, pc) = unsafe { (*(frame as *const usize), *((frame + size_of::<usize>()) as *const usize) as u64) };
        if !ours(pc) {
            return list.object(pc).is_none_or(|o| o.flags & module_flag::LIBC != 0);
        }
        frame = next;
    }
    true
}

/// The frame pointers of our own functions that are being executed, the innermost first, and where the program's stack begins.
/// Nothing where we were built without them.
#[cold]
#[inline(always)]
pub fn own_frames<const MOST: usize>() -> Option<([usize; MOST], usize, usize)> {
    let mut frames = [0; MOST];
    let mut frame = arch::registers().fp as usize;
    for len in 0..if cfg!(frame_pointers) { MOST } else { 0 } {
        frames[len] = frame;
        // SAFETY: as in `called_by_libc`.
        let (next, pc) = unsafe { (*(frame as *const usize), *((frame + size_of::<usize>()) as *const usize) as u64) };
        if !ours(pc) {
            return Some((frames, len + 1, frame + 2 * size_of::<usize>()));
        }
        frame = next;
    }
    None
}
