//! `[[tier]]`: what a tier is, and where what does not fit goes.

use super::super::document::{Table, Value};
use super::super::number::{self, Fault, quoted};
use super::super::{Faults, MOST_TIERS};
use super::fields::{chosen, flag, name, size, text};
use super::{each, unknown};
use crate::spec::{Fork, Full, Kind, NumaPolicy, PageSize, TierSpec};

const KEYS: [&str; 10] = ["name", "kind", "nodes", "policy", "capacity", "full", "prefault", "huge", "path", "fork"];

pub struct Tiers {
    /// The first is the heap.
    pub specs: Vec<TierSpec>,
    /// Those that were left out, and where they stand.
    pub missing: Vec<(String, u32)>,
}

impl Tiers {
    pub fn index(&self, name: &str) -> Option<u16> {
        self.specs.iter().position(|spec| spec.name == name).map(|index| index as u16)
    }

    pub fn names(&self) -> Vec<&str> {
        self.specs.iter().map(|spec| spec.name.as_str()).collect()
    }
}

#[derive(Clone, Copy)]
enum SaidKind {
    Numa,
    File,
    Huge,
    Memfd,
}

#[derive(Clone, Copy, PartialEq)]
enum SaidHuge {
    Never,
    Page(PageSize),
}

#[derive(Default)]
struct Said<'t> {
    name: Option<&'t str>,
    kind: Option<SaidKind>,
    nodes: Option<Vec<u32>>,
    policy: Option<NumaPolicy>,
    capacity: Option<u64>,
    full: Option<&'t str>,
    prefault: bool,
    huge: Option<SaidHuge>,
    path: Option<Vec<u8>>,
    fork: Option<Fork>,
}

pub fn read<'t>(tables: impl Iterator<Item = &'t Table>, faults: &mut Faults) -> Tiers {
    let mut tiers = Tiers { specs: vec![TierSpec::heap()], missing: Vec::new() };
    let mut fulls: Vec<(Option<&str>, u32)> = vec![(None, 0)];
    for table in tables {
        if tiers.specs.len() > MOST_TIERS {
            faults.add(table.line, "more than 15 tiers", "at most 15; this one and the rest are left out");
            break;
        }
        let mut said = Said::default();
        let mut good = each(table, &KEYS, faults, |key, value| said.read(key, value));
        let line =
            |key: &str| table.entries.iter().find(|entry| entry.key == key).map_or(table.line, |entry| entry.line);
        let Some(name) = said.name else {
            if !table.entries.iter().any(|entry| entry.key == "name") {
                faults.add(table.line, "a tier without a name", "name = a name for rules to use");
            }
            continue;
        };
        if name == "fail" || name == "heap" {
            faults.add(line("name"), &format!("a tier that is called {name}"), "a name that has no meaning yet");
            continue;
        }
        if let Some(first) = tiers.specs.iter().find(|spec| spec.name == name) {
            let what = format!("a second tier {} (the first is in line {})", quoted(name), first.at.line);
            faults.add(line("name"), &what, "another name");
            continue;
        }
        let full = said.full;
        let kind = if good { said.kind(table, faults, &line) } else { None };
        good &= kind.is_some();
        match kind {
            Some((kind, huge)) if good => {
                fulls.push((full, line("full")));
                tiers.specs.push(TierSpec {
                    name: name.to_owned(),
                    kind,
                    capacity: said.capacity,
                    huge,
                    full: Full::Heap,
                    prefault: said.prefault,
                    fork: said.fork.unwrap_or(Fork::Copy),
                    at: faults.place(table.line),
                });
            }
            _ => tiers.missing.push((name.to_owned(), table.line)),
        }
    }
    for (index, (full, line)) in fulls.into_iter().enumerate() {
        let Some(full) = full else { continue };
        tiers.specs[index].full = match (full, tiers.index(full)) {
            ("fail", _) => Full::Fail,
            (_, Some(0)) => Full::Heap,
            (_, Some(next)) => Full::Next(next),
            (_, None) if tiers.missing.iter().any(|(missing, _)| missing == full) => {
                faults.say(
                    line,
                    format!("full leads to tier {}, which is left out; the heap is asked instead", quoted(full)),
                );
                Full::Heap
            }
            (_, None) => {
                let mut known = tiers.names();
                known.push("fail");
                unknown(line, "tier", full, &known, faults);
                Full::Heap
            }
        };
    }
    uncycle(&mut tiers.specs, faults);
    tiers
}

/// Each walk that comes back to where it was is told, and cut where it began.
fn uncycle(specs: &mut [TierSpec], faults: &mut Faults) {
    for start in 1..specs.len() {
        let mut walk = vec![start];
        let mut at = start;
        while let Full::Next(next) = specs[at].full {
            at = usize::from(next);
            if walk.contains(&at) {
                break;
            }
            walk.push(at);
        }
        if matches!(specs[at].full, Full::Next(_)) && at == start {
            let names: Vec<_> = walk.iter().chain([&start]).map(|index| quoted(&specs[*index].name)).collect();
            let what = format!("full leads in a circle: {}", names.join(" to "));
            faults.say(specs[start].at.line, format!("{what}; expected heap or fail at its end (heap is taken)"));
            specs[start].full = Full::Heap;
        }
    }
}

