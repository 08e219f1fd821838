//! What each finding says, word for word.

use crate::sample;
use record::findings::{Involved, Report, Resource};
use record::kind::{Kind, Role};
use record::label::Label;
use record::sentence;
use record::text::Line;

fn said(report: &Report) -> String {
    let mut buffer = [0; 1024];
    let mut line = Line::new(&mut buffer);
    sentence::write(report, |kind| if kind == 4 { "tcp" } else { "file" }, &mut line);
    String::from_utf8(line.as_bytes().to_vec()).expect("utf-8")
}

#[test]
fn a_double_close() {
    assert_eq!(
        said(&sample::double_close(1, 2, 3)),
        "double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread 14 \"worker\", already closed by thread 13 \"io\""
    );
}

#[test]
fn parties_that_nobody_saw() {
    let mut report = sample::double_close(1, 2, 3);
    report.parties[1] = Involved::default();
    assert!(said(&report).ends_with("already closed where shim could not see it"));
}

#[test]
fn an_owner_and_hostile_names() {
    let mut report = sample::double_close(1, 0, 3);
    report.kind = Kind::FdOwner;
    report.resource = Resource::Descriptor { fd: 5, kind: 1, owner_kind: 1, owner: 0x5581, generation: 1 };
    report.label = Label::path(b"/tmp/\x1b[31m");
    report.parties[0].thread = sample::name("\u{7}bell");
    report.parties[1] = Involved::default();
    report.parties[2].role = Some(Role::Opened);
    assert_eq!(
        said(&report),
        r#"close of fd 5 (file /tmp/\x1b[31m), which belongs to FILE* 0x5581: here by thread 14 "\x07bell", opened by thread 12 "app""#
    );
}
