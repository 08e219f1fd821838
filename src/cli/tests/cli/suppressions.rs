//! Suppressions in the command: what is left of a report, what is listed, what `shim suppress` writes; and the status of a run.

use crate::installed::{self, output, parts, run_recorded, text};
use crate::sample::{self, party, write};
use crate::{built, built::Crash};
use record::findings::{self, file_unless};
use record::kind::Role;
use record::memory::Memory;
use record::suppressions::{Mark, fingerprint};
use std::path::{Path, PathBuf};

const CRASH: &str = "error: double close of fd 7";

/// The recording of the built program, and a file of suppressions beside it.
fn scene(name: &str, lines: &str) -> (PathBuf, PathBuf, Crash) {
    let directory = built::directory(name);
    let crash = built::crash(&directory, &["-g"]);
    let recording = write(&sample::crashed(12, &crash), &format!("{name}/app.12.0.shim"));
    let file = directory.join("known.supp");
    std::fs::write(&file, lines).unwrap();
    (recording, file, crash)
}

fn report(recording: &Path, file: &Path, json: bool) -> (String, String, Option<i32>) {
    let mut arguments = vec!["report".as_ref(), recording.as_os_str(), "--suppressions".as_ref(), file.as_os_str()];
    if json {
        arguments.push("--json".as_ref());
    }
    parts(&output(&arguments))
}

#[test]
fn files_lines_and_static_functions_are_known_here() {
    for (i, (line, matches)) in [
        ("fd.double-close", true),
        ("fd.double-clos", false),
        ("heap.*", false),
        ("fd.* function=finish_request", true),
        ("fd.* function=finish", false),
        // Inlined into on_closed.
        ("fd.* function=close_again", true),
        ("fd.* function=on_closed file=crash.c module=app", true),
        ("fd.* function=on_closed file=crash.c module=libapp.so", false),
        ("fd.* function=on_closed module=app/app", false),
        ("fd.* file=*/crash.c", true),
        ("fd.* file=/no/crash.c", false),
        // The opening is unknown, so main is on no stack.
        ("fd.* function=main", false),
    ]
    .into_iter()
    .enumerate()
    {
        let (recording, file, _) = scene(&format!("supp-{i}"), &format!("{line}\n"));
        let (stdout, stderr, code) = report(&recording, &file, false);
        assert_eq!((stderr.as_str(), code), ("", Some(0)), "{line}");
        let unused = format!("unused suppression {}:1: {line}\n", file.display());
        if matches {
            assert_eq!(stdout, "== shim: no findings in 1 process\n\n1 finding suppressed\n", "{line}");
        } else {
            assert!(stdout.starts_with(&format!("== shim: 1 finding in 1 process\n\n{CRASH}")), "{line}: {stdout}");
            assert!(stdout.ends_with(&format!("    (no stack)\n\n{unused}")), "{line}: {stdout}");
        }
        assert_eq!(report(&recording, &file, true).0.is_empty(), matches, "{line}: JSON");
    }
}

#[test]
fn the_first_line_that_matches_is_the_one_that_is_used() {
    let (recording, file, _) = scene("supp-first", "fd.* file=crash.c # as narrow\n\nfd.*\nkey.\x1b* module=\"a b\"\n");
    let (stdout, stderr, _) = report(&recording, &file, false);
    let path = file.display();
    let expected = format!(
        "== shim: no findings in 1 process\n\n1 finding suppressed\nunused suppression {path}:3: fd.*\n\
         unused suppression {path}:4: key.\\x1b* module=\"a b\"\n"
    );
    assert_eq!((stdout, stderr.as_str()), (expected, ""));
}

