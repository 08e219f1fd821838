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
