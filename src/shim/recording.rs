//! Where the recording lives: a mapped file, or anonymous memory when nobody asked for one.
//!
//! Chunks are reached through a table of pointers, so that the file can be compact and no address space is reserved
//! for what is never used. A chunk's blocks are reserved with fallocate before it is mapped: a full disk is an answer
//! here, never a SIGBUS in a hook.
//!
//! What a fork does to it is in [`forked`].
#![allow(unsafe_code)] // Safety: the mappings made here are never unmapped; see `record::store::Store`.

mod forked;

use crate::private::{self, Use};
use crate::spin::Spin;
use crate::{heap, message, options, sys, thread};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, compiler_fence};
pub use forked::{after_fork, forget_pages, materialise};
use libc::c_int;
use once_cell::race::OnceBox;
use record::layout::{
    CHUNK_LEN, CHUNKS_AT, Counter, DIRECTORY_LEN, HEADER_LEN, Header, MAGIC, MAX_CHUNKS, ORDER, Section, Thread,
    VERSION, state,
};
use record::store::{Store, entry_or_commit};
use record::text::{self, Line};

/// The one recording of this process.
pub struct Recording;
pub static RECORDING: Recording = Recording;

static HEADER: AtomicPtr<Header> = AtomicPtr::new(null_mut());
/// Chunk addresses of all sections, one after the other.
#[unsafe(link_section = ".bss.tables")]
static CHUNKS: [AtomicPtr<u8>; TOTAL] = [const { AtomicPtr::new(null_mut()) }; TOTAL];
/// Chunk addresses in file order, for fork.
#[unsafe(link_section = ".bss.tables")]
static IN_ORDER: [AtomicPtr<u8>; MAX_CHUNKS] = [const { AtomicPtr::new(null_mut()) }; MAX_CHUNKS];
/// How many there are. The header's count is for the reader: a forked child, before it has left its parent's recording, may
/// see there that the parent has meanwhile made one more.
static MADE: AtomicUsize = AtomicUsize::new(0);
static COMMIT: Spin = Spin::new();
static BACKING: AtomicU32 = AtomicU32::new(ANONYMOUS);

const ANONYMOUS: u32 = 0;
const FILE: u32 = 1;
/// A forked child that has not asked for a file of its own yet.
const PRIVATE_COPY: u32 = 2;

const SECTIONS: usize = Section::ALL.len();
const BASE: [usize; SECTIONS + 1] = {
    let mut base = [0; SECTIONS + 1];
    let mut i = 0;
    while i < SECTIONS {
        base[i + 1] = base[i] + Section::ALL[i].max_chunks();
        i += 1;
    }
    base
};
const TOTAL: usize = BASE[SECTIONS];
/// `Section::ALL` is in the order of the codes 1, 2, …: this makes `BASE` indexable by code.
const _: () = {
    let mut i = 0;
    while i < SECTIONS {
        assert!(Section::ALL[i] as usize == i + 1);
        i += 1;
    }
};

/// Committed at start, in one mapping.
const INITIAL: [(Section, usize); 9] = [
    (Section::Threads, 0),
    (Section::Descriptors, 0),
    (Section::StackIndex, 0),
    (Section::StackWords, 0),
    (Section::Findings, 0),
    (Section::Modules, 0),
    (Section::Strings, 0),
    (Section::Sites, 0),
    // Last: not there without the family.
    (Section::Heap, 0),
];

fn initial() -> &'static [(Section, usize)] {
    let with_heap = options::heap_level() != heap::Level::Off;
    &INITIAL[..INITIAL.len() - usize::from(!with_heap)]
}

