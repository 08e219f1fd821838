//! `shim run` where there is a library for each architecture: the one that fits, and what is said when there is none.

use crate::built::{self, gcc};
use crate::installed::{self, parts};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `bin/shim` and `lib/shim/x86_64/libshim.so`, with the names that loaders have for it.
fn prefix(name: &str) -> PathBuf {
    let root = built::directory(name);
    let folders = root.join("lib/shim");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::create_dir_all(folders.join("x86_64")).unwrap();
    fs::copy(installed::shim(), root.join("bin/shim")).unwrap();
    fs::copy(installed::root().join("lib/libshim.so"), folders.join("x86_64/libshim.so")).unwrap();
    for link in ["haswell", "xeon_phi"] {
        symlink("x86_64", folders.join(link)).unwrap();
    }
    root
}

fn run(root: &Path, arguments: &[&str]) -> (String, String, Option<i32>) {
    let mut command = Command::new(root.join("bin/shim"));
    command.arg("run").args(arguments).env_remove("LD_PRELOAD").env_remove("SHIM_OPTIONS");
    command.env("STAND_IN_RECORDING", &*crate::sample::CLEAN);
    parts(&command.output().unwrap())
}

/// A program for Intel 80386 as far as anybody looks before it runs: its header, and the name of a loader that is there.
fn for_i386(path: &Path) {
    let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |bytes: &mut Vec<u8>, n: u16| bytes.extend(n.to_le_bytes());
    let word = |bytes: &mut Vec<u8>, n: u32| bytes.extend(n.to_le_bytes());
    let loader = format!("{}\0", installed::shim().display());
    half(&mut bytes, 2);
    half(&mut bytes, 3);
    word(&mut bytes, 1);
    [0x0804_8000, 52, 0, 0].into_iter().for_each(|n| word(&mut bytes, n));
    [52, 32, 1, 40, 0, 0].into_iter().for_each(|n| half(&mut bytes, n));
    // PT_INTERP
    let len = loader.len() as u32;
    [3, 84, 0, 0, len, len, 4, 1].into_iter().for_each(|n| word(&mut bytes, n));
    bytes.extend(loader.as_bytes());
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_loader_puts_the_architecture() {
    let root = prefix("architectures");
    let shown = root.join("lib/shim/$PLATFORM/libshim.so").display().to_string();
    // The loader finds it: the stand-in has made a recording, so nothing is said.
    assert_eq!(
        run(&root, &["sh", "-c", "echo \"$LD_PRELOAD\"; exit 3"]),
        (format!("{shown}\n"), String::new(), Some(3))
    );
    // Without its links the folder itself is named.
    fs::remove_file(root.join("lib/shim/haswell")).unwrap();
    let plain = root.join("lib/shim/x86_64/libshim.so").display().to_string();
    assert_eq!(run(&root, &["sh", "-c", "echo \"$LD_PRELOAD\""]).0, format!("{plain}\n"));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn there_is_none_for_the_program() {
    let root = prefix("architectures-none");
    let program = root.join("bin/old");
    for_i386(&program);
    let place = root.join("lib/shim/i686/libshim.so");
    let expected = format!(
        "shim: {}: it is a 32-bit i386 program, and there is no libshim.so for it: {} is not there\n",
        program.display(),
        place.canonicalize().unwrap_or(place).display()
    );
    assert_eq!(run(&root, &[program.to_str().unwrap()]), (String::new(), expected.clone(), Some(125)));
    // So is a script that it runs.
    let script = root.join("bin/script");
    fs::write(&script, format!("#!{}\n", program.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let (stdout, stderr, code) = run(&root, &[script.to_str().unwrap()]);
    assert_eq!((stdout.as_str(), code, stderr.lines().count()), ("", Some(125), 1), "{stderr}");
    assert!(stderr.contains("32-bit i386 program"), "{stderr}");
    // With one it is started, and the system says what it thinks of it.
    fs::create_dir_all(root.join("lib/shim/i686")).unwrap();
    fs::copy(installed::root().join("lib/libshim.so"), root.join("lib/shim/i686/libshim.so")).unwrap();
    assert_ne!(run(&root, &[program.to_str().unwrap()]).2, Some(125));
}

#[test]
fn a_real_program_of_32_bits() {
    let directory = built::directory("architectures-real");
    fs::write(directory.join("p.c"), "int main(void) { return 5; }").unwrap();
    let made = Command::new("gcc").args(["-m32", "-o", "p", "p.c"]).current_dir(&directory).output().unwrap();
    if !made.status.success() {
        println!("skipped: gcc has no -m32 here");
        return;
    }
    gcc(&directory, &["-o", "wide", "p.c"]);
    let root = prefix("architectures-real-prefix");
    assert_eq!(run(&root, &[directory.join("p").to_str().unwrap()]).2, Some(125));
    assert_eq!(run(&root, &[directory.join("wide").to_str().unwrap()]), (String::new(), String::new(), Some(5)));
}
