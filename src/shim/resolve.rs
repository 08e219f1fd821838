//! The real functions: found once with dlsym(RTLD_NEXT), kept in lock-free slots.
//!
//! Why `once_cell::race`: a slot may be wanted in a signal handler or while another thread resolves it; racing costs a
//! second dlsym with the same answer, never a wait. A waiting thread could hold the loader's lock that the resolving
//! one needs. Why eagerly ([`all`]): dlsym takes the loader's lock, so nothing should be left for a later hook, where
//! the program may hold it.
//!
//! Why a bootstrap arena: up to glibc 2.33 the first dlsym of a thread callocs, and a failing one always allocates its
//! error string. Those calls come back to our own malloc while there is no real one yet; they are served from here, and
//! free and realloc know these pointers for ever.
#![allow(unsafe_code)] // Safety: dlsym's answers are only cast to the types in the roster; the arena hands out disjoint ranges.

use crate::{sys, thread};
use core::ffi::CStr;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use libc::c_void;
use once_cell::race::OnceNonZeroUsize;

/// Where a real function was looked for and not found.
const ABSENT: NonZeroUsize = NonZeroUsize::MIN;

/// One real function.
pub struct Slot {
    cell: OnceNonZeroUsize,
    pub name: &'static CStr,
    /// Symbol versions to ask for first, newest behaviour first (`dlvsym`).
    pub versions: &'static [&'static CStr],
}

/// A name of the roster as it is mangled here: `size_t`, in the operators of C++, is `m` with 64 bits and `j` with 32.
pub const fn mangled<const N: usize>(name: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let given = name.as_bytes();
    let mut i = 0;
    while i < given.len() && i < N {
        bytes[i] = given[i];
        i += 1;
    }
    if cfg!(target_pointer_width = "32") && N > 4 && bytes[0] == b'_' && bytes[1] == b'Z' {
        // _Znwm…, _ZdlPvm…
        let at = if bytes[2] == b'n' { 4 } else { 6 };
        if at < N && bytes[at] == b'm' {
            bytes[at] = b'j';
        }
    }
    bytes
}

impl Slot {
    pub const fn new(name: &'static CStr, versions: &'static [&'static CStr]) -> Self {
        Self { cell: OnceNonZeroUsize::new(), name, versions }
    }

    /// The address, resolved now if need be; `None` when no library after us has it.
    #[inline(always)]
    pub fn get(&self) -> Option<NonZeroUsize> {
        match self.cell.get() {
            Some(found) if found != ABSENT => Some(found),
            Some(_) => None,
            None => self.resolve(),
        }
    }

    /// The address, if it has been resolved: never calls dlsym.
    #[inline(always)]
    pub fn resolved(&self) -> Option<NonZeroUsize> {
        self.cell.get().filter(|found| *found != ABSENT)
    }

    /// The address, without a check: for the hottest hooks.
    ///
    /// # Safety
    /// The function is required, and [`all`] has run (any registered thread proves it).
    #[inline(always)]
    pub unsafe fn known(&self) -> usize {
        // SAFETY: the caller's.
        unsafe { self.cell.get().unwrap_unchecked() }.get()
    }

    /// Fills it with what was found without dlsym.
    pub fn fill(&self, found: NonZeroUsize) {
        let _ = self.cell.set(found);
    }

    #[cold]
    fn resolve(&self) -> Option<NonZeroUsize> {
        let found = thread::inside_libc(|| {
            // SAFETY: NUL-terminated names. RTLD_NEXT looks behind the library that this code is in: ours.
            unsafe {
                for version in self.versions.iter().filter(|version| is_here(version)) {
                    let at = libc::dlvsym(libc::RTLD_NEXT, self.name.as_ptr(), version.as_ptr());
                    if !at.is_null() {
                        return NonZeroUsize::new(at as usize);
                    }
                }
                let at = libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr());
                if at.is_null() {
                    forget_failure();
                }
                NonZeroUsize::new(at as usize)
            }
        });
        let kept = self.cell.get_or_init(|| found.unwrap_or(ABSENT));
        (kept != ABSENT).then_some(kept)
    }
}

/// Versions of symbols that have one version elsewhere: a lookup that fails costs as much as ten that succeed, and leaves its message in
/// the program's heap.
const OF_I386: [&CStr; 3] = [c"GLIBC_2.1", c"GLIBC_2.1.2", c"GLIBC_2.28"];
/// aarch64 began with 2.17.
const BEFORE_AARCH64: [&CStr; 2] = [c"GLIBC_2.3.2", c"GLIBC_2.15"];

fn is_here(version: &CStr) -> bool {
    (cfg!(target_arch = "x86") || !OF_I386.contains(&version))
        && (!cfg!(target_arch = "aarch64") || !BEFORE_AARCH64.contains(&version))
}

