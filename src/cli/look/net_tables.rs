//! The TCP sockets of a network namespace, by inode: /proc/PID/net/tcp and tcp6.
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//!    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 …
//! ```

use record::label::{Endpoint, Label};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;

pub type Tables = HashMap<u64, Row>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// As tcpi_state.
    pub state: u8,
    pub unread: u64,
    pub label: Label,
}

/// The tables as they are now. A machine without IPv6 has no tcp6.
pub fn read(pid: u32) -> io::Result<Tables> {
    let mut tables = parse(&fs::read_to_string(format!("/proc/{pid}/net/tcp"))?);
    if let Ok(more) = fs::read_to_string(format!("/proc/{pid}/net/tcp6")) {
        tables.extend(parse(&more));
    }
    Ok(tables)
}

/// The inode of the socket behind a number, when it is one.
pub fn inode(pid: u32, fd: i32) -> io::Result<Option<u64>> {
    let link = fs::read_link(format!("/proc/{pid}/fd/{fd}"))?;
    let text = std::str::from_utf8(link.as_os_str().as_bytes()).unwrap_or_default();
    Ok(text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).and_then(|n| n.parse().ok()))
}

fn parse(text: &str) -> Tables {
    text.lines().skip(1).filter_map(row).collect()
}

fn row(line: &str) -> Option<(u64, Row)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, peer, state) = (words.next()?, words.next()?, words.next()?);
    let (_, unread) = words.next()?.split_once(':')?;
    // Timer, retransmits, user, timeout.
    let inode = words.nth(4)?.parse().ok()?;
    let state = u8::from_str_radix(state, 16).ok()?;
    // Of a listener the queue counts connections.
    let listens = state == track::fd::leak::tcp::LISTEN;
    let unread = if listens { 0 } else { u64::from_str_radix(unread, 16).ok()? };
    Some((inode, Row { state, unread, label: label(local, peer).unwrap_or(Label::NONE) }))
}

fn label(local: &str, peer: &str) -> Option<Label> {
    let (local, peer) = (endpoint(local)?, endpoint(peer)?);
    // No peer is shown as 0.0.0.0:0.
    Some(Label::endpoints(Some(local), Some(peer).filter(|p| !matches!(p, Endpoint::V4(_, 0) | Endpoint::V6(_, 0)))))
}

/// Words of the address as the kernel has them in memory, each in native order; the port as a number.
fn endpoint(text: &str) -> Option<Endpoint<'static>> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |i: usize| u32::from_str_radix(address.get(i * 8..i * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match address.len() {
        8 => Some(Endpoint::V4(word(0)?, port)),
        32 => {
            let mut whole = [0; 16];
            for (i, part) in whole.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(i)?);
            }
            Some(Endpoint::V6(whole, port))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn rows() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 12345 1 0\n   \
            1: 0100007F:1F90 0100007F:1389 08 00000000:0000000A 00:00000000 00000000  1000        0 77 1 0\n   garbage\n 2: x y z\n";
        let tables = parse(text);
        assert_eq!(tables.len(), 2);
        assert_eq!((tables[&12345].state, tables[&12345].unread), (10, 0));
        assert_eq!((tables[&77].state, tables[&77].unread), (8, 10));
        let expected =
            Label::endpoints(Some(Endpoint::V4([127, 0, 0, 1], 8080)), Some(Endpoint::V4([127, 0, 0, 1], 5001)));
        assert_eq!(tables[&77].label, expected);
    }
}
