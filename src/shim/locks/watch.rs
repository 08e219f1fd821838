//! `lock_watch=1`, L11: what an rwlock protects is written while it is held for reading only.
//!
//! ```text
//! readers 0 → 1   the heap block that the lock lies in is copied
//! readers 1 → 0   and compared, before the real unlock: no writer can have been there meanwhile
//! a change        its kind of word (size of the block, place of the lock in it, offset) is suspected: whoever reads such a
//!                 block next watches that word (breakpoint) until it lets the lock go; all other threads that come by a lock
//!                 watch the word that changed
//! the word is written   by an ordinary instruction of a reader that has no other lock:   error, with the stack of the write
//!                       of a thread that has no lock at all:                             suspect, with the stack of the write
//!                       by an atomic one, or under another lock:                         information
//! nobody is caught      after [`CHANGES`] changes, or at the end: suspect; but information, when other locks were held for themselves
//!                       meanwhile, or lie in the block: one of them may protect the word
//! ```
//!
//! Why the change alone is not told at once: reference counts, time stamps and statistics change in objects that are locked for
//! reading, and rightly so. Where there are no watchpoints it is told, as suspect.
//!
//! Why the block: of all memory that a lock may protect it is the one of which it can be said without asking the program. Locks
//! in the block are left out, with `heap=full` only: it knows blocks.
//!
//! **What is looked at.** [`KEPT`] bytes of a block, around the lock where it is larger. A lock whose place in the table is taken
//! by another one that is being read is not watched for that time.
//!
//! **Right counts.** `taken` runs after the real call, `letting_go` before it: while a thread is counted it holds the lock. One
//! that is not counted can only end a comparison early. One that is counted for ever, because its unlock was not seen, would have
//! the next writer's work compared: so a writer, who was let in, sets the count to nothing.
#![allow(unsafe_code)] // Safety: watches and targets are reached under their locks; program memory is read while a lock in it is held.

use super::breakpoint::{self, Event};
use super::{record, report};
use crate::heap::{self, Level, shadow};
use crate::spin::Spin;
use crate::thread::{self, Scope};
use crate::{options, private, start as process, sys, unwind};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};
use record::findings::Lock;
use record::kind::{Role, Severity};
use record::lock::act;
use track::heap::{Facts, State};
use track::lock::{HoldFacts, Kind, Mode, What, instruction};

/// Locks that are watched at a time.
const WATCHES: usize = 1024;
/// Bytes of a block that are looked at.
const KEPT: usize = 1024;
const WORD: usize = size_of::<usize>();
/// Kinds of words that are suspected at a time.
const TARGETS: usize = 32;
/// So many changes of a word, while those who read its block are watched, and nobody is caught: its writer does not hold the lock.
const CHANGES: u32 = 16;
/// So many writes are told or excused; then the word is watched no more.
const WRITES: u32 = 1000;
const EXCUSED: u32 = 16;
/// Changed words of a block that are judged.
const WORDS: usize = 8;

/// A lock that is held for reading, or was. All zero: none.
struct Watch {
    lock: usize,
    readers: u32,
    /// It lies in no block.
    nowhere: bool,
    block: usize,
    life: Life,
    /// What is looked at.
    from: usize,
    len: usize,
    /// [`EXCLUSIVES`] when it was copied.
    exclusives: u32,
    copy: [usize; KEPT / WORD],
}

/// Which block it is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Life {
    size: u64,
    born: u32,
    stack: u32,
    tid: u32,
}

impl Life {
    fn of(facts: &Facts) -> Self {
        let allocator = facts.allocator;
        Self { size: facts.size, born: facts.born, stack: allocator.stack.0, tid: allocator.tid.0 }
    }

    fn now(block: usize) -> Option<Self> {
        let facts = shadow::entry(block)?.facts()?;
        (facts.state == State::Live && facts.low == shadow::low(block)).then(|| Self::of(&facts))
    }
}

struct Place {
    held: Spin,
    watch: UnsafeCell<Watch>,
}

static TABLE: AtomicPtr<Place> = AtomicPtr::new(core::ptr::null_mut());

