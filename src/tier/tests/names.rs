//! Functions and lines of real files, against binutils' addr2line, and of files that somebody broke.
#![allow(clippy::unwrap_used)] // A test that finds nothing where something must be has failed.

use object::{Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tier::names::{Identity, Symbols, demangle};

const SOURCE: &str = "\
#include <stdlib.h>
namespace flow {
struct Field { double *at; explicit Field(int n); };
Field::Field(int n) {
    at = static_cast<double *>(malloc(n * sizeof(double)));
}
static double sum(const Field &f, int n) {
    double s = 0;
    for (int i = 0; i < n; i++)
        s += f.at[i];
    return s;
}
template <class T> T twice(T t) { return t + t; }
}
int main(int argc, char **) {
    flow::Field f(argc);
    f.at[0] = 1;
    return (int)flow::twice(flow::sum(f, argc)) != 2;
}
";

/// A program of its own folder, which goes with it.
struct Built {
    folder: PathBuf,
    program: PathBuf,
}

impl Built {
    /// Nothing, where no compiler of C++ is.
    fn new(name: &str, options: &[&str]) -> Option<Self> {
        if Command::new("c++").arg("--version").output().is_err() {
            eprintln!("skipped: c++: not there");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("shim-tier-names-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/flow.cc"), SOURCE).unwrap();
        let program = folder.join("program");
        // A relative path, so that the compiler's directory is needed.
        run(Command::new("c++").current_dir(&folder).args(options).args(["src/flow.cc", "-o", "program"]));
        Some(Self { folder, program })
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.program).unwrap()
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The addresses of the functions of the source.
fn addresses(program: &[u8]) -> Vec<u64> {
    let file = object::File::parse(program).unwrap();
    let ours = file.symbols().filter(|s| s.name().is_ok_and(|n| n == "main" || n.contains("4flow")) && s.size() > 0);
    let all: Vec<u64> = ours.flat_map(|s| s.address()..s.address() + s.size()).collect();
    assert!(all.len() > 100);
    all
}

/// As addr2line says: function, file, line.
fn oracle(program: &Path, addresses: &[u64]) -> Vec<(String, String, u32)> {
    let hex: Vec<String> = addresses.iter().map(|a| format!("{a:#x}")).collect();
    let text = run(Command::new("addr2line").arg("-f").arg("-e").arg(program).args(hex));
    let lines: Vec<&str> = text.lines().collect();
    let answer = |pair: &[&str]| {
        let (file, line) = pair[1].split(" (").next().unwrap().rsplit_once(':').unwrap();
        (pair[0].to_owned(), file.to_owned(), line.parse().unwrap_or(0))
    };
    lines.chunks(2).map(answer).collect()
}

fn compare(symbols: &mut Symbols<'_>, program: &Path, addresses: &[u64]) {
    for (address, (function, file, line)) in addresses.iter().zip(oracle(program, addresses)) {
        assert_eq!(symbols.function(*address).as_deref(), Some(function.as_str()), "{address:#x}");
        assert_eq!(symbols.line(*address), Some((file, line)), "{address:#x}");
    }
}

#[test]
fn as_addr2line() {
    for (name, options) in [
        ("dwarf5", &["-O0", "-gdwarf-5"][..]),
        ("dwarf4", &["-O0", "-gdwarf-4"]),
        ("dwarf3", &["-O0", "-gdwarf-3"]),
        ("sections", &["-O0", "-gdwarf-5", "-ffunction-sections", "-Wl,--gc-sections"]),
        ("fixed", &["-O0", "-g", "-no-pie"]),
    ] {
        let Some(built) = Built::new(name, options) else { return };
        let bytes = built.bytes();
        let mut symbols = Symbols::open(&bytes, None).unwrap();
        compare(&mut symbols, &built.program, &addresses(&bytes));
        assert_eq!(symbols.line(1), None);
        assert_eq!(symbols.function(u64::MAX), None);
        assert!(Identity::of(&bytes).is_some_and(|id| id.has_lines && id.has_symbols), "{name}");
    }
}

#[test]
fn a_separate_debug_file() {
    let Some(built) = Built::new("separate", &["-O0", "-g", "-Wl,--build-id"]) else { return };
    let addresses = addresses(&built.bytes());
    let debug = built.folder.join("program.debug");
    let stripped = built.folder.join("stripped");
    run(Command::new("objcopy").arg("--only-keep-debug").arg(&built.program).arg(&debug));
    run(Command::new("objcopy")
        .arg("--strip-all")
        .arg(format!("--add-gnu-debuglink={}", debug.display()))
        .arg(&built.program)
        .arg(&stripped));
    let (stripped, debug) = (fs::read(stripped).unwrap(), fs::read(debug).unwrap());

    let identity = Identity::of(&stripped).unwrap();
    assert_eq!(identity.debug_link.map(|(name, _)| name), Some(&b"program.debug"[..]));
    assert_eq!((identity.build_id.len(), identity.has_lines, identity.has_symbols), (20, false, false));
    assert_eq!(Identity::of(&debug).map(|debug| debug.build_id), Some(identity.build_id));

    compare(&mut Symbols::open(&stripped, Some(&debug)).unwrap(), &built.program, &addresses);
    let mut alone = Symbols::open(&stripped, None).unwrap();
    assert_eq!((alone.function(addresses[0]), alone.line(addresses[0])), (None, None));
}

/// The program with its debug sections packed by objcopy.
fn packed(built: &Built, how: &str) -> Vec<u8> {
    let packed = built.folder.join(how);
    let option = format!("--compress-debug-sections={how}");
    run(Command::new("objcopy").arg(option).arg(&built.program).arg(&packed));
    let bytes = fs::read(packed).unwrap();
    let range = object::File::parse(&*bytes).unwrap().section_by_name(".debug_line").unwrap().compressed_file_range();
    assert_ne!(range.unwrap().format, object::CompressionFormat::None, "{how}");
    bytes
}

#[test]
fn compressed_lines() {
    for dwarf in ["-gdwarf-5", "-gdwarf-4"] {
        let Some(built) = Built::new(&format!("compressed{dwarf}"), &["-O0", dwarf]) else { return };
        let addresses = addresses(&built.bytes());
        let bytes = packed(&built, "zlib");
        let mut symbols = Symbols::open(&bytes, None).unwrap();
        assert!(!symbols.has_unreadable_lines());
        compare(&mut symbols, &built.program, &addresses);
        assert_eq!(Identity::of(&bytes).map(|id| id.has_lines), Some(true));
    }
}

/// Those of zstd are not read, and that is known; another file with lines is as good as ever.
#[test]
fn lines_that_zstd_compressed() {
    let Some(built) = Built::new("zstd", &["-O0", "-g"]) else { return };
    let addresses = addresses(&built.bytes());
    let bytes = packed(&built, "zstd");
    let mut symbols = Symbols::open(&bytes, None).unwrap();
    assert!(symbols.has_unreadable_lines() && symbols.function(addresses[0]).is_some());
    assert_eq!(symbols.line(addresses[0]), None);
    assert_eq!(Identity::of(&bytes).map(|id| id.has_lines), Some(false));
    let debug = built.bytes();
    let mut symbols = Symbols::open(&bytes, Some(&debug)).unwrap();
    assert!(!symbols.has_unreadable_lines());
    compare(&mut symbols, &built.program, &addresses);
}

/// A section that claims to be enormous, or larger or smaller than it is.
#[test]
fn compressed_sections_that_lie() {
    let Some(built) = Built::new("lies", &["-O0", "-g"]) else { return };
    let address = addresses(&built.bytes())[0];
    let good = packed(&built, "zlib");
    let section = |bytes: &[u8]| {
        object::File::parse(bytes).unwrap().section_by_name(".debug_line").unwrap().file_range().unwrap().0 as usize
    };
    // Elf64_Chdr: type, reserved, size.
    let size = section(&good) + 8;
    for claim in [1u64 << 40, u64::MAX, 300 << 20, 1, 0] {
        let mut bytes = good.clone();
        bytes[size..size + 8].copy_from_slice(&claim.to_le_bytes());
        assert_eq!(Symbols::open(&bytes, None).unwrap().line(address), None, "{claim}");
    }
    assert!(Symbols::open(&good, None).unwrap().line(address).is_some());
}

#[test]
fn names_as_written() {
    let Some(built) = Built::new("names", &["-O0", "-g"]) else { return };
    let bytes = built.bytes();
    let symbols = Symbols::open(&bytes, None).unwrap();
    let mut written: Vec<_> = addresses(&bytes)
        .iter()
        .filter_map(|address| demangle::without_parameters(&symbols.function(*address)?).map(|name| name.into_owned()))
        .collect();
    written.sort();
    written.dedup();
    assert_eq!(written, ["flow::Field::Field", "flow::sum", "flow::twice<double>"]);
}

#[test]
fn broken_files() {
    for (name, options) in [
        ("broken5", &["-O0", "-gdwarf-5"][..]),
        ("broken4", &["-O0", "-gdwarf-4"]),
        ("brokenz", &["-O0", "-gdwarf-5", "-gz=zlib"]),
    ] {
        let Some(built) = Built::new(name, options) else { return };
        let good = built.bytes();
        let some: Vec<u64> = addresses(&good).into_iter().step_by(37).chain([0, 1, 0x1000, u64::MAX]).collect();
        let ask = |bytes: &[u8]| {
            let identity = Identity::of(bytes);
            let Some(mut symbols) = Symbols::open(bytes, Some(bytes)) else { return identity.is_some() };
            for address in &some {
                if let Some(function) = symbols.function(*address) {
                    demangle::without_parameters(&function);
                }
                symbols.line(*address);
            }
            true
        };
        assert!(ask(&good));
        assert!(!ask(b"") && !ask(b"\x7fELF") && !ask(&good[..40]));
        // Sections with tables lie behind the code: most changes go there.
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize
        };
        let file = object::File::parse(&*good).unwrap();
        let debug: Vec<_> = file
            .sections()
            .filter(|s| s.name().is_ok_and(|n| n.starts_with(".debug") || n.ends_with("tab")))
            .filter_map(|s| s.file_range())
            .filter(|(_, size)| *size > 0)
            .collect();
        for round in 0..1500 {
            let mut bytes = good.clone();
            for _ in 0..1 + random() % 8 {
                let (start, size) =
                    if round % 3 == 0 { (0, bytes.len() as u64) } else { debug[random() % debug.len()] };
                let at = start as usize + random() % size as usize;
                bytes[at] = if random() % 4 == 0 { 0xff } else { random() as u8 };
            }
            if round % 50 == 0 {
                bytes.truncate(random() % bytes.len());
            }
            ask(&bytes);
        }
    }
}
