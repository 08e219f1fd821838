//! Keys: the rule table row by row, what must not be said, and random histories against a naive model.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used)] // A test may end so.

use proptest::prelude::*;
use track::actor::{Party, StackId, Tid};
use track::key::*;

fn by(n: u32) -> Party {
    Party { tid: Tid(n), stack: StackId(100 + n) }
}

/// A slot of which the index was created by thread 1, deleted by 2, created by 3, …
fn slot(steps: u32) -> Slot {
    let slot = Slot::new();
    for n in 1..=steps {
        if n % 2 == 1 {
            slot.created(0x1000 * u64::from(n), 0, by(n), Whose::Program);
        } else {
            assert!(slot.deleting(by(n)));
        }
    }
    slot
}

fn use_of(slot: &Slot, call: Call, live: bool, user: User) -> Option<Verdict> {
    judge(call, Some(&slot.facts().unwrap()), || live, || user)
}

const STRANGER: User = User::Stranger { stale: false, overwrites: false };

#[test]
fn k1_an_index_that_nobody_has_created() {
    for call in [Call::Get, Call::Set, Call::Delete] {
        let verdict = use_of(&Slot::new(), call, false, User::Entitled).unwrap();
        assert_eq!((verdict.fault, verdict.severity), (Fault::NeverCreated, Severity::Error));
        assert_eq!((verdict.standing, verdict.refuse), (Standing::Never, Refuse::Protect));
        assert_eq!((verdict.created, verdict.deleted, verdict.victim), Default::default());
    }
}

#[test]
fn k1_an_index_that_was_deleted() {
    let verdict = use_of(&slot(2), Call::Set, false, User::Entitled).unwrap();
    assert_eq!((verdict.fault, verdict.standing, verdict.refuse), (Fault::Deleted, Standing::Deleted, Refuse::Protect));
    assert_eq!((verdict.created, verdict.deleted), (by(1), by(2)));
}

#[test]
fn k1_an_index_out_of_range() {
    let verdict = judge(Call::Get, None, || unreachable!(), || unreachable!()).unwrap();
    assert_eq!((verdict.fault, verdict.standing), (Fault::NeverCreated, Standing::Range));
}

#[test]
fn k0_the_decoy_libc_and_our_own() {
    for (whose, standing, refuse) in [
        (Whose::Decoy, Standing::Decoy, Refuse::Protect),
        (Whose::Libc, Standing::Libc, Refuse::Protect),
        (Whose::Own, Standing::Never, Refuse::Always),
    ] {
        let slot = Slot::new();
        slot.created(0, 0, Party::ABSENT, whose);
        let verdict = judge(Call::Set, slot.facts().as_ref(), || unreachable!(), || unreachable!()).unwrap();
        assert_eq!((verdict.fault, verdict.standing, verdict.refuse), (Fault::NeverCreated, standing, refuse));
    }
}

#[test]
fn k2_a_stranger_is_a_suspect_until_it_does_harm() {
    let overwrites = User::Stranger { stale: false, overwrites: true };
    for (call, user, severity) in [
        (Call::Get, STRANGER, Severity::Suspect),
        (Call::Get, overwrites, Severity::Suspect),
        (Call::Set, STRANGER, Severity::Suspect),
        (Call::Set, overwrites, Severity::Error),
        (Call::Delete, STRANGER, Severity::Error),
    ] {
        let verdict = use_of(&slot(3), call, true, user).unwrap();
        assert_eq!((verdict.fault, verdict.severity, verdict.refuse), (Fault::Foreign, severity, Refuse::Never));
        assert_eq!((verdict.victim, verdict.created, verdict.deleted), (by(3), Party::ABSENT, Party::ABSENT));
    }
}

#[test]
fn k3_a_number_of_the_life_before() {
    for user in [User::Stale, User::Stranger { stale: true, overwrites: false }] {
        let verdict = use_of(&slot(3), Call::Get, true, user).unwrap();
        assert_eq!((verdict.fault, verdict.severity), (Fault::Stale, Severity::Error));
        assert_eq!((verdict.created, verdict.deleted, verdict.victim), (by(1), by(2), by(3)));
    }
}

#[test]
fn k4_what_lay_in_an_unloaded_module() {
    let live = slot(1).facts().unwrap();
    assert_eq!(unloaded(&live, true, false).unwrap().severity, Severity::Info);
    assert_eq!(unloaded(&live, false, true).unwrap().severity, Severity::Error);
    assert_eq!(unloaded(&live, true, true).unwrap().created, by(1));
    assert_eq!(unloaded(&live, false, false), None);
    assert_eq!(unloaded(&slot(2).facts().unwrap(), true, true), None);
    let skipped = skipped(&live);
    assert_eq!((skipped.fault, skipped.standing), (Fault::Unloaded, Standing::Skipped));
}

