//! What rules speak of, each once: functions, modules and source files get small numbers.
//!
//! Why: a policy has up to a thousand rules, but an address is looked at once. What an address is to every pattern is found
//! out when it is first seen (see `frames`), and after that a rule compares numbers.

use super::glob::Glob;
use super::last_part;
use std::collections::BTreeMap;

/// Numbers of patterns of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionId(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleId(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(pub u32);
/// A file's last part, without regard to case: what an index of lines goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BaseId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModulePattern {
    /// The whole path when it has a `/`, else its last part.
    Path(Glob),
    /// How the build id begins.
    BuildId(Vec<u8>),
    /// The path after all links were followed.
    Real(Vec<u8>),
}

impl ModulePattern {
    /// `paths` are the path as it was mapped, and the real one.
    pub fn matches(&self, paths: [&[u8]; 2], build_id: &[u8]) -> bool {
        match self {
            Self::Path(glob) => paths.iter().any(|path| glob.matches_path(path)),
            Self::BuildId(id) => build_id.starts_with(id),
            Self::Real(real) => paths.iter().any(|path| *path == &real[..]),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilePattern {
    /// How the path ends, in whole parts.
    Ending(Vec<u8>),
    /// The last part, without regard to case.
    Base(Vec<u8>),
    /// The whole path, without regard to case.
    Whole(Vec<u8>),
}

impl FilePattern {
    fn text(&self) -> &[u8] {
        match self {
            Self::Ending(text) | Self::Base(text) | Self::Whole(text) => text,
        }
    }

    pub fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Ending(ending) => path
                .strip_suffix(&ending[..])
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/") && !ending.starts_with(b"/")),
            Self::Base(base) => last_part(path).eq_ignore_ascii_case(base),
            Self::Whole(whole) => path.eq_ignore_ascii_case(whole),
        }
    }
}

/// Patterns of one kind, each with its number.
#[derive(Debug)]
struct Numbered<T> {
    all: Vec<T>,
    numbers: BTreeMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Numbered<T> {
    fn number(&mut self, pattern: T) -> u32 {
        if let Some(number) = self.numbers.get(&pattern) {
            return *number;
        }
        let number = self.all.len() as u32;
        self.all.push(pattern.clone());
        self.numbers.insert(pattern, number);
        number
    }
}

#[derive(Debug, Default)]
pub struct Vocabulary {
    functions: Numbered<Glob>,
    modules: Numbered<ModulePattern>,
    files: Numbered<FilePattern>,
    bases: Numbered<Vec<u8>>,
    /// Of each file pattern.
    base_of: Vec<BaseId>,
    /// The file patterns of each base.
    of_base: Vec<Vec<FileId>>,
}

impl Vocabulary {
    pub fn function(&mut self, glob: Glob) -> FunctionId {
        FunctionId(self.functions.number(glob))
    }

    pub fn module(&mut self, pattern: ModulePattern) -> ModuleId {
        ModuleId(self.modules.number(pattern))
    }

    pub fn file(&mut self, pattern: FilePattern) -> FileId {
        let base = last_part(pattern.text()).to_ascii_lowercase();
        let number = self.files.number(pattern);
        if number as usize == self.base_of.len() {
            let base = self.bases.number(base);
            self.base_of.push(BaseId(base));
            if base as usize == self.of_base.len() {
                self.of_base.push(Vec::new());
            }
            self.of_base[base as usize].push(FileId(number));
        }
        FileId(number)
    }

    pub fn base_of(&self, file: FileId) -> Option<BaseId> {
        self.base_of.get(file.0 as usize).copied()
    }

    pub fn functions(&self) -> &[Glob] {
        &self.functions.all
    }

    /// Numbers of all patterns that a module matches, ascending.
    pub fn of_module(&self, paths: [&[u8]; 2], build_id: &[u8]) -> Box<[ModuleId]> {
        let numbered = (0..).map(ModuleId).zip(&self.modules.all);
        numbered.filter(|(_, pattern)| pattern.matches(paths, build_id)).map(|(id, _)| id).collect()
    }

    /// What rules say of a path: the number of its last part, and those of all patterns that it matches, ascending.
    pub fn of_file(&self, path: &[u8]) -> Option<(BaseId, Box<[FileId]>)> {
        let base = *self.bases.numbers.get(&last_part(path).to_ascii_lowercase())?;
        let patterns = self.of_base.get(base as usize)?.iter().copied();
        let matches = |file: &FileId| self.files.all.get(file.0 as usize).is_some_and(|pattern| pattern.matches(path));
        Some((BaseId(base), patterns.filter(matches).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let ending = |text: &str| FilePattern::Ending(text.into());
        assert!(ending("a.c").matches(b"/src/a.c"));
        assert!(ending("a.c").matches(b"a.c"));
        assert!(ending("src/a.c").matches(b"/x/src/a.c"));
        assert!(ending("/x/a.c").matches(b"/x/a.c"));
        assert!(!ending("/x/a.c").matches(b"/y/x/a.c"));
        assert!(!ending("a.c").matches(b"/src/ba.c"));
        assert!(!ending("a.c").matches(b"/src/A.c"));
        assert!(FilePattern::Base(b"a.c".to_vec()).matches(b"/src/A.C"));
        assert!(!FilePattern::Whole(b"a.c".to_vec()).matches(b"/src/a.c"));
    }

    #[test]
    fn modules() {
        let path = |glob: &str| ModulePattern::Path(Glob::parse(glob.as_bytes()).unwrap_or_else(|e| panic!("{e:?}")));
        let paths: [&[u8]; 2] = [b"/lib/libm.so.6", b"/usr/lib/libm-2.36.so"];
        assert!(path("libm.so.*").matches(paths, b""));
        assert!(path("libm-2.36.so").matches(paths, b""));
        assert!(path("/usr/lib/*").matches(paths, b""));
        assert!(!path("libm").matches(paths, b""));
        assert!(ModulePattern::BuildId(vec![1, 2]).matches(paths, &[1, 2, 3]));
        assert!(!ModulePattern::BuildId(vec![1, 2]).matches(paths, &[1]));
        assert!(!ModulePattern::Real(b"libm.so.6".to_vec()).matches(paths, b""));
    }
}
