//! Destructors whose module may be unloaded: what dlclose took away, and the stubs that libc calls under `keys=protect`.
//!
//! libc remembers the address of a destructor, and calls it when a thread ends, whatever lies there by then. Under protect it is
//! given one of 1024 stubs (`arch`), which asks [`shim_key_destructor`] for the program's: none when its module is gone. The
//! stub jumps there, so that no frame of ours is on the stack meanwhile.
//!
//! Rules: a stub that was given back is taken again as late as possible, because a thread may be about to call it.
#![allow(unsafe_code)] // Safety: the stubs are ours; `shim_key_destructor` has their contract.

use super::{Details, report, table};
use crate::arch;
use crate::descriptors::By;
use crate::{thread, unwind};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use track::key::{self, KEYS, State};

/// The program's destructor behind each stub; 0 = free.
#[unsafe(link_section = ".bss.tables")]
static STUBS: [Stub; KEYS] = [const { Stub::new() }; KEYS];
static NEXT: AtomicU32 = AtomicU32::new(0);

struct Stub {
    taken: AtomicBool,
    destructor: AtomicUsize,
    key: AtomicU32,
    /// Its module was unloaded.
    gone: AtomicBool,
    told: AtomicBool,
}

impl Stub {
    const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            destructor: AtomicUsize::new(0),
            key: AtomicU32::new(0),
            gone: AtomicBool::new(false),
            told: AtomicBool::new(false),
        }
    }
}

/// A stub for this destructor: its number plus 1, and its address.
pub fn take(destructor: usize) -> Option<(u32, usize)> {
    for _ in 0..KEYS {
        let at = NEXT.fetch_add(1, Relaxed) as usize % KEYS;
        let stub = &STUBS[at];
        if stub.taken.compare_exchange(false, true, AcqRel, Relaxed).is_ok() {
            stub.key.store(u32::MAX, Relaxed);
            stub.gone.store(false, Relaxed);
            stub.told.store(false, Relaxed);
            stub.destructor.store(destructor, Release);
            return Some((at as u32 + 1, arch::key_stub(at)));
        }
    }
    None
}

/// The index that it is for.
pub fn belongs_to(stub: u32, key: u32) {
    if let Some(stub) = find(stub) {
        stub.key.store(key, Relaxed);
    }
}

pub fn give_back(stub: u32) {
    if let Some(stub) = find(stub) {
        stub.taken.store(false, Release);
    }
}

fn find(stub: u32) -> Option<&'static Stub> {
    STUBS.get((stub as usize).wrapping_sub(1))
}

/// The program's destructor behind a stub; 0: do not call it. From assembly.
pub extern "C" fn shim_key_destructor(number: usize) -> usize {
    let Some(stub) = STUBS.get(number) else { return 0 };
    if !stub.gone.load(Acquire) {
        return stub.destructor.load(Acquire);
    }
    let key = stub.key.load(Relaxed);
    let facts = table::slot(key).and_then(key::Slot::facts);
    if let (Some(facts), false) = (facts, stub.told.swap(true, Relaxed)) {
        if let Some(By::Full(mut scope, actor)) = By::now() {
            report(&mut scope, &actor, "destructor", key, &key::skipped(&facts), &Details::default());
        }
    }
    0
}

/// After a dlclose that has unloaded something: which live keys have lost their variable or destructor?
pub fn after_unload() {
    if !super::on() || thread::blind() {
        return;
    }
    table::forget_sites();
    for (index, slot) in table::all().filter(|(_, slot)| slot.state() == State::Live) {
        let (Some(facts), Some(places)) = (slot.facts(), table::places(index)) else { continue };
        let gone = |state: &'static thread::State, number: u32| {
            number != 0 && unwind::modules(state).is_none_or(|list| list.by_record(number as usize - 1).is_none())
        };
        let Some(By::Full(mut scope, actor)) = By::now() else { return };
        let state = scope.state;
        let variable = gone(state, table::load(&places.variable));
        let destructor = gone(state, table::load(&places.destructor));
        if gone(state, table::load(&places.before)) {
            places.before.store(0, Relaxed);
        }
        let Some(verdict) = key::unloaded(&facts, variable, destructor) else { continue };
        // The place stays in the recording, as its module does.
        let owner = table::load(&places.variable);
        let details = Details { owner: place_of(owner, facts.now.variable), ..Details::default() };
        if destructor {
            if let Some(stub) = find(table::load(&places.stub)) {
                stub.gone.store(true, Release);
            }
            places.destructor.store(0, Relaxed);
        }
        if variable {
            // Something else may come to lie there.
            places.variable.store(0, Relaxed);
            table::allow(index, table::Extent::All, table::Extent::All);
            slot.orphaned();
            table::show(index);
        }
        report(&mut scope, &actor, "dlclose", index, &verdict, &details);
    }
}

/// The place of a variable in a module that is gone.
fn place_of(module: u32, variable: u64) -> u32 {
    let Some(index) = (module as usize).checked_sub(1) else { return 0 };
    let Some(bias) = record::modules::bias(&crate::recording::RECORDING, index) else { return 0 };
    let frame = record::stacks::Frame::in_module(index, variable.wrapping_sub(bias) + 1);
    record::stacks::intern(&crate::recording::RECORDING, &[frame.0])
}
