//! What the leak story needs of a recording: totals by site, samples over time, leaks that change, and their wording.

use crate::sample;
use record::call::Call;
use record::findings::{Filed, Involved, Leak, Limit, Report, Resource, file_leak, retract_leaks, told};
use record::kind::{Kind, Role, Severity};
use record::label::{Endpoint, Label};
use record::layout::{Counter, PARTIES, SAMPLE_SITES, Section};
use record::memory::Memory;
use record::reader::Recording;
use record::store::Store;
use record::text::Line;
use record::{samples, sentence, sites, stacks};
use std::sync::atomic::Ordering::Relaxed;

fn stack(memory: &Memory, n: u64) -> u32 {
    stacks::intern(memory, &[n << 8 | 1, n << 8 | 2])
}

#[test]
fn a_site_counts_for_all_threads() {
    let memory = Memory::new();
    let ids: Vec<u32> = (1..=8).map(|n| stack(&memory, n)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..1000u64 {
                    for id in &ids {
                        sites::of(&memory, *id).expect("room").opened(round + 1);
                        if round % 2 == 0 {
                            sites::find(&memory, *id).expect("made").closed();
                        }
                    }
                }
            });
        }
    });
    let recording = Recording::parse(memory.to_bytes()).expect("whole");
    let read: Vec<_> = recording.sites().map(|(_, site)| site).filter(|s| s.opened > 0).collect();
    assert_eq!(read.len(), ids.len(), "one site for each stack, whoever made it");
    for site in read {
        assert!(ids.contains(&site.stack));
        assert_eq!((site.opened, site.closed, site.open_now(), site.first_opened), (4000, 2000, 2000, 1));
        assert_eq!(recording.stack(site.stack).len(), 2, "the link in front of a stack leaves it whole");
    }
}

#[test]
fn no_site_without_a_stack_or_without_room() {
    let memory = Memory::new();
    assert!(sites::of(&memory, 0).is_none());
    let id = stack(&memory, 1);
    memory.header().sites.store(Section::Sites.capacity() as u32, Relaxed);
    assert!(sites::of(&memory, id).is_none());
    assert_eq!(memory.header().counters[Counter::SitesDropped as usize].load(Relaxed), 1);
    assert_eq!(memory.header().sites.load(Relaxed), Section::Sites.capacity() as u32);
}

#[test]
fn samples_thin_out_and_span_the_whole_run() {
    let memory = Memory::new();
    let site = sites::of(&memory, stack(&memory, 1)).expect("room");
    let (mut now, mut due, mut taken) = (1_000_000_000u64, 0, 0u64);
    let end = now + 36_000_000_000_000; // ten hours
    while now < end {
        site.opened(now);
        if now >= due {
            due = samples::take(&memory, now, taken, 1024).expect("room");
            taken += 1;
        }
        now += 50_000_000;
    }
    let read = Recording::parse(memory.to_bytes()).expect("whole").samples();
    let capacity = Section::Samples.capacity();
    assert!(read.len() >= capacity / 2 && read.len() <= capacity, "{}", read.len());
    assert!(read.windows(2).all(|pair| pair[0].time < pair[1].time && pair[0].open < pair[1].open));
    let gaps: Vec<u64> = read.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    let (least, most) = (gaps.iter().min().expect("some"), gaps.iter().max().expect("some"));
    assert!(most / least <= 4, "evenly spread: {least} to {most}");
    assert!(read[0].time < end / 100 && end - read[read.len() - 1].time <= 2 * most);
    assert_eq!(read[0].sites.len(), 1);
}

#[test]
fn a_sample_names_the_sites_with_most_open() {
    let memory = Memory::new();
    for n in 1..=40u64 {
        let site = sites::of(&memory, stack(&memory, n)).expect("room");
        for _ in 0..n {
            site.opened(n);
        }
    }
    samples::take(&memory, 7, 820, 1024);
    let read = Recording::parse(memory.to_bytes()).expect("whole").samples();
    let open: Vec<u32> = read[0].sites.iter().map(|(_, open)| *open).collect();
    assert_eq!(open, (0..SAMPLE_SITES as u32).map(|i| 40 - i).collect::<Vec<_>>());
    assert_eq!((read[0].open, read[0].limit), (820, 1024));
    assert_eq!(samples::open_before(&memory, 7, 39), Some((7, 40)));
    assert_eq!(samples::open_before(&memory, 6, 39), None);
    assert_eq!(samples::first_open(&memory, 0), Some((7, 0)), "not among the most");
}

fn leak(count: u32, severity: Severity, as_of: u64) -> Report<'static> {
    let mut tcp = [0; 12];
    tcp[7] = count;
    let mut parties = [Involved::default(); PARTIES];
    let io = sample::name("io");
    parties[0] = Involved { role: Some(Role::Here), tid: 12, stack: 5, thread: io };
    parties[1] = Involved { role: Some(Role::Opened), tid: 12, stack: 9, thread: io };
    Report {
        kind: Kind::FdLeak,
        severity,
        tid: 12,
        thread: io,
        time: 1_000_000_000,
        resource: Resource::Leak(Leak {
            fd: 41,
            kind: 4,
            call: Call::Connect as u8,
            ending: 3,
            errno: 111,
            count,
            oldest: 1_000_000_000,
            as_of,
            newest_ago: 1500,
            tcp,
            ..Leak::default()
        }),
        label: Label::endpoints(None, Some(Endpoint::V4([127, 0, 0, 1], 9))),
        parties,
        detail: b"connect",
    }
}

