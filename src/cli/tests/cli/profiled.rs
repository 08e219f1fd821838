//! Recordings with a heap, made by the writer, of programs whose functions have the names that a test wants.

use crate::{built, sample};
use object::{Object, ObjectSymbol};
use record::heap::{self, level};
use record::memory::Memory;
use record::store::Store;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

/// A program of functions that do nothing, 64 bytes each.
pub struct Program {
    pub path: PathBuf,
    build_id: Vec<u8>,
    addresses: HashMap<String, u64>,
}

impl Program {
    /// Names may be anything without a quote.
    pub fn new(directory: &str, names: &[&str]) -> Self {
        Self::with_variables(directory, names, &[])
    }

    /// And variables, 64 bytes each.
    pub fn with_variables(directory: &str, names: &[&str], variables: &[&str]) -> Self {
        let directory = built::directory(directory);
        let mut text = String::from(".text\n.globl _start\n_start: .skip 64\n");
        for name in names {
            write!(text, ".globl \"{name}\"\n.type \"{name}\",@function\n\"{name}\": .skip 64\n.size \"{name}\",64\n")
                .unwrap();
        }
        text.push_str(".data\n");
        for name in variables {
            write!(text, ".globl \"{name}\"\n.type \"{name}\",@object\n\"{name}\": .skip 64\n.size \"{name}\",64\n")
                .unwrap();
        }
        std::fs::write(directory.join("app.s"), text).unwrap();
        built::gcc(&directory, &["-nostdlib", "-static", "-Wl,--build-id=sha1", "-o", "app", "app.s"]);
        let path = directory.join("app");
        let bytes = std::fs::read(&path).unwrap();
        let file = object::File::parse(&bytes[..]).unwrap();
        let addresses = file.symbols().map(|s| (s.name().unwrap().to_owned(), s.address())).collect();
        Self { build_id: file.build_id().unwrap().unwrap().to_vec(), path, addresses }
    }

    /// The stack of these functions, the innermost last; `main;run;grow`. A name with `@N` is a call at that offset in it.
    pub fn stack(&self, memory: &Memory, module: usize, calls: &str) -> u32 {
        let returns: Vec<u64> = calls.split(';').rev().map(|call| self.address(call)).collect();
        sample::stack(memory, module, &returns)
    }

    /// Of a variable.
    pub fn variable(&self, name: &str) -> u64 {
        self.addresses[name]
    }

    fn address(&self, call: &str) -> u64 {
        let (name, offset) = call.split_once('@').map_or((call, 8), |(name, at)| (name, at.parse().unwrap()));
        self.addresses[name] + offset
    }

    pub fn module(&self, memory: &Memory) -> usize {
        sample::module(memory, &self.path, &self.build_id)
    }
}

/// Calls; what was allocated there and what of it was freed, each blocks and bytes; definitely lost.
pub type Row<'a> = (&'a str, [u64; 2], [u64; 2], [u64; 2]);

/// A process that allocated so, and freed after a sample at the peak. `sampling` 0: every block was seen.
pub fn process(pid: u32, program: &Program, rows: &[Row], sampling: u64) -> Memory {
    let memory = sample::process(pid);
    memory.header().started.store(1, Relaxed);
    let module = program.module(&memory);
    let level = if sampling == 0 { level::FULL } else { level::SITES };
    heap::begin(&memory, level, sampling);
    let heap = heap::totals(&memory).unwrap();
    let site = |calls: &str| record::sites::of(&memory, program.stack(&memory, module, calls)).unwrap();
    heap::sample(&memory, 1_000_000);
    for (i, (calls, [blocks, bytes], _, [lost_blocks, lost_bytes])) in rows.iter().enumerate() {
        let now = 100_000_000 * (i as u64 + 1);
        let observed = bytes.checked_div(sampling).unwrap_or(*blocks);
        let site = site(calls);
        site.allocated(heap, *blocks, *bytes, observed);
        heap.changed(*blocks as i64, *bytes as i64, now);
        heap.sized(bytes / blocks, *blocks, *bytes);
        site.lost_blocks.store(*lost_blocks, Relaxed);
        site.lost_bytes.store(*lost_bytes, Relaxed);
        heap::sample(&memory, now);
    }
    let ended = 100_000_000 * (rows.len() as u64 + 1);
    for (calls, _, [blocks, bytes], _) in rows {
        site(calls).freed(heap, *blocks, *bytes);
        heap.changed(-(*blocks as i64), -(*bytes as i64), ended);
    }
    heap::sample(&memory, ended);
    memory
}
