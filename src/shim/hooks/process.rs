//! Process hooks: where this process becomes another, makes another, or ends; and what changes a thread's name.
//!
//! The exec family needs no help: the preload travels in the environment, and descriptors that survive are imported by
//! the new image. They are hooked to say in the recording that the image was replaced. execl, execlp and execle are not:
//! their variadic lists cannot be handed on from Rust, and nothing but that remark is lost.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use crate::roster::real;
use crate::sandbox::{self, Wanted};
use crate::thread::{NAMES, beside};
use crate::{arch, descriptors, message, start, sys};
use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;

/// Jumps, so that no frame of ours is on the stack that the child will run on and overwrite: this function has no
/// locals and no prologue but that of a frame pointer, which is undone first; scripts/check-library verifies both in the
/// library that is shipped.
#[inline(always)]
pub unsafe fn vfork() -> pid_t {
    // SAFETY: a tail jump with the stack as the caller left it.
    unsafe { arch::jump_to_vfork!() }
}

/// See `thread::beside`. A clone without CLONE_VM is a fork without handlers, which `start` notices.
pub unsafe fn clone(
    function: *const c_void,
    stack: *mut c_void,
    flags: c_int,
    argument: *mut c_void,
    parent: *mut c_void,
    tls: *mut c_void,
    child: *mut c_void,
) -> c_int {
    if flags & libc::CLONE_VM == 0 || function.is_null() || stack.is_null() {
        // SAFETY: the caller's.
        return unsafe { real::clone(function, stack, flags, argument, parent, tls, child) };
    }
    if flags & libc::CLONE_THREAD != 0 {
        before_thread();
    }
    // SAFETY: the caller's; `around` hands on what it was given, or what it has put on the child's stack.
    unsafe {
        beside::around(flags, function, stack, argument, |function, stack, argument| {
            real::clone(function, stack, flags, argument, parent, tls, child)
        })
    }
}

/// # Safety
/// `path` is NUL-terminated or null.
unsafe fn execing(path: *const c_char, call: impl FnOnce() -> c_int) -> c_int {
    if crate::thread::blind() {
        return call();
    }
    // SAFETY: the caller's; an unreadable path is the kernel's to refuse.
    let name = if path.is_null() || !sys::readable(path as u64 & !7) { c"" } else { unsafe { CStr::from_ptr(path) } };
    let errno = sys::errno();
    start::exec(name.to_bytes());
    sys::set_errno(errno);
    let result = call();
    let errno = sys::errno();
    start::exec_failed();
    sys::set_errno(errno);
    result
}

pub unsafe fn execve(path: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { execing(path, || real::execve(path, arguments, environment)) }
}

pub unsafe fn execv(path: *const c_char, arguments: *const *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { execing(path, || real::execv(path, arguments)) }
}

pub unsafe fn execvp(file: *const c_char, arguments: *const *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe { execing(file, || real::execvp(file, arguments)) }
}

pub unsafe fn execvpe(
    file: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { execing(file, || real::execvpe(file, arguments, environment)) }
}

pub unsafe fn fexecve(fd: c_int, arguments: *const *const c_char, environment: *const *const c_char) -> c_int {
    if descriptors::hidden(fd) {
        descriptors::bad_use(fd, "fexecve");
        sys::set_errno(libc::EBADF);
        return -1;
    }
    descriptors::used(fd);
    // SAFETY: the caller's.
    unsafe { execing(core::ptr::null(), || real::fexecve(fd, arguments, environment)) }
}

pub unsafe fn execveat(
    directory: c_int,
    path: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { execing(path, || real::execveat(directory, path, arguments, environment, flags)) }
}

/// The child runs inside libc until it execs: nothing of it is seen here, and nothing of ours is touched by it.
pub unsafe fn posix_spawn(
    pid: *mut pid_t,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { real::posix_spawn(pid, path, actions, attributes, arguments, environment) }
}

pub unsafe fn posix_spawnp(
    pid: *mut pid_t,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's.
    unsafe { real::posix_spawnp(pid, file, actions, attributes, arguments, environment) }
}

/// libc's daemon forks (our handlers run) and points 0 to 2 at /dev/null by itself.
pub unsafe fn daemon(keep_directory: c_int, keep_files: c_int) -> c_int {
    // SAFETY: the caller's.
    let result = unsafe { real::daemon(keep_directory, keep_files) };
    if result == 0 && keep_files == 0 {
        let errno = sys::errno();
        crate::finding::guarded(|_| message::stderr_redirected());
        sys::set_errno(errno);
    }
    result
}

pub unsafe fn _exit(status: c_int) {
    if !crate::thread::blind() {
        start::exiting(Some(status));
    }
    // SAFETY: the caller's.
    unsafe { real::_exit(crate::start::exit_status(status)) }
}

/// A forked child gets its own recording before it has a second thread.
fn before_thread() {
    crate::finding::guarded(|_| {
        start::materialise();
        crate::unwind::before_thread();
    });
}

pub unsafe fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    entry: *mut c_void,
    argument: *mut c_void,
) -> c_int {
    before_thread();
    // SAFETY: the caller's.
    unsafe { real::pthread_create(thread, attributes, entry, argument) }
}

pub unsafe fn pthread_setname_np(thread: usize, name: *const c_char) -> c_int {
    // SAFETY: the caller's.
    let result = unsafe { real::pthread_setname_np(thread, name) };
    NAMES.fetch_add(1, Relaxed);
    result
}

pub unsafe fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
    // SAFETY: the caller's.
    let call = || unsafe { real::prctl(option, a, b, c, d) };
    let result = sandbox::installing(Wanted::of_prctl(option, a, b), || c_long::from(call())) as c_int;
    if option == libc::PR_SET_NAME {
        NAMES.fetch_add(1, Relaxed);
    }
    result
}