#[test]
fn bad_lines_and_bad_files_are_said() {
    let (recording, file, _) = scene("supp-bad", "fd.* color=red\nfd.double-close\n");
    let (stdout, stderr, code) = report(&recording, &file, false);
    assert_eq!(stdout, "== shim: no findings in 1 process\n\n1 finding suppressed\n", "the other line holds");
    let expected = "unknown key 'color', expected function, module or file";
    assert_eq!((stderr, code), (format!("shim: suppressions {}:1: {expected}\n", file.display()), Some(1)));

    let missing = file.with_file_name("none");
    let said = format!("shim: {}: No such file or directory\n", missing.display());
    assert_eq!(report(&recording, &missing, false), (String::new(), said.clone(), Some(1)));
    let run = output(&["run", "--suppressions", missing.to_str().unwrap(), "echo", "ran"]);
    assert_eq!(parts(&run), (String::new(), said, Some(125)));
    std::fs::write(&file, "#".repeat((1 << 20) + 1)).unwrap();
    assert_eq!(report(&recording, &file, false).1, format!("shim: {}: longer than 1 MiB\n", file.display()));
    let directory = file.parent().unwrap();
    assert_eq!(report(&recording, directory, false).1, format!("shim: {}: is a directory\n", directory.display()));
}

/// Two processes: one has a finding that it was told to suppress, the other has the same one and was not told.
#[test]
fn what_a_process_decided_stays_decided_for_that_process() {
    let directory = built::directory("supp-marks");
    let file = directory.join("known.supp");
    let lines = "heap.*\nfd.double-close module=gone.so\n";
    std::fs::write(&file, lines).unwrap();
    let finding = sample::double_close(&[party(Role::Here, 1, b"", 0)], 9);
    let marked: Memory = sample::process(50);
    let mark = Mark::new(fingerprint(lines.as_bytes()), 1);
    for _ in 0..4 {
        file_unless(&marked, &finding, || mark);
    }
    write(&marked, "supp-marks/app.50.0.shim");
    let (stdout, ..) = parts(&output(&["report", directory.to_str().unwrap()]));
    assert_eq!(stdout, "== shim: no findings in 1 process\n\n1 finding suppressed\n");

    let plain = sample::process(51);
    findings::file(&plain, &finding);
    write(&plain, "supp-marks/app.51.0.shim");
    let (stdout, ..) = parts(&output(&["report", directory.to_str().unwrap()]));
    assert!(stdout.starts_with("== shim: 1 finding in 1 process\n\nerror: double close of fd 7"), "{stdout}");
    assert!(stdout.contains("in app (pid 51)\n") && stdout.ends_with("\n\n1 finding suppressed\n"), "{stdout}");
    assert!(!stdout.contains('×'), "{stdout}");

    // The same file: the process used its second line. Another file: nobody can tell.
    let (stdout, ..) = report(&directory, &file, false);
    assert!(stdout.ends_with(&format!("1 finding suppressed\nunused suppression {}:1: heap.*\n", file.display())));
    std::fs::write(&file, format!("# changed\n{lines}")).unwrap();
    assert!(report(&directory, &file, false).0.contains(":3: fd.double-close module=gone.so\n"));
}

