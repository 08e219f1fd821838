//! A recording on the heap: what tests write to, and what they dump as the bytes of a file.
//!
//! Why it lives beside the writer: the tests of this crate and those of the command need recordings without a watched
//! program, made by the same functions that the library calls. Not part of any build that is shipped.
#![allow(unsafe_code)] // Safety: the contract of `Store`, kept by never freeing or moving a chunk before `self` goes.

use crate::layout::{
    CHUNK_LEN, CHUNKS_AT, DIRECTORY_LEN, HEADER_LEN, Header, MAGIC, MAX_CHUNKS, ORDER, Section, VERSION, state,
};
use crate::store::Store;
use crate::text;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::sync::{Mutex, PoisonError};

const PAGE: usize = 4096;

/// See the module header. Shared by reference between the threads that write.
pub struct Memory {
    /// Header and directory.
    head: NonNull<u8>,
    chunks: Box<[AtomicPtr<u8>]>,
    /// Held while a chunk is added; the most chunks that it will give.
    limit: Mutex<usize>,
}

// SAFETY: the memory behind the pointers is reached through atomics only, and lives as long as `self`.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// Where the chunks of a section begin in `Memory::chunks`.
fn base(section: Section) -> usize {
    Section::ALL.iter().take_while(|s| **s != section).map(|s| s.max_chunks()).sum()
}

fn zeroed(len: usize) -> NonNull<u8> {
    let Ok(layout) = Layout::from_size_align(len, PAGE) else { unreachable!("constant sizes") };
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

fn free(memory: *mut u8, len: usize) {
    if let Ok(layout) = Layout::from_size_align(len, PAGE) {
        // SAFETY: `memory` came from `zeroed(len)`, and its owner is being dropped.
        unsafe { dealloc(memory, layout) };
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// An empty recording of a running process.
    pub fn new() -> Self {
        Self::with_limit(MAX_CHUNKS)
    }

    /// One that has room for `limit` chunks only, as on a full disk.
    pub fn with_limit(limit: usize) -> Self {
        let head = zeroed(CHUNKS_AT);
        // SAFETY: this function alone has the memory, zero is a valid Header, and it is page-aligned.
        let header = unsafe { head.cast::<Header>().as_mut() };
        header.magic = MAGIC;
        header.version = VERSION;
        header.order = ORDER;
        header.header_len = HEADER_LEN as u32;
        header.chunk_len = CHUNK_LEN as u32;
        header.machine = 62;
        header.pointer_bits = 64;
        header.state.store(state::RUNNING, Ordering::Relaxed);
        let total = Section::ALL.iter().map(|s| s.max_chunks()).sum();
        let chunks = (0..total).map(|_| AtomicPtr::default()).collect();
        Self { head, chunks, limit: Mutex::new(limit) }
    }

    /// Names the process, as every recording does.
    pub fn process(&self, exe: &[u8], pid: u32, ppid: u32) {
        let header = self.header();
        header.pid.store(pid, Ordering::Relaxed);
        header.ppid.store(ppid, Ordering::Relaxed);
        text::store(&header.exe, exe);
        text::store(&header.comm, exe.rsplit(|b| *b == b'/').next().unwrap_or(exe));
    }

    fn directory(&self) -> &[AtomicU32] {
        // SAFETY: the directory follows the header in the same allocation; zero is a valid atomic.
        unsafe { core::slice::from_raw_parts(self.head.as_ptr().add(HEADER_LEN).cast(), DIRECTORY_LEN / 4) }
    }

    /// The bytes that a file would hold. Writers may be at work: each word is then of some moment, as in a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = self.header().chunks.load(Ordering::Acquire) as usize;
        let mut bytes = Vec::with_capacity(CHUNKS_AT + count * CHUNK_LEN);
        copy(self.head, CHUNKS_AT, &mut bytes);
        for entry in &self.directory()[..count] {
            let entry = entry.load(Ordering::Relaxed);
            let Some(section) = Section::from_code((entry >> 24) as u8) else { continue };
            match self.chunk(section, (entry & 0x00ff_ffff) as usize) {
                Some(chunk) => copy(chunk, CHUNK_LEN, &mut bytes),
                None => bytes.resize(bytes.len() + CHUNK_LEN, 0),
            }
        }
        bytes
    }
}

fn copy(from: NonNull<u8>, len: usize, to: &mut Vec<u8>) {
    // SAFETY: `from` is `len` bytes of page-aligned memory that holds nothing but atomics, all within such words.
    let words = unsafe { core::slice::from_raw_parts(from.as_ptr().cast::<AtomicU64>(), len / 8) };
    to.extend(words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()));
}

// SAFETY: chunks are zeroed, page-aligned, CHUNK_LEN long, and stay until `self` is dropped.
unsafe impl Store for Memory {
    fn header(&self) -> &Header {
        // SAFETY: `new` made a valid header here; all that changes afterwards are its atomics.
        unsafe { self.head.cast::<Header>().as_ref() }
    }

    fn chunk(&self, section: Section, index: usize) -> Option<NonNull<u8>> {
        if index >= section.max_chunks() {
            return None;
        }
        NonNull::new(self.chunks[base(section) + index].load(Ordering::Acquire))
    }

    fn commit(&self, section: Section, index: usize) -> Option<NonNull<u8>> {
        if index >= section.max_chunks() {
            return None;
        }
        let limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chunk) = self.chunk(section, index) {
            return Some(chunk);
        }
        let count = self.header().chunks.load(Ordering::Relaxed) as usize;
        if count >= *limit {
            crate::store::count(self, crate::layout::Counter::ChunksRefused);
            return None;
        }
        let chunk = zeroed(CHUNK_LEN);
        self.directory()[count].store((section as u32) << 24 | index as u32, Ordering::Relaxed);
        self.header().chunks.store(count as u32 + 1, Ordering::Release);
        self.chunks[base(section) + index].store(chunk.as_ptr(), Ordering::Release);
        Some(chunk)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for chunk in &self.chunks {
            let chunk = chunk.load(Ordering::Relaxed);
            if !chunk.is_null() {
                free(chunk, CHUNK_LEN);
            }
        }
        free(self.head.as_ptr(), CHUNKS_AT);
    }
}
