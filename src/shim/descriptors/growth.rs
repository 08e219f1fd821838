//! Growth: how many descriptors are open, who opened them, and how near the limit is.
//!
//! Counted in place at each open and close, sampled by whoever opens one when a sample is due, looked at near 80 % and 95 %
//! of RLIMIT_NOFILE and when a call was told EMFILE or ENFILE. No thread of ours, nothing that waits.
//!
//! Why the number of the descriptor is asked first and the count only then: the kernel gives out the lowest free number, so
//! that many are open is only possible when a number is high; a compare on the way of each open is all it costs.

use super::{By, leaks, on, slot};
use crate::recording::RECORDING;
use crate::thread::{self, Scope};
use crate::{clock, finding, sys};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use libc::c_int;
use record::findings::{Involved, Limit, Report, Resource};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{PARTIES, Section, Site, ThreadCounter};
use record::store::{Store, entry};
use record::{samples, sites};
use track::fd::{Generation, Slot, State};

/// The highest number that was ever opened, + 1.
static HIGHEST: AtomicU32 = AtomicU32::new(0);
/// From this number on, an open asks how near the limit is. 0: not reckoned yet.
static WATERMARK: AtomicU32 = AtomicU32::new(0);
/// When the next sample is due, ns.
static NEXT_SAMPLE: AtomicU64 = AtomicU64::new(0);
/// Open when we started to count: found by the import, or copied by fork.
static OPEN_BEFORE: AtomicU64 = AtomicU64::new(0);
/// One thread at a time takes samples or looks at the limit; the others do without.
static LOOKING: AtomicBool = AtomicBool::new(false);
/// What was reported of the present rise: 0, 80, 95 or 100.
static REPORTED: AtomicU32 = AtomicU32::new(0);

/// At start, and in a forked child: a process that ends at once needs no curve.
pub(super) fn start(now: u64) {
    NEXT_SAMPLE.store(now + samples::FIRST_INTERVAL, Relaxed);
}

/// How many descriptors the program has open, roughly: the sum over all threads, who go on meanwhile.
///
/// One pass, so that of each thread both counters are of the same moment: between two passes a busy program opens and closes
/// thousands. What one thread opened and another closed can still be seen half; more than the highest number it is not.
pub fn open_now() -> u64 {
    let get = |thread: &thread::State, c: ThreadCounter| thread.entry.counters[c as usize].load(Relaxed);
    let (ended, opened) = thread::registry().fold((0, OPEN_BEFORE.load(Relaxed)), |(ended, opened), t| {
        (ended + get(t, ThreadCounter::Ended), opened + get(t, ThreadCounter::Opens))
    });
    opened.saturating_sub(ended).min(u64::from(HIGHEST.load(Relaxed)))
}

/// The same by a walk over the table: for what is said, and for what is decided by it.
fn counted() -> u64 {
    open_slots(0).count() as u64
}

/// Which pages of the table have a number that was ever opened, a bit each. The others are not touched: most processes have a handful of
/// numbers, one of them perhaps a shell's 255, and each page of a recording costs a fault, and one more in every forked child.
#[unsafe(link_section = ".bss.tables")]
static PAGES: [AtomicU64; Section::Descriptors.capacity() / PER_PAGE / 64] =
    [const { AtomicU64::new(0) }; Section::Descriptors.capacity() / PER_PAGE / 64];

/// Slots in a page of 4 KiB.
pub(super) const PER_PAGE: usize = 4096 / record::layout::DESCRIPTOR_LEN;

/// A slot of a number is about to be opened.
#[inline(always)]
pub(super) fn touching(fd: c_int) {
    let page = fd as usize / PER_PAGE;
    let Some(pages) = PAGES.get(page / 64) else { return };
    if pages.load(Relaxed) & 1 << (page % 64) == 0 {
        pages.fetch_or(1 << (page % 64), Relaxed);
    }
}

/// Was one of the numbers of this page of the table ever opened?
pub fn touched(page: usize) -> bool {
    PAGES.get(page / 64).is_some_and(|pages| pages.load(Relaxed) & 1 << (page % 64) != 0)
}

