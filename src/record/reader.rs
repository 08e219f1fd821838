//! Reads a recording with no trust in it: another user may have written it, a disk may have cut it, and the process
//! that writes it may still be running.
//!
//! Place in the flow: `shim report` and `shim run` parse a file here, then ask for findings, stacks and modules.
//!
//! Why nothing is converted up front: a recording may be 128 MiB of which a report needs a few pages. [`parse`] checks
//! the header and the directory once; every other entry is checked where it is read, and one that does not hold is
//! skipped or empty, never a panic.
//!
//! Rules: no `unsafe`; all offsets go through `get`; no allocation larger than the file; no work that grows faster
//! than the file. A recording that is being written to can show an event or a count of a moment ago, never worse: the
//! writer publishes each entry by a word of its own, its state, its id or its seal.
//!
//! [`parse`]: Recording::parse

mod bytes;
mod entries;
mod heap;
mod lock;
mod ring;
mod tier;

pub use entries::{Finding, Head, Hold, Module, Sample, Site, Thread, Wait, Waiter};
pub use heap::{Accesses, Calls, Heap, HeapSample, HeapSite, MOST, Usage};
pub use lock::{Lock, LockEdge};
pub use ring::Event;
pub use tier::{Tier, TierRule, TierSite};

use crate::layout::{
    CHUNK_LEN, CHUNKS_AT, Counter, DESCRIPTOR_LEN, HEADER_LEN, Header, KEY_LEN, MAGIC, MAX_CHUNKS, ORDER, Section,
    VERSION, finding_state,
};
use crate::stacks::{self, Frame, MAX_FRAMES};
use crate::strings::Text;
use bytes::Raw;
use core::mem::offset_of;

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    Empty,
    /// Room was made for it, and nothing was written.
    Unwritten,
    NotARecording,
    OtherByteOrder,
    OtherVersion {
        found: u32,
    },
    /// The header promises more than there is.
    Truncated {
        found: u64,
        expected: u64,
    },
    /// What does not hold, in words that follow "corrupt: ".
    Corrupt(&'static str),
}

impl core::fmt::Display for ReadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => f.write_str("empty file"),
            Self::Unwritten => f.write_str("its process ended before it had begun to write"),
            Self::NotARecording => f.write_str("not a recording of shim"),
            Self::OtherByteOrder => f.write_str("recorded on a machine of the other byte order"),
            Self::OtherVersion { found } => {
                write!(f, "a recording of format version {found}; this shim reads version {VERSION}")
            }
            Self::Truncated { found, expected } => {
                write!(f, "truncated recording: {found} bytes, where its header promises {expected}")
            }
            Self::Corrupt(why) => write!(f, "corrupt recording: {why}"),
        }
    }
}

impl core::error::Error for ReadError {}

/// The most that the chunks of a recording take; snapshots lie beyond ([`crate::snapshot::TAIL_AT`]).
pub const MAX_LEN: u64 = (CHUNKS_AT + MAX_CHUNKS * CHUNK_LEN) as u64;

/// How many bytes from the front belong to the chunks, by the header at the front of `bytes`: what lies between there and
/// the snapshots is a hole.
pub fn extent(bytes: &[u8]) -> u64 {
    let count = Raw(bytes).u32(offset_of!(Header, chunks)) as usize;
    (CHUNKS_AT + count.min(MAX_CHUNKS) * CHUNK_LEN) as u64
}

/// A parsed recording over any bytes: `Vec<u8>`, `&[u8]`.
#[derive(Debug)]
pub struct Recording<B> {
    bytes: B,
    /// For each section code, where its chunks begin in the file; 0 = not there.
    chunks: [Vec<usize>; Section::ALL.len() + 1],
}

impl<B: AsRef<[u8]>> Recording<B> {
    /// Checks the header and the directory.
    pub fn parse(bytes: B) -> Result<Self, ReadError> {
        let all = bytes.as_ref();
        let count = check_header(all)?;
        let expected = CHUNKS_AT + count * CHUNK_LEN;
        if all.len() < expected {
            return Err(ReadError::Truncated { found: all.len() as u64, expected: expected as u64 });
        }
        let directory = Raw(&all[HEADER_LEN..CHUNKS_AT]);
        let mut chunks: [Vec<usize>; Section::ALL.len() + 1] = Default::default();
        for i in 0..count {
            let entry = directory.u32(i * 4);
            // A section that this version does not know: newer writers may add some.
            let Some(section) = Section::from_code((entry >> 24) as u8) else { continue };
            let index = (entry & 0x00ff_ffff) as usize;
            if index >= section.max_chunks() {
                return Err(ReadError::Corrupt("its directory names a chunk beyond the end of a section"));
            }
            let places = &mut chunks[section as usize];
            if places.len() <= index {
                places.resize(index + 1, 0);
            }
            if places[index] != 0 {
                return Err(ReadError::Corrupt("its directory names a chunk twice"));
            }
            places[index] = CHUNKS_AT + i * CHUNK_LEN;
        }
        Ok(Self { bytes, chunks })
    }

