//! What a snapshot finds, keeps, and how two of them are compared.

use crate::watched::{Watched, good, is_text, line};
use record::kind::Severity;
use record::snapshot::{File, Snapshot, taker};
use serde_json::Value;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{Duration, Instant};

fn findings(json: &str) -> Vec<Value> {
    json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Severity, count, and the lines of where it was used last and opened, of all that is more than information.
fn grave(json: &str) -> Vec<(String, u64, u64, u64)> {
    let line = |finding: &Value, role: &str| {
        let stacks = finding["stacks"].as_array().unwrap();
        stacks.iter().find(|s| s["role"] == role).map_or(0, |s| s["frames"][0]["line"].as_u64().unwrap_or(0))
    };
    let grave = findings(json).into_iter().filter(|f| f["severity"] != "info");
    let mut grave: Vec<_> = grave
        .map(|f| {
            assert_eq!(f["kind"], "fd.leak");
            let severity = f["severity"].as_str().unwrap().to_owned();
            (severity, f["count"].as_u64().unwrap(), line(&f, "here"), line(&f, "opened"))
        })
        .collect();
    grave.sort_by_key(|(_, _, here, _)| *here);
    grave
}

fn both(count: u64, refused: u64) -> Vec<(String, u64, u64, u64)> {
    let at = |mark: &str| (line(&format!("{mark}: here")) as u64, line(&format!("{mark}: opened")) as u64);
    let one = |n: u64, (here, opened): (u64, u64)| ("error".to_owned(), n, here, opened);
    vec![one(refused, at("refused")), one(count, at("ended"))]
}

#[test]
fn what_was_forgotten_is_found_and_kept() {
    let mut watched = Watched::start("leaks", 20);
    let pid = watched.pid().to_string();
    watched.more();
    assert_eq!(grave(&good(&[&"snapshot", &"--json", &pid])), both(20, 40));
    watched.more();
    // By its path as well, and by the directory that holds it.
    assert_eq!(grave(&good(&[&"snapshot", &"--json", &watched.recording()])), both(20, 60));
    let text = good(&[&"snapshot", &watched.record]);
    is_text(&text);
    assert!(text.starts_with(&format!("== shim: snapshot 3 of watched (pid {pid}), ")), "{text}");
    assert!(text.contains("TCP: 61 CLOSE, 20 CLOSE_WAIT, 1 LISTEN\n"), "{text}");
    let refused = "error: connect() failed with ECONNREFUSED here, never closed: 60 descriptors";
    assert!(
        text.find(refused) < text.find("error: read() found the end of the stream here, never closed: 20"),
        "{text}"
    );
    assert!(text.contains(r#"red\x1b[31m"\"#) && text.contains(r#"\x0a\x1b[31m"\"#), "{text}");

    let report = good(&[&"report", &watched.recording()]);
    is_text(&report);
    let history = &report[report.find("\n3 snapshots of watched").expect("the snapshots") + 1..];
    let (opened, here) = (line("refused: opened"), line("refused: here"));
    let changed = format!(
        "      +20  40 → 60  error: tcp, opened at refused watched.c:{opened}; last: connect() ECONNREFUSED at watched.c:{here}\n"
    );
    assert!(history.ends_with(&changed), "{history}");
    assert_eq!(history.lines().count(), 2, "{history}");
    // The program goes on, and exits as it would have.
    watched.quit();
    assert!(good(&[&"report", &watched.recording()]).contains("\n3 snapshots of watched"));
}

#[test]
fn a_program_that_closes_has_nothing_grave() {
    let watched = Watched::start("clean", 20);
    assert_eq!(grave(&good(&[&"snapshot", &"--json", &watched.pid().to_string()])), []);
}

#[test]
fn what_a_thread_waits_in_is_not_forgotten() {
    let busy = Watched::start("busy", 70);
    assert_eq!(grave(&good(&[&"snapshot", &"--json", &busy.pid().to_string()])), []);
    let idle = Watched::start("idle", 70);
    let found = grave(&good(&[&"snapshot", &"--json", &idle.pid().to_string()]));
    assert_eq!(found.iter().map(|f| (f.0.as_str(), f.1)).collect::<Vec<_>>(), [("suspect", 70)]);
}

#[test]
fn many_take_one_at_the_same_time() {
    let watched = Watched::start("leaks", 5);
    let pid = watched.pid().to_string();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(grave(&good(&[&"snapshot", &"--json", &pid])), both(5, 5))));
        }
    });
    let report = good(&[&"report", &watched.recording()]);
    assert!(report.contains("\n30 snapshots of watched"), "{report}");
}

