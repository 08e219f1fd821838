//! Random histories of one number against a naive model that forgets nothing.
//!
//! The model keeps every life of the number in a Vec and states the rules directly, sentence by sentence;
//! the slot has one word and a ring of four. Whatever either says, the other must say: every answer, every verdict, and the
//! state after every step.
//!
//! `PROPTEST_CASES=150000 cargo test -p track --release --test model` looks deeper in a quarter of a minute.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used)] // The model may panic: then the test has failed.

mod histories;
mod naive;

use histories::{Op, ops};
use naive::Model;
use proptest::prelude::*;
use std::collections::HashSet;
use track::fd::*;

/// Run a history through both. The verdicts that were given, for the test that looks at the generator itself.
fn run(history: Vec<Op>) -> Result<Vec<Verdict>, TestCaseError> {
    let (slot, pairs, mut model) = (Slot::new(), PairSet::new(), Model::default());
    let mut claims: Vec<(Claim, Actor)> = vec![];
    let mut found: Vec<(NotOpen, Actor)> = vec![];
    let mut replaces: Vec<Replace> = vec![];
    let mut epoch = 0;
    let mut verdicts = vec![];
    for op in history {
        let at = format!("{op:?}");
        let now = |by: Actor| Actor { epoch, ..by };
        match op {
            Op::Open(by, what) => {
                prop_assert_eq!(slot.opened(&now(by), what), model.opened(&now(by), what), "{}", at);
            }
            Op::Use(by) => {
                slot.used(by.thread);
                model.used(by.thread);
            }
            Op::SetOwner(by, owner) => {
                let got = slot.set_owner(&now(by), owner);
                prop_assert_eq!(got, model.set_owner(&now(by), owner), "{}", at);
                verdicts.extend(got);
            }
            Op::Close(by, acting) => {
                let got = slot.closing(&now(by), acting, &pairs);
                prop_assert_eq!(&got, &model.closing(&now(by), acting), "{}", at);
                match got {
                    Closing::Ordinary(claim) | Closing::HandOff(claim) | Closing::Pending(claim) => {
                        claims.push((claim, now(by)));
                    }
                    Closing::Suspicious(claim, verdict) => {
                        claims.push((claim, now(by)));
                        verdicts.push(verdict);
                    }
                    Closing::NotOpen(standing) => found.push((standing, now(by))),
                    Closing::Unseen => {}
                }
            }
            Op::Closed(nth, outcome) if nth < claims.len() => {
                let (claim, by) = claims.remove(nth);
                let expected = model.closed(&claim, &by, outcome);
                let got = slot.closed(claim, &by, outcome);
                prop_assert_eq!(got, expected, "{}", at);
                verdicts.extend(got);
            }
            Op::Judge(nth, view) if nth < found.len() => {
                let (standing, by) = found.remove(nth);
                let got = slot.judge_not_open(&by, &standing, view, &pairs);
                prop_assert_eq!(got, model.judge(&by, &standing, view), "{} {:?}", at, standing);
                verdicts.extend(got);
            }
            Op::FailedUse(by) => {
                let got = slot.failed_use(&now(by), &pairs);
                prop_assert_eq!(got, model.failed_use(&now(by)), "{}", at);
                verdicts.extend(got);
            }
            Op::Evict(behind) => {
                let generation = model.generation().saturating_sub(behind);
                let expected = model.state == State::Tombstoned && behind == 0;
                prop_assert_eq!(slot.begin_evict(generation), expected, "{}", at);
                if expected {
                    model.state = State::Evicting;
                }
            }
            Op::EndEvict(behind) => {
                slot.end_evict(model.generation().saturating_sub(behind));
                if model.state == State::Evicting && behind == 0 {
                    model.state = State::Closed;
                }
            }
            Op::Replace(by) => {
                let got = slot.begin_replace(&now(by));
                prop_assert_eq!(&got, &model.begin_replace(&now(by)), "{}", at);
                replaces.push(got);
            }
            Op::EndReplace(nth) if nth < replaces.len() => {
                let token = replaces.remove(nth);
                if let Replace::Claimed { was, generation, .. } = token {
                    if model.state == State::Replacing && model.generation() == generation {
                        model.state = was;
                    }
                }
                slot.end_replace(token);
            }
            Op::Fork => {
                epoch += 1;
                (claims, found, replaces) = Default::default();
            }
            Op::Closed(..) | Op::Judge(..) | Op::EndReplace(..) => {}
        }
        let seen = slot.snapshot();
        prop_assert_eq!((seen.state, seen.generation), (model.state, model.generation()), "{}", at);
        let expected = model.lives.last().map(|life| (life.opener, life.owner, life.closer, life.standing));
        let got = seen.current.map(|facts| (facts.opener, facts.owner, facts.closer, facts.meta.standing));
        prop_assert_eq!(got, expected, "{}", at);
    }
    Ok(verdicts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slot_and_model_agree_on_every_history(history in prop::collection::vec(ops(), 1..80)) {
        run(history)?;
    }
}

/// A property is worth what its generator reaches: every fault at every severity it can have, with and without a victim.
#[test]
fn the_generator_reaches_every_verdict() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let histories = prop::collection::vec(ops(), 1..80);
    let mut reached = HashSet::new();
    for _ in 0..3000 {
        let history = histories.new_tree(&mut runner).unwrap().current();
        for verdict in run(history).unwrap() {
            let victim = verdict.victim != Party::ABSENT;
            reached.insert((verdict.fault, verdict.severity, victim, verdict.refuse));
        }
    }
    for expected in [
        (Fault::DoubleClose, Severity::Error, false, true),
        (Fault::DoubleClose, Severity::Error, false, false),
        (Fault::DoubleClose, Severity::Info, false, false),
        (Fault::StaleClose, Severity::Error, false, true),
        (Fault::StaleClose, Severity::Error, true, true),
        (Fault::StaleClose, Severity::Error, true, false),
        (Fault::ClosedLibc, Severity::Error, false, true),
        (Fault::Owner, Severity::Error, false, true),
        (Fault::Owner, Severity::Error, false, false),
        (Fault::UseAfterClose, Severity::Error, false, false),
        (Fault::UseAfterClose, Severity::Info, false, false),
        (Fault::BadFd, Severity::Info, false, false),
    ] {
        assert!(reached.contains(&expected), "never reached: {expected:?}; reached {reached:?}");
    }
}
