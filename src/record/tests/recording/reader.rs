//! The reader against the writer: what went in comes out, and nothing that a file can hold breaks it.

use crate::sample;
use proptest::prelude::*;
use record::findings::{self, Resource};
use record::kind::{Kind, Role, Severity};
use record::layout::{CHUNK_LEN, CHUNKS_AT, Counter, Op, RING_LEN, Section, state};
use record::memory::Memory;
use record::reader::{ReadError, Recording};
use record::store::{Logged, Store, entry_or_commit};
use record::{layout, modules, stacks};
use std::sync::atomic::Ordering::Relaxed;

/// Everything that can be asked of a recording, so that corruption meets all of the code.
fn read_all(bytes: &[u8]) -> Option<usize> {
    let recording = Recording::parse(bytes).ok()?;
    let mut seen = recording.head().command.len() + recording.findings_unreadable();
    for finding in recording.findings() {
        for party in &finding.parties {
            for frame in recording.stack(party.stack) {
                seen += frame.module().and_then(|m| recording.module(m)).map_or(1, |m| m.path.len());
            }
        }
        let mut buffer = [0; 512];
        let mut line = record::text::Line::new(&mut buffer);
        record::sentence::write(&finding.report(), |_| "tcp", &mut line);
        seen += line.as_bytes().len();
    }
    seen += recording.modules().count() + recording.descriptors().count();
    seen += recording.threads().map(|t| t.events.len()).sum::<usize>();
    seen += recording.heap().map_or(0, |heap| heap.level as usize & 1);
    seen += recording.heap_sites().map(|(_, site)| recording.stack(site.stack).len()).sum::<usize>();
    seen += recording.heap_samples().iter().map(|sample| sample.sites.len()).sum::<usize>();
    seen += recording.sites().count() + recording.samples().len() + recording.heap_calls().frees as usize;
    seen += Counter::ALL.iter().map(|(c, _)| recording.counter(*c) as usize & 1).sum::<usize>();
    Some(seen)
}

#[test]
fn what_was_written_is_read() {
    let memory = sample::recording();
    let bytes = memory.to_bytes();
    let recording = Recording::parse(bytes).expect("a recording");
    let head = recording.head();
    assert_eq!((head.pid, head.ppid, head.state), (12, 1, state::RUNNING));
    assert_eq!(head.exe, b"/srv/app");
    assert_eq!(head.command, [b"./app".to_vec(), b"--serve".to_vec()]);
    assert_eq!(head.rank, None);

    let found: Vec<_> = recording.findings().collect();
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!((finding.kind, finding.severity, finding.count), (Kind::FdDoubleClose, Severity::Error, 3));
    assert_eq!(recording.counter(Counter::Errors), 3);
    assert!(matches!(finding.resource, Resource::Descriptor { fd: 7, kind: 4, .. }));
    let closed = finding.report().party(Role::Closed).copied().expect("who closed it");
    let frames = recording.stack(closed.stack);
    assert_eq!(frames.iter().map(|f| (f.module(), f.offset())).collect::<Vec<_>>(), [(Some(0), 0x1100), (Some(1), 99)]);
    let module = recording.module(0).expect("a module");
    assert_eq!((module.path.as_slice(), module.build_id.as_slice()), (&b"/srv/app"[..], &[1, 2, 3, 4][..]));
    assert_eq!(recording.modules().count(), 2);
    assert_eq!(recording.module(2), None);

    let threads: Vec<_> = recording.threads().collect();
    assert_eq!(threads.len(), 2);
    assert_eq!(threads[1].events.iter().map(|e| (e.op, e.fd)).collect::<Vec<_>>(), [(Op::Open, 7), (Op::Close, 7)]);
    assert_eq!(recording.descriptors().count(), Section::Descriptors.per_chunk());
    assert_eq!(recording.descriptors().nth(7).map(|(fd, slot)| (fd, slot[0])), Some((7, 0xab)));
}

