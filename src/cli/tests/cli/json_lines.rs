//! The line of JSON that the library writes: the same schema as `shim report --json`, whatever the names are.

use crate::installed::{output, parts};
use crate::sample::{self, party};
use record::findings::{self, Key, Leak, Limit, Lock, Report, Resource, TCP_STATES};
use record::json::{self, Frame};
use record::kind::{Kind, Role};
use record::label::{Endpoint, Label};
use record::text::Line;
use serde_json::Value;
use std::path::Path;

fn line(report: &Report, room: usize, stack: &[Frame]) -> Option<String> {
    let mut buffer = vec![0; room];
    let mut line = Line::new(&mut buffer);
    let mut frames = |id: u32, most: usize, each: &mut dyn FnMut(&Frame)| {
        if id != 0 {
            stack.iter().take(most).for_each(each);
        }
    };
    let name = |kind| track::fd::FdKind::from_bits(kind).name();
    let whole = json::write(report, 12, 3, name, &mut frames, &mut line);
    whole.then(|| String::from_utf8(line.as_bytes().to_vec()).unwrap())
}

fn parsed(line: &str) -> Value {
    assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line:?}");
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

#[test]
fn it_is_the_line_of_the_report() {
    let key = Key { index: 3, state: 6, owner: 1, variable: 1, value: 0x55, live: 9, limit: 1024, errno: 22 };
    let lock = Lock { address: 0x77, kind: 1, place: 1, other: 0x88, other_place: 1, ..Lock::default() };
    for (name, report) in [
        ("double", sample::double_close(&[party(Role::Here, 14, b"wo\"rk", 1), party(Role::Closed, 13, b"", 0)], 5)),
        ("owned", sample::owned()),
        ("info", sample::info()),
        (
            "leak",
            Report {
                kind: Kind::FdLeak,
                resource: Resource::Leak(Leak { fd: 9, kind: 4, count: 3, ..Leak::default() }),
                ..sample::info()
            },
        ),
        ("limit", Report { kind: Kind::FdLimit, resource: Resource::Limit(Limit::default()), ..sample::info() }),
        (
            "key",
            Report {
                kind: Kind::KeyForeign,
                resource: Resource::Key(key),
                detail: b"pthread_setspecific",
                ..sample::info()
            },
        ),
        ("lock", Report { kind: Kind::LockFailed, resource: Resource::Lock(lock), ..sample::info() }),
        ("stale", Report { kind: Kind::FdStaleClose, ..sample::double_close(&[party(Role::Here, 1, b"x", 1)], 5) }),
    ] {
        let memory = sample::process(12);
        // Without a file the command knows module and offset only, as the library does.
        let module = sample::module(&memory, Path::new("/no/such/app"), &[]);
        let mut filed = report;
        for party in &mut filed.parties {
            party.stack = if party.stack == 0 { 0 } else { sample::stack(&memory, module, &[0x11f1, 0x2001]) };
        }
        let place = sample::stack(&memory, module, &[0x11f1]);
        match &mut filed.resource {
            Resource::Key(key) => (key.owner, key.variable) = (place, place),
            Resource::Lock(lock) => (lock.place, lock.other_place) = (place, place),
            _ => {}
        }
        (0..3).for_each(|_| {
            findings::file(&memory, &filed);
        });
        let recording = sample::write(&memory, &format!("json-lines-{name}.shim"));
        let (expected, ..) = parts(&output(&["report".as_ref(), "--json".as_ref(), recording.as_os_str()]));
        let frame = |offset| Frame { function: None, module: Some(b"/no/such/app"), offset };
        assert_eq!(line(&report, 4096, &[frame(0x11f0), frame(0x2000)]).unwrap(), expected, "{name}");
    }
}

