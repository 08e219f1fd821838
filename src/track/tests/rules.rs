//! The rule table, row by row: what must be said, of whom, and how surely.
#![cfg(not(loom))]

mod number;

use number::{Number, error, file, t, tcp};
use track::fd::*;

fn suspicious(closing: Closing) -> (Claim, Verdict) {
    match closing {
        Closing::Suspicious(claim, verdict) => (claim, verdict),
        other => panic!("expected a finding, got {other:?}"),
    }
}

#[test]
fn c1_a_second_close_is_a_double_close_and_teaches_the_pair() {
    let number = Number::default();
    number.open(t(1));
    number.close(t(1).at(11));
    let verdict = number.judge(t(1).at(12), KernelView::NotOpen).unwrap();
    let expected = error(Fault::DoubleClose, 1, t(1).at(12).party());
    assert_eq!(verdict, Verdict { closed: t(1).at(11).party(), opened: t(1).party(), ..expected });
    assert!(number.pairs.knows(StackId(11), StackId(12)));
    assert!(!number.pairs.knows(StackId(12), StackId(11)));
}

#[test]
fn c1_by_another_thread_accuses_both_and_teaches_nothing() {
    let number = Number::default();
    number.open(t(1));
    number.close(t(1).at(11));
    let verdict = number.judge(t(2).at(12), KernelView::NotOpen).unwrap();
    assert_eq!((verdict.here, verdict.closed), (t(2).at(12).party(), t(1).at(11).party()));
    assert!(number.pairs.is_empty());
}

#[test]
fn c1_on_a_tombstone_and_while_it_is_evicted() {
    let number = Number::default();
    number.open(t(1));
    let Closing::Ordinary(claim) = number.closing(t(1)) else { panic!("open") };
    assert_eq!(number.closed(claim, t(1), Outcome::Tombstoned), None);
    assert_eq!(number.judge(t(2), KernelView::NotOpen).unwrap().fault, Fault::DoubleClose);
    assert!(number.slot.begin_evict(1));
    assert_eq!(number.judge(t(2), KernelView::NotOpen).unwrap().fault, Fault::DoubleClose);
    number.slot.end_evict(1);
    assert_eq!(number.state(), State::Closed);
}

#[test]
fn c1_of_an_inherited_descriptor_is_for_the_record_only() {
    let number = Number::default();
    number.open(t(1));
    number.close(t(1).at(11).forked(1));
    let verdict = number.judge(t(1).at(12).forked(1), KernelView::NotOpen).unwrap();
    assert_eq!((verdict.fault, verdict.severity, verdict.refuse), (Fault::DoubleClose, Severity::Info, false));
    assert!(number.pairs.is_empty(), "nothing is proved by it");
}

#[test]
fn c2_a_plain_close_of_what_a_file_owns() {
    let number = Number::default();
    number.open(t(1));
    assert_eq!(number.slot.set_owner(&t(1).actor, file(0xf00)), None);
    let (claim, verdict) = suspicious(number.closing(t(1).at(12)));
    let expected = error(Fault::Owner, 1, t(1).at(12).party());
    assert_eq!(verdict, Verdict { opened: t(1).party(), owner: file(0xf00), ..expected });
    assert_eq!(number.closed(claim, t(1), Outcome::Refused), None);
    assert!(matches!(number.closing_as(t(1), file(0xf00)), Closing::Ordinary(_)), "its own fclose is right");
}

#[test]
fn c2_an_fclose_whose_file_belongs_to_an_older_generation() {
    let number = Number::default();
    number.open_as(t(1), Opening { owner: file(0xf00), ..tcp() });
    let Closing::Ordinary(claim) = number.closing_as(t(1), file(0xf00)) else { panic!("its own") };
    assert_eq!(number.closed(claim, t(1), Outcome::Closed), None);
    number.open(t(2));
    let (_, verdict) = suspicious(number.closing_as(t(1).at(12), file(0xf00)));
    assert_eq!((verdict.fault, verdict.generation, verdict.opened), (Fault::Owner, 2, t(2).party()));
    assert_eq!(verdict.owner, file(0xf00), "the object that acted, when the number has no owner");
}

