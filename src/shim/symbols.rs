//! Exported names of addresses, for the text that is printed as a finding is made. The command does the real work.
//!
//! Why not dladdr: it takes the loader's lock. The dynamic symbol table of a loaded object is read directly; a linear
//! search is fine on a path that runs once per distinct finding.
#![allow(unsafe_code)] // Safety: tables of a loaded object, found through its own PT_DYNAMIC, sized by its hash table.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

use crate::unwind::Object;
use core::ffi::CStr;
use core::num::NonZeroUsize;

#[cfg(target_pointer_width = "32")]
use libc::{Elf32_Phdr as Phdr, Elf32_Sym as Sym};
#[cfg(target_pointer_width = "64")]
use libc::{Elf64_Phdr as Phdr, Elf64_Sym as Sym};

const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_STRSZ: usize = 10;
const DT_GNU_HASH: usize = 0x6fff_fef5;
/// Those that lie among the tables, of code too: HASH, STRTAB, RELA, INIT, REL, JMPREL, GNU_HASH, VERSYM, VERDEF, VERNEED.
const TABLES: [usize; 10] = [4, 5, 7, 12, 17, 23, DT_GNU_HASH, 0x6fff_fff0, 0x6fff_fffc, 0x6fff_fffe];
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;

/// The function, or else the variable, that contains `offset` (an ELF virtual address) and the distance from its start.
pub fn find(object: &Object, offset: u64) -> Option<(&'static [u8], u64)> {
    code(object, offset).or_else(|| data(object, offset))
}

fn code(object: &Object, offset: u64) -> Option<(&'static [u8], u64)> {
    let tables = Tables::of(object)?;
    let mut best: Option<&Sym> = None;
    for symbol in tables.symbols() {
        let (at, size) = (symbol.st_value as u64, symbol.st_size as u64);
        let inside = at <= offset && offset < at + size.max(1);
        if symbol.st_info & 15 == STT_FUNC
            && symbol.st_shndx != 0
            && inside
            && best.is_none_or(|b| b.st_value < symbol.st_value)
        {
            best = Some(symbol);
        }
    }
    let symbol = best?;
    Some((tables.name(symbol.st_name as usize)?, offset - symbol.st_value as u64))
}

/// The exported variable that contains `offset` (an ELF virtual address) and the distance from its start.
pub fn data(object: &Object, offset: u64) -> Option<(&'static [u8], u64)> {
    let tables = Tables::of(object)?;
    let symbol = tables.symbols().iter().find(|s| {
        let at = s.st_value as u64;
        s.st_info & 15 == STT_OBJECT && s.st_shndx != 0 && at <= offset && offset < at + (s.st_size as u64).max(1)
    })?;
    Some((tables.name(symbol.st_name as usize)?, offset - symbol.st_value as u64))
}

/// Does the object define or want a symbol of this name?
pub fn names(object: &Object, name: &[u8]) -> bool {
    Tables::of(object).is_some_and(|tables| {
        tables.symbols().iter().any(|s| s.st_name != 0 && tables.name(s.st_name as usize) == Some(name))
    })
}

/// Is this the path of libc, of its loader, or of what up to glibc 2.33 are libraries of their own: threads, and the resolver?
pub fn is_libc(path: &[u8]) -> bool {
    let base = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    [&b"libc.so."[..], b"libc-2.", b"ld-linux", b"libpthread", b"libresolv", b"libnss_dns", b"libnss_files"]
        .iter()
        .any(|start| base.starts_with(start))
}

/// The path that the loader has of an object; empty for the program.
///
/// # Safety
/// What dl_iterate_phdr passes.
unsafe fn path_of<'a>(info: *const libc::dl_phdr_info) -> &'a [u8] {
    // SAFETY: the caller's.
    unsafe { if (*info).dlpi_name.is_null() { c"" } else { CStr::from_ptr((*info).dlpi_name) }.to_bytes() }
}

/// Does the address lie in one of libc's own libraries? Before we know any module.
pub fn lies_in_libc(address: u64) -> bool {
    struct Asked {
        address: u64,
        libc: bool,
    }
    unsafe extern "C" fn each(info: *mut libc::dl_phdr_info, _: usize, data: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the loader passes a valid info and our own `Asked`.
        unsafe {
            let asked = &mut *data.cast::<Asked>();
            let headers = core::slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum));
            let inside = |h: &Phdr| {
                let start = ((*info).dlpi_addr as u64).wrapping_add(h.p_vaddr as u64);
                h.p_type == libc::PT_LOAD && (start..start + h.p_memsz as u64).contains(&asked.address)
            };
            if !headers.iter().any(inside) {
                return 0;
            }
            let path = path_of(info);
            // Up to glibc 2.33 dlsym, and the key of its errors, are in a library of their own.
            asked.libc = is_libc(path) || path.windows(6).any(|part| part == b"/libdl");
            1
        }
    }
    let mut asked = Asked { address, libc: false };
    // SAFETY: `each` has the right type and `asked` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut asked).cast()) };
    asked.libc
}

