//! Where the pages of tiers really are: the kernel is asked, page by page, and what it says goes into the recording.
//!
//! At exit for the blocks that are live then; with `verify = "free"` for every block as it is freed, which costs a system call for
//! each and is for tests. A page that was never touched is nowhere, and is not counted.
//!
//! - NUMA: move_pages(2) tells the node of each page; right is one of the tier's.
//! - Files: /proc/self/maps tells what backs the addresses, and move_pages that the page is there; right is the tier's file.
//! - Huge pages: /proc/self/smaps tells how many bytes of the tier's mappings are in larger pages.
#![allow(unsafe_code)] // Safety: only the table of sites is read, of blocks that lie in a tier.

use super::os::Raw;
use super::{GRAIN, NO_BLOCK, SITES, accounts, memory, site_at, site_of};
use crate::recording::RECORDING;
use crate::{maps, sys};
use core::ptr::NonNull;
use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::Relaxed;
use record::layout::Tier as Entry;
use record::tier as recorded;
use tier::memory::Memory;
use tier::memory::os::Os;
use tier::rules::Verify;

static WHEN: AtomicU8 = AtomicU8::new(0);
const AT_FREE: u8 = 1;
const AT_EXIT: u8 = 2;

/// Pages that are asked for at once.
const BATCH: usize = 512;
/// Of one tier, at exit: 4 GiB of small pages.
const MOST: usize = 1 << 20;

pub fn begin(when: Verify) {
    let when = match when {
        Verify::Off => 0,
        Verify::Free => AT_FREE | AT_EXIT,
        Verify::Exit => AT_EXIT,
    };
    WHEN.store(when, Relaxed);
}

/// Is every block looked at that is freed?
#[inline(always)]
pub fn at_free() -> bool {
    WHEN.load(Relaxed) & AT_FREE != 0
}

/// A block is about to be freed.
#[inline(always)]
pub fn before_free(memory: &Memory, block: NonNull<u8>, site: u16) {
    if at_free() {
        look_at_block(memory, block.as_ptr() as usize, memory.usable(block), site);
    }
}

#[cold]
#[inline(never)]
fn look_at_block(memory: &Memory, block: usize, size: usize, site: u16) {
    let Some(tier) = memory.owner(block) else { return };
    let Some(entry) = recorded::tier(&RECORDING, usize::from(tier)) else { return };
    let mut looked = Looked::of(entry);
    looked.pages(block, size, site);
    looked.tell();
}

/// Live blocks of all tiers.
pub fn at_exit() {
    let Some(memory) = memory() else { return };
    if WHEN.load(Relaxed) & AT_EXIT == 0 {
        return;
    }
    for index in 1..accounts::TIERS as u16 {
        let (Some(_), Some(entry)) = (memory.facts(index), recorded::tier(&RECORDING, usize::from(index))) else {
            continue;
        };
        look_at_tier(memory, index, entry);
    }
}

fn look_at_tier(memory: &Memory, index: u16, entry: &Entry) {
    let mut looked = Looked::of(entry);
    let mut left = MOST;
    for core::ops::Range { start, end } in memory.committed(index) {
        let mut at = start;
        while at < end && left > 0 {
            // The part of the table that one page of it holds; what nobody has written is empty, and need not be read.
            let part = (sys::page() / size_of::<u16>()) << GRAIN;
            let part_end = (at | (part - 1)).saturating_add(1).min(end);
            if is_there(SITES.load(Relaxed) + ((at - super::BASE.load(Relaxed)) >> GRAIN) * 2) {
                let mut block = at;
                while block < part_end && left > 0 {
                    if site_at(block) != NO_BLOCK {
                        let site = site_of(block);
                        let size = NonNull::new(block as *mut u8).map_or(0, |block| memory.usable(block));
                        left = left.saturating_sub(looked.pages(block, size, site));
                    }
                    block += 1 << GRAIN;
                }
            }
            at = part_end;
        }
    }
    looked.tell();
}

/// Is this page of ours in memory? Then it was written.
fn is_there(at: usize) -> bool {
    let page = [at & !(sys::page() - 1)];
    let mut status = [0];
    Raw.nodes_of(&page, &mut status).is_err() || status[0] >= 0
}

/// What was seen of a tier.
struct Looked<'a> {
    entry: &'a Entry,
    by: u8,
    /// Which of a mapping's addresses the file backs; for tiers that have one.
    backed: Option<Vec<(usize, usize)>>,
    nodes: u64,
    pages: u64,
    right: u64,
    by_node: [u64; recorded::NODES],
}

