//! The program under observation, and the command.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("live.{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
});

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = SCRATCH.join("watched");
    let built = Command::new("gcc").args(["-g", "-O1", "-pthread", "-o"]).arg(&program).arg(source()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
});

pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../c-tests/live/watched.c").canonicalize().unwrap()
}

/// The line of the program that is marked so.
pub fn line(mark: &str) -> usize {
    let text = std::fs::read_to_string(source()).unwrap();
    let mark = format!("/* {mark} */");
    text.lines().position(|line| line.contains(&mark)).unwrap_or_else(|| panic!("no {mark}")) + 1
}

/// `target/release/libshim.so`, from target/<profile>/deps/live-<hash>.
fn library() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let library = exe.ancestors().nth(3).unwrap().join("release/libshim.so");
    assert!(library.exists(), "{}: not there; run `make build` first", library.display());
    library
}

/// A directory of its own.
pub fn directory(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = SCRATCH.join(format!("{name}.{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// `watched MODE N` under the library; killed when this goes.
pub struct Watched {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    pub record: PathBuf,
}

impl Watched {
    pub fn start(mode: &str, n: u32) -> Self {
        Self::start_with(mode, n, "")
    }

    /// With more options, each begun by a colon.
    pub fn start_with(mode: &str, n: u32, options: &str) -> Self {
        let record = directory(mode);
        let mut command = Command::new(&*PROGRAM);
        command.args([mode, &n.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null()).env("LD_PRELOAD", library());
        command.env("SHIM_OPTIONS", format!("record={}{options}", record.display()));
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut this = Self { child, stdin, stdout, record };
        this.until_ready();
        this
    }

    fn until_ready(&mut self) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// N more of the same.
    pub fn more(&mut self) {
        self.stdin.as_ref().unwrap().write_all(b"more\n").unwrap();
        self.until_ready();
    }

    /// Killed; waited for, so that the pid is free.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn quit(&mut self) {
        self.stdin.take().unwrap().write_all(b"quit\n").unwrap();
        self.child.wait().unwrap();
    }

    /// The recording of the program itself, not of what it forked.
    pub fn recording(&self) -> PathBuf {
        self.record.join(format!("watched.{}.0.shim", self.pid()))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// stdout, stderr and exit code of the command.
pub fn shim(arguments: &[&dyn AsRef<OsStr>]) -> (String, String, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shim"));
    command.args(arguments.iter().map(AsRef::as_ref)).env_remove("LD_PRELOAD").env_remove("SHIM_OPTIONS");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// The same, of which nothing may be said on stderr.
pub fn good(arguments: &[&dyn AsRef<OsStr>]) -> String {
    let (stdout, stderr, code) = shim(arguments);
    assert_eq!((stderr.as_str(), code), ("", 0), "{stdout}");
    stdout
}

/// Nothing of the program can reach a terminal as more than text.
pub fn is_text(output: &str) {
    let bad = output.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(bad, None, "{output:?}");
}
