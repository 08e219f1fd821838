//! The events of a thread's ring, told apart from what is stale or half-written by their seals.
//!
//! A seal holds the low half of the event's sequence number. The event at place `i` must have a number that is `i`
//! modulo the ring's length and near the count of events written, as both were read: a little behind, when the writer
//! took the number and had not sealed it, or a little ahead, when it wrote on while the file was being read.

use super::bytes::Raw;
use crate::layout::{Event as Stored, Op, RING_LEN, Thread};
use core::mem::{offset_of, size_of};

/// One event of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Of this thread, from 0.
    pub sequence: u64,
    /// CLOCK_MONOTONIC, ns.
    pub time: u64,
    pub op: Op,
    /// 0 = it succeeded.
    pub errno: u16,
    pub fd: i32,
    pub detail: u64,
    pub stack: u32,
}

/// How far a seal may be ahead of the count, which was read first.
const AHEAD: i64 = 1 << 20;
const BEHIND: i64 = 2 * RING_LEN as i64;

/// The events of a thread entry, in the order of time.
pub(super) fn events(thread: Raw) -> Vec<Event> {
    let written = thread.u64(offset_of!(Thread, written));
    let mut events: Vec<Event> = (0..RING_LEN)
        .filter_map(|place| {
            let at = offset_of!(Thread, ring) + place * size_of::<Stored>();
            event(Raw(thread.slice(at, size_of::<Stored>())), place, written)
        })
        .collect();
    events.sort_by_key(|e| (e.time, e.sequence));
    events
}

fn event(raw: Raw, place: usize, written: u64) -> Option<Event> {
    let seal = raw.u64(offset_of!(Stored, seal));
    if seal == 0 {
        return None;
    }
    let distance = i64::from((seal as u32).wrapping_sub(1).wrapping_sub(written as u32) as i32);
    let sequence = written.checked_add_signed(distance)?;
    if !(-BEHIND..=AHEAD).contains(&distance) || sequence % RING_LEN as u64 != place as u64 {
        return None;
    }
    let what = raw.u64(offset_of!(Stored, what));
    let code = what as u8;
    let (op, _) = *Op::ALL.iter().find(|(op, _)| *op as u8 == code)?;
    Some(Event {
        sequence,
        time: raw.u64(offset_of!(Stored, time)),
        op,
        errno: (what >> 16) as u16,
        fd: (what >> 32) as i32,
        detail: raw.u64(offset_of!(Stored, detail)),
        stack: (seal >> 32) as u32,
    })
}
