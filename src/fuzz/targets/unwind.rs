//! The unwind tables of a module, and a stack: the walk of the library, with the library's tables and limits.
//!
//! ```text
//! pc:16 sp:16 fp:16 stack_words:16 gap:16 header_len:16 | stack | .eh_frame_hdr | .eh_frame
//! ```
//!
//! Claims: the walk ends, without a panic, and asks for no more words than it has steps for.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused))]

use crate::tables::{self, Cache, Native, Part};
use framehop::{FrameAddress, Unwinder};

const MODULE: u64 = 0x55_0000_0000;
const STACK: u64 = 0x7ffc_0000_0000;
/// As many frames as the library takes.
const MOST: usize = 32 + 16;

#[cfg(target_arch = "x86_64")]
pub fn run(input: &[u8]) {
    let Some((head, rest)) = input.split_first_chunk::<12>() else { return };
    let field = |i: usize| u64::from(u16::from_le_bytes([head[i * 2], head[i * 2 + 1]]));
    let take = |from: &'_ mut &[u8], len: u64| {
        let (front, back) = from.split_at(from.len().min(len as usize));
        *from = back;
        front.to_vec()
    };
    let mut rest = rest;
    let stack = take(&mut rest, field(3) % 64 * 8);
    let header = take(&mut rest, field(5));
    let hdr = Part { at: MODULE + 0x1000, bytes: &header };
    // As the library finds it, or where `gap` says.
    let found = tables::eh_frame_address(hdr).unwrap_or(hdr.at + header.len() as u64 + field(4));
    let mut native = Native::new();
    native.add_module(tables::module(MODULE..MODULE + 0x10000, MODULE, hdr, Part { at: found, bytes: rest }));
    let mut cache = Cache::new_in();
    let mut registers = framehop::UnwindRegsNative::new(MODULE + field(0), STACK + field(1) % 512, STACK + field(2));
    let mut at = FrameAddress::from_instruction_pointer(MODULE + field(0));
    for _ in 0..MOST {
        let mut reads = 0;
        let next = native.unwind_frame(at, &mut registers, &mut cache, &mut |address: u64| {
            reads += 1;
            let from = address.checked_sub(STACK).ok_or(())? as usize;
            let word = stack.get(from..from.checked_add(8).ok_or(())?).ok_or(())?;
            word.try_into().map(u64::from_le_bytes).map_err(|_| ())
        });
        assert!(reads < 100_000, "{reads} words for one frame");
        let Ok(Some(pc)) = next else { break };
        let Some(address) = FrameAddress::from_return_address(pc) else { break };
        at = address;
    }
}

/// The registers are those of the machine.
#[cfg(not(target_arch = "x86_64"))]
pub fn run(_: &[u8]) {}
