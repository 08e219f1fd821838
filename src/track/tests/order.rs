//! The order of locks: the rule table row by row, the bounds, and the graph against a naive model that tries every cycle.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used)] // A test may end so.

use proptest::prelude::*;
use track::lock::order::{Cache, EDGES, Gates, Graph, LONGEST, MOST_GATES, MOST_VARIANTS, NODES, Outcome, Seen, Taken};
use track::lock::{Kind, Mode};

const A: usize = 0x1000;
const B: usize = 0x2000;
const C: usize = 0x3000;
const GATE: usize = 0x9000;

/// A graph on the heap: it is large.
fn graph() -> Box<Graph> {
    let stack = 16 << 20;
    std::thread::Builder::new().stack_size(stack).spawn(|| Box::new(Graph::new())).unwrap().join().unwrap()
}

fn cache() -> Box<Cache> {
    Box::new(Cache::new())
}

fn in_mode(mode: Mode) -> Taken {
    Taken { kind: Kind::RwLock, mode }
}

fn gates(of: &[(usize, Mode)]) -> Gates {
    let mut gates = Gates::new();
    of.iter().for_each(|(lock, mode)| gates.add(*lock, *mode));
    gates
}

fn seen(from: usize, to: usize, tid: u32) -> Seen {
    let (held, taken) = (in_mode(Mode::Exclusive), in_mode(Mode::Exclusive));
    Seen { from, to, held, taken, gates: Gates::new(), tid, stacks: [from as u32, to as u32] }
}

/// The locks of the cycle, from the one that was held.
fn cycle(outcome: &Outcome) -> Vec<usize> {
    outcome.cycle.iter().flat_map(|c| c.edges().iter().map(|e| e.from)).collect()
}

