//! A rule file of memory tiers, and decisions of the policy it makes. Claims: complaints are single lines that name the file;
//! a decision names a tier and a rule that exist, holds for the size it was asked for, and is the same when asked again.

use std::borrow::Cow;
use tier::rules::{Decision, Module, Names, Policy, Query, Reading};
use tier::spec::Full;

/// A process of three modules; addresses say which.
pub struct Process;

impl Names for Process {
    fn module(&mut self, address: u64) -> Option<Module<'_>> {
        let path: &[u8] = match address >> 12 {
            1 => b"/srv/app",
            2 => b"/opt/vendor code/libvendor.so.1",
            3 => b"/usr/lib/libc.so.6",
            _ => return None,
        };
        Some(Module { path, build_id: &[0xab; 20], file_offset: address & 0xfff, link_address: address & 0xfff })
    }

    fn function(&mut self, address: u64) -> Option<Cow<'_, str>> {
        const FUNCTIONS: [&str; 4] = ["main", "_ZN5solver4stepEi", "alloc_field", "f"];
        (address >> 12 > 0).then(|| FUNCTIONS[address as usize % 4].into())
    }

    fn line(&mut self, address: u64) -> Option<(Cow<'_, str>, u32)> {
        (address >> 12 > 0).then(|| ("/srv/src/solver.c".into(), address as u32 & 0x3f))
    }
}

pub fn run(input: &[u8]) {
    let mut reading = Policy::read(input, "rules.toml");
    complaints(&reading, &["rules.toml"]);
    if let Some(policy) = &mut reading.policy {
        decide(policy, input);
    }
}

pub fn complaints(reading: &Reading, files: &[&str]) {
    for complaint in &reading.complaints {
        let line = complaint.to_string();
        super::assert_one_line(&line);
        assert!(files.iter().any(|file| line.starts_with(file)), "{line}");
    }
}

pub fn decide(policy: &mut Policy, input: &[u8]) {
    for (index, spec) in (0..).zip(&policy.tiers) {
        if let Full::Next(next) = spec.full {
            assert!(next != index && usize::from(next) < policy.tiers.len(), "full leads to {next}");
        }
    }
    let mut tail = &input[input.len().saturating_sub(64)..];
    let frames: Vec<u64> = (0..6).map(|i| 0x1000 * (1 + i % 4) + super::number(&mut tail) % 0x1000).collect();
    for size in [0, 1, 4095, 4096, 1 << 20, usize::MAX, super::number(&mut tail) as usize] {
        for len in [0, 1, 2, frames.len()] {
            let query = Query { size, thread: b"worker-1", rank: Some(1), frames: &frames[..len] };
            let first = policy.decide(&query, &mut Process);
            holds(policy, size, &first);
            // The same answer for all sizes that it says, which is what the cache of the hooks trusts.
            for size in [*first.sizes.start(), *first.sizes.end()] {
                let again = policy.decide(&Query { size, ..query }, &mut Process);
                assert_eq!((again.rule, again.tier), (first.rule, first.tier), "size {size} of {:?}", first.sizes);
            }
        }
    }
    policy.modules_changed();
    std::hint::black_box((policy.sizes(), policy.depth(), policy.looks_at_threads(), policy.accounts()));
    std::hint::black_box(policy.rules().map(|rule| rule.name.len()).sum::<usize>());
}

fn holds(policy: &Policy, size: usize, decision: &Decision) {
    assert!(usize::from(decision.tier) < policy.tiers.len());
    assert!(decision.rule.is_none_or(|rule| usize::from(rule) < policy.rules().len()));
    assert!(decision.sizes.contains(&size), "{size}: {:?}", decision.sizes);
    if decision.tier != 0 {
        assert!(policy.sizes().contains(&size), "the filter keeps {size} out: {:?}", policy.sizes());
    }
}
