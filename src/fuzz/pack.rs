//! `pack FILE… > SEED`: a recording as the bytes that the targets `recording` and `report` begin with.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    for path in std::env::args_os().skip(1) {
        let done = std::fs::read(&path).and_then(|bytes| out.write_all(&fuzz::pack(&bytes)));
        if let Err(error) = done {
            eprintln!("pack: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
