//! What a tier is, as rule files say it: `rules` reads and checks it, `memory` makes it, shim shows it.
//!
//! Why here: neither side knows the other. Rules: index 0 of a list of specs is always [`TierSpec::heap`]; [`Full::Next`]
//! leads to an index of the same list.

use core::fmt;

/// Where something was said: for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// As the user named the file.
    pub file: String,
    /// From 1; 0 = the file as a whole.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// A fault of a rule file, or of a tier that could not be made: one clear line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub at: Place,
    /// `what; expected …`
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.file.is_empty() { f.write_str(&self.what) } else { write!(f, "{}: {}", self.at, self.what) }
    }
}

/// One tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierSpec {
    pub name: String,
    pub kind: Kind,
    /// Bytes; `None` = what the device has, or no limit.
    pub capacity: Option<u64>,
    /// For [`Kind::Numa`]: larger pages.
    pub huge: Option<PageSize>,
    /// What an allocation does that finds no room.
    pub full: Full,
    /// Pages are there before they are handed out.
    pub prefault: bool,
    /// For shared mappings only.
    pub fork: Fork,
    pub at: Place,
}

impl TierSpec {
    /// The ordinary allocator: index 0 of every list.
    pub fn heap() -> Self {
        Self::new("heap", Kind::Heap)
    }

    /// Everything else as it is when a rule file does not say it.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            capacity: None,
            huge: None,
            full: Full::Heap,
            prefault: false,
            fork: Fork::Copy,
            at: Place::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The ordinary allocator of the process.
    Heap,
    Numa {
        /// None: those without processors.
        nodes: Vec<u32>,
        policy: NumaPolicy,
    },
    /// A directory (an unlinked file is made there), a file, or a DAX device. Without a NUL.
    File {
        path: Vec<u8>,
    },
    /// Ordinary memory in larger pages, wherever it comes from.
    Huge {
        page: PageSize,
    },
    Memfd {
        page: Option<PageSize>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumaPolicy {
    Bind,
    Preferred,
    PreferredMany,
    Interleave,
    WeightedInterleave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageSize {
    /// Transparent: the kernel does what it can.
    Thp,
    M2,
    G1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Full {
    /// The tier with this index is asked.
    Next(u16),
    /// The ordinary allocator is.
    Heap,
    /// malloc fails with ENOMEM.
    Fail,
}

/// What a forked child sees of a tier whose mapping is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fork {
    /// Its own copy, in ordinary memory.
    Copy,
    /// The parent's memory: for programs that know what they do.
    Share,
}
