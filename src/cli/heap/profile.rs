//! A heap profile: of each call stack how much it allocated, over one process or many.
//!
//! Equal stacks of several recordings are one, by build id and offset, as in [`crate::merge`].
//!
//! **The error of an estimate.** When one byte in `S` is sampled, a block of `s` bytes is seen with the probability
//! `p = 1 - exp(-s/S)` and then stands for `1/p` blocks. The sum over `n` seen blocks has the relative standard error
//! `sqrt((1-p)/n)`: about `1/sqrt(n)` for blocks that are small beside `S`, and nothing for large ones, which are all seen.
//! Of a part of what a site allocated, such as what is still live, as many seen blocks tell as its share is. Variances add
//! up over sites and processes.

use super::extract::{Extract, LOSSES};
use crate::merge::tables::Tables;
use crate::merge::{ModuleId, Site, program};
use crate::ranks::Spread;
use record::heap::{Amount, level};
use record::layout::SIZE_CLASSES;
use record::reader::{Calls, Heap, HeapSite, MOST};
use std::collections::HashMap;
use std::sync::Arc;

/// Of what a call stack allocated, the part that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Measure {
    /// Not freed: now, or when the process ended
    Live,
    /// Live when most was live
    Peak,
    /// All that was ever allocated
    Total,
    /// What nothing points to any more, at the last look for leaks
    Lost,
}

impl Measure {
    pub const ALL: [Self; 4] = [Self::Live, Self::Peak, Self::Total, Self::Lost];

    /// In a sentence: `12 MiB live`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Peak => "at the peak",
            Self::Total => "allocated in all",
            Self::Lost => "lost",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Peak => "peak",
            Self::Total => "total",
            Self::Lost => "lost",
        }
    }

    fn of(self, site: &HeapSite) -> Amount {
        match self {
            Self::Live => site.live,
            Self::Peak => site.at_peak,
            Self::Total => site.total,
            Self::Lost => site.lost,
        }
    }
}

/// Blocks and bytes, and how sure the bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Value {
    pub blocks: u64,
    pub bytes: u64,
    /// Of the bytes; 0 = exact.
    pub variance: f64,
}

impl Value {
    pub fn add(&mut self, other: Self) {
        self.blocks = plus(self.blocks, other.blocks);
        self.bytes = plus(self.bytes, other.bytes);
        self.variance += other.variance;
    }

    /// The relative standard error; nothing where the number is exact.
    pub fn error(&self) -> Option<f64> {
        (self.variance > 0.0 && self.bytes > 0).then(|| self.variance.sqrt() / self.bytes as f64)
    }

    /// Rests on fewer than four samples, or as little: the size is a guess.
    pub fn is_noise(&self) -> bool {
        self.error().is_some_and(|error| error > 0.5)
    }
}

/// Sums end at [`MOST`], so that damage is large and never wraps.
pub fn plus(a: u64, b: u64) -> u64 {
    a.saturating_add(b).min(MOST)
}

/// A call stack and what it allocated.
#[derive(Clone, Debug)]
pub struct Entry {
    pub stack: u32,
    values: [Value; 4],
    /// Allocations that were looked at.
    pub observed: u64,
}

impl Entry {
    pub fn value(&self, measure: Measure) -> Value {
        self.values[measure as usize]
    }
}

/// The heap of one process.
#[derive(Clone, Debug)]
pub struct Watched {
    pub program: Vec<u8>,
    pub pid: u32,
    /// Of MPI.
    pub rank: Option<u32>,
    pub running: bool,
    pub started: u64,
    pub started_real: u64,
    /// How long it was watched, ns; 0 = not known.
    pub lasted: u64,
    pub heap: Heap,
    pub calls: Calls,
    pub curve: Vec<(u64, u64)>,
    /// Live blocks and bytes, by whatever counted them.
    pub live: Amount,
}

impl Watched {
    fn new(extract: &Extract, heap: Heap) -> Self {
        let (head, calls) = (&extract.head, extract.calls);
        let (blocks, bytes) = heap.held(&calls);
        let live = Amount { blocks, bytes: bytes.unwrap_or(0) };
        Self {
            program: program(head).to_vec(),
            pid: head.pid,
            rank: head.rank,
            running: extract.is_running(),
            started: head.started,
            started_real: head.started_real,
            lasted: head.ended.saturating_sub(head.started),
            heap,
            calls,
            curve: extract.curve.clone(),
            live,
        }
    }
}

