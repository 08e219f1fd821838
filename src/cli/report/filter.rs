//! Which findings are wanted: by kind, process, severity, module.
//!
//! Why before the merge: what nobody asked for is then neither kept nor counted, so that counts are of what is shown.

use crate::merge::ModuleId;
use record::kind::Severity;
use record::reader::{Finding, Head};

#[derive(Default)]
pub struct Filter {
    /// Any of these; none means all.
    pub kinds: Vec<Glob>,
    pub pid: Option<u32>,
    /// A frame of any of its stacks lies in it.
    pub module: Option<Glob>,
    /// This one and graver.
    pub severity: Option<Severity>,
}

impl Filter {
    pub fn wants_process(&self, head: &Head) -> bool {
        self.pid.is_none_or(|pid| pid == head.pid)
    }

    pub fn wants(&self, finding: &Finding) -> bool {
        let kind = finding.kind.name().as_bytes();
        self.severity.is_none_or(|least| finding.severity <= least)
            && (self.kinds.is_empty() || self.kinds.iter().any(|glob| glob.matches(kind)))
    }

    /// `None` asks whether a finding is wanted whatever its modules are.
    pub fn wants_module(&self, module: Option<&ModuleId>) -> bool {
        match (&self.module, module) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(glob), Some(module)) => glob.matches_path(&module.path),
        }
    }
}

/// `*` is any text, `/` included; `?` is one byte.
#[derive(Clone, Debug)]
pub struct Glob(Vec<u8>);

impl Glob {
    pub fn new(pattern: impl Into<Vec<u8>>) -> Self {
        Self(pattern.into())
    }

    /// The whole path when the pattern has a `/`, otherwise its last part.
    pub fn matches_path(&self, path: &[u8]) -> bool {
        let last = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        self.matches(if self.0.contains(&b'/') { path } else { last })
    }

    /// Without recursion: only the last star is ever tried again, because what lies before it was found as early as it
    /// can be.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut pattern, mut at, mut star) = (0, 0, None);
        while at < text.len() {
            match self.0.get(pattern) {
                Some(b'*') => {
                    pattern += 1;
                    star = Some((pattern, at));
                }
                Some(b) if *b == b'?' || *b == text[at] => (pattern, at) = (pattern + 1, at + 1),
                _ => {
                    let Some((after, from)) = star else { return false };
                    (pattern, at) = (after, from + 1);
                    star = Some((after, from + 1));
                }
            }
        }
        self.0[pattern..].iter().all(|b| *b == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let matches = |pattern: &str, text: &str| Glob::new(pattern).matches(text.as_bytes());
        for (pattern, text) in [
            ("fd.*", "fd.leak"),
            ("*", ""),
            ("*.double-*", "fd.double-close"),
            ("a*b*c", "a/b/b/c"),
            ("?", "x"),
            ("", ""),
            ("*ab", "aab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("fd.*", "heap.leak"), ("?", ""), ("", "x"), ("a*b", "abc"), ("a?c", "ac"), ("x*", "")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(
            Glob::new("libz.*").matches_path(b"/usr/lib/libz.so")
                && Glob::new("/usr/*").matches_path(b"/usr/lib/libz.so")
        );
        assert!(
            !Glob::new("usr/*").matches_path(b"/usr/lib/libz.so")
                && !Glob::new("lib").matches_path(b"/usr/lib/libz.so")
        );
    }
}
