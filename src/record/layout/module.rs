//! Loaded objects: what turns an address into a place in a file.

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicU32, AtomicU64};

/// One loaded object.
#[repr(C)]
pub struct Module {
    /// 0 = empty, 1 = ready.
    pub state: AtomicU32,
    pub build_id_len: AtomicU32,
    /// Text in [`super::Section::Strings`]: offset:32 | length:32 from the low end.
    pub path: AtomicU64,
    /// What to subtract from an address to get the ELF virtual address.
    pub bias: AtomicU64,
    pub start: AtomicU64,
    pub end: AtomicU64,
    pub loaded: AtomicU64,
    /// 0 = still loaded.
    pub unloaded: AtomicU64,
    /// See [`module_flag`].
    pub flags: AtomicU64,
    pub build_id: [AtomicU64; 4],
    pub _reserved: [AtomicU64; 20],
}

pub mod module_flag {
    /// The program itself.
    pub const MAIN: u64 = 1;
    pub const LIBC: u64 = 2;
    /// libshim.so.
    pub const SHIM: u64 = 4;
}

assert_offsets!(
    Module,
    256,
    state = 0,
    build_id_len = 4,
    path = 8,
    bias = 16,
    start = 24,
    end = 32,
    loaded = 40,
    unloaded = 48,
    flags = 56,
    build_id = 64,
    _reserved = 96
);
