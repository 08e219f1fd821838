//! Children that share our memory and are no threads of it: those of clone(2) with CLONE_VM, which is what vfork is.
//!
//! Such a child has its own descriptors (without CLONE_FILES) and its own end; what it does is not this process's, so its hooks go
//! straight to libc, and nothing of ours is written. Who is one is known by the thread block, which depends on the flags:
//!
//! | flags | its thread block | known by |
//! |---|---|---|
//! | vfork(), CLONE_VFORK | its parent's, who sleeps meanwhile | a count in the block, raised around the call |
//! | neither, nor CLONE_SETTLS | its parent's, who runs beside it | [`ASK`] in the block, for good: from then on it is asked for the thread's id |
//! | CLONE_SETTLS, a TLS as libc makes them | one of its own | the count, raised by the child before all else |
//! | CLONE_SETTLS, memory of other kinds | none: the memory at the thread pointer is the caller's | [`FOREIGN`], which stands in |
//!
//! The last is Chromium's sandbox (credentials.cc, ChrootToSafeEmptyDir): a piece of zeroed stack as TLS, because the kernel and libc may
//! write there. The pointer to itself at its begin is null, and what one would add to it for a thread-local is no address.
//! A child with CLONE_THREAD and a TLS of libc's is a thread as any other, except that nobody sees its end.
//!
//! While parent and child run beside each other on one block, each may find the guard that the other has raised, and go unwatched
//! with this call: a missed event, which is met as any other that was not seen. Neither can leave it raised: the guard is lowered
//! by the hook that raised it, and one that finds it raised does not touch it.
#![allow(unsafe_code)] // Safety: two words on the stack of a child that does not run yet.

use super::{Block, block};
use crate::sys;
use core::mem::transmute;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU32};
use libc::{c_int, c_void};

/// Beside the count of vforks: a child without a block of its own may be running.
const ASK: u32 = 1 << 31;

/// The block of all that have no TLS of libc's: as that of a vfork child which was never registered.
pub static FOREIGN: Block = Block {
    entry: AtomicPtr::new(core::ptr::null_mut()),
    #[cfg(target_pointer_width = "32")]
    _pad: 0,
    vfork: AtomicU32::new(1),
    guard: AtomicU32::new(0),
    phase: AtomicU32::new(0),
    rounds: AtomicU32::new(0),
    state: AtomicPtr::new(core::ptr::null_mut()),
    watched: AtomicPtr::new(core::ptr::null_mut()),
    index: AtomicU32::new(0),
    heap_left: AtomicIsize::new(0),
    committing: AtomicU32::new(0),
    destructors: AtomicU32::new(0),
    locks: AtomicPtr::new(core::ptr::null_mut()),
    tiers: AtomicPtr::new(core::ptr::null_mut()),
    destructor: [const { [const { AtomicPtr::new(core::ptr::null_mut()) }; 2] }; 4],
};

/// Of its own, so that the way of all others is straight.
#[cold]
pub fn foreign() -> &'static Block {
    &FOREIGN
}

/// Is the caller, whose block this is, such a child? Async-signal-safe.
#[inline]
pub(super) fn is_child(block: &Block) -> bool {
    match block.vfork.load(Relaxed) {
        0 => false,
        ASK => is_another(block),
        _ => true,
    }
}

/// Who has not called a hook before is no parent of anybody's: its block would say so.
#[cold]
fn is_another(block: &Block) -> bool {
    // SAFETY: set by `register` to an entry of the registry, which is never freed.
    unsafe { block.state.load(Relaxed).as_ref() }.is_none_or(|state| state.tid.load(Relaxed) != sys::gettid())
}

/// What the child is to call, on its own stack.
#[repr(C, align(16))]
struct Begin {
    function: *const c_void,
    argument: *mut c_void,
}

/// A call of clone with CLONE_VM: what it makes is marked as a child, or as a thread.
///
/// # Safety
/// The arguments are clone's, function and stack not null; `call` calls it with those it is given.
pub unsafe fn around(
    flags: c_int,
    function: *const c_void,
    stack: *mut c_void,
    argument: *mut c_void,
    call: impl FnOnce(*const c_void, *mut c_void, *mut c_void) -> c_int,
) -> c_int {
    if flags & libc::CLONE_SETTLS != 0 {
        if flags & libc::CLONE_THREAD != 0 {
            return call(function, stack, argument);
        }
        let at = ((stack as usize & !15) - size_of::<Begin>()) as *mut Begin;
        // SAFETY: the top of a stack that the caller gives to the child; libc itself puts as much there (clone.S).
        unsafe { at.write(Begin { function, argument }) };
        return call(begin as *const c_void, at.cast(), at.cast());
    }
    // The id, by which parent and child are told apart, is known from the registration.
    let registered = super::current_or_register().is_some();
    let block = block();
    if flags & libc::CLONE_VFORK != 0 {
        block.vfork.fetch_add(1, Relaxed);
        let result = call(function, stack, argument);
        block.vfork.fetch_sub(1, Relaxed);
        return result;
    }
    if registered {
        block.vfork.fetch_or(ASK, Relaxed);
    }
    call(function, stack, argument)
}

/// The child's first function: marks its block, its own, before any hook.
unsafe extern "C" fn begin(at: *mut c_void) -> c_int {
    block().vfork.store(1, Relaxed);
    // SAFETY: written by `around` on the stack above us.
    let Begin { function, argument } = unsafe { at.cast::<Begin>().read() };
    // SAFETY: the caller of clone gave a function of this type.
    unsafe { transmute::<*const c_void, unsafe extern "C" fn(*mut c_void) -> c_int>(function)(argument) }
}
