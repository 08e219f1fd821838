//! The heap of the program that `shim top` watches: totals, rates, and the call stacks that hold most or grow most.
//!
//! Why growth is of the recorded samples and not of our own looks: it is there at the first look, and after an hour without
//! one. A sample names the sites that held most; one that is not among them held at most as much as the least of those, so
//! that what is said to have grown has.

use crate::heap::names::{self, is_passed};
use crate::heap::profile::{Value, uncertainty};
use crate::heap::text::error;
use crate::merge::{self, Sites};
use crate::recordings::Loaded;
use crate::report::text::before_start;
use crate::size;
use crate::symbolise::{Location, Symboliser};
use crate::when::duration;
use record::heap::{Amount, class, level};
use record::layout::SAMPLE_SITES;
use record::reader::{Calls, Heap, HeapSample, HeapSite};
use std::cmp::Reverse;

/// Rows whose names are looked up.
const ROWS: usize = 100;
/// Callers that a row names.
const CALLERS: usize = 3;
/// Growth is said of this time, or of less when the process is younger.
const GROWTH_NS: u64 = 60_000_000_000;
/// Of less than that nothing can be said.
const SHORTEST_NS: u64 = 1_000_000_000;

/// By what the table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Live,
    Growth,
    Total,
}

impl Sort {
    pub const fn next(self) -> Self {
        match self {
            Self::Live => Self::Growth,
            Self::Growth => Self::Total,
            Self::Total => Self::Live,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Growth => "growth",
            Self::Total => "total",
        }
    }
}

/// A call stack that allocated, ready to be shown.
#[derive(Clone, Debug)]
pub struct Row {
    pub stack: u32,
    pub call: String,
    pub callers: String,
    pub live: Amount,
    /// Bytes more than a minute ago; none: nothing can be said yet.
    pub growth: Option<i64>,
    pub total: Amount,
    /// Of the live bytes: `±6 %`.
    pub error: String,
}

/// The heap at one look.
pub struct View {
    pub totals: Heap,
    /// Live blocks and, where they are known, bytes.
    pub held: (u64, Option<u64>),
    /// How long ago the peak was.
    pub peak_ago: u64,
    /// A second.
    pub allocations: f64,
    pub frees: f64,
    pub bytes: f64,
    pub rows: Vec<Row>,
    /// Live bytes over time.
    pub curve: Vec<u64>,
}

/// What the last look saw.
#[derive(Default)]
pub struct Watch {
    before: Option<(u64, Calls)>,
}

impl Watch {
    /// Nothing when the heap is not watched.
    pub fn look(
        &mut self,
        recording: &Loaded,
        started: u64,
        now: u64,
        sort: Sort,
        symbols: &mut Symboliser,
    ) -> Option<View> {
        let totals = recording.heap()?;
        let calls = recording.heap_calls();
        // The first time: on average, since it started.
        let (then, was) = self.before.filter(|(time, _)| *time < now).unwrap_or((started, Calls::default()));
        let seconds = (now.saturating_sub(then) as f64 / 1e9).max(1e-3);
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        self.before = Some((now, calls));
        let samples = recording.heap_samples();
        // A recording may claim anything; the curve is scaled by multiplication.
        let mut curve: Vec<u64> = samples.iter().map(|s| (s.live.bytes >> 10).min(u64::from(u32::MAX))).collect();
        curve.push((totals.live.bytes >> 10).min(u64::from(u32::MAX)));
        Some(View {
            peak_ago: now.saturating_sub(totals.peak_time),
            allocations: rate(calls.allocations, was.allocations) + rate(calls.reallocations, was.reallocations),
            frees: rate(calls.frees, was.frees),
            bytes: rate(calls.bytes_requested, was.bytes_requested),
            rows: rows(recording, &totals, base(now, &samples), now, sort, symbols),
            curve,
            held: totals.held(&calls),
            totals,
        })
    }
}

fn rows(
    recording: &Loaded,
    totals: &Heap,
    then: Option<&HeapSample>,
    now: u64,
    sort: Sort,
    symbols: &mut Symboliser,
) -> Vec<Row> {
    let mut sites: Vec<(Option<i64>, HeapSite)> =
        recording.heap_sites().map(|(index, site)| (growth(site.live.bytes, index, now, then), site)).collect();
    match sort {
        Sort::Live => sites.sort_by_key(|(_, s)| (Reverse(s.live.bytes), Reverse(s.total.bytes), s.stack)),
        Sort::Growth => sites.sort_by_key(|(growth, s)| (Reverse(*growth), Reverse(s.live.bytes), s.stack)),
        Sort::Total => sites.sort_by_key(|(_, s)| (Reverse(s.total.bytes), s.stack)),
    }
    sites.truncate(ROWS);
    let mut resolved = Sites::new(recording);
    let row = |(growth, site): (Option<i64>, HeapSite)| {
        let (call, callers) = named(&resolved.stack(site.stack), symbols);
        let variance = site.live.bytes as f64 * uncertainty(&site, totals.sampling as f64);
        let value = Value { blocks: site.live.blocks, bytes: site.live.bytes, variance };
        Row { stack: site.stack, call, callers, live: site.live, growth, total: site.total, error: error(value) }
    };
    sites.into_iter().map(row).collect()
}

