//! What is behind a tier's window: how its chunks become memory, and cease to be.
//!
//! Two kinds. *Anonymous* memory is mapped once for the whole window, with its policy (NUMA nodes, transparent huge pages); committing
//! opens it to access, and a fork copies it as it does all memory. *Files* (a file, a DAX device, a memfd, huge pages by way of a
//! memfd) are mapped chunk by chunk, each reserved before it is handed out; they are shared with a forked child.

pub mod anonymous;
pub mod file;

use super::os::{Answer, Os};
use anonymous::Anonymous;
use core::ops::Range;
use file::File;

pub enum Backing {
    Anonymous(Anonymous),
    File(Box<File>),
}

/// Which nodes its pages come from: an argument of mbind(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub mode: u32,
    pub mask: Vec<u64>,
}

impl Backing {
    /// Makes chunks memory, of which none is. True: all of it is zero. On failure nothing has changed.
    pub fn commit(&mut self, os: &dyn Os, chunks: Range<usize>) -> Answer<bool> {
        match self {
            Self::Anonymous(it) => it.commit(os, chunks),
            Self::File(it) => it.commit(os, chunks),
        }
    }

    /// Gives chunks back, all of which were committed. False: it cannot.
    pub fn release(&mut self, os: &dyn Os, chunks: Range<usize>) -> bool {
        match self {
            Self::Anonymous(it) => it.release(os, chunks),
            Self::File(it) => it.release(os, chunks),
        }
    }

    /// Does a forked child have the same memory, and not a copy?
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// Where chunks are: a window's begin and the size of its chunks.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub base: usize,
    pub chunk: usize,
}

impl Grid {
    pub fn at(&self, chunk: usize) -> usize {
        self.base + chunk * self.chunk
    }

    pub fn size(&self, chunks: &Range<usize>) -> usize {
        chunks.len() * self.chunk
    }
}
