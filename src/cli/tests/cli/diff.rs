//! `shim diff`: what grew, shrank, came and went, whatever the addresses and the names of files.

use crate::allocations::{Watched, full, stacks};
use crate::installed::{output, parts};
use crate::page::{CANARY, attribute, body, dom, driven};
use crate::profiled::{Program, process};
use crate::{built, sample};
use record::findings;
use record::heap::level;
use record::kind::Role;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

fn diff(before: &Path, after: &Path, arguments: &[&str]) -> (String, String, Option<i32>) {
    let mut all = vec!["diff".as_ref(), before.as_os_str(), after.as_os_str()];
    all.extend(arguments.iter().map(std::ffi::OsStr::new));
    parts(&output(&all))
}

fn json(before: &Path, after: &Path) -> Vec<Json> {
    let (stdout, _, code) = diff(before, after, &["--json"]);
    assert_eq!(code, Some(0));
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Before, and after: 4 MiB less by `on_closed`, 8 MiB more by `finish_request`, the odd one gone.
fn two(name: &str) -> (PathBuf, PathBuf, built::Crash) {
    let crash = built::crash(&built::directory(name), &["-g"]);
    let before = full(12, &crash);
    let mut after = Watched::new(13, level::FULL, 0);
    // Other stacks and modules come first: all numbers in the recording are other ones.
    sample::module(&after.memory, Path::new("/lib/elsewhere.so"), &[9; 20]);
    let plain = sample::module(&after.memory, &crash.path, &crash.build_id);
    let new = sample::stack(&after.memory, plain, &[crash.first]);
    after.allocate(new, 1, 512, 1);
    let [inlined, plain, _] = stacks(&after.memory, &crash);
    after.allocate(plain, 4096, 9 << 20, 4096);
    after.allocate(inlined, 2, 2 << 20, 2);
    let before = sample::write(&before.memory, &format!("{name}/before.12.0.shim"));
    (before, sample::write(&after.memory, &format!("{name}/after.13.0.shim")), crash)
}

#[test]
fn text_of_the_heap() {
    let (before, after, _) = two("diff_text");
    let (stdout, stderr, code) = diff(&before, &after, &[]);
    assert!(stderr.lines().all(|line| line.starts_with("shim: /srv/a <b>")), "{stderr}");
    assert_eq!(code, Some(0));
    assert_eq!(
        stdout,
        "\
== shim: app (pid 12) → app (pid 13)
  live       4.0 MiB → 11 MiB  +7.0 MiB
  peak       7.0 MiB → 11 MiB  +4.0 MiB
  allocated  7.0 MiB → 11 MiB  +4.0 MiB
  lost       1.0 MiB → 0 B  -1.0 MiB
  calls      1,031 → 4,099

live, 4 call stacks that changed:
  +8.0 MiB            1.0 MiB → 9.0 MiB     +3,072 blocks  finish_request  crash.c:6
        main  crash.c:23
  -1.0 MiB            3.0 MiB → 2.0 MiB          -1 block  close_again  crash.c:12
        on_closed  crash.c:18
        main  crash.c:23
  -1.0 KiB                1.0 KiB → 0 B          -1 block  a <b>&\"x\";=\\x1b[2J+0x1234  (gone)
        main  crash.c:23
    +512 B                  0 B → 512 B          +1 block  finish_request  crash.c:6  (new)

no findings, before or after
"
    );
    let (stdout, ..) = diff(&before, &after, &["--by", "total", "--limit", "1"]);
    assert!(stdout.contains("\nallocated in all, the 1 largest changes of 4:\n  +8.0 MiB  "), "{stdout}");
}

#[test]
fn nothing_has_changed() {
    let (before, ..) = two("diff_same");
    let (stdout, _, code) = diff(&before, &before, &[]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("\n  live       4.0 MiB → 4.0 MiB  +0 B\n"), "{stdout}");
    assert!(stdout.contains("\nlive: no call stack has changed\n"), "{stdout}");
    assert_eq!(json(&before, &before).len(), 1);
}

#[test]
fn json_of_the_heap() {
    let (before, after, _) = two("diff_json");
    let lines = json(&before, &after);
    let told: Vec<_> =
        lines.iter().map(|l| (l["record"].as_str(), l["state"].as_str(), l["change"].as_i64())).collect();
    assert_eq!(
        told,
        [
            (Some("total"), None, None),
            (Some("site"), Some("changed"), Some(8 << 20)),
            (Some("site"), Some("changed"), Some(-(1 << 20))),
            (Some("site"), Some("gone"), Some(-1024)),
            (Some("site"), Some("new"), Some(512)),
        ]
    );
    assert_eq!(lines[1]["before"]["lost"], serde_json::json!({"blocks": 1024, "bytes": 1 << 20}));
    assert_eq!(lines[1]["frames"][0]["function"], "finish_request");
    assert_eq!(
        (&lines[0]["before"]["live_bytes"], &lines[0]["after"]["allocations"]),
        (&Json::from((4 << 20) + 1024), &Json::from(4099))
    );
}

/// The same program built again: other offsets, another build id, another directory.
#[test]
fn a_build_is_compared_by_its_functions() {
    let (before, _, old) = two("diff_old");
    let new = built::crash(&built::directory("diff_new"), &["-g", "-falign-functions=64"]);
    assert_ne!((old.first, &old.build_id), (new.first, &new.build_id));
    let mut watched = full(40, &new);
    let [_, plain, _] = stacks(&watched.memory, &new);
    watched.allocate(plain, 1, 100, 1);
    let after = sample::write(&watched.memory, "diff_new/app.40.0.shim");
    let lines = json(&before, &after);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[1]["state"], &lines[1]["change"]), (&Json::from("changed"), &Json::from(100)));
    assert_eq!(lines[1]["frames"][0]["module"].as_str(), new.path.to_str(), "as the later side has it");
}

