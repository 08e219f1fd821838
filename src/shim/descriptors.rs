//! The descriptor table of this process, and what the hooks do with it: ask `track::fd`, act, tell.
//!
//! Policy is in `track`; here is what needs the process: the table's memory, the kernel's view of a number, tombstones,
//! and the order of steps around the real call.
//!
//! Why a close is recorded before it happens: once the real call returns, another thread may own the number.
//!
//! **Quarantine.** Instead of closing socket N, `dup3(tombstone, N)`: the socket is closed at once, the number stays
//! taken by an O_PATH descriptor that answers EBADF to nearly everything, until it is old or the queue is long. The
//! eviction claims the slot (`begin_evict`) before it closes the tombstone, and dup2 onto a number claims it too
//! (`begin_replace`), so that an evictor never closes what the program has just put there.
#![allow(unsafe_code)] // Safety: slots are `track::fd::Slot`s in recording chunks of that very layout.

use crate::options::{self, Mode};
use crate::private::{self, Use};
use crate::recording::RECORDING;
use crate::thread::{self, Entry, Scope, State};
use crate::unwind::Object;
use crate::{finding, message, recording, start, symbols, sys};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};
use libc::c_int;
use record::label::Label;
use record::layout::{Counter, DESCRIPTOR_LEN, Op, Section, ThreadCounter};
use record::store::Store;
use track::fd::{
    Actor, Claim, Closing, FdKind, KernelView, Learned, NotOpen, Opening, Outcome, Owner, PairSet, Pairs, Policy,
    Quarantine, Replace, Slot, StackId, ThreadIndex, Verdict, limit_for,
};

const _: () = assert!(size_of::<Slot>() == DESCRIPTOR_LEN);
const PER_CHUNK: usize = Section::Descriptors.per_chunk();

static PAIRS: SitePairs = SitePairs(PairSet::new());

/// Pairs of call sites (the program's calls into libc), or of whole stacks where the two sites are one, as in programs
/// that close through a wrapper.
struct SitePairs(PairSet);

impl SitePairs {
    fn key(from: StackId, to: StackId) -> (StackId, StackId) {
        match (site(from), site(to)) {
            (Some(a), Some(b)) if a != b => (a, b),
            _ => (from, to),
        }
    }
}

/// The call site of a stack, as an id that no stack has.
fn site(stack: StackId) -> Option<StackId> {
    let mut frames = [0; record::stacks::MAX_FRAMES];
    let len = record::stacks::load(&RECORDING, stack.0, &mut frames);
    (len > 0).then(|| StackId(record::stacks::hash(&frames[..1]) as u32 | 1 << 31))
}

impl Pairs for SitePairs {
    fn learn(&self, from: StackId, to: StackId) -> Learned {
        let (from, to) = Self::key(from, to);
        self.0.learn(from, to)
    }

    fn knows(&self, from: StackId, to: StackId) -> bool {
        let (from, to) = Self::key(from, to);
        self.0.knows(from, to)
    }
}
static QUARANTINE: Quarantine = Quarantine::new();
/// A tombstone this old has seen every stale close that was under way when its number was closed.
const TOMBSTONE_AGE_NS: u64 = 2_000_000_000;
/// One that must go younger than this could still be wanted by a thread that was preempted before its second close. A
/// program that closes so fast gives way first, so that such a thread comes to run.
const TOMBSTONE_YOUNG_NS: u64 = 100_000_000;
/// How long a suspicious close waits for threads that are about to record a descriptor that they have made.
const SETTLE_NS: u64 = 100_000_000;
/// How many tombstones may wait now; recomputed every so often.
static LIMIT: AtomicU32 = AtomicU32::new(0);
static SINCE_LIMIT: AtomicU32 = AtomicU32::new(0);
/// Threads inside a resolver call of libc.
pub static RESOLVING: AtomicU32 = AtomicU32::new(0);

/// The slot of a number, when its chunk exists.
#[inline(always)]
pub fn slot(fd: c_int) -> Option<&'static Slot> {
    let fd = fd as usize; // negative: beyond every chunk
    let chunk = RECORDING.chunk(Section::Descriptors, fd / PER_CHUNK)?;
    // SAFETY: a chunk is an array of PER_CHUNK slots of DESCRIPTOR_LEN bytes (asserted), valid when zero, all atomics.
    Some(unsafe { &*chunk.as_ptr().cast::<Slot>().add(fd % PER_CHUNK) })
}

