//! `shim heap`: the text, the JSON and the exports, each read by somebody else than who wrote it.

use crate::allocations::{Watched, full, stacks};
use crate::installed::{command, output, parts, text};
use crate::proto::{self, Value};
use crate::{built, sample};
use record::heap::level;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

fn recorded(name: &str) -> (PathBuf, built::Crash) {
    let crash = built::crash(&built::directory(name), &["-g"]);
    (sample::write(&full(12, &crash).memory, &format!("{name}/app.12.0.shim")), crash)
}

fn heap(arguments: &[&str], path: &Path) -> (String, String, Option<i32>) {
    let mut all: Vec<&OsStr> = vec!["heap".as_ref()];
    all.extend(arguments.iter().map(OsStr::new));
    all.push(path.as_os_str());
    parts(&output(&all))
}

/// The bytes of an export, by way of a file.
fn export(format: &str, arguments: &[&str], path: &Path) -> Vec<u8> {
    let to = path.with_extension(format);
    let done = command(&["heap", "--export", format, "-o"]).arg(&to).args(arguments).arg(path).output().unwrap();
    assert_eq!((text(&done.stdout), done.status.code()), (String::new(), Some(0)), "{}", text(&done.stderr));
    std::fs::read(to).unwrap()
}

/// The line for a module that is not there, which every look at its names says once.
fn no_module(stderr: &str) {
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("shim: /srv/a <b>&\"x\";=\\x1b[2J: "), "{stderr}");
}

#[test]
fn text_of_every_block() {
    let (recording, _) = recorded("heap_text");
    let (stdout, stderr, code) = heap(&[], &recording);
    no_module(&stderr);
    assert_eq!(code, Some(0));
    assert_eq!(
        stdout,
        "\
== shim: heap of app (pid 12): every block
  live       4.0 MiB in 1,028 blocks
  peak       7.0 MiB, after 3.0 s
  allocated  7.0 MiB by 1,031 calls; 3 frees
  leaks      1.0 MiB definitely lost in 1,024 blocks, after 3.0 s
  sizes      ≤ 1.0 MiB: 86 % in 6 blocks; ≤ 1.0 KiB: 14 % in 1,025 blocks

live, 3 call stacks:
  3.0 MiB  75 %                 3 blocks  close_again  crash.c:12
        on_closed  crash.c:18
        main  crash.c:23
  1.0 MiB  25 %             1,024 blocks  finish_request  crash.c:6
        main  crash.c:23
  1.0 KiB  <1 %                  1 block  a <b>&\"x\";=\\x1b[2J+0x1234
        main  crash.c:23
"
    );
}

#[test]
fn measures_limits_and_whole_stacks() {
    let (recording, crash) = recorded("heap_by");
    let first = |by: &str| {
        let (stdout, ..) = heap(&["--by", by, "--limit", "1"], &recording);
        stdout.lines().skip_while(|line| !line.is_empty()).skip(1).take(2).collect::<Vec<_>>().join("\n")
    };
    let named = "close_again  crash.c:12";
    assert_eq!(
        first("peak"),
        format!("at the peak, the first 1 of 3 call stacks:\n  6.0 MiB  86 %                 6 blocks  {named}")
    );
    assert_eq!(
        first("total"),
        format!("allocated in all, the first 1 of 3 call stacks:\n  6.0 MiB  86 %                 6 blocks  {named}")
    );
    assert_eq!(
        first("lost"),
        "lost, 1 call stack:\n  1.0 MiB  100 %             1,024 blocks  finish_request  crash.c:6"
    );
    let (stdout, ..) = heap(&["--stacks", "--limit", "1"], &recording);
    let module = crash.path.display();
    let whole = [
        format!("      #0 close_again  crash.c:12  ({module}+{:#x})", crash.second - 1),
        format!("      #1 on_closed  crash.c:18  ({module}+{:#x})", crash.second - 1),
        format!("      #2 main  crash.c:23  ({module}+{:#x})", crash.open - 1),
    ];
    assert!(stdout.ends_with(&(whole.join("\n") + "\n")), "{stdout}");
}

