//! Lines of source files, where they can still be read.

use crate::files;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longer files are generated, or not source at all.
const LONGEST: u64 = 16 << 20;

#[derive(Default)]
pub struct Sources {
    files: HashMap<PathBuf, Source>,
}

/// A file, and where its lines begin.
#[derive(Default)]
struct Source {
    text: Vec<u8>,
    starts: Vec<usize>,
}

impl Sources {
    /// The line, with tabs as spaces and without the end of the line. `None` when there is none to show.
    pub fn line(&mut self, path: &Path, number: u32) -> Option<Vec<u8>> {
        let line = self.file(path).line(number)?;
        (!line.trim_ascii().is_empty()).then(|| spaced(line))
    }

    /// The line with as many as `around` before and after it, and the number of the first. `None` when there is no such
    /// line to show.
    pub fn context(&mut self, path: &Path, number: u32, around: u32) -> Option<(u32, Vec<Vec<u8>>)> {
        let file = self.file(path);
        file.line(number).filter(|line| !line.trim_ascii().is_empty())?;
        let first = number.saturating_sub(around).max(1);
        let lines = (first..=number.saturating_add(around)).map_while(|n| file.line(n)).map(spaced).collect();
        Some((first, lines))
    }

    fn file(&mut self, path: &Path) -> &Source {
        self.files.entry(path.to_owned()).or_insert_with(|| {
            let text = read(path).unwrap_or_default();
            let starts = if text.is_empty() { Vec::new() } else { vec![0] };
            let breaks = text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
            let starts = starts.into_iter().chain(breaks).collect();
            Source { text, starts }
        })
    }
}

impl Source {
    /// From 1, without the end of the line.
    fn line(&self, number: u32) -> Option<&[u8]> {
        let index = (number as usize).checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        self.text.get(start..end)
    }
}

fn spaced(line: &[u8]) -> Vec<u8> {
    line.trim_ascii_end()
        .iter()
        .flat_map(|b| if *b == b'\t' { &b"    "[..] } else { std::slice::from_ref(b) })
        .copied()
        .collect()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let (file, len) = files::open(path).ok()?;
    let mut text = Vec::new();
    (len <= LONGEST).then(|| file.take(LONGEST).read_to_end(&mut text)).and_then(Result::ok)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_what_is_around_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"one\n\ttwo  \n\nfour").unwrap();
        let mut sources = Sources::default();
        let mut line = |n| sources.line(file.path(), n);
        assert_eq!(
            [line(0), line(1), line(2), line(3)],
            [None, Some(b"one".to_vec()), Some(b"    two".to_vec()), None]
        );
        assert_eq!([line(4), line(5)], [Some(b"four".to_vec()), None]);
        let lines = |texts: &[&str]| texts.iter().map(|t| t.as_bytes().to_vec()).collect::<Vec<_>>();
        let mut context = |n, around| sources.context(file.path(), n, around);
        assert_eq!(context(2, 1), Some((1, lines(&["one", "    two", ""]))));
        assert_eq!(context(4, 2), Some((2, lines(&["    two", "", "four"]))));
        assert_eq!((context(3, 1), context(9, 1), context(u32::MAX, 9)), (None, None, None));
        assert_eq!(Sources::default().line(Path::new("/no/such/file"), 1), None);
    }
}
