//! The stacks that a thread has taken before: compared in place, or recognised by their hash. The way of nearly every capture.
//!
//! Why: a program takes its stacks at few places, and takes the same ones again.
#![allow(unsafe_code)] // Safety: slots are read where they were found with the same stack pointer; tables are built in place.

#[cfg(not(target_arch = "x86"))]
use super::engine;
use super::walk::Walk;
use crate::alloc;
use crate::arch::Registers;

pub(super) const CACHED: usize = 256;

#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) hash: u64,
    pub(super) generation: u32,
    pub(super) id: u32,
}

/// A full unwind, kept to be compared.
///
/// The address that a capture returns to fixes the layout of the innermost frame, and with it the slot of that frame's
/// return address. If that slot holds the remembered address, the next frame is the same function at the same call,
/// which fixes the next slot, and so on outwards: equal slots are an equal stack. Only a frame of run-time size (alloca)
/// whose other slots happen to be equal could deceive; every [`CHECK_EVERY`]th hit is unwound in full and compared, and
/// the counters say how often it was wrong.
pub(super) struct Remembered {
    sp: u64,
    /// Where the capture returned to.
    from: u64,
    pub(super) generation: u32,
    pub(super) id: u32,
    len: u32,
    slots: [u32; SLOTS],
    values: [u64; SLOTS],
}

/// Slots are compared by so many; the last ones are repeated to fill up.
const STEP: usize = 4;
/// Frames of ours plus those of a stack of the default depth; deeper ones are not remembered.
pub(super) const SLOTS: usize = 44;
pub(super) const WAYS: usize = 4;
/// Of a thread; more where every block is followed.
const SETS: usize = 32;
const SETS_FULL: usize = 1024;
/// Our own frames take less than this.
const OWN_FRAMES: u32 = 2048;
/// Places of our own from which stacks are taken.
pub(super) const ORIGINS: usize = 16;
pub(super) const CHECK_EVERY: u64 = 4096;

impl Remembered {
    #[inline(always)]
    pub(super) fn matches(&self, sp: u64, from: u64, generation: u32) -> bool {
        if self.sp != sp || self.from != from || self.generation != generation {
            return false;
        }
        // Every slot is read, whatever the one before it held: that is cheaper than to stop at the first difference.
        let mut difference = 0;
        for step in 0..self.len as usize {
            for i in step * STEP..step * STEP + STEP {
                // SAFETY: `len` steps are within the arrays (`remember`). The slots lie between this stack pointer and the top
                // of this thread's stack: they did when they were found with the same stack pointer, and the top has not moved.
                difference |= unsafe {
                    let slot = u64::from(*self.slots.get_unchecked(i));
                    *((sp + slot) as usize as *const usize) as u64 ^ *self.values.get_unchecked(i)
                };
            }
        }
        difference == 0
    }
}

/// What a thread keeps for unwinding.
pub struct Scratch {
    pub(super) known: Box<[Known; CACHED]>,
    pub(super) remembered: Box<[[Remembered; WAYS]]>,
    next_way: usize,
    /// Is there any entry? A new thread's are zero, and many threads never take a stack: their pages are not touched.
    any: bool,
    /// The way of each set that was the right one last.
    pub(super) latest: Box<[u8]>,
    /// For a place of our own from which stacks are taken: where, seen from its stack pointer, the address lies at which our
    /// own frames end. Only to spread captures over the sets: there may be many calls at one depth.
    pub(super) origins: [(u64, u32); ORIGINS],
    #[cfg(not(target_arch = "x86"))]
    pub(super) cache: Option<Box<engine::Cache>>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            known: boxed(Known::default()),
            // SAFETY: numbers only; zero is an empty entry.
            remembered: unsafe { alloc::zeroed(sets()) },
            next_way: 0,
            any: false,
            latest: vec![0; sets()].into_boxed_slice(),
            origins: [(0, 0); ORIGINS],
            #[cfg(not(target_arch = "x86"))]
            cache: None,
        }
    }
}

impl Scratch {
    /// Is what unwinding needs made already?
    pub fn is_made(&self) -> bool {
        #[cfg(not(target_arch = "x86"))]
        return self.cache.is_some();
        #[cfg(target_arch = "x86")]
        true
    }

    /// For a thread that takes over an ended one's state: its stack may lie elsewhere, and end earlier.
    pub fn forget(&mut self) {
        if core::mem::take(&mut self.any) {
            for remembered in self.remembered.as_flattened_mut() {
                remembered.generation = 0;
            }
        }
    }
}

fn sets() -> usize {
    if crate::heap::level() == crate::heap::Level::Full { SETS_FULL } else { SETS }
}

/// An array of copies, built where it will lie.
pub fn boxed<T: Copy, const N: usize>(value: T) -> Box<[T; N]> {
    let mut table: Box<[core::mem::MaybeUninit<T>]> = Box::new_uninit_slice(N);
    for place in &mut table {
        place.write(value);
    }
    // SAFETY: every place was written; N of them are the array.
    unsafe { Box::from_raw(Box::into_raw(table).cast()) }
}

pub(super) fn remember(scratch: &mut Scratch, set: usize, at: Registers, generation: u32, id: u32, walked: &Walk) {
    if let Some(origin) = walked.origin.filter(|origin| walked.slot[*origin] < OWN_FRAMES) {
        scratch.origins[(at.pc >> 2) as usize % ORIGINS] = (at.pc, walked.slot[origin]);
    }
    let set = &mut scratch.remembered[set];
    // An outdated entry first, else in turn.
    let way = set.iter().position(|r| r.generation != generation).unwrap_or(scratch.next_way % WAYS);
    scratch.next_way = scratch.next_way.wrapping_add(1);
    scratch.any = true;
    let to = &mut set[way];
    to.generation = 0;
    let steps = walked.slots.div_ceil(STEP);
    for i in 0..steps * STEP {
        let from = i.min(walked.slots - 1);
        (to.slots[i], to.values[i]) = (walked.slot[from], walked.value[from]);
    }
    (to.sp, to.from, to.len, to.id) = (at.sp, at.pc, steps as u32, id);
    to.generation = generation;
}