impl<'a> Looked<'a> {
    fn of(entry: &'a Entry) -> Self {
        let what = entry.what.load(Relaxed);
        let kind = what as u8;
        let (start, len) = (entry.start.load(Relaxed) as usize, entry.len.load(Relaxed) as usize);
        let (by, backed) = match kind {
            recorded::kind::NUMA => (recorded::verified_by::NODES, None),
            recorded::kind::HUGE => (recorded::verified_by::PAGE_SIZE, Some(huge_ranges(start, start + len))),
            _ => (recorded::verified_by::MAPPING, Some(file_ranges(start, start + len))),
        };
        let nodes = entry.nodes.load(Relaxed);
        Self { entry, by, backed, nodes, pages: 0, right: 0, by_node: [0; recorded::NODES] }
    }

    /// The pages of a block, but for those at its ends that others share. How many were asked for.
    fn pages(&mut self, block: usize, size: usize, site: u16) -> usize {
        let page = sys::page();
        let (first, end) = (block & !(page - 1), block + size.max(1));
        let (mut asked, mut seen, mut right) = (0, 0, 0);
        let mut at = first;
        while at < end {
            let mut batch = [0usize; BATCH];
            let mut len = 0;
            while len < BATCH && at < end {
                batch[len] = at;
                len += 1;
                at += page;
            }
            let mut status = [0i32; BATCH];
            if Raw.nodes_of(&batch[..len], &mut status[..len]).is_err() {
                break;
            }
            asked += len;
            for (at, node) in batch.iter().zip(&status).take(len).filter(|(_, node)| **node >= 0) {
                seen += 1;
                let node = *node as usize;
                self.by_node[node.min(recorded::NODES - 1)] += 1;
                let fits = match &self.backed {
                    Some(ranges) => ranges.iter().any(|(from, to)| (*from..*to).contains(at)),
                    None => self.nodes == 0 || node < 64 && self.nodes & 1 << node != 0,
                };
                right += u64::from(fits);
            }
        }
        self.pages += seen;
        self.right += right;
        if let Some(site) = site.checked_sub(1).and_then(|site| recorded::site(&RECORDING, usize::from(site))) {
            site.pages.fetch_add(seen, Relaxed);
            site.pages_right.fetch_add(right, Relaxed);
        }
        asked
    }

    fn tell(&self) {
        if self.pages == 0 {
            return;
        }
        self.entry.verified_by.store(u64::from(self.by), Relaxed);
        self.entry.pages.fetch_add(self.pages, Relaxed);
        self.entry.pages_right.fetch_add(self.right, Relaxed);
        for (to, pages) in self.entry.node_pages.iter().zip(self.by_node) {
            to.fetch_add(pages, Relaxed);
        }
    }
}

/// The lines of a file of /proc.
fn each_line(path: &[u8], f: &mut dyn FnMut(&[u8])) {
    let mut buffer = vec![0u8; 16 << 10];
    let _ = maps::each_line(path, &mut buffer, &mut |line| {
        f(line);
        true
    });
}

/// Start and end of a mapping, where a line begins with those.
fn extent(line: &[u8]) -> Option<(usize, usize)> {
    maps::extent(line).map(|(start, end, _)| (start as usize, end as usize))
}

/// The parts of these addresses that a file backs, shared: maps has an inode for them, and the flag `s`.
fn file_ranges(start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    each_line(b"/proc/self/maps\0", &mut |line| {
        let mut fields = line.split(|b| *b == b' ').filter(|field| !field.is_empty());
        let (Some(range), flags, inode) = (extent(line), fields.nth(1), fields.nth(2)) else { return };
        let shared = flags.is_some_and(|flags| flags.get(3) == Some(&b's'));
        if range.0 < end && range.1 > start && shared && inode.is_some_and(|inode| inode != b"0") {
            found.push(range);
        }
    });
    found
}

/// The parts of these addresses that lie in larger pages: mappings of which smaps says so for every byte that is there.
fn huge_ranges(start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (mut range, mut resident) = ((0, 0), 0);
    each_line(b"/proc/self/smaps\0", &mut |line| {
        if let Some(next) = extent(line) {
            range = next;
            return;
        }
        let Some((name, value)) = field(line) else { return };
        let overlaps = range.0 < end && range.1 > start;
        match name {
            b"Rss" => resident = value,
            b"KernelPageSize" if overlaps && value > 4 => found.push(range),
            b"AnonHugePages" | b"ShmemPmdMapped" | b"FilePmdMapped"
                if overlaps && resident > 0 && value >= resident =>
            {
                found.push(range);
            }
            _ => {}
        }
    });
    found
}

/// `Name:   123 kB`.
fn field(line: &[u8]) -> Option<(&[u8], usize)> {
    let at = line.iter().position(|b| *b == b':')?;
    let value = line[at + 1..].split(|b| *b == b' ').find(|part| !part.is_empty())?;
    Some((&line[..at], core::str::from_utf8(value).ok()?.parse().ok()?))
}
