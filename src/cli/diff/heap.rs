//! The heap by call stack, before and after.

use super::State;
use super::keys::Keys;
use crate::heap::names::{self, Call};
use crate::heap::profile::{Entry, Measure, Profile, Value};
use crate::merge::Site;
use crate::symbolise::Symboliser;
use std::collections::HashMap;
use std::collections::hash_map;

/// A call stack that is the same on both sides, with what it has on each.
pub struct Row<'a> {
    before: Option<[Value; 4]>,
    after: Option<[Value; 4]>,
    /// Whose names it is shown by: the later side's, where it is there.
    of: (&'a Profile, &'a Entry),
}

impl<'a> Row<'a> {
    pub fn before(&self, measure: Measure) -> Value {
        self.before.map_or_else(Value::default, |values| values[measure as usize])
    }

    pub fn after(&self, measure: Measure) -> Value {
        self.after.map_or_else(Value::default, |values| values[measure as usize])
    }

    pub fn bytes(&self, measure: Measure) -> i128 {
        i128::from(self.after(measure).bytes) - i128::from(self.before(measure).bytes)
    }

    pub fn blocks(&self, measure: Measure) -> i128 {
        i128::from(self.after(measure).blocks) - i128::from(self.before(measure).blocks)
    }

    /// The change without its sign, as unsure as both numbers are together.
    pub fn change(&self, measure: Measure) -> Value {
        let (before, after) = (self.before(measure), self.after(measure));
        Value {
            blocks: before.blocks.abs_diff(after.blocks),
            bytes: before.bytes.abs_diff(after.bytes),
            variance: before.variance + after.variance,
        }
    }

    pub fn state(&self, measure: Measure) -> State {
        let bytes = |values: &[Value; 4]| values[measure as usize].bytes;
        State::of(self.before.as_ref().map(bytes), self.after.as_ref().map(bytes))
    }

    /// Innermost first.
    pub fn stack(&self) -> Vec<Site> {
        let (profile, entry) = self.of;
        profile.sites_of(entry).iter().map(|site| profile.site(*site)).collect()
    }

    /// The same, with what they are called.
    pub fn calls(&self, symbols: &mut Symboliser) -> Vec<Call> {
        names::calls(self.of.0, self.of.1, symbols)
    }
}

/// The call stacks in which something changed, the largest change first.
pub fn rows<'a>(
    before: &'a Profile,
    after: &'a Profile,
    by: Measure,
    keys: &mut Keys,
    symbols: &mut Symboliser,
) -> Vec<Row<'a>> {
    let mut places: HashMap<Box<[u32]>, usize> = HashMap::new();
    let mut rows: Vec<Row> = Vec::new();
    for (profile, is_after) in [(after, true), (before, false)] {
        let mut known: Vec<Option<u32>> = vec![None; profile.sites_len()];
        for entry in profile.entries() {
            let mut key =
                |site: u32| *known[site as usize].get_or_insert_with(|| keys.call(&profile.site(site), symbols));
            let key: Box<[u32]> = profile.sites_of(entry).iter().map(|site| key(*site)).collect();
            let place = match places.entry(key) {
                hash_map::Entry::Occupied(known) => *known.get(),
                hash_map::Entry::Vacant(free) => {
                    rows.push(Row { before: None, after: None, of: (profile, entry) });
                    *free.insert(rows.len() - 1)
                }
            };
            let row = &mut rows[place];
            let side = if is_after { &mut row.after } else { &mut row.before };
            let sums = side.get_or_insert_with(Default::default);
            for measure in Measure::ALL {
                sums[measure as usize].add(entry.value(measure));
            }
        }
    }
    rows.retain(|row| Measure::ALL.iter().any(|m| row.bytes(*m) != 0 || row.blocks(*m) != 0));
    let order = |row: &Row| (std::cmp::Reverse(row.bytes(by).unsigned_abs()), row.bytes(by) < 0);
    // The order of reading decides nothing: equal changes stand by their frames.
    rows.sort_by(|a, b| {
        let frames = |row: &Row<'a>| row.of.0.order(row.of.1);
        order(a).cmp(&order(b)).then_with(|| frames(a).cmp(frames(b)))
    });
    rows
}
