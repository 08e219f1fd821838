//! The papers about the house say what is so: the map names every source file, every path that a page names exists, and
//! every name that docs/adding-a-family.md sends its reader to is still there.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so.

use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All files below a folder that end so.
fn files(folder: &Path, ending: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, into);
        } else if path.to_string_lossy().ends_with(ending) {
            into.push(path);
        }
    }
}

/// What stands in backticks, with what follows it.
fn quoted(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("```")) {
        let mut rest = line;
        while let Some((word, after)) = rest.split_once('`').and_then(|(_, r)| r.split_once('`')) {
            found.push((word, after));
            rest = after;
        }
    }
    found
}

#[test]
fn the_map_names_every_source_file() {
    let top = top();
    let map = read(&top.join("src/README.md"));
    let mut missing = Vec::new();
    for name in ["shim", "track", "record", "tier", "cli", "fuzz", "sequence"] {
        let begin = map.find(&format!("\n## {name}/ ")).unwrap_or_else(|| panic!("no section of {name}"));
        let section = &map[begin + 1..];
        let section = &section[..section.find("\n## ").unwrap_or(section.len())];
        let folder = top.join("src").join(name);
        let mut sources = Vec::new();
        files(&folder, ".rs", &mut sources);
        for source in sources {
            let path = source.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
            // A folder of tests is one row, which names its files.
            let shown = if path.starts_with("tests/") { path.rsplit('/').next().unwrap() } else { &path };
            let is_named = |word: &str| word == path || word == shown || word.ends_with(&format!("/{shown}"));
            if !quoted(section).iter().any(|(word, _)| is_named(word)) {
                missing.push(format!("src/{name}/{path}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in src/README.md: {missing:#?}");
}

#[test]
fn paths_in_the_papers_exist() {
    let top = top();
    let mut papers = ["README.md", "src/README.md", "c-tests/README.md", "CHANGELOG.md"].map(|p| top.join(p)).to_vec();
    files(&top.join("docs"), ".md", &mut papers);
    // Examples of what somebody may add.
    let examples = [
        "src/track/keys/",
        "src/shim/keys.rs",
        "src/shim/hooks/keys.rs",
        "src/cli/explain/key.deleted.md",
        "c-tests/keys/",
    ];
    let mut wrong = Vec::new();
    for paper in papers {
        for (word, _) in quoted(&read(&paper)) {
            let path = word.split_whitespace().next().unwrap_or_default();
            let known = ["src/", "docs/", "c-tests/", "scripts/", ".ci/"].iter().any(|folder| path.starts_with(folder));
            let open = path.contains(['*', '<']) || examples.contains(&path);
            if known && !open && !top.join(path).exists() {
                wrong.push(format!("{}: {path}", paper.strip_prefix(&top).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such file: {wrong:#?}");
}

/// `path` (`name`, `name`): the names occur in the file.
#[test]
fn what_the_guide_to_a_new_family_points_at_is_there() {
    let top = top();
    let guide = read(&top.join("docs/adding-a-family.md"));
    let (mut checked, mut wrong) = (0, Vec::new());
    for (path, after) in quoted(&guide) {
        let Some((names, _)) = after.strip_prefix(" (").and_then(|rest| rest.split_once("`)")) else { continue };
        let names = format!("{names}`");
        let text = read(&top.join(path));
        for (name, _) in quoted(&names) {
            checked += 1;
            if !text.contains(name) {
                wrong.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(checked > 20, "{checked} names found in the guide");
    assert!(wrong.is_empty(), "not there any more: {wrong:#?}");
}