fn slot_or_commit(fd: c_int) -> Option<&'static Slot> {
    if let Some(slot) = slot(fd) {
        return Some(slot);
    }
    if fd < 0 {
        return None;
    }
    if fd as usize >= Section::Descriptors.capacity()
        || RECORDING.commit(Section::Descriptors, fd as usize / PER_CHUNK).is_none()
    {
        recording::count(Counter::DescriptorsUntracked);
        return None;
    }
    CHUNKS.fetch_max(fd as usize / PER_CHUNK + 1, Relaxed);
    slot(fd)
}

/// Is the family watched?
#[inline]
pub fn on() -> bool {
    options::fd_mode() != Mode::Off
}

pub fn quarantined() -> bool {
    options::QUARANTINE_FDS.load(Relaxed)
}

/// At start: the tombstone.
pub fn start() {
    if !quarantined() {
        return;
    }
    // Before the first close: until the next reckoning a limit of zero would let every number go at once.
    set_limit();
    for path in [&b"/dev/null\0"[..], b"/proc/self/exe\0", b"/\0"] {
        let fd = sys::open(path, libc::O_PATH | libc::O_CLOEXEC, 0);
        if fd >= 0 && private::adopt(Use::Tombstone, fd as i32, true) {
            return;
        }
    }
    message::say(b"shim: no descriptor for the quarantine; closed numbers are reused at once\n");
}

/// Who acts. In a nested hook (a signal handler inside a hook) there is no stack.
pub enum By {
    Full(Scope, Actor),
    Nested(&'static State, Actor),
}

impl By {
    /// `None`: not to be watched; straight to libc.
    #[inline(always)]
    pub fn now() -> Option<Self> {
        match thread::enter() {
            Entry::Full(mut scope) => {
                start::notice_fork();
                if scope.state.tight() {
                    let state = scope.state;
                    recording::count(Counter::Reentered);
                    return Some(Self::Nested(state, thread::actor(state, 0)));
                }
                let actor = scope.actor();
                Some(Self::Full(scope, actor))
            }
            Entry::Nested(state) => Some(Self::Nested(state, thread::actor(state, 0))),
            Entry::Out => None,
        }
    }

    pub fn actor(&self) -> &Actor {
        match self {
            Self::Full(_, actor) | Self::Nested(_, actor) => actor,
        }
    }

    fn state(&self) -> &'static State {
        match self {
            Self::Full(scope, _) => scope.state,
            Self::Nested(state, _) => state,
        }
    }

    fn log(&self, op: Op, fd: c_int, detail: u64, errno: i32) {
        let actor = self.actor();
        self.state().log_at(actor.now, op, fd, detail, actor.stack.0, errno);
    }

    fn announce(&mut self, fd: c_int, verdict: &Verdict, call: &str, policy: Policy) {
        if let Self::Full(scope, _) = self {
            announce(scope, fd, verdict, call, policy);
        }
    }

    /// A nested hook cannot report: its findings are counted as re-entered events only.
    pub fn report(&mut self, fd: c_int, verdict: &Verdict, call: &str) {
        if let Self::Full(scope, _) = self {
            finding::descriptor(scope, fd, slot(fd), verdict, call);
        }
    }
}

/// A descriptor has appeared under number `fd`.
pub fn opened(fd: c_int, kind: FdKind, owner: Owner, label: Label) {
    if fd < 0 || !on() {
        return;
    }
    let Some(mut by) = By::now() else { return };
    if let By::Full(scope, _) = &mut by {
        start::materialise();
        finding::flush_held(scope);
    }
    record_open(&by, fd, Opening { kind, owner, imported: false, label: label.words() }, Op::Open);
}

#[inline(always)]
fn record_open(by: &By, fd: c_int, what: Opening, op: Op) {
    let Some(slot) = slot_or_commit(fd) else { return };
    let opened = slot.opened(by.actor(), what);
    if fd as u64 >= FD_SETSIZE && SELECTS.load(Relaxed) && LIMIT.load(Relaxed) > 0 && open_now() < FD_SETSIZE {
        // Faster than the limit was reckoned: those that come now shall be low again.
        flush_quarantine();
    }
    if opened.displaced == track::fd::State::Open {
        recording::count(Counter::Unseen);
    }
    by.state().add(ThreadCounter::Opens, 1);
    by.log(op, fd, u64::from(opened.generation), 0);
}

/// Runs a call that makes a descriptor, with the thread marked as about to record one; [`made`] ends that.
#[inline]
pub fn making(call: impl Fn() -> c_int) -> c_int {
    if quarantined() {
        if let Some(state) = thread::current() {
            state.opening.store(true, Relaxed);
        }
    }
    retrying(call)
}

