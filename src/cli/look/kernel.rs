//! What the kernel says of the descriptors of another process.
//!
//! Each socket is borrowed for a moment (pidfd_getfd) and asked as its own process would ask it. Where that is refused, as by
//! ptrace_scope or an old kernel, /proc/PID/net/tcp is read once and the sockets are found in it by their inode. Where that
//! is refused too, no states are known, and the reason is kept to be said.
//!
//! Why borrowing is harmless: the process is not stopped, and a descriptor that it closes meanwhile is closed some
//! microseconds later, when ours is.
#![allow(unsafe_code)] // Safety: system calls on descriptors of our own, into local buffers whose length is passed.

use super::net_tables::{self, Tables};
use crate::message::reason;
use record::label::{Endpoint, Label};
use record::snapshot::source;
use std::fs;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use track::fd::FdKind;

/// What is known of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `track::fd::leak::tcp`; 0 = unknown.
    pub tcp: u8,
    pub unread: u64,
    /// O_NONBLOCK is known not to be set.
    pub blocking: bool,
}

pub enum Answer {
    /// It is not open any more.
    Closed,
    Open(Said),
}

enum Way {
    /// By this pidfd.
    Sockets(OwnedFd),
    Tables(Box<Tables>),
    /// Why not.
    None(String),
}

/// The kernel, asked about one process.
pub struct Kernel {
    pid: u32,
    way: Way,
}

impl Kernel {
    pub fn of(pid: u32) -> Self {
        let way = match pidfd(pid) {
            Ok(fd) => Way::Sockets(fd),
            Err(error) => tables(pid, &error),
        };
        Self { pid, way }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// One of [`source`].
    pub fn source(&self) -> u32 {
        match self.way {
            Way::Sockets(_) => source::SOCKETS,
            Way::Tables(_) => source::NET_TABLES,
            Way::None(_) => source::NONE,
        }
    }

    /// Why there are no states, when there are none.
    pub fn refused(&self) -> Option<&str> {
        match &self.way {
            Way::None(why) => Some(why),
            _ => None,
        }
    }

    /// The tables are of a moment: before each look they are read anew.
    pub fn refresh(&mut self) {
        if matches!(self.way, Way::Tables(_)) {
            self.way = tables(self.pid, &io::Error::from_raw_os_error(libc::EPERM));
        }
    }

    /// What is behind a number. `flags`: whether it blocks is wanted as well.
    pub fn ask(&mut self, fd: i32, kind: FdKind, flags: bool) -> Answer {
        if let Way::Sockets(pidfd) = &self.way {
            match borrow(pidfd, fd) {
                Ok(ours) => return Answer::Open(said(&ours, kind, flags)),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EBADF) => return Answer::Closed,
                    // It has ended: what stands in the recording is the last that is known.
                    Some(libc::ESRCH | libc::EMFILE | libc::ENFILE | libc::ENOMEM) => {
                        return Answer::Open(Said::default());
                    }
                    _ => self.way = tables(self.pid, &error),
                },
            }
        }
        let mut said = Said { blocking: flags && self.blocks(fd), ..Said::default() };
        if let (Way::Tables(tables), true) = (&self.way, kind == FdKind::Tcp) {
            match net_tables::inode(self.pid, fd) {
                Ok(inode) => {
                    let row = inode.and_then(|inode| tables.get(&inode));
                    // What is in no table is not bound and not connected.
                    said.tcp = row.map_or(track::fd::leak::tcp::CLOSE, |row| row.state);
                    said.unread = row.map_or(0, |row| row.unread);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Answer::Closed,
                Err(error) => self.way = Way::None(reason(&error)),
            }
        }
        Answer::Open(said)
    }

    /// Both ends of a socket.
    pub fn label(&self, fd: i32) -> Label {
        match &self.way {
            Way::Sockets(pidfd) => borrow(pidfd, fd).map_or(Label::NONE, |ours| {
                let (local, peer) = (name(&ours, libc::getsockname), name(&ours, libc::getpeername));
                Label::endpoints(endpoint(&local), endpoint(&peer))
            }),
            Way::Tables(tables) => {
                let inode = net_tables::inode(self.pid, fd).ok().flatten();
                inode.and_then(|inode| tables.get(&inode)).map_or(Label::NONE, |row| row.label)
            }
            Way::None(_) => Label::NONE,
        }
    }

    /// RLIMIT_NOFILE, soft.
    pub fn limit(&self) -> Option<u64> {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.pid)).ok()?;
        let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?;
        if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
    }

    /// By the flags in /proc/PID/fdinfo.
    fn blocks(&self, fd: i32) -> bool {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", self.pid)).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim);
        flags.and_then(|f| i32::from_str_radix(f, 8).ok()).is_some_and(|flags| flags & libc::O_NONBLOCK == 0)
    }
}

fn tables(pid: u32, refused: &io::Error) -> Way {
    match net_tables::read(pid) {
        Ok(tables) => Way::Tables(Box::new(tables)),
        Err(error) => Way::None(format!("{}; /proc/{pid}/net/tcp: {}", reason(refused), reason(&error))),
    }
}

fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    owned(
        // SAFETY: no memory is involved.
        unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) },
    )
}

fn borrow(pidfd: &OwnedFd, fd: i32) -> io::Result<OwnedFd> {
    owned(
        // SAFETY: no memory is involved.
        unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) },
    )
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(result) {
        // SAFETY: the system call has just given us this number.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn said(fd: &OwnedFd, kind: FdKind, flags: bool) -> Said {
    let raw = fd.as_raw_fd();
    let mut said = Said::default();
    if kind == FdKind::Tcp {
        let mut info = [0u8; 8];
        let mut len = info.len() as libc::socklen_t;
        // SAFETY: both pointers are to locals; the kernel writes `len` bytes at most. The first one is tcpi_state.
        let result =
            unsafe { libc::getsockopt(raw, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut len) };
        said.tcp = if result == 0 && len > 0 { info[0] } else { 0 };
    }
    let mut waiting: libc::c_int = 0;
    // SAFETY: FIONREAD, which is SIOCINQ, writes one int.
    if unsafe { libc::ioctl(raw, libc::FIONREAD, &raw mut waiting) } == 0 {
        said.unread = u64::try_from(waiting).unwrap_or(0);
    }
    // SAFETY: no memory is involved.
    said.blocking =
        flags && matches!(unsafe { libc::fcntl(raw, libc::F_GETFL) }, f if f >= 0 && f & libc::O_NONBLOCK == 0);
    said
}

type NameCall = unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

/// The bytes of a socket's name; empty when it has none.
fn name(fd: &OwnedFd, call: NameCall) -> Vec<u8> {
    let mut address = [0u8; size_of::<libc::sockaddr_storage>()];
    let mut len = address.len() as libc::socklen_t;
    // SAFETY: both pointers are to locals, and the kernel writes `len` bytes at most; alignment means nothing to it.
    let result = unsafe { call(fd.as_raw_fd(), address.as_mut_ptr().cast(), &raw mut len) };
    if result == 0 { address[..address.len().min(len as usize)].to_vec() } else { Vec::new() }
}

fn endpoint(address: &[u8]) -> Option<Endpoint<'_>> {
    let family = i32::from(u16::from_ne_bytes(*address.first_chunk()?));
    let port = || Some(u16::from_be_bytes(*address.get(2..)?.first_chunk()?));
    match family {
        libc::AF_INET => Some(Endpoint::V4(*address.get(4..)?.first_chunk()?, port()?)),
        libc::AF_INET6 => Some(Endpoint::V6(*address.get(8..)?.first_chunk()?, port()?)),
        libc::AF_UNIX => {
            let name = &address[2..];
            // A path ends at its NUL, an abstract name at the length.
            let name = if name.first() == Some(&0) { name } else { record::text::until_nul(name) };
            (!name.is_empty()).then_some(Endpoint::Unix(name))
        }
        _ => None,
    }
}

/// CLOCK_MONOTONIC, ns: the clock of recordings.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one local.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn our_own_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(b"12345").unwrap();
        let mut kernel = Kernel::of(std::process::id());
        let mut ask = |fd: i32| match kernel.ask(fd, FdKind::Tcp, true) {
            Answer::Open(said) => Some(said),
            Answer::Closed => None,
        };
        let listening = ask(listener.as_raw_fd()).unwrap();
        assert_eq!(listening.tcp, track::fd::leak::tcp::LISTEN);
        let said = Said { tcp: track::fd::leak::tcp::ESTABLISHED, unread: 5, blocking: true };
        assert_eq!(ask(server.as_raw_fd()), Some(said));
        server.set_nonblocking(true).unwrap();
        assert_eq!(ask(server.as_raw_fd()), Some(Said { blocking: false, ..said }));
        let label = kernel.label(client.as_raw_fd());
        let mut buffer = [0; 64];
        let mut line = record::text::Line::new(&mut buffer);
        label.write_peer(&mut line);
        assert_eq!(line.as_bytes(), listener.local_addr().unwrap().to_string().as_bytes());

        // The other way knows the same.
        let mut by_tables = Kernel { pid: std::process::id(), way: Way::None(String::new()) };
        by_tables.way = tables(by_tables.pid, &io::Error::from_raw_os_error(libc::EPERM));
        let Answer::Open(again) = by_tables.ask(server.as_raw_fd(), FdKind::Tcp, true) else { panic!("open") };
        assert_eq!(again, Said { blocking: false, ..said });
        assert_eq!(by_tables.label(client.as_raw_fd()), label);
        assert_eq!(by_tables.source(), source::NET_TABLES);

        let gone = 987_654;
        assert!(matches!(kernel.ask(gone, FdKind::Tcp, false), Answer::Closed));
        assert!(matches!(by_tables.ask(gone, FdKind::Tcp, false), Answer::Closed));
    }
}
