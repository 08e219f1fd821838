//! The locations file: stacks, and the allocator of each.

use super::super::number::{Window, quoted_bytes};
use super::super::rule::{Rule, Site, Sites};
use super::super::vocabulary::{FilePattern, ModulePattern, Vocabulary};
use super::super::{DEEPEST, Faults, MOST_RULES, last_part};
use super::{Allocator, Environment, Tiers};
use std::collections::BTreeMap;

const EXPECTED: &str = "\"FRAME > FRAME @ ALLOCATOR\"";
const LINE: &str = "\"FILE:LINE\"";
const ADDRESS: &str = "\"PATH!OFFSET\"";

pub struct Reader<'a> {
    environment: &'a Environment,
    tiers: &'a Tiers,
    vocabulary: &'a mut Vocabulary,
    real_path: &'a mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    real_paths: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Lines, not addresses; none until the first frame tells.
    source: Option<bool>,
    /// Locations of allocators that are not defined, and the first's line.
    undefined: BTreeMap<Allocator, (u32, u32)>,
}

enum Frame<'t> {
    /// Nothing where a tool could not name a frame.
    Line {
        file: Option<&'t [u8]>,
        line: u32,
    },
    Address {
        path: &'t [u8],
        offset: u64,
    },
}

impl<'a> Reader<'a> {
    pub fn new(
        environment: &'a Environment,
        tiers: &'a Tiers,
        vocabulary: &'a mut Vocabulary,
        real_path: &'a mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    ) -> Self {
        let source = environment.source;
        Self {
            environment,
            tiers,
            vocabulary,
            real_path,
            real_paths: BTreeMap::new(),
            source,
            undefined: BTreeMap::new(),
        }
    }

    pub fn read(mut self, text: &[u8], rules: &mut Vec<Rule>, faults: &mut Faults) {
        let mut count = 0;
        for (line, text) in (1..).zip(text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii)) {
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            if count == MOST_RULES {
                faults.add(line, "more than 1024 locations", "at most 1024; this one and the rest are left out");
                break;
            }
            match self.location(text, line) {
                Ok(Some((allocator, sites))) => {
                    count += 1;
                    rules.push(Rule {
                        name: format!("location {count}"),
                        at: faults.place(line),
                        tier: self.tiers.index(allocator).unwrap_or(0),
                        limit: self.tiers.limit(allocator, self.environment.fallback),
                        sizes: Window::ALL,
                        function: None,
                        module: None,
                        sites,
                        within: None,
                        thread: None,
                        rank: None,
                        decisions: 0,
                    });
                }
                Ok(None) => {}
                Err((what, expected)) => faults.add(line, &what, expected),
            }
        }
        for (allocator, (line, count)) in self.undefined {
            let what = format!("{} is not defined ({count} locations are left out)", allocator.name());
            faults.add(line, &what, "an entry in the definitions");
        }
    }

    /// None: nothing is wrong with it, but it is not wanted.
    fn location(&mut self, text: &[u8], line: u32) -> Result<Option<(Allocator, Sites)>, (String, &'static str)> {
        // Paths may have an @ in them: the last is what counts.
        let at = text
            .iter()
            .rposition(|byte| *byte == b'@')
            .ok_or_else(|| (format!("no allocator in {}", quoted_bytes(text)), EXPECTED))?;
        let name = text[at + 1..].trim_ascii();
        let allocator = Allocator::named(name)
            .ok_or_else(|| (format!("unknown allocator {}", quoted_bytes(name)), Allocator::EXPECTED))?;
        let mut frames = Vec::new();
        for frame in text[..at].split(|byte| *byte == b'>') {
            frames.push(self.frame(frame.trim_ascii())?);
        }
        if allocator == self.environment.fallback && self.environment.ignore_on_fallback {
            return Ok(None);
        }
        if self.tiers.index(allocator).is_none() {
            self.undefined.entry(allocator).or_insert((line, 0)).1 += 1;
            return Ok(None);
        }
        // What no tool could name lies outside of what matters.
        while frames.len() > 1 && matches!(frames.last(), Some(Frame::Line { file: None, line: 0 })) {
            frames.pop();
        }
        if frames.len() > DEEPEST {
            return Err((format!("a stack of {} frames", frames.len()), "at most 64"));
        }
        let in_runtime = |frame: &&Frame<'_>| matches!(frame, Frame::Address { path, .. } if is_runtime(path));
        let may_lack = frames.iter().take_while(in_runtime).count().min(frames.len() - 1);
        let is_raw = matches!(frames.first(), Some(Frame::Address { .. }));
        let sites: Vec<Site> = frames.into_iter().map(|frame| self.site(frame)).collect();
        Ok(Some((allocator, if is_raw { Sites::WholeRaw { sites, may_lack } } else { Sites::WholeLines(sites) })))
    }

    fn frame<'t>(&mut self, frame: &'t [u8]) -> Result<Frame<'t>, (String, &'static str)> {
        let parsed = address(frame, self.environment.base).or_else(|| self::line(frame));
        let is_line = |frame: &Frame<'_>| matches!(frame, Frame::Line { .. });
        // A name with both marks is what the file has elsewhere.
        let parsed = match (self.source, parsed) {
            (Some(true), Some(Frame::Address { .. })) => self::line(frame).ok_or("an address where the file has lines"),
            (Some(false), Some(Frame::Line { .. })) => Err("a line where the file has addresses"),
            (_, Some(parsed)) => Ok(parsed),
            (_, None) => Err(""),
        };
        let expected = match self.source {
            Some(true) => LINE,
            Some(false) => ADDRESS,
            None => "\"FILE:LINE\" or \"PATH!OFFSET\"",
        };
        match parsed {
            Ok(parsed) => {
                self.source.get_or_insert(is_line(&parsed));
                Ok(parsed)
            }
            Err("") => Err((format!("{} is no frame", quoted_bytes(frame)), expected)),
            Err(what) => Err((format!("{}: {what}", quoted_bytes(frame)), expected)),
        }
    }

    fn site(&mut self, frame: Frame<'_>) -> Site {
        match frame {
            Frame::Line { file: None, .. } => Site::Any,
            Frame::Line { file: Some(file), line } => {
                let pattern = if self.environment.whole_path {
                    FilePattern::Whole(file.to_vec())
                } else {
                    FilePattern::Base(last_part(file).to_vec())
                };
                Site::Line { file: self.vocabulary.file(pattern), line }
            }
            Frame::Address { path, offset } => {
                if !self.real_paths.contains_key(path) {
                    let real = (self.real_path)(path).unwrap_or_else(|| path.to_vec());
                    self.real_paths.insert(path.to_vec(), real);
                }
                let real = self.real_paths.get(path).cloned().unwrap_or_default();
                Site::Raw { module: self.vocabulary.module(ModulePattern::Real(real)), offset }
            }
        }
    }
}

