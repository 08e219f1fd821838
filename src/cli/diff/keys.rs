//! What makes a call the same on both sides.
//!
//! A module that is on both sides in the same build: its offset. One that was built again, or is on one side only: its file's
//! name and the function, so that a repair does not make all of a program new. Addresses never matter, and neither does where
//! a file lies. Code that belongs to no file has neither; all of it is one call.

use super::Side;
use crate::heap::names::base;
use crate::merge::{Merged, ModuleId, Site};
use crate::symbolise::Symboliser;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[derive(PartialEq, Eq, Hash)]
enum Call {
    /// The same build.
    At(Arc<ModuleId>, u64),
    Function(Vec<u8>, String),
    /// Nothing is known but the offset.
    Offset(Vec<u8>, u64),
    Nowhere,
}

pub struct Keys {
    /// Modules that are on both sides.
    common: HashSet<Arc<ModuleId>>,
    /// What was met already, on either side.
    known: HashMap<Site, u32>,
    calls: HashMap<Call, u32>,
}

impl Keys {
    pub fn new(before: &Side, after: &Side) -> Self {
        let after = modules(after);
        let common = modules(before).into_iter().filter(|module| after.contains(module)).collect();
        Self { common, known: HashMap::new(), calls: HashMap::new() }
    }

    /// Equal numbers are the same call.
    pub fn call(&mut self, site: &Site, symbols: &mut Symboliser) -> u32 {
        if let Some(known) = self.known.get(site) {
            return *known;
        }
        let call = match &site.module {
            None => Call::Nowhere,
            Some(module) if self.common.contains(module) => Call::At(module.clone(), site.offset),
            Some(module) => {
                let name = base(&module.path).to_vec();
                // The function that is called, not what was inlined into it.
                match symbols.locate(site).last().and_then(|location| location.function.clone()) {
                    Some(function) => Call::Function(name, function),
                    None => Call::Offset(name, site.offset),
                }
            }
        };
        let next = self.calls.len() as u32;
        let number = *self.calls.entry(call).or_insert(next);
        self.known.insert(site.clone(), number);
        number
    }
}

fn modules(side: &Side) -> HashSet<Arc<ModuleId>> {
    let stacks = side.findings.iter().flat_map(|found: &Merged| &found.stacks);
    let of_findings = stacks.flat_map(|stack| &stack.frames).filter_map(|site| site.module.clone());
    of_findings.chain(side.profile.modules().cloned()).collect()
}
