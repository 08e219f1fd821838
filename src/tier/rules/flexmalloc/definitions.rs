//! The definitions file: which allocators there are, and how much each has.

use super::super::Faults;
use super::super::number::quoted_bytes;
use super::Allocator;

const HEADING: &[u8] = b"# Memory configuration for allocator ";
const SIZE: &str = "\"Size NUMBER MBytes\"";

#[derive(Debug, Default)]
pub struct Definitions {
    pub posix: Option<Size>,
    pub hbw: Option<Size>,
    /// Directories, and the line of each.
    pub pmem: Vec<(Vec<u8>, u32)>,
}

#[derive(Debug)]
pub struct Size {
    pub bytes: u64,
    pub line: u32,
}

pub fn read(text: &[u8], faults: &mut Faults) -> Definitions {
    let mut found = Definitions::default();
    let mut lines = (1..).zip(text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii));
    let mut pending = None;
    while let Some((line, text)) = pending.take().or_else(|| lines.next()) {
        let Some(name) =
            text.get(..HEADING.len()).filter(|t| t.eq_ignore_ascii_case(HEADING)).and(text.get(HEADING.len()..))
        else {
            if !text.is_empty() && !text.starts_with(b"#") {
                faults.add(
                    line,
                    &format!("{} belongs to no allocator", quoted_bytes(text)),
                    "\"# Memory configuration for allocator NAME\" before it",
                );
            }
            continue;
        };
        let Some(allocator) = Allocator::named(name) else {
            faults.add(line, &format!("unknown allocator {}", quoted_bytes(name.trim_ascii())), Allocator::EXPECTED);
            // What follows is its.
            pending = lines.next().filter(|(_, text)| text.starts_with(b"#"));
            continue;
        };
        let (at, config) = match lines.next() {
            Some((at, config)) if config.starts_with(b"#") => {
                pending = Some((at, config));
                (line, &b""[..])
            }
            Some(next) => next,
            None => (line, &b""[..]),
        };
        match allocator {
            Allocator::Posix => found.posix = size(config, at, faults).or(found.posix),
            Allocator::Hbw => found.hbw = size(config, at, faults).or(found.hbw),
            Allocator::Pmem => directories(config, at, &mut found.pmem, faults),
        }
    }
    found
}

/// `Size 4096 MBytes`, whatever the case.
fn size(config: &[u8], line: u32, faults: &mut Faults) -> Option<Size> {
    let mut words = config.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let good = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"size"));
    let digits = words.next().filter(|word| good && word.iter().all(u8::is_ascii_digit));
    let good = words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"mbytes")) && words.next().is_none();
    let number = digits.filter(|_| good).and_then(|digits| std::str::from_utf8(digits).ok());
    let Some(number) = number else {
        faults.add(line, &format!("{} is no size", quoted_bytes(config)), SIZE);
        return None;
    };
    match number.parse::<u64>().ok().filter(|number| *number < 1 << 43) {
        Some(number) => Some(Size { bytes: number << 20, line }),
        None => {
            faults.add(line, &format!("{} MBytes is more than a machine has", quoted_bytes(number.as_bytes())), SIZE);
            None
        }
    }
}

/// `@ DIR @ DIR`
fn directories(config: &[u8], line: u32, found: &mut Vec<(Vec<u8>, u32)>, faults: &mut Faults) {
    const EXPECTED: &str = "\"@ DIRECTORY\", and more of them if you like";
    const MOST: usize = super::super::MOST_TIERS - 1;
    let mut words = config.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let before = found.len();
    while let Some(word) = words.next() {
        let directory = match word.strip_prefix(b"@") {
            Some(b"") => words.next(),
            beside => beside,
        };
        match directory.filter(|directory| !directory.contains(&0) && directory.len() < 4096) {
            Some(directory) if found.len() < MOST => found.push((directory.to_vec(), line)),
            Some(_) => {
                faults.add(line, "more than 14 directories", "at most 14; the rest is left out");
                return;
            }
            None => {
                faults.add(line, &format!("{} is no list of directories", quoted_bytes(config)), EXPECTED);
                return;
            }
        }
    }
    if found.len() == before {
        faults.add(line, "memkind/pmem without a directory", EXPECTED);
    }
}
