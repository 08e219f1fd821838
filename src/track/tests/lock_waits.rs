//! Cycles among waiting threads, on small pictures and against a naive search.
#![cfg(not(loom))]

use proptest::prelude::*;
use track::lock::Mode;
use track::lock::waits::{Waiting, cycles, excludes};

#[derive(Clone, Debug, Default)]
struct Picture {
    wants: Vec<Option<(u64, Mode)>>,
    holds: Vec<Vec<(u64, Mode)>>,
}

impl Picture {
    fn thread(mut self, wants: Option<(u64, Mode)>, holds: &[(u64, Mode)]) -> Self {
        self.wants.push(wants);
        self.holds.push(holds.to_vec());
        self
    }

    fn cycles(&self) -> Vec<Vec<usize>> {
        let mut all = Vec::new();
        cycles(self, |cycle| all.push(cycle.to_vec()));
        all
    }
}

impl Waiting for Picture {
    fn threads(&self) -> usize {
        self.wants.len()
    }
    fn wants(&self, thread: usize) -> Option<(u64, Mode)> {
        self.wants[thread]
    }
    fn holds(&self, thread: usize, lock: u64) -> Option<Mode> {
        self.holds[thread].iter().find(|(held, _)| *held == lock).map(|(_, mode)| *mode)
    }
}

const X: Mode = Mode::Exclusive;
const R: Mode = Mode::Read;

#[test]
fn two_that_took_two_locks_in_two_orders() {
    let picture = Picture::default().thread(Some((2, X)), &[(1, X)]).thread(Some((1, X)), &[(2, X)]);
    assert_eq!(picture.cycles(), [[0, 1]]);
}

#[test]
fn a_chain_is_no_cycle() {
    let picture =
        Picture::default().thread(Some((2, X)), &[(1, X)]).thread(Some((3, X)), &[(2, X)]).thread(None, &[(3, X)]);
    assert!(picture.cycles().is_empty());
}

#[test]
fn who_waits_for_a_cycle_is_not_in_it() {
    let picture = Picture::default()
        .thread(Some((1, X)), &[])
        .thread(Some((2, X)), &[(1, X)])
        .thread(Some((3, X)), &[(2, X)])
        .thread(Some((1, X)), &[(3, X)]);
    assert_eq!(picture.cycles(), [[1, 2, 3]]);
}

#[test]
fn a_thread_that_waits_for_itself() {
    assert_eq!(Picture::default().thread(Some((1, X)), &[(1, X)]).cycles(), [[0]]);
    assert_eq!(Picture::default().thread(Some((1, X)), &[(1, R)]).cycles(), [[0]], "an upgrade");
}

#[test]
fn readers_are_not_in_each_others_way() {
    let picture = Picture::default().thread(Some((2, R)), &[(1, X)]).thread(Some((1, X)), &[(2, R)]);
    assert!(picture.cycles().is_empty());
    assert!(excludes(X, R) && excludes(R, X) && excludes(X, X));
}

#[test]
fn of_several_readers_the_one_that_waits() {
    let picture =
        Picture::default().thread(None, &[(1, R)]).thread(Some((2, X)), &[(1, R)]).thread(Some((1, X)), &[(2, X)]);
    assert_eq!(picture.cycles(), [[1, 2]]);
}

proptest! {
    /// With exclusive locks only, each held by one thread: a cycle is what following the holders comes back to.
    #[test]
    fn against_following_the_holders(wants in proptest::collection::vec(proptest::option::of(0u64..8), 8)) {
        // Thread n holds lock n.
        let mut picture = Picture::default();
        for (n, want) in wants.iter().enumerate() {
            picture = picture.thread(want.map(|lock| (lock + 1, X)), &[(n as u64 + 1, X)]);
        }
        let mut naive: Vec<Vec<usize>> = Vec::new();
        for first in 0..wants.len() {
            let (mut path, mut at) = (vec![first], first);
            while let Some(next) = wants[at].map(|lock| lock as usize) {
                if next == first {
                    let mut cycle = path.clone();
                    cycle.sort_unstable();
                    if !naive.contains(&cycle) {
                        naive.push(cycle);
                    }
                    break;
                }
                if path.contains(&next) {
                    break;
                }
                path.push(next);
                at = next;
            }
        }
        let mut found = picture.cycles();
        for cycle in &found {
            for (i, thread) in cycle.iter().enumerate() {
                prop_assert_eq!(wants[*thread], Some(cycle[(i + 1) % cycle.len()] as u64), "each waits for the next");
            }
        }
        found.iter_mut().for_each(|cycle| cycle.sort_unstable());
        found.sort();
        naive.sort();
        prop_assert_eq!(found, naive);
    }
}
