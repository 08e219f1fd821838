//! One module: its DWARF where there is any, its symbols otherwise.
//!
//! Why the file is read and not mapped: a file that is cut while it is mapped kills the reader, and a recording may name
//! any file. Only the sections that are needed are read.

use super::{Location, debug_files, names};
use crate::files;
use crate::merge::ModuleId;
use gimli::{EndianArcSlice, RunTimeEndian};
use object::read::{File, ReadCache};
use object::{Object, ObjectSection, ObjectSymbol, ReadRef, SymbolKind};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Reader = EndianArcSlice<RunTimeEndian>;
type Context = addr2line::Context<Reader>;

/// A section that claims more than this is not read.
const LONGEST_SECTION: u64 = 2 << 30;

/// What identifies an ELF file and leads to its debug information.
pub struct Elf {
    pub build_id: Vec<u8>,
    /// Name and checksum.
    pub debug_link: Option<(Vec<u8>, u32)>,
    has_dwarf: bool,
}

impl Elf {
    pub fn open(path: &Path) -> Result<Self, String> {
        let cache = read(path)?;
        let file = File::parse(&cache).map_err(|_| "not an object file".to_owned())?;
        let link = file.gnu_debuglink().ok().flatten().map(|(name, sum)| (name.to_vec(), sum));
        Ok(Self {
            build_id: file.build_id().ok().flatten().unwrap_or_default().to_vec(),
            debug_link: link,
            has_dwarf: file.section_by_name(".debug_info").is_some(),
        })
    }
}

fn read(path: &Path) -> Result<ReadCache<fs::File>, String> {
    files::open(path).map(|(file, _)| ReadCache::new(file)).map_err(|e| crate::message::reason(&e))
}

pub struct Image {
    dwarf: Option<Context>,
    symbols: Symbols,
    variables: Symbols,
}

impl Image {
    /// Opens the module when it is still what was recorded.
    pub fn open(id: &ModuleId, debug_root: &Path) -> Result<Self, String> {
        let path = PathBuf::from(OsStr::from_bytes(&id.path));
        let elf = Elf::open(&path)?;
        // A recording keeps 32 bytes of it.
        if !id.build_id.is_empty() && elf.build_id.get(..id.build_id.len()) != Some(&id.build_id) {
            return Err("changed since the recording was made (another build id)".to_owned());
        }
        let separate = if elf.has_dwarf { None } else { debug_files::find(&path, &elf, debug_root) };
        let source = separate.as_deref().unwrap_or(&path);
        let (mut symbols, mut variables) = Symbols::read(&path)?;
        if separate.is_some() {
            let (more, more_variables) = Symbols::read(source)?;
            symbols.add(more);
            variables.add(more_variables);
        }
        Ok(Self { dwarf: dwarf(source, debug_root), symbols, variables })
    }

    /// The variable that contains an ELF virtual address, and how far from its start that is.
    pub fn variable(&self, address: u64) -> Option<(String, u64)> {
        let (start, name) = self.variables.entry(address)?;
        Some((names::demangled(name), address - start))
    }

    /// The locations of an ELF virtual address, innermost first.
    pub fn locate(&self, address: u64) -> Vec<Location> {
        let mut locations = self.dwarf.as_ref().and_then(|d| lines(d, address)).unwrap_or_default();
        if locations.is_empty() {
            locations.push(Location::default());
        }
        if let Some(outermost) = locations.last_mut()
            && outermost.function.is_none()
        {
            let name = self.symbols.find(address);
            (outermost.function, outermost.symbol) = (name.map(names::demangled), name.map(str::to_owned));
        }
        locations
    }
}

fn lines(dwarf: &Context, address: u64) -> Option<Vec<Location>> {
    let mut frames = dwarf.find_frames(address).skip_all_loads().ok()?;
    let mut locations = Vec::new();
    while let Ok(Some(frame)) = frames.next() {
        let symbol = frame.function.and_then(|f| f.raw_name().ok().map(|name| name.into_owned()));
        let function = symbol.as_deref().map(names::demangled);
        let path = frame.location.as_ref().and_then(|l| l.file).map(PathBuf::from);
        let line = frame.location.and_then(|l| l.line);
        locations.push(Location { function, symbol, file: None, line, path });
    }
    let directory = locations.iter().any(|l| l.path.is_some()).then(|| directory(dwarf, address)).flatten();
    for location in &mut locations {
        location.file = location.path.as_ref().map(|path| {
            let given = directory.as_ref().and_then(|d| path.strip_prefix(d).ok()).unwrap_or(path);
            given.to_string_lossy().into_owned()
        });
    }
    Some(locations)
}

