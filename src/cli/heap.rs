//! `shim heap`: who allocated what lives, lived at the peak, was allocated in all, or is lost.
//!
//! ```text
//! paths, PIDs ─→ recordings ─→ extract (two readers) ─→ profile ─→ text, json
//!                                                               ─→ names ─→ export: collapsed, pprof, firefox, csv, flamegraph
//! ```
//!
//! The numbers are in the recordings already, added up in place per call stack (`record::heap`); here equal stacks of
//! several processes become one, and calls get names.

pub mod export;
pub mod extract;
pub mod json;
pub mod names;
pub mod profile;
pub mod text;

use crate::args::HeapArgs;
use crate::merge::read_each;
use crate::message::{Failure, exit, say};
use crate::symbolise::Symboliser;
use crate::target;
use export::Format;
use extract::Extract;
use names::Names;
use profile::{Measure, Profile};
use record::heap::level;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Call stacks that the text shows.
const SHOWN: usize = 20;

pub fn heap(args: &HeapArgs) -> Result<ExitCode, Failure> {
    let export = args.export.map(|format| export::Target::new(format, args.output.as_deref())).transpose()?;
    let found = target::files(&args.targets);
    found.problems.iter().for_each(say);
    let (profile, problems) = read(&found.files);
    problems.iter().for_each(say);
    let failed = !found.problems.is_empty() || !problems.is_empty();
    if profile.processes.is_empty() {
        // Somebody has said already why nothing could be read.
        return if profile.unwatched == 0 {
            Err(Failure::new(exit::PARTLY, ""))
        } else {
            Err(unwatched(&profile, &found.files))
        };
    }
    let by = args.by.unwrap_or_else(|| default_measure(&profile));
    let all_measures = args.json || args.export.is_some_and(Format::has_all_measures);
    let entries = if all_measures { profile.all(by) } else { profile.by(by) };
    let limit = args.limit.unwrap_or(if export.is_some() || args.json { usize::MAX } else { SHOWN });
    let shown = &entries[..entries.len().min(limit)];
    let mut symbols = Symboliser::default();
    let mut names = Names::new(&profile, &mut symbols);
    if let Some(target) = export {
        if entries.is_empty() {
            let why = format!("there are no call stacks with anything {}: {}", by.words(), advice(&profile, by));
            return Err(Failure::new(exit::PARTLY, format!("export: {why}")));
        }
        target.write(&profile, shown, by, &mut names)?;
    } else {
        let mut out = BufWriter::new(io::stdout().lock());
        if args.json {
            json::write(&profile, shown, &mut names, &mut out)?;
        } else {
            text::head(&profile, &mut out)?;
            text::sites(&profile, &entries, shown.len(), by, args.stacks, &mut names, &mut out)?;
        }
        out.flush()?;
    }
    symbols.take_problems().iter().for_each(say);
    Ok(if failed { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

/// What was allocated last is asked for first: what lives, or, where nothing does, what lived.
fn default_measure(profile: &Profile) -> Measure {
    if profile.by(Measure::Live).is_empty() && !profile.by(Measure::Peak).is_empty() {
        Measure::Peak
    } else {
        Measure::Live
    }
}

/// Reads the files; what is wrong with them, one line each.
pub fn read(files: &[PathBuf]) -> (Profile, Vec<String>) {
    let profile = Mutex::new(Profile::default());
    let problems = read_each(files, &|number, recording| {
        let extract = Extract::new(recording);
        profile.lock().unwrap_or_else(PoisonError::into_inner).take(number, &extract);
    });
    let mut profile = profile.into_inner().unwrap_or_else(PoisonError::into_inner);
    profile.finish();
    (profile, problems)
}

pub fn unwatched(profile: &Profile, files: &[PathBuf]) -> Failure {
    let who = match files {
        [one] => format!("{}: has nothing", crate::escape::shown(one)),
        more => format!("none of these {} recordings has anything", more.len()),
    };
    let why = match &profile.elsewhere {
        Some(module) => format!("malloc is that of {}, not ours", crate::escape::bytes(module)),
        None => "run it with heap=sites or heap=full".to_owned(),
    };
    Failure::new(exit::PARTLY, format!("{who} of the heap: {why}"))
}

/// What to do to see more.
pub fn advice(profile: &Profile, by: Measure) -> &'static str {
    let all = profile.together();
    if all.level == level::COUNT {
        "heap=count keeps totals only; heap=sites or heap=full keeps call stacks too"
    } else if by == Measure::Lost && !all.looked {
        "nobody has looked for leaks"
    } else {
        "nothing was recorded of it"
    }
}
