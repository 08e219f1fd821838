//! The kernel, for the memory of tiers: raw system calls, so that none of them comes back through our own hooks, and private
//! descriptors, which the program neither sees nor closes.
#![allow(unsafe_code)] // Safety: arguments are those of the man pages; memory that is written is given as slices.

use crate::{ours, private, sys};
use core::sync::atomic::AtomicU32;
use tier::memory::os::{Answer, Errno, Os, Stat};

/// See the module.
pub struct Raw;

fn answer(result: isize) -> Answer<usize> {
    if sys::failed(result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

fn nothing(result: isize) -> Answer<()> {
    answer(result).map(|_| ())
}

/// # Safety
/// As the system call.
unsafe fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> isize {
    let mut six = [0; 6];
    six[..N].copy_from_slice(&arguments);
    // SAFETY: the caller's.
    unsafe { sys::call(number, six) }
}

fn poll_in(fd: i32, milliseconds: i32) -> isize {
    let mut wanted = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let time = libc::timespec {
        tv_sec: (milliseconds / 1000) as libc::time_t,
        tv_nsec: libc::c_long::from(milliseconds % 1000) * 1_000_000,
    };
    // SAFETY: one entry, a time of our own, no signal mask.
    unsafe { call(libc::SYS_ppoll, [&raw mut wanted as usize, 1, &raw const time as usize, 0, 0]) }
}

impl Os for Raw {
    fn mmap(&self, at: usize, size: usize, protection: i32, flags: i32, fd: i32, offset: u64) -> Answer<usize> {
        answer(sys::mmap(at, size, protection, flags, fd, offset))
    }

    fn munmap(&self, at: usize, size: usize) -> Answer<()> {
        // SAFETY: a mapping of the tiers' own.
        nothing(unsafe { call(libc::SYS_munmap, [at, size]) })
    }

    fn map_own(&self, size: usize, protection: i32) -> Answer<usize> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let at = self.mmap(0, size, protection, flags, -1, 0)?;
        ours::add(at, size);
        Ok(at)
    }

    fn unmap_own(&self, at: usize, size: usize) -> Answer<()> {
        ours::cut(at, size);
        self.munmap(at, size)
    }

    fn mprotect(&self, at: usize, size: usize, protection: i32) -> Answer<()> {
        // SAFETY: as above.
        nothing(unsafe { call(libc::SYS_mprotect, [at, size, protection as usize]) })
    }

    fn madvise(&self, at: usize, size: usize, advice: i32) -> Answer<()> {
        // SAFETY: as above.
        nothing(unsafe { call(libc::SYS_madvise, [at, size, advice as usize]) })
    }

    fn mremap_onto(&self, from: usize, size: usize, onto: usize) -> Answer<()> {
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: both are mappings of the tiers' own.
        nothing(unsafe { call(libc::SYS_mremap, [from, size, size, flags as usize, onto]) })
    }

    fn mbind(&self, at: usize, size: usize, mode: u32, nodes: &[u64], flags: u32) -> Answer<()> {
        // The kernel reads one bit less than it is told (get_nodes in mm/mempolicy.c).
        let bits = nodes.len() * 64 + 1;
        let mask = if nodes.is_empty() { 0 } else { nodes.as_ptr() as usize };
        let bits = if nodes.is_empty() { 0 } else { bits };
        // SAFETY: the mask has that many bits; the kernel rounds up to whole words of what is below `bits - 1`.
        nothing(unsafe { call(libc::SYS_mbind, [at, size, mode as usize, mask, bits, flags as usize]) })
    }

    fn nodes_of(&self, pages: &[usize], status: &mut [i32]) -> Answer<()> {
        let count = pages.len().min(status.len());
        let arguments = [0, count, pages.as_ptr() as usize, 0, status.as_mut_ptr() as usize, 0];
        // SAFETY: as many entries in both.
        nothing(unsafe { call(libc::SYS_move_pages, arguments) })
    }

    fn open(&self, path: &[u8], flags: i32, mode: u32) -> Answer<i32> {
        if path.last() != Some(&0) {
            return Err(Errno(libc::EINVAL));
        }
        let fd = answer(sys::open(path, flags | libc::O_CLOEXEC, mode))?;
        Ok(hidden(fd as i32))
    }

    fn memfd(&self, flags: u32) -> Answer<i32> {
        let flags = flags | libc::MFD_CLOEXEC;
        // SAFETY: a NUL-terminated name.
        let fd = answer(unsafe { call(libc::SYS_memfd_create, [c"shim-tier".as_ptr() as usize, flags as usize]) })?;
        Ok(hidden(fd as i32))
    }

    fn close(&self, fd: i32) {
        private::unhide(fd);
        sys::close(fd);
    }

    fn flock(&self, fd: i32, operation: i32) -> Answer<()> {
        nothing(sys::flock(fd, operation))
    }

    fn unlink(&self, path: &[u8]) -> Answer<()> {
        nothing(sys::unlink(path))
    }

    fn fallocate(&self, fd: i32, mode: i32, offset: u64, size: u64) -> Answer<()> {
        // SAFETY: takes no memory.
        nothing(unsafe { call(libc::SYS_fallocate, [fd as usize, mode as usize, offset as usize, size as usize]) })
    }

    fn pwrite(&self, fd: i32, bytes: &[u8], offset: u64) -> Answer<usize> {
        answer(sys::pwrite(fd, bytes, offset))
    }

    fn stat(&self, fd: i32) -> Answer<Stat> {
        // SAFETY: zero is a valid stat; the kernel fills it (x86_64 and aarch64: struct stat of libc is the kernel's).
        unsafe {
            let mut found: libc::stat = core::mem::zeroed();
            answer(call(libc::SYS_fstat, [fd as usize, &raw mut found as usize]))?;
            Ok(Stat {
                device: found.st_dev as u64,
                inode: found.st_ino as u64,
                mode: found.st_mode,
                size: found.st_size as u64,
                number: found.st_rdev as u64,
            })
        }
    }

    fn free_bytes(&self, fd: i32) -> Answer<u64> {
        // SAFETY: as in `stat`.
        unsafe {
            let mut found: libc::statfs = core::mem::zeroed();
            answer(call(libc::SYS_fstatfs, [fd as usize, &raw mut found as usize]))?;
            Ok((found.f_bavail as u64).saturating_mul(found.f_bsize as u64))
        }
    }

    fn read_file(&self, path: &[u8], into: &mut [u8]) -> Answer<usize> {
        let fd = self.open(path, libc::O_RDONLY, 0)?;
        let mut len = 0;
        let outcome = loop {
            match answer(sys::read(fd, &mut into[len..])) {
                Ok(0) => break Ok(len),
                Ok(more) => len += more,
                Err(Errno(libc::EINTR)) => {}
                Err(error) => break Err(error),
            }
        };
        self.close(fd);
        outcome
    }

    fn pipe(&self) -> Answer<(i32, i32)> {
        let mut ends = [0i32; 2];
        // SAFETY: two numbers.
        nothing(unsafe { call(libc::SYS_pipe2, [ends.as_mut_ptr() as usize, libc::O_CLOEXEC as usize]) })?;
        Ok((hidden(ends[0]), hidden(ends[1])))
    }

    fn read_byte(&self, fd: i32, milliseconds: i32) -> Answer<Option<u8>> {
        match answer(poll_in(fd, milliseconds))? {
            0 => Err(Errno(libc::ETIMEDOUT)),
            _ => {
                let mut byte = [0];
                Ok((answer(sys::read(fd, &mut byte))? == 1).then_some(byte[0]))
            }
        }
    }

    fn write_byte(&self, fd: i32, byte: u8) -> Answer<()> {
        nothing(sys::write_without_sigpipe(fd, &[byte]))
    }

    fn limit(&self, resource: u32) -> u64 {
        let mut limit = libc::rlimit64 { rlim_cur: u64::MAX, rlim_max: u64::MAX };
        // SAFETY: the old limit is written there; none is set.
        unsafe { call(libc::SYS_prlimit64, [0, resource as usize, 0, &raw mut limit as usize]) };
        limit.rlim_cur
    }

    fn membarrier(&self, command: i32) -> Answer<i32> {
        // SAFETY: takes no memory.
        answer(unsafe { call(libc::SYS_membarrier, [command as usize, 0, 0]) }).map(|value| value as i32)
    }

    fn wait(&self, word: &AtomicU32, value: u32) {
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a word of ours, no time limit.
        unsafe { call(libc::SYS_futex, [word.as_ptr() as usize, operation as usize, value as usize, 0]) };
    }

    fn wake(&self, word: &AtomicU32, count: u32) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // The kernel counts with a sign.
        let count = count.min(i32::MAX as u32);
        // SAFETY: as above.
        unsafe { call(libc::SYS_futex, [word.as_ptr() as usize, operation as usize, count as usize]) };
    }

    fn give_way(&self) {
        sys::sched_yield();
    }

    fn milliseconds(&self) -> u64 {
        sys::now() / 1_000_000
    }

    fn pid(&self) -> u32 {
        sys::getpid()
    }
}

/// Where the program does not see it; where it is, when there is no room for that.
fn hidden(fd: i32) -> i32 {
    private::hide(fd)
}
