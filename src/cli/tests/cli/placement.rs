//! What was placed on memory tiers: `shim report --tiers`, and the lines after a run.

use crate::built;
use crate::installed::{self, output, parts, run, run_recorded};
use crate::placements::{Given, NAMES, process};
use crate::profiled::Program;
use crate::sample::{CLEAN, write};
use record::layout::{TIER_RULE, TIER_RULE_UNASKED};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Relaxed, Release};

fn report(arguments: &[&str], recordings: &Path) -> String {
    let all: Vec<&str> = [&["report", "--tiers"], arguments, &[recordings.to_str().unwrap()]].concat();
    let (stdout, stderr, code) = parts(&output(&all));
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    stdout
}

#[test]
fn one_process() {
    let program = Program::new("tiers-one", &NAMES);
    let recording = write(&process(&program, Given::default()), "tiers-one.shim");
    let expected = r#"== shim: memory tiers of app (pid 70)

fast  (numa, node 1, bind)
  7 allocations, 46 MiB; live 8.0 MiB, 40 MiB at the peak of 4.0 GiB
  refused 1 (2.0 MiB)
  placement: 1,000 of 1,024 pages are where they belong (move_pages); node 0: 24, node 1: 1,000

slow  (file, /mnt/pmem\x1b0)
  could not be made: no such directory
  nothing was placed here

3 rules:
  "fields" (rules.toml:7) → fast: 4 hits from 1 call stack, 40 MiB, 40 MiB at the peak
  "tables" (rules.toml:14) → fast: 4 hits from 1 call stack, 3 placed, 6.0 MiB, 6.0 MiB at the peak; limit 8.0 MiB; 1 misfit beyond it (2.0 MiB)
  "never" (rules.toml:21) → slow: never matched; waits for a module that is not loaded

2 call stacks:
   40 MiB  peak   40 MiB          4 blocks  fast by "fields"  allocate_fields
        10,239 of 10,240 pages are where they belong
        solve
        main
  6.0 MiB  peak  6.0 MiB          3 blocks  fast by "tables"  read_table
        1 went elsewhere
        1,535 of 1,536 pages are where they belong
        main
"#;
    assert_eq!(report(&[], &recording), expected);
    assert!(report(&["--limit", "1"], &recording).contains("the first 1 of 2 call stacks:"));
}

