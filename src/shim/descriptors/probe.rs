//! What the kernel says: is a number open, what is behind it, and what was open before us.
//!
//! System calls of one's own cost more than all the bookkeeping: only suspicious closes, imports and reports come here.

use super::{By, RESOLVING, growth, on, slot_or_commit};
use crate::thread::{self, Scope, State};
use crate::{private, sys};
use core::sync::atomic::Ordering::Relaxed;
use libc::c_int;
use record::label::Label;
use track::fd::{Actor, FdKind, KernelView, NotOpen, Opening, Owner, Slot};

/// Is the kernel's descriptor behind the number the program's (and not a tombstone)?
pub(super) fn open_for_program(fd: c_int, standing: &NotOpen) -> bool {
    !matches!(standing.state, track::fd::State::Tombstoned | track::fd::State::Evicting) && sys::is_open(fd)
}

pub(super) fn kernel_view(by: &By, slot: &Slot, fd: c_int, standing: &NotOpen) -> KernelView {
    if !open_for_program(fd, standing) {
        return KernelView::NotOpen;
    }
    if standing.racing {
        // The first closer has not reached the kernel yet: the number is still its own.
        return KernelView::NotOpen;
    }
    const SO_PROTOCOL: c_int = 38;
    const SO_DOMAIN: c_int = 39;
    if sys::socket_option(fd, SO_DOMAIN) == Some(libc::AF_NETLINK) {
        return if sys::socket_option(fd, SO_PROTOCOL) == Some(libc::NETLINK_ROUTE) {
            KernelView::LibcNetlink
        } else {
            KernelView::OpenElsewhere
        };
    }
    let mine = by.state().resolving.load(Relaxed);
    let others = RESOLVING.load(Relaxed).saturating_sub(mine.min(1)) > 0;
    let closer = slot.snapshot().current.map(|f| f.closer.tid);
    if others && closer == Some(by.actor().tid) {
        return KernelView::OpenDuringResolver;
    }
    KernelView::OpenElsewhere
}

pub(super) fn somebody_opens(me: &State) -> bool {
    thread::registry().any(|t| !core::ptr::eq(t, me) && t.is_live() && t.opening.load(Relaxed))
}

/// What the kernel says is behind a number, by one to three system calls.
pub fn probe(fd: c_int) -> (FdKind, Label) {
    let Some(identity) = sys::identity(fd) else { return (FdKind::Unknown, Label::NONE) };
    match identity.mode & libc::S_IFMT {
        libc::S_IFSOCK => (probe_socket(fd), socket_label(fd)),
        libc::S_IFIFO => (FdKind::Pipe, Label::NONE),
        libc::S_IFDIR => (FdKind::Dir, path_of(fd)),
        libc::S_IFREG | libc::S_IFBLK => (FdKind::File, path_of(fd)),
        // The most common by far, by its number (devices.txt of the kernel).
        libc::S_IFCHR if identity.special == (1, 3) => (FdKind::File, Label::path(b"/dev/null")),
        libc::S_IFCHR => {
            let label = path_of(fd);
            let pty = label.name().is_some_and(|(name, _)| name.starts_with(b"/dev/pts/") || name == b"/dev/ptmx");
            (if pty { FdKind::Pty } else { FdKind::File }, label)
        }
        _ => (FdKind::Other, path_of(fd)),
    }
}

fn probe_socket(fd: c_int) -> FdKind {
    let kind = sys::socket_option(fd, libc::SO_TYPE).unwrap_or(0);
    socket_kind(sys::socket_option(fd, 39).unwrap_or(0), kind)
}

pub fn socket_kind(domain: c_int, kind: c_int) -> FdKind {
    match (domain, kind & 15) {
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => FdKind::Tcp,
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => FdKind::Udp,
        (libc::AF_UNIX, _) => FdKind::Unix,
        (libc::AF_NETLINK, _) => FdKind::Netlink,
        _ => FdKind::Socket,
    }
}

/// Both ends of a socket, as the kernel says.
pub fn socket_label(fd: c_int) -> Label {
    let (mut local, mut peer) = ([0u8; 128], [0u8; 128]);
    let (l, p) = (sys::socket_name(fd, false, &mut local), sys::socket_name(fd, true, &mut peer));
    Label::endpoints(crate::address::endpoint(&local[..l]), crate::address::endpoint(&peer[..p]))
}

fn path_of(fd: c_int) -> Label {
    let mut path = [0; 48];
    let mut line = record::text::Line::new(&mut path);
    line.text("/proc/self/fd/").number(fd as u64).raw(b"\0");
    let mut target = [0; 512];
    let n = sys::readlink(line.as_bytes(), &mut target);
    if n > 0 { Label::path(&target[..n as usize]) } else { Label::NONE }
}

