//! The program that most of these tests watch, where it and the library are, and a shell that knows of both.
//!
//! What it does is said by the letters of its first argument, so that one program is compiled once for all tests.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// `twice` is exported, `hidden` is not.
const PROGRAM: &str = r#"
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    __attribute__((noinline)) void twice(void) { int fd = dup(0); close(fd); if (close(fd) == 0) _exit(90); __asm__(""); }
    __attribute__((noinline)) static void hidden(void) { int fd = dup(0); close(fd); if (close(fd) == 0) _exit(91); __asm__(""); }
    __attribute__((noinline)) void *fields(size_t size) { char *block = malloc(size); if (block) memset(block, 1, size); __asm__(""); return block; }
    int main(int count, char **arguments) {
        const char *what = count > 1 ? arguments[1] : "";
        if (strchr(what, 'n')) pthread_setname_np(pthread_self(), "\"\\\n\x1b[2J\xff\t12345");
        if (strchr(what, 'r')) { close(9); int fd = open("data", O_RDWR | O_CREAT | O_APPEND, 0600); if (dup2(fd, 9) != 9 || close(fd)) return 92; }
        if (strchr(what, 't')) for (volatile int i = 0; i < 5; i++) twice();
        if (strchr(what, 'h')) hidden();
        if (strchr(what, 'a')) { for (volatile int i = 0; i < 3; i++) if (fields(4 << 20) == fields(1 << 20)) return 95; }
        if (strchr(what, 'c')) {
            int pid = fork(), status;
            if (pid == 0) { twice(); _exit(0); }
            waitpid(pid, &status, 0);
            if (status != 0) return 93;
        }
        if (strchr(what, 'x')) { char *again[] = {arguments[0], arguments[2], NULL}; execv(arguments[0], again); return 94; }
        return 3;
    }
"#;

pub struct Places {
    pub library: PathBuf,
    pub shim: PathBuf,
    scratch: PathBuf,
    pub program: PathBuf,
}

pub static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let exe = std::env::current_exe().unwrap();
    // target/<profile>/deps/together-<hash>
    let release = exe.ancestors().nth(3).unwrap().join("release");
    let (library, shim) = (release.join("libshim.so"), release.join("shim"));
    assert!(library.exists() && shim.exists(), "{}: not there; run `make build` first", library.display());
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("together.{}", std::process::id()));
    std::fs::create_dir_all(&scratch).unwrap();
    let program = scratch.join("program");
    std::fs::write(scratch.join("program.c"), PROGRAM).unwrap();
    let flags = ["-g", "-O1", "-rdynamic", "-pthread", "-o", "program", "program.c"];
    assert!(Command::new("gcc").args(flags).current_dir(&scratch).status().unwrap().success());
    Places { library, shim, scratch, program }
});

pub fn directory(name: &str) -> PathBuf {
    let path = PLACES.scratch.join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A shell script in a directory of its own, where `$shim` is the command, `$program` the program, and `watched OPTIONS WORD…`
/// runs the program under the library alone.
pub fn script(directory: &Path, text: &str) -> Output {
    let functions = r#"watched() { options=$1; shift; LD_PRELOAD=$library SHIM_OPTIONS=$options "$program" "$@"; }"#;
    let mut command = Command::new("bash");
    command.args(["-c", &format!("{functions}\n{text}")]).current_dir(directory).stdin(Stdio::null());
    command.env("shim", &PLACES.shim).env("program", &PLACES.program).env("library", &PLACES.library);
    command.env_remove("LD_PRELOAD").env_remove("SHIM_OPTIONS").output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

pub fn counts(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|l| l["count"].as_u64().unwrap()).collect()
}
