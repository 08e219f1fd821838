//! What must stay silent: each is the clean twin of a row of the rule table, or a line of the "must stay silent" list.
#![cfg(not(loom))]

mod number;

use number::{Number, file, t, tcp};
use track::fd::*;

#[test]
fn accept_in_one_thread_and_close_in_another() {
    let number = Number::default();
    for _ in 0..10 {
        number.open(t(1));
        number.uses(t(2));
        assert_eq!(number.close(t(2)), CloseStanding::Holder);
    }
}

#[test]
fn a_reaper_thread_that_only_closes() {
    let number = Number::default();
    for _ in 0..10 {
        number.open(t(1));
        number.uses(t(2));
        assert_eq!(number.close(t(9)), CloseStanding::HandOff);
    }
}

#[test]
fn a_reaper_with_two_places_to_close_at_is_pending_and_never_more() {
    let number = Number::default();
    for round in 0..10 {
        number.open(t(1));
        let standing = number.close(t(9).at(91 + round % 2));
        assert_eq!(standing, if round == 0 { CloseStanding::HandOff } else { CloseStanding::Pending });
    }
    assert!(number.pairs.len() == 1 && number.pairs.hands_off(StackId(91)), "no pair is proved");
}

#[test]
fn two_threads_that_close_what_the_other_sends() {
    let number = Number::default();
    number.open(t(9));
    assert_eq!(number.close(t(2).at(21)), CloseStanding::HandOff, "the first shows that it is done there");
    number.open(t(1));
    number.close(t(1).at(11));
    for round in 0..10 {
        number.open(t(2));
        assert!(matches!(number.close(t(1).at(12 + round)), CloseStanding::Pending | CloseStanding::Victim));
        number.open(t(3));
        assert_eq!(number.close(t(2).at(21)), CloseStanding::Victim);
    }
    assert_eq!(number.pairs.len(), 1);
}

#[test]
fn an_opener_that_comes_back_after_its_descriptor_was_handed_off() {
    let number = Number::default();
    number.open(t(1));
    number.close(t(9));
    number.open(t(1));
    assert_eq!(number.close(t(1)), CloseStanding::Holder);
}

#[test]
fn a_sweep_over_open_and_closed_numbers_is_dropped() {
    let (mut sweep, mut held) = (Sweep::new(), Held::<Verdict, 8>::new(Verdict::default()));
    let (mut reported, mut dropped) = (0, 0);
    for fd in 3..64 {
        let number = Number::default();
        number.open(t(1));
        number.close(t(1).at(11));
        let verdict = number.judge(t(1).at(12), KernelView::NotOpen).unwrap();
        match sweep.step(fd, StackId(12)).policy(fd) {
            Policy::Report => reported += 1,
            Policy::Hold => assert_eq!(held.push(verdict), None),
            Policy::Silent => dropped += 1 + held.discard(),
        }
    }
    assert_eq!((reported, dropped, held.len()), (0, 61, 0));
}

#[test]
fn a_forked_child_may_close_what_its_parent_opened() {
    let number = Number::default();
    number.open_as(t(1), Opening { owner: file(0xf00), ..tcp() });
    assert_eq!(number.close(t(2).forked(1)), CloseStanding::Holder);
}

#[test]
fn a_forked_child_knows_nothing_of_what_its_parent_closed() {
    for tombstoned in [false, true] {
        let number = Number::default();
        number.open(t(1));
        let Closing::Ordinary(claim) = number.closing(t(1)) else { panic!("open") };
        let outcome = if tombstoned { Outcome::Tombstoned } else { Outcome::Closed };
        assert_eq!(number.closed(claim, t(1), outcome), None);
        assert_eq!(number.closing(t(1).forked(1)), Closing::Unseen);
        assert!(!number.slot.begin_evict(1), "the child closed the tombstone itself");
    }
}

#[test]
fn a_forked_child_does_not_wait_for_threads_it_does_not_have() {
    let number = Number::default();
    number.open(t(1));
    let _lost = number.closing(t(1));
    assert!(matches!(number.slot.begin_replace(&t(2).forked(1).actor), Replace::Claimed { was: State::Unknown, .. }));
    let number = Number::default();
    number.open(t(1));
    let _lost = number.closing(t(1));
    assert_eq!(number.closing(t(2).forked(1)), Closing::Unseen);
}

