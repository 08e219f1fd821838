//! The model: every life of the number in a Vec, and the rules directly, sentence by sentence.
//!
//! In one file, so that all the rules are stated a second time in one place, apart from the code they check. What the ring of the slot
//! forgets, the model must leave out too (`remembered`).

use crate::histories::thread_of;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use track::fd::*;

#[derive(Clone, Debug)]
pub struct Life {
    pub opener: Party,
    epoch: u16,
    imported: bool,
    kind: FdKind,
    holders: BTreeSet<u16>,
    pub owner: Owner,
    pub closer: Party,
    pub standing: CloseStanding,
    racers: Vec<Party>,
}

#[derive(Default)]
pub struct Model {
    pub lives: Vec<Life>,
    pub state: State,
    was: State,
    epoch: u16,
    learned: HashSet<(u32, u32)>,
    /// Where a thread closed what it had never held.
    hand_offs: RefCell<HashSet<StackId>>,
}

impl Model {
    pub fn generation(&self) -> u32 {
        self.lives.len() as u32
    }

    /// Life g, if the slot can still know it.
    fn remembered(&self, g: u32) -> Option<&Life> {
        (g >= 1 && g <= self.generation() && self.generation() - g < 4).then(|| &self.lives[g as usize - 1])
    }

    fn go(&mut self, state: State, by: &Actor) {
        (self.state, self.epoch) = (state, by.epoch);
    }

    pub fn opened(&mut self, by: &Actor, what: Opening) -> Opened {
        let displaced = self.state;
        let holders = if what.imported { BTreeSet::new() } else { BTreeSet::from([by.thread.0 % 64]) };
        self.lives.push(Life {
            opener: by.party(),
            epoch: by.epoch,
            imported: what.imported,
            kind: what.kind,
            holders,
            owner: what.owner,
            closer: Party::ABSENT,
            standing: CloseStanding::None,
            racers: vec![],
        });
        self.go(State::Open, by);
        Opened { generation: self.generation(), displaced }
    }

    pub fn used(&mut self, thread: ThreadIndex) {
        if self.state == State::Open {
            self.lives.last_mut().unwrap().holders.insert(thread.0 % 64);
        }
    }

    pub fn set_owner(&mut self, by: &Actor, owner: Owner) -> Option<Verdict> {
        if self.state != State::Open {
            return None;
        }
        let generation = self.generation();
        let life = self.lives.last_mut().unwrap();
        let first = std::mem::replace(&mut life.owner, owner);
        let second = first != Owner::NONE && owner != Owner::NONE && first != owner && life.epoch == by.epoch;
        second.then(|| Verdict {
            fault: Fault::Owner,
            severity: Severity::Error,
            refuse: false,
            generation,
            here: by.party(),
            closed: Party::ABSENT,
            opened: life.opener,
            victim: Party::ABSENT,
            owner: first,
        })
    }

    /// Rules for a close of the open life: C2, holder, C4 and P and U by T's own earlier close, the confirmed victim, U.
    fn right(&self, by: &Actor, acting: Owner) -> (CloseStanding, Option<Verdict>) {
        let g = self.generation();
        let life = self.lives.last().unwrap();
        let finding = |fault| Verdict {
            fault,
            severity: Severity::Error,
            refuse: true,
            generation: g,
            here: by.party(),
            closed: Party::ABSENT,
            opened: life.opener,
            victim: Party::ABSENT,
            owner: Owner::NONE,
        };
        let inherited = life.epoch != by.epoch;
        if !inherited && life.owner != acting && !(life.imported && life.owner == Owner::NONE) {
            let owner = if life.owner != Owner::NONE { life.owner } else { acting };
            // A FILE whose own life of the number was ended under it: by whom?
            let lost =
                (1..g).rev().filter_map(|h| self.remembered(h)).find(|h| acting != Owner::NONE && h.owner == acting);
            let closed = lost.map(|h| h.closer).unwrap_or_default();
            return (CloseStanding::NotOwner, Some(Verdict { owner, closed, ..finding(Fault::Owner) }));
        }
        if inherited || life.imported || life.holders.contains(&(by.thread.0 % 64)) {
            return (CloseStanding::Holder, None);
        }
        let last = (1..g).rev().map_while(|h| self.remembered(h).filter(|h| h.epoch == by.epoch)).find(|h| {
            // The thread's last dealing with the number.
            h.closer.tid == by.tid || h.holders.contains(&(by.thread.0 % 64))
        });
        if let Some(h) = last.filter(|h| h.closer.tid == by.tid) {
            let (s1, s2) = (h.closer.stack.0, by.stack.0);
            if self.learned.contains(&(s1, s2)) {
                return (CloseStanding::Stale, Some(Verdict { closed: h.closer, ..finding(Fault::StaleClose) }));
            }
            let differ = s1 != 0 && s2 != 0 && s1 != s2;
            return (if differ { CloseStanding::Pending } else { CloseStanding::HandOff }, None);
        }
        // A finding, unless descriptors are handed off there and the close by which it lost was not proved by itself.
        let losses: Vec<Verdict> = (1..g).filter_map(|h| self.victim_of(h, by)).collect();
        if losses.is_empty() {
            if by.stack.is_known() {
                self.hand_offs.borrow_mut().insert(by.stack);
            }
            return (CloseStanding::HandOff, None);
        }
        let hands_off = |stack: StackId| self.hand_offs.borrow().contains(&stack);
        let convicted = |loss: &&Verdict| {
            let proved = self.remembered(loss.generation).unwrap().standing == CloseStanding::Stale;
            proved || !hands_off(by.stack) && !hands_off(loss.here.stack)
        };
        (CloseStanding::Victim, losses.iter().find(convicted).map(|loss| Verdict { refuse: true, ..*loss }))
    }

