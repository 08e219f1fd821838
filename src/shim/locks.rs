//! Locks: what a hook asks before and after the real call. `track::lock` decides, [`report`] tells.
//!
//! ```text
//! lock    the list of the thread (does it hold it?) → the real try → taken: onto the list
//!                                                   → busy: where it waits is noted → the real call
//! unlock  off the list → the real call              not on the list: who has it, and was it ever ours to know?
//! ```
//!
//! **Why a try comes first.** It tells an acquisition that waits from one that does not, for nothing: the real lock begins
//! with the same compare-and-swap. So only those that wait pay for a stack, a time, and being seen as waiting.
//!
//! **The fast path** of a registered thread needs no guard: the list is written so that a signal handler may come between any
//! two of its writes (see `track::lock::Holder`), and nothing else is touched. All that reports, takes stacks or looks at
//! other threads is the slow way, with the guard up.
//!
//! **Records.** That a lock is known to us (each of its locks and unlocks was seen) is written once, when it is first taken, so
//! that a lock that goes from thread to thread drags no line of ours along. In a forked child all that is forgotten: what
//! other threads of the parent held, nobody there lets go.
//!
//! **Allocators** call these hooks with their own locks held. So nothing here asks libc for anything that could allocate: no
//! bounds of a stack that are not known yet, no key beyond the first block of them.
#![allow(unsafe_code)] // Safety: reads the kind of a mutex where libc has it; calls the real functions as the hooks were called.

pub mod at_hand;
mod breakpoint;
pub mod condition;
pub mod destroyed;
pub mod followed;
pub mod futex;
pub mod heard;
pub mod holds;
pub mod memory;
pub mod once;
pub mod order;
pub mod report;
pub mod times;
pub mod unowned;
pub mod waits;
pub mod watch;

use crate::options::{self, Mode};
use crate::thread::{self, Entry, Scope};
use crate::{start, sys};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32};
use libc::{c_int, c_void};
use record::kind::Severity;
use track::lock::rules::{self, Again, Errors, Intent, Unlocking};
use track::lock::{Failure, HoldFacts, Holder, Kind, Mode as How, Record, StackId, State, What, actor_word};

/// What a thread has of its own, in its entry of the registry.
#[repr(C, align(64))]
pub struct Own {
    /// Bits of [`attention`]: the fast path asks for none.
    attention: AtomicU32,
    /// Of the process, in the upper half, as [`What`] has it.
    epoch: AtomicU32,
    pub holder: Holder,
    once: once::Next,
}

/// Why a thread takes the slow way.
pub mod attention {
    /// `locks=order`, `lock_times=1`, `lock_watch=1`: every lock is looked at.
    pub const FEATURES: u32 = 1;
    /// A call has failed, and it is not known yet what the thread makes of it.
    pub const FAILED: u32 = 2;
    /// That it failed has not been said yet: a C++ runtime may hear of it (`heard`).
    pub const UNHEARD: u32 = 4;
    /// `lock_times=1`, `lock_watch=1`: every unlock is looked at, too.
    pub const UNLOCKS: u32 = 8;
    /// `lock_watch=1`: always the slow way, which looks at the watchpoint first.
    pub const WATCH: u32 = 16;
}

impl Own {
    pub const fn new() -> Self {
        Self { attention: AtomicU32::new(0), epoch: AtomicU32::new(0), holder: Holder::new(), once: once::Next::new() }
    }

    /// The thread begins, or becomes the only one of a forked child.
    pub fn begin(&self) {
        self.epoch.store(u32::from(start::epoch()) << 16, Relaxed);
        let unlocks = if times::on() || options::lock_watch() { attention::UNLOCKS } else { 0 };
        let watch = if watch::on() { attention::WATCH } else { 0 };
        self.attention.store(if features() { attention::FEATURES | unlocks | watch } else { 0 }, Relaxed);
    }

    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.attention.load(Relaxed) == 0
    }

    #[inline(always)]
    fn epoch(&self) -> u16 {
        (self.epoch.load(Relaxed) >> 16) as u16
    }
}

/// 0 while nothing is known yet.
static SWITCH: AtomicU8 = AtomicU8::new(0);
const OFF: u8 = 1;
const WATCHED: u8 = 2;
static FEATURES: AtomicBool = AtomicBool::new(false);

