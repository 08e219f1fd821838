//! What the marking found, by the call stack that allocated it and by how it was found: counted, and filed as findings.
//!
//! Indirectly lost blocks are told with the lost ones that lead to them. What an earlier look filed is replaced, and taken
//! back where it is no longer so.
//!
//! Why not all of it: the table of findings is for more than leaks. The largest groups of a class are filed, what is left out
//! is counted; the totals in the recording hold everything.

use super::Found;
use crate::heap::shadow;
use crate::recording::RECORDING;
use crate::thread::Scope;
use crate::{finding, start, sys};
use core::sync::atomic::Ordering::Relaxed;
use record::findings::{Involved, Lost, Report, Resource, retract_leaks};
use record::heap::class;
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{Counter, PARTIES, Section, Site};
use record::store::{Store, count, entry};
use record::{heap, sites};
use track::fd::Party;
use track::heap::State;
use track::heap::blocks::Reach;

/// Groups that have room in a look, and findings of a class: definitely lost, possibly lost, reachable.
const ROOM: usize = 8192;
const FILED: [(u8, usize); 3] = [(class::DEFINITE, 300), (class::POSSIBLE, 100), (class::REACHABLE, 100)];

/// Blocks of one call stack that were found the same way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group {
    /// One of [`class`]; 0 = an empty place.
    pub class: u8,
    pub severity: Option<Severity>,
    pub allocator: Party,
    pub blocks: u64,
    pub bytes: u64,
    pub indirect_blocks: u64,
    pub indirect_bytes: u64,
    pub example: u64,
    /// Milliseconds after the start.
    pub oldest: u32,
    pub newest: u32,
}

struct Groups {
    table: Vec<Group>,
    used: usize,
    /// The one that was asked for last: blocks of a place are often neighbours.
    last: usize,
    dropped: u64,
}

impl Groups {
    fn of(&mut self, class: u8, allocator: Party) -> Option<&mut Group> {
        let last = self.last;
        if self.table[last].class == class && self.table[last].allocator.stack == allocator.stack {
            return Some(&mut self.table[last]);
        }
        let at = self.place(class, allocator)?;
        self.last = at;
        Some(&mut self.table[at])
    }

