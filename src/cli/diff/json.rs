//! The difference for programs: one JSON object per line, told apart by `record`: the totals, each call stack that changed,
//! each finding.

use super::{Difference, Side, State, findings, heap};
use crate::heap::json::{JsonAmount, frames, line};
use crate::heap::profile::Measure;
use crate::report::json::{JsonFinding, JsonFrame, value};
use crate::symbolise::Symboliser;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Totals {
    record: &'static str,
    by: &'static str,
    before: Total,
    after: Total,
}

#[derive(Serialize)]
struct Total {
    recordings: usize,
    /// Of those, whose heap was watched.
    watched: usize,
    live_bytes: u64,
    peak_bytes: u64,
    requested_bytes: u64,
    lost_bytes: u64,
    allocations: u64,
    findings: usize,
}

#[derive(Serialize)]
struct Site {
    record: &'static str,
    state: State,
    /// Of the measure that was asked for.
    change: i128,
    /// The relative standard error of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<f64>,
    before: Amounts,
    after: Amounts,
    frames: Vec<JsonFrame>,
}

#[derive(Serialize)]
struct Amounts {
    live: JsonAmount,
    peak: JsonAmount,
    total: JsonAmount,
    lost: JsonAmount,
}

#[derive(Serialize)]
struct Finding {
    record: &'static str,
    state: State,
    before: u64,
    after: u64,
    finding: JsonFinding,
}

pub fn write(difference: &Difference, limit: usize, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let Difference { before, after, by, .. } = difference;
    line(&Totals { record: "total", by: by.name(), before: total(before), after: total(after) }, out)?;
    for row in difference.sites.iter().take(limit) {
        line(&site(row, *by, symbols), out)?;
    }
    for row in difference.findings.iter().take(limit) {
        line(&finding(row, symbols), out)?;
    }
    Ok(())
}

fn total(side: &Side) -> Total {
    let all = side.profile.together();
    Total {
        recordings: side.recordings,
        watched: side.profile.processes.len(),
        live_bytes: all.live.bytes,
        peak_bytes: all.peak,
        requested_bytes: all.requested,
        lost_bytes: side.profile.sum(Measure::Lost).bytes,
        allocations: all.allocations,
        findings: side.findings.len(),
    }
}

fn site(row: &heap::Row, by: Measure, symbols: &mut Symboliser) -> Site {
    let amounts = |of: &dyn Fn(Measure) -> crate::heap::profile::Value| Amounts {
        live: of(Measure::Live).into(),
        peak: of(Measure::Peak).into(),
        total: of(Measure::Total).into(),
        lost: of(Measure::Lost).into(),
    };
    Site {
        record: "site",
        state: row.state(by),
        change: row.bytes(by),
        error: row.change(by).error().map(|error| (error * 1e4).round() / 1e4),
        before: amounts(&|measure| row.before(measure)),
        after: amounts(&|measure| row.after(measure)),
        frames: frames(&row.calls(symbols)),
    }
}

fn finding(row: &findings::Row, symbols: &mut Symboliser) -> Finding {
    Finding {
        record: "finding",
        state: row.state(),
        before: row.before.unwrap_or(0),
        after: row.after.unwrap_or(0),
        finding: value(row.found, symbols),
    }
}