const RECORDS: usize = 1 << 15;
/// By a hash of the address.
#[repr(align(4096))]
struct Records([Record; RECORDS]);
static TABLE: Records = Records([const { Record::new() }; RECORDS]);

const _: () = assert!(size_of::<Records>() % 4096 == 0);

/// At start, with the options known.
pub fn start() {
    memory::start();
    order::start();
    times::start();
    FEATURES.store(options::lock_order() || options::lock_times() || options::lock_watch(), Relaxed);
    SWITCH.store(if options::locks_mode() == Mode::Off { OFF } else { WATCHED }, Relaxed);
}

/// Are locks watched?
pub fn on() -> bool {
    SWITCH.load(Relaxed) == WATCHED
}

/// Is it known that they are not?
#[inline(always)]
fn off() -> bool {
    SWITCH.load(Relaxed) == OFF
}

fn features() -> bool {
    FEATURES.load(Relaxed)
}

#[inline(always)]
pub fn record(lock: usize) -> &'static Record {
    // Fibonacci hashing: locks lie at multiples of their size.
    let hash = (lock as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECORDS.trailing_zeros());
    &TABLE.0[hash as usize % RECORDS]
}

/// The calling thread's own, when its hooks may take the fast path.
#[inline(always)]
pub fn plain() -> Option<&'static Own> {
    let own = thread::block().locks()?;
    own.is_plain().then_some(own)
}

/// The same for an unlock.
#[inline(always)]
fn plain_unlock() -> Option<&'static Own> {
    let own = thread::block().locks()?;
    (own.attention.load(Relaxed) & !attention::FEATURES == 0).then_some(own)
}

/// What a hook calls, and how.
pub struct Call {
    pub kind: Kind,
    pub how: How,
    pub intent: Intent,
    /// Its name, for people.
    pub name: &'static str,
}

/// A real function of one argument, the lock: only as a value, so that the fast path keeps nothing in memory for the slow one.
pub type Real = unsafe extern "C" fn(*mut c_void) -> c_int;

const ERRORS: Errors = Errors {
    busy: libc::EBUSY,
    timed_out: libc::ETIMEDOUT,
    owner_dead: libc::EOWNERDEAD,
    interrupted: libc::EINTR,
    again: libc::EAGAIN,
    deadlock: libc::EDEADLK,
};

/// Where glibc keeps the kind of a mutex (`struct __pthread_mutex_s`): static initialisers of programs write it.
const MUTEX_KIND_AT: usize = if cfg!(target_pointer_width = "64") { 16 } else { 12 };
/// And whether an rwlock is shared with other processes (`struct __pthread_rwlock_arch_t`): a byte before its flags, which are part
/// of the ABI for the same reason; an int where words are large.
const RWLOCK_SHARED_AT: usize = if cfg!(target_pointer_width = "64") { 28 } else { 25 };

/// Does libc know who has this mutex, and refuse everybody else's unlock? PTHREAD_MUTEX_PRIO_INHERIT_NP is 0x20.
///
/// # Safety
/// `mutex` points to a mutex.
unsafe fn knows_owner(mutex: usize) -> bool {
    // SAFETY: the caller's.
    let kind = unsafe { core::ptr::read_volatile((mutex + MUTEX_KIND_AT) as *const i32) };
    let kinds = [libc::PTHREAD_MUTEX_RECURSIVE, libc::PTHREAD_MUTEX_ERRORCHECK];
    kinds.contains(&(kind & 3)) || kind & 0x30 != 0
}

/// Of a mutex: its flags, and whether libc refuses to lock it twice.
///
/// # Safety
/// `mutex` points to a mutex.
#[inline(always)]
pub unsafe fn mutex_flags(mutex: usize) -> (u32, bool) {
    // SAFETY: the caller's.
    let kind = unsafe { core::ptr::read_volatile((mutex + MUTEX_KIND_AT) as *const i32) };
    if kind & 0xff == 0 {
        return (0, false);
    }
    let mut flags = 0;
    if kind & 3 == libc::PTHREAD_MUTEX_RECURSIVE {
        flags |= What::RECURSIVE;
    }
    // PTHREAD_MUTEX_ROBUST_NORMAL_NP and PTHREAD_MUTEX_PSHARED_BIT (glibc nptl/pthreadP.h).
    if kind & 0x10 != 0 {
        flags |= What::ROBUST;
    }
    if kind & 0x80 != 0 {
        flags |= What::SHARED;
    }
    (flags, kind & 3 == libc::PTHREAD_MUTEX_ERRORCHECK)
}

