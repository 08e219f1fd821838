//! The executable: all of it is in the library beside it, where the fuzzer reaches it, too.

use std::process::ExitCode;

fn main() -> ExitCode {
    shim_cli::command(std::env::args_os())
}
