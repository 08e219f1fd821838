//! `canary=1`: a redzone in front of every block and one behind it, looked at when the block is freed or reallocated, when it
//! leaves the quarantine, and at exit.
//!
//! ```text
//! allocator's pointer          program's pointer
//! │ front: 64 bytes or more    │ block            │ behind: 64 bytes │ what the allocator rounds up
//! ```
//!
//! The front is 64 bytes, or the alignment that was asked for when that is more; so the program's pointer is aligned as it
//! must be, and the entry of the block says in three bits where the allocator's is. Blocks with an alignment beyond 8 KiB,
//! and those that the table has no room for, have no redzones.
//!
//! Who looks at a redzone owns the block: the thread that frees it, or evicts it. At exit other threads may still run; see
//! [`Eyes`] and [`settled`].
#![allow(unsafe_code)] // Safety: redzones lie in blocks that were asked for with room for them; others' blocks are read by the kernel.

use super::full::publish;
use crate::thread::Scope;
use crate::{options, sys};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU64};
use record::findings::{Block, SHOWN_BYTES};
use record::heap::{access, sight};
use record::kind::{Kind, Role, Severity};
use track::fd::Party;
use track::heap::pattern::{self, REDZONE};
use track::heap::{Entry, Facts};

static ON: AtomicBool = AtomicBool::new(false);
static SECRET: AtomicU64 = AtomicU64::new(0);

#[inline(always)]
pub fn on() -> bool {
    ON.load(Relaxed)
}

/// What patterns are made with.
pub fn secret() -> u64 {
    SECRET.load(Relaxed)
}

/// At start.
pub fn start() {
    // SAFETY: the kernel gives every process sixteen random bytes (AT_RANDOM); libc reads them, too.
    let random = unsafe { (libc::getauxval(libc::AT_RANDOM) as usize as *const [u8; 8]).as_ref().copied() };
    let random = random.map_or(sys::now(), u64::from_ne_bytes);
    // Not libc's own secret as it is.
    SECRET.store(random.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ random >> 29, Relaxed);
    ON.store(options::canary(), Relaxed);
}

/// The redzone in front of a block with this alignment; 0: it has none.
#[inline(always)]
pub fn front(align: usize) -> usize {
    if on() { pattern::front(align).unwrap_or(0) } else { 0 }
}

/// # Safety
/// The caller owns the range.
unsafe fn zone<'a>(at: usize, len: usize) -> &'a mut [u8] {
    // SAFETY: the caller's.
    unsafe { core::slice::from_raw_parts_mut(at as *mut u8, len) }
}

/// Fills both redzones of a block that the caller owns and was given room for them.
#[inline]
pub fn fill(block: usize, size: usize, front: usize) {
    for at in pieces(block, front).chain([block + size]) {
        // SAFETY: the allocator was asked for the front, the size and a redzone.
        pattern::fill(unsafe { zone(at, REDZONE) }, at, secret());
    }
}

/// Where the parts of a redzone in front begin, the one next to the block first.
#[inline(always)]
fn pieces(block: usize, front: usize) -> impl Iterator<Item = usize> {
    (1..=front / REDZONE).map(move |piece| block - piece * REDZONE)
}

/// How memory of the program is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    /// The block is the caller's: nobody can unmap it meanwhile.
    Owner,
    /// Its owner may give it back at any moment: the kernel copies.
    Stranger,
}

impl Eyes {
    /// False: it is not mapped any more.
    pub fn read(self, at: usize, out: &mut [u8]) -> bool {
        if self == Self::Stranger {
            return sys::read_own_memory(at, out);
        }
        // SAFETY: the owner says that it may be read.
        out.copy_from_slice(unsafe { zone(at, out.len()) });
        true
    }
}

/// The offsets from the block's start of the damage that is nearest to it: in front, and behind.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    front: Option<i64>,
    behind: Option<i64>,
}

impl Damage {
    pub fn is_none(&self) -> bool {
        self.front.is_none() && self.behind.is_none()
    }
}

/// Looks at both redzones. None in front of a block: it has none behind it, either.
#[inline]
pub fn look(block: usize, facts: &Facts, eyes: Eyes) -> Damage {
    if facts.front == 0 {
        return Damage::default();
    }
    let mut copy = [0u8; REDZONE];
    let mut damaged = |at: usize| {
        if eyes.read(at, &mut copy) { pattern::damage(&copy, at, secret()) } else { None }
    };
    let from_start = |at: usize, found: usize| (at + found).wrapping_sub(block) as isize as i64;
    let behind = block + facts.size as usize;
    Damage {
        front: pieces(block, facts.front).find_map(|at| Some(from_start(at, damaged(at)?.1))),
        behind: damaged(behind).map(|(first, _)| from_start(behind, first)),
    }
}

/// Tells of the damage. `here`: the free that noticed it, nobody otherwise.
#[cold]
#[inline(never)]
pub fn report(scope: &mut Scope, block: usize, facts: &Facts, damage: Damage, here: Party, eyes: Eyes) {
    let sides = [(damage.front, Kind::HeapUnderflow), (damage.behind, Kind::HeapOverflow)];
    for (offset, kind) in sides.into_iter().filter_map(|(offset, kind)| Some((offset?, kind))) {
        let mut about = Block {
            address: block as u64,
            size: facts.size,
            offset,
            allocated: facts.allocated as u8,
            freed: facts.freed as u8,
            access: access::WRITE,
            sight: sight::CANARY,
            ..Block::default()
        };
        let ends = (-(facts.front as i64), facts.size as i64 + REDZONE as i64);
        show(&mut about, ends, kind == Kind::HeapUnderflow, eyes);
        let parties = [(Role::Here, here), (Role::Allocated, facts.allocator), (Role::Freed, facts.releaser)];
        publish(scope, kind, Severity::Error, about, &parties, b"");
    }
}

/// Adds the bytes around the damage, from the memory between `ends`.
pub fn show(about: &mut Block, ends: (i64, i64), back: bool, eyes: Eyes) {
    let (from, len) = pattern::window(about.offset, ends.0, ends.1, back, SHOWN_BYTES);
    let mut bytes = [0; SHOWN_BYTES];
    if eyes.read((about.address as usize).wrapping_add_signed(from as isize), &mut bytes[..len]) {
        (about.shown_at, about.shown_len, about.shown) = (from, len as u8, bytes);
    }
}

/// What `look` sees of a block whose owner may be at work: twice the same, and the entry the same before, between and after. A
/// block that was given back and handed out again meanwhile is seen before its redzones are filled, or after, not twice so.
pub fn settled<T: PartialEq>(entry: &Entry, facts: &Facts, look: impl Fn() -> T) -> Option<T> {
    let same = || entry.facts().as_ref() == Some(facts);
    let first = look();
    let steady = same() && first == look() && same();
    steady.then_some(first)
}
