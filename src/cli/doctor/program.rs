//! What kind of file a program is, and what matters for the preload in it.

use crate::files;
use crate::message::reason;
use object::elf::{DF_1_PIE, DT_FLAGS_1, DT_SONAME, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, ElfFile, FileHeader, ProgramHeader};
use object::read::{File, FileKind, ReadCache};
use object::{Architecture, Object, ObjectSection, ObjectSymbol, ReadRef};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub enum Program {
    Elf(Elf),
    Script { interpreter: PathBuf },
    Foreign,
}

pub struct Elf {
    pub machine: u16,
    pub is_64: bool,
    architecture: Architecture,
    pub interpreter: Option<PathBuf>,
    /// It has a name for the loader, is no executable and asks for none.
    pub is_library: bool,
    pub is_go: bool,
    pub defines_malloc: bool,
}

impl Elf {
    pub fn machine_name(&self) -> String {
        let name = match self.architecture {
            Architecture::X86_64 => "x86-64",
            Architecture::I386 => "i386",
            Architecture::Aarch64 => "aarch64",
            Architecture::Arm => "arm",
            Architecture::Riscv64 => "riscv64",
            Architecture::PowerPc64 => "ppc64",
            Architecture::S390x => "s390x",
            _ => "foreign",
        };
        format!("{}-bit {name}", if self.is_64 { 64 } else { 32 })
    }
}

/// The file behind a name, as execvp finds it.
pub fn look_up(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let directories = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&directories).map(|directory| directory.join(program)).find(|path| executable(path).is_ok())
}

pub fn executable(path: &Path) -> Result<(), String> {
    let meta = std::fs::metadata(path).map_err(|e| reason(&e))?;
    if !meta.is_file() {
        return Err("not a file".to_owned());
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err("not executable".to_owned());
    }
    Ok(())
}

impl Program {
    pub fn read(path: &Path) -> Result<Self, String> {
        let (file, _) = files::open(path).map_err(|e| reason(&e))?;
        let cache = ReadCache::new(file);
        match FileKind::parse(&cache) {
            Ok(FileKind::Elf64 | FileKind::Elf32) => elf(&cache).map(Self::Elf),
            _ => Ok(script(&cache)),
        }
    }
}

fn elf<'a>(data: impl ReadRef<'a>) -> Result<Elf, String> {
    let damaged = |e: object::Error| format!("a damaged ELF file: {e}");
    let file = File::parse(data).map_err(damaged)?;
    let (machine, interpreter, library) = match &file {
        File::Elf64(elf) => loading::<FileHeader64<object::Endianness>, _>(elf),
        File::Elf32(elf) => loading::<FileHeader32<object::Endianness>, _>(elf),
        _ => return Err("not an ELF file".to_owned()),
    };
    let mut symbols = file.symbols().chain(file.dynamic_symbols());
    Ok(Elf {
        machine,
        is_64: file.is_64(),
        architecture: file.architecture(),
        is_library: library && interpreter.is_none(),
        interpreter,
        is_go: file.sections().any(|s| matches!(s.name(), Ok(".go.buildinfo" | ".note.go.buildid"))),
        defines_malloc: symbols.any(|s| s.is_definition() && s.name_bytes() == Ok(b"malloc")),
    })
}

/// The machine, PT_INTERP, and whether it looks like a library.
fn loading<'a, Header, R>(file: &ElfFile<'a, Header, R>) -> (u16, Option<PathBuf>, bool)
where
    Header: FileHeader<Endian = object::Endianness>,
    R: ReadRef<'a>,
{
    let endian = file.endian();
    let header = file.elf_header();
    let interpreter = file.elf_program_headers().iter().find_map(|segment| {
        let path = segment.interpreter(endian, file.data()).ok().flatten()?;
        Some(PathBuf::from(OsString::from_vec(path.to_vec())))
    });
    let dynamic = file.elf_program_headers().iter().find_map(|s| s.dynamic(endian, file.data()).ok().flatten());
    let tags = || dynamic.unwrap_or_default().iter();
    let named = tags().any(|tag| tag.tag32(endian).map(i64::from) == Some(DT_SONAME));
    let is_pie = tags().any(|tag| {
        let value: u64 = tag.d_val(endian).into();
        tag.tag32(endian).map(i64::from) == Some(DT_FLAGS_1) && value & u64::from(DF_1_PIE) != 0
    });
    let library = header.e_type(endian) == object::elf::ET_DYN && (named || dynamic.is_some() && !is_pie);
    (header.e_machine(endian), interpreter, library)
}

/// What is no ELF file: a script with its interpreter, or with `/bin/sh`, which execvp takes where there is no `#!`.
fn script<'a>(data: impl ReadRef<'a>) -> Program {
    let len = data.len().unwrap_or(0).min(256);
    let start = data.read_bytes_at(0, len).unwrap_or_default();
    let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else {
        return if start.contains(&0) || start.starts_with(b"\x7fELF") {
            Program::Foreign
        } else {
            Program::Script { interpreter: "/bin/sh".into() }
        };
    };
    let mut words = line.split(|b| matches!(b, b' ' | b'\t' | b'\r')).filter(|word| !word.is_empty());
    let path = |word: &[u8]| PathBuf::from(OsStr::from_bytes(word));
    let first = path(words.next().unwrap_or_default());
    // `env` finds the program by its name, after its options and settings.
    let interpreter = if first.file_name() == Some(OsStr::new("env")) {
        words.find(|word| !word.starts_with(b"-") && !word.contains(&b'=')).map_or(first, path)
    } else {
        first
    };
    Program::Script { interpreter }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(text: &[u8]) -> Option<String> {
        match script(text) {
            Program::Script { interpreter } => Some(interpreter.to_string_lossy().into_owned()),
            _ => None,
        }
    }

    #[test]
    fn first_lines_of_scripts() {
        for (text, expected) in [
            (&b"#!/bin/bash -e\necho"[..], "/bin/bash"),
            (b"#! /usr/bin/perl\n", "/usr/bin/perl"),
            (b"#!/usr/bin/env python3\n", "python3"),
            (b"#!/usr/bin/env -S A=1 python3 -u\n", "python3"),
            (b"echo no first line\n", "/bin/sh"),
            (b"", "/bin/sh"),
        ] {
            assert_eq!(interpreter(text).as_deref(), Some(expected));
        }
        assert_eq!(interpreter(b"\x89PNG\0\0"), None);
    }

    #[test]
    fn programs_are_looked_up_as_execvp_does() {
        assert!(look_up(OsStr::new("sh")).is_some_and(|path| path.is_absolute()));
        assert_eq!(look_up(OsStr::new("./nope")), None);
        assert_eq!(look_up(OsStr::new("no-such-program-anywhere")), None);
    }
}
