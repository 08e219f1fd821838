//! Threads: blocks that others free, threads that end, arenas that all of them fill.

use crate::machine::{self, Numbers, block, fill, spoilt};
use core::ptr::NonNull;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

struct Sent(NonNull<u8>, usize, u64);

// SAFETY: a block has one owner at a time.
#[allow(unsafe_code)]
unsafe impl Send for Sent {}

/// Eight threads in a ring: each allocates, and frees what its neighbour sends.
#[test]
fn free_what_others_allocated() {
    let memory = machine::tiers(&[machine::numa()], 1 << 30);
    let (mut to, mut from): (Vec<SyncSender<Sent>>, Vec<Receiver<Sent>>) = (0..8).map(|_| sync_channel(256)).unzip();
    to.rotate_left(1);
    std::thread::scope(|scope| {
        for (at, (to, from)) in to.drain(..).zip(from.drain(..)).enumerate() {
            let memory = &memory;
            scope.spawn(move || {
                let mut numbers = Numbers(at as u64 + 1);
                let take = |sent: Sent| {
                    assert_eq!(spoilt(sent.0, sent.1, sent.2, sent.1), None);
                    memory.free(sent.0);
                };
                for _ in 0..4_000 {
                    let (size, seed) = (numbers.size().min(2 << 20), numbers.next());
                    let one = block(memory, 1, size, 16, false).unwrap();
                    fill(one, size, seed);
                    if let Err(error) = to.try_send(Sent(one, size, seed)) {
                        let (std::sync::mpsc::TrySendError::Full(sent)
                        | std::sync::mpsc::TrySendError::Disconnected(sent)) = error;
                        take(sent);
                    }
                    from.try_iter().for_each(take);
                }
                drop(to);
                from.iter().for_each(take);
                memory.thread_ends();
            });
        }
    });
    let facts = memory.facts(1).unwrap();
    assert_eq!((facts.large, facts.bad_frees), (0, 0));
}

/// What a thread leaves behind is used by those that come after it.
#[test]
fn leave_their_memory_to_others() {
    let memory = machine::tiers(&[machine::numa()], 64 << 20);
    for round in 0..200 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let blocks: Vec<_> = (0..100).map(|_| block(&memory, 1, 10_000, 16, false).unwrap()).collect();
                blocks.into_iter().for_each(|block| _ = memory.free(block));
                memory.thread_ends();
            });
        });
        let facts = memory.facts(1).unwrap();
        assert!(facts.committed < 32 << 20, "round {round}: {facts:?}");
    }
}

/// A thread that asks again after its end is a new one.
#[test]
fn may_come_back() {
    let memory = machine::tiers(&[machine::numa()], 64 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 0..50 {
                let one = block(&memory, 1, 500, 16, false).unwrap();
                fill(one, 500, seed);
                memory.thread_ends();
                assert_eq!(spoilt(one, 500, seed, 500), None);
                memory.free(one);
                memory.thread_ends();
            }
        });
    });
}