/// # Safety
/// `lock` points to an rwlock.
#[inline(always)]
unsafe fn rwlock_flags(lock: usize) -> u32 {
    // SAFETY: the caller's.
    let shared = unsafe { core::ptr::read_volatile((lock + RWLOCK_SHARED_AT) as *const u8) };
    if shared != 0 { What::SHARED } else { 0 }
}

/// What a hold of this lock is, and whether libc refuses a second one.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
#[inline(always)]
unsafe fn what_of(lock: usize, call: &Call, epoch: u16) -> (What, bool) {
    let (flags, refuses) = match call.kind {
        // SAFETY: the caller's.
        Kind::Mutex => unsafe { mutex_flags(lock) },
        // SAFETY: the caller's.
        Kind::RwLock => (unsafe { rwlock_flags(lock) }, false),
        _ => (0, false),
    };
    (What::new(call.kind, call.how, flags, epoch), refuses)
}

/// Takes a lock. `attempt` does not wait, `wait` may: both are the real functions. What libc answers, or EDEADLK where
/// `protect` keeps the thread from waiting for itself.
///
/// # Safety
/// `lock` points to a lock of the call's kind; the functions are libc's, known to a registered thread.
#[inline(always)]
pub unsafe fn acquire(lock: *mut c_void, place: u64, call: &'static Call, reals: impl Fn() -> [Real; 2]) -> c_int {
    let at = lock as usize;
    let mut first = None;
    if let Some(own) = plain() {
        let destroyed = call.kind != Kind::Mutex && record(at).is_destroyed(at);
        if !destroyed && own.holder.find(at).is_none() {
            // Where there is one thread, nobody waits, and libc's lock is faster than its try: it needs no atomic.
            let [attempt, wait] = reals();
            // SAFETY: the caller's.
            let result = unsafe { if thread::alone() { wait(lock) } else { attempt(lock) } };
            if result == 0 {
                // SAFETY: the caller's.
                let (what, _) = unsafe { what_of(at, call, own.epoch()) };
                return took(own, at, place, what);
            }
            first = Some(result);
        }
    }
    if off() {
        // SAFETY: the caller's.
        return unsafe { reals()[1](lock) };
    }
    // SAFETY: the caller's.
    unsafe {
        match first {
            None if features() => followed::acquire(lock, place, call, reals()),
            _ => acquire_by(at, place, call, first, reals()),
        }
    }
}

/// # Safety
/// As [`acquire`].
#[cold]
#[inline(never)]
unsafe fn acquire_by(
    lock: usize,
    place: u64,
    call: &'static Call,
    first: Option<c_int>,
    [attempt, wait]: [Real; 2],
) -> c_int {
    let lock_at = lock as *mut c_void;
    // SAFETY: the caller's.
    unsafe { acquire_slowly(lock, place, call, first, &|| attempt(lock_at), &|| wait(lock_at)) }
}

/// As [`acquire`] for a call that does not wait.
///
/// # Safety
/// As there.
#[inline(always)]
pub unsafe fn try_acquire(lock: *mut c_void, place: u64, call: &'static Call, real: impl Fn() -> Real) -> c_int {
    let at = lock as usize;
    let mut first = None;
    let destroyed = call.kind != Kind::Mutex && record(at).is_destroyed(at);
    if let Some(own) = plain().filter(|_| !destroyed) {
        // SAFETY: the caller's.
        let result = unsafe { real()(lock) };
        if result == libc::EBUSY {
            return result;
        }
        if result == 0 && own.holder.find(at).is_none() {
            // SAFETY: the caller's.
            let (what, _) = unsafe { what_of(at, call, own.epoch()) };
            return took(own, at, place, what);
        }
        first = Some(result);
    }
    if off() {
        // SAFETY: the caller's.
        return unsafe { real()(lock) };
    }
    // SAFETY: the caller's.
    unsafe {
        match first {
            None if features() => followed::acquire(lock, place, call, [real(); 2]),
            _ => acquire_by(at, place, call, first, [real(); 2]),
        }
    }
}

/// As [`acquire`] for a call that waits for so long: no try comes first, because the real call looks at the time first.
///
/// # Safety
/// As there.
#[inline(never)]
pub unsafe fn wait_for(lock: *mut c_void, place: u64, call: &'static Call, wait: &dyn Fn() -> c_int) -> c_int {
    // SAFETY: the caller's.
    unsafe { acquire_slowly(lock as usize, place, call, Some(libc::EBUSY), wait, wait) }
}

