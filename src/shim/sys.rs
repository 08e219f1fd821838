//! Our own system calls: raw, so that they neither touch `errno` nor pass through our own hooks.
//!
//! Every function returns the kernel's answer: a negative value is `-errno`. All are async-signal-safe.
#![allow(unsafe_code)] // Safety: each wrapper passes valid pointers with their lengths; the kernel checks the rest.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

use crate::arch::syscall6;
use crate::sandbox;
use core::mem::MaybeUninit;
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_long};

/// Every system call of ours goes this way: one that a sandbox does not let pass is not made, and fails with EPERM.
///
/// # Safety
/// As the system call.
#[inline(always)]
pub unsafe fn call(number: c_long, a: [usize; 6]) -> isize {
    if sandbox::FILTERED.load(Relaxed) && !sandbox::allows(number, &a) {
        return -(libc::EPERM as isize);
    }
    // SAFETY: the caller's.
    unsafe { syscall6(number as usize, a) }
}

/// Is there a seccomp filter? A call that is refused says so, too.
pub fn in_sandbox() -> bool {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_prctl, [libc::PR_GET_SECCOMP as usize, 0, 0, 0, 0, 0]) != 0 }
}

pub fn set_errno(value: c_int) {
    if crate::thread::has_tls() {
        // SAFETY: glibc returns the address of the calling thread's errno.
        unsafe { *libc::__errno_location() = value };
    }
}

/// How a hook fails by itself: errno, and libc's -1.
pub fn fail(errno: c_int) -> c_int {
    set_errno(errno);
    -1
}

pub fn errno() -> c_int {
    // SAFETY: as above.
    if crate::thread::has_tls() { unsafe { *libc::__errno_location() } } else { 0 }
}

