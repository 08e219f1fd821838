//! The code before a return address, read: what it calls, and from where it has loaded a number.
//!
//! x86_64; i686 has a file of its own, and on aarch64 nothing is known. Why not a disassembler: the few forms that compilers and linkers write are decoded,
//! each is checked against memory (a slot that holds our address, a variable that holds the number), and all else is unknown.
//!
//! `table`: where the module's addresses are relative to, on i686. `within`: does the address lie in the caller's module? `read`: four bytes of memory, when they are there.

/// How far a load may be from its call.
const WINDOW: usize = 48;
/// Of the longest call that is decoded.
const CALL: usize = 6;

/// The bytes before the return address, the last one last; zero where there are none.
fn code(
    from: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
) -> [u8; WINDOW + CALL] {
    let mut bytes = [0; WINDOW + CALL];
    let mut end = bytes.len();
    while end > 0 {
        let start = end.saturating_sub(4);
        let at = from.wrapping_sub((bytes.len() - start) as u64);
        // Two bytes are left over at the front: they are the second half of a word.
        let Some(word) = within(at).then(|| read(at)).flatten() else { break };
        bytes[start..end].copy_from_slice(&word.to_le_bytes()[..end - start]);
        end = start;
    }
    bytes
}

fn signed(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)))
}

fn word(at: u64, read: &mut dyn FnMut(u64) -> Option<u32>) -> Option<u64> {
    Some(u64::from(read(at)?) | u64::from(read(at.wrapping_add(4))?) << 32)
}

/// Is the instruction before the return address a call of this function, through the linker's tables or directly?
pub fn calls(
    from: u64,
    function: u64,
    _table: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
) -> bool {
    if !cfg!(target_arch = "x86_64") {
        return false;
    }
    let code = code(from, within, read);
    let end = code.len();
    let Some(displacement) = signed(&code, end - 4) else { return false };
    let target = from.wrapping_add_signed(displacement);
    // call [rip + x]
    if code[end - 6..end - 4] == [0xff, 0x15] && within(target) && word(target, read) == Some(function) {
        return true;
    }
    // call x
    code[end - 5] == 0xe8 && (target == function || within(target) && jumps(target, function, within, read))
}

/// Is there a stub of the linker's at this address, which jumps to the function?
fn jumps(
    at: u64,
    function: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
) -> bool {
    let mut stub = [0u8; 12];
    for (i, part) in stub.chunks_exact_mut(4).enumerate() {
        let Some(word) = read(at.wrapping_add(i as u64 * 4)) else { return false };
        part.copy_from_slice(&word.to_le_bytes());
    }
    // endbr64, then bnd or notrack, where there are any.
    let mut i = if stub[..4] == [0xf3, 0x0f, 0x1e, 0xfa] { 4 } else { 0 };
    if matches!(stub[i], 0xf2 | 0x3e) {
        i += 1;
    }
    // jmp [rip + x]
    let Some(displacement) = signed(&stub, i + 2).filter(|_| stub[i..i + 2] == [0xff, 0x25]) else { return false };
    let slot = at.wrapping_add(i as u64 + 6).wrapping_add_signed(displacement);
    within(slot) && word(slot, read) == Some(function)
}

/// The variable from which the call before the return address has its first argument, a number that it still holds.
pub fn loaded_before(
    from: u64,
    _table: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
    number: u32,
) -> Option<u64> {
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    let code = code(from, within, read);
    // The call itself is five or six bytes; five of them are in no load.
    let end = code.len() - 5;
    let address = |p: usize| from.wrapping_sub((code.len() - p) as u64);
    let mut other = None;
    for p in (1..end.saturating_sub(1)).rev() {
        // A load before another call was not for ours.
        if p + 5 <= end {
            let Some(displacement) = signed(&code, p + 1) else { break };
            if code[p] == 0xe8 && within(address(p + 5).wrapping_add_signed(displacement)) {
                break;
            }
        }
        if p + 6 <= end && code[p..p + 2] == [0xff, 0x15] {
            break;
        }
        // mov reg, [rip + x]
        if p + 6 > end || code[p] != 0x8b || code[p + 1] & 0xc7 != 0x05 {
            continue;
        }
        let Some(displacement) = signed(&code, p + 2) else { break };
        let target = address(p + 6).wrapping_add_signed(displacement);
        let rex = if code[p - 1] & 0xf0 == 0x40 { code[p - 1] } else { 0 };
        let register = code[p + 1] >> 3 & 7 | (rex & 4) << 1;
        if !within(target) {
            continue;
        }
        let (variable, register) = if rex & 8 == 0 {
            (target, register)
        } else {
            // The address of the variable, from the linker's table; then the variable.
            match (word(target, read), through(&code[p + 6..end], register)) {
                (Some(variable), Some(register)) => (variable, register),
                _ => continue,
            }
        };
        if variable % 4 != 0 || read(variable) != Some(number) {
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
