//! A kernel that fails where it likes: whatever it refuses, blocks that were handed out stay good, and nothing hangs or faults.

use crate::machine::{LIBC, Numbers, fill, not_zero, spoilt};
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicU64};
use tier::memory::os::{Answer, Errno, Os, Stat};
use tier::memory::{Memory, Obtained};
use tier::spec::{Full, Kind, NumaPolicy, TierSpec};

/// Which calls fail, and how often: one in `rate` of those in `calls`, 0 = none.
struct Faulty {
    rate: AtomicU64,
    error: i32,
    calls: &'static [&'static str],
    numbers: AtomicU64,
    failed: AtomicU32,
}

impl Faulty {
    fn new(error: i32, calls: &'static [&'static str]) -> &'static Self {
        let zero = AtomicU64::new(0);
        Box::leak(Box::new(Self { rate: zero, error, calls, numbers: AtomicU64::new(1), failed: AtomicU32::new(0) }))
    }

    fn pass(&self, call: &str) -> Answer<()> {
        let rate = self.rate.load(Relaxed);
        if rate == 0 || !self.calls.contains(&call) {
            return Ok(());
        }
        let mut numbers = Numbers(self.numbers.load(Relaxed) | 1);
        let next = numbers.next();
        self.numbers.store(next, Relaxed);
        if next % rate != 0 {
            return Ok(());
        }
        self.failed.fetch_add(1, Relaxed);
        Err(Errno(self.error))
    }
}

impl Os for Faulty {
    fn mmap(&self, at: usize, size: usize, protection: i32, flags: i32, fd: i32, offset: u64) -> Answer<usize> {
        self.pass("mmap")?;
        LIBC.mmap(at, size, protection, flags, fd, offset)
    }
    fn munmap(&self, at: usize, size: usize) -> Answer<()> {
        LIBC.munmap(at, size)
    }
    fn mprotect(&self, at: usize, size: usize, protection: i32) -> Answer<()> {
        self.pass("mprotect")?;
        LIBC.mprotect(at, size, protection)
    }
    fn madvise(&self, at: usize, size: usize, advice: i32) -> Answer<()> {
        self.pass("madvise")?;
        LIBC.madvise(at, size, advice)
    }
    fn mremap_onto(&self, from: usize, size: usize, onto: usize) -> Answer<()> {
        LIBC.mremap_onto(from, size, onto)
    }
    fn mbind(&self, at: usize, size: usize, mode: u32, nodes: &[u64], flags: u32) -> Answer<()> {
        if mode >= 5 {
            self.pass("new policies")?;
        }
        self.pass("mbind")?;
        LIBC.mbind(at, size, mode, nodes, flags)
    }
    fn nodes_of(&self, pages: &[usize], status: &mut [i32]) -> Answer<()> {
        LIBC.nodes_of(pages, status)
    }
    fn open(&self, path: &[u8], flags: i32, mode: u32) -> Answer<i32> {
        if flags & libc::O_TMPFILE == libc::O_TMPFILE {
            self.pass("O_TMPFILE")?;
        }
        LIBC.open(path, flags, mode)
    }
    fn memfd(&self, flags: u32) -> Answer<i32> {
        self.pass("memfd")?;
        LIBC.memfd(flags)
    }
    fn close(&self, fd: i32) {
        LIBC.close(fd);
    }
    fn flock(&self, fd: i32, operation: i32) -> Answer<()> {
        LIBC.flock(fd, operation)
    }
    fn unlink(&self, path: &[u8]) -> Answer<()> {
        LIBC.unlink(path)
    }
    fn fallocate(&self, fd: i32, mode: i32, offset: u64, size: u64) -> Answer<()> {
        self.pass("fallocate")?;
        LIBC.fallocate(fd, mode, offset, size)
    }
    fn pwrite(&self, fd: i32, bytes: &[u8], offset: u64) -> Answer<usize> {
        self.pass("pwrite")?;
        LIBC.pwrite(fd, bytes, offset)
    }
    fn stat(&self, fd: i32) -> Answer<Stat> {
        self.pass("stat")?;
        LIBC.stat(fd)
    }
    fn free_bytes(&self, fd: i32) -> Answer<u64> {
        LIBC.free_bytes(fd)
    }
    fn read_file(&self, path: &[u8], into: &mut [u8]) -> Answer<usize> {
        LIBC.read_file(path, into)
    }
    fn pipe(&self) -> Answer<(i32, i32)> {
        LIBC.pipe()
    }
    fn read_byte(&self, fd: i32, milliseconds: i32) -> Answer<Option<u8>> {
        LIBC.read_byte(fd, milliseconds)
    }
    fn write_byte(&self, fd: i32, byte: u8) -> Answer<()> {
        LIBC.write_byte(fd, byte)
    }
    fn limit(&self, resource: u32) -> u64 {
        LIBC.limit(resource)
    }
    fn membarrier(&self, command: i32) -> Answer<i32> {
        LIBC.membarrier(command)
    }
    fn wait(&self, word: &AtomicU32, value: u32) {
        LIBC.wait(word, value);
    }
    fn wake(&self, word: &AtomicU32, count: u32) {
        LIBC.wake(word, count);
    }
    fn give_way(&self) {
        LIBC.give_way();
    }
    fn milliseconds(&self) -> u64 {
        LIBC.milliseconds()
    }
    fn pid(&self) -> u32 {
        LIBC.pid()
    }
}

fn one(kind: Kind) -> Vec<TierSpec> {
    vec![TierSpec::heap(), TierSpec { capacity: Some(256 << 20), full: Full::Fail, ..TierSpec::new("test", kind) }]
}