/// A word of a kind of block, that was written under a read lock.
#[derive(Clone, Copy)]
struct Target {
    used: bool,
    /// The block's size, where in it the lock lies, and the word: so many objects of one type are one.
    size: u64,
    lock_at: u64,
    at: u64,
    changes: u32,
    writes: u32,
    excused: u32,
    /// It has been told, or is watched no more.
    told: bool,
    /// The first change, and who had the lock then.
    lock: Lock,
    reader: (u32, u32),
    allocator: (u32, u32),
}

struct Targets {
    held: Spin,
    all: UnsafeCell<[Target; TARGETS]>,
}

// SAFETY: `all` is reached under the lock only.
unsafe impl Sync for Targets {}

const NO_TARGET: Target = Target {
    used: false,
    size: 0,
    lock_at: 0,
    at: 0,
    changes: 0,
    writes: 0,
    excused: 0,
    told: false,
    lock: Lock {
        address: 0,
        kind: 0,
        mode: 0,
        act: 0,
        errno: 0,
        place: 0,
        other: 0,
        other_kind: 0,
        other_place: 0,
        block: 0,
        block_size: 0,
        offset: 0,
        old: 0,
        new: 0,
        time: 0,
    },
    reader: (0, 0),
    allocator: (0, 0),
};

static SUSPECTED: Targets = Targets { held: Spin::new(), all: UnsafeCell::new([NO_TARGET; TARGETS]) };
/// Targets that are to be watched.
static WANTED: AtomicU32 = AtomicU32::new(0);

/// What a thread has of its own, under the guard.
#[derive(Default)]
pub struct Watching {
    /// Of the process that the event belongs to: a forked child has neither event nor ring.
    epoch: u16,
    event: Option<Event>,
    /// The lock in whose block a word is watched now.
    lock: usize,
    /// Only while the thread has that lock for reading.
    near: bool,
    /// The word that is watched; 0: none.
    address: usize,
    target: usize,
}

/// The word that changed last without anybody having been caught, for threads that have nothing nearer to watch.
static HOT: Spin = Spin::new();
static HOT_ADDRESS: AtomicUsize = AtomicUsize::new(0);
static HOT_LOCK: AtomicUsize = AtomicUsize::new(0);
static HOT_TARGET: AtomicU32 = AtomicU32::new(0);

/// How often a lock was taken for one thread alone, or let go by it.
static EXCLUSIVES: AtomicU32 = AtomicU32::new(0);

/// At start, with the heap's level known.
pub fn start() {
    if options::lock_watch() && heap::level() == Level::Full {
        TABLE.store(sys::map_sparse(WATCHES * size_of::<Place>()) as *mut Place, Release);
    }
}

/// Is it done?
pub fn on() -> bool {
    !TABLE.load(Relaxed).is_null()
}

/// Runs `f` with the place of this lock, which may be another's at this time.
fn at<R>(lock: usize, f: impl FnOnce(&mut Watch) -> R) -> Option<R> {
    let table = TABLE.load(Acquire);
    if table.is_null() {
        return None;
    }
    let hash = (lock as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - WATCHES.trailing_zeros());
    // SAFETY: the mapping of `start`, which is never unmapped, and of which zero is valid; the watch is reached under its lock.
    unsafe {
        let place = &*table.add(hash as usize % WATCHES);
        let _held = place.held.hold();
        Some(f(&mut *place.watch.get()))
    }
}

fn targets<R>(f: impl FnOnce(&mut [Target; TARGETS]) -> R) -> R {
    let _held = SUSPECTED.held.hold();
    // SAFETY: under the lock.
    f(unsafe { &mut *SUSPECTED.all.get() })
}

/// # Safety
/// The word lies in a live block.
unsafe fn word_at(at: usize) -> usize {
    // SAFETY: the caller's.
    unsafe { core::ptr::read_volatile(at as *const usize) }
}

