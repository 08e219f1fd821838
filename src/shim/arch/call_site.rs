//! The code before a return address, read: what it calls, and from where it has loaded a number.
//!
//! Here: how code is read, and where a call and the linker's stubs lead. Of each architecture (`call_site/x86_64.rs`, `call_site/x86.rs`): operands in
//! memory, and the loads before a call. On aarch64 nothing is known (`mod.rs`).
//!
//! Why not a disassembler: the few forms that compilers and linkers write are decoded, each is checked against memory (a slot that holds
//! our address, a variable that holds the number), and all else is unknown.
//!
//! `table`: where the module's addresses are relative to, on i686. `within`: does the address lie in the caller's module? `read`: four bytes of memory, when they are there.

#[cfg(target_arch = "x86_64")]
#[path = "call_site/x86_64.rs"]
mod forms;
#[cfg(target_arch = "x86")]
#[path = "call_site/x86.rs"]
mod forms;

/// Of the longest call that is decoded.
const CALL: usize = 6;
const LEN: usize = forms::WINDOW + CALL;

/// A return address, the code before it, and the caller's memory.
struct Site<'a> {
    from: u64,
    table: u64,
    /// The last byte last; zero where there is none.
    code: [u8; LEN],
    within: &'a mut dyn FnMut(u64) -> bool,
    read: &'a mut dyn FnMut(u64) -> Option<u32>,
}

impl<'a> Site<'a> {
    fn new(
        from: u64,
        table: u64,
        within: &'a mut dyn FnMut(u64) -> bool,
        read: &'a mut dyn FnMut(u64) -> Option<u32>,
    ) -> Self {
        let mut code = [0; LEN];
        let mut end = code.len();
        while end > 0 {
            let start = end.saturating_sub(4);
            let at = from.wrapping_sub((code.len() - start) as u64);
            // Two bytes are left over at the front: they are the second half of a word.
            let Some(word) = within(at).then(|| read(at)).flatten() else { break };
            code[start..end].copy_from_slice(&word.to_le_bytes()[..end - start]);
            end = start;
        }
        Self { from, table, code, within, read }
    }

    fn within(&mut self, at: u64) -> bool {
        (self.within)(at)
    }

    fn read(&mut self, at: u64) -> Option<u32> {
        (self.read)(at)
    }

    /// Of the byte at this place in `code`.
    fn address(&self, place: usize) -> u64 {
        self.from.wrapping_sub((LEN - place) as u64)
    }

    /// The operand in memory of an instruction of six bytes: opcode, ModRM, displacement.
    fn operand(&self, place: usize) -> Option<u64> {
        forms::operand(self.code[place + 1], signed(&self.code, place + 2)?, self.address(place + 6), self.table)
    }

    /// A call begins at this place, and is over by `end`.
    fn is_call(&mut self, place: usize, end: usize) -> bool {
        let code = &self.code;
        if place + 6 <= end && is_through(code[place], code[place + 1], CALLS) {
            return true;
        }
        let Some(displacement) = signed(code, place + 1).filter(|_| place + 5 <= end && code[place] == 0xe8) else {
            return false;
        };
        let target = forms::plus(self.address(place + 5), displacement);
        self.within(target)
    }

    /// Does the slot at this address, one of the module's, hold the function?
    fn holds(&mut self, slot: Option<u64>, function: u64) -> bool {
        slot.is_some_and(|slot| self.within(slot) && forms::word(self, slot) == Some(function))
    }

    /// Is there a stub of the linker's at this address, which jumps to the function?
    fn jumps(&mut self, at: u64, function: u64) -> bool {
        let mut stub = [0u8; 12];
        for (i, part) in stub.chunks_exact_mut(4).enumerate() {
            let Some(word) = self.read(at.wrapping_add(i as u64 * 4)) else { return false };
            part.copy_from_slice(&word.to_le_bytes());
        }
        // endbr, then bnd or notrack, where there are any.
        let mut i = if stub[..4] == forms::MARK { 4 } else { 0 };
        if matches!(stub[i], 0xf2 | 0x3e) {
            i += 1;
        }
        let Some(displacement) = signed(&stub, i + 2).filter(|_| is_through(stub[i], stub[i + 1], JUMPS)) else {
            return false;
        };
        let slot = forms::operand(stub[i + 1], displacement, at.wrapping_add(i as u64 + 6), self.table);
        self.holds(slot, function)
    }
}

/// What an instruction that begins with 0xff does.
const CALLS: u8 = 2;
const JUMPS: u8 = 4;

/// Does an instruction of these two bytes call, or jump, to where a word of memory says?
fn is_through(opcode: u8, modrm: u8, what: u8) -> bool {
    opcode == 0xff && modrm >> 3 & 7 == what && forms::MEMORY.contains(&(modrm & 0xc7))
}

fn signed(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Is the instruction before the return address a call of this function, through the linker's tables or directly?
pub fn calls(
    from: u64,
    function: u64,
    table: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
) -> bool {
    let mut site = Site::new(from, table, within, read);
    let Some([opcode, modrm]) = site.code.last_chunk::<CALL>().map(|call| [call[0], call[1]]) else { return false };
    let Some(displacement) = signed(&site.code, LEN - 4) else { return false };
    // call [x]
    let slot = forms::operand(modrm, displacement, from, table).filter(|_| is_through(opcode, modrm, CALLS));
    if site.holds(slot, function) {
        return true;
    }
    // call x
    let target = forms::plus(from, displacement);
    modrm == 0xe8 && (target == function || site.within(target) && site.jumps(target, function))
}

/// The variable from which the call before the return address has its first argument, a number that it still holds.
pub fn loaded_before(
    from: u64,
    table: u64,
    within: &mut dyn FnMut(u64) -> bool,
    read: &mut dyn FnMut(u64) -> Option<u32>,
    number: u32,
) -> Option<u64> {
    forms::loaded_before(&mut Site::new(from, table, within, read), number)
}
