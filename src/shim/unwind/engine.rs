//! The walk with framehop: its rules of unwinding, the caches of threads, and what it is told of each loaded object.
//!
//! Not on i686, which framehop does not know: see [`super::frame_pointers`].
#![allow(unsafe_code)] // Safety: module data stays mapped while its module is loaded; spare caches are taken once.

use super::modules::{Modules, Object, UNLOADING, ours};
use super::remembered::{SLOTS, Scratch};
use super::walk::{Reader, Walk};
use crate::arch::Registers;
use crate::recording;
use crate::thread::State;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::Acquire;
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};
use record::layout::{Counter, module_flag};

pub type Native = framehop::UnwinderNative<&'static [u8], Lean>;
pub type Cache = framehop::CacheNative<Lean>;

/// Unwinding without allocation, and on small stacks. framehop's own policy keeps rows of 192 rules, which gimli
/// copies over the stack at every step: 20 KiB, more than a signal stack of SIGSTKSZ or a thread of
/// PTHREAD_STACK_MIN has. A row holds a rule per register that it mentions: the callee-saved ones, the return
/// address and a few. One that needs more ends the walk, as any frame does that cannot be unwound.
pub struct Lean;
impl framehop::AllocationPolicy for Lean {
    type GimliUnwindContextStorage<R: gimli::ReaderOffset> = Lean;
    type GimliEvaluationStorage<R: gimli::Reader> = Lean;
}
#[cfg(target_arch = "x86_64")]
const RULES: usize = 17;
#[cfg(not(target_arch = "x86_64"))]
const RULES: usize = 34;
impl<R: gimli::ReaderOffset> gimli::UnwindContextStorage<R> for Lean {
    type Rules = [(gimli::Register, gimli::RegisterRule<R>); RULES];
    type Stack = [gimli::UnwindTableRow<R, Self>; 3];
}
impl<R: gimli::Reader> gimli::EvaluationStorage<R> for Lean {
    type Stack = [gimli::Value; 12];
    type ExpressionStack = [(R, R); 1];
    type Result = [gimli::Piece<R>; 1];
}
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
        let bytes = |from: u64, to: u64| unsafe {
            core::slice::from_raw_parts(from as usize as *const u8, to.saturating_sub(from) as usize)
        };
        let Some(eh) = eh_frame_address(hdr, bytes(hdr, hdr + hdr_len)).filter(|eh| (o.start..o.end).contains(eh))
        else {
            continue;
        };
        // .eh_frame has no length of its own: it ends with its terminator, at the latest with its segment.
        let eh_end = if eh > hdr { o.eh_segment_end } else { hdr };
        let info = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame_hdr_svma: Some(hdr - o.bias..hdr - o.bias + hdr_len),
            eh_frame_hdr: Some(bytes(hdr, hdr + hdr_len)),
            eh_frame_svma: Some(eh - o.bias..eh_end - o.bias),
            eh_frame: Some(bytes(eh, eh_end)),
            ..Default::default()
        };
        native.add_module(Module::new(String::new(), o.start..o.end, o.bias, info));
    }
    native
}

/// Decodes `eh_frame_ptr` of .eh_frame_hdr (LSB Core, "Exception Frame Header").
fn eh_frame_address(at: u64, hdr: &[u8]) -> Option<u64> {
    let word = |i: usize| hdr.get(i..i + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    match (hdr.first()?, hdr.get(1)?) {
        // DW_EH_PE_pcrel | DW_EH_PE_sdata4, what every linker writes.
        (1, 0x1b) => Some((at + 4).wrapping_add_signed(i64::from(word(4)? as i32))),
        // DW_EH_PE_pcrel | DW_EH_PE_udata4.
        (1, 0x13) => Some((at + 4).wrapping_add(u64::from(word(4)?))),
        _ => None,
    }
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
