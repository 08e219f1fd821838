//! What each condition wants, and what a decision says of its own reach.

use super::process::{Process, policy, query, tier};
use tier::rules::{Policy, Verify};
use tier::spec::{Fork, Full, Kind, NumaPolicy, PageSize};

const TIERS: &str = "[[tier]]\nname = 'a'\nkind = 'memfd'\n[[tier]]\nname = 'b'\nkind = 'memfd'\n";

fn with_tiers(rules: &str) -> Policy {
    policy(&format!("{TIERS}{rules}"))
}

fn process() -> (Process, [u64; 3]) {
    let mut process = Process::new();
    let frames = [
        process.frame(0x20100, "_ZN4Foam5FieldIdEC1Ei", ("/src/Foam/Field.C", 57)),
        process.frame(0x10200, "solveMomentum", ("/src/icoFoam.C", 80)),
        process.frame(0x10300, "main", ("/src/icoFoam.C", 120)),
    ];
    (process, frames)
}

#[test]
fn a_file_becomes_tiers() {
    let read = policy(
        "[options]\nverify = \"free\"\n\
         [[tier]]\nname = \"fast\"\nkind = \"numa\"\nnodes = \"1,3-4\"\npolicy = \"interleave\"\ncapacity = \"4G\"\nfull = \"slow\"\nhuge = \"thp\"\n\
         [[tier]]\nname = \"slow\"\nkind = \"file\"\npath = \"/mnt/pmem0\"\nfork = \"share\"\nfull = \"fail\"\nprefault = true\n\
         [[tier]]\nname = \"big\"\nkind = \"hugepages\"\nhuge = \"1G\"\n",
    );
    assert_eq!(read.options.verify, Verify::Free);
    assert_eq!(read.tiers[0].kind, Kind::Heap);
    let fast = &read.tiers[1];
    assert_eq!(fast.kind, Kind::Numa { nodes: vec![1, 3, 4], policy: NumaPolicy::Interleave });
    assert_eq!(
        (fast.capacity, fast.full, fast.huge, fast.prefault),
        (Some(4 << 30), Full::Next(2), Some(PageSize::Thp), false)
    );
    assert_eq!((fast.at.file.as_str(), fast.at.line), ("t", 3));
    let slow = &read.tiers[2];
    assert_eq!(slow.kind, Kind::File { path: b"/mnt/pmem0".to_vec() });
    assert_eq!((slow.full, slow.fork, slow.prefault), (Full::Fail, Fork::Share, true));
    assert_eq!(read.tiers[3].kind, Kind::Huge { page: PageSize::G1 });
}

#[test]
fn the_same_in_other_words() {
    let read =
        policy("options.verify = 'off'\ntier = [{name = 'a', kind = 'memfd'}]\nrule = [{tier = 'a', size = 4096}]\n");
    assert_eq!((read.options.verify, read.tiers.len(), read.rules().len()), (Verify::Off, 2, 1));
    assert_eq!(read.sizes(), 4096..=4096);
}

#[test]
fn each_condition() {
    for (condition, wanted) in [
        ("function = 'Foam::Field<double>::Field'", true),
        ("function = 'Foam::*Field*'", true),
        ("function = '_ZN4Foam*'", true),
        ("function = 'main'", false),
        ("within = 'solve*'", true),
        ("within = 'ma[i-n]?'", true),
        ("within = 'other'", false),
        ("site = 'Field.C:57'", true),
        ("site = 'Foam/Field.C:57'", true),
        ("site = '/src/Foam/Field.C:57'", true),
        ("site = '/Foam/Field.C:57'", false),
        ("site = 'field.C:57'", false),
        ("site = 'Field.C:58'", false),
        ("site = 'icoFoam.C:80'", false),
        ("site = 'libfields.so.1+0x10ff'", true),
        ("site = 'libfields.so.1+0x1100'", true),
        ("site = 'libfields.so.1.2.3+0x10ff'", true),
        ("site = '/opt/lib/*+0x10ff'", true),
        ("site = 'build-id:01020304+0x10ff'", true),
        ("site = 'build-id:02020304+0x10ff'", false),
        ("site = 'app+0x10ff'", false),
        ("site = 'libfields.so.1+0x1101'", false),
        ("stack = ['Field.C:57', 'icoFoam.C:80']", true),
        ("stack = ['Field.C:57', '*', 'icoFoam.C:120']", true),
        ("stack = ['Field.C:57', 'app+0x11ff', 'icoFoam.C:120']", true),
        ("stack = ['Field.C:57', 'icoFoam.C:120']", false),
        ("stack = ['icoFoam.C:80', 'icoFoam.C:120']", false),
        ("stack = ['Field.C:57', '*', '*', '*']", false),
        ("module = 'libfields*'", true),
        ("module = '/opt/*/libfields.so.1.2.3'", true),
        ("module = 'app'", false),
        ("module = 'fields'", false),
        ("thread = 'ma*'", true),
        ("thread = 'worker*'", false),
        ("rank = '0-3,8'", true),
        ("rank = 8", true),
        ("rank = '4-7'", false),
        ("size = '..4K'", false),
        ("size = '4K..'", true),
    ] {
        let (mut process, frames) = process();
        let mut policy = with_tiers(&format!("[[rule]]\ntier = 'a'\n{condition}\n"));
        let mut query = query(4096, &frames);
        query.rank = Some(8);
        let decision = policy.decide(&query, &mut process);
        assert_eq!(decision.rule.is_some(), wanted, "{condition}");
        assert!(!decision.pending, "{condition}");
        let wants = if wanted { "a" } else { "heap" };
        assert_eq!(tier(&policy, &decision), wants, "{condition}");
    }
}