/// One that was open before we could count.
pub(super) fn found_open(fd: c_int) {
    OPEN_BEFORE.fetch_add(1, Relaxed);
    HIGHEST.fetch_max(fd as u32 + 1, Relaxed);
}

/// All numbers that can be open, as far as we know, are below this.
pub(super) fn highest() -> c_int {
    HIGHEST.load(Relaxed) as c_int
}

/// A number was opened, in place of one that was in the state `displaced`.
#[inline(always)]
pub(super) fn opened(by: &mut By, fd: c_int, slot: &Slot, generation: u32, displaced: State) {
    let actor = *by.actor();
    clock::advance(actor.now);
    if displaced == State::Open {
        ended(by, slot.life(generation.wrapping_sub(1)));
    }
    if let Some(site) = sites::of(&RECORDING, actor.stack.0) {
        site.opened(actor.now);
    }
    if fd as u32 >= HIGHEST.load(Relaxed) {
        HIGHEST.fetch_max(fd as u32 + 1, Relaxed);
    }
    if actor.now >= NEXT_SAMPLE.load(Relaxed) || fd as u32 >= WATERMARK.load(Relaxed) {
        if let By::Full(scope, _) = by {
            look(scope, fd, actor.now);
        }
    }
}

/// A life of a number has ended, by whatever.
#[inline(always)]
pub(super) fn ended(by: &By, life: &Generation) {
    by.state().add(ThreadCounter::Ended, 1);
    let meta = life.meta();
    if meta.epoch == by.actor().epoch && !meta.imported {
        if let Some(site) = sites::find(&RECORDING, life.opener().stack.0) {
            site.closed();
        }
    }
}

/// Takes the sample that is due; looks at the limit when the number was high.
#[cold]
#[inline(never)]
fn look(scope: &mut Scope, fd: c_int, now: u64) {
    let Some(_looking) = Looking::begin() else { return };
    let (mut open, limit) = (open_now(), sys::descriptor_limits().soft);
    if now >= NEXT_SAMPLE.load(Relaxed) {
        let next = samples::take(&RECORDING, now, open, limit);
        NEXT_SAMPLE.store(next.unwrap_or(now + samples::FIRST_INTERVAL), Relaxed);
    }
    let (near, very_near) = (limit / 5 * 4 + limit % 5 * 4 / 5, limit / 20 * 19 + limit % 20 * 19 / 20);
    // Neither a rise nor the end of one is told by a rough number.
    if open >= near || REPORTED.load(Relaxed) > 0 {
        open = counted();
    }
    // The rise is over: the next one is news again.
    if open < limit / 5 * 3 {
        REPORTED.store(0, Relaxed);
    }
    let reported = REPORTED.load(Relaxed);
    let stage = match open {
        n if n >= very_near && reported < 95 => 95,
        n if n >= near && reported < 80 => 80,
        _ => 0,
    };
    // Stages that are done are not asked about again, until a sample finds that the rise is over.
    let next = match reported.max(stage) {
        0 => near,
        80 => very_near,
        _ => u64::from(u32::MAX),
    };
    // A program may use high numbers and have few open: then the question is asked above the highest only.
    let next = if fd as u64 >= next { fd as u64 + 1 } else { next };
    WATERMARK.store(next.min(u64::from(u32::MAX)) as u32, Relaxed);
    if stage > 0 && limit >= FEW {
        REPORTED.store(stage, Relaxed);
        report(scope, open, limit, stage, 0, now);
    }
}

/// Below this the limit is the experiment of somebody who knows it.
const FEW: u64 = 100;

