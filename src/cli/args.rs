//! The command line: what clap accepts, and one line for what it does not.

mod keys;

pub use keys::Keys;

use crate::advise::{FileFormat, Objective, Room};
use crate::escape::bytes;
use crate::heap::export::Format;
use crate::heap::profile::Measure;
use crate::locks::table::Sort as LockSort;
use crate::merge::Sort;
use crate::message::{exit, say};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use record::kind::Severity;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  shim run -- ./server --port 8080          watch it; report at the end, with file and line
  shim run --fd protect -- ./server         refuse the wrong closes as well
  shim run --record /var/tmp/r -- ./server  keep one recording per process
  shim report --json /var/tmp/r             one finding per line
  shim report --html r.html /var/tmp/r      a page to look at
  shim top 4711                             its descriptors, live; PID or recording
  shim heap 4711                            who holds its memory
  shim diff before.shim after.shim          what grew, which findings are new
  shim advise --capacity fast=4G r          what belongs on the fast memory
  shim suppress /var/tmp/r -o known.supp    what not to report from now on
  shim explain fd.double-close              what it means and how to fix it
  shim doctor ./server                      can it be watched?
  shim tiers                                which kinds of memory are there to place blocks on

Exit status:
  run      that of the program, or its signal; 125 shim itself failed, 126 the program
           cannot be executed, 127 it was not found
           --error-exitcode N: N when CMD exited and a process of the run had errors
  report   0, or 1 when something could not be read; suppress likewise
  heap, diff, advise   0; 1 when something could not be read, or nothing is known of a heap
  snapshot, top, metrics   0; 1 without such a process or recording
  tiers    0
  doctor   0 when the program can be watched, else 1
  all      2 for a usage error (run: 125)

The same without the command: LD_PRELOAD=/path/to/libshim.so SHIM_OPTIONS=key=value:key=value ./server";

const RUN_NOTES: &str = "\
Options of shim end where the command begins; `--` may stand between them. SHIM_OPTIONS is honoured, and the options
here override it. In SHIM_OPTIONS a colon inside a value is written `\\:`.

Without --record the recordings are kept in a private temporary directory until the report is printed. A program that
ends cleanly with nothing found adds no output at all; with --tiers or --flexmalloc a few lines say what was placed.
One that goes on in the background needs --record.";

const SNAPSHOT_NOTES: &str = "\
The program is neither stopped nor asked. `shim report` on the recording compares the first snapshot with the last.
A path is a recording, or a directory that holds one. Exit status: 0; 1 when there is no such process or recording, or
the snapshot could not be kept.";

const TOP_NOTES: &str = "\
Keys: q leaves, arrows or j and k move, tab changes the view (sites, heap, findings, descriptors of the selected site), s sorts,
p pauses, ? helps. Without a terminal it is as with --once. Exit status: 0, whatever was found; 1 when there is no such
process or recording.";

const METRICS_NOTES: &str = "\
Exit status: 0; 1 when something could not be read: the page holds the rest.";

const HEAP_NOTES: &str = "\
Recordings of several processes become one profile: equal call stacks are one. With heap=sites the numbers are estimates
with the standard error shown; `~` marks a guess from fewer than four samples.
  collapsed    one stack per line, by --by: for flame graph tools, speedscope
  pprof        gzipped protobuf with alloc, inuse, peak and lost: go tool pprof -http : FILE
  firefox      JSON for profiler.firefox.com
  csv          one call stack per row
  flamegraph   an SVG, by --by
Exit status: 0; 1 when something could not be read, or nothing is known of a heap; 2 for a usage error.";

const LOCKS_NOTES: &str = "\
Times need lock_times=1 in the run, orders locks=order. `contended`: a lock that was not to be had at once. An order is
two locks of which the second was taken while the first was held; in a ring are those that lead back to where they began,
which can be harmless (a third lock around them, readers only): what is dangerous is a finding of the report.
Exit status: 0; 1 when something could not be read, or nothing is known of locks; 2 for a usage error.";