impl Watch {
    /// Finds the block, unless it is known. False: there is none.
    fn locate(&mut self) -> bool {
        if self.nowhere || self.block != 0 && Life::now(self.block) == Some(self.life) {
            return !self.nowhere;
        }
        let size = size_of::<libc::pthread_rwlock_t>();
        let found = shadow::around(self.lock).filter(|(start, facts)| self.lock + size <= start + facts.size as usize);
        let Some((start, facts)) = found else {
            self.nowhere = true;
            return false;
        };
        (self.block, self.life) = (start, Life::of(&facts));
        let (len, whole) = (KEPT.min(facts.size as usize), facts.size as usize);
        let ahead = (self.lock - start + size / 2).saturating_sub(KEPT / 2).min(whole - len);
        // Whole words of the block: blocks are aligned to more.
        self.from = start + ahead / WORD * WORD;
        self.len = len / WORD * WORD;
        true
    }

    fn take_copy(&mut self) {
        self.exclusives = EXCLUSIVES.load(Relaxed);
        for (at, word) in self.copy.iter_mut().take(self.len / WORD).enumerate() {
            // SAFETY: a live block; the thread holds a lock in it.
            *word = unsafe { word_at(self.from + at * WORD) };
        }
    }

    /// The words that are not what they were: where, before, now.
    fn changes(&self, out: &mut [(usize, usize, usize); WORDS]) -> usize {
        let mut len = 0;
        for (i, old) in self.copy.iter().take(self.len / WORD).enumerate() {
            let at = self.from + i * WORD;
            // SAFETY: as above.
            let new = unsafe { word_at(at) };
            if new != *old && len < WORDS && lock_around(at, self.lock).is_none() {
                out[len] = (at, *old, new);
                len += 1;
            }
        }
        len
    }

    /// The copy of a word.
    fn copy_of(&self, at: usize) -> Option<usize> {
        (self.from..self.from + self.len).contains(&at).then(|| self.copy[(at - self.from) / WORD])
    }
}

fn size_of_lock(kind: Kind) -> usize {
    match kind {
        Kind::Mutex => size_of::<libc::pthread_mutex_t>(),
        Kind::RwLock => size_of::<libc::pthread_rwlock_t>(),
        Kind::Cond => size_of::<libc::pthread_cond_t>(),
        Kind::Barrier => size_of::<libc::pthread_barrier_t>(),
        Kind::Sem => size_of::<libc::sem_t>(),
        _ => size_of::<u32>(),
    }
}

/// The lock that a word belongs to: this one, or any other that is known.
fn lock_around(word: usize, lock: usize) -> Option<usize> {
    if word + WORD > lock && word < lock + size_of::<libc::pthread_rwlock_t>() {
        return Some(lock);
    }
    let first = (word + WORD).saturating_sub(size_of::<libc::pthread_rwlock_t>()) & !3;
    (first..word + WORD).step_by(4).find(|at| record(*at).facts(*at).is_some_and(|f| at + size_of_lock(f.kind) > word))
}

/// Is there another lock in what is looked at?
fn has_another(from: usize, len: usize, lock: usize) -> bool {
    (from..from + len).step_by(4).any(|at| at != lock && record(at).facts(at).is_some())
}

/// The thread has taken a lock.
pub fn taken(scope: &mut Scope, held: &HoldFacts) {
    if !on() {
        return;
    }
    if held.what.mode() == Mode::Exclusive {
        EXCLUSIVES.fetch_add(1, Relaxed);
    }
    if held.what.kind() == Kind::RwLock && !held.what.has(What::SHARED) {
        counted(scope, held);
    }
    if WANTED.load(Relaxed) != 0 && HOT_ADDRESS.load(Relaxed) != 0 {
        roam(scope);
    }
}

fn counted(scope: &mut Scope, held: &HoldFacts) {
    if held.what.mode() != Mode::Read {
        at(held.lock, |watch| {
            if watch.lock == held.lock {
                watch.readers = 0;
            }
        });
        return;
    }
    let block = at(held.lock, |watch| {
        if watch.lock != held.lock {
            if watch.readers != 0 {
                return None;
            }
            (watch.lock, watch.nowhere, watch.block) = (held.lock, false, 0);
        }
        watch.readers += 1;
        let there = if watch.readers == 1 { watch.locate() } else { watch.block != 0 && !watch.nowhere };
        if there && watch.readers == 1 {
            watch.take_copy();
        }
        there.then_some((watch.block, watch.life))
    });
    if let Some((block, life)) = block.flatten().filter(|_| WANTED.load(Relaxed) != 0) {
        aim(scope, held.lock, block, &life);
    }
}

