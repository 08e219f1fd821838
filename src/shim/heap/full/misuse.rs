//! A free that should not be: what can be proved of it, and the finding.
//!
//! Freed before, by the wrong function, or no block's start: of the last the address is looked for among blocks, stacks and
//! modules. Why some are passed on in silence: libc frees what is in its own data, and memory of an allocator that we do not see may be
//! anywhere.

use super::{Call, Verdict, the_allocators};
use crate::heap::{protects, shadow};
use crate::recording::{self, RECORDING};
use crate::thread::{self, Entry as Way, Scope};
use crate::{finding, locks, sys, unwind};
use core::sync::atomic::Ordering::Relaxed;
use libc::c_void;
use record::findings::{Block, Involved, Report, Resource};
use record::heap::{place, sight};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{Counter, PARTIES, module_flag};
use record::stacks::{Frame, MAX_FRAMES};
use track::fd::{Party, StackId, Tid};
use track::heap::{Entry, Facts, Family};

/// No block has ever been near this address.
#[cold]
pub(super) fn stranger(address: usize, call: &Call) -> Verdict {
    match thread::enter() {
        Way::Full(mut scope) => {
            let stack = scope.stack();
            let by = Party { tid: Tid(scope.state.tid.load(Relaxed)), stack: StackId(stack) };
            invalid(&mut scope, address, by, call)
        }
        _ => Verdict::Free(address as *mut c_void),
    }
}

fn refused_if(protect: bool, otherwise: Verdict) -> Verdict {
    if protect {
        recording::count(Counter::FreesRefused);
        Verdict::Refuse
    } else {
        otherwise
    }
}

#[cold]
pub(super) fn again(scope: &mut Scope, address: usize, entry: &Entry, by: Party, call: &Call) -> Verdict {
    let Some(facts) = &entry.facts() else { return Verdict::Free(address as *mut c_void) };
    let mut block = about(address, facts, call);
    let parties = after_free(&mut block, facts, by);
    publish(scope, Kind::HeapDoubleFree, Severity::Error, block, &parties, call.name.as_bytes());
    refused_if(protects(), the_allocators(address, facts))
}

/// The parties of a finding about a block that was freed before. With a lock call that had failed with the block at hand, all of
/// it in the order of time.
#[cold]
pub fn after_free(block: &mut Block, facts: &Facts, here: Party) -> [(Role, Party); 4] {
    let (allocated, freed) = ((Role::Allocated, facts.allocator), (Role::Freed, facts.releaser));
    match locks::at_hand::earlier(block.address as usize, facts) {
        Some((earlier, failed)) => {
            block.earlier = earlier;
            [allocated, (Role::Locked, failed), freed, (Role::Here, here)]
        }
        None => [(Role::Here, here), freed, allocated, (Role::Locked, Party::ABSENT)],
    }
}

#[cold]
pub(super) fn mismatch(scope: &mut Scope, address: usize, entry: &Entry, by: Party, call: &Call) {
    let Some(facts) = &entry.facts() else { return };
    let block = about(address, facts, call);
    let parties = [(Role::Here, by), (Role::Allocated, facts.allocator)];
    // A module may have a C++ runtime of its own inside, whose new and delete end in malloc and free.
    let plain = call.family == Family::Malloc || facts.allocated == Family::Malloc;
    let proved = !plain || module_of(by.stack) == module_of(facts.allocator.stack);
    let severity = if proved { Severity::Error } else { Severity::Suspect };
    publish(scope, Kind::HeapMismatch, severity, block, &parties, call.name.as_bytes());
}

/// The module of the call that a stack begins with.
fn module_of(stack: StackId) -> Option<usize> {
    let mut frames = [0; MAX_FRAMES];
    let len = record::stacks::load(&RECORDING, stack.0, &mut frames);
    frames[..len].first().and_then(|frame| Frame(*frame).module())
}