const DIFF_NOTES: &str = "\
Call stacks are the same when their modules (by build id) and offsets are; where the builds differ, when their functions
are. Neither addresses nor file names matter. Exit status: 0, whatever has changed; 1 when something could not be read;
2 for a usage error.";

const ADVISE_NOTES: &str = "\
Tiers are filled one after the other, the fastest first, with the call stacks that are worth most there, found exactly where
that takes no longer than a second or two; what is never live together shares the room. A capacity is that of one process.
Without --tier-file the tiers are ordinary memory, to be edited. --format flexmalloc writes OUTPUT.definitions and
OUTPUT.locations. The rules are for the build that was measured.
Exit status: 0; 1 when something could not be read or written, or no call stacks are known; 2 for a usage error.";

#[derive(Parser)]
#[command(name = "shim", version, about = "A resource-lifetime sanitizer for programs that nobody can recompile")]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a program under shim, then report with file and line
    #[command(after_help = RUN_NOTES, override_usage = "shim run [OPTIONS] [--] CMD [ARG]...")]
    Run(Box<RunArgs>),
    /// Report what recordings hold
    Report(ReportArgs),
    /// Take a snapshot of a running program into its recording, and print what it finds
    #[command(after_help = SNAPSHOT_NOTES)]
    Snapshot(SnapshotArgs),
    /// Show a running program's descriptors and its heap, live
    #[command(after_help = TOP_NOTES)]
    Top(TopArgs),
    /// Tell which call stacks hold the heap, or held it at its peak; export it to other tools
    #[command(after_help = HEAP_NOTES)]
    Heap(HeapArgs),
    /// Tell which call stacks belong on which memory tier, and write the rule file that places them
    #[command(after_help = ADVISE_NOTES)]
    Advise(AdviseArgs),
    /// Tell how locks were used: who waited, for how long, and in which order they were taken
    #[command(after_help = LOCKS_NOTES)]
    Locks(LocksArgs),
    /// Compare two recordings: what grew and shrank on the heap, which findings are new or gone
    #[command(after_help = DIFF_NOTES)]
    Diff(DiffArgs),
    /// Print recordings as OpenMetrics text
    #[command(after_help = METRICS_NOTES)]
    Metrics(MetricsArgs),
    /// Write the suppressions file that leaves nothing of a report
    Suppress(SuppressArgs),
    /// Tell what a kind of finding means, with a program that causes it, and how to fix it
    Explain(ExplainArgs),
    /// List the functions that libshim.so interposes
    Hooks,
    /// Tell whether a program can be watched
    Doctor(DoctorArgs),
    /// Tell which kinds of memory this machine has, with the lines of a rule file that name them
    Tiers(TiersArgs),
    /// Write the manual pages and the completions of shells: for who installs it
    #[command(hide = true)]
    Pages(PagesArgs),
}

#[derive(Args)]
pub struct RunArgs {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub command: Vec<OsString>,
    #[command(flatten)]
    pub keys: Keys,
    /// Keep one recording per process in this directory
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
}

#[derive(Args)]
pub struct ReportArgs {
    /// Recordings, or directories to search for *.shim
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// One finding per line, as JSON
    #[arg(long, group = "format")]
    pub json: bool,
    /// One finding per row, for spreadsheets
    #[arg(long, group = "format")]
    pub csv: bool,
    /// One self-contained page, to look at in a browser; `-` is stdout
    #[arg(long, value_name = "FILE", group = "format")]
    pub html: Option<PathBuf>,
    /// Only kinds that match, such as 'fd.*'; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub kind: Vec<String>,
    /// Only this process
    #[arg(long, value_name = "N")]
    pub pid: Option<u32>,
    /// Only findings with a call in such a module: its name, or its path when GLOB has a slash
    #[arg(long, value_name = "GLOB")]
    pub module: Option<OsString>,
    /// Only this severity and graver
    #[arg(long, value_name = "SEVERITY")]
    pub severity: Option<Least>,
    /// In this order
    #[arg(long, value_name = "ORDER", value_enum, default_value_t)]
    pub sort: Sort,
    /// The first N findings; how many were left out is said
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// What not to report: a file
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
    /// Also the table of thread-specific keys of each process
    #[arg(long, conflicts_with = "format")]
    pub keys: bool,
    /// What was placed on which memory tier, instead of findings
    #[arg(long, conflicts_with_all = ["csv", "html", "keys"])]
    pub tiers: bool,
}