/// Watches a word of the block, when it is of a kind that is suspected.
#[cold]
fn aim(scope: &mut Scope, lock: usize, block: usize, life: &Life) {
    let lock_at = (lock - block) as u64;
    let found = targets(|all| {
        let its = |t: &Target| t.used && !t.told_enough() && t.size == life.size && t.lock_at == lock_at;
        let candidates = all.iter().enumerate().filter(|(_, target)| its(target));
        candidates.min_by_key(|(_, target)| target.writes + target.excused).map(|(i, target)| (i, target.at))
    });
    let Some((target, offset)) = found else { return };
    if offset as usize + WORD <= life.size as usize {
        own(scope).arm(lock, block + offset as usize, target, true);
    }
}

/// Watches the word that changed last, when there is nothing nearer.
#[cold]
fn roam(scope: &mut Scope) {
    let (lock, address, target) = {
        let _held = HOT.hold();
        (HOT_LOCK.load(Relaxed), HOT_ADDRESS.load(Relaxed), HOT_TARGET.load(Relaxed) as usize)
    };
    let watching = own(scope);
    if address != 0 && watching.address != address {
        watching.arm(lock, address, target, false);
    }
}

impl Watching {
    /// `near`: until the thread lets the lock go. What is watched near is not given up for what is not.
    fn arm(&mut self, lock: usize, address: usize, target: usize, near: bool) {
        if self.near {
            return;
        }
        if self.event.is_none() {
            self.event = Event::open(address);
        }
        // What was seen of another word is not of this one.
        self.event.as_ref().inspect(|event| event.drain(&mut |_| {}));
        if self.event.as_ref().is_some_and(|event| event.arm(address)) {
            (self.lock, self.address, self.target, self.near) = (lock, address, target, near);
        }
    }

    fn disarm(&mut self) {
        self.event.as_ref().inspect(|event| event.disarm());
        (self.lock, self.address, self.near) = (0, 0, false);
    }
}

impl Target {
    fn told_enough(&self) -> bool {
        self.writes >= WRITES || self.writes == 0 && (self.told || self.excused >= EXCUSED)
    }
}

/// Before anything is done about a lock: what has the thread's watchpoint seen? The thread holds what it held then.
#[inline]
pub fn look(scope: &mut Scope) {
    if own(scope).address != 0 {
        look_now(scope);
    }
}

#[cold]
fn look_now(scope: &mut Scope) {
    let mut seen = [([0; breakpoint::FRAMES], 0); 4];
    let mut count = 0;
    let watching = own(scope);
    let (lock, address, target) = (watching.lock, watching.address, watching.target);
    if let Some(event) = &watching.event {
        event.drain(&mut |chain| {
            if let Some((frames, len)) = seen.get_mut(count) {
                frames[..chain.len()].copy_from_slice(chain);
                (*len, count) = (chain.len(), count + 1);
            }
        });
    }
    for (frames, len) in &seen[..count] {
        caught(scope, lock, address, target, &frames[..*len]);
    }
    if WANTED.load(Relaxed) == 0 {
        own(scope).disarm();
    }
}

