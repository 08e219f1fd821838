//! The rule table: given the facts of a number's last lives, with what right does this thread close it, and whose fault
//! is it that a call failed. Pure functions of copies; the transitions that call them are in `close`.
//!
//! Why the order of the rules is what it is: an owner violation is proved by the one generation alone, so it comes first; a
//! holder needs no further look, which keeps the common close cheap; a thread that closed the former life itself is judged
//! by its own two stacks before it may pose as a victim; and the *earliest* close by a non-holder is blamed, because
//! everything after it is consequence. A victim is believed when a call of its own fails. A close of its that succeeds is as good,
//! but not where descriptors are known to be handed off: threads that do so both ways leave the same traces as a thread that lost its
//! number and then closes a stranger's. Such a close is remembered, and convicts the first one when the stranger complains.
//!
//! Rules: silence is the default. Closes that could be hand-offs are never a finding on their own; an unknown stack differs
//! from nothing; a generation of another process proves nothing in this one.

use super::close::KernelView;
use super::generation::{CloseStanding, Facts};
use super::kind::{FdKind, Owner};
use super::pairs::Pairs;
use super::verdict::{Fault, Severity, Verdict};
use crate::actor::{Actor, Party};

/// The lives before one generation that the ring still holds, newest first.
pub(super) type Older = [Option<Facts>; 3];

/// A generation and the lives before it.
pub(super) struct Past {
    pub generation: u32,
    pub facts: Facts,
    pub older: Older,
}

/// With what right a close is made, and the finding if it has none.
pub(super) struct Decision {
    pub standing: CloseStanding,
    pub verdict: Option<Verdict>,
}

/// The right of `by` to close the open generation. `older` is asked only when the thread is no holder.
pub(super) fn closing(
    generation: u32,
    facts: &Facts,
    older: impl FnOnce() -> Older,
    by: &Actor,
    acting: Owner,
    pairs: &impl Pairs,
) -> Decision {
    let silent = |standing| Decision { standing, verdict: None };
    let inherited = facts.inherited_by(by);
    if !inherited && violates_owner(facts, acting) {
        let owner = if facts.owner.is_none() { acting } else { facts.owner };
        // The FILE whose number is now somebody else's: who closed it under the FILE?
        let lost = if acting.is_none() { None } else { older().into_iter().flatten().find(|h| h.owner.is(acting)) };
        let closed = lost.map_or(Party::ABSENT, |h| h.closer);
        let verdict =
            Verdict { fault: Fault::Owner, refuse: true, owner, closed, ..about(generation, facts, by.party()) };
        return Decision { standing: CloseStanding::NotOwner, verdict: Some(verdict) };
    }
    if inherited || facts.meta.imported || facts.held_by(by.thread) {
        return silent(CloseStanding::Holder);
    }
    let older = older();
    if let Some(former) = own_close(&older, by, pairs) {
        let (first, second) = (former.stack, by.stack);
        if pairs.knows(first, second) {
            let verdict = Verdict {
                fault: Fault::StaleClose,
                refuse: true,
                closed: former,
                ..about(generation, facts, by.party())
            };
            return Decision { standing: CloseStanding::Stale, verdict: Some(verdict) };
        }
        let elsewhere = first.is_known() && second.is_known() && first != second;
        return silent(if elsewhere { CloseStanding::Pending } else { CloseStanding::HandOff });
    }
    let mut losses = losses(generation, &older, by).peekable();
    if losses.peek().is_none() {
        pairs.learn_hand_off(by.stack);
        return silent(CloseStanding::HandOff);
    }
    let handed_off = |loss: &Loss| pairs.hands_off(by.stack) || pairs.hands_off(loss.verdict.here.stack);
    let convicted = losses.find(|loss| loss.proved || !handed_off(loss));
    let verdict = convicted.map(|loss| Verdict { refuse: true, ..loss.verdict });
    Decision { standing: CloseStanding::Victim, verdict }
}

/// The thread's own close of a former life, when it has had nothing to do with the number since. A preempted thread may be
/// several lives late, or so many that only the thread itself remembers; such a close has taught us before that it comes twice.
fn own_close(older: &Older, by: &Actor, pairs: &impl Pairs) -> Option<Party> {
    for life in older.iter().map_while(|life| life.filter(|life| !life.inherited_by(by))) {
        if life.closer.tid == by.tid {
            return Some(life.closer);
        }
        if life.held_by(by.thread) {
            return None;
        }
    }
    let latest = Party { tid: by.tid, stack: by.closed_before };
    (latest.stack.is_known() && pairs.knows(latest.stack, by.stack)).then_some(latest)
}