fn about(address: usize, facts: &Facts, call: &Call) -> Block {
    Block {
        address: address as u64,
        size: facts.size,
        allocated: facts.allocated as u8,
        freed: call.family as u8,
        sight: sight::CALL,
        ..Block::default()
    }
}

/// A pointer that is no live block's start: what can be proved of it.
#[cold]
pub(super) fn invalid(scope: &mut Scope, address: usize, by: Party, call: &Call) -> Verdict {
    let mut block = Block { address: address as u64, freed: call.family as u8, sight: sight::CALL, ..Block::default() };
    let mut parties = [(Role::Here, by), (Role::Allocated, Party::ABSENT)];
    let mut path = [0; 112];
    let mut detail = call.name.as_bytes();
    let mut severity = Severity::Error;
    if let Some((start, facts)) = shadow::around(address) {
        (block.address, block.size) = (start as u64, facts.size);
        block.offset = (address - start) as i64;
        block.allocated = facts.allocated as u8;
        block.place = if block.offset as u64 == facts.size { place::BEHIND } else { place::INSIDE };
        parties[1].1 = facts.allocator;
    } else if on_a_stack(scope, address as u64) {
        block.place = place::STACK;
    } else if let Some(len) = in_a_module(scope, address as u64, &mut path) {
        let Some(len) = len else { return foreign(address) };
        block.place = place::STATIC;
        detail = &path[..len];
    } else if address % size_of::<usize>() != 0 {
        block.place = place::MISALIGNED;
    } else if !shadow::is_complete() {
        return foreign(address);
    } else {
        // Memory from an allocator that we do not see, perhaps.
        block.place = place::UNKNOWN;
        severity = Severity::Suspect;
    }
    publish(scope, Kind::HeapInvalidFree, severity, block, &parties, detail);
    refused_if(protects() && severity == Severity::Error, Verdict::Free(address as *mut c_void))
}

fn foreign(address: usize) -> Verdict {
    recording::count(Counter::ForeignFrees);
    Verdict::Free(address as *mut c_void)
}

fn on_a_stack(scope: &Scope, address: u64) -> bool {
    let here = crate::arch::registers().sp;
    let own = scope.state.stack();
    if address >= here && address < own.1 && here >= own.0 {
        return true;
    }
    let of = |state: &thread::State| state.knows_stack() && (state.stack().0..state.stack().1).contains(&address);
    // The bounds of the first thread's stack are a guess downwards.
    thread::registry().any(|state| state.is_live() && !state.is_main() && of(state))
}

/// In a module's data? Of libc's and the loader's own, which they may well free, only that it is so: `Some(None)`.
fn in_a_module(scope: &Scope, address: u64, path: &mut [u8; 112]) -> Option<Option<usize>> {
    let object = unwind::modules(scope.state)?.object(address)?;
    if object.flags & (module_flag::LIBC | module_flag::SHIM) != 0 {
        return Some(None);
    }
    let len = object.recorded.map_or(0, |index| record::modules::path(&RECORDING, index, path));
    Some(Some(len))
}

/// Files a finding about a block.
pub fn publish(
    scope: &mut Scope,
    kind: Kind,
    severity: Severity,
    block: Block,
    involved: &[(Role, Party)],
    detail: &[u8],
) {
    let mut parties = [Involved::default(); PARTIES];
    for (place, (role, party)) in parties.iter_mut().zip(involved.iter().filter(|(_, p)| !p.is_absent())) {
        let thread = finding::name_of(party.tid.0);
        *place = Involved { role: Some(*role), tid: party.tid.0, stack: party.stack.0, thread };
    }
    let state = scope.state;
    let report = Report {
        kind,
        severity,
        tid: state.tid.load(Relaxed),
        thread: state.name(),
        time: sys::now(),
        resource: Resource::Block(block),
        label: Label::NONE,
        parties,
        detail,
    };
    finding::publish(scope, &report);
}
