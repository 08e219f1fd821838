//! The names of descriptor kinds, by the code that a recording holds.

const NAMES: [&str; 19] = [
    "fd", "file", "dir", "pipe", "tcp", "udp", "unix", "netlink", "socket", "epoll", "event", "timer", "signal",
    "inotify", "memfd", "pidfd", "pty", "shm", "other",
];

pub fn name(code: u8) -> &'static str {
    NAMES.get(usize::from(code)).copied().unwrap_or(NAMES[0])
}
