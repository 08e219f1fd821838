//! `shim advise`: the table, and the files as `tier::rules` reads and decides by them.

use crate::allocations::{ODD, Watched, stacks};
use crate::built::{self, Crash};
use crate::installed::{command, output, parts, text};
use crate::sample;
use record::heap::level;
use record::usage::{self, Access, access};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use tier::rules::{Module, Names, Policy, Query, Reading};
use tier::spec::Kind;

const MB: u64 = 1 << 20;

fn advise(arguments: &[&str], path: &Path) -> (String, String, Option<i32>) {
    let mut all: Vec<&OsStr> = vec!["advise".as_ref()];
    all.extend(arguments.iter().map(OsStr::new));
    all.push(path.as_os_str());
    parts(&output(&all))
}

/// 6 MiB that are touched 84 times, and twice 5 MiB with 65: the densest leaves no room in 10 MiB for the others, which are better.
fn measured(name: &str) -> (PathBuf, Crash) {
    let crash = built::crash(&built::directory(name), &["-g"]);
    let mut watched = Watched::new(12, level::FULL, 0);
    let [inlined, plain, odd] = stacks(&watched.memory, &crash);
    for (stack, bytes, samples) in [(inlined, 6 * MB, 84), (plain, 5 * MB, 65), (odd, 5 * MB, 65)] {
        watched.allocate(stack, 1, bytes, 1);
        let used = usage::of(&watched.memory, stack).unwrap();
        used.touched(Access::Load, samples - 20);
        used.touched(Access::Store, 20);
    }
    watched.heap().access_kind.store(access::LOADS_AND_STORES, Relaxed);
    watched.heap().access_period.store(1000, Relaxed);
    watched.heap().access_samples.store(250, Relaxed);
    watched.heap().access_elsewhere.store(36, Relaxed);
    (sample::write(&watched.memory, &format!("{name}/app.12.0.shim")), crash)
}

/// A process with the program at one address and the odd module at another.
struct Process<'a> {
    crash: &'a Crash,
}

const APP: u64 = 0x5555_0000_0000;
const OTHER: u64 = 0x7777_0000_0000;

impl Names for Process<'_> {
    fn module(&mut self, address: u64) -> Option<Module<'_>> {
        let (path, build_id, bias): (&[u8], &[u8], u64) = if address >= OTHER {
            (ODD, &[7; 20], OTHER)
        } else {
            (self.crash.path.as_os_str().as_encoded_bytes(), &self.crash.build_id, APP)
        };
        let link_address = address - bias;
        Some(Module { path, build_id, file_offset: link_address, link_address })
    }
    fn function(&mut self, _: u64) -> Option<Cow<'_, str>> {
        None
    }
    fn line(&mut self, _: u64) -> Option<(Cow<'_, str>, u32)> {
        None
    }
}

/// The tier of the stacks inlined, plain, odd, and of one that was not seen.
fn decided(reading: Reading, crash: &Crash) -> [String; 4] {
    let mut policy = reading.policy.unwrap();
    assert!(reading.complaints.is_empty(), "{:?}", reading.complaints);
    let main = APP + crash.open;
    [[APP + crash.second, main], [APP + crash.first, main], [OTHER + 0x1235, main], [APP + 5, main]].map(|frames| {
        let query = Query { size: 100, thread: b"app", rank: None, frames: &frames };
        let tier = policy.decide(&query, &mut Process { crash }).tier;
        policy.tiers[usize::from(tier)].name.clone()
    })
}

#[test]
fn exact_beats_greedy_and_the_file_does_it() {
    let (recording, crash) = measured("advise_exact");
    let rules = recording.with_extension("toml");
    let (stdout, stderr, code) = advise(&["--capacity", "fast=10M", "-o", rules.to_str().unwrap()], &recording);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("shim: advise: without --tier-file the tiers are ordinary memory"), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "== shim: advice for app (pid 12)",
            "  a byte is worth its accesses per byte",
            "  measured   loads and stores: 250 samples, one in 1,000; 86 % in known blocks",
            "  fast: 10 MiB of 10 MiB for 2 call stacks: 60.7 % of the accesses, the best there is; greedy 39.3 %",
        ],
        "{stdout}"
    );
    let rows: Vec<Vec<&str>> = lines[6..].iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..5], ["fast", "5.0", "MiB", "30", "%"], "{stdout}");
    assert_eq!(rows[2][..5], ["heap", "6.0", "MiB", "39", "%"], "{stdout}");
    assert_eq!(rows[2][rows[2].len() - 2..], ["close_again", "crash.c:12"], "{stdout}");
    let file = std::fs::read_to_string(&rules).unwrap();
    assert!(file.contains("limit = \"5632K\"\n") && file.contains("# finish_request  crash.c:6 in app\n"), "{file}");
    assert!(file.contains("a <b>&\\\"x\\\";=\\\\x1b[2J+0x1234"), "a name is escaped: {file}");
    assert_eq!(decided(Policy::read(file.as_bytes(), "r"), &crash), ["heap", "fast", "fast", "heap"]);
}

