//! The sentences of the leak story: what happened last to descriptors that were never closed, and a table that fills up.
//!
//! Why the last operation leads: that is the line of the program after which the close is missing.

use super::{KindName, by, resource};
use crate::call::Call;
use crate::errno;
use crate::findings::{Leak, Report, Resource, TCP_STATES};
use crate::kind::Role;
use crate::text::Line;

/// Names of TCP's states as ss(8) and netstat(8) print them, by number; `track::fd::leak::tcp` has the same.
pub const TCP_NAMES: [&str; TCP_STATES] = [
    "UNKNOWN",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];
const FIN_WAIT2: usize = 5;
const CLOSE_WAIT: usize = 8;

/// `connect() failed with ECONNREFUSED here, never closed: 37 descriptors, such as fd 41 (tcp …), opened by thread 12 "io", …`.
pub(super) fn write(report: &Report, kind_name: KindName, line: &mut Line) {
    let Resource::Leak(leak) = report.resource else {
        line.text("descriptors were never closed");
        return;
    };
    last_operation(report, &leak, line);
    line.text(": ").number(u64::from(leak.count));
    line.text(if leak.count == 1 { " descriptor, " } else { " descriptors, such as " });
    resource(report, kind_name, line);
    if let Some(opened) = report.party(Role::Opened) {
        line.text(", opened");
        by(Some(opened), line);
    }
    let oldest = leak.as_of.saturating_sub(leak.oldest) / 1_000_000;
    line.text(if leak.count == 1 { "; open for " } else { "; the oldest open for " });
    duration(oldest, line);
    if leak.count > 1 {
        line.text(", the newest for ");
        duration(u64::from(leak.newest_ago), line);
    }
    states(&leak, line);
    if leak.unread > 0 {
        line.text("; ").number(leak.unread).text(if leak.unread == 1 { " byte unread" } else { " bytes unread" });
    }
    if leak.unended {
        line.text("; as its recording says: the process did not exit");
    }
}

/// How the last operation ended, in a word.
pub fn ending_name(leak: &Leak) -> &'static str {
    match leak.ending {
        1 => "end",
        2 if leak.blocking => "timeout",
        2 => "again",
        3 => "failed",
        _ => "done",
    }
}

fn last_operation(report: &Report, leak: &Leak, line: &mut Line) {
    let Some(call) = Call::from_code(u16::from(leak.call)) else {
        // libc uses what a FILE or a DIR owns by calls that nobody sees.
        line.text(match leak.owner_kind {
            0 => "never used and never closed",
            _ => "never closed",
        });
        return;
    };
    let here = if report.party(Role::Here).is_some() { " here" } else { "" };
    match leak.ending {
        1 => line.text(call.name()).text("() found the end of the stream").text(here).text(", never closed"),
        2 if leak.blocking => line.text(call.name()).text("() timed out").text(here).text(", never closed"),
        2 => line.text(call.name()).text("() found nothing to do (EAGAIN)").text(here).text(", never closed"),
        3 => {
            line.text(call.name()).text("() failed with ");
            match errno::name(leak.errno) {
                Some(name) => line.text(name),
                None => line.text("errno ").number(u64::from(leak.errno)),
            };
            line.text(here).text(", never closed")
        }
        _ => line.text("last used by ").text(call.name()).text("()").text(here).text(", never closed"),
    };
}

/// The states of TCP, with what the two that tell most mean.
fn states(leak: &Leak, line: &mut Line) {
    let mut separator = "; TCP: ";
    for (state, count) in leak.tcp.iter().enumerate().skip(1).filter(|(_, count)| **count > 0) {
        line.text(separator).number(u64::from(*count)).text(" ").text(TCP_NAMES[state]);
        separator = ", ";
        match state {
            CLOSE_WAIT => {
                line.text(" (the peer has closed; your side never did)");
            }
            FIN_WAIT2 => {
                line.text(" (your side has shut down; the peer never did, and the descriptor is still open)");
            }
            _ => {}
        }
    }
}

/// `870 of 1024 descriptors are open: 700 were opened by the first stack below (650 more than 30 s ago), …`.
pub(super) fn write_limit(report: &Report, line: &mut Line) {
    let Resource::Limit(limit) = report.resource else {
        line.text("the limit of open descriptors");
        return;
    };
    if limit.errno != 0 {
        line.text("out of descriptors, ");
        match errno::name(limit.errno) {
            Some(name) => line.text(name),
            None => line.text("errno ").number(u64::from(limit.errno)),
        };
        line.text(": ");
    }
    line.number(limit.open).text(" of ").number(limit.limit).text(" descriptors are open (");
    line.number(limit.open * 100 / limit.limit.max(1)).text(" %)");
    let mut separator = ", ";
    let places = limit.places.iter().enumerate().filter(|(i, p)| p.0 > 0 && report.parties[*i].role.is_some());
    for (i, (open, more)) in places {
        line.text(separator).number(u64::from(*open)).text(if i == 0 {
            " of them opened at the first stack"
        } else {
            " at the "
        });
        line.text(["", "second", "third", "fourth", "fifth", "sixth"][i]);
        if *more > 0 && limit.over >= 1_000_000_000 {
            line.text(" (").number(u64::from(*more)).text(" more than ");
            duration(limit.over / 1_000_000, line);
            line.text(" ago)");
        }
        separator = ", ";
    }
}

/// A time in milliseconds, to two or three figures.
fn duration(ms: u64, line: &mut Line) {
    match ms {
        0..1000 => line.number(ms).text(" ms"),
        1000..10_000 => line.number(ms / 1000).text(".").number(ms % 1000 / 100).text(" s"),
        10_000..120_000 => line.number(ms / 1000).text(" s"),
        120_000..7_200_000 => line.number(ms / 60_000).text(" min"),
        _ => line.number(ms / 3_600_000).text(" h"),
    };
}
