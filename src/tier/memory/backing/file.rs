//! A file behind a window: an ordinary one, one without a name, a memfd (huge pages among them), a DAX device.
//!
//! Chunks of the window are mapped to *slots* of the file, which fill from its beginning: the window may have gaps, a device may not.
//! A slot follows that of the chunk before where it can, so that the kernel joins their mappings.
//!
//! Why fallocate before a chunk is handed out: a page of a mapped file that finds no block raises SIGBUS at the store that
//! touches it. Once reserved, no store can fail, and a full file system is an error here. Where a file system has no fallocate, zeros
//! are written. Huge pages are reserved likewise, from the nodes that their mapping asks for.
//!
//! Rule: before the descriptor is used it is what it was: a program may close numbers that it never opened.

use super::{Answer, Binding, Grid, Os, Range};
use crate::memory::os::{Errno, Stat};
use libc::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, PROT_NONE, PROT_READ, PROT_WRITE};
use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED};
use std::collections::BTreeSet;

/// How its blocks are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    Allocate,
    /// No fallocate there: zeros are written.
    Write,
    /// It is all there already: a device.
    Nothing,
}

pub struct File {
    grid: Grid,
    fd: i32,
    identity: Stat,
    reserve: Reserve,
    /// Fresh blocks are zero.
    zero: bool,
    binding: Option<Binding>,
    pub advice: Option<i32>,
    /// Slot + 1 of each chunk; 0 = not mapped.
    slots: Vec<u32>,
    free: BTreeSet<u32>,
    /// Slots from here on have never been used.
    next: u32,
    /// How many there are.
    count: u32,
    /// Slots whose blocks could not be given back: reserved, with old content.
    stale: BTreeSet<u32>,
}

/// What distinguishes one file from another.
pub struct Made {
    pub fd: i32,
    pub reserve: Reserve,
    pub zero: bool,
    pub binding: Option<Binding>,
    /// Of madvise(2), about larger pages: for each mapping. A kernel without them refuses it, and has none.
    pub advice: Option<i32>,
}

impl File {
    pub fn new(os: &dyn Os, grid: Grid, size: usize, capacity: u64, made: Made) -> Answer<Self> {
        let Made { fd, reserve, zero, binding, advice } = made;
        let count = (capacity / grid.chunk as u64).min(u64::from(u32::MAX - 1)) as u32;
        let slots = vec![0; size / grid.chunk];
        let (free, stale) = (BTreeSet::new(), BTreeSet::new());
        let identity = os.stat(fd)?;
        Ok(Self { grid, fd, identity, reserve, zero, binding, advice, slots, free, next: 0, count, stale })
    }

    /// Is the number still our file?
    fn is_ours(&self, os: &dyn Os) -> bool {
        let same = |now: Stat| {
            (now.device, now.inode, now.kind()) == (self.identity.device, self.identity.inode, self.identity.kind())
        };
        os.stat(self.fd).is_ok_and(same)
    }

    /// A slot for a chunk: after its neighbour's, else a new one, else the lowest that is free.
    fn slot_for(&mut self, chunk: usize) -> Option<u32> {
        let after = chunk.checked_sub(1).map(|before| self.slots[before]).filter(|slot| *slot != 0);
        if let Some(slot) = after.filter(|slot| self.free.remove(slot)) {
            return Some(slot);
        }
        if self.next < self.count {
            self.next += 1;
            return Some(self.next - 1);
        }
        self.free.pop_first()
    }

    pub fn commit(&mut self, os: &dyn Os, chunks: Range<usize>) -> Answer<bool> {
        if !self.is_ours(os) {
            return Err(Errno(libc::EBADF));
        }
        let mut zero = self.zero;
        for at in chunks.clone() {
            let Some(slot) = self.slot_for(at) else {
                self.forget(os, chunks.start..at);
                return Err(Errno(libc::ENOSPC));
            };
            self.slots[at] = slot + 1;
            zero &= !self.stale.contains(&slot);
        }
        let mut at = chunks.start;
        while at < chunks.end {
            let run = self.run(at, chunks.end);
            if let Err(error) = self.map(os, run.clone()) {
                self.forget(os, chunks);
                return Err(error);
            }
            at = run.end;
        }
        Ok(zero)
    }

