//! Where functions and lines come from: DWARF, a separate debug file, symbols, or nowhere.

use crate::built::{self, Crash, tool};
use crate::installed::{output, parts};
use crate::sample::{self, write};
use std::path::Path;

/// The first frame of `here`, and stderr.
fn first_frame(crash: &Crash, name: &str) -> (serde_json::Value, String) {
    let recording = write(&sample::crashed(1, crash), &format!("{name}.shim"));
    let (json, stderr, _) = parts(&output(&["report".as_ref(), "--json".as_ref(), recording.as_os_str()]));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    (value["stacks"][0]["frames"][0].clone(), stderr)
}

fn bare(frame: &serde_json::Value, path: &Path) {
    assert_eq!(frame["module"], path.display().to_string());
    assert!(frame.get("file").is_none() && frame.get("line").is_none(), "{frame}");
}

#[test]
fn without_debug_information_the_symbol_is_shown() {
    let crash = built::crash(&built::directory("symtab"), &[]);
    let (frame, stderr) = first_frame(&crash, "symtab/r");
    assert_eq!((frame["function"].as_str(), stderr.as_str()), (Some("on_closed"), ""));
    bare(&frame, &crash.path);
}

#[test]
fn a_stripped_program_that_exports_its_functions() {
    let directory = built::directory("dynsym");
    let crash = built::crash(&directory, &["-rdynamic"]);
    tool("strip", &directory, &["app"]);
    let (frame, _) = first_frame(&crash, "dynsym/r");
    assert_eq!(frame["function"], "on_closed");
}

#[test]
fn a_stripped_program_that_exports_nothing() {
    let directory = built::directory("stripped");
    let crash = built::crash(&directory, &[]);
    tool("strip", &directory, &["app"]);
    let (frame, stderr) = first_frame(&crash, "stripped/r");
    assert_eq!((frame.get("function"), stderr.as_str()), (None, ""));
    bare(&frame, &crash.path);
}

#[test]
fn debug_information_in_a_file_beside() {
    for compress in ["--compress-debug-sections=none", "--compress-debug-sections=zlib"] {
        let directory = built::directory(&format!("separate{compress}"));
        let crash = built::crash(&directory, &["-g"]);
        tool("objcopy", &directory, &["--only-keep-debug", compress, "app", "app.debug"]);
        tool("objcopy", &directory, &["--strip-all", "--add-gnu-debuglink=app.debug", "app"]);
        let (frame, stderr) = first_frame(&crash, &format!("separate{compress}/r"));
        assert_eq!(stderr, "");
        assert_eq!(
            (&frame["function"], &frame["file"], &frame["line"]),
            (&"close_again".into(), &"crash.c".into(), &12.into())
        );
    }
}

#[test]
fn debug_information_of_another_build_is_not_believed() {
    let directory = built::directory("mismatch");
    let crash = built::crash(&directory, &["-g"]);
    tool("objcopy", &directory, &["--only-keep-debug", "app", "app.debug"]);
    tool("objcopy", &directory, &["--strip-all", "--add-gnu-debuglink=app.debug", "app"]);
    let other = built::directory("mismatch/other");
    built::crash(&other, &["-g", "-DOTHER", "-O2"]);
    std::fs::copy(other.join("app"), directory.join("app.debug")).unwrap();
    let (frame, _) = first_frame(&crash, "mismatch/r");
    bare(&frame, &crash.path);
}

#[test]
fn a_module_that_changed_is_said_and_shown_bare() {
    let mut crash = built::crash(&built::directory("changed"), &["-g"]);
    crash.build_id[0] ^= 1;
    let (frame, stderr) = first_frame(&crash, "changed/r");
    assert_eq!(frame.get("function"), None);
    bare(&frame, &crash.path);
    let why = "changed since the recording was made (another build id): shown without functions and lines";
    assert_eq!(stderr, format!("shim: {}: {why}\n", crash.path.display()));
}

#[test]
fn modules_that_are_no_programs() {
    let directory = built::directory("odd");
    let fifo = directory.join("fifo");
    tool("mkfifo", &directory, &["fifo"]);
    let text = directory.join("text");
    std::fs::write(&text, "text").unwrap();
    for path in [&*fifo, &text, &directory, Path::new("/dev/zero"), Path::new("linux-vdso.so.1"), Path::new("")] {
        let crash = Crash { path: path.to_owned(), build_id: vec![1], first: 16, second: 32, open: 48 };
        let (frame, _) = first_frame(&crash, "odd/r");
        assert_eq!((frame.get("function"), &frame["offset"]), (None, &"0x1f".into()), "{path:?}");
    }
}
