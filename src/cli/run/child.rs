//! The program as a child: started with what this process was given, waited for, signals passed on.
#![allow(unsafe_code)] // Safety: one `pre_exec`, which makes async-signal-safe calls only.

use super::signals::{Waiting, send};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};

/// How the program ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    pub pid: u32,
    pub status: ExitStatus,
}

/// Runs the command to its end. The error is that of execvp.
pub fn run(command: &[OsString], environment: &[(&str, OsString)]) -> io::Result<Ended> {
    let [program, arguments @ ..] = command else { return Err(io::ErrorKind::NotFound.into()) };
    let waiting = Waiting::begin();
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    // SAFETY: `give_back` makes async-signal-safe calls only and touches no memory but its own.
    unsafe {
        command.pre_exec(move || {
            waiting.give_back();
            Ok(())
        });
    }
    let mut child = command.spawn()?;
    loop {
        match waiting.next() {
            libc::SIGCHLD => {
                if let Some(status) = child.try_wait()? {
                    waiting.end();
                    return Ok(Ended { pid: child.id(), status });
                }
            }
            signal => send(child.id(), signal),
        }
    }
}
