//! The roster: every interposed symbol once, with its signature, its family and the hook that answers it.
//!
//! One line expands to the exported C symbol, the slot of the real function, `real::name` to call it, and an entry in
//! the section `.shim.roster`, which `shim hooks` prints and a test compares with `nm -D` (`roster/expansion.rs`). The table is one
//! thing and stays whole, however long it is.
//!
//! ```text
//! required fn close(fd: c_int) -> c_int = lifetime::close;             every libc has it
//! optional fn pidfd_open(…) -> c_int = making::pidfd_open;             newer or other libraries have it
//! alias    fn __close(fd: c_int) -> c_int = lifetime::close;           another name for a hook, no slot of its own
//! own      fn cfree(block: *mut c_void) -> () = heap::cfree;           answered without a real one
//! required fn fcntl(fd: c_int, command: c_int; argument: usize) …      after `;`: a variadic argument, fixed here
//! required fn f(…) -> … = hook, versions ["GLIBC_2.3.2"];              asked for first, with dlvsym
//! ```
//!
//! **Versions.** Up to glibc 2.35 dlsym(RTLD_NEXT) answers with the oldest version of a symbol when libc began with that one (glibc bug
//! 14932), not with what a program is linked against today: whatever has such a one names the newer. That is 2.0 on i386 and 2.2.5 on x86_64.
//!
//! **Variadics at fixed arity.** Stable Rust can call C-variadic functions but not define them. On x86_64 (System V),
//! aarch64 (AAPCS64 as Linux has it) and i386 a variadic integer or pointer argument travels exactly where a fixed one
//! would; an argument that the caller did not pass is an undefined register or stack word, which we hand on unread, and
//! which libc does not read either, because the command says that there is none. c-tests/fd/variadics.c tests both.
#![allow(unsafe_code)] // Safety: signatures are those of the man pages; a slot holds the function of that name.
#![allow(non_upper_case_globals)] // Slots carry the names of the functions that they hold.
#![allow(non_snake_case)] // The operators of C++ have mangled names.
#![allow(clippy::missing_safety_doc)] // Every hook has the contract of the libc function of its name.
#![allow(clippy::too_many_arguments)]

use crate::hooks::{
    barrier, c_types::*, c11, condition, directory, heap, keys, lifetime, listing, loading, making, memory, mutex,
    once, operators, passing, polling, process, resolver, rwlock, semaphore, signals, spin, stdio, throwing,
    transferring, using,
};

#[macro_use]
mod expansion;

