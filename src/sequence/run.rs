//! Plays a program under shim, and reads what became of it.
#![allow(unsafe_code)] // Safety: flags of descriptors, no memory.

use crate::mode::Mode;
use crate::model::{Expected, Found};
use record::kind::Severity;
use record::reader::{Finding, Recording};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tier::names::Symbols;

/// The program, the library, and where recordings lie meanwhile.
pub struct Place {
    scratch: tempfile::TempDir,
    program: PathBuf,
    library: PathBuf,
    /// The program's own, for its symbols.
    file: &'static [u8],
}

/// What a program did.
pub struct Played {
    pub answers: Vec<(i64, i32)>,
    pub findings: Vec<Found>,
    /// Beside its answers: how it ended, what it said.
    pub else_: String,
}

impl Place {
    /// Compiles the program; finds libshim.so beside this executable, or in `SHIM_LIBRARY`.
    pub fn make() -> Result<Self, String> {
        // What was inherited shall not be inherited further: programs begin with three descriptors.
        for fd in 3..1024 {
            // SAFETY: no memory; a number that is not open is refused.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        let scratch = tempfile::tempdir().map_err(|e| e.to_string())?;
        let program = scratch.path().join("program");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("program.c");
        let arguments = ["-O1", "-g0", "-fno-optimize-sibling-calls", "-pthread", "-w", "-o"];
        let gcc = Command::new("gcc").args(arguments).arg(&program).arg(&source).arg("-lstdc++").status();
        if !gcc.map_err(|e| format!("gcc: {e}"))?.success() {
            return Err(format!("{}: not compiled", source.display()));
        }
        let file = std::fs::read(&program).map_err(|e| e.to_string())?.leak();
        let library = std::env::var_os("SHIM_LIBRARY").map(PathBuf::from);
        let library = library.ok_or("SHIM_LIBRARY is not set")?;
        if !library.is_file() {
            return Err(format!("{}: not there; run `make build` first", library.display()));
        }
        Ok(Self { scratch, program, library, file })
    }

    pub fn play(&self, worker: usize, sequence: &str, mode: &Mode) -> Result<Played, String> {
        let records = self.scratch.path().join(format!("records.{worker}"));
        std::fs::create_dir_all(&records).map_err(|e| e.to_string())?;
        let mut command = Command::new(&self.program);
        command.arg(sequence).env_clear().stdin(Stdio::null());
        if mode.is_watched {
            let options = format!("{}:record={}:report=/dev/null", mode.options, records.display());
            command.env("LD_PRELOAD", &self.library).env("SHIM_OPTIONS", options);
        }
        let output = command.output().map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut else_ = String::new();
        if output.status.code() != Some(0) {
            write!(else_, "ended: {}; ", output.status).ok();
        }
        if !output.stderr.is_empty() {
            write!(else_, "stderr: {}", String::from_utf8_lossy(&output.stderr)).ok();
        }
        let mut findings = Vec::new();
        for entry in std::fs::read_dir(&records).map_err(|e| e.to_string())?.flatten() {
            let bytes = std::fs::read(entry.path()).map_err(|e| e.to_string())?;
            std::fs::remove_file(entry.path()).map_err(|e| e.to_string())?;
            let recording = Recording::parse(&bytes[..]).map_err(|e| e.to_string())?;
            self.read(&recording, &mut findings)?;
        }
        findings.sort_unstable();
        Ok(Played { answers: text.lines().filter_map(answer).collect(), findings, else_ })
    }

    fn read(&self, recording: &Recording<&[u8]>, findings: &mut Vec<Found>) -> Result<(), String> {
        let symbols = Symbols::open(self.file, None).ok_or("the program is no ELF file")?;
        // By the step that opened them: which way they went afterwards is the matter of other tests.
        let mut leaks: BTreeMap<usize, u64> = BTreeMap::new();
        for finding in recording.findings() {
            let stacks = self.stacks(recording, &finding, &symbols);
            if finding.kind.name() == "fd.leak" {
                let opener = stacks.iter().find(|(role, _)| *role == "opened").map_or(usize::MAX, |(_, step)| *step);
                *leaks.entry(opener).or_default() += finding.count;
                continue;
            }
            // What libc and libstdc++ hold for themselves, to the end.
            if finding.kind.name() == "heap.leak" && stacks == [("allocated", usize::MAX)] {
                continue;
            }
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Suspect => "suspect",
                Severity::Info => "info",
            };
            findings.push(Found { kind: finding.kind.name().to_owned(), severity, count: finding.count, stacks });
        }
        findings.extend(leaks.into_iter().map(|(opener, count)| Found {
            kind: "fd.leak".to_owned(),
            severity: "info",
            count,
            stacks: vec![("opened", opener)],
        }));
        Ok(())
    }

    /// Which step each stack of a finding is of; `usize::MAX` where none is.
    fn stacks(
        &self,
        recording: &Recording<&[u8]>,
        finding: &Finding,
        symbols: &Symbols<'_>,
    ) -> Vec<(&'static str, usize)> {
        let mut stacks = Vec::new();
        for party in finding.parties {
            let Some(role) = party.role.filter(|_| party.stack != 0) else { continue };
            let steps = recording.stack(party.stack).into_iter().filter_map(|frame| {
                let name = symbols.function(frame.offset().wrapping_sub(1))?;
                name.strip_prefix("step_")?.parse().ok()
            });
            // Of a lock that was there to be had, shim keeps the place of the call alone.
            let step = if role.name() == "locked" { None } else { { steps }.next() };
            stacks.push((role.name(), step.unwrap_or(usize::MAX)));
        }
        stacks.sort_unstable();
        stacks
    }
}

/// `STEP RESULT ERRNO`.
fn answer(line: &str) -> Option<(i64, i32)> {
    let mut words = line.split(' ').skip(1);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The difference in words, if there is one.
pub fn compare(how: &str, expected: &Expected, got: &Played) -> Result<(), String> {
    if expected.answers == got.answers && expected.findings == got.findings && got.else_.is_empty() {
        return Ok(());
    }
    let mut why = format!("{how}: {}\n", expected.program);
    for (step, (expected, got)) in expected.answers.iter().zip(&got.answers).enumerate() {
        if expected != got {
            writeln!(why, "    step {step} answers {got:?}, not {expected:?}").ok();
        }
    }
    if expected.answers.len() != got.answers.len() {
        writeln!(why, "    {} answers of {}", got.answers.len(), expected.answers.len()).ok();
    }
    for found in got.findings.iter().filter(|found| !expected.findings.contains(found)) {
        writeln!(why, "    not expected: {found:?}").ok();
    }
    for found in expected.findings.iter().filter(|found| !got.findings.contains(found)) {
        writeln!(why, "    not found: {found:?}").ok();
    }
    if !got.else_.is_empty() {
        writeln!(why, "    {}", got.else_).ok();
    }
    Err(why)
}
