//! UPDATE_EXPECT=1 says when it has changed what is expected, and only then: the runner of the C tests then fails.
#![allow(clippy::expect_used, dead_code)] // A test may end so; the runner uses the rest.

#[path = "c_tests/expect.rs"]
mod expect;

use expect::Expectation;

const TEXT: &str = "\
# A comment.

[observe,  protect]
# Another.
fd.double-close  error count=1 here=main:3
fd.bad-fd error count=1 here=main:2

[off]
findings: any
";

fn found(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

const BAD: &str = "fd.bad-fd error count=1 here=main:2";
const TWICE: &str = "fd.double-close error count=1 here=main:3";

#[test]
fn what_is_as_expected_is_no_change_however_it_was_written() {
    let mut expectation = Expectation::parse(TEXT).expect("a file");
    assert!(!expectation.bless(&[found(&[BAD, TWICE]), found(&[BAD, TWICE]), found(&["fd.leak info count=1"])]));
}

#[test]
fn one_finding_more_or_less_in_one_section_is_a_change() {
    for other in [&[BAD][..], &[BAD, TWICE, "fd.leak error count=1"], &[]] {
        let mut expectation = Expectation::parse(TEXT).expect("a file");
        assert!(expectation.bless(&[found(&[BAD, TWICE]), found(other), found(&[])]));
        // And then it is expected.
        let mut again = Expectation::parse(&expectation.write()).expect("what was written");
        assert!(!again.bless(&[found(&[BAD, TWICE]), found(other), found(&[])]));
    }
}
