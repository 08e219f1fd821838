//! The fuzzer of call sequences: random programs over descriptors, blocks, keys and locks, natively and under shim in each of
//! its modes. They must answer what the model says, and shim must find what the model says, no more and no less.
//!
//! ```text
//! steps.rs   what a program can do; how one is made up, and made smaller
//! model.rs   what its calls answer, and what of it is a fault ─┐
//! run.rs     program.c plays it ─► stdout, a recording ────────┴► the same, or a finding of this fuzzer
//! ```
//!
//! `sequence [SECONDS [SEED [CASE]]]`: `SEED` is printed, and repeats the run; with `CASE` that one alone. A program that differs is
//! made as small as it can be, and printed with both sides.
//!
//! Why a process for each program and mode: what is looked at is all of shim, from start to the look for leaks at exit; so a
//! program has no past, and a finding is of its own steps.

mod mode;
mod model;
mod run;
mod steps;

use mode::MODES;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use steps::Step;

/// Programs that differ are shown up to this number; they cost a second each to make small.
const SHOWN: usize = 8;

fn main() -> ExitCode {
    let argument = |n: usize| std::env::args().nth(n).and_then(|text| text.parse::<u64>().ok());
    let seconds = argument(1).unwrap_or(60);
    let seed = argument(2).unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |time| time.as_nanos() as u64 & 0xffff_ffff)
    });
    let only = argument(3);
    println!("sequence: SEED={seed}");
    let place = match run::Place::make() {
        Ok(place) => place,
        Err(why) => {
            eprintln!("sequence: {why}");
            println!("0 passed, 1 failed");
            return ExitCode::FAILURE;
        }
    };
    let begun = Instant::now();
    let (next, played) = (AtomicU64::new(only.unwrap_or(0)), AtomicU64::new(0));
    let (found, broken) = (AtomicUsize::new(0), Mutex::new(String::new()));
    let worker = |number: usize| {
        while begun.elapsed() < Duration::from_secs(seconds) && found.load(Relaxed) < SHOWN {
            let case = next.fetch_add(1, Relaxed);
            if only.is_some_and(|only| case > only) {
                return;
            }
            match try_case(&place, number, seed, case) {
                Ok(runs) => played.fetch_add(runs, Relaxed),
                Err(why) => {
                    if let Ok(mut broken) = broken.lock() {
                        broken.push_str(&format!("SEED={seed} CASE={case}\n{why}\n"));
                    }
                    found.fetch_add(1, Relaxed) as u64
                }
            };
        }
    };
    std::thread::scope(|scope| {
        (0..2).for_each(|number| {
            scope.spawn(move || worker(number));
        });
    });
    let (cases, runs) = (next.load(Relaxed) - only.unwrap_or(0), played.load(Relaxed));
    let rate = runs as f64 / begun.elapsed().as_secs_f64().max(0.001);
    let found = found.load(Relaxed);
    print!("{}", broken.lock().map(|text| text.clone()).unwrap_or_default());
    let verdict = if found == 0 { "no finding".to_owned() } else { format!("{found} findings") };
    println!("sequence: {cases} programs, {runs} runs of them, {rate:.0} a second, {} modes, {verdict}", MODES.len());
    println!("{} passed, {} failed", usize::from(found == 0), usize::from(found > 0));
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One made-up program in all modes; how often it was run, or what differs, of the smallest such program.
fn try_case(place: &run::Place, worker: usize, seed: u64, case: u64) -> Result<u64, String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&case.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut tree = steps::programs().new_tree(&mut runner).map_err(|why| why.to_string())?;
    let Err(mut smallest) = try_program(place, worker, &tree.current()) else { return Ok(MODES.len() as u64 + 1) };
    // Smaller, as long as it still differs.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) && tree.simplify() {
        loop {
            match try_program(place, worker, &tree.current()) {
                Err(why) => {
                    smallest = why;
                    break;
                }
                Ok(()) if tree.complicate() => {}
                Ok(()) => return Err(smallest),
            }
        }
    }
    Err(smallest)
}

fn try_program(place: &run::Place, worker: usize, steps: &[Step]) -> Result<(), String> {
    let plain = model::predict(steps, &mode::NATIVE);
    let native = place.play(worker, &plain.program, &mode::NATIVE)?;
    run::compare("natively", &plain, &native)?;
    for mode in &MODES {
        let expected = model::predict(steps, mode);
        let got = place.play(worker, &expected.program, mode)?;
        run::compare(mode.options, &expected, &got)?;
    }
    Ok(())
}
