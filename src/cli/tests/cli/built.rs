//! Programs that gcc makes for the tests, and what is known of their addresses.

use object::{Object, ObjectSymbol};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli.{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
});

/// A directory of this test run, under the target directory.
pub fn scratch() -> &'static Path {
    &SCRATCH
}

/// A new directory in it.
pub fn directory(name: &str) -> PathBuf {
    let path = scratch().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

pub fn gcc(directory: &Path, arguments: &[&str]) {
    tool("gcc", directory, arguments);
}

pub fn tool(name: &str, directory: &Path, arguments: &[&str]) {
    let output = Command::new(name).args(arguments).current_dir(directory).output();
    let output = output.unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Labels stand where a call returns to.
pub const CRASH: &str = "\
#include <unistd.h>
#define RETURNS_TO(label) __asm__ volatile(\".globl \" #label \"\\n\" #label \":\")

void finish_request(int fd)
{
\tclose(fd);
    RETURNS_TO(after_first);
}

static inline __attribute__((always_inline)) void close_again(int fd)
{
    close(fd);
    RETURNS_TO(after_second);
}

void on_closed(int fd)
{
    close_again(fd);
}

int main(void)
{
    int fd = dup(0);
    RETURNS_TO(after_open);
    finish_request(fd);
    on_closed(fd);
    return 0;
}
";

/// A program that was built from [`CRASH`].
pub struct Crash {
    pub path: PathBuf,
    pub build_id: Vec<u8>,
    /// Return addresses of the calls.
    pub first: u64,
    pub second: u64,
    pub open: u64,
}

pub fn crash(directory: &Path, flags: &[&str]) -> Crash {
    std::fs::write(directory.join("crash.c"), CRASH).unwrap();
    let fixed = ["-O1", "-fno-inline-functions", "-Wl,--build-id=sha1", "-o", "app", "crash.c"];
    gcc(directory, &[flags, &fixed[..]].concat());
    known(&directory.join("app"))
}

/// What is known of a program that was built from [`CRASH`].
pub fn known(path: &Path) -> Crash {
    let path = path.to_owned();
    let bytes = std::fs::read(&path).unwrap();
    let file = object::File::parse(&bytes[..]).unwrap();
    let address = |name: &str| file.symbols().find(|s| s.name() == Ok(name)).map(|s| s.address()).unwrap();
    Crash {
        build_id: file.build_id().unwrap().unwrap().to_vec(),
        first: address("after_first"),
        second: address("after_second"),
        open: address("after_open"),
        path,
    }
}