#[test]
fn hostile_names_are_parsed_back() {
    for (name, means) in [
        (&b"a\"b\\c"[..], "a\"b\\c"),
        (b"\x1b[31m\n\r\t\x01\x7f", "\x1b[31m\n\r\t\x01\x7f"),
        (b"sixteen bytes !!", "sixteen bytes !!"),
        (b"\xff\xfeok\xc3", "\u{fffd}\u{fffd}ok\u{fffd}"),
        ("Grüße\u{202e}\u{2028}".as_bytes(), "Grüße\u{202e}\u{2028}"),
        // Cut inside a character, as the kernel does.
        ("123456789012345ü".as_bytes().split_at(16).0, "123456789012345\u{fffd}"),
    ] {
        let mut report = sample::double_close(&[party(Role::Here, 14, name, 1), party(Role::Closed, 13, name, 1)], 5);
        report.label = Label::endpoints(Some(Endpoint::Unix(name)), None);
        let frame = Frame { function: Some(name), module: Some(name), offset: u64::MAX };
        let line = line(&report, 4096, &[frame, Frame { function: None, module: None, offset: 0 }]).unwrap();
        let bad = line.trim_end().chars().find(|c| c.is_control() || ('\u{2028}'..='\u{202e}').contains(c));
        assert_eq!(bad, None, "{line:?}");
        let value = parsed(&line);
        assert_eq!(value["thread"], means);
        let frames = &value["stacks"][1]["frames"];
        assert_eq!((&frames[0]["function"], &frames[0]["module"]), (&means.into(), &means.into()));
        assert_eq!(frames[0]["offset"], "0xffffffffffffffff");
        assert_eq!(frames[1], serde_json::json!({"offset": "0x0"}));
        assert!(value["message"].as_str().unwrap().contains("closed here by thread 14 \""), "{line}");
    }
}

#[test]
fn what_does_not_fit_loses_frames_and_stays_whole() {
    let parties = [party(Role::Here, 1, b"a", 1), party(Role::Closed, 2, b"b", 2), party(Role::Opened, 3, b"c", 3)];
    let report = sample::double_close(&parties, 5);
    let path = b"/opt/\"vendor\"/".repeat(10);
    let frame = Frame { function: Some(b"a_function_with_quite_a_long_name"), module: Some(&path), offset: 0x1234 };
    let stack = [frame; 64];
    let all = parsed(&line(&report, 1 << 20, &stack).unwrap());
    assert_eq!(all["stacks"][2]["frames"].as_array().unwrap().len(), 64);
    let mut kept = Vec::new();
    for room in (0..8192).step_by(11) {
        let Some(line) = line(&report, room, &stack) else { continue };
        assert!(line.len() < room.max(1));
        let value = parsed(&line);
        let len = |i: usize| value["stacks"][i]["frames"].as_array().unwrap().len();
        assert_eq!((len(0), len(1)), (len(1), len(2)), "all stacks alike");
        assert_eq!(value["stacks"].as_array().unwrap().len(), 3);
        kept.push(len(0));
    }
    assert!(kept.is_sorted() && kept[0] == 0 && *kept.last().unwrap() > 4, "{kept:?}");
}

#[test]
fn the_longest_finding_fits_into_what_a_pipe_keeps_whole() {
    // Each byte becomes four of the sentence, of which one is escaped again.
    let bell = [7u8; 16];
    let roles = [Role::Here, Role::Closed, Role::Opened, Role::Victim, Role::Freed, Role::Allocated];
    let mut report = sample::double_close(&roles.map(|role| party(role, u32::MAX, &bell, 1)), 5);
    report.label = Label::path(&[b'\\'; 4000]);
    report.thread = bell;
    report.detail = &[7; 112];
    let leak = Leak {
        fd: -1,
        count: u32::MAX,
        errno: 111,
        call: 1,
        ending: 3,
        tcp: [u32::MAX; TCP_STATES],
        ..Leak::default()
    };
    let limit = Limit {
        open: u64::MAX / 100,
        limit: u64::MAX,
        places: [(u32::MAX, u32::MAX); 6],
        over: u64::MAX,
        ..Limit::default()
    };
    let most = u32::MAX;
    let key = Key { index: most, owner: 1, variable: 1, value: u64::MAX, live: most, limit: most, errno: 22, state: 6 };
    for resource in [report.resource, Resource::Leak(leak), Resource::Limit(limit), Resource::Key(key), Resource::None]
    {
        for kind in Kind::ALL {
            (report.kind, report.resource) = (*kind, resource);
            parsed(&line(&report, 4096, &[]).unwrap());
        }
    }
}