/// A write to a word that is watched, by the calling thread.
fn caught(scope: &mut Scope, lock: usize, address: usize, target: usize, chain: &[u64]) {
    let holder = &scope.state.locks.holder;
    let held = holder.all().find(|held| held.lock == lock);
    if held.is_some_and(|held| held.what.mode() != Mode::Read) {
        return;
    }
    let protected = holder
        .all()
        .any(|other| other.lock != lock && other.what.mode() == Mode::Exclusive && !other.what.has(What::WAITING));
    let mut code = [0; instruction::LONGEST];
    let wide = cfg!(target_pointer_width = "64");
    let atomic = sys::read_own_memory((chain[0] as usize).wrapping_sub(code.len()), &mut code)
        && instruction::is_atomic(&code, wide);
    let excuse = match (atomic, protected) {
        (true, _) => act::ATOMIC,
        (_, true) => act::PROTECTED,
        _ => act::NONE,
    };
    // The block as it is now: somebody reads it, and it is the one that was meant.
    let seen = at(lock, |watch| {
        let its = watch.lock == lock && watch.readers > 0 && Life::now(watch.block) == Some(watch.life);
        its.then(|| (watch.block, watch.life, watch.copy_of(address)))
    });
    let Some((block, life, before)) = seen.flatten() else { return };
    let found = targets(|all| {
        let target =
            all.get_mut(target).filter(|t| t.used && t.size == life.size && block + t.at as usize == address)?;
        let enough = target.told_enough();
        let first = match (excuse, held) {
            (act::NONE, Some(_)) => {
                target.writes += 1;
                target.told = true;
                true
            }
            (act::NONE, None) => !core::mem::replace(&mut target.told, true),
            _ => {
                target.excused += 1;
                target.excused == 1
            }
        };
        if target.told_enough() && !enough {
            WANTED.fetch_sub(1, Relaxed);
        }
        first.then_some(*target)
    });
    let Some(found) = found else { return };
    // SAFETY: in a live block with a lock that is held for reading.
    let now = unsafe { word_at(address) };
    let mut about = Lock { act: excuse, address: lock as u64, block: block as u64, ..found.lock };
    if let Some(before) = before.filter(|before| *before != now) {
        (about.old, about.new) = (before as u64, now as u64);
    }
    let me = scope.state.tid.load(Relaxed);
    let here = (Role::Here, me, unwind::stack_of_all(scope.state, chain));
    let locked = match &held {
        Some(held) => (Role::Locked, me, report::stack_of_hold(scope, held)),
        None => (Role::Locked, found.reader.0, found.reader.1),
    };
    let severity = match (excuse, held) {
        (act::NONE, Some(_)) => Severity::Error,
        (act::NONE, None) => Severity::Suspect,
        _ => Severity::Info,
    };
    let allocated = (Role::Allocated, found.allocator.0, found.allocator.1);
    report::written_under_read(scope, severity, about, &[here, locked, allocated]);
}

/// The thread is about to let a lock go.
pub fn letting_go(scope: &mut Scope, held: &HoldFacts) {
    if !on() {
        return;
    }
    if held.what.mode() == Mode::Exclusive {
        EXCLUSIVES.fetch_add(1, Relaxed);
    }
    if held.what.kind() != Kind::RwLock || held.what.mode() != Mode::Read {
        return;
    }
    let watching = own(scope);
    if watching.near && watching.lock == held.lock {
        watching.disarm();
    }
    let mut changes = [(0, 0, 0); WORDS];
    let found = at(held.lock, |watch| {
        if watch.lock != held.lock || watch.readers == 0 {
            return None;
        }
        watch.readers -= 1;
        if watch.readers != 0 || watch.nowhere || Life::now(watch.block) != Some(watch.life) {
            return None;
        }
        let len = watch.changes(&mut changes);
        let meanwhile = watch.exclusives != EXCLUSIVES.load(Relaxed);
        (len > 0).then_some((len, watch.block, watch.life, watch.from, watch.len, meanwhile))
    });
    let Some((len, block, life, from, looked_at, meanwhile)) = found.flatten() else { return };
    let excuse = if has_another(from, looked_at, held.lock) {
        act::BESIDE
    } else if meanwhile || any_exclusive() {
        act::MEANWHILE
    } else {
        act::NONE
    };
    for (at, old, new) in &changes[..len] {
        let lock = Lock {
            address: held.lock as u64,
            kind: held.what.kind() as u8,
            mode: held.what.mode() as u8,
            act: excuse,
            block: block as u64,
            block_size: life.size,
            offset: (at - block) as u64,
            old: *old as u64,
            new: *new as u64,
            ..Lock::default()
        };
        changed(scope, held, lock, &life);
    }
}

/// Has any thread a lock for itself?
fn any_exclusive() -> bool {
    let has = |state: &thread::State| state.locks.holder.all().any(|held| held.what.mode() == Mode::Exclusive);
    thread::registry().any(|state| state.is_live() && has(state))
}

