//! Opens files that somebody else named: only regular ones, and never a wait for a FIFO or a device.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file for reading; its length.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other(if meta.is_dir() { "is a directory" } else { "not a regular file" }));
    }
    Ok((file, meta.len()))
}
