//! From what a rule file says of a tier to what can be had: opened, measured, tried.
//!
//! Each fault is words for the user: what is wrong, and what there is instead where that is known.

use super::backing::Binding;
use super::backing::file::Reserve;
use super::ledger::SLICE;
use super::nodes;
use super::os::{Answer, Errno, Os};
use crate::spec::{Kind, NumaPolicy, PageSize, TierSpec};
use libc::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, O_CREAT, O_EXCL, O_RDWR, O_TMPFILE};

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// A tier's memory, before it has an address.
pub struct Device {
    pub source: Source,
    /// Bytes, if it has a size of its own.
    pub size: Option<u64>,
    /// Chunks are a multiple of this.
    pub grain: usize,
    /// Large blocks begin at a multiple of it.
    pub natural: usize,
}

pub enum Source {
    Anonymous {
        binding: Option<(NumaPolicy, Vec<u32>)>,
        huge: bool,
    },
    /// `advice`: of madvise(2), for each mapping.
    File {
        fd: i32,
        reserve: Reserve,
        zero: bool,
        binding: Option<Binding>,
        advice: Option<i32>,
    },
}

/// What was found, and what is worth a word although it works.
pub type Found = Result<Device, String>;

pub fn examine(os: &dyn Os, spec: &TierSpec, remarks: &mut Vec<String>) -> Found {
    let device = match &spec.kind {
        Kind::Heap => Err("the heap is not a device".to_owned()),
        Kind::Numa { nodes, policy } => numa(os, nodes, *policy, spec.huge, remarks),
        Kind::Huge { page: PageSize::Thp } => Ok(anonymous(None, thp(os, remarks))),
        Kind::Huge { page } => huge_pages(os, *page, None),
        Kind::Memfd { page: None } => memfd(os, libc::MADV_NOHUGEPAGE),
        Kind::Memfd { page: Some(PageSize::Thp) } => memfd(os, libc::MADV_HUGEPAGE),
        Kind::Memfd { page: Some(page) } => huge_pages(os, *page, None),
        Kind::File { path } => file(os, path),
    }?;
    Ok(device)
}

fn anonymous(binding: Option<(NumaPolicy, Vec<u32>)>, huge: bool) -> Device {
    let natural = if huge { 2 << 20 } else { SLICE };
    Device { source: Source::Anonymous { binding, huge }, size: None, grain: natural, natural }
}

fn numa(os: &dyn Os, wanted: &[u32], policy: NumaPolicy, huge: Option<PageSize>, remarks: &mut Vec<String>) -> Found {
    let there = nodes::with_memory(os);
    if let Some(missing) = wanted.iter().find(|node| !there.contains(node)) {
        return Err(format!("node {missing}: not there (nodes: {})", nodes::words(&there)));
    }
    let far = if wanted.is_empty() { nodes::without_processors(os, &there) } else { Vec::new() };
    let wanted = if wanted.is_empty() { &far[..] } else { wanted };
    if wanted.is_empty() {
        return Err(format!("all nodes have processors (nodes: {})", nodes::words(&there)));
    }
    let sizes: Option<u64> = wanted.iter().map(|node| nodes::memory(os, *node)).sum();
    // A policy that only prefers has the whole machine behind it.
    let size = sizes.filter(|_| !matches!(policy, NumaPolicy::Preferred | NumaPolicy::PreferredMany));
    match huge {
        Some(page @ (PageSize::M2 | PageSize::G1)) => {
            let device = huge_pages(os, page, Some(nodes::binding(policy, wanted)))?;
            Ok(Device { size: device.size.into_iter().chain(size).min(), ..device })
        }
        Some(PageSize::Thp) => Ok(Device { size, ..anonymous(Some((policy, wanted.to_vec())), thp(os, remarks)) }),
        None => Ok(Device { size, ..anonymous(Some((policy, wanted.to_vec())), false) }),
    }
}

/// Are transparent huge pages to be had?
fn thp(os: &dyn Os, remarks: &mut Vec<String>) -> bool {
    let mut text = [0; 64];
    let path = b"/sys/kernel/mm/transparent_hugepage/enabled\0";
    let on = match os.read_file(path, &mut text) {
        Ok(count) => !String::from_utf8_lossy(&text[..count.min(64)]).contains("[never]"),
        Err(_) => false,
    };
    if !on {
        remarks.push(
            "transparent huge pages are off (/sys/kernel/mm/transparent_hugepage/enabled); ordinary pages are used"
                .to_owned(),
        );
    }
    on
}

/// Huge pages of a pool, by way of a memfd: so that they are reserved one by one, and given back.
fn huge_pages(os: &dyn Os, page: PageSize, binding: Option<Binding>) -> Found {
    let (bytes, flag, words) = match page {
        PageSize::G1 => (GIB, libc::MFD_HUGE_1GB, "1 GiB"),
        _ => (2 * MIB, libc::MFD_HUGE_2MB, "2 MiB"),
    };
    let none = |error: Errno| {
        format!("no {words} huge page can be had: {error} (see /sys/kernel/mm/hugepages/hugepages-{}kB)", bytes >> 10)
    };
    let fd = os.memfd(libc::MFD_HUGETLB | flag).map_err(none)?;
    // One page for a trial.
    let tried = os.fallocate(fd, 0, 0, bytes);
    if let Err(error) = tried {
        os.close(fd);
        return Err(none(error));
    }
    let _ = os.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes);
    let pool = |name: &str| {
        let path = format!("/sys/kernel/mm/hugepages/hugepages-{}kB/{name}\0", bytes >> 10);
        number_in(os, path.as_bytes()).unwrap_or(0)
    };
    let pages = pool("nr_hugepages").saturating_add(pool("nr_overcommit_hugepages"));
    let source = Source::File { fd, reserve: Reserve::Allocate, zero: true, binding, advice: None };
    Ok(Device {
        source,
        size: pages.checked_mul(bytes).filter(|size| *size > 0),
        grain: bytes as usize,
        natural: bytes as usize,
    })
}