#[test]
fn estimates_say_how_sure_they_are() {
    let crash = built::crash(&built::directory("heap_estimates"), &["-g"]);
    let mut watched = Watched::new(7, level::SITES, 1 << 20);
    let [many, few, large] = stacks(&watched.memory, &crash);
    watched.allocate(many, 1_000_000, 100 << 20, 100);
    watched.allocate(few, 20_000, 2 << 20, 2);
    // Larger than what is sampled: seen, each of them.
    watched.allocate(large, 2, 64 << 20, 2);
    let recording = sample::write(&watched.memory, "heap_estimates/app.7.0.shim");
    let (stdout, ..) = heap(&[], &recording);
    assert!(stdout.starts_with("== shim: heap of app (pid 7): estimated, one byte in 1,048,576 sampled\n"), "{stdout}");
    assert!(stdout.contains("\n  live       166 MiB ±6 % in "), "{stdout}");
    let rows: Vec<Vec<&str>> = stdout
        .lines()
        .skip_while(|line| !line.starts_with("live, "))
        .skip(1)
        .filter(|line| !line.starts_with("        "))
        .map(|line| line.split("  ").map(str::trim).filter(|part| !part.is_empty()).collect())
        .collect();
    assert_eq!(rows[0][..3], ["100 MiB", "60 %", "±10 %"]);
    assert_eq!(rows[1][..3], ["64 MiB", "39 %", "2 blocks"]);
    assert_eq!(rows[2][..3], ["2.0 MiB", "1 %", "~"]);
}

#[test]
fn processes_are_one_profile() {
    let directory = built::directory("heap_many/deep");
    let crash = built::crash(&directory, &["-g"]);
    for pid in 20..25 {
        let mut watched = Watched::new(pid, level::SITES, 1 << 20);
        if pid % 2 == 0 {
            // The modules stand elsewhere in its table.
            sample::module(&watched.memory, Path::new("/lib/elsewhere.so"), &[9; 20]);
        }
        let [_, few, _] = stacks(&watched.memory, &crash);
        watched.allocate(few, 20_000, 2 << 20, 2);
        sample::write(&watched.memory, &format!("heap_many/deep/app.{pid}.0.shim"));
    }
    sample::write(&sample::process(30), "heap_many/other.30.0.shim");
    let (stdout, stderr, code) = heap(&[], directory.parent().unwrap());
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert!(stdout.starts_with("== shim: heap of 5 processes (app 5): estimated"), "{stdout}");
    assert!(stdout.contains("\n  peak       10 MiB ±32 %, the sum over the processes\n"), "{stdout}");
    assert!(stdout.contains("\n    app (pid 20): 2.0 MiB live, 2.0 MiB at its peak\n"), "{stdout}");
    assert!(stdout.contains("\n  1 of the recordings have nothing of the heap\n"), "{stdout}");
    // One guess of two samples is one of ten.
    assert!(
        stdout.contains("\nlive, 1 call stack:\n   10 MiB  100 %  ±32 %    100,000 blocks  finish_request"),
        "{stdout}"
    );
}

/// What found no room in the tables is in the totals all the same.
#[test]
fn bytes_without_a_call_stack_are_said() {
    let crash = built::crash(&built::directory("heap_homeless"), &["-g"]);
    let mut watched = Watched::new(7, level::FULL, 0);
    let [_, plain, _] = stacks(&watched.memory, &crash);
    watched.allocate(plain, 1, 3 << 20, 1);
    watched.heap().changed(1, 1 << 20, 5_000_000_000);
    let losing = "without a call stack";
    let recording = sample::write(&watched.memory, "heap_homeless/app.7.0.shim");
    assert!(!heap(&[], &recording).0.contains(losing), "another thread was at work, for all that is known");
    record::store::count(&watched.memory, record::layout::Counter::SitesDropped);
    let recording = sample::write(&watched.memory, "heap_homeless/app.7.0.shim");
    let (stdout, ..) = heap(&[], &recording);
    assert!(
        stdout.contains(
            "\n  not recorded, for want of room or of a way to see it: opening call stacks beyond the table: 1\n"
        ),
        "{stdout}"
    );
    assert!(
        stdout.contains("\n  3.0 MiB  75 %  ")
            && stdout.ends_with(&format!("\n  1.0 MiB  25 %  {losing}: there was no room for more\n")),
        "{stdout}"
    );
}

