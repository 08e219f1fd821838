//! Forty bytes that say what is behind a descriptor: two endpoints, or the tail of a path.
//!
//! Why so small: one is kept for each generation of each descriptor number, in place, with no allocation.
//!
//! ```text
//! byte 0   0 nothing, 1 IPv4, 2 IPv6, 3 unix, 4 path
//! byte 1   bit 0: a local endpoint follows; bit 1: a peer follows; bit 2: the text was cut at its front
//! IPv4/6   2..4 local port, 4..6 peer port (network order), then the local and the peer address
//! others   2..40 text, NUL-padded; an abstract unix name starts with '@'
//! ```

use crate::text::{Line, until_nul};

const TEXT: usize = 38;
const LOCAL: u8 = 1;
const PEER: u8 = 2;
const CUT: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub [u8; 40]);

/// An address of a socket, as the program or the kernel gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    V4([u8; 4], u16),
    V6([u8; 16], u16),
    /// The path without its NUL; an abstract name keeps its leading NUL.
    Unix(&'a [u8]),
}

impl Label {
    pub const NONE: Self = Self([0; 40]);

    pub fn from_words(words: [u64; 5]) -> Self {
        let mut bytes = [0; 40];
        for (word, part) in words.iter().zip(bytes.chunks_exact_mut(8)) {
            part.copy_from_slice(&word.to_ne_bytes());
        }
        Self(bytes)
    }

