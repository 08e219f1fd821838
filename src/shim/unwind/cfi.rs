//! The walk on i686, which framehop does not know: our own frames along their frame pointers, the program's by .eh_frame, read with
//! gimli. Where an object has no unwind tables (code made at run time), its frame pointers are tried.
//!
//! Why not frame pointers alone: compilers leave them out, and a stack would end at the program's own call.
//!
//! Rules: registers other than esp and ebp are not followed. Compilers name no others at a call; where one does, the walk ends.
#![allow(unsafe_code)] // Safety: module data stays mapped while its module is loaded; see `super::modules`.

use super::modules::{Modules, Object, UNLOADING, ours};
use super::remembered::{SLOTS, Scratch};
use super::walk::{Reader, Walk};
use crate::arch::Registers;
use crate::recording;
use crate::thread::State;
use core::sync::atomic::Ordering::Acquire;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Operation, RegisterRule, UnwindSection,
};
use record::layout::{Counter, module_flag};

type Bytes = EndianSlice<'static, LittleEndian>;

const WORD: u64 = 4;
const ENCODING: gimli::Encoding = gimli::Encoding { address_size: 4, format: gimli::Format::Dwarf32, version: 1 };
/// Numbers of registers in .eh_frame (System V ABI, Intel386 supplement, "DWARF Register Number Mapping").
const ESP: gimli::Register = gimli::Register(4);
const EBP: gimli::Register = gimli::Register(5);
const EIP: gimli::Register = gimli::Register(8);

/// Room for the rules of one place: it is on the stack, as nothing may be allocated.
struct Lean;
impl<R: gimli::ReaderOffset> gimli::UnwindContextStorage<R> for Lean {
    type Rules = [(gimli::Register, RegisterRule<R>); 12];
    type Stack = [gimli::UnwindTableRow<R, Self>; 3];
}

/// A frame: where it goes on, and its registers there.
#[derive(Clone, Copy)]
struct Frame {
    pc: u64,
    sp: u64,
    fp: u64,
    /// `pc` is the next instruction, not one behind a call.
    exact: bool,
}

enum Next {
    /// The caller's frame, and where its address lies.
    Caller(Frame, u64),
    Outermost,
    /// There are no tables for this address.
    Unknown,
}

/// `interrupted`: it begins at an instruction, which is a frame, and not at a return into our own library.
pub(super) fn walk(
    state: &'static State,
    _: &mut Scratch,
    list: &Modules,
    start: Registers,
    interrupted: bool,
    out: &mut [u64],
) -> Walk {
    let mut reader = Reader::new(state, start.sp);
    let mut walked =
        Walk { len: 0, slots: 0, slot: [0; SLOTS], value: [0; SLOTS], exact: reader.on_stack, origin: None };
    if interrupted {
        walked.begin_with(list, start.pc, out);
    }
    let first_only = UNLOADING.load(Acquire) != 0;
    let mut at = Frame { pc: start.pc, sp: start.sp, fp: start.fp, exact: interrupted };
    for _ in 0..out.len() + 16 {
        let next = if ours(at.pc) && !at.exact { along(at, &mut reader) } else { by_tables(list, at, &mut reader) };
        let next = match next {
            Some(Next::Unknown) => along(at, &mut reader),
            next => next,
        };
        let (next, slot) = match next {
            Some(Next::Caller(next, slot)) => (next, slot),
            Some(Next::Outermost | Next::Unknown) => break,
            None => {
                recording::count(Counter::StacksTruncated);
                break;
            }
        };
        // Each frame lies above the one that it has called.
        if next.pc == 0 || next.sp <= at.sp {
            break;
        }
        at = next;
        walked.exact &= walked.slots < SLOTS && reader.read(slot) == Ok(at.pc);
        if walked.exact {
            walked.slot[walked.slots] = (slot - start.sp) as u32;
            walked.value[walked.slots] = at.pc;
            walked.slots += 1;
        }
        // frames[0] is the program's call, never ours and never one of libc on its own behalf.
        if walked.len == 0 {
            let own = ours(at.pc);
            if !own && walked.origin.is_none() {
                walked.origin = walked.slots.checked_sub(1);
            }
            if own || list.object(at.pc).is_some_and(|o| o.flags & module_flag::LIBC != 0) {
                continue;
            }
        }
        out[walked.len] = at.pc;
        walked.len += 1;
        if walked.len == out.len() || first_only {
            walked.exact &= !first_only;
            break;
        }
    }
    walked
}

/// One step along the chain of frame pointers. `None`: the stack could not be read.
fn along(at: Frame, reader: &mut Reader) -> Option<Next> {
    if at.fp < at.sp {
        return Some(Next::Outermost);
    }
    let (fp, pc) = (reader.read(at.fp).ok()?, reader.read(at.fp + WORD).ok()?);
    Some(Next::Caller(Frame { pc, sp: at.fp + 2 * WORD, fp, exact: false }, at.fp + WORD))
}