#[test]
fn c2_a_second_fdopen() {
    let number = Number::default();
    number.open(t(1));
    assert_eq!(number.slot.set_owner(&t(1).actor, file(0xf00)), None);
    assert_eq!(number.slot.set_owner(&t(1).actor, file(0xf00)), None, "the same again");
    let verdict = number.slot.set_owner(&t(2).actor, file(0xba5)).unwrap();
    let expected = Verdict { refuse: false, ..error(Fault::Owner, 1, t(2).party()) };
    assert_eq!(verdict, Verdict { opened: t(1).party(), owner: file(0xf00), ..expected });
    assert_eq!(number.slot.set_owner(&t(1).actor, Owner::NONE), None, "letting go is never a finding");
    assert_eq!(number.close(t(1)), CloseStanding::Holder);
}

#[test]
fn c2_needs_proof_of_the_owner() {
    // Inherited: whose FILE it is was settled in another process.
    let number = Number::default();
    number.open_as(t(1), Opening { owner: file(0xf00), ..tcp() });
    assert!(matches!(number.closing(t(1).forked(1)), Closing::Ordinary(_)));
    // Imported: fclose(stdin), whose FILE libc made before anybody looked.
    let number = Number::default();
    number.open_as(t(1), Opening { imported: true, ..tcp() });
    assert!(matches!(number.closing_as(t(2), file(0xf00)), Closing::Ordinary(_)));
    // Imported, but the fdopen was seen.
    let number = Number::default();
    number.open_as(t(1), Opening { imported: true, ..tcp() });
    assert_eq!(number.slot.set_owner(&t(1).actor, file(0xf00)), None);
    assert_eq!(suspicious(number.closing(t(2))).1.fault, Fault::Owner);
}

#[test]
fn c3_closing_what_libc_opened() {
    for kernel in [KernelView::LibcNetlink, KernelView::OpenDuringResolver] {
        let number = Number::default();
        number.open(t(1));
        number.close(t(1).at(11));
        let verdict = number.judge(t(1).at(12), kernel).unwrap();
        let expected = error(Fault::ClosedLibc, 1, t(1).at(12).party());
        assert_eq!(verdict, Verdict { closed: t(1).at(11).party(), opened: t(1).party(), ..expected });
        assert!(number.pairs.is_empty());
    }
}

#[test]
fn c3_while_the_first_closer_is_inside_needs_a_socket_that_cannot_be_ours() {
    for (kind, kernel, found) in [
        (FdKind::Tcp, KernelView::LibcNetlink, true),
        (FdKind::Netlink, KernelView::LibcNetlink, false),
        (FdKind::Tcp, KernelView::OpenDuringResolver, false),
        (FdKind::Tcp, KernelView::OpenElsewhere, false),
    ] {
        let number = Number::default();
        number.open_as(t(1), Opening { kind, ..tcp() });
        let _claim = number.closing(t(1));
        assert_eq!(number.judge(t(2), kernel).is_some(), found, "{kind:?} {kernel:?}");
    }
}

/// Thread 2 closed twice at these two places, has closed its next life at the first, and now the number is thread 3's.
fn with_a_learned_pair() -> Number {
    let number = Number::default();
    number.open(t(2));
    number.close(t(2).at(11));
    assert!(number.judge(t(2).at(12), KernelView::NotOpen).is_some());
    number.open(t(2));
    number.close(t(2).at(11));
    number.open(t(3));
    number
}

#[test]
fn c4_a_learned_pair_on_the_next_life_is_a_stale_close() {
    let number = with_a_learned_pair();
    let (claim, verdict) = suspicious(number.closing(t(2).at(12)));
    let expected = error(Fault::StaleClose, 3, t(2).at(12).party());
    assert_eq!(verdict, Verdict { closed: t(2).at(11).party(), opened: t(3).party(), ..expected });
    assert_eq!(number.closed(claim, t(2), Outcome::Refused), None);
    assert_eq!(number.close(t(3)), CloseStanding::Holder, "protected: its owner closes it in peace");
}

/// Preempted between its two closes for so long that the number has had more lives than it remembers.
fn late_by_many_lives(closed_before: u32) -> Closing {
    let number = with_a_learned_pair();
    for _ in 0..RING {
        number.close(t(3));
        number.open(t(3));
    }
    let mut late = t(2).at(12);
    late.actor.closed_before = StackId(closed_before);
    number.closing(late)
}