    fn place(&mut self, class: u8, allocator: Party) -> Option<usize> {
        let mask = self.table.len() - 1;
        let mut at = (allocator.stack.0 as usize).wrapping_mul(0x9e37_79b9) >> 7 & mask;
        while self.table[at].class != 0 {
            if self.table[at].class == class && self.table[at].allocator.stack == allocator.stack {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        if self.used + 1 >= self.table.len() {
            self.dropped += 1;
            return None;
        }
        self.used += 1;
        self.table[at] = Group { class, allocator, oldest: u32::MAX, ..Group::default() };
        Some(at)
    }
}

/// Groups and files. What it returns is in the order of importance.
pub(super) fn file(scope: &mut Scope, found: Found) -> Option<Vec<Group>> {
    let now = sys::now();
    let mut groups = Groups { table: Vec::new(), used: 0, last: 0, dropped: 0 };
    let room = (found.blocks.len() * 2).next_power_of_two().clamp(16, ROOM);
    groups.table.try_reserve_exact(room).ok()?;
    groups.table.resize(room, Group::default());
    let classes = gather(&found, &mut groups);
    let mut list = groups.table;
    list.retain(|group| group.class != 0);
    list.sort_unstable_by_key(|g| (g.class, u64::MAX - g.bytes.saturating_add(g.indirect_bytes)));
    let severity = if found.proved { Severity::Error } else { Severity::Suspect };
    for group in &mut list {
        group.severity = Some(if group.class == class::DEFINITE { severity } else { Severity::Info });
    }
    totals(&list, &classes, now);
    let mut left_out = groups.dropped;
    for (class, most) in FILED {
        for (number, group) in list.iter().filter(|group| group.class == class).enumerate() {
            if number < most {
                publish(scope, group, now, found.without_registers);
            } else {
                left_out += 1;
            }
        }
    }
    for _ in 0..left_out.min(1 << 20) {
        count(&RECORDING, Counter::LostLeftOut);
    }
    retract_leaks(&RECORDING, Kind::HeapLeak, now);
    Some(list)
}

/// Blocks and bytes of each class, in the order of `Heap::leak_classes`.
type Classes = [[u64; 2]; 4];

fn gather(found: &Found, groups: &mut Groups) -> Classes {
    let mut classes = Classes::default();
    let epoch = start::epoch();
    let facts_of = |index: usize| {
        let start = found.blocks.get(index).start() as usize;
        let facts = shadow::entry(start)?.facts()?;
        // Freed since, or another's: nothing to tell.
        (facts.state == State::Live && facts.low == shadow::low(start) && facts.epoch == epoch).then_some(facts)
    };
    for (index, block) in found.blocks.iter().enumerate() {
        let Some(facts) = facts_of(index) else { continue };
        let code = match block.reach() {
            Reach::Lost => class::DEFINITE,
            Reach::Indirect => class::INDIRECT,
            Reach::Possible => class::POSSIBLE,
            Reach::Reachable => class::REACHABLE,
        };
        let sum = &mut classes[usize::from(code) - 1];
        sum[0] += 1;
        sum[1] += block.size();
        if code == class::INDIRECT {
            let leader = facts_of(found.links[index] as usize);
            if let Some(group) = leader.and_then(|leader| groups.of(class::DEFINITE, leader.allocator)) {
                group.indirect_blocks += 1;
                group.indirect_bytes += block.size();
            }
        } else if let Some(group) = groups.of(code, facts.allocator) {
            group.blocks += 1;
            group.bytes += block.size();
            group.example = block.start();
            group.oldest = group.oldest.min(facts.born);
            group.newest = group.newest.max(facts.born);
        }
    }
    classes
}

/// What the recording says of the heap, and of each place that allocates.
fn totals(list: &[Group], classes: &Classes, now: u64) {
    for index in 0..(RECORDING.header().sites.load(Relaxed) as usize).min(Section::Sites.capacity()) {
        if let Some(site) = entry::<Site>(&RECORDING, index) {
            site.lost_blocks.store(0, Relaxed);
            site.lost_bytes.store(0, Relaxed);
        }
    }
    for group in list.iter().filter(|group| group.class == class::DEFINITE) {
        if let Some(site) = sites::find(&RECORDING, group.allocator.stack.0) {
            site.lost_blocks.store(group.blocks, Relaxed);
            site.lost_bytes.store(group.bytes, Relaxed);
        }
    }
    if let Some(heap) = heap::totals(&RECORDING) {
        for (field, number) in heap.leak_classes.as_flattened().iter().zip(classes.as_flattened()) {
            field.store(*number, Relaxed);
        }
        heap.looked.store(now, Relaxed);
    }
}

fn publish(scope: &mut Scope, group: &Group, now: u64, without_registers: bool) {
    let Some(severity) = group.severity else { return };
    let started = RECORDING.header().started.load(Relaxed);
    let born = |ms: u32| started.saturating_add(u64::from(ms) * 1_000_000);
    let ago = |ms: u32| (now.saturating_sub(born(ms)) / 1_000_000).min(u64::from(u32::MAX)) as u32;
    let tid = group.allocator.tid.0;
    let thread = finding::name_of(tid);
    let mut parties = [Involved::default(); PARTIES];
    parties[0] = Involved { role: Some(Role::Allocated), tid, stack: group.allocator.stack.0, thread };
    let lost = Lost {
        class: group.class,
        blocks: group.blocks,
        bytes: group.bytes,
        indirect_blocks: group.indirect_blocks,
        indirect_bytes: group.indirect_bytes,
        example: group.example,
        as_of: now,
        oldest_ago: ago(group.oldest),
        newest_ago: ago(group.newest),
        without_registers,
    };
    let report = Report {
        kind: Kind::HeapLeak,
        severity,
        tid,
        thread,
        time: born(group.oldest),
        resource: Resource::Lost(lost),
        label: Label::NONE,
        parties,
        detail: b"",
    };
    finding::publish_leak(scope, &report);
}