#[test]
fn k5_few_or_none() {
    assert_eq!(filling(921, KEYS, false), None);
    assert_eq!(filling(922, KEYS, false), Some(Severity::Info));
    assert_eq!(filling(5, KEYS, true), Some(Severity::Error));
}

#[test]
fn k6_what_libc_accepts_is_none_of_our_business() {
    let unseen = Slot::new();
    assert_eq!(use_of(&unseen, Call::Set, true, STRANGER), None);
    assert!(unseen.accepted(Whose::Program) && !unseen.accepted(Whose::Program));
    for call in [Call::Get, Call::Set, Call::Delete] {
        assert_eq!(judge(call, unseen.facts().as_ref(), || unreachable!(), || unreachable!()), None);
    }
    // A number that was deleted, and then created where we could not see.
    assert_eq!(use_of(&slot(2), Call::Set, true, STRANGER), None);
}

#[test]
fn silent_the_owner_whatever_it_does() {
    for call in [Call::Get, Call::Set, Call::Delete] {
        assert_eq!(use_of(&slot(1), call, true, User::Entitled), None);
        assert_eq!(use_of(&slot(3), call, true, User::Entitled), None);
    }
}

#[test]
fn one_of_two_deletes_wins() {
    let slot = slot(1);
    assert!(slot.deleting(by(2)));
    assert!(!slot.deleting(by(3)));
    assert_eq!(slot.facts().unwrap().now.deleted, by(2));
}

#[test]
fn who_deletes_an_unseen_key_deletes_nobodys_we_know() {
    let slot = slot(2);
    assert!(slot.accepted(Whose::Program));
    assert!(slot.deleting(by(9)));
    let facts = slot.facts().unwrap();
    assert_eq!((facts.state, facts.now.created, facts.now.deleted), (State::Deleted, Party::ABSENT, by(9)));
}

#[test]
fn the_words_of_a_recording_say_the_same() {
    for steps in 0..6 {
        let slot = slot(steps);
        assert_eq!(Slot::read(&slot.words()), slot.facts().unwrap());
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Create(u64),
    Delete,
    CreateUnseen,
}

/// What the table must know, kept the long way.
#[derive(Default)]
struct Model {
    lives: Vec<(u64, Party, Option<Party>)>,
    taken: bool,
    unseen: bool,
}

proptest! {
    #[test]
    fn histories(steps in prop::collection::vec(
        prop_oneof![(1u64..9).prop_map(Step::Create), Just(Step::Delete), Just(Step::CreateUnseen)], 1..40)) {
        let (slot, mut model) = (Slot::new(), Model::default());
        for (n, step) in (1u32..).zip(steps) {
            match step {
                // libc gives no index out twice.
                Step::Create(variable) if !model.taken => {
                    slot.created(variable, 0, by(n), Whose::Program);
                    model.lives.push((variable, by(n), None));
                    (model.taken, model.unseen) = (true, false);
                }
                Step::CreateUnseen if !model.taken => {
                    // It is noticed at its first use.
                    prop_assert_eq!(use_of(&slot, Call::Get, true, STRANGER), None);
                    prop_assert!(slot.accepted(Whose::Program));
                    (model.taken, model.unseen) = (true, true);
                }
                Step::Delete => {
                    prop_assert_eq!(slot.deleting(by(n)), model.taken);
                    if model.taken && model.unseen {
                        model.lives.push((0, Party::ABSENT, Some(by(n))));
                    } else if let (true, Some(last)) = (model.taken, model.lives.last_mut()) {
                        last.2 = Some(by(n));
                    }
                    model.taken = false;
                }
                _ => {}
            }
            let facts = slot.facts().unwrap();
            prop_assert_eq!(facts.state.is_taken(), model.taken);
            let said = use_of(&slot, Call::Set, model.taken, User::Entitled);
            prop_assert_eq!(said.is_some(), !model.taken);
            if let (Some(verdict), Some((_, created, deleted))) = (said, model.lives.last()) {
                prop_assert_eq!(verdict.fault, Fault::Deleted);
                prop_assert_eq!((verdict.created, verdict.deleted), (*created, deleted.unwrap_or_default()));
            }
            if facts.state == State::Live {
                prop_assert_eq!(facts.now.variable, model.lives.last().unwrap().0);
                let stale = use_of(&slot, Call::Get, true, User::Stale).unwrap();
                prop_assert_eq!(stale.victim, facts.now.created);
            }
        }
    }
}
