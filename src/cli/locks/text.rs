//! Locks for people: a table, then the orders.
//!
//! ```text
//! == shim: locks of app (pid 12): 2 measured, 1 order
//!     waited    contended        taken       held  longest hold  lock
//!      1.2 s   1,204  12 %      10,000      3.4 s         12 ms  mutex table
//!                 waited for longest by load  app.c:40
//! orders: the second was taken while the first was held
//!      3,000  mutex table → mutex row                     load  app.c:40
//! ```

use super::table::{Call, Name, Process, Row};
use crate::args::LocksArgs;
use crate::escape::bytes;
use crate::size;
use crate::target::who;
use std::io::{self, Write};

/// A hold that is longer than this is marked, ms.
pub const LONG: u64 = 1000;

pub fn write(process: &Process, args: &LocksArgs, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let orders = process.graph.orders.len();
    let measured = match process.rows.len() {
        0 => String::new(),
        n => format!("{} measured", size::count(n as u64)),
    };
    let ordered = match orders {
        0 => String::new(),
        1 => "1 order".to_owned(),
        n => format!("{} orders", size::count(n as u64)),
    };
    let both = [measured, ordered].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(", ");
    writeln!(out, "== shim: locks of {}: {both}", who(&process.program, process.pid))?;
    if !process.rows.is_empty() {
        rows(process, args, limit, out)?;
    }
    if orders > 0 {
        self::orders(process, args, limit, out)?;
    }
    if process.beyond > 0 {
        writeln!(out, "not shown: {} locks or orders beyond the tables", size::count(process.beyond))?;
    }
    Ok(())
}

fn rows(process: &Process, args: &LocksArgs, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let title = ["waited", "contended", "taken", "held", "longest hold"];
    let [waited, contended, taken, held, longest] = title;
    writeln!(out, "{waited:>10} {contended:>18} {taken:>13} {held:>10} {longest:>13}  lock")?;
    for row in process.rows.iter().take(limit) {
        let lock = &row.lock;
        let share = match lock.contended {
            0 => String::new(),
            n => format!("{:.1} %", n as f64 * 100.0 / lock.taken.max(1) as f64),
        };
        let often = format!("{} {share:>7}", size::count(lock.contended));
        let long = if lock.held_most >= args.long.saturating_mul(1_000_000) { "!" } else { " " };
        writeln!(
            out,
            "{:>10} {often:>18} {:>13} {:>10} {:>12}{long}  {} {}",
            time(lock.waited),
            size::count(lock.taken),
            time(lock.held),
            time(lock.held_most),
            row.name.kind(),
            whole(&row.name),
        )?;
        details(row, args.stacks, out)?;
    }
    match process.rows.len().saturating_sub(limit) {
        0 => {}
        more => writeln!(out, "{:>10}  and {} more", "", size::count(more as u64))?,
    }
    if process.rows.iter().any(|row| row.lock.held_most >= args.long.saturating_mul(1_000_000)) {
        writeln!(out, "! held for {} ms or longer at a time", size::count(args.long))?;
    }
    Ok(())
}

fn details(row: &Row, stacks: bool, out: &mut dyn Write) -> io::Result<()> {
    let lock = &row.lock;
    let calls: [(&str, &[Call], bool); 3] = [
        ("made, or first taken, by", &row.created, row.name.variable.is_none() || stacks),
        ("held longest by", &row.held_most_at, lock.held_most > 0 && (stacks || lock.contended > 0)),
        ("waited for longest by", &row.waited_most_at, lock.waited_most > 0),
    ];
    for (words, calls, wanted) in calls {
        let Some((first, callers)) = calls.split_first().filter(|_| wanted) else { continue };
        writeln!(out, "{:>16}{words} {}", "", first.words())?;
        for caller in callers.iter().take(if stacks { usize::MAX } else { 0 }) {
            writeln!(out, "{:>20}{}", "", caller.words())?;
        }
    }
    Ok(())
}

fn orders(process: &Process, args: &LocksArgs, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "orders: the second was taken while the first was held")?;
    for order in process.graph.orders.iter().take(limit) {
        let mode = |name: &Name, reads: bool| {
            let how = if reads { " (read)" } else { "" };
            format!("{} {}{how}", name.kind(), name.short())
        };
        let (held, taken) = (mode(&order.held, order.held_for_reading), mode(&order.taken, order.taken_for_reading));
        let mark = if order.in_ring { "  in a ring" } else { "" };
        let ended = if order.ended { "  ended" } else { "" };
        writeln!(out, "{:>10}  {held} → {taken}{mark}{ended}", size::count(order.count))?;
        for (words, calls) in [("taken by", &order.taken_at), ("the first by", &order.held_at)] {
            let Some((first, callers)) = calls.split_first() else { continue };
            writeln!(out, "{:>16}{words} {}", "", first.words())?;
            for caller in callers.iter().take(if args.stacks { usize::MAX } else { 0 }) {
                writeln!(out, "{:>20}{}", "", caller.words())?;
            }
        }
    }
    match process.graph.orders.len().saturating_sub(limit) {
        0 => Ok(()),
        more => writeln!(out, "{:>10}  and {} more", "", size::count(more as u64)),
    }
}

/// `table (/srv/app)`, or `0x55d0`.
fn whole(name: &Name) -> String {
    match &name.module {
        Some(module) => format!("{} ({})", name.short(), bytes(module)),
        None => name.short(),
    }
}

/// Three figures: `820 ns`, `3.4 µs`, `12 ms`, `1.2 s`.
pub fn time(ns: u64) -> String {
    let value = ns as f64;
    match ns {
        0 => "0".to_owned(),
        1..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => figures(value / 1e3, "µs"),
        1_000_000..1_000_000_000 => figures(value / 1e6, "ms"),
        _ if value < 120e9 => figures(value / 1e9, "s"),
        _ => crate::when::duration(ns),
    }
}

fn figures(value: f64, unit: &str) -> String {
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times() {
        let shown = [0, 7, 999, 1_000, 12_400, 3_400_000, 999_000_000, 1_200_000_000, 720_000_000_000].map(time);
        assert_eq!(shown, ["0", "7 ns", "999 ns", "1.0 µs", "12 µs", "3.4 ms", "999 ms", "1.2 s", "12 min"]);
    }
}
