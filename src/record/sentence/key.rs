//! The sentences of thread-specific keys: which index was used without right, and whose it is.

use super::{by, call, name};
use crate::findings::{Key, Report, Resource};
use crate::key::state;
use crate::kind::{Kind, Role, Severity};
use crate::text::Line;

/// `pthread_setspecific of key 0, which was never created: here by thread 12 "worker"; …`.
pub(super) fn write(report: &Report, line: &mut Line) {
    let Resource::Key(key) = report.resource else {
        line.text(report.kind.name());
        return;
    };
    match report.kind {
        Kind::KeyUnloaded => unloaded(report, &key, line),
        Kind::KeyExhausted => exhausted(report, &key, line),
        _ => misuse(report, &key, line),
    }
}

fn misuse(report: &Report, key: &Key, line: &mut Line) {
    call(report, line);
    line.text(" of key ").number(u64::from(key.index)).text(", which ");
    line.text(match (report.kind, key.state) {
        (Kind::KeyForeign, _) => "belongs to another module",
        (Kind::KeyStale, _) => "was deleted, and is another one by now",
        (_, state::DELETED) => "was deleted",
        (_, state::RANGE) => "is no key at all",
        (_, state::LIBC) => "is the C library's own",
        _ => "was never created",
    });
    line.text(": here");
    by(report.party(Role::Here), line);
    if key.state == state::DECOY || key.index == 0 && key.state == state::LIBC {
        line.text("; a key variable that is 0 was not initialised");
    }
    if report.party(Role::Deleted).is_some() {
        line.text(", deleted");
        by(report.party(Role::Deleted), line);
    }
    if report.party(Role::Created).is_some() {
        line.text(", created");
        by(report.party(Role::Created), line);
    }
    if let Some(victim) = report.party(Role::Victim) {
        line.text("; the victim is the key that was created by");
        name(victim, line);
        if key.value != 0 {
            line.text(", whose value here is ").hex(key.value);
        }
    }
}

fn unloaded(report: &Report, key: &Key, line: &mut Line) {
    line.text("key ").number(u64::from(key.index));
    line.text(if key.state == state::SKIPPED {
        " has a destructor in a module that was unloaded: not called here"
    } else if report.severity == Severity::Error {
        " outlives the module of its destructor: unloaded here"
    } else {
        " outlives the module of its variable: unloaded here"
    });
    by(report.party(Role::Here), line);
    if report.party(Role::Created).is_some() {
        line.text(", created");
        by(report.party(Role::Created), line);
    }
}

fn exhausted(report: &Report, key: &Key, line: &mut Line) {
    line.number(u64::from(key.live)).text(" of ").number(u64::from(key.limit)).text(" keys are in use");
    if key.errno != 0 {
        line.text(": ");
        call(report, line);
        line.text(" failed here");
        by(report.party(Role::Here), line);
    }
}
