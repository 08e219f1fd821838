//! The look for lost blocks, with `heap=full`: at exit, and when a snapshot is asked for by signal.
//!
//! ```text
//! room for everything ─► others stop (leaks/stop.rs) ─► mappings (crate::maps) ─► live blocks, by address (track::heap::blocks)
//!    ─► marking from the roots (roots.rs, memory.rs, track::heap::reach) ─► others go on ─► groups.rs: by stack, filed
//! ```
//!
//! `track::heap::reach` says what is lost; here is what needs the process. Between stop and go nothing is allocated and no
//! lock is taken: a thread that stands may hold it.
//!
//! What is proved: `definitely lost` is an error only when all threads stood still and their registers were read. Otherwise it
//! is a suspicion. What a forked child has from its parent is the parent's: it is memory here, and never told of.
//!
//! Rules: no read may fault (memory.rs), no wait is without an end, and a look that had no time or no room says nothing but
//! that.
#![allow(unsafe_code)] // Safety: slices over our own mapping, made once and dropped with it.

mod groups;
mod memory;
mod roots;
mod stop;

use super::{Level, full, level, shadow};
use crate::maps::{self, Mapping};
use crate::recording::{self, RECORDING};
use crate::thread::{self, Scope, State};
use crate::{arch, ours, start, sys, tiers, unwind};
use core::cell::Cell;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use memory::{BUFFER, View};
use record::layout::{Counter, module_flag};
use record::store::count;
use roots::{Holes, Scene};
use stop::{Lent, Seen};
use track::heap::State as BlockState;
use track::heap::blocks::{Block, Blocks, Page, Reach, Room, Span};
use track::heap::reach::{Marking, Root};

pub use groups::Group;

/// What the caller's frames above ours may hold.
pub struct Here {
    pub sp: u64,
    pub saved: [u64; arch::SAVED],
}

/// Why it is looked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Exit,
    /// The program goes on and may not be held up.
    Snapshot,
}

/// The longest that a look takes, ns: at exit; at the exit of a forked child, of which a program may have thousands; while
/// the program runs on.
const LONGEST: u64 = 10_000_000_000;
const LONGEST_CHILD: u64 = 1_000_000_000;
const LONGEST_SNAPSHOT: u64 = 1_000_000_000;
/// For a snapshot threads stand no longer than this, as far as can be known before: a byte of the heap a nanosecond.
const STAND: u64 = 50_000_000;
/// Stops, each with more room for the mappings than the one before.
const TRIES: u32 = 5;
const MAPPINGS: usize = 4096;
const MOST_MAPPINGS: usize = 1 << 21;
/// Threads that may begin between the count and the stop.
const SPARE: usize = 64;

static LOOKING: AtomicBool = AtomicBool::new(false);
/// The sandbox was there before the program.
static BORN_IN_SANDBOX: AtomicBool = AtomicBool::new(false);

/// At start, with `heap=full`.
pub fn start() {
    BORN_IN_SANDBOX.store(sys::in_sandbox(), Relaxed);
}

/// In a forked child.
pub fn after_fork() {
    LOOKING.store(false, Relaxed);
}

/// Calls `f` with what the frames of the caller hold: nothing of what happens inside lies above that stack pointer.
#[inline(never)]
pub fn from_here(f: &mut dyn FnMut(&Here)) {
    let here = Here { sp: arch::registers().sp, saved: arch::saved_registers() };
    f(&here);
}

/// Looks, and files what was lost. The groups, for whoever keeps them; nothing where there was no look.
#[inline(never)]
pub fn look(scope: &mut Scope, here: &Here, occasion: Occasion) -> Option<Vec<Group>> {
    if level() != Level::Full || !any_of_ours() || LOOKING.swap(true, Acquire) {
        return None;
    }
    let looked = Look::prepare(scope, occasion).and_then(|mut look| look.run(scope, here));
    if looked.is_none() {
        count(&RECORDING, Counter::LooksGivenUp);
    }
    LOOKING.store(false, Release);
    looked
}

