//! `shim report`: the text and the JSON, word for word.

use crate::installed::{output, parts};
use crate::sample::{self, party};
use crate::{built, sample::write};
use record::findings;
use record::kind::Role;
use record::label::{Endpoint, Label};
use record::store::Store;
use std::path::PathBuf;

fn crashed(name: &str) -> (PathBuf, built::Crash) {
    let crash = built::crash(&built::directory(name), &["-g"]);
    (write(&sample::crashed(12, &crash), &format!("{name}/app.12.0.shim")), crash)
}

#[test]
fn json_is_as_pinned() {
    let (recording, crash) = crashed("json");
    let (stdout, stderr, code) = parts(&output(&["report".as_ref(), "--json".as_ref(), recording.as_os_str()]));
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    let module = crash.path.display();
    let frame = |function: &str, line: u32, returns: u64| {
        format!(
            r#"{{"function":"{function}","file":"crash.c","line":{line},"module":"{module}","offset":"{:#x}"}}"#,
            returns - 1
        )
    };
    let expected = format!(
        concat!(
            r#"{{"kind":"fd.double-close","severity":"error","pid":12,"tid":14,"thread":"worker","count":3,"#,
            r#""message":"double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread 14 \"worker\", already closed by thread 13 \"io\"","#,
            r#""resource":{{"fd":7,"type":"tcp","local":"127.0.0.1:80","peer":"127.0.0.1:5000"}},"#,
            r#""stacks":[{{"role":"here","tid":14,"frames":[{},{}]}},{{"role":"closed","tid":13,"frames":[{}]}},{{"role":"opened","tid":12,"frames":[]}}]}}"#,
            "\n"
        ),
        frame("close_again", 12, crash.second),
        frame("on_closed", 18, crash.second),
        frame("finish_request", 6, crash.first),
    );
    assert_eq!(stdout, expected);
}

#[test]
fn text_shows_the_source_line() {
    let (recording, crash) = crashed("text");
    let (stdout, stderr, code) = parts(&output(&["report".as_ref(), recording.as_os_str()]));
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    let module = crash.path.display();
    let (first, second) = (crash.first - 1, crash.second - 1);
    let expected = format!(
        "\
== shim: 1 finding in 1 process

error: double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread 14 \"worker\", already closed by thread 13 \"io\"  ×3
  fd.double-close in app (pid 12)
  here: thread 14 \"worker\"
    #0 close_again  crash.c:12  ({module}+{second:#x})
        12 |     close(fd);
    #1 on_closed  crash.c:18  ({module}+{second:#x})
  closed: thread 13 \"io\"
    #0 finish_request  crash.c:6  ({module}+{first:#x})
         6 |     close(fd);
  opened: thread 12 \"app\"
    (no stack)
"
    );
    assert_eq!(stdout, expected);
}

#[test]
fn equal_findings_of_many_processes_are_one() {
    let directory = built::directory("many");
    let crash = built::crash(&directory, &["-g"]);
    for pid in 20..25 {
        let memory = sample::crashed(pid, &crash);
        memory.header().started_real.store(2_000_000 - u64::from(pid), std::sync::atomic::Ordering::Relaxed);
        write(&memory, &format!("many/app.{pid}.0.shim"));
    }
    std::fs::create_dir_all(directory.join("below/that")).unwrap();
    std::fs::copy(directory.join("app.20.0.shim"), directory.join("below/that/x.shim")).unwrap();
    let (json, ..) = parts(&output(&["report".as_ref(), "--json".as_ref(), directory.as_os_str()]));
    assert_eq!(json.lines().count(), 1);
    // The earliest one tells the story.
    assert!(json.contains("\"pid\":24,") && json.contains("\"count\":18,"), "{json}");
    let (text, ..) = parts(&output(&["report".as_ref(), directory.as_os_str()]));
    assert!(text.starts_with("== shim: 1 finding in 5 processes\n"), "{text}");
    assert!(text.contains("in app (pid 24), app (pid 23), app (pid 22) and 3 processes more\n"), "{text}");
}

#[test]
fn the_gravest_come_first_and_infos_are_shown() {
    let memory = sample::process(30);
    findings::file(&memory, &sample::info());
    findings::file(&memory, &sample::double_close(&[party(Role::Here, 1, b"", 0)], 9));
    findings::file(&memory, &sample::owned());
    sample::with_losses(&memory);
    let recording = write(&memory, "sorted.shim");
    let (text, ..) = parts(&output(&["report".as_ref(), recording.as_os_str()]));
    let expected = "\
== shim: 3 findings in 1 process

error: close of fd 5 (file /tmp/data), which belongs to FILE* 0x5581: here by thread 3 \"io\", opened by thread 3 \"io\"
  fd.owner in app (pid 30)
  here: thread 3 \"io\"
    (no stack)
  opened: thread 3 \"io\"
    (no stack)

error: double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread 1, already closed where shim could not see it
  fd.double-close in app (pid 30)
  here: thread 1
    (no stack)

info: close of fd -1, which is not open: here by thread 3 \"io\"
  fd.bad-fd in app (pid 30)
  here: thread 3 \"io\"
    (no stack)

not recorded, for want of room or of a way to see it: stacks dropped: 2
";
    assert_eq!(text, expected);
    let (json, ..) = parts(&output(&["report".as_ref(), "--json".as_ref(), recording.as_os_str()]));
    let resources: Vec<&str> =
        json.lines().map(|l| l.split("\"resource\":").nth(1).unwrap().split(",\"stacks\"").next().unwrap()).collect();
    assert_eq!(
        resources,
        [
            r#"{"fd":5,"type":"file","path":"/tmp/data","owner":"FILE* 0x5581"}"#,
            r#"{"fd":7,"type":"tcp","local":"127.0.0.1:80","peer":"127.0.0.1:5000"}"#,
            r#"{"fd":-1,"type":"unknown"}"#,
        ]
    );
}