    pub fn words(&self) -> [u64; 5] {
        let mut words = [0; 5];
        for (word, part) in words.iter_mut().zip(self.0.chunks_exact(8)) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(part);
            *word = u64::from_ne_bytes(bytes);
        }
        words
    }

    /// The tail of a path.
    pub fn path(path: &[u8]) -> Self {
        let mut label = Self::NONE;
        label.0[0] = 4;
        label.set_text(path);
        label
    }

    pub fn endpoints(local: Option<Endpoint>, peer: Option<Endpoint>) -> Self {
        let mut label = Self::NONE;
        if let Some(e) = local {
            label.set(LOCAL, e);
        }
        if let Some(e) = peer {
            label.set(PEER, e);
        }
        label
    }

    fn set(&mut self, which: u8, endpoint: Endpoint) {
        let peer = which == PEER;
        match endpoint {
            Endpoint::V4(address, port) => {
                self.claim(1);
                self.put(if peer { 4 } else { 2 }, &port.to_be_bytes());
                self.put(if peer { 10 } else { 6 }, &address);
            }
            Endpoint::V6(address, port) => {
                self.claim(2);
                self.put(if peer { 4 } else { 2 }, &port.to_be_bytes());
                self.put(if peer { 22 } else { 6 }, &address);
            }
            Endpoint::Unix(name) => {
                // A unix socket has a name on one side as a rule; the first one given stays.
                if name.is_empty() || self.0[0] == 3 {
                    return;
                }
                self.claim(3);
                self.set_text(name);
                if name[0] == 0 {
                    self.0[2] = b'@';
                }
            }
        }
        self.0[1] |= which;
    }

    fn claim(&mut self, tag: u8) {
        if self.0[0] != tag {
            *self = Self::NONE;
            self.0[0] = tag;
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn set_text(&mut self, text: &[u8]) {
        let tail = if text.len() > TEXT {
            self.0[1] |= CUT;
            &text[text.len() - TEXT..]
        } else {
            text
        };
        self.put(2, tail);
    }

    /// Where others reach this end: its port, or 1 for a unix name of its own; 0 when there is none.
    pub fn local_port(&self) -> u16 {
        match self.0[0] {
            1 | 2 if self.0[1] & LOCAL != 0 => u16::from_be_bytes([self.0[2], self.0[3]]),
            3 if self.0[1] & LOCAL != 0 => 1,
            _ => 0,
        }
    }

    pub fn is_none(&self) -> bool {
        self.0[0] == 0
    }

    /// The text of a path or unix name, and whether its front was cut.
    pub fn name(&self) -> Option<(&[u8], bool)> {
        matches!(self.0[0], 3 | 4).then(|| (until_nul(&self.0[2..]), self.0[1] & CUT != 0))
    }

    pub fn is_path(&self) -> bool {
        self.0[0] == 4
    }

    /// Writes the local endpoint as `127.0.0.1:80`, `[::1]:80` or a unix name; false when there is none.
    pub fn write_local(&self, line: &mut Line) -> bool {
        self.write(LOCAL, line)
    }

    pub fn write_peer(&self, line: &mut Line) -> bool {
        self.write(PEER, line)
    }

    fn write(&self, which: u8, line: &mut Line) -> bool {
        if self.0[1] & which == 0 {
            return false;
        }
        let peer = which == PEER;
        let port_at = if peer { 4 } else { 2 };
        let port = u16::from_be_bytes([self.0[port_at], self.0[port_at + 1]]);
        match self.0[0] {
            1 => {
                let at = if peer { 10 } else { 6 };
                for (i, byte) in self.0[at..at + 4].iter().enumerate() {
                    if i > 0 {
                        line.raw(b".");
                    }
                    line.number(u64::from(*byte));
                }
                line.raw(b":").number(u64::from(port));
            }
            2 => {
                let at = if peer { 22 } else { 6 };
                let mut groups = [0u16; 8];
                for (group, pair) in groups.iter_mut().zip(self.0[at..at + 16].chunks_exact(2)) {
                    *group = u16::from_be_bytes([pair[0], pair[1]]);
                }
                line.raw(b"[");
                write_v6(&groups, line);
                line.raw(b"]:").number(u64::from(port));
            }
            3 => self.write_name(line),
            _ => return false,
        }
        true
    }

    /// Writes the path or unix name, with `…` where its front was cut.
    pub fn write_name(&self, line: &mut Line) {
        if let Some((name, cut)) = self.name() {
            if cut {
                line.text("…");
            }
            // A cut may fall inside a character: start at the next whole one.
            let start = if cut { name.iter().position(|b| b & 0xc0 != 0x80).unwrap_or(0) } else { 0 };
            line.foreign(&name[start..]);
        }
    }
}

/// RFC 5952: lower case, the longest run of two or more zero groups as `::`.
fn write_v6(groups: &[u16; 8], line: &mut Line) {
    let (mut best_at, mut best_len, mut i) = (0, 1, 0);
    while i < 8 {
        let start = i;
        while i < 8 && groups[i] == 0 {
            i += 1;
        }
        if i - start > best_len {
            (best_at, best_len) = (start, i - start);
        }
        i += 1;
    }
    let mut at = 0;
    while at < 8 {
        if best_len > 1 && at == best_at {
            line.raw(b"::");
            at += best_len;
            continue;
        }
        if at > 0 && !(best_len > 1 && at == best_at + best_len) {
            line.raw(b":");
        }
        line.hex_digits(u64::from(groups[at]));
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(label: &Label) -> String {
        let mut buffer = [0; 96];
        let mut line = Line::new(&mut buffer);
        label.write_local(&mut line);
        String::from_utf8(line.as_bytes().to_vec()).expect("utf-8")
    }

    #[test]
    fn v6_is_written_as_the_standard_library_does() {
        for text in [
            "::",
            "::1",
            "fe80::1",
            "1:2:3:4:5:6:7:8",
            "2001:db8::1:0:0:1",
            "1:0:2::",
            "0:0:1:0:0:1:0:0",
            "1:0:3:4:5:6:7:8",
        ] {
            let address: std::net::Ipv6Addr = text.parse().expect("an address");
            let label = Label::endpoints(Some(Endpoint::V6(address.octets(), 443)), None);
            assert_eq!(local(&label), format!("[{address}]:443"));
        }
    }

    #[test]
    fn both_ends() {
        let label = Label::endpoints(Some(Endpoint::V4([127, 0, 0, 1], 80)), Some(Endpoint::V4([10, 1, 2, 3], 5000)));
        let mut buffer = [0; 64];
        let mut line = Line::new(&mut buffer);
        assert!(label.write_local(&mut line) && label.write_peer(&mut line));
        assert_eq!(line.as_bytes(), b"127.0.0.1:8010.1.2.3:5000");
        assert_eq!(Label::from_words(label.words()), label);
    }

    #[test]
    fn long_names_keep_their_tail() {
        let label = Label::path(b"/a/very/long/path/that/does/not/fit/into/the/label/file.txt");
        let mut buffer = [0; 64];
        let mut line = Line::new(&mut buffer);
        label.write_name(&mut line);
        assert_eq!(core::str::from_utf8(line.as_bytes()), Ok("…t/does/not/fit/into/the/label/file.txt"));
        assert_eq!(local(&Label::endpoints(Some(Endpoint::Unix(b"\0abstract")), None)), "@abstract");
    }
}
