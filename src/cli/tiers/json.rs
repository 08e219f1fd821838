//! What the machine has, for programs: one JSON object per line, told apart by `record`. A key whose value is unknown is left out.

use super::Machine;
use super::nodes::Origin;
use super::pages::Pool;
use super::suggest::Suggestion;
use crate::escape::shown;
use crate::heap::json::line;
use crate::report::json::text;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct JsonMachine {
    record: &'static str,
    nodes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    transparent_huge_pages: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transparent_huge_page_size: Option<u64>,
    weighted_interleave: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    memfd: Option<bool>,
}

#[derive(Serialize)]
struct JsonNode<'a> {
    record: &'static str,
    node: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    /// MB/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_bandwidth: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_bandwidth: Option<u64>,
    /// ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_latency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_latency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_tier: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u64>,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    distance: &'a [u64],
}

#[derive(Serialize)]
struct JsonPool {
    record: &'static str,
    page_bytes: u64,
    /// Without it: of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overcommit: Option<u64>,
}

impl JsonPool {
    fn new(pool: &Pool, node: Option<u32>) -> Self {
        Self {
            record: "pool",
            page_bytes: pool.page,
            node,
            pages: pool.total,
            free: pool.free,
            reserved: pool.reserved,
            overcommit: pool.overcommit,
        }
    }
}

#[derive(Serialize)]
struct JsonDax<'a> {
    record: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    align_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonMount<'a> {
    record: &'static str,
    path: String,
    #[serde(rename = "type")]
    kind: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dax: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
}

#[derive(Serialize)]
struct JsonTier<'a> {
    record: &'static str,
    name: &'a str,
    about: &'a str,
    /// The lines for a rule file.
    toml: String,
}

pub fn write(machine: &Machine, suggestions: &[Suggestion], out: &mut dyn Write) -> io::Result<()> {
    let head = JsonMachine {
        record: "machine",
        nodes: machine.nodes.len(),
        transparent_huge_pages: machine.transparent.mode.clone(),
        transparent_huge_page_size: machine.transparent.page,
        weighted_interleave: machine.weights,
        memfd: machine.memfd,
    };
    line(&head, out)?;
    for node in &machine.nodes {
        let kind_by = node.kind.map(|(_, origin)| match origin {
            Origin::Bandwidth => "bandwidth",
            Origin::Device => "device",
        });
        let one = JsonNode {
            record: "node",
            node: node.id,
            kind: node.kind.map(|(kind, _)| kind.name()),
            kind_by,
            cpus: node.cpus.as_deref(),
            allowed: node.allowed,
            total_bytes: node.total,
            free_bytes: node.free,
            read_bandwidth: node.access.read_bandwidth,
            write_bandwidth: node.access.write_bandwidth,
            read_latency: node.access.read_latency,
            write_latency: node.access.write_latency,
            memory_tier: node.tier,
            weight: node.weight,
            distance: &node.distance,
        };
        line(&one, out)?;
    }
    let of_nodes = machine.nodes.iter().flat_map(|node| node.pools.iter().map(|pool| (pool, Some(node.id))));
    for (pool, node) in machine.pools.iter().map(|pool| (pool, None)).chain(of_nodes) {
        line(&JsonPool::new(pool, node), out)?;
    }
    for dax in &machine.dax {
        let one = JsonDax {
            record: "dax",
            path: dax.path(),
            kind: dax.bus.map(super::devices::Bus::name),
            size_bytes: dax.size,
            align_bytes: dax.align,
            node: dax.node,
            driver: dax.driver.as_deref(),
        };
        line(&one, out)?;
    }
    for mount in &machine.mounts {
        let one = JsonMount {
            record: "mount",
            path: shown(&mount.at),
            kind: text(mount.kind.as_bytes()),
            source: text(mount.source.as_bytes()),
            dax: mount.dax.as_deref(),
            total_bytes: mount.total,
            free_bytes: mount.free,
        };
        line(&one, out)?;
    }
    for one in suggestions {
        let toml = one.lines().join("\n") + "\n";
        line(&JsonTier { record: "tier", name: &one.name, about: &one.about, toml }, out)?;
    }
    Ok(())
}
