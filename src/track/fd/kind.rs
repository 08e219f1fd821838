//! What a descriptor is, and what libc object owns it.
//!
//! Why the owner is a type and an address in one word: a FILE and the descriptor below it are one resource, and the rule
//! "close what you own" is one comparison of two words. The kind is only shown, except that a netlink socket of the
//! program's own must not be taken for libc's.

/// What stands behind a descriptor number. The discriminants are stored; never renumber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FdKind {
    #[default]
    Unknown = 0,
    File,
    Dir,
    Pipe,
    Tcp,
    Udp,
    Unix,
    Netlink,
    /// A socket of any other family.
    Socket,
    Epoll,
    Event,
    Timer,
    Signal,
    Inotify,
    Memfd,
    Pidfd,
    Pty,
    Shm,
    Other,
}

impl FdKind {
    /// Every kind, in the order of its discriminant.
    pub const ALL: [FdKind; 19] = [
        FdKind::Unknown,
        FdKind::File,
        FdKind::Dir,
        FdKind::Pipe,
        FdKind::Tcp,
        FdKind::Udp,
        FdKind::Unix,
        FdKind::Netlink,
        FdKind::Socket,
        FdKind::Epoll,
        FdKind::Event,
        FdKind::Timer,
        FdKind::Signal,
        FdKind::Inotify,
        FdKind::Memfd,
        FdKind::Pidfd,
        FdKind::Pty,
        FdKind::Shm,
        FdKind::Other,
    ];

    /// The stored discriminant back as a kind; a number that is none is `Unknown`.
    pub const fn from_bits(bits: u8) -> FdKind {
        if (bits as usize) < FdKind::ALL.len() { FdKind::ALL[bits as usize] } else { FdKind::Unknown }
    }

    /// The kind as reports print it.
    pub const fn name(self) -> &'static str {
        match self {
            FdKind::Unknown => "unknown",
            FdKind::File => "file",
            FdKind::Dir => "dir",
            FdKind::Pipe => "pipe",
            FdKind::Tcp => "tcp",
            FdKind::Udp => "udp",
            FdKind::Unix => "unix",
            FdKind::Netlink => "netlink",
            FdKind::Socket => "socket",
            FdKind::Epoll => "epoll",
            FdKind::Event => "event",
            FdKind::Timer => "timer",
            FdKind::Signal => "signal",
            FdKind::Inotify => "inotify",
            FdKind::Memfd => "memfd",
            FdKind::Pidfd => "pidfd",
            FdKind::Pty => "pty",
            FdKind::Shm => "shm",
            FdKind::Other => "other",
        }
    }
}

/// Which kind of libc object owns a descriptor. The discriminants are stored; never renumber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OwnerKind {
    #[default]
    None = 0,
    /// A FILE*.
    Stdio,
    /// A DIR*.
    Dir,
    /// A FILE* from popen, which pclose must end.
    Popen,
}

/// The libc object that owns a descriptor, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Owner {
    pub kind: OwnerKind,
    /// The object's address; only its low 56 bits are kept.
    pub addr: u64,
}

impl Owner {
    /// Not owned: plain close is the way to end it.
    pub const NONE: Owner = Owner { kind: OwnerKind::None, addr: 0 };

    const ADDR: u64 = (1 << 56) - 1;

    /// Kind in the top byte, address below. No owner packs to zero whatever its address.
    pub const fn pack(self) -> u64 {
        match self.kind {
            OwnerKind::None => 0,
            kind => (kind as u64) << 56 | (self.addr & Owner::ADDR),
        }
    }

    pub const fn unpack(bits: u64) -> Owner {
        let kind = match bits >> 56 {
            1 => OwnerKind::Stdio,
            2 => OwnerKind::Dir,
            3 => OwnerKind::Popen,
            _ => return Owner::NONE,
        };
        Owner { kind, addr: bits & Owner::ADDR }
    }

    pub const fn is_none(self) -> bool {
        matches!(self.kind, OwnerKind::None)
    }

    /// The same object: what remains equal after packing.
    pub(crate) const fn is(self, other: Owner) -> bool {
        self.pack() == other.pack()
    }
}
