//! What the loader knows of an object: its program headers, its name, its build id, and who holds an address.
//!
//! Nothing here takes the loader's lock. `_dl_find_object` (glibc 2.35) needs none; before it there is the list that the loader keeps
//! for debuggers, of which every node is probed before it is read.
#![allow(unsafe_code)] // Safety: headers and notes stay mapped while their object is loaded; what is not certain is probed first.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

use super::modules::{GENERATION, Object, capture_marker};
use crate::{recording, symbols, sys};
use core::ffi::CStr;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};
use libc::{c_int, c_void};
use record::layout::module_flag;
use record::modules::Loaded;

pub(super) static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

#[cfg(target_pointer_width = "32")]
use libc::Elf32_Ehdr as Ehdr;
#[cfg(target_pointer_width = "32")]
pub use libc::Elf32_Phdr as Phdr;
#[cfg(target_pointer_width = "64")]
use libc::Elf64_Ehdr as Ehdr;
#[cfg(target_pointer_width = "64")]
pub use libc::Elf64_Phdr as Phdr;

/// `name` is empty for the program itself.
pub(super) fn examine(bias: u64, name: &CStr, headers: &[Phdr], first: bool) -> Option<Object> {
    let (mut start, mut end, mut eh, mut dynamic) = (u64::MAX, 0, (0, 0), 0);
    let mut build_id: &[u8] = &[];
    for h in headers {
        let at = bias.wrapping_add(h.p_vaddr as u64);
        match h.p_type {
            libc::PT_LOAD => {
                start = start.min(at & !4095);
                end = end.max(at + h.p_memsz as u64);
            }
            libc::PT_GNU_EH_FRAME => eh = (at, h.p_memsz as u64),
            libc::PT_DYNAMIC => dynamic = at,
            libc::PT_NOTE if build_id.is_empty() => {
                // SAFETY: the loader mapped this segment for as long as the object lives.
                let notes = unsafe { core::slice::from_raw_parts(at as usize as *const u8, h.p_memsz as usize) };
                build_id = find_build_id(notes);
            }
            _ => {}
        }
    }
    if start >= end {
        return None;
    }
    let eh_segment_end = headers
        .iter()
        .filter(|h| h.p_type == libc::PT_LOAD)
        .map(|h| (bias.wrapping_add(h.p_vaddr as u64), h.p_memsz as u64))
        .find(|(at, len)| (*at..at + len).contains(&eh.0))
        .map_or(0, |(at, len)| at + len);
    let mut room = [0u8; 1024];
    let path = if name.is_empty() && first { recording::executable() } else { absolute(name, &mut room) };
    if path.is_empty() {
        // A second nameless object: the vDSO of old loaders.
        return None;
    }
    let own = capture_marker as *const () as u64;
    let mut flags = 0;
    if first && name.is_empty() {
        flags |= module_flag::MAIN;
    }
    if symbols::is_libc(path) {
        flags |= module_flag::LIBC;
    }
    if (start..end).contains(&own) {
        flags |= module_flag::SHIM;
    }
    let loaded = Loaded { path, build_id, bias, start, end, flags };
    let recorded = record::modules::register(&recording::RECORDING, &loaded, sys::now());
    Some(Object { start, end, bias, recorded, flags, eh_frame_hdr: eh, eh_segment_end, dynamic })
}

/// The name that the loader knows, from the root when it can be: dlopen may have been given one relative to the directory of
/// that moment, which is still this one as a rule.
fn absolute<'a>(name: &'a CStr, room: &'a mut [u8; 1024]) -> &'a [u8] {
    let given = name.to_bytes();
    if given.is_empty() || given.starts_with(b"/") || !given.contains(&b'/') {
        return given;
    }
    let n = sys::readlink(b"/proc/self/cwd\0", room).max(0) as usize;
    let len = n + 1 + given.len();
    if n == 0 || len >= room.len() {
        return given;
    }
    room[n] = b'/';
    room[n + 1..len].copy_from_slice(given);
    room[len] = 0;
    if sys::identity_of_path(&room[..=len]).is_some() { &room[..len] } else { given }
}

