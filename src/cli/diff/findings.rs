//! Findings that are new, gone, or more or fewer than before.
//!
//! The same is what has the same kind, and the same roles with the same stacks, as when recordings are merged; with the calls
//! of [`super::keys`]. Several that are one by that are summed.

use super::State;
use super::keys::Keys;
use crate::merge::Merged;
use crate::symbolise::Symboliser;
use record::kind::{Kind, Role, Severity};
use std::collections::HashMap;
use std::collections::hash_map;

pub struct Row<'a> {
    pub before: Option<u64>,
    pub after: Option<u64>,
    /// As the later side tells it, where it is there.
    pub found: &'a Merged,
}

impl Row<'_> {
    pub fn state(&self) -> State {
        State::of(self.before, self.after)
    }
}

type Key = (Kind, Vec<(Role, Box<[u32]>)>);

/// All that are on either side: the new first, then the gone, then the changed; the gravest of each first.
pub fn rows<'a>(before: &'a [Merged], after: &'a [Merged], keys: &mut Keys, symbols: &mut Symboliser) -> Vec<Row<'a>> {
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut rows: Vec<Row> = Vec::new();
    for (findings, is_after) in [(after, true), (before, false)] {
        for found in findings {
            let stacks = found.stacks.iter().map(|stack| {
                (stack.role, stack.frames.iter().map(|site| keys.call(site, symbols)).collect::<Box<[u32]>>())
            });
            let place = match places.entry((found.finding.kind, stacks.collect())) {
                hash_map::Entry::Occupied(known) => *known.get(),
                hash_map::Entry::Vacant(free) => {
                    rows.push(Row { before: None, after: None, found });
                    *free.insert(rows.len() - 1)
                }
            };
            let row = &mut rows[place];
            let side = if is_after { &mut row.after } else { &mut row.before };
            *side = Some(side.unwrap_or(0).saturating_add(found.count));
        }
    }
    let rank = |state| match state {
        State::New => 0,
        State::Gone => 1,
        State::Changed => 2,
        State::Same => 3,
    };
    let severity = |severity: Severity| severity as u16;
    // Stable: within a rank they are in the order of the report.
    rows.sort_by_key(|row| (rank(row.state()), severity(row.found.finding.severity)));
    rows
}
