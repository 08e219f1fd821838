//! A function per kind of input; each file says what it claims.

pub mod flexmalloc;
pub mod names;
pub mod options;
pub mod recording;
pub mod report;
pub mod rules;
pub mod snapshots;
pub mod suppressions;
pub mod symbols;
pub mod unwind;

/// A line for a person: one, whole, and nothing in it that a terminal obeys.
fn assert_one_line(line: &str) {
    assert!(!line.is_empty(), "an empty line");
    assert!(!line.chars().any(char::is_control), "control characters: {line:?}");
}

/// The next number out of the bytes; zeros when there are none.
fn number(bytes: &mut &[u8]) -> u64 {
    let (head, rest) = bytes.split_at(bytes.len().min(8));
    *bytes = rest;
    head.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
