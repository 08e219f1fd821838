//! Suppressions: the words of a line, globs against a matcher that tries everything, and what marks do to the counts.

use crate::sample;
use proptest::prelude::*;
use record::findings::{Filed, Leak, Resource, file_leak_unless, file_unless};
use record::kind::{Kind, Severity};
use record::layout::{Counter, Finding};
use record::memory::Memory;
use record::store::{Store, entry};
use record::suppressions::{Glob, Mark, Suppression, parse};
use record::text::Line;
use std::sync::atomic::Ordering::Relaxed;

/// What a pattern means, said by recursion.
fn naive(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|n| naive(rest, &text[n..])),
        Some((b'?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && naive(rest, &text[1..]),
    }
}

fn quote(text: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

fn some_of(alphabet: &'static [u8], len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(alphabet), len)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_glob_is_what_the_naive_matcher_says(pattern in some_of(b"ab*?/", 1..10), text in some_of(b"ab/", 0..14)) {
        let glob = Glob::parse(&pattern).expect("a pattern");
        prop_assert_eq!(glob.matches(&text), naive(&pattern, &text));
    }

    #[test]
    fn quotes_change_nothing_but_how_it_is_written(pattern in some_of(b"ab*? \\\"", 1..10), text in some_of(b"ab \\\"", 0..12)) {
        let word = quote(&pattern);
        let glob = Glob::parse(&word).expect("a pattern");
        prop_assert_eq!(glob.matches(&text), naive(&pattern, &text));
    }

    #[test]
    fn any_bytes_are_lines_or_problems(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        for line in parse(&text) {
            match line {
                Ok(good) => {
                    good.matches_kind("fd.leak");
                    good.matches_frame(Some(b"/a/b"), [Some(b"x.c"), None], || [Some(b"f"), None]);
                }
                Err((_, problem)) => {
                    problem.write(&mut Line::new(&mut [0; 200]));
                }
            }
        }
    }

    #[test]
    fn what_is_written_quoted_is_read_as_it_was(
        kind in some_of(b"fd.*", 1..6), module in some_of(b"ab \\\"#=", 1..9), function in some_of(b"xy \\\"#=", 1..9),
    ) {
        let mut text = kind.clone();
        text.extend([&b" module="[..], &quote(&module), b" function=", &quote(&function)].concat());
        let line = parse(&text).next().expect("a line").expect("a good one");
        prop_assert!(line.matches_frame(Some(&module), [None; 2], || [Some(&function), None]));
        prop_assert!(!line.matches_frame(Some(&[&module[..], b"z"].concat()), [None; 2], || [Some(&function), None]));
    }
}

#[test]
fn a_glob_of_many_stars_takes_no_time() {
    let pattern = b"a*".repeat(40);
    let text = [b"a".repeat(4000), b"b".to_vec()].concat();
    assert!(!Glob::parse(&[&pattern[..], b"c"].concat()).expect("a pattern").matches(&text));
}

fn only(text: &str) -> Suppression<'_> {
    let lines: Vec<_> = parse(text.as_bytes()).collect();
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].expect("a good line")
}

#[test]
fn a_frame_must_have_all_that_is_asked_for() {
    let line = only("fd.* function=close_* module=libv?.so file=src/*.c # why\r\n");
    assert!(line.matches_kind("fd.leak") && !line.matches_kind("heap.leak") && line.wants_frame());
    let frame = |module: &str, file: &str, function: &str| {
        line.matches_frame(Some(module.as_bytes()), [Some(file.as_bytes()), None], || [None, Some(function.as_bytes())])
    };
    assert!(frame("/opt/libv1.so", "src/net/a.c", "close_all"));
    assert!(!frame("/opt/libv1.so", "a.c", "close_all"), "a slash in the glob: the whole path");
    assert!(!frame("/opt/libv10.so", "src/a.c", "close_all"));
    assert!(!frame("/opt/libv1.so", "src/a.c", "open_all"));
    assert!(!line.matches_frame(Some(b"libv1.so"), [None; 2], || [Some(b"close_all"), None]), "no file known");
    assert!(!line.matches_frame(None, [Some(b"src/a.c"), None], || [Some(b"close_all"), None]), "no module known");
    assert!(only("fd.leak module=/opt/*").matches_frame(Some(b"/opt/a/b.so"), [None; 2], || [None; 2]));
    assert!(!only("fd.leak module=opt").matches_frame(Some(b"/opt/b.so"), [None; 2], || [None; 2]));
    assert!(!only("*").wants_frame());
}

