//! Locks and their order: what the writers put in, what the reader makes of it, and of what nobody wrote.

use proptest::prelude::*;
use record::layout::{CHUNK_LEN, CHUNKS_AT, Lock as Stored, Section};
use record::lock::{Edge, edge_ended, edge_seen, entry_of, kind, mode, write_edge};
use record::memory::Memory;
use record::reader::{MOST, Recording};
use std::collections::BTreeSet;

fn read(memory: &Memory) -> Recording<Vec<u8>> {
    Recording::parse(memory.to_bytes()).expect("a recording")
}

fn stored(memory: &Memory, address: u64) -> &Stored {
    entry_of(memory, address).expect("room").0
}

#[test]
fn how_a_lock_was_used_comes_back() {
    let memory = Memory::new();
    assert_eq!(read(&memory).locks().count(), 0);
    let (entry, new) = entry_of(&memory, 0x1000).expect("room");
    assert!(new && !entry_of(&memory, 0x1000).expect("room").1);
    entry.made(kind::MUTEX, 7, 9);
    entry.taken(1, true, None, 20);
    entry.let_go(true, 500, 20);
    entry.taken(1, true, None, 21);
    entry.let_go(true, 300, 21);
    entry.taken(2, true, Some(80), 22);
    entry.let_go(true, 700, 22);
    entry.taken(1, true, Some(60), 23);
    let lock = read(&memory).locks().next().expect("a lock");
    assert_eq!((lock.address, lock.kind, lock.place, lock.created), (0x1000, kind::MUTEX, 7, 9));
    assert_eq!((lock.taken, lock.taken_read, lock.contended, lock.changed_hands), (4, 0, 2, 2));
    assert_eq!((lock.waited, lock.waited_most, lock.waited_most_at), (140, 80, 22));
    assert_eq!((lock.held, lock.held_most, lock.held_most_at), (1500, 700, 22));
}

#[test]
fn who_has_a_lock_is_known_until_it_is_let_go_as_often_as_it_was_taken() {
    let memory = Memory::new();
    let entry = stored(&memory, 0x1000);
    entry.made(kind::MUTEX, 0, 0);
    entry.taken(7, true, None, 0);
    let holder = || read(&memory).locks().next().expect("a lock").held_by;
    assert_eq!(holder(), 0);
    let steps: [(&dyn Fn(), u32); 8] = [
        (&|| entry.has(7, false), 7),
        (&|| entry.has_not(false), 0),
        (&|| entry.has(7, true), 7),
        (&|| entry.has(7, true), 7),
        (&|| entry.has_not(true), 7),
        (&|| entry.has_not(true), 0),
        (&|| entry.has(7, true), 7),
        // It was let go where we did not see it.
        (&|| entry.has(u32::MAX, true), u32::MAX),
    ];
    for (number, (step, expected)) in steps.iter().enumerate() {
        step();
        assert_eq!(holder(), *expected, "step {number}");
    }
    entry.has_not(true);
    assert_eq!(holder(), 0);
}

#[test]
fn readers_add_together() {
    let memory = Memory::new();
    let entry = stored(&memory, 0x40);
    std::thread::scope(|scope| {
        for tid in 1..5 {
            scope.spawn(move || {
                for _ in 0..1000 {
                    entry.taken(tid, false, Some(2), tid);
                    entry.let_go(false, u64::from(tid), tid);
                }
            });
        }
    });
    let lock = read(&memory).locks().next().expect("a lock");
    assert_eq!((lock.taken, lock.taken_read, lock.contended, lock.waited), (4000, 4000, 4000, 8000));
    assert_eq!((lock.held, lock.held_most), (10_000, 4));
}

#[test]
fn many_locks_have_an_entry_each_and_those_beyond_have_none() {
    let memory = Memory::new();
    let capacity = Section::Locks.capacity();
    let kept: Vec<u64> = (1..=2 * capacity as u64)
        .map(|n| n * 40)
        .filter(|address| entry_of(&memory, *address).inspect(|(entry, _)| entry.taken(1, true, None, 1)).is_some())
        .collect();
    assert!(kept.len() > capacity * 9 / 10 && kept.len() <= capacity, "{} of {capacity}", kept.len());
    let found: BTreeSet<u64> = read(&memory).locks().map(|lock| lock.address).collect();
    assert_eq!(found, kept.iter().copied().collect());
    assert!(kept.iter().all(|address| !entry_of(&memory, *address).expect("kept").1));
}

#[test]
fn an_order_comes_back_is_counted_and_ends() {
    let memory = Memory::new();
    let edge = Edge {
        from: 0x10,
        to: 0x20,
        held: (kind::RWLOCK, mode::READ),
        taken: (kind::MUTEX, mode::EXCLUSIVE),
        stacks: [5, 6],
        places: [0, 8],
        tid: 77,
    };
    write_edge(&memory, 3, &edge);
    edge_seen(&memory, 3);
    edge_seen(&memory, 3);
    // One that was never written, and beyond the section.
    edge_seen(&memory, 9);
    edge_ended(&memory, 5);
    write_edge(&memory, usize::MAX, &edge);
    let all: Vec<_> = read(&memory).lock_edges().collect();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].edge, all[0].count, all[0].ended), (edge, 3, false));
    edge_ended(&memory, 3);
    assert!(read(&memory).lock_edges().next().expect("an edge").ended);
    write_edge(&memory, 3, &Edge { from: 0x30, ..edge });
    let again = read(&memory).lock_edges().next().expect("an edge");
    assert_eq!((again.edge.from, again.count, again.ended), (0x30, 1, false));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_locks_within_bounds(seed in any::<u64>(), cut in 0usize..4) {
        let memory = Memory::new();
        stored(&memory, 8).taken(1, true, None, 1);
        write_edge(&memory, 0, &Edge { from: 1, to: 2, ..Edge::default() });
        let mut bytes = memory.to_bytes();
        let mut state = seed | 1;
        for word in bytes[CHUNKS_AT..].chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Mostly large numbers, some small, some none.
            let number = match state % 4 { 0 => 0, 1 => state % 100, _ => state };
            word.copy_from_slice(&number.to_ne_bytes()[..word.len()]);
        }
        bytes.truncate(bytes.len() - cut * CHUNK_LEN / 3);
        let Ok(recording) = Recording::parse(bytes) else { return Ok(()) };
        let locks: Vec<_> = recording.locks().collect();
        prop_assert!(locks.len() <= Section::Locks.capacity());
        for lock in &locks {
            for number in [lock.taken, lock.contended, lock.waited, lock.waited_most, lock.held, lock.held_most] {
                prop_assert!(number <= MOST);
            }
            prop_assert!(lock.address != 0 && lock.taken > 0);
            recording.stack(lock.created);
        }
        for edge in recording.lock_edges() {
            prop_assert!(edge.edge.from != 0 && edge.edge.to != 0 && edge.count <= MOST);
            recording.stack(edge.edge.stacks[0]);
        }
    }
}