/// Runs a call that makes a descriptor. When the process is out of numbers, the quarantine gives back its own first.
///
/// No guard is up and nothing needs dropping during the call: it may be a cancellation point.
#[inline]
pub fn retrying(call: impl Fn() -> c_int) -> c_int {
    let fd = call();
    if fd == -1 && quarantined() && sys::errno() == libc::EMFILE && flush_quarantine() {
        return call();
    }
    fd
}

/// To be called when [`making`]'s descriptor is recorded (or there is none).
#[inline]
pub fn made() {
    if quarantined() {
        if let Some(state) = thread::current() {
            state.opening.store(false, Relaxed);
        }
    }
}

/// Closes every tombstone. True when there was one.
fn flush_quarantine() -> bool {
    let errno = sys::errno();
    let mut any = false;
    while let Some(entry) = QUARANTINE.pop_any() {
        any |= evict(entry.fd as c_int, entry.generation);
    }
    if any {
        recording::count(Counter::QuarantineFlushed);
    }
    sys::set_errno(errno);
    any
}

fn evict(fd: c_int, generation: u32) -> bool {
    let Some(slot) = slot(fd) else { return false };
    if !slot.begin_evict(generation) {
        return false;
    }
    sys::close(fd);
    slot.end_evict(generation);
    true
}

fn set_limit() {
    let (soft, open) = (sys::descriptor_limits().soft, open_now());
    // A program that by itself has more open than an fd_set holds copes with such numbers.
    let numbers = if SELECTS.load(Relaxed) && open < FD_SETSIZE { soft.min(FD_SETSIZE) } else { soft };
    // Without another thread only the thread itself, and libc on its behalf, could be hit: few tombstones do, and the table
    // stays in the cache.
    let most = if thread::alone() { ENOUGH_ALONE } else { usize::MAX };
    LIMIT.store(limit_for(numbers, open).min(most) as u32, Relaxed);
}

const ENOUGH_ALONE: usize = 1024;

/// FD_SET writes past the end of its fd_set for this number and every higher one.
const FD_SETSIZE: u64 = 1024;
/// Something in this process calls select: the quarantine must not drive the program's numbers beyond FD_SETSIZE.
static SELECTS: AtomicBool = AtomicBool::new(false);

/// Before the first FD_SET, as a rule: whoever calls select, or has FD_SET checked by libc, imports it.
pub fn look_for_select(objects: &[Object]) {
    const NAMES: &[&[u8]] = &[b"select", b"pselect", b"__select", b"__fdelt_chk"];
    if quarantined() && !SELECTS.load(Relaxed) && objects.iter().any(|o| symbols::imports(o, NAMES)) {
        SELECTS.store(true, Relaxed);
    }
}

/// select is being called, by one that we have not found: through dlsym, or from a library that was loaded later.
#[inline]
pub fn selecting() {
    if quarantined() && !SELECTS.swap(true, Relaxed) {
        flush_quarantine();
        set_limit();
    }
}

/// How many descriptors the program has open, roughly.
fn open_now() -> u64 {
    let sum = |c: ThreadCounter| thread::registry().map(|t| t.entry.counters[c as usize].load(Relaxed)).sum::<u64>();
    sum(ThreadCounter::Opens).saturating_sub(sum(ThreadCounter::Closes))
}

fn evict_due(now: u64) {
    if SINCE_LIMIT.fetch_add(1, Relaxed) % 256 == 255 {
        set_limit();
    }
    let limit = LIMIT.load(Relaxed) as usize;
    // In batches: numbers that were closed one after the other lie side by side as a rule, and go in one system call.
    if QUARANTINE.len() > limit + BATCH {
        evict_batch(now, limit);
    } else if let Some(entry) = QUARANTINE.pop_due(now, usize::MAX, TOMBSTONE_AGE_NS) {
        evict(entry.fd as c_int, entry.generation);
    }
}

/// How many tombstones go at once when the queue is over its limit.
const BATCH: usize = 32;

#[cold]
fn evict_batch(now: u64, limit: usize) {
    let mut claimed = [(0u32, 0u32); BATCH];
    let mut count = 0;
    while count < BATCH {
        let Some(entry) = QUARANTINE.pop_due(now, limit, TOMBSTONE_AGE_NS) else { break };
        if count == 0 && now.saturating_sub(entry.pushed_at) < TOMBSTONE_YOUNG_NS && !thread::alone() {
            sys::sched_yield();
        }
        if slot(entry.fd as c_int).is_some_and(|s| s.begin_evict(entry.generation)) {
            claimed[count] = (entry.fd, entry.generation);
            count += 1;
        }
    }
    let claimed = &mut claimed[..count];
    claimed.sort_unstable();
    for run in claimed.chunk_by(|a, b| a.0 + 1 == b.0) {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        // Every number of the run is claimed by us, so the range holds nothing else.
        if run.len() == 1 || sys::close_range(first, last) != 0 {
            for (fd, _) in run {
                sys::close(*fd as c_int);
            }
        }
        for (fd, generation) in run {
            if let Some(slot) = slot(*fd as c_int) {
                slot.end_evict(*generation);
            }
        }
    }
}