#[test]
fn frames_that_start_the_program_are_left_out_of_the_text() {
    let memory = sample::process(31);
    let ours = sample::module(&memory, std::path::Path::new("/srv/app"), &[]);
    let libc = sample::module(&memory, std::path::Path::new("/lib/libc.so.6"), &[]);
    let frame = |module, address| record::stacks::Frame::in_module(module, address).0;
    let stack = |frames: &[u64]| record::stacks::intern(&memory, frames);
    let callback = stack(&[frame(ours, 16), frame(libc, 32), frame(ours, 48), frame(libc, 64), frame(libc, 80)]);
    let only_libc = stack(&[frame(libc, 96), frame(libc, 112)]);
    let parties = [party(Role::Here, 1, b"", callback), party(Role::Closed, 1, b"", only_libc)];
    findings::file(&memory, &sample::double_close(&parties, 9));
    let recording = write(&memory, "starts.shim");
    let (text, ..) = parts(&output(&["report".as_ref(), recording.as_os_str()]));
    let frames: Vec<&str> = text.lines().filter_map(|l| l.trim_start().strip_prefix('#')).collect();
    let (app, libc) = ("/srv/app", "/lib/libc.so.6");
    let expected = [
        format!("0 ??  ({app}+0xf)"),
        format!("1 ??  ({libc}+0x1f)"),
        format!("2 ??  ({app}+0x2f)"),
        format!("0 ??  ({libc}+0x5f)"),
    ];
    assert_eq!(frames, expected);
    let (json, ..) = parts(&output(&["report".as_ref(), "--json".as_ref(), recording.as_os_str()]));
    assert_eq!(json.matches("\"offset\"").count(), 7);
}

#[test]
fn nothing_found_is_said_in_text_only() {
    let recording = sample::CLEAN.as_os_str();
    assert_eq!(
        parts(&output(&["report".as_ref(), recording])),
        ("== shim: no findings in 1 process\n".into(), String::new(), Some(0))
    );
    assert_eq!(
        parts(&output(&["report".as_ref(), "--json".as_ref(), recording])),
        (String::new(), String::new(), Some(0))
    );
}

#[test]
fn hostile_texts_are_escaped() {
    let memory = sample::process(40);
    record::text::store(&memory.header().exe, b"/srv/\x1b]0;title\x07");
    let module = sample::module(&memory, std::path::Path::new("/no\u{1b}[2J\nwhere"), &[]);
    let stack = sample::stack(&memory, module, &[0x1235]);
    let mut report = sample::double_close(
        &[party(Role::Here, 1, b"\x1b[31mred\xff", stack), party(Role::Closed, 2, "\u{9b}2J\u{202e}\n".as_bytes(), 0)],
        1,
    );
    report.label = Label::endpoints(Some(Endpoint::Unix(b"/run/\x1b[0m\r")), None);
    findings::file(&memory, &report);
    let recording = write(&memory, "hostile.shim");
    let (text, stderr, code) = parts(&output(&["report".as_ref(), recording.as_os_str()]));
    let (json, ..) = parts(&output(&["report".as_ref(), "--json".as_ref(), recording.as_os_str()]));
    assert_eq!(code, Some(0));
    for (what, output) in [("text", &text), ("stderr", &stderr), ("json", &json)] {
        let bad = output.chars().find(|c| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c));
        assert_eq!(bad, None, "{what}: {output:?}");
    }
    assert_eq!(json.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["thread"], r"\x1b[31mred\xff");
    assert_eq!(value["stacks"][0]["frames"][0]["module"], "/no\u{1b}[2J\nwhere");
    assert_eq!(value["resource"]["local"], r"/run/\x1b[0m\x0d");
    assert!(text.contains(r#"thread 1 "\x1b[31mred\xff""#), "{text}");
    assert!(text.contains(r"(/no\x1b[2J\x0awhere+0x1234)"), "{text}");
    assert!(text.contains(r"in \x1b]0;title\x07 (pid 40)"), "{text}");
    assert_eq!(stderr, "shim: /no\\x1b[2J\\x0awhere: No such file or directory: shown without functions and lines\n");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (recording, _) = crashed("pipe");
    let many = vec![recording.display().to_string(); 2000].join(" ");
    let script = format!("({} report {many}; echo $? >&2) | :", crate::installed::shim().display());
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(parts(&output).1, "0\n");
}