#[test]
fn c4_needs_no_life_that_the_number_has_forgotten() {
    let (_, verdict) = suspicious(late_by_many_lives(11));
    assert_eq!((verdict.fault, verdict.refuse), (Fault::StaleClose, true));
    assert_eq!((verdict.here, verdict.closed), (t(2).at(12).party(), t(2).at(11).party()));
    assert_eq!(verdict.opened, t(3).party());
    for nothing in [0, 12, 13] {
        assert!(matches!(late_by_many_lives(nothing), Closing::HandOff(_)), "closed before at {nothing}");
    }
}

#[test]
fn what_was_said_of_a_number_that_lives_again_is_old() {
    let number = Number::default();
    number.open(t(2));
    number.close(t(2));
    let Closing::NotOpen(standing) = number.closing(t(2)) else { panic!("it is closed") };
    assert!(!number.slot.has_moved_on(&standing));
    number.open(t(3));
    assert!(number.slot.has_moved_on(&standing));
}

#[test]
fn the_latest_close_of_a_thread_is_one_number_for_a_while() {
    let at = |stack, now| Actor { now, ..t(2).at(stack).actor };
    let mut latest = LatestClose::new();
    assert_eq!(latest.closing(0, &at(11, 1)), StackId(0), "none yet, also of number 0");
    assert_eq!(latest.closing(5, &at(11, 2)), StackId(0));
    assert_eq!(latest.closing(5, &at(12, 3)), StackId(11));
    assert_eq!(latest.closing(6, &at(11, 4)), StackId(0));
    assert_eq!(latest.closing(5, &at(12, 5)), StackId(0), "another was closed between");
    latest.opened(6);
    assert_eq!(latest.closing(5, &at(12, 6)), StackId(12));
    latest.opened(5);
    assert_eq!(latest.closing(5, &at(12, 7)), StackId(0), "it was opened between");
    assert_eq!(latest.closing(5, &at(12, 2_000_000_007)), StackId(0), "it was long ago");
}

#[test]
fn p_is_silent_and_a_victim_that_closes_proves_it() {
    let number = Number::stale_in_the_hand_of(t(2));
    assert_eq!(number.close(t(2).at(12)), CloseStanding::Pending);
    let verdict = number.judge(t(3).at(31), KernelView::NotOpen).unwrap();
    let expected = error(Fault::StaleClose, 2, t(2).at(12).party());
    let parties =
        Verdict { closed: t(2).at(11).party(), opened: t(3).party(), victim: t(3).at(31).party(), ..expected };
    assert_eq!(verdict, parties);
}

#[test]
fn p_is_proved_by_a_victim_that_gets_ebadf() {
    let number = Number::stale_in_the_hand_of(t(2));
    number.uses(t(4));
    number.close(t(2).at(12));
    let verdict = number.failed_use(t(4).at(41)).unwrap();
    assert_eq!((verdict.fault, verdict.severity, verdict.refuse), (Fault::StaleClose, Severity::Error, false));
    assert_eq!((verdict.here, verdict.victim), (t(2).at(12).party(), t(4).at(41).party()));
    assert_eq!((verdict.closed, verdict.opened), (t(2).at(11).party(), t(3).party()));
}

#[test]
fn p_is_proved_by_a_victim_that_closes_the_next_life() {
    let number = Number::stale_in_the_hand_of(t(2));
    number.close(t(2).at(12));
    number.open(t(5));
    let (_, verdict) = suspicious(number.closing(t(3).at(31)));
    let expected = error(Fault::StaleClose, 2, t(2).at(12).party());
    let parties =
        Verdict { closed: t(2).at(11).party(), opened: t(3).party(), victim: t(3).at(31).party(), ..expected };
    assert_eq!(verdict, parties, "the third thread is the victim, not the offender");
}

