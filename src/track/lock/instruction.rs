//! Does an atomic instruction of x86 end here? What a processor reports of a write is the address behind the instruction, and
//! instructions have no fixed length.
//!
//! So each length is tried: a lock prefix, or an exchange with memory, whose encoding has exactly that length. Other bytes can
//! look so by chance, which makes a write seem atomic that is not: a finding less, not one too many.

/// Bytes before the end that are needed.
pub const LONGEST: usize = 15;

/// `code` ends where the instruction ends. `wide`: 64-bit code.
pub fn is_atomic(code: &[u8], wide: bool) -> bool {
    (2..=code.len().min(LONGEST)).any(|len| atomic_of(&code[code.len() - len..], wide) == Some(len))
}

/// The length of the atomic instruction that these bytes begin with.
fn atomic_of(code: &[u8], wide: bool) -> Option<usize> {
    let mut at = 0;
    let (mut locked, mut short) = (false, false);
    loop {
        match *code.get(at)? {
            0xf0 => locked = true,
            0x66 => short = true,
            0xf2 | 0xf3 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65 => {}
            _ => break,
        }
        at += 1;
    }
    if wide && code.get(at)? & 0xf0 == 0x40 {
        at += 1;
    }
    let opcode = *code.get(at)?;
    at += 1;
    let word = if short { 2 } else { 4 };
    let modrm_at = if opcode == 0x0f { at + 1 } else { at };
    let modrm = *code.get(modrm_at)?;
    let operation = modrm >> 3 & 7;
    let immediate = match (opcode, code.get(at)) {
        // xchg locks by itself.
        (0x86 | 0x87, _) => Some(0),
        _ if !locked => None,
        // add, or, adc, sbb, and, sub, xor to memory.
        (0x00..=0x37, _) if opcode & 7 <= 1 => Some(0),
        (0x80 | 0x83, _) if operation != 7 => Some(1),
        (0x81, _) if operation != 7 => Some(word),
        // not, neg; inc, dec.
        (0xf6 | 0xf7, _) if matches!(operation, 2 | 3) => Some(0),
        (0xfe | 0xff, _) if operation <= 1 => Some(0),
        // cmpxchg, xadd, bts, btr, btc, cmpxchg8b.
        (0x0f, Some(0xb0 | 0xb1 | 0xc0 | 0xc1 | 0xab | 0xb3 | 0xbb)) => Some(0),
        (0x0f, Some(0xba)) if operation >= 5 => Some(1),
        (0x0f, Some(0xc7)) if operation == 1 => Some(0),
        _ => None,
    }?;
    at = modrm_at + 1;
    let (mode, register) = (modrm >> 6, modrm & 7);
    let sib = if mode != 3 && register == 4 {
        at += 1;
        Some(*code.get(at - 1)?)
    } else {
        None
    };
    at += match mode {
        0 if register == 5 || sib.is_some_and(|sib| sib & 7 == 5) => 4,
        0 => 0,
        1 => 1,
        2 => 4,
        // No memory.
        _ => return None,
    };
    Some(at + immediate)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// As it lies behind other code.
    fn after(before: &[u8], code: &[u8]) -> bool {
        is_atomic(&[before, code].concat(), true)
    }

    #[test]
    fn atomic_instructions() {
        for code in [
            &[0xf0, 0x48, 0xff, 0x07][..],                           // lock inc qword [rdi]
            &[0xf0, 0x83, 0x47, 0x38, 0x01],                         // lock add dword [rdi+0x38], 1
            &[0xf0, 0x48, 0x83, 0x40, 0x10, 0x01],                   // lock add qword [rax+0x10], 1
            &[0xf0, 0x0f, 0xc1, 0x02],                               // lock xadd [rdx], eax
            &[0xf0, 0x48, 0x0f, 0xb1, 0x0d, 0x10, 0x20, 0x00, 0x00], // lock cmpxchg [rip+0x2010], rcx
            &[0x48, 0x87, 0x44, 0x24, 0x08],                         // xchg [rsp+8], rax
            &[0x86, 0x07],                                           // xchg [rdi], al
            &[0x66, 0xf0, 0x81, 0x00, 0x34, 0x12],                   // lock add word [rax], 0x1234
            &[0xf0, 0x41, 0x81, 0x84, 0x24, 0, 1, 0, 0, 1, 2, 3, 4], // lock add dword [r12+0x100], imm32
            &[0xf0, 0x48, 0x0f, 0xba, 0x2b, 0x05],                   // lock bts qword [rbx], 5
            &[0xf0, 0x48, 0x0f, 0xc7, 0x0e],                         // lock cmpxchg16b [rsi]
            &[0xf0, 0x29, 0x04, 0x25, 0x10, 0x00, 0x60, 0x00],       // lock sub [0x600010], eax
        ] {
            assert!(after(&[0x90; 15], code) && after(&[], code), "{code:02x?}");
        }
    }

    #[test]
    fn others() {
        for code in [
            &[0x48, 0x89, 0x47, 0x38][..],               // mov [rdi+0x38], rax
            &[0x83, 0x47, 0x38, 0x01],                   // add dword [rdi+0x38], 1
            &[0x48, 0xff, 0x07],                         // inc qword [rdi]
            &[0xc7, 0x40, 0x08, 0x2a, 0x00, 0x00, 0x00], // mov dword [rax+8], 42
            &[0xf3, 0x48, 0xab],                         // rep stosq
            &[0x0f, 0x11, 0x07],                         // movups [rdi], xmm0
            &[0x48, 0x87, 0xd8],                         // xchg rax, rbx
            &[],
        ] {
            assert!(!after(&[0x90; 15], code) && !after(&[], code), "{code:02x?}");
        }
        // The instruction before it is atomic.
        assert!(!after(&[0xf0, 0x48, 0xff, 0x07], &[0x48, 0x89, 0x47, 0x38]));
    }
}
