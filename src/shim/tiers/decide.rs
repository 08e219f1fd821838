//! Which tier a call wants: a cache of the thread's own, and behind it the rules.
//!
//! **What is compared.** A decision was made for a return address, a place on the stack, and the frames that the rules looked at. The
//! hook's caller is found along our own frame pointers, in two or three loads. Is it the same address at the same place, then the
//! layout of its frame is the same, and so the slot of the next return address is where it was; when that holds the same
//! address, so on outwards (the argument of `unwind::remembered`, over fewer frames). A frame of run-time size could deceive, when
//! what it left on the stack is equal word for word; then a block lies in another tier than it should, and nothing else is wrong.
//! Where rules look at the caller alone, the address is enough.
//!
//! **On a miss** the stack is unwound, and the rules are asked under [`DECIDING`], with the guard up: a signal handler of this thread
//! that allocates meanwhile gets an ordinary block.
#![allow(unsafe_code)] // Safety: slots lie on the thread's own stack, above the hook's frame.

use super::{Own, accounts, names, start};
use crate::alloc;
use crate::recording::{self, RECORDING};
use crate::spin::Spin;
use crate::thread::{self, Entry, NAMES};
use crate::unwind::{self, Trace};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64};
use record::layout::Section;
use record::tier as recorded;
use tier::rules::{Limit, Query};
use tier::spec::Full;

/// Serialises the rules, and the names that they ask for. Taken by fork.
pub static DECIDING: Spin = Spin::new();
/// Do the rules look at more than the caller; at names of threads?
pub static BY_STACK: AtomicBool = AtomicBool::new(false);
/// How many frames they look at.
pub static DEPTH: AtomicU32 = AtomicU32::new(0);
pub static BY_THREAD: AtomicBool = AtomicBool::new(false);

/// What the rules say of a call.
#[derive(Clone, Copy, Default)]
pub struct Decision {
    /// 0 = the ordinary heap.
    pub tier: u16,
    pub rule: u16,
    /// The number of its entry in the recording, and one; 0 = none.
    pub site: u16,
    /// The account of the rule's limit, and one; 0 = it has none. How many bytes that is, and where others go.
    pub account: u16,
    pub most: u64,
    pub beyond: Beyond,
}

/// Where blocks go that would be beyond a limit: `tier::spec::Full`, as a plain number: a tier, 0 the heap, MAX nowhere.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Beyond(pub u16);

impl Beyond {
    pub const FAIL: Self = Self(u16::MAX);

    fn from(full: Full) -> Self {
        match full {
            Full::Next(tier) => Self(tier),
            Full::Heap => Self(0),
            Full::Fail => Self::FAIL,
        }
    }
}

/// A power of two, as `tag` has it.
const SETS: usize = 64;
const WAYS: usize = 4;
/// Return addresses beyond the caller's that are compared: libc's own and the program's.
const SLOTS: usize = 40;

/// A decision, and what it holds for.
#[derive(Clone, Copy)]
pub struct Known {
    caller: u64,
    /// Where on the stack the caller's address lies; of no account without slots.
    at: u64,
    low: usize,
    high: usize,
    /// See [`epoch`]; 0 = empty.
    generation: u32,
    slots: u32,
    decision: Decision,
    /// Words above `at`.
    offset: [u32; SLOTS],
    value: [u64; SLOTS],
}

impl Known {
    const EMPTY: Self = Self {
        caller: 0,
        at: 0,
        low: 0,
        high: 0,
        generation: 0,
        slots: 0,
        decision: Decision { tier: 0, rule: 0, site: 0, account: 0, most: 0, beyond: Beyond(0) },
        offset: [0; SLOTS],
        value: [0; SLOTS],
    };

    #[inline(always)]
    fn matches(&self, caller: u64, at: u64, size: usize, generation: u32) -> bool {
        if self.caller != caller || self.generation != generation || size < self.low || size > self.high {
            return false;
        }
        self.slots == 0 || self.at == at && self.stack_matches(at)
    }

    /// By itself, so that who looks at callers alone need not make room for it.
    #[inline(never)]
    fn stack_matches(&self, at: u64) -> bool {
        let mut difference = 0;
        for (offset, value) in self.offset.iter().zip(&self.value).take(self.slots as usize) {
            // SAFETY: these words lay between the hook's frame and the top of this thread's stack when they were found from the
            // same place on it, and the top has not moved (`Cache::forget` at the thread's start).
            difference |= unsafe { *((at as usize + *offset as usize) as *const usize) } as u64 ^ value;
        }
        difference == 0
    }
}