#[test]
fn what_suppress_writes_leaves_nothing() {
    let directory = built::directory("supp-written");
    let crash = built::crash(&directory, &["-g"]);
    write(&sample::crashed(12, &crash), "supp-written/app.12.0.shim");
    let memory = sample::process(30);
    findings::file(&memory, &sample::info());
    findings::file(&memory, &sample::owned());
    // Only in libc, in a module with a hostile name, and without any module.
    let libc = sample::module(&memory, Path::new("/lib/libc.so.6"), &[]);
    let hostile = sample::module(&memory, Path::new("/no/a b*\n\"\u{1b}[2J\u{202e}"), &[]);
    let bare = record::stacks::intern(&memory, &[record::stacks::Frame::bare(0x1234).0]);
    for (n, stack) in [(libc, 16), (hostile, 32)].map(|(m, at)| sample::stack(&memory, m, &[at])).iter().enumerate() {
        findings::file(&memory, &sample::double_close(&[party(Role::Here, 1, b"a\x1b", *stack)], n as u64));
    }
    let both = [party(Role::Here, 1, b"", bare), party(Role::Closed, 1, b"", sample::stack(&memory, libc, &[64]))];
    findings::file(&memory, &sample::double_close(&both, 7));
    write(&memory, "supp-written/app.30.0.shim");

    let place = directory.to_str().unwrap();
    let (before, ..) = parts(&output(&["report", "--json", place]));
    assert_eq!(before.lines().count(), 6);
    let (lines, _, code) = parts(&output(&["suppress", place]));
    assert_eq!(code, Some(0));
    assert!(lines.contains("\nfd.double-close function=close_again module=app\n"), "{lines}");
    assert!(lines.contains("# error: double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread"));
    assert!(lines.contains("\nfd.double-close module=\"a b??\\\"?[2J???\"\n"), "{lines}");
    assert!(lines.contains("\nfd.owner\n") && lines.contains("\nfd.bad-fd\n"), "no stack: the kind alone: {lines}");
    assert_eq!(lines.matches("\nfd.double-close module=libc.so.6\n").count(), 1, "once: {lines}");
    assert!(!lines.chars().any(|c| c.is_control() && c != '\n'), "{lines:?}");

    let file = directory.join("written.supp");
    let (stdout, _, code) = parts(&output(&["suppress", place, "-o", file.to_str().unwrap()]));
    assert_eq!((stdout.as_str(), code), ("", Some(0)));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), lines);
    let (stdout, _, code) = report(&directory, &file, false);
    assert_eq!(code, Some(0));
    assert_eq!(stdout, "== shim: no findings in 2 processes\n\n6 findings suppressed\n");
    assert_eq!(report(&directory, &file, true).0, "");
    let known = ["suppress", "--suppressions", file.to_str().unwrap(), place];
    assert_eq!(parts(&output(&known)).0, "", "what is known is not written again");
    let nowhere = ["suppress", place, "-o", "/no/such/file"];
    assert_eq!(parts(&output(&nowhere)).2, Some(1));
    assert_eq!(parts(&output(&["suppress", "/no/such/place"])).2, Some(1));
}

#[test]
fn error_exitcode_of_a_run() {
    let (recording, file, _) = scene("supp-run", "fd.* file=crash.c\nfd.leak\n");
    let known = file.to_str().unwrap();
    let run = |arguments: &[&str], options: &str| {
        let script = format!("{}; echo \"$SHIM_OPTIONS\"; exit 5", "true");
        let mut command = run_recorded(arguments, &recording);
        parts(&command.args(["sh", "-c", &script]).env("SHIM_OPTIONS", options).output().unwrap())
    };
    let (stdout, _, code) = run(&["--error-exitcode", "9"], "fd=off");
    assert_eq!(code, Some(9));
    assert!(
        stdout.starts_with("fd=off:record=") && !stdout.contains("exitcode"),
        "the child decides nothing: {stdout}"
    );
    assert_eq!(run(&[], "error_exitcode=8:fd=off").2, Some(8), "the variable is honoured");
    assert_eq!(run(&["--error-exitcode", "9"], "error_exitcode=8").2, Some(9), "the command line decides");
    assert_eq!(run(&["--error-exitcode", "0"], "error_exitcode=8").2, Some(5));
    assert_eq!(run(&[], "").2, Some(5));

    // Only the command can decide `file=`.
    let (_, stderr, code) = run(&["--error-exitcode", "9", "--suppressions", known], "");
    assert_eq!(code, Some(5));
    let unused = format!("shim: unused suppression {known}:2: fd.leak\n");
    assert_eq!(stderr, format!("shim: 1 finding suppressed\n{unused}"));
    let (_, stderr, code) = run(&["--error-exitcode", "9"], &format!("suppressions={known}"));
    assert_eq!((stderr.starts_with("shim: 1 finding suppressed\n"), code), (true, Some(5)));

    // A signal stays a signal, and a run without errors keeps its status.
    let killed = run_recorded(&["--error-exitcode", "9", "sh", "-c", "kill -TERM $$"], &recording).output().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.status), Some(15));
    let clean = installed::run(&["--error-exitcode", "9", "--suppressions", known, "sh", "-c", "exit 5"]).output();
    let clean = clean.unwrap();
    assert_eq!((clean.status.code(), text(&clean.stderr).as_str()), (Some(5), ""), "nothing found: not a word");
    let memory = sample::process(1);
    findings::file(&memory, &sample::info());
    let info = write(&memory, "supp-run/info.template");
    let only_info = run_recorded(&["--error-exitcode", "9", "true"], &info).output().unwrap();
    assert_eq!((only_info.status.code(), text(&only_info.stderr).as_str()), (Some(0), ""));
}
