//! NUMA nodes: their CPUs, how much memory they have, how far and how fast it is, and of what kind.
//!
//! **The kind.** No file says "HBM". A node that a device of CXL or persistent memory was turned into is told by that device. Where
//! the firmware has a table of bandwidths (HMAT), a node without CPUs whose memory is read at least one and a half times as fast as that
//! of every node with CPUs is called HBM, and those with CPUs are then DRAM. Everything else has no kind.

use super::devices::{Bus, Dax};
use super::pages::{self, Pool};
use super::system::System;
use crate::ranges;

const NODES: &str = "sys/devices/system/node";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dram,
    Hbm,
    Cxl,
    Pmem,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Dram => "DRAM",
            Self::Hbm => "HBM",
            Self::Cxl => "CXL",
            Self::Pmem => "PMEM",
        }
    }
}

/// Who told the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The bandwidths of the firmware.
    Bandwidth,
    /// The device that became this node.
    Device,
}

/// MB/s and ns, from the CPUs that are nearest; by the HMAT of the firmware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub read_bandwidth: Option<u64>,
    pub write_bandwidth: Option<u64>,
    pub read_latency: Option<u64>,
    pub write_latency: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub id: u32,
    /// As the kernel writes them; empty: none.
    pub cpus: Option<String>,
    /// May this process have memory there?
    pub allowed: Option<bool>,
    pub total: Option<u64>,
    pub free: Option<u64>,
    /// To each node that is online, in their order.
    pub distance: Vec<u64>,
    pub access: Access,
    pub kind: Option<(Kind, Origin)>,
    /// The kernel's own tier: the lower, the faster.
    pub tier: Option<u32>,
    /// Pages in turn, under weighted-interleave.
    pub weight: Option<u64>,
    pub pools: Vec<Pool>,
}

impl Node {
    pub fn has_memory(&self) -> bool {
        self.total != Some(0)
    }

    pub fn is_without_cpus(&self) -> bool {
        self.cpus.as_deref() == Some("")
    }
}

pub fn read(system: &System, dax: &[Dax]) -> Vec<Node> {
    let allowed = system.text("proc/self/status").and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Mems_allowed_list:"))?;
        ranges::parse(line)
    });
    let tiers: Vec<(u32, Vec<u32>)> = system
        .numbered("sys/devices/virtual/memory_tiering", "memory_tier")
        .into_iter()
        .filter_map(|tier| {
            let list = system.text(&format!("sys/devices/virtual/memory_tiering/memory_tier{tier}/nodelist"))?;
            Some((tier, ranges::parse(&list)?))
        })
        .collect();
    let mut nodes: Vec<Node> = system
        .numbered(NODES, "node")
        .into_iter()
        .map(|id| Node {
            id,
            cpus: system.text(&format!("{NODES}/node{id}/cpulist")),
            allowed: allowed.as_ref().map(|list| list.contains(&id)),
            total: meminfo(system, id, "MemTotal:"),
            free: meminfo(system, id, "MemFree:"),
            distance: distance(system, id),
            access: access(system, id),
            kind: None,
            tier: tiers.iter().find(|(_, list)| list.contains(&id)).map(|(tier, _)| *tier),
            weight: system.number(&format!("sys/kernel/mm/mempolicy/weighted_interleave/node{id}")),
            pools: pages::pools(system, &format!("{NODES}/node{id}/hugepages")),
        })
        .collect();
    name_kinds(&mut nodes, dax);
    nodes
}

/// `Node 0 MemTotal:       24684084 kB`.
fn meminfo(system: &System, id: u32, name: &str) -> Option<u64> {
    let text = system.text(&format!("{NODES}/node{id}/meminfo"))?;
    let line = text.lines().find_map(|line| Some(line.split_once(name)?.1))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn distance(system: &System, id: u32) -> Vec<u64> {
    let text = system.text(&format!("{NODES}/node{id}/distance")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// access1 is from CPUs alone, access0 from whatever is nearest.
fn access(system: &System, id: u32) -> Access {
    let of = |class: &str| {
        // What the firmware did not measure is 0.
        let number = |name: &str| {
            system.number(&format!("{NODES}/node{id}/{class}/initiators/{name}")).filter(|value| *value > 0)
        };
        Access {
            read_bandwidth: number("read_bandwidth"),
            write_bandwidth: number("write_bandwidth"),
            read_latency: number("read_latency"),
            write_latency: number("write_latency"),
        }
    };
    let by_cpus = of("access1");
    if by_cpus == Access::default() { of("access0") } else { by_cpus }
}

fn name_kinds(nodes: &mut [Node], dax: &[Dax]) {
    let with_cpus = |node: &&Node| node.cpus.as_deref().is_some_and(|cpus| !cpus.is_empty()) && node.has_memory();
    let bandwidths: Vec<Option<u64>> = nodes.iter().filter(with_cpus).map(|node| node.access.read_bandwidth).collect();
    let ordinary = bandwidths.iter().copied().try_fold(0, |most, one| Some(most.max(one?))).filter(|most| *most > 0);
    let is_faster = |node: &Node| {
        let (Some(ordinary), Some(own)) = (ordinary, node.access.read_bandwidth) else { return false };
        node.is_without_cpus() && node.has_memory() && own / 3 >= ordinary / 2
    };
    let device = |id: u32| {
        let became = dax.iter().find(|dax| dax.driver.as_deref() == Some("kmem") && dax.node == Some(id))?;
        match became.bus? {
            Bus::Cxl => Some(Kind::Cxl),
            Bus::Pmem => Some(Kind::Pmem),
            Bus::Reserved => None,
        }
    };
    let any_faster = nodes.iter().any(is_faster);
    for node in nodes {
        node.kind = if let Some(kind) = device(node.id) {
            Some((kind, Origin::Device))
        } else if is_faster(node) {
            Some((Kind::Hbm, Origin::Bandwidth))
        } else if any_faster && with_cpus(&&*node) {
            Some((Kind::Dram, Origin::Bandwidth))
        } else {
            None
        };
    }
}
