//! Opens files that somebody else named: only regular ones, and never a wait for a FIFO or a device.
#![allow(unsafe_code)] // Safety: flock takes a descriptor and no memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

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

/// Keeps other writers out of the file until it is closed. Waits for a few seconds at most: nobody holds it for long.
pub fn lock(file: &File) -> io::Result<()> {
    for _ in 0..200 {
        // SAFETY: no memory is involved.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => sleep(Duration::from_millis(20)),
            _ => return Err(error),
        }
    }
    Err(io::Error::other("another process is writing to it"))
}
