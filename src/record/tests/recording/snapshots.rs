//! The tail of a recording: what was written is read, and nothing half written, foreign or damaged passes for a snapshot.

use proptest::prelude::*;
use record::kind::Severity;
use record::label::Label;
use record::snapshot::{
    BLOCK, File, Group, Head, MAGIC, MAX_FILE_LEN, MAX_GROUPS, Place, Snapshot, TAIL_AT, TAIL_LEN, Writer, read_all,
    source, taker,
};
use std::cell::{Cell, RefCell};

/// A file of which only the tail is kept; it fails after so many writes.
struct Tail {
    bytes: RefCell<Vec<u8>>,
    writes_left: Cell<usize>,
}

impl Tail {
    fn new() -> Self {
        Self { bytes: RefCell::default(), writes_left: Cell::new(usize::MAX) }
    }
}

impl File for Tail {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<usize, i32> {
        let (bytes, at) = (self.bytes.borrow(), (at - TAIL_AT) as usize);
        let rest = bytes.get(at..).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_at(&self, at: u64, new: &[u8]) -> Result<(), i32> {
        assert!(at >= TAIL_AT && at + new.len() as u64 <= MAX_FILE_LEN, "outside the tail: {at}");
        if self.writes_left.get() == 0 {
            return Err(28);
        }
        self.writes_left.set(self.writes_left.get() - 1);
        let (mut bytes, at) = (self.bytes.borrow_mut(), (at - TAIL_AT) as usize);
        let len = bytes.len().max(at + new.len());
        bytes.resize(len, 0);
        bytes[at..at + new.len()].copy_from_slice(new);
        Ok(())
    }
}

fn group(stack: u32, count: u64) -> Group {
    Group {
        stack,
        opener: 12,
        call: 19,
        ending: 3,
        errno: 111,
        thread: 3,
        place: if count % 2 == 0 { Place::Stack(9) } else { Place::Address(0x7fff_1234_5678) },
        blocking: count % 2 == 0,
        same_label: true,
        kind: 4,
        owner: 1,
        severity: Severity::Suspect,
        fd: 7,
        generation: 8,
        label: Label::path(b"/tmp/data"),
        count,
        idle: count - 1,
        oldest: 1,
        newest: 2,
        last_used: 3,
        unread: 4,
        tcp: core::array::from_fn(|i| i as u32),
        opened: 100,
        closed: 50,
        last_opened: 99,
    }
}

fn head(time: u64) -> Head {
    let (by, source) = (taker::OUTSIDE, source::SOCKETS);
    Head { time, real: time + 1, by, source, pid: 77, open: 5, limit: 1024, ..Head::default() }
}

fn take(file: &Tail, time: u64, groups: &[Group]) -> Result<Head, i32> {
    let mut writer = Writer::begin(file, groups.len())?;
    for group in groups {
        writer.add(group)?;
    }
    writer.finish(&head(time))
}

fn read(file: &Tail) -> Vec<Snapshot> {
    read_all(file).expect("it can be read")
}

#[test]
fn what_was_written_is_read() {
    let file = Tail::new();
    assert_eq!(read(&file), []);
    let groups = [vec![group(5, 2), group(6, 3)], vec![], vec![group(5, 9)]];
    for (i, groups) in groups.iter().enumerate() {
        take(&file, 10 + i as u64, groups).expect("room");
    }
    let all = read(&file);
    assert_eq!(all.iter().map(|s| s.groups.clone()).collect::<Vec<_>>(), groups);
    let expected = |i: u64| Head { sequence: i + 1, groups: groups[i as usize].len() as u32, ..head(10 + i) };
    assert_eq!(all.iter().map(|s| s.head).collect::<Vec<_>>(), [expected(0), expected(1), expected(2)]);
}

#[test]
fn a_writer_that_stops_anywhere_leaves_what_was_there() {
    let whole = Tail::new();
    take(&whole, 1, &[group(1, 1)]).expect("room");
    let before = read(&whole);
    // One write for the place, one for each group, two for the head.
    for writes in 0..5 {
        let file = Tail { bytes: whole.bytes.clone(), writes_left: Cell::new(writes) };
        assert_eq!(take(&file, 2, &[group(2, 2), group(3, 3)]), Err(28), "{writes}");
        assert_eq!(read(&file), before, "{writes}");
        // The next one takes its place.
        file.writes_left.set(usize::MAX);
        assert_eq!(take(&file, 3, &[]).map(|h| h.sequence), Ok(2));
        assert_eq!(read(&file).len(), 2);
    }
}

#[test]
fn a_full_tail_keeps_the_first_and_starts_over() {
    let file = Tail::new();
    take(&file, 1, &[group(1, 1)]).expect("room");
    let many = vec![group(2, 2); MAX_GROUPS];
    let each = ((MAX_GROUPS + 1) * BLOCK) as u64;
    let fit = (TAIL_LEN - 2 * BLOCK as u64) / each;
    for i in 0..fit {
        take(&file, 2 + i, &many).expect("room");
    }
    assert_eq!(read(&file).len() as u64, 1 + fit);
    let last = take(&file, 1000, &many).expect("room");
    let times = |all: Vec<Snapshot>| all.iter().map(|s| s.head.time).collect::<Vec<_>>();
    assert_eq!(times(read(&file)), [1, 1000]);
    assert_eq!(last.sequence, fit + 2);
    take(&file, 1001, &[]).expect("room");
    assert_eq!(times(read(&file)), [1, 1000, 1001]);
}

#[test]
fn too_many_groups_are_counted() {
    let file = Tail::new();
    let many = vec![group(2, 3); MAX_GROUPS + 2];
    let head = take(&file, 1, &many).expect("room");
    assert_eq!((head.groups as usize, head.dropped), (MAX_GROUPS, 6));
}

#[test]
fn a_text_of_the_program_is_no_head() {
    let file = Tail::new();
    let mut name = MAGIC.to_vec();
    name.extend(1u32.to_ne_bytes());
    let hostile = Group { label: Label::path(&name), ..group(1, 2) };
    take(&file, 1, &[hostile; 3]).expect("room");
    // Its head is damaged: the groups behind it must not be taken for heads.
    file.bytes.borrow_mut()[8] = 9;
    assert_eq!(read(&file), []);
}

proptest! {
    #[test]
    fn corruption_never_panics(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 1..9usize), 1..20)) {
        let file = Tail::new();
        for time in 0..4 {
            take(&file, time, &[group(1, 2), group(2, 3)]).expect("room");
        }
        {
            let mut bytes = file.bytes.borrow_mut();
            for (index, value, len) in edits {
                let at = index.index(bytes.len());
                let len = len.min(bytes.len() - at);
                bytes[at..at + len].copy_from_slice(&value.to_ne_bytes()[..len]);
            }
        }
        prop_assert!(read(&file).len() <= 4);
        // Whatever stands there, a writer finds a place inside the tail.
        take(&file, 9, &[group(1, 2)]).expect("room");
        read(&file);
    }
}