    /// T held h; T2, not T, closed it pending: T2's close of h was stale. Or T2 closed it because T3 had closed a life that
    /// T2 held, and so on.
    fn victim_of(&self, h: u32, by: &Actor) -> Option<Verdict> {
        let life = self.remembered(h)?;
        let held = life.holders.contains(&(by.thread.0 % 64)) && life.epoch == by.epoch;
        let other = life.closer != Party::ABSENT && life.closer.tid != by.tid;
        if !held || !other {
            return None;
        }
        if life.standing == CloseStanding::Victim {
            let Party { tid, stack } = life.closer;
            let loser = Actor { tid, thread: thread_of(tid), stack, ..*by };
            return (1..h).find_map(|h| self.victim_of(h, &loser));
        }
        if !matches!(life.standing, CloseStanding::Pending | CloseStanding::Stale) {
            return None;
        }
        let own = h.checked_sub(1).and_then(|before| self.remembered(before)).map(|before| before.closer);
        Some(Verdict {
            fault: Fault::StaleClose,
            severity: Severity::Error,
            refuse: false,
            generation: h,
            here: life.closer,
            closed: own.filter(|own| own.tid == life.closer.tid).unwrap_or_default(),
            opened: life.opener,
            victim: by.party(),
            owner: Owner::NONE,
        })
    }

    pub fn closing(&mut self, by: &Actor, acting: Owner) -> Closing {
        let generation = self.generation();
        let not_open = |state, racing| Closing::NotOpen(NotOpen { generation, state, racing });
        match self.state {
            State::Unknown => Closing::Unseen,
            State::Open => {
                let (standing, verdict) = self.right(by, acting);
                self.go(State::Closing, by);
                let life = self.lives.last_mut().unwrap();
                (life.closer, life.standing) = (by.party(), standing);
                let claim = Claim { generation };
                match (verdict, standing) {
                    (Some(verdict), _) => Closing::Suspicious(claim, verdict),
                    (_, CloseStanding::Pending | CloseStanding::Victim) => Closing::Pending(claim),
                    (_, CloseStanding::HandOff) => Closing::HandOff(claim),
                    _ => Closing::Ordinary(claim),
                }
            }
            _ if self.epoch != by.epoch => {
                self.go(State::Unknown, by);
                Closing::Unseen
            }
            State::Replacing if !matches!(self.was, State::Closed | State::Tombstoned) => Closing::Unseen,
            State::Closing => {
                let life = self.lives.last_mut().unwrap();
                if life.closer.tid == by.tid {
                    life.closer = by.party();
                    return Closing::Ordinary(Claim { generation });
                }
                life.racers.push(by.party());
                not_open(State::Closing, true)
            }
            state => not_open(state, false),
        }
    }

