//! Suppressions: what the user has decided not to hear of, one a line.
//!
//! ```text
//! # A comment.
//! fd.double-close function=finish_* module=libvendor.so
//! fd.*            file="/opt/vendor code/*"
//! ```
//!
//! `KIND [function=GLOB] [module=GLOB] [file=GLOB]`. A finding is suppressed when the kind matches and one frame of any of its
//! stacks matches all that was given. `*` is any text, `/` included; `?` is one byte. A glob for a module or a file that has
//! a `/` is compared with the whole path, otherwise with its last part. Double quotes hold spaces; in them `\"` and `\\`
//! stand for `"` and `\`.
//!
//! Place in the flow: the process asks here before it prints a finding, and files the answer with it as a [`Mark`]; the command
//! asks again when it knows files, lines and static functions. There is no negation, so what the process suppresses with
//! less knowledge the command would suppress, too.
//!
//! Rules: parsing and matching allocate nothing and never fail as a whole: a bad line is told, the others hold.

use crate::text::Line;

/// A longer file is not read.
pub const MAX_LEN: usize = 1 << 20;

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppression<'a> {
    pub line: u32,
    /// The line as written, without the blanks around it.
    pub text: &'a [u8],
    kind: Glob<'a>,
    function: Option<Glob<'a>>,
    module: Option<Glob<'a>>,
    file: Option<Glob<'a>>,
}

impl<'a> Suppression<'a> {
    pub fn matches_kind(&self, kind: &str) -> bool {
        self.kind.matches(kind.as_bytes())
    }

    /// Does the kind not decide alone?
    pub fn wants_frame(&self) -> bool {
        self.function.is_some() || self.module.is_some() || self.file.is_some()
    }

    /// Must the function or the file of a frame be known?
    pub fn wants_symbols(&self) -> bool {
        self.function.is_some() || self.file.is_some()
    }

    pub fn matches_module(&self, module: Option<&[u8]>) -> bool {
        self.module.as_ref().is_none_or(|glob| module.is_some_and(|m| glob.matches_path(m)))
    }

    /// Does this frame have all that was asked for? Names of the function are asked for last, because they are dear: a
    /// function may have two, as linked and as its language writes it, and a file, too, as compiled and in full.
    pub fn matches_frame<'n>(
        &self,
        module: Option<&[u8]>,
        files: [Option<&[u8]>; 2],
        functions: impl FnOnce() -> [Option<&'n [u8]>; 2],
    ) -> bool {
        self.matches_module(module)
            && self.file.as_ref().is_none_or(|glob| files.into_iter().flatten().any(|f| glob.matches_path(f)))
            && self.function.as_ref().is_none_or(|glob| functions().into_iter().flatten().any(|f| glob.matches(f)))
    }

    fn parse(line: u32, text: &'a [u8]) -> Result<Self, Problem<'a>> {
        let mut words = Words { rest: text };
        let kind = Glob::parse(words.next().unwrap_or_default())?;
        let mut this = Self { line, text, kind, function: None, module: None, file: None };
        for word in words {
            let Some(at) = word.iter().position(|b| *b == b'=') else {
                return Err(Problem::new("no value", word, "function=GLOB, module=GLOB or file=GLOB"));
            };
            let place = match &word[..at] {
                b"function" => &mut this.function,
                b"module" => &mut this.module,
                b"file" => &mut this.file,
                key => return Err(Problem::new("unknown key", key, "function, module or file")),
            };
            if place.is_some() {
                return Err(Problem::new("a second", &word[..at], "each key once"));
            }
            *place = Some(Glob::parse(&word[at + 1..])?);
        }
        Ok(this)
    }
}

/// All lines that say something, in their order.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Result<Suppression<'_>, (u32, Problem<'_>)>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    (1..).zip(text.split(|b| *b == b'\n')).filter_map(|(number, line)| {
        let line = line.trim_ascii();
        let says = !line.is_empty() && !line.starts_with(b"#");
        says.then(|| Suppression::parse(number, line).map_err(|problem| (number, problem)))
    })
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem<'a> {
    what: &'static str,
    word: &'a [u8],
    expected: &'static str,
}

impl<'a> Problem<'a> {
    fn new(what: &'static str, word: &'a [u8], expected: &'static str) -> Self {
        Self { what, word, expected }
    }