    /// The bytes again, for whoever reads the next file into them.
    pub fn into_bytes(self) -> B {
        self.bytes
    }

    fn header(&self) -> Raw<'_> {
        Raw(self.bytes.as_ref())
    }

    /// The chunk at `index` of a section.
    fn chunk(&self, section: Section, index: usize) -> Option<&[u8]> {
        let at = *self.chunks[section as usize].get(index)?;
        if at == 0 { None } else { self.bytes.as_ref().get(at..at + CHUNK_LEN) }
    }

    /// `len` entries from `index`, when they lie in one chunk that exists.
    fn run(&self, section: Section, index: usize, len: usize) -> Option<&[u8]> {
        let (per_chunk, size) = (section.per_chunk(), section.entry_len());
        let within = index % per_chunk;
        if len > per_chunk - within {
            return None;
        }
        self.chunk(section, index / per_chunk)?.get(within * size..(within + len) * size)
    }

    fn entry(&self, section: Section, index: usize) -> Option<Raw<'_>> {
        self.run(section, index, 1).map(Raw)
    }

    /// All entries of the chunks that exist, with their numbers.
    fn all(&self, section: Section) -> impl Iterator<Item = (usize, Raw<'_>)> {
        let (per_chunk, size) = (section.per_chunk(), section.entry_len());
        (0..self.chunks[section as usize].len())
            .filter_map(move |c| self.chunk(section, c).map(|bytes| (c, bytes)))
            .flat_map(move |(c, bytes)| {
                bytes.chunks_exact(size).enumerate().map(move |(i, entry)| (c * per_chunk + i, Raw(entry)))
            })
    }

    /// What the header says of the process.
    pub fn head(&self) -> Head {
        let exec_path = self.string(Text(self.header().u64(offset_of!(Header, exec_path))));
        Head::read(self.header(), exec_path)
    }

    pub fn counter(&self, counter: Counter) -> u64 {
        self.header().u64(offset_of!(Header, counters) + counter as usize * 8)
    }

    /// The threads, each with the events of its ring in the order of time.
    pub fn threads(&self) -> impl Iterator<Item = Thread> {
        self.all(Section::Threads).filter_map(|(index, raw)| Thread::read(index, raw))
    }

    /// The threads that wait for a lock.
    pub fn waiters(&self) -> impl Iterator<Item = Waiter> {
        self.all(Section::Threads).filter_map(|(_, raw)| Waiter::read(raw))
    }

    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.all(Section::Findings).filter_map(|(_, raw)| Finding::read(raw))
    }

    /// Findings that are marked as complete and yet cannot be read: a newer kind, or damage.
    pub fn findings_unreadable(&self) -> usize {
        self.all(Section::Findings)
            .filter(|(_, raw)| {
                finding_state::is_whole(raw.u32(0)) && !Finding::is_retracted(*raw) && Finding::read(*raw).is_none()
            })
            .count()
    }

    /// The frames of a stack, innermost first; empty when the id is 0, unknown, or its words do not hold.
    pub fn stack(&self, id: u32) -> Vec<Frame> {
        let id = id as usize;
        let Some(head) = self.entry(Section::StackWords, id).filter(|_| id != 0) else { return Vec::new() };
        let head = head.u64(0);
        let len = (head >> 56) as usize;
        let Some(run) = self.run(Section::StackWords, id, len + 1).filter(|_| len <= MAX_FRAMES) else {
            return Vec::new();
        };
        let words: Vec<u64> = (1..=len).map(|i| Raw(run).u64(i * 8)).collect();
        if stacks::hash(&words) & 0x00ff_ffff_ffff_ffff != head & 0x00ff_ffff_ffff_ffff {
            return Vec::new();
        }
        words.into_iter().map(Frame).collect()
    }

    pub fn module(&self, index: usize) -> Option<Module> {
        let raw = self.entry(Section::Modules, index)?;
        let path = self.string(Text(raw.u64(offset_of!(crate::layout::Module, path))));
        Module::read(raw, path)
    }

    pub fn modules(&self) -> impl Iterator<Item = (usize, Module)> {
        (0..self.chunks[Section::Modules as usize].len() * Section::Modules.per_chunk())
            .filter_map(|index| self.module(index).map(|module| (index, module)))
    }

    /// A stored text; empty when it does not hold.
    pub fn string(&self, text: Text) -> &[u8] {
        if text.offset() == 0 {
            return &[];
        }
        self.run(Section::Strings, text.offset(), text.len()).unwrap_or_default()
    }

    /// The path of the module whose malloc the program calls, where that was not ours: its heap was not seen.
    pub fn heap_elsewhere(&self) -> Option<&[u8]> {
        let totals = self.entry(Section::Heap, 0)?;
        let path = self.string(Text(totals.u64(offset_of!(crate::layout::Heap, elsewhere))));
        (!path.is_empty()).then_some(path)
    }

    /// The call stacks that opened descriptors, with their totals, by their index; those that only allocated are
    /// among [`Recording::heap_sites`].
    pub fn sites(&self) -> impl Iterator<Item = (usize, Site)> {
        let all = self.all(Section::Sites).filter_map(|(index, raw)| Site::read(raw).map(|site| (index, site)));
        all.filter(|(_, site)| site.opened > 0)
    }

    pub fn site(&self, index: usize) -> Option<Site> {
        Site::read(self.entry(Section::Sites, index)?)
    }

    /// Open descriptors over time, in the order of time. Empty while the writer is thinning them out; ask again.
    pub fn samples(&self) -> Vec<Sample> {
        let version = || self.header().u64(offset_of!(Header, samples_version));
        let before = version();
        let count = self.header().u32(offset_of!(Header, samples)) as usize;
        let mut samples: Vec<Sample> =
            self.all(Section::Samples).take(count).filter_map(|(_, raw)| Sample::read(raw)).collect();
        if before % 2 != 0 || version() != before {
            return Vec::new();
        }
        samples.sort_by_key(|sample| sample.time);
        samples
    }

    /// The descriptor table as stored: the number, and the bytes of its `track::fd::Slot`. Chunks that were never
    /// needed are left out; slots never used are all zero.
    pub fn descriptors(&self) -> impl Iterator<Item = (usize, &[u8; DESCRIPTOR_LEN])> {
        self.all(Section::Descriptors).filter_map(|(fd, raw)| Some((fd, raw.0.first_chunk()?)))
    }
}

