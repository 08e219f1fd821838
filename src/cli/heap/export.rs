//! A heap profile for other tools: a file per format.
//!
//! Names of the watched program are escaped as for a terminal first, so that no format meets a control character, and then
//! for the format.

mod collapsed;
mod csv;
mod firefox;
mod flamegraph;
mod pprof;

use super::names::Names;
use super::profile::{Entry, Measure, Profile};
use crate::message::{Failure, exit};
use crate::report::page_to;
use std::io::{self, IsTerminal};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Collapsed,
    Pprof,
    Firefox,
    Csv,
    Flamegraph,
}

impl Format {
    /// Has it all measures, and so all call stacks, whichever measure they are ordered by?
    pub fn has_all_measures(self) -> bool {
        matches!(self, Self::Pprof | Self::Firefox | Self::Csv)
    }
}

/// What is written, and where to.
pub struct Target<'a> {
    format: Format,
    to: &'a Path,
}

impl<'a> Target<'a> {
    /// The error is a usage error: bytes that are no text would go to a terminal.
    pub fn new(format: Format, to: Option<&'a Path>) -> Result<Self, Failure> {
        let to = to.unwrap_or(Path::new("-"));
        if format == Format::Pprof && to == Path::new("-") && io::stdout().is_terminal() {
            let why = "--export pprof: binary, and stdout is a terminal: name a file with -o";
            return Err(Failure::new(exit::USAGE, why));
        }
        Ok(Self { format, to })
    }

    pub fn write(&self, profile: &Profile, entries: &[&Entry], by: Measure, names: &mut Names) -> Result<(), Failure> {
        page_to(self.to, |out| match self.format {
            Format::Collapsed => collapsed::write(profile, entries, by, names, out),
            Format::Pprof => pprof::write(profile, entries, by, names, out),
            Format::Firefox => firefox::write(profile, entries, names, out),
            Format::Csv => csv::write(entries, names, out),
            Format::Flamegraph => flamegraph::write(profile, entries, by, names, out),
        })
    }
}