#[test]
fn totals_only_and_nothing_at_all() {
    let watched = Watched::new(7, level::COUNT, 0);
    let thread = record::store::entry_or_commit::<record::layout::Thread>(&watched.memory, 0).unwrap();
    for (counter, by) in [
        (record::layout::ThreadCounter::Allocations, 10),
        (record::layout::ThreadCounter::Frees, 4),
        (record::layout::ThreadCounter::BytesAllocated, 1000),
        (record::layout::ThreadCounter::BytesFreed, 400),
        (record::layout::ThreadCounter::BytesRequested, 900),
    ] {
        thread.add(counter, by);
    }
    let recording = sample::write(&watched.memory, "count.7.0.shim");
    let (stdout, stderr, code) = heap(&[], &recording);
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    assert_eq!(
        stdout,
        "\
== shim: heap of app (pid 7): totals only
  live       600 B in 6 blocks
  allocated  900 B by 10 calls; 4 frees

no call stacks with anything live: heap=count keeps totals only; heap=sites or heap=full keeps call stacks too
"
    );
    // A sample of the blocks tells what is live: 100 of them, for 100 MiB.
    let sampled = Watched::new(9, level::COUNT, 1 << 20);
    sampled.heap().changed(1000, 100 << 20, 3_000_000_000);
    let (stdout, ..) = heap(&[], &sample::write(&sampled.memory, "count.9.0.shim"));
    let head = "== shim: heap of app (pid 9): totals only, of what is live estimates: one byte in 1,048,576 sampled\n";
    assert!(stdout.starts_with(&format!("{head}  live       100 MiB ±10 % in 1,000 blocks\n")), "{stdout}");
    let (stdout, stderr, code) = heap(&["--export", "collapsed"], &recording);
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    assert_eq!(
        stderr,
        "shim: export: there are no call stacks with anything live: heap=count keeps totals only; heap=sites or heap=full keeps call stacks too\n"
    );

    let none = sample::write(&sample::process(8), "none.8.0.shim");
    let (stdout, stderr, code) = heap(&[], &none);
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    assert_eq!(
        stderr,
        format!("shim: {}: has nothing of the heap: run it with heap=sites or heap=full\n", none.display())
    );
    // What cannot be read is said, and the rest is shown.
    let (stdout, stderr, code) = parts(&output(&["heap".as_ref(), OsStr::new("/no/such"), recording.as_os_str()]));
    assert!(stdout.starts_with("== shim: heap of app (pid 7)") && stderr.starts_with("shim: /no/such: "), "{stderr}");
    assert_eq!(code, Some(1));
    let (_, stderr, code) = heap(&["--by", "most"], &recording);
    assert!(stderr.starts_with("shim: invalid value 'most'") && code == Some(2), "{stderr}");
}

#[test]
fn json_has_it_all() {
    let (recording, crash) = recorded("heap_json");
    let (stdout, stderr, code) = heap(&["--json"], &recording);
    no_module(&stderr);
    assert_eq!(code, Some(0));
    let lines: Vec<Json> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["record"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["total", "process", "site", "site", "site"]);
    assert_eq!(lines[0]["live"], serde_json::json!({"blocks": 1028, "bytes": (4 << 20) + 1024}));
    assert_eq!(lines[0]["leaks"][0], serde_json::json!({"class": "definitely lost", "blocks": 1024, "bytes": 1 << 20}));
    assert_eq!((&lines[1]["pid"], &lines[1]["peak_after"]), (&Json::from(12), &Json::from(3.0)));
    let site = &lines[2];
    assert_eq!(site["peak"], serde_json::json!({"blocks": 6, "bytes": 6 << 20}));
    assert_eq!(site["frames"][0]["function"], "close_again");
    assert_eq!(site["frames"][2]["offset"], format!("{:#x}", crash.open - 1));
    assert!(!stdout.contains('\x1b'));
}

/// A strict reader: `a;b;c N`, each line once, in order.
fn collapsed(text: &str) -> BTreeMap<Vec<String>, u64> {
    let mut all = BTreeMap::new();
    let mut before = "";
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        let (stack, bytes) = line.rsplit_once(' ').unwrap();
        assert!(before < stack, "{before:?} before {stack:?}");
        assert!(line.chars().all(|c| !c.is_control()));
        before = stack;
        let frames: Vec<String> = stack.split(';').map(str::to_owned).collect();
        assert!(frames.iter().all(|frame| !frame.is_empty()), "{line}");
        all.insert(frames, bytes.parse().unwrap());
    }
    all
}

#[test]
fn collapsed_stacks() {
    let (recording, _) = recorded("heap_collapsed");
    let read = |by: &str| collapsed(&text(&export("collapsed", &["--by", by], &recording)));
    let frames = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (inlined, plain) = (frames(&["main", "on_closed", "close_again"]), frames(&["main", "finish_request"]));
    let odd = frames(&["main", "a <b>&\"x\":=\\x1b[2J+0x1234"]);
    assert_eq!(
        read("live"),
        BTreeMap::from([(inlined.clone(), 3 << 20), (plain.clone(), 1 << 20), (odd.clone(), 1024)])
    );
    assert_eq!(read("total"), BTreeMap::from([(inlined, 6 << 20), (plain.clone(), 1 << 20), (odd, 1024)]));
    assert_eq!(read("lost"), BTreeMap::from([(plain, 1 << 20)]));
    // The same to stdout.
    let (stdout, ..) = heap(&["--export", "collapsed", "-o", "-", "--by", "lost"], &recording);
    assert_eq!(stdout, "main;finish_request 1048576\n");
}

