//! Recordings with a heap, made by the writer.

use crate::built::Crash;
use crate::sample::{module, process, stack};
use record::heap::{self, Heap, level};
use record::layout::{Thread, ThreadCounter};
use record::memory::Memory;
use record::modules::{self, Loaded};
use record::sites;
use record::store::{Store, entry_or_commit};
use std::sync::atomic::Ordering::Relaxed;

/// A process whose heap is watched.
pub struct Watched {
    pub memory: Memory,
    now: u64,
}

impl Watched {
    /// `sampling` 0: every block is seen.
    pub fn new(pid: u32, level: u32, sampling: u64) -> Self {
        let memory = process(pid);
        memory.header().started.store(1_000_000_000, Relaxed);
        heap::begin(&memory, level, sampling);
        entry_or_commit::<Thread>(&memory, 0).unwrap().state.store(1, Relaxed);
        Self { memory, now: 1_000_000_000 }
    }

    pub fn heap(&self) -> &Heap {
        heap::totals(&self.memory).unwrap()
    }

    /// So many blocks of `bytes` in all, of which `observed` were looked at; a second goes by.
    pub fn allocate(&mut self, stack: u32, blocks: u64, bytes: u64, observed: u64) {
        self.now += 1_000_000_000;
        let site = sites::of(&self.memory, stack).unwrap();
        site.allocated(self.heap(), blocks, bytes, observed);
        self.heap().sized(bytes / blocks, blocks, bytes);
        self.heap().changed(blocks as i64, bytes as i64, self.now);
        let thread = entry_or_commit::<Thread>(&self.memory, 0).unwrap();
        thread.add(ThreadCounter::Allocations, blocks);
        thread.add(ThreadCounter::BytesRequested, bytes);
        heap::sample(&self.memory, self.now).unwrap();
    }

    pub fn free(&mut self, stack: u32, blocks: u64, bytes: u64) {
        sites::find(&self.memory, stack).unwrap().freed(self.heap(), blocks, bytes);
        self.heap().changed(-(blocks as i64), -(bytes as i64), self.now);
        entry_or_commit::<Thread>(&self.memory, 0).unwrap().add(ThreadCounter::Frees, blocks);
    }

    pub fn lose(&mut self, stack: u32, blocks: u64, bytes: u64) {
        let site = sites::find(&self.memory, stack).unwrap();
        site.lost_blocks.fetch_add(blocks, Relaxed);
        site.lost_bytes.fetch_add(bytes, Relaxed);
        self.heap().looked.store(self.now + 1, Relaxed);
        self.heap().leak_classes[0][0].fetch_add(blocks, Relaxed);
        self.heap().leak_classes[0][1].fetch_add(bytes, Relaxed);
    }
}

/// Every block, of three call stacks: 6 MiB by an inlined call of which half are live, 1 MiB live and lost, and 1 KiB by
/// a module with a hostile name. The peak was before the frees.
pub fn full(pid: u32, crash: &Crash) -> Watched {
    let mut watched = Watched::new(pid, level::FULL, 0);
    let [inlined, plain, odd] = stacks(&watched.memory, crash);
    watched.allocate(inlined, 6, 6 << 20, 6);
    watched.allocate(plain, 1024, 1 << 20, 1024);
    watched.allocate(odd, 1, 1024, 1);
    watched.free(inlined, 3, 3 << 20);
    watched.lose(plain, 1024, 1 << 20);
    watched
}

pub const ODD: &[u8] = b"/srv/a <b>&\"x\";=\x1b[2J";

/// Three stacks: in [`Crash`], by `on_closed` (into which `close_again` is inlined) and by `finish_request`; and one in a
/// module that is not there. All are called by main.
pub fn stacks(memory: &Memory, crash: &Crash) -> [u32; 3] {
    let app = module(memory, &crash.path, &crash.build_id);
    let odd = Loaded { path: ODD, build_id: &[7; 20], bias: 0, start: 1 << 40, end: 1 << 41, flags: 0 };
    let odd = modules::register(memory, &odd, 2).unwrap();
    let frame = |module, address| record::stacks::Frame::in_module(module, address).0;
    let odd = record::stacks::intern(memory, &[frame(odd, 0x1235), frame(app, crash.open)]);
    [stack(memory, app, &[crash.second, crash.open]), stack(memory, app, &[crash.first, crash.open]), odd]
}
