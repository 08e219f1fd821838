//! `shim report --html`: the page in a real browser, when there is one. Chromium prints the document as it is after the
//! scripts have run; what the program chose must be text in it, and nothing of it may have run.

use crate::installed::{output, parts};
use crate::sample::{self, party};
use crate::{built, sample::write};
use record::findings::{self, Resource};
use record::kind::{Kind, Role};
use record::label::Label;
use record::layout::{Op, Thread};
use record::store::{Logged, Store, entry_or_commit};
use record::text;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;

/// A script that would leave its mark, in the ways in which text becomes one.
pub const CANARY: &str = "document.documentElement.dataset.canary='ran'";

fn browser() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        // Past the harness, which keeps what a test prints to itself.
        let line = format!("skipped: no browser ({}): the page is not tested\n", names.join(", "));
        std::io::stderr().write_all(line.as_bytes()).ok();
    }
    found
}

/// The document after the scripts of the page have run.
pub fn dom(page: &Path, place: &str) -> Option<String> {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["120", browser()?, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", &format!("file://{}{place}", page.display())])
        .output()
        .unwrap();
    let dom = String::from_utf8(output.stdout).unwrap();
    assert!(dom.contains("data-rendered="), "{}\n{dom}", String::from_utf8_lossy(&output.stderr));
    Some(dom)
}

pub fn page(recordings: &Path, name: &str) -> PathBuf {
    let page = built::scratch().join(name);
    let arguments = ["report".as_ref(), "--html".as_ref(), page.as_os_str(), recordings.as_os_str()];
    let (stdout, _, code) = parts(&output(&arguments));
    assert_eq!((stdout.as_str(), code), ("", Some(0)));
    page
}

/// Elements of the document, without what stands in `script`.
pub fn body(dom: &str) -> &str {
    let body = &dom[dom.find("<body").unwrap()..];
    &body[..body.find("<script").unwrap()]
}

/// A number that the page has noted about itself.
pub fn attribute(dom: &str, name: &str) -> u64 {
    let at = dom.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
    dom[at..at + dom[at..].find('"').unwrap()].parse().unwrap()
}

#[test]
fn what_the_program_chose_stays_text() {
    let directory = built::directory("page-hostile/<");
    let hostile = format!("script><script>{CANARY}</script><img src=x onerror=\"{CANARY}\">'\"&amp;");
    // The name of a source file, and a line in it.
    let name = "script><img src=x onerror=canary>.c";
    let code = built::CRASH.replace("close_again(fd);", &format!("close_again(fd); /* </{hostile} */"));
    std::fs::write(directory.join(name), code).unwrap();
    let arguments = ["-g", "-O1", "-fno-inline-functions", "-Wl,--build-id=sha1", "-o", "app", &format!("</{name}")];
    built::gcc(directory.parent().unwrap(), &arguments);
    std::fs::copy(directory.parent().unwrap().join("app"), directory.join("app<b>")).unwrap();
    let built = built::known(&directory.join("app<b>"));

    let memory = sample::crashed(50, &built);
    text::store(&memory.header().exe, format!("/srv/<{hostile}\u{202e}").as_bytes());
    text::store(&memory.header().command, b"app\0</script><script>canary</script>\0\xff\xfe\x1b[31m\0");
    let module = sample::module(&memory, Path::new(&format!("/no/<{hostile}")), &[]);
    let stack = sample::stack(&memory, module, &[0x1235]);
    let thread = b"<b>\"\xff\xe2\x80\xae</b>";
    let mut report =
        sample::double_close(&[party(Role::Here, 14, thread, stack), party(Role::Closed, 2, b"</script>", 0)], 1);
    report.label = Label::path(b"/tmp/<img src=x onerror=canary()>");
    report.resource = Resource::Descriptor { fd: 9, kind: 1, owner_kind: 0, owner: 0, generation: 1 };
    findings::file(&memory, &report);
    let entry = entry_or_commit::<Thread>(&memory, 1).unwrap();
    entry.tid.store(15, Relaxed);
    text::store(&entry.name, thread);
    entry.state.store(1, Relaxed);
    for (time, op) in [(1000, Op::Open), (2000, Op::Close)] {
        entry.log(Logged { time, op, errno: 0, fd: 9, detail: 1, stack });
    }
    let recording = write(&memory, "page-hostile.shim");
    let page = page(&recording, "hostile.html");

    let source = std::fs::read_to_string(&page).unwrap();
    let start = source.find("id=\"data\">").unwrap() + 10;
    let data = &source[start..start + source[start..].find("</script>").unwrap()];
    assert!(!data.contains(['<', '>', '&', '\u{202e}']));
    let value: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(value["findings"].as_array().unwrap().len(), 2);
    assert_eq!(
        source.matches("http").count(),
        source.matches("http-equiv").count() + source.matches("http://www.w3.org/2000/svg").count()
    );

    for place in ["", "#finding-2", "#lifelines", "#processes", "#kinds"] {
        let Some(dom) = dom(&page, place) else { return };
        let body = body(&dom);
        assert!(!dom.contains("data-canary") && !body.contains("<img") && !body.contains("<b>\""), "{place}: {dom}");
        assert!(!dom.contains(['\u{202e}', '\u{1b}']), "{place}");
        let expected: &[&str] = match place {
            "#finding-2" => &["&lt;b&gt;", r"\xff", "/tmp/&lt;img src=x onerror=canary()&gt;", "&lt;/script&gt;"],
            "#lifelines" => &[r"&lt;b&gt;\x22\xff", "fd 9"],
            "#processes" => &["&lt;/script&gt;&lt;script&gt;canary", r"\xff\xfe\x1b[31m"],
            _ => &["&lt;script&gt;document.documentElement"],
        };
        let unquoted = body.replace("\\\"", "\"");
        for text in expected {
            let found = unquoted.contains(text)
                || unquoted.contains(&text.replace(r"\x22", "\""))
                || unquoted.contains(&text.replace(r"\x22", "&quot;"));
            assert!(found, "{place}: {text}\n{body}");
        }
    }
}

#[test]
fn ten_thousand_findings_are_there_in_two_seconds() {
    let directory = built::directory("page-many");
    for pid in 1..=10 {
        let memory = sample::process(pid);
        let module = sample::module(&memory, Path::new("/srv/app"), &[1; 20]);
        for number in 0..1000u64 {
            let at = u64::from(pid) << 32 | number << 8;
            let here = sample::stack(&memory, module, &[at + 1, at + 2, at + 3]);
            let closed = sample::stack(&memory, module, &[at + 4, at + 5]);
            findings::file(
                &memory,
                &sample::double_close(
                    &[party(Role::Here, 1, b"io", here), party(Role::Closed, 2, b"", closed)],
                    number,
                ),
            );
        }
        std::fs::write(directory.join(format!("{pid}.shim")), memory.to_bytes()).unwrap();
    }
    let page = page(&directory, "many.html");
    let Some(dom) = dom(&page, "") else { return };
    let attribute = |name: &str| attribute(&dom, name);
    assert_eq!(attribute("data-findings"), 10_000);
    assert!(attribute("data-rendered") < 2000, "{} ms", attribute("data-rendered"));
    // All of them are there to scroll to, few of them are elements.
    let items = body(&dom).matches("class=\"item ").count();
    assert!((5..100).contains(&items), "{items}");
    assert!(dom.contains(&format!("height: {}px", 10_000 * 74)));
}

/// The page with a script more, which the policy would not let run.
pub fn driven(page: &Path, script: &str) -> PathBuf {
    let source = std::fs::read_to_string(page).unwrap();
    let at = source.find("<meta http-equiv").unwrap();
    let end = at + source[at..].find('>').unwrap() + 1;
    let driven = page.with_extension("driven.html");
    let extra = format!("<script>{script}</script></body>");
    std::fs::write(&driven, format!("{}{}", &source[..at], source[end..].replace("</body>", &extra))).unwrap();
    driven
}

#[test]
fn the_keys_lead_through_the_page() {
    let directory = built::directory("page-keys");
    let crash = built::crash(&directory, &["-g"]);
    let memory = sample::crashed(60, &crash);
    findings::file(&memory, &sample::owned());
    findings::file(&memory, &sample::info());
    let page = page(&write(&memory, "page-keys.shim"), "keys.html");
    let script = "
        const seen = [];
        const press = key => (document.activeElement || document.body).dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
        const on = () => document.querySelector('.item.on .tag').textContent;
        const view = () => document.querySelector('[aria-selected=true][role=tab]').dataset.view;
        seen.push(on());
        press('j'); seen.push(on());
        press('ArrowDown'); seen.push(on());
        press('k'); seen.push(on());
        press('/'); seen.push(document.activeElement.type);
        list.search.value = 'on_closed crash.c'; refilter(); seen.push(list.shown.length, on());
        press('Escape'); seen.push(list.shown.length, document.activeElement.className);
        press('Enter'); seen.push(document.activeElement.className);
        press('Escape');
        press('2'); seen.push(view());
        lines.chart.focus();
        press('ArrowRight'); seen.push(document.querySelectorAll('svg .on').length, byId('tip').hidden);
        const width = lines.to - lines.from;
        press('+'); seen.push(lines.to - lines.from < width);
        press('0'); seen.push(Math.round(lines.to - lines.from) === Math.round(width));
        press('3'); seen.push(view());
        const before = document.documentElement.dataset.theme;
        press('t'); seen.push(document.documentElement.dataset.theme !== before);
        press('?'); seen.push(byId('keys').open);
        byId('keys').close();
        paper(); seen.push(document.querySelectorAll('#paper .one').length);
        document.documentElement.dataset.seen = seen.join(' ');
    ";
    let Some(dom) = dom(&driven(&page, script), "") else { return };
    let at = dom.find("data-seen=\"").expect("the script ran to its end") + 11;
    let expected = "fd.double-close fd.owner fd.bad-fd fd.owner search 1 fd.double-close 3 list detail lifelines 1 false true true curves true true 3";
    assert_eq!(&dom[at..at + dom[at..].find('"').unwrap()], expected);
    // The same script under the policy of the page does nothing: it is the policy that keeps it from running.
    let with_policy =
        std::fs::read_to_string(&page).unwrap().replace("</body>", &format!("<script>{CANARY}</script></body>"));
    let path = page.with_extension("policy.html");
    std::fs::write(&path, with_policy).unwrap();
    assert!(!self::dom(&path, "").unwrap().contains("data-canary"));
}

#[test]
fn the_lives_of_a_number_and_the_leaks_are_drawn() {
    let memory = sample::process(70);
    let module = sample::module(&memory, Path::new("/srv/app"), &[1; 20]);
    let [open, close, again] = [16u64, 32, 48].map(|at| sample::stack(&memory, module, &[at]));
    for (index, tid, name, events) in [
        (0, 21, "client", vec![(1000, Op::Open, 1, open), (2000, Op::Close, 1, close), (4000, Op::Close, 2, again)]),
        (1, 22, "uploader", vec![(3000, Op::Open, 2, open)]),
    ] {
        let thread = entry_or_commit::<Thread>(&memory, index).unwrap();
        thread.tid.store(tid, Relaxed);
        text::store(&thread.name, name.as_bytes());
        thread.state.store(1, Relaxed);
        for (time, op, detail, stack) in events {
            thread.log(Logged { time, op, errno: 0, fd: 4, detail, stack });
        }
    }
    let mut report = sample::double_close(
        &[
            party(Role::Here, 21, b"client", again),
            party(Role::Closed, 21, b"client", close),
            party(Role::Victim, 22, b"uploader", open),
        ],
        5000,
    );
    report.kind = Kind::FdStaleClose;
    report.resource = Resource::Descriptor { fd: 4, kind: 4, owner_kind: 0, owner: 0, generation: 2 };
    findings::file(&memory, &report);
    let mut leak = sample::double_close(&[party(Role::Opened, 21, b"client", open)], 6000);
    leak.kind = Kind::FdLeak;
    let mut tcp = [0; record::findings::TCP_STATES];
    (tcp[8], tcp[5]) = (30, 12);
    leak.resource = Resource::Leak(findings::Leak { fd: 8, kind: 4, count: 42, tcp, ..Default::default() });
    findings::file(&memory, &leak);
    for (time, open_now) in [(1, 2), (100_000_001, 30), (200_000_002, 60)] {
        if let Some(site) = record::sites::of(&memory, open) {
            (0..open_now).for_each(|_| site.opened(time));
        }
        record::samples::take(&memory, time, open_now, 1024);
    }
    let page = page(&write(&memory, "page-lives.shim"), "lives.html");
    let Some(first) = dom(&page, "") else { return };
    // Four events and the victim, two lanes, two lives.
    for (text, times) in [("opens 4", 2), ("closes 4", 2), ("loses it", 1), (">client<", 1), (">uploader<", 1)] {
        let story = &first[first.find("class=\"story\"").unwrap()..];
        let story = &story[..story.find("</svg>").unwrap()];
        let story = &story[story.find("aria-label").unwrap()..];
        let story = &story[story.find('>').unwrap()..];
        assert_eq!(story.matches(text).count(), times, "{text}: {story}");
    }
    let lifelines = dom(&page, "#lifelines").unwrap();
    let lifelines = &body(&lifelines)[body(&lifelines).find("id=\"view-lifelines\"").unwrap()..];
    assert_eq!(lifelines.matches("class=\"life ").count(), 2);
    assert_eq!(lifelines.matches("class=\"offender cross\"").count(), 2, "one mark, one in the legend");
    let curves = dom(&page, "#curves").unwrap();
    assert!(body(&curves).contains("60 open at most, of 1,024 allowed") && body(&curves).contains("<path d=\"M"));
    let tcp = dom(&page, "#tcp").unwrap();
    assert!(body(&tcp).contains("30 CLOSE_WAIT") && body(&tcp).contains("12 FIN_WAIT2"), "{}", body(&tcp));
}

#[test]
fn a_page_of_nothing_says_so() {
    let page = page(&sample::CLEAN, "clean.html");
    let Some(dom) = dom(&page, "") else { return };
    assert!(body(&dom).contains("Nothing found.") && !body(&dom).contains("class=\"item"));
    let nowhere = Path::new("/no/such/directory/page.html");
    let arguments = ["report".as_ref(), "--html".as_ref(), nowhere.as_os_str(), sample::CLEAN.as_os_str()];
    let expected = "shim: /no/such/directory/page.html: No such file or directory\n";
    assert_eq!(parts(&output(&arguments)), (String::new(), expected.to_owned(), Some(1)));
}
