//! The programs: finding them, and compiling them when they have changed.
//!
//! `name.c` is C, `name.cc` C++. `lib_name.c` is no program but a library: it is compiled to `lib_name.so`, beside the programs of its
//! folder, which open it with `plugin.h`.

use crate::Places;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// Folders that are run by scripts, not by us: slow, or different in each run.
const NOT_HERE: &[&str] = &["bench", "live", "stories"];
const FLAGS: &[&str] = &["-g", "-O1", "-pthread", "-Wall", "-Wextra"];
/// Of the programs in `heap/`: a pair of malloc and free is not the compiler's to leave out.
const HEAP_FLAGS: &[&str] = &["-fno-builtin"];
/// Of those with `openmp` in their name.
const OPENMP_FLAGS: &[&str] = &["-fopenmp"];
const CXX_FLAGS: &[&str] = &["-std=c++17"];
/// Of programs for `C_TESTS_ARCH`.
const ARCH_FLAGS: &[(&str, &[&str])] = &[("i686", &["-m32", "-march=i686", "-msse2", "-mfpmath=sse"])];
/// The RUNPATH is for `heap/dlopen_runpath`.
const LIBRARY_FLAGS: &[&str] = &["-shared", "-fPIC", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/plugins"];
/// Part of libc itself since glibc 2.34.
const LIBRARIES: &[&str] = &["-lrt", "-lutil", "-ldl"];

/// What the name of a clean twin ends in.
pub const CLEAN: &str = "_clean";

pub struct Compilers {
    cc: OsString,
    pub cxx: OsString,
    pub cxx_is_there: bool,
}

impl Compilers {
    pub fn find() -> Self {
        let given =
            |key: &str, name: &str| std::env::var_os(key).filter(|c| !c.is_empty()).unwrap_or_else(|| name.into());
        let cxx = given("CXX", "g++");
        let answer = Command::new(&cxx).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        Self { cc: given("CC", "gcc"), cxx, cxx_is_there: answer.is_ok_and(|status| status.success()) }
    }
}

pub struct Program {
    /// `fd/close_twice`.
    pub name: String,
    pub source: PathBuf,
}

impl Program {
    pub fn is_cxx(&self) -> bool {
        self.source.extension().is_some_and(|e| e == "cc")
    }

    /// The folder: `fd`. The names of sections are values of the option of this name.
    pub fn family(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The file that frames of this program are in: a clean twin includes its sibling.
    pub fn own_file(&self) -> String {
        let stem = self.name.rsplit('/').next().unwrap_or_default();
        format!("{}.{}", stem.strip_suffix(CLEAN).unwrap_or(stem), if self.is_cxx() { "cc" } else { "c" })
    }

    pub fn expect_file(&self) -> PathBuf {
        self.source.with_extension("expect")
    }

    /// Compiles when the source, its sibling or a header is newer than the program.
    pub fn compile(&self, places: &Places, compilers: &Compilers) -> Result<PathBuf, String> {
        let program = places.out.join(&self.name);
        self.compile_to(&program, &[], places, compilers)?;
        Ok(program)
    }

    fn compile_to(&self, output: &Path, flags: &[&str], places: &Places, compilers: &Compilers) -> Result<(), String> {
        if is_fresh(output, &self.sources(places)?) {
            return Ok(());
        }
        if let Some(folder) = output.parent() {
            fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        let arch = places.arch.as_deref().unwrap_or_default();
        let arch_flags = ARCH_FLAGS.iter().find(|(name, _)| *name == arch).map_or(&[][..], |(_, flags)| flags);
        let compiler = if self.is_cxx() { &compilers.cxx } else { &compilers.cc };
        let said = Command::new(compiler)
            .args(FLAGS)
            .args(arch_flags)
            .args(if self.is_cxx() { CXX_FLAGS } else { &[] })
            .args(if self.family() == "heap" { HEAP_FLAGS } else { &[] })
            .args(if self.name.contains("openmp") { OPENMP_FLAGS } else { &[] })
            .args(flags)
            .arg("-o")
            .arg(output)
            .arg(&self.source)
            .args(LIBRARIES)
            .output()
            .map_err(|e| format!("{}: {e}", compiler.to_string_lossy()))?;
        if said.status.success() {
            return Ok(());
        }
        Err(format!("does not compile:\n{}", String::from_utf8_lossy(&said.stderr)))
    }

    fn sources(&self, places: &Places) -> Result<Vec<PathBuf>, String> {
        let mut sources = vec![self.source.clone(), self.source.with_file_name(self.own_file())];
        for folder in [Some(places.tests.as_path()), self.source.parent()].into_iter().flatten() {
            sources.extend(entries(folder)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "h")));
        }
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
    let mut programs = sources(tests)?;
    programs.retain(|program| !is_library(program));
    Ok(programs)
}

/// Before the programs: any of them may open any of its folder.
pub fn compile_libraries(places: &Places, compilers: &Compilers) -> Result<(), String> {
    for library in sources(&places.tests)?.iter().filter(|l| is_library(l) && (!l.is_cxx() || compilers.cxx_is_there)) {
        let output = places.out.join(format!("{}.so", library.name));
        library.compile_to(&output, LIBRARY_FLAGS, places, compilers).map_err(|e| format!("{}: {e}", library.name))?;
    }
    Ok(())
}

fn is_library(program: &Program) -> bool {
    program.name.rsplit('/').next().is_some_and(|name| name.starts_with("lib_"))
}

fn sources(tests: &Path) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    let mut folders = vec![tests.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                if !NOT_HERE.iter().any(|name| path.ends_with(name)) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "c" || e == "cc") {
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
