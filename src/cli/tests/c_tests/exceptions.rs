//! What cannot hold on another architecture: `c-tests/exceptions.ARCH`.
//!
//! ```text
//! # a comment
//! heap/redzone_wide: a block of 3 GiB does not fit into 32 bits
//! tiers/*: tiers are for 64-bit processes
//! ~fd/storm: too slow in an emulator, now and then
//! ```
//!
//! Excepted programs run like the others, and are listed with their reasons. An exception under which nothing fails, and one that no
//! program has the name of, is a failure: the file says what is so, no more. With `~` it may also pass.

use crate::{Outcome, Places};
use std::fs;
use std::time::Duration;

pub struct Exceptions {
    file: String,
    list: Vec<Exception>,
}

struct Exception {
    /// A name, or a beginning and `*`.
    pattern: String,
    reason: String,
    may_pass: bool,
}

impl Exceptions {
    pub fn read(places: &Places) -> Result<Self, String> {
        let Some(arch) = &places.arch else { return Ok(Self { file: String::new(), list: Vec::new() }) };
        let path = places.tests.join(format!("exceptions.{arch}"));
        let file = path.display().to_string();
        let text = fs::read_to_string(&path).map_err(|e| format!("{file}: {e}"))?;
        let mut list = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let parts =
                line.split_once(": ").filter(|(pattern, reason)| !pattern.is_empty() && !reason.trim().is_empty());
            let (pattern, reason) = parts.ok_or_else(|| format!("{file}:{}: expected `name: reason`", number + 1))?;
            let (may_pass, pattern) = pattern.strip_prefix('~').map_or((false, pattern), |pattern| (true, pattern));
            list.push(Exception { pattern: pattern.to_owned(), reason: reason.trim().to_owned(), may_pass });
        }
        Ok(Self { file, list })
    }

    /// The first that it falls under.
    pub fn of(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|exception| match exception.pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => exception.pattern == name,
        })
    }

    /// Takes the failures from what is excepted; `all`: every program has run, so one that nothing needs is out of date.
    pub fn apply(&self, outcomes: &mut Vec<Outcome>, all: bool) {
        let mut stale = Vec::new();
        for (index, Exception { pattern, reason, may_pass }) in self.list.iter().enumerate() {
            let mut failed = 0;
            let mut passed = 0;
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.exception == Some(index)) {
                let failures = std::mem::take(&mut outcome.failures);
                *(if failures.is_empty() { &mut passed } else { &mut failed }) += 1;
            }
            if failed > 0 {
                println!("excepted: {pattern} ({failed} of {}): {reason}", failed + passed);
            } else if passed > 0 && !may_pass || all && passed == 0 {
                stale.push(Outcome {
                    name: pattern.clone(),
                    took: Duration::ZERO,
                    failures: vec![format!(
                        "{}: passes without its exception, or is no program: take the line out",
                        self.file
                    )],
                    exception: None,
                });
            }
        }
        outcomes.append(&mut stale);
    }
}
