//! Leaks of a process that did not exit: told by `shim report`, from the recording alone.

use crate::watched::{Watched, good, line};
use serde_json::Value;

fn leaks(watched: &Watched) -> Vec<Value> {
    let json = good(&[&"report", &"--json", &watched.recording()]);
    let all = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|f| f["kind"] == "fd.leak" && f["severity"] != "info").collect()
}

const UNENDED: &str = "; as its recording says: the process did not exit";

#[test]
fn a_killed_process_leaves_its_leaks() {
    let mut watched = Watched::start("leaks", 12);
    // Still running: the same, by its recording.
    let before = leaks(&watched);
    watched.kill();
    for found in [before, leaks(&watched)] {
        let told: Vec<_> =
            found.iter().map(|f| (f["severity"].as_str().unwrap(), f["count"].as_u64().unwrap())).collect();
        // The last operation proves them, without a kernel to ask.
        assert_eq!(told, [("error", 12), ("error", 12)], "{found:?}");
        for finding in &found {
            let message = finding["message"].as_str().unwrap();
            assert!(message.ends_with(UNENDED) && !message.contains("TCP"), "{message}");
        }
        let lines: Vec<_> =
            found.iter().map(|f| f["stacks"][0]["frames"][0]["line"].as_u64().unwrap() as usize).collect();
        assert!(lines.contains(&line("refused: here")) && lines.contains(&line("ended: here")), "{lines:?}");
    }
}

#[test]
fn one_that_closes_leaves_none() {
    let mut watched = Watched::start("clean", 12);
    watched.kill();
    assert_eq!(leaks(&watched), [] as [Value; 0]);
}

#[test]
fn one_that_exits_has_told_its_own() {
    let mut watched = Watched::start("leaks", 12);
    watched.quit();
    let found = leaks(&watched);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|f| !f["message"].as_str().unwrap().contains(UNENDED)), "{found:?}");
}

/// Near its limit the process files what it finds; killed afterwards, that is not told twice.
#[test]
fn what_the_process_had_told_is_not_told_twice() {
    let mut watched = Watched::start("limit", 45);
    watched.kill();
    let found = leaks(&watched);
    let (own, ours): (Vec<_>, Vec<_>) = found.iter().partition(|f| !f["message"].as_str().unwrap().contains(UNENDED));
    assert_eq!((own.len(), ours.len()), (2, 0), "{found:#?}");
}
