//! Numbers as people write them: `4G`, `1M..64M`, `0-3,8`.
//!
//! Each function answers what was wrong and what was expected, for the one line that a fault gets.

/// What was wrong with a value, and what was expected.
pub type Fault = (String, &'static str);

const SIZE: &str = "bytes, with K, M, G or T if you like";
/// Of MPI.
pub const MOST_RANK: u32 = (1 << 20) - 1;
/// Of memory.
pub const MOST_NODE: u32 = 1023;

const WINDOW: &str = "\"1M..64M\", \"1M..\", \"..64M\", \"..=64M\" or a size";

/// `4096`, `64K`, `4G`: powers of 1024.
pub fn size(text: &str) -> Result<u64, Fault> {
    let text = text.trim_ascii();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KIB" => 10,
        "M" | "MIB" => 20,
        "G" | "GIB" => 30,
        "T" | "TIB" => 40,
        _ => return Err((format!("{} is no size", quoted(text)), SIZE)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err((format!("{} is no size", quoted(text)), SIZE));
    }
    let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << unit)).filter(|n| *n <= i64::MAX as u64);
    bytes.ok_or_else(|| (format!("{} is more than a machine has", quoted(text)), "less than 8388608T"))
}

/// Sizes from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub first: u64,
    pub last: u64,
}

impl Window {
    pub const ALL: Self = Self { first: 0, last: u64::MAX };

    pub fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// `1M..64M`: from the first, included, to the last, excluded (`..=` includes it); `4096` is exactly that.
pub fn window(text: &str) -> Result<Window, Fault> {
    let Some((from, to)) = text.split_once("..") else {
        let exactly = size(text).map_err(|(what, _)| (what, WINDOW))?;
        return Ok(Window { first: exactly, last: exactly });
    };
    let bound = |text: &str| size(text).map_err(|(what, _)| (what, WINDOW));
    let first = if from.trim_ascii().is_empty() { 0 } else { bound(from)? };
    let last = match to.strip_prefix('=') {
        Some(last) => Some(bound(last)?),
        None if to.trim_ascii().is_empty() => Some(u64::MAX),
        None => bound(to)?.checked_sub(1),
    };
    match last {
        Some(last) if first <= last => Ok(Window { first, last }),
        _ => Err((format!("no size is in {}", quoted(text)), "a window that is not empty")),
    }
}

/// `0-3,8`: the numbers, sorted, each once.
pub fn list(text: &str, most: u32) -> Result<Vec<u32>, Fault> {
    Ok(ranges(text, most)?.into_iter().flat_map(|(from, to)| from..=to).collect())
}

/// `0-3,8` as ranges that neither meet nor touch, sorted.
pub fn ranges(text: &str, most: u32) -> Result<Vec<(u32, u32)>, Fault> {
    const EXPECTED: &str = "numbers and ranges, as in \"0-3,8\"";
    let mut said = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            let text = text.trim_ascii();
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse::<u32>().ok()).flatten()
        };
        match (number(from), number(to)) {
            (Some(from), Some(to)) if to > most.max(from) => return Err(too_large(to, most)),
            (Some(from), Some(to)) if from > to => {
                return Err((format!("{from}-{to} ends before it begins"), EXPECTED));
            }
            (Some(from), Some(to)) if to <= most => said.push((from, to)),
            (Some(_), Some(to)) => return Err(too_large(to, most)),
            _ => return Err((format!("{} is no list of numbers", quoted(text)), EXPECTED)),
        }
    }
    said.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (from, to) in said {
        match ranges.last_mut() {
            Some((_, last)) if from <= *last + 1 => *last = to.max(*last),
            _ => ranges.push((from, to)),
        }
    }
    Ok(ranges)
}

fn too_large(number: u32, most: u32) -> Fault {
    (format!("{number} is too large"), if most == MOST_RANK { "at most 1048575" } else { "at most 1023" })
}

/// Foreign text for a message: one line, nothing that confuses a terminal, not too long.
pub fn quoted(text: &str) -> String {
    quoted_bytes(text.as_bytes())
}

pub fn quoted_bytes(text: &[u8]) -> String {
    const LONGEST: usize = 64;
    let mut shown = String::from("'");
    let mut rest = text.len();
    'text: for chunk in text[..rest.min(4 * LONGEST)].utf8_chunks() {
        for c in chunk.valid().chars() {
            if shown.len() > LONGEST {
                break 'text;
            }
            rest -= c.len_utf8();
            match c {
                '\'' => shown.push_str("\\'"),
                c if c < ' ' || is_hidden(c) => shown.extend(c.escape_default()),
                c => shown.push(c),
            }
        }
        for byte in chunk.invalid() {
            if shown.len() > LONGEST {
                break 'text;
            }
            rest -= 1;
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown.push_str(if rest > 0 { "…'" } else { "'" });
    shown
}

/// What a terminal does not show as it is.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("64K", 65536), ("4g", 4 << 30), ("1T", 1 << 40), ("2MiB", 2 << 20)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1", "1.5G", "1KM", "0x10", "9999999999T", "18446744073709551616", "1 G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn windows() {
        let w = |first, last| Ok(Window { first, last });
        assert_eq!(window("1M..64M"), w(1 << 20, (64 << 20) - 1));
        assert_eq!(window("1M..=64M"), w(1 << 20, 64 << 20));
        assert_eq!(window("..64M"), w(0, (64 << 20) - 1));
        assert_eq!(window("1M.."), w(1 << 20, u64::MAX));
        assert_eq!(window(".."), Ok(Window::ALL));
        assert_eq!(window("4096"), w(4096, 4096));
        for text in ["", "1M..1M", "2M..1M", "..0", "..=", "a..b", "1...2"] {
            assert!(window(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(list("0-3,8", 1023), Ok(vec![0, 1, 2, 3, 8]));
        assert_eq!(list(" 2 , 1,1 ", 1023), Ok(vec![1, 2]));
        for text in ["", "a", "3-1", "1-", "1024", "-1", "0-99999999999"] {
            assert!(list(text, 1023).is_err(), "{text}");
        }
        assert_eq!(ranges("5-9,0-3,8,4,11", MOST_RANK), Ok(vec![(0, 9), (11, 11)]));
        assert_eq!(ranges("0-1048575", MOST_RANK), Ok(vec![(0, MOST_RANK)]));
        assert!(ranges("1048576", MOST_RANK).is_err());
    }

    #[test]
    fn foreign_text() {
        assert_eq!(quoted("a\n\u{1b}[1m'\u{202e}"), "'a\\n\\u{1b}[1m\\'\\u{202e}'");
        assert_eq!(quoted_bytes(b"\xff"), "'\\xff'");
        assert!(quoted(&"x".repeat(1 << 20)).len() < 80);
    }
}