#[test]
fn the_error_of_a_change_is_that_of_both() {
    let crash = built::crash(&built::directory("diff_estimates"), &["-g"]);
    let recorded = |pid: u32, bytes: u64, observed: u64| {
        let mut watched = Watched::new(pid, level::SITES, 1 << 20);
        let [_, plain, _] = stacks(&watched.memory, &crash);
        watched.allocate(plain, bytes / 100, bytes, observed);
        sample::write(&watched.memory, &format!("diff_estimates/app.{pid}.0.shim"))
    };
    // 100 MiB ± 10 and 200 MiB ± 14: a change of 100 ± 17.
    let (stdout, ..) = diff(&recorded(1, 100 << 20, 100), &recorded(2, 200 << 20, 200), &[]);
    assert!(stdout.contains("\n  +100 MiB  ±17 %  "), "{stdout}");
    // 100 ± 10 and 110 ± 10 is no change that anybody knows of.
    let (stdout, ..) = diff(&recorded(3, 100 << 20, 100), &recorded(4, 110 << 20, 110), &[]);
    assert!(stdout.contains("\n   +10 MiB      ~  "), "{stdout}");
}

/// Double closes by one stack, so many times.
fn closing(watched: &record::memory::Memory, crash: &built::Crash, address: u64, times: u64) {
    let module = sample::module(watched, &crash.path, &crash.build_id);
    let here = sample::stack(watched, module, &[address]);
    for time in 0..times {
        findings::file(watched, &sample::double_close(&[sample::party(Role::Here, 3, b"io", here)], time));
    }
}

#[test]
fn findings_come_and_go() {
    let crash = built::crash(&built::directory("diff_findings"), &["-g"]);
    let (before, after) = (sample::process(1), sample::process(2));
    sample::module(&after, Path::new("/lib/elsewhere.so"), &[9; 20]);
    // As often, more often, gone, new.
    closing(&before, &crash, crash.open, 2);
    closing(&after, &crash, crash.open, 2);
    closing(&before, &crash, crash.first, 1);
    closing(&after, &crash, crash.first, 7);
    closing(&after, &crash, crash.second, 3);
    findings::file(&before, &sample::info());
    let before = sample::write(&before, "diff_findings/before.1.0.shim");
    let after = sample::write(&after, "diff_findings/after.2.0.shim");
    let (stdout, stderr, code) = diff(&before, &after, &[]);
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    let sentence = "double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread 3 \"io\", already closed where shim could not see it";
    let expected = [
        "== shim: one process → one process",
        "",
        "findings: 1 new, 1 gone, 1 changed in number, 1 as before",
        "",
        &format!("new: error: {sentence}  ×3"),
        "  here: close_again  crash.c:12",
        "",
        "gone: info: ",
        "",
        &format!("changed: error: {sentence}  ×1 → ×7"),
        "  here: finish_request  crash.c:6",
    ];
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{stdout}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line} is not {expected}");
    }
    let rows = json(&before, &after);
    let told: Vec<_> =
        rows[1..].iter().map(|l| (l["state"].as_str().unwrap(), l["before"].as_u64(), l["after"].as_u64())).collect();
    assert_eq!(
        told,
        [
            ("new", Some(0), Some(3)),
            ("gone", Some(1), Some(0)),
            ("changed", Some(1), Some(7)),
            ("same", Some(2), Some(2))
        ]
    );
    assert_eq!(
        (&rows[1]["finding"]["kind"], &rows[1]["finding"]["count"]),
        (&Json::from("fd.double-close"), &Json::from(3))
    );
}