#[test]
fn two_locks_in_both_orders_by_two_threads_are_a_cycle_with_its_stacks() {
    let mut graph = graph();
    assert!(graph.observe(&seen(A, B, 1)).cycle.is_none());
    let found = graph.observe(&seen(B, A, 2));
    assert_eq!(cycle(&found), [B, A]);
    let edges = found.cycle.unwrap();
    assert_eq!(edges.edges().iter().map(|e| e.tid).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(edges.edges()[1].stacks, [A as u32, B as u32]);
}

#[test]
fn the_same_order_is_none_however_often_and_whoever() {
    let mut graph = graph();
    for tid in 1..9 {
        for (from, to) in [(A, B), (B, C), (A, C)] {
            assert!(graph.observe(&seen(from, to, tid)).cycle.is_none());
        }
    }
    assert_eq!(graph.len(), (3, 3));
}

#[test]
fn one_thread_that_takes_both_orders_is_silent_until_another_does() {
    let mut graph = graph();
    graph.observe(&seen(A, B, 1));
    assert!(graph.observe(&seen(B, A, 1)).cycle.is_none());
    assert!(graph.observe(&seen(B, A, 1)).cycle.is_none());
    let found = graph.observe(&seen(A, B, 2));
    assert!(found.many && !found.new);
    assert_eq!(cycle(&found), [A, B]);
}

#[test]
fn a_cycle_of_three_is_found_and_so_is_the_longest_but_no_longer_one() {
    let mut three = graph();
    three.observe(&seen(A, B, 1));
    three.observe(&seen(B, C, 2));
    assert_eq!(cycle(&three.observe(&seen(C, A, 3))), [C, A, B]);
    for (len, found) in [(LONGEST, true), (LONGEST + 1, false)] {
        let mut graph = graph();
        for i in 1..len {
            assert!(graph.observe(&seen(i * 8, i * 8 + 8, i as u32)).cycle.is_none());
        }
        assert_eq!(graph.observe(&seen(len * 8, 8, 77)).cycle.is_some(), found);
    }
}

#[test]
fn readers_alone_do_not_wait_for_each_other() {
    let read = |mut s: Seen| {
        (s.held, s.taken) = (in_mode(Mode::Read), in_mode(Mode::Read));
        s
    };
    let mut all = graph();
    all.observe(&read(seen(A, B, 1)));
    assert!(all.observe(&read(seen(B, A, 2))).cycle.is_none());

    // B is only read; A is written in one of them, but B's readers do not wait for each other.
    let mut one = graph();
    one.observe(&Seen { taken: in_mode(Mode::Read), ..seen(A, B, 1) });
    assert!(one.observe(&Seen { held: in_mode(Mode::Read), ..seen(B, A, 2) }).cycle.is_none());

    // Each lock has a writer.
    let mut both = graph();
    both.observe(&Seen { taken: in_mode(Mode::Read), ..seen(A, B, 1) });
    assert!(both.observe(&Seen { taken: in_mode(Mode::Read), ..seen(B, A, 2) }).cycle.is_some());
}

#[test]
fn a_writer_makes_another_edge_of_one_that_readers_made() {
    let mut graph = graph();
    let read = in_mode(Mode::Read);
    graph.observe(&Seen { held: read, taken: read, ..seen(A, B, 1) });
    assert!(graph.observe(&Seen { held: read, taken: read, ..seen(B, A, 2) }).cycle.is_none());
    // A is written, and B only read.
    assert!(graph.observe(&Seen { taken: read, ..seen(A, B, 1) }).cycle.is_none());
    assert!(graph.observe(&seen(A, B, 1)).cycle.is_some());
}

#[test]
fn a_common_gate_makes_it_silent_and_one_without_it_does_not() {
    let exclusive = gates(&[(GATE, Mode::Exclusive)]);
    let mut under = graph();
    under.observe(&Seen { gates: exclusive, ..seen(A, B, 1) });
    assert!(under.observe(&Seen { gates: exclusive, ..seen(B, A, 2) }).cycle.is_none());
    assert!(under.observe(&Seen { gates: gates(&[(C, Mode::Exclusive)]), ..seen(B, A, 2) }).cycle.is_some());

    let mut without = graph();
    without.observe(&Seen { gates: exclusive, ..seen(A, B, 1) });
    assert!(without.observe(&seen(B, A, 2)).cycle.is_some());
}

#[test]
fn a_gate_that_is_read_on_both_sides_is_none() {
    let (read, write) = (gates(&[(GATE, Mode::Read)]), gates(&[(GATE, Mode::Exclusive)]));
    let mut readers = graph();
    readers.observe(&Seen { gates: read, ..seen(A, B, 1) });
    assert!(readers.observe(&Seen { gates: read, ..seen(B, A, 2) }).cycle.is_some());

    let mut writer = graph();
    writer.observe(&Seen { gates: read, ..seen(A, B, 1) });
    assert!(writer.observe(&Seen { gates: write, ..seen(B, A, 2) }).cycle.is_none());
}

#[test]
fn more_gates_than_are_kept_may_be_any() {
    let many: Vec<_> = (0..=MOST_GATES).map(|i| (0x10000 + i * 64, Mode::Exclusive)).collect();
    let mut graph = graph();
    graph.observe(&Seen { gates: gates(&many), ..seen(A, B, 1) });
    assert!(graph.observe(&Seen { gates: gates(&[(GATE, Mode::Exclusive)]), ..seen(B, A, 2) }).cycle.is_none());
    assert!(graph.observe(&seen(B, A, 2)).cycle.is_some());
}

#[test]
fn what_another_thread_did_under_a_gate_is_not_said_of_it_without() {
    let gate = gates(&[(GATE, Mode::Exclusive)]);
    let mut graph = graph();
    graph.observe(&seen(A, B, 1));
    graph.observe(&Seen { gates: gate, ..seen(B, A, 1) });
    // Thread 2 goes by the gate, as thread 1 did the other way; without a gate there was thread 1 alone.
    assert!(graph.observe(&Seen { gates: gate, ..seen(A, B, 2) }).cycle.is_none());
}

#[test]
fn a_lock_that_ended_takes_its_edges_along() {
    let (mut graph, cache) = (graph(), cache());
    graph.observe(&seen(A, B, 1));
    graph.observe(&seen(B, C, 1));
    let mut ended = Vec::new();
    graph.forget(B, &cache, |edge| ended.push(edge));
    ended.sort_unstable();
    assert_eq!(ended, [0, 1]);
    assert!(graph.is_empty(), "{:?}", graph.len());
    assert!(graph.observe(&seen(B, A, 2)).cycle.is_none());
    assert!(graph.observe(&seen(C, A, 2)).cycle.is_none());
}

#[test]
fn locks_in_a_range_of_memory_end_and_their_neighbours_do_not() {
    for (start, len) in [(0x10_0010, 0x60), (0x10_0000, 0x20_0000)] {
        let (mut graph, cache) = (graph(), cache());
        let locks: Vec<usize> = (0..32).map(|i| 0xf_ff80 + i * 24).collect();
        locks.iter().for_each(|lock| {
            graph.observe(&seen(A, *lock, 1));
        });
        graph.forget_range(start, len, &cache, |_| {});
        for lock in locks {
            assert_eq!(graph.knows(lock), !(start..start + len).contains(&lock), "{lock:#x} in {start:#x}+{len:#x}");
        }
    }
    let (mut graph, cache) = (graph(), cache());
    graph.observe(&seen(A, B, 1));
    graph.forget_range(A + 1, 0, &cache, |_| {});
    graph.forget_range(usize::MAX - 8, 64, &cache, |_| {});
    assert_eq!(graph.len(), (2, 1));
}

#[test]
fn a_full_graph_goes_on_with_what_it_has_and_takes_more_when_there_is_room() {
    let (mut graph, cache) = (graph(), cache());
    let lock = |i: usize| 0x10_0000 + i * 64;
    for i in 1..NODES + 100 {
        let outcome = graph.observe(&seen(lock(0), lock(i), 1));
        assert_eq!(outcome.edge.is_some(), i < NODES, "{i}");
    }
    assert_eq!(graph.len(), (NODES, NODES - 1));
    assert!(graph.observe(&seen(lock(1), lock(0), 2)).cycle.is_some());
    let key = cache.key(lock(0), Mode::Exclusive, cache.end(lock(NODES + 5), Mode::Exclusive), 0);
    cache.store(key, None, 1, true);
    assert_eq!(cache.find(key, 2), Some(None));
    graph.forget_range(lock(1), NODES * 32, &cache, |_| {});
    let again = cache.key(lock(0), Mode::Exclusive, cache.end(lock(NODES + 5), Mode::Exclusive), 0);
    assert_eq!(cache.find(again, 2), None);
    assert!(graph.observe(&seen(lock(0), lock(NODES + 5), 1)).edge.is_some());

    let mut edges = self::graph();
    let mut put = 0;
    'all: for from in 0..NODES {
        for to in from + 1..(from + 64).min(NODES) {
            if edges.observe(&seen(lock(from), lock(to), 1)).edge.is_none() {
                break 'all;
            }
            put += 1;
        }
    }
    assert_eq!(put, EDGES);
}

