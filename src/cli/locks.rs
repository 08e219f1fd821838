//! `shim locks`: how the locks of each process were used (`lock_times=1`), and in which order they were taken (`locks=order`).
//!
//! ```text
//! paths, PIDs ─→ recordings, one after the other ─→ table (locks with their names) ─→ text, json
//!                                                ─→ order (who was taken under whom) ─→ text, json, dot
//! ```
//!
//! Each process by itself: a lock is known by its address, which means nothing in another.

pub mod dot;
pub mod json;
pub mod order;
pub mod table;
pub mod text;

use crate::args::LocksArgs;
use crate::escape::shown;
use crate::message::{Failure, exit, reason, say};
use crate::symbolise::Symboliser;
use crate::{files, recordings, target};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use table::Process;

/// Locks that the text shows.
const SHOWN: usize = 20;

pub fn locks(args: &LocksArgs) -> Result<ExitCode, Failure> {
    let found = target::files(&args.targets);
    found.problems.iter().for_each(say);
    let mut failed = !found.problems.is_empty();
    let mut symbols = Symboliser::default();
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut read, mut told) = (0, 0);
    for path in &found.files {
        let process = match load(path) {
            Ok(recording) => Process::new(&recording, &mut symbols),
            Err(why) => {
                say(format_args!("{}: {why}", shown(path)));
                failed = true;
                continue;
            }
        };
        read += 1;
        let Some(mut process) = process else { continue };
        told += 1;
        process.sort(args.sort);
        if args.json {
            json::write(&process, args.limit.unwrap_or(usize::MAX), &mut out)?;
        } else if args.dot {
            dot::write(&process, &mut out)?;
        } else {
            text::write(&process, args, args.limit.unwrap_or(SHOWN), &mut out)?;
        }
    }
    out.flush()?;
    symbols.take_problems().iter().for_each(say);
    if told == 0 && read > 0 {
        let who = match found.files.as_slice() {
            [one] => format!("{}: has nothing", shown(one)),
            more => format!("none of these {} recordings has anything", more.len()),
        };
        return Err(Failure::new(exit::PARTLY, format!("{who} of locks: run it with lock_times=1 or locks=order")));
    }
    Ok(if failed || told == 0 { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

fn load(path: &Path) -> Result<recordings::Loaded, String> {
    let (file, _) = files::open(path).map_err(|error| reason(&error))?;
    recordings::load_file(&file, Vec::new())
}
