//! Walks along the chain of frame pointers: on i686 that of the program, which framehop does not know; everywhere that of our own
//! frames, where an unwinder would want more stack than there may be.
#![allow(unsafe_code)] // Safety: the chain is followed through our own functions, or read with the bounds of `walk::Reader`.

#[cfg(target_arch = "x86")]
use super::modules::Modules;
use super::modules::{modules, ours};
#[cfg(target_arch = "x86")]
use super::remembered::{SLOTS, Scratch};
#[cfg(target_arch = "x86")]
use super::walk::{Reader, Walk};
use crate::arch;
#[cfg(target_arch = "x86")]
use crate::arch::Registers;
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

#[cfg(target_arch = "x86")]
pub(super) fn walk(
    state: &'static State,
    _: &mut Scratch,
    list: &Modules,
    start: Registers,
    interrupted: bool,
    out: &mut [u64],
) -> Walk {
    let mut reader = Reader::new(state, start.sp);
    let mut walked = Walk { len: 0, slots: 0, slot: [0; SLOTS], value: [0; SLOTS], exact: false, origin: None };
    if interrupted {
        walked.begin_with(list, start.pc, out);
    }
    let (mut fp, mut len) = (start.fp, walked.len);
    for _ in 0..out.len() + 16 {
        let (Ok(next), Ok(pc)) = (reader.read(fp), reader.read(fp + 4)) else { break };
        let known = list.object(pc);
        if pc == 0 || next <= fp {
            break;
        }
        fp = next;
        if len == 0 && (ours(pc) || known.is_some_and(|o| o.flags & module_flag::LIBC != 0)) {
            continue;
        }
        out[len] = pc;
        len += 1;
        if len == out.len() {
            break;
        }
    }
    walked.len = len;
    walked
}
