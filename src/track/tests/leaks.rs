//! Forgotten descriptors: the table of severities row by row, and the grouping against a naive model.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used)] // A test that finds no group has failed.

use proptest::prelude::*;
use track::fd::leak::{Candidate, Group, Groups, SiteHistory, tcp};
use track::fd::*;

const SECOND: u64 = 1_000_000_000;
const ECONNREFUSED: u16 = 111;
const READ: u8 = 1;
const CONNECT: u8 = 2;

fn last(call: u8, ending: Ending, errno: u16) -> Last {
    Last { call, ending, errno, thread: 3, place: Place::Stack(StackId(77)) }
}

/// `count` descriptors of one site, opened one after the other over `over` ns; the site opened one more after them.
struct Scene {
    kind: FdKind,
    last: Last,
    tcp: u8,
    blocking: bool,
    count: u64,
    over: u64,
    threads: u16,
    same_label: bool,
    /// The same for all; 0: each its own.
    port: u16,
    /// So many of them were used after the site had gone on.
    in_use: u64,
    busy: bool,
    closed: u64,
}

impl Scene {
    fn of(kind: FdKind, count: u64, last: Last) -> Self {
        Scene {
            kind,
            last,
            tcp: if matches!(kind, FdKind::Tcp) { tcp::ESTABLISHED } else { 0 },
            blocking: true,
            count,
            over: SECOND,
            threads: 1,
            same_label: false,
            port: 0,
            in_use: 0,
            busy: false,
            closed: 0,
        }
    }

    fn site(&self) -> SiteHistory {
        SiteHistory { opened: self.count + 1 + self.closed, closed: self.closed, last_opened: 100 * SECOND + self.over }
    }

    fn candidate(&self, i: u64) -> Candidate {
        let opened_at = 100 * SECOND + self.over * i / self.count.max(1);
        let opener = Party { tid: Tid(9), stack: StackId(5) };
        let meta =
            Meta { kind: self.kind, opener: ThreadIndex((i % u64::from(self.threads)) as u16), ..Meta::default() };
        let used_at = if i < self.in_use { self.site().last_opened + 1 } else { opened_at };
        let label = [if self.same_label { 1 } else { i }; LABEL_WORDS];
        let facts = Facts { opened_at, opener, last: self.last, used_at, meta, label, ..Facts::default() };
        Candidate {
            fd: i as i32 + 3,
            generation: 1,
            facts,
            tcp: self.tcp,
            unread: 0,
            port: if self.port == 0 { i as u16 + 1000 } else { self.port },
            blocking: self.blocking,
            busy: self.busy,
        }
    }

    fn judged(&self) -> Severity {
        let mut table = [Group::default(); 16];
        let mut groups = Groups::new(&mut table);
        for i in 0..self.count {
            groups.add(&self.candidate(i), self.site());
        }
        let mut all = groups.iter();
        let severity = all.next().unwrap().judge(self.site());
        assert!(all.next().is_none(), "one way is one group");
        severity
    }
}

const KINDS: [FdKind; 5] = [FdKind::Tcp, FdKind::Unix, FdKind::Socket, FdKind::Pipe, FdKind::Pty];

#[test]
fn what_failed_and_was_left_behind_is_an_error_from_two_on() {
    for kind in KINDS {
        for (ending, errno) in [(Ending::Failed, ECONNREFUSED), (Ending::End, 0), (Ending::Again, 11)] {
            let way = |count| Scene::of(kind, count, last(READ, ending, errno));
            assert_eq!(way(1).judged(), Severity::Suspect, "{kind:?} {ending:?}");
            assert_eq!(way(2).judged(), Severity::Error, "{kind:?} {ending:?}");
            assert_eq!(way(2000).judged(), Severity::Error, "{kind:?} {ending:?}");
        }
    }
}

#[test]
fn what_failed_last_at_its_site_may_still_be_wanted() {
    let way = |in_use| Scene { in_use, ..Scene::of(FdKind::Tcp, 3, last(CONNECT, Ending::Failed, ECONNREFUSED)) };
    assert_eq!(way(1).judged(), Severity::Error);
    assert_eq!(way(2).judged(), Severity::Suspect);
    assert_eq!(way(3).judged(), Severity::Info);
}

#[test]
fn what_a_thread_waits_for_is_not_forgotten() {
    let way = Scene { busy: true, ..Scene::of(FdKind::Tcp, 50, last(READ, Ending::Again, 11)) };
    assert_eq!(way.judged(), Severity::Info);
}