/// One step by the unwind tables. `None`: the stack could not be read, or the rule is none that we know.
fn by_tables(list: &Modules, at: Frame, reader: &mut Reader) -> Option<Next> {
    let Some(object) = list.object(at.pc) else { return Some(Next::Unknown) };
    let Some((section, bases, header)) = tables(object) else { return Some(Next::Unknown) };
    let looked_up = if at.exact { at.pc } else { at.pc - 1 };
    let found = header.table().and_then(|table| {
        table
            .fde_for_address(&section, &bases, looked_up, |section, bases, offset| {
                section.cie_from_offset(bases, offset)
            })
            .ok()
    });
    let Some(entry) = found else { return Some(Next::Unknown) };
    let mut context = gimli::UnwindContext::<usize, Lean>::new_in();
    let row = entry.unwind_info_for_address(&section, &bases, &mut context, looked_up).ok()?;

    let mut evaluate = |expression: gimli::UnwindExpression<usize>, first: Option<u64>| {
        evaluate(expression.get(&section).ok()?, first, at, reader)
    };
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => register_of(*register, at)?.wrapping_add_signed(*offset),
        CfaRule::Expression(expression) => evaluate(*expression, None)?,
    } & u64::from(u32::MAX);
    // Where each is kept. A register without a rule is as it was; gimli calls that undefined.
    let mut place = |register| match row.register(register) {
        RegisterRule::Undefined | RegisterRule::SameValue => Some(Kept::AsItWas),
        RegisterRule::Offset(offset) => Some(Kept::At(cfa.wrapping_add_signed(offset) & u64::from(u32::MAX))),
        RegisterRule::ValOffset(offset) => Some(Kept::Is(cfa.wrapping_add_signed(offset) & u64::from(u32::MAX))),
        RegisterRule::Expression(expression) => Some(Kept::At(evaluate(expression, Some(cfa))?)),
        RegisterRule::ValExpression(expression) => Some(Kept::Is(evaluate(expression, Some(cfa))?)),
        _ => None,
    };
    let (back, fp) = (place(entry.cie().return_address_register())?, place(EBP)?);
    let Kept::At(slot) = back else { return Some(Next::Outermost) };
    let pc = reader.read(slot).ok()?;
    let fp = match fp {
        Kept::AsItWas => at.fp,
        Kept::At(slot) => reader.read(slot).ok()?,
        Kept::Is(value) => value,
    };
    Some(Next::Caller(Frame { pc, sp: cfa, fp, exact: entry.is_signal_trampoline() }, slot))
}

enum Kept {
    AsItWas,
    At(u64),
    Is(u64),
}

fn register_of(register: gimli::Register, at: Frame) -> Option<u64> {
    match register {
        ESP => Some(at.sp),
        EBP => Some(at.fp),
        EIP => Some(at.pc),
        _ => None,
    }
}

/// The few operations that describe frames: those of a function that aligns its stack, and of signal frames.
fn evaluate(expression: gimli::Expression<Bytes>, first: Option<u64>, at: Frame, reader: &mut Reader) -> Option<u64> {
    let mut stack = [0u64; 4];
    let mut len = 0;
    if let Some(first) = first {
        stack[0] = first;
        len = 1;
    }
    let mut operations = expression.operations(ENCODING);
    while let Some(operation) = operations.next().ok()? {
        match operation {
            Operation::RegisterOffset { register, offset, .. } => {
                *stack.get_mut(len)? = register_of(register, at)?.wrapping_add_signed(offset);
                len += 1;
            }
            Operation::UnsignedConstant { value } => {
                *stack.get_mut(len)? = value;
                len += 1;
            }
            Operation::SignedConstant { value } => {
                *stack.get_mut(len)? = value as u64;
                len += 1;
            }
            Operation::PlusConstant { value } => {
                let top = stack.get_mut(len.checked_sub(1)?)?;
                *top = top.wrapping_add(value);
            }
            Operation::Plus => {
                let above = *stack.get(len.checked_sub(1)?)?;
                len -= 1;
                let top = stack.get_mut(len.checked_sub(1)?)?;
                *top = top.wrapping_add(above);
            }
            Operation::Deref { .. } => {
                let top = stack.get_mut(len.checked_sub(1)?)?;
                *top = reader.read(*top & u64::from(u32::MAX)).ok()?;
            }
            _ => return None,
        }
    }
    stack.get(len.checked_sub(1)?).map(|top| top & u64::from(u32::MAX))
}

/// .eh_frame and its table, as the loader has mapped them.
fn tables(object: &Object) -> Option<(EhFrame<Bytes>, BaseAddresses, gimli::ParsedEhFrameHdr<Bytes>)> {
    let (hdr, hdr_len) = object.eh_frame_hdr;
    if hdr == 0 || object.eh_segment_end < hdr + hdr_len {
        return None;
    }
    // SAFETY: mapped by the loader for as long as the object lives; `around_unload` keeps captures away meanwhile.
    let bytes = |from: u64, to: u64| unsafe {
        core::slice::from_raw_parts(from as usize as *const u8, to.saturating_sub(from) as usize)
    };
    let bases = BaseAddresses::default().set_eh_frame_hdr(hdr);
    let header = EhFrameHdr::new(bytes(hdr, hdr + hdr_len), LittleEndian).parse(&bases, 4).ok()?;
    let eh = header.eh_frame_ptr().direct().ok().map(|at| at & u64::from(u32::MAX))?;
    if !(object.start..object.end).contains(&eh) {
        return None;
    }
    // .eh_frame has no length of its own: it ends with its terminator, at the latest with its segment.
    let end = if eh > hdr { object.eh_segment_end } else { hdr };
    let mut section = EhFrame::new(bytes(eh, end), LittleEndian);
    section.set_address_size(4);
    Some((section, bases.set_eh_frame(eh), header))
}
