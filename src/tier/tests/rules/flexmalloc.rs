//! FlexMalloc's files: what they become, which stacks they match, what is said of them.

use super::process::{Process, query, tier};
use std::collections::BTreeMap;
use tier::rules::flexmalloc::Files;
use tier::rules::{Policy, Reading};
use tier::spec::{Full, Kind, NumaPolicy};

const DEFINITIONS: &str = "# Memory configuration for allocator posix\nSize 1024 Mbytes\n\
    # Memory configuration for allocator memkind/pmem\n@ /mnt/pmem0 @ /mnt/pmem1\n\
    # memory CONFIGURATION for allocator MEMKIND/HBWMALLOC\nSize 4096 MBytes\n";

fn read(definitions: &str, locations: &str, variables: &[(&str, &str)]) -> Reading {
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| (format!("FLEXMALLOC_{name}"), *value)).collect();
    let files = Files { definitions: (definitions.as_bytes(), "D"), locations: (locations.as_bytes(), "L") };
    Policy::read_flexmalloc(&files, &mut |name| variables.get(name).map(|v| v.as_bytes().to_vec()), &mut |path| {
        (path == b"/opt/lib/libfields.so.1").then(|| b"/opt/lib/libfields.so.1.2.3".to_vec())
    })
}

fn policy(locations: &str, variables: &[(&str, &str)]) -> Policy {
    let read = read(DEFINITIONS, locations, variables);
    assert!(read.complaints.is_empty(), "{:#?}", read.complaints);
    read.policy.unwrap()
}

