//! The roots of the marking: where the program keeps pointers that nothing points to.
//!
//! - **Data**: every mapping that can be read and written. As memcheck has it, shared memory is among them; files that are
//!   mapped shared are not, nor is what cannot be written.
//! - **Stacks**, from the stack pointer upwards; of a thread that has ended and whose stack glibc keeps for the next, nothing
//!   but libc's description of it.
//! - **Registers** of all threads.
//! - **Thread-local storage**: it lies beside the stacks, in libc's mappings or in blocks that libc's description of the
//!   thread leads to. That description has pointers into blocks; they count as pointers to their starts.
//!
//! What is left out: our own memory, the bodies of live blocks (they are read when something leads to them), and those of
//! freed ones. Between the blocks of a heap the memory counts: allocators are built on allocators. Between those of a memory
//! tier it does not: all there is the allocator's, whose lists lead to blocks. Nor where glibc's own headers say that a chunk is free,
//! such as the rest of a freed block of which a part was handed out again.
//!
//! Why freed bodies are left out only where glibc's heap certainly still is: elsewhere the allocator may have given the
//! memory back, and the program may have mapped it anew for what it likes.

use super::memory::View;
use super::stop::Seen;
use crate::heap::shadow;
use crate::maps::{DEVICE, FILE, HEAP, Mapping, READ, SHARED, STACK, WRITE};
use crate::thread::State;
use crate::{sys, tiers};
use core::cell::Cell;
use core::sync::atomic::Ordering::Relaxed;
use track::heap::reach::{Marking, Memory, Root, WORD};

/// Below the stack pointer, the x86_64 calling convention gives 128 bytes to a function that calls none.
pub const RED_ZONE: u64 = if cfg!(target_arch = "x86_64") { 128 } else { 0 };
/// No less than glibc's `struct pthread` (2304 bytes in 2.36 on x86_64, 1216 on i386).
const THREAD: u64 = 2304;
/// `HEAP_MAX_SIZE` of glibc's arenas (malloc/arena.c): twice the largest threshold of mmap.
const ARENA: u64 = if cfg!(target_pointer_width = "64") { 64 << 20 } else { 1 << 20 };

/// Ranges that are no roots: sorted, apart.
pub struct Holes(Vec<(u64, u64)>);

impl Holes {
    pub fn with_room(ranges: usize) -> Option<Self> {
        let mut list = Vec::new();
        list.try_reserve_exact(ranges).ok()?;
        Some(Self(list))
    }

    /// False: no room. Allocates nothing.
    pub fn add(&mut self, start: u64, end: u64) -> bool {
        if start >= end {
            return true;
        }
        let room = self.0.len() < self.0.capacity();
        if room {
            self.0.push((start, end));
        }
        room
    }

    pub fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// Calls `part` with what is left of a range.
    fn around(&self, start: u64, end: u64, mut part: impl FnMut(u64, u64)) {
        let mut at = start;
        let first = self.0.partition_point(|(_, hole)| *hole <= start);
        // They may overlap, so that the order of the ends is not that of the starts: a few too many are looked at.
        for (from, to) in self.0[first.saturating_sub(8)..].iter().filter(|(_, to)| *to > start) {
            if *from >= end {
                break;
            }
            if at < *from {
                part(at, *from);
            }
            at = at.max(*to);
        }
        if at < end {
            part(at, end);
        }
    }
}

/// What there is to know of the process for the walk over its memory.
pub struct Scene<'a> {
    pub view: &'a View<'a>,
    pub holes: &'a Holes,
    /// The allocator is glibc's.
    pub glibc: bool,
    /// libc's own objects: start and end.
    pub libc: &'a [(u64, u64)],
    /// The arena that was looked at last: its place, and whether it is one.
    pub arena: Cell<(u64, bool)>,
}

/// The part of a thread's stack that is not in use, for [`Holes`]; and where libc's description of it lies.
pub fn unused_stack(state: &State, sp: Option<u64>, view: &View) -> [(u64, u64); 2] {
    let (low, high) = (state.stack_low.load(Relaxed), state.stack_high.load(Relaxed));
    let description = state.description.load(Relaxed);
    if high == 0 || low == 0 {
        // Of the first thread, whose stack the kernel names, see `Scene::mapping`.
        return [(0, 0); 2];
    }
    match sp {
        Some(sp) if (low..high).contains(&sp) => [(low, sp.saturating_sub(RED_ZONE).max(low)), (0, 0)],
        // On another stack than its own: all of it counts.
        Some(_) => [(0, 0); 2],
        None if !state.is_live() && is_kept_stack(low, high, description, view) => {
            [(low, description), ((description + THREAD).min(high), high)]
        }
        None => [(0, 0); 2],
    }
}