// SAFETY: chunks are page-aligned mappings of `CHUNK_LEN` bytes, zero at first, never unmapped (a fork remaps them in
// place), published with release after they are mapped.
unsafe impl Store for Recording {
    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: `open` ran: callers come through `start::ready`.
        unsafe { &*HEADER.load(Relaxed) }
    }

    #[inline]
    fn chunk(&self, section: Section, index: usize) -> Option<NonNull<u8>> {
        if index >= section.max_chunks() {
            return None;
        }
        NonNull::new(CHUNKS[BASE[section as usize - 1] + index].load(Acquire))
    }

    fn commit(&self, section: Section, index: usize) -> Option<NonNull<u8>> {
        if let Some(chunk) = self.chunk(section, index) {
            return Some(chunk);
        }
        if index >= section.max_chunks() {
            return None;
        }
        let Some(_held) = hold_commit() else {
            count(Counter::ChunksRefused);
            return None;
        };
        if let Some(chunk) = self.chunk(section, index) {
            return Some(chunk);
        }
        let order = MADE.load(Relaxed);
        let chunk = (order < MAX_CHUNKS).then(|| map_chunk(order)).flatten();
        let Some(chunk) = chunk else {
            count(Counter::ChunksRefused);
            return None;
        };
        publish(section, index, order, chunk);
        self.header().chunks.store(order as u32 + 1, Release);
        Some(chunk)
    }

    fn indexed(&self, slot: usize) {
        let page = slot / (4096 / Section::StackIndex.entry_len());
        if let Some(pages) = INDEX_PAGES.get(page / 64).filter(|p| p.load(Relaxed) & 1 << (page % 64) == 0) {
            pages.fetch_or(1 << (page % 64), Relaxed);
        }
    }
}

/// Which pages of the index of stacks are anything but zero, a bit each: [`materialise`] does not read the others, which costs a fault each.
static INDEX_PAGES: [AtomicU64; Section::StackIndex.max_chunks() * PER_CHUNK / 64] =
    [const { AtomicU64::new(0) }; Section::StackIndex.max_chunks() * PER_CHUNK / 64];

/// Pages of a chunk.
const PER_CHUNK: usize = CHUNK_LEN / 4096;

/// Holds the lock, unless this very thread holds it already: a signal handler may have interrupted it inside `commit`, and
/// waiting would be for ever.
fn hold_commit() -> Option<Committing> {
    let busy = &thread::block().committing;
    if busy.load(Relaxed) != 0 {
        return None;
    }
    // Raised first: a handler that comes between the two gives up, which is safe, and does not wait, which is not.
    busy.store(1, Relaxed);
    compiler_fence(SeqCst);
    Some(Committing { held: Some(COMMIT.hold()) })
}

struct Committing {
    held: Option<crate::spin::Held<'static>>,
}

impl Drop for Committing {
    fn drop(&mut self) {
        // The lock before the flag, for the reason above.
        drop(self.held.take());
        compiler_fence(SeqCst);
        thread::block().committing.store(0, Relaxed);
    }
}

pub fn commit_lock() -> &'static Spin {
    &COMMIT
}

fn map_chunk(order: usize) -> Option<NonNull<u8>> {
    let at = if BACKING.load(Relaxed) == FILE {
        let fd = private::get_checked(Use::Record)?;
        let offset = (CHUNKS_AT + order * CHUNK_LEN) as u64;
        if reserve(fd, offset, CHUNK_LEN as u64) != 0 {
            return None;
        }
        map_file(0, CHUNK_LEN, libc::MAP_SHARED, fd, offset as usize)
    } else {
        sys::map_anonymous(CHUNK_LEN)
    };
    NonNull::new(at as *mut u8)
}

/// A part of the file, there or anywhere (0); 0: it cannot be mapped.
///
/// Why the kernel shall not read ahead: most pages are never touched, and for each that is it would fill 32 with zeroes.
fn map_file(at: usize, len: usize, flags: c_int, fd: i32, offset: usize) -> usize {
    let at = sys::mmap(at, len, libc::PROT_READ | libc::PROT_WRITE, flags, fd, offset as u64);
    if sys::failed(at) {
        return 0;
    }
    sys::read_nothing_ahead(at as usize, len);
    at as usize
}

