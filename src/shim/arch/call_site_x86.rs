//! i686: the code before a return address, read: what it calls, and from where it has loaded a number. See `call_site.rs`, which is
//! x86_64's.
//!
//! Code has its module's addresses relative to a table whose address is in ebx (System V ABI, Intel386 supplement), or, in a program
//! at a fixed address, as they are. Arguments are pushed, the first one last.
//!
//! Rules: a few forms, each checked against memory; all else is unknown.

/// How far a load may be from its call.
const WINDOW: usize = 32;
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

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// An address and a displacement, in 32 bits.
fn plus(base: u64, displacement: u32) -> u64 {
    u64::from((base as u32).wrapping_add(displacement))
}

/// Is the instruction before the return address a call of this function, through the linker's tables or directly?
pub fn calls(
    from: u64,
    function: u64,
    table: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
) -> bool {
    let code = code(from, within, read);
    let end = code.len();
    let Some(number) = word(&code, end - 4) else { return false };
    let mut holds = |slot: u64| within(slot) && read(slot).map(u64::from) == Some(function);
    // call [x]; call [ebx + x]
    if code[end - 6..end - 4] == [0xff, 0x15] && holds(u64::from(number)) {
        return true;
    }
    if code[end - 6..end - 4] == [0xff, 0x93] && table != 0 && holds(plus(table, number)) {
        return true;
    }
    // call x
    let target = plus(from, number);
    code[end - 5] == 0xe8 && (target == function || within(target) && jumps(target, function, table, within, read))
}

/// Is there a stub of the linker's at this address, which jumps to the function?
fn jumps(
    at: u64,
    function: u64,
    table: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
) -> bool {
    let mut stub = [0u8; 12];
    for (i, part) in stub.chunks_exact_mut(4).enumerate() {
        let Some(word) = read(at.wrapping_add(i as u64 * 4)) else { return false };
        part.copy_from_slice(&word.to_le_bytes());
    }
    // endbr32, where there is one.
    let i = if stub[..4] == [0xf3, 0x0f, 0x1e, 0xfb] { 4 } else { 0 };
    let Some(number) = word(&stub, i + 2) else { return false };
    let slot = match stub[i..i + 2] {
        [0xff, 0x25] => u64::from(number),
        [0xff, 0xa3] if table != 0 => plus(table, number),
        _ => return false,
    };
    within(slot) && read(slot).map(u64::from) == Some(function)
}

/// The variable from which the call before the return address has its first argument, a number that it still holds.
pub fn loaded_before(
    from: u64,
    table: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
    number: u32,
) -> Option<u64> {
    let code = code(from, within, read);
    // The call itself is five or six bytes; five of them are in no load.
    let end = code.len() - 5;
    let address = |p: usize| from.wrapping_sub((code.len() - p) as u64);
    let mut other = None;
    for p in (0..end.saturating_sub(1)).rev() {
        // A load before another call was not for ours.
        if p + 5 <= end && code[p] == 0xe8 && within(plus(address(p + 5), word(&code, p + 1)?)) {
            break;
        }
        if p + 6 <= end && matches!(code[p..p + 2], [0xff, 0x15 | 0x93]) {
            break;
        }
        // push [x]; push [ebx + x]; mov eax, [x]; mov reg, [x]; mov reg, [ebx + x]: where, how long, and is it the argument itself
        let (at, len, pushes) = match (code[p], code[p + 1]) {
            (0xff, 0x35) => (word(&code, p + 2).map(u64::from), 6, true),
            (0xff, 0xb3) => (word(&code, p + 2).map(|x| plus(table, x)), 6, true),
            (0xa1, _) => (word(&code, p + 1).map(u64::from), 5, false),
            (0x8b, modrm) if modrm & 0xc7 == 0x05 => (word(&code, p + 2).map(u64::from), 6, false),
            (0x8b, modrm) if modrm & 0xc7 == 0x83 => (word(&code, p + 2).map(|x| plus(table, x)), 6, false),
            _ => continue,
        };
        let Some(at) = at.filter(|at| p + len <= end && at % 4 == 0 && within(*at)) else { continue };
        if pushes && read(at) == Some(number) {
            return Some(at);
        }
        if pushes {
            continue;
        }
        let register = if code[p] == 0xa1 { 0 } else { code[p + 1] >> 3 & 7 };
        let rest = &code[p + len..end];
        if read(at) == Some(number) {
            // push reg: the nearest load of a register that is pushed.
            if rest.contains(&(0x50 | register)) {
                return Some(at);
            }
            other = other.or(Some(at));
            continue;
        }
        // The address of the variable, from the linker's table; then the variable: push [reg], or mov reg, [reg].
        let through = !matches!(register, 4 | 5)
            && rest
                .windows(2)
                .any(|two| two[0] == 0xff && two[1] == 0x30 | register || two[0] == 0x8b && two[1] & 0xc7 == register);
        let variable = read(at).map(u64::from).filter(|variable| through && variable % 4 == 0);
        if let Some(variable) = variable.filter(|variable| read(*variable) == Some(number)) {
            return Some(variable);
        }
    }
    other
}
