//! `shim report` of some findings only, in another order, not all of them, and for spreadsheets.

use crate::installed::{output, parts};
use crate::sample::{self, party};
use crate::{built, sample::write};
use record::findings;
use record::kind::{Kind, Role};
use record::label::Label;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Two processes: 80 with four kinds, a library in the stacks of one of them; 81 with one more of the first kind.
fn recordings(name: &str) -> PathBuf {
    let directory = built::directory(name);
    let memory = sample::process(80);
    let module = |path| sample::module(&memory, Path::new(path), &[]);
    let [app, net] = ["/srv/app", "/opt/vendor/libnet.so.3"].map(module);
    let frame = |module, address| record::stacks::Frame::in_module(module, address).0;
    let stack = |frames: &[u64]| record::stacks::intern(&memory, frames);
    let [one, two] = [stack(&[frame(app, 17)]), stack(&[frame(net, 33), frame(app, 49)])];
    let double = sample::double_close(&[party(Role::Here, 1, b"io", one)], 30);
    for _ in 0..3 {
        findings::file(&memory, &double);
    }
    let mut stale = sample::double_close(&[party(Role::Here, 1, b"io", two)], 20);
    stale.kind = Kind::FdStaleClose;
    for _ in 0..5 {
        findings::file(&memory, &stale);
    }
    findings::file(&memory, &sample::owned());
    findings::file(&memory, &sample::info());
    let other = sample::process(81);
    let app = sample::module(&other, Path::new("/srv/app"), &[]);
    let one = sample::stack(&other, app, &[17]);
    findings::file(&other, &sample::double_close(&[party(Role::Here, 1, b"io", one)], 30));
    write(&memory, &format!("{name}/80.shim"));
    write(&other, &format!("{name}/81.shim"));
    directory
}

/// Kinds and counts of what is left, in their order.
fn left(directory: &Path, arguments: &[&str]) -> Vec<(String, u64)> {
    let mut all: Vec<&OsStr> = vec!["report".as_ref(), "--json".as_ref()];
    all.extend(arguments.iter().map(OsStr::new));
    all.push(directory.as_os_str());
    let (stdout, _, code) = parts(&output(&all));
    assert_eq!(code, Some(0), "{arguments:?}");
    let finding = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        (value["kind"].as_str().unwrap().to_owned(), value["count"].as_u64().unwrap())
    };
    stdout.lines().map(finding).collect()
}

#[test]
fn each_filter_and_order() {
    let directory = recordings("filters");
    let (stale, double, owner, bad) =
        (("fd.stale-close", 5), ("fd.double-close", 4), ("fd.owner", 1), ("fd.bad-fd", 1));
    for (arguments, expected) in [
        (&[][..], vec![stale, double, owner, bad]),
        (&["--kind", "fd.*-close"], vec![stale, double]),
        (&["--kind", "fd.owner", "--kind", "*bad*"], vec![owner, bad]),
        (&["--kind", "heap.*"], vec![]),
        (&["--pid", "81"], vec![("fd.double-close", 1)]),
        (&["--pid", "80", "--severity", "error"], vec![stale, ("fd.double-close", 3), owner]),
        (&["--severity", "info"], vec![stale, double, owner, bad]),
        (&["--module", "libnet.*"], vec![stale]),
        (&["--module", "/srv/*"], vec![stale, double]),
        (&["--module", "net"], vec![]),
        (&["--sort", "count"], vec![stale, double, owner, bad]),
        (&["--sort", "time"], vec![owner, bad, stale, double]),
        (&["--sort", "kind"], vec![bad, double, owner, stale]),
        (&["--limit", "2"], vec![stale, double]),
    ] {
        let expected: Vec<(String, u64)> = expected.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        assert_eq!(left(&directory, arguments), expected, "{arguments:?}");
    }
}

