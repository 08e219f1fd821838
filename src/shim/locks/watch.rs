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
//! nobody is caught      after [`suspects::CHANGES`] changes, or at the end: suspect; but information, when other locks were held for themselves
//!                       meanwhile, or lie in the block: one of them may protect the word
//! ```
//!
//! Why the change alone is not told at once: reference counts, time stamps and statistics change in objects that are locked for
//! reading, and rightly so. Where there are no watchpoints it is told, as suspect.
//!
//! Why the block: of all memory that a lock may protect it is the one of which it can be said without asking the program. Locks
//! in the block are left out, with `heap=full` only: it knows blocks.
//!
//! **What is looked at.** [`blocks::KEPT`] bytes of a block, around the lock where it is larger. A lock whose place in the table is taken
//! by another one that is being read is not watched for that time.
//!
//! **Right counts.** `taken` runs after the real call, `letting_go` before it: while a thread is counted it holds the lock. One
//! that is not counted can only end a comparison early. One that is counted for ever, because its unlock was not seen, would have
//! the next writer's work compared: so a writer, who was let in, sets the count to nothing.
//!
//! ```text
//! watch/blocks.rs      the locks that are read, their blocks, the copies
//! watch/suspects.rs    words that changed; when nobody is caught
//! watch/watchpoint.rs  what a thread watches, and what it has seen
//! ```
#![allow(unsafe_code)] // Safety: gives pages of our own table back in a forked child.

mod blocks;
mod suspects;
mod watchpoint;

use crate::heap::{self, Level};
use crate::thread::{self, Scope};
use crate::{options, private, sys};
use blocks::{Life, Place, TABLE, WATCHES, WORDS, at, has_another};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use record::findings::Lock;
use record::lock::act;
use suspects::{SUSPECTED, TARGETS, WANTED, changed, targets, tell};
use track::lock::{HoldFacts, Kind, Mode, What};
use watchpoint::{HOT, HOT_ADDRESS, aim, own, roam};
pub use watchpoint::{Watching, look};

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