#[test]
fn all_conditions_must_hold() {
    let (mut process, frames) = process();
    let mut policy =
        with_tiers("[[rule]]\ntier = 'a'\nsite = 'Field.C:57'\nwithin = 'main'\nmodule = 'libfields*'\nthread = 'x'\n");
    assert_eq!(policy.decide(&query(1, &frames), &mut process).rule, None);
    let mut wanted = query(1, &frames);
    wanted.thread = b"x";
    assert_eq!(policy.decide(&wanted, &mut process).rule, Some(0));
    assert!(policy.looks_at_threads());
}

#[test]
fn the_first_match_wins_wherever_it_is_indexed() {
    let (mut process, frames) = process();
    for (rules, wanted) in [
        ("[[rule]]\ntier='a'\nsite='Field.C:57'\n[[rule]]\ntier='b'\n", "a"),
        ("[[rule]]\ntier='b'\nfunction='Foam::*'\n[[rule]]\ntier='a'\nsite='Field.C:57'\n", "b"),
        ("[[rule]]\ntier='b'\nfunction='main'\n[[rule]]\ntier='a'\nsite='Field.C:57'\n", "a"),
        ("[[rule]]\ntier='heap'\nsite='libfields*+0x10ff'\n[[rule]]\ntier='a'\nsite='Field.C:57'\n", "heap"),
        ("[[rule]]\ntier='b'\nstack=['*', 'icoFoam.C:80']\n[[rule]]\ntier='a'\nsite='Field.C:57'\n", "b"),
    ] {
        let mut policy = with_tiers(rules);
        let decision = policy.decide(&query(1, &frames), &mut process);
        assert_eq!(tier(&policy, &decision), wanted, "{rules}");
    }
}

#[test]
fn sizes_of_a_decision() {
    let (mut process, frames) = process();
    let mut policy = with_tiers(
        "[[rule]]\ntier='a'\nsize='1M..64M'\n\
         [[rule]]\ntier='b'\nsize='4K..'\nsite='Field.C:57'\n\
         [[rule]]\ntier='b'\nsize='100..200'\nsite='other.c:1'\n",
    );
    let mut at = |size| policy.decide(&query(size, &frames), &mut process);
    const M: usize = 1 << 20;
    assert_eq!((at(M).rule, at(M).sizes, at(M).depth), (Some(0), M..=64 * M - 1, 1));
    assert_eq!((at(4096).rule, at(4096).sizes), (Some(1), 4096..=M - 1));
    assert_eq!((at(64 * M).rule, at(64 * M).sizes), (Some(1), 64 * M..=usize::MAX));
    // The rule for another site does not matter here.
    assert_eq!((at(150).rule, at(150).sizes), (None, 0..=4095));
    assert_eq!(policy.sizes(), 100..=usize::MAX);
}

#[test]
fn how_deep_a_decision_looked() {
    let (mut process, frames) = process();
    let mut depth = |rules: &str, frames: &[u64]| {
        let mut policy = with_tiers(rules);
        (policy.depth(), policy.decide(&query(1, frames), &mut process).depth)
    };
    assert_eq!(depth("[[rule]]\ntier='a'\nsize='..2'\n", &frames), (0, 0));
    assert_eq!(depth("[[rule]]\ntier='a'\nmodule='x'\n", &frames), (1, 1));
    assert_eq!(depth("[[rule]]\ntier='a'\nstack=['Field.C:57','icoFoam.C:80','x.c:1']\n", &frames), (3, 3));
    assert_eq!(depth("[[rule]]\ntier='a'\nstack=['Field.C:58','icoFoam.C:80','x.c:1']\n", &frames), (3, 1));
    assert_eq!(depth("[[rule]]\ntier='a'\nwithin='solve*'\n", &frames), (64, 2));
    // That the stack ends is part of the answer.
    assert_eq!(depth("[[rule]]\ntier='a'\nwithin='nobody'\n", &frames), (64, 4));
    assert_eq!(depth("[[rule]]\ntier='a'\nwithin='nobody'\n", &[]), (64, 1));
}

