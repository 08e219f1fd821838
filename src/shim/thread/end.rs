//! The end of a thread: when we let go of it, and what is run then.
//!
//! A key destructor of ours is called among the program's, and arms itself again until the last round, so that theirs come
//! first and what they do is still followed. What our own standard library wants to run at the end of a thread it hands to
//! [`register_destructor`], because the real function would allocate.
#![allow(unsafe_code)] // Safety: calls functions that our own library registered, on the thread that registered them.

use super::{Block, ENDED, Entry, KEY, LIVE_NOW, REGISTRY_LOCK, block, current, enter, inside_libc};
use crate::roster::real;
use crate::{heap, keys, sys};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Relaxed, Release};
use libc::c_void;
use record::layout::{Op, thread_state};

/// Creates the key whose destructor ends threads. Once, before any thread can use it.
pub fn make_key() {
    if let Some(key) = keys::own(ended) {
        KEY.store(key, Release);
        if current().is_some() {
            // SAFETY: as in `register`.
            inside_libc(|| unsafe { real::pthread_setspecific(key, core::ptr::from_ref(block()).cast()) });
        }
    }
}

/// Runs among the program's key destructors; re-arms itself until the last round, so that theirs come first.
unsafe extern "C" fn ended(_: *mut c_void) {
    let block = block();
    let round = block.rounds.load(Relaxed) + 1;
    block.rounds.store(round, Relaxed);
    // PTHREAD_DESTRUCTOR_ITERATIONS is 4 on glibc.
    if round < 4 {
        let key = KEY.load(Relaxed);
        // SAFETY: our key, created by `make_key`.
        inside_libc(|| unsafe { real::pthread_setspecific(key, core::ptr::from_ref(block).cast()) });
        return;
    }
    end();
}

/// The calling thread needs us no more.
fn end() {
    let block = block();
    if let Entry::Full(mut scope) = enter() {
        crate::finding::flush_held(&mut scope);
        heap::thread_ends(&mut scope);
        crate::locks::thread_ends(&mut scope);
        block.locks.store(null_mut(), Relaxed);
        block.tiers.store(null_mut(), Relaxed);
        crate::tiers::thread_ends(scope.state);
        let state = scope.state;
        state.log(Op::ThreadEnd, 0, 0, 0, 0);
        state.entry.ended.store(sys::now(), Relaxed);
        state.entry.state.store(thread_state::ENDED, Release);
        state.live.store(false, Release);
        LIVE_NOW.fetch_sub(1, Relaxed);
        block.phase.store(ENDED, Relaxed);
        block.entry.store(null_mut(), Relaxed);
        block.watched.store(null_mut(), Relaxed);
        block.state.store(null_mut(), Relaxed);
        let _held = REGISTRY_LOCK.hold();
        run_destructors(block);
    }
}

fn run_destructors(block: &Block) {
    let count = block.destructors.swap(0, Relaxed) as usize;
    for [function, argument] in block.destructor.iter().take(count).rev() {
        let function = function.load(Relaxed);
        if !function.is_null() {
            // SAFETY: registered by our own standard library through `register_destructor` with this signature, and
            // run once, on the same thread.
            unsafe {
                core::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(function)(
                    argument.load(Relaxed),
                );
            }
        }
    }
}

/// Our library's own `__cxa_thread_atexit_impl`, reached through the hidden symbol in `arch`.
pub extern "C" fn register_destructor(function: *mut c_void, argument: *mut c_void, _dso: *mut c_void) -> libc::c_int {
    let block = block();
    let at = block.destructors.load(Relaxed) as usize;
    if let Some([f, a]) = block.destructor.get(at) {
        f.store(function, Relaxed);
        a.store(argument, Relaxed);
        block.destructors.store(at as u32 + 1, Relaxed);
    }
    0
}