/// The tiers of a file stay as they are, rules of its own come first, and advice of before is replaced.
#[test]
fn a_file_with_tiers() {
    let (recording, crash) = measured("advise_tiers");
    let base = recording.with_extension("base");
    let own = "# mine\n[[tier]]\nname = \"fast\"\nkind = \"numa\"\nnodes = \"1\"\n\n[[tier]]\nname = \"mid\"\nkind = \"file\"\n\
               path = \"/mnt/pmem\"\n\n[[rule]]\ntier = \"mid\"\nsize = \"1G..\"\n";
    std::fs::write(&base, own).unwrap();
    let base = base.to_str().unwrap();
    let both = ["--capacity", "fast=6M", "--capacity", "mid=5M", "--tier-file", base, "-o", "-"];
    let (first, _, code) = advise(&both, &recording);
    assert_eq!(code, Some(0));
    assert!(first.starts_with(own.trim_end()), "{first}");
    let reading = Policy::read(first.as_bytes(), "r");
    assert!(matches!(reading.policy.as_ref().unwrap().tiers[1].kind, Kind::Numa { .. }));
    let tiers = decided(reading, &crash);
    assert_eq!((tiers[0].as_str(), tiers.iter().filter(|tier| *tier == "mid").count()), ("fast", 1), "{tiers:?}");
    // Once more, with what was written: the same file.
    std::fs::write(base, &first).unwrap();
    assert_eq!(advise(&both, &recording).0, first);

    let flexmalloc = recording.with_extension("fm");
    let flexmalloc = flexmalloc.to_str().unwrap();
    let more = [&both[..6], &["--format", "flexmalloc", "-o", flexmalloc]].concat();
    let (_, stderr, code) = advise(&more, &recording);
    assert_eq!(code, Some(0), "{stderr}");
    let read = |ending: &str| std::fs::read_to_string(format!("{flexmalloc}.{ending}")).unwrap();
    let (definitions, locations) = (read("definitions"), read("locations"));
    assert!(definitions.contains("allocator memkind/hbwmalloc\nSize 6 MBytes\n"), "{definitions}");
    assert!(definitions.contains("allocator memkind/pmem\n@ /mnt/pmem\n"), "{definitions}");
    // The module that is not there is no location, and that is said.
    let lines: Vec<&str> = locations.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.iter().any(|line| line.ends_with(" @ memkind/hbwmalloc")), "{locations}");
    assert!(lines.iter().all(|line| line.contains(&format!("{}!", crash.path.display()))), "{locations}");
}

/// What is never there together has the room one after the other.
#[test]
fn lifetimes_share_a_tier() {
    let crash = built::crash(&built::directory("advise_shared"), &["-g"]);
    let record = |name: &str, apart: bool| {
        let mut watched = Watched::new(7, level::FULL, 0);
        let [first, second, _] = stacks(&watched.memory, &crash);
        watched.allocate(first, 2, 8 * MB, 2);
        if apart {
            watched.free(first, 2, 8 * MB);
            usage::of(&watched.memory, first).unwrap().ended(2, 4000, 2000);
            // A sample that has seen neither.
            record::heap::sample(&watched.memory, 2_500_000_000).unwrap();
        }
        watched.allocate(second, 2, 8 * MB, 2);
        sample::write(&watched.memory, name)
    };
    let (stdout, ..) = advise(&["--capacity", "fast=8M"], &record("advise_shared/apart.shim", true));
    assert!(
        stdout.contains("  fast: 8.0 MiB of 8.0 MiB for 2 call stacks, shared over time by 16 MiB: 100.0 %"),
        "{stdout}"
    );
    assert!(
        stdout.contains("accesses were not measured") && stdout.ends_with("-o FILE writes the rules\n"),
        "{stdout}"
    );
    let (stdout, ..) = advise(&["--capacity", "fast=8M"], &record("advise_shared/together.shim", false));
    assert!(stdout.contains("  fast: 8.0 MiB of 8.0 MiB for 1 call stack: 50.0 %"), "{stdout}");
}

#[test]
fn one_line_for_what_cannot_be() {
    let (recording, _) = measured("advise_errors");
    let fails = |arguments: &[&str], path: &Path, code: i32, expected: &str| {
        let (stdout, stderr, got) = advise(arguments, path);
        assert_eq!((stdout.as_str(), got, stderr.lines().count()), ("", Some(code), 1), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    let fast = ["--capacity", "fast=1G"];
    fails(&["--capacity", "fast=0"], &recording, 2, "fast has a capacity of nothing");
    fails(&["--capacity", "fast"], &recording, 2, "expected TIER=SIZE, as in fast=4G");
    fails(&["--capacity", "heap=1G"], &recording, 2, "heap is no tier of its own");
    fails(&["--capacity", "fast=1G", "--capacity", "fast=2G"], &recording, 2, "a second fast");
    let base = recording.with_extension("base");
    std::fs::write(&base, "[[tier]]\nname = \"slow\"\nkind = \"memfd\"\n").unwrap();
    let base = base.to_str().unwrap();
    fails(&["--capacity", "fast=1G", "--tier-file", base], &recording, 2, "no tier fast in ");
    fails(&["--capacity", "fast=1G", "--tier-file", "/no/such"], &recording, 2, "/no/such: ");
    fails(
        &["--capacity", "fast=1G", "--objective", "faults"],
        &recording,
        1,
        "page faults were not measured, loads and stores were",
    );
    fails(&["--capacity", "fast=1G", "--format", "flexmalloc"], &recording, 2, "-o says how their names begin");
    let none = sample::write(&sample::process(8), "advise_errors/none.shim");
    fails(&fast, &none, 1, "has nothing of the heap");
    let count = sample::write(&Watched::new(9, level::COUNT, 0).memory, "advise_errors/count.shim");
    fails(&fast, &count, 1, "no call stacks were recorded: run it with heap=sites or heap=full");
    // Where it cannot be written to, the table stands all the same.
    let done = command(&["advise", "--capacity", "fast=1G", "-o", "/no/such/file"]).arg(&recording).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("shim: /no/such/file: ") && text(&done.stdout).contains("== shim: advice"));
}
