//! The kernel through libc: for tests and benches. libshim.so has its own, which goes through no symbol.
#![allow(unsafe_code)] // Safety: each call passes live memory with its length; the kernel checks the rest.

use super::{Answer, Errno, Os, Stat};
use core::mem::MaybeUninit;
use core::sync::atomic::AtomicU32;
use libc::{c_int, c_void};

/// The calling process, as libc sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Libc;

/// -1 is an error, and errno says which.
fn checked(answer: impl Into<i64>) -> Answer<i64> {
    match answer.into() {
        // SAFETY: glibc returns the address of the calling thread's errno.
        -1 => Err(Errno(unsafe { *libc::__errno_location() })),
        fine => Ok(fine),
    }
}

impl Os for Libc {
    fn mmap(&self, at: usize, size: usize, protection: i32, flags: i32, fd: i32, offset: u64) -> Answer<usize> {
        // SAFETY: the caller owns what a fixed mapping replaces.
        let map = unsafe { libc::mmap(at as *mut c_void, size, protection, flags, fd, offset as i64) };
        checked(map as i64).map(|at| at as usize)
    }

    fn munmap(&self, at: usize, size: usize) -> Answer<()> {
        // SAFETY: the caller owns the range.
        checked(unsafe { libc::munmap(at as *mut c_void, size) }).map(drop)
    }

    fn mprotect(&self, at: usize, size: usize, protection: i32) -> Answer<()> {
        // SAFETY: the caller owns the range.
        checked(unsafe { libc::mprotect(at as *mut c_void, size, protection) }).map(drop)
    }

    fn madvise(&self, at: usize, size: usize, advice: i32) -> Answer<()> {
        // SAFETY: the caller owns the range.
        checked(unsafe { libc::madvise(at as *mut c_void, size, advice) }).map(drop)
    }

    fn mremap_onto(&self, from: usize, size: usize, onto: usize) -> Answer<()> {
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: the caller owns both ranges.
        let map = unsafe { libc::mremap(from as *mut c_void, size, size, flags, onto as *mut c_void) };
        checked(map as i64).map(drop)
    }

    fn mbind(&self, at: usize, size: usize, mode: u32, nodes: &[u64], flags: u32) -> Answer<()> {
        // One more than the bits: the kernel takes one off.
        let bits = nodes.len() * 64 + 1;
        // SAFETY: the caller owns the range; the mask is live.
        checked(unsafe { libc::syscall(libc::SYS_mbind, at, size, mode as usize, nodes.as_ptr(), bits, flags) })
            .map(drop)
    }

    fn nodes_of(&self, pages: &[usize], status: &mut [i32]) -> Answer<()> {
        let count = pages.len().min(status.len());
        let no_nodes = core::ptr::null::<c_int>();
        // SAFETY: both arrays are live and this long.
        let answer =
            unsafe { libc::syscall(libc::SYS_move_pages, 0, count, pages.as_ptr(), no_nodes, status.as_mut_ptr(), 0) };
        checked(answer).map(drop)
    }

    fn open(&self, path: &[u8], flags: i32, mode: u32) -> Answer<i32> {
        debug_assert!(path.last() == Some(&0));
        // SAFETY: a NUL-terminated path.
        checked(unsafe { libc::open(path.as_ptr().cast(), flags | libc::O_CLOEXEC, mode) }).map(|fd| fd as i32)
    }

    fn memfd(&self, flags: u32) -> Answer<i32> {
        // SAFETY: a NUL-terminated name.
        checked(unsafe { libc::memfd_create(c"tier".as_ptr(), flags | libc::MFD_CLOEXEC) }).map(|fd| fd as i32)
    }

    fn close(&self, fd: i32) {
        // SAFETY: no memory.
        unsafe { libc::close(fd) };
    }

    fn flock(&self, fd: i32, operation: i32) -> Answer<()> {
        // SAFETY: no memory.
        checked(unsafe { libc::flock(fd, operation) }).map(drop)
    }

