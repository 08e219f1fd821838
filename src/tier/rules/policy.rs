//! The rules of a process, and how they decide.

use super::frames::{Knowledge, View};
use super::index::Index;
use super::number::Window;
use super::rule::{Limit, Rule};
use super::vocabulary::Vocabulary;
use super::{Decision, Names, Query, Recorded};
use crate::spec::{Place, TierSpec};
use std::ops::RangeInclusive;

/// What a rule file says beside tiers and rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub verify: Verify,
}

/// When it is looked whether blocks are where they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    #[default]
    Exit,
    /// Each block as it is freed.
    Free,
    Off,
}

#[derive(Debug)]
pub struct Policy {
    /// The first is the heap.
    pub tiers: Vec<TierSpec>,
    pub options: Options,
    rules: Vec<Rule>,
    vocabulary: Vocabulary,
    knowledge: Knowledge,
    index: Index,
    recorded: Option<Recorded>,
    depth: usize,
    accounts: u16,
}

/// A rule as a report shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleFacts<'a> {
    pub name: &'a str,
    pub tier: u16,
    pub at: &'a Place,
    pub limit: Option<Limit>,
    /// How many decisions were this one: not how many blocks. 0: it never matched.
    pub decisions: u64,
    /// False: sizes that it wants pass the filter of the hooks, so it may have matched unseen.
    pub is_counted: bool,
}

/// What a policy is made of.
pub(super) struct Parts {
    pub tiers: Vec<TierSpec>,
    pub options: Options,
    pub rules: Vec<Rule>,
    pub vocabulary: Vocabulary,
    pub recorded: Option<Recorded>,
    pub accounts: u16,
}

impl Policy {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { tiers, options, rules, vocabulary, recorded, accounts } = parts;
        let index = Index::new(&rules, &vocabulary);
        let depth = rules.iter().map(Rule::depth).max().unwrap_or(0);
        Self { tiers, options, rules, vocabulary, knowledge: Knowledge::default(), index, recorded, depth, accounts }
    }

    /// Sizes outside of this range go to the heap whatever the stack is: the filter of the hooks. Empty: all do.
    pub fn sizes(&self) -> RangeInclusive<usize> {
        self.reach().map_or(RangeInclusive::new(1, 0), |reach| as_size(reach.first)..=as_size(reach.last))
    }

    fn reach(&self) -> Option<Window> {
        let leaves = |rule: &&Rule| rule.tier != 0 || rule.limit.is_some();
        let wanted = self.rules.iter().filter(leaves).map(|rule| rule.sizes);
        let hull = wanted.reduce(|a, b| Window { first: a.first.min(b.first), last: a.last.max(b.last) });
        // What goes to the heap before anything else is asked for is cut off.
        self.rules.iter().take_while(|rule| !leaves(rule)).filter(|rule| rule.is_bare()).fold(hull, |hull, rule| {
            let hull = hull?;
            let Window { first, last } = rule.sizes;
            match (first <= hull.first && hull.first <= last, first <= hull.last && hull.last <= last) {
                (true, true) => None,
                (true, false) => Some(Window { first: last + 1, ..hull }),
                (false, true) => Some(Window { last: first - 1, ..hull }),
                (false, false) => Some(hull),
            }
        })
    }

    /// The most frames that any rule looks at. 1: the caller alone. 0: none.
    pub fn depth(&self) -> usize {
        self.depth
    }

    pub fn looks_at_threads(&self) -> bool {
        self.rules.iter().any(|rule| rule.thread.is_some())
    }

    /// Each [`Limit::account`] is less.
    pub fn accounts(&self) -> usize {
        usize::from(self.accounts)
    }

    pub fn rules(&self) -> impl ExactSizeIterator<Item = RuleFacts<'_>> {
        let reach = self.reach();
        self.rules.iter().map(move |rule| RuleFacts {
            is_counted: reach.is_some_and(|reach| reach.covers(rule.sizes)),
            name: &rule.name,
            tier: rule.tier,
            at: &rule.at,
            limit: rule.limit,
            decisions: rule.decisions,
        })
    }

    /// To be called when a module was unloaded: its addresses may be another's.
    pub fn modules_changed(&mut self) {
        self.knowledge.forget();
    }

    pub fn decide(&mut self, query: &Query<'_>, names: &mut dyn Names) -> Decision {
        let Self { rules, vocabulary, knowledge, index, recorded, depth, .. } = self;
        let mut view = View::new(vocabulary, knowledge, names, query.frames, *depth, *recorded);
        let size = query.size as u64;
        let mut same = Window::ALL;
        let mut found = None;
        for number in index.candidates(&mut view) {
            let Some(rule) = rules.get_mut(usize::from(number)) else { continue };
            let window = rule.sizes;
            if window.last < same.first || same.last < window.first {
                continue;
            }
            if !rule.matches(query.thread, query.rank, &mut view) {
                continue;
            }
            // Sizes beyond the edge of a window would have another answer.
            if size < window.first {
                same.last = same.last.min(window.first - 1);
            } else if size > window.last {
                same.first = same.first.max(window.last + 1);
            } else {
                same = Window { first: same.first.max(window.first), last: same.last.min(window.last) };
                rule.decisions += 1;
                found = Some((number, rule.tier, rule.limit));
                break;
            }
        }
        Decision {
            rule: found.map(|(number, ..)| number),
            tier: found.map_or(0, |(_, tier, _)| tier),
            limit: found.and_then(|(.., limit)| limit),
            sizes: as_size(same.first)..=as_size(same.last),
            depth: view.depth,
            pending: view.pending,
        }
    }
}

fn as_size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