#[test]
fn what_was_left_out_is_said() {
    let directory = recordings("limited");
    let report = |arguments: &[&str]| {
        let mut all: Vec<&OsStr> = vec!["report".as_ref()];
        all.extend(arguments.iter().map(OsStr::new));
        all.push(directory.as_os_str());
        parts(&output(&all))
    };
    let (text, stderr, _) = report(&["--limit", "1", "--kind", "fd.*"]);
    assert!(
        text.starts_with("== shim: 4 findings in 2 processes\n")
            && text.ends_with("\n\n3 findings more, left out by --limit\n"),
        "{text}"
    );
    assert_eq!(
        stderr,
        "shim: /srv/app: No such file or directory: shown without functions and lines\nshim: /opt/vendor/libnet.so.3: No such file or directory: shown without functions and lines\n"
    );
    let (text, ..) = report(&["--limit", "4"]);
    assert!(!text.contains("left out"), "{text}");
    for format in ["--json", "--csv"] {
        let (_, stderr, code) = report(&[format, "--limit", "3"]);
        assert!(stderr.starts_with("shim: 1 finding left out by --limit 3\n"), "{stderr}");
        assert_eq!(code, Some(0));
    }
    // A process that none of the recordings is of: one clear line.
    let expected = "shim: --pid 99: none of these recordings is of this process\n";
    assert_eq!(report(&["--pid", "99"]), (String::new(), expected.to_owned(), Some(1)));
    for wrong in [
        &["--json", "--csv"][..],
        &["--html", "x", "--json"],
        &["--sort", "size"],
        &["--severity", "fatal"],
        &["--limit", "-1"],
        &["--kind", ""],
        &["--module", "\"x"],
    ] {
        let (stdout, stderr, code) = report(wrong);
        assert_eq!((stdout.as_str(), stderr.lines().count(), code), ("", 1, Some(2)), "{wrong:?}: {stderr}");
    }
}

#[test]
fn rows_for_a_spreadsheet() {
    let memory = sample::process(82);
    record::text::store(&record::store::Store::header(&memory).exe, b"/srv/=cmd|'calc'!A0");
    let module = sample::module(&memory, Path::new("/srv/a,\"b\""), &[]);
    let stack = sample::stack(&memory, module, &[17]);
    let mut report =
        sample::double_close(&[party(Role::Here, 1, b"@SUM(A1)\n", stack), party(Role::Closed, 2, b"-2+3", 0)], 7);
    report.label = Label::path(b"+1");
    findings::file(&memory, &report);
    findings::file(&memory, &sample::info());
    let recording = write(&memory, "rows.shim");
    let (csv, _, code) = parts(&output(&["report".as_ref(), "--csv".as_ref(), recording.as_os_str()]));
    assert_eq!(code, Some(0));
    let expected = [
        "kind,severity,count,first,program,pid,processes,tid,thread,fd,type,local,peer,path,owner,message,here,closed,opened,victim,allocated,freed,locked",
        concat!(
            r#"fd.double-close,error,1,1970-01-01T00:00:00.001Z,'=cmd|'calc'!A0,82,1,1,'@SUM(A1)\x0a,7,tcp,,,'+1,,"#,
            r#""double close of fd 7 (tcp +1): closed here by thread 1 ""@SUM(A1)\x0a"", already closed by thread 2 ""-2+3""","#,
            r#""??  (/srv/a,""b""+0x10)",,,,,,"#
        ),
        concat!(
            "fd.bad-fd,info,1,1970-01-01T00:00:00.001Z,'=cmd|'calc'!A0,82,1,3,io,'-1,unknown,,,,,",
            r#""close of fd -1, which is not open: here by thread 3 ""io""",,,,,,,"#
        ),
    ];
    assert_eq!(csv, expected.map(|row| format!("{row}\r\n")).concat());
}

#[test]
fn a_recording_that_is_being_written() {
    let memory = sample::process(std::process::id());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let module = sample::module(&memory, Path::new("/srv/app"), &[1]);
            for round in 0..4000u64 {
                let stack = sample::stack(&memory, module, &[round + 1]);
                findings::file(&memory, &sample::double_close(&[party(Role::Here, 1, b"io", stack)], round));
            }
            stop.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut looks = 0;
        while !stop.load(std::sync::atomic::Ordering::Acquire) || looks == 0 {
            let recording = write(&memory, "growing.shim");
            let page = built::scratch().join("growing.html");
            for arguments in [&["--csv"][..], &["--json"], &["--html", page.to_str().unwrap()]] {
                let mut all: Vec<&OsStr> = vec!["report".as_ref()];
                all.extend(arguments.iter().map(OsStr::new));
                all.push(recording.as_os_str());
                assert_eq!(parts(&output(&all)).2, Some(0), "{arguments:?}");
            }
            looks += 1;
        }
    });
}