pub fn write(fd: c_int, bytes: &[u8]) -> isize {
    // SAFETY: a live slice.
    unsafe { call(libc::SYS_write, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

/// Two pieces as one, as far as that is possible.
pub fn write_both(fd: c_int, first: &[u8], second: &[u8]) -> isize {
    let piece = |bytes: &[u8]| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let pieces = [piece(first), piece(second)];
    // SAFETY: two pieces, of their lengths; they are only read.
    let written = unsafe { call(libc::SYS_writev, [fd as usize, pieces.as_ptr() as usize, pieces.len(), 0, 0, 0]) };
    // A sandbox that knows only write.
    if written == -(libc::EPERM as isize) { write(fd, if first.is_empty() { second } else { first }) } else { written }
}

/// As [`write`], to somebody whom the program knows nothing of: when the reader is gone the answer is EPIPE, and no SIGPIPE
/// reaches the program.
pub fn write_without_sigpipe(fd: c_int, bytes: &[u8]) -> isize {
    const SIGPIPE: u64 = 1 << (libc::SIGPIPE - 1);
    let (mut before, mut pending) = (0u64, 0u64);
    let zero = [0 as c_long; 2];
    let at = |set: &u64| core::ptr::from_ref(set) as usize;
    // SAFETY: sets of the kernel's 8 bytes, one of them and a timespec read, two written; all live.
    unsafe {
        let old = &raw mut before as usize;
        call(libc::SYS_rt_sigprocmask, [libc::SIG_BLOCK as usize, at(&SIGPIPE), old, 8, 0, 0]);
        call(libc::SYS_rt_sigpending, [&raw mut pending as usize, 8, 0, 0, 0, 0]);
        let written = write(fd, bytes);
        // The signal is this thread's own; one that was pending before is the program's.
        if written == -(libc::EPIPE as isize) && pending & SIGPIPE == 0 {
            call(libc::SYS_rt_sigtimedwait, [at(&SIGPIPE), 0, zero.as_ptr() as usize, 8, 0, 0]);
        }
        call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, at(&before), 0, 8, 0, 0]);
        written
    }
}

/// Would a write return at once, now or within so many milliseconds? A pipe then takes 4096 bytes whole.
pub fn writable(fd: c_int, milliseconds: u32) -> bool {
    let mut asked = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    let mut wait = [(milliseconds / 1000) as c_long, (milliseconds % 1000 * 1_000_000) as c_long];
    // SAFETY: one pollfd and one timespec, both written to by the kernel; no signal mask.
    let ready = unsafe { call(libc::SYS_ppoll, [&raw mut asked as usize, 1, wait.as_mut_ptr() as usize, 0, 8, 0]) };
    ready > 0
}

pub fn pwrite(fd: c_int, bytes: &[u8], offset: u64) -> isize {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: a live slice.
    unsafe {
        call(libc::SYS_pwrite64, [fd as usize, bytes.as_ptr() as usize, bytes.len(), offset as usize, 0, 0])
    }
    #[cfg(target_pointer_width = "32")]
    // SAFETY: a live slice; i386 takes the offset in two halves.
    unsafe {
        let halves = [offset as usize, (offset >> 32) as usize];
        call(libc::SYS_pwrite64, [fd as usize, bytes.as_ptr() as usize, bytes.len(), halves[0], halves[1], 0])
    }
}

pub fn pread(fd: c_int, bytes: &mut [u8], offset: u64) -> isize {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: a live slice.
    unsafe {
        call(libc::SYS_pread64, [fd as usize, bytes.as_mut_ptr() as usize, bytes.len(), offset as usize, 0, 0])
    }
    #[cfg(target_pointer_width = "32")]
    // SAFETY: a live slice; i386 takes the offset in two halves.
    unsafe {
        let halves = [offset as usize, (offset >> 32) as usize];
        call(libc::SYS_pread64, [fd as usize, bytes.as_mut_ptr() as usize, bytes.len(), halves[0], halves[1], 0])
    }
}

pub fn flock(fd: c_int, operation: c_int) -> isize {
    // SAFETY: no pointers.
    unsafe { call(libc::SYS_flock, [fd as usize, operation as usize, 0, 0, 0, 0]) }
}

/// The longest file that this process may write, RLIMIT_FSIZE: beyond it the kernel raises SIGXFSZ.
pub fn file_size_limit() -> u64 {
    limits(libc::RLIMIT_FSIZE as c_int).soft
}

/// A timer that raises `signal` in this process; its id.
pub fn make_timer(signal: c_int) -> Option<i32> {
    // SAFETY: a zeroed sigevent is a valid one; SIGEV_SIGNAL is 0.
    let mut event: libc::sigevent = unsafe { core::mem::zeroed() };
    event.sigev_signo = signal;
    event.sigev_notify = libc::SIGEV_SIGNAL;
    let mut id: i32 = -1;
    let args = [libc::CLOCK_MONOTONIC as usize, &raw mut event as usize, &raw mut id as usize, 0, 0, 0];
    // SAFETY: both are live; the kernel writes the id.
    let answer = unsafe { call(libc::SYS_timer_create, args) };
    (answer == 0 && id >= 0).then_some(id)
}

pub fn drop_timer(id: i32) {
    // SAFETY: no pointers.
    unsafe { call(libc::SYS_timer_delete, [id as usize, 0, 0, 0, 0, 0]) };
}

/// Lets the timer go off once, after `ns`, less than a second.
pub fn set_timer(id: i32, ns: u64) {
    // interval, then value, each seconds and nanoseconds.
    let spec: [libc::c_long; 4] = [0, 0, 0, ns.min(999_999_999) as libc::c_long];
    // SAFETY: a live itimerspec of this architecture's words.
    unsafe { call(libc::SYS_timer_settime, [id as usize, 0, spec.as_ptr() as usize, 0, 0, 0]) };
}

pub fn read(fd: c_int, bytes: &mut [u8]) -> isize {
    // SAFETY: a live slice.
    unsafe { call(libc::SYS_read, [fd as usize, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

/// `path` ends with NUL.
pub fn open(path: &[u8], flags: c_int, mode: u32) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path.
    unsafe {
        call(libc::SYS_openat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags as usize, mode as usize, 0, 0])
    }
}

pub fn readlink(path: &[u8], out: &mut [u8]) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path and a live slice.
    unsafe {
        call(
            libc::SYS_readlinkat,
            [libc::AT_FDCWD as usize, path.as_ptr() as usize, out.as_mut_ptr() as usize, out.len(), 0, 0],
        )
    }
}

pub fn close(fd: c_int) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) }
}

/// Linux 5.9; ENOSYS before.
pub fn close_range(first: u32, last: u32) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_close_range, [first as usize, last as usize, 0, 0, 0, 0]) }
}

pub fn dup3(from: c_int, to: c_int, flags: c_int) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_dup3, [from as usize, to as usize, flags as usize, 0, 0, 0]) }
}