#[test]
fn variants_of_an_edge_are_bounded() {
    let mut graph = graph();
    let put = (0..MOST_VARIANTS + 9).filter(|i| {
        let gates = gates(&[(0x10000 + i * 64, Mode::Exclusive)]);
        graph.observe(&Seen { gates, ..seen(A, B, 1) }).edge.is_some()
    });
    assert_eq!(put.count(), MOST_VARIANTS);
    // One without gates says no more than they do to this thread.
    assert!(graph.observe(&seen(A, B, 1)).edge.is_none());
}

#[test]
fn the_cache_knows_an_edge_for_its_thread_then_for_all_until_a_lock_ends() {
    let (mut graph, cache) = (graph(), cache());
    let key = |cache: &Cache| cache.key(A, Mode::Exclusive, cache.end(B, Mode::Exclusive), 0);
    let outcome = graph.observe(&seen(A, B, 1));
    assert_eq!(cache.find(key(&cache), 1), None);
    cache.store(key(&cache), outcome.edge, 1, false);
    assert_eq!(cache.find(key(&cache), 1), Some(outcome.edge));
    assert_eq!(cache.find(key(&cache), 2), None);
    cache.store(key(&cache), outcome.edge, 2, true);
    assert_eq!(cache.find(key(&cache), 3), Some(outcome.edge));
    let other = cache.key(B, Mode::Exclusive, cache.end(A, Mode::Exclusive), 0);
    let read = cache.key(A, Mode::Read, cache.end(B, Mode::Exclusive), 0);
    let gated = cache.key(A, Mode::Exclusive, cache.end(B, Mode::Exclusive), Cache::gate(C, Mode::Read));
    for key in [other, read, gated] {
        assert_eq!(cache.find(key, 3), None);
    }
    graph.forget(B, &cache, |_| {});
    assert_eq!(cache.find(key(&cache), 3), None);
}

/// What was seen, as it was seen, with the thread.
type Memory = Vec<(Seen, Vec<(usize, Mode)>)>;

/// Is there a dangerous cycle with the last one? Every way is tried.
fn naive_cycle(memory: &Memory) -> bool {
    fn dangerous(path: &[&(Seen, Vec<(usize, Mode)>)]) -> bool {
        let pairs = || path.iter().zip(path.iter().cycle().skip(1));
        let conflict = pairs().all(|(a, b)| a.0.taken.mode != Mode::Read || b.0.held.mode != Mode::Read);
        let threads = path.iter().any(|s| s.0.tid != path[0].0.tid);
        let gated = path[0].1.iter().any(|(gate, _)| {
            let modes: Vec<_> = path.iter().filter_map(|s| s.1.iter().find(|(other, _)| other == gate)).collect();
            modes.len() == path.len() && modes.iter().filter(|(_, mode)| *mode == Mode::Read).count() <= 1
        });
        conflict && threads && !gated
    }
    fn from<'a>(memory: &'a Memory, path: &mut Vec<&'a (Seen, Vec<(usize, Mode)>)>) -> bool {
        let at = path.last().unwrap().0.to;
        if at == path[0].0.from {
            return dangerous(path);
        }
        memory.iter().any(|next| {
            if next.0.from != at || path.iter().any(|s| s.0.to == next.0.to) {
                return false;
            }
            path.push(next);
            let found = from(memory, path);
            path.pop();
            found
        })
    }
    from(memory, &mut vec![memory.last().unwrap()])
}

