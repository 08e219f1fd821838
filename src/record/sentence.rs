//! A finding in one sentence, by the same code in the process (as it is found) and in the command (from the recording).

mod heap;
mod key;
mod leak;
mod lock;

use crate::findings::{Involved, Report, Resource};
use crate::kind::{Kind, Role};
use crate::text::{Line, until_nul};

pub use leak::{TCP_NAMES, ending_name};

/// What `shim` knows that this crate does not: the names of descriptor kinds.
pub type KindName = fn(u8) -> &'static str;

/// Writes the sentence, without a newline:
/// `double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread 12 "worker", already closed by …`.
pub fn write(report: &Report, kind_name: KindName, line: &mut Line) {
    let here = report.party(Role::Here);
    match report.kind {
        Kind::FdDoubleClose => {
            line.text("double close of ");
            resource(report, kind_name, line);
            line.text(": closed here");
            by(here, line);
            line.text(", already closed");
            by(report.party(Role::Closed), line);
        }
        Kind::FdStaleClose => {
            line.text("stale close of ");
            resource(report, kind_name, line);
            line.text(": closed here");
            by(here, line);
            match report.party(Role::Closed) {
                Some(before) => {
                    line.text(", which had already closed its own");
                    if before.tid != here.map_or(0, |h| h.tid) {
                        by(Some(before), line);
                    }
                }
                None => {
                    line.text(", which never held it");
                }
            }
            if let Some(opened) = report.party(Role::Opened) {
                line.text("; the number belonged to");
                name(opened, line);
            }
            if let Some(victim) = report.party(Role::Victim) {
                line.text("; the victim is");
                name(victim, line);
            }
        }
        Kind::FdClosedLibc => {
            line.text("close of a descriptor of the C library: ");
            resource(report, kind_name, line);
            line.text(" closed here");
            by(here, line);
            if let Some(before) = report.party(Role::Closed) {
                line.text(", whose own was already closed");
                by(Some(before), line);
            }
        }
        Kind::FdOwner => owner(report, kind_name, line),
        Kind::FdUseAfterClose => {
            line.text("use of ");
            resource(report, kind_name, line);
            line.text(" after its close: ");
            call(report, line);
            line.text(" failed here");
            by(here, line);
            line.text(", closed");
            by(report.party(Role::Closed), line);
        }
        Kind::FdBadFd => {
            call(report, line);
            line.text(" of ");
            resource(report, kind_name, line);
            line.text(", which is not open: here");
            by(here, line);
        }
        Kind::FdLeak => leak::write(report, kind_name, line),
        Kind::FdLimit => leak::write_limit(report, line),
        Kind::HeapDoubleFree
        | Kind::HeapInvalidFree
        | Kind::HeapUseAfterFree
        | Kind::HeapWriteAfterFree
        | Kind::HeapOverflow
        | Kind::HeapUnderflow
        | Kind::HeapMismatch
        | Kind::HeapLeak => heap::write(report, line),
        Kind::KeyNeverCreated
        | Kind::KeyDeleted
        | Kind::KeyForeign
        | Kind::KeyStale
        | Kind::KeyUnloaded
        | Kind::KeyExhausted => key::write(report, line),
        Kind::LockFailed
        | Kind::LockIgnored
        | Kind::LockSelfDeadlock
        | Kind::LockUpgrade
        | Kind::LockNotOwner
        | Kind::LockNotLocked
        | Kind::LockDestroyed
        | Kind::LockHeldAtExit
        | Kind::LockFreedHeld
        | Kind::LockOrder
        | Kind::LockCond
        | Kind::LockWriteUnderRead => lock::write(report, line),
        Kind::TierFull => {
            line.text("memory tier ").foreign(until_nul(report.detail)).text(": here");
            by(here, line);
        }
        Kind::TierConfig => {
            line.text("memory tiers: ").foreign(until_nul(report.detail));
        }
    }
}

fn owner(report: &Report, kind_name: KindName, line: &mut Line) {
    let here = report.party(Role::Here);
    let (what, pointer) = match report.resource {
        Resource::Descriptor { owner_kind, owner, .. } => (owner_name(owner_kind), owner),
        _ => ("another", 0),
    };
    call(report, line);
    line.text(" of ");
    resource(report, kind_name, line);
    line.text(", which belongs to ").text(what).text(" ").hex(pointer).text(": here");
    by(here, line);
    if let Some(closed) = report.party(Role::Closed) {
        line.text(", its own descriptor was closed");
        by(Some(closed), line);
    }
    if let Some(opened) = report.party(Role::Opened) {
        line.text(", opened");
        by(Some(opened), line);
    }
}

/// What kind of object owns a descriptor, by `Resource::Descriptor::owner_kind`.
pub fn owner_name(kind: u8) -> &'static str {
    match kind {
        1 => "FILE*",
        2 => "DIR*",
        3 => "popen's FILE*",
        _ => "another owner",
    }
}

fn call(report: &Report, line: &mut Line) {
    let name = until_nul(report.detail);
    line.foreign(if name.is_empty() { b"call" } else { name });
}

/// `fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000)`.
fn resource(report: &Report, kind_name: KindName, line: &mut Line) {
    let (fd, kind) = match report.resource {
        Resource::Descriptor { fd, kind, .. } => (fd, kind),
        Resource::Leak(leak) => (leak.fd, leak.kind),
        _ => {
            line.text("a resource");
            return;
        }
    };
    line.text("fd ").signed(i64::from(fd));
    if kind == 0 && report.label.is_none() {
        return;
    }
    line.text(" (").text(kind_name(kind));
    describe(report, line);
    line.text(")");
}

fn describe(report: &Report, line: &mut Line) {
    let label = &report.label;
    if label.is_none() {
        return;
    }
    line.text(" ");
    if label.name().is_some() {
        label.write_name(line);
        return;
    }
    let local = label.write_local(line);
    let mark = line.as_bytes().len();
    line.text(if local { " → " } else { "→ " });
    if !label.write_peer(line) {
        line.truncate(mark);
    }
}

fn by(party: Option<&Involved>, line: &mut Line) {
    match party {
        Some(party) => {
            line.text(" by");
            name(party, line);
        }
        None => {
            line.text(" where shim could not see it");
        }
    }
}

/// ` thread 12 "worker"`.
fn name(party: &Involved, line: &mut Line) {
    line.text(" thread ").number(u64::from(party.tid));
    let thread = until_nul(&party.thread);
    if !thread.is_empty() {
        line.text(" \"").foreign(thread).text("\"");
    }
}
