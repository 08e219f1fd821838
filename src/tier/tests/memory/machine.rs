//! What the tests share: tiers over the kernel as it is, and blocks that know their content.
#![allow(unsafe_code)] // Safety: blocks that the memory under test handed out, within their size.

use core::ptr::NonNull;
use tier::memory::os::Os;
use tier::memory::os::libc::Libc;
use tier::memory::{Memory, Obtained};
use tier::spec::{Complaint, Full, Kind, NumaPolicy, PageSize, TierSpec};

pub static LIBC: Libc = Libc;

/// Anonymous memory on node 0; without a node, where the kernel lets nobody choose one (a container).
pub fn numa() -> Kind {
    if has_policies() { Kind::Numa { nodes: vec![0], policy: NumaPolicy::Bind } } else { thp() }
}

/// May a process say on which node its memory shall be?
pub fn has_policies() -> bool {
    const BIND: u32 = 2;
    let Ok(at) = LIBC.map_own(4096, 0) else { return false };
    let may = LIBC.mbind(at, 4096, BIND, &[1], 0).is_ok();
    let _ = LIBC.unmap_own(at, 4096);
    may
}

pub fn thp() -> Kind {
    Kind::Huge { page: PageSize::Thp }
}

pub fn directory() -> Kind {
    Kind::File { path: std::env::temp_dir().into_os_string().into_encoded_bytes() }
}

/// Does the kernel give transparent huge pages to those who ask?
pub fn has_thp() -> bool {
    let text = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    text.is_ok_and(|text| !text.contains("[never]"))
}

/// Tiers of these kinds, each of `capacity` bytes, that fail when they are full; no complaint, but that a machine without
/// transparent huge pages must make of them.
pub fn tiers(kinds: &[Kind], capacity: u64) -> Memory {
    let (memory, complaints) = start(kinds.iter().map(|kind| spec(kind.clone(), capacity)).collect());
    let asked = kinds.iter().filter(|kind| **kind == thp()).count();
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), if has_thp() { 0 } else { asked }, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("transparent huge pages are off")), "{lines:?}");
    memory
}

pub fn spec(kind: Kind, capacity: u64) -> TierSpec {
    TierSpec { capacity: Some(capacity), full: Full::Fail, ..TierSpec::new("test", kind) }
}

pub fn start(mut specs: Vec<TierSpec>) -> (Memory, Vec<Complaint>) {
    specs.insert(0, TierSpec::heap());
    Memory::start(&specs, &LIBC)
}

/// A block of tier 1 and where it is, or nothing.
pub fn block(memory: &Memory, tier: u16, size: usize, align: usize, zeroed: bool) -> Option<NonNull<u8>> {
    match memory.allocate(tier, size, align, zeroed) {
        Obtained::Block { block, tier: its, .. } => {
            assert_eq!(its, tier);
            assert_eq!(memory.owner(block.as_ptr() as usize), Some(tier));
            assert_eq!(memory.owner(block.as_ptr() as usize + size.max(1) - 1), Some(tier));
            assert_eq!(block.as_ptr() as usize % align, 0, "alignment {align}");
            assert!(memory.usable(block) >= size.max(1));
            Some(block)
        }
        Obtained::Nothing => None,
        Obtained::Heap => panic!("a tier that fails when it is full sends nobody to the heap"),
    }
}

/// A byte that depends on the seed and the place.
fn content(seed: u64, at: usize) -> u8 {
    (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32 % 61) >> 7) as u8 ^ at as u8
}

/// The places of a block that are looked at: both ends and one in 509 between.
fn places(size: usize) -> impl Iterator<Item = usize> {
    (0..size.min(64)).chain((64..size).step_by(509)).chain(size.saturating_sub(64).max(64)..size)
}

pub fn fill(block: NonNull<u8>, size: usize, seed: u64) {
    for at in places(size) {
        // SAFETY: inside of the block.
        unsafe { block.as_ptr().add(at).write(content(seed, at)) };
    }
}

/// The first place whose content is not what was put there, when the block had `size` bytes.
pub fn spoilt(block: NonNull<u8>, size: usize, seed: u64, until: usize) -> Option<usize> {
    // SAFETY: inside of the block.
    places(size).filter(|at| *at < until).find(|at| unsafe { block.as_ptr().add(*at).read() } != content(seed, *at))
}

/// The first byte that is not zero.
pub fn not_zero(block: NonNull<u8>, size: usize) -> Option<usize> {
    const ZEROS: [u8; 4096] = [0; 4096];
    // SAFETY: inside of the block.
    let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), size) };
    let page = bytes.chunks(ZEROS.len()).position(|page| page != &ZEROS[..page.len()])?;
    bytes[page * ZEROS.len()..].iter().position(|byte| *byte != 0).map(|at| page * ZEROS.len() + at)
}

/// A small generator: the same numbers each time.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Sizes as programs have them: most are small, a few are large.
    pub fn size(&mut self) -> usize {
        let bits = match self.below(100) {
            0..60 => 8,
            60..85 => 13,
            85..96 => 18,
            _ => 23,
        };
        self.below(1 << bits)
    }
}