/// Has the same been said before, or more?
fn said_before(memory: &Memory) -> bool {
    let ((last, gates), earlier) = memory.split_last().map(|(last, earlier)| ((&last.0, &last.1), earlier)).unwrap();
    let alike = |s: &Seen| (s.from, s.to, s.held, s.taken) == (last.from, last.to, last.held, last.taken);
    let says = |s: &(Seen, Vec<_>)| alike(&s.0) && s.1.iter().all(|gate| gates.contains(gate));
    let dangerous = |one: &(Seen, Vec<_>)| {
        let mut without_last = earlier.to_vec();
        without_last.push(one.clone());
        naive_cycle(&without_last)
    };
    earlier.iter().filter(|s| says(s)).any(|one| {
        let several = earlier.iter().any(|two| alike(&two.0) && two.1 == one.1 && two.0.tid != one.0.tid);
        // The same edge of another thread was dangerous, and that was said.
        one.0.tid == last.tid || several || one.1 == *gates && dangerous(one)
    })
}

#[derive(Clone, Debug)]
enum Step {
    See { from: usize, to: usize, modes: (bool, bool), gates: u8, tid: u32 },
    Forget(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let see = (1usize..6, 1usize..6, any::<(bool, bool)>(), 0u8..9, 1u32..4)
        .prop_map(|(from, to, modes, gates, tid)| Step::See { from, to, modes, gates, tid });
    let mostly_plain = (1usize..9, 1usize..9, 1u32..3).prop_map(|(from, to, tid)| Step::See {
        from,
        to,
        modes: (false, false),
        gates: 0,
        tid,
    });
    prop::collection::vec(prop_oneof![4 => see, 6 => mostly_plain, 1 => (1usize..9).prop_map(Step::Forget)], 1..22)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_graph_says_what_the_naive_model_says(steps in steps()) {
        let (mut graph, cache) = (graph(), cache());
        let mut memory: Memory = Vec::new();
        for step in steps {
            match step {
                Step::Forget(lock) => {
                    graph.forget(lock * 64, &cache, |_| {});
                    memory.retain(|(s, _)| s.from != lock * 64 && s.to != lock * 64);
                }
                Step::See { from, to, .. } if from == to => {}
                Step::See { from, to, modes, gates: number, tid } => {
                    let mode = |read| if read { Mode::Read } else { Mode::Exclusive };
                    // Two gates, each not held, held, or read.
                    let held = [number % 3, number / 3];
                    let gates_held: Vec<_> = held.iter().zip([GATE, GATE + 64])
                        .filter(|(how, _)| **how > 0)
                        .map(|(how, gate)| (gate, mode(*how == 2)))
                        .collect();
                    let one = Seen {
                        held: in_mode(mode(modes.0)),
                        taken: in_mode(mode(modes.1)),
                        gates: gates(&gates_held),
                        ..seen(from * 64, to * 64, tid)
                    };
                    let outcome = graph.observe(&one);
                    prop_assert!(outcome.edge.is_some());
                    memory.push((one, gates_held));
                    let naive = naive_cycle(&memory);
                    if outcome.cycle.is_some() {
                        prop_assert!(naive, "the graph alone: {:?}", outcome.cycle);
                    } else {
                        prop_assert!(!naive || said_before(&memory), "the model alone: {:?}", memory.last());
                    }
                }
            }
            for (edge, agrees) in graph.edges() {
                prop_assert!(agrees, "{edge:?}");
            }
        }
    }

    #[test]
    fn any_order_of_insertion_keeps_the_topological_order(pairs in prop::collection::vec((1usize..40, 1usize..40), 1..160)) {
        let mut graph = graph();
        for (a, b) in pairs {
            // Along the numbers, which is acyclic, and numbered so that the order of first appearance is no help.
            let place = |n: usize| (n * 17 % 41) * 64;
            graph.observe(&seen(place(a.min(b)), place(a.max(b)), 1));
            let against = graph.edges().filter(|(_, agrees)| !agrees).count();
            prop_assert_eq!(against, 0);
        }
    }
}
