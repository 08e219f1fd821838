//! The writers under threads, at the end of their tables and at the end of a chunk.

use crate::sample;
use record::findings::{Filed, file, is_told, told};
use record::layout::{Counter, Finding, Module, Section};
use record::memory::Memory;
use record::modules::{self, Loaded};
use record::reader::Recording;
use record::stacks::{self, MAX_FRAMES};
use record::store::{Store, entry};
use record::strings;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::sync::atomic::Ordering::Relaxed;

const THREADS: usize = 4;

fn loaded(memory: &Memory, id: u32) -> Vec<u64> {
    let mut out = [0; MAX_FRAMES];
    let len = stacks::load(memory, id, &mut out);
    out[..len].to_vec()
}

fn counter(memory: &Memory, counter: Counter) -> u64 {
    memory.header().counters[counter as usize].load(Relaxed)
}

fn together(work: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(thread);
            });
        }
    });
}

#[test]
fn equal_stacks_get_one_id_and_others_another() {
    let memory = Memory::new();
    let first = stacks::intern(&memory, &[1, 2, 3]);
    assert_ne!(first, 0);
    assert_eq!(stacks::intern(&memory, &[1, 2, 3]), first);
    for other in [&[1, 2][..], &[1, 2, 3, 4], &[3, 2, 1], &[1, 2, 4]] {
        assert_ne!(stacks::intern(&memory, other), first);
    }
    assert_eq!(stacks::intern(&memory, &[]), 0);
    assert_eq!(loaded(&memory, first), [1, 2, 3]);
    assert_eq!(loaded(&memory, 0), []);
}

#[test]
fn deep_stacks_are_cut() {
    let memory = Memory::new();
    let deep: Vec<u64> = (0..200).collect();
    let id = stacks::intern(&memory, &deep);
    assert_eq!(loaded(&memory, id), deep[..MAX_FRAMES]);
}

#[test]
fn threads_agree_on_the_ids_of_stacks() {
    let memory = Memory::new();
    let ids = std::sync::Mutex::new(BTreeMap::<Vec<u64>, BTreeSet<u32>>::new());
    together(|thread| {
        for i in 0..3000u64 {
            // All threads write the same stacks, each from another end.
            let n = if thread % 2 == 0 { i } else { 2999 - i };
            let frames: Vec<u64> = (0..1 + n % 40).map(|f| n * 64 + f).collect();
            let id = stacks::intern(&memory, &frames);
            ids.lock().expect("unpoisoned").entry(frames).or_default().insert(id);
        }
    });
    let ids = ids.into_inner().expect("unpoisoned");
    assert_eq!(ids.len(), 3000);
    let mut seen = BTreeSet::new();
    let recording = Recording::parse(memory.to_bytes()).expect("a recording");
    for (frames, found) in ids {
        assert_eq!(found.len(), 1, "{frames:?} has several ids");
        let id = *found.first().expect("one");
        assert!(id != 0 && seen.insert(id));
        assert_eq!(loaded(&memory, id), frames);
        assert_eq!(recording.stack(id).iter().map(|f| f.0).collect::<Vec<_>>(), frames);
    }
    assert_eq!(counter(&memory, Counter::StacksDropped), 0);
}

#[test]
fn stacks_never_straddle_a_chunk() {
    let memory = Memory::new();
    let per_chunk = Section::StackWords.per_chunk();
    let mut chunks = BTreeSet::new();
    for n in 0..600u64 {
        let frames: Vec<u64> = (0..MAX_FRAMES as u64).map(|f| n << 8 | f).collect();
        let id = stacks::intern(&memory, &frames) as usize;
        assert_eq!(id / per_chunk, (id + MAX_FRAMES) / per_chunk);
        assert_eq!(loaded(&memory, id as u32), frames);
        chunks.insert(id / per_chunk);
    }
    assert!(chunks.len() > 4);
}

#[test]
fn a_full_stack_index_drops_and_counts() {
    let memory = Memory::new();
    let capacity = Section::StackIndex.capacity() as u64;
    let ids: Vec<u32> = (0..capacity + 2000).map(|n| stacks::intern(&memory, &[n])).collect();
    let dropped = ids.iter().filter(|id| **id == 0).count() as u64;
    assert_eq!(counter(&memory, Counter::StacksDropped), dropped);
    assert!((2000..capacity / 8).contains(&dropped), "{dropped} of {capacity} dropped");
    // What found room is still found.
    for (n, id) in ids.iter().enumerate().filter(|(_, id)| **id != 0).step_by(97) {
        assert_eq!(stacks::intern(&memory, &[n as u64]), *id);
    }
}

#[test]
fn a_full_disk_loses_stacks_and_findings_and_nothing_else() {
    let memory = Memory::with_limit(0);
    assert_eq!(stacks::intern(&memory, &[1]), 0);
    assert_eq!(file(&memory, &sample::double_close(0, 0, 1)), Filed::Dropped);
    assert_eq!(modules::register(&memory, &sample::APP, 1), None);
    assert_eq!(strings::intern(&memory, b"text"), strings::Text::NONE);
    assert_eq!(counter(&memory, Counter::StacksDropped), 1);
    assert_eq!(counter(&memory, Counter::FindingsDropped), 1);
    assert_eq!(counter(&memory, Counter::Errors), 1);
    assert!(counter(&memory, Counter::ChunksRefused) > 0);
    assert!(Recording::parse(memory.to_bytes()).is_ok());
}

