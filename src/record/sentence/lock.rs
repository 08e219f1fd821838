//! The sentences of locks: what failed, who holds what, and what became of it.

use super::{by, call};
use crate::findings::{Lock, Report, Resource};
use crate::kind::{Kind, Role};
use crate::lock::{act, error_name, kind, mode};
use crate::text::Line;

/// `pthread_rwlock_wrlock of rwlock 0x55d0 failed with EDEADLK: here by thread 12 "worker", which holds it since …`.
pub(super) fn write(report: &Report, line: &mut Line) {
    let Resource::Lock(lock) = report.resource else {
        line.text(report.kind.name());
        return;
    };
    let here = report.party(Role::Here);
    match report.kind {
        Kind::LockFailed => {
            call(report, line);
            line.text(" of ");
            the_lock(&lock, line);
            line.text(" failed with ");
            error(lock.errno, line);
            line.text(": here");
            by(here, line);
        }
        Kind::LockIgnored => {
            call(report, line);
            line.text(" of ");
            the_lock(&lock, line);
            line.text(" had failed with ");
            error(lock.errno, line);
            line.text(", and the thread went on as if it held it: failed here");
            by(here, line);
            line.text(", then ").text(act::verb(lock.act));
            by(report.party(Role::Victim), line);
        }
        Kind::LockSelfDeadlock => {
            call(report, line);
            line.text(" waits for ever for ");
            the_lock(&lock, line);
            line.text(", which the thread holds itself: here");
            by(here, line);
        }
        Kind::LockUpgrade => {
            call(report, line);
            line.text(" waits for ever for ");
            the_lock(&lock, line);
            line.text(", which the thread holds for reading: here");
            by(here, line);
        }
        Kind::LockNotOwner => {
            call(report, line);
            line.text(" of ");
            the_lock(&lock, line);
            line.text(", which another thread holds: here");
            by(here, line);
        }
        Kind::LockNotLocked => {
            call(report, line);
            line.text(" of ");
            the_lock(&lock, line);
            line.text(", which is not locked: here");
            by(here, line);
        }
        Kind::LockDestroyed => {
            call(report, line);
            line.text(" of ");
            the_lock(&lock, line);
            line.text(" after its destruction: here");
            by(here, line);
            line.text(", destroyed");
            by(report.party(Role::Deleted), line);
        }
        Kind::LockHeldAtExit => {
            line.text("a thread has ended and holds ");
            the_lock(&lock, line);
        }
        Kind::LockFreedHeld => {
            the_lock(&lock, line);
            if here.is_none() {
                line.text(" is held and lay on the stack of a thread that has ended");
            } else {
                line.text(" is held and was ").text(act::verb(lock.act)).text(": here");
                by(here, line);
            }
        }
        Kind::LockOrder => {
            the_lock(&lock, line);
            line.text(" is taken while ");
            the_other(&lock, line);
            line.text(" is held, and elsewhere the other way round: here");
            by(here, line);
            line.text(", the other way");
            by(report.party(Role::Victim), line);
        }
        Kind::LockCond => {
            call(report, line);
            line.text(" of ");
            the_lock(&lock, line);
            if lock.other != 0 {
                line.text(" with ");
                the_other(&lock, line);
            }
            match lock.act {
                act::LOCK => line.text(", which the thread does not hold"),
                act::WAIT => line.text(", while another thread waits with mutex ").hex(lock.old),
                _ => line.text(", while a thread waits on it"),
            };
            line.text(": here");
            by(here, line);
            if report.party(Role::Victim).is_some() {
                line.text(", the other waits");
                by(report.party(Role::Victim), line);
            }
        }
        Kind::LockWriteUnderRead => {
            line.text("memory that ");
            the_lock(&lock, line);
            line.text(" protects was written while it was held for reading only: ").number(lock.offset);
            line.text(" bytes into block ").hex(lock.block).text(" (").number(lock.block_size).text(" bytes), ");
            line.hex(lock.old).text(" became ").hex(lock.new);
            if here.is_some() {
                line.text(": here");
                by(here, line);
            }
            line.text(match lock.act {
                act::ATOMIC => ", with an atomic instruction",
                act::PROTECTED => ", which held another lock",
                act::MEANWHILE => "; other locks were held meanwhile, and one of them may protect it",
                act::BESIDE => "; another lock is in the block, and may protect it",
                _ => "",
            });
        }
        _ => {
            line.text(report.kind.name()).text(" of ");
            the_lock(&lock, line);
        }
    }
    if report.party(Role::Locked).is_some() {
        line.text(match (report.kind, lock.mode) {
            (_, mode::READ) => ", locked for reading",
            _ => ", locked",
        });
        by(report.party(Role::Locked), line);
    }
}

/// `rwlock 0x55d0`.
fn the_lock(lock: &Lock, line: &mut Line) {
    line.text(kind::name(lock.kind)).text(" ").hex(lock.address);
}

fn the_other(lock: &Lock, line: &mut Line) {
    line.text(kind::name(lock.other_kind)).text(" ").hex(lock.other);
}

fn error(number: u16, line: &mut Line) {
    match error_name(number) {
        Some(name) => line.text(name),
        None => line.text("error ").number(u64::from(number)),
    };
}
