//! NUMA nodes: which there are, how much memory they have, and what this kernel can do with a policy.

use super::backing::Binding;
use super::os::{Answer, Errno, Os};
use crate::spec::NumaPolicy;

pub const PREFERRED: u32 = 1;
pub const BIND: u32 = 2;
pub const INTERLEAVE: u32 = 3;
/// Linux 5.15.
pub const PREFERRED_MANY: u32 = 5;
/// Linux 6.9.
pub const WEIGHTED_INTERLEAVE: u32 = 6;

/// The nodes that have memory. Where /sys says nothing there is one.
pub fn with_memory(os: &dyn Os) -> Vec<u32> {
    for path in [&b"/sys/devices/system/node/has_memory\0"[..], b"/sys/devices/system/node/online\0"] {
        let mut text = [0; 512];
        if let Ok(count) = os.read_file(path, &mut text) {
            let nodes = list(&text[..count.min(512)]);
            if !nodes.is_empty() {
                return nodes;
            }
        }
    }
    vec![0]
}

/// Those of `there` that have no processor: where HBM and CXL memory show up.
pub fn without_processors(os: &dyn Os, there: &[u32]) -> Vec<u32> {
    let mut text = [0; 512];
    let Ok(count) = os.read_file(b"/sys/devices/system/node/has_cpu\0", &mut text) else { return Vec::new() };
    let with = list(&text[..count.min(512)]);
    there.iter().copied().filter(|node| !with.contains(node)).collect()
}

/// `0-3,8` as numbers; what is no number is left out.
pub fn list(text: &[u8]) -> Vec<u32> {
    let number = |part: &str| part.trim().parse::<u32>().ok().filter(|number| *number < 4096);
    let mut numbers = Vec::new();
    for part in String::from_utf8_lossy(text).split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                if let (Some(first), Some(last)) = (number(first), number(last)) {
                    numbers.extend(first..=last);
                }
            }
            None => numbers.extend(number(part)),
        }
    }
    numbers
}

/// The other way: `0-3,8`.
pub fn words(nodes: &[u32]) -> String {
    let mut words = String::new();
    let mut at = 0;
    while let Some(&first) = nodes.get(at) {
        let mut last = first;
        while nodes.get(at + 1) == Some(&(last + 1)) {
            (last, at) = (last + 1, at + 1);
        }
        if !words.is_empty() {
            words.push(',');
        }
        words.push_str(&first.to_string());
        if last > first {
            words.push_str(&format!("-{last}"));
        }
        at += 1;
    }
    words
}

/// All memory of a node, in bytes.
pub fn memory(os: &dyn Os, node: u32) -> Option<u64> {
    total(os, format!("/sys/devices/system/node/node{node}/meminfo\0").as_bytes())
}

/// All memory of the machine, in bytes.
pub fn machine(os: &dyn Os) -> Option<u64> {
    total(os, b"/proc/meminfo\0")
}

/// `MemTotal: 12345 kB`, perhaps behind the node's name.
fn total(os: &dyn Os, path: &[u8]) -> Option<u64> {
    let mut text = [0; 512];
    let count = os.read_file(path, &mut text).ok()?;
    let text = String::from_utf8_lossy(text.get(..count)?).into_owned();
    let line = text.lines().find(|line| line.contains("MemTotal:"))?;
    line.split_whitespace().rev().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}

pub fn binding(policy: NumaPolicy, nodes: &[u32]) -> Binding {
    let mode = match policy {
        NumaPolicy::Bind => BIND,
        NumaPolicy::Preferred => PREFERRED,
        NumaPolicy::PreferredMany => PREFERRED_MANY,
        NumaPolicy::Interleave => INTERLEAVE,
        NumaPolicy::WeightedInterleave => WEIGHTED_INTERLEAVE,
    };
    // MPOL_PREFERRED takes one node.
    let nodes = if mode == PREFERRED { &nodes[..nodes.len().min(1)] } else { nodes };
    let mut mask = vec![0u64; nodes.iter().max().map_or(0, |most| *most as usize / 64 + 1)];
    for node in nodes {
        mask[*node as usize / 64] |= 1 << (node % 64);
    }
    Binding { mode, mask }
}

/// What an older kernel has instead.
pub fn nearest(policy: NumaPolicy) -> Option<NumaPolicy> {
    match policy {
        NumaPolicy::WeightedInterleave => Some(NumaPolicy::Interleave),
        NumaPolicy::PreferredMany => Some(NumaPolicy::Preferred),
        _ => None,
    }
}

pub fn name(policy: NumaPolicy) -> &'static str {
    match policy {
        NumaPolicy::Bind => "bind",
        NumaPolicy::Preferred => "preferred",
        NumaPolicy::PreferredMany => "preferred-many",
        NumaPolicy::Interleave => "interleave",
        NumaPolicy::WeightedInterleave => "weighted-interleave",
    }
}

/// Tries a policy on a range; the one that worked, and whether it is another than was asked for.
pub fn bind(os: &dyn Os, at: usize, size: usize, policy: NumaPolicy, nodes: &[u32]) -> Answer<(Binding, NumaPolicy)> {
    let wanted = binding(policy, nodes);
    match os.mbind(at, size, wanted.mode, &wanted.mask, 0) {
        Ok(()) => Ok((wanted, policy)),
        Err(Errno(libc::EINVAL | libc::ENOSYS)) if nearest(policy).is_some() => {
            let policy = nearest(policy).unwrap_or(policy);
            let other = binding(policy, nodes);
            os.mbind(at, size, other.mode, &other.mask, 0).map(|()| (other, policy))
        }
        Err(error) => Err(error),
    }
}
