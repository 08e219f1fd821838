//! Messages to the user: one place, one private descriptor, whole lines.
//!
//! Where they go: to what stderr was at start (or to `report=PATH`), through a duplicate with a private number. Never to
//! a bare 2, which a daemon may have closed and reused for a data file; where RLIMIT_NOFILE leaves no number for a duplicate, to 2 as long as
//! it is what it was. The duplicate follows the program: when it
//! redirects its stderr with dup2, so do we; when it closes a stderr that is a pipe or a socket, we let go too, because
//! somebody may be waiting for its end of file.

use crate::private::{self, Use};
use crate::{options, recording, sys};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU64};
use record::layout::Counter;
use record::text::Line;

static TO_FILE: AtomicBool = AtomicBool::new(false);
/// What stderr was, where there was no number for a duplicate (see [`private::fingerprint`]).
static SAME: AtomicU64 = AtomicU64::new(0);
/// The program closed its stderr and ours was let go.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Opens the way out. Again in a forked child when the path depends on the pid.
pub fn open() {
    let path = options::paths().map_or(&b""[..], |p| &p.report[..]);
    if !path.is_empty() {
        let expanded = expand(path);
        let flags =
            libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NOFOLLOW;
        let fd = sys::open(&expanded, flags, 0o644);
        if fd >= 0 && private::adopt(Use::Message, fd as i32, true) {
            TO_FILE.store(true, Relaxed);
            return;
        }
        stderr();
        let mut buffer = [0; 512];
        let mut line = Line::new(&mut buffer);
        line.text("shim: report=").foreign(&expanded[..expanded.len() - 1]).text(": cannot be opened (");
        line.text(error_name(-fd as i32)).text("); the report goes to stderr\n");
        say(line.as_bytes());
        return;
    }
    stderr();
}

fn stderr() {
    if sys::is_open(2) && !private::adopt(Use::Message, 2, false) {
        let print = sys::identity(2).map_or(0, |its| private::fingerprint(&its));
        SAME.store(print, Relaxed);
    }
}

/// Is 2 what it was at start? Asked where there was no number for a duplicate.
fn is_same() -> bool {
    let print = SAME.load(Relaxed);
    print != 0 && sys::identity(2).is_some_and(|its| private::fingerprint(&its) == print)
}

/// The report path with `%p`, `%e`, `%r` filled in, NUL-terminated.
pub fn expand(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + 32);
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        let mut buffer = [0; 32];
        let mut line = Line::new(&mut buffer);
        match (byte, if byte == b'%' { rest.next() } else { None }) {
            (b'%', Some(b'p')) => out.extend_from_slice(line.number(u64::from(sys::getpid())).as_bytes()),
            (b'%', Some(b'e')) => out.extend_from_slice(&recording::program_name()),
            (b'%', Some(b'r')) => {
                out.extend_from_slice(line.number(u64::from(recording::rank().unwrap_or(0))).as_bytes())
            }
            (b'%', Some(b'%')) => out.push(b'%'),
            (b'%', other) => {
                out.push(b'%');
                out.extend(other);
            }
            _ => out.push(byte),
        }
    }
    out.retain(|b| *b != 0);
    out.push(0);
    out
}

const PREFIX: &str = "shim: ";

/// The MPI rank, for a text that goes where others' texts go; and the text without its prefix.
fn rank_of(text: &[u8]) -> Option<(u32, &[u8])> {
    if TO_FILE.load(Relaxed) || !recording::ready() {
        return None;
    }
    Some((recording::rank()?, text.strip_prefix(PREFIX.as_bytes())?))
}

/// Writes whole lines, as they are. Async-signal-safe. Before the private descriptor is there, stderr itself is meant.
pub fn say(text: &[u8]) {
    let fd = match private::get_checked(Use::Message) {
        Some(fd) => fd,
        None if private::get(Use::Message).is_none() && !SILENT.load(Relaxed) && (!recording::ready() || is_same()) => {
            2
        }
        None => {
            recording::count(Counter::MessagesLost);
            return;
        }
    };
    // Of many ranks on one stderr each says which it is, in the same write as the rest.
    let mut label = [0; 40];
    let mut label = Line::new(&mut label);
    let mut rest = text;
    if let Some((rank, unlabelled)) = rank_of(text) {
        label.text(PREFIX).text("[rank ").number(u64::from(rank)).text("] ");
        rest = unlabelled;
    }
    let mut front = label.as_bytes();
    let mut tries = 0;
    while !rest.is_empty() || !front.is_empty() {
        let written = if front.is_empty() { sys::write(fd, rest) } else { sys::write_both(fd, front, rest) };
        match written {
            n if n > 0 => {
                let of_front = front.len().min(n as usize);
                front = &front[of_front..];
                rest = &rest[n as usize - of_front..];
            }
            // A non-blocking stderr that is full: give its reader a moment, then give up rather than hang.
            n if (n == -(libc::EAGAIN as isize) || n == -(libc::EINTR as isize)) && tries < 1000 => {
                tries += 1;
                sys::sched_yield();
            }
            _ => {
                recording::count(Counter::MessagesLost);
                return;
            }
        }
    }
}

/// The program has put something else behind its stderr on purpose (dup2, dup3): follow it.
pub fn stderr_redirected() {
    if !TO_FILE.load(Relaxed) && sys::is_open(2) && private::adopt(Use::Message, 2, false) {
        SILENT.store(false, Relaxed);
    }
}

/// The program closes its stderr (before the real close).
pub fn stderr_closing() {
    if TO_FILE.load(Relaxed) {
        return;
    }
    let Some(ours) = private::get_checked(Use::Message) else { return };
    let waits_for_eof =
        sys::identity(ours).is_some_and(|i| matches!(i.mode & libc::S_IFMT, libc::S_IFIFO | libc::S_IFSOCK));
    if waits_for_eof {
        SILENT.store(true, Relaxed);
        private::drop_descriptor(Use::Message);
    }
}

/// errno by name, for the few that our own calls meet.
pub fn error_name(errno: i32) -> &'static str {
    match errno {
        libc::ENOENT => "no such file or directory",
        libc::EACCES | libc::EPERM => "permission denied",
        libc::ENOSPC => "no space left on device",
        libc::EROFS => "read-only file system",
        libc::EDQUOT => "disk quota exceeded",
        libc::ENOTDIR => "not a directory",
        libc::EISDIR => "is a directory",
        libc::EMFILE | libc::ENFILE => "too many open files",
        libc::ENOMEM => "out of memory",
        libc::ELOOP => "a symbolic link, which is not followed",
        libc::ENAMETOOLONG => "name too long",
        libc::EFBIG => "file too large",
        libc::EINVAL => "invalid argument",
        libc::ENXIO => "nobody reads it",
        _ => "input/output error",
    }
}
