//! What is no recording, no process, or not alone: one clear line, and exit code 1.

use crate::watched::{Watched, directory, good, shim};
use std::ffi::OsStr;
use std::os::unix::fs::FileExt;

const COMMANDS: [&str; 3] = ["snapshot", "top", "metrics"];

fn refused(target: &dyn AsRef<OsStr>, line: &str) {
    for command in COMMANDS {
        let (stdout, stderr, code) = shim(&[&command, target]);
        assert_eq!((stdout.as_str(), stderr, code), ("", format!("shim: {line}\n"), 1), "{command}");
    }
}

#[test]
fn processes() {
    let me = std::process::id();
    refused(&me.to_string(), &format!("pid {me}: has no recording: start it with record=DIR or shim run"));
    let mut watched = Watched::start("clean", 1);
    let pid = watched.pid();
    watched.kill();
    refused(&pid.to_string(), &format!("pid {pid}: no such process"));
    refused(&"99999999999", &format!("pid {}: no such process", u32::MAX));
}

#[test]
fn files() {
    let place = directory("foreign");
    let file = |name: &str, bytes: &[u8]| {
        let path = place.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let path = file("elf", b"\x7fELF and more");
    refused(&path, &format!("{}: not a recording of shim", path.display()));
    let path = file("empty", b"");
    refused(&path, &format!("{}: empty file", path.display()));
    let path = place.join("gone\x1b[2J");
    refused(&path, &format!("{}/gone\\x1b[2J: No such file or directory", place.display()));
    let empty = directory("nothing");
    refused(&empty, &format!("{}: no recordings (*.shim) in this directory", empty.display()));
}

#[test]
fn a_directory_of_several() {
    let (one, two) = (Watched::start("clean", 1), Watched::start("leaks", 4));
    let both = directory("both");
    for watched in [&one, &two] {
        std::fs::copy(watched.recording(), both.join(watched.recording().file_name().unwrap())).unwrap();
    }
    for command in ["snapshot", "top"] {
        let (stdout, stderr, code) = shim(&[&command, &both]);
        let line = format!("shim: {}: holds 2 recordings: name one of them\n", both.display());
        assert_eq!((stdout.as_str(), stderr, code), ("", line, 1), "{command}");
    }
    assert!(good(&[&"metrics", &both]).contains(&format!("pid=\"{}\"", one.pid())));
}

/// A tail that is damaged, or was never finished, costs its snapshots and nothing else.
#[test]
fn a_damaged_tail() {
    let mut watched = Watched::start("leaks", 4);
    let pid = watched.pid().to_string();
    good(&[&"snapshot", &pid]);
    good(&[&"snapshot", &pid]);
    watched.kill();
    let path = watched.recording();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let report = || good(&[&"report", &path]);
    assert!(report().contains("\n2 snapshots of"));
    // The end of the second one is cut off: what is left of it is read.
    let len = file.metadata().unwrap().len();
    file.set_len(len - 100).unwrap();
    assert!(report().contains("\n2 snapshots of"));
    file.write_all_at(b"NOTASNAP", record::snapshot::TAIL_AT).unwrap();
    assert!(!report().contains("snapshots of"));
    assert!(report().contains("never closed: 4 descriptors"));
    // Longer than any recording can be.
    file.set_len(record::snapshot::MAX_FILE_LEN + 1).unwrap();
    let line = format!("{}: longer than any recording ({} bytes)", path.display(), record::snapshot::MAX_FILE_LEN + 1);
    refused(&path, &line);
}
