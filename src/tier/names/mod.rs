//! From a module's file to functions and lines.
//!
//! shim maps the file of a module and, when it has no lines itself, the file that its build id or its debug link leads to
//! ([`Identity`]); a rule that speaks of a function or a line then asks [`Symbols`] for a link address.
//!
//! Why not the whole of DWARF: rules are compared with the innermost line of a call, which the line table alone gives, and
//! with functions as they are linked. Inlined functions are therefore not seen.
//!
//! Rules: the bytes may be anybody's. No panic, no more work than the file is long (times the units, where old DWARF must be
//! asked for a directory), no names that were not there.

pub mod demangle;
mod functions;
mod lines;

use functions::Functions;
use lines::Lines;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use object::read::elf::ElfFile64;
use object::{CompressionFormat, LittleEndian};
use object::{Object, ObjectSection, ObjectSegment};
use std::borrow::Cow;

type Elf<'a> = ElfFile64<'a, LittleEndian, &'a [u8]>;

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    pub build_id: &'a [u8],
    /// The name of the file with its debug information, and that file's CRC.
    pub debug_link: Option<(&'a [u8], u32)>,
    /// Are there lines that can be read, so that no other file is needed?
    pub has_lines: bool,
    /// Is there a table of all symbols, not only of those that are exported?
    pub has_symbols: bool,
}

impl<'a> Identity<'a> {
    /// None: it is no 64-bit ELF file.
    pub fn of(file: &'a [u8]) -> Option<Self> {
        let elf = Elf::parse(file).ok()?;
        Some(Self {
            build_id: elf.build_id().ok().flatten().unwrap_or_default(),
            debug_link: elf.gnu_debuglink().ok().flatten(),
            has_lines: packing(&elf, ".debug_line") == Packing::Readable,
            has_symbols: elf.section_by_name(".symtab").is_some(),
        })
    }

    /// Where in the file a link address lies, by its program headers.
    pub fn file_offset(file: &'a [u8], link: u64) -> Option<u64> {
        let elf = Elf::parse(file).ok()?;
        let segment = elf.segments().find(|segment| link.wrapping_sub(segment.address()) < segment.size())?;
        Some(segment.file_range().0.wrapping_add(link.wrapping_sub(segment.address())))
    }
}

/// The functions and lines of a module.
#[derive(Debug)]
pub struct Symbols<'a> {
    functions: Functions<'a>,
    lines: Lines<'a>,
    unreadable: bool,
}

impl<'a> Symbols<'a> {
    /// `debug` is the separate file with the debug information, if there is one. None: the module is no 64-bit ELF file.
    pub fn open(module: &'a [u8], debug: Option<&'a [u8]>) -> Option<Self> {
        let module = Elf::parse(module).ok()?;
        let debug = debug.and_then(|debug| Elf::parse(debug).ok());
        let functions = Functions::of(std::iter::once(&module).chain(&debug));
        let with_lines = match debug {
            Some(debug) if packing(&module, ".debug_line") != Packing::Readable => debug,
            _ => module,
        };
        let unreadable = packing(&with_lines, ".debug_line") == Packing::Unreadable;
        Some(Self { functions, lines: Lines::of(with_lines), unreadable })
    }

    /// The linkage name of the function that holds a link address.
    pub fn function(&self, link: u64) -> Option<Cow<'a, str>> {
        self.functions.find(link).map(String::from_utf8_lossy)
    }

    /// There are lines, but zstd has packed them: what cannot be read is unknown.
    pub fn has_unreadable_lines(&self) -> bool {
        self.unreadable
    }

    /// The source file and the line of a link address; line 0 when the compiler gave none. The first call reads the table.
    pub fn line(&mut self, link: u64) -> Option<(String, u32)> {
        self.lines.find(link)
    }
}

/// What is there of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Absent,
    Readable,
    /// By zstd: what would unpack it is larger than all that asks for it.
    Unreadable,
}

/// Of a section: is it there, and can it be read?
fn packing(elf: &Elf<'_>, name: &str) -> Packing {
    let Some(section) = elf.section_by_name(name).filter(|section| section.size() > 0) else { return Packing::Absent };
    match section.compressed_file_range().map(|range| range.format) {
        Ok(CompressionFormat::None | CompressionFormat::Zlib) => Packing::Readable,
        Ok(_) => Packing::Unreadable,
        Err(_) => Packing::Absent,
    }
}

/// No compressed section is read that is longer when it is unpacked: a few bytes may stand for a thousand times as many.
const LONGEST: u64 = 256 << 20;

/// A section's bytes, unpacked where zlib has packed them (`gcc -gz`); those are kept for good, as all that is read of a module.
fn section<'a>(elf: &Elf<'a>, name: &str) -> Option<&'a [u8]> {
    let found = elf.section_by_name(name)?.compressed_data().ok()?;
    let bytes = match found.format {
        CompressionFormat::None => found.data,
        CompressionFormat::Zlib => {
            let size = usize::try_from(found.uncompressed_size).ok().filter(|size| *size as u64 <= LONGEST)?;
            Vec::leak(decompress_to_vec_zlib_with_limit(found.data, size).ok()?)
        }
        _ => return None,
    };
    (!bytes.is_empty()).then_some(bytes)
}