/// Onto the list; 0.
#[inline(always)]
fn took(own: &Own, lock: usize, place: u64, what: What) -> c_int {
    let record = record(lock);
    if !own.holder.push(lock, place as usize, what) || !record.is_known(lock) {
        now_known(own, &HoldFacts { lock, place: place as usize, what, ..HoldFacts::default() });
    }
    0
}

#[cold]
#[inline(never)]
fn now_known(own: &Own, hold: &HoldFacts) {
    let lock = hold.lock;
    memory::took_in(lock);
    if own.holder.is_beyond() && own.holder.find(lock).is_none() && own.holder.make_room() {
        own.holder.push_again(hold);
    }
    if own.holder.is_beyond() {
        crate::recording::count(record::layout::Counter::HoldsUntracked);
        record(lock).forget(lock);
        return;
    }
    let tid = thread::current().map_or(0, |state| state.tid.load(Relaxed));
    record(lock).known(lock, hold.what.kind(), actor_word(tid, own.epoch()));
}

/// The slow way of [`acquire`].
///
/// # Safety
/// As there.
#[cold]
#[inline(never)]
unsafe fn acquire_slowly(
    lock: usize,
    place: u64,
    call: &'static Call,
    first: Option<c_int>,
    attempt: &dyn Fn() -> c_int,
    wait: &dyn Fn() -> c_int,
) -> c_int {
    let errno = sys::errno();
    let state = match thread::enter_for_lock() {
        Entry::Full(mut scope) if on() => {
            before(&mut scope, lock, call);
            scope.state
        }
        _ => {
            return match first {
                Some(result) if matches!(result, 0 | libc::EOWNERDEAD) || call.intent == Intent::Try => result,
                _ => wait(),
            };
        }
    };
    let mut waited = None;
    let result = match first.unwrap_or_else(attempt) {
        // SAFETY: the caller's.
        libc::EBUSY if call.intent == Intent::Lock && unsafe { is_refused(lock, call) } => {
            sys::set_errno(errno);
            return libc::EDEADLK;
        }
        // Expected of a lock that waits, and of nothing else.
        libc::EBUSY if call.intent != Intent::Try => waiting(state, lock, call, wait, &mut waited),
        0 => 0,
        libc::EOWNERDEAD => libc::EOWNERDEAD,
        libc::EBUSY => libc::EBUSY,
        other if call.intent == Intent::Try => other,
        // What else is wrong, the real call says itself.
        _ => wait(),
    };
    sys::set_errno(errno);
    if let Entry::Full(mut scope) = thread::enter() {
        // SAFETY: the caller's.
        unsafe { after(&mut scope, lock, place, call, result, waited) };
        drop(scope);
        sys::set_errno(errno);
    }
    result
}

/// The real call that may wait, with the thread seen to wait, and for how long, ns.
fn waiting(
    state: &'static thread::State,
    lock: usize,
    call: &'static Call,
    wait: &dyn Fn() -> c_int,
    waited: &mut Option<u64>,
) -> c_int {
    if let Entry::Full(mut scope) = thread::enter() {
        waits::begin(&mut scope, lock, call);
    }
    let begun = if times::on() { crate::clock::now() } else { 0 };
    let result = wait();
    waits::end(state);
    if times::on() {
        *waited = Some(crate::clock::now().saturating_sub(begun));
    }
    result
}

/// Is there anything against this call?
fn before(scope: &mut Scope, lock: usize, call: &'static Call) {
    start::notice_fork();
    watch::look(scope);
    heard::not(scope);
    let own = &scope.state.locks;
    if own.epoch() != start::epoch() {
        own.begin();
    }
    if call.kind != Kind::Mutex && record(lock).is_destroyed(lock) {
        destroyed::used(scope, lock, call);
    }
}

