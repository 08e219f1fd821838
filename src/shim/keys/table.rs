//! The table of keys, and what the hooks' fast path asks of it.
//!
//! Why the table is our own memory, and the recording only shows a copy: a forked child must go on with the keys as they were at
//! the fork, and its pages of a recording may show what its parent does after that. So a fork needs nothing here, and keys that
//! are created before there is a recording (libc's, by the first dlsym) have their place.
//!
//! **Ranges.** For each index, the addresses from which get, and from which set, need not be judged: the module of the key's
//! owner, or all, or none. A range is empty while its two words change.
#![allow(unsafe_code)] // Safety: a chunk of the recording is an array of entries of eight words (asserted).

use crate::recording::{self, RECORDING};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use record::layout::{KEY_LEN, Section};
use record::store::Store;
use track::key::{KEYS, Slot, Whose};

const _: () = assert!(size_of::<Slot>() == KEY_LEN && KEYS == record::key::KEYS);
const _: () = assert!(Section::Keys.per_chunk() >= KEYS);

#[unsafe(link_section = ".bss.tables")]
static TABLE: [Slot; KEYS] = [const { Slot::new() }; KEYS];
#[unsafe(link_section = ".bss.tables")]
static GET: [Range; KEYS] = [const { Range::new() }; KEYS];
#[unsafe(link_section = ".bss.tables")]
static SET: [Range; KEYS] = [const { Range::new() }; KEYS];
#[unsafe(link_section = ".bss.tables")]
static PLACES: [Places; KEYS] = [const { Places::new() }; KEYS];
/// Indices that libc has given out, as far as we know.
static LIVE: AtomicU32 = AtomicU32::new(0);

struct Range {
    start: AtomicUsize,
    len: AtomicUsize,
}

impl Range {
    const fn new() -> Self {
        Self { start: AtomicUsize::new(0), len: AtomicUsize::new(0) }
    }

    #[inline(always)]
    fn has(&self, at: u64) -> bool {
        (at as usize).wrapping_sub(self.start.load(Relaxed)) < self.len.load(Relaxed)
    }

    fn set(&self, extent: Extent) {
        self.len.store(0, Release);
        let (start, len) = match extent {
            Extent::Nobody => return,
            Extent::All => (0, usize::MAX),
            Extent::Module(start, end) => (start as usize, end.saturating_sub(start) as usize),
        };
        self.start.store(start, Release);
        self.len.store(len, Release);
    }
}

/// Who needs not be judged.
#[derive(Clone, Copy)]
pub enum Extent {
    Nobody,
    All,
    Module(u64, u64),
}

/// Where things of a key lie: numbers of modules in the recording, plus 1; 0 = in none.
pub struct Places {
    pub variable: AtomicU32,
    pub maker: AtomicU32,
    pub destructor: AtomicU32,
    /// Of the life before: its variable.
    pub before: AtomicU32,
    /// The stub that libc has in place of the destructor, plus 1.
    pub stub: AtomicU32,
    /// Uses by strangers that were told.
    pub strangers: AtomicU32,
}

impl Places {
    const fn new() -> Self {
        Self {
            variable: AtomicU32::new(0),
            maker: AtomicU32::new(0),
            destructor: AtomicU32::new(0),
            before: AtomicU32::new(0),
            stub: AtomicU32::new(0),
            strangers: AtomicU32::new(0),
        }
    }
}

/// May a get of this index from this address pass?
#[inline(always)]
pub fn may_get(key: u32, from: u64) -> bool {
    GET.get(key as usize).is_some_and(|range| range.has(from))
}

/// As [`may_get`], of a set.
#[inline(always)]
pub fn may_set(key: u32, from: u64) -> bool {
    SET.get(key as usize).is_some_and(|range| range.has(from))
}

pub fn slot(key: u32) -> Option<&'static Slot> {
    let slot = TABLE.get(key as usize)?;
    let group = 1 << (key as usize / GROUP);
    if REACHED.load(Relaxed) & group == 0 {
        REACHED.fetch_or(group, Relaxed);
    }
    Some(slot)
}

/// Keys whose slots lie in a page, about.
const GROUP: usize = KEYS / 16;
/// Which groups of slots were ever asked for, a bit each: the others are as they were made, and to look at them would cost a forked child a
/// fault each.
static REACHED: AtomicU32 = AtomicU32::new(0);