/// Of one thread.
pub struct Cache {
    known: Box<[UnsafeCell<Known>]>,
    /// Of each: what a call is looked for by, so that of a set one line of memory is read, and the entry that it is.
    tags: [AtomicU64; SETS * WAYS],
    next: AtomicU32,
}

// SAFETY: only the owning thread reaches `known`: while it reads (`look`) its handlers may too, and they write only under the guard,
// which the thread holds when it writes.
unsafe impl Sync for Cache {}

impl Cache {
    /// The table, as memory that nobody has touched: a thread that places nothing never does.
    pub fn untouched() -> Box<[UnsafeCell<Known>]> {
        // SAFETY: numbers only; zero is an empty entry.
        unsafe { alloc::zeroed(SETS * WAYS) }
    }

    /// Makes a cache where one will lie.
    ///
    /// # Safety
    /// `at` points to as many zeroed bytes, which nobody else reaches.
    pub unsafe fn place(at: *mut Self, known: Box<[UnsafeCell<Known>]>) {
        // SAFETY: the caller's; the other fields are valid as they are.
        unsafe { (&raw mut (*at).known).write(known) };
    }

    /// For a thread that takes over another's: its stack lies elsewhere.
    pub fn forget(&self) {
        self.tags.iter().for_each(|tag| tag.store(0, Relaxed));
    }

    /// What a call is looked for by, and in which set. Where rules look at the caller alone, its place on the stack is of no account.
    #[inline(always)]
    fn tag(caller: u64, at: u64) -> (u64, usize) {
        let tag = if BY_STACK.load(Relaxed) { caller ^ at.rotate_left(20) } else { caller };
        (tag, (tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize * WAYS)
    }

    #[inline(always)]
    fn look(&self, caller: u64, at: u64, size: usize, generation: u32) -> Option<&Decision> {
        let (tag, set) = Self::tag(caller, at);
        let mut way = set;
        loop {
            if self.tags[way].load(Relaxed) == tag {
                // SAFETY: see `Sync`; as many as there are tags, when there are any (`untouched`).
                let known = unsafe { &*self.known.get_unchecked(way).get() };
                if known.matches(caller, at, size, generation) {
                    return Some(&known.decision);
                }
            }
            way += 1;
            if way == set + WAYS {
                return None;
            }
        }
    }

    /// Under the guard.
    fn keep(&self, known: &Known) {
        let (tag, set) = Self::tag(known.caller, known.at);
        let way = self.next.load(Relaxed);
        self.next.store(way.wrapping_add(1), Relaxed);
        let place = set + way as usize % WAYS;
        if let Some(entry) = self.known.get(place) {
            self.tags[place].store(0, Relaxed);
            // SAFETY: see `Sync`.
            unsafe { *entry.get() = *known };
            self.tags[place].store(tag, Relaxed);
        }
    }
}

/// The calling thread's, when it may use it: registered, and outside of our own calls.
#[inline(always)]
pub fn own() -> Option<&'static Own> {
    match thread::block().tiers() {
        Some(own) if thread::is_idle() => Some(own),
        Some(_) => None,
        None => first(),
    }
}

/// A thread's first.
#[cold]
#[inline(never)]
fn first() -> Option<&'static Own> {
    thread::current_or_register()?;
    thread::block().tiers().filter(|_| thread::is_idle())
}

/// Changes when what was decided may be decided otherwise: modules come and go, threads change their names.
#[inline(always)]
fn epoch() -> u32 {
    let names = if BY_THREAD.load(Relaxed) { NAMES.load(Relaxed) << 16 } else { 0 };
    unwind::generation().wrapping_add(names)
}

impl Own {
    /// What the rules are known to say of the call that we are in. Outside of our own calls.
    #[inline(always)]
    pub fn known(&self, size: usize) -> Option<&Decision> {
        let (caller, at) = unwind::caller()?;
        self.cache.look(caller, at, size, epoch())
    }

    /// What the rules say of the call that we are in. Nothing: it cannot be known here.
    #[inline(always)]
    pub fn decide(&self, size: usize) -> Option<Decision> {
        self.known(size).copied().or_else(|| self.decide_slowly(size))
    }