/// Function, file, line.
type Line<'a> = (&'a str, &'a str, u64);

#[test]
fn pprof_is_what_its_proto_says() {
    let (recording, crash) = recorded("heap_pprof");
    let bytes = export("pprof", &[], &recording);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    let profile = proto::decode(&plain);
    let strings: Vec<String> = profile.bytes(6).map(text).collect();
    assert_eq!(strings[0], "");
    let name = |value: u64| strings[value as usize].as_str();
    let types: Vec<(&str, &str)> = profile.messages(1).map(|t| (name(t.number(1)), name(t.number(2)))).collect();
    assert_eq!(
        types,
        [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
            ("peak_space", "bytes"),
            ("lost_space", "bytes")
        ]
    );
    assert_eq!(name(profile.number(14)), "inuse_space");
    let functions: BTreeMap<u64, (&str, &str)> =
        profile.messages(5).map(|f| (f.number(1), (name(f.number(2)), name(f.number(4))))).collect();
    let mappings: Vec<_> = profile.messages(3).collect();
    let program = &mappings[0];
    let hex: String = crash.build_id.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((name(program.number(5)), name(program.number(6))), (crash.path.to_str().unwrap(), hex.as_str()));
    assert!(mappings.windows(2).all(|two| two[0].number(3) <= two[1].number(2)), "one behind the other");
    let locations: BTreeMap<u64, proto::Message> = profile.messages(4).map(|l| (l.number(1), l)).collect();
    for location in locations.values() {
        let mapping = &mappings[location.number(2) as usize - 1];
        assert!((mapping.number(2)..mapping.number(3)).contains(&location.number(3)));
    }
    let samples: Vec<(Vec<Line>, Vec<u64>)> = profile
        .messages(2)
        .map(|sample| {
            let lines = sample.packed(1).into_iter().flat_map(|id| locations[&id].messages(4).collect::<Vec<_>>());
            let lines = lines.map(|line| {
                let (function, file) = functions[&line.number(1)];
                (function, file, line.number(2))
            });
            (lines.collect(), sample.packed(2))
        })
        .collect();
    let main = ("main", "crash.c", 23);
    assert_eq!(samples[0].0, [("close_again", "crash.c", 12), ("on_closed", "crash.c", 18), main]);
    assert_eq!(samples[0].1, [6, 6 << 20, 3, 3 << 20, 6 << 20, 0]);
    assert_eq!(samples[1].1, [1024, 1 << 20, 1024, 1 << 20, 1 << 20, 1 << 20]);
    assert_eq!(samples[2].0, [("a <b>&\"x\";=\\x1b[2J+0x1234", "", 0), main]);
    assert!(profile.fields.iter().all(|(_, value)| matches!(value, Value::Number(_) | Value::Bytes(_))));
}