/// Reserves blocks: 0, or an errno. File systems without fallocate get zeroes written.
fn reserve(fd: i32, offset: u64, len: u64) -> i32 {
    // Beyond this limit the kernel does not only refuse: it raises SIGXFSZ, whose default ends the program.
    if offset + len > sys::file_size_limit() {
        return libc::EFBIG;
    }
    match sys::fallocate(fd, offset, len) {
        0 => 0,
        e if e == -(libc::EOPNOTSUPP as isize) || e == -(libc::ENOSYS as isize) || e == -(libc::EINTR as isize) => {
            static ZEROES: [u8; 4096] = [0; 4096];
            let mut at = offset;
            while at < offset + len {
                let written = sys::pwrite(fd, &ZEROES, at);
                if written <= 0 {
                    return if written == 0 { libc::ENOSPC } else { -written as i32 };
                }
                at += written as u64;
            }
            0
        }
        e => -e as i32,
    }
}

/// What the chunks are, in file order.
fn directory() -> &'static [AtomicU32; DIRECTORY_LEN / 4] {
    // SAFETY: the directory follows the header in the same mapping, which stays, and has MAX_CHUNKS entries.
    unsafe { &*HEADER.load(Relaxed).cast::<u8>().add(HEADER_LEN).cast() }
}

fn publish(section: Section, index: usize, order: usize, chunk: NonNull<u8>) {
    directory()[order].store((section as u32) << 24 | index as u32, Relaxed);
    IN_ORDER[order].store(chunk.as_ptr(), Relaxed);
    MADE.store(order + 1, Relaxed);
    CHUNKS[BASE[section as usize - 1] + index].store(chunk.as_ptr(), Release);
}

/// Is there a recording to write to (a file or memory)?
#[inline]
pub fn ready() -> bool {
    !HEADER.load(Relaxed).is_null()
}

pub fn count(counter: Counter) {
    if ready() {
        record::store::count(&RECORDING, counter);
    }
}

/// As [`count`], of several at once.
pub fn count_many(counter: Counter, by: u64) {
    if ready() {
        RECORDING.header().counters[counter as usize].fetch_add(by, Relaxed);
    }
}

/// Makes the recording. Called once, by the thread that starts us. False: there is no memory, and shim stays inert.
pub fn open() -> bool {
    let initial = initial();
    let len = CHUNKS_AT + initial.len() * CHUNK_LEN;
    let mut base = 0;
    let wanted = options::paths().is_some_and(|p| !p.record.is_empty());
    if wanted {
        match create_file(len) {
            Ok(fd) => {
                base = map_file(0, len, libc::MAP_SHARED, fd, 0);
                // Without a number for the file it cannot grow: what finds no room is counted.
                private::adopt(Use::Record, fd, true);
                if base == 0 {
                    complain(message::error_name(libc::ENOMEM));
                } else {
                    BACKING.store(FILE, Relaxed);
                }
            }
            Err(why) => complain(why),
        }
    }
    if base == 0 {
        base = sys::map_anonymous(len);
        if base == 0 {
            return false;
        }
    }
    HEADER.store(base as *mut Header, Release);
    for (order, (section, index)) in initial.iter().copied().enumerate() {
        if let Some(chunk) = NonNull::new((base + CHUNKS_AT + order * CHUNK_LEN) as *mut u8) {
            publish(section, index, order, chunk);
        }
    }
    // SAFETY: nobody else knows the header yet; its plain fields are written before `state` says that it is valid.
    unsafe {
        let header = HEADER.load(Relaxed);
        (*header).version = VERSION;
        (*header).order = ORDER;
        (*header).header_len = HEADER_LEN as u32;
        (*header).chunk_len = CHUNK_LEN as u32;
        (*header).machine = MACHINE;
        (*header).pointer_bits = usize::BITS;
        (*header).magic = MAGIC;
    }
    let header = RECORDING.header();
    header.chunks.store(initial.len() as u32, Release);
    describe(header);
    header.state.store(state::RUNNING, Release);
    true
}