    fn unlink(&self, path: &[u8]) -> Answer<()> {
        debug_assert!(path.last() == Some(&0));
        // SAFETY: a NUL-terminated path.
        checked(unsafe { libc::unlink(path.as_ptr().cast()) }).map(drop)
    }

    fn fallocate(&self, fd: i32, mode: i32, offset: u64, size: u64) -> Answer<()> {
        // SAFETY: no memory.
        checked(unsafe { libc::fallocate(fd, mode, offset as i64, size as i64) }).map(drop)
    }

    fn pwrite(&self, fd: i32, bytes: &[u8], offset: u64) -> Answer<usize> {
        // SAFETY: a live slice.
        let written = unsafe { libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), offset as i64) };
        checked(written as i64).map(|count| count as usize)
    }

    fn stat(&self, fd: i32) -> Answer<Stat> {
        let mut stat = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the kernel writes the structure.
        checked(unsafe { libc::fstat(fd, stat.as_mut_ptr()) })?;
        // SAFETY: zeroed, then written.
        let stat = unsafe { stat.assume_init() };
        Ok(Stat {
            device: stat.st_dev,
            inode: stat.st_ino,
            mode: stat.st_mode,
            size: stat.st_size as u64,
            number: stat.st_rdev,
        })
    }

    fn free_bytes(&self, fd: i32) -> Answer<u64> {
        let mut stat = MaybeUninit::<libc::statfs>::zeroed();
        // SAFETY: the kernel writes the structure.
        checked(unsafe { libc::fstatfs(fd, stat.as_mut_ptr()) })?;
        // SAFETY: zeroed, then written.
        let stat = unsafe { stat.assume_init() };
        Ok(stat.f_bavail.saturating_mul(stat.f_bsize as u64))
    }

    fn read_file(&self, path: &[u8], into: &mut [u8]) -> Answer<usize> {
        let fd = self.open(path, libc::O_RDONLY, 0)?;
        // SAFETY: a live slice.
        let count = checked(unsafe { libc::read(fd, into.as_mut_ptr().cast(), into.len()) } as i64);
        self.close(fd);
        count.map(|count| count as usize)
    }

    fn pipe(&self) -> Answer<(i32, i32)> {
        let mut ends = [0; 2];
        // SAFETY: two numbers are written.
        checked(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
        Ok((ends[0], ends[1]))
    }

    fn read_byte(&self, fd: i32, milliseconds: i32) -> Answer<Option<u8>> {
        let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd.
        if checked(unsafe { libc::poll(&raw mut asked, 1, milliseconds) })? == 0 {
            return Err(Errno(libc::ETIMEDOUT));
        }
        let mut byte = 0u8;
        // SAFETY: one byte is written.
        let count = checked(unsafe { libc::read(fd, (&raw mut byte).cast(), 1) } as i64)?;
        Ok((count == 1).then_some(byte))
    }

    fn write_byte(&self, fd: i32, byte: u8) -> Answer<()> {
        // SAFETY: one live byte.
        checked(unsafe { libc::write(fd, (&raw const byte).cast(), 1) } as i64).map(drop)
    }

    fn limit(&self, resource: u32) -> u64 {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is written.
        match checked(unsafe { libc::getrlimit(resource as _, &raw mut limit) }) {
            Ok(_) => limit.rlim_cur,
            Err(_) => u64::MAX,
        }
    }

    fn membarrier(&self, command: i32) -> Answer<i32> {
        // SAFETY: no memory.
        checked(unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }).map(|answer| answer as i32)
    }

    fn wait(&self, word: &AtomicU32, value: u32) {
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        let for_ever = core::ptr::null::<libc::timespec>();
        // SAFETY: a live word.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, for_ever) };
    }

    fn wake(&self, word: &AtomicU32, count: u32) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a live word.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count.min(i32::MAX as u32)) };
    }

    fn give_way(&self) {
        // SAFETY: no memory.
        unsafe { libc::sched_yield() };
    }

    fn milliseconds(&self) -> u64 {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is written.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
    }

    fn pid(&self) -> u32 {
        // SAFETY: no memory.
        unsafe { libc::getpid() as u32 }
    }
}
