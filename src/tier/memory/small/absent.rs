//! What mimalloc.c defines, where it is not built: a process of 32 bits has no memory tiers.
//!
//! Why: the linker wants each function that is called anywhere, also where nothing calls it in the end. Here no heap can be had, so
//! no block of one is ever freed, and nobody is ever inside the gate.
#![allow(unsafe_code)] // Safety: nothing here reads or writes what a pointer leads to; unsafe, as those of mimalloc.c are.

use super::mimalloc::{CommitFunction, Machine};
use crate::memory::gate::Thread;
use core::ffi::c_void;
use core::ptr::{null, null_mut};
use core::sync::atomic::AtomicU32;

pub fn gate() -> &'static AtomicU32 {
    static GATE: AtomicU32 = AtomicU32::new(0);
    &GATE
}

pub unsafe fn tier_gate_enter() {}

pub unsafe fn tier_gate_leave() {}

pub unsafe fn tier_gate_forget() -> *mut Thread {
    null_mut()
}

pub unsafe fn tier_gate_own() -> *const Thread {
    null()
}

pub(super) unsafe fn tier_small_start(_: *const Machine) {}

pub(super) unsafe fn tier_small_heap(_: *mut c_void, _: usize, _: bool, _: CommitFunction, _: *mut c_void) -> *mut u8 {
    null_mut()
}

pub(super) unsafe fn tier_small_allocate(_: *mut u8, _: usize, _: usize, _: bool, _: *mut usize) -> *mut u8 {
    null_mut()
}

pub(super) unsafe fn tier_small_free(_: *mut u8) -> usize {
    0
}

pub(super) unsafe fn tier_small_usable(_: *const u8) -> usize {
    0
}

pub(super) unsafe fn tier_small_give_back(_: *mut u8) {}

pub(super) unsafe fn tier_small_thread_ends() {}

pub(super) unsafe fn tier_small_abandon(_: *mut u8) {}
