//! The end of a number: what is asked before the real close, and told after it.
//!
//! ```text
//! before_close ─► Slot::closing: with what right? ─► claimed     the call, or a tombstone takes the number
//!                                                 ─► refused     EBADF, under protect
//!                 the number is not open ──────────► whose fault: what does the kernel say?
//! after_close  ─► the outcome, and what the kernel's EBADF proves
//! ```
//!
//! Why a close is recorded before it happens: once the real call returns, another thread may own the number.

use super::pairs::PAIRS;
use super::{By, PER_CHUNK, growth, is_tombstone, never_open, on, probe, quarantine, quarantined, slot};
use crate::options::{self, Mode};
use crate::private;
use crate::thread::Scope;
use crate::{finding, message, recording, sys};
use libc::c_int;
use record::layout::{Counter, Op, Section, ThreadCounter};
use track::fd::{Actor, Claim, Closing, FdKind, KernelView, NotOpen, Outcome, Owner, Policy, Slot, Verdict};

/// How long a suspicious close waits for threads that are about to record a descriptor that they have made.
const SETTLE_NS: u64 = 100_000_000;

/// What to do about a close, decided before the real call.
pub enum Before {
    /// Make the call; then [`after_close`].
    Call(Ticket),
    /// Not ours to watch: make the call.
    Pass,
    /// Do not make the call: the number is not (any more) the caller's. EBADF.
    Refuse,
    /// Done, by a tombstone: the close has succeeded.
    Done,
}

/// What [`after_close`] needs. Plain data: a cancelled close leaves nothing undone but the record.
pub struct Ticket {
    generation: Option<u32>,
    not_open: Option<NotOpen>,
    actor: Actor,
    policy: Policy,
}

/// How the close will be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// close(2) on the number.
    Close,
    /// fclose, closedir, pclose: the real call must run to free its object, so no tombstone takes its place.
    Object,
}

/// Before a close of `fd`. `acting` is the FILE or DIR whose end this is.
pub fn before_close(fd: c_int, acting: Owner, way: Way, call: &str) -> Before {
    if private::is(fd) {
        return Before::Refuse;
    }
    if !on() {
        return Before::Pass;
    }
    let Some(mut by) = By::now() else { return Before::Pass };
    if fd < 0 {
        return Before::Call(Ticket { generation: None, not_open: None, actor: *by.actor(), policy: Policy::Report });
    }
    if fd == 2 {
        message::stderr_closing();
    }
    let Some(slot) = slot(fd) else { return Before::Pass };
    by.state().add(ThreadCounter::Closes, 1);
    let policy = sweep(&mut by, fd);
    if let By::Full(scope, actor) = &mut by {
        actor.closed_before = scope.inner().latest_close.closing(fd, actor);
    }
    let mut waiting_since = 0;
    loop {
        let closing = slot.closing(by.actor(), acting, &PAIRS);
        let protect = options::fd_mode() == Mode::Protect;
        return match closing {
            Closing::Ordinary(claim) | Closing::HandOff(claim) | Closing::Pending(claim) => {
                claimed(&mut by, slot, fd, claim, way)
            }
            Closing::Suspicious(claim, verdict) => {
                let refuse = protect && verdict.refuse && policy == Policy::Report;
                by.announce(fd, &verdict, call, policy);
                if refuse {
                    slot.closed(claim, by.actor(), Outcome::Refused);
                    refused(&by, fd)
                } else {
                    claimed(&mut by, slot, fd, claim, way)
                }
            }
            Closing::NotOpen(standing) if standing.racing && !protect && probe::open_for_program(fd, &standing) => {
                // Which of the two the kernel hears first is not known yet. The one that it tells EBADF reports, and only that
                // one: said now, this close could still win, and the other would report the same race again.
                Before::Call(Ticket { generation: None, not_open: Some(standing), actor: *by.actor(), policy })
            }
            Closing::NotOpen(standing) => {
                let view = probe::kernel_view(&by, slot, fd, &standing);
                if protect && view == KernelView::OpenElsewhere && probe::somebody_opens(by.state()) {
                    // Perhaps a thread is between the kernel's answer and its record: let it finish.
                    let now = sys::now();
                    if waiting_since == 0 {
                        waiting_since = now;
                    }
                    if now - waiting_since < SETTLE_NS {
                        sys::sched_yield();
                        continue;
                    }
                }
                let held_by_us = !probe::open_for_program(fd, &standing);
                let verdict = slot.judge_not_open(by.actor(), &standing, view, &PAIRS);
                if verdict.is_none() && slot.has_moved_on(&standing) {
                    // The thread was preempted here, and the number is another's by now.
                    continue;
                }
                let refuse = held_by_us && is_tombstone(fd) || protect && verdict.is_some_and(|v| v.refuse);
                if let Some(verdict) = &verdict {
                    by.announce(fd, verdict, call, policy);
                } else if view == KernelView::OpenElsewhere {
                    recording::count(Counter::Unseen);
                }
                if refuse {
                    refused(&by, fd)
                } else {
                    // Reported already: what the kernel now answers adds nothing, unless it was thought open.
                    let again = (verdict.is_none()).then_some(standing);
                    Before::Call(Ticket { generation: None, not_open: again, actor: *by.actor(), policy })
                }
            }
            Closing::Unseen => Before::Call(Ticket { generation: None, not_open: None, actor: *by.actor(), policy }),
        };
    }
}

fn refused(by: &By, fd: c_int) -> Before {
    recording::count(Counter::Refused);
    by.log(Op::Refused, fd, 0, libc::EBADF);
    Before::Refuse
}

