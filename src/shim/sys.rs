//! Our own system calls: raw, so that they neither touch `errno` nor pass through our own hooks.
//!
//! Every function returns the kernel's answer: a negative value is `-errno`. All are async-signal-safe.
//!
//! Here is the way of all of them, and what concerns the process, its threads and clocks; files, memory and questions about a number are
//! beside it, under the same names.
#![allow(unsafe_code)] // Safety: each wrapper passes valid pointers with their lengths; the kernel checks the rest.
#![allow(clippy::unnecessary_cast)] // Fields of libc's structs have other widths on 32-bit systems.

use crate::arch::syscall6;
use crate::sandbox;
use core::mem::MaybeUninit;
use core::sync::atomic::Ordering::Relaxed;
use libc::{c_int, c_long};

mod asking;
mod files;
mod memory;

pub use asking::*;
pub use files::*;
pub use memory::*;

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

/// Sends a signal to this thread.
pub fn raise(signal: c_int) {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_tgkill, [getpid() as usize, gettid() as usize, signal as usize, 0, 0, 0]) };
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

/// RLIMIT_STACK, the soft one; 0 when the kernel does not say.
pub fn stack_limit() -> u64 {
    limits(libc::RLIMIT_STACK as c_int).soft
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
