//! Globs: `*` is any text, `/` included; `?` one byte; `[a-z]` one byte of a set, `[!a-z]` of the others. A backslash takes
//! the meaning from the byte after it. `[]` stands for itself, so that `operator[]` can be written as it is.
//!
//! Why not those of the suppressions: they know no sets, and their crate is not to be known here.
//!
//! Rules: matching neither allocates nor recurses; its time is at most the product of both lengths.

/// A longer pattern is a mistake.
const LONGEST: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob {
    text: Box<[u8]>,
    units: Box<[Unit]>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Any,
    One,
    Byte(u8),
    Set { others: bool, ranges: Box<[(u8, u8)]> },
}

impl Glob {
    /// What is wrong with a pattern, and what was expected.
    pub fn parse(text: &[u8]) -> Result<Self, (&'static str, &'static str)> {
        if text.is_empty() {
            return Err(("an empty pattern", "a glob"));
        }
        if text.len() > LONGEST {
            return Err(("a pattern of more than 1024 bytes", "a shorter one"));
        }
        let mut units = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            at += 1;
            units.push(match byte {
                b'*' => {
                    if units.last() == Some(&Unit::Any) {
                        continue;
                    }
                    Unit::Any
                }
                b'?' => Unit::One,
                b'\\' => {
                    let escaped = text.get(at).ok_or(("a backslash at the end", "what it escapes"))?;
                    at += 1;
                    Unit::Byte(*escaped)
                }
                b'[' if text.get(at) != Some(&b']') => {
                    let (set, next) = set(text, at)?;
                    at = next;
                    set
                }
                byte => Unit::Byte(*byte),
            });
        }
        Ok(Self { text: text.into(), units: units.into() })
    }

    /// The one text that it matches.
    pub fn literal(&self) -> Option<Vec<u8>> {
        self.units.iter().map(|unit| if let Unit::Byte(byte) = unit { Some(*byte) } else { None }).collect()
    }

    /// Without recursion: a star first stands for nothing, then for one byte more each time that the rest does not fit.
    /// Only the last star matters, because what lies before it was found as early as it can be.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut unit, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            let fits = match (self.units.get(unit), text.get(at)) {
                (Some(Unit::Any), _) => {
                    unit += 1;
                    star = Some((unit, at));
                    continue;
                }
                (None, None) => return true,
                (Some(Unit::One), Some(_)) => true,
                (Some(Unit::Byte(wanted)), Some(byte)) => wanted == byte,
                (Some(Unit::Set { others, ranges }), Some(byte)) => {
                    ranges.iter().any(|(from, to)| (from..=to).contains(&byte)) != *others
                }
                _ => false,
            };
            if fits {
                (unit, at) = (unit + 1, at + 1);
                continue;
            }
            match &mut star {
                Some((after, from)) if *from < text.len() => {
                    *from += 1;
                    (unit, at) = (*after, *from);
                }
                _ => return false,
            }
        }
    }

    /// The whole path when the glob has a `/`, else its last part.
    pub fn matches_path(&self, path: &[u8]) -> bool {
        self.matches(if self.text.contains(&b'/') { path } else { super::last_part(path) })
    }
}

/// A set, behind its `[`, and what follows it.
fn set(text: &[u8], mut at: usize) -> Result<(Unit, usize), (&'static str, &'static str)> {
    const UNCLOSED: (&str, &str) = ("a [ without its ]", "[a-z], or \\[ for the bracket itself");
    let others = matches!(text.get(at), Some(b'!' | b'^'));
    at += usize::from(others);
    let mut ranges = Vec::new();
    loop {
        let from = *text.get(at).ok_or(UNCLOSED)?;
        // A bracket that comes first is one of the set.
        if from == b']' && !ranges.is_empty() {
            return Ok((Unit::Set { others, ranges: ranges.into() }, at + 1));
        }
        let is_range = text.get(at + 1) == Some(&b'-') && text.get(at + 2).is_some_and(|b| *b != b']');
        let to = if is_range { text[at + 2] } else { from };
        if to < from {
            return Err(("a range that ends before it begins", "[a-z]"));
        }
        ranges.push((from, to));
        at += if is_range { 3 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    fn matches(glob: &str, text: &str) -> bool {
        Glob::parse(glob.as_bytes()).is_ok_and(|g| g.matches(text.as_bytes()))
    }

    #[test]
    fn texts() {
        for (glob, yes, no) in [
            ("solve", "solve", "solver"),
            ("solve*", "solver", "resolve"),
            ("*Field*", "Foam::Field<double>::Field", "Foam::field"),
            ("a?c", "abc", "ac"),
            ("a*b*c", "aXbXbc", "aXcXb"),
            ("[a-c]x", "bx", "dx"),
            ("[!a-c]x", "dx", "bx"),
            ("[^a-c]x", "dx", "ax"),
            ("[]x", "[]x", "]x"),
            ("v::operator[]", "v::operator[]", "v::operator"),
            ("[a-]", "-", "b"),
            ("[!]]", "a", "]"),
            (r"\*", "*", "x"),
            (r"\[a]", "[a]", "a"),
            ("*", "", "\u{0}never"),
        ] {
            assert!(matches(glob, yes), "{glob} {yes}");
            assert!(glob == "*" || !matches(glob, no), "{glob} {no}");
        }
    }

    #[test]
    fn many_stars_are_quick() {
        let glob = Glob::parse("a*".repeat(500).as_bytes()).unwrap_or_else(|e| panic!("{e:?}"));
        assert!(!glob.matches("b".repeat(100_000).as_bytes()));
        assert!(!glob.matches(&[b"a".repeat(499), b"b".repeat(10_000)].concat()));
    }

    #[test]
    fn faults() {
        for glob in ["", "[", "[a", "[z-a]", "\\", &"x".repeat(1025)] {
            assert!(Glob::parse(glob.as_bytes()).is_err(), "{glob}");
        }
    }

    #[test]
    fn a_literal_is_told() {
        let literal = |glob: &str| Glob::parse(glob.as_bytes()).ok().and_then(|g| g.literal());
        assert_eq!(literal(r"a\*b"), Some(b"a*b".to_vec()));
        assert_eq!(literal("a*b"), None);
    }
}
