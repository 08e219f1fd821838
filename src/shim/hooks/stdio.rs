//! Stdio and directory hooks: descriptors that belong to a FILE or a DIR.
//!
//! libc opens and closes them without passing through us; only the entry points are seen. A FILE that is bound to a
//! number which has meanwhile another owner must not close it: in `protect` it is cut loose first, by writing -1 over
//! its descriptor field, so that fclose frees the object and closes nothing.
#![allow(unsafe_code)] // Safety: every hook has the contract of the libc function of its name.
#![allow(clippy::missing_safety_doc)]

use super::c_types::*;
use super::resolver;
use crate::arch::return_address;
use crate::descriptors::{self, Before, Way, after_close, before_close, opened, owned};
use crate::roster::real;
use crate::{message, sys};
use core::cell::Cell;
use core::ffi::CStr;
use record::label::Label;
use track::fd::{FdKind, Owner, OwnerKind};

unsafe extern "C" {
    static stdin: *mut FILE;
    static stdout: *mut FILE;
    static stderr: *mut FILE;
}

fn owner(kind: OwnerKind, object: *const c_void) -> Owner {
    Owner { kind, addr: object as u64 & 0x00ff_ffff_ffff_ffff }
}

/// The descriptor of a FILE, -1 when it has none. Keeps errno.
///
/// # Safety
/// An open FILE.
unsafe fn number(file: *mut FILE) -> c_int {
    if file.is_null() {
        return -1;
    }
    let errno = sys::errno();
    // SAFETY: the caller's.
    let fd = unsafe { libc::fileno(file) };
    sys::set_errno(errno);
    fd
}

/// Whose end an fclose is. The three standard streams own nothing: programs close 0 to 2 as they like.
fn acting(file: *mut FILE, kind: OwnerKind) -> Owner {
    // SAFETY: variables of libc.
    let standard = unsafe { [stdin, stdout, stderr] };
    if standard.contains(&file) { Owner::NONE } else { owner(kind, file.cast()) }
}

/// # Safety
/// `path` is NUL-terminated or null.
unsafe fn label(path: *const c_char) -> Label {
    if path.is_null() {
        return Label::NONE;
    }
    // SAFETY: the caller's.
    Label::path(unsafe { CStr::from_ptr(path) }.to_bytes())
}

/// [`descriptors::making`] for calls that return an object: null stands for -1.
fn making_object<T>(call: impl Fn() -> *mut T) -> *mut T {
    let object = Cell::new(core::ptr::null_mut());
    descriptors::making(|| {
        object.set(call());
        if object.get().is_null() { -1 } else { 0 }
    });
    object.get()
}

/// Records a FILE that libc has just made.
#[inline]
unsafe fn made_file(kind: FdKind, by: OwnerKind, path: *const c_char, call: impl Fn() -> *mut FILE) -> *mut FILE {
    let file = making_object(call);
    // SAFETY: a FILE that libc has just made; the path was accepted by the call.
    unsafe {
        let fd = number(file);
        if fd >= 0 {
            opened(fd, kind, owner(by, file.cast()), label(path));
        }
    }
    descriptors::made();
    file
}

pub unsafe fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE {
    if resolver::asks(return_address()) {
        // SAFETY: the caller's.
        return unsafe { real::fopen(path, mode) };
    }
    // SAFETY: the caller's.
    unsafe { made_file(FdKind::File, OwnerKind::Stdio, path, || real::fopen(path, mode)) }
}

pub unsafe fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's.
    unsafe { made_file(FdKind::File, OwnerKind::Stdio, path, || real::fopen64(path, mode)) }
}

pub unsafe fn tmpfile() -> *mut FILE {
    // SAFETY: the caller's.
    unsafe { made_file(FdKind::File, OwnerKind::Stdio, core::ptr::null(), || real::tmpfile()) }
}

pub unsafe fn tmpfile64() -> *mut FILE {
    // SAFETY: the caller's.
    unsafe { made_file(FdKind::File, OwnerKind::Stdio, core::ptr::null(), || real::tmpfile64()) }
}

pub unsafe fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: the caller's.
    unsafe { made_file(FdKind::Pipe, OwnerKind::Popen, core::ptr::null(), || real::popen(command, mode)) }
}