    #[cold]
    #[inline(never)]
    fn decide_slowly(&self, size: usize) -> Option<Decision> {
        let Entry::Full(mut scope) = thread::enter() else { return None };
        let state = scope.state;
        let epoch = epoch();
        let trace = scope.trace(DEPTH.load(Relaxed) as usize)?;
        let thread_name = if BY_THREAD.load(Relaxed) { state.name() } else { [0; 16] };
        let len = thread_name.iter().position(|b| *b == 0).unwrap_or(16);
        let (decision, answer) = {
            let _held = DECIDING.hold();
            let policy = start::policy()?;
            // A plugin may lie where another one lay.
            static ENDS: AtomicU32 = AtomicU32::new(0);
            let ends = unwind::ends();
            if ENDS.swap(ends, Relaxed) != ends {
                policy.modules_changed();
            }
            let query = Query { size, thread: &thread_name[..len], rank: recording::rank(), frames: trace.frames() };
            let answer = policy.decide(&query, &mut names::Here { state });
            (site(&trace, answer.rule, answer.tier, answer.limit), answer)
        };
        self.remember(&trace, decision, (*answer.sizes.start(), *answer.sizes.end()), answer.depth, epoch);
        Some(decision)
    }

    fn remember(&self, trace: &Trace, decision: Decision, sizes: (usize, usize), depth: usize, epoch: u32) {
        let Some(slots) = trace.slots_of(depth.max(1)) else { return };
        let [(at, caller), rest @ ..] = slots else { return };
        if rest.len() > SLOTS {
            return;
        }
        let (low, high) = sizes;
        let mut known = Known { caller: *caller, at: *at, low, high, generation: epoch, decision, ..Known::EMPTY };
        for (i, (slot, value)) in rest.iter().enumerate() {
            let Ok(offset) = u32::try_from(slot.wrapping_sub(*at)) else { return };
            known.offset[i] = offset;
            known.value[i] = *value;
        }
        known.slots = rest.len() as u32;
        self.cache.keep(&known);
    }
}

/// The site that the decision is counted at. Under [`DECIDING`].
fn site(trace: &Trace, rule: Option<u16>, tier: u16, limit: Option<Limit>) -> Decision {
    let Some(rule) = rule else { return Decision { tier, ..Decision::default() } };
    let identity = recorded::identity(trace.id, rule, tier);
    let found = recorded::site_of(&RECORDING, identity);
    let site = found.map_or(0, |(index, _)| index as u16 + 1);
    if let Some(entry) = recorded::rule(&RECORDING, usize::from(rule)).filter(|_| !seen(site)) {
        entry.sites.fetch_add(1, Relaxed);
    }
    let Some(limit) = limit else { return Decision { tier, rule, site, ..Decision::default() } };
    let account = limit.account + 1;
    accounts::set_account(site, account);
    Decision { tier, rule, site, account, most: limit.bytes, beyond: Beyond::from(limit.beyond) }
}

/// The site of blocks that lie in another tier than their rule wants, or that are beyond its limit (then of no rule). `site`: the number
/// and one of the site that they would have had. Its number and one.
#[cold]
pub fn site_elsewhere(site: u16, rule: bool, there: u16) -> u16 {
    const OF: usize = Section::TierSites.capacity() + 1;
    #[unsafe(link_section = ".bss.tables")]
    static OTHER: [[AtomicU16; accounts::TIERS * 2]; OF] =
        [const { [const { AtomicU16::new(0) }; accounts::TIERS * 2] }; OF];
    let place = OTHER.get(usize::from(site)).and_then(|of| of.get(usize::from(there) * 2 + usize::from(rule)));
    let Some(place) = place else { return 0 };
    let known = place.load(Relaxed);
    if known != 0 || site == 0 {
        return known;
    }
    let _held = DECIDING.hold();
    let Some(entry) = recorded::site(&RECORDING, usize::from(site - 1)) else { return 0 };
    let identity = entry.identity.load(Relaxed);
    let of_rule = if rule { (identity >> 32) as u16 } else { recorded::NO_RULE };
    let found = recorded::site_of(&RECORDING, recorded::identity(identity as u32, of_rule, there));
    let number = found.map_or(0, |(index, _)| index as u16 + 1);
    if rule {
        accounts::set_account(number, accounts::account_of(site));
    }
    place.store(number, Relaxed);
    number
}

/// Was this site decided before? Under [`DECIDING`].
fn seen(site: u16) -> bool {
    #[unsafe(link_section = ".bss.tables")]
    static SEEN: [AtomicU8; 8192] = [const { AtomicU8::new(0) }; 8192];
    SEEN[usize::from(site) / 8].fetch_or(1 << (site % 8), Relaxed) & 1 << (site % 8) != 0
}