fn find_build_id(notes: &'static [u8]) -> &'static [u8] {
    let mut rest = notes;
    while rest.len() >= 12 {
        let word = |i: usize| u32::from_le_bytes([rest[i], rest[i + 1], rest[i + 2], rest[i + 3]]) as usize;
        let (name, desc, kind) = (word(0), word(4), word(8));
        let desc_at = 12 + name.next_multiple_of(4);
        let Some(content) = rest.get(desc_at..desc_at + desc) else { break };
        if kind == 3 && rest.get(12..16) == Some(b"GNU\0") {
            return content;
        }
        rest = rest.get(desc_at + desc.next_multiple_of(4)..).unwrap_or(&[]);
    }
    &[]
}

/// The public head of glibc's `struct link_map` (<link.h>).
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct LinkMap {
    address: usize,
    name: *const libc::c_char,
    dynamic: usize,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// `struct dl_find_object` of <dlfcn.h>, glibc 2.35.
#[repr(C)]
struct FoundObject {
    flags: u64,
    start: *mut c_void,
    end: *mut c_void,
    map: *const LinkMap,
    eh_frame: *mut c_void,
    reserved: [u64; 8],
}

pub(super) fn find_link_map(pc: u64) -> Option<LinkMap> {
    let find = FIND_OBJECT.load(Relaxed);
    if !find.is_null() {
        let mut found = core::mem::MaybeUninit::<FoundObject>::zeroed();
        // SAFETY: `_dl_find_object` is lock-free and async-signal-safe; it fills the struct when it returns 0, and the
        // map lives while its code is on our stack.
        unsafe {
            let find: unsafe extern "C" fn(*mut c_void, *mut FoundObject) -> c_int = core::mem::transmute(find);
            return (find(pc as usize as *mut c_void, found.as_mut_ptr()) == 0)
                .then(|| found.assume_init().map)
                .filter(|map| !map.is_null())
                .map(|map| *map);
        }
    }
    find_in_debug_map(pc)
}

/// Pages that no object of [`find_in_debug_map`] had, with the generation of the list, and the number of dlopens, that this was asked at:
/// locks and keys lie on the heap and on stacks too, and each look costs some thirty system calls.
#[unsafe(link_section = ".bss.tables")]
static NOWHERE: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

fn nowhere(pc: u64) -> (&'static AtomicU64, u64) {
    let page = pc / 4096;
    let time = GENERATION.load(Relaxed).wrapping_add(LOADS.load(Relaxed)).wrapping_add(1);
    (&NOWHERE[page as usize % NOWHERE.len()], page | u64::from(time) << 40)
}

static LOADS: AtomicU32 = AtomicU32::new(0);

/// An object is about to be loaded: what was nowhere may be in it.
pub fn loading() {
    LOADS.fetch_add(1, Relaxed);
}

/// Before glibc 2.35: the debugger's list, each node probed before it is read. The object that we look for cannot go
/// away, its code is on our stack; the others may, which is why the list is only believed while the loader says that it
/// is consistent.
fn find_in_debug_map(pc: u64) -> Option<LinkMap> {
    let (known, not_here) = nowhere(pc);
    if known.load(Relaxed) == not_here {
        return None;
    }
    #[repr(C)]
    struct Debug {
        version: c_int,
        map: *const LinkMap,
        brk: usize,
        state: c_int,
        base: usize,
    }
    unsafe extern "C" {
        static _r_debug: Debug;
    }
    // SAFETY: a variable of the loader; nodes are probed before they are read.
    unsafe {
        let debug = &raw const _r_debug;
        if core::ptr::read_volatile(&raw const (*debug).state) != 0 {
            return None;
        }
        let mut at = core::ptr::read_volatile(&raw const (*debug).map);
        for _ in 0..4096 {
            if at.is_null() {
                known.store(not_here, Relaxed);
                return None;
            }
            if !sys::readable(at as u64) || !sys::readable(at as u64 + 32) {
                return None;
            }
            let node = core::ptr::read_volatile(at);
            if let Some(object) = extent(node.address as u64) {
                if object.contains(&pc) {
                    return Some(node);
                }
            }
            at = node.next;
        }
    }
    None
}

/// The program headers behind a load address, when its first page is an ELF header.
fn headers(base: u64) -> Option<&'static [Phdr]> {
    if base == 0 || base % 4096 != 0 || !sys::readable(base) {
        return None;
    }
    // SAFETY: the page is readable; the header and the table behind it lie in the first mapped page as linkers lay them
    // out, which is checked.
    unsafe {
        let header = &*(base as usize as *const Ehdr);
        let table = header.e_phoff as usize;
        let len = usize::from(header.e_phnum) * size_of::<Phdr>();
        if header.e_ident[..4] != [0x7f, b'E', b'L', b'F'] || table + len > 4096 {
            return None;
        }
        let first = (base as usize + table) as *const Phdr;
        Some(core::slice::from_raw_parts(first, usize::from(header.e_phnum)))
    }
}

fn extent(base: u64) -> Option<core::ops::Range<u64>> {
    let loads = headers(base)?.iter().filter(|h| h.p_type == libc::PT_LOAD);
    let end = loads.map(|h| base + h.p_vaddr as u64 + h.p_memsz as u64).max()?;
    Some(base..end)
}

pub(super) fn examine_link_map(map: &LinkMap) -> Option<Object> {
    let base = map.address as u64;
    if map.name.is_null() || !sys::readable(map.name as u64) {
        return None;
    }
    // SAFETY: the loader's own string, alive with its object.
    let name = unsafe { CStr::from_ptr(map.name) };
    examine(base, name, headers(base)?, false)
}