/// The lock is not to be had at once. Is it the thread itself that has it, and would it wait for ever? Then that is said, before
/// it does, and with `protect` it does not. Asked after the try: what the list has and the lock has not is no hold any more.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
unsafe fn is_refused(lock: usize, call: &'static Call) -> bool {
    let Entry::Full(mut scope) = thread::enter() else { return false };
    let own = &scope.state.locks;
    let Some(held) = own.holder.holding(lock) else { return false };
    if !held.what.counts(own.epoch()) {
        holds::stale(own, lock);
        return false;
    }
    // SAFETY: the caller's.
    let (_, refuses) = unsafe { what_of(lock, call, own.epoch()) };
    let again = rules::waits_for_itself(held.what, call.how, refuses);
    if again == Again::Fine {
        return false;
    }
    report::waits_for_itself(&mut scope, lock, call, &held, again);
    if options::locks_mode() == Mode::Protect {
        crate::recording::count(record::layout::Counter::LocksRefused);
        failed(&mut scope, lock, call, libc::EDEADLK, Some(held));
        return true;
    }
    false
}

/// The real call has answered.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
unsafe fn after(scope: &mut Scope, lock: usize, place: u64, call: &'static Call, result: c_int, waited: Option<u64>) {
    let own = &scope.state.locks;
    if result == 0 || result == libc::EOWNERDEAD {
        // SAFETY: the caller's.
        let (what, _) = unsafe { what_of(lock, call, own.epoch()) };
        if order::on() || times::on() {
            followed::taken_slowly(scope, lock, place, what, call, waited);
        } else {
            holds::taken(scope, lock, place, what);
        }
        settled(scope, lock);
    } else if rules::failed(call.kind, call.intent, result, &ERRORS) {
        let held = own.holder.holding(lock);
        if !heard::may_be(scope, lock, place, call, result, held) {
            report::failed(scope, lock, call, result, held);
        }
        failed(scope, lock, call, result, held);
    }
}

/// A call has failed: what the thread makes of it will show.
fn failed(scope: &mut Scope, lock: usize, call: &'static Call, error: c_int, held: Option<HoldFacts>) {
    if !matches!(call.intent, Intent::Lock | Intent::Timed) {
        return;
    }
    let own = &scope.state.locks;
    let holds = own.holder.len() as u32;
    let what = held.map_or(What::new(call.kind, call.how, 0, own.epoch()), |h| h.what);
    let stack = scope.stack_unasked();
    let time = crate::clock::now();
    let errno = error as u16;
    let failure = Failure { lock, what, errno, stack, holds, call: call.name, time, let_go: 0 };
    at_hand::note(scope, &failure);
    scope.inner().failures.add(failure);
    scope.state.locks.attention.fetch_or(attention::FAILED, Relaxed);
}

/// The thread has the lock after all: what failed before was looked at. But not if it has let go meanwhile what it had: then
/// nothing shows that anybody looked, and the evidence is told.
fn settled(scope: &mut Scope, lock: usize) {
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED != 0 {
        let failure = scope.inner().failures.take(lock);
        nothing_failed(scope);
        if let Some(failure) = failure.filter(|failure| failure.let_go != 0) {
            at_hand::ignored(scope, lock);
            report::ignored(scope, &failure, record::lock::act::UNLOCK, Severity::Suspect);
        }
    }
}

/// The thread lets go of a lock that it has, and that it failed to take once more. What it had it may let go: what it does next
/// with the lock will tell.
fn let_go_after_failure(scope: &mut Scope, lock: usize) {
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED == 0 {
        return;
    }
    let stack = scope.stack_unasked();
    if let Some(failure) = scope.inner().failures.of(lock).filter(|failure| failure.let_go == 0) {
        failure.let_go = stack;
    }
}

/// The fast path is open again when no failure is.
fn nothing_failed(scope: &mut Scope) {
    if scope.inner().failures.is_empty() {
        scope.state.locks.attention.fetch_and(!attention::FAILED, Relaxed);
    }
}

/// The thread goes on with a lock that it failed to take: L2. True: that was said.
///
/// Asked where it cannot be in the right: it lets go what it does not have, or destroys what it has. A thread that was refused
/// what it had already (EDEADLK), that looked, and that lets go what it had, may be in the right: see [`let_go_after_failure`].
fn went_on(scope: &mut Scope, lock: usize, act: u8) -> bool {
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED == 0 {
        return false;
    }
    let failure = scope.inner().failures.take(lock);
    nothing_failed(scope);
    if let Some(failure) = &failure {
        at_hand::ignored(scope, lock);
        report::ignored(scope, failure, act, Severity::Error);
    }
    failure.is_some()
}