#[test]
fn an_unknown_module_is_pending() {
    let (mut process, frames) = process();
    let late = process.loaded.remove(1);
    let mut policy = with_tiers("[[rule]]\ntier='a'\nsite='Field.C:57'\n");
    let before = policy.decide(&query(1, &frames), &mut process);
    assert_eq!((before.rule, before.pending), (None, true));
    process.loaded.push(late);
    let after = policy.decide(&query(1, &frames), &mut process);
    assert_eq!((after.rule, after.pending), (Some(0), false));
    // Another module at the same address.
    process.loaded.pop();
    process.loaded.push(super::process::Loaded {
        path: "/x",
        real: None,
        build_id: vec![],
        start: 0x20000,
        size: 0x1000,
    });
    process.lines.clear();
    assert_eq!(policy.decide(&query(1, &frames), &mut process).rule, Some(0));
    policy.modules_changed();
    assert_eq!(policy.decide(&query(1, &frames), &mut process).rule, None);
}

#[test]
fn names_are_asked_once() {
    let (mut process, frames) = process();
    let mut policy = with_tiers("[[rule]]\ntier='a'\nstack=['Field.C:57', 'x.c:1']\n");
    for _ in 0..5 {
        policy.decide(&query(1, &frames), &mut process);
    }
    assert_eq!(process.asked, 2);
}

#[test]
fn limits_and_decisions() {
    let (mut process, frames) = process();
    let mut policy = policy(&format!(
        "{TIERS}full = 'a'\n[[rule]]\nname='x'\ntier='a'\nlimit='1M'\nsize='..10'\n[[rule]]\ntier='b'\nlimit=4096\nsize='10..20'\n[[rule]]\ntier='b'\n"
    ));
    let limit = |d: tier::rules::Decision| d.limit.map(|l| (l.bytes, l.account, l.beyond));
    assert_eq!(limit(policy.decide(&query(1, &frames), &mut process)), Some((1 << 20, 0, Full::Heap)));
    assert_eq!(limit(policy.decide(&query(10, &frames), &mut process)), Some((4096, 1, Full::Next(1))));
    assert_eq!(limit(policy.decide(&query(11, &frames), &mut process)), Some((4096, 1, Full::Next(1))));
    assert_eq!(policy.accounts(), 2);
    let facts: Vec<_> = policy.rules().map(|r| (r.name, r.at.line, r.decisions)).collect();
    assert_eq!(facts, [("x", 8, 1), ("rule 2", 13, 2), ("rule 3", 17, 0)]);
}

#[test]
fn the_filter_of_sizes() {
    for (rules, wanted) in [
        ("[[rule]]\ntier='heap'\nsize='..4K'\n[[rule]]\ntier='a'\n", 4096..=usize::MAX),
        (
            "[[rule]]\ntier='heap'\nsize='1M..'\n[[rule]]\ntier='heap'\nsize='..4K'\n[[rule]]\ntier='a'\n",
            4096..=(1 << 20) - 1,
        ),
        ("[[rule]]\ntier='heap'\nsize='4K..8K'\n[[rule]]\ntier='a'\n", 0..=usize::MAX),
        ("[[rule]]\ntier='heap'\nsize='..4K'\nthread='x'\n[[rule]]\ntier='a'\n", 0..=usize::MAX),
        (
            "[[rule]]\ntier='a'\nsize='16..32'\n[[rule]]\ntier='heap'\nsize='..20'\n[[rule]]\ntier='b'\nsize='64'\n",
            16..=64,
        ),
    ] {
        assert_eq!(with_tiers(rules).sizes(), wanted, "{rules}");
    }
    let read = Policy::read(format!("{TIERS}[[rule]]\ntier='heap'\n[[rule]]\ntier='a'\n").as_bytes(), "t");
    assert!(read.policy.unwrap().sizes().is_empty());
    // A rule whose sizes never come is not said to have never matched.
    let policy = with_tiers(
        "[[rule]]\ntier='heap'\nsize='..4K'\n[[rule]]\ntier='a'\nsize='2K..5K'\n[[rule]]\ntier='b'\nsize='9K'\n[[rule]]\ntier='heap'\nsize='10K'\n",
    );
    assert_eq!(policy.rules().map(|r| r.is_counted).collect::<Vec<_>>(), [false, false, true, false]);
}

#[test]
fn nothing_wanted() {
    let mut empty = policy("");
    assert!(empty.sizes().is_empty());
    assert_eq!(empty.depth(), 0);
    let decision = empty.decide(&query(7, &[1, 2]), &mut Process::default());
    assert_eq!((decision.rule, decision.tier, decision.depth, decision.sizes), (None, 0, 0, 0..=usize::MAX));
}
