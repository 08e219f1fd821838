//! From what the user names, a PID or a path, to the recording, and to the process that is writing it.
//!
//! A process that is watched has its recording mapped, shared: /proc/PID/maps tells the file, under whatever root the
//! process sees. What is found is believed when its header names the process, by the number that it has in its own
//! PID namespace.

use crate::escape::{bytes, shown};
use crate::files;
use crate::message::reason;
use crate::recordings::{self, Found, Loaded};
use record::layout::state;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A recording, perhaps of a process that lives.
#[derive(Debug)]
pub struct Target {
    /// What it is called in messages.
    pub name: String,
    /// Where it can be opened.
    pub path: PathBuf,
    pub file: File,
    /// The living process, by the number that we know it by.
    pub pid: Option<u32>,
}

/// The target, or the line that says why there is none.
pub fn find(named: &OsStr) -> Result<Target, String> {
    match number(named) {
        Some(pid) => of_process(pid),
        None => of_path(Path::new(named)),
    }
}

/// All recordings that are meant: of a PID or a file one, of a directory each; with one line for each that cannot be read.
pub fn find_all(named: &OsStr) -> (Vec<Target>, Vec<String>) {
    let path = Path::new(named);
    if number(named).is_some() || !path.is_dir() {
        return match find(named) {
            Ok(target) => (vec![target], Vec::new()),
            Err(line) => (Vec::new(), vec![line]),
        };
    }
    let found = recordings::find(&[path.to_owned()]);
    let mut problems = found.problems;
    let mut targets = Vec::new();
    for file in found.files {
        match of_file(&file) {
            Ok(target) => targets.push(target),
            Err(line) => problems.push(line),
        }
    }
    (targets, problems)
}

/// The files of all recordings that are meant: of a PID one, of a directory each, of a path itself.
pub fn files(named: &[OsString]) -> Found {
    let mut all = Found::default();
    for named in named {
        if number(named).is_some() {
            match find(named) {
                Ok(target) => all.files.push(target.path),
                Err(line) => all.problems.push(line),
            }
        } else {
            let found = recordings::find(&[PathBuf::from(named)]);
            all.files.extend(found.files);
            all.problems.extend(found.problems);
            all.unbegun += found.unbegun;
        }
    }
    all
}

/// A PID is all digits; a file of such a name is `./123`.
fn number(named: &OsStr) -> Option<u32> {
    let text = named.to_str().filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()))?;
    // Larger than any PID: no such process, rather than a file of that name.
    Some(text.parse().unwrap_or(u32::MAX))
}

fn of_path(path: &Path) -> Result<Target, String> {
    if !path.is_dir() {
        return of_file(path);
    }
    let found = recordings::find(&[path.to_owned()]);
    match (found.files.as_slice(), found.problems.into_iter().next()) {
        ([one], _) => of_file(one),
        ([], Some(problem)) => Err(problem),
        (files, _) => Err(format!("{}: holds {} recordings: name one of them", shown(path), files.len())),
    }
}

fn of_file(path: &Path) -> Result<Target, String> {
    let say = |why: String| format!("{}: {why}", shown(path));
    let (file, _) = files::open(path).map_err(|e| say(reason(&e)))?;
    let head = recordings::load_file(&file, Vec::new()).map_err(say)?.head();
    let writing = head.state == state::RUNNING && maps(head.pid, path);
    Ok(Target { name: shown(path), path: path.to_owned(), file, pid: writing.then_some(head.pid) })
}

fn of_process(pid: u32) -> Result<Target, String> {
    let say = |why: &str| format!("pid {pid}: {why}");
    let maps = fs::read(format!("/proc/{pid}/maps")).map_err(|e| match e.kind() {
        ErrorKind::NotFound => say("no such process"),
        _ if e.raw_os_error() == Some(libc::ESRCH) => say("no such process"),
        _ => say(&format!("cannot be looked into: {}", reason(&e))),
    })?;
    let inside = names(pid);
    for mapping in mappings(&maps) {
        let under_root =
            PathBuf::from(format!("/proc/{pid}/root")).join(mapping.path.strip_prefix("/").unwrap_or(&mapping.path));
        let direct = PathBuf::from(format!("/proc/{pid}/map_files")).join(&mapping.range);
        for path in [under_root, direct] {
            let Ok((file, _)) = files::open(&path) else { continue };
            let Ok(recording) = recordings::load_file(&file, Vec::new()) else { continue };
            if inside.contains(&recording.head().pid) {
                return Ok(Target { name: format!("pid {pid}"), path, file, pid: Some(pid) });
            }
        }
    }
    // An empty map: a kernel thread, or one that is just ending.
    if maps.is_empty() && !Path::new(&format!("/proc/{pid}/exe")).exists() {
        return Err(say("no such process, or none with a memory of its own"));
    }
    Err(say("has no recording: start it with record=DIR or shim run"))
}

