//! What a report needs of one recording, taken out so that the recording can be let go.
//!
//! Place in the flow: each reader ([`super::gather`]) makes these on its own; [`super::Merge::take`] files them under a lock.
//! Everything that costs time and needs no other recording is done here: reading, checking, hashing of stacks.

use super::tables::{self, NONE, RawFrame};
use super::{ModuleId, Site};
use crate::deadlock::{self, Step};
use crate::recordings::Loaded;
use hashbrown::DefaultHashBuilder;
use record::findings::THINGS;
use record::kind::{Role, Severity};
use record::layout::{Counter, PARTIES};
use record::reader::{Finding, Head};
use record::stacks::Frame;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

/// One for all readers: their hashes meet in one table.
pub static KEYS: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

pub struct Extract {
    pub head: Head,
    pub counters: [u64; Counter::ALL.len()],
    pub unreadable: u64,
    /// The module whose malloc the program calls, when its heap was not seen.
    pub heap_elsewhere: Option<Vec<u8>>,
    /// Threads that wait for each other.
    pub deadlock: Vec<Vec<Step>>,
    /// A table that is full counts errors that are in no finding.
    pub errors_dropped: bool,
    /// Most bytes of the heap at any time.
    pub heap_peak: u64,
    /// Were blocks placed on memory tiers?
    pub has_tiers: bool,
    pub modules: Vec<Arc<ModuleId>>,
    /// Each with the places of its parties' stacks and of the things that it names, [`NONE`] for none.
    pub findings: Vec<(Finding, [u32; PARTIES], [u32; THINGS])>,
    frames: Vec<RawFrame>,
    /// The hash of each stack, and where it ends in `frames`.
    stacks: Vec<(u64, usize)>,
}

impl Extract {
    /// The findings that `wanted` lets through, of which a frame lies in a module that `in_module` lets through.
    pub fn new(
        recording: &Loaded,
        wanted: &dyn Fn(&Finding) -> bool,
        in_module: &dyn Fn(Option<&ModuleId>) -> bool,
    ) -> Self {
        let told = || {
            let told = recording.findings().filter(|f| f.severity == Severity::Error && f.suppressed.is_none());
            told.fold(0u64, |sum, finding| sum.saturating_add(finding.count))
        };
        let mut this = Self {
            errors_dropped: recording.counter(Counter::FindingsDropped) > 0
                && recording.counter(Counter::Errors) > told(),
            head: recording.head(),
            heap_peak: recording.heap().map_or(0, |heap| heap.peak_bytes),
            has_tiers: !recording.tiers().is_empty(),
            counters: Counter::ALL.map(|(counter, _)| recording.counter(counter)),
            unreadable: recording.findings_unreadable() as u64,
            deadlock: deadlock::last(recording),
            heap_elsewhere: recording.heap_elsewhere().map(<[u8]>::to_vec),
            modules: Vec::new(),
            findings: Vec::new(),
            frames: Vec::new(),
            stacks: Vec::new(),
        };
        let mut taking = Taking::default();
        for finding in recording.findings().filter(wanted) {
            this.take(recording, finding, None, &mut taking, in_module);
        }
        for leak in crate::unexited::leaks(recording).into_iter().filter(|leak| wanted(&leak.finding)) {
            this.take(recording, leak.finding, leak.here, &mut taking, in_module);
        }
        this
    }

    /// `here` is the one frame of the last operation, where that is all that is known of its stack.
    fn take(
        &mut self,
        recording: &Loaded,
        finding: Finding,
        here: Option<Frame>,
        taking: &mut Taking,
        in_module: &dyn Fn(Option<&ModuleId>) -> bool,
    ) {
        let places = finding.parties.map(|p| match (p.role, here) {
            (None, _) => NONE,
            (Some(Role::Here), Some(frame)) => self.place(recording, &[frame], taking, in_module),
            _ => self.stack(recording, p.stack, taking, in_module),
        });
        if in_module(None) || places.iter().any(|place| taking.hits.get(*place as usize) == Some(&true)) {
            let things = finding.resource.things().map(|thing| self.stack(recording, thing.place, taking, in_module));
            self.findings.push((finding, places, things));
        }
    }