/// Does a tombstone hold this number?
#[inline]
pub fn is_tombstone(fd: c_int) -> bool {
    quarantined()
        && slot(fd).is_some_and(|s| matches!(s.state(), track::fd::State::Tombstoned | track::fd::State::Evicting))
}

/// Is the number one that a program without us would find closed?
#[inline]
pub fn hidden(fd: c_int) -> bool {
    private::is(fd) || is_tombstone(fd)
}

/// What to do about a close, decided before the real call.
pub enum Before {
    /// Make the call; then [`after_close`].
    Call(Ticket),
    /// Not ours to watch: make the call.
    Pass,
    /// Do not make the call: the number is not (any more) the caller's. EBADF.
    Refuse,
    /// Done, by a tombstone: the close has succeeded.
    Done,
}

/// What [`after_close`] needs. Plain data: a cancelled close leaves nothing undone but the record.
pub struct Ticket {
    generation: Option<u32>,
    not_open: Option<NotOpen>,
    actor: Actor,
    policy: Policy,
}

/// How the close will be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// close(2) on the number.
    Close,
    /// fclose, closedir, pclose: the real call must run to free its object, so no tombstone takes its place.
    Object,
}

/// Before a close of `fd`. `acting` is the FILE or DIR whose end this is.
pub fn before_close(fd: c_int, acting: Owner, way: Way, call: &str) -> Before {
    if private::is(fd) {
        return Before::Refuse;
    }
    if !on() {
        return Before::Pass;
    }
    let Some(mut by) = By::now() else { return Before::Pass };
    if fd < 0 {
        return Before::Call(Ticket { generation: None, not_open: None, actor: *by.actor(), policy: Policy::Report });
    }
    if fd == 2 {
        message::stderr_closing();
    }
    let Some(slot) = slot(fd) else { return Before::Pass };
    by.state().add(ThreadCounter::Closes, 1);
    let policy = sweep(&mut by, fd);
    let mut waiting_since = 0;
    loop {
        let closing = slot.closing(by.actor(), acting, &PAIRS);
        let protect = options::fd_mode() == Mode::Protect;
        return match closing {
            Closing::Ordinary(claim) | Closing::HandOff(claim) | Closing::Pending(claim) => {
                claimed(&mut by, slot, fd, claim, way)
            }
            Closing::Suspicious(claim, verdict) => {
                let refuse = protect && verdict.refuse && policy == Policy::Report;
                by.announce(fd, &verdict, call, policy);
                if refuse {
                    slot.closed(claim, by.actor(), Outcome::Refused);
                    refused(&by, fd)
                } else {
                    claimed(&mut by, slot, fd, claim, way)
                }
            }
            Closing::NotOpen(standing) => {
                let view = kernel_view(&by, slot, fd, &standing);
                if protect && view == KernelView::OpenElsewhere && somebody_opens(by.state()) {
                    // Perhaps a thread is between the kernel's answer and its record: let it finish.
                    let now = sys::now();
                    if waiting_since == 0 {
                        waiting_since = now;
                    }
                    if now - waiting_since < SETTLE_NS {
                        sys::sched_yield();
                        continue;
                    }
                }
                let held_by_us = !sys_open_for_program(fd, &standing);
                let verdict = slot.judge_not_open(by.actor(), &standing, view, &PAIRS);
                let refuse = held_by_us && is_tombstone(fd) || protect && verdict.is_some_and(|v| v.refuse);
                if let Some(verdict) = &verdict {
                    by.announce(fd, verdict, call, policy);
                } else if view == KernelView::OpenElsewhere {
                    recording::count(Counter::Unseen);
                }
                if refuse {
                    refused(&by, fd)
                } else {
                    // Reported already: what the kernel now answers adds nothing, unless it was thought open.
                    let again = (verdict.is_none()).then_some(standing);
                    Before::Call(Ticket { generation: None, not_open: again, actor: *by.actor(), policy })
                }
            }
            Closing::Unseen => Before::Call(Ticket { generation: None, not_open: None, actor: *by.actor(), policy }),
        };
    }
}

