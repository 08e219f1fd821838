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
    assert!(!page.contains("\nlocks:") && !page.contains("\nkeys:"), "{page}");
}

/// The row of the call at a marked line, in words.
fn row_at(page: &str, mark: &str) -> Vec<String> {
    let place = format!("grow watched.c:{}", line(mark));
    let row = page.lines().find(|l| l.contains(&place)).unwrap_or_else(|| panic!("no {place}\n{page}"));
    row.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_heap_is_below_the_descriptors() {
    let mut watched = Watched::start_with("heap", 6, ":heap=full");
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    is_text(&page);
    let heap = &page[page.find("\nheap: ").unwrap_or_else(|| panic!("{page}")) + 1..];
    assert!(heap.starts_with("heap: 6.") && heap.contains("every block is followed"), "{heap}");
    assert!(page.find("OPENED AT").unwrap() < page.find("ALLOCATED AT").unwrap(), "{page}");
    // Nothing was estimated, and nothing can be said of growth after so short a time but by chance.
    let kept = row_at(heap, "heap: kept");
    assert_eq!(kept[..2], ["6.0", "MiB"], "{kept:?}");
    assert!(heap.contains(" 6.0 MiB  grow watched.c:") && heap.contains("← main"), "{heap}");
    let freed = row_at(heap, "heap: freed");
    assert_eq!((&freed[..2], freed.contains(&"6.0".to_owned())), (&["0".to_owned(), "B".to_owned()][..], true));

    watched.more();
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    assert_eq!(row_at(&page, "heap: kept")[..2], ["12", "MiB"], "{page}");
    watched.kill();
    let page = good(&[&"top", &"--once", &watched.recording()]);
    assert_eq!(row_at(&page, "heap: kept")[..2], ["12", "MiB"], "{page}");
}

#[test]
fn totals_alone_have_no_places_and_off_has_nothing() {
    let counted = Watched::start_with("heap", 6, ":heap=count");
    let page = good(&[&"top", &"--once", &counted.pid().to_string()]);
    // Blocks that are much larger than the interval are all in the sample.
    assert!(page.contains("\nheap: 6.") && page.contains("MiB live in "), "{page}");
    assert!(page.contains("totals only") && page.contains("heap=sites or heap=full tells who"), "{page}");
    assert!(!page.contains("ALLOCATED AT"), "{page}");
    let off = Watched::start_with("heap", 6, ":heap=off");
    assert!(!good(&[&"top", &"--once", &off.pid().to_string()]).contains("heap"));
}

/// The numbers of the lock of this name, in words, and the line below.
fn lock_row(page: &str, name: &str) -> (Vec<String>, String) {
    let locks = &page[page.find("\nlocks: ").unwrap_or_else(|| panic!("{page}"))..];
    let mut lines = locks.lines().skip_while(|line| !line.ends_with(&format!("  {name}")));
    let row = lines.next().unwrap_or_else(|| panic!("no {name}\n{page}"));
    let numbers = row.strip_suffix(name).unwrap().split_whitespace().map(str::to_owned).collect();
    (numbers, lines.next().unwrap_or_default().to_owned())
}

#[test]
fn who_has_a_lock_and_who_waits_for_it() {
    let mut watched = Watched::start_with("queue", 3, ":lock_times=1");
    let pid = watched.pid();
    let look = || good(&[&"top", &"--once", &pid.to_string()]);
    let page = look();
    is_text(&page);
    assert!(page.contains("\nlocks: ") && page.contains("; 3 threads wait\n") && page.contains(" taken/s, "), "{page}");
    let (row, details) = lock_row(&page, "mutex table");
    // Taken once, by who has it now; nothing has ended to be waited for or held.
    assert_eq!(row[..5], ["3", "0", "-", "0.0", "1"], "{page}");
    assert_eq!(row[7..], ["0", "0"], "{page}");
    let holder = format!("held by thread {pid} \"");
    assert!(details.contains(&holder) && details.contains("; waited for since "), "{details}");

    // It was let go, taken by the three who had waited, and again by the first.
    watched.more();
    let page = look();
    let (row, details) = lock_row(&page, "mutex table");
    assert_eq!(row[..5], ["3", "3", "-", "0.0", "5"], "{page}");
    assert!(details.contains(&holder), "{details}");
    let at = |words: &str, function: &str, mark: &str| {
        let place = format!("/watched.c:{}", line(mark));
        let part = details.split("; ").find(|part| part.starts_with(&format!("{words} longest by {function} ")));
        assert!(part.is_some_and(|part| part.ends_with(&place)), "{words} {place}\n{details}");
    };
    at("held", "hold_table", "queue: locked");
    at("waited for", "take_table", "queue: waits");

    // One look at a process that is no more: the share is of its whole life.
    watched.kill();
    let page = good(&[&"top", &"--once", &watched.recording()]);
    let (row, details) = lock_row(&page, "mutex table");
    assert_eq!(row[..4], ["3", "3", "60.0", "%"], "{page}");
    assert!(details.contains(&holder), "{details}");
}

#[test]
fn without_times_there_is_who_waits() {
    let watched = Watched::start("queue", 2);
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    assert!(page.contains("\nlocks: 2 threads wait\n"), "{page}");
    assert!(page.contains("\nhow often and how long is not measured: lock_times=1 does\n"), "{page}");
    let (row, details) = lock_row(&page, "mutex table");
    // Who has it waits for nothing, and has written nothing.
    assert_eq!((row, details.contains("held by")), (vec!["2".to_owned()], false), "{details}");
    // Those who wait for each other have.
    let watched = Watched::start("knot", 3);
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    for i in 0..3 {
        let holder = format!(" \"ring{i}\" for reading; waited for since ");
        let row = page.lines().position(|line| line.contains(&holder)).unwrap_or_else(|| panic!("{holder}\n{page}"));
        let name = page.lines().nth(row - 1).unwrap().trim_start();
        assert!(name.starts_with("1 ") && name.contains("  rwlock ring"), "{page}");
    }
    let off = Watched::start_with("queue", 2, ":locks=off:lock_times=1");
    assert!(!good(&[&"top", &"--once", &off.pid().to_string()]).contains("\nlocks:"));
}

#[test]
fn keys_are_those_of_the_report() {
    let watched = Watched::start("values", 3);
    let page = good(&[&"top", &"--once", &watched.pid().to_string()]);
    is_text(&page);
    let keys = &page[page.find("\nkeys: ").unwrap_or_else(|| panic!("{page}"))..];
    let rows: Vec<&str> = keys.lines().skip(3).take_while(|line| !line.is_empty()).collect();
    let created = format!("/watched.c:{}", line("values: created"));
    let ours: Vec<&&str> = rows.iter().filter(|row| row.contains(" sessions")).collect();
    assert_eq!(ours.len(), 3, "{keys}");
    for (row, state) in ours.iter().zip(["live", "live", "deleted"]) {
        assert_eq!(row.split_whitespace().nth(1), Some(state), "{row}");
        assert!(row.contains(&created) && row.ends_with("end_session (watched)"), "{row}");
    }
    let report = good(&[&"report", &"--keys", &watched.recording()]);
    assert!(rows.iter().all(|row| report.lines().any(|line| line == *row)), "{report}\n{page}");
}
