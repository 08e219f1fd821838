//! `heap=full`: every block has an entry in the side table, with the stacks and threads of its allocation and its free.
//!
//! Order of the steps: an entry is written after the allocator has handed the block out and before the program has it; it is
//! freed before the allocator gets it back. So an entry is only ever changed by the one who owns the address (see
//! `track::heap::Entry`), and no lock is needed.
//!
//! Where a call cannot be followed (inside a libc function that we called, in a vfork child, after the thread's end) the
//! entry is marked as untracked or cleared: an entry that says too little is silent, one that is out of date would lie.
#![allow(unsafe_code)] // Safety: calls the real allocator as the hooks were called.

use super::{accounts, guard, is_reinforced, protects, quarantine, redzone, shadow};
use crate::heap::allocator;
use crate::recording::{self, RECORDING};
use crate::thread::{self, Entry as Way, Scope};
use crate::{finding, locks, start, sys, unwind};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use libc::c_void;
use record::findings::{Block, Involved, Report, Resource};
use record::heap::{place, sight};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{Counter, PARTIES, module_flag};
use record::stacks::{Frame, MAX_FRAMES};
use track::fd::{Party, StackId, Tid};
use track::heap::pattern::REDZONE;
use track::heap::{Entry, Facts, Family, Freeing, State};

/// The allocator is not glibc's, whose blocks are a granule apart by themselves.
static DENSE: AtomicBool = AtomicBool::new(false);

/// Maps the table. False: there is no address space.
pub fn start() -> bool {
    unwind::with_modules(|modules| {
        let allocator = crate::roster::slots::malloc.resolved().and_then(|at| modules.object(at.get() as u64));
        DENSE.store(allocator.is_none_or(|o| o.flags & module_flag::LIBC == 0), Relaxed);
    });
    shadow::start()
}

/// The allocator is libc's own.
pub fn is_glibc() -> bool {
    !DENSE.load(Relaxed)
}

/// What the allocator is asked for: no less than a granule of the table, where blocks may be nearer together than that.
#[inline(always)]
pub fn request(size: usize) -> usize {
    if DENSE.load(Relaxed) && size < shadow::SMALLEST { shadow::SMALLEST } else { size }
}

/// A call of the program that allocates or frees.
pub struct Call {
    pub family: Family,
    /// Its name, for people.
    pub name: &'static str,
}

/// What the hook shall do with a pointer that the program wants to free.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The allocator gets this: its own pointer, which need not be the program's.
    Free(*mut c_void),
    Refuse,
    /// It lies in the quarantine: nothing.
    Held,
}

/// What the allocator has returned, and the redzone that there is room for in front.
#[derive(Clone, Copy)]
pub struct Obtained {
    pub block: *mut c_void,
    pub front: usize,
}

impl From<*mut c_void> for Obtained {
    #[inline(always)]
    fn from(block: *mut c_void) -> Self {
        Self { block, front: 0 }
    }
}

/// Asks the allocator for a block of `size` bytes, and for what we need around it. `align` 0 or 1: as malloc aligns.
#[inline(always)]
pub fn obtain(size: usize, align: usize, ask: impl Fn(usize) -> *mut c_void) -> Obtained {
    if is_reinforced() { obtain_with_room(size, align, ask) } else { ask(request(size)).into() }
}

#[inline(never)]
fn obtain_with_room(size: usize, align: usize, ask: impl Fn(usize) -> *mut c_void) -> Obtained {
    if guard::is_due_in_full() {
        let block = guard::allocate(size, align);
        if !block.is_null() {
            return block.into();
        }
    }
    let front = redzone::front(align);
    let whole = if front == 0 { request(size) } else { size.saturating_add(front + REDZONE) };
    let mut block = ask(whole);
    // Out of memory, perhaps because of what we hold: without it, and then without redzones.
    if block.is_null() && whole <= isize::MAX as usize && quarantine::evict_all() {
        block = ask(whole);
    }
    if block.is_null() && front != 0 {
        return ask(request(size)).into();
    }
    Obtained { block, front }
}

/// The allocator has returned a block for `size` bytes; the program's pointer.
///
/// # Errors
/// None: what cannot be followed is marked so. Async-signal-safe.
#[inline(always)]
pub fn allocated(got: Obtained, size: usize, call: &Call) -> *mut c_void {
    let block = got.block.wrapping_byte_add(got.front);
    let address = block as usize;
    let Some(entry) = shadow::entry_of_new(address) else { return not_moved(got) };
    match thread::enter_registered() {
        Some(mut scope) => allocated_in(&mut scope, entry, address, size, got.front, call),
        None => return allocated_slowly(entry, got, size, call),
    }
    block
}

