//! A stack as its addresses and the places where they lie, for who wants to recognise it without unwinding again.
//!
//! Beside `remembered`, which does so for whole stacks and from inside of our own frames: `tiers` compares only as many frames as its
//! rules have looked at, and begins at the program's call, which [`caller`] finds along our own frame pointers.
#![allow(unsafe_code)] // Safety: the chain of our own frames.

use super::modules::{ENDS, GENERATION, learn, modules, ours};
use super::remembered::{SLOTS, Scratch};
use super::{intern_frames, walk};
use crate::arch::{self, Registers};
use crate::options;
use crate::thread::State;
use core::sync::atomic::Ordering::Acquire;
use record::stacks::MAX_FRAMES;

/// Of the list of modules: addresses mean the same as long as it is.
#[inline(always)]
pub fn generation() -> u32 {
    GENERATION.load(Acquire)
}

/// Addresses that were looked up may mean something else when this has changed.
pub fn ends() -> u32 {
    ENDS.load(Acquire)
}

/// Who has called the hook that we are in: the return address, and where on the stack it lies. Nothing where we were built without
/// frame pointers.
#[inline(always)]
pub fn caller() -> Option<(u64, u64)> {
    if !cfg!(frame_pointers) {
        return None;
    }
    let (next, found) = caller_of(arch::frame());
    if ours(found.0) { caller_behind(next) } else { Some(found) }
}

/// Our own functions are few, and the last of them is the hook.
#[inline(never)]
fn caller_behind(mut frame: usize) -> Option<(u64, u64)> {
    for _ in 0..16 {
        let (next, found) = caller_of(frame);
        if !ours(found.0) {
            return Some(found);
        }
        frame = next;
    }
    None
}

/// The next frame, and a return address with its place.
#[inline(always)]
fn caller_of(frame: usize) -> (usize, (u64, u64)) {
    let slot = frame + size_of::<usize>();
    // SAFETY: the chain of frame pointers begins with one of our own frames and is followed through our own functions only.
    unsafe { (*(frame as *const usize), (*(slot as *const usize) as u64, slot as u64)) }
}

/// A stack, and where its addresses lie.
pub struct Trace {
    /// Its id in the recording.
    pub id: u32,
    frames: [u64; MAX_FRAMES],
    len: usize,
    /// Addresses and values of the return addresses behind our own frames, libc's own included; none when they are not all known.
    slots: [(u64, u64); SLOTS],
    slots_len: usize,
    /// Which of them is the program's call.
    first: usize,
}

impl Trace {
    /// Return addresses, the program's call first.
    pub fn frames(&self) -> &[u64] {
        &self.frames[..self.len]
    }

    /// The places and values of return addresses from the hook's caller to the program's `depth`th frame. Where the stack is shorter:
    /// all. Nothing when they are not known.
    pub fn slots_of(&self, depth: usize) -> Option<&[(u64, u64)]> {
        let end = (self.first + depth).min(self.slots_len);
        let complete = self.slots_len > 0 && (end == self.first + depth || self.slots_len - self.first >= self.len);
        complete.then(|| &self.slots[..end])
    }
}

/// The stack of this call, with `depth` frames at least, if it has them. Under the guard, by the owning thread.
#[cold]
#[inline(never)]
pub fn trace(state: &'static State, scratch: &mut Scratch, depth: usize) -> Option<Trace> {
    let at: Registers = arch::registers();
    let mut frames = [0u64; MAX_FRAMES];
    let depth = depth.max(options::stack_depth()).min(MAX_FRAMES);
    for attempt in 0..8 {
        let list = modules(state)?;
        let walked = walk(state, scratch, list, at, false, &mut frames[..depth]);
        let stranger = frames[..walked.len].iter().copied().find(|pc| list.object(*pc).is_none());
        if attempt < 7 && stranger.is_some_and(learn) {
            continue;
        }
        let mut trace = Trace {
            id: intern_frames(list, &frames[..walked.len]),
            frames,
            len: walked.len,
            slots: [(0, 0); SLOTS],
            slots_len: 0,
            first: 0,
        };
        if walked.exact {
            let all = walked.slot[..walked.slots].iter().zip(&walked.value[..walked.slots]);
            let outside = all.skip_while(|(_, value)| ours(**value));
            for (to, (slot, value)) in trace.slots.iter_mut().zip(outside) {
                *to = (at.sp + u64::from(*slot), *value);
                trace.slots_len += 1;
            }
            let call = trace.frames().first().copied();
            match trace.slots[..trace.slots_len].iter().position(|(_, value)| Some(*value) == call) {
                Some(first) => trace.first = first,
                None => trace.slots_len = 0,
            }
        }
        return Some(trace);
    }
    None
}
