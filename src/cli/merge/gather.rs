//! Reads many recordings: two at a time, each let go before its reader takes the next.
//!
//! Why not more readers: two saturate the two cores of the machines this was measured on, and each holds one recording,
//! up to 128 MiB. Why problems are told at the end: a bar may be on the terminal, and the order of the files is the order
//! a person expects.

use super::{Extract, Merge};
use crate::escape::shown;
use crate::files;
use crate::message::reason;
use crate::recordings::{self, Loaded};
use crate::report::filter::Filter;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const READERS: usize = 2;
/// Before this nobody needs to be told that something is going on.
const PATIENCE: Duration = Duration::from_millis(500);

/// Files what the filter lets through; what is wrong with files, one line each, in their order.
pub fn gather(paths: &[PathBuf], filter: &Filter, merge: &mut Merge) -> Vec<String> {
    let merge = Mutex::new(merge);
    read_each(paths, &|number, recording| {
        if filter.wants_process(&recording.head()) {
            let extract = Extract::new(recording, &|f| filter.wants(f), &|m| filter.wants_module(m));
            merge.lock().unwrap_or_else(PoisonError::into_inner).take(number, &extract);
        }
    })
}

/// Reads the files and gives each, with its number, to `take`; what is wrong with files, one line each, in their order.
pub fn read_each(paths: &[PathBuf], take: &(dyn Fn(usize, &Loaded) + Sync)) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let problems = Mutex::new(Vec::new());
    let progress = Progress::new(paths.len());
    let read = || {
        let mut buffer = Vec::new();
        loop {
            let number = next.fetch_add(1, Relaxed);
            let Some(path) = paths.get(number) else { return };
            let opened = files::open(path).map_err(|e| reason(&e));
            match opened.and_then(|(file, _)| recordings::load_file(&file, std::mem::take(&mut buffer))) {
                Ok(recording) => {
                    take(number, &recording);
                    buffer = recording.into_bytes();
                }
                Err(why) => {
                    let line = format!("{}: {why}", shown(path));
                    problems.lock().unwrap_or_else(PoisonError::into_inner).push((number, line));
                }
            }
            progress.step();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..READERS.min(paths.len()) {
            scope.spawn(read);
        }
        read();
    });
    progress.end();
    let mut problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
    problems.sort();
    problems.into_iter().map(|(_, line)| line).collect()
}

/// A bar on stderr: only on a terminal, and only once it has taken a while.
struct Progress {
    bar: ProgressBar,
    began: Instant,
    visible: bool,
}

impl Progress {
    fn new(files: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} recordings, {eta} to go") {
            bar.set_style(style);
        }
        Self { bar, began: Instant::now(), visible: std::io::stderr().is_terminal() }
    }

    fn step(&self) {
        if self.visible && self.bar.is_hidden() && self.began.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