#[test]
fn what_cannot_be_kept_is_said() {
    let watched = Watched::start("leaks", 3);
    // As on a disk that is full: nothing may be written beyond the first MiB of a file.
    let full = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" snapshot \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", full, env!("CARGO_BIN_EXE_shim")]).arg(watched.recording());
    let output = command.env_remove("LD_PRELOAD").env_remove("SHIM_OPTIONS").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.starts_with("== shim: snapshot of watched"), "{stdout}");
    let expected = format!("shim: {}: the snapshot was not kept: File too large\n", watched.recording().display());
    assert_eq!((stderr, output.status.code()), (expected, Some(1)));
    // What was not kept is not there, and the next one is the first.
    assert!(!good(&[&"report", &watched.recording()]).contains("snapshot"));
    assert!(good(&[&"snapshot", &watched.recording()]).starts_with("== shim: snapshot 1 of watched"));
}

/// USR2, by the shell's own kill: a small system has no other.
fn signal(pid: u32) {
    assert!(Command::new("sh").args(["-c", "kill -USR2 \"$1\"", "sh", &pid.to_string()]).status().unwrap().success());
}

/// What the process itself writes on a signal stands beside what is written from outside, and finds the same.
#[test]
fn from_both_sides() {
    let watched = Watched::start_with("leaks", 10, ":snapshot_signal=USR2");
    let pid = watched.pid().to_string();
    let kept = || {
        let file = std::fs::File::open(watched.recording()).unwrap();
        record::snapshot::read_all(&Tail(file)).unwrap()
    };
    good(&[&"snapshot", &pid]);
    signal(watched.pid());
    // The handler works in slices: its snapshot is there when it is.
    let begin = Instant::now();
    while kept().len() < 2 && begin.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    good(&[&"snapshot", &pid]);
    let all = kept();
    let by: Vec<u32> = all.iter().map(|s| s.head.by).collect();
    assert_eq!(by, [taker::OUTSIDE, taker::SIGNAL, taker::OUTSIDE]);
    let grave = |snapshot: &Snapshot| {
        let grave = snapshot.groups.iter().filter(|g| g.severity != Severity::Info);
        let mut grave: Vec<_> = grave.map(|g| (g.stack, g.call, g.errno, g.count, g.severity as u16, g.tcp)).collect();
        grave.sort_unstable();
        grave
    };
    assert_eq!((grave(&all[0]), grave(&all[2])), (grave(&all[1]), grave(&all[1])));
    assert_eq!(grave(&all[0]).len(), 2);
    assert!(good(&[&"report", &watched.recording()]).contains("\n3 snapshots of watched"));
}

/// The lost blocks of the `number`th snapshot, which the process takes when it gets a signal.
fn taken(watched: &Watched, number: usize) -> Vec<record::snapshot::Lost> {
    let kept = || record::snapshot::read_all(&Tail(std::fs::File::open(watched.recording()).unwrap())).unwrap();
    signal(watched.pid());
    let begin = Instant::now();
    while kept().len() < number && begin.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    let mut all = kept();
    assert_eq!(all.len(), number);
    all.pop().unwrap().lost
}

/// Blocks that were lost before a snapshot are told apart from those that were lost since.
#[test]
fn lost_blocks_grow() {
    let mut watched = Watched::start_with("drops", 7, ":snapshot_signal=USR2:heap=full");
    let definite = |lost: &[record::snapshot::Lost]| {
        let definite = lost.iter().filter(|l| l.class == record::heap::class::DEFINITE);
        definite.map(|l| (l.severity, l.blocks, l.bytes, l.indirect_blocks, l.indirect_bytes)).collect::<Vec<_>>()
    };
    assert_eq!(definite(&taken(&watched, 1)), [(Severity::Error, 7, 7 * 24, 7, 7 * 40)]);
    watched.more();
    assert_eq!(definite(&taken(&watched, 2)), [(Severity::Error, 14, 14 * 24, 14, 14 * 40)]);
    let report = good(&[&"report", &watched.recording()]);
    is_text(&report);
    assert!(report.contains("heap: 14 → 28 blocks, 448 → 896 bytes definitely lost\n"), "{report}");
    let dropped = line("dropped");
    let changed =
        format!("      +14 blocks, +448 bytes → 28  definitely lost, allocated at drop watched.c:{dropped}\n");
    assert!(report.contains(&changed), "{report}");
    let found = good(&[&"report", &"--json", &watched.recording()]);
    let leak = findings(&found).into_iter().find(|f| f["kind"] == "heap.leak" && f["severity"] == "error").unwrap();
    assert_eq!(leak["count"], 14);
}

struct Tail(std::fs::File);

impl File for Tail {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<usize, i32> {
        FileExt::read_at(&self.0, buffer, at).map_err(|e| e.raw_os_error().unwrap())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> Result<(), i32> {
        unreachable!("this only reads")
    }
}
