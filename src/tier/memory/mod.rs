//! The memory of tiers: start here.
//!
//! ```text
//! allocate(tier, size, align)
//!   tier.rs       one tier; without room: its `full` says where next, here
//!     small.rs    below 1 MiB: mimalloc, in arenas that the tier lends it      small/mimalloc.{c,rs}
//!     extents.rs  from 1 MiB: runs of slices; recent.rs keeps a few that were just freed
//!       ledger.rs   slices in use, chunks committed, the capacity
//!         backing.rs  what makes a chunk memory: backing/anonymous.rs, backing/file.rs
//! ```
//!
//! `range.rs` is where all tiers lie; `device.rs` and `nodes.rs` find out what the machine has; `gate.rs` keeps everybody out while
//! `fork.rs` works; `os.rs` is the kernel. A *window* is a tier's part of the range, a *chunk* what is committed at once,
//! a *slice* (64 KiB) what is handed to mimalloc or to a large block, an *arena* a part of the window that mimalloc manages.
//!
//! Rules: memory is reserved before it is handed out, so a full device is a full tier and never a signal; nothing here touches the
//! program's heap or errno; what is made lives as long as the process.

pub mod backing;
mod bits;
pub mod device;
pub mod extents;
pub mod fork;
pub mod gate;
pub mod ledger;
pub mod lock;
pub mod nodes;
pub mod os;
pub mod range;
mod recent;
pub mod small;
pub mod tier;

use crate::spec::{Complaint, Full, Kind, TierSpec};
use backing::anonymous::Anonymous;
use backing::file::{File, Made};
use backing::{Backing, Grid};
use core::ptr::NonNull;
use device::{Device, Source};
use os::Os;
use range::Range;
use small::Inside;
use small::mimalloc::Mimalloc;
use tier::{Plan, Tier};

pub use tier::Facts;

/// What a tier may have when nobody says how large it is: all memory of the machine, but no less than this.
const UNKNOWN: u64 = 32 << 30;

/// What came of a wish for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obtained {
    /// `tier` is where it is, which may be another than was asked for; `usable`: how many bytes it holds.
    Block { block: NonNull<u8>, tier: u16, usable: usize },
    /// The ordinary allocator is to be asked.
    Heap,
    /// There is none: malloc fails.
    Nothing,
}

/// All tiers of the process.
pub struct Memory {
    os: &'static dyn Os,
    inside: Mimalloc,
    range: Range,
    /// As the specs are; index 0, the heap, has none, nor has a tier that could not be made.
    tiers: Vec<Option<&'static Tier>>,
    /// Where each leads when it is full.
    full: Vec<Full>,
    forks: fork::Forks,
}

impl Memory {
    /// Makes the tiers. One that cannot be made complains, and its blocks go where its `full` leads.
    pub fn start(specs: &[TierSpec], os: &'static dyn Os) -> (Self, Vec<Complaint>) {
        let inside = Mimalloc::start(os);
        let mut complaints = Vec::new();
        let mut devices: Vec<Option<(Device, u64)>> = Vec::new();
        for spec in specs {
            devices.push(found(os, spec, specs, &mut complaints));
        }
        let capacities = devices.iter().flatten().map(|(_, capacity)| *capacity);
        let window = capacities.max().unwrap_or(0).saturating_mul(2).clamp(1 << 30, 1 << 45);
        let wanted = if devices.iter().any(Option::is_some) { devices.len() - 1 } else { 0 };
        let range = match Range::reserve(os, wanted, window as usize) {
            Ok(range) => range,
            Err(error) => {
                for (device, spec) in devices.iter_mut().zip(specs) {
                    if let Some((device, _)) = device.take() {
                        close(os, &device);
                        complaints.push(complaint(spec, specs, &format!("no room for its addresses: {error}")));
                    }
                }
                Range::default()
            }
        };
        let mut tiers = Vec::new();
        for (at, (device, spec)) in devices.into_iter().zip(specs).enumerate() {
            tiers.push(device.and_then(|(device, capacity)| {
                let base = range.base + (at - 1) * range.window();
                match made(os, inside, spec, device, capacity, base, range.window(), &mut complaints) {
                    Ok(tier) => Some(&*Box::leak(Box::new(tier))),
                    Err(what) => {
                        complaints.push(complaint(spec, specs, &what));
                        None
                    }
                }
            }));
        }
        let full = specs.iter().map(|spec| spec.full).collect();
        (Self { os, inside, range, tiers, full, forks: fork::Forks::default() }, complaints)
    }

    /// The tier that an address belongs to.
    #[inline(always)]
    pub fn owner(&self, address: usize) -> Option<u16> {
        self.range.index(address).map(|window| window as u16 + 1)
    }