pub unsafe fn fdopen(fd: c_int, mode: *const c_char) -> *mut FILE {
    if descriptors::hidden(fd) {
        descriptors::bad_use(fd, "fdopen");
        sys::set_errno(libc::EBADF);
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's.
    let file = unsafe { real::fdopen(fd, mode) };
    if !file.is_null() {
        let errno = sys::errno();
        owned(fd, owner(OwnerKind::Stdio, file.cast()), "fdopen");
        sys::set_errno(errno);
    } else if sys::errno() == libc::EBADF {
        descriptors::bad_use(fd, "fdopen");
    }
    file
}

/// Where glibc keeps the descriptor in its FILE (libio/bits/types/struct_FILE.h; the layout is ABI).
const FILENO_AT: usize = if size_of::<usize>() == 8 { 112 } else { 56 };
/// And in its DIR (sysdeps/unix/sysv/linux/dirstream.h: the first member).
const DIRFD_AT: usize = 0;

/// Makes the object forget its descriptor.
///
/// # Safety
/// A FILE or DIR of glibc.
unsafe fn cut_loose(object: *mut c_void, at: usize, fd: c_int) {
    // SAFETY: the field lies there in every glibc; it is checked to hold the number before it is written.
    unsafe {
        let field = object.byte_add(at).cast::<c_int>();
        if *field == fd {
            *field = -1;
        }
    }
}

/// The end of a FILE or DIR that holds `fd`.
///
/// # Safety
/// The object is open, and `call` ends it.
unsafe fn ending(
    object: *mut c_void,
    at: usize,
    fd: c_int,
    by: Owner,
    name: &str,
    call: impl FnOnce() -> c_int,
) -> c_int {
    match before_close(fd, by, Way::Object, name) {
        Before::Call(ticket) => {
            let result = call();
            // fclose can fail for want of space and has closed the descriptor all the same.
            let closed = if result != 0 && sys::errno() == libc::EBADF { -1 } else { 0 };
            after_close(fd, ticket, closed, name);
            result
        }
        Before::Refuse => {
            // SAFETY: the caller's.
            unsafe { cut_loose(object, at, fd) };
            let errno = sys::errno();
            let result = call();
            // What the close would have said: libc takes a FILE without a descriptor for closed, and sets no errno.
            sys::set_errno(if result == 0 { errno } else { libc::EBADF });
            result
        }
        Before::Pass | Before::Done => call(),
    }
}

pub unsafe fn fclose(file: *mut FILE) -> c_int {
    if resolver::asks(return_address()) {
        // SAFETY: the caller's.
        return unsafe { real::fclose(file) };
    }
    // SAFETY: the caller's.
    unsafe {
        let fd = number(file);
        ending(file.cast(), FILENO_AT, fd, acting(file, OwnerKind::Stdio), "fclose", || real::fclose(file))
    }
}

pub unsafe fn pclose(file: *mut FILE) -> c_int {
    // SAFETY: the caller's. Its result is the command's status, not that of the close.
    unsafe {
        let fd = number(file);
        match before_close(fd, owner(OwnerKind::Popen, file.cast()), Way::Object, "pclose") {
            Before::Call(ticket) => {
                let status = real::pclose(file);
                after_close(fd, ticket, 0, "pclose");
                status
            }
            Before::Refuse => {
                cut_loose(file.cast(), FILENO_AT, fd);
                real::pclose(file)
            }
            Before::Pass | Before::Done => real::pclose(file),
        }
    }
}

/// Flushes and lets go of every stream, without a close that we could see one by one.
pub unsafe fn fcloseall() -> c_int {
    // SAFETY: the caller's. glibc's fcloseall closes no descriptor (libio/genops.c, _IO_cleanup).
    unsafe { real::fcloseall() }
}

unsafe fn reopening(file: *mut FILE, path: *const c_char, call: impl FnOnce() -> *mut FILE) -> *mut FILE {
    // SAFETY: the caller's.
    unsafe {
        let before = number(file);
        if before == 2 {
            crate::finding::guarded(|_| message::stderr_closing());
        }
        let result = call();
        let errno = sys::errno();
        let after = number(result);
        if descriptors::on() {
            if before >= 0 && before != after && !sys::is_open(before) {
                descriptors::range_closed(before as u32, before as u32);
            }
            if after >= 0 {
                let by = acting(result, OwnerKind::Stdio);
                opened(after, FdKind::File, by, label(path));
            }
            if after == 2 {
                crate::finding::guarded(|_| message::stderr_redirected());
            }
        }
        sys::set_errno(errno);
        result
    }
}

pub unsafe fn freopen(path: *const c_char, mode: *const c_char, file: *mut FILE) -> *mut FILE {
    // SAFETY: the caller's.
    unsafe { reopening(file, path, || real::freopen(path, mode, file)) }
}

pub unsafe fn freopen64(path: *const c_char, mode: *const c_char, file: *mut FILE) -> *mut FILE {
    // SAFETY: the caller's.
    unsafe { reopening(file, path, || real::freopen64(path, mode, file)) }
}

/// # Safety
/// An open DIR or null.
unsafe fn directory_number(directory: *mut DIR) -> c_int {
    if directory.is_null() {
        return -1;
    }
    // SAFETY: the caller's.
    unsafe { libc::dirfd(directory) }
}

pub unsafe fn opendir(path: *const c_char) -> *mut DIR {
    // SAFETY: the caller's.
    let directory = making_object(|| unsafe { real::opendir(path) });
    // SAFETY: a DIR that libc has just made; the path was accepted by the call.
    unsafe {
        let fd = directory_number(directory);
        if fd >= 0 {
            opened(fd, FdKind::Dir, owner(OwnerKind::Dir, directory.cast()), label(path));
            super::listing::opened(directory, fd, CStr::from_ptr(path).to_bytes());
        }
    }
    descriptors::made();
    directory
}

pub unsafe fn fdopendir(fd: c_int) -> *mut DIR {
    if descriptors::hidden(fd) {
        descriptors::bad_use(fd, "fdopendir");
        sys::set_errno(libc::EBADF);
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's.
    let directory = unsafe { real::fdopendir(fd) };
    if !directory.is_null() {
        let errno = sys::errno();
        if let Some(slot) = descriptors::slot(fd) {
            slot.set_kind(FdKind::Dir);
        }
        owned(fd, owner(OwnerKind::Dir, directory.cast()), "fdopendir");
        super::listing::opened(directory, fd, b"/proc");
        sys::set_errno(errno);
    } else if sys::errno() == libc::EBADF {
        descriptors::bad_use(fd, "fdopendir");
    }
    directory
}

pub unsafe fn closedir(directory: *mut DIR) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let fd = directory_number(directory);
        super::listing::closing(directory);
        let by = owner(OwnerKind::Dir, directory.cast());
        ending(directory.cast(), DIRFD_AT, fd, by, "closedir", || real::closedir(directory))
    }
}