/// fcntl with an integer argument.
pub fn fcntl(fd: c_int, command: c_int, argument: usize) -> isize {
    #[cfg(target_pointer_width = "64")]
    let number = libc::SYS_fcntl;
    #[cfg(target_pointer_width = "32")]
    let number = libc::SYS_fcntl64;
    // SAFETY: the commands used here take integers.
    unsafe { call(number, [fd as usize, command as usize, argument, 0, 0, 0]) }
}

/// Is the number open in the kernel's table? Yes, where a sandbox lets nobody ask.
pub fn is_open(fd: c_int) -> bool {
    let answer = fcntl(fd, libc::F_GETFD, 0);
    answer >= 0
        || answer == -(libc::EPERM as isize)
            && (!allowed(FSTAT, [fd as usize, 0, 0, 0, 0, 0]) || identity(fd).is_some())
}

pub fn fallocate(fd: c_int, offset: u64, len: u64) -> isize {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: no memory.
    unsafe {
        call(libc::SYS_fallocate, [fd as usize, 0, offset as usize, len as usize, 0, 0])
    }
    #[cfg(target_pointer_width = "32")]
    // SAFETY: no memory; i386 takes 64-bit values in two halves.
    unsafe {
        let (o, l) = ([offset as usize, (offset >> 32) as usize], [len as usize, (len >> 32) as usize]);
        call(libc::SYS_fallocate, [fd as usize, 0, o[0], o[1], l[0], l[1]])
    }
}

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

/// Did a call that returns an address or a number fail? The kernel's errors are -4095..0.
pub fn failed(result: isize) -> bool {
    (-4095..0).contains(&result)
}

/// 0, where a sandbox refuses it.
pub fn getpid() -> u32 {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_getpid, [0; 6]).max(0) as u32 }
}

pub fn getppid() -> u32 {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_getppid, [0; 6]) as u32 }
}

pub fn effective_user() -> u32 {
    // The older call of 32-bit x86 knows 16 bits.
    #[cfg(target_arch = "x86")]
    let number = libc::SYS_geteuid32;
    #[cfg(not(target_arch = "x86"))]
    let number = libc::SYS_geteuid;
    // SAFETY: no memory.
    unsafe { call(number, [0; 6]) as u32 }
}

/// 0, where a sandbox refuses it.
pub fn gettid() -> u32 {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_gettid, [0; 6]).max(0) as u32 }
}

/// The fstat that fills a stat64.
#[cfg(target_pointer_width = "64")]
const FSTAT: c_long = libc::SYS_fstat;
#[cfg(target_pointer_width = "32")]
const FSTAT: c_long = libc::SYS_fstat64;

/// Would a sandbox let libc make this call?
pub fn allowed(number: c_long, a: [usize; 6]) -> bool {
    !sandbox::FILTERED.load(Relaxed) || sandbox::allows(number, &a)
}

pub fn sched_yield() {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_sched_yield, [0; 6]) };
}