    /// The place of a stack of the recording.
    fn stack(
        &mut self,
        recording: &Loaded,
        id: u32,
        taking: &mut Taking,
        in_module: &dyn Fn(Option<&ModuleId>) -> bool,
    ) -> u32 {
        if let Some(place) = taking.stacks.get(&id) {
            return *place;
        }
        let place = self.place(recording, &recording.stack(id), taking, in_module);
        taking.stacks.insert(id, place);
        place
    }

    fn place(
        &mut self,
        recording: &Loaded,
        frames: &[Frame],
        taking: &mut Taking,
        in_module: &dyn Fn(Option<&ModuleId>) -> bool,
    ) -> u32 {
        let start = self.frames.len();
        for frame in frames {
            let module = frame.module().map_or(NONE, |index| self.module(recording, index, taking, in_module));
            // All frames are return addresses; the call is before it.
            self.frames.push(RawFrame { module, offset: frame.offset().saturating_sub(1) });
        }
        let frames = &self.frames[start..];
        if frames.is_empty() {
            NONE
        } else {
            taking.hits.push(frames.iter().any(|f| taking.module_hits.get(f.module as usize) == Some(&true)));
            self.stacks.push((tables::hash(&KEYS, frames, &taking.hashes), self.frames.len()));
            self.stacks.len() as u32 - 1
        }
    }

    fn module(
        &mut self,
        recording: &Loaded,
        index: usize,
        taking: &mut Taking,
        in_module: &dyn Fn(Option<&ModuleId>) -> bool,
    ) -> u32 {
        *taking.modules.entry(index).or_insert_with(|| {
            let Some(module) = recording.module(index) else { return NONE };
            let module = ModuleId { path: module.path, build_id: module.build_id };
            taking.hashes.push(KEYS.hash_one(&module));
            taking.module_hits.push(in_module(Some(&module)));
            self.modules.push(Arc::new(module));
            self.modules.len() as u32 - 1
        })
    }

    pub fn stacks(&self) -> impl Iterator<Item = (u64, &[RawFrame])> {
        let starts = std::iter::once(0).chain(self.stacks.iter().map(|(_, end)| *end));
        self.stacks.iter().zip(starts).map(|((hash, end), start)| (*hash, &self.frames[start..*end]))
    }
}

/// What was met already, by its number in the recording.
#[derive(Default)]
struct Taking {
    stacks: HashMap<u32, u32>,
    modules: HashMap<usize, u32>,
    /// Of the modules, in the order of `Extract::modules`.
    hashes: Vec<u64>,
    module_hits: Vec<bool>,
    /// Of the stacks.
    hits: Vec<bool>,
}

/// The call sites of one recording, for what is shown of it alone.
pub struct Sites<'a> {
    recording: &'a Loaded,
    modules: HashMap<usize, Option<Arc<ModuleId>>>,
}

impl<'a> Sites<'a> {
    pub fn new(recording: &'a Loaded) -> Self {
        Self { recording, modules: HashMap::new() }
    }

    /// The calls of a stack. All frames are return addresses; the call is before it.
    pub fn stack(&mut self, id: u32) -> Vec<Site> {
        self.recording.stack(id).into_iter().map(|frame| self.frame(frame)).collect()
    }

    pub fn frame(&mut self, frame: Frame) -> Site {
        Site { module: frame.module().and_then(|index| self.module(index)), offset: frame.offset().saturating_sub(1) }
    }

    fn module(&mut self, index: usize) -> Option<Arc<ModuleId>> {
        let recording = self.recording;
        let read = || {
            let module = recording.module(index)?;
            Some(Arc::new(ModuleId { path: module.path, build_id: module.build_id }))
        };
        self.modules.entry(index).or_insert_with(read).clone()
    }
}