/// Is this still the stack of a thread that has ended, kept by glibc for the next one? It has a guard below, and the
/// description at its end knows its own address (`header.tcb`, `header.self`), as x86 has it.
fn is_kept_stack(low: u64, high: u64, description: u64, view: &View) -> bool {
    if !cfg!(any(target_arch = "x86_64", target_arch = "x86")) || description < low || description >= high {
        return false;
    }
    // Since glibc 2.42 no mapping shows the guard (MADV_GUARD_INSTALL).
    let guard = |m: &Mapping| m.start < low && (m.end == low && !m.any(READ | WRITE) || !sys::readable(low - WORD));
    let guarded = view.mapping(low - 1).is_some_and(guard);
    let knows_itself = |at: u64| view.word_if_there(at) == Some(description);
    guarded && knows_itself(description) && knows_itself(description + 2 * WORD)
}

/// libc's description of a thread: pointers into blocks (the table of thread-local storage) count.
pub fn description(marking: &mut Marking, view: &View, at: u64) {
    if at != 0 {
        // It is smaller elsewhere, and ends where the stack does: behind it may be the next one's guard, which no mapping shows.
        let last_page = (at + THREAD) & !4095;
        let end = if last_page > at && !sys::readable(last_page) { last_page } else { at + THREAD };
        marking.root(view, at, end, Root::Thread);
    }
}

/// A block that a thread is just moving, inside of realloc: what it holds is at its old place, at its new one, or partly at
/// both. The old one is known; the new one is somewhere in the thread's registers or in the frames of realloc.
pub fn moving(marking: &mut Marking, view: &View, block: u64, seen: &Seen) {
    let size = shadow::entry(block as usize).and_then(|entry| entry.facts()).map_or(0, |facts| facts.size);
    marking.root(view, block, block.saturating_add(size), Root::Program);
    let frames = (0..FRAMES).filter_map(|i| view.word((seen.sp & !(WORD - 1)) + i * WORD));
    let mut last = block;
    for place in seen.words.iter().copied().chain(frames) {
        let could_be = place % (2 * WORD) == 0 && place != last && place.abs_diff(seen.sp) > 1 << 16;
        let kinds = if tiers::owns(place as *const _) { DEVICE | STACK } else { DEVICE | FILE | STACK };
        let writable = |m: &Mapping| m.start <= place && m.has(READ | WRITE) && !m.any(kinds);
        if could_be && marking.blocks.find(place).is_none() && view.mapping(place).is_some_and(writable) {
            marking.root(view, place, place.saturating_add(size), Root::Program);
            last = place;
        }
    }
}

/// Words of the stack that realloc and what it calls take up, at the most.
const FRAMES: u64 = 128;

