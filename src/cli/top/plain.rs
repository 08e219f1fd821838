//! `shim top --once`: the same as the screen shows, as plain text.

use super::watch::{View, Watch};
use super::{heap, keys, locks};
use crate::report::{self, Render, text::Text};
use crate::size;
use crate::snapshot::open;
use crate::when::duration;
use record::kind::Severity;
use std::io::{self, Write};

/// Rows and findings that are printed.
const ROWS: usize = 40;
const FINDINGS: usize = 20;

pub fn write(view: &View, watch: &mut Watch, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", headline(view))?;
    writeln!(out, "{}", rates(view))?;
    if let Some(states) = states(view) {
        writeln!(out, "{states}")?;
    }
    for line in &view.deadlocks {
        writeln!(out, "{line}")?;
    }
    writeln!(
        out,
        "\n{:>8} {:>8} {:>10} {:>10} {:>8}  {:<7}  OPENED AT",
        "OPEN", "+/MIN", "OPENED", "CLOSED", "OLDEST", "VERDICT"
    )?;
    for row in view.rows.iter().take(ROWS) {
        let growth = format!("{:+.0}", row.growth);
        let oldest = if row.open == 0 { "-".to_owned() } else { duration(row.oldest) };
        let verdict = verdict(row.severity, colour);
        writeln!(
            out,
            "{:>8} {growth:>8} {:>10} {:>10} {oldest:>8}  {verdict}  {}",
            row.open, row.opened, row.closed, row.call
        )?;
        let details: Vec<&str> = [row.last.as_str(), row.tcp.as_str()].into_iter().filter(|t| !t.is_empty()).collect();
        if !details.is_empty() {
            writeln!(out, "{:>60}{}", "", details.join("; "))?;
        }
    }
    if view.rows.len() > ROWS {
        writeln!(out, "and {} more places", view.rows.len() - ROWS)?;
    }
    if let Some(held) = &view.heap {
        heap_part(held, out)?;
    }
    if !view.locks.rows.is_empty() {
        locks_part(&view.locks, out)?;
    }
    if !view.keys.is_empty() {
        writeln!(out, "\n{}", keys::headline(&view.keys))?;
        report::keys::write(&view.keys, out)?;
    }
    let mut text = Text::default();
    for (found, _) in view.findings.iter().take(FINDINGS) {
        text.finding(found, &mut watch.symbols, out)?;
    }
    if view.findings.len() > FINDINGS {
        writeln!(out, "\nand {} more findings", view.findings.len() - FINDINGS)?;
    }
    Ok(())
}

fn heap_part(held: &heap::View, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", heap::headline(held))?;
    writeln!(out, "{}; {}", heap::rates(held), heap::standing(held))?;
    if held.rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:>8} {:>6} {:>9} {:>9} {:>8}  ALLOCATED AT", "LIVE", "±", "+/MIN", "BLOCKS", "TOTAL")?;
    for row in held.rows.iter().take(ROWS) {
        let (live, growth, total) =
            (size::bytes(row.live.bytes), heap::change(row.growth), size::bytes(row.total.bytes));
        let blocks = size::count(row.live.blocks);
        let for_whom = if row.callers.is_empty() { "" } else { "  " };
        writeln!(
            out,
            "{live:>8} {:>6} {growth:>9} {blocks:>9} {total:>8}  {}{for_whom}{}",
            row.error, row.call, row.callers
        )?;
    }
    if held.rows.len() > ROWS {
        writeln!(out, "and more places with less")?;
    }
    Ok(())
}

fn locks_part(locks: &locks::View, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", locks::headline(locks))?;
    writeln!(out, "{}", locks::rates(locks))?;
    let columns = |cells: [&str; 8]| {
        let [waiting, contended, share, rate, taken, waited, held, longest] = cells;
        format!("{waiting:>8} {contended:>10} {share:>8} {rate:>8} {taken:>11} {waited:>8} {held:>8} {longest:>8}")
    };
    writeln!(out, "\n{}  LOCK", columns(locks::HEAD))?;
    for row in locks.rows.iter().take(ROWS) {
        writeln!(out, "{}  {}", columns(locks::cells(row).each_ref().map(String::as_str)), row.name)?;
        if !row.details.is_empty() {
            writeln!(out, "{:>16}{}", "", row.details.join("; "))?;
        }
    }
    match locks.rows.len().saturating_sub(ROWS) + locks.more {
        0 => Ok(()),
        more => writeln!(out, "and {} more locks", size::count(more as u64)),
    }
}

/// `app (pid 12), running for 14 s: 870 of 1024 descriptors open (tcp 860, file 7)`.
pub fn headline(view: &View) -> String {
    format!("{} (pid {}), {} for {}: {}", view.program, view.pid, view.state, duration(view.uptime), open(&view.look))
}

pub fn rates(view: &View) -> String {
    format!(
        "{:.1} opens/s, {:.1} closes/s; {} errors, {} suspects; {} findings",
        view.opens,
        view.closes,
        view.errors,
        view.suspects,
        view.findings.len()
    )
}

pub fn states(view: &View) -> Option<String> {
    let states = crate::look::words::tcp_states(&view.look.tcp);
    match (&view.look.refused, states.is_empty()) {
        (Some(why), _) => Some(format!("the states of sockets are not known: {why}")),
        (None, false) => Some(format!("TCP: {states}")),
        (None, true) => None,
    }
}

/// Seven columns wide.
fn verdict(severity: Option<Severity>, colour: bool) -> String {
    let name = severity.map_or("", Severity::name);
    let code = match severity {
        Some(Severity::Error) => "31",
        Some(Severity::Suspect) => "33",
        _ => "",
    };
    if colour && !code.is_empty() { format!("\x1b[{code}m{name:<7}\x1b[0m") } else { format!("{name:<7}") }
}
