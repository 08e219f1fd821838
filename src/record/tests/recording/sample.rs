//! A small recording with a bit of everything, made by the writer.

use record::findings::{self, Involved, Report, Resource};
use record::kind::{Kind, Role, Severity};
use record::label::{Endpoint, Label};
use record::layout::{Op, Section, Thread};
use record::memory::Memory;
use record::modules::{self, Loaded};
use record::stacks::{self, Frame};
use record::store::{Logged, Store, entry_or_commit};
use record::text;
use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;

pub static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| recording().to_bytes());

pub const APP: Loaded = Loaded {
    path: b"/srv/app",
    build_id: &[1, 2, 3, 4],
    bias: 0x5555_0000_0000,
    start: 0x5555_0000_0000,
    end: 0x5555_0001_0000,
    flags: 1,
};

pub fn name(text: &str) -> [u8; 16] {
    let mut out = [0; 16];
    out[..text.len()].copy_from_slice(text.as_bytes());
    out
}

pub fn double_close(here: u32, closed: u32, time: u64) -> Report<'static> {
    let mut parties = [Involved::default(); 6];
    parties[0] = Involved { role: Some(Role::Here), tid: 14, stack: here, thread: name("worker") };
    parties[1] = Involved { role: Some(Role::Closed), tid: 13, stack: closed, thread: name("io") };
    parties[2] = Involved { role: Some(Role::Opened), tid: 12, stack: 0, thread: name("app") };
    Report {
        kind: Kind::FdDoubleClose,
        severity: Severity::Error,
        tid: 14,
        thread: name("worker"),
        time,
        resource: Resource::Descriptor { fd: 7, kind: 4, owner_kind: 0, owner: 0, generation: 1 },
        label: Label::endpoints(Some(Endpoint::V4([127, 0, 0, 1], 80)), Some(Endpoint::V4([127, 0, 0, 1], 5000))),
        parties,
        detail: b"close",
    }
}

pub fn recording() -> Memory {
    let memory = Memory::new();
    memory.process(b"/srv/app", 12, 1);
    text::store(&memory.header().command, b"./app\0--serve\0");
    let app = modules::register(&memory, &APP, 5).expect("room");
    let libc = Loaded { path: b"/lib/libc.so.6", build_id: &[], bias: 1, start: 1, end: 2, flags: 2 };
    let libc = modules::register(&memory, &libc, 6).expect("room");
    let here = stacks::intern(&memory, &[Frame::in_module(app, 0x1200).0, Frame::in_module(libc, 99).0]);
    let closed = stacks::intern(&memory, &[Frame::in_module(app, 0x1100).0, Frame::in_module(libc, 99).0]);
    for time in 100..103 {
        findings::file(&memory, &double_close(here, closed, time));
    }
    for (index, tid, thread) in [(0, 13, "io"), (1, 14, "worker")] {
        let entry = entry_or_commit::<Thread>(&memory, index).expect("room");
        entry.tid.store(tid, Relaxed);
        text::store(&entry.name, thread.as_bytes());
        entry.state.store(1, Relaxed);
        entry.log(Logged { time: 10, op: Op::Open, errno: 0, fd: 7, detail: 1, stack: here });
        entry.log(Logged { time: 20, op: Op::Close, errno: 0, fd: 7, detail: 1, stack: closed });
    }
    record::heap::begin(&memory, record::heap::level::SITES, 512);
    let heap = record::heap::totals(&memory).expect("begun");
    for (stack, blocks) in [(here, 10), (closed, 3)] {
        let site = record::sites::of(&memory, stack).expect("room");
        site.opened(10);
        site.allocated(heap, blocks, blocks * 100, 2);
        heap.changed(blocks as i64, blocks as i64 * 100, 30);
        record::heap::sample(&memory, 20 + blocks).expect("room");
    }
    let slots = memory.commit(Section::Descriptors, 0).expect("room");
    mark(slots, 7);
    memory
}

/// A byte in a descriptor slot, which is opaque here.
#[allow(unsafe_code)] // Safety: one byte inside a chunk that this thread alone uses.
fn mark(chunk: std::ptr::NonNull<u8>, fd: usize) {
    // SAFETY: a chunk holds 128 slots of 512 bytes.
    unsafe { chunk.as_ptr().add(fd * 512).write(0xab) };
}
