//! A module's file, by the library: functions and lines for rules that speak of them. `addresses… ELF`: 4 of 2 bytes, then the
//! file. Claims: it ends, and in time.

use tier::names::{Identity, Symbols, demangle};

pub fn run(input: &[u8]) {
    let Some((head, file)) = input.split_first_chunk::<8>() else { return };
    let Some(identity) = Identity::of(file) else { return };
    std::hint::black_box(identity);
    let Some(mut symbols) = Symbols::open(file, None) else { return };
    let asked = head.chunks(2).map(|two| u64::from(u16::from_le_bytes([two[0], two[1]])));
    for address in asked.chain((0x1000..0x1400).step_by(64)).chain([0, u64::MAX]) {
        if let Some(name) = symbols.function(address) {
            std::hint::black_box(demangle::without_parameters(&name));
        }
        std::hint::black_box((symbols.line(address), Identity::file_offset(file, address)));
    }
    // The file as the one with another's debug information.
    if let Some(mut symbols) = Symbols::open(file, Some(file)) {
        std::hint::black_box((symbols.function(0x1000), symbols.line(0x1000)));
    }
}
