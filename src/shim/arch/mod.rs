//! What differs between processors, behind one interface. Every `asm!` of the project is in this folder.
//!
//! Each architecture provides:
//! - `thread_block()`: the address of the calling thread's block of [`THREAD_BLOCK_LEN`] zero-initialised bytes, by
//!   initial-exec TLS; nothing where the thread pointer is none of libc's: a child of clone(2) may have been given a piece of zeroed
//!   memory for it (CLONE_SETTLS), without the pointer to itself (x86), or to a vector (aarch64), that each thread of libc's has. Async-signal-safe.
//! - `syscall6()`: a raw system call; a negative result is `-errno`. It never touches `errno`, which is why all our own
//!   calls go this way: a hook must leave `errno` alone.
//! - `registers()`: where an unwinder starts. `stack_pointer()`: that one alone.
//! - `frame_pointer!()`: its register, for `frame()`: the frame pointer of the function that is called from.
//! - `interrupted()`: the registers of what a signal interrupted, and whether it was a write that faulted, where that is known.
//! - `return_address()`: where the function that it is inlined into will return, or 0 when we were built without frame
//!   pointers.
//! - `saved_registers()`: the registers that a function leaves as they were: they may hold pointers of its callers.
//! - `spawn_beside()`: a process that shares our memory and runs a function on a stack of its own, where it is supported.
//! - `ticks()`: a constant-rate counter, or nothing.
//! - the symbol `shim_capture`, where stacks begin; not on i686, whose frames are a chain.
//! - the symbol `shim_key_stubs`: 1024 entry points of [`KEY_STUB_LEN`] bytes, see `key_stub()`.
//! - the symbol `shim_dlopen`, `jump_to_dlopen!()`, which is all of the exported dlopen.
//! - the symbol `shim_vfork`, `jump_to_vfork!()`, which is all of the exported vfork, and a hidden `__cxa_thread_atexit_impl`.
#![allow(unsafe_code)] // Safety: assembly, argued at each block.

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
mod call_site;
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
pub use call_site::{calls, loaded_before};

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{
    interrupted, registers, return_address, saved_registers, spawn_beside, stack_pointer, syscall6, thread_block, ticks,
};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{jump_to_dlopen, jump_to_vfork};

#[cfg(target_arch = "x86")]
mod x86;
#[cfg(target_arch = "x86")]
pub use x86::{interrupted, registers, return_address, saved_registers, stack_pointer, syscall6, thread_block};
#[cfg(target_arch = "x86")]
pub(crate) use x86::{jump_to_dlopen, jump_to_vfork};

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::{interrupted, registers, return_address, saved_registers, stack_pointer, syscall6, thread_block};
#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{jump_to_dlopen, jump_to_vfork};

#[cfg(target_arch = "x86_64")]
macro_rules! frame_pointer {
    () => {
        "rbp"
    };
}
#[cfg(target_arch = "x86")]
macro_rules! frame_pointer {
    () => {
        "ebp"
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! frame_pointer {
    () => {
        "x29"
    };
}

/// The frame pointer of the function that this is inlined into, after its prologue: the assembly needs the address of a local, which
/// lies in that frame.
#[inline(always)]
pub fn frame() -> usize {
    let local = 0u8;
    let frame;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!(
            "/* {1} */",
            concat!("mov {0}, ", frame_pointer!()),
            out(reg) frame,
            in(reg) &raw const local,
            options(nostack, preserves_flags)
        );
    }
    frame
}

/// Code is not read here: nothing is known of a call.
#[cfg(target_arch = "aarch64")]
pub fn calls(
    _from: u64,
    _function: u64,
    _table: u64,
    _within: &mut dyn FnMut(u64) -> bool,
    _read: &mut dyn FnMut(u64) -> Option<u32>,
) -> bool {
    false
}

/// Not here, as [`calls`].
#[cfg(target_arch = "aarch64")]
pub fn loaded_before(
    _from: u64,
    _table: u64,
    _within: &mut dyn FnMut(u64) -> bool,
    _read: &mut dyn FnMut(u64) -> Option<u32>,
    _number: u32,
) -> Option<u64> {
    None
}

/// The time stamp counter, where there is one that runs at a constant rate. Not ordered against anything around it.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn ticks() -> Option<u64> {
    None
}

/// Not here: threads are looked at as they run.
///
/// # Safety
/// As clone(2).
#[cfg(not(target_arch = "x86_64"))]
pub unsafe fn spawn_beside(_flags: usize, _stack: usize, _function: extern "C" fn()) -> isize {
    -(libc::ENOSYS as isize)
}

/// How many [`saved_registers`] has room for.
pub const SAVED: usize = 12;

use libc::c_int;

/// Bytes of an entry point of `shim_key_stubs`.
pub const KEY_STUB_LEN: usize = 16;

/// The address of an entry point that asks `keys::destructors` for the destructor of its number, and jumps there, with the
/// argument as it came; to nowhere, when there is none.
pub fn key_stub(number: usize) -> usize {
    (&raw const shim_key_stubs) as usize + number * KEY_STUB_LEN
}

/// Bytes of the block; `thread` asserts that its `Block` fits.
pub const THREAD_BLOCK_LEN: usize = 192;
/// Where in the block the vfork counter lies (a `u32`).
pub const VFORK_FLAG: usize = 8;

/// Where an unwinder starts. `lr` only where the architecture has one.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))] // lr
pub struct Registers {
    pub pc: u64,
    pub sp: u64,
    pub fp: u64,
    pub lr: u64,
}

/// The common end of a failed call in assembly.
extern "C" fn set_errno_and_fail(errno: c_int) -> c_int {
    crate::sys::fail(errno)
}

unsafe extern "C" {
    static shim_key_stubs: u8;
    /// vfork(2), with the caller's frame handed through.
    pub fn shim_vfork() -> libc::pid_t;
    /// dlopen(3), with the caller's frame handed through.
    pub fn shim_dlopen(file: *const libc::c_char, mode: c_int) -> *mut libc::c_void;
    /// Calls `unwind::capture_at` with its own arguments and the caller's stack pointer, program counter and frame pointer.
    #[cfg(not(target_arch = "x86"))]
    pub fn shim_capture(state: *const libc::c_void, scratch: *mut libc::c_void) -> u32;
}
