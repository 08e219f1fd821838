//! The libc calls that use a descriptor, by a code that fits in the last operation of a generation.
//!
//! The 64-bit and checked forms of a call have its plain name: it is the call that the source shows. Codes stay below 128
//! and are part of the recording's format: new calls take the next free one.

use crate::kind::codes;

codes! {
    /// A call that uses a descriptor.
    Call:
    Read = 1 "read",
    Write = 2 "write",
    Pread = 3 "pread",
    Pwrite = 4 "pwrite",
    Readv = 5 "readv",
    Writev = 6 "writev",
    Preadv = 7 "preadv",
    Pwritev = 8 "pwritev",
    Preadv2 = 9 "preadv2",
    Pwritev2 = 10 "pwritev2",
    Send = 11 "send",
    Sendto = 12 "sendto",
    Sendmsg = 13 "sendmsg",
    Sendmmsg = 14 "sendmmsg",
    Recv = 15 "recv",
    Recvfrom = 16 "recvfrom",
    Recvmsg = 17 "recvmsg",
    Recvmmsg = 18 "recvmmsg",
    Connect = 19 "connect",
    Bind = 20 "bind",
    Listen = 21 "listen",
    Accept = 22 "accept",
    Accept4 = 23 "accept4",
    Shutdown = 24 "shutdown",
    Setsockopt = 25 "setsockopt",
    Getsockopt = 26 "getsockopt",
    Getsockname = 27 "getsockname",
    Getpeername = 28 "getpeername",
    Ioctl = 29 "ioctl",
    Fcntl = 30 "fcntl",
    Lseek = 31 "lseek",
    Fsync = 32 "fsync",
    Fdatasync = 33 "fdatasync",
    Ftruncate = 34 "ftruncate",
    Fchmod = 35 "fchmod",
    Fchown = 36 "fchown",
    Flock = 37 "flock",
    Fchdir = 38 "fchdir",
    Fstat = 39 "fstat",
    EpollWait = 40 "epoll_wait",
    EpollPwait = 41 "epoll_pwait",
    EpollCtl = 42 "epoll_ctl",
    Sendfile = 43 "sendfile",
    Splice = 44 "splice",
    CopyFileRange = 45 "copy_file_range",
    Poll = 46 "poll",
    Signalfd = 47 "signalfd",
    Openat = 48 "openat",
    Dup = 49 "dup",
    PidfdGetfd = 50 "pidfd_getfd",
}

impl Call {
    /// A call that only asks about the descriptor, so that what it said is no news of the descriptor's fate.
    pub const fn is_query(self) -> bool {
        matches!(
            self,
            Self::Getsockopt
                | Self::Getsockname
                | Self::Getpeername
                | Self::Ioctl
                | Self::Fcntl
                | Self::Lseek
                | Self::Fstat
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_in_seven_bits() {
        assert!(Call::ALL.iter().all(|call| (*call as u16) > 0 && (*call as u16) < 128));
    }
}