/// The slots that can be anything but empty.
fn reached() -> impl Iterator<Item = (u32, &'static Slot)> {
    let groups = REACHED.load(Relaxed);
    let in_group = |group: usize| (group * GROUP..).zip(&TABLE[group * GROUP..(group + 1) * GROUP]);
    (0..KEYS / GROUP).filter(move |g| groups & 1 << g != 0).flat_map(in_group).map(|(key, slot)| (key as u32, slot))
}

pub fn places(key: u32) -> Option<&'static Places> {
    PLACES.get(key as usize)
}

pub fn all() -> impl Iterator<Item = (u32, &'static Slot)> {
    (0..).zip(&TABLE)
}

/// How many indices are taken.
pub fn live() -> usize {
    LIVE.load(Relaxed) as usize
}

pub fn taken() {
    LIVE.fetch_add(1, Relaxed);
}

pub fn given_back() {
    let _ = LIVE.fetch_update(Relaxed, Relaxed, |n| Some(n.saturating_sub(1)));
}

/// Who needs not be judged from now on.
pub fn allow(key: u32, get: Extent, set: Extent) {
    if let (Some(gets), Some(sets)) = (GET.get(key as usize), SET.get(key as usize)) {
        gets.set(get);
        sets.set(set);
    }
}

/// Every get of this index passes from now on.
pub fn allow_gets(key: u32) {
    if let Some(gets) = GET.get(key as usize) {
        gets.set(Extent::All);
    }
}

/// Nothing is judged: `keys=off`.
pub fn allow_everything() {
    for range in GET.iter().chain(&SET) {
        range.set(Extent::All);
    }
}

/// An index that is not the program's.
pub fn reserve(key: u32, whose: Whose) {
    if let Some(slot) = slot(key) {
        slot.created(0, 0, track::actor::Party::ABSENT, whose);
        taken();
        if recording::ready() {
            copy(key);
        }
    }
}

/// Call sites that were found to be entitled: a hash of the site, the index and its life; a later one takes the place.
#[unsafe(link_section = ".bss.tables")]
static JUDGED: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

fn hash(key: u32, life: u64, from: u64) -> u64 {
    record::stacks::hash(&[u64::from(key), life, from]).max(1)
}

pub fn is_judged(key: u32, from: u64) -> bool {
    slot(key).is_some_and(|slot| {
        let hash = hash(key, slot.life(), from);
        JUDGED[hash as usize % JUDGED.len()].load(Relaxed) == hash
    })
}

pub fn remember(key: u32, from: u64) {
    if let Some(slot) = slot(key) {
        let hash = hash(key, slot.life(), from);
        JUDGED[hash as usize % JUDGED.len()].store(hash, Relaxed);
    }
}

/// Other code may come to lie where it was.
pub fn forget_sites() {
    for place in &JUDGED {
        place.store(0, Relaxed);
    }
}

/// Copies a slot into the recording, which has room for the table from the first key of the program on.
pub fn show(key: u32) {
    if !recording::ready() {
        return;
    }
    if RECORDING.chunk(Section::Keys, 0).is_none() {
        if RECORDING.commit(Section::Keys, 0).is_some() {
            show_all();
        }
        return;
    }
    copy(key);
}

fn copy(key: u32) {
    if let (Some(chunk), Some(slot)) = (RECORDING.chunk(Section::Keys, 0), slot(key)) {
        // SAFETY: a chunk is an array of at least KEYS entries of KEY_LEN bytes, which is eight words; all atomics.
        let entry = unsafe { &*chunk.as_ptr().cast::<[AtomicU64; KEY_LEN / 8]>().add(key as usize) };
        for (to, word) in entry.iter().zip(slot.words()) {
            to.store(word, Relaxed);
        }
    }
}

/// Copies all that are not empty, when there is room for the table.
fn show_all() {
    if recording::ready() && RECORDING.chunk(Section::Keys, 0).is_some() {
        for (key, _) in reached().filter(|(_, slot)| slot.life() != 0) {
            copy(key);
        }
    }
}

/// In a forked child, which has one thread.
pub fn after_fork() {
    reached().for_each(|(_, slot)| slot.settle());
    show_all();
}

/// The number of a module as [`Places`] has it.
pub fn number(recorded: Option<usize>) -> u32 {
    recorded.map_or(0, |index| index as u32 + 1)
}

pub fn load(place: &AtomicU32) -> u32 {
    place.load(Acquire)
}
