//! Lines by address, out of .debug_line.
//!
//! The table is a row of programs, one per compiled file, in no order of addresses. The first question runs them all and
//! keeps only which addresses each covers; a question then runs one again up to its answer. So what is kept is small, and
//! the callers of this keep answers.
//!
//! Before DWARF 5 the directory of the compiler stood in .debug_info alone. It is looked up there only for a path that
//! would otherwise be relative.

use super::{Elf, section};
use gimli::{AttributeValue, DebugLine, DebugLineOffset, EndianSlice, IncompleteLineProgram, LittleEndian};
use std::cell::OnceCell;
use std::collections::BTreeMap;

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Program<'a> = IncompleteLineProgram<Slice<'a>>;

/// A longer section is not read.
const LONGEST: usize = 1 << 30;
/// .debug_info of more units is not searched for directories, and no unit has more abbreviations than fit here.
const MOST_UNITS: usize = 1 << 16;
const LONGEST_ABBREVIATIONS: usize = 1 << 16;
/// Sequences may lie in each other.
const LOOKED_AT: usize = 16;
const LONGEST_PATH: usize = 4096;

#[derive(Debug)]
pub struct Lines<'a> {
    elf: Elf<'a>,
    line: Lazy<'a>,
    line_strings: Lazy<'a>,
    strings: Lazy<'a>,
    info: Lazy<'a>,
    abbreviations: Lazy<'a>,
    /// By where they start. None: not read yet.
    sequences: Option<Vec<Sequence>>,
    /// By the program's offset: where the compiler ran.
    directories: Option<BTreeMap<usize, &'a [u8]>>,
}

/// A section, found when it is first asked for: it may be compressed.
#[derive(Debug)]
struct Lazy<'a> {
    name: &'static str,
    bytes: OnceCell<&'a [u8]>,
}

impl<'a> Lazy<'a> {
    fn new(name: &'static str) -> Self {
        Self { name, bytes: OnceCell::new() }
    }

    fn of(&self, elf: &Elf<'a>) -> &'a [u8] {
        let read = || section(elf, self.name).filter(|bytes| bytes.len() <= LONGEST).unwrap_or_default();
        self.bytes.get_or_init(read)
    }
}

#[derive(Clone, Copy, Debug)]
struct Sequence {
    start: u64,
    end: u64,
    program: usize,
}

impl<'a> Lines<'a> {
    pub fn of(elf: Elf<'a>) -> Self {
        Self {
            elf,
            line: Lazy::new(".debug_line"),
            line_strings: Lazy::new(".debug_line_str"),
            strings: Lazy::new(".debug_str"),
            info: Lazy::new(".debug_info"),
            abbreviations: Lazy::new(".debug_abbrev"),
            sequences: None,
            directories: None,
        }
    }

    pub fn find(&mut self, address: u64) -> Option<(String, u32)> {
        if self.sequences.is_none() {
            self.sequences = Some(self.read());
        }
        let sequences = self.sequences.as_deref().unwrap_or_default();
        let end = sequences.partition_point(|sequence| sequence.start <= address);
        let inside = sequences[..end].iter().rev().take(LOOKED_AT).find(|sequence| address < sequence.end);
        let program = inside?.program;
        self.run(program, address)
    }

    fn program(&self, offset: usize) -> Option<Program<'a>> {
        DebugLine::new(self.line.of(&self.elf), LittleEndian).program(DebugLineOffset(offset), 8, None, None).ok()
    }

    /// Where the programs begin.
    fn programs(&self) -> impl Iterator<Item = usize> {
        let line = self.line.of(&self.elf);
        let mut at = 0;
        std::iter::from_fn(move || {
            let begin = at;
            let word = u32::from_le_bytes(*line.get(at..)?.first_chunk()?);
            let (head, length) = match word {
                0xffff_ffff => (12, u64::from_le_bytes(*line.get(at + 4..)?.first_chunk()?)),
                length => (4, u64::from(length)),
            };
            at = at.saturating_add(head).saturating_add(usize::try_from(length).ok()?);
            Some(begin)
        })
    }

