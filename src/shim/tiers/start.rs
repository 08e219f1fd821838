//! `tiers=` is read, the tiers are made, and what there is goes into the recording; and the forks.
//!
//! Why the policy is never replaced: decisions that threads keep name its rules by number. Why it is read here and not by the
//! command: the library alone, with `LD_PRELOAD`, does the same.
#![allow(unsafe_code)] // Safety: the policy is reached under `DECIDING` alone.

use super::decide::{BY_STACK, BY_THREAD, DECIDING, DEPTH};
use super::{BASE, FLOOR, LARGE_BIT, LEN, MEMORY, SITES, SPAN, accounts, at_hand, memory, os, verify};
use crate::recording::RECORDING;
use crate::{message, options, recording, sys, text_file, thread};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::Ordering::{Relaxed, Release};
use record::layout::{TIER_RULE, TIER_RULE_UNASKED};
use record::text::Line;
use record::{strings, tier as recorded};
use tier::memory::Memory;
use tier::rules::flexmalloc::Files;
use tier::rules::{LONGEST_FILE, Policy, Reading};
use tier::spec::{Complaint, Kind, NumaPolicy, PageSize, TierSpec};

/// The value of `tiers=` that stands for FlexMalloc's two files, which its variables name.
const FLEXMALLOC: &[u8] = b"flexmalloc";

struct Kept(UnsafeCell<Option<Policy>>);
// SAFETY: see the module.
unsafe impl Sync for Kept {}
static POLICY: Kept = Kept(UnsafeCell::new(None));

/// The rules. Under [`DECIDING`].
pub fn policy() -> Option<&'static mut Policy> {
    // SAFETY: the caller holds the lock for as long as it uses the reference.
    unsafe { (*POLICY.0.get()).as_mut() }
}

/// At start, with the modules known and the recording open, before the heap.
pub fn start() {
    let Some(reading) = read() else { return };
    for complaint in &reading.complaints {
        say(complaint);
    }
    let Some(policy) = reading.policy else { return };
    if cfg!(target_pointer_width = "32") {
        message::say(b"shim: tiers: a 32-bit program has no addresses for them; the ordinary heap is used\n");
        return;
    }
    let (made, complaints) = Memory::start(&policy.tiers, &os::Raw);
    for complaint in &complaints {
        say(complaint);
    }
    let ((base, len), large_bit) = (made.addresses(), made.large_bit());
    if len == 0 {
        show(&policy, &made, &complaints);
        return;
    }
    let table = sys::map_sparse((len >> super::GRAIN) * size_of::<u16>());
    if table == 0 {
        message::say(b"shim: tiers: no address space for their table; the ordinary heap is used\n");
        return;
    }
    show(&policy, &made, &complaints);
    SITES.store(table, Relaxed);
    BY_STACK.store(policy.depth() > 1, Relaxed);
    DEPTH.store(policy.depth() as u32, Relaxed);
    BY_THREAD.store(policy.looks_at_threads(), Relaxed);
    verify::begin(policy.options.verify);
    let sizes = policy.sizes();
    // SAFETY: no other thread knows of it yet.
    unsafe { *POLICY.0.get() = Some(policy) };
    MEMORY.store(Box::into_raw(Box::new(made)), Release);
    BASE.store(base, Relaxed);
    LARGE_BIT.store(large_bit, Relaxed);
    LEN.store(len, Release);
    if !sizes.is_empty() {
        FLOOR.store(*sizes.start(), Relaxed);
        SPAN.store((sizes.end() - sizes.start()).saturating_add(1), Release);
    }
}