/// A word of a block was written while its lock was held for reading.
#[cold]
fn changed(scope: &mut Scope, held: &HoldFacts, lock: Lock, life: &Life) {
    let me = scope.state.tid.load(Relaxed);
    let reader = (me, report::stack_of_hold(scope, held));
    let lock_at = lock.address - lock.block;
    let told = targets(|all| {
        let its = |t: &&Target| t.used && t.size == life.size && t.lock_at == lock_at && t.at == lock.offset;
        if let Some(i) = all.iter().position(|t| its(&t)) {
            let target = &mut all[i];
            target.changes += 1;
            if target.lock.act != act::NONE && lock.act == act::NONE {
                // Nothing excuses this one.
                (target.lock, target.reader) = (lock, reader);
            }
            let caught = target.told || target.writes + target.excused > 0;
            if caught || target.changes < CHANGES && breakpoint::possible() {
                if !caught {
                    look_there(&lock, i);
                }
                return None;
            }
            target.told = true;
            WANTED.fetch_sub(1, Relaxed);
            return Some(*target);
        }
        let i = all.iter().position(|target| !target.used)?;
        let target = &mut all[i];
        let allocator = (life.tid, life.stack);
        *target =
            Target { used: true, size: life.size, lock_at, at: lock.offset, lock, reader, allocator, ..NO_TARGET };
        target.changes = 1;
        WANTED.fetch_add(1, Relaxed);
        if breakpoint::possible() {
            look_there(&lock, i);
            return None;
        }
        target.told = true;
        WANTED.fetch_sub(1, Relaxed);
        Some(*target)
    });
    if let Some(target) = told {
        tell(scope, &target);
    }
}

/// Threads that come by shall watch this word.
fn look_there(lock: &Lock, target: usize) {
    let _held = HOT.hold();
    HOT_LOCK.store(lock.address as usize, Relaxed);
    HOT_TARGET.store(target as u32, Relaxed);
    HOT_ADDRESS.store((lock.block + lock.offset) as usize, Relaxed);
}

/// Nobody was caught.
fn tell(scope: &mut Scope, target: &Target) {
    let locked = (Role::Locked, target.reader.0, target.reader.1);
    let allocated = (Role::Allocated, target.allocator.0, target.allocator.1);
    let severity = if target.lock.act == act::NONE { Severity::Suspect } else { Severity::Info };
    report::written_under_read(scope, severity, target.lock, &[locked, allocated]);
}

/// The process ends, or dies: of what is still suspected nobody was caught.
pub fn at_end(scope: &mut Scope) {
    if !on() {
        return;
    }
    look(scope);
    for i in 0..TARGETS {
        let open = targets(|all| {
            let open = all[i].used && !all[i].told && all[i].writes + all[i].excused == 0;
            open.then(|| {
                all[i].told = true;
                WANTED.fetch_sub(1, Relaxed);
                all[i]
            })
        });
        if let Some(target) = open {
            tell(scope, &target);
        }
    }
}

/// The lock is made or destroyed: where it lay says nothing of the next one.
pub fn gone(lock: usize) {
    if on() {
        at(lock, |watch| {
            if watch.lock == lock {
                (watch.lock, watch.readers) = (0, 0);
            }
        });
    }
}

/// The calling thread ends.
pub fn thread_ends(scope: &mut Scope) {
    look(scope);
    let watching = core::mem::take(own(scope));
    if let Some(event) = watching.event {
        event.close();
    }
}

/// In a forked child: nobody reads, and no watchpoint is its own. The rings are not there, their numbers are.
pub fn after_fork() {
    if !on() {
        return;
    }
    private::drop_events();
    SUSPECTED.held.release();
    HOT.release();
    HOT_ADDRESS.store(0, Relaxed);
    let table = TABLE.load(Acquire);
    // SAFETY: pages of our own table, of which zero is valid; this thread is the only one.
    unsafe { libc::madvise(table.cast(), WATCHES * size_of::<Place>(), libc::MADV_DONTNEED) };
}

/// The calling thread's own.
fn own(scope: &mut Scope) -> &mut Watching {
    let watching = &mut scope.inner().watching;
    if watching.epoch != process::epoch() {
        *watching = Watching { epoch: process::epoch(), ..Watching::default() };
    }
    watching
}
