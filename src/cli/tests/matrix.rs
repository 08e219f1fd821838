//! docs/heap-matrix.md shows what scripts/heap-matrix prints: the C tests' own expectations.
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