/// Allocates and frees while calls fail; every block that comes is whole.
fn play(memory: &Memory, os: &Faulty, rate: u64) {
    os.rate.store(rate, Relaxed);
    let (mut numbers, mut live) = (Numbers(99), Vec::<(NonNull<u8>, usize, u64)>::new());
    for _ in 0..3_000 {
        if live.len() > 100 || (!live.is_empty() && numbers.below(2) == 0) {
            let (block, size, seed) = live.swap_remove(numbers.below(live.len()));
            assert_eq!(spoilt(block, size, seed, size), None);
            memory.free(block);
        } else {
            let (size, seed) = (numbers.size(), numbers.next());
            if let Obtained::Block { block, .. } = memory.allocate(1, size, 16, seed % 2 == 0) {
                assert!(seed % 2 != 0 || not_zero(block, size).is_none());
                fill(block, size, seed);
                live.push((block, size, seed));
            }
        }
    }
    assert!(os.failed.load(Relaxed) > 0, "nothing has failed");
    os.rate.store(0, Relaxed);
    for (block, size, seed) in live {
        assert_eq!(spoilt(block, size, seed, size), None);
        memory.free(block);
    }
    // It recovers.
    let Obtained::Block { block, .. } = memory.allocate(1, 50 << 20, 16, true) else {
        panic!("no room: {:?}", memory.facts(1))
    };
    assert_eq!(not_zero(block, 50 << 20), None);
    memory.free(block);
}

#[test]
fn while_memory_is_committed() {
    for (kind, calls) in [
        (Kind::Numa { nodes: vec![0], policy: NumaPolicy::Bind }, &["mprotect", "madvise"][..]),
        (Kind::Memfd { page: None }, &["mmap", "fallocate"]),
        (Kind::Memfd { page: None }, &["stat"]),
        (Kind::Memfd { page: None }, &["mmap"]),
    ] {
        let os = Faulty::new(libc::ENOMEM, calls);
        let (memory, complaints) = Memory::start(&one(kind), os);
        assert_eq!(complaints, []);
        play(&memory, os, 3);
    }
}

/// A file system that has no fallocate: its blocks are written, and no hole is made.
#[test]
fn without_fallocate() {
    let os = Faulty::new(libc::EOPNOTSUPP, &["fallocate"]);
    let (memory, _) = Memory::start(&one(crate::machine::directory()), os);
    play(&memory, os, 1);
}

/// As on a full disk: what is not reserved is not handed out.
#[test]
fn without_space() {
    let os = Faulty::new(libc::ENOSPC, &["fallocate"]);
    let (memory, _) = Memory::start(&one(crate::machine::directory()), os);
    os.rate.store(1, Relaxed);
    assert_eq!(memory.allocate(1, 2 << 20, 16, false), Obtained::Nothing);
    assert_eq!(memory.allocate(1, 20, 16, false), Obtained::Nothing);
    os.rate.store(0, Relaxed);
    assert!(matches!(memory.allocate(1, 2 << 20, 16, false), Obtained::Block { .. }));
}

#[test]
fn an_old_kernel_has_the_nearest_policy() {
    let os = Faulty::new(libc::EINVAL, &["new policies"]);
    os.rate.store(1, Relaxed);
    for (policy, line) in [
        (
            NumaPolicy::WeightedInterleave,
            "tier \"test\": policy weighted-interleave: this kernel cannot; interleave is used",
        ),
        (NumaPolicy::PreferredMany, "tier \"test\": policy preferred-many: this kernel cannot; preferred is used"),
    ] {
        let (memory, complaints) = Memory::start(&one(Kind::Numa { nodes: vec![0], policy }), os);
        assert_eq!(complaints.iter().map(ToString::to_string).collect::<Vec<_>>(), [line]);
        assert!(matches!(memory.allocate(1, 100, 16, false), Obtained::Block { .. }));
    }
}

/// Containers forbid mbind.
#[test]
fn a_policy_that_is_refused_is_said() {
    let os = Faulty::new(libc::EPERM, &["mbind"]);
    os.rate.store(1, Relaxed);
    let (memory, complaints) = Memory::start(&one(Kind::Numa { nodes: vec![0], policy: NumaPolicy::Bind }), os);
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["tier \"test\": policy bind: operation not permitted; its allocations fail"]);
    assert_eq!(memory.allocate(1, 100, 16, false), Obtained::Nothing);
}

/// A file system without unnamed files gets one whose name is gone at once.
#[test]
fn a_directory_without_unnamed_files() {
    let place = std::env::temp_dir().join(format!("tier-unnamed-{}", std::process::id()));
    std::fs::create_dir(&place).unwrap();
    let os = Faulty::new(libc::EOPNOTSUPP, &["O_TMPFILE"]);
    os.rate.store(1, Relaxed);
    let kind = Kind::File { path: place.clone().into_os_string().into_encoded_bytes() };
    let (memory, complaints) = Memory::start(&one(kind), os);
    assert_eq!(complaints, []);
    let Obtained::Block { block, .. } = memory.allocate(1, 5 << 20, 16, true) else { panic!("no block") };
    fill(block, 5 << 20, 1);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
    std::fs::remove_dir(place).unwrap();
}

/// No room for addresses: every tier says so, and leads on.
#[test]
fn without_address_space() {
    let os = Faulty::new(libc::ENOMEM, &["mmap"]);
    // mimalloc's own start must not be the one that fails.
    let _ = Memory::start(&one(Kind::Memfd { page: None }), os);
    os.rate.store(1, Relaxed);
    let (memory, complaints) = Memory::start(&one(Kind::Memfd { page: None }), os);
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["tier \"test\": no room for its addresses: not enough memory; its allocations fail"]);
    assert_eq!(memory.allocate(1, 100, 16, false), Obtained::Nothing);
    assert_eq!(memory.owner(0), None);
}
