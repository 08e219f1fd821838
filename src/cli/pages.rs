//! `shim pages DIR`: the manual pages and the completions of shells, out of the command line itself. Not shown by `--help`: it is for
//! `make install` and packages.
//!
//! ```text
//! DIR/man/man1/shim.1, shim-run.1, …
//! DIR/bash-completion/completions/shim
//! DIR/zsh/site-functions/_shim
//! DIR/fish/vendor_completions.d/shim.fish
//! ```

use crate::args::{PagesArgs, whole};
use crate::escape::shown;
use crate::message::{Failure, exit, reason};
use clap_complete::{Shell, generate_to};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn pages(args: &PagesArgs) -> Result<ExitCode, Failure> {
    let failed = |(path, error): (PathBuf, io::Error)| {
        Failure::new(exit::PARTLY, format!("{}: {}", shown(&path), reason(&error)))
    };
    manuals(&args.directory.join("man/man1")).map_err(failed)?;
    for (shell, folder, name) in [
        (Shell::Bash, "bash-completion/completions", "shim"),
        (Shell::Zsh, "zsh/site-functions", "_shim"),
        (Shell::Fish, "fish/vendor_completions.d", "shim.fish"),
    ] {
        completion(shell, &args.directory.join(folder), name).map_err(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn manuals(folder: &Path) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (folder.to_owned(), error);
    std::fs::create_dir_all(folder).map_err(at)?;
    clap_mangen::generate_to(whole(), folder).map_err(at)
}

fn completion(shell: Shell, folder: &Path, name: &str) -> Result<(), (PathBuf, io::Error)> {
    let at = |error| (folder.to_owned(), error);
    std::fs::create_dir_all(folder).map_err(at)?;
    let written = generate_to(shell, &mut whole(), "shim", folder).map_err(at)?;
    // Each shell has its own idea of the name of the file; ours is where packages of Debian put it.
    std::fs::rename(&written, folder.join(name)).map_err(|error| (written, error))
}
