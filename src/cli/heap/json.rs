//! The heap for programs: one JSON object per line, told apart by `record`: the totals, then each process, then each
//! call stack, the most first.
//!
//! A key whose value is unknown is left out. `error` is the relative standard error of an estimate's bytes.

use super::names::{Call, Names};
use super::profile::{Entry, Measure, Profile, Value, Watched};
use crate::ranks::JsonSpread;
use crate::report::json::{Escaping, JsonFrame, frame, text};
use record::heap::{Amount, class, level};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
pub struct JsonAmount {
    blocks: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<f64>,
}

impl From<Value> for JsonAmount {
    fn from(value: Value) -> Self {
        // Four figures: the error has an error.
        let error = value.error().map(|error| (error * 1e4).round() / 1e4);
        Self { blocks: value.blocks, bytes: value.bytes, error }
    }
}

impl From<Amount> for JsonAmount {
    fn from(amount: Amount) -> Self {
        Self { blocks: amount.blocks, bytes: amount.bytes, error: None }
    }
}

#[derive(Serialize)]
struct Leak {
    class: &'static str,
    blocks: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Size {
    up_to: u64,
    blocks: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Totals {
    record: &'static str,
    processes: usize,
    #[serde(skip_serializing_if = "is_zero")]
    unwatched: usize,
    level: &'static str,
    /// One byte in so many was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling: Option<u64>,
    /// With `reallocations`.
    allocations: u64,
    reallocations: u64,
    frees: u64,
    requested_bytes: u64,
    live: JsonAmount,
    peak_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaks: Option<Vec<Leak>>,
    sizes: Vec<Size>,
    call_stacks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_by_rank: Option<JsonSpread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_by_rank: Option<JsonSpread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_by_rank: Option<JsonSpread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_recorded: Option<String>,
}

#[derive(Serialize)]
struct Process {
    record: &'static str,
    pid: u32,
    program: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u32>,
    running: bool,
    level: &'static str,
    /// With `reallocations`.
    allocations: u64,
    reallocations: u64,
    frees: u64,
    requested_bytes: u64,
    live: JsonAmount,
    peak_bytes: u64,
    /// Seconds since it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_after: Option<f64>,
}

#[derive(Serialize)]
struct Site {
    record: &'static str,
    live: JsonAmount,
    peak: JsonAmount,
    total: JsonAmount,
    lost: JsonAmount,
    observed: u64,
    frames: Vec<JsonFrame>,
}

pub fn write(profile: &Profile, shown: &[&Entry], names: &mut Names, out: &mut dyn Write) -> io::Result<()> {
    line(&totals(profile), out)?;
    for (_, one) in &profile.processes {
        line(&process(one), out)?;
    }
    for entry in shown {
        let amount = |measure| entry.value(measure).into();
        let site = Site {
            record: "site",
            live: amount(Measure::Live),
            peak: amount(Measure::Peak),
            total: amount(Measure::Total),
            lost: amount(Measure::Lost),
            observed: entry.observed,
            frames: frames(&names.stack(entry)),
        };
        line(&site, out)?;
    }
    Ok(())
}

pub fn frames(calls: &[Call]) -> Vec<JsonFrame> {
    calls.iter().map(|(site, location)| frame(location, site)).collect()
}

/// A line of its own, in which nothing can confuse a terminal.
pub fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut line = serde_json::Serializer::with_formatter(&mut *out, Escaping);
    value.serialize(&mut line).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

fn level_name(level: u32) -> &'static str {
    match level {
        level::COUNT => "count",
        level::SITES => "sites",
        level::FULL => "full",
        _ => "unknown",
    }
}

fn totals(profile: &Profile) -> Totals {
    let all = profile.together();
    let classes = [class::DEFINITE, class::INDIRECT, class::POSSIBLE, class::REACHABLE];
    let leak =
        |(class, amount): (u8, Amount)| Leak { class: class::name(class), blocks: amount.blocks, bytes: amount.bytes };
    let size = |(up_to, amount): (u64, Amount)| Size { up_to, blocks: amount.blocks, bytes: amount.bytes };
    Totals {
        record: "total",
        processes: profile.processes.len(),
        unwatched: profile.unwatched,
        level: level_name(all.level),
        sampling: (all.sampling > 1).then_some(all.sampling),
        allocations: all.allocations,
        reallocations: all.reallocations,
        frees: all.frees,
        requested_bytes: all.requested,
        live: all.live.into(),
        peak_bytes: all.peak,
        leaks: all.looked.then(|| classes.into_iter().zip(all.leaks).map(leak).collect()),
        sizes: all.sizes.classes().map(size).collect(),
        call_stacks: profile.entries().len(),
        live_by_rank: profile.spread(|one| one.live.bytes).map(JsonSpread::from),
        peak_by_rank: profile.spread(|one| one.heap.peak_bytes).map(JsonSpread::from),
        requested_by_rank: profile.spread(|one| one.calls.bytes_requested).map(JsonSpread::from),
        not_recorded: profile.losses(),
    }
}

fn process(one: &Watched) -> Process {
    let peak_after = one.heap.peak_time.checked_sub(one.started).filter(|_| one.heap.peak_time > 0);
    Process {
        record: "process",
        pid: one.pid,
        program: text(&one.program),
        rank: one.rank,
        running: one.running,
        level: level_name(one.heap.level),
        allocations: one.calls.allocations.saturating_add(one.calls.reallocations),
        reallocations: one.calls.reallocations,
        frees: one.calls.frees,
        requested_bytes: one.calls.bytes_requested,
        live: one.live.into(),
        peak_bytes: one.heap.peak_bytes,
        peak_after: peak_after.map(|ns| ns as f64 / 1e9),
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}
