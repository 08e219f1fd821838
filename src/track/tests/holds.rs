//! The list of what a thread holds, against a plain list: whatever is taken and let go, by itself and by others.
#![cfg(not(loom))]

use proptest::prelude::*;
use track::lock::{HoldFacts, Holder, Kind, MOST_HOLDS, Mode, What};

const BASE: usize = 0x1000;
const STACK: u32 = 77;

fn what() -> What {
    What::new(Kind::Mutex, Mode::Exclusive, 0, 0)
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    /// With a stack, as routines of pthread_once are held, which [`Holder::pop`] does not let go.
    Once(usize),
    Release(usize),
    /// By another thread.
    TakeAway(usize),
    Range(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lock = || (1..24usize).prop_map(|n| BASE + n * 64);
    let step = prop_oneof![
        4 => lock().prop_map(Step::Take),
        1 => lock().prop_map(Step::Once),
        4 => lock().prop_map(Step::Release),
        1 => lock().prop_map(Step::TakeAway),
        1 => (lock(), 0..400usize).prop_map(|(from, len)| Step::Range(from, len)),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn as_a_plain_list(steps in steps()) {
        let (holder, mut model) = (Holder::new(), Vec::<usize>::new());
        let mut once = std::collections::HashSet::new();
        for step in steps {
            match step {
                // A lock that is held already is not taken: that is the rules' affair.
                Step::Take(lock) if !model.contains(&lock) => {
                    // Places that others have emptied are not given back before there is need.
                    let facts = HoldFacts { lock, place: 1, what: what(), ..HoldFacts::default() };
                    let taken = holder.push(lock, 1, what()) || holder.make_room() && holder.push_again(&facts);
                    prop_assert!(taken);
                    model.push(lock);
                }
                Step::Once(lock) if !model.contains(&lock) => {
                    let facts = HoldFacts { lock, place: 1, what: what(), stack: STACK, ..HoldFacts::default() };
                    prop_assert!(holder.push_with(&facts) || holder.make_room() && holder.push_again(&facts));
                    model.push(lock);
                    once.insert(lock);
                }
                Step::Take(_) | Step::Once(_) => {}
                Step::Release(lock) => {
                    let held = !once.remove(&lock) && holder.pop(lock) || holder.find(lock).map(|at| holder.remove(at)).is_some();
                    prop_assert_eq!(held, model.contains(&lock));
                    model.retain(|l| *l != lock);
                }
                Step::TakeAway(lock) => {
                    once.remove(&lock);
                    prop_assert_eq!(holder.take_away(lock), model.contains(&lock));
                    model.retain(|l| *l != lock);
                }
                Step::Range(from, len) => {
                    let range = from..from + len;
                    let mut found = Vec::new();
                    let mut at = 0;
                    while let Some(next) = holder.inside(&range, at) {
                        found.extend(holder.facts(next).map(|held| held.lock));
                        at = next + 1;
                    }
                    let expected: Vec<usize> = model.iter().copied().filter(|lock| range.contains(lock)).collect();
                    prop_assert_eq!(found, expected);
                }
            }
            let all: Vec<usize> = holder.all().map(|held| held.lock).collect();
            prop_assert_eq!(&all, &model);
            for held in holder.all() {
                prop_assert_eq!(held.stack, if once.contains(&held.lock) { STACK } else { 0 }, "another's stack");
            }
            prop_assert!(!holder.is_beyond());
        }
    }
}

#[test]
fn a_full_list_makes_room_of_what_was_told() {
    let holder = Holder::new();
    for lock in 1..=MOST_HOLDS {
        assert!(holder.push(lock * 64, 1, what()));
    }
    assert!(!holder.push(0x10000, 1, what()));
    assert!(!holder.make_room());
    holder.hold(5).mark(What::TOLD);
    assert!(holder.make_room());
    assert!(holder.push_again(&HoldFacts { lock: 0x10000, place: 1, what: what(), ..HoldFacts::default() }));
    assert!(!holder.is_beyond());
    assert_eq!((holder.find(6 * 64), holder.find(0x10000)), (None, Some(MOST_HOLDS - 1)));
}

#[test]
fn only_its_own_process_and_what_was_not_told_counts() {
    let held = What::new(Kind::Mutex, Mode::Exclusive, 0, 3);
    assert!(held.counts(3));
    assert!(!held.counts(4));
    assert!(!What(held.0 | What::TOLD).counts(3));
}
