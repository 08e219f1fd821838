//! `shim doctor PROGRAM`: can it be watched, and if not, why not.
//!
//! The preload works through the dynamic loader: whatever keeps the loader from loading libshim.so, or the program from
//! calling libc through it, is a check here.

mod privilege;
pub mod program;

use crate::args::DoctorArgs;
use crate::escape::shown;
use crate::library;
use crate::message::{Failure, exit};
use program::{Elf, Program};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    Ok,
    Warn,
    Fail,
}

/// One line of the answer.
#[derive(Debug)]
pub struct Check {
    pub grade: Grade,
    pub what: &'static str,
    pub text: String,
}

fn ok(what: &'static str, text: impl Into<String>) -> Check {
    Check { grade: Grade::Ok, what, text: text.into() }
}

fn warn(what: &'static str, text: impl Into<String>) -> Check {
    Check { grade: Grade::Warn, what, text: text.into() }
}

fn fail(what: &'static str, text: impl Into<String>) -> Check {
    Check { grade: Grade::Fail, what, text: text.into() }
}

pub fn doctor(args: DoctorArgs) -> Result<ExitCode, Failure> {
    let fitting =
        library::find_for(Path::new(&args.program), elf_of(&args.program).as_ref()).map(|library| library.file);
    let checks = match fitting.or_else(|_| library::find()) {
        Ok(library) => examine(&args.program, &library),
        Err(why) => vec![fail("library", why)],
    };
    let mut out = io::stdout().lock();
    for check in &checks {
        let grade = match check.grade {
            Grade::Ok => "ok",
            Grade::Warn => "warn",
            Grade::Fail => "fail",
        };
        writeln!(out, "{grade:5} {:10} {}", check.what, check.text)?;
    }
    let name = shown(&args.program);
    let worst = checks.iter().fold(Grade::Ok, |worst, check| match (worst, check.grade) {
        (Grade::Fail, _) | (_, Grade::Fail) => Grade::Fail,
        (Grade::Warn, _) | (_, Grade::Warn) => Grade::Warn,
        _ => Grade::Ok,
    });
    let (verdict, code) = match worst {
        Grade::Ok => ("can be watched", 0),
        Grade::Warn => ("can be watched, within the limits above", 0),
        Grade::Fail => ("cannot be watched", exit::PARTLY),
    };
    writeln!(out, "{name}: {verdict}")?;
    Ok(ExitCode::from(code))
}

/// The first reason why a program cannot be watched; for `shim run`, which found no recording of it.
pub fn why_not(program: &OsStr, library: &Path) -> Option<String> {
    examine(program, library).into_iter().find(|check| check.grade == Grade::Fail).map(|check| check.text)
}

/// What runs in the end, when it is an ELF file that the dynamic loader of its system loads.
pub fn elf_of(program: &OsStr) -> Option<Elf> {
    let (_, elf) = follow_scripts(program::look_up(program)?, &mut Vec::new())?;
    Some(elf).filter(|elf| elf.interpreter.as_deref().is_some_and(Path::exists))
}

fn examine(program: &OsStr, library: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let Some(path) = program::look_up(program) else {
        return vec![fail("program", format!("{}: not found", shown(program)))];
    };
    let ours = match Program::read(library) {
        Ok(Program::Elf(elf)) => elf,
        Ok(_) => return vec![fail("library", format!("{}: not an ELF file", shown(library)))],
        Err(why) => return vec![fail("library", format!("{}: {why}", shown(library)))],
    };
    if let Some((path, elf)) = follow_scripts(path, &mut checks) {
        examine_elf(&path, &elf, library, &ours, &mut checks);
    }
    checks
}

/// The ELF file that runs in the end, through `#!` lines.
fn follow_scripts(mut path: PathBuf, checks: &mut Vec<Check>) -> Option<(PathBuf, Elf)> {
    // The kernel follows four, and `env` may stand before each.
    for _ in 0..9 {
        if let Err(why) = program::executable(&path) {
            checks.push(fail("program", format!("{}: {why}", shown(&path))));
            return None;
        }
        match Program::read(&path) {
            Ok(Program::Elf(elf)) => return Some((path, elf)),
            Ok(Program::Script { interpreter }) => {
                checks.push(ok("script", format!("{} is run by {}", shown(&path), shown(&interpreter))));
                match program::look_up(interpreter.as_os_str()) {
                    Some(next) => path = next,
                    None => {
                        checks.push(fail("program", format!("{}: not found", shown(&interpreter))));
                        return None;
                    }
                }
            }
            Ok(Program::Foreign) => {
                checks.push(fail("program", format!("{}: neither an ELF file nor a script", shown(&path))));
                return None;
            }
            Err(why) => {
                checks.push(fail("program", format!("{}: {why}", shown(&path))));
                return None;
            }
        }
    }
    checks.push(fail("script", "its #! lines lead nowhere"));
    None
}

fn examine_elf(path: &Path, elf: &Elf, library: &Path, ours: &Elf, checks: &mut Vec<Check>) {
    checks.push(ok("program", format!("{} ({})", shown(path), elf.machine_name())));
    checks.push(match &elf.interpreter {
        Some(loader) => libc_check(loader),
        None if elf.is_go => fail("linking", "it is a statically linked Go program: it makes its system calls itself"),
        None if elf.is_library => fail("linking", "it is a shared library, not a program"),
        None => fail("linking", "it is statically linked: there is no dynamic loader that would load libshim.so"),
    });
    checks.push(if (elf.machine, elf.is_64) == (ours.machine, ours.is_64) {
        ok("library", shown(library))
    } else {
        fail(
            "library",
            format!("it is a {} program, and {} is {}", elf.machine_name(), shown(library), ours.machine_name()),
        )
    });
    checks.push(privilege::check(path));
    if elf.is_go && elf.interpreter.is_some() {
        checks.push(warn("runtime", "Go makes its system calls itself: only what its C code does is seen"));
    }
    if elf.defines_malloc {
        checks.push(warn("allocator", "it defines its own malloc: its heap blocks are not seen, descriptors are"));
    }
}

fn libc_check(loader: &Path) -> Check {
    let name = loader.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let shown_loader = shown(loader);
    if !loader.exists() {
        return fail("libc", format!("its dynamic loader {shown_loader} does not exist"));
    }
    match name.as_str() {
        n if n.starts_with("ld-linux") || n.starts_with("ld64") || n == "ld.so.1" => {
            ok("libc", format!("glibc ({shown_loader})"))
        }
        n if n.starts_with("ld-musl") => {
            fail("libc", format!("it uses musl ({shown_loader}), and libshim.so is built for glibc"))
        }
        _ => fail("libc", format!("its dynamic loader {shown_loader} is not that of glibc")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_libc() {
        let existing = tempfile::tempdir().unwrap();
        let loader = |name: &str| {
            let path = existing.path().join(name);
            std::fs::write(&path, "").unwrap();
            libc_check(&path)
        };
        assert_eq!(loader("ld-linux-x86-64.so.2").grade, Grade::Ok);
        assert_eq!(loader("ld-linux.so.2").grade, Grade::Ok);
        assert!(loader("ld-musl-x86_64.so.1").text.contains("musl"));
        assert_eq!(loader("linker64").grade, Grade::Fail);
        assert!(libc_check(Path::new("/nowhere/ld-linux.so.2")).text.contains("does not exist"));
    }
}
