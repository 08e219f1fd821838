//! What `shim report` says of files that are no good: one line each, and the rest is reported.

use crate::installed::{command, output, parts};
use crate::{built, sample};
use std::path::PathBuf;
use std::process::Command;

struct Bad {
    name: &'static str,
    why: &'static str,
    bytes: Vec<u8>,
}

fn table() -> Vec<Bad> {
    let good = std::fs::read(&*sample::CLEAN).unwrap();
    let crash = sample::process(1);
    record::findings::file(&crash, &sample::info());
    let chunked = crash.to_bytes();
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = chunked.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let bad = |name, why, bytes| Bad { name, why, bytes };
    vec![
        bad("empty", "empty file", Vec::new()),
        bad("foreign", "not a recording of shim", b"\x7fELF and more".to_vec()),
        bad("zeroes", "its process ended before it had begun to write", vec![0; 1 << 16]),
        bad("short", "truncated recording: 100 bytes, where its header promises 16384", good[..100].to_vec()),
        bad("cut", "truncated recording: 81919 bytes, where its header promises 81920", chunked[..81919].to_vec()),
        bad("version", "a recording of format version 9; this shim reads version 2", patched(8, &9u32.to_ne_bytes())),
        bad("order", "recorded on a machine of the other byte order", patched(12, &0x0403_0201u32.to_ne_bytes())),
        bad(
            "many",
            "corrupt recording: it counts more chunks than its directory has room for",
            patched(80, &[0xff; 4]),
        ),
        bad(
            "beyond",
            "corrupt recording: its directory names a chunk beyond the end of a section",
            patched(8192, &[0xff, 0xff, 0xff, 5]),
        ),
    ]
}

#[test]
fn each_is_one_line_and_the_rest_is_reported() {
    let directory = built::directory("bad");
    let table = table();
    for bad in &table {
        std::fs::write(directory.join(format!("{}.shim", bad.name)), &bad.bytes).unwrap();
    }
    std::fs::copy(&*sample::CLEAN, directory.join("good.shim")).unwrap();
    let (stdout, stderr, code) = parts(&output(&["report".as_ref(), directory.as_os_str()]));
    assert_eq!((stdout.as_str(), code), ("== shim: no findings in 1 process\n", Some(1)));
    // A process that is killed at once leaves these, which says nothing against the rest of a directory.
    let (unbegun, bad): (Vec<&Bad>, Vec<&Bad>) = table.iter().partition(|bad| matches!(bad.name, "empty" | "zeroes"));
    for bad in &bad {
        let line = format!("shim: {}/{}.shim: {}", directory.display(), bad.name, bad.why);
        assert!(stderr.lines().any(|l| l == line), "expected {line}\ngot {stderr}");
    }
    let line = format!(
        "shim: {} of the recordings were left out: their processes ended before they had begun to write",
        unbegun.len()
    );
    assert!(stderr.lines().any(|l| l == line), "expected {line}\ngot {stderr}");
    assert_eq!(stderr.lines().count(), bad.len() + 1);
    // Named one by one as well.
    for bad in &table {
        let path = directory.join(format!("{}.shim", bad.name));
        let (stdout, stderr, code) = parts(&output(&["report".as_ref(), "--json".as_ref(), path.as_os_str()]));
        assert_eq!((stdout.as_str(), stderr.lines().count(), code), ("", 1, Some(1)), "{}", bad.name);
    }
}

#[test]
fn places_where_nothing_is() {
    let empty = built::directory("nothing-here");
    let fifo = built::scratch().join("fifo.shim");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let hostile = PathBuf::from("/no/\u{1b}[31m\nsuch");
    for (path, why) in [
        (empty, "no recordings (*.shim) in this directory"),
        (PathBuf::from("/no/such/place"), "No such file or directory"),
        (fifo, "not a regular file"),
        (PathBuf::from("/dev/zero"), "not a regular file"),
        (hostile, "No such file or directory"),
    ] {
        let (stdout, stderr, code) = parts(&output(&["report".as_ref(), path.as_os_str()]));
        assert_eq!((stdout.as_str(), code), ("", Some(1)));
        assert!(stderr.starts_with("shim: /") && stderr.ends_with(&format!(": {why}\n")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_huge_file_of_another_kind_is_not_read() {
    let path = built::scratch().join("huge.shim");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    let (_, stderr, code) = parts(&output(&["report".as_ref(), path.as_os_str()]));
    assert_eq!(code, Some(1));
    assert!(stderr.ends_with("its process ended before it had begun to write\n"), "{stderr}");
    // And one that claims to be ours.
    std::fs::write(&path, &std::fs::read(&*sample::CLEAN).unwrap()[..16384]).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    let (_, stderr, _) = parts(&output(&["report".as_ref(), path.as_os_str()]));
    assert!(stderr.ends_with("longer than any recording (1099511627776 bytes)\n"), "{stderr}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn usage_errors_are_one_line() {
    for (arguments, code) in [
        (&["report"][..], 2),
        (&["report", "--nope", "x"], 2),
        (&["nope"], 2),
        (&["explain", "fd.nope"], 2),
        (&["doctor"], 2),
        (&["run"], 125),
        (&["run", "--fd", "sometimes", "--", "true"], 125),
        (&["run", "--nope", "--", "true"], 125),
        (&["run", "--stack_depth", "65", "true"], 125),
        (&["run", "--quarantine", "4X", "true"], 125),
        (&["run", "--record", "/proc/nope", "true"], 125),
        (&["run", "--suppressions", "a\\", "true"], 125),
    ] {
        let (stdout, stderr, found) = parts(&command(arguments).output().unwrap());
        assert_eq!((stdout.as_str(), found), ("", Some(code)), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("shim: ") && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    }
}
