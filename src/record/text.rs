//! Short texts in fixed fields, and a line builder without `core::fmt`.
//!
//! Why not `core::fmt`: it is large, and a hook may not format. What a finding says is built from a few primitives,
//! by the same code in the process and in the command.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Stores `bytes` into a field, cut to its length, NUL-padded. Async-signal-safe.
pub fn store(field: &[AtomicU64], bytes: &[u8]) {
    for (i, word) in field.iter().enumerate() {
        let mut part = [0u8; 8];
        for (j, byte) in part.iter_mut().enumerate() {
            *byte = bytes.get(i * 8 + j).copied().unwrap_or(0);
        }
        word.store(u64::from_ne_bytes(part), Relaxed);
    }
}

/// Copies a field out; `out` is filled as far as both reach.
pub fn load(field: &[AtomicU64], out: &mut [u8]) {
    for (word, part) in field.iter().zip(out.chunks_mut(8)) {
        let bytes = word.load(Relaxed).to_ne_bytes();
        part.copy_from_slice(&bytes[..part.len()]);
    }
}

/// The bytes before the first NUL.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len())]
}

/// A line under construction in a buffer of the caller's. What does not fit is cut; the newline at its end is kept.
pub struct Line<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Line<'a> {
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Takes back what was appended after `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Bytes that still fit.
    pub fn room(&self) -> usize {
        self.buffer.len() - self.len
    }

    /// Appends text as it is: for our own words only.
    pub fn raw(&mut self, text: &[u8]) -> &mut Self {
        let n = text.len().min(self.room());
        self.buffer[self.len..self.len + n].copy_from_slice(&text[..n]);
        self.len += n;
        if n < text.len() && text.ends_with(b"\n") {
            self.end_full();
        }
        self
    }

    /// A newline in place of the last character of a full line. The line stays full, by which its writer sees that it was cut.
    fn end_full(&mut self) {
        let last_character = self.buffer.iter().rposition(|byte| byte & 0xc0 != 0x80);
        if let Some(at) = last_character.filter(|at| self.buffer[*at] >= 0xc0) {
            self.buffer[at..].fill(b'.');
        }
        if let Some(last) = self.buffer.last_mut() {
            *last = b'\n';
        }
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.raw(text.as_bytes())
    }

    /// Appends text that came from the program: what could confuse a terminal or a log is shown as `\xNN`.
    pub fn foreign(&mut self, text: &[u8]) -> &mut Self {
        match core::str::from_utf8(text) {
            Ok(valid) => {
                for c in valid.chars() {
                    if c.is_control()
                        || c == '\u{2028}'
                        || c == '\u{2029}'
                        || ('\u{202a}'..='\u{202e}').contains(&c)
                        || ('\u{2066}'..='\u{2069}').contains(&c)
                    {
                        let mut utf8 = [0; 4];
                        for b in c.encode_utf8(&mut utf8).bytes() {
                            self.escaped(b);
                        }
                    } else {
                        self.raw(c.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
            }
            Err(_) => {
                for &b in text {
                    if (0x20..0x7f).contains(&b) {
                        self.raw(&[b]);
                    } else {
                        self.escaped(b);
                    }
                }
            }
        }
        self
    }

    fn escaped(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.raw(b"\\x").raw(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }

    pub fn number(&mut self, value: u64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = value;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.raw(&digits[at..])
    }

    pub fn signed(&mut self, value: i64) -> &mut Self {
        if value < 0 {
            self.raw(b"-");
        }
        self.number(value.unsigned_abs())
    }

    /// `0x…`, no leading zeroes.
    pub fn hex(&mut self, value: u64) -> &mut Self {
        self.raw(b"0x");
        self.hex_digits(value)
    }

    pub fn hex_digits(&mut self, value: u64) -> &mut Self {
        let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
        for i in (0..digits).rev() {
            let nibble = (value >> (i * 4)) as u8 & 15;
            self.raw(&[if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }]);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(f: impl FnOnce(&mut Line)) -> String {
        let mut buffer = [0; 64];
        let mut line = Line::new(&mut buffer);
        f(&mut line);
        String::from_utf8(line.as_bytes().to_vec()).expect("utf-8")
    }

    #[test]
    fn numbers() {
        assert_eq!(
            built(|l| {
                l.number(0).raw(b" ").number(u64::MAX);
            }),
            "0 18446744073709551615"
        );
        assert_eq!(
            built(|l| {
                l.signed(-7).raw(b" ").signed(i64::MIN);
            }),
            "-7 -9223372036854775808"
        );
        assert_eq!(
            built(|l| {
                l.hex(0).raw(b" ").hex(0xdead_beef);
            }),
            "0x0 0xdeadbeef"
        );
    }

    #[test]
    fn hostile_text_is_escaped() {
        assert_eq!(
            built(|l| {
                l.foreign(b"a\x1b[31m\n\xc2\x9b");
            }),
            r"a\x1b[31m\x0a\xc2\x9b"
        );
        assert_eq!(
            built(|l| {
                l.foreign(b"\xffok");
            }),
            r"\xffok"
        );
        assert_eq!(
            built(|l| {
                l.foreign("Grüße".as_bytes());
            }),
            "Grüße"
        );
    }

    #[test]
    fn a_full_line_is_cut() {
        let mut buffer = [0; 4];
        let mut line = Line::new(&mut buffer);
        line.text("abc").number(123);
        assert_eq!(line.as_bytes(), b"abc1");
    }

    #[test]
    fn fields_round_trip() {
        let field = [const { AtomicU64::new(0) }; 2];
        store(&field, b"a name of more than sixteen bytes");
        let mut out = [0; 16];
        load(&field, &mut out);
        assert_eq!(until_nul(&out), b"a name of more t");
    }
}
