//! What the command says of itself, and how it ends: `shim: what: why` on stderr, and the exit codes.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// The exit codes, as `--help` and docs/exit-codes.md list them.
pub mod exit {
    /// Nothing could be read, or not everything; `doctor`: it cannot be watched.
    pub const PARTLY: u8 = 1;
    pub const USAGE: u8 = 2;
    /// `run`: shim itself failed, the program was not started.
    pub const NOT_RUN: u8 = 125;
    pub const CANNOT_EXECUTE: u8 = 126;
    pub const NOT_FOUND: u8 = 127;
}

/// The rank of MPI that this command starts, for `shim run`: many of them share one stderr.
static RANK: OnceLock<u32> = OnceLock::new();

pub fn speak_for(rank: u32) {
    RANK.get_or_init(|| rank);
}

/// What a line of ours begins with: `shim: `, `shim: [rank 3] `.
pub fn prefix() -> String {
    RANK.get().map_or_else(|| "shim: ".to_owned(), |rank| format!("shim: [rank {rank}] "))
}

/// One line on stderr. A stderr that cannot be written to is not our problem.
pub fn say(line: impl Display) {
    // One write per line, so that lines of several processes do not mix.
    let line = format!("{}{line}\n", prefix());
    std::io::stderr().write_all(line.as_bytes()).ok();
}

/// Why a subcommand stops early.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    /// Empty: there is nobody to tell.
    pub line: String,
}

impl Failure {
    pub fn new(code: u8, line: impl Into<String>) -> Self {
        Self { code, line: line.into() }
    }
}

impl From<std::io::Error> for Failure {
    /// Of writing to stdout: everything else says what it was about. Whoever closed the pipe has seen enough.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::new(0, ""),
            _ => Self::new(exit::PARTLY, format!("stdout: {}", reason(&error))),
        }
    }
}

/// Turns the end of a subcommand into the exit code, with its line.
pub fn finish(done: Result<ExitCode, Failure>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(failure) => {
            if !failure.line.is_empty() {
                say(&failure.line);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// An error of the system in its own words, without the number that Rust adds.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