    /// The tier itself, if it could be made.
    #[inline]
    fn tier(&self, index: u16) -> Option<&'static Tier> {
        *self.tiers.get(usize::from(index))?
    }

    fn of(&self, block: NonNull<u8>) -> Option<&'static Tier> {
        self.tier(self.owner(block.as_ptr() as usize)?)
    }

    /// A block of `size` bytes in `tier`, or where it leads when it has no room. `align` is a power of two.
    #[inline]
    pub fn allocate(&self, tier: u16, size: usize, align: usize, zeroed: bool) -> Obtained {
        debug_assert!(align.is_power_of_two());
        let mut at = tier;
        // A chain is never longer than the list: what leads in a circle leads to the heap.
        for _ in 0..self.tiers.len() {
            if let Some(its) = self.tier(at) {
                if let Some((block, usable)) = its.allocate(size, align, zeroed) {
                    return Obtained::Block { block, tier: at, usable };
                }
            }
            match self.full.get(usize::from(at)) {
                Some(Full::Next(next)) => at = *next,
                Some(Full::Fail) if at != 0 => return Obtained::Nothing,
                _ => return Obtained::Heap,
            }
        }
        Obtained::Heap
    }

    /// `block` is one that [`Self::owner`] knows. What is no block is counted, and nothing else.
    #[inline]
    /// How many bytes it held.
    pub fn free(&self, block: NonNull<u8>) -> usize {
        self.of(block).map_or(0, |tier| tier.free(block))
    }

    /// Somebody frees what is no block.
    #[cold]
    pub fn no_block(&self, block: NonNull<u8>) {
        if let Some(tier) = self.of(block) {
            tier.no_block();
        }
    }

    /// Which bit of an address, counted from the begin of [`Self::addresses`], large blocks have and small ones have not.
    pub fn large_bit(&self) -> u32 {
        self.range.window().trailing_zeros() - 1
    }

    /// How many bytes a live small block holds. For blocks that are known to be.
    #[inline]
    pub fn usable_small(&self, block: NonNull<u8>) -> usize {
        self.inside.usable(block)
    }

    /// In a forked child some may be closed: their blocks are never used anew.
    pub fn any_closed(&self) -> bool {
        self.tiers.iter().flatten().any(|tier| tier.is_closed())
    }

    /// Bytes; `None` as in [`Self::facts`].
    pub fn capacity(&self, tier: u16) -> Option<u64> {
        self.tier(tier).map(Tier::capacity)
    }

    /// How many bytes the block holds; 0 for what is none.
    pub fn usable(&self, block: NonNull<u8>) -> usize {
        self.of(block).map_or(0, |tier| tier.usable(block))
    }

    /// Makes the block hold `size` bytes where it is. False: it must move; nothing has changed.
    pub fn resize(&self, block: NonNull<u8>, size: usize) -> bool {
        self.of(block).is_some_and(|tier| tier.resize(block, size))
    }

    /// `None` for the heap, and for what could not be made.
    pub fn facts(&self, tier: u16) -> Option<Facts> {
        self.tier(tier).map(Tier::facts)
    }

    /// Where all tiers lie: the first address, and how many bytes; 0 = there is no tier.
    pub fn addresses(&self) -> (usize, usize) {
        (self.range.base, self.range.size())
    }

    /// The addresses of a tier, and how many bytes; nothing for the heap, and for what could not be made.
    pub fn window(&self, tier: u16) -> Option<(usize, usize)> {
        self.tier(tier).map(|its| (its.base, self.range.window()))
    }

    /// Bit n: the tier's policy names node n.
    pub fn nodes(&self, tier: u16) -> u64 {
        self.tier(tier).map_or(0, |its| its.nodes)
    }

    /// Committed memory of a tier, in order of its addresses.
    pub fn committed(&self, tier: u16) -> Vec<core::ops::Range<usize>> {
        self.tier(tier).map_or_else(Vec::new, Tier::committed)
    }

    /// The last call of a thread that ends. One that comes back is taken for a new one.
    pub fn thread_ends(&self) {
        if gate::knows_thread() {
            let inside = gate::enter();
            self.inside.thread_ends();
            drop(inside);
            gate::forget();
        }
    }

    /// Before fork, on the forking thread, while the global allocator still works for others: it waits until they are out.
    pub fn before_fork(&self) {
        self.forks.before(self.os, self.tiers.iter().flatten().copied());
    }

    /// After fork in the parent, or when there is no child.
    pub fn after_fork_parent(&self) {
        self.forks.parent(self.os);
    }

    /// After fork in the child, with its global allocator in order.
    pub fn after_fork_child(&self) {
        self.forks.child(self.os, self.tiers.iter().flatten().copied());
    }

    /// Forks whose parent did not wait to the end, and tiers of which this child has lost some.
    pub fn fork_faults(&self) -> (u32, u32) {
        let load = |count: &core::sync::atomic::AtomicU32| count.load(core::sync::atomic::Ordering::Relaxed);
        (load(&self.forks.given_up), load(&self.forks.lost))
    }
}

