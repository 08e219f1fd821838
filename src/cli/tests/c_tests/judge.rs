//! Is what a program did under shim what it did alone, and what was found what its `.expect` file says?

use crate::expect::{self, Expectation, Section, Stdout};
use crate::findings::{self, Finding};
use crate::program::{CLEAN, Compilers, Program};
use crate::run::{Ran, Watch, run};
use crate::{Places, Verdict};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

pub struct Judge<'a> {
    pub places: &'a Places,
    pub compilers: &'a Compilers,
    /// The names of all programs.
    pub known: BTreeSet<String>,
    pub update: bool,
}

impl Judge<'_> {
    pub fn judge(&self, program: &Program) -> Verdict {
        let mut failures = Vec::new();
        match self.check(program, &mut failures) {
            Ok(false) => return Verdict::Skipped,
            Ok(true) => {}
            Err(why) => failures.push(why),
        }
        if failures.is_empty() { Verdict::Passed } else { Verdict::Failed(failures) }
    }

    /// False: skipped.
    fn check(&self, program: &Program, failures: &mut Vec<String>) -> Result<bool, String> {
        let file = program.expect_file();
        let missing = !file.exists();
        let mut expectation = match fs::read_to_string(&file) {
            Ok(text) => Expectation::parse(&text).map_err(|why| format!("{}: {why}", file.display()))?,
            Err(_) if self.update => Expectation::clean(program.family()),
            Err(why) => return Err(format!("{}: {why} (UPDATE_EXPECT=1 makes it)", file.display())),
        };
        self.check_twin(program, &expectation, failures);

        let binary = program.compile(self.places, self.compilers)?;
        let folder = self.places.out.join("runs").join(&program.name);
        let native = run(&binary, &empty(&folder.join("native"))?, None)?;
        if let Some(why) = native.stdout.lines().last().and_then(|line| line.strip_prefix("skip: ")) {
            if missing {
                return Err(format!("{}: not there, and cannot be made where the program is skipped", file.display()));
            }
            println!("{}: skipped: {why}", program.name);
            return Ok(false);
        }
        let as_said = match expectation.native.as_deref() {
            None => native.stdout.lines().last() == Some("ok"),
            Some("any") => true,
            Some(end) => native.exit == end,
        };
        if !as_said {
            return Err(format!(
                "without shim it ends otherwise (exit {}):\n{}{}",
                native.exit,
                indent(&native.stdout),
                indent(&native.stderr)
            ));
        }

        let before = failures.len();
        let mut got = Vec::new();
        for section in &expectation.sections {
            for name in &section.names {
                let scene =
                    Scene { judge: self, program, section, name, native: &native, dies: expectation.native.is_some() };
                got.push(scene.play(&binary, &folder.join(name), failures)?);
            }
        }
        let changed = self.blesses(program) && expectation.bless(&got);
        if changed || missing {
            fs::write(&file, expectation.write()).map_err(|e| format!("{}: {e}", file.display()))?;
            let how = if missing { "was not there, and is" } else { "says otherwise, and is" };
            failures.push(format!("{} {how} written now: read the diff, and run it again", file.display()));
        }
        if failures.len() == before {
            let _ = fs::remove_dir_all(&folder);
        }
        Ok(true)
    }

    /// A finding about a clean twin is a failure, whoever asks for it to be expected.
    fn blesses(&self, program: &Program) -> bool {
        self.update && !program.name.ends_with(CLEAN)
    }

    /// Every program that shim speaks about has a clean twin, of which shim says nothing.
    fn check_twin(&self, program: &Program, expectation: &Expectation, failures: &mut Vec<String>) {
        let speaks = expectation.sections.iter().any(Section::speaks);
        if program.name.ends_with(CLEAN) {
            if speaks {
                failures.push("a clean twin must have no findings".into());
            }
        } else if speaks && !self.known.contains(&format!("{}{CLEAN}", program.name)) {
            failures.push(format!("has findings but no clean twin {}{CLEAN}", program.name));
        }
    }
}

/// One section's run of one program.
struct Scene<'a> {
    judge: &'a Judge<'a>,
    program: &'a Program,
    section: &'a Section,
    name: &'a str,
    native: &'a Ran,
    /// By itself it is ended by the C library, which says why.
    dies: bool,
}

