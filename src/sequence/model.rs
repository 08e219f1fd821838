//! What the calls of a program answer, and which of them are faults: libc, the kernel and the documents of shim, in a few naive
//! tables. One thread, one process (a forked child ends at once).
//!
//! A step that would end the program, wait for ever, or do what nobody documents is left out of it ([`Play::skip`]); so a program
//! may be a little different from mode to mode.

mod blocks;
mod descriptors;
mod keys;
mod locks;

use crate::mode::Mode;
use crate::steps::Step;

/// A finding: its kind and severity, how often, and which step each of its stacks is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub kind: String,
    pub severity: &'static str,
    pub count: u64,
    pub stacks: Vec<(&'static str, usize)>,
}

/// What is expected of a program.
#[derive(Debug, Default)]
pub struct Expected {
    /// For program.c.
    pub program: String,
    /// Result and errno of each step.
    pub answers: Vec<(i64, i32)>,
    /// In order; empty where nobody watches.
    pub findings: Vec<Found>,
}

/// One step, as a family plays it.
pub struct Play<'a> {
    pub step: Step,
    /// Its number.
    pub at: usize,
    pub mode: &'a Mode,
    findings: &'a mut Vec<Found>,
    is_skipped: bool,
}

impl Play<'_> {
    /// The step is left out.
    fn skip(&mut self) -> (i64, i32) {
        self.is_skipped = true;
        (0, 0)
    }

    fn finds(&mut self, kind: &str, severity: &'static str, stacks: &[(&'static str, usize)]) {
        found(self.findings, kind, severity, 1, stacks);
    }
}

fn found(findings: &mut Vec<Found>, kind: &str, severity: &'static str, count: u64, stacks: &[(&'static str, usize)]) {
    let mut stacks = stacks.to_vec();
    stacks.sort_unstable();
    findings.push(Found { kind: kind.to_owned(), severity, count, stacks });
}

/// Plays the program in the tables.
pub fn predict(steps: &[Step], mode: &Mode) -> Expected {
    let mut expected = Expected::default();
    let mut descriptors = descriptors::Descriptors::default();
    let mut blocks = blocks::Blocks::default();
    let mut keys = keys::Keys::default();
    let mut locks = locks::Locks::default();
    for (at, step) in steps.iter().enumerate() {
        let mut play = Play { step: *step, at, mode, findings: &mut expected.findings, is_skipped: false };
        let answer = match step.what {
            'N' | 'S' | 'P' | 'c' | 'd' | 'D' | '2' | 's' | 'f' => descriptors.play(&mut play),
            'm' | 'n' | 'z' | 'r' | 'x' | 'k' | 'i' | 'l' => blocks.play(&mut play),
            'K' | 'X' | 'T' | 'G' => keys.play(&mut play),
            'I' | 'L' | 't' | 'U' | 'Z' | 'J' | 'R' | 'W' | 'V' | 'Q' => locks.play(&mut play),
            // The child.
            _ => (0, 0),
        };
        let what = if play.is_skipped { '-' } else { step.what };
        expected.answers.push(answer);
        expected.program.extend([what, digit(step.a), digit(step.b)]);
    }
    descriptors.end(&mut expected.findings);
    blocks.end(mode, &mut expected.findings);
    expected.findings.sort_unstable();
    if !mode.is_watched {
        expected.findings.clear();
    }
    expected
}

fn digit(place: usize) -> char {
    char::from(b'0' + place as u8)
}
