//! docs/heap-matrix.md shows what scripts/heap-matrix prints: the C tests' own expectations; docs/libc-matrix.md has every family of them.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so.

use std::path::Path;
use std::process::Command;

#[test]
fn the_page_shows_what_the_tests_expect() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(top.join("scripts/heap-matrix")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    for row in ["| `double_free` ", "| `invalid_free_static` ", "| `mismatch` ", "| `double_free_reused_unseen` "] {
        assert!(table.contains(row), "no row {row}:\n{table}");
    }
    let page = std::fs::read_to_string(top.join("docs/heap-matrix.md")).unwrap();
    let shown = page.split("<!-- table -->\n").nth(1).and_then(|rest| rest.split("<!-- end of the table -->").next());
    assert_eq!(shown.map(str::trim), Some(table.trim()), "run `scripts/heap-matrix --write`");
}

#[test]
fn the_page_of_libcs_has_every_family_and_no_failure() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut families: Vec<String> = std::fs::read_dir(top.join("c-tests"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        // As in tests/c_tests/program.rs: these are run by scripts.
        .filter(|name| !["bench", "live", "stories"].contains(&name.as_str()))
        .collect();
    families.sort();
    let page = std::fs::read_to_string(top.join("docs/libc-matrix.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect())
        .collect();
    let head = rows.iter().find(|row| row[0] == "system").expect("no table");
    assert_eq!(head[3..], families, "run `scripts/libc-matrix --markdown docs/libc-matrix.md`");
    for system in [
        "bullseye, x86_64",
        "bullseye, i686",
        "bookworm, x86_64",
        "bookworm, i686",
        "trixie, x86_64",
        "trixie, i686",
        "sid, x86_64",
        "sid, i686",
        "bookworm, aarch64",
    ] {
        let row = rows.iter().find(|row| row[0] == system).unwrap_or_else(|| panic!("no row {system}"));
        assert_eq!(row.len(), head.len(), "{system}");
        for cell in &row[3..] {
            let is_well = cell.split(", ").next().is_some_and(|first| first.ends_with(" passed"));
            assert!((is_well && !cell.contains("FAILED")) || cell.starts_with("not run: "), "{system}: {cell}");
        }
    }
}
