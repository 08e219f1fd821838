//! Recordings of ranks of MPI: who had what.

use crate::allocations::{Watched, full};
use crate::built;
use crate::installed::{output, parts};
use crate::sample::{self, double_close, party};
use record::findings;
use record::heap::level;
use record::kind::Role;
use record::memory::Memory;
use record::store::Store;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

fn told(arguments: &[&str], recordings: &Path) -> String {
    let all: Vec<&str> = [arguments, &[recordings.to_str().unwrap()]].concat();
    let (stdout, stderr, code) = parts(&output(&all));
    // Some modules are not there.
    assert!(stderr.lines().all(|line| line.ends_with(": shown without functions and lines")), "{stderr}");
    assert_eq!(code, Some(0));
    stdout
}

fn directory(name: &str, memories: impl IntoIterator<Item = (u32, Memory)>) -> PathBuf {
    let directory = built::directory(name);
    for (rank, memory) in memories {
        memory.header().rank.store(rank + 1, Relaxed);
        fs::write(directory.join(format!("app.{rank:05}.shim")), memory.to_bytes()).unwrap();
    }
    directory
}

#[test]
fn a_finding_says_on_which_ranks_it_is() {
    let crash = built::crash(&built::directory("mpi-crash"), &["-g"]);
    let of = |rank: u32| match rank {
        3 | 5 => sample::process(100 + rank),
        _ => sample::crashed(100 + rank, &crash),
    };
    let recordings = directory("ranks-findings", (0..8).map(|rank| (rank, of(rank))));
    let text = told(&["report"], &recordings);
    assert!(text.starts_with("== shim: 1 finding in 6 processes; recorded: ranks 0–7\n"), "{text}");
    let line = "  fd.double-close in app (pid 100), app (pid 101), app (pid 102) and 3 processes more, on 6 ranks: 0–2, 4, 6–7\n";
    assert!(text.contains(line), "{text}");
    let json: Value = serde_json::from_str(told(&["report", "--json"], &recordings).lines().next().unwrap()).unwrap();
    assert_eq!(json["ranks"], serde_json::json!([0, 1, 2, 4, 6, 7]));
    let one = told(&["report"], &recordings.join("app.00004.shim"));
    assert!(
        one.starts_with("== shim: 1 finding in 1 process; recorded: rank 4\n") && one.contains(", on rank 4\n"),
        "{one}"
    );
    let none = told(&["report"], &recordings.join("app.00003.shim"));
    assert_eq!(none, "== shim: no findings in 1 process, rank 3\n");
    // Without a rank, nothing of it.
    let plain = sample::write(&sample::crashed(1, &crash), "mpi-none.shim");
    let (text, json) = (told(&["report"], &plain), told(&["report", "--json"], &plain));
    assert!(!text.contains("rank") && !json.contains("rank"), "{text}{json}");
}

#[test]
fn more_ranks_than_processes_are_named() {
    let finding = |rank: u32| {
        let memory = sample::process(1000 + rank);
        let module = sample::module(&memory, Path::new("/srv/app"), &[7; 20]);
        let stack = sample::stack(&memory, module, &[0x1235]);
        findings::file(&memory, &double_close(&[party(Role::Here, 3, b"io", stack)], 1_000_000 - u64::from(rank)));
        memory
    };
    let recordings = directory("ranks-many", (0..300).map(|rank| (rank, finding(rank))));
    let text = told(&["report"], &recordings);
    assert!(text.contains("on 300 ranks: 0–299\n"), "{text}");
}

#[test]
fn the_heap_by_rank() {
    let crash = built::crash(&built::directory("ranks-heap"), &["-g"]);
    let of = |rank: u32| {
        let mut watched = full(200 + rank, &crash);
        if rank == 2 {
            let stack = crate::allocations::stacks(&watched.memory, &crash)[1];
            watched.allocate(stack, 4, 64 << 20, 4);
        }
        watched.memory
    };
    let recordings = directory("ranks-heap-recordings", (0..4).map(|rank| (rank, of(rank))));
    let text = told(&["heap"], &recordings);
    assert!(text.starts_with("== shim: heap of 4 processes (app 4), ranks 0–3: every block\n"), "{text}");
    let live = "  live by rank: total 80 MiB, median 4.0 MiB, from 4.0 MiB (rank 0) to 68 MiB (rank 2), spread 1599 %; odd: rank 2 (68 MiB)\n";
    assert!(text.contains(live), "{text}");
    assert!(text.contains("  peak by rank: total ") && text.contains("  allocated by rank: total "), "{text}");
    let json = told(&["heap", "--json"], &recordings);
    let total: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let live = &total["live_by_rank"];
    assert_eq!((&live["ranks"], &live["odd"], &live["max_rank"]), (&4.into(), &serde_json::json!([2]), &2.into()));
    assert_eq!(live["total"], total["live"]["bytes"]);
    let ranks = json
        .lines()
        .filter(|line| line.contains("\"record\":\"process\""))
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["rank"].as_u64().unwrap());
    assert_eq!(ranks.collect::<Vec<_>>(), [0, 1, 2, 3]);
    // One rank is not compared with itself.
    assert!(!told(&["heap"], &recordings.join("app.00001.shim")).contains("by rank"));
    let without = Watched::new(1, level::FULL, 0);
    assert!(!told(&["heap", "--json"], &sample::write(&without.memory, "ranks-heap-none.shim")).contains("rank"));
}