#[inline(always)]
fn allocated_in(scope: &mut Scope, entry: &Entry, address: usize, size: usize, front: usize, call: &Call) {
    if front != 0 {
        redzone::fill(address, size, front);
    }
    let stack = scope.stack();
    let state = scope.state;
    let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(stack) };
    let born = accounts::now_ms();
    entry.allocated(shadow::low(address), size as u64, call.family, front, start::epoch(), born, by);
    if let Some(accounts) = accounts::of(state) {
        accounts.allocated(state.entry, stack, size as u64);
    }
}

/// A thread's first call, or one that is not to be followed.
#[cold]
#[inline(never)]
fn allocated_slowly(entry: &Entry, got: Obtained, size: usize, call: &Call) -> *mut c_void {
    let front = got.front;
    let block = got.block.wrapping_byte_add(front);
    let address = block as usize;
    match thread::enter() {
        Way::Full(mut scope) => allocated_in(&mut scope, entry, address, size, front, call),
        Way::Nested(state) => {
            if front != 0 {
                redzone::fill(address, size, front);
            }
            let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(0) };
            let low = shadow::low(address);
            entry.allocated(low, size as u64, call.family, front, start::epoch(), accounts::now_ms(), by);
        }
        Way::Out => return not_moved(got),
    }
    block
}

/// Where nothing can be kept of a block, it is handed out as the allocator returned it.
#[cold]
#[inline(never)]
fn not_moved(got: Obtained) -> *mut c_void {
    let address = got.block as usize;
    if let Some(entry) = shadow::entry_of_new(address) {
        entry.untrack(shadow::low(address));
    }
    got.block
}

/// The program frees `block`, which is not null.
#[inline(always)]
pub fn freeing(block: *mut c_void, call: &Call) -> Verdict {
    let address = block as usize;
    let Some(entry) = shadow::entry(address) else {
        return stranger(address, call);
    };
    match thread::enter_registered() {
        Some(mut scope) => freeing_in(&mut scope, entry, address, call),
        None => freeing_slowly(entry, address, call),
    }
}

#[inline(always)]
fn freeing_in(scope: &mut Scope, entry: &Entry, address: usize, call: &Call) -> Verdict {
    let stack = scope.stack();
    let state = scope.state;
    let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(stack) };
    let held = is_reinforced() && quarantine::wants(address, entry);
    match entry.free(shadow::low(address), call.family, held, thread::alone(), by) {
        Freeing::Freed(ended) => {
            if let Some(accounts) = accounts::of(state).filter(|_| ended.epoch() == start::epoch()) {
                accounts.freed(state.entry, entry.allocating_stack().0, entry.size(), ended.born());
            }
            // A realloc may leave the block where it is.
            if state.moving.load(Relaxed) == 0 {
                locks::memory::freed(scope, address, entry.size(), call.name);
            }
            if !ended.allocated().fits(call.family) {
                mismatch(scope, address, entry, by, call);
            }
            if held || ended.moved() {
                return given_up(scope, address, entry, by);
            }
            Verdict::Free(address as *mut c_void)
        }
        other => fault(scope, other, entry, address, by, call),
    }
}

/// A block with redzones, or one that goes into the quarantine, was freed for the first time.
#[inline(never)]
fn given_up(scope: &mut Scope, address: usize, entry: &Entry, by: Party) -> Verdict {
    let Some(facts) = &entry.facts() else { return Verdict::Held };
    let damage = redzone::look(address, facts, redzone::Eyes::Owner);
    if !damage.is_none() {
        // Whose free it is, `here` says.
        let facts = &Facts { releaser: Party::ABSENT, ..*facts };
        redzone::report(scope, address, facts, damage, by, redzone::Eyes::Owner);
        redzone::fill(address, facts.size as usize, facts.front);
    }
    if facts.state == State::Quarantined {
        quarantine::hold(scope, address, facts);
    }
    the_allocators(address, facts)
}

/// What the allocator gets of a block: its own pointer, or nothing, as long as it lies in the quarantine.
#[inline(always)]
fn the_allocators(address: usize, facts: &Facts) -> Verdict {
    match facts.state {
        State::Quarantined => Verdict::Held,
        _ => Verdict::Free((address - facts.front) as *mut c_void),
    }
}

/// The same of what the table says of this very address.
fn as_the_table_says(address: usize, entry: &Entry) -> Verdict {
    let facts = entry.facts().filter(|facts| facts.low == shadow::low(address));
    facts.map_or(Verdict::Free(address as *mut c_void), |facts| the_allocators(address, &facts))
}

#[cold]
#[inline(never)]
fn fault(scope: &mut Scope, found: Freeing, entry: &Entry, address: usize, by: Party, call: &Call) -> Verdict {
    match found {
        Freeing::Freed(_) | Freeing::Untracked => Verdict::Free(address as *mut c_void),
        Freeing::Again => again(scope, address, entry, by, call),
        Freeing::Beside | Freeing::Unknown => invalid(scope, address, by, call),
    }
}