    pub fn closed(&mut self, claim: &Claim, by: &Actor, outcome: Outcome) -> Option<Verdict> {
        let g = claim.generation;
        let ours = self.state == State::Closing && self.generation() == g;
        let bad_fd = outcome == Outcome::Failed { bad_fd: true };
        let verdict = self.remembered(g).filter(|life| bad_fd && !life.racers.is_empty()).map(|life| Verdict {
            fault: Fault::DoubleClose,
            severity: if life.epoch == by.epoch { Severity::Error } else { Severity::Info },
            refuse: false,
            generation: g,
            here: by.party(),
            closed: life.racers[0],
            opened: life.opener,
            victim: Party::ABSENT,
            owner: Owner::NONE,
        });
        if ours {
            let life = self.lives.last_mut().unwrap();
            if bad_fd {
                life.closer = life.racers.first().copied().unwrap_or_default();
            } else if outcome == Outcome::Refused {
                life.closer = Party::ABSENT;
            }
            if bad_fd || outcome == Outcome::Refused {
                life.standing = CloseStanding::None;
            }
            if outcome == Outcome::Refused {
                life.racers.clear();
            }
            let next = match outcome {
                Outcome::Closed | Outcome::Failed { .. } => State::Closed,
                Outcome::Tombstoned => State::Tombstoned,
                Outcome::Refused => State::Open,
            };
            self.go(next, by);
        }
        verdict
    }

    pub fn judge(&mut self, by: &Actor, found: &NotOpen, kernel: KernelView) -> Option<Verdict> {
        let life = self.remembered(found.generation)?;
        let again = Verdict {
            fault: Fault::DoubleClose,
            severity: Severity::Error,
            refuse: true,
            generation: found.generation,
            here: by.party(),
            closed: life.closer,
            opened: life.opener,
            victim: Party::ABSENT,
            owner: Owner::NONE,
        };
        let libc = Some(Verdict { fault: Fault::ClosedLibc, ..again });
        let own_netlink = matches!(life.kind, FdKind::Netlink | FdKind::Socket | FdKind::Unknown);
        match kernel {
            KernelView::OpenElsewhere => {
                let pair = (life.closer.stack.0, by.stack.0);
                let own = life.closer.tid == by.tid && life.epoch == by.epoch;
                (own && !found.racing && self.learned.contains(&pair)).then_some(again)
            }
            KernelView::LibcNetlink => libc.filter(|_| !found.racing || !own_netlink),
            KernelView::OpenDuringResolver => libc.filter(|_| !found.racing),
            KernelView::NotOpen => {
                if let Some(verdict) = self.victim_of(found.generation, by) {
                    return Some(Verdict { refuse: true, ..verdict });
                }
                if life.epoch != by.epoch {
                    return Some(Verdict { severity: Severity::Info, refuse: false, ..again });
                }
                let (s1, s2) = (life.closer.stack.0, by.stack.0);
                if life.closer.tid == by.tid && s1 != 0 && s2 != 0 && s1 != s2 {
                    self.learned.insert((s1, s2));
                }
                Some(again)
            }
        }
    }

    pub fn failed_use(&self, by: &Actor) -> Option<Verdict> {
        let nothing = Verdict {
            fault: Fault::BadFd,
            severity: Severity::Info,
            here: by.party(),
            refuse: false,
            generation: 0,
            closed: Party::ABSENT,
            opened: Party::ABSENT,
            victim: Party::ABSENT,
            owner: Owner::NONE,
        };
        let elsewhere = self.epoch != by.epoch;
        match self.state {
            State::Open => return None,
            State::Unknown => return Some(nothing),
            State::Closed | State::Tombstoned => {}
            _ if elsewhere => return Some(nothing),
            State::Replacing => return None,
            State::Closing | State::Evicting => {}
        }
        let life = self.lives.last().unwrap();
        let foreign = elsewhere || life.epoch != by.epoch;
        if !foreign {
            if let Some(verdict) = self.victim_of(self.generation(), by) {
                return Some(verdict);
            }
        }
        Some(Verdict {
            fault: Fault::UseAfterClose,
            severity: if foreign { Severity::Info } else { Severity::Error },
            generation: self.generation(),
            closed: life.closer,
            opened: life.opener,
            ..nothing
        })
    }

    pub fn begin_replace(&mut self, by: &Actor) -> Replace {
        let was = match self.state {
            State::Open => State::Open,
            _ if self.epoch != by.epoch => State::Unknown,
            State::Closing if self.lives.last().unwrap().closer.tid == by.tid => State::Closing,
            State::Closing | State::Evicting | State::Replacing => return Replace::Busy,
            other => other,
        };
        self.was = was;
        self.go(State::Replacing, by);
        Replace::Claimed { was, verdict: None, generation: self.generation() }
    }
}
