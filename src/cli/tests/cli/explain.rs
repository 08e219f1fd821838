//! `shim explain`: all kinds, and programs that really compile.

use crate::built;
use crate::installed::{output, parts};
use std::path::Path;
use std::process::Command;

#[test]
fn every_kind_is_listed_and_explained() {
    let (list, stderr, code) = parts(&output(&["explain"]));
    assert_eq!((stderr.as_str(), code, list.lines().count()), ("", Some(0), 36));
    for line in list.lines() {
        let kind = line.split(' ').next().unwrap();
        let (text, stderr, code) = parts(&output(&["explain", kind]));
        assert_eq!((stderr.as_str(), code), ("", Some(0)), "{kind}");
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("explain/{kind}.md"));
        assert_eq!(text, std::fs::read_to_string(page).unwrap(), "{kind}");
    }
}

/// The compiler may see the fault itself, and warn.
#[test]
fn the_programs_compile() {
    let directory = built::directory("explained");
    let (list, ..) = parts(&output(&["explain"]));
    let cxx = Command::new("g++").arg("--version").output().is_ok();
    let mut compiled = 0;
    for kind in list.lines().filter_map(|l| l.split(' ').next()) {
        let (page, ..) = parts(&output(&["explain", kind]));
        let program = |fence: &str| page.split(fence).nth(1).and_then(|rest| rest.split("```").next());
        let strict: &[&str] = if kind.starts_with("heap.") { &[] } else { &["-Werror"] };
        let (source, program) = match (program("```c\n"), program("```cpp\n")) {
            (Some(program), _) => (format!("{kind}.c"), program),
            (None, Some(program)) if cxx => (format!("{kind}.cc"), program),
            _ => continue,
        };
        std::fs::write(directory.join(&source), program).unwrap();
        let flags = ["-Wall", "-Wextra", "-O1", "-pthread", "-o", kind, &source, "-ldl"];
        if source.ends_with(".cc") {
            assert!(Command::new("g++").args(flags).current_dir(&directory).status().unwrap().success(), "{kind}");
        } else {
            built::gcc(&directory, &[strict, &flags].concat());
            if program.contains("#ifdef PLUGIN") {
                let plugin = ["-DPLUGIN", "-shared", "-fPIC", "-Wall", "-Wextra", "-O1", "-o", "plugin.so", &source];
                built::gcc(&directory, &[strict, &plugin].concat());
            }
            if kind.starts_with("key.") {
                // The one of an unloaded destructor crashes, and that is what it is for.
                let ended = Command::new(directory.join(kind)).current_dir(&directory).status().unwrap();
                assert_eq!(ended.success(), kind != "key.unloaded", "{kind}: {ended}");
            }
        }
        compiled += 1;
    }
    assert!(compiled >= 10, "{compiled} programs");
}