/// A forked child that has nothing of its own, as most have that end at once, has lost nothing.
fn any_of_ours() -> bool {
    start::epoch() == 0 || record::heap::totals(&RECORDING).is_some_and(|heap| heap.live_blocks.load(Relaxed) > 0)
}

/// Memory for a look, mapped before anybody is stopped, and gone with it.
struct Arena {
    at: usize,
    len: usize,
    used: usize,
}

impl Arena {
    fn new(len: usize) -> Option<Self> {
        let at = sys::map_sparse(len);
        (at != 0).then_some(Self { at, len, used: 0 })
    }

    /// Zeroed places for `count` values that are valid when zero.
    fn take<T: Copy>(&mut self, count: usize) -> &'static mut [T] {
        let first = self.used.next_multiple_of(64);
        let end = first + count * size_of::<T>();
        if end > self.len {
            return &mut [];
        }
        self.used = end;
        // SAFETY: fresh zeroed memory of our own mapping, handed out once; whoever holds it is gone before the mapping is (see
        // `Look`, whose fields and locals are all that ever holds it). All types asked for are plain numbers.
        unsafe { core::slice::from_raw_parts_mut((self.at + first) as *mut T, count) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: nobody uses it any more: see `take`.
        unsafe { sys::munmap(self.at, self.len) };
    }
}

/// Bytes that [`Arena::take`] may lose to alignment, for all that is taken.
const SLACK: usize = 4096;

struct Look {
    arena: Arena,
    room: Room,
    mappings: Vec<Mapping>,
    holes: Holes,
    libc: Vec<(u64, u64)>,
    /// Of this process, others included.
    threads: usize,
    occasion: Occasion,
    began: u64,
    /// A sandbox: no calls but the plainest.
    sandbox: bool,
}

/// What the marking found, when the others run again.
struct Found {
    blocks: Blocks<'static>,
    links: &'static mut [u32],
    /// All stood still, and no register was unknown.
    proved: bool,
    without_registers: bool,
}

impl Look {
    /// Makes room, while everybody may still allocate.
    fn prepare(scope: &mut Scope, occasion: Occasion) -> Option<Self> {
        let began = sys::now();
        let sandbox = sys::in_sandbox();
        if sandbox && !BORN_IN_SANDBOX.load(Relaxed) {
            // The program has locked itself in; what it left itself we do not know.
            return None;
        }
        let threads = sys::threads()? as usize;
        let mut room = Room::default();
        for (at, _, facts) in shadow::blocks() {
            if facts.state == BlockState::Live {
                room.add(at as u64, facts.size);
            }
        }
        let room = room.finish(threads > 1);
        let stopped = threads + SPARE;
        let len = room.blocks * (size_of::<Block>() + size_of::<u32>())
            + room.spans * size_of::<Span>()
            + room.pages * size_of::<Page>()
            + stopped * size_of::<Seen>()
            + BUFFER
            + stop::STACK
            + SLACK;
        let arena = Arena::new(len)?;
        let mut mappings = Vec::new();
        mappings.try_reserve_exact(MAPPINGS).ok()?;
        let modules = unwind::modules(scope.state)?;
        let mut libc = Vec::new();
        let ours = ours::ranges().count() + recording::ranges().count() + shadow::ranges().count();
        let registered = thread::registry().count();
        let mut holes = Holes::with_room(ours + modules.objects.len() + 2 * registered + 256)?;
        for object in &modules.objects {
            if object.flags & module_flag::LIBC != 0 {
                libc.push((object.start, object.end));
            }
            if object.flags & module_flag::SHIM != 0 {
                holes.add(object.start, object.end);
            }
        }
        Some(Self { arena, room, mappings, holes, libc, threads, occasion, began, sandbox })
    }

    fn longest(&self) -> u64 {
        match self.occasion {
            Occasion::Snapshot => LONGEST_SNAPSHOT,
            Occasion::Exit if start::epoch() != 0 => LONGEST_CHILD,
            Occasion::Exit => LONGEST,
        }
    }