/// A severity by its name.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Least {
    Error,
    Suspect,
    Info,
}

impl From<Least> for Severity {
    fn from(least: Least) -> Self {
        match least {
            Least::Error => Self::Error,
            Least::Suspect => Self::Suspect,
            Least::Info => Self::Info,
        }
    }
}

#[derive(Args)]
pub struct SuppressArgs {
    /// Recordings, or directories to search for *.shim
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write to this file, not to stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What is suppressed already: a file
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,
}

#[derive(Args)]
pub struct SnapshotArgs {
    /// A process that is watched with record=DIR or by shim run, or its recording
    #[arg(value_name = "PID|PATH")]
    pub target: OsString,
    /// One finding per line, as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct TopArgs {
    /// A process that is watched with record=DIR or by shim run, or its recording
    #[arg(value_name = "PID|PATH")]
    pub target: OsString,
    /// Print it once, as plain text
    #[arg(long)]
    pub once: bool,
}

#[derive(Args)]
pub struct HeapArgs {
    /// Watched processes, recordings, or directories to search for *.shim
    #[arg(required = true, value_name = "PID|PATH")]
    pub targets: Vec<OsString>,
    /// What is measured [default: live; where nothing is, peak]
    #[arg(long, value_name = "MEASURE", value_enum)]
    pub by: Option<Measure>,
    /// The first N call stacks [default of the text: 20, else all]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Show stacks in full
    #[arg(long, conflicts_with_all = ["json", "export"])]
    pub stacks: bool,
    /// As JSON: a line of totals, one per process, one per call stack
    #[arg(long, conflicts_with = "export")]
    pub json: bool,
    /// For another tool
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub export: Option<Format>,
    /// Write the export to this file; `-`, and without it, is stdout
    #[arg(short, long, value_name = "FILE", requires = "export")]
    pub output: Option<PathBuf>,
}

#[derive(Args)]
pub struct AdviseArgs {
    /// Recordings, directories to search for *.shim, or watched processes
    #[arg(required = true, value_name = "PATH|PID")]
    pub targets: Vec<OsString>,
    /// A tier and its bytes, such as fast=4G; may be repeated, the fastest first
    #[arg(long, required = true, value_name = "TIER=SIZE", value_parser = room)]
    pub capacity: Vec<Room>,
    /// The rule file that says what the tiers are; its own rules stay ahead of the advice
    #[arg(long, value_name = "FILE")]
    pub tier_file: Option<PathBuf>,
    /// What the fast memory is for
    #[arg(long, value_name = "OBJECTIVE", value_enum, default_value = "auto")]
    pub objective: Objective,
    /// Write the rules to this file; `-` is stdout, without the table
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "toml")]
    pub format: FileFormat,
    /// The first N call stacks of the table [default: 20]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

#[derive(Args)]
pub struct LocksArgs {
    /// Watched processes, recordings, or directories to search for *.shim
    #[arg(required = true, value_name = "PID|PATH")]
    pub targets: Vec<OsString>,
    /// What comes first
    #[arg(long, value_name = "BY", value_enum, default_value = "waited")]
    pub sort: LockSort,
    /// The first N locks, and orders, of each process [default of the text: 20, else all]
    #[arg(long, value_name = "N", conflicts_with = "dot")]
    pub limit: Option<usize>,
    /// Show stacks in full
    #[arg(long, conflicts_with_all = ["json", "dot"])]
    pub stacks: bool,
    /// Mark locks that were held for so many ms at a time
    #[arg(long, value_name = "MS", default_value_t = crate::locks::text::LONG)]
    pub long: u64,
    /// As JSON: a line per process, per lock, per order of two locks
    #[arg(long, conflicts_with = "dot")]
    pub json: bool,
    /// The order graph, for Graphviz
    #[arg(long)]
    pub dot: bool,
}