#[test]
fn a_leak_is_replaced_and_may_become_graver() {
    let memory = Memory::new();
    let counter = |c: Counter| memory.header().counters[c as usize].load(Relaxed);
    assert_eq!(file_leak(&memory, &leak(3, Severity::Suspect, 2_000_000_000)), Filed::New(0));
    told(&memory, 0);
    assert_eq!(file_leak(&memory, &leak(5, Severity::Suspect, 3_000_000_000)), Filed::Repeated(0));
    assert_eq!((counter(Counter::Suspects), counter(Counter::Errors)), (1, 0));
    let read = Recording::parse(memory.to_bytes()).expect("whole").findings().next().expect("one");
    assert_eq!((read.count, read.severity), (5, Severity::Suspect));
    // Graver: the user has not been told that.
    assert_eq!(file_leak(&memory, &leak(6, Severity::Error, 4_000_000_000)), Filed::New(0));
    let read = Recording::parse(memory.to_bytes()).expect("whole").findings().next().expect("one");
    assert_eq!(
        (read.count, read.severity, read.resource),
        (6, Severity::Error, leak(6, Severity::Error, 4_000_000_000).resource)
    );
    assert_eq!(counter(Counter::Errors), 1);
}

#[test]
fn a_leak_of_another_way_is_another_and_a_closed_one_is_taken_back() {
    let memory = Memory::new();
    file_leak(&memory, &leak(3, Severity::Error, 2_000_000_000));
    let mut timed_out = leak(2, Severity::Error, 9_000_000_000);
    if let Resource::Leak(leak) = &mut timed_out.resource {
        leak.errno = 110;
    }
    assert_eq!(file_leak(&memory, &timed_out), Filed::New(1));
    retract_leaks(&memory, Kind::FdLeak, 9_000_000_000);
    let recording = Recording::parse(memory.to_bytes()).expect("whole");
    let left: Vec<_> = recording.findings().map(|f| f.count).collect();
    assert_eq!(left, [2], "the other was closed since");
    assert_eq!(recording.findings_unreadable(), 0);
}

fn said(report: &Report) -> String {
    let mut buffer = [0; 1024];
    let mut line = Line::new(&mut buffer);
    sentence::write(report, |kind| if kind == 4 { "tcp" } else { "file" }, &mut line);
    String::from_utf8(line.as_bytes().to_vec()).expect("utf-8")
}

#[test]
fn the_last_operation_leads() {
    assert_eq!(
        said(&leak(37, Severity::Error, 94_000_000_000)),
        "connect() failed with ECONNREFUSED here, never closed: 37 descriptors, such as fd 41 (tcp → 127.0.0.1:9), opened by \
         thread 12 \"io\"; the oldest open for 93 s, the newest for 1.5 s; TCP: 37 CLOSE"
    );
    let mut report = leak(1, Severity::Error, 1_250_000_000);
    if let Resource::Leak(leak) = &mut report.resource {
        (leak.call, leak.ending, leak.errno, leak.unread) = (Call::Recv as u8, 2, 11, 512);
        leak.blocking = true;
        leak.tcp = [0; 12];
        (leak.tcp[8], leak.tcp[5]) = (1, 2);
    }
    assert_eq!(
        said(&report),
        "recv() timed out here, never closed: 1 descriptor, fd 41 (tcp → 127.0.0.1:9), opened by thread 12 \"io\"; open for \
         250 ms; TCP: 2 FIN_WAIT2 (your side has shut down; the peer never did, and the descriptor is still open), 1 CLOSE_WAIT \
         (the peer has closed; your side never did); 512 bytes unread"
    );
    for (call, ending, blocking, words) in [
        (Call::Recv as u8, 1, false, "recv() found the end of the stream here, never closed: "),
        (Call::Recv as u8, 2, false, "recv() found nothing to do (EAGAIN) here, never closed: "),
        (Call::Send as u8, 0, false, "last used by send() here, never closed: "),
        (0, 0, false, "never used and never closed: "),
    ] {
        if let Resource::Leak(leak) = &mut report.resource {
            (leak.call, leak.ending, leak.blocking) = (call, ending, blocking);
        }
        assert!(said(&report).starts_with(words), "{}", said(&report));
    }
}

#[test]
fn the_limit_names_who_grew() {
    let mut report = leak(1, Severity::Error, 0);
    report.kind = Kind::FdLimit;
    let mut places = [(0, 0); PARTIES];
    (places[0], places[1]) = ((700, 650), (20, 0));
    report.resource =
        Resource::Limit(Limit { open: 820, limit: 1024, stage: 80, errno: 0, over: 30_000_000_000, places });
    assert_eq!(
        said(&report),
        "820 of 1024 descriptors are open (80 %), 700 of them opened at the first stack (650 more than 30 s ago), 20 at the second"
    );
    if let Resource::Limit(limit) = &mut report.resource {
        limit.errno = 24;
    }
    assert!(said(&report).starts_with("out of descriptors, EMFILE: 820 of 1024"));
}