fn refused(by: &By, fd: c_int) -> Before {
    recording::count(Counter::Refused);
    by.log(Op::Refused, fd, 0, libc::EBADF);
    Before::Refuse
}

/// Is the kernel's descriptor behind the number the program's (and not a tombstone)?
fn sys_open_for_program(fd: c_int, standing: &NotOpen) -> bool {
    !matches!(standing.state, track::fd::State::Tombstoned | track::fd::State::Evicting) && sys::is_open(fd)
}

fn sweep(by: &mut By, fd: c_int) -> Policy {
    let By::Full(scope, actor) = by else { return Policy::Report };
    let (stack, inner) = (actor.stack, scope.inner());
    let standing = inner.sweep.step(fd, stack);
    let policy = standing.policy(fd);
    if policy == Policy::Silent {
        inner.held.discard();
    } else if standing.run <= 1 {
        finding::flush_held(scope);
    }
    policy
}

/// Reports what was found at a close, or holds it back while it may be part of a sweep. Information is never urgent: it
/// waits for the end of the run, so that a sweep from above is silent too.
fn announce(scope: &mut Scope, fd: c_int, verdict: &Verdict, call: &str, policy: Policy) {
    match policy {
        Policy::Report if verdict.severity != track::fd::Severity::Info => {
            finding::descriptor(scope, fd, slot(fd), verdict, call);
        }
        Policy::Report | Policy::Hold => {
            if let Some((fd, oldest)) = scope.inner().held.push((fd, *verdict)) {
                finding::descriptor(scope, fd, slot(fd), &oldest, call);
            }
        }
        Policy::Silent => {}
    }
}

/// The number is ours to close now.
#[inline(always)]
fn claimed(by: &mut By, slot: &Slot, fd: c_int, claim: Claim, way: Way) -> Before {
    let actor = *by.actor();
    by.log(Op::Close, fd, u64::from(claim.generation), 0);
    if quarantined() {
        evict_due(actor.now);
        if way == Way::Close && fd > 2 && is_socket(slot) && !sys::is_open(fd) {
            // Closed where we could not see. The answer is known, and a call now could hit whoever comes next.
            recording::count(Counter::Unseen);
            let verdict = slot.closed(claim, &actor, Outcome::Failed { bad_fd: true });
            if let (Some(verdict), By::Full(scope, _)) = (verdict, &mut *by) {
                finding::descriptor(scope, fd, Some(slot), &verdict, "close");
            }
            return refused(by, fd);
        }
        if way == Way::Close && fd > 2 && is_socket(slot) && entomb(fd) {
            let generation = claim.generation;
            slot.closed(claim, &actor, Outcome::Tombstoned);
            // Queued only now: an evictor that found the entry earlier would find no tombstone, and forget it.
            if !QUARANTINE.push(fd as u32, generation, actor.now) {
                evict(fd, generation);
            }
            return Before::Done;
        }
    }
    Before::Call(Ticket { generation: Some(claim.generation), not_open: None, actor, policy: Policy::Report })
}

fn is_socket(slot: &Slot) -> bool {
    matches!(slot.kind(), FdKind::Tcp | FdKind::Udp | FdKind::Unix | FdKind::Netlink | FdKind::Socket)
}

/// Puts a tombstone in the place of `fd`. False: the number must be closed the ordinary way.
fn entomb(fd: c_int) -> bool {
    let Some(tombstone) = private::get(Use::Tombstone) else { return false };
    // pre: the number is open; dup3 would open a closed one. EBUSY: the number is between two owners in the kernel; EBADF:
    // the tombstone is gone, or the limit was lowered.
    if LIMIT.load(Relaxed) == 0 || sys::dup3(tombstone, fd, libc::O_CLOEXEC) != fd as isize {
        return false;
    }
    recording::count(Counter::Quarantined);
    true
}

/// After the real close. Keeps errno.
pub fn after_close(fd: c_int, ticket: Ticket, result: c_int, call: &str) {
    let errno = sys::errno();
    let bad_fd = result != 0 && errno == libc::EBADF;
    match (ticket.generation.and_then(|_| slot(fd)), ticket.generation) {
        (Some(slot), Some(generation)) => {
            let outcome = if result == 0 { Outcome::Closed } else { Outcome::Failed { bad_fd } };
            let verdict = slot.closed(Claim { generation }, &ticket.actor, outcome);
            if let Some(verdict) = verdict {
                finding::guarded(|scope| finding::descriptor(scope, fd, Some(slot), &verdict, call));
            } else if bad_fd {
                recording::count(Counter::Unseen);
            }
        }
        _ if bad_fd => {
            let verdict = match ticket.not_open {
                Some(standing) => {
                    slot(fd).and_then(|s| s.judge_not_open(&ticket.actor, &standing, KernelView::NotOpen, &PAIRS))
                }
                // A close of a number that was never open: worth knowing, no more.
                None => match slot(fd) {
                    Some(slot) => slot.failed_use(&ticket.actor, &PAIRS).filter(|v| v.fault == track::fd::Fault::BadFd),
                    None => Some(never_open(&ticket.actor)),
                },
            };
            if let Some(verdict) = verdict {
                finding::guarded(|scope| announce(scope, fd, &verdict, call, ticket.policy));
            }
        }
        _ => {}
    }
    sys::set_errno(errno);
}

