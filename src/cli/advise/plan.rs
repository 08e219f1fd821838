//! Which call stack goes to which tier: one tier after the other, the fastest first, each filled as well as it can be.
//!
//! Why one after the other: how much faster one tier is than the next is not known here, and only such numbers could weigh a loss in the
//! first against a gain in the second.
//!
//! Rules: what needs less than [`LEAST`] of the smallest capacity is left where it is: a rule costs more than it gives there.

use super::candidates::Candidates;
use super::knapsack::Problem;

/// Parts of a capacity.
const LEAST: u64 = 10_000;
/// A rule file has 1024 rules at most; the user's own are among them.
const MOST: usize = 900;

/// A tier, and how much of it a process may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub name: String,
    pub capacity: u64,
}

/// What became of a tier.
pub struct Filled {
    pub room: Room,
    pub greedy: u128,
    pub exact: u128,
    /// No choice is worth more.
    pub bound: u128,
    pub is_proved: bool,
    /// The most bytes that what was chosen needs at a time.
    pub most: u64,
    /// What it would be if all were there at once.
    pub together: u64,
}

pub struct Plan {
    /// Of each entry of the profile, the index of its tier.
    pub tier_of: Vec<Option<usize>>,
    pub filled: Vec<Filled>,
    /// The value of everything.
    pub total: u128,
    /// Call stacks that are of some value, and too small to be looked at.
    pub small: usize,
}

impl Plan {
    pub fn new(candidates: &Candidates, rooms: &[Room]) -> Self {
        let entries = candidates.values.len();
        let least = rooms.iter().map(|room| room.capacity).min().unwrap_or(0) / LEAST;
        let is_small = |entry: &usize| candidates.most[*entry] < least;
        let mut open: Vec<usize> = (0..entries).filter(|entry| candidates.values[*entry] > 0).collect();
        let before = open.len();
        open.retain(|entry| !is_small(entry));
        let mut plan = Self {
            tier_of: vec![None; entries],
            filled: Vec::new(),
            total: candidates.values.iter().map(|value| u128::from(*value)).sum(),
            small: before - open.len(),
        };
        open.sort_by_key(|entry| std::cmp::Reverse(candidates.values[*entry]));
        plan.small += open.len().saturating_sub(MOST);
        open.truncate(MOST);
        for (tier, room) in rooms.iter().enumerate() {
            let problem = Problem {
                capacity: room.capacity,
                values: open.iter().map(|entry| candidates.values[*entry]).collect(),
                rows: candidates.rows.iter().map(|row| open.iter().map(|entry| row[*entry]).collect()).collect(),
            };
            let solved = problem.solve();
            let chosen = &solved.exact.chosen;
            let needs = |row: &Vec<u64>| {
                let of_chosen = row.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(bytes, _)| *bytes);
                of_chosen.fold(0u64, u64::saturating_add)
            };
            let most_of = |entry: &usize| candidates.most[*entry];
            plan.filled.push(Filled {
                room: room.clone(),
                greedy: solved.greedy.value,
                exact: solved.exact.value,
                bound: solved.bound,
                is_proved: solved.is_proved(),
                most: problem.rows.iter().map(needs).max().unwrap_or(0),
                together: open
                    .iter()
                    .zip(chosen)
                    .filter(|(_, c)| **c)
                    .map(|(e, _)| most_of(e))
                    .fold(0, u64::saturating_add),
            });
            for (entry, _) in open.iter().zip(chosen).filter(|(_, chosen)| **chosen) {
                plan.tier_of[*entry] = Some(tier);
            }
            open.retain(|entry| plan.tier_of[*entry].is_none());
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str, capacity: u64) -> Room {
        Room { name: name.to_owned(), capacity }
    }

    fn candidates(sites: &[(u64, u64)]) -> Candidates {
        let most: Vec<u64> = sites.iter().map(|(_, bytes)| *bytes).collect();
        Candidates {
            values: sites.iter().map(|(value, _)| *value).collect(),
            rows: vec![most.clone()],
            lifetimes: vec![None; sites.len()],
            most,
        }
    }

    #[test]
    fn the_fastest_is_filled_first() {
        let all = candidates(&[(90, 40_000), (100, 60_000), (50, 50_000), (0, 10), (7, 3)]);
        let plan = Plan::new(&all, &[room("fast", 60_000), room("mid", 50_000)]);
        assert_eq!(plan.tier_of, [Some(1), Some(0), None, None, None]);
        assert_eq!((plan.total, plan.small), (247, 1));
        let filled: Vec<_> = plan.filled.iter().map(|one| (one.greedy, one.exact, one.most)).collect();
        // Greed takes the denser, smaller one.
        assert_eq!(filled, [(90, 100, 60_000), (90, 90, 40_000)]);
        assert!(plan.filled.iter().all(|one| one.is_proved && one.exact == one.bound));
    }

    #[test]
    fn sites_that_share_a_room() {
        let mut all = candidates(&[(5, 100), (6, 100)]);
        all.rows = vec![vec![100, 0], vec![0, 100]];
        let plan = Plan::new(&all, &[room("fast", 100)]);
        assert_eq!(plan.tier_of, [Some(0), Some(0)]);
        assert_eq!((plan.filled[0].most, plan.filled[0].together), (100, 200));
    }

    #[test]
    fn no_more_rules_than_a_file_may_have() {
        let sites: Vec<(u64, u64)> = (0..3000).map(|n| (1 + n, 1)).collect();
        let plan = Plan::new(&candidates(&sites), &[room("fast", 5000)]);
        assert_eq!(plan.tier_of.iter().filter(|tier| tier.is_some()).count(), MOST);
        assert!(plan.tier_of[2999].is_some() && plan.tier_of[0].is_none());
    }
}
