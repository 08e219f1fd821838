//! Which events tell of accesses: page faults, or what the processor samples of loads and stores.
//!
//! What a processor's events are called and encoded as stands in sysfs: `events/mem-loads` is a list of terms, `format/TERM` says in which
//! bits of the attributes a term lies. It is read once, at start; nothing here knows a processor.
//!
//! Of loads and stores only those matter that no cache has answered, where the processor tells: memory is what a tier is.

use crate::perf::Attributes;
use crate::sys;
use record::usage::Access;

const PERF_TYPE_SOFTWARE: u64 = 1;
const PAGE_FAULTS: u64 = 2;
const SAMPLE_ADDR: u64 = 1 << 3;
const SAMPLE_DATA_SRC: u64 = 1 << 15;
/// exclude_kernel, exclude_hv.
const OF_USER_CODE: u64 = 1 << 5 | 1 << 6;
/// precise_ip 2: the sample is of the instruction itself, with its address.
const PRECISE: u64 = 2 << 15;

/// An event and what its samples are.
#[derive(Clone, Copy)]
pub struct Event {
    pub attributes: Attributes,
    pub access: Access,
}

fn attributes(kind: u64) -> Attributes {
    let mut all = [0; 14];
    all[0] = kind | (size_of::<Attributes>() as u64) << 32;
    all[5] = OF_USER_CODE;
    all
}

/// Every page fault of the program's own code, with its address.
pub fn faults() -> Event {
    let mut all = attributes(PERF_TYPE_SOFTWARE);
    all[1] = PAGE_FAULTS;
    all[2] = 1;
    all[3] = SAMPLE_ADDR;
    Event { attributes: all, access: Access::Fault }
}

/// One of `period` loads, or stores, as the processor's own description has them. Nothing where it has none.
pub fn processor(access: Access, period: u64) -> Option<Event> {
    let name: &[u8] = if access == Access::Load { b"mem-loads" } else { b"mem-stores" };
    // The second: of processors with two kinds of cores.
    [&b"cpu"[..], b"cpu_core"].iter().find_map(|device| {
        let mut buffer = [0; 256];
        let kind = number(text(&[device, b"/type"], &mut buffer)?)?;
        let mut all = attributes(kind);
        all[2] = period;
        all[3] = SAMPLE_ADDR | SAMPLE_DATA_SRC;
        all[5] |= PRECISE;
        let mut buffer = [0; 256];
        let terms = text(&[device, b"/events/", name], &mut buffer)?;
        for term in terms.split(|b| *b == b',') {
            let at = term.iter().position(|b| *b == b'=');
            let (term, value) = at.map_or((term, Some(1)), |at| (&term[..at], number(&term[at + 1..])));
            let mut buffer = [0; 256];
            place(text(&[device, b"/format/", term], &mut buffer)?, value?, &mut all)?;
        }
        Some(Event { attributes: all, access })
    })
}

/// Puts a value where a format says: `config:0-7,32-35`, the lowest bits first.
fn place(format: &[u8], mut value: u64, all: &mut Attributes) -> Option<()> {
    let colon = format.iter().position(|b| *b == b':')?;
    let word = match &format[..colon] {
        b"config" => 1,
        b"config1" => 7,
        b"config2" => 8,
        _ => return None,
    };
    for range in format[colon + 1..].split(|b| *b == b',') {
        let dash = range.iter().position(|b| *b == b'-');
        let (from, to) = match dash {
            Some(dash) => (number(&range[..dash])?, number(&range[dash + 1..])?),
            None => (number(range)?, number(range)?),
        };
        if from > to || to > 63 {
            return None;
        }
        let bits = to - from + 1;
        let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        all[word] |= (value & mask) << from;
        value = value.checked_shr(bits as u32).unwrap_or(0);
    }
    Some(())
}

/// Decimal, or hexadecimal with 0x.
fn number(text: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The content of a short file below the list of devices, without the end of its line.
fn text<'a>(parts: &[&[u8]], buffer: &'a mut [u8; 256]) -> Option<&'a [u8]> {
    let mut path = [0; 256];
    let mut len = 0;
    for part in [&b"/sys/bus/event_source/devices/"[..]].iter().chain(parts) {
        // One byte stays: the end of the path.
        path[..255].get_mut(len..len + part.len())?.copy_from_slice(part);
        len += part.len();
    }
    let fd = sys::open(&path[..=len], libc::O_RDONLY | libc::O_CLOEXEC, 0);
    if sys::failed(fd) {
        return None;
    }
    let got = sys::read(fd as i32, buffer);
    sys::close(fd as i32);
    let got = buffer.get(..usize::try_from(got).ok()?)?;
    Some(got.trim_ascii())
}

/// Has a cache answered, as the data source of a sample (perf_event.h) says?
pub fn is_cached(source: u64) -> bool {
    const HIT: u64 = 2;
    const CACHES: u64 = 0x08 | 0x10 | 0x20 | 0x40;
    let level = source >> 5;
    level & HIT != 0 && level & CACHES != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_lie_where_the_format_says() {
        let mut all = [0; 14];
        place(b"config:0-7", 0x1cd, &mut all).unwrap();
        place(b"config:8-15", 0x1, &mut all).unwrap();
        place(b"config1:0-15", 3, &mut all).unwrap();
        place(b"config2:4-7,32", 0x1f, &mut all).unwrap();
        assert_eq!((all[1], all[7], all[8]), (0x1cd, 3, 0x1_0000_00f0));
        for bad in [&b"config"[..], b"config3:0", b"config:8-7", b"config:0-64", b"config:x"] {
            assert!(place(bad, 1, &mut all).is_none());
        }
    }

    #[test]
    fn what_caches_answer_is_none_of_memory() {
        // L1 hit, L3 hit, local memory hit, L1 miss, nothing known.
        let levels = [0x0a, 0x42, 0x82, 0x0c, 0x01];
        assert_eq!(levels.map(|level| is_cached(level << 5 | 2)), [true, true, false, false, false]);
    }
}
