//! One run of a program: with or without shim, to its end or to the time limit.
//!
//! Output goes to files, not to pipes: a child that outlives the program cannot keep us waiting, and nothing blocks.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// The program starts with 0, 1 and 2 only, whatever make or cargo have left open for us, and leaves no core behind. The
/// shell itself must not be watched. `$C_TESTS_RUNNER`: see `main`; an emulator is linked statically, and the preload its program's.
const START: &str = r#"
ulimit -c 0
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
if [ -n "$1" ]; then export LD_PRELOAD="$1"; fi
exec $C_TESTS_RUNNER "$0"
"#;

/// What is preloaded, and `SHIM_OPTIONS`.
pub struct Watch<'a> {
    pub library: &'a Path,
    pub options: &'a str,
}

#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    /// `0`, `SIGABRT`.
    pub exit: String,
}

/// Runs `program` with its output under `folder`.
pub fn run(program: &Path, folder: &Path, watch: Option<&Watch>) -> Result<Ran, String> {
    let attempt = || -> io::Result<Ran> {
        let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", START]).arg(program).stdin(Stdio::null());
        command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
        command.env_remove("LD_PRELOAD").env_remove("SHIM_OPTIONS");
        if let Some(watch) = watch {
            command.arg(watch.library).env("SHIM_OPTIONS", watch.options);
        }
        let exit = wait(&mut command)?.map_or_else(|| "no end within a minute".into(), describe);
        let text = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Ran { stdout: text(&stdout)?, stderr: text(&stderr)?, exit })
    };
    attempt().map_err(|e| format!("{}: {e}", program.display()))
}

/// `None`: the time was up, and the child was killed.
fn wait(command: &mut Command) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (_, Some(6)) => "SIGABRT".into(),
        (_, Some(9)) => "SIGKILL".into(),
        (_, Some(11)) => "SIGSEGV".into(),
        (_, Some(14)) => "SIGALRM".into(),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "?".into(),
    }
}
