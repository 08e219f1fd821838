//! `shim report`: recordings in, findings out, as text, JSON, CSV or a page.
//!
//! Each format is one file that implements [`Render`]. What cannot be read is one line each on stderr; the rest is
//! reported all the same, and the exit code tells.

pub mod csv;
pub mod filter;
pub mod html;
pub mod json;
pub mod keys;
pub mod text;
pub mod tiers;

use crate::args::ReportArgs;
use crate::deadlock;
use crate::escape::{bytes, shown};
use crate::fd_kind;
use crate::merge::{Merge, Merged, Sort, Thing, gather};
use crate::message::{Failure, exit, reason, say};
use crate::recordings;
use crate::snapshot;
use crate::suppressions::Suppressions;
use crate::symbolise::Symboliser;
use crate::target::who;
use filter::Filter;
use record::reader::Finding;
use record::sentence;
use record::text::Line;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// A way to show findings.
pub trait Render {
    /// Before the first finding.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, found: &Merged, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()>;

    /// After the last finding.
    fn end(&mut self, shown: &Shown, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()>;
}

/// What a format may want to know at its end.
pub struct Shown<'a> {
    pub merge: &'a Merge,
    /// Findings beyond the limit.
    pub left_out: usize,
}

/// Which findings are shown, in which order.
#[derive(Clone, Copy, Default)]
pub struct Choice {
    pub sort: Sort,
    pub limit: Option<usize>,
}

/// More than this is not for a person to scroll through.
const LIMIT_OF_A_PAGE: usize = 20_000;

pub fn report(args: ReportArgs) -> Result<ExitCode, Failure> {
    let filter = Filter::new(&args).map_err(|why| Failure::new(exit::USAGE, why))?;
    let unwanted = Suppressions::read(args.suppressions.as_deref());
    let mut unwanted = unwanted.map_err(|why| Failure::new(exit::PARTLY, why))?;
    let found = recordings::find(&args.paths);
    let mut problems = !found.problems.is_empty() | unwanted.complain();
    found.problems.iter().for_each(say);
    if found.unbegun > 0 {
        say(format!(
            "{} of the recordings were left out: their processes ended before they had begun to write",
            found.unbegun
        ));
    }
    if args.tiers {
        return tiers::report(&args, &filter, &found.files, problems);
    }
    let mut merge = Merge::default();
    let unread = gather(&found.files, &filter, &mut merge);
    unread.iter().for_each(say);
    problems |= !unread.is_empty();
    if let Some(pid) = args.pid
        && merge.recordings == 0
        && unread.len() < found.files.len()
    {
        return Err(Failure::new(exit::PARTLY, format!("--pid {pid}: none of these recordings is of this process")));
    }
    let mut symbols = Symboliser::default();
    unwanted.apply(&mut merge, &mut symbols);
    let mut choice = Choice { sort: args.sort, limit: args.limit };
    if let Some(to) = &args.html {
        choice.limit.get_or_insert(LIMIT_OF_A_PAGE);
        let mut page = html::Html::new(&found.files, unwanted.lines(true));
        page_to(to, |out| render(&mut merge, choice, &mut page, &mut symbols, out))?;
    } else {
        let mut out = BufWriter::new(io::stdout().lock());
        if args.csv {
            render(&mut merge, choice, &mut csv::Csv, &mut symbols, &mut out)?;
        } else if args.json {
            render(&mut merge, choice, &mut json::Json, &mut symbols, &mut out)?;
        } else if merge.recordings > 0 {
            writeln!(out, "{}", text::rule(&merge))?;
            render(&mut merge, choice, &mut text::Text::default(), &mut symbols, &mut out)?;
            if unwanted.says_something(true) {
                writeln!(out)?;
                unwanted.write(true, "", &mut out)?;
            }
            for (_, path) in (0..).zip(&found.files).filter(|(file, _)| merge.has_read(*file)) {
                snapshot::history(path, &mut symbols, &mut out)?;
                if args.keys {
                    keys::table(path, &mut symbols, &mut out)?;
                }
            }
            for (_, deadlocked) in merge.deadlocked() {
                writeln!(out, "\nin {}:", who(&deadlocked.program, deadlocked.pid))?;
                let lines = deadlock::words(&deadlocked.rings, &mut symbols);
                lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            }
        }
        out.flush()?;
    }
    let left_out = merge.len().saturating_sub(choice.limit.unwrap_or(usize::MAX));
    if left_out > 0 && (args.json || args.csv || args.html.is_some()) {
        say(format!("{} left out by --limit {}", text::findings(left_out), merge.len() - left_out));
    }
    symbols.take_problems().iter().for_each(say);
    Ok(if problems { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

/// To a file, or to stdout for `-`.
pub fn page_to(to: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    if to == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        write(&mut out)?;
        return Ok(out.flush()?);
    }
    let failed = |e: io::Error| Failure::new(exit::PARTLY, format!("{}: {}", shown(to), reason(&e)));
    let mut out = BufWriter::new(File::create(to).map_err(failed)?);
    write(&mut out).and_then(|()| out.flush()).map_err(failed)
}

/// Shows the findings.
pub fn render(
    merge: &mut Merge,
    choice: Choice,
    how: &mut dyn Render,
    symbols: &mut Symboliser,
    out: &mut dyn Write,
) -> io::Result<()> {
    how.begin(out)?;
    let limit = choice.limit.unwrap_or(usize::MAX);
    for found in merge.findings(choice.sort).take(limit) {
        how.finding(&found, symbols, out)?;
    }
    how.end(&Shown { merge, left_out: merge.len().saturating_sub(limit) }, symbols, out)
}

/// The finding in one sentence, as the library said it.
pub fn sentence(finding: &Finding) -> String {
    let mut buffer = [0; 1024];
    let mut line = Line::new(&mut buffer);
    sentence::write(&finding.report(), fd_kind::name, &mut line);
    String::from_utf8_lossy(line.as_bytes()).into_owned()
}

/// What was written to a line, when anything was.
fn written(write: impl FnOnce(&mut Line)) -> Option<String> {
    let mut buffer = [0; 256];
    let mut line = Line::new(&mut buffer);
    write(&mut line);
    (!line.is_empty()).then(|| String::from_utf8_lossy(line.as_bytes()).into_owned())
}

/// `FILE* 0x5581`.
fn owner(kind: u8, object: u64) -> Option<String> {
    (kind != 0).then(|| format!("{} {object:#x}", record::sentence::owner_name(kind)))
}

/// `plugin_key (/srv/libplugin.so+0x4040)`.
fn named(thing: &Thing, symbols: &mut Symboliser) -> String {
    let place = match &thing.site.module {
        Some(module) => format!("({}+{:#x})", bytes(&module.path), thing.site.offset),
        None => format!("({:#x})", thing.site.offset),
    };
    match symbols.variable(&thing.site) {
        Some(name) => format!("{} {place}", shown(&name)),
        None => place,
    }
}

/// CLOCK_REALTIME in ns as RFC 3339, in UTC, to the millisecond.
fn time(ns: u64) -> String {
    let (days, ms) = (ns / 86_400_000_000_000, ns / 1_000_000 % 86_400_000);
    // Howard Hinnant's civil_from_days, for days since 1970-01-01.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (4_102_444_800, "2100-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(super::time(seconds * 1_000_000_000), text);
        }
        // The end of u64 in nanoseconds: the year 2554.
        assert_eq!(super::time(u64::MAX), "2554-07-21T23:34:33.709Z");
    }
}
