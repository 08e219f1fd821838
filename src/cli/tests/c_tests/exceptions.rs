//! What cannot hold elsewhere: `c-tests/exceptions.ARCH` on another architecture, `exceptions.LIBC` with another libc,
//! `exceptions.LIBC-ARCH` with that libc on that architecture only.
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

use crate::{Outcome, Places, Verdict};
use std::fs;
use std::path::Path;
use std::time::Duration;

pub struct Exceptions {
    list: Vec<Exception>,
}

struct Exception {
    file: String,
    /// A name, or a beginning and `*`.
    pattern: String,
    reason: String,
    may_pass: bool,
}

impl Exception {
    fn covers(&self, name: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => self.pattern == name,
        }
    }
}

impl Exceptions {
    /// An architecture has its file; a libc need not have one.
    pub fn read(places: &Places) -> Result<Self, String> {
        let mut list = Vec::new();
        if let Some(arch) = &places.arch {
            read_file(&places.tests.join(format!("exceptions.{arch}")), &mut list)?;
        }
        if let Some(libc) = &places.libc {
            let both = places.arch.as_ref().map(|arch| format!("exceptions.{libc}-{arch}"));
            for name in [Some(format!("exceptions.{libc}")), both].into_iter().flatten() {
                let file = places.tests.join(name);
                if file.exists() {
                    read_file(&file, &mut list)?;
                }
            }
        }
        Ok(Self { list })
    }

    /// Takes the failures from what is excepted; `all`: every program has run, so one that nothing needs is out of date.
    pub fn apply(&self, outcomes: &mut Vec<Outcome>, all: bool) {
        let mut stale = Vec::new();
        for exception @ Exception { file, pattern, reason, may_pass } in &self.list {
            let mut failed = 0;
            let mut passed = 0;
            for outcome in outcomes.iter_mut().filter(|outcome| exception.covers(&outcome.name)) {
                match &outcome.verdict {
                    Verdict::Passed => passed += 1,
                    Verdict::Skipped => {}
                    Verdict::Failed(_) | Verdict::Excepted => {
                        failed += 1;
                        outcome.verdict = Verdict::Excepted;
                    }
                }
            }
            if failed > 0 {
                println!("excepted: {pattern} ({failed} of {}): {reason}", failed + passed);
            } else if passed > 0 && !may_pass || all && passed == 0 {
                stale.push(Outcome {
                    name: pattern.clone(),
                    took: Duration::ZERO,
                    verdict: Verdict::Failed(vec![format!(
                        "{file}: passes without its exception, or is no program: take the line out"
                    )]),
                });
            }
        }
        outcomes.append(&mut stale);
    }
}

fn read_file(path: &Path, list: &mut Vec<Exception>) -> Result<(), String> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| format!("{file}: {e}"))?;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let parts = line.split_once(": ").filter(|(pattern, reason)| !pattern.is_empty() && !reason.trim().is_empty());
        let (pattern, reason) = parts.ok_or_else(|| format!("{file}:{}: expected `name: reason`", number + 1))?;
        let (may_pass, pattern) = pattern.strip_prefix('~').map_or((false, pattern), |pattern| (true, pattern));
        let (file, pattern, reason) = (file.clone(), pattern.to_owned(), reason.trim().to_owned());
        list.push(Exception { file, pattern, reason, may_pass });
    }
    Ok(())
}