/// A call that makes a descriptor was told EMFILE or ENFILE. Keeps errno.
#[cold]
pub(super) fn exhausted(errno: c_int) {
    if !on() || REPORTED.load(Relaxed) >= 100 {
        return;
    }
    finding::guarded(|scope| {
        let Some(_looking) = Looking::begin() else { return };
        let (open, limit) = (counted(), sys::descriptor_limits().soft);
        // A limit below what is open was set for the error's sake; ENFILE is the whole system's.
        if REPORTED.swap(100, Relaxed) < 100 && (limit >= FEW || errno == libc::ENFILE) {
            report(scope, open, limit, 100, errno as u16, sys::now());
        }
    });
    sys::set_errno(errno);
}

/// Who opened them, what grew, and what was forgotten.
fn report(scope: &mut Scope, open: u64, limit: u64, stage: u32, errno: u16, now: u64) {
    let worst = leaks::look(scope, leaks::Extent::Bounded);
    let severity = if worst == Some(Severity::Error) { Severity::Error } else { Severity::Suspect };
    let mut parties = [Involved::default(); PARTIES];
    let mut places = [(0, 0); PARTIES];
    let (mut over, mut count) = (0, 0);
    for word in samples::most_open(&RECORDING).into_iter().take(PARTIES).filter(|w| *w != 0) {
        let index = (word as u32 - 1) as usize;
        let Some(site) = entry::<Site>(&RECORDING, index).filter(|_| index < Section::Sites.capacity()) else {
            continue;
        };
        let before = samples::open_before(&RECORDING, now.saturating_sub(GROWTH_NS), index)
            .or_else(|| samples::first_open(&RECORDING, index));
        let is_open = (word >> 32) as u32;
        if let Some((time, then)) = before {
            over = now.saturating_sub(time);
            places[count].1 = is_open.saturating_sub(then.min(u64::from(u32::MAX)) as u32);
        }
        places[count].0 = is_open;
        parties[count] =
            Involved { role: Some(Role::Opened), stack: site.stack.load(Relaxed) as u32, ..Involved::default() };
        count += 1;
    }
    let state = scope.state;
    let resource = Resource::Limit(Limit { open, limit, stage: stage as u8, errno, over, places });
    let report = Report {
        kind: Kind::FdLimit,
        severity,
        tid: state.tid.load(Relaxed),
        thread: state.name(),
        time: now,
        resource,
        label: Label::NONE,
        parties,
        detail: b"",
    };
    finding::publish(scope, &report);
}

/// Growth is said of this time, or of less when the process is younger.
const GROWTH_NS: u64 = 30_000_000_000;

struct Looking;

impl Looking {
    fn begin() -> Option<Self> {
        (!LOOKING.swap(true, core::sync::atomic::Ordering::Acquire)).then_some(Looking)
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        LOOKING.store(false, core::sync::atomic::Ordering::Release);
    }
}

/// At exit: the end of the curve.
pub(super) fn last_sample(now: u64) {
    if RECORDING.header().samples.load(Relaxed) > 0 {
        if let Some(_looking) = Looking::begin() {
            samples::take(&RECORDING, now, open_now(), sys::descriptor_limits().soft);
        }
    }
}

/// Before a fork, in the parent: the child starts to count from here.
static AT_FORK: AtomicU64 = AtomicU64::new(0);

pub(super) fn before_fork() {
    AT_FORK.store(open_now(), Relaxed);
}

/// In a forked child, whose counters were set to zero.
pub(super) fn after_fork() {
    OPEN_BEFORE.store(AT_FORK.load(Relaxed), Relaxed);
    start(sys::now());
    REPORTED.store(0, Relaxed);
    WATERMARK.store(0, Relaxed);
    LOOKING.store(false, Relaxed);
}

/// The numbers from `first` on that are open, as far as we know, with their slots.
pub(super) fn open_slots(first: c_int) -> impl Iterator<Item = (c_int, &'static Slot)> {
    let end = highest();
    (first.max(0) as usize / PER_PAGE..(end as usize).div_ceil(PER_PAGE))
        .filter(|page| touched(*page))
        .flat_map(move |page| ((page * PER_PAGE) as c_int).max(first)..(((page + 1) * PER_PAGE) as c_int).min(end))
        .filter_map(|fd| Some((fd, slot(fd).filter(|slot| slot.state() == State::Open)?)))
}
