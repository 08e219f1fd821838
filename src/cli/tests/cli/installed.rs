//! The command in a directory of its own, with a stand-in for the library where it looks for one.

use crate::{built, sample};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// As libshim.so does, it puts a recording of each process into the directory that SHIM_OPTIONS names: a copy of
/// STAND_IN_RECORDING with the pid of the process.
const STAND_IN: &str = r#"
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    __attribute__((section(".shim.roster"), used)) static const char roster[] =
        "open\tfd\trequired\t\n\0\0close\tfd\trequired\t\nmalloc\theap\trequired\t\n\0\0";
    __attribute__((constructor)) static void start(void) {
        static char bytes[1 << 20];
        const char *recording = getenv("STAND_IN_RECORDING"), *options = getenv("SHIM_OPTIONS");
        const char *record = options ? strstr(options, "record=") : NULL;
        if (!recording || !record)
            return;
        char path[4096];
        int pid = getpid();
        snprintf(path, sizeof path, "%.*s/program.%d.0.shim", (int)strcspn(record + 7, ":"), record + 7, pid);
        FILE *from = fopen(recording, "r"), *to = fopen(path, "w");
        if (!from || !to)
            return;
        size_t len = fread(bytes, 1, sizeof bytes, from);
        memcpy(bytes + 40, &pid, 4);
        fwrite(bytes, 1, len, to);
        fclose(to);
        fclose(from);
    }
"#;

/// `bin/shim` and `lib/libshim.so`.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = built::scratch().join("installed");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::create_dir_all(root.join("lib")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_shim"), root.join("bin/shim")).unwrap();
    let source = root.join("lib/stand_in.c");
    std::fs::write(&source, STAND_IN).unwrap();
    built::gcc(&root.join("lib"), &["-shared", "-fPIC", "-o", "libshim.so", "stand_in.c"]);
    root
});

pub fn root() -> &'static Path {
    &ROOT
}

pub fn shim() -> PathBuf {
    ROOT.join("bin/shim")
}

/// The command, with an environment of its own.
pub fn command(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(shim());
    command.args(arguments).env_remove("SHIM_OPTIONS").env_remove("LD_PRELOAD");
    command
}

pub fn output(arguments: &[impl AsRef<OsStr>]) -> Output {
    command(arguments).output().unwrap()
}

/// `shim run` of a program whose recording holds nothing.
pub fn run(arguments: &[&str]) -> Command {
    run_recorded(arguments, &sample::CLEAN)
}

pub fn run_recorded(arguments: &[&str], recording: &Path) -> Command {
    let mut command = command(&["run"]);
    command.args(arguments).env("STAND_IN_RECORDING", recording);
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// stdout, stderr, exit code.
pub fn parts(output: &Output) -> (String, String, Option<i32>) {
    (text(&output.stdout), text(&output.stderr), output.status.code())
}