/// What a tier's blocks do instead.
fn complaint(spec: &TierSpec, specs: &[TierSpec], what: &str) -> Complaint {
    let instead = match spec.full {
        Full::Next(at) if at != 0 => match specs.get(usize::from(at)) {
            Some(next) => format!("its blocks go to \"{}\"", next.name),
            None => "its blocks go to the heap".to_owned(),
        },
        Full::Fail => "its allocations fail".to_owned(),
        _ => "its blocks go to the heap".to_owned(),
    };
    Complaint { at: spec.at.clone(), what: format!("tier \"{}\": {what}; {instead}", spec.name) }
}

/// Something works, but otherwise than was asked for.
fn remark(spec: &TierSpec, what: &str) -> Complaint {
    Complaint { at: spec.at.clone(), what: format!("tier \"{}\": {what}", spec.name) }
}

fn close(os: &dyn Os, device: &Device) {
    if let Source::File { fd, .. } = device.source {
        os.close(fd);
    }
}

/// The device of a tier and its capacity; nothing for the heap, and for what is not there.
fn found(os: &dyn Os, spec: &TierSpec, specs: &[TierSpec], complaints: &mut Vec<Complaint>) -> Option<(Device, u64)> {
    if spec.kind == Kind::Heap {
        return None;
    }
    let mut remarks = Vec::new();
    let device = device::examine(os, spec, &mut remarks);
    complaints.extend(remarks.iter().map(|what| remark(spec, what)));
    let device = match device {
        Ok(device) => device,
        Err(what) => {
            complaints.push(complaint(spec, specs, &what));
            return None;
        }
    };
    let mut capacity = spec.capacity.or(device.size).unwrap_or_else(|| nodes::machine(os).unwrap_or(0).max(UNKNOWN));
    if let Some(size) = device.size.filter(|size| *size < capacity) {
        complaints.push(remark(spec, &format!("capacity {capacity}: the device has {size} bytes, which are used")));
        capacity = size;
    }
    if let Source::File { .. } = device.source {
        // Beyond it the kernel raises SIGXFSZ.
        capacity = capacity.min(os.limit(libc::RLIMIT_FSIZE));
    }
    if capacity < device.grain as u64 {
        close(os, &device);
        let what = format!("capacity {capacity}: expected at least {} bytes", device.grain);
        complaints.push(complaint(spec, specs, &what));
        return None;
    }
    Some((device, capacity))
}

/// The tier, at its addresses.
#[allow(clippy::too_many_arguments)] // All of it is one tier's.
fn made(
    os: &'static dyn Os,
    inside: Mimalloc,
    spec: &TierSpec,
    device: Device,
    wanted: u64,
    base: usize,
    window: usize,
    complaints: &mut Vec<Complaint>,
) -> Result<Tier, String> {
    let capacity = wanted.min(window as u64 / 2);
    if capacity < wanted && (spec.capacity.is_some() || device.size.is_some()) {
        complaints.push(remark(spec, &format!("capacity {wanted}: there are addresses for {capacity} bytes")));
    }
    let chunk = device::chunk(&device, capacity).min(window / 2);
    let (grid, natural) = (Grid { base, chunk }, device.natural);
    let nodes;
    let backing = match device.source {
        Source::Anonymous { binding, huge } => {
            let binding = match binding {
                Some((policy, nodes)) => match nodes::bind(os, base, window, policy, &nodes) {
                    Ok((binding, used)) => {
                        if used != policy {
                            let (asked, used) = (nodes::name(policy), nodes::name(used));
                            complaints
                                .push(remark(spec, &format!("policy {asked}: this kernel cannot; {used} is used")));
                        }
                        Some(binding)
                    }
                    Err(error) => return Err(format!("policy {}: {error}", nodes::name(policy))),
                },
                None => None,
            };
            nodes = binding.as_ref().and_then(|binding| binding.mask.first()).copied().unwrap_or(0);
            let made = Anonymous::new(os, grid, window, binding.as_ref(), huge);
            Backing::Anonymous(made.map_err(|error| format!("its memory: {error}"))?)
        }
        Source::File { fd, reserve, zero, binding, advice } => {
            nodes = binding.as_ref().and_then(|binding| binding.mask.first()).copied().unwrap_or(0);
            let made = Made { fd, reserve, zero, binding, advice };
            match File::new(os, grid, window, capacity, made) {
                Ok(file) => Backing::File(Box::new(file)),
                Err(error) => {
                    os.close(fd);
                    return Err(format!("its file: {error}"));
                }
            }
        }
    };
    let plan =
        Plan { backing, base, window, chunk, capacity, natural, prefault: spec.prefault, fork: spec.fork, nodes };
    Ok(Tier::new(os, inside, plan))
}