impl<B: AsRef<[u8]>> Recording<B> {
    /// The table of keys as stored: the index, and the words of its `track::key::Slot`. Those never used are left out.
    pub fn keys(&self) -> impl Iterator<Item = (usize, [u64; KEY_LEN / 8])> {
        let all = self.all(Section::Keys).take(crate::key::KEYS);
        all.map(|(index, raw)| (index, raw.words(0))).filter(|(_, words)| words.iter().any(|word| *word != 0))
    }
}

/// Checks what tells a recording of ours; the number of chunks.
fn check_header(all: &[u8]) -> Result<usize, ReadError> {
    if all.is_empty() {
        return Err(ReadError::Empty);
    }
    if all.len() >= MAGIC.len() && all[..MAGIC.len()].iter().all(|b| *b == 0) {
        return Err(ReadError::Unwritten);
    }
    if !all.starts_with(&MAGIC[..MAGIC.len().min(all.len())]) {
        return Err(ReadError::NotARecording);
    }
    let truncated = ReadError::Truncated { found: all.len() as u64, expected: CHUNKS_AT as u64 };
    if all.len() < offset_of!(Header, header_len) {
        return Err(truncated);
    }
    let header = Raw(all);
    let order = header.u32(offset_of!(Header, order));
    if order == ORDER.swap_bytes() {
        return Err(ReadError::OtherByteOrder);
    }
    if order != ORDER {
        return Err(ReadError::Corrupt("its byte order mark is none"));
    }
    let found = header.u32(offset_of!(Header, version));
    if found != VERSION {
        return Err(ReadError::OtherVersion { found });
    }
    if all.len() < CHUNKS_AT {
        return Err(truncated);
    }
    let lengths = [header.u32(offset_of!(Header, header_len)), header.u32(offset_of!(Header, chunk_len))];
    if lengths != [HEADER_LEN as u32, CHUNK_LEN as u32] {
        return Err(ReadError::Corrupt("its header and chunk lengths are not those of its version"));
    }
    let count = header.u32(offset_of!(Header, chunks)) as usize;
    if count > MAX_CHUNKS {
        return Err(ReadError::Corrupt("it counts more chunks than its directory has room for"));
    }
    Ok(count)
}
