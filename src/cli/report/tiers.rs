//! `shim report --tiers`: what was placed on which memory tier, by which rule, from which call stacks.
//!
//! ```text
//! == shim: memory tiers of 4 processes (app 4), ranks 0–3
//!
//! fast  (numa, node 1, bind)
//!   12 allocations, 48 MiB; live 0 B, 40 MiB at the peak of 4.0 GiB
//!   refused 2 (16 MiB)
//!   placement: 1,024 of 1,030 pages are where they belong (move_pages); node 0: 6, node 1: 1,024
//! …
//! rules: …
//! call stacks: …
//! ```

mod json;

use crate::args::ReportArgs;
use crate::escape::bytes;
use crate::heap::names::{self, Call};
use crate::heap::text::{call, stack};
use crate::message::{Failure, exit, say};
use crate::placement::{Placement, Rule, Site, Tier};
use crate::ranks;
use crate::report::filter::Filter;
use crate::size;
use crate::symbolise::Symboliser;
use crate::target::who;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Call stacks that the text shows.
const SHOWN: usize = 20;
/// Programs that the head names.
const NAMED: usize = 5;

/// `files` are the recordings that were found.
pub fn report(args: &ReportArgs, filter: &Filter, files: &[PathBuf], failed: bool) -> Result<ExitCode, Failure> {
    let (placement, problems) = Placement::read_wanted(files, &|head| filter.wants_process(head));
    problems.iter().for_each(say);
    let failed = failed || !problems.is_empty();
    if placement.is_empty() {
        if placement.without == 0 {
            // Somebody has said already why nothing could be read.
            return Err(Failure::new(exit::PARTLY, if failed { "" } else { "no such process in these recordings" }));
        }
        let who = if placement.without == 1 { "the recording has nothing" } else { "the recordings have nothing" };
        return Err(Failure::new(exit::PARTLY, format!("{who} of memory tiers: run it with --tiers FILE")));
    }
    let mut symbols = Symboliser::default();
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        json::write(&placement, args.limit.unwrap_or(usize::MAX), &mut symbols, &mut out)?;
    } else {
        text(&placement, args.limit.unwrap_or(SHOWN), &mut symbols, &mut out)?;
    }
    out.flush()?;
    symbols.take_problems().iter().for_each(say);
    Ok(if failed { ExitCode::from(exit::PARTLY) } else { ExitCode::SUCCESS })
}

fn text(placement: &Placement, limit: usize, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "== shim: memory tiers of {}", of_whom(placement))?;
    for tier in placement.tiers.iter().filter(|tier| !tier.is_heap() || !tier.is_untouched()) {
        writeln!(out, "\n{}  ({})", bytes(tier.name.as_bytes()), tier.made_of())?;
        for line in lines(placement, tier) {
            writeln!(out, "  {line}")?;
        }
    }
    rules(placement, out)?;
    sites(placement, limit, symbols, out)?;
    if placement.without > 0 {
        let have = if placement.without == 1 { "has" } else { "have" };
        writeln!(out, "\n{} of the recordings {have} nothing of memory tiers", placement.without)?;
    }
    Ok(())
}

/// `app (pid 12)`, `4 processes (app 4), ranks 0–3`.
fn of_whom(placement: &Placement) -> String {
    let ranks = ranks::list(&placement.ranks()).map_or_else(String::new, |ranks| format!(", {ranks}"));
    if let [one] = placement.processes.as_slice() {
        return who(&one.program, one.pid) + &ranks;
    }
    let mut programs: BTreeMap<&[u8], usize> = BTreeMap::new();
    placement.processes.iter().for_each(|one| *programs.entry(&one.program).or_default() += 1);
    let mut programs: Vec<_> = programs.into_iter().collect();
    programs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut parts: Vec<String> =
        programs.iter().take(NAMED).map(|(program, count)| format!("{} {count}", bytes(program))).collect();
    if programs.len() > NAMED {
        parts.push(format!("{} other programs", programs.len() - NAMED));
    }
    format!("{} processes ({}){ranks}", placement.processes.len(), parts.join(", "))
}