/// Lets a lock go: `call` is the real function.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
#[inline(always)]
pub unsafe fn release(lock: *mut c_void, place: u64, call: &'static Call, real: impl Fn() -> Real) -> c_int {
    let at = lock as usize;
    // Off the list first: once it is let go, another thread may destroy it, and must not find it held.
    match plain_unlock() {
        Some(own) if own.holder.pop(at) => {
            // SAFETY: the caller's.
            let result = unsafe { real()(lock) };
            if result != 0 {
                // SAFETY: the caller's.
                unsafe { not_released(at, place, call, result) };
            }
            result
        }
        // SAFETY: the caller's.
        _ if off() => unsafe { real()(lock) },
        // SAFETY: the caller's.
        _ if times::on() => unsafe { followed::release(lock, place, call, real()) },
        // SAFETY: the caller's.
        _ => unsafe { release_slowly(lock, place, call, real()) },
    }
}

/// A lock of ours that libc would not let go.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
#[cold]
#[inline(never)]
unsafe fn not_released(lock: usize, place: u64, call: &'static Call, result: c_int) {
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter() {
        // SAFETY: the caller's.
        let (what, _) = unsafe { what_of(lock, call, scope.state.locks.epoch()) };
        let held = HoldFacts { lock, place: place as usize, what, ..HoldFacts::default() };
        report::failed(&mut scope, lock, call, result, Some(held));
    }
    sys::set_errno(errno);
}

/// The slow way of [`release`].
///
/// # Safety
/// As there.
#[cold]
#[inline(never)]
unsafe fn release_slowly(lock: *mut c_void, place: u64, call: &'static Call, real: Real) -> c_int {
    let errno = sys::errno();
    let mut judged = false;
    match thread::enter_for_lock() {
        Entry::Full(mut scope) => {
            if on() {
                // SAFETY: the caller's.
                judged = unsafe { letting_go(&mut scope, lock as usize, call) };
            }
            drop(scope);
            sys::set_errno(errno);
        }
        // A handler lets go what it has taken itself.
        Entry::Nested(state) => {
            let holder = &state.locks.holder;
            holder.find(lock as usize).inspect(|at| holder.remove(*at));
        }
        Entry::Out => {}
    }
    // SAFETY: the caller's.
    let result = unsafe { real(lock) };
    if result != 0 && !judged {
        // SAFETY: the caller's.
        unsafe { not_released(lock as usize, place, call, result) };
    }
    result
}

/// Off the list; what is wrong with it is said. True: it has been said.
///
/// # Safety
/// `lock` points to a lock of the call's kind.
unsafe fn letting_go(scope: &mut Scope, lock: usize, call: &'static Call) -> bool {
    if call.kind != Kind::Mutex && record(lock).is_destroyed(lock) {
        destroyed::used(scope, lock, call);
    }
    if scope.state.locks.attention.load(Relaxed) & attention::FAILED != 0 && scope.inner().failures.grow_old() {
        nothing_failed(scope);
    }
    start::notice_fork();
    watch::look(scope);
    heard::not(scope);
    let own = &scope.state.locks;
    if let Some(at) = own.holder.find(lock) {
        let Some(held) = own.holder.facts(at) else { return false };
        if held.what.kind() != call.kind {
            report::of_another_kind(scope, lock, call, &held);
            return true;
        }
        holds::let_go(scope, at, &held);
        let_go_after_failure(scope, lock);
        return false;
    }
    if own.holder.pop_beyond() {
        return false;
    }
    if went_on(scope, lock, record::lock::act::UNLOCK) {
        return true;
    }
    let elsewhere = holds::elsewhere(scope, lock);
    let known = record(lock).facts(lock);
    let epoch = start::epoch();
    match rules::unlocking(elsewhere.map(|(_, held)| held.what), known.as_ref(), epoch) {
        Unlocking::Unknown => false,
        found => {
            report::unlock_of_anothers(scope, lock, call, found, elsewhere);
            // SAFETY: the caller's.
            elsewhere.inspect(|(holder, _)| unsafe { holds::handed(holder, lock, call) });
            true
        }
    }
}

/// Can a thread hold it?
const fn has_owner(kind: Kind) -> bool {
    !matches!(kind, Kind::Cond | Kind::Barrier | Kind::Sem)
}