#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 62;
#[cfg(target_arch = "x86")]
const MACHINE: u32 = 3;
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 183;

/// The process, as it was known when it began: a sandbox may hide it later.
pub fn pid() -> u32 {
    RECORDING.header().pid.load(Relaxed)
}

fn describe(header: &Header) {
    header.pid.store(sys::getpid(), Relaxed);
    header.ppid.store(sys::getppid(), Relaxed);
    header.rank.store(rank().map_or(0, |r| r + 1), Relaxed);
    header.started_real.store(sys::clock(libc::CLOCK_REALTIME), Relaxed);
    header.started.store(sys::now(), Relaxed);
    text::store(&header.comm, &sys::thread_name());
    text::store(&header.shim_version, env!("CARGO_PKG_VERSION").as_bytes());
    text::store(&header.options, options::paths().map_or(&b""[..], |p| &p.given[..]));
    let mut buffer = [0u8; 2048];
    text::store(&header.exe, executable());
    let fd = sys::open(b"/proc/self/cmdline\0", libc::O_RDONLY | libc::O_CLOEXEC, 0);
    if fd >= 0 {
        let n = sys::read(fd as i32, &mut buffer);
        sys::close(fd as i32);
        text::store(&header.command, if n > 0 { &buffer[..n as usize] } else { b"" });
    }
    // SAFETY: returns a static string.
    let version = unsafe { core::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    text::store(&header.libc_version, version.to_bytes());
}

/// Creates `<program>.<pid>.<n>.shim` in the record directory, with its blocks reserved.
fn create_file(len: usize) -> Result<i32, &'static str> {
    let name = |errno: isize| message::error_name(-errno as i32);
    let Some(paths) = options::paths() else { return Err(name(-(libc::EINVAL as isize))) };
    let mut directory = message::expand(&paths.record);
    let mut made = 0;
    if !trusted(&directory)? {
        made = sys::mkdir(&directory, 0o700);
        trusted(&directory)?;
    }
    directory.pop();
    for n in 0..1000u64 {
        let mut path = directory.clone();
        path.push(b'/');
        path.extend_from_slice(&program_name());
        let mut buffer = [0; 64];
        let mut line = Line::new(&mut buffer);
        line.text(".").number(u64::from(sys::getpid())).text(".").number(n).raw(b".shim\0");
        path.extend_from_slice(line.as_bytes());
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC | libc::O_NOFOLLOW;
        let fd = sys::open(&path, flags, 0o600);
        if fd == -(libc::EEXIST as isize) {
            continue;
        }
        if fd < 0 {
            // Without the directory the reason is why it could not be made.
            let no_directory = fd == -(libc::ENOENT as isize) && made < 0;
            return Err(name(if no_directory { made } else { fd }));
        }
        let errno = reserve(fd as i32, 0, len as u64);
        if errno == 0 {
            return Ok(fd as i32);
        }
        sys::close(fd as i32);
        sys::unlink(&path);
        return Err(message::error_name(errno));
    }
    Err(name(-(libc::EEXIST as isize)))
}

/// May recordings lie there? Where anybody may take files away and put others in their place they may not, nor behind a link that is
/// another user's: who runs as root would write where that user wants. `false`: as far as is known, nothing is there.
fn trusted(directory: &[u8]) -> Result<bool, &'static str> {
    // With a slash at its end the kernel follows it.
    let len = directory.iter().rposition(|b| !matches!(b, b'/' | 0)).map_or(directory.len() - 1, |last| last + 1);
    let mut path = directory[..len].to_vec();
    path.push(0);
    let Some(its) = sys::identity_of_link(&path) else { return Ok(false) };
    let (kind, anybody) = (its.mode & libc::S_IFMT, its.mode & (libc::S_IWOTH | libc::S_ISVTX) == libc::S_IWOTH);
    if kind == libc::S_IFLNK && its.owner != 0 && its.owner != sys::effective_user() {
        return Err("a symbolic link of another user");
    }
    if kind == libc::S_IFDIR && anybody {
        Err("anybody may write there: a directory with mode 700, or 1777, is expected")
    } else {
        Ok(true)
    }
}

