//! A file that the user names, read whole at start: suppressions, rules. By raw calls, before any other hook runs, into private memory.

use crate::message::error_name;
use crate::sys;

/// A regular file, for reading: its descriptor, which the caller closes.
pub fn open(path: &[u8]) -> Result<i32, &'static str> {
    let path: Vec<u8> = path.iter().copied().filter(|b| *b != 0).chain([0]).collect();
    // A FIFO or a device must not make the program wait.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    let fd = sys::open(&path, flags, 0);
    if sys::failed(fd) {
        return Err(error_name(-fd as i32));
    }
    let fd = fd as i32;
    if sys::identity(fd).is_none_or(|i| i.mode & libc::S_IFMT != libc::S_IFREG) {
        sys::close(fd);
        return Err("not a regular file");
    }
    Ok(fd)
}

/// The text of a file. Of one that is longer than `most` bytes: some bytes more than that.
pub fn read(path: &[u8], most: usize) -> Result<Vec<u8>, &'static str> {
    let fd = open(path)?;
    let mut text = Vec::new();
    let mut part = [0; 4096];
    let outcome = loop {
        match sys::read(fd, &mut part) {
            0 => break Ok(()),
            n if n > 0 => text.extend_from_slice(&part[..n as usize]),
            n if n == -(libc::EINTR as isize) => {}
            n => break Err(error_name(-n as i32)),
        }
        if text.len() > most {
            break Ok(());
        }
    };
    sys::close(fd);
    outcome.map(|()| text)
}