/// A close of a number that the record says is not open, after the kernel was asked.
pub(super) fn not_open(
    past: &Past,
    racing: bool,
    by: &Actor,
    kernel: KernelView,
    pairs: &impl Pairs,
) -> Option<Verdict> {
    let facts = &past.facts;
    let again = Verdict { closed: facts.closer, refuse: true, ..about(past.generation, facts, by.party()) };
    match kernel {
        KernelView::NotOpen => {}
        KernelView::LibcNetlink if !racing || !may_be_netlink(facts.meta.kind) => {
            return Some(Verdict { fault: Fault::ClosedLibc, ..again });
        }
        KernelView::OpenDuringResolver if !racing => return Some(Verdict { fault: Fault::ClosedLibc, ..again }),
        // Somebody took the number unseen, or is about to say so. The same two places of the same thread were proved to
        // close twice before: this is the second close again, whoever it would hit.
        KernelView::OpenElsewhere
            if !racing
                && !facts.inherited_by(by)
                && facts.closer.tid == by.tid
                && pairs.knows(facts.closer.stack, by.stack) =>
        {
            return Some(again);
        }
        // While the first closer is inside close, "open" may still mean this very generation.
        KernelView::LibcNetlink | KernelView::OpenDuringResolver | KernelView::OpenElsewhere => return None,
    }
    if let Some(loss) = loss(past.generation, facts, &past.older, by) {
        return Some(Verdict { refuse: true, ..loss.verdict });
    }
    if facts.inherited_by(by) {
        return Some(Verdict { severity: Severity::Info, refuse: false, ..again });
    }
    // One place that closes twice in a row, such as a reaper's loop, proves nothing about its next close.
    if facts.closer.tid == by.tid && facts.closer.stack != by.stack {
        pairs.learn(facts.closer.stack, by.stack);
    }
    Some(again)
}

/// A call failed with EBADF on a number that was closed before; `elsewhere` when that was in another process.
pub(super) fn failed_use(past: &Past, by: &Actor, elsewhere: bool) -> Verdict {
    let facts = &past.facts;
    let foreign = elsewhere || facts.inherited_by(by);
    if !foreign {
        if let Some(loss) = loss(past.generation, facts, &past.older, by) {
            return loss.verdict;
        }
    }
    Verdict {
        fault: Fault::UseAfterClose,
        severity: if foreign { Severity::Info } else { Severity::Error },
        closed: facts.closer,
        ..about(past.generation, facts, by.party())
    }
}

/// The claimant's own close failed with EBADF because another thread closed the number meanwhile.
pub(super) fn lost_race(generation: u32, facts: &Facts, by: &Actor) -> Verdict {
    Verdict {
        severity: if facts.inherited_by(by) { Severity::Info } else { Severity::Error },
        closed: facts.racer,
        ..about(generation, facts, by.party())
    }
}

/// A second owner for an owned number.
pub(super) fn second_owner(generation: u32, facts: &Facts, first: Owner, by: &Actor) -> Option<Verdict> {
    if facts.inherited_by(by) {
        return None;
    }
    Some(Verdict { fault: Fault::Owner, owner: first, ..about(generation, facts, by.party()) })
}

/// A call failed with EBADF on a number of which nothing is known.
pub(super) fn bad_fd(by: &Actor) -> Verdict {
    Verdict { fault: Fault::BadFd, severity: Severity::Info, here: by.party(), ..Verdict::default() }
}

/// The verdict's common part: an error of `here` about this generation.
fn about(generation: u32, facts: &Facts, here: Party) -> Verdict {
    Verdict { generation, here, opened: facts.opener, ..Verdict::default() }
}

/// Who acts is not who owns. An imported number may carry a FILE that libc made before we could see (stdin): no proof.
fn violates_owner(facts: &Facts, acting: Owner) -> bool {
    let unproved = facts.meta.imported && facts.owner.is_none();
    !unproved && !facts.owner.is(acting)
}

/// A thread lost a life that it held, to a close that may have been stale.
struct Loss {
    verdict: Verdict,
    /// The close was at a pair of stacks that closed twice before: no complaint is needed.
    proved: bool,
}

/// `by` held generation h, and another thread that did not hold it closed it at a pending (or learned) pair of stacks: if
/// `by` complains with reason, that close was stale. If the other was itself such a loser, and took the next life for its
/// own, the close by which it lost is the one. `before` is what was before h, newest first.
fn loss(h: u32, facts: &Facts, before: &[Option<Facts>], by: &Actor) -> Option<Loss> {
    let closer = facts.closer;
    if facts.inherited_by(by) || !facts.held_by(by.thread) || closer.is_absent() || closer.tid == by.tid {
        return None;
    }
    match facts.meta.standing {
        CloseStanding::Pending | CloseStanding::Stale => {}
        CloseStanding::Victim => {
            let loser = Actor { tid: closer.tid, thread: facts.meta.closer, stack: closer.stack, ..*by };
            return losses(h, before, &loser).next();
        }
        _ => return None,
    }
    // The offender's own first close.
    let first = before.first().copied().flatten().map(|before| before.closer);
    let verdict = Verdict {
        fault: Fault::StaleClose,
        closed: first.filter(|first| first.tid == closer.tid).unwrap_or(Party::ABSENT),
        victim: by.party(),
        ..about(h, facts, closer)
    };
    Some(Loss { verdict, proved: facts.meta.standing == CloseStanding::Stale })
}

/// What `by` lost before `generation`. Oldest first: the earliest stale close is to blame.
fn losses<'a>(generation: u32, older: &'a [Option<Facts>], by: &'a Actor) -> impl Iterator<Item = Loss> + 'a {
    let lives = older.iter().enumerate().rev();
    lives.filter_map(move |(age, life)| {
        loss(generation_before(generation, age), life.as_ref()?, older.get(age + 1..)?, by)
    })
}

/// Counting back from the newest: the older entry at `age` 0 is the one just before `generation`.
fn generation_before(generation: u32, age: usize) -> u32 {
    generation.wrapping_sub(1 + age as u32)
}

/// The program's own descriptor may be what the kernel calls a netlink socket.
fn may_be_netlink(kind: FdKind) -> bool {
    matches!(kind, FdKind::Unknown | FdKind::Netlink | FdKind::Socket)
}