    fn run(&mut self, scope: &mut Scope, here: &Here) -> Option<Vec<Group>> {
        let buffer = <&mut [u64; BUFFER / 8]>::try_from(self.arena.take::<u64>(BUFFER / 8)).ok()?;
        let seen = self.arena.take::<Seen>(self.threads + SPARE);
        let lent = Lent::new(seen, self.arena.take::<u8>(stop::STACK))?;
        let memory = Marks {
            blocks: self.arena.take(self.room.blocks),
            spans: self.arena.take(self.room.spans),
            pages: self.arena.take(self.room.pages),
            links: self.arena.take(self.room.blocks),
        };
        let found = if self.threads <= 1 {
            self.read_mappings(buffer, || Some(()))?;
            self.mark(here, memory, buffer, Others { seen: &[], still: true, known: true })
        } else {
            self.with_others(here, lent, memory, buffer)
        }?;
        groups::file(scope, found)
    }

    /// Reads them, with more room when there was too little; `again` before each further try.
    fn read_mappings(&mut self, buffer: &mut [u64; BUFFER / 8], again: impl Fn() -> Option<()>) -> Option<()> {
        loop {
            match maps::read(as_bytes(buffer), &mut self.mappings) {
                Ok(()) => return Some(()),
                Err(maps::Failure::Full) if self.mappings.capacity() < MOST_MAPPINGS => {
                    again()?;
                    let more = self.mappings.capacity() * 8;
                    self.mappings.clear();
                    self.mappings.try_reserve_exact(more).ok()?;
                }
                Err(_) => return None,
            }
        }
    }

    /// There are other threads: they stop, or, at the end, they are looked at as they run.
    fn with_others(&mut self, here: &Here, lent: Lent, memory: Marks, buffer: &mut [u64; BUFFER / 8]) -> Option<Found> {
        let bytes = record::heap::totals(&RECORDING).map_or(0, |heap| heap.live_bytes.load(Relaxed));
        let briefly = self.occasion == Occasion::Snapshot && bytes > STAND;
        for _ in 0..TRIES {
            let Some(stopped) = stop::stop(lent) else { break };
            if self.read_mappings(buffer, || None).is_none() {
                // Too many, perhaps: room is made when nobody holds a lock of ours for good.
                drop(stopped);
                let more = self.mappings.capacity() * 8;
                if more > MOST_MAPPINGS {
                    return None;
                }
                self.mappings.clear();
                self.mappings.try_reserve_exact(more).ok()?;
                continue;
            }
            let seen = stopped.threads();
            if briefly {
                drop(stopped);
                return self.mark(here, memory, buffer, Others { seen, still: false, known: true });
            }
            let found = self.mark(here, memory, buffer, Others { seen, still: true, known: true });
            drop(stopped);
            return found;
        }
        if self.occasion == Occasion::Snapshot || self.sandbox {
            return None;
        }
        self.read_mappings(buffer, || Some(()))?;
        self.mark(here, memory, buffer, Others { seen: &[], still: false, known: false })
    }

