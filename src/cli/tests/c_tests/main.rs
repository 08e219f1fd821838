//! The C tests: small programs, and what shim must say of each of them.
//!
//! Each program of `c-tests/` runs by itself first; that run is the oracle. Then it runs under `libshim.so`, once for each
//! section of the `.expect` file beside it: same stdout, same exit status, the findings that the file lists and no others.
//! [`expect`] has the format of the file.
//!
//! ```text
//! cargo test --test c_tests                    all of them
//! cargo test --test c_tests -- close_race      those with this in their name
//! UPDATE_EXPECT=1 cargo test --test c_tests    write the findings of this run into the .expect files; a test fails when its file had to change
//! C_TESTS_ARCH=i686 C_TESTS_LIBRARY='dist/lib/shim/$PLATFORM/libshim.so' cargo test --test c_tests    programs and a library of another architecture
//! ```
//!
//! What cannot hold there stands in `c-tests/exceptions.ARCH`, with the reason ([`exceptions`]); `C_TESTS_LIBC=2.31` asks for those of a libc
//! (`scripts/libc-matrix`). aarch64 also wants `CC`, `CXX`, and in
//! `C_TESTS_RUNNER` what its programs are run by, such as `qemu-aarch64-static -L ROOT`.
//!
//! Needs gcc (or `$CC`), for the C++ programs g++ (or `$CXX`; without it they are skipped, with a line), and `make build` before it: the library and the command are taken from `target/release`.
//! Programs run two at a time, a minute each at most. The last line is always `N passed, N failed`; before it, the same for each family.

mod exceptions;
mod expect;
mod findings;
mod judge;
mod program;
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How many programs run at a time.
const PARALLEL: usize = 2;
/// A program that takes longer, all its runs together, is listed.
const SLOW: Duration = Duration::from_secs(2);

/// Where everything is.
pub struct Places {
    /// `c-tests/`.
    tests: PathBuf,
    /// `target/c-tests/`: programs, and what the runs leave behind.
    out: PathBuf,
    library: PathBuf,
    command: PathBuf,
    /// `i686`, when it is not the machine's own.
    arch: Option<String>,
    /// `2.31`, when it is not the machine's own.
    libc: Option<String>,
}

impl Places {
    fn find() -> Result<Self, String> {
        let exe = std::env::current_exe().map_err(|e| format!("cannot find myself: {e}"))?;
        // target/<profile>/deps/c_tests-<hash>
        let target = exe.ancestors().nth(3).ok_or("not in a target directory")?;
        let release = target.join("release");
        let given = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty());
        let word = |key: &str| given(key).map(|value| value.to_string_lossy().into_owned());
        let arch = word("C_TESTS_ARCH");
        let library = match given("C_TESTS_LIBRARY") {
            Some(library) => std::path::absolute(library).map_err(|e| format!("C_TESTS_LIBRARY: {e}"))?,
            None => release.join("libshim.so"),
        };
        let places = Self {
            tests: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../c-tests"),
            out: target.join(arch.as_ref().map_or("c-tests".into(), |arch| format!("c-tests-{arch}"))),
            library,
            command: release.join("shim"),
            arch,
            libc: word("C_TESTS_LIBC"),
        };
        // The loader puts the processor for `$PLATFORM`: children of other architectures want their own.
        let library = places.library.to_string_lossy().replace("$PLATFORM", places.arch.as_deref().unwrap_or_default());
        for built in [Path::new(&library), &places.command] {
            if !built.exists() {
                return Err(format!("{}: not there; run `make build` first", built.display()));
            }
        }
        Ok(places)
    }
}

struct Outcome {
    name: String,
    took: Duration,
    verdict: Verdict,
}

enum Verdict {
    Passed,
    /// It cannot be what it is on this machine, and has said why.
    Skipped,
    /// It has failed, and an exception says why.
    Excepted,
    /// What is wrong, one complaint each.
    Failed(Vec<String>),
}

fn main() -> ExitCode {
    let filters: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    match run_all(&filters) {
        Ok(outcomes) => summary(&outcomes),
        Err(why) => {
            println!("c_tests: {why}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn run_all(filters: &[String]) -> Result<Vec<Outcome>, String> {
    let places = Places::find()?;
    let mut programs = program::all(&places.tests)?;
    let exceptions = exceptions::Exceptions::read(&places)?;
    let known = programs.iter().map(|p| p.name.clone()).collect();
    programs.retain(|p| filters.is_empty() || filters.iter().any(|f| p.name.contains(f.as_str())));
    let compilers = program::Compilers::find();
    let all = programs.len();
    programs.retain(|p| !p.is_cxx() || compilers.cxx_is_there);
    if programs.len() < all {
        println!("{} C++ programs are skipped: {}: not there", all - programs.len(), compilers.cxx.to_string_lossy());
    }
    program::compile_libraries(&places, &compilers)?;

    let update = std::env::var_os("UPDATE_EXPECT").is_some_and(|v| !v.is_empty() && v != "0");
    let judge = judge::Judge { places: &places, compilers: &compilers, known, update };
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                while let Some(program) = programs.get(next.fetch_add(1, Relaxed)) {
                    let begin = Instant::now();
                    let verdict = judge.judge(program);
                    let outcome = Outcome { name: program.name.clone(), took: begin.elapsed(), verdict };
                    outcomes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    exceptions.apply(&mut outcomes, filters.is_empty());
    Ok(outcomes)
}

fn summary(outcomes: &[Outcome]) -> ExitCode {
    for outcome in outcomes.iter().filter(|o| o.took > SLOW) {
        println!("slow: {} took {:.1} s", outcome.name, outcome.took.as_secs_f64());
    }
    let mut families: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for outcome in outcomes {
        let [passed, failed, excepted, skipped] =
            families.entry(outcome.name.split('/').next().unwrap_or_default()).or_default();
        match &outcome.verdict {
            Verdict::Passed => *passed += 1,
            Verdict::Skipped => *skipped += 1,
            Verdict::Excepted => *excepted += 1,
            Verdict::Failed(complaints) => {
                *failed += 1;
                println!("\nFAILED {}", outcome.name);
                for complaint in complaints {
                    println!("{}", complaint.trim_end());
                }
            }
        }
    }
    println!();
    for (family, [passed, failed, excepted, skipped]) in &families {
        println!("family {family}: {passed} passed, {failed} failed, {excepted} excepted, {skipped} skipped");
    }
    let sum = |column: usize| families.values().map(|counts| counts[column]).sum::<usize>();
    println!("{} passed, {} failed", sum(0), sum(1));
    if sum(1) == 0 && !outcomes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