fn kernel_view(by: &By, slot: &Slot, fd: c_int, standing: &NotOpen) -> KernelView {
    if !sys_open_for_program(fd, standing) {
        return KernelView::NotOpen;
    }
    if standing.racing {
        // The first closer has not reached the kernel yet: the number is still its own.
        return KernelView::NotOpen;
    }
    const SO_PROTOCOL: c_int = 38;
    const SO_DOMAIN: c_int = 39;
    if sys::socket_option(fd, SO_DOMAIN) == Some(libc::AF_NETLINK) {
        return if sys::socket_option(fd, SO_PROTOCOL) == Some(libc::NETLINK_ROUTE) {
            KernelView::LibcNetlink
        } else {
            KernelView::OpenElsewhere
        };
    }
    let mine = by.state().resolving.load(Relaxed);
    let others = RESOLVING.load(Relaxed).saturating_sub(mine.min(1)) > 0;
    let closer = slot.snapshot().current.map(|f| f.closer.tid);
    if others && closer == Some(by.actor().tid) {
        return KernelView::OpenDuringResolver;
    }
    KernelView::OpenElsewhere
}

fn somebody_opens(me: &State) -> bool {
    thread::registry().any(|t| !core::ptr::eq(t, me) && t.is_live() && t.opening.load(Relaxed))
}

/// The thread uses the number. False: it is one of ours, and the call must answer EBADF.
#[inline(always)]
pub fn used(fd: c_int) -> bool {
    if private::is(fd) {
        return false;
    }
    if let Some(state) = thread::current() {
        if let Some(slot) = slot(fd) {
            slot.used(ThreadIndex(state.index));
        }
    }
    true
}

/// A call on `fd` has failed with EBADF. Keeps errno.
#[cold]
pub fn bad_use(fd: c_int, call: &str) {
    if !on() || private::is(fd) || fd >= 0 && sys::is_open(fd) && !is_tombstone(fd) {
        return;
    }
    let errno = sys::errno();
    if let Some(mut by) = By::now() {
        by.log(Op::BadUse, fd, 0, libc::EBADF);
        let verdict = match slot(fd) {
            Some(slot) => slot.failed_use(by.actor(), &PAIRS),
            None => Some(never_open(by.actor())),
        };
        if let Some(verdict) = verdict {
            by.report(fd, &verdict, call);
        }
    }
    sys::set_errno(errno);
}

fn never_open(actor: &Actor) -> Verdict {
    Verdict {
        fault: track::fd::Fault::BadFd,
        severity: track::fd::Severity::Info,
        here: actor.party(),
        ..Verdict::default()
    }
}

/// `from` was copied to the new number `to`, which the kernel chose.
pub fn duplicated(from: c_int, to: c_int) {
    if to < 0 || !on() {
        return;
    }
    used(from);
    let (kind, label) = kind_and_label(from);
    opened(to, kind, Owner::NONE, label);
}

/// What the record says is behind a number.
pub fn kind_and_label(fd: c_int) -> (FdKind, Label) {
    let known = slot(fd).map(Slot::snapshot).filter(|s| s.state == track::fd::State::Open).and_then(|s| s.current);
    known.map_or((FdKind::Unknown, Label::NONE), |f| (f.meta.kind, Label::from_words(f.label)))
}

/// A number claimed for dup2 or dup3.
pub struct Replacing {
    claim: Replace,
    /// The FILE or DIR that the number belongs to: it stays bound to it, whatever is put there.
    owner: Owner,
}

/// dup2 or dup3 onto a number: claims it, so that no eviction closes what the program puts there. To be followed by
/// [`end_replace`].
pub fn begin_replace(to: c_int) -> Option<Replacing> {
    if to < 0 || !on() {
        return None;
    }
    let slot = slot(to)?;
    let by = By::now()?;
    let before = slot.snapshot();
    let owned = before.current.filter(|_| before.state == track::fd::State::Open);
    for _ in 0..1000 {
        match slot.begin_replace(by.actor()) {
            Replace::Busy => sys::sched_yield(),
            claim => return Some(Replacing { claim, owner: owned.map_or(Owner::NONE, |f| f.owner) }),
        }
    }
    None
}