/// Of rules that leave blocks on the heap call stacks are counted, and where nobody asks the rules, nothing is claimed.
#[test]
fn rules_that_leave_blocks_on_the_heap() {
    let program = Program::new("tiers-stay", &NAMES);
    let memory = process(&program, Given::default());
    for (index, name, sites, flags) in [(3, "stays", 2, 0), (4, "small", 0, TIER_RULE_UNASKED), (5, "nobody", 0, 0)] {
        let rule = record::tier::rule(&memory, index).unwrap();
        rule.name.store(record::strings::intern(&memory, name.as_bytes()).0, Relaxed);
        rule.sites.store(sites, Relaxed);
        rule.what.store(TIER_RULE | flags, Release);
    }
    let recording = write(&memory, "tiers-stay.shim");
    let text = report(&[], &recording);
    for line in [
        "  \"stays\" → heap: 2 call stacks, calls not counted\n",
        "  \"small\" → heap: matched no call of a size that a tier wants\n",
        "  \"nobody\" → heap: never matched\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let rules: Vec<Value> = report(&["--json"], &recording)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["record"] == "rule")
        .collect();
    let field = |name: &str| rules.iter().map(|rule| rule[name].clone()).collect::<Vec<_>>();
    let null = Value::Null;
    assert_eq!(field("hits"), [4.into(), 4.into(), 0.into(), null.clone(), null.clone(), null]);
    assert_eq!(field("allocations"), [4, 3, 0, 0, 0, 0].map(Value::from));
    assert_eq!(field("never_matched"), [false, false, true, false, false, true].map(Value::from));
    assert_eq!(field("never_asked"), [false, false, false, false, true, false].map(Value::from));
}

/// Three ranks that are alike, and one that placed five times as much; and a process without tiers.
fn ranks(name: &str) -> PathBuf {
    let program = Program::new(name, &NAMES);
    let directory = built::directory(&format!("{name}-recordings"));
    for (rank, fields) in [(0, 40), (1, 41), (2, 200), (3, 40)] {
        let memory = process(&program, Given { pid: 80 + rank, rank: Some(rank), fields, ..Given::default() });
        fs::write(directory.join(format!("app.{rank}.shim")), memory.to_bytes()).unwrap();
    }
    fs::copy(&*CLEAN, directory.join("sh.9.shim")).unwrap();
    directory
}

#[test]
fn ranks_are_one_account() {
    let told = report(&[], &ranks("tiers-ranks"));
    for words in [
        "== shim: memory tiers of 4 processes (app 4), ranks 0–3\n",
        "  28 allocations, 345 MiB; ",
        " at the peak of 16 GiB\n",
        "  could not be made in 4 processes: no such directory\n",
        "  allocated by rank: total 345 MiB, median 46 MiB, from 46 MiB (rank 0) to 206 MiB (rank 2), spread 344 %; odd: rank 2 (206 MiB)\n",
        "  refused by rank: total 4, median 1, the same on every rank\n",
        "\n3 rules:\n",
        "\"fields\" (rules.toml:7) → fast: 16 hits from 4 call stacks, 321 MiB",
        "\n2 call stacks:\n",
        "\n1 of the recordings has nothing of memory tiers\n",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
}

#[test]
fn for_programs() {
    let directory = ranks("tiers-json");
    let lines = report(&["--json"], &directory);
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |record: &str| records.iter().filter(|r| r["record"] == record).cloned().collect::<Vec<Value>>();
    let total = &of("total")[0];
    assert_eq!((&total["processes"], &total["ranks"]), (&4.into(), &serde_json::json!([0, 1, 2, 3])));
    assert_eq!((&total["pages"], &total["pages_right"]), (&4096.into(), &4000.into()));
    assert_eq!((&total["rules_never_matched"], &total["without_tiers"]), (&1.into(), &1.into()));
    assert_eq!(of("process").iter().map(|p| p["rank"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let [heap, fast, slow] = of("tier").try_into().unwrap();
    assert_eq!((heap["kind"].as_str(), heap.get("capacity")), (Some("heap"), None));
    assert_eq!(fast["nodes"], serde_json::json!([1]));
    assert_eq!(fast["node_pages"], serde_json::json!([{"node": 0, "pages": 96}, {"node": 1, "pages": 4000}]));
    assert_eq!((&fast["allocated_by_rank"]["odd"], &fast["policy"]), (&serde_json::json!([2]), &"bind".into()));
    assert_eq!((slow["path"].as_str(), slow["fault"].as_str()), (Some("/mnt/pmem\u{1b}0"), Some("no such directory")));
    // Nothing in it can confuse a terminal.
    assert!(!lines.contains('\u{1b}'));
    let rules = of("rule");
    assert_eq!(rules.iter().map(|r| r["never_matched"].as_bool().unwrap()).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(
        (&rules[1]["misfits"], &rules[1]["limit"], &rules[2]["pending"]),
        (&4.into(), &(8 << 20).into(), &4.into())
    );
    let site = &of("site")[0];
    assert_eq!((&site["tier"], &site["rule"], &site["processes"]), (&1.into(), &0.into(), &4.into()));
    assert_eq!(site["frames"][0]["function"], "allocate_fields");
}

#[test]
fn nothing_of_tiers() {
    let told = parts(&output(&["report", "--tiers", CLEAN.to_str().unwrap()]));
    let line = "shim: the recording has nothing of memory tiers: run it with --tiers FILE\n";
    assert_eq!(told, (String::new(), line.to_owned(), Some(1)));
    let (_, stderr, code) = parts(&output(&["report", "--tiers", "--csv", CLEAN.to_str().unwrap()]));
    assert_eq!((stderr.lines().count(), code), (1, Some(2)), "{stderr}");
}

#[test]
fn what_a_run_placed_is_told_after_it() {
    let program = Program::new("tiers-run", &NAMES);
    let recording = write(&process(&program, Given::default()), "tiers-run.template");
    let (stdout, stderr, code) = parts(&run_recorded(&["sh", "-c", "echo out; exit 4"], &recording).output().unwrap());
    assert_eq!((stdout.as_str(), code), ("out\n", Some(4)));
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{stderr}");
    assert!(lines[0].starts_with("shim: tiers: fast (numa, node 1, bind): 7 allocations, 46 MiB; live "), "{stderr}");
    assert!(lines[0].ends_with(" of 4.0 GiB; refused 1 (2.0 MiB)"), "{stderr}");
    let fault =
        r"shim: tiers: slow (file, /mnt/pmem\x1b0): could not be made: no such directory; nothing was placed here";
    assert_eq!(lines[1], fault);
    assert_eq!(lines[2], "shim: tiers: never matched: \"never\" (rules.toml:21)");
    assert_eq!(lines[3], "shim: tiers: placement verified: 1,000 of 1,024 pages are where they belong");
    // Of several processes of a run, a rule that one of them applied did match.
    let (_, stderr, _) = parts(&run_recorded(&["sh", "-c", "true; /bin/true"], &recording).output().unwrap());
    assert!(stderr.contains("fast (numa, node 1, bind): 14 allocations") && stderr.lines().count() == 4, "{stderr}");
    // Without tiers: silence.
    assert_eq!(parts(&run(&["true"]).output().unwrap()), (String::new(), String::new(), Some(0)));
}

#[test]
fn a_rank_says_who_it_is() {
    let program = Program::new("tiers-rank", &NAMES);
    let recording = write(&process(&program, Given::default()), "tiers-rank.template");
    let mut command = run_recorded(&["true"], &recording);
    let (_, stderr, _) = parts(&command.env("OMPI_COMM_WORLD_RANK", "3").output().unwrap());
    assert!(stderr.lines().all(|line| line.starts_with("shim: [rank 3] tiers: ")), "{stderr}");
    let (_, stderr, code) = parts(&run(&["./nope"]).env("SLURM_PROCID", "12").output().unwrap());
    assert_eq!((stderr.as_str(), code), ("shim: [rank 12] ./nope: not found\n", Some(127)));
}

#[test]
fn files_of_rules_must_be_there_before_the_program_starts() {
    let directory = built::directory("tiers-files");
    let [rules, definitions, locations] = ["rules.toml", "definitions", "locations"].map(|name| {
        fs::write(directory.join(name), "").unwrap();
        name
    });
    let run = |arguments: &[&str]| {
        let script = "echo \"$SHIM_OPTIONS|$FLEXMALLOC_DEFINITIONS|$FLEXMALLOC_LOCATIONS\"";
        let all = [arguments, &["--record", "kept", "sh", "-c", script]].concat();
        let mut command = run(&all);
        command.env_remove("FLEXMALLOC_DEFINITIONS").env_remove("FLEXMALLOC_LOCATIONS");
        parts(&command.current_dir(&directory).output().unwrap())
    };
    let at = |name: &str| directory.join(name).display().to_string();
    let kept = at("kept");
    assert_eq!(run(&["--tiers", rules]).0, format!("tiers={}:record={kept}||\n", at(rules)));
    let expected = format!("tiers=flexmalloc:record={kept}|{}|{}\n", at(definitions), at(locations));
    assert_eq!(run(&["--flexmalloc", definitions, locations]).0, expected);
    for (arguments, why) in [
        (&["--tiers", "nope.toml"][..], "nope.toml: No such file or directory"),
        (&["--tiers", "."], ".: is a directory"),
        (&["--flexmalloc", definitions, "nope"], "nope: No such file or directory"),
    ] {
        assert_eq!(run(arguments), (String::new(), format!("shim: {why}\n"), Some(125)));
    }
    let (stdout, stderr, code) = run(&["--tiers", rules, "--flexmalloc", definitions, locations]);
    assert_eq!((stdout.as_str(), stderr.lines().count(), code), ("", 1, Some(125)), "{stderr}");
    assert!(installed::root().exists());
}
