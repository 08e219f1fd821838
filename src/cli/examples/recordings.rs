//! Makes recordings for measurements: `recordings DIR COUNT FINDINGS SHARED [SITES]`.
//!
//! COUNT recordings with FINDINGS findings each, of which SHARED percent are those of every other recording and the rest of
//! this one alone. Each has three parties with stacks of 16 frames, in this very program (which has symbols) and two
//! libraries that are not there; 16 threads with full rings; 512 descriptor slots in use.
//!
//! With SITES, the heap of so many call stacks of 32 frames each, of which as many percent are shared, as a tree of calls has
//! them: two stacks in succession differ in their innermost frames.
//!
//! Made by the writer of the recording, so that they are what the library would have left.
#![allow(clippy::expect_used)] // A tool of the tests, which may end so.

use object::{Object, ObjectSection};
use record::findings::{self, Involved, Report, Resource};
use record::heap;
use record::kind::{Kind, Role, Severity};
use record::label::{Endpoint, Label};
use record::layout::{Op, Thread};
use record::memory::Memory;
use record::modules::{self, Loaded};
use record::sites;
use record::stacks::{self, Frame};
use record::store::{Logged, Store, entry_or_commit};
use record::text;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

const DEPTH: u64 = 16;
const KINDS: [(Kind, Severity); 6] = [
    (Kind::FdDoubleClose, Severity::Error),
    (Kind::FdStaleClose, Severity::Error),
    (Kind::FdUseAfterClose, Severity::Suspect),
    (Kind::FdOwner, Severity::Error),
    (Kind::FdClosedLibc, Severity::Error),
    (Kind::FdBadFd, Severity::Info),
];

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let directory = arguments.next().expect("DIR COUNT FINDINGS SHARED");
    let mut number = || arguments.next().and_then(|a| a.to_str()?.parse::<u64>().ok()).expect("a number");
    let (count, each, shared) = (number(), number(), number());
    let sites = arguments.next().and_then(|a| a.to_str()?.parse::<u64>().ok()).unwrap_or(0);
    std::fs::create_dir_all(&directory).expect("the directory");
    let program = Program::own();
    for index in 0..count {
        let memory = recording(&program, index, each, each * shared / 100);
        if sites > 0 {
            heap(&memory, &program, index, sites, sites * shared / 100);
        }
        let path = Path::new(&directory).join(format!("app.{}.0.shim", 1000 + index));
        std::fs::write(path, memory.to_bytes()).expect("room on the disk");
    }
}

struct Program {
    path: Vec<u8>,
    build_id: Vec<u8>,
    text: (u64, u64),
}

impl Program {
    fn own() -> Self {
        let path = std::env::current_exe().expect("a path");
        let bytes = std::fs::read(&path).expect("this program");
        let file = object::File::parse(&bytes[..]).expect("an ELF file");
        let text = file.section_by_name(".text").expect("code");
        Self {
            path: path.as_os_str().as_bytes().to_vec(),
            build_id: file.build_id().ok().flatten().unwrap_or_default().to_vec(),
            text: (text.address(), text.size()),
        }
    }
}

