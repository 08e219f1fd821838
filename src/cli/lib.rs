//! The command `shim`: runs a program under libshim.so, and reads what it left.
//!
//! ```text
//! args ─→ run ──────→ the program, with the preload ─→ recordings ─┐
//!      ─→ report ───→ recordings ─→ merge ─→ symbolise ─→ text, json
//!      ─→ snapshot, top, metrics ─→ target ─→ look ─→ findings, a screen, a page
//!      ─→ report ───→ recordings ─→ merge ─→ suppressions ─→ symbolise ─→ text, json
//!      ─→ heap, diff ─→ recordings ─→ profile ─→ symbolise ─→ text, json, exports, a page
//!      ─→ advise ───→ recordings ─→ profile ─→ plan ─→ a rule file
//!      ─→ suppress ─→ recordings ─→ merge ─→ a suppressions file
//!      ─→ report --tiers, run ─→ recordings ─→ placement ─→ text, json, a page
//!      ─→ explain, hooks, doctor, tiers: a text, the roster in the library, an ELF file, what the kernel says of memory
//! ```
//!
//! Rules: one place owns messages and exit codes ([`message`]); what came from the program, a recording or a file name
//! is shown through [`escape`]; each subcommand is one file that says what it does from top to bottom.

mod advise;
mod args;
mod deadlock;
mod diff;
mod doctor;
mod escape;
mod explain;
mod fd_kind;
mod files;
mod heap;
mod hooks;
mod library;
mod locks;
mod look;
mod merge;
mod message;
mod metrics;
mod modules;
mod options;
mod pages;
mod placement;
mod ranges;
mod ranks;
mod recordings;
mod report;
mod run;
mod size;
mod snapshot;
mod source;
mod suppress;
mod suppressions;
mod symbolise;
mod target;
mod tiers;
mod top;
mod unexited;
mod when;

use args::Command;
use std::ffi::OsString;
use std::process::ExitCode;

/// What `shim ARGUMENTS…` does, from the name of the command on; the exit code.
pub fn command(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match args::parse(arguments) {
        Ok(command) => command,
        Err(stop) => return stop,
    };
    let done = match command {
        Command::Run(args) => return run::run(&args),
        Command::Report(args) => report::report(args),
        Command::Snapshot(args) => snapshot::snapshot(&args),
        Command::Top(args) => top::top(&args),
        Command::Heap(args) => heap::heap(&args),
        Command::Advise(args) => advise::advise(&args),
        Command::Locks(args) => locks::locks(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Metrics(args) => metrics::metrics(&args),
        Command::Suppress(args) => suppress::suppress(args),
        Command::Explain(args) => explain::explain(args),
        Command::Hooks => hooks::hooks(),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Tiers(args) => tiers::tiers(&args),
        Command::Pages(args) => pages::pages(&args),
    };
    message::finish(done)
}
