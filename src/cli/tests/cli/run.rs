//! `shim run`: the program must not be able to tell, and neither must whoever waits for it.

use crate::installed::{self, parts, run, run_recorded};
use crate::{built, sample};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

#[test]
fn the_status_is_the_programs_own() {
    for code in [0, 1, 2, 77, 125, 255] {
        let script = format!("exit {code}");
        assert_eq!(parts(&run(&["sh", "-c", &script]).output().unwrap()), (String::new(), String::new(), Some(code)));
    }
}

#[test]
fn the_signal_is_the_programs_own() {
    for (name, number) in [("SEGV", 11), ("ABRT", 6), ("KILL", 9), ("TERM", 15), ("PIPE", 13), ("INT", 2), ("USR1", 10)]
    {
        let output = run(&["sh", "-c", &format!("kill -{name} $$")]).output().unwrap();
        assert_eq!(output.status.signal(), Some(number), "{name}");
        assert_eq!(output.stdout, b"");
        let stderr = installed::text(&output.stderr);
        let pid = stderr.split("(pid ").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
        assert!(pid.parse::<u32>().is_ok(), "{stderr}");
        assert!(stderr.starts_with(&format!("shim: sh (pid {pid}) was killed by SIG{name}")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn standard_streams_pass_through() {
    let mut child = run(&["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let bytes: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.stdout == bytes, output.stderr.len()), (true, 0));
}

#[test]
fn a_program_that_does_not_start() {
    let directory = built::directory("no-start");
    std::fs::write(directory.join("plain"), "text").unwrap();
    let at = |name: &str| directory.join(name).display().to_string();
    for (program, code, why) in [
        ("./nope".to_owned(), 127, "not found"),
        ("no-such-program-anywhere".to_owned(), 127, "not found"),
        (at("plain"), 126, "Permission denied"),
        (directory.display().to_string(), 126, "Permission denied"),
    ] {
        let output = run(&["--", &program]).output().unwrap();
        assert_eq!(parts(&output), (String::new(), format!("shim: {program}: {why}\n"), Some(code)));
    }
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    let path = built::scratch().join("script");
    std::fs::write(&path, "echo \"script $1\"; exit 3\n").unwrap();
    built::tool("chmod", built::scratch(), &["+x", "script"]);
    let output = run(&[path.to_str().unwrap(), "word"]).output().unwrap();
    assert_eq!(parts(&output), ("script word\n".into(), String::new(), Some(3)));
}

#[test]
fn the_program_gets_its_options_and_the_preload() {
    let script = "echo \"$SHIM_OPTIONS|$LD_PRELOAD\"";
    let record = built::directory("kept");
    let kept = record.to_str().unwrap();
    let output =
        run(&["--fd", "protect", "--preset", "hunt", "--stack-depth", "8", "--record", kept, "sh", "-c", script])
            .env("SHIM_OPTIONS", "fd=off:follow=1")
            .output()
            .unwrap();
    let library = installed::root().join("lib/libshim.so");
    let expected =
        format!("fd=off:follow=1:preset=hunt:fd=protect:stack_depth=8:record={kept}|{}\n", library.display());
    assert_eq!(parts(&output), (expected, String::new(), Some(0)));
    assert_eq!(std::fs::read_dir(&record).unwrap().count(), 1);

    let output = run(&["sh", "-c", "echo $LD_PRELOAD"]).env("LD_PRELOAD", &library).output().unwrap();
    assert_eq!(installed::text(&output.stdout), format!("{0}:{0}\n", library.display()));
}

#[test]
fn temporary_recordings_go_away() {
    let tmp = built::directory("tmp");
    let output = run(&["sh", "-c", "ls -ld $TMPDIR/*; ls $TMPDIR/*"]).env("TMPDIR", &tmp).output().unwrap();
    let listing = installed::text(&output.stdout);
    assert!(listing.starts_with("drwx------"), "{listing}");
    assert!(listing.contains(".0.shim"), "{listing}");
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0);
    let output = run(&["true"]).env("TMPDIR", "/no/such/place").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn a_directory_that_takes_no_recordings() {
    let file = built::scratch().join("a-file");
    std::fs::write(&file, "").unwrap();
    let output = run(&["--record", file.to_str().unwrap(), "echo", "ran"]).output().unwrap();
    let (stdout, stderr, code) = parts(&output);
    assert_eq!((stdout.as_str(), code), ("", Some(125)));
    assert_eq!(stderr, format!("shim: {}: cannot record there: File exists\n", file.display()));
}

#[test]
fn what_was_found_is_reported_at_the_end() {
    let crash = built::crash(&built::directory("run-report"), &["-g"]);
    let memory = sample::crashed(1, &crash);
    record::findings::file(&memory, &sample::info());
    let recording = sample::write(&memory, "run-report.template");
    let (stdout, stderr, code) = parts(&run_recorded(&["sh", "-c", "echo out; exit 5"], &recording).output().unwrap());
    assert_eq!((stdout.as_str(), code), ("out\n", Some(5)));
    assert!(stderr.starts_with("== shim: 1 finding in 1 process\n\nerror: double close of fd 7"), "{stderr}");
    assert!(stderr.contains("    #0 finish_request  crash.c:6  ("), "{stderr}");
    assert!(stderr.ends_with("shim: the recording is deleted now; --record DIR keeps it\n"), "{stderr}");
    assert!(!stderr.contains("info:") && !stderr.contains("fd.bad-fd"), "{stderr}");

    let kept = built::directory("run-kept");
    // Of an earlier run: not reported again.
    std::fs::copy(&recording, kept.join("old.1.0.shim")).unwrap();
    let arguments = ["--record", kept.to_str().unwrap(), "sh", "-c", "true; /bin/true"];
    let (_, stderr, _) = parts(&run_recorded(&arguments, &recording).output().unwrap());
    assert!(stderr.starts_with("== shim: 1 finding in 2 processes\n"), "{stderr}");
    assert!(stderr.contains("×6\n") && !stderr.contains("--record"), "{stderr}");
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 3);
}

#[test]
fn last_events_of_a_program_that_was_killed() {
    let crash = built::crash(&built::directory("last"), &["-g"]);
    let recording = sample::write(&sample::crashed(1, &crash), "last.template");
    let output = run_recorded(&["sh", "-c", "kill -ABRT $$"], &recording).output().unwrap();
    assert_eq!(output.status.signal(), Some(6));
    let stderr = installed::text(&output.stderr);
    let mut lines = stderr.lines();
    assert!(lines.next().unwrap().contains("was killed by SIGABRT"), "{stderr}");
    let expected = "\
last descriptor events, the newest last:
        -2.500 ms  open 7  thread 14 \"worker\"  main  crash.c:23
        -1.000 ms  close 7  thread 14 \"worker\"  finish_request  crash.c:6
        -0.000 ms  close 7 (Bad file descriptor)  thread 14 \"worker\"  close_again  crash.c:12
== shim: 1 finding in 1 process";
    assert_eq!(lines.take(5).collect::<Vec<_>>().join("\n"), expected);
}

#[test]
fn a_program_that_cannot_be_watched() {
    let directory = built::directory("unwatched");
    std::fs::write(directory.join("p.c"), "int main(void) { return 9; }").unwrap();
    built::gcc(&directory, &["-static", "-o", "static", "p.c"]);
    let program = directory.join("static").display().to_string();
    let (stdout, stderr, code) = parts(&run(&[&program]).output().unwrap());
    assert_eq!((stdout.as_str(), code), ("", Some(9)));
    assert!(stderr.starts_with(&format!("shim: {program} (pid ")), "{stderr}");
    assert!(stderr.contains("was not watched: it is statically linked"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn signals_are_forwarded() {
    for name in ["TERM", "HUP", "USR1", "USR2"] {
        let script = format!("trap 'exit 42' {name}; echo ready; while :; do sleep 0.05; done");
        let mut child = run(&["sh", "-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        built::tool("sh", built::scratch(), &["-c", &format!("kill -{name} {}", child.id())]);
        assert_eq!(child.wait().unwrap().code(), Some(42), "{name}");
    }
}

#[test]
fn an_interrupt_from_the_terminal_is_the_programs_affair() {
    // Both get it, as from a terminal; the program goes on, so shim waits.
    let script = "trap 'echo caught' INT; echo ready; sleep 0.3; echo done; exit 4";
    let mut child = run(&["sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    built::tool("sh", built::scratch(), &["-c", &format!("kill -INT {}", child.id())]);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("done\n", Some(4)));
}

/// What a program can see of how it was started.
const STATE: &str =
    "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; ls -l /proc/self/fd | grep -c null; umask; ulimit -c";

#[test]
fn the_program_starts_in_the_same_state() {
    let shim = installed::shim().display().to_string();
    for before in
        ["", "trap '' PIPE; ", "trap '' INT QUIT; ", "trap '' CHLD TERM HUP; ", "exec 0<&-; ", "exec 0<&- 2>&-; "]
    {
        let output = |prefix: &str| {
            let script = format!("{before}exec {prefix} sh -c '{}'", STATE.replace('\'', "'\\''"));
            let mut command = Command::new("sh");
            command.args(["-c", &script]).env("STAND_IN_RECORDING", &*sample::CLEAN);
            installed::text(&command.stdin(Stdio::null()).output().unwrap().stdout)
        };
        let native = output("");
        assert!(native.contains("SigIgn"), "{native}");
        assert_eq!(output(&format!("{shim} run --")), native, "after {before:?}");
    }
}

#[test]
fn no_descriptor_leaks_into_the_program() {
    let native = Command::new("sh").args(["-c", "ls /proc/self/fd"]).output().unwrap();
    assert_eq!(run(&["sh", "-c", "ls /proc/self/fd"]).output().unwrap().stdout, native.stdout);
}
