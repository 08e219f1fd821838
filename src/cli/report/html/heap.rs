//! The heap of a process for the page: totals, live bytes over time, and each call stack with what it allocated.
//!
//! ```text
//! Recording::heap_sites ─→ the largest by any measure ─→ Tree (calls, outermost first, each beginning once) ─→ flame.js
//! Recording::heap_samples ─→ the sites that held most at any time, one by one; the rest is what is left of the total
//! ```
//!
//! Why a tree and not stacks: 30,000 stacks of 32 calls have most of their calls in common, and a flame graph wants the tree
//! anyway. A node is its distance to its parent and its frame, which are small numbers in JSON.
//!
//! Rules: what is left out is summed and said; a page stays of a size that a browser opens at once, whatever the recordings hold.

use super::frames::Frames;
use crate::heap::names::is_passed;
use crate::heap::profile::uncertainty;
use crate::merge::{Site as Call, Sites};
use crate::recordings::Loaded;
use crate::symbolise::Symboliser;
use record::heap::{Amount, level};
use record::reader::{Head, Heap, HeapSite};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Call stacks of one process, and of all that are in the page.
const SITES: usize = 30_000;
const ALL_SITES: usize = 60_000;
/// Sites that the curve shows one by one.
const CURVE: usize = 8;
/// More points than a screen has room for are not worth their bytes.
const POINTS: usize = 1000;

/// Calls by who called them, of all processes of the page. Parents come before their children.
#[derive(Default, Serialize)]
pub struct Tree {
    /// How far before the node its parent is; 0 = it has none.
    up: Vec<u32>,
    frames: Vec<u32>,
    #[serde(skip)]
    known: HashMap<(u32, u32), u32>,
    #[serde(skip)]
    sites: usize,
}

impl Tree {
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The node of a stack, whose frames are given innermost first.
    pub fn node(&mut self, stack: &[usize]) -> Option<u32> {
        let mut at = None;
        for frame in stack.iter().rev() {
            let frame = *frame as u32;
            let Self { up, frames, known, .. } = self;
            at = Some(*known.entry((at.map_or(0, |parent: u32| parent + 1), frame)).or_insert_with(|| {
                let node = frames.len() as u32;
                up.push(at.map_or(0, |parent| node - parent));
                frames.push(frame);
                node
            }));
        }
        at
    }
}

/// Blocks and bytes.
#[derive(Clone, Copy, Default, Serialize)]
struct Pair(u64, u64);

impl From<Amount> for Pair {
    fn from(amount: Amount) -> Self {
        Self(amount.blocks, amount.bytes)
    }
}

impl Pair {
    fn add(&mut self, amount: Amount) {
        self.0 = self.0.saturating_add(amount.blocks);
        self.1 = self.1.saturating_add(amount.bytes);
    }
}

/// The node, then total, live, at the peak, lost; what a byte of them adds to the variance of a sum, 0 when they are exact;
/// and which call of the stack a person would name, counted from the innermost.
#[derive(Serialize)]
struct Site(Option<u32>, Pair, Pair, Pair, Pair, u64, usize);

/// Time, live blocks and bytes, live bytes of each site of the curve.
#[derive(Serialize)]
struct Point(u64, u64, u64, Vec<u64>);

/// Times are ns since the start of the process.
#[derive(Serialize)]
pub struct Profile {
    level: &'static str,
    /// Mean bytes between two samples; 0: everything was seen.
    sampling: u64,
    /// Blocks and bytes.
    live: (u64, Option<u64>),
    /// Of what the sites say, or the size classes where there are none.
    total: Pair,
    peak: u64,
    peak_at: u64,
    /// Calls: allocations, frees, reallocations.
    calls: [u64; 3],
    requested: u64,
    /// When it was looked for leaks, and what was found of each class.
    looked: Option<(u64, [Pair; 4])>,
    /// Class and what was allocated in it.
    sizes: Vec<(usize, Pair)>,
    sites: Vec<Site>,
    /// Call stacks that are not among `sites`, and their sum.
    more: usize,
    rest: [Pair; 4],
    /// Indices of `sites`.
    curve: Vec<usize>,
    points: Vec<Point>,
}

