//! The programs: finding them, and compiling them when they have changed.

use crate::Places;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Folders that are run by scripts, not by us: slow, or different in each run.
const NOT_HERE: &[&str] = &["bench", "live", "stories"];
const CFLAGS: &[&str] = &["-g", "-O1", "-pthread", "-Wall", "-Wextra"];
/// Part of libc itself since glibc 2.34.
const LIBRARIES: &[&str] = &["-lrt", "-lutil"];

/// What the name of a clean twin ends in.
pub const CLEAN: &str = "_clean";

pub struct Program {
    /// `fd/close_twice`.
    pub name: String,
    pub source: PathBuf,
}

impl Program {
    /// The file that frames of this program are in: a clean twin includes its sibling.
    pub fn own_file(&self) -> String {
        let stem = self.name.rsplit('/').next().unwrap_or_default();
        format!("{}.c", stem.strip_suffix(CLEAN).unwrap_or(stem))
    }

    pub fn expect_file(&self) -> PathBuf {
        self.source.with_extension("expect")
    }

    /// Compiles when the source, its sibling or a header is newer than the program.
    pub fn compile(&self, places: &Places) -> Result<PathBuf, String> {
        let program = places.out.join(&self.name);
        if is_fresh(&program, &self.sources(places)?) {
            return Ok(program);
        }
        if let Some(folder) = program.parent() {
            fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        let compiler = std::env::var_os("CC").filter(|cc| !cc.is_empty()).unwrap_or_else(|| "gcc".into());
        let output = Command::new(&compiler)
            .args(CFLAGS)
            .arg("-o")
            .arg(&program)
            .arg(&self.source)
            .args(LIBRARIES)
            .output()
            .map_err(|e| format!("{}: {e}", compiler.to_string_lossy()))?;
        if output.status.success() {
            return Ok(program);
        }
        Err(format!("does not compile:\n{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn sources(&self, places: &Places) -> Result<Vec<PathBuf>, String> {
        let mut sources = vec![self.source.clone(), self.source.with_file_name(self.own_file())];
        sources.extend(entries(&places.tests)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "h")));
        Ok(sources)
    }
}

fn is_fresh(program: &Path, sources: &[PathBuf]) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    let Some(built) = modified(program) else { return false };
    sources.iter().all(|source| modified(source).unwrap_or(SystemTime::UNIX_EPOCH) < built)
}

/// All programs, sorted by name.
pub fn all(tests: &Path) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    let mut folders = vec![tests.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                if !NOT_HERE.iter().any(|name| path.ends_with(name)) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "c") {
                let relative = path.strip_prefix(tests).unwrap_or(&path).with_extension("");
                programs.push(Program { name: relative.to_string_lossy().into_owned(), source: path });
            }
        }
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let complain = |e| format!("{}: {e}", folder.display());
    fs::read_dir(folder).map_err(complain)?.map(|entry| entry.map(|e| e.path()).map_err(complain)).collect()
}
