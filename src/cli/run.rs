//! `shim run`: the program with the preload, as if shim were not there, and then the report.
//!
//! ```text
//! place of the recordings → environment → child, waited for → report → its status, or its signal
//! ```
//!
//! Why the report comes from here and not from the process: file and line need a symboliser, and the process may have
//! been killed.

mod afterwards;
mod child;
mod death;
mod last_events;
mod place;
mod placed;
mod signals;

use crate::args::RunArgs;
use crate::doctor;
use crate::escape::shown;
use crate::library;
use crate::message::{Failure, exit, finish, reason, speak_for};
use crate::options;
use crate::ranks;
use crate::suppressions::Suppressions;
use place::Place;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

const PRELOAD: &str = "LD_PRELOAD";

pub fn run(args: &RunArgs) -> ExitCode {
    if let Some(rank) = ranks::own() {
        speak_for(rank);
    }
    finish(prepare_and_run(args))
}

fn prepare_and_run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let failed = |why: String| Failure::new(exit::NOT_RUN, why);
    let placing = placed::environment(&args.keys).map_err(failed)?;
    let program = args.command.first().ok_or_else(|| failed("no command given".to_owned()))?;
    let library = library::find_for(Path::new(program), doctor::elf_of(program).as_ref()).map_err(failed)?;
    library::preloadable(&library).map_err(failed)?;
    let given = std::env::var_os(options::VARIABLE);
    let mut place = Place::choose(args.record.as_deref(), given.as_deref()).map_err(failed)?;
    let mut pairs = args.keys.pairs();
    pairs.extend(place.option());
    let merged = options::merge(given.as_deref(), &pairs).map_err(failed)?;
    // Its own processes cannot tell whether there were errors: some suppressions are decided here.
    let (merged, error_exitcode) =
        options::take(&merged, "error_exitcode", |n| str::from_utf8(n).ok()?.parse::<u8>().ok());
    let mut suppressions = suppressions(args, &merged).map_err(failed)?;
    let preload = preload(&library.preload, std::env::var_os(PRELOAD).as_deref());
    let environment = [vec![(options::VARIABLE, merged), (PRELOAD, preload)], placing].concat();
    let ended = child::run(&args.command, &environment).map_err(|e| not_started(program, &e))?;

    // From here on the end of this process is the end of the program, whatever happens to the report.
    death::whatever_happens(&ended, place.directory());
    let page = afterwards::Page { program, library: &library.file, ended: &ended, place: &place };
    let told = page.print(&mut suppressions);
    if told.living > 0 {
        place.keep();
    }
    drop(place);
    let own = death::end_as(&ended);
    match error_exitcode {
        Some(code) if code != 0 && told.errors && ended.status.code().is_some() => Ok(ExitCode::from(code)),
        _ => Ok(own),
    }
}

/// The file that the library is given. It tells of bad lines itself, in every process; one that cannot be read stops a run
/// whose command line names it.
fn suppressions(args: &RunArgs, merged: &OsStr) -> Result<Suppressions, String> {
    let path = options::value(merged, "suppressions");
    let read = Suppressions::read(path.as_deref().map(Path::new));
    if args.keys.suppressions.is_some() { read } else { Ok(read.unwrap_or_default()) }
}

/// The library first, so that its functions are the ones that are found.
fn preload(library: &Path, existing: Option<&OsStr>) -> OsString {
    let mut value = library.as_os_str().to_owned();
    if let Some(existing) = existing.filter(|e| !e.is_empty()) {
        value.push(":");
        value.push(existing);
    }
    value
}

fn not_started(program: &OsStr, error: &std::io::Error) -> Failure {
    let name = shown(program);
    match error.kind() {
        ErrorKind::NotFound if Path::new(program).exists() && name.contains('/') => {
            Failure::new(exit::NOT_FOUND, format!("{name}: its interpreter was not found"))
        }
        ErrorKind::NotFound => Failure::new(exit::NOT_FOUND, format!("{name}: not found")),
        // The system had no room for another process.
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => {
            Failure::new(exit::NOT_RUN, format!("{name}: {}", reason(error)))
        }
        _ => Failure::new(exit::CANNOT_EXECUTE, format!("{name}: {}", reason(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_comes_before_what_was_there() {
        let library = Path::new("/lib/libshim.so");
        assert_eq!(preload(library, None), "/lib/libshim.so");
        assert_eq!(preload(library, Some(OsStr::new(""))), "/lib/libshim.so");
        assert_eq!(preload(library, Some(OsStr::new("/a.so b.so"))), "/lib/libshim.so:/a.so b.so");
    }

    #[test]
    fn a_program_that_does_not_start() {
        let code = |kind: ErrorKind| not_started(OsStr::new("./nope"), &std::io::Error::from(kind)).code;
        assert_eq!(code(ErrorKind::NotFound), 127);
        assert_eq!(code(ErrorKind::PermissionDenied), 126);
        assert_eq!(code(ErrorKind::WouldBlock), 125);
        let missing = not_started(OsStr::new("./nope"), &std::io::Error::from_raw_os_error(libc::ENOENT));
        assert_eq!(missing.line, "./nope: not found");
    }
}