/// Nothing when the heap was not watched.
pub fn look(
    recording: &Loaded,
    head: &Head,
    tree: &mut Tree,
    frames: &mut Frames,
    symbols: &mut Symboliser,
) -> Option<Profile> {
    let heap = recording.heap()?;
    let calls = recording.heap_calls();
    let since = |time: u64| time.saturating_sub(head.started);
    let samples = recording.heap_samples();
    let drawn = drawn(samples.iter().flat_map(|s| &s.sites));
    let room = ALL_SITES.saturating_sub(tree.sites).min(SITES);
    let (kept, left) = largest(recording.heap_sites().collect(), &drawn, room);
    tree.sites += kept.len();
    let mut rest = [Pair::default(); 4];
    for (_, site) in &left {
        rest.iter_mut().zip(measures(site)).for_each(|(sum, amount)| sum.add(amount));
    }
    let places: HashMap<usize, usize> = kept.iter().enumerate().map(|(place, (index, _))| (*index, place)).collect();
    let curve: Vec<usize> = drawn.iter().filter_map(|index| places.get(index).copied()).collect();
    let columns: HashMap<usize, usize> =
        drawn.iter().filter(|index| places.contains_key(index)).enumerate().map(|(c, index)| (*index, c)).collect();
    let every = samples.len().div_ceil(POINTS).max(1);
    // The last one of each run, so that the end is there.
    let points = samples.chunks(every).filter_map(|run| run.last()).map(|sample| {
        let mut parts = vec![0; columns.len()];
        for (index, bytes) in &sample.sites {
            if let Some(column) = columns.get(index) {
                parts[*column] = *bytes;
            }
        }
        Point(since(sample.time), sample.live.blocks, sample.live.bytes, parts)
    });
    let points: Vec<Point> = points.collect();
    let mut total = Pair::default();
    kept.iter().chain(&left).for_each(|(_, site)| total.add(site.total));
    if total.1 == 0 {
        heap.sizes.iter().for_each(|class| total.add(*class));
    }
    let mut resolved = Sites::new(recording);
    let sites = kept.iter().map(|(_, site)| {
        let stack = resolved.stack(site.stack);
        let node = tree.node(&frames.calls(&stack, symbols));
        let [total, live, peak, lost] = measures(site).map(Pair::from);
        Site(node, total, live, peak, lost, uncertainty(site, heap.sampling as f64) as u64, place(&stack, symbols))
    });
    let sites = sites.collect();
    Some(Profile {
        level: match heap.level {
            level::COUNT => "count",
            level::SITES => "sites",
            _ => "full",
        },
        sampling: heap.sampling,
        live: heap.held(&calls),
        total,
        peak: heap.peak_bytes,
        peak_at: since(heap.peak_time),
        calls: [calls.allocations, calls.frees, calls.reallocations],
        requested: calls.bytes_requested,
        looked: looked(&heap).map(|leaks| (since(heap.looked), leaks)),
        sizes: (0..).zip(heap.sizes).filter(|(_, a)| a.blocks > 0 || a.bytes > 0).map(|(c, a)| (c, a.into())).collect(),
        sites,
        more: left.len(),
        rest,
        curve,
        points: if points.len() > 1 { points } else { Vec::new() },
    })
}

/// As `shim heap` names it.
fn place(stack: &[Call], symbols: &mut Symboliser) -> usize {
    let mut at = 0;
    for site in stack {
        let locations = symbols.locate(site);
        if let Some(inner) = locations.iter().position(|location| !is_passed(site, location)) {
            return at + inner;
        }
        at += locations.len();
    }
    0
}

fn looked(heap: &Heap) -> Option<[Pair; 4]> {
    (heap.looked != 0).then(|| heap.leaks.map(Pair::from))
}

/// Total, live, at the peak, lost.
fn measures(site: &HeapSite) -> [Amount; 4] {
    [site.total, site.live, site.at_peak, site.lost]
}

/// The sites that held most at any time.
fn drawn<'s>(samples: impl Iterator<Item = &'s (usize, u64)>) -> Vec<usize> {
    let mut most: HashMap<usize, u64> = HashMap::new();
    for (site, bytes) in samples {
        let known = most.entry(*site).or_insert(0);
        *known = (*known).max(*bytes);
    }
    let mut order: Vec<(usize, u64)> = most.into_iter().collect();
    order.sort_by_key(|(site, bytes)| (Reverse(*bytes), *site));
    order.truncate(CURVE);
    order.into_iter().map(|(site, _)| site).collect()
}

type Sized = (usize, HeapSite);

/// Those with the largest share of any measure, and the others. What is `wanted` is kept.
fn largest(mut sites: Vec<Sized>, wanted: &[usize], room: usize) -> (Vec<Sized>, Vec<Sized>) {
    let mut sums = [0u64; 4];
    for (_, site) in &sites {
        sums.iter_mut().zip(measures(site)).for_each(|(sum, amount)| *sum = sum.saturating_add(amount.bytes));
    }
    let score = |(index, site): &Sized| {
        let share = |(amount, sum): (Amount, u64)| amount.bytes as f64 / sum.max(1) as f64;
        let largest = measures(site).into_iter().zip(sums).map(share).fold(0.0, f64::max);
        if wanted.contains(index) { 2.0 + largest } else { largest }
    };
    if sites.len() > room {
        sites.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.0.cmp(&b.0)));
    }
    let left = sites.split_off(room.min(sites.len()));
    (sites, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_kept_once() {
        let mut tree = Tree::default();
        let first = tree.node(&[3, 2, 1]);
        assert_eq!((first, tree.node(&[3, 2, 1])), (Some(2), Some(2)));
        assert_eq!((tree.node(&[4, 2, 1]), tree.node(&[]), tree.node(&[1])), (Some(3), None, Some(0)));
        // A frame that stands in two places is two nodes.
        assert_eq!(tree.node(&[1, 1]), Some(4));
        assert_eq!((tree.up, tree.frames), (vec![0, 1, 1, 2, 4], vec![1, 2, 3, 4, 1]));
    }

    #[test]
    fn the_largest_by_any_measure_are_kept() {
        let amount = |bytes| Amount { blocks: 1, bytes };
        let site = |total, live| HeapSite { total: amount(total), live: amount(live), ..HeapSite::default() };
        let sites = vec![(0, site(1000, 0)), (1, site(5, 5)), (2, site(900, 0)), (3, site(20, 1)), (4, site(7, 0))];
        let (kept, left) = largest(sites.clone(), &[4], 3);
        assert_eq!(kept.iter().map(|s| s.0).collect::<Vec<_>>(), [4, 1, 0]);
        assert_eq!(left.iter().map(|s| s.0).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(largest(sites, &[], 30).1, []);
        let samples = [(5, 10), (6, 20), (5, 30)];
        assert_eq!(drawn(samples.iter()), [5, 6]);
    }
}
