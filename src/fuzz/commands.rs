//! Runs `shim …` in this process, on files that lie in memory, and looks at what it prints.
//!
//! Claims: text is UTF-8 without any character that a terminal obeys; what is called JSON is that, line by line; a page has
//! no more scripts than an honest one.
#![allow(unsafe_code)] // Safety: system calls on descriptors of this file's own; no memory is shared.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

/// A file in memory, and its path.
pub struct Memory {
    file: File,
    pub path: String,
}

impl Memory {
    pub fn new() -> io::Result<Self> {
        // SAFETY: a name that ends with a zero byte.
        let fd = unsafe { libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and is nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(Self { file, path })
    }

    /// Makes it these bytes, and these at their places behind.
    pub fn set(&self, bytes: &[u8], tail: &[(u64, &[u8])]) -> io::Result<()> {
        self.file.set_len(0)?;
        // Pages of zeros stay holes.
        for (at, page) in (0..).step_by(4096).zip(bytes.chunks(4096)) {
            if page.iter().any(|b| *b != 0) {
                self.file.write_all_at(page, at)?;
            }
        }
        self.file.set_len(bytes.len() as u64)?;
        tail.iter().try_for_each(|(at, run)| self.file.write_all_at(run, *at))
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.file.metadata()?.len() as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

#[derive(Clone, Copy)]
enum Output {
    Text,
    Json,
    Page,
    Binary,
}
use Output::{Binary, Json, Page, Text};

/// The commands that read a recording: words, where `@` is its path, and what they print.
const COMMANDS: [(&str, Output); 26] = [
    ("report @", Text),
    ("report --keys @", Text),
    ("report --json @", Json),
    ("report --csv @", Text),
    ("report --html - @", Page),
    ("report --tiers @", Text),
    ("report --tiers --json @", Json),
    ("report --sort time --limit 2 @", Text),
    ("heap @", Text),
    ("heap --stacks --by total @", Text),
    ("heap --by lost @", Text),
    ("heap --json @", Json),
    ("heap --export collapsed @", Text),
    ("heap --export pprof @", Binary),
    ("heap --export firefox @", Binary),
    ("heap --export csv @", Text),
    ("locks @", Text),
    ("locks --stacks @", Text),
    ("locks --json @", Json),
    ("locks --dot @", Text),
    ("diff --stacks @ @", Text),
    ("diff --json @ @", Json),
    ("metrics --heap-sites @", Text),
    ("suppress @", Text),
    ("advise --capacity fast=1M @", Text),
    ("top --once @", Text),
];

/// Runs the command of that number on a file.
pub fn run(number: u8, file: &Memory) {
    static OUT: LazyLock<Option<[Memory; 2]>> =
        LazyLock::new(|| Memory::new().ok().zip(Memory::new().ok()).map(Into::into));
    let Some(out) = OUT.as_ref() else { return };
    if out.iter().any(|memory| memory.set(&[], &[]).is_err()) {
        return;
    }
    let (line, kind) = COMMANDS[usize::from(number) % COMMANDS.len()];
    let words = line.split(' ').map(|word| OsString::from(if word == "@" { &file.path } else { word }));
    let kept = Kept::divert(out);
    shim_cli::command(std::iter::once(OsString::from("shim")).chain(words));
    drop(kept);
    let [printed, said] = out.each_ref().map(|memory| memory.bytes().unwrap_or_default());
    text(&said, line);
    match kind {
        Text => {
            text(&printed, line);
        }
        Json => {
            for one in text(&printed, line).lines() {
                let parsed: Result<serde_json::Value, _> = serde_json::from_str(one);
                assert!(parsed.is_ok(), "{line}: {parsed:?}: {one}");
            }
        }
        Page => {
            let scripts = text(&printed, line).matches("<script").count();
            assert!(scripts <= SCRIPTS, "{line}: {scripts} scripts");
        }
        Binary => {}
    }
}

const SCRIPTS: usize = 2;

/// What was printed, as text that a terminal shows and does not obey.
fn text<'a>(printed: &'a [u8], line: &str) -> &'a str {
    let text = std::str::from_utf8(printed);
    assert!(text.is_ok(), "{line}: {text:?}");
    let text = text.unwrap_or_default();
    // The rows of CSV end as its standard says.
    let obeyed = text.replace("\r\n", "\n").chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert!(obeyed.is_none(), "{line}: {obeyed:?} in {text:?}");
    text
}

/// stdout and stderr, while they lead elsewhere. A panic is told where they led before.
struct Kept([i32; 2]);

static LOUD: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(-1);

impl Kept {
    fn divert(to: &[Memory; 2]) -> Self {
        static HOOK: LazyLock<()> = LazyLock::new(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                let loud = LOUD.load(std::sync::atomic::Ordering::Relaxed);
                if loud >= 0 {
                    // SAFETY: a descriptor that is kept for this.
                    unsafe { libc::dup2(loud, 2) };
                }
                before(info);
            }));
        });
        LazyLock::force(&HOOK);
        io::stdout().flush().ok();
        // SAFETY: no memory.
        let kept = [1, 2].map(|fd| unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 100) });
        LOUD.store(kept[1], std::sync::atomic::Ordering::Relaxed);
        for (fd, memory) in (1..).zip(to) {
            // SAFETY: as above. A description of its own, which begins at 0.
            unsafe {
                libc::lseek(memory.file.as_raw_fd(), 0, libc::SEEK_SET);
                libc::dup2(memory.file.as_raw_fd(), fd);
            }
        }
        Self(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        io::stdout().flush().ok();
        LOUD.store(-1, std::sync::atomic::Ordering::Relaxed);
        for (fd, kept) in (1..).zip(self.0) {
            // SAFETY: as above.
            unsafe {
                libc::dup2(kept, fd);
                libc::close(kept);
            }
        }
    }
}
