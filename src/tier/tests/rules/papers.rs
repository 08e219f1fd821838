//! docs/tiers.md and docs/flexmalloc.md: their examples are read without a fault, and they know every key and variable.

use super::process::policy;
use std::fs;
use std::path::Path;
use tier::rules::Policy;
use tier::rules::flexmalloc::Files;

fn paper(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)).unwrap()
}

/// Blocks between fences of this kind.
fn blocks(text: &str, fence: &str) -> Vec<String> {
    text.split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|b| b.strip_prefix(fence)?.strip_prefix('\n'))
        .map(|b| format!("{b}\n"))
        .collect()
}

#[test]
fn the_rule_file() {
    let text = paper("tiers.md");
    let examples = blocks(&text, "toml");
    assert_eq!(examples.len(), 1);
    let read = policy(&examples[0]);
    assert_eq!((read.tiers.len(), read.rules().len()), (3, 3));
    // A wrong key is told with all the right ones when none is near.
    for (table, must) in [("[[tier]]", 10), ("[[rule]]", 11), ("[options]", 1)] {
        let said = Policy::read(format!("{table}\nzzzzzzzz = 1\n").as_bytes(), "t").complaints;
        let said = said.iter().map(ToString::to_string).find(|said| said.contains("unknown key")).unwrap();
        let keys: Vec<_> = said.split("expected ").nth(1).unwrap().split(", ").collect();
        assert_eq!(keys.len(), must, "{said}");
        for key in keys {
            assert!(
                text.contains(&format!("| `{key}` |")) || text.contains(&format!("`{key}` is a tier")),
                "{table} {key}"
            );
        }
    }
}

#[test]
fn flexmalloc() {
    let text = paper("flexmalloc.md");
    let examples = blocks(&text, "");
    let [definitions, lines, addresses] = &examples[..] else { panic!("{examples:#?}") };
    let mut asked = Vec::new();
    for locations in [lines, addresses] {
        let files = Files { definitions: (definitions.as_bytes(), "D"), locations: (locations.as_bytes(), "L") };
        let mut variable = |name: &str| {
            asked.push(name.to_owned());
            None
        };
        let read = Policy::read_flexmalloc(&files, &mut variable, &mut |_| None);
        assert!(read.complaints.is_empty(), "{:#?}", read.complaints);
        let policy = read.policy.unwrap();
        assert_eq!((policy.tiers.len(), policy.rules().len()), (4, 1));
    }
    assert_eq!(asked.len(), 2 * 9);
    for name in asked {
        let name = name.strip_prefix("FLEXMALLOC_").unwrap().to_owned();
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}
