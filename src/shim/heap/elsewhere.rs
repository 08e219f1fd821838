//! Whose is malloc? A program that exports its own, or an allocator that is preloaded before us, comes first in scope: then nothing of
//! the heap goes through our hooks, and that must be said, not shown as a heap of zero bytes.
//!
//! What that allocator leaves out is still bound to us: reallocarray, cfree, free_sized, the operators. Their blocks are that
//! allocator's, so they go to its realloc and free, as libc's own would.
#![allow(unsafe_code)] // Safety: calls what the loader has found under the name of a libc function.

use crate::recording::RECORDING;
use crate::thread;
use crate::unwind::Modules;
use core::ffi::CStr;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;
use libc::c_void;
use record::layout::module_flag;

/// Where they are, when not ours; 0 = ours.
static REALLOC: AtomicUsize = AtomicUsize::new(0);
static FREE: AtomicUsize = AtomicUsize::new(0);
/// The path of the module whose malloc the program calls; its length, 0 = ours.
static OWNER: AtomicUsize = AtomicUsize::new(0);
/// The index of the module, and one.
static MODULE: AtomicUsize = AtomicUsize::new(0);

/// The address that this process calls by this name, and the recorded module it is in, when that is not us.
fn foreign(modules: &Modules, name: &CStr) -> Option<(usize, Option<usize>)> {
    // SAFETY: a NUL-terminated name, which libc has, so that the call does not fail.
    let at = thread::inside_libc(|| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }) as usize;
    let object = modules.object(at as u64).filter(|o| o.flags & module_flag::SHIM == 0)?;
    Some((at, object.recorded))
}

/// At start, with the modules known.
pub fn start(modules: &Modules) {
    let Some((_, module)) = foreign(modules, c"malloc") else { return };
    OWNER.store(1, Relaxed);
    MODULE.store(module.map_or(0, |index| index + 1), Relaxed);
    for (name, place) in [(c"realloc", &REALLOC), (c"free", &FREE)] {
        place.store(foreign(modules, name).map_or(0, |(at, _)| at), Relaxed);
    }
}

/// Is the heap another's? Then the path of the module it is in, as far as `path` has room for it.
pub fn owner(path: &mut [u8]) -> Option<&[u8]> {
    if OWNER.load(Relaxed) == 0 {
        return None;
    }
    let len = MODULE.load(Relaxed).checked_sub(1).map_or(0, |i| record::modules::path(&RECORDING, i, path));
    path.get(..len)
}

#[inline(always)]
pub fn is_owner() -> bool {
    OWNER.load(Relaxed) != 0
}

/// That allocator's realloc.
///
/// # Safety
/// As realloc(3).
pub unsafe fn realloc(block: *mut c_void, size: usize) -> Option<*mut c_void> {
    match REALLOC.load(Relaxed) {
        0 => None,
        // SAFETY: the function of that name; the caller's.
        at => Some(unsafe {
            core::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void>(at)(block, size)
        }),
    }
}

/// That allocator's free. False: it is ours.
///
/// # Safety
/// As free(3).
pub unsafe fn free(block: *mut c_void) -> bool {
    match FREE.load(Relaxed) {
        0 => false,
        at => {
            // SAFETY: the function of that name; the caller's.
            unsafe { core::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void)>(at)(block) };
            true
        }
    }
}