/// Records what is open already: left by exec, or made before us. In the constructor, with one thread as a rule.
pub fn import(scope: &Scope) {
    if !on() {
        return;
    }
    // Without a stack: who has opened them is not who starts us.
    let actor = thread::actor(scope.state, 0);
    if !import_counted(&actor) {
        import_listed(&actor);
    }
}

/// Number by number, until all are found. False: the kernel does not say how many there are, or they are not all near.
///
/// Why: a listing looks each of them up by name and walks over the whole table up to our own numbers, which costs ten times as
/// much. Since Linux 6.2 the size of /proc/self/fd is how many are open (`proc_readfd_count` in fs/proc/fd.c); before, it is 0.
fn import_counted(actor: &Actor) -> bool {
    const NEAR: c_int = 256;
    let Some(counted) = sys::identity_of_path(b"/proc/self/fd\0").map(|its| its.size).filter(|count| *count > 0) else {
        return false;
    };
    let ours_beyond = private::in_range(NEAR as u32, u32::MAX).count() as u64;
    let mut left = counted.saturating_sub(ours_beyond);
    for fd in 0..NEAR {
        if left == 0 {
            break;
        }
        if sys::is_open(fd) {
            left -= 1;
            if !private::is(fd) {
                import_one(actor, fd);
            }
        }
    }
    left == 0
}

fn import_listed(actor: &Actor) {
    let fd = sys::open(b"/proc/self/fd\0", libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC, 0);
    if fd < 0 {
        return;
    }
    let list = fd as c_int;
    let mut buffer = [0u8; 2048];
    loop {
        let n = sys::directory_entries(list, &mut buffer);
        if n <= 0 {
            break;
        }
        let mut rest = &buffer[..n as usize];
        // struct linux_dirent64: ino, off, u16 length, u8 type, name.
        while rest.len() > 19 {
            let len = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
            let name = record::text::until_nul(&rest[19..len.clamp(19, rest.len())]);
            let number = core::str::from_utf8(name).ok().and_then(|n| n.parse::<c_int>().ok());
            if let Some(number) = number.filter(|n| *n != list && !private::is(*n)) {
                import_one(actor, number);
            }
            rest = rest.get(len.max(1)..).unwrap_or(&[]);
        }
    }
    sys::close(list);
}

fn import_one(actor: &Actor, fd: c_int) {
    let Some(slot) = slot_or_commit(fd) else { return };
    if slot.state() == track::fd::State::Unknown {
        let (kind, label) = probe(fd);
        growth::touching(fd);
        let _ = slot.opened(actor, Opening { kind, owner: Owner::NONE, imported: true, label: label.words() });
        growth::found_open(fd);
    }
}

/// Is the number open, and of this kind? It may have been closed, and opened again, where we could not see it.
pub(super) fn still_is(fd: c_int, kind: FdKind) -> bool {
    let Some(identity) = sys::identity(fd) else { return false };
    let mode = identity.mode & libc::S_IFMT;
    match kind {
        FdKind::Tcp | FdKind::Udp | FdKind::Unix | FdKind::Netlink | FdKind::Socket => mode == libc::S_IFSOCK,
        FdKind::Pipe => mode == libc::S_IFIFO,
        FdKind::Dir => mode == libc::S_IFDIR,
        // Anonymous inodes (epoll, eventfd, …) have no type at all.
        FdKind::Epoll | FdKind::Event | FdKind::Timer | FdKind::Signal | FdKind::Inotify => mode == 0,
        FdKind::Pty => mode == libc::S_IFCHR,
        _ => mode != libc::S_IFSOCK,
    }
}

/// What TCP says of a connection.
#[derive(Clone, Copy, Default)]
pub(super) struct Tcp {
    /// As `track::fd::leak::tcp`; 0 = it is none.
    pub state: u8,
}

/// TCP_INFO (tcp(7)); its first byte is the state, and a short buffer gets as much as fits.
pub(super) fn tcp(fd: c_int) -> Tcp {
    let mut info = [0u8; 8];
    let len = sys::read_option(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info);
    Tcp { state: if len > 0 { info[0] } else { 0 } }
}

/// Bytes that wait to be read: SIOCINQ, FIONREAD. 0 where the kernel does not tell, as of a listener.
pub(super) fn unread(fd: c_int) -> u64 {
    sys::waiting_bytes(fd).map_or(0, u64::from)
}
