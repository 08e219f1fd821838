//! `shim top --once`: the page as text. The screen itself is for eyes.

use crate::watched::{Watched, good, is_text, line};

#[test]
fn the_page_of_a_running_program() {
    let mut watched = Watched::start("leaks", 15);
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    is_text(&page);
    let pid = watched.pid();
    assert!(page.starts_with(&format!("watched (pid {pid}), running for ")), "{page}");
    assert!(page.contains("\nTCP: 16 CLOSE, 15 CLOSE_WAIT, 1 LISTEN\n"), "{page}");
    let row =
        page.lines().find(|l| l.ends_with(&format!("refused watched.c:{}", line("refused: opened")))).expect("a row");
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((words[0], words[2], words[3]), ("15", "15", "0"), "{row}");
    assert!(row.contains(" error "), "{row}");
    assert!(
        page.contains(&format!("connect() ECONNREFUSED watched.c:{}; 15 CLOSE\n", line("refused: here"))),
        "{page}"
    );
    assert!(page.contains("\nerror: connect() failed with ECONNREFUSED here, never closed: 15 descriptors"), "{page}");

    // Without --once and without a terminal it is the same; so is a recording whose process is gone.
    let path = watched.recording();
    assert!(good(&[&"top", &path]).starts_with(&format!("watched (pid {pid}), running for ")));
    watched.kill();
    let page = good(&[&"top", &"--once", &path]);
    assert!(page.starts_with(&format!("watched (pid {pid}), ended for ")), "{page}");
    assert!(!page.contains("\nTCP:") && page.contains("15          0"), "{page}");
}

#[test]
fn a_clean_program_has_no_verdict() {
    let watched = Watched::start("clean", 15);
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    assert!(!page.contains("error ") && !page.contains("suspect ") && page.contains("0 findings\n"), "{page}");
}
