//! After the program ended: how it died and what it did last, what was found, or why it could not be watched.
//!
//! A program that ended by itself with nothing found gets no line at all.

use super::child::Ended;
use super::death::signal_name;
use super::last_events;
use super::place::Place;
use crate::doctor;
use crate::escape::shown;
use crate::merge::Merge;
use crate::message::say;
use crate::recordings::{self, Loaded};
use crate::report::{self, text};
use crate::symbolise::Symboliser;
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

pub fn report(program: &OsStr, library: &Path, ended: &Ended, place: &Place) {
    let mut merge = Merge::default();
    // Of the program itself: the last of those that it executed in turn under one pid.
    let mut own: Option<Loaded> = None;
    for path in place.recordings() {
        match recordings::load(&path) {
            Ok(recording) => {
                merge.add(&recording);
                let head = recording.head();
                if head.pid == ended.pid && own.as_ref().is_none_or(|o| o.head().started_real <= head.started_real) {
                    own = Some(recording);
                }
            }
            Err(why) => say(format!("{}: {why}", shown(&path))),
        }
    }
    let mut symbols = Symboliser::default();
    let mut out = BufWriter::new(io::stderr().lock());
    // Nobody is left to tell when stderr is gone.
    write(program, library, ended, place, &mut merge, own.as_ref(), &mut symbols, &mut out).ok();
    out.flush().ok();
}

#[allow(clippy::too_many_arguments)] // The parts of one page.
fn write(
    program: &OsStr,
    library: &Path,
    ended: &Ended,
    place: &Place,
    merge: &mut Merge,
    own: Option<&Loaded>,
    symbols: &mut Symboliser,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = shown(program);
    let mut something = false;
    if let Some(signal) = ended.status.signal() {
        let core = if ended.status.core_dumped() { " (core dumped)" } else { "" };
        writeln!(out, "shim: {name} (pid {}) was killed by {}{core}", ended.pid, signal_name(signal))?;
        if let Some(own) = own {
            something = last_events::write(own, symbols, out)?;
        }
    }
    merge.drop_infos();
    if !merge.findings().is_empty() {
        something = true;
        writeln!(out, "{}", text::rule(merge))?;
        report::render(merge, &mut text::Text::default(), symbols, out)?;
    }
    if own.is_none() {
        let why = doctor::why_not(program, library).unwrap_or_else(|| {
            format!("libshim.so was not loaded, or could not write to {}", shown(place.directory()))
        });
        writeln!(out, "shim: {name} (pid {}) was not watched: {why}", ended.pid)?;
    }
    for problem in symbols.take_problems() {
        writeln!(out, "shim: {problem}")?;
    }
    if something && place.is_temporary() {
        writeln!(out, "shim: the recording is deleted now; --record DIR keeps it")?;
    }
    Ok(())
}