#[cold]
#[inline(never)]
fn freeing_slowly(entry: &Entry, address: usize, call: &Call) -> Verdict {
    let low = shadow::low(address);
    match thread::enter() {
        Way::Full(mut scope) => freeing_in(&mut scope, entry, address, call),
        Way::Nested(state) => {
            let by = Party { tid: Tid(state.tid.load(Relaxed)), stack: StackId(0) };
            // A fault is not told from here, where no report can be made; the allocator has the last word.
            entry.free(low, call.family, false, false, by);
            as_the_table_says(address, entry)
        }
        Way::Out => {
            let verdict = as_the_table_says(address, entry);
            if entry.state().1 == low && verdict != Verdict::Held {
                entry.clear();
            }
            verdict
        }
    }
}

/// What malloc_usable_size says of a block with redzones: what the program asked for.
pub fn usable(block: *mut c_void) -> Option<usize> {
    live(block).filter(|facts| facts.moved).map(|facts| facts.size as usize)
}

/// The memory of a live block.
pub fn extent(block: usize) -> Option<core::ops::Range<usize>> {
    live(block as *mut c_void).map(|facts| block..block.saturating_add(facts.size as usize))
}

fn live(block: *mut c_void) -> Option<Facts> {
    let facts = shadow::entry(block as usize)?.facts()?;
    (facts.state == State::Live && facts.low == shadow::low(block as usize)).then_some(facts)
}

/// The call that would have freed it failed.
pub fn kept(block: *mut c_void) {
    if let Some(entry) = shadow::entry(block as usize) {
        entry.keep();
    }
}

/// No block has ever been near this address.
#[cold]
fn stranger(address: usize, call: &Call) -> Verdict {
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
fn again(scope: &mut Scope, address: usize, entry: &Entry, by: Party, call: &Call) -> Verdict {
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
fn mismatch(scope: &mut Scope, address: usize, entry: &Entry, by: Party, call: &Call) {
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
fn invalid(scope: &mut Scope, address: usize, by: Party, call: &Call) -> Verdict {
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

/// The real realloc of a block that the table knows, or may not know.
///
/// # Safety
/// As realloc(3); `block` is not null.
pub unsafe fn realloc(block: *mut c_void, size: usize, call: &Call) -> *mut c_void {
    let state = thread::current();
    state.inspect(|state| state.moving.store(block as u64, Relaxed));
    // SAFETY: the caller's.
    let new = unsafe { moved(block, size, call) };
    state.inspect(|state| state.moving.store(0, Relaxed));
    new
}

/// # Safety
/// As [`realloc`].
#[inline(always)]
unsafe fn moved(block: *mut c_void, size: usize, call: &Call) -> *mut c_void {
    if is_reinforced() {
        // SAFETY: the caller's.
        if let Some(done) = unsafe { realloc_by_copy(block, size, call) } {
            return done;
        }
    }
    // Freed first: once the allocator has it, another thread may be given the same address.
    let Verdict::Free(its) = freeing(block, call) else {
        sys::set_errno(libc::ENOMEM);
        return core::ptr::null_mut();
    };
    if guard::owns(its as usize) {
        // No live block, which has been said.
        sys::set_errno(libc::ENOMEM);
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's.
    let new = unsafe { allocator::realloc(its, if size == 0 { 0 } else { request(size) }) };
    if !new.is_null() {
        return allocated(new.into(), size, call);
    }
    if size != 0 {
        kept(block);
    }
    new
}

/// A new block, and the old one freed as any other; nothing when it is no live block of ours.
///
/// # Safety
/// As realloc(3); `block` is not null.
unsafe fn realloc_by_copy(block: *mut c_void, size: usize, call: &Call) -> Option<*mut c_void> {
    let facts = live(block)?;
    let mut new = core::ptr::null_mut();
    if size != 0 {
        // SAFETY: as malloc(3), for any size.
        let got = obtain(size, 0, |whole| unsafe { allocator::malloc(whole) });
        if got.block.is_null() {
            return Some(new);
        }
        new = allocated(got, size, call);
        // SAFETY: both are live, and of these sizes.
        unsafe { core::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), size.min(facts.size as usize)) };
    }
    if let Verdict::Free(its) = freeing(block, call) {
        // SAFETY: the allocator's own pointer.
        unsafe { give_back(its) };
    }
    Some(new)
}

/// To the allocator, or to the pool of guard pages.
///
/// # Safety
/// What [`Verdict::Free`] says.
#[inline(always)]
pub unsafe fn give_back(its: *mut c_void) {
    if is_reinforced() && guard::owns(its as usize) {
        return guard::free(its as usize, None);
    }
    // SAFETY: the caller's. A level means that the real functions are known.
    unsafe { allocator::free(its) }
}
