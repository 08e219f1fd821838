//! dup2 and dup3: a number that the program chose is claimed before the real call, and recorded after it.
//!
//! Why claimed: a number in the quarantine is closed when its time is up, and must not be once the program has put something
//! there.

use super::{By, growth, kind_and_label, on, record_open, slot, used};
use crate::{finding, message, start, sys};
use libc::c_int;
use record::layout::Op;
use track::fd::{Opening, Owner, Replace};

/// A number claimed for dup2 or dup3.
pub struct Replacing {
    claim: Replace,
    /// The FILE or DIR that the number belongs to: it stays bound to it, whatever is put there.
    owner: Owner,
    /// The life that ends when the call succeeds.
    replaces: Option<u32>,
}

/// dup2 or dup3 onto a number: claims it, so that no eviction closes what the program puts there. To be followed by
/// [`end_replace`].
pub fn begin_replace(to: c_int) -> Option<Replacing> {
    if to < 0 || !on() {
        return None;
    }
    let slot = slot(to)?;
    let by = By::now()?;
    let before = slot.snapshot();
    let owned = before.current.filter(|_| before.state == track::fd::State::Open);
    for _ in 0..1000 {
        match slot.begin_replace(by.actor()) {
            Replace::Busy => sys::sched_yield(),
            claim => {
                let owner = owned.map_or(Owner::NONE, |f| f.owner);
                return Some(Replacing { claim, owner, replaces: owned.map(|_| before.generation) });
            }
        }
    }
    None
}

pub fn end_replace(from: c_int, to: c_int, result: c_int, replacing: Option<Replacing>) {
    let errno = sys::errno();
    let replaces = replacing.as_ref().and_then(|r| r.replaces);
    let (claim, owner) = replacing.map_or((None, Owner::NONE), |r| (Some(r.claim), r.owner));
    if result == -1 {
        if let (Some(claim), Some(slot)) = (claim, slot(to)) {
            slot.end_replace(claim);
        }
    } else if on() {
        used(from);
        let (kind, label) = kind_and_label(from);
        if let Some(mut by) = By::now() {
            if let By::Full(scope, _) = &mut by {
                start::materialise();
                finding::flush_before_open(scope);
            }
            by.log(Op::Dup, from, to as u64, 0);
            if let (Some(generation), Some(slot)) = (replaces, slot(to)) {
                growth::ended(&by, slot.life(generation));
            }
            record_open(&mut by, to, Opening { kind, owner, imported: false, label: label.words() }, Op::Dup);
        }
        if to == 2 {
            finding::guarded(|_| message::stderr_redirected());
        }
    }
    sys::set_errno(errno);
}