/// `/usr/lib/libfoo.so!1a2b`
fn address(frame: &[u8], base: u32) -> Option<Frame<'_>> {
    let at = frame.iter().rposition(|byte| *byte == b'!')?;
    let (path, digits) = (&frame[..at], std::str::from_utf8(&frame[at + 1..]).ok()?);
    // As strtoull takes them.
    let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let (digits, base) = match (base, hex) {
        (0 | 16, Some(hex)) => (hex, 16),
        (0, None) if digits.starts_with('0') && digits.len() > 1 => (digits, 8),
        (0, None) => (digits, 10),
        (base, _) => (digits, base),
    };
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    let offset = u64::from_str_radix(digits, base).ok().filter(|_| is_number && !path.is_empty())?;
    Some(Frame::Address { path, offset })
}

/// `src/a.c:10`, or what tools write when they do not know.
fn line(frame: &[u8]) -> Option<Frame<'_>> {
    let at = frame.iter().rposition(|byte| *byte == b':')?;
    let (file, digits) = (frame[..at].trim_ascii(), std::str::from_utf8(&frame[at + 1..]).ok()?);
    let line = digits.parse::<u32>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()) && !file.is_empty())?;
    let file = Some(file).filter(|file| !matches!(last_part(file), b"Unresolved" | b"_NOT_Found"));
    Some(Frame::Line { file, line })
}

/// Where operator new is, which calls malloc there; here it is asked itself, and is no frame. And libc, whose functions
/// allocate for their callers.
fn is_runtime(path: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] = [b"libstdc++.so", b"libc++.so", b"libc++abi.so", b"libc.so", b"libc-2."];
    NAMES.iter().any(|name| last_part(path).starts_with(name))
}
