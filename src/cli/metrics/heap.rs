//! The heap's families: what is live, the peak, what was allocated; by call only when that was asked for.
//!
//! Why calls are an option: a program has some dozen places that open descriptors, and thousands that allocate. Of those the
//! ten that hold most are shown, and `other`; which ten changes while the program runs.
//!
//! Which numbers are estimates depends on `heap=`: `shim_heap_info` says which, and of which sample.

use super::openmetrics::{Family, Labels, Type};
use super::{Base, located};
use crate::heap::names::is_passed;
use crate::merge::{Site, Sites};
use crate::recordings::Loaded;
use crate::symbolise::Symboliser;
use record::heap::{Amount, class, level};
use record::reader::HeapSite;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Calls that are shown one by one; the rest is `other`.
const TOP: usize = 10;

pub struct Families {
    info: Family,
    live_bytes: Family,
    live_blocks: Family,
    peak_bytes: Family,
    allocated_bytes: Family,
    leaked_bytes: Family,
    site_live: Family,
    site_allocated: Family,
    with_sites: bool,
}

impl Families {
    pub fn new(with_sites: bool) -> Self {
        let gauge = |name, help| Family::new(name, Type::Gauge, help);
        let bytes = |name, help| gauge(name, help).unit("bytes");
        let counter = |name, help| Family::new(name, Type::Counter, help).unit("bytes");
        Self {
            info: Family::new("shim_heap", Type::Info, "How the heap is watched; sampling: one byte in so many."),
            live_bytes: bytes("shim_heap_live_bytes", "Bytes that are allocated and not freed."),
            live_blocks: gauge("shim_heap_live_blocks", "Blocks that are allocated and not freed."),
            peak_bytes: bytes("shim_heap_peak_bytes", "The most bytes that were live at any time."),
            allocated_bytes: counter("shim_heap_allocated_bytes", "Bytes allocated, as far as blocks were followed."),
            leaked_bytes: bytes("shim_heap_leaked_bytes", "Bytes never freed, at the last look for leaks, by class."),
            site_live: bytes(
                "shim_heap_site_live_bytes",
                "Live bytes by the call that allocated them: the 10 with most, and other.",
            ),
            site_allocated: counter("shim_heap_site_allocated_bytes", "Bytes allocated, by the same calls."),
            with_sites,
        }
    }

    /// Nothing of a process whose heap is not watched.
    pub fn process(&mut self, base: &Base, recording: &Loaded, symbols: &mut Symboliser) {
        let Some(heap) = recording.heap() else { return };
        let name = match heap.level {
            level::COUNT => "count",
            level::SITES => "sites",
            _ => "full",
        };
        let sampling = heap.sampling.to_string();
        self.info.add(base.and(vec![("heap", name.to_owned()), ("sampling", sampling)]), 1.0);
        let calls = recording.heap_calls();
        let (blocks, bytes) = heap.held(&calls);
        self.live_blocks.add(base.and(vec![]), blocks as f64);
        // What is not known has no sample: a zero would be believed.
        if let Some(bytes) = bytes {
            self.live_bytes.add(base.and(vec![]), bytes as f64);
        }
        if heap.peak_bytes > 0 {
            self.peak_bytes.add(base.and(vec![]), heap.peak_bytes.max(bytes.unwrap_or(0)) as f64);
        }
        // What threads have counted is exact; size classes are as exact as the sample.
        let classes = heap.sizes.iter().fold(0u64, |sum, class| sum.saturating_add(class.bytes));
        let allocated = if calls.bytes_allocated > 0 { calls.bytes_allocated } else { classes };
        if allocated > 0 {
            self.allocated_bytes.add(base.and(vec![]), allocated as f64);
        }
        if heap.looked != 0 {
            for (class, leak) in (class::DEFINITE..).zip(heap.leaks) {
                let name = class::name(class).replace(' ', "_");
                self.leaked_bytes.add(base.and(vec![("class", name)]), leak.bytes as f64);
            }
        }
        if self.with_sites {
            self.sites(base, recording, symbols);
        }
    }

    /// Several stacks may have one call in common: they are one here.
    fn sites(&mut self, base: &Base, recording: &Loaded, symbols: &mut Symboliser) {
        let mut resolved = Sites::new(recording);
        let mut calls: BTreeMap<Labels, [u64; 2]> = BTreeMap::new();
        for (_, HeapSite { stack, live, total, .. }) in recording.heap_sites() {
            let sums = calls.entry(named(&resolved.stack(stack), symbols)).or_default();
            for (sum, Amount { bytes, .. }) in sums.iter_mut().zip([live, total]) {
                *sum = sum.saturating_add(bytes);
            }
        }
        let mut calls: Vec<(Labels, [u64; 2])> = calls.into_iter().collect();
        calls.sort_by_key(|(_, [live, total])| (Reverse(*live), Reverse(*total)));
        let mut other = [0u64; 2];
        for (_, numbers) in calls.iter().skip(TOP) {
            other.iter_mut().zip(numbers).for_each(|(sum, n)| *sum = sum.saturating_add(*n));
        }
        let more = calls.len() > TOP;
        calls.truncate(TOP);
        if more {
            calls.push((vec![("function", "other".to_owned())], other));
        }
        for (labels, [live, total]) in calls {
            self.site_live.add(base.and(labels.clone()), live as f64);
            self.site_allocated.add(base.and(labels), total as f64);
        }
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for family in [
            &self.info,
            &self.live_bytes,
            &self.live_blocks,
            &self.peak_bytes,
            &self.allocated_bytes,
            &self.leaked_bytes,
            &self.site_live,
            &self.site_allocated,
        ] {
            family.write(out)?;
        }
        Ok(())
    }
}

/// The call that a person would name.
fn named(stack: &[Site], symbols: &mut Symboliser) -> Labels {
    for site in stack {
        if let Some(location) = symbols.locate(site).iter().find(|location| !is_passed(site, location)) {
            return located(site, location.clone());
        }
    }
    super::call_labels(stack.first(), symbols)
}
