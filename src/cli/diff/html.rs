//! The difference as one page to look at: a flame graph in which what grew is red and what shrank is blue, the call stacks
//! that changed, the findings that came and went.
//!
//! Style, elements and the flame graph are those of the report's page, and so are the rules: see [`crate::report::html`].

use super::{Difference, Side, State, findings, heap, text};
use crate::heap::names;
use crate::heap::profile::{Measure, Value};
use crate::message::Failure;
use crate::report::html::frames::Frames;
use crate::report::html::heap::Tree;
use crate::report::html::page::Page;
use crate::report::{page_to, sentence};
use crate::symbolise::Symboliser;
use serde::Serialize;
use std::path::Path;

const PAGE: Page = Page {
    markup: include_str!("page.html"),
    style: concat!(
        include_str!("../report/html/page.css"),
        include_str!("../report/html/flame.css"),
        include_str!("page.css")
    ),
    script: concat!(
        include_str!("../report/html/elements.js"),
        include_str!("../report/html/flame.js"),
        include_str!("../report/html/calls.js"),
        include_str!("diff.js")
    ),
};

/// Call stacks and findings in a page: more is not for a person to scroll through.
const SITES: usize = 30_000;
const FINDINGS: usize = 5_000;

#[derive(Serialize)]
struct Data {
    by: &'static str,
    before: Total,
    after: Total,
    frames: Frames,
    tree: Tree,
    sites: Vec<Site>,
    more_sites: usize,
    findings: Vec<Finding>,
    more_findings: usize,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Total {
    whom: String,
    watched: bool,
    live: u64,
    peak: u64,
    requested: u64,
    lost: u64,
    calls: u64,
}

/// Blocks and bytes of one measure: before, after, and the variance of the change in bytes.
#[derive(Serialize)]
struct Both(u64, u64, u64, u64, f64);

/// The node of its innermost call, which of its calls names it, and each measure.
#[derive(Serialize)]
struct Site(Option<u32>, usize, State, [Both; 4]);

#[derive(Serialize)]
struct Finding {
    state: State,
    kind: &'static str,
    severity: &'static str,
    message: String,
    before: Option<u64>,
    after: Option<u64>,
    /// Role, and the index of its stack.
    stacks: Vec<(&'static str, usize)>,
}

pub fn write(difference: &Difference, to: &Path, symbols: &mut Symboliser) -> Result<(), Failure> {
    let data = data(difference, symbols);
    page_to(to, |out| PAGE.write(&data, out))
}

fn data(difference: &Difference, symbols: &mut Symboliser) -> Data {
    let (mut frames, mut tree) = (Frames::default(), Tree::default());
    let sites = difference.sites.iter().take(SITES).map(|row| site(row, &mut tree, &mut frames, symbols)).collect();
    let told = difference.findings.iter().filter(|row| row.state() != State::Same);
    let findings: Vec<Finding> = told.take(FINDINGS).map(|row| finding(row, &mut frames, symbols)).collect();
    let told = difference.findings.iter().filter(|row| row.state() != State::Same).count();
    let losses = [("before", difference.before), ("after", difference.after)].into_iter().flat_map(|(which, side)| {
        let losses = side.losses.clone().into_iter().chain(side.profile.losses());
        losses.map(move |losses| format!("Not recorded {which}, for want of room or of a way to see it: {losses}"))
    });
    Data {
        by: difference.by.name(),
        before: total(difference.before),
        after: total(difference.after),
        sites,
        more_sites: difference.sites.len().saturating_sub(SITES),
        more_findings: told - findings.len(),
        findings,
        notes: losses.collect(),
        frames,
        tree,
    }
}

fn total(side: &Side) -> Total {
    let all = side.profile.together();
    Total {
        whom: text::whom(side),
        watched: !side.profile.processes.is_empty(),
        live: all.live.bytes,
        peak: all.peak,
        requested: all.requested,
        lost: side.profile.sum(Measure::Lost).bytes,
        calls: all.allocations,
    }
}

fn site(row: &heap::Row, tree: &mut Tree, frames: &mut Frames, symbols: &mut Symboliser) -> Site {
    let stack = row.stack();
    let node = tree.node(&frames.calls(&stack, symbols));
    let both = |measure| {
        let (Value { blocks: a, bytes: b, .. }, Value { blocks: c, bytes: d, .. }) =
            (row.before(measure), row.after(measure));
        Both(a, b, c, d, row.change(measure).variance.round())
    };
    let place = names::place(&row.calls(symbols));
    let states = Measure::ALL.map(|measure| row.state(measure));
    let state = *states.iter().find(|state| matches!(state, State::New | State::Gone)).unwrap_or(&State::Changed);
    Site(node, place, state, Measure::ALL.map(both))
}

fn finding(row: &findings::Row, frames: &mut Frames, symbols: &mut Symboliser) -> Finding {
    let finding = &row.found.finding;
    let stacks = row.found.stacks.iter().map(|stack| (stack.role.name(), frames.stack(&stack.frames, symbols)));
    Finding {
        state: row.state(),
        kind: finding.kind.name(),
        severity: finding.severity.name(),
        message: sentence(finding),
        before: row.before,
        after: row.after,
        stacks: stacks.collect(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_has_all_its_parts_once() {
        crate::report::html::page::is_whole(&super::PAGE);
    }
}
