//! Loading hooks: dlclose, which takes modules away under the unwinder. dlopen is left alone: it resolves RUNPATH by
//! the address it returns to (see `unwind`).
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::locks::{heard, memory};
use crate::roster::real;
use crate::{keys, unwind};

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
