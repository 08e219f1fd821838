//! The pair set, the quarantine and the sweep filter, each against the plain collection it stands for.
#![cfg(not(loom))]
#![allow(unsafe_code)] // Only to make a zeroed queue, as a zeroed static is.

use proptest::prelude::*;
use std::collections::{HashSet, VecDeque};
use std::mem::MaybeUninit;
use track::fd::*;

proptest! {
    #[test]
    fn pairs_are_a_set(pairs in prop::collection::vec((0..40u32, 0..40u32), 0..900)) {
        let (set, mut model) = (PairSet::new(), HashSet::new());
        for (from, to) in pairs {
            let expected = match (from, to) {
                (0, _) | (_, 0) => Learned::Ignored,
                pair if model.contains(&pair) => Learned::Known,
                _ if model.len() == PAIRS => Learned::Full,
                pair => { model.insert(pair); Learned::New }
            };
            prop_assert_eq!(set.learn(StackId(from), StackId(to)), expected);
        }
        prop_assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
        for from in 0..40 {
            for to in 0..40 {
                prop_assert_eq!(set.knows(StackId(from), StackId(to)), model.contains(&(from, to)));
            }
        }
    }

    #[test]
    fn quarantine_is_a_queue(ops in prop::collection::vec((0..8u32, 0..20u64, 0..8usize, 0..100u64), 0..200)) {
        let (queue, mut model) = (Quarantine::<8>::new(), VecDeque::new());
        let mut now = 0;
        for (op, pause, limit, age) in ops {
            now += pause;
            match op {
                0..=3 => {
                    let fits = model.len() < 8;
                    let entry = Entry { fd: op, generation: now as u32, pushed_at: now };
                    prop_assert_eq!(queue.push(op, now as u32, now), fits);
                    if fits { model.push_back(entry); }
                }
                4..=6 => {
                    let due = model.front().is_some_and(|e: &Entry| model.len() > limit || now - e.pushed_at > age);
                    let expected = if due { model.pop_front() } else { None };
                    prop_assert_eq!(queue.pop_due(now, limit, age), expected);
                }
                _ => prop_assert_eq!(queue.pop_any(), model.pop_front()),
            }
            prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        }
    }

    #[test]
    fn a_run_is_the_longest_tail_of_steps_of_one(closes in prop::collection::vec((0..6i32, 1..3u32), 1..60)) {
        let mut sweep = Sweep::new();
        for end in 1..=closes.len() {
            let (fd, stack) = closes[end - 1];
            let got = sweep.step(fd, StackId(stack));
            let is_run = |run: usize| {
                let tail = &closes[end - run..end];
                let steps: HashSet<i32> = tail.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
                tail.iter().all(|close| close.1 == stack) && steps.len() <= 1 && steps.iter().all(|by| by.abs() == 1)
            };
            let expected = (1..=end).filter(|run| is_run(*run)).max().unwrap();
            prop_assert_eq!(got.run as usize, expected);
        }
    }

    #[test]
    fn held_is_a_ring_that_gives_the_oldest_back(ops in prop::collection::vec(0..10u8, 0..100)) {
        let (mut held, mut model) = (Held::<u8, 8>::new(0), VecDeque::new());
        for op in ops {
            match op {
                0 => { prop_assert_eq!(held.discard(), model.len()); model.clear(); }
                1..=2 => prop_assert_eq!(held.pop(), model.pop_front()),
                item => {
                    let back = if model.len() == 8 { model.pop_front() } else { None };
                    model.push_back(item);
                    prop_assert_eq!(held.push(item), back);
                }
            }
            prop_assert_eq!((held.len(), held.is_empty()), (model.len(), model.is_empty()));
        }
    }

    #[test]
    fn the_limit_leaves_a_quarter(soft: u64, open: u64) {
        let limit = limit_for(soft, open) as u64;
        prop_assert!(limit <= 14336 && limit <= soft.saturating_sub(open) / 4 * 3);
        prop_assert!(soft >= 64 || limit == 0);
    }
}

#[test]
fn the_limit_at_the_sizes_that_occur() {
    assert_eq!(limit_for(63, 0), 0);
    assert_eq!(limit_for(1024, 24), 750);
    assert_eq!(limit_for(1024, 1024), 0);
    assert_eq!(limit_for(1024, 5000), 0);
    assert_eq!(limit_for(1 << 20, 100), 14336);
    assert_eq!(limit_for(u64::MAX, 0), 14336);
}

#[test]
fn what_to_do_with_a_finding_at_a_close() {
    for (run, fd, policy) in [
        (1, 0, Policy::Hold),
        (1, 3, Policy::Hold),
        (1, 4, Policy::Report),
        (1, 397, Policy::Report),
        (2, 397, Policy::Hold),
        (7, 397, Policy::Hold),
        (8, 397, Policy::Silent),
        (900, 3, Policy::Silent),
    ] {
        assert_eq!(Standing { run, again: false }.policy(fd), policy, "run {run} fd {fd}");
    }
}

#[test]
fn a_number_closed_twice_in_a_row_is_no_sweep() {
    let mut sweep = Sweep::new();
    assert_eq!(sweep.step(3, StackId(7)).policy(3), Policy::Hold);
    assert_eq!(sweep.step(3, StackId(8)).policy(3), Policy::Report);
    assert_eq!(Sweep::new().step(0, StackId(7)).policy(0), Policy::Hold, "nothing was closed before this");
}

#[test]
fn the_ends_of_the_range_are_no_neighbours() {
    let mut sweep = Sweep::new();
    assert_eq!(sweep.step(1, StackId(0)).run, 1, "nothing was closed before the first");
    for fd in [i32::MIN, i32::MAX, i32::MIN, -1] {
        assert_eq!(sweep.step(fd, StackId(0)).run, 1);
    }
    assert_eq!(sweep.step(0, StackId(0)).run, 2);
}

#[test]
fn a_zeroed_queue_of_full_size_works_over_several_laps() {
    // SAFETY: a Quarantine is AtomicU64 and nothing else (its size is asserted where it is defined), valid while zero.
    let queue: Box<Quarantine> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
    let fill = (QUARANTINE_CAPACITY as u32) * 3 / 4;
    for lap in 0..4 {
        for fd in 0..fill {
            assert!(queue.push(fd, lap, 0));
        }
        assert_eq!(queue.len(), fill as usize);
        for fd in 0..fill {
            assert_eq!(queue.pop_any(), Some(Entry { fd, generation: lap, pushed_at: 0 }));
        }
    }
    for fd in 0..QUARANTINE_CAPACITY as u32 {
        assert!(queue.push(fd, 0, 0));
    }
    assert!(!queue.push(0, 0, 0), "full");
    assert_eq!(queue.pop_due(0, QUARANTINE_CAPACITY, 0), None, "neither too many nor too old");
    assert!(queue.pop_due(0, QUARANTINE_CAPACITY - 1, 0).is_some());
}