    /// The index and the marking. Allocates nothing, takes no lock.
    fn mark(&mut self, here: &Here, memory: Marks, buffer: &mut [u64; BUFFER / 8], others: Others) -> Option<Found> {
        let Marks { blocks, spans, pages, links } = memory;
        let mut blocks = Blocks::new(blocks, spans, pages);
        for (at, entry) in shadow::blocks_from(0) {
            let Some(facts) = entry.facts().filter(|facts| facts.state == BlockState::Live) else { continue };
            if !blocks.push(at as u64, facts.size, facts.allocated) && blocks.len() == self.room.blocks {
                return None;
            }
        }
        blocks.seal();
        let pagemap = if others.still { open_pagemap() } else { -1 };
        let deadline = self.began + self.longest();
        let view = View::new(&self.mappings, buffer, [others.still, !self.sandbox], pagemap, deadline);
        let me = sys::gettid();
        let sp_of = |low: u64, high: u64| {
            let sps = others.seen.iter().map(|seen| seen.sp).chain([here.sp]);
            sps.into_iter().find(|sp| (low..high).contains(sp))
        };
        for (start, end) in ours::ranges().chain(recording::ranges()).chain(shadow::ranges()) {
            self.holes.add(start, end);
        }
        if others.known {
            for state in thread::registry() {
                let (low, high) = (state.stack_low.load(Relaxed), state.stack_high.load(Relaxed));
                for (start, end) in roots::unused_stack(state, sp_of(low, high), &view) {
                    self.holes.add(start, end);
                }
            }
        }
        // All that lies in a tier are blocks, and what its allocator keeps of them.
        let tiers = if shadow::is_complete() { tiers::addresses() } else { (0, 0) };
        self.holes.add(tiers.0, tiers.1);
        self.holes.sort();
        let scene = Scene {
            view: &view,
            holes: &self.holes,
            glibc: full::is_glibc(),
            libc: &self.libc,
            arena: Cell::new((u64::MAX, false)),
        };
        let mut marking = Marking::new(&mut blocks, links);
        let words = others.seen.iter().flat_map(|seen| &seen.words).chain(&here.saved);
        for word in words {
            marking.word(&view, *word, Root::Program);
        }
        // A stack in a block: of a coroutine, or of a signal handler.
        for sp in others.seen.iter().map(|seen| seen.sp).chain([here.sp]) {
            if let Some(hit) = marking.blocks.find(sp) {
                let block = *marking.blocks.get(hit.block);
                marking.root(&view, sp.saturating_sub(roots::RED_ZONE).max(block.start()), block.end(), Root::Program);
            }
        }
        for seen in others.seen {
            let state = thread::registry().find(|state| state.is_live() && state.tid.load(Relaxed) == seen.tid);
            if let Some(state) = state.filter(|state| state.moving.load(Relaxed) != 0) {
                roots::moving(&mut marking, &view, state.moving.load(Relaxed), seen);
            }
        }
        for at in descriptions(others.seen) {
            roots::description(&mut marking, &view, at);
        }
        let process = sys::getpid();
        let first = others.seen.iter().find(|seen| seen.tid == process).map(|seen| seen.sp);
        scene.mappings(&mut marking, first.or((me == process).then_some(here.sp)));
        scene.tiers(&mut marking, tiers);
        marking.lose(&view);
        let cut = marking.cut;
        for index in 0..marking.blocks.len() {
            if marking.blocks.get(index).reach() == Reach::Indirect {
                marking.leader(index);
            }
        }
        if pagemap >= 0 {
            sys::close(pagemap);
        }
        (!cut).then_some(Found {
            blocks,
            links,
            proved: others.still && others.known,
            without_registers: !others.known,
        })
    }
}

/// What is known of the other threads.
struct Others {
    seen: &'static [Seen],
    /// They stand, or there are none.
    still: bool,
    /// Their registers are known, as they are or were.
    known: bool,
}

/// The memory of the marking.
struct Marks {
    blocks: &'static mut [Block],
    spans: &'static mut [Span],
    pages: &'static mut [Page],
    links: &'static mut [u32],
}

/// libc's descriptions of all threads: of those that are registered, of those that stand, of this one.
fn descriptions(seen: &[Seen]) -> impl Iterator<Item = u64> {
    // SAFETY: returns the calling thread's own.
    let own = unsafe { libc::pthread_self() } as u64;
    let registered = thread::registry().map(|state: &State| state.description.load(Relaxed));
    registered.chain(seen.iter().map(Seen::description)).chain([own])
}

fn open_pagemap() -> i32 {
    sys::open(b"/proc/self/pagemap\0", libc::O_RDONLY | libc::O_CLOEXEC, 0) as i32
}

fn as_bytes(buffer: &mut [u64; BUFFER / 8]) -> &mut [u8] {
    // SAFETY: the same memory, as bytes.
    unsafe { core::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), BUFFER) }
}
