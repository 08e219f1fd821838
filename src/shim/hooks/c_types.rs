//! The C types that the roster's signatures name.

pub use libc::{
    DIR, FILE, c_char, c_int, c_long, c_uint, c_ulong, c_void, dirent, dirent64, fd_set, iovec, mmsghdr, mode_t,
    msghdr, nfds_t, off_t, off64_t, pid_t, pollfd, pthread_key_t, sigaction as sigaction_t, sigset_t, sockaddr,
    socklen_t, ssize_t, timespec, timeval,
};