impl Scene<'_> {
    /// All mappings.
    pub fn mappings(&self, marking: &mut Marking, sp_of_first: Option<u64>) {
        for mapping in self.view.mappings {
            if marking.cut {
                return;
            }
            if !is_root(mapping) {
                continue;
            }
            let mut start = mapping.start;
            if mapping.any(STACK) {
                let sp = sp_of_first.filter(|sp| (mapping.start..mapping.end).contains(sp));
                start = sp.map_or(start, |sp| sp.saturating_sub(RED_ZONE).max(start)) & !(WORD - 1);
            }
            let of_libc = |(start, end): &(u64, u64)| mapping.start < *end && *start < mapping.end;
            let root = if self.glibc && self.libc.iter().any(of_libc) { Root::Allocator } else { Root::Program };
            self.holes.around(start, mapping.end, |from, to| self.range(marking, mapping, from, to, root));
        }
    }

    /// Memory tiers: whatever of their blocks we do not know. The rest is their allocator's.
    pub fn tiers(&self, marking: &mut Marking, (start, end): (u64, u64)) {
        let mut unknown = None;
        for (first, entry) in shadow::blocks_from(start as usize) {
            let first = first as u64;
            if first >= end || marking.cut {
                break;
            }
            use track::heap::State::{Freed, Live, Quarantined, Unknown, Untracked};
            let known = match entry.state().0 {
                Live => self.view.still || marking.blocks.find(first).is_some_and(|hit| hit.offset == 0),
                Untracked => false,
                // Whose memory it is now, if anybody's, is not known.
                Freed | Quarantined | Unknown => continue,
            };
            // How large it is we do not know: it ends before the next.
            if let Some(from) = unknown.take() {
                marking.root(self.view, from, first, Root::Program);
            }
            unknown = (!known).then_some(first);
        }
        if let Some(from) = unknown {
            marking.root(self.view, from, end, Root::Program);
        }
    }

    /// A range without holes: what is between its blocks.
    fn range(&self, marking: &mut Marking, mapping: &Mapping, start: u64, end: u64, root: Root) {
        // A block that began before it.
        let mut at = marking.blocks.find(start).map_or(start, |hit| marking.blocks.get(hit.block).end());
        // Up to here the memory is certainly a block's, whatever the table says of older ones that lay there.
        let mut held = at;
        // Where glibc's chunks go on behind the last live block.
        let mut chunk = None;
        for (first, entry) in shadow::blocks_from(start as usize) {
            let first = first as u64;
            if first >= end || marking.cut {
                break;
            }
            let Some(facts) = entry.facts().filter(|_| first >= start) else { continue };
            let behind = first.saturating_add(facts.size);
            use track::heap::State::{Freed, Live, Quarantined, Unknown, Untracked};
            match facts.state {
                // What came after the list was made counts as memory.
                Live if self.view.still || marking.blocks.find(first).is_some_and(|hit| hit.offset == 0) => {
                    self.gap(marking, at, first, mapping, root, &mut chunk);
                    at = at.max(behind);
                    held = held.max(behind);
                    chunk = self.chunk_behind(mapping, first, behind);
                }
                Quarantined if first >= held => {
                    self.gap(marking, at, first, mapping, root, &mut chunk);
                    at = at.max(behind);
                    held = held.max(behind);
                }
                Freed if first >= held && self.is_heap(mapping, first) => {
                    self.gap(marking, at, first, mapping, root, &mut chunk);
                    at = at.max(behind);
                }
                Untracked if first >= held => {
                    // All of it counts, also where smaller ones lay before.
                    at = at.min(first).max(held);
                    self.gap(marking, at, first, mapping, root, &mut chunk);
                    at = first;
                    chunk = None;
                    held = self.end_of_untracked(mapping, first);
                }
                Live | Quarantined | Freed | Untracked | Unknown => {}
            }
        }
        self.gap(marking, at, end, mapping, root, &mut chunk);
    }

    /// Up to the start of a block, mostly.
    #[inline]
    fn gap(&self, marking: &mut Marking, start: u64, end: u64, mapping: &Mapping, root: Root, chunk: &mut Option<u64>) {
        // The one word in front of a block is its size.
        if start.saturating_add(WORD) >= end && self.glibc && end < mapping.end {
            return;
        }
        if start < end && !marking.cut {
            let root = if self.glibc && root == Root::Program && self.is_heap(mapping, start) {
                Root::Allocator
            } else {
                root
            };
            let mut from = start;
            while let Some((at, next, free)) = chunk.and_then(|at| self.chunk(mapping, at)) {
                if at >= end {
                    break;
                }
                if free && next > from {
                    marking.root(self.view, from, at.clamp(from, end), root);
                    from = next.min(end);
                }
                *chunk = Some(next);
            }
            marking.root(self.view, from, end, root);
        }
    }

    /// Where glibc's next chunk begins, of whose chunks this block fills one. None with redzones, whose blocks do not begin where
    /// the chunk does: what is before them is no size that fits.
    fn chunk_behind(&self, mapping: &Mapping, first: u64, behind: u64) -> Option<u64> {
        if !self.is_heap(mapping, first) {
            return None;
        }
        let next = (first - 2 * WORD).checked_add(self.view.word(first - WORD)? & !7)?;
        // A block may have the first word of the next chunk; what is too little for a chunk stays with the one before.
        (behind <= next + WORD && next < behind + 8 * WORD && next <= mapping.end).then_some(next)
    }

    /// A chunk of glibc's: where it begins and ends, and whether it is free. The flag of that is in the next one; behind the last is nothing.
    fn chunk(&self, mapping: &Mapping, at: u64) -> Option<(u64, u64, bool)> {
        // Behind the last chunk of an arena may be a stack, and its guard.
        let size = self.view.word_if_there(at + WORD)? & !7;
        let next = at.checked_add(size).filter(|next| size >= 4 * WORD && *next <= mapping.end)?;
        let free = next == mapping.end || self.view.word_if_there(next + WORD)? & 1 == 0;
        Some((at, next, free))
    }

    /// What glibc's chunk says of a block that we know nothing of; all that follows, where we cannot know.
    fn end_of_untracked(&self, mapping: &Mapping, start: u64) -> u64 {
        if !self.is_heap(mapping, start) {
            return mapping.end;
        }
        let size = self.view.word(start - WORD).unwrap_or(u64::MAX) & !7;
        start.saturating_add(size).min(mapping.end)
    }

    /// Does glibc's heap lie here, the one of the break or an arena?
    fn is_heap(&self, mapping: &Mapping, address: u64) -> bool {
        if !self.glibc || mapping.any(HEAP) {
            return self.glibc;
        }
        let place = address & !(ARENA - 1);
        let (known, is) = self.arena.get();
        if known == place {
            return is;
        }
        let is = self.is_arena(place);
        self.arena.set((place, is));
        is
    }

    /// `heap_info` begins with a pointer to the arena, which lies just behind the `heap_info` of its first heap.
    fn is_arena(&self, place: u64) -> bool {
        let writable = |at: u64| self.view.mapping(at).is_some_and(|m| m.start <= at && m.has(READ | WRITE));
        // It is anybody's address so far: since glibc 2.42 a stack begins with a guard that no mapping shows.
        let first = |at: u64| if writable(at) { self.view.word_if_there(at) } else { None };
        let Some(arena) = first(place).filter(|arena| arena & (ARENA - 1) < 256 && *arena != 0) else { return false };
        first(arena & !(ARENA - 1)) == Some(arena)
    }
}

fn is_root(mapping: &Mapping) -> bool {
    mapping.has(READ | WRITE) && !mapping.any(DEVICE) && !mapping.has(SHARED | FILE)
}
