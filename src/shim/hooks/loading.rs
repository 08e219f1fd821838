//! Loading hooks: dlclose, which takes modules away under the unwinder; and dlopen, of which RTLD_DEEPBIND is taken where
//! blocks are not libc's own.
//!
//! Why: a library that is bound to libc first frees the program's blocks past us. A block with a redzone begins elsewhere
//! than libc's, which aborts; one that is held twice looks freed twice. Why dlopen is a jump: it finds RUNPATH by
//! the address it returns to.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::locks::{heard, memory};
use crate::roster::real;
use crate::roster::slots;
use crate::{arch, heap, keys, unwind};

/// No frame of ours: as `process::vfork`.
#[inline(always)]
pub unsafe fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void {
    // SAFETY: a tail jump with the stack and the arguments as the caller left them.
    unsafe { arch::jump_to_dlopen!(file, mode) }
}

/// For `shim_dlopen`: what to jump to, and the mode for it.
///
/// # Safety
/// `mode` is where the stub keeps the mode.
pub unsafe extern "C" fn opening(mode: *mut c_int) -> usize {
    if heap::level() == heap::Level::Full || heap::is_reinforced() {
        // SAFETY: the caller's.
        unsafe { *mode &= !libc::RTLD_DEEPBIND };
    }
    unwind::loading();
    slots::dlopen.get().map_or(0, core::num::NonZeroUsize::get)
}

pub unsafe fn dlclose(handle: *mut c_void) -> c_int {
    let held = memory::unloading();
    // SAFETY: the caller's.
    let (result, unloaded) = unwind::around_unload(|| unsafe { real::dlclose(handle) });
    heard::forget_modules();
    held.inspect(memory::unloaded);
    if unloaded {
        keys::after_unload();
    }
    result
}