#[test]
fn bad_lines_are_told_and_the_others_hold() {
    let text = "\u{feff}# comment\n\nfd.leak\nfd.leak modul=x\nfd.leak module\nfd.leak module=\nfd.leak module=a module=b\n\
                fd.leak module=\"a\nfd.leak module=\"a\"b\nfd.leak module=a\"b\nfd.leak module=\"\\n\"\n  heap.*\t# more\n\"\"\nfd.leak \x1b[2J";
    let mut told = Vec::new();
    let mut good = Vec::new();
    for line in parse(text.as_bytes()) {
        match line {
            Ok(line) => good.push(line.line),
            Err((number, problem)) => {
                let mut buffer = [0; 200];
                let mut line = Line::new(&mut buffer);
                problem.write(&mut line);
                told.push(format!("{number}: {}", String::from_utf8_lossy(line.as_bytes())));
            }
        }
    }
    assert_eq!(good, [3, 12]);
    let expected = [
        "4: unknown key 'modul', expected function, module or file",
        "5: no value 'module', expected function=GLOB, module=GLOB or file=GLOB",
        "6: an empty value '', expected a glob",
        "7: a second 'module', expected each key once",
        "8: no closing quote in '\"a', expected \"",
        "9: more after the quotes in '\"a\"b', expected a blank",
        "10: a quote inside 'a\"b', expected quotes around the whole value",
        "11: a lone backslash in '\"\\n\"', expected \\\\ or \\\"",
        "13: an empty value '\"\"', expected a glob",
        "14: no value '\\x1b[2J', expected function=GLOB, module=GLOB or file=GLOB",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_suppressed_event_counts_as_that_only() {
    let memory = Memory::new();
    let mark = Mark::new(7, 3);
    let mut asked = 0;
    for time in 0..5 {
        let (filed, got) = file_unless(&memory, &sample::double_close(1, 2, time), || {
            asked += 1;
            mark
        });
        assert_eq!(got, mark);
        assert_eq!(filed, if time == 0 { Filed::New(0) } else { Filed::Repeated(0) });
    }
    assert_eq!(file_unless(&memory, &sample::double_close(1, 3, 9), || Mark::NONE), (Filed::New(1), Mark::NONE));
    assert_eq!(asked, 1, "repetitions remember");
    let count = |counter: Counter| memory.header().counters[counter as usize].load(Relaxed);
    assert_eq!((count(Counter::Suppressed), count(Counter::Errors)), (5, 1));
    let slot = entry::<Finding>(&memory, 0).expect("filed");
    assert_eq!((slot.count.load(Relaxed), Mark(slot.suppressed.load(Relaxed))), (5, mark));
    assert_eq!((mark.fingerprint(), mark.index(), Mark::NONE.index()), (7, Some(3), None));
    let recording = record::reader::Recording::parse(memory.to_bytes()).expect("a recording");
    let marks: Vec<Mark> = recording.findings().map(|f| f.suppressed).collect();
    assert_eq!(marks, [mark, Mark::NONE]);
}

#[test]
fn a_finding_is_recalled_as_it_was_filed() {
    let memory = sample::recording();
    let recalled = record::recall::recall(&memory, 0).expect("filed");
    let recording = record::reader::Recording::parse(memory.to_bytes()).expect("a recording");
    let read = recording.findings().next().expect("filed");
    assert_eq!(format!("{:?}", recalled.report()), format!("{:?}", read.report()));
    assert_eq!((recalled.count, recalled.suppressed), (3, Mark::NONE));
    assert!(record::recall::recall(&memory, 1).is_none());
    assert!(record::recall::recall(&memory, record::recall::MOST).is_none());
}

#[test]
fn a_suppressed_leak_stays_suppressed_and_is_asked_again_when_it_is_graver() {
    let memory = Memory::new();
    let mark = Mark::new(7, 0);
    let mut report = sample::double_close(1, 2, 0);
    report.kind = Kind::FdLeak;
    let mut asked = 0;
    let mut look = |severity, count| {
        report.severity = severity;
        report.resource = Resource::Leak(Leak { count, ..Leak::default() });
        let decide = || {
            asked += 1;
            mark
        };
        let filed = file_leak_unless(&memory, &report, decide);
        (filed, asked)
    };
    assert_eq!(look(Severity::Suspect, 3), ((Filed::New(0), mark), 1));
    assert_eq!(look(Severity::Suspect, 5), ((Filed::Repeated(0), mark), 1));
    assert_eq!(look(Severity::Error, 6), ((Filed::New(0), mark), 2));
    let count = |counter: Counter| memory.header().counters[counter as usize].load(Relaxed);
    assert_eq!((count(Counter::Suppressed), count(Counter::Errors), count(Counter::Suspects)), (2, 0, 0));
    let recalled = record::recall::recall(&memory, 0).expect("filed");
    assert_eq!((recalled.count, recalled.suppressed), (6, mark));
}
