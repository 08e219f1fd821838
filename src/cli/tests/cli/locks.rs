//! `shim locks`: the table, the orders, JSON and Graphviz, of recordings made by the writer and of hostile ones.

use crate::installed::{output, parts};
use crate::sample::{process, write};
use crate::{built, sample};
use record::lock::{Edge, entry_of, kind, mode, write_edge};
use record::memory::Memory;
use record::stacks;
use serde_json::Value as Json;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

fn locks(arguments: &[&str], path: &Path) -> (String, String, Option<i32>) {
    let mut all: Vec<&OsStr> = vec!["locks".as_ref()];
    all.extend(arguments.iter().map(OsStr::new));
    all.push(path.as_os_str());
    parts(&output(&all))
}

fn edge(from: u64, to: u64) -> Edge {
    let how = (kind::MUTEX, mode::EXCLUSIVE);
    Edge { from, to, held: how, taken: how, tid: 12, ..Edge::default() }
}

/// Three locks: one often taken, one that made threads wait, one held for long; two of them in both orders.
fn recorded(memory: &Memory, file: &str) -> PathBuf {
    let stack = |n: u64| stacks::intern(memory, &[n, n + 1]);
    let lock = |address: u64, kind: u8| {
        let (entry, new) = entry_of(memory, address).expect("room");
        assert!(new);
        entry.made(kind, 0, stack(address));
        entry
    };
    let often = lock(0x1000, kind::MUTEX);
    for _ in 0..1500 {
        often.taken(7, true, None, 0);
        often.let_go(true, 1_000, stack(0x700));
    }
    let waited = lock(0x2000, kind::MUTEX);
    for tid in 1..=4 {
        waited.taken(tid, true, (tid > 2).then_some(250_000_000), stack(0x800));
        waited.let_go(true, 5_000_000, stack(0x800));
    }
    let long = lock(0x3000, kind::RWLOCK);
    long.taken(1, false, None, 0);
    long.let_go(false, 2_500_000_000, stack(0x900));
    write_edge(memory, 0, &Edge { stacks: [stack(0xa00), stack(0xb00)], ..edge(0x1000, 0x2000) });
    write_edge(memory, 1, &edge(0x2000, 0x1000));
    // Another variant of the first.
    write_edge(memory, 2, &edge(0x1000, 0x2000));
    write_edge(memory, 3, &Edge { held: (kind::RWLOCK, mode::READ), ..edge(0x3000, 0x1000) });
    write(memory, file)
}

#[test]
fn text() {
    let path = recorded(&process(12), "locks_text.shim");
    let (stdout, stderr, code) = locks(&[], &path);
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert_eq!(
        stdout,
        "\
== shim: locks of app (pid 12): 3 measured, 3 orders
    waited          contended         taken       held  longest hold  lock
    500 ms          2  50.0 %             4      20 ms       5.0 ms   mutex 0x2000
                made, or first taken, by 0x1fff
                held longest by 0x7ff
                waited for longest by 0x7ff
         0          0                 1,500     1.5 ms       1.0 µs   mutex 0x1000
                made, or first taken, by 0xfff
         0          0                     1      2.5 s        2.5 s!  rwlock 0x3000
                made, or first taken, by 0x2fff
! held for 1,000 ms or longer at a time
orders: the second was taken while the first was held
         2  mutex 0x1000 → mutex 0x2000  in a ring
                taken by 0xaff
                the first by 0x9ff
         1  mutex 0x2000 → mutex 0x1000  in a ring
         1  rwlock 0x3000 (read) → mutex 0x1000
"
    );
    let first = |arguments: &[&str]| {
        let (stdout, ..) = locks(arguments, &path);
        stdout.lines().nth(2).unwrap_or_default().rsplit(' ').next().unwrap_or_default().to_owned()
    };
    assert_eq!(first(&["--sort", "taken"]), "0x1000");
    assert_eq!(first(&["--sort", "held"]), "0x3000");
    assert_eq!(first(&["--sort", "contended", "--limit", "1"]), "0x2000");
    let (stdout, ..) = locks(&["--limit", "1", "--long", "5", "--stacks"], &path);
    assert!(stdout.contains("5.0 ms!  mutex 0x2000\n"), "{stdout}");
    assert!(stdout.contains("and 2 more\n") && stdout.contains("! held for 5 ms"), "{stdout}");
    // The callers, too.
    assert!(stdout.contains("waited for longest by 0x7ff\n                    0x800\n"), "{stdout}");
}

#[test]
fn json_is_one_object_per_line() {
    let path = recorded(&process(12), "locks_json.shim");
    let (stdout, stderr, code) = locks(&["--json"], &path);
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    let lines: Vec<Json> = stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of = |record: &str| lines.iter().filter(|l| l["record"] == record).collect::<Vec<_>>();
    assert_eq!((of("process").len(), of("lock").len(), of("order").len(), lines.len()), (1, 3, 3, 7));
    assert_eq!((&of("process")[0]["pid"], &of("process")[0]["orders"]), (&Json::from(12), &Json::from(3)));
    let waited = of("lock")[0];
    assert_eq!((&waited["address"], &waited["kind"]), (&Json::from("0x2000"), &Json::from("mutex")));
    assert_eq!(waited["waited"], 500_000_000);
    assert_eq!((&waited["contended"], &waited["changed_hands"]), (&Json::from(2), &Json::from(3)));
    assert_eq!(waited["waited_most_at"][0]["offset"], "0x7ff");
    let order = of("order")[0];
    assert_eq!((&order["count"], &order["in_ring"]), (&Json::from(2), &Json::from(true)));
    assert_eq!(order["held"]["address"], "0x1000");
    assert!(of("order")[2]["held_for_reading"] == true && of("order")[2]["in_ring"] == false);
}

#[test]
fn the_graph_is_graphviz_s_whatever_the_program_is_called() {
    let memory = Memory::new();
    memory.process(b"/srv/a\"]; x -> y [\\", 12, 1);
    let (stdout, stderr, code) = locks(&["--dot"], &recorded(&memory, "locks_dot.shim"));
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert_eq!(
        stdout,
        r#"digraph "a\"]; x -> y [\\ (pid 12)" {
  node [shape=box, fontname="sans-serif"];
  "0x1000" [label="0x1000\nmutex"];
  "0x2000" [label="0x2000\nmutex"];
  "0x3000" [label="0x3000\nrwlock"];
  "0x1000" -> "0x2000" [label="2", tooltip="0xaff", color=red];
  "0x2000" -> "0x1000" [label="1", color=red];
  "0x3000" -> "0x1000" [label="1"];
}
"#
    );
}

#[test]
fn nothing_of_locks_is_said_and_so_is_what_cannot_be_read() {
    let (stdout, stderr, code) = locks(&[], &sample::CLEAN);
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    assert!(stderr.ends_with("has nothing of locks: run it with lock_times=1 or locks=order\n"), "{stderr}");
    let directory = built::directory("locks_some");
    std::fs::write(directory.join("a.shim"), "no recording").unwrap();
    std::fs::copy(recorded(&process(12), "locks_some.template"), directory.join("b.shim")).unwrap();
    let (stdout, stderr, code) = locks(&["--json"], &directory);
    assert_eq!((stdout.lines().count(), stderr.lines().count(), code), (7, 1, Some(1)), "{stderr}");
    assert_eq!(locks(&["--json", "--dot"], &directory).2, Some(2));
}