/// The numbers of a process: as we see it, and in its own namespaces.
fn names(pid: u32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    line.split_whitespace().filter_map(|n| n.parse().ok()).chain([pid]).collect()
}

/// A recording in the memory of a process.
struct Mapping {
    path: PathBuf,
    /// As in /proc/PID/map_files.
    range: OsString,
    inode: u64,
}

/// The shared mappings of files that are named like a recording, each file once.
fn mappings(maps: &[u8]) -> Vec<Mapping> {
    let mut found: Vec<Mapping> = Vec::new();
    for line in maps.split(|b| *b == b'\n') {
        let Some(([range, permissions, path], inode)) = fields(line) else { continue };
        let path = unescaped(path.strip_suffix(b" (deleted)").unwrap_or(path));
        if permissions.ends_with(b"s")
            && path.ends_with(b".shim")
            && found.iter().all(|m| m.path.as_os_str().as_bytes() != path)
        {
            found.push(Mapping {
                path: OsString::from_vec(path).into(),
                range: OsStr::from_bytes(range).to_owned(),
                inode,
            });
        }
    }
    found
}

/// Address range, permissions and path, and the inode, of a line of /proc/PID/maps.
fn fields(line: &[u8]) -> Option<([&[u8]; 3], u64)> {
    let slash = line.iter().position(|b| *b == b'/')?;
    let mut words = line[..slash].split(|b| *b == b' ').filter(|w| !w.is_empty());
    let (range, permissions) = (words.next()?, words.next()?);
    // Offset and device stand between.
    let inode = std::str::from_utf8(words.nth(2)?).ok()?.parse().ok()?;
    Some(([range, permissions, &line[slash..]], inode))
}

/// The kernel shows a newline in a path as \012.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        if let Some(after) = rest.strip_prefix(b"\\012") {
            out.push(b'\n');
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

/// Is this the recording that the process is writing? A pid may have a new owner, and a recording a copy.
fn maps(pid: u32, recording: &Path) -> bool {
    let Ok(maps) = fs::read(format!("/proc/{pid}/maps")) else { return false };
    let (name, inode) = (recording.file_name(), fs::metadata(recording).map_or(0, |meta| meta.ino()));
    let whole = recording.canonicalize().unwrap_or_default();
    // The path may be another in its mount namespace, the inode another on an overlay.
    mappings(&maps).iter().any(|m| m.path == whole || m.path.file_name() == name && m.inode == inode)
}

impl Target {
    /// Reads it as it is now, into memory that an earlier reading is done with.
    pub fn read(&self, memory: Vec<u8>) -> Result<Loaded, String> {
        recordings::load_file(&self.file, memory).map_err(|why| format!("{}: {why}", self.name))
    }

    /// Does the process live? One that was not living when we began never does.
    pub fn lives(&self) -> bool {
        self.pid.is_some_and(|pid| fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| !is_dead(&stat)))
    }
}

/// Z and X stand behind the name, which may hold anything.
fn is_dead(stat: &[u8]) -> bool {
    let after = stat.iter().rposition(|b| *b == b')').map_or(&b""[..], |at| &stat[at + 1..]);
    matches!(after.trim_ascii_start().first(), Some(b'Z' | b'X') | None)
}

/// `app (pid 12)`.
pub fn who(program: &[u8], pid: u32) -> String {
    format!("{} (pid {pid})", bytes(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_among_the_mappings() {
        let maps = b"7f00-7f01 rw-s 00000000 fe:01 77   /r/a b.1.shim\n7f01-7f02 rw-s 00004000 fe:01 77   /r/a b.1.shim\n\
            7f03-7f04 r-xp 0 fe:01 1 /bin/app\n7f05-7f06 rw-p 0 fe:01 9 /r/parent.shim\n7f07-7f08 rw-s 0 0:1 9 /r/x\\012y.shim (deleted)\n";
        let found: Vec<_> = mappings(maps).into_iter().map(|m| (m.path, m.range)).collect();
        assert_eq!(found, [("/r/a b.1.shim".into(), "7f00-7f01".into()), ("/r/x\ny.shim".into(), "7f07-7f08".into())]);
        assert!(mappings(b"garbage\n\n 7f").is_empty());
    }

    #[test]
    fn numbers_are_pids() {
        assert_eq!([number("12".as_ref()), number("./12".as_ref()), number("".as_ref())], [Some(12), None, None]);
        assert_eq!(number("99999999999999".as_ref()), Some(u32::MAX));
    }

    #[test]
    fn the_state_of_a_process() {
        assert!(is_dead(b"12 (a) R) Z 1 1"));
        assert!(!is_dead(b"12 (a Z) S 1 1"));
    }
}