#[test]
fn evidence_of_another_process_confirms_nothing() {
    let number = Number::stale_in_the_hand_of(t(2));
    number.close(t(2).at(12)); // pending
    number.open(t(5).forked(1));
    assert!(matches!(number.closing(t(3).forked(1)), Closing::HandOff(_)));
}

#[test]
fn dup2_onto_an_open_number_owned_or_not() {
    for owner in [Owner::NONE, file(0xf00)] {
        let number = Number::default();
        number.open_as(t(1), Opening { owner, ..tcp() });
        let replace = number.slot.begin_replace(&t(2).actor);
        assert_eq!(replace, Replace::Claimed { was: State::Open, verdict: None, generation: 1 });
        let opened = number.slot.opened(&t(2).actor, tcp());
        assert_eq!(opened.displaced, State::Replacing, "not an invisible close");
        assert_eq!(number.close(t(2)), CloseStanding::Holder);
    }
}

#[test]
fn a_descriptor_opened_where_nobody_could_see() {
    let number = Number::default();
    assert_eq!(number.closing(t(1)), Closing::Unseen);
    number.open(t(1));
    number.close(t(1));
    assert_eq!(number.judge(t(2), KernelView::OpenElsewhere), None);
    assert_eq!(number.state(), State::Closed, "the slot keeps its state");
}

#[test]
fn an_imported_descriptor_may_be_closed_by_anybody() {
    let number = Number::default();
    number.open_as(t(1), Opening { imported: true, ..tcp() });
    assert_eq!(number.close(t(2)), CloseStanding::Holder);
}

#[test]
fn a_close_that_fails_otherwise_has_closed() {
    let number = Number::default();
    number.open(t(1));
    let Closing::Ordinary(claim) = number.closing(t(1)) else { panic!("open") };
    assert_eq!(number.closed(claim, t(1), Outcome::Failed { bad_fd: false }), None);
    assert_eq!(number.state(), State::Closed);
}

#[test]
fn a_close_that_found_nothing_accuses_nobody_later() {
    let number = Number::default();
    number.open(t(1));
    let Closing::Ordinary(claim) = number.closing(t(1)) else { panic!("open") };
    assert_eq!(number.closed(claim, t(1), Outcome::Failed { bad_fd: true }), None, "FUSE, or closed out of sight");
    let verdict = number.judge(t(1), KernelView::NotOpen).unwrap();
    assert!(verdict.closed.is_absent());
    assert!(number.pairs.is_empty());
}

#[test]
fn a_refused_close_leaves_no_trace() {
    let number = Number::stale_in_the_hand_of(t(2));
    let Closing::Pending(claim) = number.closing(t(2).at(12)) else { panic!("pending") };
    assert_eq!(number.closed(claim, t(2), Outcome::Refused), None);
    let facts = number.slot.snapshot().current.unwrap();
    assert_eq!((facts.closer, facts.closed_at, facts.meta.standing), (Party::ABSENT, 0, CloseStanding::None));
    assert_eq!(number.close(t(3)), CloseStanding::Holder);
}

#[test]
fn a_cancelled_close_is_claimed_again() {
    let number = Number::default();
    number.open(t(1));
    let _lost = number.closing(t(1).at(11));
    let Closing::Ordinary(claim) = number.closing(t(1).at(12)) else { panic!("ours") };
    assert_eq!(number.closed(claim, t(1).at(12), Outcome::Closed), None);
    assert_eq!(number.slot.snapshot().current.unwrap().closer, t(1).at(12).party());
}

#[test]
fn a_use_that_fails_while_the_number_changes_hands() {
    let number = Number::default();
    number.open(t(1));
    let replace = number.slot.begin_replace(&t(2).actor);
    assert_eq!(number.failed_use(t(1)), None);
    number.slot.end_replace(replace);
    assert_eq!(number.failed_use(t(1)), None);
}
