//! What the memory side asks of the kernel.
//!
//! Why a trait: in libshim.so these calls must not go through symbols that the library itself exports, so shim implements it
//! with raw system calls; tests implement it with libc, or with faults. Rules of every implementation: errno is left alone; no
//! allocation from the program's heap; descriptors are close-on-exec and lie where the program neither sees nor closes them.
//!
//! The answers are the kernel's. Numbers of flags are those of the kernel's headers, as crate libc has them.

use core::fmt;
use core::sync::atomic::AtomicU32;

#[cfg(feature = "libc-os")]
pub mod libc;

/// An error number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

pub type Answer<T> = Result<T, Errno>;

/// What stat(2) says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    pub mode: u32,
    pub size: u64,
    /// Of a device: its own number.
    pub number: u64,
}

impl Stat {
    pub fn kind(&self) -> u32 {
        self.mode & ::libc::S_IFMT
    }
}

pub trait Os: Sync {
    /// A private or shared mapping; `fd` is -1 for none.
    fn mmap(&self, at: usize, size: usize, protection: i32, flags: i32, fd: i32, offset: u64) -> Answer<usize>;
    fn munmap(&self, at: usize, size: usize) -> Answer<()>;
    /// A private mapping for what an allocator keeps for itself: no part of it is ever handed out.
    fn map_own(&self, size: usize, protection: i32) -> Answer<usize> {
        self.mmap(0, size, protection, ::libc::MAP_PRIVATE | ::libc::MAP_ANONYMOUS | ::libc::MAP_NORESERVE, -1, 0)
    }
    /// All of such a mapping, or a part.
    fn unmap_own(&self, at: usize, size: usize) -> Answer<()> {
        self.munmap(at, size)
    }
    fn mprotect(&self, at: usize, size: usize, protection: i32) -> Answer<()>;
    fn madvise(&self, at: usize, size: usize, advice: i32) -> Answer<()>;
    /// Moves a mapping onto another: mremap(2) with MREMAP_MAYMOVE and MREMAP_FIXED.
    fn mremap_onto(&self, from: usize, size: usize, onto: usize) -> Answer<()>;
    /// `nodes` is a bit mask.
    fn mbind(&self, at: usize, size: usize, mode: u32, nodes: &[u64], flags: u32) -> Answer<()>;
    /// On which node each page is, or its negative error number: move_pages(2) without nodes.
    fn nodes_of(&self, pages: &[usize], status: &mut [i32]) -> Answer<()>;

    /// `path` ends with NUL.
    fn open(&self, path: &[u8], flags: i32, mode: u32) -> Answer<i32>;
    fn memfd(&self, flags: u32) -> Answer<i32>;
    fn close(&self, fd: i32);
    fn flock(&self, fd: i32, operation: i32) -> Answer<()>;
    /// `path` ends with NUL.
    fn unlink(&self, path: &[u8]) -> Answer<()>;
    fn fallocate(&self, fd: i32, mode: i32, offset: u64, size: u64) -> Answer<()>;
    fn pwrite(&self, fd: i32, bytes: &[u8], offset: u64) -> Answer<usize>;
    fn stat(&self, fd: i32) -> Answer<Stat>;
    /// Bytes that are free on the file system, for an ordinary user.
    fn free_bytes(&self, fd: i32) -> Answer<u64>;
    /// The beginning of a small file, of /sys or /proc; `path` ends with NUL.
    fn read_file(&self, path: &[u8], into: &mut [u8]) -> Answer<usize>;
    /// A pipe: the end to read, the end to write.
    fn pipe(&self) -> Answer<(i32, i32)>;
    /// Waits so long for something to read. A byte; `None` when nobody can write any more.
    fn read_byte(&self, fd: i32, milliseconds: i32) -> Answer<Option<u8>>;
    fn write_byte(&self, fd: i32, byte: u8) -> Answer<()>;

    /// The soft limit of a resource, u64::MAX for none.
    fn limit(&self, resource: u32) -> u64;
    fn membarrier(&self, command: i32) -> Answer<i32>;
    /// Sleeps while the word has this value; may return for no reason.
    fn wait(&self, word: &AtomicU32, value: u32);
    /// Wakes so many who sleep there.
    fn wake(&self, word: &AtomicU32, count: u32);
    fn give_way(&self);
    /// Of a clock that does not jump.
    fn milliseconds(&self) -> u64;
    /// Of the calling process.
    fn pid(&self) -> u32;
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In words, for those that a tier meets.
impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.0 {
            ::libc::ENOENT => "no such file or directory",
            ::libc::EACCES => "permission denied",
            ::libc::EPERM => "operation not permitted",
            ::libc::ENOSPC => "no space left on the device",
            ::libc::ENOMEM => "not enough memory",
            ::libc::ENOSYS => "this kernel cannot",
            ::libc::EINVAL => "refused by the kernel as invalid",
            ::libc::EOPNOTSUPP => "the file system cannot",
            ::libc::EROFS => "read-only file system",
            ::libc::EISDIR => "is a directory",
            ::libc::ENOTDIR => "not a directory",
            ::libc::ELOOP => "too many symbolic links",
            ::libc::EMFILE => "too many open files",
            ::libc::ENFILE => "too many open files in the system",
            ::libc::ENODEV => "no such device",
            ::libc::ENXIO => "no such device or address",
            ::libc::EFBIG => "file too large",
            ::libc::EDQUOT => "disk quota exceeded",
            ::libc::EBUSY => "busy",
            ::libc::EIO => "input/output error",
            other => return write!(f, "error {other}"),
        };
        f.write_str(words)
    }
}