/// A lookup has failed, and dlerror(3) shall not tell the program of it. A lookup that succeeds clears the message. Not dlerror
/// itself: it translates the message, under the lock of setlocale, which the malloc that started us may be called with.
pub fn forget_failure() {
    // SAFETY: a NUL-terminated name that every libc has.
    unsafe { libc::dlsym(libc::RTLD_NEXT, c"abort".as_ptr()) };
}

/// Resolves every slot. Once, at start.
pub fn all() {
    // Without operator new there is no C++ runtime: each failing lookup costs as much as ten that succeed.
    let cxx = crate::roster::slots::_Znwm.get().is_some();
    for slot in crate::roster::SLOTS.iter().flatten() {
        let name = slot.name.to_bytes();
        if (cxx || !name.starts_with(b"_Z")) && (cfg!(target_pointer_width = "32") || !is_time64(name)) {
            slot.get();
        }
    }
}

/// A name that only 32-bit libraries have, for calls with a 64-bit time.
fn is_time64(name: &[u8]) -> bool {
    name.ends_with(b"lock64") || name.ends_with(b"wait64")
}

/// What a hook answers when libc has no such function.
pub trait Absent {
    fn absent() -> Self;
}

impl Absent for i32 {
    fn absent() -> Self {
        sys::set_errno(libc::ENOSYS);
        -1
    }
}

impl Absent for isize {
    fn absent() -> Self {
        sys::set_errno(libc::ENOSYS);
        -1
    }
}

#[cfg(target_pointer_width = "32")]
impl Absent for i64 {
    fn absent() -> Self {
        sys::set_errno(libc::ENOSYS);
        -1
    }
}

#[cfg(target_pointer_width = "64")]
impl Absent for i64 {
    fn absent() -> Self {
        sys::set_errno(libc::ENOSYS);
        -1
    }
}

impl Absent for usize {
    fn absent() -> Self {
        0
    }
}

impl Absent for u32 {
    fn absent() -> Self {
        0
    }
}

impl Absent for () {
    fn absent() -> Self {}
}

impl<T> Absent for *mut T {
    fn absent() -> Self {
        core::ptr::null_mut()
    }
}

const ARENA: usize = 64 * 1024;
const HEADER: usize = 16;

#[repr(C, align(16))]
struct Arena(core::cell::UnsafeCell<[u8; ARENA]>);
// SAFETY: ranges are handed out once, by an atomic bump.
unsafe impl Sync for Arena {}

#[unsafe(link_section = ".bss.tables")]
static ARENA_MEMORY: Arena = Arena(core::cell::UnsafeCell::new([0; ARENA]));
static ARENA_USED: AtomicUsize = AtomicUsize::new(0);
/// Blocks that did not fit and were mapped one by one.
static MAPPED: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

/// A zeroed block from the bootstrap arena. It is never given back.
pub fn bootstrap(size: usize, align: usize) -> *mut c_void {
    let align = align.max(16);
    let Some(need) = size.checked_add(HEADER + align) else { return core::ptr::null_mut() };
    let base = ARENA_MEMORY.0.get() as usize;
    let at = if need <= ARENA / 2 { ARENA_USED.fetch_add(need.next_multiple_of(16), Relaxed) } else { ARENA };
    let start = if at + need <= ARENA {
        base + at
    } else {
        let mapped = sys::map_anonymous(need);
        if mapped == 0 {
            return core::ptr::null_mut();
        }
        mapped
    };
    let block = (start + HEADER).next_multiple_of(align);
    if at + need > ARENA {
        let free = MAPPED.iter().find(|m| m.compare_exchange(0, block, Relaxed, Relaxed).is_ok());
        if free.is_none() {
            return core::ptr::null_mut();
        }
    }
    // SAFETY: inside the fresh range, HEADER bytes before the block.
    unsafe { *((block - size_of::<usize>()) as *mut usize) = size };
    // The hooks' fast path asks this only.
    crate::heap::sampled::mark(block);
    block as *mut c_void
}

/// Is this one of [`bootstrap`]'s blocks?
#[inline(always)]
pub fn is_bootstrap(block: *const c_void) -> bool {
    in_arena(block) || (any_mapped() && MAPPED.iter().any(|m| m.load(Relaxed) == block as usize))
}

/// Is it one of those in the arena itself?
#[inline(always)]
pub fn in_arena(block: *const c_void) -> bool {
    (block as usize).wrapping_sub(ARENA_MEMORY.0.get() as usize) < ARENA
}

/// Was the arena too small? Then the heap hooks take their slow way for good, and their fast one need not ask.
pub fn any_mapped() -> bool {
    MAPPED[0].load(Relaxed) != 0
}

/// The size that was asked for.
pub fn bootstrap_size(block: *const c_void) -> usize {
    // SAFETY: `is_bootstrap(block)`: its size lies before it.
    unsafe { *((block as usize - size_of::<usize>()) as *const usize) }
}
