//! `shim report`: recordings in, findings out, as text or as JSON.
//!
//! What cannot be read is one line each on stderr; the rest is reported all the same, and the exit code tells.

pub mod json;
pub mod text;

use crate::args::ReportArgs;
use crate::escape::shown;
use crate::fd_kind;
use crate::merge::{Merge, Merged};
use crate::message::{Failure, exit, say};
use crate::recordings;
use crate::suppressions::Suppressions;
use crate::symbolise::Symboliser;
use record::reader::Finding;
use record::sentence;
use record::text::Line;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// A way to show findings.
pub trait Render {
    fn finding(&mut self, found: &Merged, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()>;

    /// After the last finding.
    fn end(&mut self, _merge: &Merge, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

pub fn report(args: ReportArgs) -> Result<ExitCode, Failure> {
    let unwanted = Suppressions::read(args.suppressions.as_deref());
    let mut unwanted = unwanted.map_err(|why| Failure::new(exit::PARTLY, why))?;
    let found = recordings::find(&args.paths);
    let mut problems = !found.problems.is_empty() | unwanted.complain();
    found.problems.iter().for_each(say);
    let mut merge = Merge::default();
    for path in &found.files {
        match recordings::load(path) {
            Ok(recording) => merge.add(&recording),
            Err(why) => {
                problems = true;
                say(format!("{}: {why}", shown(path)));
            }
        }
    }
    let mut symbols = Symboliser::default();
    unwanted.apply(&mut merge, &mut symbols);
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        render(&mut merge, &mut json::Json, &mut symbols, &mut out)?;
    } else if merge.recordings > 0 {
        writeln!(out, "{}", text::rule(&mut merge))?;
        render(&mut merge, &mut text::Text::default(), &mut symbols, &mut out)?;
        if unwanted.says_something(true) {
            writeln!(out)?;
            unwanted.write(true, "", &mut out)?;
        }
    }
    out.flush()?;
    symbols.take_problems().iter().for_each(say);
    Ok(if problems { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

/// Shows all findings.
pub fn render(
    merge: &mut Merge,
    how: &mut dyn Render,
    symbols: &mut Symboliser,
    out: &mut dyn Write,
) -> io::Result<()> {
    for found in merge.findings() {
        how.finding(found, symbols, out)?;
    }
    how.end(merge, out)
}

/// The finding in one sentence, as the library said it.
pub fn sentence(finding: &Finding) -> String {
    let mut buffer = [0; 1024];
    let mut line = Line::new(&mut buffer);
    sentence::write(&finding.report(), fd_kind::name, &mut line);
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}