#[test]
fn where_descriptors_are_handed_off_p_is_proved_by_whom_the_victim_then_hits() {
    for (closes, place) in [(false, 31), (true, 31), (false, 12), (true, 12)] {
        let number = Number::stale_in_the_hand_of(t(2));
        number.pairs.learn_hand_off(StackId(place));
        number.close(t(2).at(12));
        number.open(t(5));
        assert_eq!(number.close(t(3).at(31)), CloseStanding::Victim, "alone it could be a hand-off");
        let verdict = if closes {
            number.judge(t(5).at(51), KernelView::NotOpen).unwrap()
        } else {
            number.failed_use(t(5).at(51)).unwrap()
        };
        let expected = Verdict { refuse: closes, ..error(Fault::StaleClose, 2, t(2).at(12).party()) };
        let parties =
            Verdict { closed: t(2).at(11).party(), opened: t(3).party(), victim: t(3).at(31).party(), ..expected };
        assert_eq!(verdict, parties, "the third thread is a victim, not the offender");
    }
}

#[test]
fn p_is_proved_at_the_end_of_a_longer_chain() {
    let number = Number::stale_in_the_hand_of(t(2));
    number.pairs.learn_hand_off(StackId(31));
    number.pairs.learn_hand_off(StackId(51));
    number.close(t(2).at(12));
    number.open(t(5));
    assert_eq!(number.close(t(3).at(31)), CloseStanding::Victim);
    number.open(t(6));
    assert_eq!(number.close(t(5).at(51)), CloseStanding::Victim);
    let verdict = number.failed_use(t(6).at(61)).unwrap();
    assert_eq!((verdict.fault, verdict.generation), (Fault::StaleClose, 2));
    assert_eq!((verdict.here, verdict.victim), (t(2).at(12).party(), t(3).at(31).party()));
}

#[test]
fn c4_needs_no_complaint_when_its_victim_closes_the_next_life() {
    let number = with_a_learned_pair();
    let (claim, _) = suspicious(number.closing(t(2).at(12)));
    assert_eq!(number.closed(claim, t(2).at(12), Outcome::Closed), None);
    number.open(t(5));
    number.pairs.learn_hand_off(StackId(31));
    let (_, verdict) = suspicious(number.closing(t(3).at(31)));
    assert_eq!((verdict.fault, verdict.generation, verdict.refuse), (Fault::StaleClose, 3, true));
    assert_eq!((verdict.here, verdict.victim), (t(2).at(12).party(), t(3).at(31).party()));
}

#[test]
fn the_earliest_stale_close_is_blamed() {
    let number = Number::stale_in_the_hand_of(t(2));
    number.close(t(2).at(12)); // stale, hits thread 3
    number.open(t(3));
    number.close(t(2).at(13)); // and again
    number.open(t(5));
    let (_, verdict) = suspicious(number.closing(t(3).at(31)));
    assert_eq!((verdict.generation, verdict.here), (2, t(2).at(12).party()));
}

#[test]
fn a_victim_that_the_ring_forgot_is_not_believed() {
    let number = Number::stale_in_the_hand_of(t(2));
    number.close(t(2).at(12));
    for _ in 0..3 {
        number.open(t(5));
        number.close(t(5));
    }
    number.open(t(5));
    assert!(matches!(number.closing(t(3)), Closing::HandOff(_)), "generation 2 is four lives ago");
}

#[test]
fn u_an_unknown_stack_differs_from_nothing() {
    for (first, second) in [(0, 12), (11, 0), (0, 0), (11, 11)] {
        let number = Number::default();
        number.open(t(2));
        number.close(t(2).at(first));
        number.open(t(3));
        assert_eq!(number.close(t(2).at(second)), CloseStanding::HandOff, "{first} {second}");
    }
}

#[test]
fn a_racer_is_told_so_and_the_kernel_decides() {
    let number = Number::default();
    number.open(t(1));
    let Closing::Ordinary(claim) = number.closing(t(1).at(11)) else { panic!("open") };
    assert_eq!(number.judge(t(2).at(12), KernelView::OpenElsewhere), None);
    let verdict = number.judge(t(2).at(12), KernelView::NotOpen).unwrap();
    assert_eq!((verdict.fault, verdict.here), (Fault::DoubleClose, t(2).at(12).party()));
    assert_eq!(verdict.closed, t(1).at(11).party());
    // And if the claimant is the one who finds it closed, it accuses the racer.
    let verdict = number.closed(claim, t(1).at(11), Outcome::Failed { bad_fd: true }).unwrap();
    assert_eq!((verdict.here, verdict.closed), (t(1).at(11).party(), t(2).at(12).party()));
    assert!(!verdict.refuse, "nothing is left to refuse");
}