#[test]
fn eagain_without_blocking_is_no_timeout() {
    let way = Scene { blocking: false, ..Scene::of(FdKind::Tcp, 50, last(READ, Ending::Again, 11)) };
    assert_eq!(way.judged(), Severity::Info);
}

#[test]
fn the_end_of_a_file_and_a_failure_on_it_prove_nothing() {
    for ending in [Ending::End, Ending::Failed] {
        assert_eq!(Scene::of(FdKind::File, 8, last(READ, ending, 0)).judged(), Severity::Info);
    }
}

#[test]
fn the_peer_closed_and_nobody_looked() {
    let way = |count, over| Scene {
        tcp: tcp::CLOSE_WAIT,
        over,
        ..Scene::of(FdKind::Tcp, count, last(READ, Ending::Done, 0))
    };
    assert_eq!(way(3, 60 * SECOND).judged(), Severity::Info);
    assert_eq!(way(4, SECOND).judged(), Severity::Suspect);
    assert_eq!(way(4000, SECOND).judged(), Severity::Suspect);
    assert_eq!(way(15, 10 * SECOND * 16 / 15).judged(), Severity::Suspect);
    assert_eq!(way(17, 11 * SECOND).judged(), Severity::Error);
}

#[test]
fn what_only_rises() {
    let way = |kind, count, over, same_label| Scene {
        over,
        same_label,
        ..Scene::of(kind, count, last(READ, Ending::Done, 0))
    };
    // Soon after the start it may be a set-up, unless they are all of one target.
    assert_eq!(way(FdKind::File, 500, SECOND, false).judged(), Severity::Info);
    assert_eq!(way(FdKind::File, 15, SECOND, true).judged(), Severity::Info);
    assert_eq!(way(FdKind::File, 16, SECOND, true).judged(), Severity::Suspect);
    assert_eq!(way(FdKind::File, 500, SECOND, true).judged(), Severity::Suspect);
    // Later it is growth.
    assert_eq!(way(FdKind::File, 15, 20 * SECOND, false).judged(), Severity::Info);
    assert_eq!(way(FdKind::File, 16, 20 * SECOND, false).judged(), Severity::Suspect);
    assert_eq!(way(FdKind::File, 32, 20 * SECOND, false).judged(), Severity::Error);
    // Connections that are up may be guests who say nothing.
    assert_eq!(way(FdKind::Tcp, 500, 20 * SECOND, false).judged(), Severity::Suspect);
}

#[test]
fn guests_of_a_server_may_stay() {
    let way = |kind, port, over, same_label| Scene {
        port,
        over,
        same_label,
        ..Scene::of(kind, 200, last(READ, Ending::Done, 0))
    };
    for kind in [FdKind::Tcp, FdKind::Unix] {
        assert_eq!(way(kind, 80, 20 * SECOND, false).judged(), Severity::Info);
        assert_eq!(way(kind, 80, SECOND, true).judged(), Severity::Info);
        assert_eq!(way(kind, 0, 20 * SECOND, false).judged(), Severity::Suspect, "clients have ports of their own");
        assert_eq!(way(kind, 0, SECOND, true).judged(), Severity::Suspect);
        let pool = Scene { count: 32, ..way(kind, 0, SECOND, true) };
        assert_eq!(pool.judged(), Severity::Info, "a pool of one target");
    }
    // Those that have closed are guests no more.
    let gone = Scene { tcp: tcp::CLOSE_WAIT, ..way(FdKind::Tcp, 80, 20 * SECOND, false) };
    assert_eq!(gone.judged(), Severity::Error);
}

#[test]
fn a_site_that_closes_and_a_pool_in_use_are_no_leak() {
    let way = |closed, in_use| Scene {
        over: 20 * SECOND,
        closed,
        in_use,
        ..Scene::of(FdKind::File, 100, last(READ, Ending::Done, 0))
    };
    assert_eq!(way(0, 0).judged(), Severity::Error);
    assert_eq!(way(11, 0).judged(), Severity::Error);
    assert_eq!(way(12, 0).judged(), Severity::Info, "more than a tenth were closed");
    assert_eq!(way(0, 10).judged(), Severity::Error);
    assert_eq!(way(0, 11).judged(), Severity::Info, "more than a tenth are in use");
}

#[test]
fn one_for_each_thread_is_a_design() {
    let way = |kind, count, threads| Scene { threads, same_label: true, ..Scene::of(kind, count, Last::default()) };
    for threads in [40, 64, 65, 400] {
        assert_eq!(way(FdKind::File, u64::from(threads), threads).judged(), Severity::Info);
        assert_eq!(way(FdKind::File, u64::from(threads) + 1, threads).judged(), Severity::Suspect, "{threads}");
        // A pipe has two ends.
        assert_eq!(way(FdKind::Pipe, u64::from(threads) * 2, threads).judged(), Severity::Info);
        assert_eq!(way(FdKind::Pipe, u64::from(threads) * 2 + 1, threads).judged(), Severity::Suspect);
    }
}

