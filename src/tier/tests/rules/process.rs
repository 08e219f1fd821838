//! A process that is not there: modules at addresses, with functions and lines.

use std::borrow::Cow;
use std::collections::BTreeMap;
use tier::rules::{Decision, Module, Names, Policy, Query};

/// A loaded file whose link addresses are its file offsets plus 0x1000, as linkers like to do it.
#[derive(Clone)]
pub struct Loaded {
    pub path: &'static str,
    pub real: Option<&'static str>,
    pub build_id: Vec<u8>,
    pub start: u64,
    pub size: u64,
}

#[derive(Clone, Default)]
pub struct Process {
    pub loaded: Vec<Loaded>,
    /// By the address of the call: the byte before the return address.
    pub functions: BTreeMap<u64, &'static str>,
    pub lines: BTreeMap<u64, (&'static str, u32)>,
    /// How often lines were asked for.
    pub asked: usize,
}

impl Process {
    /// `app` at 0x10000, `libfields.so.1` at 0x20000, `libstdc++.so.6` at 0x30000.
    pub fn new() -> Self {
        let module = |path, start| Loaded { path, real: None, build_id: vec![1, 2, 3, 4, 5], start, size: 0x1000 };
        let mut fields = module("/opt/lib/libfields.so.1", 0x20000);
        fields.real = Some("/opt/lib/libfields.so.1.2.3");
        Self {
            loaded: vec![module("/srv/app", 0x10000), fields, module("/usr/lib/libstdc++.so.6", 0x30000)],
            ..Self::default()
        }
    }

    /// A return address, whose call is in this function and line.
    pub fn frame(&mut self, address: u64, function: &'static str, line: (&'static str, u32)) -> u64 {
        self.functions.insert(address - 1, function);
        self.lines.insert(address - 1, line);
        address
    }
}

impl Names for Process {
    fn module(&mut self, address: u64) -> Option<Module<'_>> {
        let found = self.loaded.iter().find(|m| (m.start..m.start + m.size).contains(&address))?;
        let file_offset = address - found.start;
        Some(Module {
            path: found.path.as_bytes(),
            build_id: &found.build_id,
            file_offset,
            link_address: file_offset + 0x1000,
        })
    }

    fn function(&mut self, address: u64) -> Option<Cow<'_, str>> {
        self.functions.get(&address).map(|name| Cow::Borrowed(*name))
    }

    fn line(&mut self, address: u64) -> Option<(Cow<'_, str>, u32)> {
        self.asked += 1;
        self.lines.get(&address).map(|(file, line)| (Cow::Borrowed(*file), *line))
    }

    fn real_path(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.loaded.iter().find(|m| m.path.as_bytes() == path)?.real.map(|real| real.as_bytes().to_vec())
    }
}

pub fn query(size: usize, frames: &[u64]) -> Query<'_> {
    Query { size, thread: b"main", rank: None, frames }
}

/// A policy of a file without a fault.
pub fn policy(text: &str) -> Policy {
    let read = Policy::read(text.as_bytes(), "t");
    assert!(read.complaints.is_empty(), "{:#?}", read.complaints);
    read.policy.unwrap()
}

/// The tier's name.
pub fn tier(policy: &Policy, decision: &Decision) -> String {
    policy.tiers[usize::from(decision.tier)].name.clone()
}