/// The rule file, or FlexMalloc's two.
fn read() -> Option<Reading> {
    let path = &options::paths()?.tiers[..];
    let flexmalloc = [c"FLEXMALLOC_DEFINITIONS", c"FLEXMALLOC_LOCATIONS"].map(variable);
    if path == FLEXMALLOC || path.is_empty() && flexmalloc.iter().all(Option::is_some) && !beside_flexmalloc() {
        let [Some(definitions), Some(locations)] = flexmalloc else {
            message::say(b"shim: tiers=flexmalloc: FLEXMALLOC_DEFINITIONS and FLEXMALLOC_LOCATIONS name its files\n");
            return None;
        };
        let (first, second) = (contents(&definitions)?, contents(&locations)?);
        let names = [&definitions, &locations].map(|path| String::from_utf8_lossy(path).into_owned());
        let files = Files { definitions: (&first, &names[0]), locations: (&second, &names[1]) };
        return Some(Policy::read_flexmalloc(
            &files,
            &mut |name| {
                let mut name = name.as_bytes().to_vec();
                name.push(0);
                CStr::from_bytes_with_nul(&name).ok().and_then(variable)
            },
            &mut |path| super::names::real_path(path),
        ));
    }
    if path.is_empty() {
        return None;
    }
    Some(Policy::read(&contents(path)?, &String::from_utf8_lossy(path)))
}

/// Is FlexMalloc itself in the process? Then its variables are its own affair.
fn beside_flexmalloc() -> bool {
    variable(c"LD_PRELOAD").is_some_and(|list| list.windows(13).any(|part| part == b"libflexmalloc"))
}

fn variable(name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: at start; the environment belongs to the only thread that runs yet.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: a NUL-terminated string of the environment.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
}

fn contents(path: &[u8]) -> Option<Vec<u8>> {
    match text_file::read(path, LONGEST_FILE) {
        Ok(text) => Some(text),
        Err(why) => {
            let mut buffer = [0; 1024];
            let mut line = Line::new(&mut buffer);
            line.text("shim: tiers: ").foreign(path).text(": ").text(why).text("; the ordinary heap is used\n");
            message::say(line.as_bytes());
            None
        }
    }
}

fn say(complaint: &Complaint) {
    let mut buffer = [0; 1024];
    let mut line = Line::new(&mut buffer);
    let text = complaint.to_string();
    line.text("shim: tiers: ").foreign(text.as_bytes()).text("\n");
    message::say(line.as_bytes());
    super::report::config(&text);
}

/// The tiers and rules, for reports.
fn show(policy: &Policy, made: &Memory, complaints: &[Complaint]) {
    for (index, spec) in policy.tiers.iter().enumerate() {
        let Some(entry) = recorded::tier(&RECORDING, index) else { return };
        let (kind, kernel_policy) = codes(spec);
        let text = |bytes: &[u8]| strings::intern(&RECORDING, &bytes[..bytes.len().min(1024)]).0;
        entry.name.store(text(spec.name.as_bytes()), Relaxed);
        if let Kind::File { path } = &spec.kind {
            entry.path.store(text(path), Relaxed);
        }
        entry.page.store(page(spec), Relaxed);
        entry.capacity.store(spec.capacity.unwrap_or(0), Relaxed);
        if let Some(facts) = made.facts(index as u16) {
            let (start, len) = made.window(index as u16).unwrap_or((0, 0));
            entry.capacity.store(facts.capacity, Relaxed);
            entry.start.store(start as u64, Relaxed);
            entry.len.store(len as u64, Relaxed);
            entry.nodes.store(made.nodes(index as u16), Relaxed);
        } else if index > 0 {
            let what = complaints.iter().rfind(|complaint| complaint.at == spec.at);
            entry.fault.store(text(what.map_or("not made", |c| &c.what).as_bytes()), Relaxed);
        }
        entry.what.store(u64::from(kind) | u64::from(kernel_policy) << 8, Release);
    }
    for (index, rule) in policy.rules().enumerate() {
        let Some(entry) = recorded::rule(&RECORDING, index) else { return };
        let text = |bytes: &[u8]| strings::intern(&RECORDING, &bytes[..bytes.len().min(256)]).0;
        entry.name.store(text(rule.name.as_bytes()), Relaxed);
        entry.place.store(text(rule.at.to_string().as_bytes()), Relaxed);
        entry.limit.store(rule.limit.map_or(0, |limit| limit.bytes), Relaxed);
        let unasked = if rule.is_counted { 0 } else { TIER_RULE_UNASKED };
        entry.what.store(u64::from(rule.tier) | TIER_RULE | unasked, Release);
    }
}

