//! Every input that is kept, through its target: what the fuzzer has reached, reached again by `cargo test`.
//!
//! `cargo test -p fuzz --test corpus -- NAME` takes one target. One process, one thread: targets divert stdout.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

static NOW: Mutex<Option<PathBuf>> = Mutex::new(None);

fn inputs(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all = std::fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    all.sort();
    Ok(all)
}

fn main() -> ExitCode {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        if let Some(path) = NOW.try_lock().ok().and_then(|now| now.clone()) {
            eprintln!("corpus: {}", path.display());
        }
    }));
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    for target in fuzz::TARGETS.iter().filter(|target| wanted.as_deref().is_none_or(|name| target.name.contains(name)))
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let inputs = inputs(&folder).unwrap_or_default();
        for path in &inputs {
            if let Ok(mut now) = NOW.lock() {
                *now = Some(path.clone());
            }
            // A panic ends it all, with the name of the input.
            match std::fs::read(path) {
                Ok(bytes) => (target.run)(&bytes),
                Err(error) => {
                    println!("corpus: {}: {error}", path.display());
                    failed += 1;
                }
            }
        }
        (target.run)(&[]);
        println!("corpus: {}: {} inputs", target.name, inputs.len());
        if inputs.is_empty() {
            println!("corpus: {}: nothing there", folder.display());
            failed += 1;
        } else {
            passed += 1;
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
