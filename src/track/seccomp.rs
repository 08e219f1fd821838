//! What a seccomp filter answers to a system call: the part of classic BPF that seccomp(2) accepts, evaluated here.
//!
//! Why: shim makes system calls of its own in the program's threads. A program that has locked itself in may be ended by one that
//! its filter does not know, so the filter is asked first (`sandbox` in shim).
//!
//! Rules of the machine: the kernel's Documentation/networking/filter.rst, "BPF kernel internals" for the operations, and
//! seccomp_check_filter in kernel/seccomp.c for those that are accepted. It has refused filters that jump backwards or out of the
//! program, so a program of n instructions ends after n steps; what is no such filter is answered like one that kills.

/// One instruction, as `struct sock_filter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    pub code: u16,
    pub jump_if: u8,
    pub jump_else: u8,
    pub k: u32,
}

/// A system call as filters see it: `struct seccomp_data`.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub number: u32,
    /// AUDIT_ARCH_*.
    pub architecture: u32,
    pub instruction_pointer: u64,
    pub arguments: [u64; 6],
}

/// AUDIT_ARCH_* of this machine's programs.
#[cfg(target_arch = "x86_64")]
pub const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(target_arch = "x86")]
pub const ARCHITECTURE: u32 = 0x4000_0003;

/// SECCOMP_RET_KILL_PROCESS.
pub const KILL: u32 = 0x8000_0000;
const ALLOW: u32 = 0x7fff_0000;
const LOG: u32 = 0x7ffc_0000;
const ACTION: u32 = 0xffff_0000;

/// The instructions of a program that the kernel takes: BPF_MAXINSNS.
pub const LONGEST: usize = 4096;
const CALL_LEN: u32 = 64;

/// Does the kernel go on with the call, whatever it says of it?
pub fn passes(answer: u32) -> bool {
    matches!(answer & ACTION, ALLOW | LOG)
}

impl Call {
    /// The 32-bit word at this offset of `struct seccomp_data`, in the order of bytes of this machine.
    fn word(&self, offset: u32) -> Option<u32> {
        if offset % 4 != 0 {
            return None;
        }
        let half =
            |value: u64, second: bool| (value >> if second == cfg!(target_endian = "little") { 32 } else { 0 }) as u32;
        Some(match offset {
            0 => self.number,
            4 => self.architecture,
            8 | 12 => half(self.instruction_pointer, offset == 12),
            _ => half(*self.arguments.get((offset as usize - 16) / 8)?, offset % 8 == 4),
        })
    }
}

/// The return value of the filter: SECCOMP_RET_*, with its data.
pub fn evaluate(program: &[Instruction], call: &Call) -> u32 {
    run(program, call).unwrap_or(KILL)
}

fn run(program: &[Instruction], call: &Call) -> Option<u32> {
    let (mut a, mut x) = (0u32, 0u32);
    let mut memory = [0u32; 16];
    let mut at = 0usize;
    // Forward only: each instruction at most once.
    for _ in 0..program.len() {
        let Instruction { code, jump_if, jump_else, k } = *program.get(at)?;
        at += 1;
        let operand = if code & 0x08 != 0 { x } else { k };
        match code {
            // BPF_LD | BPF_W | BPF_ABS, | BPF_LEN; BPF_LDX | BPF_W | BPF_LEN
            0x20 => a = call.word(k)?,
            0x80 => a = CALL_LEN,
            0x81 => x = CALL_LEN,
            // Immediate, and the scratch memory: BPF_LD, BPF_LDX, BPF_ST, BPF_STX
            0x00 => a = k,
            0x01 => x = k,
            0x60 => a = *memory.get(k as usize)?,
            0x61 => x = *memory.get(k as usize)?,
            0x02 => *memory.get_mut(k as usize)? = a,
            0x03 => *memory.get_mut(k as usize)? = x,
            // BPF_ALU, with BPF_K and BPF_X
            0x04 | 0x0c => a = a.wrapping_add(operand),
            0x14 | 0x1c => a = a.wrapping_sub(operand),
            0x24 | 0x2c => a = a.wrapping_mul(operand),
            // A division by zero in X ends the program with 0, which is to kill the thread.
            0x34 | 0x3c => match a.checked_div(operand) {
                Some(quotient) => a = quotient,
                None => return Some(0),
            },
            0x44 | 0x4c => a |= operand,
            0x54 | 0x5c => a &= operand,
            0x64 | 0x6c => a = a.wrapping_shl(operand),
            0x74 | 0x7c => a = a.wrapping_shr(operand),
            0x84 => a = a.wrapping_neg(),
            0xa4 | 0xac => a ^= operand,
            // BPF_JMP: always, ==, >, >=, &
            0x05 => at = at.checked_add(k as usize)?,
            0x15 | 0x1d => at += usize::from(if a == operand { jump_if } else { jump_else }),
            0x25 | 0x2d => at += usize::from(if a > operand { jump_if } else { jump_else }),
            0x35 | 0x3d => at += usize::from(if a >= operand { jump_if } else { jump_else }),
            0x45 | 0x4d => at += usize::from(if a & operand != 0 { jump_if } else { jump_else }),
            // BPF_RET, BPF_MISC
            0x06 => return Some(k),
            0x16 => return Some(a),
            0x07 => x = a,
            0x87 => a = x,
            _ => return None,
        }
    }
    None
}
