//! What a heap profile needs of one recording, taken out so that the recording can be let go.
//!
//! Place in the flow: the readers of [`crate::merge::read_each`] make these, each on its own; [`super::profile::Profile::take`]
//! files them under a lock. Everything that costs time and needs no other recording is done here.

use crate::merge::tables::{self, NONE, RawFrame};
use crate::merge::{KEYS, ModuleId};
use crate::recordings::Loaded;
use record::layout::{Counter, module_flag, state};
use record::reader::{Calls, Head, Heap, HeapSite};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Counters that say what the profile does not show.
pub const LOSSES: [Counter; 6] = [
    Counter::SitesDropped,
    Counter::StacksDropped,
    Counter::StacksTruncated,
    Counter::BlocksUntracked,
    Counter::ChunksRefused,
    Counter::ModulesDropped,
];

pub struct Extract {
    pub head: Head,
    /// Nothing when the heap was not watched, or could not be seen.
    pub heap: Option<Heap>,
    /// The module whose malloc the program calls, where it could not be seen.
    pub elsewhere: Option<Vec<u8>>,
    pub calls: Calls,
    pub losses: [u64; LOSSES.len()],
    /// Live bytes over time.
    pub curve: Vec<(u64, u64)>,
    pub modules: Vec<Arc<ModuleId>>,
    /// The place of the program itself among `modules`.
    pub main: Option<u32>,
    sites: Vec<HeapSite>,
    /// The index of each site in its recording.
    indexes: Vec<usize>,
    frames: Vec<RawFrame>,
    /// The hash of each site's stack, and where it ends in `frames`.
    stacks: Vec<(u64, usize)>,
}

impl Extract {
    pub fn new(recording: &Loaded) -> Self {
        let elsewhere = recording.heap_elsewhere().map(<[u8]>::to_vec);
        let heap = recording.heap().filter(|_| elsewhere.is_none());
        let mut this = Self {
            elsewhere,
            head: recording.head(),
            calls: recording.heap_calls(),
            losses: LOSSES.map(|counter| recording.counter(counter)),
            curve: recording.heap_samples().iter().map(|sample| (sample.time, sample.live.bytes)).collect(),
            modules: Vec::new(),
            main: None,
            sites: Vec::new(),
            indexes: Vec::new(),
            frames: Vec::new(),
            stacks: Vec::new(),
            heap,
        };
        if this.heap.is_none() {
            return this;
        }
        let mut known = HashMap::new();
        let mut hashes = Vec::new();
        for (index, site) in recording.heap_sites() {
            let start = this.frames.len();
            for frame in recording.stack(site.stack) {
                let module = frame.module().map_or(NONE, |index| {
                    *known.entry(index).or_insert_with(|| this.module(recording, index, &mut hashes))
                });
                // All frames are return addresses; the call is before it.
                this.frames.push(RawFrame { module, offset: frame.offset().saturating_sub(1) });
            }
            this.stacks.push((tables::hash(&KEYS, &this.frames[start..], &hashes), this.frames.len()));
            this.sites.push(site);
            this.indexes.push(index);
        }
        this
    }

    fn module(&mut self, recording: &Loaded, index: usize, hashes: &mut Vec<u64>) -> u32 {
        let Some(module) = recording.module(index) else { return NONE };
        let place = self.modules.len() as u32;
        if module.flags & module_flag::MAIN != 0 {
            self.main.get_or_insert(place);
        }
        let id = ModuleId { path: module.path, build_id: module.build_id };
        hashes.push(KEYS.hash_one(&id));
        self.modules.push(Arc::new(id));
        place
    }

    /// Is the process still there, as far as its recording tells?
    pub fn is_running(&self) -> bool {
        self.head.state == state::RUNNING
    }

    /// The index of each site in its recording, in the order of [`Extract::sites`].
    pub fn indexes(&self) -> &[usize] {
        &self.indexes
    }

    /// Each site with the hash of its stack and its frames.
    pub fn sites(&self) -> impl Iterator<Item = (&HeapSite, u64, &[RawFrame])> {
        let starts = std::iter::once(0).chain(self.stacks.iter().map(|(_, end)| *end));
        let frames = self.stacks.iter().zip(starts).map(|((hash, end), start)| (*hash, &self.frames[start..*end]));
        self.sites.iter().zip(frames).map(|(site, (hash, frames))| (site, hash, frames))
    }
}
