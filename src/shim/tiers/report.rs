//! Findings of memory tiers: a tier that was full, by call stack; and what was wrong with a rule file.
//!
//! Of severity `info`, which is in reports alone: falling back is what the rules ask for, and a wrong rule has had its line at start.
//! Only where the rules say that an allocation shall fail, is it an error that it does.

use super::decide::Decision;
use crate::recording::RECORDING;
use crate::{finding, sys};
use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::Relaxed;
use record::findings::{Involved, Report, Resource, file};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{PARTIES, Section};
use record::text::{Line, until_nul};
use record::{strings, tier as recorded};

/// More than there are addresses.
const BEYOND_ALL: usize = isize::MAX as usize >> 16;
/// Words of a finding.
const DETAIL: usize = 112;

/// A tier had no room for what a call wanted, or the rule's limit was reached: each failure, and once for each site that its blocks
/// went elsewhere, which its own numbers count. `there`: the tier that took
/// it; 0 = the heap; nothing: the allocation failed. Without the guard.
#[cold]
#[inline(never)]
pub fn full(decision: &Decision, size: usize, there: Option<u16>, by_limit: bool) {
    #[unsafe(link_section = ".bss.tables")]
    static TOLD: [AtomicU8; Section::TierSites.capacity() + 1] =
        [const { AtomicU8::new(0) }; Section::TierSites.capacity() + 1];
    // So much nobody has, and a forked child's tier is closed, not full.
    if size >= BEYOND_ALL
        || super::memory().and_then(|memory| memory.facts(decision.tier)).is_none_or(|facts| facts.closed)
    {
        return;
    }
    let told = TOLD.get(usize::from(decision.site)).is_none_or(|told| told.swap(1, Relaxed) != 0);
    if told && there.is_some() {
        return;
    }
    let stack = decision.site.checked_sub(1).and_then(|site| recorded::site(&RECORDING, usize::from(site)));
    let stack = stack.map_or(0, |site| site.identity.load(Relaxed) as u32);
    finding::guarded(|scope| {
        let (mut wanted, mut other, mut detail) = ([0; 40], [0; 40], [0; DETAIL]);
        let (wanted, other) = (name(decision.tier, &mut wanted), name(there.unwrap_or(0), &mut other));
        let mut line = Line::new(&mut detail);
        line.text("\"").foreign(wanted).text(if by_limit { "\", limit of its rule: " } else { "\": no room for " });
        line.number(size as u64).text(" bytes, ");
        match there {
            Some(_) => line.text("which went to \"").foreign(other).text("\""),
            None => line.text("and the allocation failed"),
        };
        let state = scope.state;
        let mut parties = [Involved::default(); PARTIES];
        let tid = state.tid.load(Relaxed);
        parties[0] = Involved { role: Some(Role::Here), tid, stack, thread: state.name() };
        let report = Report {
            kind: Kind::TierFull,
            severity: if there.is_some() { Severity::Info } else { Severity::Error },
            tid,
            thread: state.name(),
            time: sys::now(),
            resource: Resource::None,
            label: Label::NONE,
            parties,
            detail: line.as_bytes(),
        };
        finding::publish(scope, &report);
    });
}

/// The name of a tier, as far as there is room.
fn name(tier: u16, room: &mut [u8; 40]) -> &[u8] {
    if let Some(entry) = recorded::tier(&RECORDING, usize::from(tier)) {
        let len = strings::read(&RECORDING, strings::Text(entry.name.load(Relaxed)), room);
        return &room[..len];
    }
    until_nul(room)
}

/// A fault of a rule file, or of a tier. At start, by the starting thread.
pub fn config(complaint: &str) {
    let report = Report {
        kind: Kind::TierConfig,
        severity: Severity::Info,
        tid: sys::gettid(),
        thread: sys::thread_name(),
        time: sys::now(),
        resource: Resource::None,
        label: Label::NONE,
        parties: [Involved::default(); PARTIES],
        detail: &complaint.as_bytes()[..complaint.len().min(DETAIL)],
    };
    file(&RECORDING, &report);
}
