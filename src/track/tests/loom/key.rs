//! Keys. libc's table is an atomic beside the slot: it gives an index out, and takes it back, with its own lock's order.

use super::explore;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use loom::thread;
use track::actor::{Party, StackId, Tid};
use track::key::{Facts, Life, Slot, State, Whose};

const FREE: u64 = 0;
const TAKEN: u64 = 1;

struct World {
    slot: Slot,
    libc: AtomicU64,
}

fn party(number: u64) -> Party {
    Party { tid: Tid(number as u32), stack: StackId(number as u32 * 10) }
}

/// A life of which every word says which one it is.
fn life(number: u64, deleted: bool) -> Life {
    let deleted = if deleted { party(number + 100) } else { Party::ABSENT };
    Life { variable: number * 1000, created: party(number), deleted }
}

fn create(world: &World, number: u64) {
    world.slot.created(number * 1000, number * 2000, party(number), Whose::Program);
}

/// As the hook of pthread_key_delete: recorded first, then given back.
fn delete(world: &World, number: u64) -> bool {
    let ended = world.slot.deleting(party(number + 100));
    if ended {
        world.libc.store(FREE, Release);
    }
    ended
}

/// As the hook of pthread_key_create: given out, then recorded. False: the index was not to be had.
fn create_again(world: &World, number: u64) -> bool {
    let given = world.libc.compare_exchange(FREE, TAKEN, AcqRel, Acquire).is_ok();
    if given {
        create(world, number);
    }
    given
}

/// An index in its first life.
fn live() -> Arc<World> {
    let world = World { slot: Slot::new(), libc: AtomicU64::new(TAKEN) };
    create(&world, 1);
    Arc::new(world)
}

/// All words are of one moment.
fn whole(facts: &Facts) {
    let number = u64::from(facts.generation);
    assert!(matches!(facts.state, State::Live | State::Deleted), "{facts:?}");
    assert_eq!(facts.now, life(number, facts.state == State::Deleted), "{facts:?}");
    assert_eq!(facts.destructor, number * 2000, "{facts:?}");
    let before = if number == 1 { Life::default() } else { life(number - 1, true) };
    assert_eq!(facts.before, before, "{facts:?}");
}

#[test]
fn a_use_during_a_delete_sees_the_life_before_it_or_after() {
    explore(3, || {
        let world = live();
        let user = thread::spawn({
            let world = world.clone();
            move || world.slot.facts().inspect(whole)
        });
        assert!(delete(&world, 1));
        let seen = user.join().unwrap();
        assert!(seen.is_none_or(|facts| facts.generation == 1));
        assert_eq!(world.slot.facts().unwrap().state, State::Deleted);
    });
}

#[test]
fn a_use_during_a_creation_sees_one_life() {
    explore(2, || {
        let world = live();
        assert!(delete(&world, 1));
        let user = thread::spawn({
            let world = world.clone();
            move || world.slot.facts().inspect(whole)
        });
        assert!(create_again(&world, 2));
        user.join().unwrap();
        let facts = world.slot.facts().unwrap();
        whole(&facts);
        assert_eq!((facts.state, facts.generation), (State::Live, 2));
    });
}

#[test]
fn delete_creation_and_use_at_once() {
    explore(1, || {
        let world = live();
        let creator = thread::spawn({
            let world = world.clone();
            move || create_again(&world, 2)
        });
        let user = thread::spawn({
            let world = world.clone();
            move || world.slot.facts().inspect(whole)
        });
        assert!(delete(&world, 1));
        let created = creator.join().unwrap();
        user.join().unwrap();
        let facts = world.slot.facts().unwrap();
        whole(&facts);
        let expected = if created { (State::Live, 2) } else { (State::Deleted, 1) };
        assert_eq!((facts.state, facts.generation), expected);
    });
}

#[test]
fn one_of_two_deleters_ends_the_life() {
    explore(3, || {
        let world = live();
        let other = thread::spawn({
            let world = world.clone();
            move || world.slot.deleting(party(202))
        });
        let mine = world.slot.deleting(party(201));
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "exactly one");
        let facts = world.slot.facts().unwrap();
        assert_eq!(facts.now.deleted, party(if mine { 201 } else { 202 }));
    });
}

/// Between the record of a deletion and the deletion, libc takes the index for a live one. Whoever believes it does not end the
/// next life.
#[test]
fn to_believe_libc_never_ends_a_life() {
    explore(2, || {
        let world = live();
        let user = thread::spawn({
            let world = world.clone();
            move || world.libc.load(Relaxed) == TAKEN && world.slot.accepted(Whose::Program)
        });
        assert!(delete(&world, 1));
        let created = create_again(&world, 2);
        assert!(created);
        let accepted = user.join().unwrap();
        let facts = world.slot.facts().unwrap();
        assert_eq!((facts.state, facts.now), (State::Live, life(2, false)), "accepted: {accepted}");
    });
}