pub fn end_replace(from: c_int, to: c_int, result: c_int, replacing: Option<Replacing>) {
    let errno = sys::errno();
    let (claim, owner) = replacing.map_or((None, Owner::NONE), |r| (Some(r.claim), r.owner));
    if result == -1 {
        if let (Some(claim), Some(slot)) = (claim, slot(to)) {
            slot.end_replace(claim);
        }
    } else if on() {
        used(from);
        let (kind, label) = kind_and_label(from);
        if let Some(mut by) = By::now() {
            if let By::Full(scope, _) = &mut by {
                start::materialise();
                finding::flush_held(scope);
            }
            by.log(Op::Dup, from, to as u64, 0);
            record_open(&by, to, Opening { kind, owner, imported: false, label: label.words() }, Op::Dup);
        }
        if to == 2 {
            finding::guarded(|_| message::stderr_redirected());
        }
    }
    sys::set_errno(errno);
}

/// A range was closed in one call: no finding, whatever was open.
pub fn range_closed(first: u32, last: u32) {
    let Some(by) = By::now() else { return };
    by.log(Op::CloseRange, first as i32, u64::from(last), 0);
    let end = (last as usize).min(Section::Descriptors.capacity() - 1);
    let mut fd = first as usize;
    while fd <= end {
        let Some(slot) = slot(fd as c_int) else {
            fd = (fd / PER_CHUNK + 1) * PER_CHUNK;
            continue;
        };
        if !private::is(fd as c_int) {
            vanished(slot, &by);
        }
        fd += 1;
    }
}

/// The number was closed in a way that is no finding.
fn vanished(slot: &Slot, by: &By) {
    let snapshot = slot.snapshot();
    match snapshot.state {
        track::fd::State::Open => match slot.closing(by.actor(), Owner::NONE, &PAIRS) {
            Closing::Ordinary(claim)
            | Closing::HandOff(claim)
            | Closing::Pending(claim)
            | Closing::Suspicious(claim, _) => {
                slot.closed(claim, by.actor(), Outcome::Closed);
            }
            Closing::NotOpen(_) | Closing::Unseen => {}
        },
        track::fd::State::Tombstoned if slot.begin_evict(snapshot.generation) => slot.end_evict(snapshot.generation),
        _ => {}
    }
}

/// A FILE or DIR takes the number over.
pub fn owned(fd: c_int, owner: Owner, call: &str) {
    if fd < 0 || !on() {
        return;
    }
    let Some(slot) = slot(fd) else { return };
    let Some(mut by) = By::now() else { return };
    used(fd);
    if let Some(verdict) = slot.set_owner(by.actor(), owner) {
        by.report(fd, &verdict, call);
    }
}

/// What the kernel says is behind a number, by one to three system calls.
pub fn probe(fd: c_int) -> (FdKind, Label) {
    let Some(identity) = sys::identity(fd) else { return (FdKind::Unknown, Label::NONE) };
    match identity.mode & libc::S_IFMT {
        libc::S_IFSOCK => (probe_socket(fd), socket_label(fd)),
        libc::S_IFIFO => (FdKind::Pipe, Label::NONE),
        libc::S_IFDIR => (FdKind::Dir, path_of(fd)),
        libc::S_IFREG | libc::S_IFBLK => (FdKind::File, path_of(fd)),
        libc::S_IFCHR => {
            let label = path_of(fd);
            let pty = label.name().is_some_and(|(name, _)| name.starts_with(b"/dev/pts/") || name == b"/dev/ptmx");
            (if pty { FdKind::Pty } else { FdKind::File }, label)
        }
        _ => (FdKind::Other, path_of(fd)),
    }
}

fn probe_socket(fd: c_int) -> FdKind {
    let kind = sys::socket_option(fd, libc::SO_TYPE).unwrap_or(0);
    socket_kind(sys::socket_option(fd, 39).unwrap_or(0), kind)
}

pub fn socket_kind(domain: c_int, kind: c_int) -> FdKind {
    match (domain, kind & 15) {
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => FdKind::Tcp,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => FdKind::Udp,
        (libc::AF_UNIX, _) => FdKind::Unix,
        (libc::AF_NETLINK, _) => FdKind::Netlink,
        _ => FdKind::Socket,
    }
}

