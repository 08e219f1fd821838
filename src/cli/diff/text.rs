//! The difference for people: the totals, the call stacks that changed most, the findings that came and went.
//!
//! ```text
//! == shim: app (pid 12) → app (pid 13)
//!   live        12 MiB → 20 MiB  +8.0 MiB
//! live, the 20 largest changes of 812:
//!   +7.1 MiB  ±6 %  1.0 MiB → 8.1 MiB  +1,204 blocks  load_table  table.c:12
//!        parse_file  file.c:40
//! ```

use super::{Difference, Side, State, findings, heap};
use crate::heap::names;
use crate::heap::profile::Measure;
use crate::heap::text::{call, error, of_whom, stack};
use crate::report::sentence;
use crate::report::text::{call_site, findings as count_of};
use crate::size;
use crate::symbolise::Symboliser;
use record::heap::level;
use std::io::{self, Write};

pub fn write(
    difference: &Difference,
    limit: usize,
    whole: bool,
    symbols: &mut Symboliser,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Difference { before, after, .. } = difference;
    writeln!(out, "== shim: {} → {}", whom(before), whom(after))?;
    totals(before, after, out)?;
    sites(difference, limit, whole, symbols, out)?;
    findings(&difference.findings, limit, symbols, out)?;
    for (which, losses) in [("before", &before.losses), ("after", &after.losses)] {
        if let Some(losses) = losses {
            writeln!(out, "\nnot recorded {which}, for want of room or of a way to see it: {losses}")?;
        }
    }
    Ok(())
}

pub fn whom(side: &Side) -> String {
    match side.profile.processes.len() {
        0 if side.recordings == 1 => "one process".to_owned(),
        0 => format!("{} processes", side.recordings),
        _ => of_whom(&side.profile),
    }
}

/// One line of totals: a name, then both sides.
fn totals(before: &Side, after: &Side, out: &mut dyn Write) -> io::Result<()> {
    let watched = [before, after].map(|side| !side.profile.processes.is_empty());
    match watched {
        [true, true] => {}
        [false, false] => return Ok(()),
        [true, false] => return writeln!(out, "  the heap was watched before only"),
        [false, true] => return writeln!(out, "  the heap was watched after only"),
    }
    let (a, b) = (before.profile.together(), after.profile.together());
    let lost = |side: &Side| side.profile.sum(Measure::Lost).bytes;
    for (name, from, to) in [
        ("live", a.live.bytes, b.live.bytes),
        ("peak", a.peak, b.peak),
        ("allocated", a.requested, b.requested),
        ("lost", lost(before), lost(after)),
    ] {
        let change = size::change(i128::from(to) - i128::from(from));
        writeln!(out, "  {name:<10} {} → {}  {change}", size::bytes(from), size::bytes(to))?;
    }
    let (from, to) = (a.allocations, b.allocations);
    writeln!(out, "  calls      {} → {}", size::count(from), size::count(to))?;
    if a.level != b.level || a.sampling != b.sampling {
        writeln!(out, "  the two were watched in different ways: small differences say nothing")?;
    }
    Ok(())
}

fn sites(
    difference: &Difference,
    limit: usize,
    whole: bool,
    symbols: &mut Symboliser,
    out: &mut dyn Write,
) -> io::Result<()> {
    let by = difference.by;
    let changed: Vec<&heap::Row> = difference.sites.iter().filter(|row| row.bytes(by) != 0).collect();
    let sides = [difference.before, difference.after];
    if sides.iter().any(|side| side.profile.processes.is_empty()) {
        return Ok(());
    }
    if changed.is_empty() {
        let counted = sides.iter().any(|side| side.profile.together().level == level::COUNT);
        let why = if counted { ": heap=count keeps totals only" } else { "" };
        return writeln!(out, "\n{}: no call stack has changed{why}", by.words());
    }
    let (all, shown) = (changed.len(), changed.len().min(limit));
    let first = match shown < all {
        true => format!("the {shown} largest changes of {}", size::count(all as u64)),
        false if all == 1 => "1 call stack that changed".to_owned(),
        false => format!("{} call stacks that changed", size::count(all as u64)),
    };
    writeln!(out, "\n{}, {first}:", by.words())?;
    for row in &changed[..shown] {
        let calls = row.calls(symbols);
        let place = calls.get(names::place(&calls)).map_or_else(|| "(no call stack)".to_owned(), call);
        let both = format!("{} → {}", size::bytes(row.before(by).bytes), size::bytes(row.after(by).bytes));
        let blocks = row.blocks(by);
        let sign = if blocks < 0 { '-' } else { '+' };
        let blocks = format!("{sign}{}", size::blocks(u64::try_from(blocks.unsigned_abs()).unwrap_or(u64::MAX)));
        let state = match row.state(by) {
            State::Changed | State::Same => String::new(),
            state => format!("  ({})", state.name()),
        };
        let (change, error) = (size::change(row.bytes(by)), error(row.change(by)));
        writeln!(out, "{change:>10}  {error:>5}  {both:>20}  {blocks:>16}  {place}{state}")?;
        stack(&calls, whole, out)?;
    }
    Ok(())
}

fn findings(rows: &[findings::Row], limit: usize, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let count = |state| rows.iter().filter(|row| row.state() == state).count();
    let [new, gone, changed, same] = [State::New, State::Gone, State::Changed, State::Same].map(count);
    if rows.is_empty() {
        return writeln!(out, "\nno findings, before or after");
    }
    writeln!(out, "\nfindings: {new} new, {gone} gone, {changed} changed in number, {same} as before")?;
    let told: Vec<&findings::Row> = rows.iter().filter(|row| row.state() != State::Same).collect();
    for row in told.iter().take(limit) {
        let finding = &row.found.finding;
        let numbers = match (row.before, row.after) {
            (Some(before), Some(after)) => format!("  ×{before} → ×{after}"),
            (Some(one), None) | (None, Some(one)) if one > 1 => format!("  ×{one}"),
            _ => String::new(),
        };
        let (state, severity) = (row.state().name(), finding.severity.name());
        writeln!(out, "\n{state}: {severity}: {}{numbers}", sentence(finding))?;
        for stack in &row.found.stacks {
            let Some(site) = stack.frames.first() else { continue };
            let locations = symbols.locate(site);
            let place = locations.first().and_then(call_site);
            let place = place.or_else(|| locations.first().map(|location| names::label(site, location)));
            writeln!(out, "  {}: {}", stack.role.name(), place.unwrap_or_default())?;
        }
    }
    if told.len() > limit {
        writeln!(out, "\n{} more, left out by --limit", count_of(told.len() - limit))?;
    }
    Ok(())
}
