//! i686: a module's addresses are relative to a table whose address is in ebx (System V ABI, Intel386 supplement), or, in a program at a
//! fixed address, as they are. Arguments are pushed, the first one last.

use super::{LEN, Site, signed};

/// How far a load may be from its call.
pub const WINDOW: usize = 32;
/// ModRM, without its register, of the forms that `operand` knows: [x], [ebx + x].
pub const MEMORY: [u8; 2] = [0x05, 0x83];
/// endbr32.
pub const MARK: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfb];

pub fn operand(modrm: u8, displacement: i32, _next: u64, table: u64) -> Option<u64> {
    match modrm & 0xc7 {
        0x05 => Some(plus(0, displacement)),
        0x83 if table != 0 => Some(plus(table, displacement)),
        _ => None,
    }
}

/// In 32 bits.
pub fn plus(base: u64, displacement: i32) -> u64 {
    u64::from((base as u32).wrapping_add_signed(displacement))
}

pub fn word(site: &mut Site, at: u64) -> Option<u64> {
    site.read(at).map(u64::from)
}

pub fn loaded_before(site: &mut Site, number: u32) -> Option<u64> {
    // The call itself is five or six bytes; five of them are in no load.
    let end = LEN - 5;
    let mut other = None;
    for p in (0..end - 1).rev() {
        // A load before another call was not for ours.
        if site.is_call(p, end) {
            break;
        }
        // mov eax, [x]; push [x], push [ebx + x]; mov reg, [x], mov reg, [ebx + x]: from where, how long, and is it the argument itself
        let (at, len, pushes) = match (site.code[p], site.code[p + 1]) {
            (0xa1, _) => (signed(&site.code, p + 1).map(|x| plus(0, x)), 5, false),
            (0xff, modrm) if modrm >> 3 & 7 == 6 => (site.operand(p), 6, true),
            (0x8b, _) => (site.operand(p), 6, false),
            _ => continue,
        };
        let Some(at) = at.filter(|at| p + len <= end && at % 4 == 0 && site.within(*at)) else { continue };
        if pushes && site.read(at) == Some(number) {
            return Some(at);
        }
        if pushes {
            continue;
        }
        let register = if site.code[p] == 0xa1 { 0 } else { site.code[p + 1] >> 3 & 7 };
        if site.read(at) == Some(number) {
            // push reg: the nearest load of a register that is pushed.
            if site.code[p + len..end].contains(&(0x50 | register)) {
                return Some(at);
            }
            other = other.or(Some(at));
            continue;
        }
        // The address of the variable, from the linker's table; then the variable: push [reg], or mov reg, [reg].
        let through = !matches!(register, 4 | 5)
            && site.code[p + len..end]
                .windows(2)
                .any(|two| two[0] == 0xff && two[1] == 0x30 | register || two[0] == 0x8b && two[1] & 0xc7 == register);
        let variable = site.read(at).map(u64::from).filter(|variable| through && variable % 4 == 0);
        if let Some(variable) = variable.filter(|variable| site.read(*variable) == Some(number)) {
            return Some(variable);
        }
    }
    other
}