pub fn thread_name() -> [u8; 16] {
    let mut name = [0u8; 16];
    // SAFETY: PR_GET_NAME writes 16 bytes.
    unsafe { call(libc::SYS_prctl, [libc::PR_GET_NAME as usize, name.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    name
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

/// Bytes of a page.
pub fn page() -> usize {
    // SAFETY: reads the auxiliary vector.
    (unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize).max(4096)
}

/// Sends a signal to this thread.
pub fn raise(signal: c_int) {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_tgkill, [getpid() as usize, gettid() as usize, signal as usize, 0, 0, 0]) };
}

/// Changes the protection of whole pages of ours.
///
/// # Safety
/// Nothing of ours is in them.
pub unsafe fn mprotect(address: usize, len: usize, protection: c_int) -> bool {
    // SAFETY: the caller's.
    unsafe { call(libc::SYS_mprotect, [address, len, protection as usize, 0, 0, 0]) == 0 }
}

/// The signal stack (sigaltstack(2)) that this thread is running on, if it is: its lowest address and its length.
pub fn signal_stack() -> Option<(u64, u64)> {
    let mut old = MaybeUninit::<libc::stack_t>::zeroed();
    // SAFETY: the kernel writes one stack_t.
    unsafe {
        let result = call(libc::SYS_sigaltstack, [0, old.as_mut_ptr() as usize, 0, 0, 0, 0]);
        let old = old.assume_init();
        (result == 0 && old.ss_flags & libc::SS_ONSTACK != 0).then_some((old.ss_sp as u64, old.ss_size as u64))
    }
}

pub struct Limits {
    pub soft: u64,
    pub hard: u64,
}

/// RLIMIT_NOFILE.
pub fn descriptor_limits() -> Limits {
    limits(libc::RLIMIT_NOFILE as c_int)
}

fn limits(resource: c_int) -> Limits {
    let mut old = MaybeUninit::<[u64; 2]>::zeroed();
    // SAFETY: prlimit64 writes two u64.
    unsafe {
        call(libc::SYS_prlimit64, [0, resource as usize, 0, old.as_mut_ptr() as usize, 0, 0]);
        let [soft, hard] = old.assume_init();
        Limits { soft, hard }
    }
}

pub fn set_descriptor_limits(limits: &Limits) -> bool {
    let new = [limits.soft, limits.hard];
    // SAFETY: prlimit64 reads two u64.
    unsafe { call(libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, new.as_ptr() as usize, 0, 0, 0]) == 0 }
}

/// Who is behind a number.
pub fn identity(fd: c_int) -> Option<Identity> {
    identity_at(fd, b"\0", libc::AT_EMPTY_PATH)
}

/// Who is behind a path, without opening it.
pub fn identity_of_path(path: &[u8]) -> Option<Identity> {
    identity_at(libc::AT_FDCWD, path, 0)
}

/// Who is behind a path; of a symbolic link the link itself. Not before Linux 4.11.
pub fn identity_of_link(path: &[u8]) -> Option<Identity> {
    identity_at(libc::AT_FDCWD, path, libc::AT_SYMLINK_NOFOLLOW)
}

/// How many threads the process has, as the kernel sees it: each is a directory.
pub fn threads() -> Option<u32> {
    let mut out = MaybeUninit::<libc::statx>::zeroed();
    let (path, wanted) = (b"/proc/self/task\0", libc::STATX_NLINK as usize);
    // SAFETY: a NUL-terminated path; statx writes one struct statx.
    let answer = unsafe {
        let (at, out) = (libc::AT_FDCWD as usize, out.as_mut_ptr() as usize);
        call(libc::SYS_statx, [at, path.as_ptr() as usize, 0, wanted, out, 0])
    };
    // SAFETY: zeroed, and filled on success.
    let links = unsafe { out.assume_init() }.stx_nlink;
    (answer == 0 && links > 2).then(|| links - 2)
}

fn identity_at(fd: c_int, path: &[u8], flags: c_int) -> Option<Identity> {
    debug_assert!(path.last() == Some(&0));
    let mut out = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: a NUL-terminated path; statx writes one struct statx.
    let answer = unsafe {
        call(
            libc::SYS_statx,
            [fd as usize, path.as_ptr() as usize, flags as usize, 0x7ff, out.as_mut_ptr() as usize, 0],
        )
    };
    if answer == 0 {
        // SAFETY: filled above.
        let s = unsafe { out.assume_init() };
        return Some(Identity {
            device: u64::from(s.stx_dev_major) << 32 | u64::from(s.stx_dev_minor),
            inode: s.stx_ino,
            mode: u32::from(s.stx_mode),
            owner: s.stx_uid,
        });
    }
    if fd < 0 || answer != -(libc::ENOSYS as isize) && answer != -(libc::EPERM as isize) {
        return None;
    }
    // Before Linux 4.11, or a sandbox that knows only fstat.
    let mut old = MaybeUninit::<libc::stat64>::zeroed();
    // SAFETY: fstat writes one struct stat (stat64 on 32-bit).
    let answer = unsafe { call(FSTAT, [fd as usize, old.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    if answer != 0 {
        return None;
    }
    // SAFETY: filled above.
    let s = unsafe { old.assume_init() };
    // In two halves, as statx has it: what was seen before a sandbox is compared with what is seen within.
    let device = s.st_dev as libc::dev_t;
    let device = u64::from(libc::major(device)) << 32 | u64::from(libc::minor(device));
    Some(Identity { device, inode: s.st_ino as u64, mode: s.st_mode, owner: s.st_uid })
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
    pub mode: u32,
    /// The user's number.
    pub owner: u32,
}

/// getsockopt of an int at SOL_SOCKET.
pub fn socket_option(fd: c_int, option: c_int) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut len: u32 = 4;
    let (v, l) = (&raw mut value as usize, &raw mut len as usize);
    // SAFETY: the kernel writes at most four bytes.
    let answer =
        unsafe { call(libc::SYS_getsockopt, [fd as usize, libc::SOL_SOCKET as usize, option as usize, v, l, 0]) };
    (answer == 0).then_some(value)
}

/// getsockopt of any option: the bytes written, 0 when it fails.
pub fn read_option(fd: c_int, level: c_int, option: c_int, out: &mut [u8]) -> usize {
    let mut len = out.len() as u32;
    let (v, l) = (out.as_mut_ptr() as usize, &raw mut len as usize);
    // SAFETY: the kernel writes at most `len` bytes.
    let answer = unsafe { call(libc::SYS_getsockopt, [fd as usize, level as usize, option as usize, v, l, 0]) };
    if answer == 0 { (len as usize).min(out.len()) } else { 0 }
}

/// FIONREAD: bytes that could be read at once.
pub fn waiting_bytes(fd: c_int) -> Option<u32> {
    let mut value: c_int = 0;
    let at = &raw mut value as usize;
    // SAFETY: the kernel writes one int.
    let answer = unsafe { call(libc::SYS_ioctl, [fd as usize, libc::FIONREAD as usize, at, 0, 0, 0]) };
    (answer == 0).then_some(value.max(0) as u32)
}

/// getsockname or getpeername: the bytes of the address.
pub fn socket_name(fd: c_int, peer: bool, out: &mut [u8; 128]) -> usize {
    let mut len: u32 = 128;
    let number = if peer { libc::SYS_getpeername } else { libc::SYS_getsockname };
    // SAFETY: the kernel writes at most `len` bytes.
    let answer = unsafe { call(number, [fd as usize, out.as_mut_ptr() as usize, &raw mut len as usize, 0, 0, 0]) };
    if answer == 0 { (len as usize).min(128) } else { 0 }
}

/// lseek from the start.
/// Of an open file, bytes.
pub fn file_size(fd: c_int) -> Option<u64> {
    let mut found = core::mem::MaybeUninit::<libc::stat64>::zeroed();
    // SAFETY: zero is a valid stat64, which the kernel fills.
    let size = unsafe {
        let failed = failed(call(FSTAT, [fd as usize, found.as_mut_ptr() as usize, 0, 0, 0, 0]));
        (!failed).then(|| found.assume_init().st_size)
    };
    size.and_then(|size| u64::try_from(size).ok())
}

pub fn lseek(fd: c_int, to: usize) -> isize {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_lseek, [fd as usize, to, libc::SEEK_SET as usize, 0, 0, 0]) }
}

/// getdents64 into a buffer.
pub fn directory_entries(fd: c_int, out: &mut [u8]) -> isize {
    // SAFETY: a live slice.
    unsafe { call(libc::SYS_getdents64, [fd as usize, out.as_mut_ptr() as usize, out.len(), 0, 0, 0]) }
}

pub fn mkdir(path: &[u8], mode: u32) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path.
    unsafe { call(libc::SYS_mkdirat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, mode as usize, 0, 0, 0]) }
}