#[derive(Args)]
pub struct DiffArgs {
    /// A recording, a directory of them, or a PID: before
    #[arg(value_name = "A")]
    pub before: OsString,
    /// The same: after
    #[arg(value_name = "B")]
    pub after: OsString,
    /// What is measured [default: live; where nothing is, peak]
    #[arg(long, value_name = "MEASURE", value_enum)]
    pub by: Option<Measure>,
    /// The first N call stacks, and the first N findings [default of the text: 20, else all]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Show stacks in full
    #[arg(long, conflicts_with_all = ["json", "html"])]
    pub stacks: bool,
    /// As JSON: a line of totals, one per call stack, one per finding
    #[arg(long, conflicts_with = "html")]
    pub json: bool,
    /// One self-contained page, to look at in a browser; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Args)]
pub struct MetricsArgs {
    /// Watched processes, recordings, or directories to search for *.shim
    #[arg(required = true, value_name = "PID|PATH")]
    pub targets: Vec<OsString>,
    /// The heap also by the calls that allocated most, ten of each process
    #[arg(long)]
    pub heap_sites: bool,
}

#[derive(Args)]
pub struct ExplainArgs {
    /// Such as fd.double-close; without it, all kinds in one line each
    pub kind: Option<String>,
}

#[derive(Args)]
pub struct DoctorArgs {
    /// A path, or a name to look up in PATH
    pub program: OsString,
}

/// `fast=4G`
fn room(text: &str) -> Result<Room, String> {
    const EXPECTED: &str = "expected TIER=SIZE, as in fast=4G";
    let (name, size) = text.split_once('=').ok_or(EXPECTED)?;
    if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
        return Err(EXPECTED.to_owned());
    }
    if name == "heap" || name == "fail" {
        return Err(format!("{name} is no tier of its own"));
    }
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = ["", "K", "M", "G", "T"].iter().position(|unit| unit.eq_ignore_ascii_case(&size[digits.len()..]));
    let bytes = digits.parse::<u64>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(1 << (10 * unit)));
    match bytes.filter(|bytes| *bytes <= i64::MAX as u64) {
        Some(0) => Err(format!("{name} has a capacity of nothing")),
        Some(capacity) => Ok(Room { name: name.to_owned(), capacity }),
        None => Err(EXPECTED.to_owned()),
    }
}

#[derive(Args)]
pub struct PagesArgs {
    /// Where share/man and the folders of the shells are made
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

#[derive(Args)]
pub struct TiersArgs {
    /// As JSON: a line for the machine, one per node, pool of huge pages, device, file system and tier
    #[arg(long)]
    pub json: bool,
    /// Where sys, proc and dev are found: for tests
    #[arg(long, value_name = "DIR", hide = true)]
    pub sysfs: Option<PathBuf>,
}

/// The whole of it, for manual pages and completions.
pub fn whole() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// The command, or the exit code of what clap had to say.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, ExitCode> {
    let args: Vec<OsString> = args.into_iter().collect();
    let error = match Cli::try_parse_from(&args) {
        Ok(cli) => return Ok(cli.command),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            error.print().ok();
            Err(ExitCode::SUCCESS)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            error.print().ok();
            Err(ExitCode::from(exit::USAGE))
        }
        _ => {
            say(one_line(&error.render().to_string()));
            let run = args.get(1).is_some_and(|a| a == "run");
            Err(ExitCode::from(if run { exit::NOT_RUN } else { exit::USAGE }))
        }
    }
}

/// clap's several lines as one: what is wrong, and what it suggests.
fn one_line(text: &str) -> String {
    let parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty() && !line.starts_with("tip: to pass"))
        .collect();
    bytes(parts.join(" ").trim_start_matches("error: ").as_bytes())
}