    fn read(&self) -> Vec<Sequence> {
        let mut sequences = Vec::new();
        for offset in self.programs() {
            let Some(program) = self.program(offset) else { continue };
            let mut rows = program.rows();
            let mut start: Option<u64> = None;
            while let Ok(Some((_, row))) = rows.next_row() {
                let address = row.address();
                if row.end_sequence() {
                    // What the linker threw away begins at zero.
                    if let Some(start) = start.filter(|start| *start > 0 && *start < address) {
                        sequences.push(Sequence { start, end: address, program: offset });
                    }
                    start = None;
                } else {
                    start = Some(start.map_or(address, |start| start.min(address)));
                }
            }
        }
        sequences.sort_unstable_by_key(|sequence| (sequence.start, sequence.end));
        sequences
    }

    fn run(&mut self, offset: usize, address: u64) -> Option<(String, u32)> {
        let program = self.program(offset)?;
        let mut rows = program.clone().rows();
        let mut before: Option<(u64, u64, u32)> = None;
        while let Ok(Some((_, row))) = rows.next_row() {
            if let Some((start, file, line)) = before {
                // Of rows for the same address, the last counts.
                if start <= address && address < row.address() {
                    return self.path(&program, offset, file).map(|path| (path, line));
                }
            }
            let line = row.line().and_then(|line| u32::try_from(line.get()).ok()).unwrap_or(0);
            before = (!row.end_sequence()).then(|| (row.address(), row.file_index(), line));
        }
        None
    }

    fn path(&mut self, program: &Program<'a>, offset: usize, file: u64) -> Option<String> {
        let header = program.header();
        let entry = header.file(file)?;
        let mut path = self.text(&entry.path_name())?.to_vec();
        let mut index = entry.directory_index();
        // From the file outwards, until the path is whole: its directory, then the first, which is the compiler's.
        while !path.starts_with(b"/") {
            let directory = match header.directory(index).and_then(|directory| self.text(&directory)) {
                Some(directory) if header.version() >= 5 || index > 0 => Some(directory),
                _ if index == 0 => self.directory(offset),
                _ => None,
            };
            if let Some(directory) = directory.filter(|directory| !directory.is_empty()) {
                path = [directory, b"/", &path].concat();
            }
            if index == 0 {
                break;
            }
            index = 0;
        }
        (path.len() <= LONGEST_PATH).then(|| String::from_utf8_lossy(&path).into_owned())
    }

    fn text(&self, value: &AttributeValue<Slice<'a>>) -> Option<&'a [u8]> {
        let at = |section: &Lazy<'a>, offset: usize| {
            let rest = section.of(&self.elf).get(offset..)?;
            rest.iter().position(|byte| *byte == 0).map(|end| &rest[..end])
        };
        match value {
            AttributeValue::String(text) => Some(text.slice()),
            AttributeValue::DebugStrRef(offset) => at(&self.strings, offset.0),
            AttributeValue::DebugLineStrRef(offset) => at(&self.line_strings, offset.0),
            _ => None,
        }
    }

    /// Where the compiler of a program ran, as its unit in .debug_info says.
    fn directory(&mut self, program: usize) -> Option<&'a [u8]> {
        if self.directories.is_none() {
            self.directories = Some(self.read_directories());
        }
        self.directories.as_ref()?.get(&program).copied()
    }

    fn read_directories(&self) -> BTreeMap<usize, &'a [u8]> {
        let mut found = BTreeMap::new();
        let mut units = gimli::DebugInfo::new(self.info.of(&self.elf), LittleEndian).units();
        for _ in 0..MOST_UNITS {
            let Ok(Some(unit)) = units.next() else { break };
            let Some(rest) = self.abbreviations.of(&self.elf).get(unit.debug_abbrev_offset().0..) else { continue };
            let rest = &rest[..rest.len().min(LONGEST_ABBREVIATIONS)];
            let section = gimli::DebugAbbrev::new(rest, LittleEndian);
            let Ok(abbreviations) = section.abbreviations(gimli::DebugAbbrevOffset(0)) else { continue };
            let mut entries = unit.entries(&abbreviations);
            let Ok(Some((_, root))) = entries.next_dfs() else { continue };
            let line = root.attr_value(gimli::DW_AT_stmt_list).ok().flatten();
            let directory = root.attr_value(gimli::DW_AT_comp_dir).ok().flatten();
            if let (Some(AttributeValue::DebugLineRef(line)), Some(directory)) = (line, directory) {
                if let Some(directory) = self.text(&directory) {
                    found.insert(line.0, directory);
                }
            }
        }
        found
    }
}