/// What is said of a tier.
fn lines(placement: &Placement, tier: &Tier) -> Vec<String> {
    let mut lines = Vec::new();
    if tier.faults > 0 {
        let often =
            if placement.processes.len() > 1 { format!(" in {} processes", tier.faults) } else { String::new() };
        lines.push(format!("could not be made{often}: {}", bytes(tier.fault.as_bytes())));
    }
    if tier.allocations == 0 {
        lines.push("nothing was placed here".to_owned());
    } else {
        lines.push(amounts(tier));
    }
    lines.extend(refused(tier));
    if tier.taken_in > 0 {
        lines.push(format!("{} of the allocations came because another tier was full", size::count(tier.taken_in)));
    }
    if tier.pages > 0 {
        lines.push(placed(tier));
    }
    let spreads = [
        ("allocated", placement.spread(tier, |share| share.allocated_bytes)),
        ("peak", placement.spread(tier, |share| share.peak_bytes)),
        ("refused", placement.spread(tier, |share| share.refused).filter(|spread| spread.total > 0)),
    ];
    for (what, spread) in spreads {
        let Some(spread) = spread.filter(|_| !tier.is_untouched()) else { continue };
        let number = if what == "refused" { size::count } else { size::bytes };
        lines.push(format!("{what} by rank: {}", spread.words(number)));
    }
    lines
}

/// `12 allocations, 48 MiB; live 0 B, 40 MiB at the peak of 4.0 GiB`.
pub fn amounts(tier: &Tier) -> String {
    let s = if tier.allocations == 1 { "" } else { "s" };
    let capacity = if tier.capacity > 0 { format!(" of {}", size::bytes(tier.capacity)) } else { String::new() };
    format!(
        "{} allocation{s}, {}; live {}, {} at the peak{capacity}",
        size::count(tier.allocations),
        size::bytes(tier.allocated_bytes),
        size::bytes(tier.live_bytes),
        size::bytes(tier.peak_bytes),
    )
}

/// `refused 2 (16 MiB)`: allocations that found no room.
pub fn refused(tier: &Tier) -> Option<String> {
    (tier.refused > 0).then(|| format!("refused {} ({})", size::count(tier.refused), size::bytes(tier.refused_bytes)))
}

fn placed(tier: &Tier) -> String {
    let nodes: Vec<String> = (0..).zip(tier.node_pages).filter(|(_, pages)| *pages > 0).map(node).collect();
    let by = tier.verified_by();
    let by = if by.is_empty() { String::new() } else { format!(" ({by})") };
    let nodes = if nodes.is_empty() { String::new() } else { format!("; {}", nodes.join(", ")) };
    format!("placement: {}{by}{nodes}", verified(tier.pages, tier.pages_right))
}

fn node((node, pages): (usize, u64)) -> String {
    let further = if node + 1 == record::tier::NODES { " and further" } else { "" };
    format!("node {node}{further}: {}", size::count(pages))
}

/// `1,024 of 1,030 pages are where they belong`.
pub fn verified(pages: u64, right: u64) -> String {
    let are = if pages == 1 { "page is where it belongs" } else { "pages are where they belong" };
    format!("{} of {} {are}", size::count(right), size::count(pages))
}

/// `"fields" (rules.toml:12)`.
pub fn rule_name(rule: &Rule) -> String {
    let name = bytes(rule.name.as_bytes());
    if rule.place.is_empty() { format!("\"{name}\"") } else { format!("\"{name}\" ({})", bytes(rule.place.as_bytes())) }
}

