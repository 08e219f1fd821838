//! Memory by raw calls: mapped, protected, given back; and memory that may not be there, read with care.
//!
//! What is mapped here for us is told to `ours`, so that the look for lost blocks leaves it out.
#![allow(unsafe_code)] // Safety: each wrapper passes valid pointers with their lengths; the kernel checks the rest.

use super::{call, failed, getpid};
use libc::c_int;

/// mmap at a chosen address or anywhere (0). The offset is a multiple of 4096.
pub fn mmap(address: usize, len: usize, protection: c_int, flags: c_int, fd: c_int, offset: u64) -> isize {
    #[cfg(target_pointer_width = "64")]
    let (number, offset) = (libc::SYS_mmap, offset as usize);
    #[cfg(target_pointer_width = "32")]
    let (number, offset) = (libc::SYS_mmap2, (offset / 4096) as usize);
    // SAFETY: callers that pass MAP_FIXED own the range that they replace.
    unsafe { call(number, [address, len, protection as usize, flags as usize, fd as usize, offset]) }
}

/// Anonymous private memory, zeroed; 0 when there is none.
pub fn map_anonymous(len: usize) -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let at = mmap(0, len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
    if failed(at) {
        return 0;
    }
    crate::ours::add(at as usize, len);
    at as usize
}

/// Zeroed address space of which only a part will be used: nothing is promised for the rest. 0: none.
pub fn map_sparse(len: usize) -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let at = mmap(0, len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
    if failed(at) {
        return 0;
    }
    // Where huge pages are used unasked, a table of which every page is touched once would be a whole heap of them.
    // SAFETY: advice on our own fresh mapping.
    unsafe { call(libc::SYS_madvise, [at as usize, len, libc::MADV_NOHUGEPAGE as usize, 0, 0, 0]) };
    crate::ours::add(at as usize, len);
    at as usize
}

/// For a mapped file of which few pages are used.
pub fn read_nothing_ahead(at: usize, len: usize) {
    // SAFETY: advice, which changes no content.
    unsafe { call(libc::SYS_madvise, [at, len, libc::MADV_RANDOM as usize, 0, 0, 0]) };
}

/// # Safety
/// Nobody uses the range any more.
pub unsafe fn munmap(address: usize, len: usize) {
    crate::ours::remove(address);
    // SAFETY: the caller's.
    unsafe { call(libc::SYS_munmap, [address, len, 0, 0, 0, 0]) };
}

/// Changes the protection of whole pages of ours.
///
/// # Safety
/// Nothing of ours is in them.
pub unsafe fn mprotect(address: usize, len: usize, protection: c_int) -> bool {
    // SAFETY: the caller's.
    unsafe { call(libc::SYS_mprotect, [address, len, protection as usize, 0, 0, 0]) == 0 }
}

/// Bytes of a page.
pub fn page() -> usize {
    // SAFETY: reads the auxiliary vector.
    (unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize).max(4096)
}

/// Can eight bytes at this address be read? rt_sigprocmask with an invalid `how` reads the new mask before it looks at
/// `how`, and changes nothing: EFAULT or EINVAL is the answer. No, where a sandbox forbids to ask.
pub fn readable(address: u64) -> bool {
    // SAFETY: the kernel copies from user space and checks.
    let answer = unsafe { call(libc::SYS_rt_sigprocmask, [usize::MAX, address as usize, 0, 8, 0, 0]) };
    answer == -(libc::EINVAL as isize)
}

/// Copies memory of our own that another thread may unmap at any moment; false when it is not mapped, or when a sandbox forbids to
/// ask (process_vm_readv).
pub fn read_own_memory(at: usize, out: &mut [u8]) -> bool {
    let local = [out.as_mut_ptr() as usize, out.len()];
    let remote = [at, out.len()];
    let (to, from) = (local.as_ptr() as usize, remote.as_ptr() as usize);
    // SAFETY: one iovec each; the kernel checks what it copies from.
    let copied = unsafe { call(libc::SYS_process_vm_readv, [getpid() as usize, to, 1, from, 1, 0]) };
    copied == out.len() as isize
}
