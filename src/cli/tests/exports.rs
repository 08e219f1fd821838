//! The exports of the library that `make build` made: what the roster lists, and nothing else.
//!
//! A symbol too many would be taken by every watched program from us instead of from its own library; one too few is a
//! hook that never runs. Wants `make build` before it, as the C tests do.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so.

use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `target/release`, from target/<profile>/deps/exports-<hash>.
fn release() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let release = exe.ancestors().nth(3).unwrap().join("release");
    for name in ["libshim.so", "shim"] {
        assert!(release.join(name).exists(), "{}: not there; run `make build` first", release.join(name).display());
    }
    release
}

/// `nm -D --defined-only`: name, and whether it is a function.
fn exports(library: &Path) -> Vec<(String, bool)> {
    let bytes = std::fs::read(library).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let defined = file.dynamic_symbols().filter(|symbol| !symbol.is_undefined());
    let named = defined.map(|symbol| (symbol.name().unwrap().to_owned(), symbol.kind() == SymbolKind::Text));
    named.filter(|(name, _)| !name.is_empty()).collect()
}

/// The first column of `shim hooks`.
fn roster(command: &Path) -> Vec<String> {
    let output = Command::new(command).arg("hooks").env_remove("LD_PRELOAD").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    String::from_utf8(output.stdout).unwrap().lines().filter_map(first).collect()
}

#[test]
fn the_library_exports_what_the_roster_lists() {
    let release = release();
    let (exports, listed) = (exports(&release.join("libshim.so")), roster(&release.join("shim")));
    let names: BTreeSet<&str> = exports.iter().map(|(name, _)| name.as_str()).collect();
    let roster: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert!(roster.contains("close") && roster.contains("malloc"), "{roster:?}");
    assert_eq!(roster.len(), listed.len(), "a symbol is listed twice");
    let missing: Vec<_> = roster.difference(&names).collect();
    let surplus: Vec<_> = names.difference(&roster).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "listed, not exported: {missing:?}; not listed: {surplus:?}");
    let data: Vec<_> = exports.iter().filter(|(_, function)| !function).collect();
    assert!(data.is_empty(), "exported, and no function: {data:?}");
}
