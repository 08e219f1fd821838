//! `shim doctor`, on programs that gcc makes.

use crate::built::{self, gcc};
use crate::installed::{output, parts};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn doctor(program: &Path) -> (String, Option<i32>) {
    let (stdout, stderr, code) = parts(&output(&["doctor".as_ref(), program.as_os_str()]));
    assert_eq!(stderr, "");
    let last = stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with(&program.display().to_string()) && last.contains("watched"), "{stdout}");
    (stdout, code)
}

fn file(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn programs_of_all_kinds() {
    let directory = built::directory("doctor");
    std::fs::write(directory.join("p.c"), "int main(void) { return 0; }").unwrap();
    std::fs::write(
        directory.join("m.c"),
        "#include <stddef.h>\nvoid *malloc(size_t n) { (void)n; return NULL; } int main(void) { return 0; }",
    )
    .unwrap();
    let at = |name: &str| directory.join(name);
    gcc(&directory, &["-o", "plain", "p.c"]);
    gcc(&directory, &["-static", "-o", "static", "p.c"]);
    gcc(&directory, &["-shared", "-fPIC", "-Wl,-soname,l.so", "-o", "library.so", "p.c"]);
    gcc(&directory, &["-fno-builtin", "-o", "allocator", "m.c"]);
    gcc(&directory, &["-Wl,--dynamic-linker=/lib/ld-musl-nowhere.so.1", "-o", "other", "p.c"]);

    let (text, code) = doctor(&at("plain"));
    assert_eq!(code, Some(0));
    assert!(text.contains("ok    libc       glibc ("), "{text}");
    assert!(text.ends_with("plain: can be watched\n"), "{text}");

    for (name, why) in [
        ("static", "it is statically linked"),
        ("library.so", "it is a shared library, not a program"),
        ("other", "its dynamic loader /lib/ld-musl-nowhere.so.1 does not exist"),
        ("nope", "not found"),
        ("p.c", "not executable"),
    ] {
        let (text, code) = doctor(&at(name));
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("fail ") && text.contains(why) && text.ends_with("cannot be watched\n"), "{text}");
    }

    let (text, code) = doctor(&at("allocator"));
    assert_eq!(code, Some(0));
    assert!(text.contains("warn  allocator  it defines its own malloc"), "{text}");
    assert!(text.ends_with("allocator: can be watched, within the limits above\n"), "{text}");

    file(&at("script"), &format!("#!{}\n", at("plain").display()));
    let (text, code) = doctor(&at("script"));
    assert_eq!((code, text.contains("is run by")), (Some(0), true), "{text}");
    file(&at("broken"), "#!/no/such/interpreter\n");
    assert!(doctor(&at("broken")).0.contains("fail  program    /no/such/interpreter: not found"));
    file(&at("loop"), &format!("#!{}\n", at("loop").display()));
    assert_eq!(doctor(&at("loop")).1, Some(1));
    file(&at("noise"), "\0\u{1}\u{2}");
    assert!(doctor(&at("noise")).0.contains("neither an ELF file nor a script"));
}

#[test]
fn rights_and_machines() {
    let directory = built::directory("doctor-rights");
    std::fs::write(directory.join("p.c"), "int main(void) { return 0; }").unwrap();
    gcc(&directory, &["-o", "plain", "p.c"]);
    let path = directory.join("plain");
    let mut bytes = std::fs::read(&path).unwrap();

    // Of another user: only root can make one.
    let owner = std::process::Command::new("chown").args(["1".as_ref(), path.as_os_str()]).output().unwrap();
    if owner.status.success() {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755)).unwrap();
        let (text, code) = doctor(&path);
        assert_eq!((code, text.contains("fail  privilege  it is set-user-ID")), (Some(1), true), "{text}");
    }

    // e_machine of a RISC-V, and then nothing but a magic number.
    let foreign = directory.join("foreign");
    bytes[18..20].copy_from_slice(&243u16.to_le_bytes());
    std::fs::write(&foreign, &bytes).unwrap();
    std::fs::set_permissions(&foreign, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(doctor(&foreign).0.contains("fail  library    it is a 64-bit riscv64 program"));
    file(&foreign, "\u{7f}ELF");
    assert_eq!(doctor(&foreign).1, Some(1));
}