fn rules(placement: &Placement, out: &mut dyn Write) -> io::Result<()> {
    if placement.rules.is_empty() {
        return writeln!(out, "\nno rules");
    }
    let count = placement.rules.len();
    writeln!(out, "\n{count} rule{}:", if count == 1 { "" } else { "s" })?;
    for rule in &placement.rules {
        let tier = tier_name(placement, rule.tier);
        let mut facts = Vec::new();
        let stacks = || format!("{} call stack{}", size::count(rule.sites), if rule.sites == 1 { "" } else { "s" });
        if rule.never_matched() {
            facts.push("never matched".to_owned());
        } else if rule.never_asked() {
            facts.push("matched no call of a size that a tier wants".to_owned());
        } else if let Some(hits) = rule.hits() {
            let s = if hits == 1 { "" } else { "s" };
            let placed = if hits == rule.allocations {
                String::new()
            } else {
                format!("{} placed, ", size::count(rule.allocations))
            };
            let (all, peak) = (size::bytes(rule.allocated_bytes), size::bytes(rule.peak_bytes));
            facts.push(format!("{} hit{s} from {}, {placed}{all}, {peak} at the peak", size::count(hits), stacks()));
        } else {
            facts.push(format!("{}, calls not counted", stacks()));
        }
        if rule.limit > 0 {
            facts.push(format!("limit {}", size::bytes(rule.limit)));
        }
        if rule.misfits > 0 {
            let (misfits, all) = (size::count(rule.misfits), size::bytes(rule.misfit_bytes));
            let s = if rule.misfits == 1 { "" } else { "s" };
            facts.push(format!("{misfits} misfit{s} beyond it ({all})"));
        }
        if rule.pending > 0 {
            facts.push("waits for a module that is not loaded".to_owned());
        }
        writeln!(out, "  {} → {tier}: {}", rule_name(rule), facts.join("; "))?;
    }
    Ok(())
}

fn tier_name(placement: &Placement, tier: Option<usize>) -> String {
    tier.and_then(|tier| placement.tiers.get(tier)).map_or_else(|| "?".to_owned(), |t| bytes(t.name.as_bytes()))
}

/// The calls of a stack, each with what was inlined there.
pub fn calls(site: &Site, symbols: &mut Symboliser) -> Vec<Call> {
    let mut calls = Vec::new();
    for one in &site.calls {
        calls.extend(symbols.locate(one).iter().map(|location| (one.clone(), location.clone())));
    }
    calls
}

fn sites(placement: &Placement, limit: usize, symbols: &mut Symboliser, out: &mut dyn Write) -> io::Result<()> {
    let all = placement.sites.len();
    let shown = all.min(limit);
    let first = if shown < all { format!("the first {shown} of ") } else { String::new() };
    let s = if all == 1 { "" } else { "s" };
    writeln!(out, "\n{first}{} call stack{s}{}", size::count(all as u64), if all == 0 { "" } else { ":" })?;
    for site in &placement.sites[..shown] {
        let calls = calls(site, symbols);
        let place = calls.get(names::place(&calls)).map_or_else(|| "(no call stack)".to_owned(), call);
        let rule = site
            .rule
            .and_then(|rule| placement.rules.get(rule))
            .map_or_else(String::new, |rule| format!(" by \"{}\"", bytes(rule.name.as_bytes())));
        let tier = tier_name(placement, site.tier);
        let (sum, peak) = (size::bytes(site.allocated_bytes), size::bytes(site.peak_bytes));
        let times = size::blocks(site.allocations);
        if site.is_counted() {
            writeln!(out, "{sum:>9}  peak {peak:>8}  {times:>16}  {tier}{rule}  {place}")?;
        } else {
            writeln!(out, "{:>42}  {tier}{rule}  {place}", "not counted")?;
        }
        if site.elsewhere > 0 {
            writeln!(out, "        {} went elsewhere", size::count(site.elsewhere))?;
        }
        if site.pages > 0 {
            writeln!(out, "        {}", verified(site.pages, site.pages_right))?;
        }
        stack(&calls, false, out)?;
    }
    Ok(())
}
