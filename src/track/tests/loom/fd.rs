//! Descriptors. The kernel is an atomic beside the slot: its value says what stands behind the number.

use super::explore;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire};
use loom::thread;
use track::fd::*;

const EMPTY: u64 = 0;
const LIVE: u64 = 1;
const TOMBSTONE: u64 = 2;

/// A slot, and the kernel's idea of the number.
struct World {
    slot: Slot,
    kernel: AtomicU64,
}

fn actor(tid: u32) -> Actor {
    let (tid, thread, stack) = (Tid(tid), ThreadIndex(tid as u16), StackId(tid * 10));
    Actor { tid, thread, stack, now: u64::from(tid.0), ..Actor::default() }
}

/// An open number that both closers hold, so that every close is ordinary.
fn open_world() -> Arc<World> {
    let slot = Slot::new();
    let _ = slot.opened(&actor(1), Opening::default());
    slot.used(ThreadIndex(2));
    Arc::new(World { slot, kernel: AtomicU64::new(LIVE) })
}

/// Close as a hook does. What happened: (claimed, racing, verdict of the judge, verdict of the outcome).
fn close(world: &World, tid: u32, pairs: &PairSet) -> (bool, bool, Option<Verdict>, Option<Verdict>) {
    let by = actor(tid);
    match world.slot.closing(&by, Owner::NONE, pairs) {
        Closing::Ordinary(claim) => {
            let bad_fd = world.kernel.swap(EMPTY, AcqRel) == EMPTY;
            let outcome = if bad_fd { Outcome::Failed { bad_fd } } else { Outcome::Closed };
            (true, false, None, world.slot.closed(claim, &by, outcome))
        }
        Closing::NotOpen(found) => {
            let view = match world.kernel.load(Acquire) {
                EMPTY => KernelView::NotOpen,
                _ => KernelView::OpenElsewhere,
            };
            let mut verdict = world.slot.judge_not_open(&by, &found, view, pairs);
            if verdict.is_none() && world.kernel.swap(EMPTY, AcqRel) == EMPTY {
                verdict = world.slot.judge_not_open(&by, &found, KernelView::NotOpen, pairs);
            }
            (false, found.racing, verdict, None)
        }
        other => panic!("unexpected {other:?}"),
    }
}

/// No test here learns or asks a pair.
fn no_pairs() -> Arc<PairSet> {
    Arc::new(PairSet::new())
}

#[test]
fn two_closers_make_one_claim_and_the_loser_knows_who_won() {
    explore(3, || {
        let (world, pairs) = (open_world(), no_pairs());
        let other = thread::spawn({
            let (world, pairs) = (world.clone(), pairs.clone());
            move || close(&world, 2, &pairs)
        });
        let mine = close(&world, 1, &pairs);
        let theirs = other.join().unwrap();
        assert_eq!(u32::from(mine.0) + u32::from(theirs.0), 1, "exactly one claim");
        let (winner, loser, lost) = if mine.0 { (1, 2, theirs) } else { (2, 1, mine) };
        let won = if mine.0 { mine } else { theirs };
        // Exactly one of the two real closes found the number closed, and whoever that was accuses the other.
        match (lost.2, won.3) {
            (Some(verdict), None) => {
                assert_eq!(verdict.fault, Fault::DoubleClose);
                assert_eq!(verdict.here, actor(loser).party());
                assert_eq!(verdict.closed, actor(winner).party(), "the winner's name was there before its real close");
            }
            (None, Some(verdict)) => {
                assert_eq!(verdict.here, actor(winner).party());
                assert_eq!(verdict.closed, actor(loser).party());
                assert!(lost.1, "only a racer can be faster");
            }
            both => panic!("one double close, not {both:?}"),
        }
        assert_eq!(world.slot.snapshot().state, State::Closed);
    });
}