fn codes(spec: &TierSpec) -> (u8, u8) {
    match &spec.kind {
        Kind::Heap => (recorded::kind::HEAP, 0),
        Kind::Numa { policy, .. } => {
            let policy = match policy {
                NumaPolicy::Bind => recorded::policy::BIND,
                NumaPolicy::Preferred => recorded::policy::PREFERRED,
                NumaPolicy::PreferredMany => recorded::policy::PREFERRED_MANY,
                NumaPolicy::Interleave => recorded::policy::INTERLEAVE,
                NumaPolicy::WeightedInterleave => recorded::policy::WEIGHTED_INTERLEAVE,
            };
            (recorded::kind::NUMA, policy)
        }
        Kind::File { .. } => (recorded::kind::FILE, 0),
        Kind::Huge { .. } => (recorded::kind::HUGE, 0),
        Kind::Memfd { .. } => (recorded::kind::MEMFD, 0),
    }
}

/// As `record::layout::Tier::page`.
pub fn page(spec: &TierSpec) -> u64 {
    let page = match spec.kind {
        Kind::Huge { page } => Some(page),
        Kind::Memfd { page } => page,
        _ => spec.huge,
    };
    match page {
        None => 0,
        Some(PageSize::Thp) => 1,
        Some(PageSize::M2) => 2 << 20,
        Some(PageSize::G1) => 1 << 30,
    }
}

/// What the tiers have of their devices, for reports.
pub fn show_memory() {
    let Some(memory) = memory() else { return };
    for index in 1..accounts::TIERS as u16 {
        let (Some(facts), Some(entry)) = (memory.facts(index), recorded::tier(&RECORDING, usize::from(index))) else {
            continue;
        };
        entry.committed.store(facts.committed, Relaxed);
        entry.committed_most.store(facts.high_water, Relaxed);
    }
}

/// At exit, where no recording is kept that would tell: rules that no call has matched.
pub fn tell_unmatched() {
    if options::paths().is_some_and(|paths| !paths.record.is_empty()) || crate::start::epoch() != 0 {
        return;
    }
    let _held = DECIDING.hold();
    let Some(policy) = policy() else { return };
    const MOST: usize = 10;
    let (mut matched, mut unmatched) = (false, Vec::new());
    for rule in policy.rules() {
        match rule.decisions {
            0 if rule.is_counted => unmatched.push(rule),
            0 => {}
            _ => matched = true,
        }
    }
    // A shell in front of the program, or a helper behind it, has none of its call sites.
    if !matched && !unmatched.is_empty() {
        let at = &unmatched[0].at.file;
        let program = String::from_utf8_lossy(&recording::program_name()).into_owned();
        return message::say(format!("shim: tiers: {at}: no rule matched in {program}\n").as_bytes());
    }
    for rule in unmatched.iter().take(MOST) {
        message::say(format!("shim: tiers: {}: rule \"{}\" never matched\n", rule.at, rule.name).as_bytes());
    }
    if let Some(more) = unmatched.len().checked_sub(MOST).filter(|more| *more > 0) {
        message::say(format!("shim: tiers: {more} further rules never matched\n").as_bytes());
    }
}

/// Before fork, on its thread, before the other locks of ours are taken.
pub fn before_fork() {
    if let Some(memory) = memory() {
        DECIDING.acquire();
        memory.before_fork();
    }
}

pub fn fork_in_parent() {
    if let Some(memory) = memory() {
        memory.after_fork_parent();
        DECIDING.release();
    }
}

pub fn fork_in_child() {
    if let Some(memory) = memory() {
        memory.after_fork_child();
        DECIDING.release();
        for state in thread::registry() {
            if let Some(own) = state.tiers.as_deref() {
                at_hand::put_all_down(&own.accounts);
                own.accounts.forget();
                own.begin_again();
            }
        }
    }
}

/// In the child of a fork that nobody saw.
pub fn missed_fork() {
    DECIDING.release();
}
