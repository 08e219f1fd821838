//! Lines of source files, where they can still be read.

use crate::files;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longer files are generated, or not source at all.
const LONGEST: u64 = 16 << 20;

#[derive(Default)]
pub struct Sources {
    files: HashMap<PathBuf, Vec<u8>>,
}

impl Sources {
    /// The line, with tabs as spaces and without the end of the line. `None` when there is none to show.
    pub fn line(&mut self, path: &Path, number: u32) -> Option<Vec<u8>> {
        let text = self.files.entry(path.to_owned()).or_insert_with(|| read(path).unwrap_or_default());
        let line = text.split(|b| *b == b'\n').nth((number as usize).checked_sub(1)?)?;
        if line.trim_ascii().is_empty() {
            return None;
        }
        Some(
            line.trim_ascii_end()
                .iter()
                .flat_map(|b| if *b == b'\t' { &b"    "[..] } else { std::slice::from_ref(b) })
                .copied()
                .collect(),
        )
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let (file, len) = files::open(path).ok()?;
    let mut text = Vec::new();
    (len <= LONGEST).then(|| file.take(LONGEST).read_to_end(&mut text)).and_then(Result::ok)?;
    Some(text)
}
