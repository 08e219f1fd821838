//! Recordings with memory tiers, made by the writer.

use crate::profiled::Program;
use crate::sample;
use record::layout::TIER_RULE;
use record::memory::Memory;
use record::store::Store;
use record::strings;
use record::tier::{identity, kind, policy, rule, site_of, tier, verified_by};
use std::sync::atomic::Ordering::{Relaxed, Release};

pub const NAMES: [&str; 4] = ["main", "solve", "allocate_fields", "read_table"];
const MIB: u64 = 1 << 20;

/// What a test varies.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub pid: u32,
    pub rank: Option<u32>,
    /// MiB that `allocate_fields` placed on the fast tier.
    pub fields: u64,
    /// Pages of the fast tier that are on its node, 1, and those on node 0.
    pub pages: [u64; 2],
    /// Names of a tier, of a rule and of the file of rules.
    pub names: [&'a str; 3],
}

impl Default for Given<'_> {
    fn default() -> Self {
        Self { pid: 70, rank: None, fields: 40, pages: [1000, 24], names: ["fast", "fields", "rules.toml"] }
    }
}

fn text(memory: &Memory, text: &str) -> u64 {
    strings::intern(memory, text.as_bytes()).0
}

/// The heap, a fast tier of node 1, and a slow one that could not be made. Of three rules one never matched, and one has a limit.
pub fn process(program: &Program, given: Given) -> Memory {
    let memory = sample::process(given.pid);
    memory.header().rank.store(given.rank.map_or(0, |rank| rank + 1), Relaxed);
    let heap = tier(&memory, 0).unwrap();
    heap.name.store(text(&memory, "heap"), Relaxed);
    heap.what.store(kind::HEAP.into(), Release);
    let fast = tier(&memory, 1).unwrap();
    fast.name.store(text(&memory, given.names[0]), Relaxed);
    fast.nodes.store(1 << 1, Relaxed);
    fast.capacity.store(4096 * MIB, Relaxed);
    fast.what.store(u64::from(kind::NUMA) | u64::from(policy::BIND) << 8, Release);
    let slow = tier(&memory, 2).unwrap();
    slow.name.store(text(&memory, "slow"), Relaxed);
    slow.path.store(text(&memory, "/mnt/pmem\u{1b}0"), Relaxed);
    slow.fault.store(text(&memory, "no such directory"), Relaxed);
    slow.what.store(kind::FILE.into(), Release);
    let names = [given.names[1], "tables", "never"];
    for (index, (name, tier)) in names.into_iter().zip([1u64, 1, 2]).enumerate() {
        let rule = rule(&memory, index).unwrap();
        rule.name.store(text(&memory, name), Relaxed);
        rule.place.store(text(&memory, &format!("{}:{}", given.names[2], 7 * (index + 1))), Relaxed);
        rule.what.store(tier | TIER_RULE, Release);
    }
    rule(&memory, 1).unwrap().limit.store(8 * MIB, Relaxed);
    rule(&memory, 2).unwrap().pending.store(1, Relaxed);

    let module = program.module(&memory);
    place(&memory, program.stack(&memory, module, "main;solve;allocate_fields"), 0, given.fields, 4, given.fields - 8);
    place(&memory, program.stack(&memory, module, "main;read_table"), 1, 6, 3, 6);
    refuse(&memory, program.stack(&memory, module, "main;read_table"), 2 * MIB);
    let [right, wrong] = given.pages;
    fast.verified_by.store(verified_by::NODES.into(), Relaxed);
    fast.pages.store(right + wrong, Relaxed);
    fast.pages_right.store(right, Relaxed);
    fast.node_pages[1].store(right, Relaxed);
    fast.node_pages[0].store(wrong, Relaxed);
    memory
}

/// So many MiB in so many blocks on tier 1, of which `freed` MiB are freed again.
fn place(memory: &Memory, stack: u32, by: u16, mib: u64, blocks: u64, freed: u64) {
    let (site, bytes) = (site_of(memory, identity(stack, by, 1)).unwrap().1, mib * MIB);
    let rule = rule(memory, by.into()).unwrap();
    let tier = tier(memory, 1).unwrap();
    rule.sites.fetch_add(1, Relaxed);
    for allocations in [&site.allocations, &rule.allocations, &tier.allocations] {
        allocations.fetch_add(blocks, Relaxed);
    }
    for allocated in [&site.allocated_bytes, &rule.allocated_bytes, &tier.allocated_bytes] {
        allocated.fetch_add(bytes, Relaxed);
    }
    for live in [site.live(), rule.live(), tier.live()] {
        live.changed(blocks, bytes, bytes);
    }
    for live in [site.live(), rule.live(), tier.live()] {
        live.changed(0, (freed * MIB).wrapping_neg(), 0);
    }
    site.pages.store(bytes / 4096, Relaxed);
    site.pages_right.store(bytes / 4096 - 1, Relaxed);
}

/// An allocation beyond the limit of rule 1.
fn refuse(memory: &Memory, stack: u32, bytes: u64) {
    let rule = rule(memory, 1).unwrap();
    rule.misfits.fetch_add(1, Relaxed);
    rule.misfit_bytes.fetch_add(bytes, Relaxed);
    let tier = tier(memory, 1).unwrap();
    tier.refused.fetch_add(1, Relaxed);
    tier.refused_bytes.fetch_add(bytes, Relaxed);
    site_of(memory, identity(stack, 1, 1)).unwrap().1.elsewhere.fetch_add(1, Relaxed);
}
