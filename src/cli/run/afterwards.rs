//! After the program ended: how it died and what it did last, what was found, or why it could not be watched.
//!
//! A program that ended by itself with nothing found gets no line at all.

use super::child::Ended;
use super::death::signal_name;
use super::last_events;
use super::place::Place;
use super::placed;
use crate::doctor;
use crate::escape::shown;
use crate::merge::Merge;
use crate::message::{prefix, say};
use crate::placement::{self, Placement};
use crate::recordings::{self, Loaded};
use crate::report::{self, text};
use crate::suppressions::Suppressions;
use crate::symbolise::Symboliser;
use record::layout::state;
use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

/// What the page is about.
pub struct Page<'a> {
    pub program: &'a OsStr,
    pub library: &'a Path,
    pub ended: &'a Ended,
    pub place: &'a Place,
}

/// What the run left.
pub struct Told {
    /// Processes that go on: what they record must have a place.
    pub living: usize,
    /// Was there an error that nobody suppressed?
    pub errors: bool,
}

impl Page<'_> {
    pub fn print(&self, suppressions: &mut Suppressions) -> Told {
        let mut merge = Merge::default();
        let (own, living, placement) = self.read(&mut merge);
        let mut out = BufWriter::new(io::stderr().lock());
        // Nobody is left to tell when stderr is gone.
        let mut symbols = Symboliser::default();
        suppressions.apply(&mut merge, &mut symbols);
        let errors = merge.any_error();
        self.write(&mut merge, suppressions, symbols, own.as_ref(), living, &mut out).ok();
        placed::write(&placement, &mut out).ok();
        out.flush().ok();
        Told { living, errors }
    }

    /// Reads all recordings of this run. Returned is that of the program itself: the last of those that it executed in
    /// turn under one pid; how many go on being written; and what they placed on memory tiers.
    fn read(&self, merge: &mut Merge) -> (Option<Loaded>, usize, Placement) {
        let mut own: Option<(u64, Loaded)> = None;
        let mut living = 0;
        let mut placed = Vec::new();
        for path in self.place.recordings() {
            match recordings::load(&path) {
                Ok(recording) => {
                    merge.add(&recording);
                    placed.push(placement::Extract::new(&recording));
                    let head = recording.head();
                    living += usize::from(head.state != state::EXITED && maps(head.pid, &path));
                    if head.pid == self.ended.pid
                        && own.as_ref().is_none_or(|(started, _)| *started <= head.started_real)
                    {
                        own = Some((head.started_real, recording));
                    }
                }
                Err(why) => say(format!("{}: {why}", shown(&path))),
            }
        }
        (own.map(|(_, recording)| recording), living, Placement::of(placed))
    }

    fn write(
        &self,
        merge: &mut Merge,
        suppressions: &Suppressions,
        mut symbols: Symboliser,
        own: Option<&Loaded>,
        living: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let who = format!("{} (pid {})", shown(self.program), self.ended.pid);
        let prefix = prefix();
        let mut something = false;
        if let Some(signal) = self.ended.status.signal() {
            let core = if self.ended.status.core_dumped() { " (core dumped)" } else { "" };
            writeln!(out, "{prefix}{who} was killed by {}{core}", signal_name(signal))?;
            if let Some(own) = own {
                something = last_events::write(own, &mut symbols, out)?;
            }
        }
        merge.drop_infos();
        if !merge.is_empty() {
            something = true;
            writeln!(out, "{}", text::rule(merge))?;
            report::render(merge, report::Choice::default(), &mut text::Text::default(), &mut symbols, out)?;
        }
        if suppressions.any_shown() || !merge.is_empty() {
            suppressions.write(false, &prefix, out)?;
        }
        if own.is_none() {
            let why = doctor::why_not(self.program, self.library).unwrap_or_else(|| {
                let place = shown(self.place.directory());
                format!("libshim.so was not loaded, or could not write to {place}")
            });
            writeln!(out, "{prefix}{who} was not watched: {why}")?;
        }
        for problem in symbols.take_problems() {
            writeln!(out, "{prefix}{problem}")?;
        }
        if living > 0 && self.place.is_temporary() {
            let place = shown(self.place.directory());
            let go = if living == 1 { "process goes" } else { "processes go" };
            writeln!(
                out,
                "{prefix}{living} {go} on: `shim report {place}` reads what is recorded, and the directory stays"
            )?;
        } else if something && self.place.is_temporary() {
            writeln!(out, "{prefix}the recording is deleted now; --record DIR keeps it")?;
        }
        Ok(())
    }
}

/// Does the process live, and is this still its recording? A pid may have a new owner.
fn maps(pid: u32, recording: &Path) -> bool {
    std::fs::read(format!("/proc/{pid}/maps"))
        .is_ok_and(|maps| maps.split(|b| *b == b'\n').any(|line| line.ends_with(recording.as_os_str().as_bytes())))
}
