//! `shim explain`: all kinds, and programs that really compile.

use crate::built;
use crate::installed::{output, parts};

/// Is there a page for it in this build?
fn has_page(kind: &str) -> bool {
    kind.starts_with("fd.") || kind == "heap.leak"
}

#[test]
fn every_kind_is_listed_and_explained() {
    let (list, stderr, code) = parts(&output(&["explain"]));
    assert_eq!((stderr.as_str(), code, list.lines().count()), ("", Some(0), 36));
    for line in list.lines() {
        let kind = line.split(' ').next().unwrap();
        let (text, stderr, code) = parts(&output(&["explain", kind]));
        assert_eq!((stderr.as_str(), code), ("", Some(0)), "{kind}");
        let absent = !has_page(kind);
        assert_eq!(text.lines().count() == 1, absent, "{kind}: {text}");
        assert_eq!(text.contains("does not contain its family"), absent, "{kind}");
    }
}

#[test]
fn the_programs_compile_without_a_warning() {
    let directory = built::directory("explained");
    let (list, ..) = parts(&output(&["explain"]));
    for kind in list.lines().filter_map(|l| l.split(' ').next()).filter(|k| has_page(k)) {
        let (page, ..) = parts(&output(&["explain", kind]));
        let program = page.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
        let source = format!("{kind}.c");
        std::fs::write(directory.join(&source), program).unwrap();
        built::gcc(&directory, &["-Wall", "-Wextra", "-Werror", "-O1", "-pthread", "-o", kind, &source]);
    }
}
