//! `shim metrics`: every page passes a strict reader, and says what is so.

use crate::openmetrics::{Page, parse};
use crate::watched::{Watched, good, is_text, line};

fn page(targets: &[&dyn AsRef<std::ffi::OsStr>]) -> Page {
    let arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
        [&"metrics" as _].into_iter().chain(targets.iter().copied()).collect();
    let text = good(&arguments);
    is_text(&text);
    parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn of_a_running_program() {
    let mut watched = Watched::start("leaks", 10);
    watched.more();
    let pid = watched.pid().to_string();
    let found = page(&[&pid]);
    let of = |name: &str, labels: &[(&str, &str)]| found.value(name, &[&[("pid", pid.as_str())], labels].concat());
    assert_eq!(of("shim_process_up", &[]), Some(1.0));
    assert_eq!(of("shim_tcp_sockets", &[("state", "CLOSE_WAIT")]), Some(10.0));
    assert_eq!(of("shim_fd_open_by_type", &[("type", "tcp")]), Some(32.0));
    assert_eq!(of("shim_fd_leaked", &[("severity", "error")]), Some(30.0));
    let (opened, clients) = (line("refused: opened").to_string(), "watched");
    let site = [("function", "refused"), ("line", opened.as_str())];
    assert_eq!(of("shim_fd_site_open", &site), Some(20.0));
    assert_eq!(of("shim_fd_site_opens_total", &site), Some(20.0));
    assert_eq!(of("shim_fd_site_closes_total", &site), Some(0.0));
    assert_eq!(of("shim_process_info", &[("program", clients), ("state", "running")]), Some(1.0));
    let open = of("shim_fd_open", &[]).unwrap();
    let by_type: f64 = found.all("shim_fd_open_by_type").map(|(_, v)| v).sum();
    assert!(open == by_type && open >= 35.0, "{open} {by_type}");

    // Ended, and beside another one: one page, no sample twice.
    watched.kill();
    let second = Watched::start("clean", 3);
    let both = page(&[&watched.recording(), &second.record]);
    assert_eq!(both.value("shim_process_up", &[("pid", &pid)]), Some(0.0));
    assert_eq!(both.value("shim_process_up", &[("pid", &second.pid().to_string())]), Some(1.0));
    assert_eq!(both.value("shim_process_info", &[("pid", &pid), ("state", "ended")]), Some(1.0));
    // The same one twice is one.
    assert_eq!(page(&[&second.record, &second.pid().to_string()]).all("shim_process_up").count(), 1);
}

#[test]
fn of_a_heap() {
    const MIB: f64 = 1048576.0;
    let mut watched = Watched::start_with("heap", 5, ":heap=full");
    let pid = watched.pid().to_string();
    let found = page(&[&pid]);
    let of = |page: &Page, name: &str, labels: &[(&str, &str)]| {
        page.value(name, &[&[("pid", pid.as_str())], labels].concat()).unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(of(&found, "shim_heap_info", &[("heap", "full"), ("sampling", "0")]), 1.0);
    let live = of(&found, "shim_heap_live_bytes", &[]);
    let peak = of(&found, "shim_heap_peak_bytes", &[]);
    assert!((5.0 * MIB..6.0 * MIB).contains(&live) && peak >= live + MIB, "{live} {peak}");
    assert!(of(&found, "shim_heap_live_blocks", &[]) >= 5.0);
    let (allocations, frees) =
        (of(&found, "shim_heap_allocations_total", &[]), of(&found, "shim_heap_frees_total", &[]));
    assert!(allocations >= 10.0 && frees >= 5.0 && frees < allocations, "{allocations} {frees}");
    assert!(of(&found, "shim_heap_allocated_bytes_total", &[]) >= 10.0 * MIB);
    // Places only where they were asked for.
    assert_eq!(found.all("shim_heap_site_live_bytes").count(), 0);

    watched.more();
    let more = page(&[&"--heap-sites", &pid]);
    assert!(of(&more, "shim_heap_live_bytes", &[]) >= live + 5.0 * MIB);
    assert!(of(&more, "shim_heap_allocated_bytes_total", &[]) >= 20.0 * MIB);
    for (mark, live) in [("heap: kept", 10.0 * MIB), ("heap: freed", 0.0)] {
        let line = line(mark).to_string();
        let place = [("function", "grow"), ("line", line.as_str())];
        assert_eq!(of(&more, "shim_heap_site_live_bytes", &place), live, "{mark}");
        assert_eq!(of(&more, "shim_heap_site_allocated_bytes_total", &place), 10.0 * MIB, "{mark}");
    }
    assert!(more.all("shim_heap_site_live_bytes").count() <= 11);

    // Blocks that are much larger than the interval are all in the sample; calls are not known.
    let counted = page(&[&"--heap-sites", &Watched::start_with("heap", 5, ":heap=count").record]);
    let live: Vec<f64> = counted.all("shim_heap_live_bytes").map(|(_, n)| n).collect();
    assert!(live.len() == 1 && (5.0 * MIB..6.0 * MIB).contains(&live[0]), "{live:?}");
    assert_eq!(counted.all("shim_heap_site_live_bytes").count(), 0);
    // What is not watched has no sample: not even a zero.
    let off = Watched::start_with("heap", 5, ":heap=off");
    assert_eq!(page(&[&"--heap-sites", &off.pid().to_string()]).all("shim_heap_live_bytes").count(), 0);
}

#[test]
fn the_reader_is_strict() {
    let good = "# TYPE a counter\n# HELP a Help.\na_total{x=\"1\"} 1\n# EOF\n";
    assert!(parse(good).is_ok());
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "# EOF\n\n"),
        ("a_total", "a"),
        ("# TYPE a counter\n", ""),
        ("# EOF", "# TYPE b gauge\nb 1\na_total 2\n# EOF"),
        ("# EOF", "a_total{x=\"1\"} 2\n# EOF"),
        ("\"1\"", "\"\\q\""),
        ("x=\"1\"", "x=\"1\",x=\"2\""),
        ("x=", "1x="),
        ("} 1", "} one"),
        ("} 1", "} -1"),
        ("# HELP", "# UNIT a seconds\n# HELP"),
        ("# HELP", "\n# HELP"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(parse(&bad).is_err(), "{bad}");
    }
}