roster! {
    "heap" {
        required fn malloc(size: usize) -> *mut c_void = heap::malloc;
        required fn calloc(count: usize, size: usize) -> *mut c_void = heap::calloc;
        required fn realloc(block: *mut c_void, size: usize) -> *mut c_void = heap::realloc;
        required fn free(block: *mut c_void) -> () = heap::free;
        own fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void = heap::reallocarray;
        required fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int = heap::posix_memalign;
        required fn aligned_alloc(align: usize, size: usize) -> *mut c_void = heap::aligned_alloc;
        required fn memalign(align: usize, size: usize) -> *mut c_void = heap::memalign;
        required fn valloc(size: usize) -> *mut c_void = heap::valloc;
        required fn pvalloc(size: usize) -> *mut c_void = heap::pvalloc;
        required fn malloc_usable_size(block: *mut c_void) -> usize = heap::malloc_usable_size;
        own fn cfree(block: *mut c_void) -> () = heap::cfree;
        own fn free_sized(block: *mut c_void, size: usize) -> () = heap::free_sized;
        own fn free_aligned_sized(block: *mut c_void, align: usize, size: usize) -> () = heap::free_aligned_sized;
    }

    "operators" {
        optional fn _Znwm(size: usize) -> *mut c_void = operators::_Znwm;
        optional fn _ZnwmRKSt9nothrow_t(size: usize, tag: *const c_void) -> *mut c_void = operators::_ZnwmRKSt9nothrow_t;
        optional fn _ZnwmSt11align_val_t(size: usize, align: usize) -> *mut c_void = operators::_ZnwmSt11align_val_t;
        optional fn _ZnwmSt11align_val_tRKSt9nothrow_t(size: usize, align: usize, tag: *const c_void) -> *mut c_void = operators::_ZnwmSt11align_val_tRKSt9nothrow_t;
        optional fn _Znam(size: usize) -> *mut c_void = operators::_Znam;
        optional fn _ZnamRKSt9nothrow_t(size: usize, tag: *const c_void) -> *mut c_void = operators::_ZnamRKSt9nothrow_t;
        optional fn _ZnamSt11align_val_t(size: usize, align: usize) -> *mut c_void = operators::_ZnamSt11align_val_t;
        optional fn _ZnamSt11align_val_tRKSt9nothrow_t(size: usize, align: usize, tag: *const c_void) -> *mut c_void = operators::_ZnamSt11align_val_tRKSt9nothrow_t;
        optional fn _ZdlPv(block: *mut c_void) -> () = operators::_ZdlPv;
        optional fn _ZdlPvm(block: *mut c_void, size: usize) -> () = operators::_ZdlPvm;
        optional fn _ZdlPvRKSt9nothrow_t(block: *mut c_void, tag: usize) -> () = operators::_ZdlPvRKSt9nothrow_t;
        optional fn _ZdlPvSt11align_val_t(block: *mut c_void, align: usize) -> () = operators::_ZdlPvSt11align_val_t;
        optional fn _ZdlPvmSt11align_val_t(block: *mut c_void, size: usize, align: usize) -> () = operators::_ZdlPvmSt11align_val_t;
        optional fn _ZdlPvSt11align_val_tRKSt9nothrow_t(block: *mut c_void, align: usize, tag: usize) -> () = operators::_ZdlPvSt11align_val_tRKSt9nothrow_t;
        optional fn _ZdaPv(block: *mut c_void) -> () = operators::_ZdaPv;
        optional fn _ZdaPvm(block: *mut c_void, size: usize) -> () = operators::_ZdaPvm;
        optional fn _ZdaPvRKSt9nothrow_t(block: *mut c_void, tag: usize) -> () = operators::_ZdaPvRKSt9nothrow_t;
        optional fn _ZdaPvSt11align_val_t(block: *mut c_void, align: usize) -> () = operators::_ZdaPvSt11align_val_t;
        optional fn _ZdaPvmSt11align_val_t(block: *mut c_void, size: usize, align: usize) -> () = operators::_ZdaPvmSt11align_val_t;
        optional fn _ZdaPvSt11align_val_tRKSt9nothrow_t(block: *mut c_void, align: usize, tag: usize) -> () = operators::_ZdaPvSt11align_val_tRKSt9nothrow_t;
        alias fn _Znwj(size: usize) -> *mut c_void = operators::_Znwm;
        alias fn _ZnwjRKSt9nothrow_t(size: usize, tag: *const c_void) -> *mut c_void = operators::_ZnwmRKSt9nothrow_t;
        alias fn _ZnwjSt11align_val_t(size: usize, align: usize) -> *mut c_void = operators::_ZnwmSt11align_val_t;
        alias fn _ZnwjSt11align_val_tRKSt9nothrow_t(size: usize, align: usize, tag: *const c_void) -> *mut c_void = operators::_ZnwmSt11align_val_tRKSt9nothrow_t;
        alias fn _Znaj(size: usize) -> *mut c_void = operators::_Znam;
        alias fn _ZnajRKSt9nothrow_t(size: usize, tag: *const c_void) -> *mut c_void = operators::_ZnamRKSt9nothrow_t;
        alias fn _ZnajSt11align_val_t(size: usize, align: usize) -> *mut c_void = operators::_ZnamSt11align_val_t;
        alias fn _ZnajSt11align_val_tRKSt9nothrow_t(size: usize, align: usize, tag: *const c_void) -> *mut c_void = operators::_ZnamSt11align_val_tRKSt9nothrow_t;
        alias fn _ZdlPvj(block: *mut c_void, size: usize) -> () = operators::_ZdlPvm;
        alias fn _ZdlPvjSt11align_val_t(block: *mut c_void, size: usize, align: usize) -> () = operators::_ZdlPvmSt11align_val_t;
        alias fn _ZdaPvj(block: *mut c_void, size: usize) -> () = operators::_ZdaPvm;
        alias fn _ZdaPvjSt11align_val_t(block: *mut c_void, size: usize, align: usize) -> () = operators::_ZdaPvmSt11align_val_t;
    }

    "descriptor lifetime" {
        required fn close(fd: c_int) -> c_int = lifetime::close;
        alias fn __close(fd: c_int) -> c_int = lifetime::close;
        optional fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int = lifetime::close_range;
        optional fn closefrom(first: c_int) -> () = lifetime::closefrom;
        required fn dup(fd: c_int) -> c_int = lifetime::dup;
        required fn dup2(fd: c_int, to: c_int) -> c_int = lifetime::dup2;
        alias fn __dup2(fd: c_int, to: c_int) -> c_int = lifetime::dup2;
        required fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int = lifetime::dup3;
        required fn fcntl(fd: c_int, command: c_int; argument: usize) -> c_int = lifetime::fcntl, versions ["GLIBC_2.28"];
        alias fn __fcntl(fd: c_int, command: c_int, argument: usize) -> c_int = lifetime::fcntl;
        optional fn fcntl64(fd: c_int, command: c_int; argument: usize) -> c_int = lifetime::fcntl64;
        required fn syscall(number: c_long; a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> c_long = lifetime::syscall;
    }

    "descriptor making" {
        required fn open(path: *const c_char, flags: c_int; mode: mode_t) -> c_int = making::open;
        required fn open64(path: *const c_char, flags: c_int; mode: mode_t) -> c_int = making::open64;
        alias fn __open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int = making::open;
        alias fn __open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int = making::open64;
        required fn openat(directory: c_int, path: *const c_char, flags: c_int; mode: mode_t) -> c_int = making::openat;
        required fn openat64(directory: c_int, path: *const c_char, flags: c_int; mode: mode_t) -> c_int = making::openat64;
        required fn __open_2(path: *const c_char, flags: c_int) -> c_int = making::__open_2;
        required fn __open64_2(path: *const c_char, flags: c_int) -> c_int = making::__open64_2;
        required fn __openat_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int = making::__openat_2;
        required fn __openat64_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int = making::__openat64_2;
        required fn creat(path: *const c_char, mode: mode_t) -> c_int = making::creat;
        required fn creat64(path: *const c_char, mode: mode_t) -> c_int = making::creat64;
        required fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int = making::socket;
        required fn socketpair(domain: c_int, kind: c_int, protocol: c_int, out: *mut c_int) -> c_int = making::socketpair;
        required fn accept(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int = making::accept;
        required fn accept4(fd: c_int, address: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int = making::accept4;
        required fn pipe(out: *mut c_int) -> c_int = making::pipe;
        alias fn __pipe(out: *mut c_int) -> c_int = making::pipe;
        required fn pipe2(out: *mut c_int, flags: c_int) -> c_int = making::pipe2;
        required fn eventfd(value: c_uint, flags: c_int) -> c_int = making::eventfd;
        required fn timerfd_create(clock: c_int, flags: c_int) -> c_int = making::timerfd_create;
        required fn signalfd(fd: c_int, mask: *const sigset_t, flags: c_int) -> c_int = making::signalfd;
        required fn inotify_init() -> c_int = making::inotify_init;
        required fn inotify_init1(flags: c_int) -> c_int = making::inotify_init1;
        required fn fanotify_init(flags: c_uint, event_flags: c_uint) -> c_int = making::fanotify_init;
        required fn epoll_create(size: c_int) -> c_int = making::epoll_create;
        required fn epoll_create1(flags: c_int) -> c_int = making::epoll_create1;
        optional fn memfd_create(name: *const c_char, flags: c_uint) -> c_int = making::memfd_create;
        optional fn pidfd_open(pid: pid_t, flags: c_uint) -> c_int = making::pidfd_open;
        optional fn pidfd_getfd(pidfd: c_int, target: c_int, flags: c_uint) -> c_int = making::pidfd_getfd;
        required fn mkstemp(template: *mut c_char) -> c_int = making::mkstemp;
        required fn mkstemp64(template: *mut c_char) -> c_int = making::mkstemp64;
        required fn mkostemp(template: *mut c_char, flags: c_int) -> c_int = making::mkostemp;
        required fn mkostemp64(template: *mut c_char, flags: c_int) -> c_int = making::mkostemp64;
        required fn mkstemps(template: *mut c_char, suffix: c_int) -> c_int = making::mkstemps;
        required fn mkstemps64(template: *mut c_char, suffix: c_int) -> c_int = making::mkstemps64;
        required fn mkostemps(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int = making::mkostemps;
        required fn mkostemps64(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int = making::mkostemps64;
        optional fn shm_open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int = making::shm_open;
        optional fn mq_open(name: *const c_char, flags: c_int; mode: mode_t, attributes: *mut c_void) -> c_int = making::mq_open;
        optional fn mq_close(fd: c_int) -> c_int = lifetime::mq_close;
        required fn posix_openpt(flags: c_int) -> c_int = making::posix_openpt;
        required fn getpt() -> c_int = making::getpt;
        optional fn openpty(main: *mut c_int, other: *mut c_int, name: *mut c_char, terminal: *const c_void, size: *const c_void) -> c_int = making::openpty;
        optional fn forkpty(main: *mut c_int, name: *mut c_char, terminal: *const c_void, size: *const c_void) -> pid_t = making::forkpty;
        required fn open_by_handle_at(mount: c_int, handle: *mut c_void, flags: c_int) -> c_int = making::open_by_handle_at;
        required fn connect(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int = making::connect;
        required fn bind(fd: c_int, address: *const sockaddr, len: socklen_t) -> c_int = making::bind;
    }

    "descriptor passing" {
        required fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t = passing::recvmsg;
        required fn recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int = passing::recvmmsg;
        required fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t = passing::sendmsg;
        required fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int = passing::sendmmsg;
    }

    "stdio and directories" {
        required fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE = stdio::fopen, versions ["GLIBC_2.1"];
        required fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE = stdio::fopen64;
        required fn fdopen(fd: c_int, mode: *const c_char) -> *mut FILE = stdio::fdopen, versions ["GLIBC_2.1"];
        alias fn _IO_fdopen(fd: c_int, mode: *const c_char) -> *mut FILE = stdio::fdopen;
        required fn freopen(path: *const c_char, mode: *const c_char, file: *mut FILE) -> *mut FILE = stdio::freopen;
        required fn freopen64(path: *const c_char, mode: *const c_char, file: *mut FILE) -> *mut FILE = stdio::freopen64;
        required fn fclose(file: *mut FILE) -> c_int = stdio::fclose, versions ["GLIBC_2.1"];
        alias fn _IO_fclose(file: *mut FILE) -> c_int = stdio::fclose;
        required fn fcloseall() -> c_int = stdio::fcloseall;
        required fn tmpfile() -> *mut FILE = stdio::tmpfile, versions ["GLIBC_2.1"];
        required fn tmpfile64() -> *mut FILE = stdio::tmpfile64;
        required fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE = stdio::popen, versions ["GLIBC_2.1"];
        required fn pclose(file: *mut FILE) -> c_int = stdio::pclose, versions ["GLIBC_2.1"];
        required fn opendir(path: *const c_char) -> *mut DIR = stdio::opendir;
        required fn fdopendir(fd: c_int) -> *mut DIR = stdio::fdopendir;
        required fn readdir(directory: *mut DIR) -> *mut dirent = listing::readdir;
        required fn readdir64(directory: *mut DIR) -> *mut dirent64 = listing::readdir64;
        required fn readdir_r(directory: *mut DIR, entry: *mut dirent, out: *mut *mut dirent) -> c_int = listing::readdir_r;
        required fn readdir64_r(directory: *mut DIR, entry: *mut dirent64, out: *mut *mut dirent64) -> c_int = listing::readdir64_r;
        required fn closedir(directory: *mut DIR) -> c_int = stdio::closedir;
    }

    "descriptor use" {
        required fn read(fd: c_int, to: *mut c_void, len: usize) -> ssize_t = transferring::read;
        alias fn __read(fd: c_int, to: *mut c_void, len: usize) -> ssize_t = transferring::read;
        required fn __read_chk(fd: c_int, to: *mut c_void, len: usize, room: usize) -> ssize_t = transferring::__read_chk;
        required fn write(fd: c_int, from: *const c_void, len: usize) -> ssize_t = transferring::write;
        alias fn __write(fd: c_int, from: *const c_void, len: usize) -> ssize_t = transferring::write;
        required fn pread(fd: c_int, to: *mut c_void, len: usize, at: off_t) -> ssize_t = transferring::pread;
        required fn pread64(fd: c_int, to: *mut c_void, len: usize, at: off64_t) -> ssize_t = transferring::pread64;
        required fn __pread_chk(fd: c_int, to: *mut c_void, len: usize, at: off_t, room: usize) -> ssize_t = transferring::__pread_chk;
        required fn __pread64_chk(fd: c_int, to: *mut c_void, len: usize, at: off64_t, room: usize) -> ssize_t = transferring::__pread64_chk;
        required fn pwrite(fd: c_int, from: *const c_void, len: usize, at: off_t) -> ssize_t = transferring::pwrite;
        required fn pwrite64(fd: c_int, from: *const c_void, len: usize, at: off64_t) -> ssize_t = transferring::pwrite64;
        required fn readv(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t = transferring::readv;
        required fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t = transferring::writev;
        required fn preadv(fd: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t = transferring::preadv;
        required fn preadv64(fd: c_int, parts: *const iovec, count: c_int, at: off64_t) -> ssize_t = transferring::preadv64;
        required fn pwritev(fd: c_int, parts: *const iovec, count: c_int, at: off_t) -> ssize_t = transferring::pwritev;
        required fn pwritev64(fd: c_int, parts: *const iovec, count: c_int, at: off64_t) -> ssize_t = transferring::pwritev64;
        optional fn preadv2(fd: c_int, parts: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t = transferring::preadv2;
        optional fn preadv64v2(fd: c_int, parts: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t = transferring::preadv64v2;
        optional fn pwritev2(fd: c_int, parts: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t = transferring::pwritev2;
        optional fn pwritev64v2(fd: c_int, parts: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t = transferring::pwritev64v2;
        required fn send(fd: c_int, from: *const c_void, len: usize, flags: c_int) -> ssize_t = transferring::send;
        alias fn __send(fd: c_int, from: *const c_void, len: usize, flags: c_int) -> ssize_t = transferring::send;
        required fn sendto(fd: c_int, from: *const c_void, len: usize, flags: c_int, to: *const sockaddr, to_len: socklen_t) -> ssize_t = transferring::sendto;
        required fn recv(fd: c_int, to: *mut c_void, len: usize, flags: c_int) -> ssize_t = transferring::recv;
        required fn __recv_chk(fd: c_int, to: *mut c_void, len: usize, room: usize, flags: c_int) -> ssize_t = transferring::__recv_chk;
        required fn recvfrom(fd: c_int, to: *mut c_void, len: usize, flags: c_int, from: *mut sockaddr, from_len: *mut socklen_t) -> ssize_t = transferring::recvfrom;
        required fn __recvfrom_chk(fd: c_int, to: *mut c_void, len: usize, room: usize, flags: c_int, from: *mut sockaddr, from_len: *mut socklen_t) -> ssize_t = transferring::__recvfrom_chk;
        required fn poll(list: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int = polling::poll;
        alias fn __poll(list: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int = polling::poll;
        required fn ppoll(list: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t) -> c_int = polling::ppoll;
        required fn __poll_chk(list: *mut pollfd, count: nfds_t, timeout: c_int, room: usize) -> c_int = polling::__poll_chk;
        required fn __ppoll_chk(list: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t, room: usize) -> c_int = polling::__ppoll_chk;
        required fn select(count: c_int, readable: *mut fd_set, writable: *mut fd_set, exceptional: *mut fd_set, timeout: *mut timeval) -> c_int = polling::select;
        alias fn __select(count: c_int, readable: *mut fd_set, writable: *mut fd_set, exceptional: *mut fd_set, timeout: *mut timeval) -> c_int = polling::select;
        required fn pselect(count: c_int, readable: *mut fd_set, writable: *mut fd_set, exceptional: *mut fd_set, timeout: *const timespec, mask: *const sigset_t) -> c_int = polling::pselect;
        required fn epoll_ctl(fd: c_int, op: c_int, target: c_int, event: *mut c_void) -> c_int = polling::epoll_ctl;
        required fn epoll_wait(fd: c_int, events: *mut c_void, count: c_int, timeout: c_int) -> c_int = polling::epoll_wait;
        required fn epoll_pwait(fd: c_int, events: *mut c_void, count: c_int, timeout: c_int, mask: *const sigset_t) -> c_int = polling::epoll_pwait;
        required fn ioctl(fd: c_int, request: c_ulong; argument: usize) -> c_int = using::ioctl;
        required fn getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, len: *mut socklen_t) -> c_int = using::getsockopt;
        required fn setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, len: socklen_t) -> c_int = using::setsockopt;
        required fn getsockname(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int = using::getsockname;
        required fn getpeername(fd: c_int, address: *mut sockaddr, len: *mut socklen_t) -> c_int = using::getpeername;
        required fn shutdown(fd: c_int, how: c_int) -> c_int = using::shutdown;
        required fn listen(fd: c_int, backlog: c_int) -> c_int = using::listen;
        required fn lseek(fd: c_int, at: off_t, whence: c_int) -> off_t = using::lseek;
        required fn lseek64(fd: c_int, at: off64_t, whence: c_int) -> off64_t = using::lseek64;
        required fn fsync(fd: c_int) -> c_int = using::fsync;
        required fn fdatasync(fd: c_int) -> c_int = using::fdatasync;
        required fn ftruncate(fd: c_int, len: off_t) -> c_int = using::ftruncate;
        required fn ftruncate64(fd: c_int, len: off64_t) -> c_int = using::ftruncate64;
        optional fn fstat(fd: c_int, out: *mut c_void) -> c_int = using::fstat;
        optional fn fstat64(fd: c_int, out: *mut c_void) -> c_int = using::fstat64;
        optional fn __fxstat(version: c_int, fd: c_int, out: *mut c_void) -> c_int = using::__fxstat;
        optional fn __fxstat64(version: c_int, fd: c_int, out: *mut c_void) -> c_int = using::__fxstat64;
        required fn fchmod(fd: c_int, mode: mode_t) -> c_int = using::fchmod;
        required fn fchown(fd: c_int, user: u32, group: u32) -> c_int = using::fchown;
        required fn fchdir(fd: c_int) -> c_int = using::fchdir;
        required fn flock(fd: c_int, operation: c_int) -> c_int = using::flock;
        required fn sendfile(to: c_int, from: c_int, at: *mut off_t, len: usize) -> ssize_t = transferring::sendfile;
        required fn sendfile64(to: c_int, from: c_int, at: *mut off64_t, len: usize) -> ssize_t = transferring::sendfile64;
        required fn splice(from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t, len: usize, flags: c_uint) -> ssize_t = transferring::splice;
        optional fn copy_file_range(from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t, len: usize, flags: c_uint) -> ssize_t = transferring::copy_file_range;
    }

    "directory descriptor use" {
        optional fn fstatfs(fd: c_int, out: *mut c_void) -> c_int = directory::fstatfs;
        optional fn fstatfs64(fd: c_int, out: *mut c_void) -> c_int = directory::fstatfs64;
        optional fn fstatvfs(fd: c_int, out: *mut c_void) -> c_int = directory::fstatvfs;
        optional fn fstatvfs64(fd: c_int, out: *mut c_void) -> c_int = directory::fstatvfs64;
        optional fn fstatat(directory: c_int, path: *const c_char, out: *mut c_void, flags: c_int) -> c_int = directory::fstatat;
        optional fn fstatat64(directory: c_int, path: *const c_char, out: *mut c_void, flags: c_int) -> c_int = directory::fstatat64;
        optional fn __fxstatat(version: c_int, directory: c_int, path: *const c_char, out: *mut c_void, flags: c_int) -> c_int = directory::__fxstatat;
        optional fn __fxstatat64(version: c_int, directory: c_int, path: *const c_char, out: *mut c_void, flags: c_int) -> c_int = directory::__fxstatat64;
        optional fn statx(directory: c_int, path: *const c_char, flags: c_int, mask: c_uint, out: *mut c_void) -> c_int = directory::statx;
        optional fn faccessat(directory: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int = directory::faccessat;
        optional fn fchmodat(directory: c_int, path: *const c_char, mode: mode_t, flags: c_int) -> c_int = directory::fchmodat;
        optional fn fchownat(directory: c_int, path: *const c_char, user: u32, group: u32, flags: c_int) -> c_int = directory::fchownat;
        optional fn utimensat(directory: c_int, path: *const c_char, times: *const timespec, flags: c_int) -> c_int = directory::utimensat;
        optional fn readlinkat(directory: c_int, path: *const c_char, out: *mut c_char, len: usize) -> ssize_t = directory::readlinkat;
        optional fn __readlinkat_chk(directory: c_int, path: *const c_char, out: *mut c_char, len: usize, room: usize) -> ssize_t = directory::__readlinkat_chk;
        optional fn mkdirat(directory: c_int, path: *const c_char, mode: mode_t) -> c_int = directory::mkdirat;
        optional fn mkfifoat(directory: c_int, path: *const c_char, mode: mode_t) -> c_int = directory::mkfifoat;
        optional fn mknodat(directory: c_int, path: *const c_char, mode: mode_t, device: u64) -> c_int = directory::mknodat;
        optional fn __xmknodat(version: c_int, directory: c_int, path: *const c_char, mode: mode_t, device: *mut u64) -> c_int = directory::__xmknodat;
        optional fn unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int = directory::unlinkat;
        optional fn symlinkat(target: *const c_char, directory: c_int, path: *const c_char) -> c_int = directory::symlinkat;
        required fn linkat(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_int) -> c_int = directory::linkat;
        required fn renameat(from: c_int, old: *const c_char, to: c_int, new: *const c_char) -> c_int = directory::renameat;
        optional fn renameat2(from: c_int, old: *const c_char, to: c_int, new: *const c_char, flags: c_uint) -> c_int = directory::renameat2;
    }

    "resolver" {
        required fn getaddrinfo(node: *const c_char, service: *const c_char, hints: *const c_void, out: *mut c_void) -> c_int = resolver::getaddrinfo;
        required fn getnameinfo(address: *const sockaddr, len: socklen_t, host: *mut c_char, host_len: socklen_t, service: *mut c_char, service_len: socklen_t, flags: c_int) -> c_int = resolver::getnameinfo;
        required fn gethostbyname(name: *const c_char) -> *mut c_void = resolver::gethostbyname;
        required fn gethostbyname2(name: *const c_char, family: c_int) -> *mut c_void = resolver::gethostbyname2;
        required fn gethostbyname_r(name: *const c_char, result: *mut c_void, buffer: *mut c_char, len: usize, out: *mut c_void, error: *mut c_int) -> c_int = resolver::gethostbyname_r, versions ["GLIBC_2.1.2"];
        required fn gethostbyname2_r(name: *const c_char, family: c_int, result: *mut c_void, buffer: *mut c_char, len: usize, out: *mut c_void, error: *mut c_int) -> c_int = resolver::gethostbyname2_r, versions ["GLIBC_2.1.2"];
        required fn gethostbyaddr(address: *const c_void, len: socklen_t, family: c_int) -> *mut c_void = resolver::gethostbyaddr;
        required fn gethostbyaddr_r(address: *const c_void, len: socklen_t, family: c_int, result: *mut c_void, buffer: *mut c_char, buffer_len: usize, out: *mut c_void, error: *mut c_int) -> c_int = resolver::gethostbyaddr_r, versions ["GLIBC_2.1.2"];
        required fn getifaddrs(out: *mut *mut c_void) -> c_int = resolver::getifaddrs;
        required fn if_nameindex() -> *mut c_void = resolver::if_nameindex;
    }

    "process" {
        own fn vfork() -> pid_t = process::vfork;
        own fn __vfork() -> pid_t = process::vfork;
        required fn clone(function: *const c_void, stack: *mut c_void, flags: c_int, argument: *mut c_void; parent: *mut c_void, tls: *mut c_void, child: *mut c_void) -> c_int = process::clone;
        alias fn __clone(function: *const c_void, stack: *mut c_void, flags: c_int, argument: *mut c_void; parent: *mut c_void, tls: *mut c_void, child: *mut c_void) -> c_int = process::clone;
        required fn execve(path: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> c_int = process::execve;
        required fn execv(path: *const c_char, arguments: *const *const c_char) -> c_int = process::execv;
        required fn execvp(file: *const c_char, arguments: *const *const c_char) -> c_int = process::execvp;
        required fn execvpe(file: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> c_int = process::execvpe;
        required fn fexecve(fd: c_int, arguments: *const *const c_char, environment: *const *const c_char) -> c_int = process::fexecve;
        optional fn execveat(directory: c_int, path: *const c_char, arguments: *const *const c_char, environment: *const *const c_char, flags: c_int) -> c_int = process::execveat;
        required fn posix_spawn(pid: *mut pid_t, path: *const c_char, actions: *const c_void, attributes: *const c_void, arguments: *const *const c_char, environment: *const *const c_char) -> c_int = process::posix_spawn, versions ["GLIBC_2.15"];
        required fn posix_spawnp(pid: *mut pid_t, file: *const c_char, actions: *const c_void, attributes: *const c_void, arguments: *const *const c_char, environment: *const *const c_char) -> c_int = process::posix_spawnp, versions ["GLIBC_2.15"];
        required fn daemon(keep_directory: c_int, keep_files: c_int) -> c_int = process::daemon;
        required fn _exit(status: c_int) -> () = process::_exit;
        alias fn _Exit(status: c_int) -> () = process::_exit;
        required fn pthread_create(thread: *mut c_void, attributes: *const c_void, start: *mut c_void, argument: *mut c_void) -> c_int = process::pthread_create, versions ["GLIBC_2.34", "GLIBC_2.1"];
        required fn pthread_setname_np(thread: usize, name: *const c_char) -> c_int = process::pthread_setname_np;
        required fn prctl(option: c_int; a: usize, b: usize, c: usize, d: usize) -> c_int = process::prctl;
    }

    "mutex" {
        required fn pthread_mutex_lock(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_lock;
        alias fn __pthread_mutex_lock(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_lock;
        required fn pthread_mutex_trylock(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_trylock;
        alias fn __pthread_mutex_trylock(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_trylock;
        required fn pthread_mutex_timedlock(mutex: *mut c_void, until: *const timespec) -> c_int = mutex::pthread_mutex_timedlock;
        optional fn pthread_mutex_clocklock(mutex: *mut c_void, clock: c_int, until: *const timespec) -> c_int = mutex::pthread_mutex_clocklock;
        required fn pthread_mutex_unlock(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_unlock;
        alias fn __pthread_mutex_unlock(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_unlock;
        required fn pthread_mutex_init(mutex: *mut c_void, attributes: *const c_void) -> c_int = mutex::pthread_mutex_init;
        alias fn __pthread_mutex_init(mutex: *mut c_void, attributes: *const c_void) -> c_int = mutex::pthread_mutex_init;
        required fn pthread_mutex_destroy(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_destroy;
        alias fn __pthread_mutex_destroy(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_destroy;
        required fn pthread_mutex_consistent(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_consistent;
        alias fn pthread_mutex_consistent_np(mutex: *mut c_void) -> c_int = mutex::pthread_mutex_consistent;
        optional fn __pthread_mutex_timedlock64(mutex: *mut c_void, until: *const c_void) -> c_int = mutex::__pthread_mutex_timedlock64;
        optional fn __pthread_mutex_clocklock64(mutex: *mut c_void, clock: c_int, until: *const c_void) -> c_int = mutex::__pthread_mutex_clocklock64;
    }

    "rwlock" {
        required fn pthread_rwlock_rdlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_rdlock;
        alias fn __pthread_rwlock_rdlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_rdlock;
        required fn pthread_rwlock_wrlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_wrlock;
        alias fn __pthread_rwlock_wrlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_wrlock;
        required fn pthread_rwlock_tryrdlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_tryrdlock;
        alias fn __pthread_rwlock_tryrdlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_tryrdlock;
        required fn pthread_rwlock_trywrlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_trywrlock;
        alias fn __pthread_rwlock_trywrlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_trywrlock;
        required fn pthread_rwlock_timedrdlock(lock: *mut c_void, until: *const timespec) -> c_int = rwlock::pthread_rwlock_timedrdlock;
        required fn pthread_rwlock_timedwrlock(lock: *mut c_void, until: *const timespec) -> c_int = rwlock::pthread_rwlock_timedwrlock;
        optional fn pthread_rwlock_clockrdlock(lock: *mut c_void, clock: c_int, until: *const timespec) -> c_int = rwlock::pthread_rwlock_clockrdlock;
        optional fn pthread_rwlock_clockwrlock(lock: *mut c_void, clock: c_int, until: *const timespec) -> c_int = rwlock::pthread_rwlock_clockwrlock;
        required fn pthread_rwlock_unlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_unlock;
        alias fn __pthread_rwlock_unlock(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_unlock;
        required fn pthread_rwlock_init(lock: *mut c_void, attributes: *const c_void) -> c_int = rwlock::pthread_rwlock_init;
        alias fn __pthread_rwlock_init(lock: *mut c_void, attributes: *const c_void) -> c_int = rwlock::pthread_rwlock_init;
        required fn pthread_rwlock_destroy(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_destroy;
        alias fn __pthread_rwlock_destroy(lock: *mut c_void) -> c_int = rwlock::pthread_rwlock_destroy;
        optional fn __pthread_rwlock_timedrdlock64(lock: *mut c_void, until: *const c_void) -> c_int = rwlock::__pthread_rwlock_timedrdlock64;
        optional fn __pthread_rwlock_clockrdlock64(lock: *mut c_void, clock: c_int, until: *const c_void) -> c_int = rwlock::__pthread_rwlock_clockrdlock64;
        optional fn __pthread_rwlock_timedwrlock64(lock: *mut c_void, until: *const c_void) -> c_int = rwlock::__pthread_rwlock_timedwrlock64;
        optional fn __pthread_rwlock_clockwrlock64(lock: *mut c_void, clock: c_int, until: *const c_void) -> c_int = rwlock::__pthread_rwlock_clockwrlock64;
    }

    "spin lock" {
        required fn pthread_spin_lock(lock: *mut c_void) -> c_int = spin::pthread_spin_lock;
        required fn pthread_spin_trylock(lock: *mut c_void) -> c_int = spin::pthread_spin_trylock;
        required fn pthread_spin_unlock(lock: *mut c_void) -> c_int = spin::pthread_spin_unlock;
        required fn pthread_spin_init(lock: *mut c_void, shared: c_int) -> c_int = spin::pthread_spin_init;
        required fn pthread_spin_destroy(lock: *mut c_void) -> c_int = spin::pthread_spin_destroy;
    }

    "condition variable" {
        required fn pthread_cond_wait(cond: *mut c_void, mutex: *mut c_void) -> c_int = condition::pthread_cond_wait, versions ["GLIBC_2.3.2", "GLIBC_2.17"];
        required fn pthread_cond_timedwait(cond: *mut c_void, mutex: *mut c_void, until: *const timespec) -> c_int = condition::pthread_cond_timedwait, versions ["GLIBC_2.3.2", "GLIBC_2.17"];
        optional fn pthread_cond_clockwait(cond: *mut c_void, mutex: *mut c_void, clock: c_int, until: *const timespec) -> c_int = condition::pthread_cond_clockwait;
        required fn pthread_cond_signal(cond: *mut c_void) -> c_int = condition::pthread_cond_signal, versions ["GLIBC_2.3.2", "GLIBC_2.17"];
        required fn pthread_cond_broadcast(cond: *mut c_void) -> c_int = condition::pthread_cond_broadcast, versions ["GLIBC_2.3.2", "GLIBC_2.17"];
        required fn pthread_cond_init(cond: *mut c_void, attributes: *const c_void) -> c_int = condition::pthread_cond_init, versions ["GLIBC_2.3.2", "GLIBC_2.17"];
        required fn pthread_cond_destroy(cond: *mut c_void) -> c_int = condition::pthread_cond_destroy, versions ["GLIBC_2.3.2", "GLIBC_2.17"];
        optional fn __pthread_cond_timedwait64(cond: *mut c_void, mutex: *mut c_void, until: *const c_void) -> c_int = condition::__pthread_cond_timedwait64;
        optional fn __pthread_cond_clockwait64(cond: *mut c_void, mutex: *mut c_void, clock: c_int, until: *const c_void) -> c_int = condition::__pthread_cond_clockwait64;
    }

    "barrier" {
        required fn pthread_barrier_wait(barrier: *mut c_void) -> c_int = barrier::pthread_barrier_wait;
        required fn pthread_barrier_init(barrier: *mut c_void, attributes: *const c_void, count: c_uint) -> c_int = barrier::pthread_barrier_init;
        required fn pthread_barrier_destroy(barrier: *mut c_void) -> c_int = barrier::pthread_barrier_destroy;
    }

    "semaphore" {
        required fn sem_wait(semaphore: *mut c_void) -> c_int = semaphore::sem_wait, versions ["GLIBC_2.34", "GLIBC_2.1"];
        required fn sem_trywait(semaphore: *mut c_void) -> c_int = semaphore::sem_trywait, versions ["GLIBC_2.34", "GLIBC_2.1"];
        required fn sem_post(semaphore: *mut c_void) -> c_int = semaphore::sem_post, versions ["GLIBC_2.34", "GLIBC_2.1"];
        required fn sem_timedwait(semaphore: *mut c_void, until: *const timespec) -> c_int = semaphore::sem_timedwait;
        optional fn sem_clockwait(semaphore: *mut c_void, clock: c_int, until: *const timespec) -> c_int = semaphore::sem_clockwait;
        required fn sem_init(semaphore: *mut c_void, shared: c_int, value: c_uint) -> c_int = semaphore::sem_init, versions ["GLIBC_2.34", "GLIBC_2.1"];
        required fn sem_destroy(semaphore: *mut c_void) -> c_int = semaphore::sem_destroy, versions ["GLIBC_2.34", "GLIBC_2.1"];
        optional fn __sem_timedwait64(semaphore: *mut c_void, until: *const c_void) -> c_int = semaphore::__sem_timedwait64;
        optional fn __sem_clockwait64(semaphore: *mut c_void, clock: c_int, until: *const c_void) -> c_int = semaphore::__sem_clockwait64;
    }

    "once" {
        required fn pthread_once(control: *mut c_void, routine: usize) -> c_int = once::pthread_once;
        optional fn call_once(control: *mut c_void, routine: usize) -> () = once::call_once;
    }

    "C11 threads" {
        optional fn mtx_lock(mutex: *mut c_void) -> c_int = c11::mtx_lock;
        optional fn mtx_trylock(mutex: *mut c_void) -> c_int = c11::mtx_trylock;
        optional fn mtx_unlock(mutex: *mut c_void) -> c_int = c11::mtx_unlock;
        optional fn mtx_timedlock(mutex: *mut c_void, until: *const timespec) -> c_int = c11::mtx_timedlock;
        optional fn mtx_init(mutex: *mut c_void, kind: c_int) -> c_int = c11::mtx_init;
        optional fn mtx_destroy(mutex: *mut c_void) -> () = c11::mtx_destroy;
        optional fn cnd_wait(cond: *mut c_void, mutex: *mut c_void) -> c_int = c11::cnd_wait;
        optional fn cnd_timedwait(cond: *mut c_void, mutex: *mut c_void, until: *const timespec) -> c_int = c11::cnd_timedwait;
        optional fn cnd_signal(cond: *mut c_void) -> c_int = c11::cnd_signal;
        optional fn cnd_broadcast(cond: *mut c_void) -> c_int = c11::cnd_broadcast;
        optional fn cnd_init(cond: *mut c_void) -> c_int = c11::cnd_init;
        optional fn cnd_destroy(cond: *mut c_void) -> () = c11::cnd_destroy;
        optional fn __mtx_timedlock64(mutex: *mut c_void, until: *const c_void) -> c_int = c11::__mtx_timedlock64;
        optional fn __cnd_timedwait64(cond: *mut c_void, mutex: *mut c_void, until: *const c_void) -> c_int = c11::__cnd_timedwait64;
    }

    "keys" {
        required fn pthread_key_create(key: *mut pthread_key_t, destructor: usize) -> c_int = keys::pthread_key_create;
        alias fn __pthread_key_create(key: *mut pthread_key_t, destructor: usize) -> c_int = keys::pthread_key_create;
        required fn pthread_key_delete(key: pthread_key_t) -> c_int = keys::pthread_key_delete;
        required fn pthread_getspecific(key: pthread_key_t) -> *mut c_void = keys::pthread_getspecific;
        required fn pthread_setspecific(key: pthread_key_t, value: *const c_void) -> c_int = keys::pthread_setspecific;
        optional fn tss_create(key: *mut pthread_key_t, destructor: usize) -> c_int = keys::tss_create;
        optional fn tss_delete(key: pthread_key_t) -> () = keys::tss_delete;
        optional fn tss_get(key: pthread_key_t) -> *mut c_void = keys::tss_get;
        optional fn tss_set(key: pthread_key_t, value: *mut c_void) -> c_int = keys::tss_set;
    }

    "signals" {
        required fn sigaction(signal: c_int, new: *const sigaction_t, old: *mut sigaction_t) -> c_int = signals::sigaction;
        alias fn __sigaction(signal: c_int, new: *const sigaction_t, old: *mut sigaction_t) -> c_int = signals::sigaction;
        required fn signal(signal: c_int, handler: usize) -> usize = signals::signal;
        alias fn bsd_signal(signal: c_int, handler: usize) -> usize = signals::signal;
        alias fn ssignal(signal: c_int, handler: usize) -> usize = signals::signal;
        required fn __sysv_signal(signal: c_int, handler: usize) -> usize = signals::__sysv_signal;
        alias fn sysv_signal(signal: c_int, handler: usize) -> usize = signals::__sysv_signal;
        required fn sigset(signal: c_int, handler: usize) -> usize = signals::sigset;
        required fn sigignore(signal: c_int) -> c_int = signals::sigignore;
    }

    "throwing" {
        own fn _ZSt20__throw_system_errori(error: c_int) -> () = throwing::_ZSt20__throw_system_errori;
        own fn _ZNSt3__120__throw_system_errorEiPKc(error: c_int, what: *const c_char) -> () = throwing::_ZNSt3__120__throw_system_errorEiPKc;
    }

    "memory" {
        required fn munmap(address: *mut c_void, len: usize) -> c_int = memory::munmap;
    }

    "loading" {
        optional fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void = loading::dlopen, versions ["GLIBC_2.34", "GLIBC_2.1"];
        required fn dlclose(handle: *mut c_void) -> c_int = loading::dlclose;
    }
}
