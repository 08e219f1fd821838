//! What a fork does to the recording.
//!
//! A MAP_SHARED recording belongs to the parent. The child first maps the same file privately over the same
//! addresses: every pointer stays valid, nothing it writes reaches the parent. Pages that it has not touched can still
//! show what the parent wrote after the fork; that is why a descriptor entry carries the epoch in which it was written,
//! and an index of stacks is never believed without comparing the stack. Most children exec at once and leave no file;
//! one that makes a descriptor or a thread, or has something to say, gets a recording of its own ([`materialise`]).
#![allow(unsafe_code)] // Safety: the mappings are the recording's, and are replaced in place by the only thread, or under the commit lock.

use super::{
    ANONYMOUS, BACKING, FILE, HEADER, IN_ORDER, INDEX_PAGES, MADE, PER_CHUNK, PRIVATE_COPY, RECORDING, complain,
    create_file, directory, hold_commit, is_private_copy, map_file, ready,
};
use crate::private::{self, Use};
use crate::sys;
use core::sync::atomic::Ordering::Relaxed;
use libc::c_int;
use record::layout::{CHUNK_LEN, CHUNKS_AT, Section, Thread, state};
use record::store::{Store, entry};

/// Makes pages of a section, counted from its first, memory of this process alone, all zero: a forked child's, where its parent had not
/// written. False: they stay as they are.
pub fn forget_pages(section: Section, first: usize, count: usize) -> bool {
    let Some(chunk) = RECORDING.chunk(section, first / PER_CHUNK) else { return true };
    if !is_private_copy() || first % PER_CHUNK + count > PER_CHUNK {
        return false;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let at = chunk.as_ptr() as usize + first % PER_CHUNK * 4096;
    !sys::failed(sys::mmap(at, count * 4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0))
}

/// In the child of a fork: leaves the parent's recording. Pages of its copy that it has not written to go on showing what
/// the parent writes (mmap(2), MAP_PRIVATE); of that, only the state of the descriptors matters: see `descriptors`. Called with one thread, before any other hook runs.
pub fn after_fork() {
    if !ready() {
        return;
    }
    let chunks = MADE.load(Relaxed);
    if BACKING.load(Relaxed) == FILE {
        let header = HEADER.load(Relaxed) as usize;
        match private::get_checked(Use::Record) {
            Some(fd) => {
                remap(header, chunks, libc::MAP_PRIVATE, fd);
            }
            // A raw close took the descriptor, or there was no number for it: copy by hand.
            None => copy_in_place(header, chunks),
        }
        BACKING.store(PRIVATE_COPY, Relaxed);
        private::drop_descriptor(Use::Record);
    }
    let header = RECORDING.header();
    header.chunks.store(chunks as u32, Relaxed);
    for counter in &header.counters {
        counter.store(0, Relaxed);
    }
    header.epoch.fetch_add(1, Relaxed);
    header.pid.store(sys::getpid(), Relaxed);
    header.ppid.store(sys::getppid(), Relaxed);
    header.started_real.store(sys::clock(libc::CLOCK_REALTIME), Relaxed);
    header.started.store(sys::now(), Relaxed);
    header.state.store(state::RUNNING, Relaxed);
    for index in 0..header.findings.swap(0, Relaxed) as usize {
        if let Some(finding) = entry::<record::layout::Finding>(&RECORDING, index) {
            finding.key.store(0, Relaxed);
            finding.count.store(0, Relaxed);
            finding.state.store(0, Relaxed);
        }
    }
    header.samples.store(0, Relaxed);
    header.samples_version.store(0, Relaxed);
    header.sample_interval.store(0, Relaxed);
    for index in 0..header.sites.load(Relaxed) as usize {
        if let Some(site) = entry::<record::layout::Site>(&RECORDING, index) {
            site.forget();
        }
    }
    record::usage::forget(&RECORDING);
    if let Some(heap) = record::heap::totals(&RECORDING) {
        heap.forget();
    }
    for index in 0..header.threads.load(Relaxed) as usize {
        if let Some(thread) = entry::<Thread>(&RECORDING, index) {
            thread.written.store(0, Relaxed);
            for counter in &thread.counters {
                counter.store(0, Relaxed);
            }
            for event in &thread.ring {
                event.seal.store(0, Relaxed);
            }
        }
    }
}

/// Maps the file anew over all of the recording. What lies one behind the other in memory, as it does in the file, is one mapping.
fn remap(header: usize, chunks: usize, flags: c_int, fd: i32) -> bool {
    let (mut at, mut offset, mut len, mut whole) = (header, 0, CHUNKS_AT, true);
    for (order, chunk) in IN_ORDER.iter().enumerate().take(chunks) {
        let chunk = chunk.load(Relaxed) as usize;
        if chunk != at + len {
            whole &= map_file(at, len, flags | libc::MAP_FIXED, fd, offset) != 0;
            (at, offset, len) = (chunk, CHUNKS_AT + order * CHUNK_LEN, 0);
        }
        len += CHUNK_LEN;
    }
    whole & (map_file(at, len, flags | libc::MAP_FIXED, fd, offset) != 0)
}

/// Which pages of a chunk, in file order, can be anything but zero, a bit each.
fn used_of_chunk(order: usize) -> u64 {
    const ALL: u64 = (1 << PER_CHUNK) - 1;
    let word = directory()[order].load(Relaxed);
    let Some(section) = Section::from_code((word >> 24) as u8) else { return ALL };
    let index = (word & 0xff_ffff) as usize;
    let header = RECORDING.header();
    let entries = match section {
        Section::Threads => &header.threads,
        Section::StackWords => &header.stack_words,
        Section::Findings => &header.findings,
        Section::Modules => &header.modules,
        Section::Strings => &header.string_bytes,
        Section::Sites => &header.sites,
        Section::Descriptors => {
            let touched = |page: &usize| crate::descriptors::touched(index * PER_CHUNK + page);
            return (0..PER_CHUNK).filter(touched).fold(0, |pages, page| pages | 1 << page);
        }
        Section::StackIndex => {
            let first = index * PER_CHUNK;
            return INDEX_PAGES.get(first / 64).map_or(ALL, |pages| pages.load(Relaxed) >> (first % 64)) & ALL;
        }
        _ => return ALL,
    };
    let used = (entries.load(Relaxed) as usize).saturating_sub(index * section.per_chunk()) * section.entry_len();
    (1 << used.div_ceil(4096).min(PER_CHUNK)) - 1
}

const _: () = assert!(64 % PER_CHUNK == 0);

/// Writes pages of the recording, a bit each, to a fresh file of zeroes, a run of them in one call.
fn write_out(fd: i32, at: usize, pages: u64, offset: usize) -> bool {
    let mut left = pages;
    while left != 0 {
        let first = left.trailing_zeros() as usize;
        let count = (!(left >> first)).trailing_zeros() as usize;
        // SAFETY: a mapped range of this recording.
        let mut bytes = unsafe { core::slice::from_raw_parts((at + first * 4096) as *const u8, count * 4096) };
        let mut to = (offset + first * 4096) as u64;
        while !bytes.is_empty() {
            let n = sys::pwrite(fd, bytes, to);
            if n <= 0 {
                return false;
            }
            bytes = &bytes[(n as usize).min(bytes.len())..];
            to += n as u64;
        }
        left &= !(((1 << count) - 1) << first);
    }
    true
}

fn copy_in_place(header: usize, chunks: usize) {
    let copy = |at: usize, len: usize| {
        let spare = sys::map_anonymous(len);
        if spare == 0 {
            return;
        }
        // SAFETY: both ranges are mapped and `len` long; the fixed mapping replaces the one just copied, in the only
        // thread of this process.
        unsafe {
            core::ptr::copy_nonoverlapping(at as *const u8, spare as *mut u8, len);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            if !sys::failed(sys::mmap(at, len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)) {
                core::ptr::copy_nonoverlapping(spare as *const u8, at as *mut u8, len);
            }
            sys::munmap(spare, len);
        }
    };
    copy(header, CHUNKS_AT);
    for chunk in IN_ORDER.iter().take(chunks) {
        let chunk = chunk.load(Relaxed) as usize;
        if chunk != 0 {
            copy(chunk, CHUNK_LEN);
        }
    }
}

/// Gives a forked child a recording of its own. While it has one thread, as a rule: what another thread writes between
/// the copy and the remap of a chunk is lost, and every table tolerates that.
#[cold]
pub fn materialise() {
    let Some(_held) = hold_commit() else { return };
    if !is_private_copy() {
        return;
    }
    let chunks = MADE.load(Relaxed);
    let len = CHUNKS_AT + chunks * CHUNK_LEN;
    let fd = match create_file(len) {
        Ok(fd) => fd,
        Err(why) => {
            BACKING.store(ANONYMOUS, Relaxed);
            complain(why);
            return;
        }
    };
    let header = HEADER.load(Relaxed) as usize;
    let mut whole = true;
    for (order, chunk) in IN_ORDER.iter().enumerate().take(chunks) {
        let chunk = chunk.load(Relaxed) as usize;
        let used = used_of_chunk(order);
        whole &= chunk != 0 && write_out(fd, chunk, used, CHUNKS_AT + order * CHUNK_LEN);
    }
    // Last: a file without its header is no recording.
    whole = whole && write_out(fd, header, (1 << (CHUNKS_AT / 4096)) - 1, 0);
    whole = whole && remap(header, chunks, libc::MAP_SHARED, fd);
    private::adopt(Use::Record, fd, true);
    BACKING.store(if whole { FILE } else { ANONYMOUS }, Relaxed);
}