pub fn unlink(path: &[u8]) -> isize {
    debug_assert!(path.last() == Some(&0));
    // SAFETY: a NUL-terminated path.
    unsafe { call(libc::SYS_unlinkat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0, 0, 0, 0]) }
}

/// Ends the process by SIGABRT, as abort(3) does after its handlers, even when the program catches it.
pub fn die_of_abort() -> ! {
    // SAFETY: no memory of Rust's; the default action of an unblocked SIGABRT ends the process.
    unsafe {
        libc::abort();
    }
}

/// CLOCK_MONOTONIC in ns.
#[inline(always)]
pub fn now() -> u64 {
    crate::clock::now()
}

/// A clock in ns, by the vDSO.
pub fn clock(which: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec. glibc's clock_gettime is async-signal-safe and does not fail for these clocks.
    unsafe { libc::clock_gettime(which, &raw mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// perf_event_open(2) for the calling thread, on any processor; `attributes` begin with their own kind and size.
pub fn perf_event(attributes: &[u64; 14]) -> isize {
    const CLOEXEC: usize = 8;
    let at = attributes.as_ptr() as usize;
    // SAFETY: as many bytes as their second word says.
    unsafe { call(libc::SYS_perf_event_open, [at, 0, usize::MAX, usize::MAX, CLOEXEC, 0]) }
}

/// ioctl(2) of one of our own performance events.
pub fn perf_control(fd: c_int, request: usize, argument: usize) -> isize {
    // SAFETY: the requests that `locks::breakpoint` makes read as many bytes as it has.
    unsafe { call(libc::SYS_ioctl, [fd as usize, request, argument, 0, 0, 0]) }
}