/// The call that a person would name, and who made it: `load_table table.c:12` and `← main`.
fn named(stack: &[merge::Site], symbols: &mut Symboliser) -> (String, String) {
    if stack.is_empty() {
        return ("(no stack)".to_owned(), String::new());
    }
    let stack = &stack[..before_start(stack, symbols).min(stack.len())];
    let mut calls: Vec<(&merge::Site, Location)> = Vec::new();
    for site in stack {
        calls.extend(symbols.locate(site).iter().map(|location| (site, location.clone())));
    }
    let at = calls.iter().position(|(site, location)| !is_passed(site, location)).unwrap_or(0);
    let label = |(site, location): &(&merge::Site, Location)| names::label(site, location);
    let Some((first, rest)) = calls.get(at..).and_then(<[_]>::split_first) else { return <_>::default() };
    let place = first.1.file.as_deref().map(|file| {
        let base = crate::escape::bytes(file.rsplit('/').next().unwrap_or(file).as_bytes());
        first.1.line.map_or_else(|| format!(" {base}"), |line| format!(" {base}:{line}"))
    });
    let mut callers: Vec<String> = rest.iter().map(label).collect();
    callers.dedup();
    let callers: Vec<String> = callers.into_iter().take(CALLERS).map(|name| format!("← {name}")).collect();
    (label(first) + &place.unwrap_or_default(), callers.join(" "))
}

/// The last sample that is a minute old, or the first of all.
fn base(now: u64, samples: &[HeapSample]) -> Option<&HeapSample> {
    samples.iter().rfind(|s| s.time <= now.saturating_sub(GROWTH_NS)).or(samples.first())
}

/// How many more bytes of a site are live than a minute ago, or in proportion.
fn growth(live: u64, site: usize, now: u64, then: Option<&HeapSample>) -> Option<i64> {
    let then = then?;
    let over = now.saturating_sub(then.time);
    let was = match then.sites.iter().find(|(index, _)| *index == site) {
        Some((_, bytes)) => *bytes,
        // As much as it can have been.
        None if then.sites.len() >= SAMPLE_SITES => then.sites.last().map_or(0, |(_, least)| live.min(*least)),
        None => 0,
    };
    (over >= SHORTEST_NS).then(|| ((live as f64 - was as f64) * GROWTH_NS as f64 / over as f64) as i64)
}

/// `heap: 12 MiB live in 4,210 blocks; peak 20 MiB, 3 min ago`.
pub fn headline(view: &View) -> String {
    let (blocks, peak) = (size::blocks(view.held.0), view.totals.peak_bytes);
    let live = match view.held.1 {
        Some(bytes) => format!("{} live in {blocks}", size::bytes(bytes)),
        None => format!("{blocks} live"),
    };
    let peak = match view.held.1 {
        _ if peak == 0 => String::new(),
        Some(bytes) if bytes >= peak => "; now at its peak".to_owned(),
        _ => format!("; peak {}, {} ago", size::bytes(peak), duration(view.peak_ago)),
    };
    format!("heap: {live}{peak}")
}

/// `1,204.0 allocations/s, 1.0 MiB/s, 1,190.2 frees/s`.
pub fn rates(view: &View) -> String {
    let rate = |n: f64| if n < 10.0 { format!("{n:.1}") } else { size::count(n as u64) };
    let (allocations, frees) = (rate(view.allocations), rate(view.frees));
    format!("{allocations} allocations/s, {}/s, {frees} frees/s", size::bytes(view.bytes as u64))
}

/// What the numbers rest on, and what a look for leaks found.
pub fn standing(view: &View) -> String {
    let Heap { level, sampling, looked, leaks, .. } = view.totals;
    let mut parts = vec![match level {
        level::COUNT if sampling > 1 => {
            let of = size::bytes(sampling);
            format!("totals only, of a sample, one byte in {of}: heap=sites or heap=full tells who allocates")
        }
        level::COUNT => "totals only: heap=sites or heap=full tells who allocates".to_owned(),
        level::SITES if sampling > 1 => format!("a sample: one byte in {}", size::bytes(sampling)),
        _ => "every block is followed".to_owned(),
    }];
    if looked != 0 {
        let names = [class::DEFINITE, class::INDIRECT, class::POSSIBLE, class::REACHABLE].map(class::name);
        let found = names.iter().zip(leaks).filter(|(_, leak)| leak.bytes > 0);
        parts.extend(found.map(|(name, leak)| format!("{name} {}", size::bytes(leak.bytes))));
    }
    parts.join("; ")
}

/// `+1.0 MiB`; `-` when nothing can be said.
pub fn change(growth: Option<i64>) -> String {
    growth.map_or_else(|| "-".to_owned(), |by| if by == 0 { "0".to_owned() } else { size::change(by.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn sample(seconds: u64, sites: Vec<(usize, u64)>) -> HeapSample {
        HeapSample { time: seconds * S, live: Amount::default(), sites }
    }

    #[test]
    fn growth_is_of_a_minute() {
        let samples = [sample(10, vec![(3, 500)]), sample(100, vec![(3, 5000)]), sample(130, vec![(3, 9000)])];
        let at = |seconds: u64, live| growth(live, 3, seconds * S, base(seconds * S, &samples));
        // 100 s is the last one that is a minute old.
        assert_eq!(at(160, 12_000), Some(7000));
        assert_eq!(at(160, 2000), Some(-3000));
        // Younger than a minute: in proportion.
        assert_eq!(at(40, 2000), Some(3000));
        assert_eq!((at(10, 7), growth(7, 3, 5, None)), (None, None));
    }

    #[test]
    fn who_was_not_among_the_first_may_have_had_as_much_as_the_last_of_them() {
        let many: Vec<(usize, u64)> = (0..SAMPLE_SITES).map(|i| (i, 1000 - i as u64)).collect();
        let full = sample(10, many);
        assert_eq!(growth(5973, 99, 70 * S, Some(&full)), Some(5000));
        assert_eq!(growth(600, 99, 70 * S, Some(&full)), Some(0));
        assert_eq!(growth(600, 99, 70 * S, Some(&sample(10, vec![(1, 7)]))), Some(600));
    }
}
