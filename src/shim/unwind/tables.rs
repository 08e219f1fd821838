//! The unwind tables of a loaded object, as framehop wants them, and the room that framehop has for a row of them.
//!
//! Why apart from the walk: the tables are whatever a module brings along, so that the fuzzer (src/fuzz) reads them with
//! exactly this, and needs no process around it.
//!
//! Rules: nothing here knows a process or its memory; no `unsafe`.

use core::ops::Range;
use framehop::{ExplicitModuleSectionInfo, Module};

pub type Native<'a> = framehop::UnwinderNative<&'a [u8], Lean>;
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

/// A part of an object's memory: where it lies, and what is there.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub at: u64,
    pub bytes: &'a [u8],
}

impl Part<'_> {
    fn link_range(self, bias: u64) -> Range<u64> {
        let from = self.at.wrapping_sub(bias);
        from..from.saturating_add(self.bytes.len() as u64)
    }
}

/// An object for the unwinder.
pub fn module<'a>(range: Range<u64>, bias: u64, hdr: Part<'a>, eh_frame: Part<'a>) -> Module<&'a [u8]> {
    let info = ExplicitModuleSectionInfo {
        base_svma: 0,
        eh_frame_hdr_svma: Some(hdr.link_range(bias)),
        eh_frame_hdr: Some(hdr.bytes),
        eh_frame_svma: Some(eh_frame.link_range(bias)),
        eh_frame: Some(eh_frame.bytes),
        ..Default::default()
    };
    Module::new(String::new(), range, bias, info)
}

/// Decodes `eh_frame_ptr` of .eh_frame_hdr (LSB Core, "Exception Frame Header").
pub fn eh_frame_address(hdr: Part<'_>) -> Option<u64> {
    let Part { at, bytes } = hdr;
    let word = |i: usize| bytes.get(i..i + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    match (bytes.first()?, bytes.get(1)?) {
        // DW_EH_PE_pcrel | DW_EH_PE_sdata4, what every linker writes.
        (1, 0x1b) => Some(at.wrapping_add(4).wrapping_add_signed(i64::from(word(4)? as i32))),
        // DW_EH_PE_pcrel | DW_EH_PE_udata4.
        (1, 0x13) => Some(at.wrapping_add(4).wrapping_add(u64::from(word(4)?))),
        _ => None,
    }
}