/// A lock is about to be initialised.
pub fn initialising(lock: *mut c_void, call: &'static Call) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        start::notice_fork();
        heard::not(&mut scope);
        if has_owner(call.kind) {
            holds::gone(&mut scope, lock as usize, call, record::lock::act::INIT);
        }
        watch::gone(lock as usize);
        settled(&mut scope, lock as usize);
    }
    sys::set_errno(errno);
}

/// The real initialisation has answered.
pub fn initialised(lock: *mut c_void, call: &'static Call, result: c_int) {
    if !on() {
        return;
    }
    if result != 0 {
        return answered(lock, call, result);
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let lock = lock as usize;
        let stack = StackId(scope.stack_unasked());
        let actor = actor_word(scope.state.tid.load(Relaxed), start::epoch());
        record(lock).lived(lock, call.kind, State::Initialised, actor, stack, 0);
        order::ends(&scope, lock);
    }
    sys::set_errno(errno);
}

/// A lock is about to be destroyed. True: something was said about it.
pub fn destroying(lock: *mut c_void, call: &'static Call) -> bool {
    if !on() {
        return false;
    }
    let errno = sys::errno();
    let mut said = false;
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let lock = lock as usize;
        start::notice_fork();
        heard::not(&mut scope);
        if call.kind != Kind::Mutex && record(lock).is_destroyed(lock) {
            said = destroyed::used(&mut scope, lock, call);
        }
        if scope.state.locks.holder.find(lock).is_some() {
            went_on(&mut scope, lock, record::lock::act::DESTROY);
        }
        said |= has_owner(call.kind) && holds::gone(&mut scope, lock, call, record::lock::act::DESTROY);
        watch::gone(lock);
    }
    sys::set_errno(errno);
    said
}

/// The real destruction has answered.
pub fn destroyed(lock: *mut c_void, call: &'static Call, result: c_int, said: bool) {
    if !on() {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        let lock = lock as usize;
        if result == 0 {
            let stack = StackId(scope.stack_unasked());
            let actor = actor_word(scope.state.tid.load(Relaxed), start::epoch());
            // SAFETY: libc has just destroyed it.
            let looks = unsafe { destroyed::looks(lock, call.kind) };
            if !destroyed::is_shared(lock, call.kind) {
                record(lock).lived(lock, call.kind, State::Destroyed, actor, stack, looks);
            }
            order::ends(&scope, lock);
        } else if !said {
            report::failed(&mut scope, lock, call, result, None);
        }
    }
    sys::set_errno(errno);
}

/// Any other call has answered with an error number.
#[inline(always)]
pub fn answered(lock: *mut c_void, call: &'static Call, result: c_int) {
    if result != 0 {
        answered_otherwise(lock, call, result);
    }
}

#[cold]
#[inline(never)]
fn answered_otherwise(lock: *mut c_void, call: &'static Call, result: c_int) {
    if !on() || !rules::failed(call.kind, call.intent, result, &ERRORS) {
        return;
    }
    let errno = sys::errno();
    if let Entry::Full(mut scope) = thread::enter_for_lock() {
        report::failed(&mut scope, lock as usize, call, result, None);
    }
    sys::set_errno(errno);
}

/// The calling thread ends, after its key destructors: L7.
pub fn thread_ends(scope: &mut Scope) {
    watch::thread_ends(scope);
    heard::not(scope);
    memory::stack_goes(scope);
    let own = &scope.state.locks;
    for held in own.holder.all() {
        record(held.lock).forget(held.lock);
        let expected = held.what.has(What::ROBUST | What::SHARED | What::TOLD)
            || held.what.epoch() != start::epoch()
            || held.what.kind() == Kind::Once;
        if !expected {
            report::held_at_end(scope, &held);
        }
    }
    scope.state.locks.holder.clear();
    scope.inner().failures.clear();
}

/// In a forked child: what others held is nobody's now, and what the thread itself held it holds on.
pub fn after_fork() {
    if !on() {
        return;
    }
    let me = thread::current().map(core::ptr::from_ref);
    for state in thread::registry().filter(|state| Some(core::ptr::from_ref(*state)) != me) {
        state.locks.holder.clear();
    }
    thread::current().inspect(|state| {
        state.locks.holder.waits_no_more();
        state.locks.begin();
    });
    watch::after_fork();
    order::after_fork();
    // SAFETY: pages of our own table, of atomics that are valid while zero; this thread is the only one.
    unsafe { libc::madvise((&raw const TABLE).cast_mut().cast(), size_of::<Records>(), libc::MADV_DONTNEED) };
}