impl<'t> Said<'t> {
    fn read(&mut self, key: &'t str, value: &'t Value) -> Result<(), Fault> {
        match key {
            "name" => self.name = Some(name(key, value)?),
            "kind" => {
                let kinds = [
                    ("numa", SaidKind::Numa),
                    ("file", SaidKind::File),
                    ("hugepages", SaidKind::Huge),
                    ("memfd", SaidKind::Memfd),
                ];
                self.kind = Some(chosen(key, value, &kinds, "numa, file, hugepages or memfd")?);
            }
            "nodes" => {
                self.nodes = Some(match value {
                    Value::Number(node @ 0..=1023) => vec![*node as u32],
                    _ => number::list(text(key, value, "nodes, as in \"0-3,8\"")?, number::MOST_NODE)?,
                })
            }
            "policy" => {
                let policies = [
                    ("bind", NumaPolicy::Bind),
                    ("preferred", NumaPolicy::Preferred),
                    ("preferred-many", NumaPolicy::PreferredMany),
                    ("interleave", NumaPolicy::Interleave),
                    ("weighted-interleave", NumaPolicy::WeightedInterleave),
                ];
                let expected = "bind, preferred, preferred-many, interleave or weighted-interleave";
                self.policy = Some(chosen(key, value, &policies, expected)?);
            }
            "capacity" => match size(key, value)? {
                0 => return Err(("a capacity of nothing".to_owned(), "a size, as in \"4G\"")),
                bytes => self.capacity = Some(bytes),
            },
            "full" => self.full = Some(text(key, value, "heap, fail or the name of another tier")?),
            "prefault" => self.prefault = flag(key, value)?,
            "huge" => {
                let pages = [
                    ("never", SaidHuge::Never),
                    ("thp", SaidHuge::Page(PageSize::Thp)),
                    ("2M", SaidHuge::Page(PageSize::M2)),
                    ("1G", SaidHuge::Page(PageSize::G1)),
                ];
                self.huge = Some(chosen(key, value, &pages, "never, thp, 2M or 1G")?);
            }
            "path" => {
                let path = text(key, value, "a directory, a file or a DAX device")?;
                if path.is_empty() || path.contains('\0') || path.len() > 4095 {
                    return Err((format!("{} is no path", quoted(path)), "a directory, a file or a DAX device"));
                }
                self.path = Some(path.as_bytes().to_vec());
            }
            _ => {
                self.fork = Some(chosen(key, value, &[("copy", Fork::Copy), ("share", Fork::Share)], "copy or share")?)
            }
        }
        Ok(())
    }

    /// What the kind makes of the other keys. None: a fault was told.
    fn kind(&self, table: &Table, faults: &mut Faults, line: &dyn Fn(&str) -> u32) -> Option<(Kind, Option<PageSize>)> {
        let Some(kind) = self.kind else {
            faults.add(table.line, "a tier without a kind", "kind = \"numa\", \"file\", \"hugepages\" or \"memfd\"");
            return None;
        };
        let (called, keys): (&str, &[&str]) = match kind {
            SaidKind::Numa => ("numa", &["nodes", "policy", "huge"]),
            SaidKind::File => ("file", &["path", "fork"]),
            SaidKind::Huge => ("hugepages", &["huge"]),
            SaidKind::Memfd => ("memfd", &["huge", "fork"]),
        };
        let foreign = ["nodes", "policy", "huge", "path", "fork"]
            .into_iter()
            .find(|key| !keys.contains(key) && table.entries.iter().any(|entry| entry.key == *key));
        if let Some(foreign) = foreign {
            let what = format!("{foreign} in a tier of kind {called}");
            faults.add(line(foreign), &what, &format!("beside name, capacity, full and prefault: {}", keys.join(", ")));
            return None;
        }
        let page = match self.huge {
            Some(SaidHuge::Page(page)) => Some(page),
            Some(SaidHuge::Never) | None => None,
        };
        match kind {
            SaidKind::Numa => match &self.nodes {
                Some(nodes) => {
                    let policy = self.policy.unwrap_or(NumaPolicy::Bind);
                    Some((Kind::Numa { nodes: nodes.clone(), policy }, page))
                }
                None => {
                    faults.add(table.line, "a numa tier without nodes", "nodes, as in \"0-3,8\"");
                    None
                }
            },
            SaidKind::File => match &self.path {
                Some(path) => Some((Kind::File { path: path.clone() }, None)),
                None => {
                    faults.add(table.line, "a file tier without a path", "a directory, a file or a DAX device");
                    None
                }
            },
            SaidKind::Huge if self.huge == Some(SaidHuge::Never) => {
                faults.add(line("huge"), "huge is 'never' in a tier of kind hugepages", "thp, 2M or 1G");
                None
            }
            SaidKind::Huge => Some((Kind::Huge { page: page.unwrap_or(PageSize::Thp) }, None)),
            SaidKind::Memfd => Some((Kind::Memfd { page }, None)),
        }
    }
}