impl Scene<'_> {
    /// Runs, complains, returns what was found.
    fn play(&self, binary: &Path, folder: &Path, failures: &mut Vec<String>) -> Result<Vec<String>, String> {
        let recordings = empty(&folder.join("recordings"))?;
        let escaped = |path: &Path| path.to_string_lossy().replace('\\', "\\\\").replace(':', "\\:");
        let here = self.program.source.parent().unwrap_or(Path::new("."));
        let given = self.section.options(self.program.family(), self.name).replace("{here}", &escaped(here));
        let extra = std::env::var("EXTRA_OPTIONS").map_or_else(|_| String::new(), |extra| format!(":{extra}"));
        let options = format!("{given}{extra}:record={}", escaped(&recordings));
        let watch = Watch { library: &self.judge.places.library, options: &options };
        let ran = run(binary, folder, Some(&watch))?;
        let mut complain = |what: &str, expected: &str, got: &str| {
            if expected != got {
                failures.push(format!("[{}] {what}:\n{}", self.name, difference(expected, got)));
            }
        };

        let exit = self.section.exit.as_ref().unwrap_or(&self.native.exit);
        if exit != "any" {
            complain("exit status", exit, &ran.exit);
        }
        match &self.section.stdout {
            Stdout::Native => complain("stdout", &self.native.stdout, &ran.stdout),
            Stdout::Lines(lines) => complain("stdout", &lines.join("\n"), ran.stdout.trim_end()),
            Stdout::Any => {}
        }

        let mut found = self.report(&recordings)?;
        // What is open or allocated at exit on purpose is information, and half of the programs leave something open: compared only
        // where the program is about it.
        // What is reachable on the heap at exit, libc's buffers among it, is not the same everywhere.
        let name = &self.program.name;
        let about_leaks = name.contains("leak") || name.contains("limit");
        let about_reachable = name.contains("heap/leak_silent");
        found.retain(|f| match f.line.starts_with("heap.") {
            true => about_reachable || !is_idle_leak(&f.line),
            false => about_leaks || !is_idle_leak(&f.line),
        });
        let lines: Vec<String> = found.iter().map(|f| f.line.clone()).collect();
        if let Some(expected) = self.section.findings.as_ref().filter(|_| !self.judge.blesses(self.program)) {
            complain("findings", &expected.join("\n"), &lines.join("\n"));
        }
        self.check_stderr(&ran, &found, failures);
        Ok(lines)
    }

    fn report(&self, recordings: &Path) -> Result<Vec<Finding>, String> {
        let output = Command::new(&self.judge.places.command)
            .args(["report", "--json"])
            .arg(recordings)
            .output()
            .map_err(|e| format!("{}: {e}", self.judge.places.command.display()))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("[{}] shim report ({}):\n{}", self.name, output.status, indent(&why)));
        }
        findings::parse(&String::from_utf8_lossy(&output.stdout), &self.program.own_file())
            .map_err(|why| format!("[{}] {why}", self.name))
    }

    /// A clean program's stderr is its own; each error and suspect is announced there as it is found.
    fn check_stderr(&self, ran: &Ran, found: &[Finding], failures: &mut Vec<String>) {
        for words in &self.section.stderr {
            if !ran.stderr.lines().any(|line| line.starts_with("shim: ") && line.contains(words.as_str())) {
                failures.push(format!("[{}] no line `shim: …{words}…` on stderr:\n{}", self.name, indent(&ran.stderr)));
            }
        }
        let quiet = self.section.stderr.is_empty() && !found.iter().any(|f| f.shown && !f.is_posthumous());
        let expected = if self.dies && self.section.exit.is_some() { "" } else { &self.native.stderr };
        if quiet && ran.stderr != expected {
            let diff = difference(expected, &ran.stderr);
            failures.push(format!("[{}] nothing was found, stderr must be as without shim:\n{diff}", self.name));
        }
        for finding in found.iter().filter(|f| f.shown && !f.is_posthumous()) {
            if !ran.stderr.lines().any(|line| finding.is_announced_by(line)) {
                let (line, stderr) = (&finding.line, indent(&ran.stderr));
                failures.push(format!("[{}] not announced on stderr: {line}\n{stderr}", self.name));
            }
        }
        debug_assert!(found.iter().all(|f| f.shown == expect::is_shown(&f.line)));
    }
}

fn is_idle_leak(finding: &str) -> bool {
    finding.starts_with("fd.leak info ") || finding.starts_with("heap.leak info ")
}

/// The folder, with nothing in it.
fn empty(folder: &Path) -> Result<std::path::PathBuf, String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder.to_owned())
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Lines that are expected only, `-`; that were got only, `+`; the others as they are.
fn difference(expected: &str, got: &str) -> String {
    let mut missing: Vec<&str> = expected.lines().collect();
    let mut text = String::new();
    for line in got.lines() {
        match missing.iter().position(|m| *m == line) {
            Some(at) => {
                missing.remove(at);
                text.push_str(&format!("      {line}\n"));
            }
            None => text.push_str(&format!("    + {line}\n")),
        }
    }
    for line in missing {
        text.push_str(&format!("    - {line}\n"));
    }
    text
}
