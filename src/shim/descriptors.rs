//! The descriptor table of this process, and what the hooks do with it: ask `track::fd`, act, tell.
//!
//! Policy is in `track`; here is what needs the process: the table's memory, who acts, and how a number comes to be open. The
//! rooms beside it: how it ends (`closing`), dup2 (`replacing`), the kernel's view of it (`probe`), tombstones (`quarantine`).
#![allow(unsafe_code)] // Safety: slots are `track::fd::Slot`s in recording chunks of that very layout.

use self::pairs::PAIRS;
use crate::hooks::resolver;
use crate::options::{self, Mode};
use crate::private;
use crate::recording::RECORDING;
use crate::thread::{self, Entry, Scope, State};
use crate::{finding, recording, start, sys};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;
use libc::c_int;
use record::label::Label;
use record::layout::{Counter, DESCRIPTOR_LEN, Op, Section, ThreadCounter};
use record::store::Store;
use track::fd::{Actor, FdKind, Opening, Owner, Policy, Slot, Verdict};

mod closing;
mod fork;
mod growth;
mod leaks;
mod pairs;
mod probe;
mod quarantine;
mod replacing;
mod usage;

pub use closing::{Before, Way, after_close, before_close, range_closed};
pub use fork::{after_fork, after_missed_fork, before_fork, freeze, take_frozen};
pub use growth::open_now;
pub use growth::touched;
pub use leaks::{Look, history};
pub use probe::{import, probe, socket_kind, socket_label};
pub use quarantine::{is_tombstone, look_for_select, quarantined, selecting};
pub use replacing::{begin_replace, end_replace};
pub use usage::{begin, begin_in, used};

const _: () = assert!(size_of::<Slot>() == DESCRIPTOR_LEN);
const PER_CHUNK: usize = Section::Descriptors.per_chunk();

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
            closing::announce(scope, fd, verdict, call, policy);
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
        finding::flush_before_open(scope);
    }
    record_open(&mut by, fd, Opening { kind, owner, imported: false, label: label.words() }, Op::Open);
}

#[inline(always)]
fn record_open(by: &mut By, fd: c_int, what: Opening, op: Op) {
    let Some(slot) = slot_or_commit(fd) else { return };
    growth::touching(fd);
    let opened = slot.opened(by.actor(), what);
    if let By::Full(scope, _) = by {
        scope.inner().latest_close.opened(fd);
    }
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

/// A call on `fd` has failed with EBADF. Keeps errno.
#[cold]
pub fn bad_use(fd: c_int, call: &str) {
    if !on() || private::is(fd) || fd >= 0 && sys::is_open(fd) && !is_tombstone(fd) {
        return;
    }
    let errno = sys::errno();
    // What libc's resolver uses is its own, also where its calls are seen: see hooks/resolver.rs.
    let may_be_ours = |by: &By| by.state().resolving.load(Relaxed) == 0 || !resolver::has_libraries();
    if let Some(mut by) = By::now().filter(may_be_ours) {
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
