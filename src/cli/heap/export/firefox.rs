//! The JSON that profiler.firefox.com loads, as native allocations.
//!
//! The profiler calls retained what was allocated and not freed again at the same address. Nothing here has an address, so
//! each call stack gets two allocations at invented ones: what is live, which stays, and the rest, which is freed at the end.
//! The views "allocated" and "retained" are then the totals and what is live. The peak and what is lost are processes of
//! their own, and live bytes over time are a memory track.

use crate::escape::shown;
use crate::heap::names::{Names, label};
use crate::heap::profile::{Entry, Measure, Profile, Value};
use crate::heap::text::of_whom;
use crate::merge::Site;
use crate::symbolise::Location;
use fxprof_processed_profile::{
    CategoryColor, CategoryPairHandle, Frame, FrameFlags, FrameInfo, ProcessHandle, Profile as Firefox,
    ReferenceTimestamp, SamplingInterval, StackHandle, ThreadHandle, Timestamp,
};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

pub fn write(profile: &Profile, entries: &[&Entry], names: &mut Names, out: &mut dyn Write) -> io::Result<()> {
    let first = profile.processes.iter().map(|(_, one)| one.started_real).min().unwrap_or(0);
    let began = SystemTime::UNIX_EPOCH + Duration::from_nanos(first);
    let title = of_whom(profile);
    let mut firefox = Firefox::new("shim", ReferenceTimestamp::from(began), SamplingInterval::from_millis(1));
    firefox.set_symbolicated(true);
    let heap: CategoryPairHandle = firefox.add_category("Heap", CategoryColor::Purple).into();
    let mut writing = Writing { profile, entries, firefox, heap, end: end(profile) };
    let (process, main) = writing.process(&title, 1);
    writing.allocations(main, names);
    for (number, measure) in [(2, Measure::Peak), (3, Measure::Lost)] {
        if entries.iter().any(|entry| entry.value(measure).bytes > 0) {
            let (_, thread) = writing.process(&format!("{title}, {}", measure.words()), number);
            writing.measure(thread, measure, names);
        }
    }
    writing.curves(process);
    serde_json::to_writer(&mut *out, &writing.firefox).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

struct Writing<'a> {
    profile: &'a Profile,
    entries: &'a [&'a Entry],
    firefox: Firefox,
    heap: CategoryPairHandle,
    end: Timestamp,
}

/// When the last process ended, as far as it is known, since the first began.
fn end(profile: &Profile) -> Timestamp {
    let first = profile.processes.iter().map(|(_, one)| one.started_real).min().unwrap_or(0);
    let last = profile.processes.iter().map(|(_, one)| {
        let sampled = one.curve.last().map_or(0, |(time, _)| time.saturating_sub(one.started));
        one.started_real.saturating_sub(first).saturating_add(one.lasted.max(sampled))
    });
    Timestamp::from_nanos_since_reference(last.max().unwrap_or(0).max(1_000_000))
}

/// Of everything whose time is not known.
fn start() -> Timestamp {
    Timestamp::from_nanos_since_reference(0)
}

impl Writing<'_> {
    /// A process, and its first thread: to that its allocations belong, and it shows the process's name.
    fn process(&mut self, name: &str, number: u32) -> (ProcessHandle, ThreadHandle) {
        let process = self.firefox.add_process(name, number, start());
        let thread = self.firefox.add_thread(process, number, start(), true);
        self.firefox.set_thread_end_time(thread, self.end);
        (process, thread)
    }

    fn allocations(&mut self, thread: ThreadHandle, names: &mut Names) {
        for (number, entry) in (1..).zip(self.entries) {
            let stack = self.stack(thread, entry, names);
            let (Value { bytes: live, .. }, Value { bytes: total, .. }) =
                (entry.value(Measure::Live), entry.value(Measure::Total));
            let freed = total.saturating_sub(live) as i64;
            let (stays, goes) = (number << 5, number << 5 | 16);
            if live > 0 {
                self.firefox.add_allocation_sample(thread, start(), stack, stays, live as i64);
            }
            if freed > 0 {
                self.firefox.add_allocation_sample(thread, start(), stack, goes, freed);
                self.firefox.add_allocation_sample(thread, self.end, stack, goes, -freed);
            }
        }
    }

    fn measure(&mut self, thread: ThreadHandle, measure: Measure, names: &mut Names) {
        for (number, entry) in (1..).zip(self.entries) {
            let bytes = entry.value(measure).bytes;
            if bytes > 0 {
                let stack = self.stack(thread, entry, names);
                self.firefox.add_allocation_sample(thread, start(), stack, number << 5, bytes as i64);
            }
        }
    }

    /// The outermost call first.
    fn stack(&mut self, thread: ThreadHandle, entry: &Entry, names: &mut Names) -> Option<StackHandle> {
        let calls = names.stack(entry);
        let mut frames = Vec::with_capacity(calls.len());
        for (site, location) in calls.iter().rev() {
            let text = self.firefox.intern_string(&line(site, location));
            frames.push(FrameInfo { frame: Frame::Label(text), category_pair: self.heap, flags: FrameFlags::empty() });
        }
        self.firefox.intern_stack_frames(thread, frames.into_iter())
    }

    /// Live bytes over time, of each process that was sampled; of one process alone it is the track of `main`.
    fn curves(&mut self, main: ProcessHandle) {
        let first = self.profile.processes.iter().map(|(_, one)| one.started_real).min().unwrap_or(0);
        let alone = self.profile.processes.len() == 1;
        for (_, one) in self.profile.processes.iter().filter(|(_, one)| !one.curve.is_empty()) {
            let began = one.started_real.saturating_sub(first);
            let at = |time: u64| {
                Timestamp::from_nanos_since_reference(began.saturating_add(time.saturating_sub(one.started)))
            };
            let process = if alone {
                main
            } else {
                self.process(&format!("{}, over time", crate::target::who(&one.program, one.pid)), one.pid).0
            };
            let counter = self.firefox.add_counter(process, "malloc", "Memory", "Live bytes of the heap");
            let mut before = 0;
            for (time, live) in &one.curve {
                self.firefox.add_counter_sample(counter, at(*time), *live as f64 - before as f64, 0);
                before = *live;
            }
        }
    }
}

/// Function, file and line in one: a label is all that a frame without addresses has.
fn line(site: &Site, location: &Location) -> String {
    let function = label(site, location);
    match (&location.file, location.line) {
        (Some(file), Some(line)) => format!("{function} ({}:{line})", shown(file)),
        (Some(file), None) => format!("{function} ({})", shown(file)),
        _ => function,
    }
}