/// Both ends of a socket, as the kernel says.
pub fn socket_label(fd: c_int) -> Label {
    let (mut local, mut peer) = ([0u8; 128], [0u8; 128]);
    let (l, p) = (sys::socket_name(fd, false, &mut local), sys::socket_name(fd, true, &mut peer));
    Label::endpoints(crate::address::endpoint(&local[..l]), crate::address::endpoint(&peer[..p]))
}

fn path_of(fd: c_int) -> Label {
    let mut path = [0; 48];
    let mut line = record::text::Line::new(&mut path);
    line.text("/proc/self/fd/").number(fd as u64).raw(b"\0");
    let mut target = [0; 512];
    let n = sys::readlink(line.as_bytes(), &mut target);
    if n > 0 { Label::path(&target[..n as usize]) } else { Label::NONE }
}

/// Records what is open already: left by exec, or made before us. In the constructor, with one thread as a rule.
pub fn import(scope: &mut Scope) {
    if !on() {
        return;
    }
    let fd = sys::open(b"/proc/self/fd\0", libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC, 0);
    if fd < 0 {
        return;
    }
    let list = fd as c_int;
    let actor = scope.actor();
    let mut buffer = [0u8; 2048];
    loop {
        let n = sys::directory_entries(list, &mut buffer);
        if n <= 0 {
            break;
        }
        let mut rest = &buffer[..n as usize];
        // struct linux_dirent64: ino, off, u16 length, u8 type, name.
        while rest.len() > 19 {
            let len = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
            let name = record::text::until_nul(&rest[19..len.clamp(19, rest.len())]);
            let number = core::str::from_utf8(name).ok().and_then(|n| n.parse::<c_int>().ok());
            if let Some(number) = number.filter(|n| *n != list && !private::is(*n)) {
                import_one(&actor, number);
            }
            rest = rest.get(len.max(1)..).unwrap_or(&[]);
        }
    }
    sys::close(list);
}

fn import_one(actor: &Actor, fd: c_int) {
    let Some(slot) = slot_or_commit(fd) else { return };
    if slot.state() == track::fd::State::Unknown {
        let (kind, label) = probe(fd);
        let _ = slot.opened(actor, Opening { kind, owner: Owner::NONE, imported: true, label: label.words() });
    }
}

/// The states of all numbers as they were at the fork, for the child: null when its memory is its own anyway.
///
/// Why: the child's copy of a recording shows what the parent writes to it, page by page until the child writes there
/// itself. What the parent closes after the fork would seem to be closed here, and its tombstones to be ours.
static FROZEN: AtomicPtr<Frozen> = AtomicPtr::new(core::ptr::null_mut());

/// See [`FROZEN`]: a word per number, from 0.
pub struct Frozen(pub Vec<u64>);

/// Chunks of slots, up to the highest that was made.
static CHUNKS: AtomicUsize = AtomicUsize::new(1);

/// Before a fork, with all of our locks but the allocator's.
pub fn before_fork() {
    if on() && recording::in_file() {
        let count = CHUNKS.load(Relaxed) * PER_CHUNK;
        FROZEN.store(Box::into_raw(Box::new(Frozen(Vec::with_capacity(count)))), Relaxed);
    }
}

/// As the last step before a fork.
pub fn freeze() {
    // SAFETY: null, or the vector of `before_fork`, which nobody else touches while our locks are held.
    if let Some(Frozen(words)) = unsafe { FROZEN.load(Relaxed).as_mut() } {
        for fd in 0..words.capacity() {
            words.push(slot(fd as c_int).map_or(0, Slot::freeze));
        }
    }
}

/// After a fork, on both sides, before our locks are given back; to be dropped after that, because that takes one.
pub fn take_frozen() -> Option<Box<Frozen>> {
    let frozen = FROZEN.swap(core::ptr::null_mut(), Relaxed);
    // SAFETY: the box of `before_fork`.
    (!frozen.is_null()).then(|| unsafe { Box::from_raw(frozen) })
}

/// In a forked child: the resolver calls of other threads are gone. Tombstones were copied with the table, and their
/// queue with our memory, so they are evicted here as there.
pub fn after_fork(frozen: &[u64]) {
    for (fd, frozen) in frozen.iter().enumerate() {
        if let Some(slot) = slot(fd as c_int) {
            slot.thaw(*frozen);
        }
    }
    RESOLVING.store(thread::current().map_or(0, |s| s.resolving.load(Relaxed).min(1)), Relaxed);
    if quarantined() && private::get_checked(Use::Tombstone).is_none() {
        private::drop_descriptor(Use::Tombstone);
        start();
    }
}
