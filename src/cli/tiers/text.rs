//! What the machine has, for people: tables, then the lines for a rule file.

use super::Machine;
use super::suggest::Suggestion;
use crate::escape::{bytes, shown};
use crate::size;
use std::io::{self, Write};

const UNKNOWN: &str = "-";

pub fn write(machine: &Machine, suggestions: &[Suggestion], out: &mut dyn Write) -> io::Result<()> {
    nodes(machine, out)?;
    pages(machine, out)?;
    devices(machine, out)?;
    writeln!(out, "\nfor a rule file ({}):", if suggestions.is_empty() { "nothing" } else { "docs/tiers.md" })?;
    for one in suggestions {
        writeln!(out)?;
        for line in one.lines() {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// Columns as wide as what stands in them; numbers to the right.
fn table(rows: &[Vec<String>], left: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().enumerate().map(|(at, cell)| {
            let gap = " ".repeat(wide[at] - cell.chars().count());
            if left.contains(&at) { format!("{cell}{gap}") } else { format!("{gap}{cell}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(out, "  {}", line.trim_end())?;
    }
    Ok(())
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| UNKNOWN.to_owned())
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn nodes(machine: &Machine, out: &mut dyn Write) -> io::Result<()> {
    let count = machine.nodes.len();
    writeln!(out, "NUMA nodes: {}", if count == 0 { UNKNOWN.to_owned() } else { count.to_string() })?;
    if count == 0 {
        return Ok(());
    }
    let titles = ["node", "kind", "CPUs", "total", "free", "read", "write", "latency", "tier", "weight", "distance"];
    let mut rows = vec![row(titles)];
    for node in &machine.nodes {
        let number = |value: Option<u64>| or_dash(value.map(|value| value.to_string()));
        let speed = |value: Option<u64>| or_dash(value.map(|mb| format!("{} MB/s", size::count(mb))));
        let cpus = match node.cpus.as_deref() {
            Some("") => "none".to_owned(),
            known => or_dash(known.map(|cpus| bytes(cpus.as_bytes()))),
        };
        let distance: Vec<String> = node.distance.iter().map(u64::to_string).collect();
        let forbidden = if node.allowed == Some(false) { " (not for this process)" } else { "" };
        rows.push(vec![
            node.id.to_string(),
            or_dash(node.kind.map(|(kind, _)| kind.name().to_owned())),
            cpus,
            or_dash(node.total.map(size::bytes)),
            or_dash(node.free.map(size::bytes)),
            speed(node.access.read_bandwidth),
            speed(node.access.write_bandwidth),
            or_dash(node.access.read_latency.map(|ns| format!("{} ns", size::count(ns)))),
            number(node.tier.map(u64::from)),
            number(node.weight),
            format!("{}{forbidden}", if distance.is_empty() { UNKNOWN.to_owned() } else { distance.join(" ") }),
        ]);
    }
    table(&rows, &[1, 2, 10], out)
}

fn pages(machine: &Machine, out: &mut dyn Write) -> io::Result<()> {
    let transparent = &machine.transparent;
    let word = |text: &Option<String>| text.as_deref().map_or(UNKNOWN.to_owned(), |text| bytes(text.as_bytes()));
    let page = or_dash(transparent.page.map(size::bytes));
    writeln!(
        out,
        "\ntransparent huge pages: {} (page {page}, defrag {}, shared memory {})",
        word(&transparent.mode),
        word(&transparent.defrag),
        word(&transparent.shmem)
    )?;
    writeln!(out, "\nhuge page pools:{}", if machine.pools.is_empty() { " -" } else { "" })?;
    if machine.pools.is_empty() {
        return Ok(());
    }
    let number = |value: Option<u64>| or_dash(value.map(size::count));
    let mut rows = vec![row(["page", "node", "pages", "free", "reserved", "overcommit"])];
    for pool in &machine.pools {
        let page = size::bytes(pool.page);
        let all = [number(pool.total), number(pool.free), number(pool.reserved), number(pool.overcommit)];
        rows.push([vec![page.clone(), "all".to_owned()], all.to_vec()].concat());
        for node in &machine.nodes {
            for of in node.pools.iter().filter(|of| of.page == pool.page) {
                let counts = [number(of.total), number(of.free), number(of.reserved), number(of.overcommit)];
                rows.push([vec![page.clone(), node.id.to_string()], counts.to_vec()].concat());
            }
        }
    }
    table(&rows, &[], out)
}

fn devices(machine: &Machine, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nDAX devices:{}", if machine.dax.is_empty() { " none" } else { "" })?;
    if !machine.dax.is_empty() {
        let mut rows = vec![row(["device", "kind", "size", "align", "node", "driver"])];
        rows.extend(machine.dax.iter().map(|dax| {
            vec![
                bytes(dax.name.as_bytes()),
                or_dash(dax.bus.map(|bus| bus.name().to_owned())),
                or_dash(dax.size.map(size::bytes)),
                or_dash(dax.align.map(size::bytes)),
                or_dash(dax.node.map(|node| node.to_string())),
                or_dash(dax.driver.as_ref().map(|driver| bytes(driver.as_bytes()))),
            ]
        }));
        table(&rows, &[0, 1, 5], out)?;
    }
    writeln!(out, "\nfile systems of memory:{}", if machine.mounts.is_empty() { " none" } else { "" })?;
    if !machine.mounts.is_empty() {
        let mut rows = vec![row(["mounted at", "type", "on", "option", "size", "free"])];
        rows.extend(machine.mounts.iter().map(|mount| {
            vec![
                shown(&mount.at),
                bytes(mount.kind.as_bytes()),
                bytes(mount.source.as_bytes()),
                or_dash(mount.dax.as_ref().map(|dax| bytes(dax.as_bytes()))),
                or_dash(mount.total.map(size::bytes)),
                or_dash(mount.free.map(size::bytes)),
            ]
        }));
        table(&rows, &[0, 1, 2, 3], out)?;
    }
    let memfd = match machine.memfd {
        Some(true) => "yes",
        Some(false) => "no",
        None => UNKNOWN,
    };
    writeln!(out, "\nmemfd: {memfd}")
}