#[test]
fn a_full_ring_keeps_the_last_events_in_order() {
    for written in [1, RING_LEN - 1, RING_LEN, RING_LEN + 1, 5 * RING_LEN + 17] {
        let memory = Memory::new();
        let thread = entry_or_commit::<layout::Thread>(&memory, 0).expect("room");
        thread.state.store(1, Relaxed);
        for i in 0..written {
            // Two events share each time: their sequence decides.
            let event = Logged { time: i as u64 / 2, op: Op::Open, errno: 0, fd: i as i32, detail: 0, stack: 1 };
            thread.log(event);
        }
        let recording = Recording::parse(memory.to_bytes()).expect("a recording");
        let events = recording.threads().next().expect("a thread").events;
        let expected: Vec<i32> = (written.saturating_sub(RING_LEN)..written).map(|i| i as i32).collect();
        assert_eq!(events.iter().map(|e| e.fd).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn sequence_numbers_survive_their_wrap() {
    let memory = Memory::new();
    let thread = entry_or_commit::<layout::Thread>(&memory, 0).expect("room");
    thread.state.store(1, Relaxed);
    thread.written.store(u64::from(u32::MAX) - 100, Relaxed);
    for i in 0..RING_LEN {
        thread.log(Logged { time: i as u64, op: Op::Close, errno: 9, fd: i as i32, detail: 0, stack: 1 });
    }
    let recording = Recording::parse(memory.to_bytes()).expect("a recording");
    let events = recording.threads().next().expect("a thread").events;
    assert_eq!(events.iter().map(|e| e.fd).collect::<Vec<_>>(), (0..RING_LEN as i32).collect::<Vec<_>>());
}

#[test]
fn an_unsealed_event_is_left_out() {
    let memory = Memory::new();
    let thread = entry_or_commit::<layout::Thread>(&memory, 0).expect("room");
    thread.state.store(1, Relaxed);
    for i in 0..3 {
        thread.log(Logged { time: i, op: Op::Open, errno: 0, fd: i as i32, detail: 0, stack: 0 });
    }
    thread.ring[1].seal.store(0, Relaxed);
    thread.ring[2].seal.store(77, Relaxed);
    // An operation of a newer version.
    thread.ring[0].what.store(200, Relaxed);
    let recording = Recording::parse(memory.to_bytes()).expect("a recording");
    assert_eq!(recording.threads().next().expect("a thread").events, []);
}

#[test]
fn other_files_are_told_apart() {
    let good = sample::recording().to_bytes();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        Recording::parse(file).err().map(|e| e.to_string())
    };
    let corrupt = |why: &str| Some(format!("corrupt recording: {why}"));
    assert_eq!(Recording::parse(&[][..]).err(), Some(ReadError::Empty));
    assert_eq!(Recording::parse(&b"\x7fELF"[..]).err(), Some(ReadError::NotARecording));
    assert_eq!(with(0, b"PNG").as_deref(), Some("not a recording of shim"));
    assert_eq!(
        with(8, &7u32.to_ne_bytes()).as_deref(),
        Some("a recording of format version 7; this shim reads version 2")
    );
    assert_eq!(
        with(12, &layout::ORDER.swap_bytes().to_ne_bytes()).as_deref(),
        Some("recorded on a machine of the other byte order")
    );
    assert_eq!(with(12, &[0; 4]), corrupt("its byte order mark is none"));
    assert_eq!(with(20, &[1; 4]), corrupt("its header and chunk lengths are not those of its version"));
    assert_eq!(with(80, &[0xff; 4]), corrupt("it counts more chunks than its directory has room for"));
    let needed = CHUNKS_AT + 2048 * CHUNK_LEN;
    assert_eq!(
        with(80, &2048u32.to_ne_bytes()),
        Some(format!("truncated recording: {} bytes, where its header promises {needed}", good.len()))
    );
    assert_eq!(
        with(8192, &(5u32 << 24 | 8).to_ne_bytes()),
        corrupt("its directory names a chunk beyond the end of a section")
    );
    let second = good[8196..8200].to_vec();
    assert_eq!(with(8192, &second), corrupt("its directory names a chunk twice"));
    // A section of a newer writer is passed over.
    assert_eq!(with(8192, &(77u32 << 24).to_ne_bytes()), None);
}

#[test]
fn truncation_at_every_length_is_an_error() {
    let bytes = sample::recording().to_bytes();
    for len in 0..bytes.len() {
        assert!(
            matches!(Recording::parse(&bytes[..len]), Err(ReadError::Truncated { .. } | ReadError::Empty)),
            "{len} of {} bytes",
            bytes.len()
        );
    }
    assert!(Recording::parse(&bytes[..]).is_ok());
}

#[test]
fn a_stack_whose_words_do_not_hold_is_unknown() {
    let memory = Memory::new();
    let id = stacks::intern(&memory, &[1, 2, 3]);
    let mut bytes = memory.to_bytes();
    let intact = Recording::parse(bytes.clone()).expect("a recording");
    assert_eq!(intact.stack(id).len(), 3);
    assert_eq!(intact.stack(0), []);
    assert_eq!(intact.stack(id + 1), []);
    assert_eq!(intact.stack(u32::MAX), []);
    let place = (0..bytes.len() - 32).step_by(8).find(|at| bytes[at + 7..at + 16] == [3, 1, 0, 0, 0, 0, 0, 0, 0]);
    bytes[place.expect("the stack") + 8] = 9;
    assert_eq!(Recording::parse(bytes).expect("a recording").stack(id), []);
}

#[test]
fn it_can_be_read_while_it_is_written() {
    let memory = sample::recording();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 0..2000u64 {
                let stack = stacks::intern(&memory, &[i, i + 1]);
                findings::file(&memory, &sample::double_close(stack, 0, i));
            }
        });
        while !writer.is_finished() {
            let recording = Recording::parse(memory.to_bytes()).expect("a recording");
            for finding in recording.findings() {
                assert_eq!(finding.kind, Kind::FdDoubleClose);
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Bytes anywhere, and above all where the structure is.
    #[test]
    fn corruption_never_panics(edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u64>(), 1..9usize), 1..40)) {
        let mut bytes = sample::BYTES.clone();
        let chunks = (bytes.len() - CHUNKS_AT) / CHUNK_LEN;
        for (index, place, value, len) in edits {
            let at = match place {
                0 => index.index(4384),
                1 => 8192 + index.index(chunks * 4),
                // The first entries of each chunk.
                2 => CHUNKS_AT + index.index(chunks) * CHUNK_LEN + value as usize % 1200,
                _ => index.index(bytes.len()),
            };
            let len = len.min(bytes.len() - at);
            bytes[at..at + len].copy_from_slice(&value.to_ne_bytes()[..len]);
        }
        read_all(&bytes);
    }

    /// The magic is right and nothing else is.
    #[test]
    fn noise_never_panics(seed in prop::collection::vec(any::<u8>(), 64..4096), count in 0u32..4, len in 0usize..3 * CHUNK_LEN) {
        let mut bytes: Vec<u8> = seed.iter().copied().cycle().take(len).collect();
        let header = &sample::BYTES[..bytes.len().min(32)];
        bytes[..header.len()].copy_from_slice(header);
        if bytes.len() > 84 {
            bytes[80..84].copy_from_slice(&count.to_ne_bytes());
        }
        read_all(&bytes);
    }
}

#[test]
fn the_sample_is_read_in_full() {
    assert!(read_all(&sample::BYTES).is_some_and(|seen| seen > 100));
    // Modules keep their entry when they come back.
    let memory = sample::recording();
    assert_eq!(modules::register(&memory, &sample::APP, 9), Some(0));
    assert_eq!(memory.header().modules.load(Relaxed), 2);
}