    /// `unknown key 'modul', expected function, module or file`.
    pub fn write(&self, line: &mut Line) {
        line.text(self.what).text(" '").foreign(&self.word[..self.word.len().min(64)]).text("', expected ");
        line.text(self.expected);
    }
}

/// Words between blanks; quotes keep blanks together, and a `#` where a word would begin ends the line.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        if rest.is_empty() || rest[0] == b'#' {
            return None;
        }
        let (mut quoted, mut at) = (false, 0);
        while at < rest.len() && (quoted || !rest[at].is_ascii_whitespace()) {
            match rest[at] {
                b'"' => quoted = !quoted,
                b'\\' if quoted => at += 1,
                _ => {}
            }
            at += 1;
        }
        let (word, rest) = rest.split_at(at.min(rest.len()));
        self.rest = rest;
        Some(word)
    }
}

/// A pattern as it stands in the file: escapes are resolved as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glob<'a> {
    /// Without the quotes.
    text: &'a [u8],
    quoted: bool,
}

enum Unit {
    Any,
    One,
    Byte(u8),
    End,
}

impl<'a> Glob<'a> {
    pub fn parse(word: &'a [u8]) -> Result<Self, Problem<'a>> {
        let Some(inner) = word.strip_prefix(b"\"") else {
            return match word {
                b"" => Err(Problem::new("an empty value", word, "a glob")),
                _ if word.contains(&b'"') => Err(Problem::new("a quote inside", word, "quotes around the whole value")),
                _ => Ok(Self { text: word, quoted: false }),
            };
        };
        let mut at = 0;
        while at < inner.len() && inner[at] != b'"' {
            if inner[at] == b'\\' {
                at += 1;
                if !matches!(inner.get(at), Some(b'"' | b'\\')) {
                    return Err(Problem::new("a lone backslash in", word, "\\\\ or \\\""));
                }
            }
            at += 1;
        }
        match at {
            _ if at >= inner.len() => Err(Problem::new("no closing quote in", word, "\"")),
            0 => Err(Problem::new("an empty value", word, "a glob")),
            _ if at + 1 < inner.len() => Err(Problem::new("more after the quotes in", word, "a blank")),
            _ => Ok(Self { text: &inner[..at], quoted: true }),
        }
    }

    /// What stands at `at`, and where the next begins.
    fn unit(&self, at: usize) -> (Unit, usize) {
        match self.text.get(at) {
            None => (Unit::End, at),
            Some(b'*') => (Unit::Any, at + 1),
            Some(b'?') => (Unit::One, at + 1),
            Some(b'\\') if self.quoted => (self.text.get(at + 1).map_or(Unit::End, |b| Unit::Byte(*b)), at + 2),
            Some(byte) => (Unit::Byte(*byte), at + 1),
        }
    }

    /// The whole path when the glob has a `/`, else its last part.
    fn matches_path(&self, path: &[u8]) -> bool {
        let last = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        self.matches(if self.text.contains(&b'/') { path } else { last })
    }

    /// Without recursion: a star first stands for nothing, then for one byte more each time that the rest does not fit. Only
    /// the last star matters, because what lies before it has already been found as early as it can be.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut pattern, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            let (unit, next) = self.unit(pattern);
            let fits = match unit {
                Unit::Any => {
                    star = Some((next, at));
                    pattern = next;
                    continue;
                }
                Unit::End if at == text.len() => return true,
                Unit::End => false,
                Unit::One => at < text.len(),
                Unit::Byte(byte) => text.get(at) == Some(&byte),
            };
            if fits {
                (pattern, at) = (next, at + 1);
                continue;
            }
            match &mut star {
                Some((after, from)) if *from < text.len() => {
                    *from += 1;
                    (pattern, at) = (*after, *from);
                }
                _ => return false,
            }
        }
    }
}

/// Which suppression of which file decided about a finding: a fingerprint of the file, and its place among the good lines.
/// Zero: none did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark(pub u64);

impl Mark {
    pub const NONE: Self = Self(0);

    pub fn new(fingerprint: u32, index: usize) -> Self {
        Self(u64::from(fingerprint) << 32 | (index as u64 + 1) & 0xffff_ffff)
    }

    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    pub fn fingerprint(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub fn index(self) -> Option<usize> {
        (self.0 as u32 as usize).checked_sub(1)
    }
}

/// FNV-1a: tells whether the command was given the file that the process had.
pub fn fingerprint(text: &[u8]) -> u32 {
    text.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