    /// The chunks from `at` on whose slots follow each other.
    fn run(&self, at: usize, end: usize) -> Range<usize> {
        let mut last = at + 1;
        while last < end && self.slots[last] == self.slots[last - 1] + 1 {
            last += 1;
        }
        at..last
    }

    fn map(&mut self, os: &dyn Os, run: Range<usize>) -> Answer<()> {
        let (at, size) = (self.grid.at(run.start), self.grid.size(&run));
        let offset = u64::from(self.slots[run.start] - 1) * self.grid.chunk as u64;
        // Reserved first where that needs no mapping: an access between the two would find no block.
        if self.binding.is_none() {
            self.reserve(os, offset, size as u64)?;
        }
        os.mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, self.fd, offset)?;
        if let Some(advice) = self.advice {
            let _ = os.madvise(at, size, advice);
        }
        if let Some(binding) = &self.binding {
            os.mbind(at, size, binding.mode, &binding.mask, 0)?;
            self.reserve(os, offset, size as u64)?;
        }
        Ok(())
    }

    fn reserve(&mut self, os: &dyn Os, offset: u64, size: u64) -> Answer<()> {
        if self.reserve == Reserve::Allocate {
            match retried(|| os.fallocate(self.fd, 0, offset, size)) {
                Err(Errno(libc::EOPNOTSUPP | libc::ENOSYS)) => self.reserve = Reserve::Write,
                other => return other,
            }
        }
        if self.reserve == Reserve::Write {
            const ZEROS: [u8; 4096] = [0; 4096];
            let mut at = offset;
            while at < offset + size {
                let part = ((offset + size - at) as usize).min(ZEROS.len());
                match os.pwrite(self.fd, &ZEROS[..part], at) {
                    Ok(0) => return Err(Errno(libc::ENOSPC)),
                    Ok(written) => at += written as u64,
                    Err(Errno(libc::EINTR)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Chunks that came to nothing: nothing is mapped there, their slots are free. What was reserved of them stays with the slot.
    fn forget(&mut self, os: &dyn Os, chunks: Range<usize>) {
        self.close(os, &chunks);
        for at in chunks {
            self.drop_slot(os, at);
        }
    }

    /// Inaccessible again, without the file.
    fn close(&self, os: &dyn Os, chunks: &Range<usize>) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
        // On failure the old mapping stays, over a hole that nobody is handed.
        let _ = os.mmap(self.grid.at(chunks.start), self.grid.size(chunks), PROT_NONE, flags, -1, 0);
    }

    fn drop_slot(&mut self, os: &dyn Os, chunk: usize) {
        let Some(slot) = core::mem::take(&mut self.slots[chunk]).checked_sub(1) else { return };
        let offset = u64::from(slot) * self.grid.chunk as u64;
        let mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        let punched = self.reserve == Reserve::Allocate
            && retried(|| os.fallocate(self.fd, mode, offset, self.grid.chunk as u64)).is_ok();
        if punched {
            self.stale.remove(&slot);
        } else if self.reserve != Reserve::Write {
            self.stale.insert(slot);
        }
        self.free.insert(slot);
    }

    pub fn release(&mut self, os: &dyn Os, chunks: Range<usize>) -> bool {
        if !self.is_ours(os) {
            return false;
        }
        self.forget(os, chunks);
        true
    }

    /// The descriptor is not needed any more: a forked child takes nothing from the file.
    pub fn abandon(&mut self, os: &dyn Os) {
        if self.fd >= 0 && self.is_ours(os) {
            os.close(self.fd);
        }
        self.fd = -1;
    }
}

/// A signal may interrupt a long reservation, again and again.
fn retried(mut call: impl FnMut() -> Answer<()>) -> Answer<()> {
    for _ in 0..100 {
        match call() {
            Err(Errno(libc::EINTR)) => {}
            other => return other,
        }
    }
    call()
}