/// A function of libc, found in its own tables: without dlsym, and before we know any module.
pub fn of_libc(name: &[u8]) -> Option<NonZeroUsize> {
    struct Wanted<'a> {
        name: &'a [u8],
        found: Option<NonZeroUsize>,
    }
    unsafe extern "C" fn each(info: *mut libc::dl_phdr_info, _: usize, data: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the loader passes a valid info and our own `Wanted`.
        unsafe {
            let wanted = &mut *data.cast::<Wanted>();
            if is_libc(path_of(info)) {
                let headers = core::slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum));
                wanted.found = definition(&Object::bare((*info).dlpi_addr as u64, headers), wanted.name);
            }
            libc::c_int::from(wanted.found.is_some())
        }
    }
    let mut wanted = Wanted { name, found: None };
    // SAFETY: `each` has the right type and `wanted` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(each), (&raw mut wanted).cast()) };
    wanted.found
}

/// Where the object itself defines this function, for others to call.
pub fn definition(object: &Object, name: &[u8]) -> Option<NonZeroUsize> {
    let tables = Tables::of(object)?;
    let symbol = tables
        .symbols()
        .iter()
        .find(|s| s.st_info & 15 == STT_FUNC && s.st_shndx != 0 && tables.name(s.st_name as usize) == Some(name))?;
    NonZeroUsize::new((object.bias + symbol.st_value as u64) as usize)
}

/// Does the object call one of these functions, and somebody else defines it?
pub fn imports(object: &Object, names: &[&[u8]]) -> bool {
    Tables::of(object).is_some_and(|tables| {
        let undefined = tables.symbols().iter().take(tables.undefined).filter(|s| s.st_shndx == 0 && s.st_name != 0);
        undefined.filter_map(|s| tables.name(s.st_name as usize)).any(|name| names.contains(&name))
    })
}

struct Tables {
    symbols: *const Sym,
    count: usize,
    /// No undefined symbol comes after so many.
    undefined: usize,
    strings: *const u8,
    strings_len: usize,
}

impl Tables {
    fn of(object: &Object) -> Option<Self> {
        if object.dynamic == 0 {
            return None;
        }
        let (mut symbols, mut strings, mut strings_len, mut hash, mut gnu_hash) = (0usize, 0usize, 0, 0usize, 0usize);
        let mut at = object.dynamic as usize as *const [usize; 2];
        // SAFETY: the dynamic section is mapped and ends with DT_NULL.
        unsafe {
            while (*at)[0] != 0 {
                let [tag, value] = *at;
                match tag {
                    DT_SYMTAB => symbols = value,
                    DT_STRTAB => strings = value,
                    DT_STRSZ => strings_len = value,
                    DT_HASH => hash = value,
                    DT_GNU_HASH => gnu_hash = value,
                    _ => {}
                }
                at = at.add(1);
            }
        }
        // What lies next behind the symbols.
        let mut behind = usize::MAX;
        // SAFETY: as above.
        unsafe {
            at = object.dynamic as usize as *const [usize; 2];
            while (*at)[0] != 0 {
                let [tag, value] = *at;
                if TABLES.contains(&tag) && value > symbols {
                    behind = behind.min(value);
                }
                at = at.add(1);
            }
        }
        // glibc relocates these entries in place, except in the vDSO.
        let inside = |a: usize| (object.start..object.end).contains(&(a as u64));
        if !inside(symbols) || !inside(strings) {
            return None;
        }
        let count = if inside(hash) {
            // SAFETY: nbucket, nchain; nchain is the number of symbols (gABI).
            unsafe { *(hash as *const u32).add(1) as usize }
        } else if inside(gnu_hash) {
            // It says nothing when no symbol is hashed, as in a program that exports none.
            gnu_count(gnu_hash).or_else(|| inside(behind).then(|| (behind - symbols) / size_of::<Sym>()))?
        } else {
            return None;
        };
        let undefined = if inside(gnu_hash) && gnu_count(gnu_hash).is_some() {
            // SAFETY: nbuckets, symoffset: what is not hashed, as undefined symbols are not, comes first.
            unsafe { (*(gnu_hash as *const u32).add(1) as usize).min(count) }
        } else {
            count
        };
        Some(Self { symbols: symbols as *const Sym, count, undefined, strings: strings as *const u8, strings_len })
    }

    fn symbols(&self) -> &[Sym] {
        // SAFETY: `count` symbols by the object's own hash table.
        unsafe { core::slice::from_raw_parts(self.symbols, self.count) }
    }

    fn name(&self, at: usize) -> Option<&'static [u8]> {
        // SAFETY: the string table is `strings_len` bytes.
        let table = unsafe { core::slice::from_raw_parts(self.strings, self.strings_len) };
        Some(record::text::until_nul(table.get(at..)?))
    }
}

/// The number of symbols by DT_GNU_HASH: the end of the chain of the highest bucket. None: all are empty.
fn gnu_count(at: usize) -> Option<usize> {
    // SAFETY: nbuckets, symoffset, bloom_size, bloom_shift, then bloom words, buckets, chains; a chain ends with an odd
    // value.
    unsafe {
        let head = at as *const u32;
        let (buckets, first, bloom) = (*head as usize, *head.add(1) as usize, *head.add(2) as usize);
        let table = head.add(4).byte_add(bloom * size_of::<usize>());
        let mut last = 0;
        for i in 0..buckets {
            last = last.max(*table.add(i) as usize);
        }
        if last < first {
            return None;
        }
        let chains = table.add(buckets);
        while *chains.add(last - first) & 1 == 0 {
            last += 1;
        }
        Some(last + 1)
    }
}
