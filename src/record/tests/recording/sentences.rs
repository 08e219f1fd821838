//! What each finding says, word for word.

use crate::sample;
use record::findings::{Involved, Key, Lock, Report, Resource};
use record::key::state;
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::lock::{act, kind, thrd};
use record::sentence;
use record::text::Line;

fn said(report: &Report) -> String {
    let mut buffer = [0; 1024];
    let mut line = Line::new(&mut buffer);
    sentence::write(report, |kind| if kind == 4 { "tcp" } else { "file" }, &mut line);
    String::from_utf8(line.as_bytes().to_vec()).expect("utf-8")
}

#[test]
fn a_double_close() {
    assert_eq!(
        said(&sample::double_close(1, 2, 3)),
        "double close of fd 7 (tcp 127.0.0.1:80 → 127.0.0.1:5000): closed here by thread 14 \"worker\", already closed by thread 13 \"io\""
    );
}

#[test]
fn parties_that_nobody_saw() {
    let mut report = sample::double_close(1, 2, 3);
    report.parties[1] = Involved::default();
    assert!(said(&report).ends_with("already closed where shim could not see it"));
}

#[test]
fn an_owner_and_hostile_names() {
    let mut report = sample::double_close(1, 0, 3);
    report.kind = Kind::FdOwner;
    report.resource = Resource::Descriptor { fd: 5, kind: 1, owner_kind: 1, owner: 0x5581, generation: 1 };
    report.label = Label::path(b"/tmp/\x1b[31m");
    report.parties[0].thread = sample::name("\u{7}bell");
    report.parties[1] = Involved::default();
    report.parties[2].role = Some(Role::Opened);
    assert_eq!(
        said(&report),
        r#"close of fd 5 (file /tmp/\x1b[31m), which belongs to FILE* 0x5581: here by thread 14 "\x07bell", opened by thread 12 "app""#
    );
}

#[test]
fn conditions_and_what_c11_answers() {
    let mut report = sample::double_close(1, 2, 3);
    report.kind = Kind::LockCond;
    report.detail = b"pthread_cond_wait";
    report.parties = [Involved::default(); record::layout::PARTIES];
    report.parties[0] = Involved { role: Some(Role::Here), tid: 14, stack: 1, thread: sample::name("worker") };
    let cond = Lock { address: 0x10, kind: kind::COND, other: 0x20, other_kind: kind::MUTEX, ..Lock::default() };
    report.resource = Resource::Lock(Lock { act: act::LOCK, ..cond });
    assert_eq!(
        said(&report),
        "pthread_cond_wait of condition variable 0x10 with mutex 0x20, which the thread does not hold: here by thread 14 \"worker\""
    );
    report.parties[1] = Involved { role: Some(Role::Victim), tid: 15, stack: 2, thread: sample::name("other") };
    report.resource = Resource::Lock(Lock { act: act::WAIT, old: 0x30, ..cond });
    assert_eq!(
        said(&report),
        "pthread_cond_wait of condition variable 0x10 with mutex 0x20, while another thread waits with mutex 0x30: here by thread 14 \"worker\", the other waits by thread 15 \"other\""
    );
    report.detail = b"pthread_cond_destroy";
    report.resource = Resource::Lock(Lock { act: act::DESTROY, other: 0, ..cond });
    assert_eq!(
        said(&report),
        "pthread_cond_destroy of condition variable 0x10, while a thread waits on it: here by thread 14 \"worker\", the other waits by thread 15 \"other\""
    );
    report.kind = Kind::LockFailed;
    report.detail = b"mtx_lock";
    report.parties[1] = Involved::default();
    report.resource = Resource::Lock(Lock { address: 0x10, kind: kind::MUTEX, errno: thrd::ERROR, ..Lock::default() });
    assert_eq!(said(&report), "mtx_lock of mutex 0x10 failed with thrd_error: here by thread 14 \"worker\"");
}

fn key(kind: Kind, roles: &[Role], key: Key, detail: &'static [u8]) -> String {
    let mut report = sample::double_close(1, 2, 3);
    (report.kind, report.resource, report.detail) = (kind, Resource::Key(key), detail);
    for (i, party) in report.parties.iter_mut().enumerate() {
        *party = Involved { role: roles.get(i).copied(), tid: 12 + i as u32, ..Involved::default() };
    }
    said(&report)
}

#[test]
fn keys() {
    let about = |index, state| Key { index, state, live: 9, limit: 1024, ..Key::default() };
    let (here, set) = (Role::Here, &b"pthread_setspecific"[..]);
    assert_eq!(
        key(Kind::KeyNeverCreated, &[here], about(0, state::DECOY), set),
        "pthread_setspecific of key 0, which was never created: here by thread 12; a key variable that is 0 was not initialised"
    );
    assert_eq!(
        key(Kind::KeyNeverCreated, &[here], about(3, state::LIBC), b"tss_get"),
        "tss_get of key 3, which is the C library's own: here by thread 12"
    );
    assert_eq!(
        key(Kind::KeyDeleted, &[here, Role::Deleted, Role::Created], about(3, state::DELETED), set),
        "pthread_setspecific of key 3, which was deleted: here by thread 12, deleted by thread 13, created by thread 14"
    );
    assert_eq!(
        key(Kind::KeyForeign, &[here, Role::Victim], Key { value: 0x5581, ..about(3, state::LIVE) }, set),
        "pthread_setspecific of key 3, which belongs to another module: here by thread 12; the victim is the key that was created by thread 13, whose value here is 0x5581"
    );
    assert_eq!(
        key(Kind::KeyUnloaded, &[here, Role::Created], about(3, state::LIVE), b"dlclose"),
        "key 3 outlives the module of its destructor: unloaded here by thread 12, created by thread 13"
    );
    assert_eq!(
        key(Kind::KeyUnloaded, &[here], about(3, state::SKIPPED), b"destructor"),
        "key 3 has a destructor in a module that was unloaded: not called here by thread 12"
    );
    let full = Key { live: 1024, errno: 11, ..about(0, 0) };
    assert_eq!(
        key(Kind::KeyExhausted, &[here, Role::Created], full, b"pthread_key_create"),
        "1024 of 1024 keys are in use: pthread_key_create failed here by thread 12"
    );
    let mut report = sample::double_close(1, 2, 3);
    (report.kind, report.severity) = (Kind::KeyUnloaded, Severity::Info);
    report.resource = Resource::Key(about(3, state::LIVE));
    assert!(said(&report).starts_with("key 3 outlives the module of its variable: "));
}
