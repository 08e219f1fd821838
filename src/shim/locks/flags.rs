//! What libc's own memory says of a lock: its kind, whether it is robust or shared, whether it knows its owner.
//!
//! Why it is read there and not remembered from the call that initialised it: a static initialiser makes no call, and most mutexes
//! have one. That is also why these places never move: they are compiled into programs.
#![allow(unsafe_code)] // Safety: reads words of a lock that the caller says is one.

use super::Call;
use track::lock::{Kind, What};

/// Where glibc keeps the kind of a mutex (`struct __pthread_mutex_s`): static initialisers of programs write it.
const MUTEX_KIND_AT: usize = if cfg!(target_pointer_width = "64") { 16 } else { 12 };
/// And whether an rwlock is shared with other processes (`struct __pthread_rwlock_arch_t`): a byte before its flags, which are part
/// of the ABI for the same reason; an int where words are large.
const RWLOCK_SHARED_AT: usize = if cfg!(target_pointer_width = "64") { 28 } else { 25 };

/// Does libc know who has this mutex, and refuse everybody else's unlock? PTHREAD_MUTEX_PRIO_INHERIT_NP is 0x20.
///
/// # Safety
/// `mutex` points to a mutex.
pub(super) unsafe fn knows_owner(mutex: usize) -> bool {
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
pub(super) unsafe fn what_of(lock: usize, call: &Call, epoch: u16) -> (What, bool) {
    let (flags, refuses) = match call.kind {
        // SAFETY: the caller's.
        Kind::Mutex => unsafe { mutex_flags(lock) },
        // SAFETY: the caller's.
        Kind::RwLock => (unsafe { rwlock_flags(lock) }, false),
        _ => (0, false),
    };
    (What::new(call.kind, call.how, flags, epoch), refuses)
}