/// The directory in which the compiler ran.
fn directory(dwarf: &Context, address: u64) -> Option<PathBuf> {
    let unit = dwarf.find_dwarf_and_unit(address).skip_all_loads()?;
    let directory = gimli::Reader::to_string_lossy(unit.comp_dir.as_ref()?).ok()?.into_owned();
    (directory.len() > 1).then(|| directory.into())
}

fn dwarf(path: &Path, debug_root: &Path) -> Option<Context> {
    let cache = read(path).ok()?;
    let file = File::parse(&cache).ok()?;
    file.section_by_name(".debug_info").or_else(|| file.section_by_name(".debug_line"))?;
    let mut dwarf = sections(&file)?;
    if let Some(shared) = shared_file(&file, path, debug_root) {
        let cache = read(&shared).ok()?;
        dwarf.set_sup(sections(&File::parse(&cache).ok()?)?);
    }
    Context::from_dwarf(dwarf).ok()
}

/// What `dwz` moved out of several debug files into one.
fn shared_file<'a, R: ReadRef<'a>>(file: &File<'a, R>, path: &Path, debug_root: &Path) -> Option<PathBuf> {
    let (name, id) = file.gnu_debugaltlink().ok().flatten()?;
    let beside = path.parent()?.join(OsStr::from_bytes(name));
    [Some(beside), debug_files::by_build_id(id, debug_root)]
        .into_iter()
        .flatten()
        .find(|candidate| Elf::open(candidate).is_ok_and(|elf| elf.build_id == id))
}

fn sections<'a, R: ReadRef<'a>>(file: &File<'a, R>) -> Option<gimli::Dwarf<Reader>> {
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    gimli::Dwarf::load(|id| {
        let bytes = file.section_by_name(id.name()).map(|s| contents(&s)).unwrap_or(Some(Vec::new()));
        bytes.map(|bytes| Reader::new(Arc::from(bytes), endian)).ok_or(())
    })
    .ok()
}

fn contents<'a>(section: &impl ObjectSection<'a>) -> Option<Vec<u8>> {
    let data = section.compressed_data().ok()?;
    if data.uncompressed_size > LONGEST_SECTION {
        return None;
    }
    Some(data.decompress().ok()?.into_owned())
}

/// Functions, or variables, by address.
#[derive(Default)]
struct Symbols(Vec<(u64, u64, String)>);

impl Symbols {
    /// The functions and the variables of a file.
    fn read(path: &Path) -> Result<(Self, Self), String> {
        let cache = read(path)?;
        let file = File::parse(&cache).map_err(|_| "not an object file".to_owned())?;
        let (mut functions, mut variables) = (Self::default(), Self::default());
        for symbol in file.symbols().chain(file.dynamic_symbols()).filter(ObjectSymbol::is_definition) {
            let to = match symbol.kind() {
                SymbolKind::Text => &mut functions,
                SymbolKind::Data => &mut variables,
                _ => continue,
            };
            let name = String::from_utf8_lossy(symbol.name_bytes().unwrap_or_default());
            to.0.push((symbol.address(), symbol.size(), name.into_owned()));
        }
        functions.0.sort();
        variables.0.sort();
        Ok((functions, variables))
    }

    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort();
    }

    fn find(&self, address: u64) -> Option<&str> {
        self.entry(address).map(|(_, name)| name)
    }

    /// The start and the name of what contains the address.
    fn entry(&self, address: u64) -> Option<(u64, &str)> {
        let end = self.0.partition_point(|(start, ..)| *start <= address);
        let inside = |(start, size, name): &&(u64, u64, String)| {
            !name.is_empty() && (address - start < *size || *size == 0 && address == *start)
        };
        // Of names for the same code, the public one reads best: the fewest underscores at its front.
        let found = self.0[..end].iter().rev().take(64).find(inside)?;
        let same = self.0[..end].iter().rev().take(64).filter(inside).filter(|s| s.0 == found.0);
        same.min_by_key(|s| s.2.bytes().take_while(|b| *b == b'_').count()).map(|s| (s.0, s.2.as_str()))
    }
}