#[test]
fn a_full_table_counts_what_it_drops() {
    let mut table = [Group::default(); 4];
    let mut groups = Groups::new(&mut table);
    for i in 0..10 {
        let errno = i as u16 + 1;
        let candidate = Scene::of(FdKind::Tcp, 10, last(READ, Ending::Failed, errno)).candidate(i);
        groups.add(&candidate, SiteHistory::default());
    }
    assert_eq!((groups.iter().count(), groups.dropped), (4, 6));
}

/// What makes two descriptors go the same way.
type Way = (u32, Last, FdKind, bool);

fn candidates() -> impl Strategy<Value = Vec<(Candidate, u64)>> {
    let one = (0u32..4, 0u8..3, 0usize..3, 0u16..2, 0usize..3, any::<bool>(), 0u64..50, 0u64..50, 0u16..70, 0u8..12)
        .prop_map(|(stack, call, ending, errno, kind, blocking, opened_at, used, thread, tcp)| {
            let ending = [Ending::Done, Ending::End, Ending::Failed][ending];
            let last = Last { call, ending, errno, thread: thread % 5, place: Place::Stack(StackId(stack)) };
            let kind = [FdKind::Tcp, FdKind::Pipe, FdKind::File][kind];
            let meta = Meta { kind, opener: ThreadIndex(thread), ..Meta::default() };
            let opener = Party { tid: Tid(1), stack: StackId(stack) };
            let facts = Facts {
                opened_at,
                opener,
                last,
                used_at: used,
                meta,
                label: [used % 2; LABEL_WORDS],
                ..Facts::default()
            };
            (
                Candidate {
                    fd: 5,
                    generation: 1,
                    facts,
                    tcp,
                    unread: used,
                    port: thread % 2,
                    blocking,
                    busy: used == 13,
                },
                opened_at.max(20),
            )
        });
    proptest::collection::vec(one, 0..200)
}

proptest! {
    /// Every descriptor is in exactly one group, that of its way, and the sums are those of a list.
    #[test]
    fn grouping_against_a_list(all in candidates()) {
        let site = |last_opened| SiteHistory { opened: 9, closed: 1, last_opened };
        let way = |c: &Candidate| -> Way {
            (c.facts.opener.stack.0, c.facts.last.without_thread(), c.facts.meta.kind, c.blocking)
        };
        let mut table = vec![Group::default(); 1024];
        let mut groups = Groups::new(&mut table);
        for (candidate, last_opened) in &all {
            groups.add(candidate, site(*last_opened));
        }
        prop_assert_eq!(groups.dropped, 0);
        let mut seen = Vec::new();
        for group in groups.iter() {
            let key: Way = (group.opener.stack.0, group.last.without_thread(), group.kind, group.blocking);
            prop_assert!(!seen.contains(&key), "two groups of one way");
            seen.push(key);
            let mine: Vec<_> = all.iter().filter(|(c, _)| way(c) == key).collect();
            let used = |c: &Candidate| c.facts.used_at.max(c.facts.opened_at);
            prop_assert_eq!(group.count, mine.len() as u64);
            prop_assert_eq!(group.oldest, mine.iter().map(|(c, _)| c.facts.opened_at).min().unwrap());
            prop_assert_eq!(group.newest, mine.iter().map(|(c, _)| c.facts.opened_at).max().unwrap());
            prop_assert_eq!(group.last_used, mine.iter().map(|(c, _)| used(c)).max().unwrap());
            prop_assert_eq!(group.idle, mine.iter().filter(|(c, at)| used(c) < *at && !c.busy).count() as u64);
            prop_assert_eq!(group.unread, mine.iter().map(|(c, _)| c.unread).sum::<u64>());
            prop_assert_eq!(group.same_label, mine.iter().all(|(c, _)| c.facts.label == mine[0].0.facts.label));
            prop_assert_eq!(group.same_port, mine.iter().all(|(c, _)| c.port == mine[0].0.port));
            prop_assert_eq!(group.last_opener, mine.iter().map(|(c, _)| c.facts.meta.opener.0).max().unwrap());
            for (state, count) in group.tcp.iter().enumerate() {
                prop_assert_eq!(*count as usize, mine.iter().filter(|(c, _)| c.tcp as usize == state).count());
            }
        }
        prop_assert!(all.iter().all(|(c, _)| seen.contains(&way(c))));
    }
}
