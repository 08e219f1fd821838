//! Recordings, made by the writer.

use crate::built::{self, Crash};
use record::findings::{self, Involved, Report, Resource};
use record::kind::{Kind, Role, Severity};
use record::label::{Endpoint, Label};
use record::layout::{Counter, Op, Thread};
use record::memory::Memory;
use record::modules::{self, Loaded};
use record::stacks::{self, Frame};
use record::store::{Logged, Store, count, entry_or_commit};
use record::text;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;

/// Of a process in which nothing was found.
pub static CLEAN: LazyLock<PathBuf> = LazyLock::new(|| write(&process(1), "clean.template"));

pub fn write(memory: &Memory, name: &str) -> PathBuf {
    let path = built::scratch().join(name);
    std::fs::write(&path, memory.to_bytes()).unwrap();
    path
}

pub fn process(pid: u32) -> Memory {
    let memory = Memory::new();
    memory.process(b"/srv/app", pid, 1);
    memory.header().started_real.store(1_000_000, Relaxed);
    memory
}

pub fn name(bytes: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out[..bytes.len()].copy_from_slice(bytes);
    out
}

pub fn party(role: Role, tid: u32, thread: &[u8], stack: u32) -> Involved {
    Involved { role: Some(role), tid, stack, thread: name(thread) }
}

pub fn double_close(parties: &[Involved], time: u64) -> Report<'static> {
    let mut all = [Involved::default(); 6];
    all[..parties.len()].copy_from_slice(parties);
    let here = parties.first().copied().unwrap_or_default();
    Report {
        kind: Kind::FdDoubleClose,
        severity: Severity::Error,
        tid: here.tid,
        thread: here.thread,
        time,
        resource: Resource::Descriptor { fd: 7, kind: 4, owner_kind: 0, owner: 0, generation: 1 },
        label: Label::endpoints(Some(Endpoint::V4([127, 0, 0, 1], 80)), Some(Endpoint::V4([127, 0, 0, 1], 5000))),
        parties: all,
        detail: b"close",
    }
}

/// An `fclose` without stacks, on a file, of a severity that is only worth knowing.
pub fn info() -> Report<'static> {
    Report {
        kind: Kind::FdBadFd,
        severity: Severity::Info,
        resource: Resource::Descriptor { fd: -1, kind: 0, owner_kind: 0, owner: 0, generation: 0 },
        label: Label::NONE,
        ..double_close(&[party(Role::Here, 3, b"io", 0)], 5)
    }
}

pub fn owned() -> Report<'static> {
    Report {
        kind: Kind::FdOwner,
        resource: Resource::Descriptor { fd: 5, kind: 1, owner_kind: 1, owner: 0x5581, generation: 1 },
        label: Label::path(b"/tmp/data"),
        ..double_close(&[party(Role::Here, 3, b"io", 0), party(Role::Opened, 3, b"io", 0)], 4)
    }
}

/// Registers the program and gives the frame of a return address in it.
pub fn module(memory: &Memory, path: &Path, build_id: &[u8]) -> usize {
    let path = path.as_os_str().as_bytes();
    let loaded = Loaded { path, build_id, bias: 0, start: 0, end: 1 << 40, flags: 1 };
    modules::register(memory, &loaded, 1).unwrap()
}

pub fn stack(memory: &Memory, module: usize, returns: &[u64]) -> u32 {
    let frames: Vec<u64> = returns.iter().map(|address| Frame::in_module(module, *address).0).collect();
    stacks::intern(memory, &frames)
}

/// Three double closes in the built program: second close inlined, the opening unknown.
pub fn crashed(pid: u32, crash: &Crash) -> Memory {
    let memory = process(pid);
    let module = module(&memory, &crash.path, &crash.build_id);
    let here = stack(&memory, module, &[crash.second]);
    let closed = stack(&memory, module, &[crash.first]);
    let parties = [
        party(Role::Here, 14, b"worker", here),
        party(Role::Closed, 13, b"io", closed),
        party(Role::Opened, 12, b"app", 0),
    ];
    for time in 0..3 {
        findings::file(&memory, &double_close(&parties, 100 + time));
    }
    let thread = entry_or_commit::<Thread>(&memory, 0).unwrap();
    thread.tid.store(14, Relaxed);
    text::store(&thread.name, b"worker");
    thread.state.store(1, Relaxed);
    let open = stack(&memory, module, &[crash.open]);
    let log = |time, op, errno, stack| thread.log(Logged { time, op, errno, fd: 7, detail: 0, stack });
    log(1_000_000, Op::Open, 0, open);
    log(2_500_000, Op::Close, 0, closed);
    log(3_500_000, Op::Close, 9, here);
    memory
}

pub fn with_losses(memory: &Memory) {
    count(memory, Counter::StacksDropped);
    count(memory, Counter::StacksDropped);
    count(memory, Counter::Received);
}