/// Two threads begin to close, nobody makes the real call, the claimant reports `outcome`: who was a racer?
fn overlap(outcome: Outcome) {
    explore(3, move || {
        let (world, pairs) = (open_world(), no_pairs());
        let end = move |world: &World, pairs: &PairSet, tid: u32| {
            let by = actor(tid);
            match world.slot.closing(&by, Owner::NONE, pairs) {
                Closing::NotOpen(found) => Err(found),
                Closing::Ordinary(claim) => Ok(world.slot.closed(claim, &by, outcome)),
                other => panic!("unexpected {other:?}"),
            }
        };
        let other = thread::spawn({
            let (world, pairs) = (world.clone(), pairs.clone());
            move || end(&world, &pairs, 2)
        });
        let (found, verdict, by) = match (end(&world, &pairs, 1), other.join().unwrap()) {
            (Ok(verdict), Err(found)) => (found, verdict, 2),
            (Err(found), Ok(verdict)) => (found, verdict, 1),
            both => panic!("one claim, not {both:?}"),
        };
        assert_eq!(found.racing, found.state == State::Closing);
        let expected = if found.racing { actor(by).party() } else { Party::ABSENT };
        assert_eq!(world.slot.snapshot().current.unwrap().racer, expected, "racing: {}", found.racing);
        // The truth about the overlap: the claimant's last step came after the racer's proof, so it must have seen it.
        let accused = verdict.map_or(Party::ABSENT, |verdict| verdict.closed);
        let bad_fd = outcome == Outcome::Failed { bad_fd: true };
        assert_eq!(accused, if bad_fd { expected } else { Party::ABSENT }, "racing: {}", found.racing);
    });
}

#[test]
fn a_racer_is_recorded_exactly_when_it_overlapped() {
    overlap(Outcome::Closed);
}

#[test]
fn a_racer_is_accused_exactly_when_it_overlapped() {
    overlap(Outcome::Failed { bad_fd: true });
}

#[test]
fn a_close_that_completes_late_does_not_close_the_next_life() {
    explore(3, || {
        let (world, pairs) = (open_world(), no_pairs());
        let reopener = thread::spawn({
            let world = world.clone();
            move || {
                // The kernel hands the number out as soon as it is free.
                if world.kernel.compare_exchange(EMPTY, LIVE, AcqRel, Acquire).is_err() {
                    return false;
                }
                let opened = world.slot.opened(&actor(2), Opening::default());
                assert_eq!(opened.generation, 2);
                assert!(matches!(opened.displaced, State::Closing | State::Closed));
                let seen = world.slot.snapshot();
                assert_eq!(seen.previous.unwrap().closer, actor(1).party(), "closer before the real close");
                assert_eq!(seen.previous.unwrap().meta.standing, CloseStanding::Holder);
                true
            }
        });
        let Closing::Ordinary(claim) = world.slot.closing(&actor(1), Owner::NONE, &*pairs) else { panic!("open") };
        world.kernel.store(EMPTY, loom::sync::atomic::Ordering::Release);
        assert_eq!(world.slot.closed(claim, &actor(1), Outcome::Closed), None);
        let reopened = reopener.join().unwrap();
        let seen = world.slot.snapshot();
        if reopened {
            assert_eq!((seen.state, seen.generation), (State::Open, 2));
            assert_eq!(seen.current.unwrap().opener, actor(2).party());
        } else {
            assert_eq!((seen.state, seen.generation), (State::Closed, 1));
        }
    });
}

#[test]
fn an_evictor_never_closes_what_replaced_the_tombstone() {
    explore(3, || {
        let (world, pairs) = (open_world(), no_pairs());
        let Closing::Ordinary(claim) = world.slot.closing(&actor(1), Owner::NONE, &*pairs) else { panic!("open") };
        world.kernel.store(TOMBSTONE, loom::sync::atomic::Ordering::Release);
        let _ = world.slot.closed(claim, &actor(1), Outcome::Tombstoned);
        let evictor = thread::spawn({
            let world = world.clone();
            move || {
                let evicts = world.slot.begin_evict(1);
                if evicts {
                    assert_eq!(world.kernel.swap(EMPTY, AcqRel), TOMBSTONE, "the evictor closed a live descriptor");
                    world.slot.end_evict(1);
                }
                evicts
            }
        });
        let by = actor(2);
        let mut replaced = false;
        for _ in 0..2 {
            match world.slot.begin_replace(&by) {
                Replace::Claimed { was, .. } => {
                    assert!(matches!(was, State::Tombstoned | State::Closed));
                    world.kernel.store(LIVE, loom::sync::atomic::Ordering::Release);
                    let opened = world.slot.opened(&by, Opening::default());
                    assert_eq!(opened.displaced, State::Replacing);
                    replaced = true;
                    break;
                }
                Replace::Busy => thread::yield_now(),
            }
        }
        let evicted = evictor.join().unwrap();
        assert!(replaced || evicted, "busy only because of the evictor");
        let seen = world.slot.snapshot();
        if replaced {
            assert_eq!((seen.state, world.kernel.load(Acquire)), (State::Open, LIVE));
        } else {
            assert_eq!((seen.state, world.kernel.load(Acquire)), (State::Closed, EMPTY));
        }
    });
}

