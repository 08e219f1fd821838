//! `shim hooks`, on the stand-in's roster.

use crate::installed::{self, output, parts};

#[test]
fn the_roster_is_printed_in_columns() {
    let expected = "close   fd    required\nopen    fd    required\nmalloc  heap  required\n";
    assert_eq!(parts(&output(&["hooks"])), (expected.into(), String::new(), Some(0)));
}

#[test]
fn without_a_library_there_is_none() {
    let alone = crate::built::directory("alone");
    let shim = alone.join("shim");
    std::fs::copy(installed::shim(), &shim).unwrap();
    let output = std::process::Command::new(shim).arg("hooks").output().unwrap();
    let (stdout, stderr, code) = parts(&output);
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    assert!(stderr.starts_with("shim: libshim.so: not found in "), "{stderr}");
}