fn recording(program: &Program, index: u64, each: u64, shared: u64) -> Memory {
    let memory = Memory::new();
    memory.process(&program.path, 1000 + index as u32, 1);
    let header = memory.header();
    header.started_real.store(1_760_000_000_000_000_000 + index * 1_000_000, Relaxed);
    header.started.store(1, Relaxed);
    header.ended.store(10_000_000_000, Relaxed);
    text::store(&header.command, b"app\0--serve\0");
    text::store(&header.shim_version, b"0.1.0");
    let module = |path: &[u8], build_id: &[u8], flags| {
        let loaded = Loaded { path, build_id, bias: 0, start: 0, end: 1 << 40, flags };
        modules::register(&memory, &loaded, 1).expect("room for a module")
    };
    let modules = [
        module(&program.path, &program.build_id, 1),
        module(b"/opt/vendor/libnet.so.3", &[3; 20], 0),
        module(b"libc.so.6", &[], 2),
    ];
    for number in 0..each {
        let seed = if number < shared { number } else { (index + 1) << 32 | number };
        let (kind, severity) = KINDS[(seed % 6) as usize];
        let party = |role: Role, salt: u64| Involved {
            role: Some(role),
            tid: 2000 + (seed * 3 + salt) as u32 % 16,
            stack: stack(&memory, &modules, program.text, seed * 8 + salt),
            thread: *b"worker\0\0\0\0\0\0\0\0\0\0",
        };
        let mut parties = [Involved::default(); 6];
        parties[..3].copy_from_slice(&[party(Role::Here, 1), party(Role::Closed, 2), party(Role::Opened, 3)]);
        let report = Report {
            kind,
            severity,
            tid: parties[0].tid,
            thread: parties[0].thread,
            time: 1_000_000 + number * 9_000_000,
            resource: Resource::Descriptor {
                fd: (number % 512) as i32,
                kind: 4,
                owner_kind: 0,
                owner: 0,
                generation: 1,
            },
            label: Label::endpoints(Some(Endpoint::V4([10, 0, 0, 1], 80)), Some(Endpoint::V4([10, 0, 0, 2], 5000))),
            parties,
            detail: b"close",
        };
        for _ in 0..=seed % 4 {
            findings::file(&memory, &report);
        }
    }
    rings(&memory, &modules, program.text);
    memory
}

fn rings(memory: &Memory, modules: &[usize], text: (u64, u64)) {
    for index in 0..16 {
        let thread = entry_or_commit::<Thread>(memory, index).expect("room for a thread");
        thread.tid.store(2000 + index as u32, Relaxed);
        text::store(&thread.name, b"worker");
        thread.started.store(1, Relaxed);
        thread.state.store(1, Relaxed);
        for step in 0..240u64 {
            let op = if step % 2 == 0 { Op::Open } else { Op::Close };
            let place = stack(memory, modules, text, step % 2 + 1);
            let fd = (index * 32) as i32 + (step / 2 % 32) as i32;
            thread.log(Logged {
                time: 1_000_000 + step * 40_000_000,
                op,
                errno: 0,
                fd,
                detail: 1 + step / 64,
                stack: place,
            });
        }
    }
}

/// `shared` of the call stacks are those of all recordings.
fn heap(memory: &Memory, program: &Program, index: u64, sites: u64, shared: u64) {
    heap::begin(memory, heap::level::SITES, 524_288);
    let totals = heap::totals(memory).expect("begun");
    let module = modules::register(
        memory,
        &Loaded { path: &program.path, build_id: &program.build_id, bias: 0, start: 0, end: 1 << 40, flags: 1 },
        1,
    )
    .expect("room for a module");
    for number in 0..sites {
        let seed = if number < shared { number } else { (index + 1) << 32 | number };
        let frames: Vec<u64> = (0..32u64)
            .map(|depth| {
                // The innermost is one of many, the outermost nearly always the same.
                let branch = seed >> (depth / 2).min(63);
                let (start, len) = program.text;
                let mixed = (branch * 64 + depth).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
                Frame::in_module(module, start + mixed % (len / 64).max(1) * 64).0
            })
            .collect();
        let site = sites::of(memory, stacks::intern(memory, &frames)).expect("room for a site");
        let (blocks, bytes) = (1 + seed % 1000, (1 + seed % 1000) * (16 + seed % 4096));
        site.allocated(totals, blocks, bytes, 1 + seed % 40);
        totals.sized(bytes / blocks, blocks, bytes);
        totals.changed(blocks as i64, bytes as i64, 2 + number);
        if seed % 3 > 0 {
            site.freed(totals, blocks / 2, bytes / 2);
            totals.changed(-((blocks / 2) as i64), -((bytes / 2) as i64), 2 + number);
        }
    }
}

/// A stack of its own for each seed.
fn stack(memory: &Memory, modules: &[usize], (start, len): (u64, u64), seed: u64) -> u32 {
    let mut state = seed;
    let mut random = || {
        // splitmix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    let frames: Vec<u64> = (0..DEPTH)
        .map(|depth| match depth {
            0..12 => Frame::in_module(modules[0], start + random() % (len / 64).max(1) * 64).0,
            12..14 => Frame::in_module(modules[1], 0x1000 + random() % 512).0,
            _ => Frame::in_module(modules[2], 0x2_0000 + depth).0,
        })
        .collect();
    stacks::intern(memory, &frames)
}
