//! Random histories: what may happen to a number, by whom, and how often.
//!
//! The weights are those at which every verdict is reached; a test in `main.rs` looks after that.

use proptest::prelude::*;
use track::fd::*;

#[derive(Clone, Debug)]
pub enum Op {
    Open(Actor, Opening),
    Use(Actor),
    SetOwner(Actor, Owner),
    Close(Actor, Owner),
    /// Finish the nth outstanding claim; in a forked child there are none.
    Closed(usize, Outcome),
    /// Judge the nth number found not open.
    Judge(usize, KernelView),
    FailedUse(Actor),
    Evict(u32),
    EndEvict(u32),
    Replace(Actor),
    EndReplace(usize),
    Fork,
}

/// The fourth thread shares its holder bit with the first.
pub fn thread_of(tid: Tid) -> ThreadIndex {
    ThreadIndex(if tid == Tid(103) { 64 } else { (tid.0 - 100) as u16 })
}

fn actors() -> impl Strategy<Value = Actor> {
    (100..104u32, 0..4u32).prop_map(|(tid, stack)| Actor {
        tid: Tid(tid),
        thread: thread_of(Tid(tid)),
        stack: StackId(stack),
        ..Actor::default()
    })
}

fn owners() -> impl Strategy<Value = Owner> {
    prop_oneof![
        8 => Just(Owner::NONE),
        1 => (1..3u64).prop_map(|addr| Owner { kind: OwnerKind::Stdio, addr }),
        1 => Just(Owner { kind: OwnerKind::Dir, addr: 1 }),
    ]
}

fn openings() -> impl Strategy<Value = Opening> {
    let kinds = prop_oneof![Just(FdKind::Tcp), Just(FdKind::Netlink), Just(FdKind::Unknown)];
    (kinds, owners(), prop::bool::weighted(0.1)).prop_map(|(kind, owner, imported)| Opening {
        kind,
        owner,
        imported,
        ..Opening::default()
    })
}

pub fn ops() -> impl Strategy<Value = Op> {
    let outcomes = prop_oneof![
        10 => Just(Outcome::Closed),
        2 => Just(Outcome::Tombstoned),
        2 => Just(Outcome::Failed { bad_fd: true }),
        1 => Just(Outcome::Failed { bad_fd: false }),
        1 => Just(Outcome::Refused),
    ];
    let views = prop_oneof![
        6 => Just(KernelView::NotOpen),
        1 => Just(KernelView::OpenElsewhere),
        1 => Just(KernelView::LibcNetlink),
        1 => Just(KernelView::OpenDuringResolver),
    ];
    prop_oneof![
        8 => (actors(), openings()).prop_map(|(by, what)| Op::Open(by, what)),
        4 => actors().prop_map(Op::Use),
        1 => (actors(), owners()).prop_map(|(by, owner)| Op::SetOwner(by, owner)),
        14 => (actors(), owners()).prop_map(|(by, acting)| Op::Close(by, acting)),
        12 => (0..2usize, outcomes).prop_map(|(nth, outcome)| Op::Closed(nth, outcome)),
        6 => (0..2usize, views).prop_map(|(nth, view)| Op::Judge(nth, view)),
        3 => actors().prop_map(Op::FailedUse),
        1 => (0..2u32).prop_map(Op::Evict),
        1 => (0..2u32).prop_map(Op::EndEvict),
        1 => actors().prop_map(Op::Replace),
        1 => (0..2usize).prop_map(Op::EndReplace),
        1 => Just(Op::Fork),
    ]
}
