//! The walk with framehop: its rules of unwinding, the caches of threads, and what it is told of each loaded object.
//!
//! Not on i686, which framehop does not know: see [`super::frame_pointers`].
#![allow(unsafe_code)] // Safety: module data stays mapped while its module is loaded; spare caches are taken once.

use super::modules::{Modules, Object, UNLOADING, ours};
use super::remembered::{SLOTS, Scratch};
use super::tables::{self, Part};
use super::walk::{Reader, Walk};
use crate::arch::Registers;
use crate::recording;
use crate::thread::State;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::Acquire;
use framehop::{FrameAddress, Unwinder};
use record::layout::{Counter, module_flag};

pub use super::tables::Cache;
pub type Native = super::tables::Native<'static>;

#[cfg(target_arch = "x86_64")]
fn registers_of(r: &Registers) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(r.pc, r.sp, r.fp)
}
#[cfg(target_arch = "aarch64")]
fn registers_of(r: &Registers) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(r.lr, r.sp, r.fp)
}

/// Caches made ahead, by threads that make others: framehop builds one on the stack, where a new thread may have little.
pub(super) static SPARE: [AtomicPtr<Cache>; 4] = [const { AtomicPtr::new(null_mut()) }; 4];

#[cold]
#[inline(never)]
pub(super) fn new_cache() -> Box<Cache> {
    Box::new(Cache::new_in())
}

#[cold]
fn spare_cache() -> Box<Cache> {
    let spare = SPARE.iter().map(|p| p.swap(null_mut(), Acquire)).find(|p| !p.is_null());
    // SAFETY: published by `before_thread`, and taken once.
    spare.map_or_else(new_cache, |p| unsafe { Box::from_raw(p) })
}

pub(super) fn unwinder(objects: &[Object]) -> Native {
    let mut native = Native::new();
    for o in objects {
        let (hdr, hdr_len) = o.eh_frame_hdr;
        if hdr == 0 || o.eh_segment_end < hdr + hdr_len {
            continue;
        }
        // SAFETY: mapped by the loader for as long as the object lives; `around_unload` keeps captures away meanwhile.
        let part = |at: u64, to: u64| unsafe {
            let bytes = core::slice::from_raw_parts(at as usize as *const u8, to.saturating_sub(at) as usize);
            Part { at, bytes }
        };
        let header = part(hdr, hdr + hdr_len);
        let Some(eh) = tables::eh_frame_address(header).filter(|eh| (o.start..o.end).contains(eh)) else {
            continue;
        };
        // .eh_frame has no length of its own: it ends with its terminator, at the latest with its segment.
        let eh_end = if eh > hdr { o.eh_segment_end } else { hdr };
        native.add_module(tables::module(o.start..o.end, o.bias, header, part(eh, eh_end)));
    }
    native
}

/// `interrupted`: it begins at an instruction, which is a frame, and not at a return into our own library.
pub(super) fn walk(
    state: &'static State,
    scratch: &mut Scratch,
    list: &Modules,
    start: Registers,
    interrupted: bool,
    out: &mut [u64],
) -> Walk {
    let cache = scratch.cache.get_or_insert_with(spare_cache);
    let mut reader = Reader::new(state, start.sp);
    let mut walked =
        Walk { len: 0, slots: 0, slot: [0; SLOTS], value: [0; SLOTS], exact: reader.on_stack, origin: None };
    let mut registers = registers_of(&start);
    let Some(mut at) = FrameAddress::from_return_address(start.pc) else { return walked };
    if interrupted {
        at = FrameAddress::from_instruction_pointer(start.pc);
        walked.begin_with(list, start.pc, out);
    }
    let first_only = UNLOADING.load(Acquire) != 0;
    // Our own frames come first; a bound on all keeps a damaged stack from going round in circles.
    for _ in 0..out.len() + 16 {
        let next = list.unwinder.unwind_frame(at, &mut registers, cache, &mut |at| reader.read(at));
        let pc = match next {
            Ok(Some(pc)) => pc,
            Ok(None) => break,
            // A null return address or a frame pointer that goes nowhere is how the outermost frame looks where
            // nothing marks it.
            Err(error) => {
                if matches!(error, framehop::Error::CouldNotReadStack(_)) {
                    recording::count(Counter::StacksTruncated);
                }
                break;
            }
        };
        let Some(address) = FrameAddress::from_return_address(pc) else { break };
        at = address;
        // On x86_64 the return address lies just below the caller's stack pointer, but for signal frames.
        let slot = registers.sp().wrapping_sub(8);
        walked.exact &= cfg!(target_arch = "x86_64") && walked.slots < SLOTS && reader.read(slot) == Ok(pc);
        if walked.exact {
            walked.slot[walked.slots] = (slot - start.sp) as u32;
            walked.value[walked.slots] = pc;
            walked.slots += 1;
        }
        // frames[0] is the program's call, never ours and never one of libc on its own behalf.
        if walked.len == 0 {
            let own = ours(pc);
            if !own && walked.origin.is_none() {
                walked.origin = walked.slots.checked_sub(1);
            }
            if own || list.object(pc).is_some_and(|o| o.flags & module_flag::LIBC != 0) {
                continue;
            }
        }
        out[walked.len] = pc;
        walked.len += 1;
        if walked.len == out.len() || first_only {
            walked.exact &= !first_only;
            break;
        }
    }
    walked
}