#[derive(Default)]
pub struct Profile {
    tables: Tables,
    entries: Vec<Entry>,
    by_stack: HashMap<u32, u32>,
    /// Those whose heap was watched, with the number of their file.
    pub processes: Vec<(usize, Watched)>,
    /// Recordings without a heap.
    pub unwatched: usize,
    /// The module whose malloc one of them calls instead of ours.
    pub elsewhere: Option<Vec<u8>>,
    losses: [u64; LOSSES.len()],
    /// The module that is the program, of the first file.
    main: Option<(usize, u32)>,
}

impl Profile {
    /// What was taken out of a recording, under the number of its file: the entry of each of its sites.
    pub fn take(&mut self, file: usize, extract: &Extract) -> Vec<u32> {
        let Some(heap) = extract.heap.clone() else {
            self.unwatched += 1;
            if self.elsewhere.is_none() {
                self.elsewhere.clone_from(&extract.elsewhere);
            }
            return Vec::new();
        };
        let sampling = heap.sampling as f64;
        for (sum, lost) in self.losses.iter_mut().zip(extract.losses) {
            *sum = sum.saturating_add(lost);
        }
        let modules: Vec<u32> = extract.modules.iter().map(|module| self.tables.module(module)).collect();
        if let Some(main) = extract.main.and_then(|main| modules.get(main as usize))
            && self.main.is_none_or(|(of, _)| file < of)
        {
            self.main = Some((file, *main));
        }
        let mut entries = Vec::new();
        for (site, hash, frames) in extract.sites() {
            let stack = self.tables.stack(hash, frames, &modules);
            let next = self.entries.len() as u32;
            let index = *self.by_stack.entry(stack).or_insert(next);
            entries.push(index);
            if index == next {
                self.entries.push(Entry { stack, values: Default::default(), observed: 0 });
            }
            let entry = &mut self.entries[index as usize];
            entry.observed = plus(entry.observed, site.observed);
            for measure in Measure::ALL {
                let Amount { blocks, bytes } = measure.of(site);
                let variance = bytes as f64 * uncertainty(site, sampling);
                entry.values[measure as usize].add(Value { blocks, bytes, variance });
            }
        }
        self.processes.push((file, Watched::new(extract, heap)));
        entries
    }

    /// In the order of the files, whichever reader was first.
    pub fn finish(&mut self) {
        self.processes.sort_by_key(|(file, _)| *file);
        self.by_stack = HashMap::new();
    }

    /// The call stacks that have any of it, the most bytes first.
    pub fn by(&self, measure: Measure) -> Vec<&Entry> {
        let mut all = self.all(measure);
        all.truncate(all.partition_point(|entry| entry.value(measure).bytes > 0));
        all
    }

    /// All call stacks, those with most of it first.
    pub fn all(&self, measure: Measure) -> Vec<&Entry> {
        let mut all: Vec<&Entry> = self.entries.iter().collect();
        // Between equals the frames decide: the number of a stack depends on which reader was first.
        all.sort_by(|a, b| {
            let bytes = b.value(measure).bytes.cmp(&a.value(measure).bytes);
            bytes.then_with(|| self.order(a).cmp(self.order(b)))
        });
        all
    }

    /// What decides between equals.
    pub fn order(&self, entry: &Entry) -> impl Iterator<Item = (Option<&Vec<u8>>, u64)> {
        self.tables.frames(entry.stack).map(|(module, offset)| (module.map(|m| &m.path), offset))
    }

