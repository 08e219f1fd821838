//! Threads that wait for each other: seen from outside while they hang, and in the recording when the process was killed.

use crate::watched::{Watched, good, is_text, line};

/// What is said of three threads in a ring.
fn is_told(text: &str) {
    let at = text.find("deadlock: 3 threads wait for each other\n").unwrap_or_else(|| panic!("{text}"));
    let told = &text[at..];
    for i in 0..3 {
        let (waiter, holder) = (format!("\"ring{i}\" waits for rwlock 0x"), format!("\"ring{}\"\n", (i + 1) % 3));
        let row = told.lines().find(|line| line.contains(&waiter)).unwrap_or_else(|| panic!("{waiter}\n{text}"));
        assert!(format!("{row}\n").ends_with(&holder) && row.contains(", held by thread "), "{row}");
    }
    for mark in ["knot: waits", "knot: locked"] {
        let place = format!("/watched.c:{}  (", line(mark));
        assert_eq!(told.matches(&place).count(), 3, "{place}\n{text}");
    }
}

#[test]
fn top_snapshot_and_report_show_the_ring() {
    let mut watched = Watched::start("knot", 3);
    let pid = watched.pid().to_string();
    for command in ["top", "snapshot"] {
        let page = if command == "top" { good(&[&"top", &"--once", &pid]) } else { good(&[&command, &pid]) };
        is_text(&page);
        is_told(&page);
    }
    let path = watched.recording();
    is_told(&good(&[&"report", &path]));
    watched.kill();
    is_told(&good(&[&"report", &path]));
}

#[test]
fn a_clean_program_has_none() {
    let watched = Watched::start("busy", 3);
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    assert!(!page.contains("deadlock"), "{page}");
}