#[test]
fn sides_that_cannot_be_read() {
    let (before, after, _) = two("diff_unread");
    let (stdout, stderr, code) = diff(Path::new("/no/such"), &after, &[]);
    assert_eq!((stdout.as_str(), stderr.as_str(), code), ("", "shim: /no/such: No such file or directory\n", Some(1)));
    // A directory of which one file is damaged: the rest is compared.
    let directory = built::directory("diff_unread/many");
    std::fs::copy(&before, directory.join("a.12.0.shim")).unwrap();
    std::fs::write(directory.join("b.13.0.shim"), b"SHIMREC\n").unwrap();
    let (stdout, stderr, code) = diff(&directory, &after, &[]);
    assert!(stdout.contains("+8.0 MiB") && stderr.contains("b.13.0.shim: truncated"), "{stderr}");
    assert_eq!(code, Some(1));
    // One that was not watched has nothing to compare with.
    let (stdout, _, code) = diff(&crate::sample::CLEAN, &after, &[]);
    assert!(stdout.contains("\n  the heap was watched after only\n") && !stdout.contains("MiB"), "{stdout}");
    assert_eq!(code, Some(0));
}

const MIB: u64 = 1 << 20;

#[test]
fn the_page_shows_what_grew_and_shrank() {
    let program = Program::new("diff-page", &["main", "serve", "cache", "log_line"]);
    let (serve, cache, log) = ("main;serve", "main;serve;cache", "main;log_line");
    let rows = [(serve, [9, 9 * MIB], [0, 0], [0, 0]), (log, [5, 5 * MIB], [0, 0], [0, 0])];
    let before = sample::write(&process(1, &program, &rows, 0), "diff-page/before.1.0.shim");
    let rows = [(serve, [9, 9 * MIB], [1, MIB], [0, 0]), (cache, [40, 4 * MIB], [0, 0], [0, 0])];
    let after = sample::write(&process(2, &program, &rows, 0), "diff-page/after.2.0.shim");
    let page = built::scratch().join("diff.html");
    let (stdout, stderr, code) = diff(&before, &after, &["--html", page.to_str().unwrap()]);
    assert_eq!((stdout.as_str(), stderr.as_str(), code), ("", "", Some(0)));
    let script = "
        const seen = [];
        const picture = view.graph.element.firstChild;
        const press = key => picture.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
        const on = () => { const { on } = view.graph.state(); return `${on.id ? brief(on.frame) : 'all'} ${on.before / 1048576} ${on.value / 1048576}`; };
        seen.push(on()); press('ArrowDown'); press('ArrowDown'); seen.push(on());
        press('ArrowRight'); seen.push(on());
        const rows = () => [...document.querySelectorAll('table.rows tbody tr')].map(r => `${r.cells[0].textContent} ${r.cells[5].querySelector('summary').textContent.trim()}`).join(', ');
        seen.push(rows());
        [...document.querySelectorAll('.choice button')].find(b => b.textContent === 'In all').click(); seen.push(rows());
        view.search.value = 'cache'; view.search.dispatchEvent(new Event('input')); seen.push(view.listed);
        document.documentElement.dataset.seen = seen.join('|');
    ";
    let Some(dom) = dom(&driven(&page, script), "") else { return };
    assert_eq!(attribute(&dom, "data-rendered"), 3);
    let seen = &dom[dom.find("data-seen=\"").unwrap() + 11..];
    assert_eq!(
        &seen[..seen.find('"').unwrap()],
        "all 14 12|serve 9 12|log_line 5 0|\
         −5 MiB log_line  gone, +4 MiB cache  new, −1 MiB serve|−5 MiB log_line  gone, +4 MiB cache  new|1"
    );
    assert!(body(&dom).contains("app (pid 1) → app (pid 2)"));
}

#[test]
fn what_the_program_chose_stays_text_in_the_page() {
    let hostile = format!("</script><script>{CANARY}</script><img src=x onerror={CANARY}>");
    let program = Program::new("diff-hostile", &["main", &hostile]);
    let calls = format!("main;{hostile}");
    let clean = sample::write(&process(1, &program, &[("main", [1, 1], [0, 0], [0, 0])], 0), "diff-hostile/a.1.0.shim");
    let memory = process(2, &program, &[(&calls, [1, MIB], [0, 0], [0, 0])], 0);
    record::text::store(
        &record::store::Store::header(&memory).exe,
        format!("/srv/{}", hostile.replace('/', "")).as_bytes(),
    );
    let module = sample::module(&memory, Path::new(&format!("/no{hostile}")), &[]);
    let here = sample::stack(&memory, module, &[0x1235]);
    findings::file(&memory, &sample::double_close(&[sample::party(Role::Here, 3, b"<b>\xff", here)], 1));
    let after = sample::write(&memory, "diff-hostile/b.2.0.shim");
    let page = built::scratch().join("diff-hostile.html");
    assert_eq!(diff(&clean, &after, &["--html", page.to_str().unwrap()]).2, Some(0));
    let source = std::fs::read_to_string(&page).unwrap();
    assert_eq!(source.matches("<script").count(), 2, "the data and our own");
    let Some(dom) = dom(&page, "") else { return };
    let body = body(&dom);
    assert!(!dom.contains("data-canary") && !body.contains("<img") && !body.contains("<b>&lt;"), "{dom}");
    assert!(body.contains("&lt;img src=x onerror=") && body.contains(r"\xff"));
}
