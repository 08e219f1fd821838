//! The order of locks: the cache, which is read without a lock, and the graph, which the caller's lock protects.
//!
//! [`Spin`] has the orderings of `shim`'s, and the graph lies in a cell that loom watches: two that reach it at once fail the test.
#![allow(unsafe_code)] // Safety: the graph is reached under the lock only; loom would tell.

use super::explore;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use loom::thread;
use track::lock::order::{Cache, Gates, Graph, Outcome, Seen, Taken};
use track::lock::{Kind, Mode};

const A: usize = 0x1000;
const B: usize = 0x2000;

struct Spin(AtomicBool);

impl Spin {
    fn hold<R>(&self, f: impl FnOnce() -> R) -> R {
        while self.0.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
            thread::yield_now();
        }
        let result = f();
        self.0.store(false, Release);
        result
    }
}

struct World {
    cache: Cache,
    lock: Spin,
    graph: UnsafeCell<Box<Graph>>,
}

// SAFETY: the graph is reached by `with_graph` only, under the lock.
unsafe impl Sync for World {}
// SAFETY: as above.
unsafe impl Send for World {}

impl World {
    fn new() -> Arc<Self> {
        let (cache, lock) = (Cache::new(), Spin(AtomicBool::new(false)));
        Arc::new(Self { cache, lock, graph: UnsafeCell::new(Box::new(Graph::new())) })
    }

    fn with_graph<R>(&self, f: impl FnOnce(&mut Graph) -> R) -> R {
        // SAFETY: under the lock.
        self.lock.hold(|| self.graph.with_mut(|graph| f(unsafe { &mut *graph })))
    }

    fn key(&self, from: usize, to: usize) -> track::lock::order::Key {
        self.cache.key(from, Mode::Exclusive, self.cache.end(to, Mode::Exclusive), 0)
    }

    /// As `shim` does when `to` is taken while `from` is held. Nothing: it was known.
    fn take(&self, from: usize, to: usize, tid: u32) -> Option<Outcome> {
        let key = self.key(from, to);
        if self.cache.find(key, tid).is_some() {
            return None;
        }
        let how = Taken { kind: Kind::Mutex, mode: Mode::Exclusive };
        let seen = Seen { from, to, held: how, taken: how, gates: Gates::new(), tid, stacks: [tid, tid] };
        let outcome = self.with_graph(|graph| graph.observe(&seen));
        self.cache.store(key, outcome.edge, tid, outcome.many || outcome.edge.is_none());
        Some(outcome)
    }

    /// A lock is destroyed.
    fn end(&self, lock: usize) {
        self.with_graph(|graph| graph.forget(lock, &self.cache, |_| {}));
    }

    fn has_edge(&self, from: usize, to: usize) -> bool {
        self.with_graph(|graph| graph.edges().any(|(edge, _)| edge.from == from && edge.to == to))
    }

    /// What is known is there. One that is known and is not would never be looked at again.
    fn agrees(&self, from: usize, to: usize) {
        for tid in [1, 2] {
            if self.cache.find(self.key(from, to), tid).is_some() {
                assert!(self.has_edge(from, to), "known to {tid}, and not in the graph");
            }
        }
    }
}

#[test]
fn what_is_known_of_a_lock_ends_with_it() {
    explore(3, || {
        let world = World::new();
        let other = thread::spawn({
            let world = world.clone();
            move || {
                world.take(A, B, 1);
            }
        });
        world.end(B);
        world.agrees(A, B);
        other.join().unwrap();
        world.agrees(A, B);
        // And it can be learned again.
        world.take(A, B, 2);
        assert!(world.has_edge(A, B));
    });
}

#[test]
fn an_ended_lock_is_not_known_where_its_address_is_used_again() {
    explore(3, || {
        let world = World::new();
        // Known to everybody.
        world.take(A, B, 1);
        world.take(A, B, 2);
        assert!(world.cache.find(world.key(A, B), 3).is_some());
        // What gives the memory of the one lock to the other: an allocator's lock, say.
        let given = Arc::new(AtomicBool::new(false));
        let user = thread::spawn({
            let (world, given) = (world.clone(), given.clone());
            move || given.load(Acquire).then(|| world.take(A, B, 1).is_some_and(|outcome| outcome.new))
        });
        world.end(B);
        given.store(true, Release);
        let new = user.join().unwrap();
        assert!(new != Some(false), "the edge of the lock before was taken for the new one's");
    });
}

#[test]
fn of_two_orders_at_once_the_later_makes_the_cycle() {
    explore(3, || {
        let world = World::new();
        let other = thread::spawn({
            let world = world.clone();
            move || world.take(B, A, 2).unwrap()
        });
        let mine = world.take(A, B, 1).unwrap();
        let theirs = other.join().unwrap();
        assert!(mine.new && theirs.new && mine.edge != theirs.edge);
        assert!(mine.cycle.is_some() != theirs.cycle.is_some(), "exactly one of them closes it");
        let cycle = mine.cycle.or(theirs.cycle).unwrap();
        let closer = if mine.cycle.is_some() { 1 } else { 2 };
        let tids = cycle.edges().iter().map(|edge| edge.tid).collect::<Vec<_>>();
        assert_eq!(tids, [closer, 3 - closer]);
        world.agrees(A, B);
        world.agrees(B, A);
    });
}

#[test]
fn one_edge_seen_by_two_is_one() {
    explore(3, || {
        let world = World::new();
        let other = thread::spawn({
            let world = world.clone();
            move || world.take(A, B, 2)
        });
        let mine = world.take(A, B, 1);
        let theirs = other.join().unwrap();
        let outcomes = [mine, theirs].into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.new).count(), 1);
        assert!(outcomes.iter().all(|outcome| outcome.edge == outcomes[0].edge));
        for tid in [1, 2, 3] {
            let found = world.cache.find(world.key(A, B), tid);
            assert!(found.is_none_or(|edge| edge == outcomes[0].edge), "{found:?}");
        }
        assert_eq!(world.with_graph(|graph| graph.len()), (2, 1));
    });
}