fn sweep(by: &mut By, fd: c_int) -> Policy {
    let By::Full(scope, actor) = by else { return Policy::Report };
    let (stack, inner) = (actor.stack, scope.inner());
    let standing = inner.sweep.step(fd, stack);
    if !inner.held.is_empty() {
        finding::held_due(scope, standing.due);
    }
    let policy = standing.policy(fd);
    if policy == Policy::Silent {
        scope.inner().held.discard();
    }
    if standing.aside {
        scope.inner().held.mark();
    }
    policy
}

/// Reports what was found at a close, or holds it back while it may be part of a sweep. Information is never urgent: it
/// waits for the end of the run, so that a sweep from above is silent too.
pub(super) fn announce(scope: &mut Scope, fd: c_int, verdict: &Verdict, call: &str, policy: Policy) {
    match policy {
        Policy::Report if verdict.severity != track::fd::Severity::Info => {
            finding::descriptor(scope, fd, slot(fd), verdict, call);
        }
        Policy::Report | Policy::Hold => {
            if let Some((fd, oldest)) = scope.inner().held.push((fd, *verdict)) {
                finding::descriptor(scope, fd, slot(fd), &oldest, call);
            }
        }
        Policy::Silent => {}
    }
}

/// The number is ours to close now.
#[inline(always)]
fn claimed(by: &mut By, slot: &Slot, fd: c_int, claim: Claim, way: Way) -> Before {
    let actor = *by.actor();
    by.log(Op::Close, fd, u64::from(claim.generation), 0);
    growth::ended(by, slot.life(claim.generation));
    if quarantined() {
        quarantine::evict_due(actor.now);
        if way == Way::Close && fd > 2 && is_socket(slot) && !sys::is_open(fd) {
            // Closed where we could not see. The answer is known, and a call now could hit whoever comes next.
            recording::count(Counter::Unseen);
            let verdict = slot.closed(claim, &actor, Outcome::Failed { bad_fd: true });
            if let (Some(verdict), By::Full(scope, _)) = (verdict, &mut *by) {
                finding::descriptor(scope, fd, Some(slot), &verdict, "close");
            }
            return refused(by, fd);
        }
        if way == Way::Close && fd > 2 && is_socket(slot) && quarantine::entomb(fd) {
            let generation = claim.generation;
            slot.closed(claim, &actor, Outcome::Tombstoned);
            quarantine::push(fd, generation, actor.now);
            return Before::Done;
        }
    }
    Before::Call(Ticket { generation: Some(claim.generation), not_open: None, actor, policy: Policy::Report })
}

fn is_socket(slot: &Slot) -> bool {
    matches!(slot.kind(), FdKind::Tcp | FdKind::Udp | FdKind::Unix | FdKind::Netlink | FdKind::Socket)
}

/// After the real close. Keeps errno.
pub fn after_close(fd: c_int, ticket: Ticket, result: c_int, call: &str) {
    let errno = sys::errno();
    let bad_fd = result != 0 && errno == libc::EBADF;
    match (ticket.generation.and_then(|_| slot(fd)), ticket.generation) {
        (Some(slot), Some(generation)) => {
            let outcome = if result == 0 { Outcome::Closed } else { Outcome::Failed { bad_fd } };
            let verdict = slot.closed(Claim { generation }, &ticket.actor, outcome);
            if let Some(verdict) = verdict {
                finding::guarded(|scope| finding::descriptor(scope, fd, Some(slot), &verdict, call));
            } else if bad_fd {
                recording::count(Counter::Unseen);
            }
        }
        _ if bad_fd => {
            let verdict = match ticket.not_open {
                Some(standing) => {
                    slot(fd).and_then(|s| s.judge_not_open(&ticket.actor, &standing, KernelView::NotOpen, &PAIRS))
                }
                // A close of a number that was never open: worth knowing, no more.
                None => match slot(fd) {
                    Some(slot) => slot.failed_use(&ticket.actor, &PAIRS).filter(|v| v.fault == track::fd::Fault::BadFd),
                    None => Some(never_open(&ticket.actor)),
                },
            };
            if let Some(verdict) = verdict {
                finding::guarded(|scope| announce(scope, fd, &verdict, call, ticket.policy));
            }
        }
        _ => {}
    }
    sys::set_errno(errno);
}

/// A range was closed in one call: no finding, whatever was open.
pub fn range_closed(first: u32, last: u32) {
    let Some(by) = By::now() else { return };
    by.log(Op::CloseRange, first as i32, u64::from(last), 0);
    let end = (last as usize).min(Section::Descriptors.capacity() - 1);
    let mut fd = first as usize;
    while fd <= end {
        let Some(slot) = slot(fd as c_int) else {
            fd = (fd / PER_CHUNK + 1) * PER_CHUNK;
            continue;
        };
        if !private::is(fd as c_int) {
            vanished(slot, &by);
        }
        fd += 1;
    }
}

/// The number was closed in a way that is no finding.
fn vanished(slot: &Slot, by: &By) {
    let snapshot = slot.snapshot();
    match snapshot.state {
        track::fd::State::Open => match slot.closing(by.actor(), Owner::NONE, &PAIRS) {
            Closing::Ordinary(claim)
            | Closing::HandOff(claim)
            | Closing::Pending(claim)
            | Closing::Suspicious(claim, _) => {
                growth::ended(by, slot.life(claim.generation));
                slot.closed(claim, by.actor(), Outcome::Closed);
            }
            Closing::NotOpen(_) | Closing::Unseen => {}
        },
        track::fd::State::Tombstoned if slot.begin_evict(snapshot.generation) => slot.end_evict(snapshot.generation),
        _ => {}
    }
}
