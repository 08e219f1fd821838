//! x86_64: operands in memory are relative to the next instruction, and the first argument is in edi.

use super::{LEN, Site};

/// How far a load may be from its call.
pub const WINDOW: usize = 48;
/// ModRM, without its register, of a form that `operand` knows: [rip + x].
pub const MEMORY: [u8; 1] = [0x05];
/// endbr64.
pub const MARK: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// `next`: the instruction after this one.
pub fn operand(modrm: u8, displacement: i32, next: u64, _table: u64) -> Option<u64> {
    (modrm & 0xc7 == 0x05).then(|| plus(next, displacement))
}

pub fn plus(base: u64, displacement: i32) -> u64 {
    base.wrapping_add_signed(i64::from(displacement))
}

pub fn word(site: &mut Site, at: u64) -> Option<u64> {
    Some(u64::from(site.read(at)?) | u64::from(site.read(at.wrapping_add(4))?) << 32)
}

pub fn loaded_before(site: &mut Site, number: u32) -> Option<u64> {
    // The call itself is five or six bytes; five of them are in no load.
    let end = LEN - 5;
    let mut other = None;
    for p in (1..end - 1).rev() {
        // A load before another call was not for ours.
        if site.is_call(p, end) {
            break;
        }
        // mov reg, [rip + x]
        if p + 6 > end || site.code[p] != 0x8b {
            continue;
        }
        let Some(target) = site.operand(p) else { continue };
        let rex = if site.code[p - 1] & 0xf0 == 0x40 { site.code[p - 1] } else { 0 };
        let register = site.code[p + 1] >> 3 & 7 | (rex & 4) << 1;
        if !site.within(target) {
            continue;
        }
        let (variable, register) = if rex & 8 == 0 {
            (target, register)
        } else {
            // The address of the variable, from the linker's table; then the variable.
            match (word(site, target), through(&site.code[p + 6..end], register)) {
                (Some(variable), Some(register)) => (variable, register),
                _ => continue,
            }
        };
        if variable % 4 != 0 || site.read(variable) != Some(number) {
            continue;
        }
        // edi: the first argument.
        if register == 7 {
            return Some(variable);
        }
        other = other.or(Some(variable));
    }
    other
}

/// The register of the first `mov r32, [register]`.
fn through(code: &[u8], register: u8) -> Option<u8> {
    if matches!(register & 7, 4 | 5) {
        return None;
    }
    (0..code.len().saturating_sub(1)).find_map(|p| {
        let rex = if p > 0 && code[p - 1] & 0xf0 == 0x40 { code[p - 1] } else { 0 };
        let base = code[p + 1] & 7 | (rex & 1) << 3;
        let is_load = code[p] == 0x8b && code[p + 1] & 0xc0 == 0 && rex & 8 == 0;
        (is_load && base == register).then_some(code[p + 1] >> 3 & 7 | (rex & 4) << 1)
    })
}
