//! From paths to parsed recordings: directories are searched for `*.shim`, each file is read and checked.

use crate::escape::shown;
use crate::files;
use crate::message::reason;
use record::layout::{CHUNKS_AT, MAGIC};
use record::reader::{MAX_LEN, Recording};
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

pub type Loaded = Recording<Vec<u8>>;

/// What the paths stand for, in the order of their names, and one line for each that stands for nothing.
#[derive(Default)]
pub struct Found {
    pub files: Vec<PathBuf>,
    pub problems: Vec<String>,
}

pub fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let before = (found.files.len(), found.problems.len());
                search(path, &mut found);
                if (found.files.len(), found.problems.len()) == before {
                    found.problems.push(format!("{}: no recordings (*.shim) in this directory", shown(path)));
                }
            }
            Ok(_) => found.files.push(path.clone()),
            Err(error) => found.problems.push(format!("{}: {}", shown(path), reason(&error))),
        }
    }
    found
}

/// All `*.shim` below a directory. Links to directories are not followed, so that there is an end.
fn search(root: &Path, found: &mut Found) {
    let mut pending = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = pending.pop() {
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                found.problems.push(format!("{}: {}", shown(&directory), reason(&error)));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
            } else if path.extension() == Some(OsStr::new("shim")) {
                files.push(path);
            }
        }
    }
    files.sort();
    found.files.append(&mut files);
}

/// Reads and checks one recording; the error is the `why` of `shim: PATH: why`.
pub fn load(path: &Path) -> Result<Loaded, String> {
    load_into(path, Vec::new())
}

/// The same into memory that another recording is done with: what it holds is forgotten.
pub fn load_into(path: &Path, mut bytes: Vec<u8>) -> Result<Loaded, String> {
    let (mut file, len) = files::open(path).map_err(|e| reason(&e))?;
    bytes.clear();
    // A foreign file is told by its first bytes, however long it is.
    file.by_ref().take(CHUNKS_AT as u64).read_to_end(&mut bytes).map_err(|e| reason(&e))?;
    if bytes.starts_with(&MAGIC) {
        if len > MAX_LEN {
            return Err(format!("longer than any recording ({len} bytes)"));
        }
        bytes.reserve_exact(len.saturating_sub(bytes.len() as u64) as usize);
        file.take(MAX_LEN).read_to_end(&mut bytes).map_err(|e| reason(&e))?;
    }
    Recording::parse(bytes).map_err(|e| e.to_string())
}