fn said(reading: &Reading) -> Vec<String> {
    reading.complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn definitions_become_tiers() {
    let read = policy("a.c:1 @ memkind/hbwmalloc\n", &[]);
    let shape: Vec<_> = read.tiers.iter().map(|t| (t.name.as_str(), t.capacity, t.full)).collect();
    assert_eq!(
        shape,
        [
            ("heap", None, Full::Heap),
            ("memkind/hbwmalloc", Some(4 << 30), Full::Heap),
            ("memkind/pmem", None, Full::Next(3)),
            ("memkind/pmem 2", None, Full::Heap),
        ]
    );
    assert_eq!(read.tiers[1].kind, Kind::Numa { nodes: vec![], policy: NumaPolicy::PreferredMany });
    assert_eq!(read.tiers[2].kind, Kind::File { path: b"/mnt/pmem0".to_vec() });
    assert_eq!(read.tiers[2].at.to_string(), "D:4");
}

#[test]
fn the_fallback_takes_all_else_and_what_does_not_fit() {
    let fallback = [("FALLBACK_ALLOCATOR", "Memkind/PMEM")];
    let mut policy = policy("a.c:1 @ posix\nb.c:1 @ memkind/hbwmalloc\nc.c:1 @ memkind/pmem\n", &fallback);
    let shape: Vec<_> = policy.tiers.iter().map(|t| t.full).collect();
    assert_eq!(shape, [Full::Heap, Full::Next(2), Full::Next(3), Full::Heap]);
    // The location on the fallback itself is left out.
    let rules: Vec<_> = policy.rules().map(|r| (r.name, r.tier, r.limit.map(|l| (l.bytes, l.beyond)))).collect();
    assert_eq!(
        rules,
        [
            ("location 1", 0, Some((1 << 30, Full::Next(2)))),
            ("location 2", 1, None),
            ("FLEXMALLOC_FALLBACK_ALLOCATOR", 2, None),
        ]
    );
    let mut process = Process::new();
    let decision = policy.decide(&query(1, &[0x10100]), &mut process);
    assert_eq!(tier(&policy, &decision), "memkind/pmem");
    assert_eq!(policy.sizes(), 0..=usize::MAX);

    let kept = [("FALLBACK_ALLOCATOR", "memkind/pmem"), ("IGNORE_LOCATIONS_ON_FALLBACK_ALLOCATOR", "no")];
    let policy = self::policy("c.c:1 @ memkind/pmem\n", &kept);
    assert_eq!(policy.rules().len(), 2);
}

#[test]
fn small_sizes() {
    let variables = [("MINSIZE_THRESHOLD", "4096"), ("MINSIZE_THRESHOLD_ALLOCATOR", "memkind/hbwmalloc")];
    let mut policy = policy("app.c:1 @ memkind/pmem\n", &variables);
    let mut process = Process::new();
    process.lines.insert(0x10100, ("app.c", 1));
    for (size, wanted) in [(0, "memkind/hbwmalloc"), (4096, "memkind/hbwmalloc"), (4097, "memkind/pmem")] {
        let decision = policy.decide(&query(size, &[0x10100]), &mut process);
        assert_eq!(tier(&policy, &decision), wanted, "{size}");
    }
    assert_eq!(policy.decide(&query(1, &[0x10100]), &mut process).sizes, 0..=4096);
}

/// app!0x100 is what the call in line 10 returns to.
fn stack() -> (Process, [u64; 3]) {
    let mut process = Process::new();
    for (address, line) in [(0x10100, ("/src/app.c", 10)), (0x20200, ("/src/Lib.C", 20)), (0x10300, ("/src/app.c", 30))]
    {
        process.lines.insert(address, line);
    }
    process.functions.insert(0x10300 - 1, "main");
    (process, [0x10100, 0x20200, 0x10300])
}

fn matches(locations: &str, frames: &[u64], variables: &[(&str, &str)]) -> bool {
    let (mut process, _) = stack();
    let mut policy = policy(locations, variables);
    policy.decide(&query(1, frames), &mut process).rule.is_some()
}

#[test]
fn raw_stacks_match_whole() {
    let (_, frames) = stack();
    let whole = "/srv/app!100 > /opt/lib/libfields.so.1!200 > /srv/app!0x300 @ memkind/pmem\n";
    assert!(matches(whole, &frames, &[]));
    // Any name of the file will do, and an unknown one will not.
    assert!(matches("/srv/app!100 > /opt/lib/libfields.so.1.2.3!200 > /srv/app!300 @ memkind/pmem\n", &frames, &[]));
    assert!(!matches("/srv/app!100 > /opt/libfields.so.1!200 > /srv/app!300 @ memkind/pmem\n", &frames, &[]));
    assert!(!matches("/srv/app!100 > /opt/lib/libfields.so.1!201 > /srv/app!300 @ memkind/pmem\n", &frames, &[]));
    // Shorter and longer stacks are others.
    assert!(!matches(whole, &frames[..2], &[]));
    let longest = "/x!1 > /x!2 > /x!3 > /x!4 @ memkind/pmem\n";
    assert!(!matches(&format!("/srv/app!100 > /opt/lib/libfields.so.1!200 @ memkind/pmem\n{longest}"), &frames, &[]));
    // Of the longest length, it is the beginning of one.
    assert!(matches("/srv/app!100 > /opt/lib/libfields.so.1!200 @ memkind/pmem\n", &frames, &[]));
    assert!(matches("/srv/app!100 > /opt/lib/libfields.so.1!200 @ memkind/pmem\n", &frames[..2], &[]));
    // The byte before the return address.
    assert!(matches(
        "/srv/app!ff > /opt/lib/libfields.so.1!1ff > /srv/app!2ff @ memkind/pmem\n",
        &frames,
        &[("CALLSTACK_MINUS1", "1")]
    ));
    assert!(!matches("/srv/app!ff > /opt/lib/libfields.so.1!1ff > /srv/app!2ff @ memkind/pmem\n", &frames, &[]));
    assert!(matches("/srv/app!256 @ memkind/pmem\n", &frames, &[("READ_OFFSET_BASE", "10")]));
    assert!(matches("/srv/app!0x100 @ memkind/pmem\n", &frames, &[("READ_OFFSET_BASE", "0")]));
}

#[test]
fn operator_new_and_libc_need_not_be_frames() {
    let (_, frames) = stack();
    let location =
        "/usr/lib/libstdc++.so.6!a5 > /srv/app!100 > /opt/lib/libfields.so.1!200 > /srv/app!300 @ memkind/pmem\n";
    assert!(matches(location, &frames, &[]));
    assert!(matches(location, &[&frames[..], &[0x10400]].concat(), &[]));
    // When libstdc++ itself calls malloc, it is one.
    assert!(matches(location, &[&[0x300a5], &frames[..]].concat(), &[]));
    assert!(!matches(location, &frames[..2], &[]));
    // Nor is libc, and there may be more than one.
    assert!(matches(&format!("/lib/libc.so.6!1 > {location}"), &frames, &[]));
    assert!(matches("/lib/libc.so.6!1 > /srv/app!100 @ memkind/pmem\n", &frames[..1], &[]));
    assert!(!matches("/lib/libc.so.6!1 @ memkind/pmem\n", &[], &[]));
    let longest = "/x!1 > /x!2 > /x!3 > /x!4 > /x!5 > /x!6 @ memkind/pmem\n";
    assert!(!matches(&format!("{location}{longest}"), &[&frames[..], &[0x10400]].concat(), &[]));
    assert!(matches(&format!("{location}{longest}"), &frames, &[]));
}

#[test]
fn lines_match_whole_and_without_case() {
    let (_, frames) = stack();
    let whole = "app.c:10 > lib.c:20 > app.c:30 @ memkind/pmem\n";
    assert!(matches(whole, &frames, &[]));
    assert!(matches("/other/APP.C:10 > LIB.c:20 > app.c:30 @ memkind/pmem\n", &frames, &[]));
    assert!(!matches("app.c:10 > lib.c:21 > app.c:30 @ memkind/pmem\n", &frames, &[]));
    assert!(!matches(whole, &frames[..2], &[]));
    assert!(!matches(
        &format!("app.c:10 > lib.c:20 @ memkind/pmem\n{}", whole.replace("app.c:10", "x.c:1")),
        &frames,
        &[]
    ));
    // What no tool could name stands for anything, except at the outer end, where it is not there.
    assert!(matches("app.c:10 > Unresolved:0 > app.c:30 > Unresolved:0 > _NOT_Found:0 @ memkind/pmem\n", &frames, &[]));
    assert!(matches("_NOT_Found:0 > lib.c:20 > app.c:30 @ memkind/pmem\n", &frames, &[]));
    assert!(!matches("_NOT_Found:0 > lib.c:21 > app.c:30 @ memkind/pmem\n", &frames, &[]));
    // The same of frames without lines: libstdc++ has none here.
    let deep = |longest: &str| format!("{whole}{longest} @ memkind/pmem\n");
    let around = [&[0x30010], &frames[..], &[0x30020, 0x30030]].concat();
    assert!(matches(&deep("x:1 > x:2 > x:3 > x:4 > x:5 > x:6"), &around, &[]));
    let between = [frames[0], 0x30010, frames[2]];
    assert!(matches(whole, &between, &[]));
    assert!(!matches("app.c:11 > lib.c:20 > app.c:30 @ memkind/pmem\n", &between, &[]));
    assert!(!matches(whole, &[0x30010, 0x30020, 0x30030], &[]));
    // Whole paths.
    let whole_path = [("COMPARE_WHOLE_PATH", "yes")];
    assert!(matches("/SRC/app.c:10 > /src/lib.c:20 > /src/app.c:30 @ memkind/pmem\n", &frames, &whole_path));
    assert!(!matches(whole, &frames, &whole_path));
}

#[test]
fn stacks_end_at_main_on_request() {
    let (mut process, frames) = stack();
    process.lines.insert(0x10400, ("libc-start.c", 342));
    let locations = "app.c:10 > lib.c:20 > app.c:30 @ memkind/pmem\nx:1 > x:2 > x:3 > x:4 > x:5 @ memkind/pmem\n";
    let deeper = [&frames[..], &[0x10400]].concat();
    for (variables, wanted) in [(&[][..], None), (&[("CALLSTACK_STOP_AT_MAIN", "TRUE")][..], Some(0))] {
        let mut policy = policy(locations, variables);
        assert_eq!(policy.decide(&query(1, &deeper), &mut process).rule, wanted);
    }
}

#[test]
fn what_is_looked_at() {
    let (mut process, frames) = stack();
    let mut raw = policy("/srv/app!100 > /x!1 > /x!2 @ memkind/pmem\n", &[]);
    let mut depth = |frames: &[u64]| raw.decide(&query(1, frames), &mut process).depth;
    assert_eq!(depth(&frames[1..]), 1);
    assert_eq!(depth(&frames), 2);
    assert_eq!(raw.depth(), 3);
}

#[test]
fn a_module_that_comes_later() {
    let (mut process, frames) = stack();
    let late = process.loaded.remove(1);
    let mut policy = policy("/srv/app!100 > /opt/lib/libfields.so.1!200 > /srv/app!300 @ memkind/pmem\n", &[]);
    let decision = policy.decide(&query(1, &frames), &mut process);
    assert_eq!((decision.rule, decision.pending), (None, true));
    process.loaded.push(late);
    let decision = policy.decide(&query(1, &frames), &mut process);
    assert_eq!((decision.rule, decision.pending), (Some(0), false));
}

#[test]
fn each_fault() {
    for (definitions, locations, variables, wanted) in [
        (
            "# Memory configuration for allocator dram\nSize 1 MBytes\n",
            "",
            &[][..],
            "D:1: unknown allocator 'dram'; expected posix, memkind/pmem or memkind/hbwmalloc",
        ),
        (
            "# Memory configuration for allocator posix\nSize 1 GBytes\n",
            "",
            &[],
            "D:2: 'Size 1 GBytes' is no size; expected \"Size NUMBER MBytes\"",
        ),
        (
            "# Memory configuration for allocator posix\n",
            "",
            &[],
            "D:2: '' is no size; expected \"Size NUMBER MBytes\"",
        ),
        (
            "# Memory configuration for allocator memkind/pmem\nSize 4 MBytes\n",
            "",
            &[],
            "D:2: 'Size 4 MBytes' is no list of directories; expected \"@ DIRECTORY\", and more of them if you like",
        ),
        (
            "# Memory configuration for allocator memkind/pmem\n\n",
            "",
            &[],
            "D:2: memkind/pmem without a directory; expected \"@ DIRECTORY\", and more of them if you like",
        ),
        (
            "Size 4 MBytes\n",
            "",
            &[],
            "D:1: 'Size 4 MBytes' belongs to no allocator; expected \"# Memory configuration for allocator NAME\" before it",
        ),
        (
            "# Memory configuration for allocator posix\nSize 99999999999999 MBytes\n",
            "",
            &[],
            "D:2: '99999999999999' MBytes is more than a machine has; expected \"Size NUMBER MBytes\"",
        ),
        (
            DEFINITIONS,
            "a.c:1 > b.c:2\n",
            &[],
            "L:1: no allocator in 'a.c:1 > b.c:2'; expected \"FRAME > FRAME @ ALLOCATOR\"",
        ),
        (
            DEFINITIONS,
            "#\na.c:1 @ dram\n",
            &[],
            "L:2: unknown allocator 'dram'; expected posix, memkind/pmem or memkind/hbwmalloc",
        ),
        (DEFINITIONS, "a.c @ memkind/pmem\n", &[], "L:1: 'a.c' is no frame; expected \"FILE:LINE\" or \"PATH!OFFSET\""),
        (
            DEFINITIONS,
            "a.c:1 > /x!1 @ memkind/pmem\n",
            &[],
            "L:1: '/x!1': an address where the file has lines; expected \"FILE:LINE\"",
        ),
        (
            DEFINITIONS,
            "/x!1 @ memkind/pmem\na.c:1 @ memkind/pmem\n",
            &[],
            "L:2: 'a.c:1': a line where the file has addresses; expected \"PATH!OFFSET\"",
        ),
        (
            DEFINITIONS,
            "/x!zz @ memkind/pmem\n",
            &[("SOURCE_FRAMES", "no")],
            "L:1: '/x!zz' is no frame; expected \"PATH!OFFSET\"",
        ),
        (
            DEFINITIONS,
            "a.c:1 @ memkind/pmem\na.c:1 @ memkind/hbwmalloc\n",
            &[],
            "L:2: 'location 2' can never match: 'location 1' in line 1 takes all that it would; expected the special rule before the general one",
        ),
        (
            "",
            "a.c:1 @ memkind/pmem\nb.c:1 @ memkind/pmem\n",
            &[],
            "L:1: memkind/pmem is not defined (2 locations are left out); expected an entry in the definitions",
        ),
        (
            "",
            "",
            &[("FALLBACK_ALLOCATOR", "memkind/pmem")],
            "the environment: FLEXMALLOC_FALLBACK_ALLOCATOR: 'memkind/pmem' is not defined; expected an entry in the definitions (posix is taken)",
        ),
        (
            "",
            "",
            &[("FALLBACK_ALLOCATOR", "dram")],
            "the environment: FLEXMALLOC_FALLBACK_ALLOCATOR is 'dram'; expected posix, memkind/pmem or memkind/hbwmalloc (posix is taken)",
        ),
        (
            "",
            "",
            &[("MINSIZE_THRESHOLD", "-1")],
            "the environment: FLEXMALLOC_MINSIZE_THRESHOLD is '-1'; expected a number of bytes (0 is taken)",
        ),
        (
            "",
            "",
            &[("CALLSTACK_MINUS1", "maybe")],
            "the environment: FLEXMALLOC_CALLSTACK_MINUS1 is 'maybe'; expected yes, enabled, true, 1, no, disabled, false or 0 (no is taken)",
        ),
        (
            "",
            "",
            &[("READ_OFFSET_BASE", "37")],
            "the environment: FLEXMALLOC_READ_OFFSET_BASE is '37'; expected 8, 10, 16 or 0 (16 is taken)",
        ),
    ] {
        assert_eq!(said(&read(definitions, locations, variables)), [wanted]);
    }
}

#[test]
fn odd_files_that_are_right() {
    // No line end, carriage returns, a path with marks of its own, an empty file.
    let reading = read(
        DEFINITIONS,
        "# a: b! @ c\r\n/opt/gcc@12!x/lib!100 @ memkind/pmem\r\n\r\n/x!1>/y!2@posix",
        &[("FALLBACK_ALLOCATOR", "memkind/hbwmalloc")],
    );
    assert_eq!(said(&reading), [""; 0]);
    assert_eq!(reading.policy.unwrap().rules().len(), 3);
    assert_eq!(said(&read("", "", &[])), [""; 0]);
    // An allocator of nothing: its blocks go to the fallback.
    let nothing = "# Memory configuration for allocator memkind/hbwmalloc\nSize 0 MBytes\n";
    let reading = read(nothing, "a.c:1 @ memkind/hbwmalloc\n", &[]);
    assert_eq!(said(&reading), [""; 0]);
    assert_eq!(reading.policy.unwrap().tiers.len(), 1);
}

#[test]
fn hostile_files() {
    let many = "a.c:1 > b.c:2 @ memkind/pmem\n".repeat(100_000);
    let reading = read(DEFINITIONS, &many, &[]);
    assert!(reading.complaints.len() <= 33);
    assert_eq!(reading.policy.unwrap().rules().len(), 1024);
    for text in
        ["@", "!", ":", ">", "a:1>", "a!1>", "\0", "# Memory configuration for allocator posix\n", "@ /x ", "\u{1b}[1m"]
    {
        for complaint in read(&text.repeat(100_000), &text.repeat(100_000), &[]).complaints {
            let text = complaint.to_string();
            assert!(text.len() < 400 && !text.chars().any(char::is_control), "{text:?}");
        }
    }
}