fn complain(why: &str) {
    let mut buffer = [0; 512];
    let mut line = Line::new(&mut buffer);
    line.text("shim: record=").foreign(options::paths().map_or(&b""[..], |p| &p.record[..]));
    line.text(": no recording (").text(why).text("); the program runs and is watched\n");
    message::say(line.as_bytes());
}

/// The program's file; empty where the kernel does not say. Asked once.
pub fn executable() -> &'static [u8] {
    static EXECUTABLE: OnceBox<Vec<u8>> = OnceBox::new();
    EXECUTABLE.get_or_init(|| {
        let mut buffer = [0; 1024];
        let n = sys::readlink(b"/proc/self/exe\0", &mut buffer).max(0) as usize;
        Box::new(buffer[..n].to_vec())
    })
}

/// The base name of the program, safe in a file name.
pub fn program_name() -> Vec<u8> {
    let path = executable();
    let base = path.rsplit(|b| *b == b'/').next().unwrap_or(b"");
    let base = if base.is_empty() { &b"program"[..] } else { base };
    base.iter().take(64).map(|b| if b.is_ascii_graphic() { *b } else { b'_' }).collect()
}

static RANK: OnceBox<Option<u32>> = OnceBox::new();

/// The MPI rank, from the launcher's variables.
pub fn rank() -> Option<u32> {
    *RANK.get_or_init(|| {
        let names = [c"PMIX_RANK", c"OMPI_COMM_WORLD_RANK", c"PMI_RANK", c"SLURM_PROCID"];
        Box::new(names.iter().find_map(|name| {
            // SAFETY: getenv reads the environment; at start, before the program can change it from another thread.
            let value = unsafe { libc::getenv(name.as_ptr()) };
            // SAFETY: a NUL-terminated string of the environment.
            let value = (!value.is_null()).then(|| unsafe { core::ffi::CStr::from_ptr(value) })?;
            value.to_str().ok()?.parse().ok()
        }))
    })
}

/// Where it lies in memory: start and end of each part.
pub fn ranges() -> impl Iterator<Item = (u64, u64)> {
    let header = HEADER.load(Relaxed) as u64;
    let chunks = IN_ORDER.iter().take(MADE.load(Relaxed)).map(|chunk| chunk.load(Relaxed) as u64);
    let all = chunks.map(|chunk| (chunk, chunk + CHUNK_LEN as u64)).chain([(header, header + CHUNKS_AT as u64)]);
    all.filter(|(start, _)| *start != 0)
}

/// A thread entry that was never used. Under the registry's lock.
pub fn new_thread_entry() -> Option<(u16, &'static Thread)> {
    let index = RECORDING.header().threads.load(Relaxed) as usize;
    let found = entry_or_commit::<Thread>(&RECORDING, index)?;
    RECORDING.header().threads.store(index as u32 + 1, Release);
    Some((index as u16, found))
}

pub fn free_thread_entries() -> usize {
    Section::Threads.capacity() - (RECORDING.header().threads.load(Relaxed) as usize).min(Section::Threads.capacity())
}

/// Does a child of fork share the memory of our tables with us, until it leaves the recording?
pub fn in_file() -> bool {
    matches!(BACKING.load(Relaxed), FILE | PRIVATE_COPY)
}

/// Does this process still live in a private copy of its parent's recording?
#[inline]
pub fn is_private_copy() -> bool {
    BACKING.load(Relaxed) == PRIVATE_COPY
}
