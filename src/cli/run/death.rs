//! How this process ends: as the program did.

use super::child::Ended;
use super::signals;
use crate::escape::shown;
use crate::message::say;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitCode;

/// The name of a signal, as `kill -l` has it with its prefix.
pub fn signal_name(signal: i32) -> String {
    const NAMES: [(i32, &str); 30] = [
        (libc::SIGHUP, "HUP"),
        (libc::SIGINT, "INT"),
        (libc::SIGQUIT, "QUIT"),
        (libc::SIGILL, "ILL"),
        (libc::SIGTRAP, "TRAP"),
        (libc::SIGABRT, "ABRT"),
        (libc::SIGBUS, "BUS"),
        (libc::SIGFPE, "FPE"),
        (libc::SIGKILL, "KILL"),
        (libc::SIGUSR1, "USR1"),
        (libc::SIGSEGV, "SEGV"),
        (libc::SIGUSR2, "USR2"),
        (libc::SIGPIPE, "PIPE"),
        (libc::SIGALRM, "ALRM"),
        (libc::SIGTERM, "TERM"),
        (libc::SIGSTKFLT, "STKFLT"),
        (libc::SIGCHLD, "CHLD"),
        (libc::SIGCONT, "CONT"),
        (libc::SIGSTOP, "STOP"),
        (libc::SIGTSTP, "TSTP"),
        (libc::SIGTTIN, "TTIN"),
        (libc::SIGTTOU, "TTOU"),
        (libc::SIGURG, "URG"),
        (libc::SIGXCPU, "XCPU"),
        (libc::SIGXFSZ, "XFSZ"),
        (libc::SIGVTALRM, "VTALRM"),
        (libc::SIGPROF, "PROF"),
        (libc::SIGIO, "IO"),
        (libc::SIGPWR, "PWR"),
        (libc::SIGSYS, "SYS"),
    ];
    match NAMES.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("SIG{name}"),
        None => format!("signal {signal}"),
    }
}

/// Ends as the program did. Returns its status when it exited, and 128 + n when the signal cannot end this process.
pub fn end_as(ended: &Ended) -> ExitCode {
    ExitCode::from(end(ended))
}

fn end(ended: &Ended) -> u8 {
    if let Some(signal) = ended.status.signal() {
        signals::die_of(signal);
        return (128 + signal) as u8;
    }
    ended.status.code().unwrap_or_default() as u8
}

/// A fault in the report must not change how the program seems to have ended. The recordings stay, to find the fault.
pub fn whatever_happens(ended: &Ended, recordings: &Path) {
    let (ended, place) = (*ended, shown(recordings));
    std::panic::set_hook(Box::new(move |panic| {
        let why = panic.to_string().replace('\n', " ");
        say(format!("the report failed: {why}; the recordings are in {place}"));
        std::process::exit(i32::from(end(&ended)));
    }));
}