#[test]
fn firefox_loads_native_allocations() {
    let (recording, _) = recorded("heap_firefox");
    let profile: Json = serde_json::from_slice(&export("firefox", &[], &recording)).unwrap();
    assert!(profile["meta"]["version"].as_u64().unwrap() > 20);
    let threads = profile["threads"].as_array().unwrap();
    // A table of the whole profile, or of each thread, by the version of the format.
    let strings = |thread: &Json| -> Vec<String> {
        let shared = &profile["shared"]["stringArray"];
        let array = if shared.is_array() { shared } else { &thread["stringArray"] };
        array.as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect()
    };
    let frames = |thread: &Json, stack: &Json| {
        let (mut at, mut names) = (stack.as_u64(), Vec::new());
        while let Some(index) = at {
            let frame = thread["stackTable"]["frame"][index as usize].as_u64().unwrap() as usize;
            let function = thread["frameTable"]["func"][frame].as_u64().unwrap() as usize;
            let name = thread["funcTable"]["name"][function].as_u64().unwrap() as usize;
            names.push(strings(thread)[name].clone());
            at = thread["stackTable"]["prefix"][index as usize].as_u64();
        }
        names
    };
    let heap = &threads[0]["nativeAllocations"];
    let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut live: BTreeMap<u64, i64> = BTreeMap::new();
    for i in 0..heap["length"].as_u64().unwrap() as usize {
        let weight = heap["weight"][i].as_i64().unwrap();
        let function = frames(&threads[0], &heap["stack"][i])[0].clone();
        let sum = sums.entry(function).or_default();
        sum.0 += weight.max(0);
        sum.1 += weight;
        *live.entry(heap["memoryAddress"][i].as_u64().unwrap()).or_default() += weight;
    }
    assert_eq!(sums["close_again (crash.c:12)"], (6 << 20, 3 << 20));
    assert_eq!(sums["finish_request (crash.c:6)"], (1 << 20, 1 << 20));
    assert_eq!(live.values().filter(|bytes| **bytes > 0).sum::<i64>(), (4 << 20) + 1024);
    let stack = (0..3).map(|i| frames(&threads[0], &heap["stack"][i])).find(|f| f.len() == 3).unwrap();
    assert_eq!(stack[1..], ["on_closed (crash.c:18)", "main (crash.c:23)"]);
    let names: Vec<&str> = threads.iter().map(|thread| thread["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["app (pid 12)", "app (pid 12), at the peak", "app (pid 12), lost"]);
    assert_eq!(profile["counters"][0]["category"], "Memory");
}

/// What has all measures has all call stacks: also those of which nothing is live.
#[test]
fn what_was_freed_is_exported_too() {
    let crash = built::crash(&built::directory("heap_freed"), &["-g"]);
    let mut watched = full(12, &crash);
    let [inlined, ..] = stacks(&watched.memory, &crash);
    watched.free(inlined, 3, 3 << 20);
    let recording = sample::write(&watched.memory, "heap_freed/app.12.0.shim");
    assert_eq!(collapsed(&text(&export("collapsed", &[], &recording))).len(), 2);
    assert_eq!(rows(&text(&export("csv", &[], &recording))).len(), 4);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&export("pprof", &[], &recording)[..]).read_to_end(&mut plain).unwrap();
    let samples: Vec<Vec<u64>> = proto::decode(&plain).messages(2).map(|sample| sample.packed(2)).collect();
    assert_eq!(samples.iter().map(|values| values[4]).sum::<u64>(), (7 << 20) + 1024, "at the peak");
    let profile: Json = serde_json::from_slice(&export("firefox", &[], &recording)).unwrap();
    assert_eq!(profile["threads"][1]["nativeAllocations"]["length"], 3);
    let (stdout, ..) = heap(&["--json"], &recording);
    assert_eq!(stdout.lines().filter(|line| line.contains("\"record\":\"site\"")).count(), 3);
    let (stdout, ..) = heap(&[], &recording);
    assert!(stdout.contains("\nlive, 2 call stacks:\n"), "{stdout}");
}

/// RFC 4180.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {
                assert_eq!(chars.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (c, _) => cell.push(c),
        }
    }
    assert!(cell.is_empty() && row.is_empty() && !quoted);
    rows
}

#[test]
fn csv_has_all_measures() {
    let (recording, _) = recorded("heap_csv");
    let rows = rows(&text(&export("csv", &[], &recording)));
    assert!(rows.len() == 4 && rows.iter().all(|row| row.len() == rows[0].len()));
    let cell = |row: usize, name: &str| {
        let column = rows[0].iter().position(|column| column == name).unwrap();
        rows[row][column].as_str()
    };
    assert_eq!([cell(1, "function"), cell(1, "line"), cell(1, "live_bytes")], ["close_again", "12", "3145728"]);
    assert_eq!([cell(1, "peak_blocks"), cell(2, "lost_bytes"), cell(1, "error")], ["6", "1048576", ""]);
    assert_eq!(cell(1, "stack"), "close_again ← on_closed ← main");
    assert_eq!([cell(3, "function"), cell(3, "module")], ["", "/srv/a <b>&\"x\";=\\x1b[2J"]);
}

#[test]
fn flame_graphs_are_markup_of_our_own_only() {
    let (recording, _) = recorded("heap_flame");
    let svg = text(&export("flamegraph", &["--by", "peak"], &recording));
    assert!(svg.starts_with("<?xml") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("Heap of app (pid 12): bytes at the peak"));
    assert!(
        svg.contains("<title>close_again (6,291,456 bytes, 85.")
            && svg.contains("<title>finish_request (1,048,576 bytes")
    );
    assert!(svg.contains("a &lt;b&gt;&amp;") && !svg.contains("<b>"), "foreign text is text");
}

#[test]
fn files_that_cannot_be_written() {
    let (recording, _) = recorded("heap_nowhere");
    let (stdout, stderr, code) = heap(&["--export", "csv", "-o", "/no/such/file"], &recording);
    assert_eq!((stdout.as_str(), code), ("", Some(1)));
    assert!(stderr.contains("shim: /no/such/file: No such file or directory\n"), "{stderr}");
    let (_, stderr, code) = heap(&["-o", "x"], &recording);
    assert!(code == Some(2) && stderr.contains("--export"), "{stderr}");
}