#[test]
fn two_openers_at_once_leave_two_whole_lives() {
    explore(2, || {
        let world = Arc::new(World { slot: Slot::new(), kernel: AtomicU64::new(LIVE) });
        let label = |tid: u32| Opening { label: [u64::from(tid); LABEL_WORDS], ..Opening::default() };
        let other = thread::spawn({
            let world = world.clone();
            move || world.slot.opened(&actor(2), label(2)).generation
        });
        let mine = world.slot.opened(&actor(1), label(1)).generation;
        let theirs = other.join().unwrap();
        assert_eq!((mine.min(theirs), mine.max(theirs)), (1, 2), "each its own generation");
        let seen = world.slot.snapshot();
        assert_eq!((seen.state, seen.generation), (State::Open, 2));
        for (facts, generation) in [(seen.previous, 1), (seen.current, 2)] {
            let facts = facts.unwrap();
            let tid = if mine == generation { 1 } else { 2 };
            assert_eq!(facts.opener, actor(tid).party());
            assert_eq!(facts.label, [u64::from(tid); LABEL_WORDS]);
        }
    });
}

#[test]
fn a_snapshot_is_never_a_mixture_of_two_lives() {
    explore(1, || {
        let world = Arc::new(World { slot: Slot::new(), kernel: AtomicU64::new(LIVE) });
        let open = |slot: &Slot, tid: u32| {
            let what = Opening { label: [u64::from(tid); LABEL_WORDS], ..Opening::default() };
            let _ = slot.opened(&actor(tid), what);
        };
        open(&world.slot, 1);
        let writer = thread::spawn({
            let world = world.clone();
            // The fourth of these reuses the entry of the first life.
            move || (2..6).for_each(|tid| open(&world.slot, tid))
        });
        let seen = world.slot.snapshot();
        if let Some(facts) = seen.current {
            let tid = seen.generation;
            assert_eq!(facts.opener, actor(tid).party());
            assert_eq!((facts.opened_at, facts.label), (u64::from(tid), [u64::from(tid); LABEL_WORDS]));
        }
        writer.join().unwrap();
    });
}

#[test]
fn the_quarantine_loses_and_doubles_nothing() {
    explore(2, || {
        let queue = Arc::new(Quarantine::<2>::new());
        // Not at the beginning of a lap.
        assert!(queue.push(9, 9, 9));
        assert!(queue.pop_any().is_some());
        let pushers: [_; 2] = std::array::from_fn(|i| {
            let queue = queue.clone();
            let fd = i as u32 + 1;
            thread::spawn(move || assert!(queue.push(fd, fd * 10, u64::from(fd) * 100), "there is room"))
        });
        let popper = thread::spawn({
            let queue = queue.clone();
            move || queue.pop_any()
        });
        let mut popped: Vec<Entry> = queue.pop_due(1000, 0, 1000).into_iter().collect();
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        popped.extend(popper.join().unwrap());
        while let Some(entry) = queue.pop_any() {
            popped.push(entry);
        }
        popped.sort_by_key(|entry| entry.fd);
        let entry = |fd: u32| Entry { fd, generation: fd * 10, pushed_at: u64::from(fd) * 100 };
        assert_eq!(popped, [entry(1), entry(2)]);
    });
}

#[test]
fn two_poppers_never_take_the_same() {
    explore(3, || {
        let queue = Arc::new(Quarantine::<2>::new());
        assert!(queue.push(1, 10, 100) && queue.push(2, 20, 200));
        let popper = thread::spawn({
            let queue = queue.clone();
            move || queue.pop_any().unwrap().fd
        });
        let mine = queue.pop_due(1000, 0, 0).map(|entry| entry.fd);
        let theirs = popper.join().unwrap();
        assert_eq!(mine.unwrap() + theirs, 3, "one each");
        assert!(queue.is_empty());
    });
}
