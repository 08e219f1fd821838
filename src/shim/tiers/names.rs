//! What rules ask of addresses: which module, function, source line.
//!
//! The symbols and the line tables of a module are read from its file, once, on the first question, and from its separate debug
//! file where there is one. Under [`super::decide::DECIDING`], with the guard up: only raw calls, and the private allocator.
#![allow(unsafe_code)] // Safety: mappings of files that are kept for the life of the process.

use super::decide::DECIDING;
use crate::recording::RECORDING;
use crate::thread::State;
use crate::{message, sys, text_file, unwind};
use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;
use record::text::Line;
use std::borrow::Cow;
use tier::names::{Identity, Symbols};
use tier::rules::{Module, Names};

/// Longest path that is asked for.
const PATH: usize = 4096;
/// Modules whose lines cannot be read that are named.
const MOST_UNREADABLE: u32 = 8;
/// No file of symbols is larger.
const LARGEST: usize = 2 << 30;

struct Known {
    /// The module's number in the recording.
    number: usize,
    path: Vec<u8>,
    build_id: Vec<u8>,
    symbols: Option<Option<Symbols<'static>>>,
    /// It was said that its lines cannot be read.
    told: bool,
    /// The file, for its program headers.
    file: Option<&'static [u8]>,
}

struct Kept(UnsafeCell<Vec<Known>>);
// SAFETY: reached under `DECIDING` alone.
unsafe impl Sync for Kept {}
static KNOWN: Kept = Kept(UnsafeCell::new(Vec::new()));

/// The process, as seen by the thread that asks. Under [`DECIDING`].
pub struct Here {
    pub state: &'static State,
}

impl Here {
    fn known(&mut self, number: usize) -> &'static mut Known {
        let _ = &DECIDING;
        // SAFETY: the caller of the rules holds the lock; one reference at a time.
        let all = unsafe { &mut *KNOWN.0.get() };
        if let Some(at) = all.iter().position(|known| known.number == number) {
            return &mut all[at];
        }
        let mut path = vec![0; PATH];
        let len = record::modules::path(&RECORDING, number, &mut path);
        path.truncate(len);
        let file = map(&path);
        let build_id = file.and_then(Identity::of).map_or_else(Vec::new, |identity| identity.build_id.to_vec());
        all.push(Known { number, path, build_id, symbols: None, told: false, file });
        let last = all.len() - 1;
        &mut all[last]
    }

    /// Once for a module, and for a few of them: a rule asks for its lines, and they cannot be read.
    #[cold]
    fn tell_unreadable(&mut self, address: u64) {
        static LEFT: AtomicU32 = AtomicU32::new(MOST_UNREADABLE);
        let Some(number) = unwind::module_of(self.state, address).and_then(|object| object.recorded) else { return };
        let known = self.known(number);
        if core::mem::replace(&mut known.told, true) || LEFT.load(Relaxed) == 0 {
            return;
        }
        LEFT.fetch_sub(1, Relaxed);
        let mut buffer = [0; 1024];
        let mut line = Line::new(&mut buffer);
        line.text("shim: tiers: ").foreign(&known.path).text(": zstd has compressed its lines, so rules that name a ");
        line.text("line match nothing there; expected gcc -gz=zlib, or objcopy --decompress-debug-sections\n");
        message::say(line.as_bytes());
    }

    /// The symbols of the module of an address, and the address as they have it.
    fn symbols(&mut self, address: u64) -> Option<(&'static mut Symbols<'static>, u64)> {
        let object = unwind::module_of(self.state, address)?;
        let known = self.known(object.recorded?);
        let found = known.symbols.get_or_insert_with(|| open(known.file?, &known.path));
        Some((found.as_mut()?, address.wrapping_sub(object.bias)))
    }
}

impl Names for Here {
    fn module(&mut self, address: u64) -> Option<Module<'_>> {
        let object = unwind::module_of(self.state, address)?;
        let known = self.known(object.recorded?);
        let link_address = address.wrapping_sub(object.bias);
        Some(Module {
            path: &known.path,
            build_id: &known.build_id,
            file_offset: file_offset(known.file, link_address),
            link_address,
        })
    }

    fn function(&mut self, address: u64) -> Option<Cow<'_, str>> {
        // Of a call: a return address may be the next function's first.
        let (symbols, at) = self.symbols(address)?;
        symbols.function(at.wrapping_sub(1))
    }

    fn line(&mut self, address: u64) -> Option<(Cow<'_, str>, u32)> {
        let (symbols, at) = self.symbols(address)?;
        if symbols.has_unreadable_lines() {
            self.tell_unreadable(address);
            return None;
        }
        symbols.line(at).map(|(file, line)| (Cow::Owned(file), line))
    }

    fn real_path(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        real_path(path)
    }
}

/// Where in the file a link address lies.
fn file_offset(file: Option<&[u8]>, link: u64) -> u64 {
    file.and_then(|file| Identity::file_offset(file, link)).unwrap_or(link)
}

/// The symbols of a file, with its separate debug file's where there is one.
fn open(file: &'static [u8], path: &[u8]) -> Option<Symbols<'static>> {
    let identity = Identity::of(file)?;
    let needed = !identity.has_lines || !identity.has_symbols;
    let debug =
        if needed { separate(path, identity.build_id, identity.debug_link.map(|(name, _)| name)) } else { None };
    Symbols::open(file, debug)
}

/// By build id, then by name, where gdb looks (GDB manual, "Separate Debug Files").
fn separate(path: &[u8], build_id: &[u8], link: Option<&[u8]>) -> Option<&'static [u8]> {
    if let [first, rest @ ..] = build_id {
        let mut name = format!("/usr/lib/debug/.build-id/{first:02x}/").into_bytes();
        for byte in rest {
            name.extend(format!("{byte:02x}").bytes());
        }
        name.extend(b".debug");
        if let Some(found) = map(&name) {
            return Some(found);
        }
    }
    let link = link?;
    let directory = &path[..path.iter().rposition(|b| *b == b'/')? + 1];
    [
        [directory, b"", link].concat(),
        [directory, b".debug/", link].concat(),
        [b"/usr/lib/debug", directory, link].concat(),
    ]
    .iter()
    .find_map(|name| (name != path).then(|| map(name)).flatten())
}

/// A file, for reading, for ever.
fn map(path: &[u8]) -> Option<&'static [u8]> {
    let fd = text_file::open(path).ok()?;
    let size = sys::file_size(fd).map_or(0, |size| size as usize);
    let at =
        if size == 0 || size > LARGEST { -1 } else { sys::mmap(0, size, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0) };
    sys::close(fd);
    // SAFETY: a mapping of that size, never unmapped. A file that is truncated meanwhile faults, as it would for the program,
    // which runs from it.
    (!sys::failed(at)).then(|| unsafe { core::slice::from_raw_parts(at as usize as *const u8, size) })
}

/// The path after all links were followed; none for what is not there.
pub fn real_path(path: &[u8]) -> Option<Vec<u8>> {
    let path: Vec<u8> = path.iter().copied().filter(|b| *b != 0).chain([0]).collect();
    let fd = sys::open(&path, libc::O_PATH | libc::O_CLOEXEC, 0);
    if sys::failed(fd) {
        return None;
    }
    let mut name = [0; PATH];
    let link = format!("/proc/self/fd/{fd}\0");
    let len = sys::readlink(link.as_bytes(), &mut name);
    sys::close(fd as i32);
    (!sys::failed(len) && len > 0).then(|| name[..len as usize].to_vec())
}
