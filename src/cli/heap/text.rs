//! The heap for people: the totals, then the call stacks with the most.
//!
//! ```text
//! == shim: heap of app (pid 12): estimated, one byte in 524,288 sampled
//!   live       12 MiB ±2 % in 4,210 blocks
//!   …
//! live, the first 20 of 812 call stacks:
//!    7.1 MiB   58 %  ±6 %   1,204 blocks  load_table  table.c:12
//!        parse_file  file.c:40
//! ```

use super::names::{self, Names};
use super::profile::{Entry, Measure, Profile, Together, Value, Watched};
use crate::escape::bytes;
use crate::ranks;
use crate::report::text::{call_site, frame};
use crate::size;
use crate::target::who;
use crate::when;
use record::heap::{class, level};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Callers that stand below a call, unless all are asked for.
const CALLERS: usize = 4;
/// Classes of sizes, processes, programs that are named.
const NAMED: usize = 5;

/// The totals, of one process or of all together.
pub fn head(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let all = profile.together();
    writeln!(out, "== shim: heap of {}: {}", of_whom(profile), how(&all))?;
    let estimate = |measure| uncertain(profile.held(measure));
    let blocks = size::blocks(all.live.blocks);
    if all.live.bytes == 0 && all.live.blocks > 0 {
        // Calls were counted, and bytes were not.
        writeln!(out, "  live       {blocks}")?;
    } else {
        writeln!(out, "  live       {}{} in {blocks}", size::bytes(all.live.bytes), estimate(Measure::Live))?;
    }
    if all.peak > 0 {
        let when = match profile.processes.as_slice() {
            [(_, one)] => after(one, one.heap.peak_time),
            _ => ", the sum over the processes".to_owned(),
        };
        writeln!(out, "  peak       {}{}{when}", size::bytes(all.peak), estimate(Measure::Peak))?;
    }
    let (requested, calls, frees) = (size::bytes(all.requested), size::count(all.allocations), size::count(all.frees));
    let again = match all.reallocations {
        0 => String::new(),
        n => format!(", {} of them realloc", size::count(n)),
    };
    writeln!(out, "  allocated  {requested} by {calls} calls{again}; {frees} frees")?;
    if all.looked {
        let when = match profile.processes.as_slice() {
            [(_, one)] => after(one, one.heap.looked),
            _ => String::new(),
        };
        writeln!(out, "  leaks      {}{when}", leaks(&all))?;
    }
    let mut sizes: Vec<_> = all.sizes.classes().collect();
    if !sizes.is_empty() {
        let sum: f64 = sizes.iter().map(|(_, amount)| amount.bytes as f64).sum();
        sizes.sort_by_key(|(most, amount)| (std::cmp::Reverse(amount.bytes), *most));
        let one = |(most, amount): &(u64, record::heap::Amount)| {
            let share = percent(amount.bytes as f64, sum);
            format!("≤ {}: {share} in {}", size::bytes(*most), size::blocks(amount.blocks))
        };
        let shown: Vec<String> = sizes.iter().take(NAMED).map(one).collect();
        writeln!(out, "  sizes      {}", shown.join("; "))?;
    }
    if profile.processes.len() > 1 {
        processes(profile, out)?;
    }
    by_rank(profile, out)?;
    if profile.unwatched > 0 {
        writeln!(out, "  {} of the recordings have nothing of the heap", profile.unwatched)?;
    }
    if let Some(losses) = profile.losses() {
        writeln!(out, "  not recorded, for want of room or of a way to see it: {losses}")?;
    }
    Ok(())
}

/// Totals by rank of MPI, and who is unlike the others.
fn by_rank(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let rows = [
        ("live by rank", profile.spread(|one| one.live.bytes)),
        ("peak by rank", profile.spread(|one| one.heap.peak_bytes)),
        ("allocated by rank", profile.spread(|one| one.calls.bytes_requested)),
    ];
    for (what, spread) in rows {
        if let Some(spread) = spread.filter(|spread| spread.total > 0) {
            writeln!(out, "  {what}: {}", spread.words(size::bytes))?;
        }
    }
    Ok(())
}

/// `app (pid 12)`, `12 processes (cc1 10, as 2), ranks 0–11`.
pub fn of_whom(profile: &Profile) -> String {
    let ranks = ranks::list(&profile.ranks()).map_or_else(String::new, |ranks| format!(", {ranks}"));
    if let [(_, one)] = profile.processes.as_slice() {
        return who(&one.program, one.pid) + &ranks;
    }
    let mut programs: BTreeMap<&[u8], usize> = BTreeMap::new();
    profile.processes.iter().for_each(|(_, one)| *programs.entry(&one.program).or_default() += 1);
    let mut programs: Vec<_> = programs.into_iter().collect();
    programs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut parts: Vec<String> =
        programs.iter().take(NAMED).map(|(program, count)| format!("{} {count}", bytes(program))).collect();
    if programs.len() > NAMED {
        parts.push(format!("{} other programs", programs.len() - NAMED));
    }
    format!("{} processes ({}){ranks}", profile.processes.len(), parts.join(", "))
}

