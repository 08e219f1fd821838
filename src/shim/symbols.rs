//! Exported names of addresses, for the text that is printed as a finding is made. The command does the real work.
//!
//! Why not dladdr: it takes the loader's lock. The dynamic symbol table of a loaded object is read directly; a linear
//! search is fine on a path that runs once per distinct finding.
#![allow(unsafe_code)] // Safety: tables of a loaded object, found through its own PT_DYNAMIC, sized by its hash table.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

use crate::unwind::Object;

#[cfg(target_pointer_width = "32")]
use libc::Elf32_Sym as Sym;
#[cfg(target_pointer_width = "64")]
use libc::Elf64_Sym as Sym;

const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_STRSZ: usize = 10;
const DT_GNU_HASH: usize = 0x6fff_fef5;
const STT_FUNC: u8 = 2;

/// The function that contains `offset` (an ELF virtual address) and the distance from its start.
pub fn find(object: &Object, offset: u64) -> Option<(&'static [u8], u64)> {
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

/// Where the object itself defines this function, for others to call.
pub fn definition(object: &Object, name: &[u8]) -> Option<usize> {
    let tables = Tables::of(object)?;
    let mut defined = tables.symbols().iter().filter(|s| s.st_shndx != 0 && s.st_info & 15 == STT_FUNC);
    let symbol = defined.find(|s| tables.name(s.st_name as usize) == Some(name))?;
    Some((object.bias + symbol.st_value as u64) as usize)
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
        // glibc relocates these entries in place, except in the vDSO.
        let inside = |a: usize| (object.start..object.end).contains(&(a as u64));
        if !inside(symbols) || !inside(strings) {
            return None;
        }
        let count = if inside(hash) {
            // SAFETY: nbucket, nchain; nchain is the number of symbols (gABI).
            unsafe { *(hash as *const u32).add(1) as usize }
        } else if inside(gnu_hash) {
            gnu_count(gnu_hash)
        } else {
            return None;
        };
        let undefined = if inside(gnu_hash) {
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

/// The number of symbols by DT_GNU_HASH: the end of the chain of the highest bucket.
fn gnu_count(at: usize) -> usize {
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
            return first;
        }
        let chains = table.add(buckets);
        while *chains.add(last - first) & 1 == 0 {
            last += 1;
        }
        last + 1
    }
}
