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

    /// Whatever is closed from where: a finding is dropped only in a run that the old, plain rule knows, or before one, as a
    /// close of the same stack on the way to it; each other is reported, once.
    #[test]
    fn only_what_leads_to_a_run_is_dropped(
        closes in prop::collection::vec((prop_oneof![6 => Just(1), 2 => 2..4i32, 1 => -20..20i32], prop_oneof![12 => Just(1u32), 1 => 2..4u32]), 1..200),
    ) {
        let (mut sweep, mut held) = (Sweep::new(), Held::<usize, 512>::new(0));
        let (mut told, mut dropped) = (HashSet::new(), HashSet::new());
        let (mut fd, mut all) = (0, Vec::new());
        for (at, (by, stack)) in closes.into_iter().enumerate() {
            fd = if (0..400).contains(&(fd + by)) { fd + by } else { 0 };
            // A close from elsewhere is of any number.
            let number = if stack == 1 { fd } else { (fd * 7) % 40 };
            all.push((number, stack));
            let standing = sweep.step(number, StackId(stack));
            loop {
                let due = match standing.due {
                    Due::None => None,
                    Due::All => held.pop(),
                    Due::BeforeMark => held.pop_before_mark(),
                    Due::SinceMark => held.pop_since_mark(),
                };
                let Some(due) = due else { break };
                prop_assert!(told.insert(due));
            }
            if standing.aside { held.mark(); }
            match standing.policy(number) {
                Policy::Report => prop_assert!(told.insert(at)),
                Policy::Hold => prop_assert_eq!(held.push(at), None),
                Policy::Silent => {
                    let tail = &all[at + 1 - SWEEP as usize..=at];
                    prop_assert!(tail.windows(2).all(|two| two[0].1 == stack && two[1].1 == stack && (two[1].0 - two[0].0).abs() == 1));
                    dropped.insert(at);
                    while let Some(one) = held.pop() {
                        prop_assert_eq!(all[one].1, stack, "an aside was dropped");
                        dropped.insert(one);
                    }
                }
            }
        }
        while let Some(one) = held.pop() { prop_assert!(told.insert(one)); }
        prop_assert!(told.is_disjoint(&dropped));
        prop_assert_eq!(told.len() + dropped.len(), all.len());
    }

    #[test]
    fn held_is_a_ring_that_gives_the_oldest_back(ops in prop::collection::vec(0..14u8, 0..100)) {
        let (mut held, mut model) = (Held::<u8, 8>::new(0), VecDeque::new());
        let mut since = 0;
        for op in ops {
            match op {
                0 => { prop_assert_eq!(held.discard(), model.len()); model.clear(); since = 0; }
                1 => prop_assert_eq!(held.pop(), model.pop_front()),
                2 => { held.mark(); since = 0; }
                3 => {
                    let due = if since < model.len() { model.pop_front() } else { None };
                    prop_assert_eq!(held.pop_before_mark(), due);
                }
                4 => {
                    let due = if since > 0 { model.pop_back() } else { None };
                    since -= usize::from(due.is_some());
                    prop_assert_eq!(held.pop_since_mark(), due);
                }
                item => {
                    let back = if model.len() == 8 { model.pop_front() } else { None };
                    model.push_back(item);
                    since += 1;
                    prop_assert_eq!(held.push(item), back);
                }
            }
            since = since.min(model.len());
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
        assert_eq!(Standing { run, ..Standing::default() }.policy(fd), policy, "run {run} fd {fd}");
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
fn behind_a_gap_a_loop_waits_and_a_list_does_not() {
    let policies = |closes: &[(i32, u32)]| {
        let mut sweep = Sweep::new();
        closes.iter().map(|(fd, stack)| sweep.step(*fd, StackId(*stack)).policy(*fd)).collect::<Vec<_>>()
    };
    use Policy::{Hold, Report, Silent};
    // Varnish: numbers that it keeps, and a close from elsewhere at those that were open.
    let child = [(9, 3), (4, 1), (4, 2), (5, 1), (4, 2), (6, 1), (4, 2), (8, 1), (4, 2), (11, 1), (12, 1)];
    assert_eq!(policies(&child)[7..], [Hold, Report, Hold, Hold]);
    let tail: Vec<_> = child.into_iter().chain((13..20).map(|fd| (fd, 1))).collect();
    assert_eq!(policies(&tail).last(), Some(&Silent));
    // Few, far apart, of two minds, or with more than one between.
    assert_eq!(policies(&[(5, 1), (7, 1), (9, 1)]), [Report; 3]);
    // One that begins higher is no loop over all numbers.
    let rising = |first: i32| policies(&(0..8).map(|i| (first + 2 * i, 1)).collect::<Vec<_>>());
    assert_eq!(rising(5).iter().filter(|p| **p == Report).count(), 3);
    assert_eq!(rising(9), [Report; 8]);
    assert_eq!(policies(&[(5, 1), (6, 1), (7, 1), (8, 1), (9 + GAP as i32, 1)])[4], Hold);
    assert_eq!(policies(&[(5, 1), (6, 1), (7, 1), (8, 1), (10 + GAP as i32, 1)])[4], Report);
    assert_eq!(policies(&[(5, 1), (6, 1), (7, 1), (8, 1), (6, 1)])[4], Report);
    assert_eq!(policies(&[(5, 1), (6, 1), (7, 1), (8, 1), (30, 2), (40, 2), (10, 1)])[4..], [Report; 3]);
    // What the body of the loop has closed already, and the loop once more.
    assert_eq!(policies(&[(5, 1), (6, 1), (7, 1), (8, 1), (9, 2), (9, 1)])[5], Report);
    // A gap in the middle of a sweep: what follows waits for the next run.
    assert_eq!(policies(&(3..20).chain(21..30).map(|fd| (fd, 1)).collect::<Vec<_>>())[16..19], [Silent, Hold, Hold]);
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
