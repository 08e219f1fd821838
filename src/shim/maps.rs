//! What is mapped where, from /proc/self/maps and smaps: read by raw calls, into memory that was there before.
//!
//! The kernel gives whole lines, a page of them at a time, so a list of any length is read through a small buffer.
//!
//! Whose: the look for lost blocks (`heap::leaks`) takes all mappings, while others stand and nothing may be allocated; `tiers::verify`
//! takes lines as they come.

use crate::sys;
use libc::c_int;

pub const READ: u8 = 1;
pub const WRITE: u8 = 2;
pub const EXECUTE: u8 = 4;
pub const SHARED: u8 = 8;
/// A file of a disk is behind it.
pub const FILE: u8 = 16;
/// `[stack]`, `[heap]`, and what is no memory: `[vvar]`, a device.
pub const STACK: u8 = 32;
pub const HEAP: u8 = 64;
pub const DEVICE: u8 = 128;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub is: u8,
}

impl Mapping {
    pub fn has(&self, flags: u8) -> bool {
        self.is & flags == flags
    }

    pub fn any(&self, flags: u8) -> bool {
        self.is & flags != 0
    }
}

/// Why there is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// More mappings than room.
    Full,
    Unreadable,
}

/// Fills the list with what /proc/self/maps says, no further than its capacity. Allocates nothing. `buffer` holds a line at least.
pub fn read(buffer: &mut [u8], list: &mut Vec<Mapping>) -> Result<(), Failure> {
    list.clear();
    each_line(b"/proc/self/maps\0", buffer, &mut |line| {
        let Some(mapping) = parse(line) else { return true };
        let room = list.len() < list.capacity();
        if room {
            list.push(mapping);
        }
        room
    })?;
    if list.is_empty() { Err(Failure::Unreadable) } else { Ok(()) }
}

/// The lines of a file of /proc, one after the other, until `f` has no room for more. Allocates nothing. `path` ends with NUL, and `buffer`
/// holds a line at least.
pub fn each_line(path: &[u8], buffer: &mut [u8], f: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Failure> {
    let fd = sys::open(path, libc::O_RDONLY | libc::O_CLOEXEC, 0);
    if sys::failed(fd) {
        return Err(Failure::Unreadable);
    }
    let answer = lines_of(fd as c_int, buffer, f);
    sys::close(fd as c_int);
    answer
}

fn lines_of(fd: c_int, buffer: &mut [u8], f: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Failure> {
    let (mut filled, mut at) = (0, 0u64);
    loop {
        let n = sys::pread(fd, &mut buffer[filled..], at);
        if n < 0 {
            return Err(Failure::Unreadable);
        }
        (filled, at) = (filled + n as usize, at + n as u64);
        let mut used = 0;
        while let Some(len) = buffer[used..filled].iter().position(|b| *b == b'\n') {
            if !f(&buffer[used..used + len]) {
                return Err(Failure::Full);
            }
            used += len + 1;
        }
        if n == 0 {
            return Ok(());
        }
        if used == 0 && filled == buffer.len() {
            // A line that does not fit: its path is longer than any path may be.
            return Err(Failure::Unreadable);
        }
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
}

/// `55d0a000-55d0c000 rw-p 00002000 08:01 1234   /usr/bin/cat`.
fn parse(line: &[u8]) -> Option<Mapping> {
    let (start, end, rest) = extent(line)?;
    let permissions = rest.get(..4)?;
    let mut is = 0;
    for (letter, flag) in [(b'r', READ), (b'w', WRITE), (b'x', EXECUTE), (b's', SHARED)] {
        if permissions.contains(&letter) {
            is |= flag;
        }
    }
    // Offset, device, inode, path: the last may be missing and may hold blanks.
    let mut fields = rest.get(5..)?.splitn(4, |b| *b == b' ');
    let (_, _, inode) = (fields.next()?, fields.next()?, fields.next()?);
    let path = fields.next().unwrap_or(b"").trim_ascii_start();
    let memory = [&b"/dev/zero"[..], b"/memfd:", b"/SYSV", b"/dev/shm/", b"/anon_hugepage"];
    is |= match path {
        b"[stack]" => STACK,
        b"[heap]" => HEAP,
        _ if path.starts_with(b"[v") => DEVICE,
        _ if inode == b"0" || memory.iter().any(|name| path.starts_with(name)) => 0,
        _ if path.starts_with(b"/dev/") => DEVICE,
        _ => FILE,
    };
    Some(Mapping { start, end, is })
}

/// `START-END ` at the beginning of a line, and the rest of it.
pub fn extent(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (start, rest) = hexadecimal(line)?;
    let (end, rest) = hexadecimal(rest.strip_prefix(b"-")?)?;
    Some((start, end, rest.strip_prefix(b" ")?))
}

fn hexadecimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let len = text.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(text.len());
    let digits = core::str::from_utf8(&text[..len]).ok()?;
    Some((u64::from_str_radix(digits, 16).ok()?, &text[len..]))
}

/// The mapping that holds an address, or the first behind it.
pub fn at_or_behind(list: &[Mapping], address: u64) -> usize {
    list.partition_point(|m| m.end <= address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let of = |line: &str| parse(line.as_bytes()).map(|m| (m.start, m.end, m.is));
        let heap = "55d0a000-55d0c000 rw-p 00000000 00:00 0                          [heap]";
        assert_eq!(of(heap), Some((0x55d0_a000, 0x55d0_c000, READ | WRITE | HEAP)));
        let file = "7f00-8000 r-xp 00002000 08:01 1234   /usr/bin/a cat";
        assert_eq!(of(file), Some((0x7f00, 0x8000, READ | EXECUTE | FILE)));
        assert_eq!(of("7f00-8000 rw-p 00000000 00:00 0 "), Some((0x7f00, 0x8000, READ | WRITE)));
        assert_eq!(of("7f00-8000 rw-s 0 00:01 9 /dev/zero (deleted)"), Some((0x7f00, 0x8000, READ | WRITE | SHARED)));
        let card = "7f00-8000 rw-s 0 00:01 9 /dev/dri/card0";
        assert_eq!(of(card), Some((0x7f00, 0x8000, READ | WRITE | SHARED | DEVICE)));
        assert_eq!(of("7f00-8000 r--p 0 00:00 0 [vvar]"), Some((0x7f00, 0x8000, READ | DEVICE)));
        assert_eq!(of("nonsense"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn a_list_in_order() {
        let list = [(10, 20), (20, 30), (50, 60)].map(|(start, end)| Mapping { start, end, is: 0 });
        let at = |address| at_or_behind(&list, address);
        assert_eq!((at(9), at(10), at(19), at(20), at(30), at(50), at(60)), (0, 0, 0, 1, 2, 2, 3));
    }
}