    /// All modules that calls lie in.
    pub fn modules(&self) -> impl Iterator<Item = &Arc<ModuleId>> {
        self.tables.modules()
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The numbers of its calls, innermost first; see [`Profile::site`].
    pub fn sites_of(&self, entry: &Entry) -> &[u32] {
        self.tables.sites_of(entry.stack)
    }

    pub fn site(&self, site: u32) -> Site {
        self.tables.site(site)
    }

    pub fn sites_len(&self) -> usize {
        self.tables.sites_len()
    }

    /// The program's own module; of several programs, that of the first file.
    pub fn main(&self) -> Option<&Arc<ModuleId>> {
        self.main.and_then(|(_, module)| self.tables.module_of(module))
    }

    /// What all hold together. Where call stacks are not kept and blocks are sampled all the same, the error is that of
    /// small blocks, at most: `n` samples of `S` bytes on average stand behind `n * S`.
    pub fn held(&self, measure: Measure) -> Value {
        let mut sum = self.sum(measure);
        for (_, one) in self.processes.iter().filter(|(_, one)| one.heap.level == level::COUNT) {
            let bytes = match measure {
                Measure::Live => one.live.bytes,
                Measure::Peak => one.heap.peak_bytes,
                Measure::Total | Measure::Lost => 0,
            };
            sum.add(Value { blocks: 0, bytes, variance: bytes as f64 * one.heap.sampling as f64 });
        }
        sum
    }

    /// All call stacks together.
    pub fn sum(&self, measure: Measure) -> Value {
        let mut sum = Value::default();
        self.entries.iter().for_each(|entry| sum.add(entry.value(measure)));
        sum
    }

    /// Bytes that are in the totals and in no call stack, where that is worth saying: a table was full. Of lost blocks and of
    /// all that was ever allocated no such total is kept.
    pub fn homeless(&self, measure: Measure) -> u64 {
        let all = self.together();
        let total = match measure {
            Measure::Live => all.live.bytes,
            Measure::Peak => all.peak,
            Measure::Total | Measure::Lost => return 0,
        };
        let missing = total.saturating_sub(self.sum(measure).bytes);
        // Threads allocate while their numbers are read.
        if self.losses.iter().any(|lost| *lost > 0) && missing > total / 100 { missing } else { 0 }
    }

    /// A number of the processes, by rank of MPI; nothing of fewer than two ranks.
    pub fn spread(&self, number: impl Fn(&Watched) -> u64) -> Option<Spread> {
        let ranked = self.processes.iter().filter(|(_, one)| one.rank.is_some());
        Spread::of(ranked.map(|(_, one)| (one.rank, number(one))))
    }

    /// The ranks of MPI of all processes.
    pub fn ranks(&self) -> Vec<u32> {
        self.processes.iter().filter_map(|(_, one)| one.rank).collect()
    }

    /// The processes together.
    pub fn together(&self) -> Together {
        let mut all = Together::default();
        for (_, one) in &self.processes {
            all.level = all.level.max(one.heap.level);
            all.levels_differ |= all.level != one.heap.level;
            all.sampling = all.sampling.max(one.heap.sampling);
            add(&mut all.live, one.live);
            all.peak = plus(all.peak, one.heap.peak_bytes);
            all.allocations = plus(all.allocations, plus(one.calls.allocations, one.calls.reallocations));
            all.reallocations = plus(all.reallocations, one.calls.reallocations);
            all.frees = plus(all.frees, one.calls.frees);
            all.requested = plus(all.requested, one.calls.bytes_requested);
            all.looked |= one.heap.looked > 0;
            all.leaks.iter_mut().zip(one.heap.leaks).for_each(|(sum, more)| add(sum, more));
            all.sizes.iter_mut().zip(one.heap.sizes).for_each(|(sum, more)| add(sum, more));
        }
        all
    }

    /// What is missing, in words; `None` when nothing is.
    pub fn losses(&self) -> Option<String> {
        let name = |counter| {
            let all = record::layout::Counter::ALL.iter();
            all.clone().find(|(c, _)| *c == counter).map_or("", |(_, name)| name)
        };
        let lost = LOSSES.into_iter().zip(self.losses).filter(|(_, sum)| *sum > 0);
        let parts: Vec<String> = lost.map(|(counter, sum)| format!("{}: {sum}", name(counter))).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The sums over processes.
#[derive(Clone, Debug, Default)]
pub struct Together {
    /// The most that was watched in any of them, and whether others were watched less.
    pub level: u32,
    pub levels_differ: bool,
    pub sampling: u64,
    pub live: Amount,
    /// The sum of the peaks, whenever each was.
    pub peak: u64,
    /// Calls, with those of realloc.
    pub allocations: u64,
    pub reallocations: u64,
    pub frees: u64,
    pub requested: u64,
    pub looked: bool,
    pub leaks: [Amount; 4],
    pub sizes: Sizes,
}

#[derive(Clone, Copy, Debug)]
pub struct Sizes([Amount; SIZE_CLASSES]);

impl Default for Sizes {
    fn default() -> Self {
        Self([Amount::default(); SIZE_CLASSES])
    }
}

impl Sizes {
    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Amount> {
        self.0.iter_mut()
    }

    /// The largest size of a class, and what was allocated of it, where that is anything.
    pub fn classes(&self) -> impl Iterator<Item = (u64, Amount)> {
        (0..).zip(self.0).filter(|(_, amount)| amount.blocks > 0).map(|(class, amount)| (1 << class, amount))
    }
}

fn add(sum: &mut Amount, more: Amount) {
    *sum = Amount { blocks: plus(sum.blocks, more.blocks), bytes: plus(sum.bytes, more.bytes) };
}

/// What a byte of a site adds to the variance of a sum.
pub fn uncertainty(site: &HeapSite, sampling: f64) -> f64 {
    if sampling <= 1.0 {
        return 0.0;
    }
    let mean = site.total.bytes as f64 / site.total.blocks.max(1) as f64;
    let unseen = (-mean / sampling).exp();
    // Of a chance of one in a million that a block was not seen, nobody needs to hear.
    if unseen < 1e-6 { 0.0 } else { unseen * site.total.bytes as f64 / site.observed.max(1) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(blocks: u64, bytes: u64, observed: u64) -> HeapSite {
        HeapSite { total: Amount { blocks, bytes }, observed, ..HeapSite::default() }
    }

    fn error(site: &HeapSite, sampling: f64) -> f64 {
        let bytes = site.total.bytes;
        let value = Value { blocks: 1, bytes, variance: bytes as f64 * uncertainty(site, sampling) };
        value.error().unwrap_or(0.0)
    }

    #[test]
    fn the_error_of_small_blocks_is_that_of_their_number() {
        // 100 samples of blocks that are nothing beside the interval: 10 %.
        assert!((error(&site(1_000_000, 16_000_000, 100), 1e6) - 0.1).abs() < 1e-4);
        // Blocks that are all seen have none, and neither has what is not sampled.
        assert_eq!(error(&site(1, 64 << 20, 1), 524_288.0), 0.0);
        assert_eq!(error(&site(10, 160, 10), 0.0), 0.0);
        assert_eq!(error(&site(10, 160, 10), 1.0), 0.0);
        // In between, a block as large as the interval: sqrt(exp(-1) / 25).
        assert!((error(&site(25, 25_000, 25), 1000.0) - 0.1213).abs() < 1e-3);
    }

    #[test]
    fn what_few_samples_say_is_a_guess() {
        let value = |observed| {
            let site = site(1000, 16_000, observed);
            Value { blocks: 1, bytes: 16_000, variance: 16_000.0 * uncertainty(&site, 1e6) }
        };
        assert_eq!([1, 3, 4, 100].map(|n| value(n).is_noise()), [true, true, false, false]);
        assert_eq!(Value { blocks: 1, bytes: 1, variance: 0.0 }.error(), None);
    }

    #[test]
    fn errors_of_equals_shrink_together() {
        let mut sum = Value::default();
        for _ in 0..4 {
            let site = site(1000, 16_000, 25);
            sum.add(Value { blocks: 1000, bytes: 16_000, variance: 16_000.0 * uncertainty(&site, 1e9) });
        }
        assert!((sum.error().unwrap() - 0.1).abs() < 1e-3);
        let mut most = Value { bytes: MOST, ..Value::default() };
        most.add(Value { bytes: MOST, ..Value::default() });
        assert_eq!(most.bytes, MOST);
    }

    /// What the formula says is what sampling does.
    #[test]
    fn the_error_is_that_of_a_sample() {
        let (interval, size, blocks) = (4096.0f64, 512u64, 2000u64);
        let seen = 1.0 - (-(size as f64) / interval).exp();
        let mut state = 42u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let (mut squares, rounds) = (0.0, 400);
        let mut told = 0.0;
        for _ in 0..rounds {
            let observed = (0..blocks).filter(|_| uniform() < seen).count() as u64;
            let estimate = observed as f64 / seen * size as f64;
            let truth = (blocks * size) as f64;
            squares += (estimate / truth - 1.0).powi(2);
            told += error(&site((observed as f64 / seen) as u64, estimate as u64, observed), interval);
        }
        let (real, told) = ((squares / f64::from(rounds)).sqrt(), told / f64::from(rounds));
        assert!((real / told - 1.0).abs() < 0.15, "real {real}, told {told}");
    }
}