fn memfd(os: &dyn Os, advice: i32) -> Found {
    let fd = os.memfd(0).map_err(|error| format!("memfd: {error}"))?;
    Ok(unnamed(fd, None, Some(advice)))
}

/// A fresh file that nobody else has.
fn unnamed(fd: i32, size: Option<u64>, advice: Option<i32>) -> Device {
    let source = Source::File { fd, reserve: Reserve::Allocate, zero: true, binding: None, advice };
    Device { source, size, grain: SLICE, natural: SLICE }
}

fn file(os: &dyn Os, path: &[u8]) -> Found {
    let shown = path.escape_ascii();
    if path.is_empty() || path.contains(&0) {
        return Err(format!("path {shown}: not a path"));
    }
    let name = [path, b"\0"].concat();
    let fault = |error: Errno| format!("{shown}: {error}");
    let fd = match os.open(&name, O_RDWR, 0) {
        Ok(fd) => fd,
        Err(Errno(libc::EISDIR)) => return in_directory(os, path).map_err(fault),
        Err(error) => return Err(fault(error)),
    };
    let found = opened(os, fd, &shown.to_string());
    if found.is_err() {
        os.close(fd);
    }
    found
}

fn in_directory(os: &dyn Os, path: &[u8]) -> Answer<Device> {
    let directory = [path, b"\0"].concat();
    let fd = match os.open(&directory, O_TMPFILE | O_RDWR, 0o600) {
        // Old kernels take the flag for O_DIRECTORY, or the file system knows it not.
        Err(Errno(libc::EISDIR | libc::EOPNOTSUPP | libc::EINVAL | libc::ENOENT)) => named_then_unlinked(os, path)?,
        other => other?,
    };
    let free = os.free_bytes(fd).ok().filter(|free| *free > 0);
    Ok(unnamed(fd, free, None))
}

fn named_then_unlinked(os: &dyn Os, path: &[u8]) -> Answer<i32> {
    let mut last = Errno(libc::EEXIST);
    for number in 0..64 {
        let name = [path, format!("/.shim-tier-{}-{number}\0", os.pid()).as_bytes()].concat();
        match os.open(&name, O_RDWR | O_CREAT | O_EXCL, 0o600) {
            Ok(fd) => {
                os.unlink(&name)?;
                return Ok(fd);
            }
            Err(error @ Errno(libc::EEXIST)) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Something that has a name, and may belong to somebody.
fn opened(os: &dyn Os, fd: i32, shown: &str) -> Found {
    let stat = os.stat(fd).map_err(|error| format!("{shown}: {error}"))?;
    // Two allocators in one file destroy each other's blocks.
    match os.flock(fd, libc::LOCK_EX | libc::LOCK_NB) {
        Ok(()) => {}
        Err(Errno(libc::EWOULDBLOCK)) => {
            return Err(format!("{shown}: another process has it; a directory serves many"));
        }
        Err(error) => return Err(format!("{shown}: cannot be locked: {error}")),
    }
    match stat.kind() {
        libc::S_IFREG => {
            let size = if stat.size > 0 { Some(stat.size) } else { os.free_bytes(fd).ok().filter(|free| *free > 0) };
            let (reserve, zero) = (Reserve::Allocate, stat.size == 0);
            let source = Source::File { fd, reserve, zero, binding: None, advice: None };
            Ok(Device { source, size, grain: SLICE, natural: SLICE })
        }
        libc::S_IFCHR => {
            let (major, minor) = (libc::major(stat.number), libc::minor(stat.number));
            let of = |what: &str| number_in(os, format!("/sys/dev/char/{major}:{minor}/{what}\0").as_bytes());
            let Some(size) = of("size").filter(|size| *size > 0) else {
                return Err(format!("{shown}: not a DAX device; expected a directory, a file or a DAX device"));
            };
            let grain = of("align").unwrap_or(2 * MIB).clamp(SLICE as u64, GIB).next_power_of_two() as usize;
            let source = Source::File { fd, reserve: Reserve::Nothing, zero: false, binding: None, advice: None };
            Ok(Device { source, size: Some(size), grain, natural: grain })
        }
        _ => Err(format!("{shown}: expected a directory, a file or a DAX device")),
    }
}

/// The decimal number that a file of /sys is.
fn number_in(os: &dyn Os, path: &[u8]) -> Option<u64> {
    let mut text = [0; 32];
    let count = os.read_file(path, &mut text).ok()?;
    core::str::from_utf8(text.get(..count)?).ok()?.trim().parse().ok()
}

/// How large the chunks of a tier are.
pub fn chunk(device: &Device, capacity: u64) -> usize {
    let ordinary = match capacity {
        ..=0x3ff_ffff => SLICE as u64, // Below 64 MiB the ceiling is kept to the slice.
        _ => 2 * MIB,
    };
    // Each run of a file may be a mapping, and a process has 65530 of them.
    let many = match device.source {
        Source::File { .. } => (capacity / 16_384).next_power_of_two(),
        Source::Anonymous { .. } => 0,
    };
    (ordinary.max(many) as usize).max(device.grain).max(SLICE).min(GIB as usize)
}
