//! From paths to parsed recordings: directories are searched for `*.shim`, each file is read and checked.

use crate::escape::shown;
use crate::files;
use crate::message::reason;
use record::layout::{CHUNKS_AT, MAGIC};
use record::reader::{Recording, extent};
use record::snapshot::{self, MAX_FILE_LEN, Snapshot};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub type Loaded = Recording<Vec<u8>>;

/// What the paths stand for, in the order of their names, and one line for each that stands for nothing.
#[derive(Default)]
pub struct Found {
    pub files: Vec<PathBuf>,
    pub problems: Vec<String>,
    /// Found in directories and left out: their processes ended before they had begun to write, which is no fault of the rest.
    pub unbegun: usize,
}

pub fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let before = (found.files.len() + found.unbegun, found.problems.len());
                search(path, &mut found);
                if (found.files.len() + found.unbegun, found.problems.len()) == before {
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
                if is_unbegun(&path) {
                    found.unbegun += 1;
                } else {
                    files.push(path);
                }
            }
        }
    }
    files.sort();
    found.files.append(&mut files);
}

/// A file whose process was killed between its making and the first word of its header.
fn is_unbegun(path: &Path) -> bool {
    let Ok((mut file, _)) = files::open(path) else { return false };
    let mut first = [0; MAGIC.len()];
    match file.read_exact(&mut first) {
        Ok(()) => first == [0; MAGIC.len()],
        Err(error) => error.kind() == ErrorKind::UnexpectedEof && file.metadata().is_ok_and(|m| m.len() == 0),
    }
}

/// Reads and checks one recording; the error is the `why` of `shim: PATH: why`.
pub fn load(path: &Path) -> Result<Loaded, String> {
    let (file, _) = files::open(path).map_err(|e| reason(&e))?;
    load_file(&file, Vec::new())
}

/// The same of a file that is open, from its front, into memory that another recording is done with.
///
/// Read and not mapped: a file that is cut while it is mapped kills the reader.
pub fn load_file(mut file: &File, mut bytes: Vec<u8>) -> Result<Loaded, String> {
    let error = |e| reason(&e);
    bytes.clear();
    file.seek(SeekFrom::Start(0)).map_err(error)?;
    let len = file.metadata().map_err(error)?.len();
    // A foreign file is told by its first bytes, however long it is.
    file.take(CHUNKS_AT as u64).read_to_end(&mut bytes).map_err(error)?;
    if bytes.starts_with(&MAGIC) {
        if len > MAX_FILE_LEN {
            return Err(format!("longer than any recording ({len} bytes)"));
        }
        let rest = extent(&bytes).min(len).saturating_sub(bytes.len() as u64);
        bytes.reserve_exact(rest as usize);
        file.take(rest).read_to_end(&mut bytes).map_err(error)?;
    }
    Recording::parse(bytes).map_err(|e| e.to_string())
}

/// The snapshots in its tail, the oldest first.
pub fn snapshots(file: &File) -> Result<Vec<Snapshot>, String> {
    snapshot::read_all(&Tail(file)).map_err(|errno| reason(&std::io::Error::from_raw_os_error(errno)))
}

/// A recording as the place of its snapshots.
pub struct Tail<'a>(pub &'a File);

impl snapshot::File for Tail<'_> {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<usize, i32> {
        let mut len = 0;
        while len < buffer.len() {
            match self.0.read_at(&mut buffer[len..], at + len as u64) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.raw_os_error().unwrap_or(libc::EIO)),
            }
        }
        Ok(len)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), i32> {
        self.0.write_all_at(bytes, at).map_err(|e| e.raw_os_error().unwrap_or(libc::EIO))
    }
}