#[test]
fn a_claimant_overtaken_by_a_whole_new_life_still_knows_its_racer() {
    let number = Number::default();
    number.open(t(1));
    let Closing::Ordinary(claim) = number.closing(t(1)) else { panic!("open") };
    assert!(matches!(number.closing(t(2).at(12)), Closing::NotOpen(NotOpen { racing: true, .. })));
    number.open(t(3));
    number.close(t(3));
    let verdict = number.closed(claim, t(1), Outcome::Failed { bad_fd: true }).unwrap();
    assert_eq!((verdict.generation, verdict.closed), (1, t(2).at(12).party()));
    assert_eq!(number.slot.snapshot().generation, 2, "the new life is left alone");
}

#[test]
fn a_racer_survives_a_failed_dup2_of_the_claimant() {
    let number = Number::default();
    number.open(t(1));
    let Closing::Ordinary(claim) = number.closing(t(1)) else { panic!("open") };
    assert!(matches!(number.closing(t(2).at(12)), Closing::NotOpen(NotOpen { racing: true, .. })));
    let replace = number.slot.begin_replace(&t(1).actor);
    assert!(matches!(replace, Replace::Claimed { was: State::Closing, .. }), "its own close is no obstacle");
    number.slot.end_replace(replace);
    let verdict = number.closed(claim, t(1), Outcome::Failed { bad_fd: true }).unwrap();
    assert_eq!(verdict.closed, t(2).at(12).party());
}

#[test]
fn use_after_close_and_bad_fd() {
    let number = Number::default();
    let verdict = number.failed_use(t(1)).unwrap();
    assert_eq!((verdict.fault, verdict.severity), (Fault::BadFd, Severity::Info));
    number.open(t(1));
    assert_eq!(number.failed_use(t(1)), None, "open: the kernel said so by mistake or by then");
    number.close(t(1).at(11));
    let verdict = number.failed_use(t(2).at(21)).unwrap();
    let expected = Verdict { refuse: false, ..error(Fault::UseAfterClose, 1, t(2).at(21).party()) };
    assert_eq!(verdict, Verdict { closed: t(1).at(11).party(), opened: t(1).party(), ..expected });
    let verdict = number.failed_use(t(1).forked(1)).unwrap();
    assert_eq!((verdict.fault, verdict.severity), (Fault::UseAfterClose, Severity::Info));
}

#[test]
fn an_open_over_an_open_number_says_that_a_close_was_invisible() {
    let number = Number::default();
    assert_eq!(number.slot.opened(&t(1).actor, tcp()), Opened { generation: 1, displaced: State::Unknown });
    assert_eq!(number.slot.opened(&t(1).actor, tcp()), Opened { generation: 2, displaced: State::Open });
}

#[test]
fn quarantine_and_dup2_exclude_each_other() {
    let number = Number::default();
    number.open(t(1));
    assert!(!number.slot.begin_evict(1), "open");
    let Closing::Ordinary(claim) = number.closing(t(1)) else { panic!("open") };
    assert_eq!(number.closed(claim, t(1), Outcome::Tombstoned), None);
    let replace = number.slot.begin_replace(&t(2).actor);
    assert_eq!(replace, Replace::Claimed { was: State::Tombstoned, verdict: None, generation: 1 });
    assert!(!number.slot.begin_evict(1), "being replaced");
    assert_eq!(number.slot.begin_replace(&t(3).actor), Replace::Busy);
    number.slot.end_replace(replace);
    assert_eq!(number.state(), State::Tombstoned, "dup2 failed: as before");
    assert!(!number.slot.begin_evict(7), "another generation");
    assert!(number.slot.begin_evict(1));
    assert_eq!(number.slot.begin_replace(&t(2).actor), Replace::Busy);
    number.slot.end_evict(1);
    assert!(matches!(number.slot.begin_replace(&t(2).actor), Replace::Claimed { was: State::Closed, .. }));
}