#[test]
fn identical_findings_are_one() {
    let memory = Memory::new();
    assert_eq!(file(&memory, &sample::double_close(1, 2, 10)), Filed::New(0));
    assert_eq!(file(&memory, &sample::double_close(1, 2, 30)), Filed::Repeated(0));
    assert_eq!(file(&memory, &sample::double_close(1, 2, 20)), Filed::Repeated(0));
    assert_eq!(file(&memory, &sample::double_close(1, 3, 40)), Filed::New(1));
    let recording = Recording::parse(memory.to_bytes()).expect("a recording");
    let found: Vec<_> = recording.findings().map(|f| (f.count, f.first, f.last)).collect();
    assert_eq!(found, [(3, 10, 30), (1, 40, 40)]);
}

#[test]
fn a_finding_of_which_the_user_was_told_is_read_like_any_other() {
    let memory = Memory::new();
    file(&memory, &sample::double_close(1, 2, 10));
    assert!(!is_told(&memory, 0));
    told(&memory, 0);
    assert!(is_told(&memory, 0));
    assert_eq!(Recording::parse(memory.to_bytes()).expect("a recording").findings().count(), 1);
}

#[test]
fn findings_without_stacks_are_one_per_call() {
    let memory = Memory::new();
    let mut report = sample::double_close(0, 0, 1);
    assert_eq!(file(&memory, &report), Filed::New(0));
    report.detail = b"fclose";
    assert_eq!(file(&memory, &report), Filed::New(1));
    assert_eq!(file(&memory, &report), Filed::Repeated(1));
}

#[test]
fn threads_lose_no_count() {
    let memory = Memory::new();
    together(|_| {
        for i in 0..4000u64 {
            file(&memory, &sample::double_close(1 + (i % 50) as u32, 1, i));
        }
    });
    let recording = Recording::parse(memory.to_bytes()).expect("a recording");
    let counts: Vec<u64> = recording.findings().map(|f| f.count).collect();
    assert_eq!(counts, [4000 / 50 * THREADS as u64; 50]);
    assert_eq!(recording.counter(Counter::Errors), 4000 * THREADS as u64);
}

#[test]
fn a_full_table_of_findings_drops_and_counts() {
    let memory = Memory::new();
    let capacity = Section::Findings.capacity() as u32;
    for stack in 1..=capacity {
        assert_eq!(file(&memory, &sample::double_close(stack, 0, 1)), Filed::New(stack as usize - 1));
    }
    assert_eq!(file(&memory, &sample::double_close(capacity + 1, 0, 1)), Filed::Dropped);
    assert_eq!(file(&memory, &sample::double_close(capacity, 0, 1)), Filed::Repeated(capacity as usize - 1));
    assert_eq!(counter(&memory, Counter::FindingsDropped), 1);
    assert_eq!(memory.header().findings.load(Relaxed), capacity);
    let recording = Recording::parse(memory.to_bytes()).expect("a recording");
    assert_eq!(recording.findings().count(), capacity as usize);
    assert!(entry::<Finding>(&memory, capacity as usize).is_none());
}

#[test]
fn a_module_that_comes_back_keeps_its_entry() {
    let memory = Memory::new();
    assert_eq!(modules::register(&memory, &sample::APP, 1), Some(0));
    modules::unloaded(&memory, 0, 0);
    assert_ne!(entry::<Module>(&memory, 0).expect("an entry").unloaded.load(Relaxed), 0);
    assert_eq!(modules::register(&memory, &sample::APP, 2), Some(0));
    assert_eq!(entry::<Module>(&memory, 0).expect("an entry").unloaded.load(Relaxed), 0);
    // Elsewhere, another build, or without a build id another path: another module.
    assert_eq!(modules::register(&memory, &Loaded { bias: 1, ..sample::APP }, 3), Some(1));
    assert_eq!(modules::register(&memory, &Loaded { build_id: &[9], ..sample::APP }, 3), Some(2));
    let unnamed = Loaded { build_id: &[], ..sample::APP };
    assert_eq!(modules::register(&memory, &unnamed, 3), Some(3));
    assert_eq!(modules::register(&memory, &Loaded { path: b"/srv/other", ..unnamed }, 3), Some(4));
    assert_eq!(modules::register(&memory, &unnamed, 4), Some(3));
    let mut path = [0; 64];
    let len = modules::path(&memory, 4, &mut path);
    assert_eq!(&path[..len], b"/srv/other");
}

#[test]
fn a_full_table_of_modules_drops_and_counts() {
    let memory = Memory::new();
    let capacity = Section::Modules.capacity() as u64;
    for bias in 0..capacity {
        assert_eq!(modules::register(&memory, &Loaded { bias, ..sample::APP }, 1), Some(bias as usize));
    }
    assert_eq!(modules::register(&memory, &Loaded { bias: capacity, ..sample::APP }, 1), None);
    assert_eq!(modules::register(&memory, &Loaded { bias: 0, ..sample::APP }, 1), Some(0));
    assert_eq!(counter(&memory, Counter::ModulesDropped), 1);
}

#[test]
fn strings_never_straddle_a_chunk() {
    let memory = Memory::new();
    let texts: Vec<Vec<u8>> = (0..2000).map(|n| format!("/a/path/{n}/").repeat(1 + n % 9).into_bytes()).collect();
    let places: Vec<_> = texts.iter().map(|text| strings::intern(&memory, text)).collect();
    let recording = Recording::parse(memory.to_bytes()).expect("a recording");
    for (text, place) in texts.iter().zip(&places) {
        assert_eq!(recording.string(*place), text);
    }
    assert!(places.last().is_some_and(|place| place.offset() > Section::Strings.per_chunk()));
    let long = vec![b'x'; Section::Strings.per_chunk() + 1];
    assert_eq!(strings::intern(&memory, &long), strings::Text::NONE);
}
