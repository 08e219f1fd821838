//! The descriptor table of this process, and what the hooks do with it: ask `track::fd`, act, tell.
//!
//! Policy is in `track`; here is what needs the process: the table's memory, the kernel's view of a number, tombstones,
//! and the order of steps around the real call.
//!
//! Why a close is recorded before it happens: once the real call returns, another thread may own the number.
#![allow(unsafe_code)] // Safety: slots are `track::fd::Slot`s in recording chunks of that very layout.

use crate::options::{self, Mode};
use crate::private;
use crate::recording::RECORDING;
use crate::thread::{self, Entry, Scope, State};
use crate::{finding, message, recording, start, sys};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;
use libc::c_int;
use record::label::Label;
use record::layout::{Counter, DESCRIPTOR_LEN, Op, Section, ThreadCounter};
use record::store::Store;
use track::fd::{
    Actor, Claim, Closing, FdKind, KernelView, Learned, NotOpen, Opening, Outcome, Owner, PairSet, Pairs, Policy,
    Replace, Slot, StackId, Verdict,
};

mod fork;
mod growth;
mod leaks;
mod probe;
mod quarantine;
mod usage;

pub use fork::{after_fork, after_missed_fork, before_fork, freeze, take_frozen};
pub use growth::open_now;
pub use leaks::{Look, history};
pub use probe::{import, probe, socket_kind, socket_label};
pub use quarantine::{is_tombstone, look_for_select, quarantined, selecting};
pub use usage::{begin, begin_in, used};

const _: () = assert!(size_of::<Slot>() == DESCRIPTOR_LEN);
const PER_CHUNK: usize = Section::Descriptors.per_chunk();

static PAIRS: SitePairs = SitePairs { pairs: PairSet::new(), hand_offs: PairSet::new() };

/// Pairs of call sites (the program's calls into libc), or of whole stacks where the two sites are one, as in programs
/// that close through a wrapper.
struct SitePairs {
    pairs: PairSet,
    /// By the call site alone; apart, because a program may have many.
    hand_offs: PairSet,
}

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
        self.pairs.learn(from, to)
    }

    fn knows(&self, from: StackId, to: StackId) -> bool {
        let (from, to) = Self::key(from, to);
        self.pairs.knows(from, to)
    }

    fn learn_hand_off(&self, place: StackId) {
        self.hand_offs.learn_hand_off(site(place).unwrap_or(place));
    }

    fn hands_off(&self, place: StackId) -> bool {
        self.hand_offs.hands_off(site(place).unwrap_or(place))
    }
}
/// How long a suspicious close waits for threads that are about to record a descriptor that they have made.
const SETTLE_NS: u64 = 100_000_000;
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
    fork::chunk_made(fd as usize / PER_CHUNK);
    slot(fd)
}

/// At start, before the first hook is watched.
pub fn start() {
    growth::start(sys::now());
    quarantine::start();
}

/// The process ends: what was forgotten, and the end of the curve.
pub fn at_exit(scope: &mut Scope) {
    if on() {
        growth::last_sample(sys::now());
        leaks::look(scope, leaks::Extent::Whole);
    }
}

/// Is the family watched?
#[inline]
pub fn on() -> bool {
    options::fd_mode() != Mode::Off
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
    record_open(&mut by, fd, Opening { kind, owner, imported: false, label: label.words() }, Op::Open);
}

#[inline(always)]
fn record_open(by: &mut By, fd: c_int, what: Opening, op: Op) {
    let Some(slot) = slot_or_commit(fd) else { return };
    growth::touching(fd);
    let opened = slot.opened(by.actor(), what);
    quarantine::keep_low(fd);
    if opened.displaced == track::fd::State::Open {
        recording::count(Counter::Unseen);
    }
    by.state().add(ThreadCounter::Opens, 1);
    by.log(op, fd, u64::from(opened.generation), 0);
    growth::opened(by, fd, slot, opened.generation, opened.displaced);
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
    if fd == -1 && matches!(sys::errno(), libc::EMFILE | libc::ENFILE) {
        return out_of_numbers(call);
    }
    fd
}

#[cold]
fn out_of_numbers(again: impl Fn() -> c_int) -> c_int {
    let mut fd = -1;
    if quarantined() && sys::errno() == libc::EMFILE && quarantine::flush() {
        fd = again();
    }
    let errno = sys::errno();
    if fd == -1 && matches!(errno, libc::EMFILE | libc::ENFILE) {
        growth::exhausted(errno);
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
            Closing::NotOpen(standing) if standing.racing && !protect && probe::open_for_program(fd, &standing) => {
                // Which of the two the kernel hears first is not known yet. The one that it tells EBADF reports, and only that
                // one: said now, this close could still win, and the other would report the same race again.
                Before::Call(Ticket { generation: None, not_open: Some(standing), actor: *by.actor(), policy })
            }
            Closing::NotOpen(standing) => {
                let view = probe::kernel_view(&by, slot, fd, &standing);
                if protect && view == KernelView::OpenElsewhere && probe::somebody_opens(by.state()) {
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
                let held_by_us = !probe::open_for_program(fd, &standing);
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
    growth::ended(by, slot.life(claim.generation));
    if quarantined() {
        quarantine::evict_due(actor.now);
        if way == Way::Close && fd > 2 && is_socket(slot) && !sys::is_open(fd) {
            // Closed where we could not see. The answer is known, and a call now could hit whoever comes next.
            recording::count(Counter::Unseen);
            let verdict = slot.closed(claim, &actor, Outcome::Failed { bad_fd: true });
            if let (Some(verdict), By::Full(scope, _)) = (verdict, &mut *by) {
                finding::descriptor(scope, fd, Some(slot), &verdict, "close");
            }
            return refused(by, fd);
        }
        if way == Way::Close && fd > 2 && is_socket(slot) && quarantine::entomb(fd) {
            let generation = claim.generation;
            slot.closed(claim, &actor, Outcome::Tombstoned);
            quarantine::push(fd, generation, actor.now);
            return Before::Done;
        }
    }
    Before::Call(Ticket { generation: Some(claim.generation), not_open: None, actor, policy: Policy::Report })
}

fn is_socket(slot: &Slot) -> bool {
    matches!(slot.kind(), FdKind::Tcp | FdKind::Udp | FdKind::Unix | FdKind::Netlink | FdKind::Socket)
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

/// A call on `fd` has failed with EBADF. Keeps errno.
#[cold]
pub fn bad_use(fd: c_int, call: &str) {
    if !on() || private::is(fd) || fd >= 0 && sys::is_open(fd) && !is_tombstone(fd) {
        return;
    }
    let errno = sys::errno();
    // What libc's resolver uses is its own, also where its calls are seen: see hooks/resolver.rs.
    if let Some(mut by) = By::now().filter(|by| by.state().resolving.load(Relaxed) == 0) {
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
    /// The life that ends when the call succeeds.
    replaces: Option<u32>,
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
            claim => {
                let owner = owned.map_or(Owner::NONE, |f| f.owner);
                return Some(Replacing { claim, owner, replaces: owned.map(|_| before.generation) });
            }
        }
    }
    None
}

pub fn end_replace(from: c_int, to: c_int, result: c_int, replacing: Option<Replacing>) {
    let errno = sys::errno();
    let replaces = replacing.as_ref().and_then(|r| r.replaces);
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
            if let (Some(generation), Some(slot)) = (replaces, slot(to)) {
                growth::ended(&by, slot.life(generation));
            }
            record_open(&mut by, to, Opening { kind, owner, imported: false, label: label.words() }, Op::Dup);
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
                growth::ended(by, slot.life(claim.generation));
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
