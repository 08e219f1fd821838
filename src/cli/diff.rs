//! `shim diff A B`: what grew and shrank on the heap by call stack, and which findings are new, gone, or more.
//!
//! ```text
//! A ─→ recordings ─→ merge, profile ─┐
//!                                    ├─ keys: what is the same on both sides ─→ rows ─→ text, json, html
//! B ─→ recordings ─→ merge, profile ─┘
//! ```
//!
//! Each side may be many recordings, of as many processes: they are summed first, as `shim report` and `shim heap` do.

mod findings;
mod heap;
mod html;
mod json;
mod keys;
mod text;

use crate::args::DiffArgs;
use crate::heap::extract;
use crate::heap::profile::{Measure, Profile};
use crate::merge::{Extract, Merge, Merged, Sort, read_each};
use crate::message::{Failure, exit, say};
use crate::symbolise::Symboliser;
use crate::target;
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Call stacks and findings that the text shows.
const SHOWN: usize = 20;

/// One of the two that are compared.
pub struct Side {
    pub profile: Profile,
    pub findings: Vec<Merged>,
    pub recordings: usize,
    /// What is missing of the findings, in words.
    pub losses: Option<String>,
    failed: bool,
}

/// How two numbers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    New,
    Gone,
    Changed,
    Same,
}

impl State {
    /// `None` is what is not there at all.
    pub fn of(before: Option<u64>, after: Option<u64>) -> Self {
        match (before, after) {
            (None, Some(_)) => Self::New,
            (Some(_), None) => Self::Gone,
            (before, after) if before == after => Self::Same,
            _ => Self::Changed,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::Same => "same",
        }
    }
}

/// Both sides, and the rows of their difference.
pub struct Difference<'a> {
    pub before: &'a Side,
    pub after: &'a Side,
    pub by: Measure,
    pub sites: Vec<heap::Row<'a>>,
    pub findings: Vec<findings::Row<'a>>,
}

pub fn diff(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let mut symbols = Symboliser::default();
    let by = args.by.unwrap_or_else(|| {
        let none = |measure| [&before, &after].iter().all(|side| side.profile.sum(measure).bytes == 0);
        if none(Measure::Live) && !none(Measure::Peak) { Measure::Peak } else { Measure::Live }
    });
    let mut keys = keys::Keys::new(&before, &after);
    let difference = Difference {
        by,
        sites: heap::rows(&before.profile, &after.profile, by, &mut keys, &mut symbols),
        findings: findings::rows(&before.findings, &after.findings, &mut keys, &mut symbols),
        before: &before,
        after: &after,
    };
    let limit = args.limit.unwrap_or(if args.json { usize::MAX } else { SHOWN });
    if let Some(to) = &args.html {
        html::write(&difference, to, &mut symbols)?;
    } else {
        let mut out = BufWriter::new(io::stdout().lock());
        if args.json {
            json::write(&difference, limit, &mut symbols, &mut out)?;
        } else {
            text::write(&difference, limit, args.stacks, &mut symbols, &mut out)?;
        }
        out.flush()?;
    }
    symbols.take_problems().iter().for_each(say);
    Ok(if before.failed || after.failed { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

/// All recordings of a side; a failure when there is none to read.
fn read(named: &OsStr) -> Result<Side, Failure> {
    let found = target::files(&[named.to_owned()]);
    found.problems.iter().for_each(say);
    let sums = Mutex::new((Merge::default(), Profile::default()));
    let problems = read_each(&found.files, &|number, recording| {
        let findings = Extract::new(recording, &|_| true, &|_| true);
        let heap = extract::Extract::new(recording);
        let (merge, profile) = &mut *sums.lock().unwrap_or_else(PoisonError::into_inner);
        merge.take(number, &findings);
        profile.take(number, &heap);
    });
    problems.iter().for_each(say);
    let (mut merge, mut profile) = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    if merge.recordings == 0 {
        // Why has been said.
        return Err(Failure::new(exit::PARTLY, ""));
    }
    profile.finish();
    Ok(Side {
        profile,
        findings: merge.findings(Sort::Severity).collect(),
        recordings: merge.recordings,
        losses: merge.losses(),
        failed: !found.problems.is_empty() || !problems.is_empty(),
    })
}