/// How it was watched.
fn how(all: &Together) -> String {
    let mixed = if all.levels_differ { "; some processes less" } else { "" };
    match all.level {
        level::COUNT if all.sampling > 1 => {
            format!("totals only, of what is live estimates: one byte in {} sampled", size::count(all.sampling))
        }
        level::COUNT => "totals only".to_owned(),
        level::SITES if all.sampling > 1 => {
            format!("estimated, one byte in {} sampled{mixed}", size::count(all.sampling))
        }
        _ => format!("every block{mixed}"),
    }
}

fn after(one: &Watched, time: u64) -> String {
    match time.checked_sub(one.started) {
        Some(after) if time > 0 => format!(", after {}", when::duration(after)),
        _ => String::new(),
    }
}

fn leaks(all: &Together) -> String {
    let classes = [class::DEFINITE, class::INDIRECT, class::POSSIBLE, class::REACHABLE];
    let one = |(class, amount): (u8, record::heap::Amount)| {
        format!("{} {} in {}", size::bytes(amount.bytes), class::name(class), size::blocks(amount.blocks))
    };
    let some: Vec<String> = classes.into_iter().zip(all.leaks).filter(|(_, a)| a.blocks > 0).map(one).collect();
    if some.is_empty() { "no block was left".to_owned() } else { some.join(", ") }
}

/// Those that hold most.
fn processes(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut most: Vec<&Watched> = profile.processes.iter().map(|(_, one)| one).collect();
    most.sort_by_key(|one| std::cmp::Reverse((one.heap.peak_bytes, one.live.bytes)));
    for one in most.iter().take(NAMED) {
        let (live, peak) = (size::bytes(one.live.bytes), size::bytes(one.heap.peak_bytes));
        writeln!(out, "    {}: {live} live, {peak} at its peak", who(&one.program, one.pid))?;
    }
    if most.len() > NAMED {
        writeln!(out, "    and {} more", most.len() - NAMED)?;
    }
    Ok(())
}

/// The first call stacks of a list.
pub fn sites(
    profile: &Profile,
    entries: &[&Entry],
    shown: usize,
    by: Measure,
    whole: bool,
    names: &mut Names,
    out: &mut dyn Write,
) -> io::Result<()> {
    if entries.is_empty() {
        return writeln!(out, "\nno call stacks with anything {}: {}", by.words(), super::advice(profile, by));
    }
    let all = entries.len();
    let first = if shown < all { format!("the first {shown} of ") } else { String::new() };
    let s = if all == 1 { "" } else { "s" };
    writeln!(out, "\n{}, {first}{} call stack{s}:", by.words(), size::count(all as u64))?;
    let sum = profile.sum(by).bytes;
    let homeless = profile.homeless(by);
    let sum = (sum as f64) + homeless as f64;
    for entry in &entries[..shown] {
        let value = entry.value(by);
        let calls = names.stack(entry);
        let place = calls.get(names::place(&calls)).map_or_else(|| "(no call stack)".to_owned(), call);
        writeln!(
            out,
            "{:>9}  {:>4}  {:>5}  {:>16}  {place}",
            size::bytes(value.bytes),
            percent(value.bytes as f64, sum),
            error(value),
            size::blocks(value.blocks),
        )?;
        stack(&calls, whole, out)?;
    }
    if homeless > 0 {
        let share = percent(homeless as f64, sum);
        writeln!(out, "{:>9}  {share:>4}  without a call stack: there was no room for more", size::bytes(homeless))?;
    }
    Ok(())
}

/// The callers below the call that was named; or all calls.
pub fn stack(calls: &[names::Call], whole: bool, out: &mut dyn Write) -> io::Result<()> {
    if whole {
        for (number, (site, location)) in calls.iter().enumerate() {
            writeln!(out, "      #{number} {}", frame(location, site))?;
        }
        return Ok(());
    }
    let callers = calls.get(names::place(calls) + 1..names::until_start(calls)).unwrap_or_default();
    for (at, one) in callers.iter().enumerate() {
        if at == CALLERS && callers.len() > CALLERS + 1 {
            return writeln!(out, "        … {} more", callers.len() - CALLERS);
        }
        writeln!(out, "        {}", call(one))?;
    }
    Ok(())
}

/// `load_table  table.c:12`, or module and offset.
pub fn call((site, location): &names::Call) -> String {
    match call_site(location) {
        Some(text) => text,
        None => names::label(site, location),
    }
}

/// `±6 %`; `~` for what is as good as a guess; nothing for what is exact.
pub fn error(value: Value) -> String {
    match value.error() {
        _ if value.is_noise() => "~".to_owned(),
        Some(error) => format!("±{:.0} %", (error * 100.0).max(1.0)),
        None => String::new(),
    }
}

/// Of a total: how much of a guess it is, too.
fn uncertain(value: Value) -> String {
    value.error().map_or_else(String::new, |error| format!(" ±{:.0} %", (error * 100.0).max(1.0)))
}

fn percent(part: f64, whole: f64) -> String {
    let share = part * 100.0 / whole.max(1.0);
    if share < 0.5 && part > 0.0 { "<1 %".to_owned() } else { format!("{share:.0} %") }
}
