//! Which items go into a room, so that their value is the most: greedy, and exactly.
//!
//! The room has one capacity and several *rows*: moments, and processes, at each of which every item has some weight of its own.
//! What is chosen must fit at each of them. With one row this is the knapsack of the textbooks.
//!
//! Why both: the greedy choice, the densest item that fits, is what a person would do and how published tools place; it is within one
//! item of the best. The exact search shows what that costs, and proves it.
//!
//! **The search** is depth first, the densest item first, taken before left. A node is given up when no completion can be
//! better than the best that is known: the bound of a row is the value of its fractional knapsack (Dantzig), the smallest of all rows
//! counts. Its work is counted, not timed, so that equal input gives equal output: beyond [`WORK`] steps the best that was found
//! stands, with the bound of the root.
//!
//! Rules: integers only; sums of values are 128 bits wide.

use std::cmp::Reverse;
use std::collections::HashMap;

/// Steps of the search, of a few nanoseconds each.
pub const WORK: u64 = 300_000_000;

pub struct Problem {
    pub capacity: u64,
    pub values: Vec<u64>,
    /// Of each row the weight of each item.
    pub rows: Vec<Vec<u64>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Of each item, whether it is in.
    pub chosen: Vec<bool>,
    pub value: u128,
}

pub struct Solved {
    pub greedy: Choice,
    /// Never worse than the greedy one.
    pub exact: Choice,
    /// No choice is worth more.
    pub bound: u128,
}

impl Solved {
    /// Is the exact choice the best that there is?
    pub fn is_proved(&self) -> bool {
        self.exact.value == self.bound
    }
}

impl Problem {
    /// The most that an item weighs at any moment.
    pub fn heaviest(&self, item: usize) -> u64 {
        self.rows.iter().map(|row| row[item]).max().unwrap_or(0)
    }

    /// Fits at every moment, when nothing else is there.
    fn fits_alone(&self, item: usize) -> bool {
        self.heaviest(item) <= self.capacity
    }

    pub fn solve(&self) -> Solved {
        self.solve_with(WORK)
    }

    fn solve_with(&self, work: u64) -> Solved {
        let useful = |item: &usize| self.values[*item] > 0 && self.fits_alone(*item);
        let mut order: Vec<usize> = (0..self.values.len()).filter(useful).collect();
        self.by_density(&mut order, |item| u128::from(self.heaviest(item)));
        let plain = Search::new(self.capacity, &self.values, self.binding_rows(&order), &order).greedy();
        let greedy = self.choice(&order, &plain);
        // What the search begins with goes by the weight in all rows that matter: where there are several, it is the better measure.
        let rows = self.binding_rows(&order);
        if rows.len() > 1 {
            let sums: HashMap<usize, u128> =
                (0..order.len()).map(|at| (order[at], rows.iter().map(|row| u128::from(row[at])).sum())).collect();
            self.by_density(&mut order, |item| sums.get(&item).copied().unwrap_or(0));
        }
        let search = Search::new(self.capacity, &self.values, self.binding_rows(&order), &order);
        let known: Vec<bool> = order.iter().map(|item| greedy.chosen[*item]).collect();
        let other = search.greedy();
        let better = if search.value_of(&other) > search.value_of(&known) { other } else { known };
        let (exact, bound) = search.exact(&better, work);
        Solved { greedy, exact: self.choice(&order, &exact), bound }
    }

    /// Densest first; between equals the lighter, then the first.
    fn by_density(&self, order: &mut [usize], weight: impl Fn(usize) -> u128) {
        order.sort_by_cached_key(|item| {
            let weight = weight(*item);
            // Fixed point: near enough for an order, and total.
            let density = (u128::from(self.values[*item]) << 60) / weight.max(1);
            (Reverse(density), weight, *item)
        });
    }

    fn choice(&self, order: &[usize], taken: &[bool]) -> Choice {
        let mut choice = Choice { chosen: vec![false; self.values.len()], value: 0 };
        for (item, _) in order.iter().zip(taken).filter(|(_, taken)| **taken) {
            choice.chosen[*item] = true;
            choice.value += u128::from(self.values[*item]);
        }
        choice
    }

    /// The weights in the order of the search, of the rows that can be full: not of those that hold everything, and not of those
    /// in which everything weighs at most what it does in another.
    fn binding_rows(&self, order: &[usize]) -> Vec<Vec<u64>> {
        let mut rows: Vec<Vec<u64>> = Vec::new();
        for row in &self.rows {
            let row: Vec<u64> = order.iter().map(|item| row[*item]).collect();
            let sum: u128 = row.iter().map(|weight| u128::from(*weight)).sum();
            let is_below = |a: &[u64], b: &[u64]| a.iter().zip(b).all(|(a, b)| a <= b);
            if sum <= u128::from(self.capacity) || rows.iter().any(|other| is_below(&row, other)) {
                continue;
            }
            rows.retain(|other| !is_below(other, &row));
            rows.push(row);
        }
        rows.sort_by_key(|row| Reverse(row.iter().map(|weight| u128::from(*weight)).sum::<u128>()));
        rows
    }
}

struct Search {
    values: Vec<u64>,
    rows: Vec<Vec<u64>>,
    /// What each row may hold.
    capacities: Vec<u64>,
    /// Of each row, its items by density in that row.
    by_density: Vec<Vec<u32>>,
}

/// Where a search is.
struct State {
    taken: Vec<bool>,
    value: u128,
    left: Vec<u64>,
    best: Vec<bool>,
    best_value: u128,
    work: u64,
}

impl Search {
    /// In this order of the items; `rows` are in it already.
    fn new(capacity: u64, values: &[u64], mut rows: Vec<Vec<u64>>, order: &[usize]) -> Self {
        let values: Vec<u64> = order.iter().map(|item| values[*item]).collect();
        let mut capacities = vec![capacity; rows.len()];
        // What holds for each row holds for their sum: with many rows that is the sharper bound.
        if rows.len() > 1 {
            let sum =
                (0..values.len()).map(|at| rows.iter().try_fold(0u64, |sum, row| sum.checked_add(row[at]))).collect();
            if let (Some(sum), Some(all)) = (sum, capacity.checked_mul(rows.len() as u64)) {
                rows.insert(0, sum);
                capacities.insert(0, all);
            }
        }
        let by_density = rows
            .iter()
            .map(|row| {
                let mut order: Vec<u32> = (0..values.len() as u32).collect();
                order.sort_by(|a, b| {
                    let (a, b) = (*a as usize, *b as usize);
                    let cross = |value: u64, weight: u64| u128::from(value) * u128::from(weight);
                    // What weighs nothing is endlessly dense.
                    cross(values[b], row[a]).cmp(&cross(values[a], row[b])).then(row[a].cmp(&row[b])).then(a.cmp(&b))
                });
                order
            })
            .collect();
        Self { values, rows, capacities, by_density }
    }

    fn fits(&self, item: usize, left: &[u64]) -> bool {
        self.rows.iter().zip(left).all(|(row, left)| row[item] <= *left)
    }

    fn greedy(&self) -> Vec<bool> {
        let mut left = self.capacities.clone();
        let mut taken = vec![false; self.values.len()];
        for (item, taken) in taken.iter_mut().enumerate() {
            if self.fits(item, &left) {
                *taken = true;
                self.rows.iter().zip(&mut left).for_each(|(row, left)| *left -= row[item]);
            }
        }
        taken
    }

    /// The best, and what nothing exceeds.
    fn exact(&self, greedy: &[bool], work: u64) -> (Vec<bool>, u128) {
        let left = self.capacities.clone();
        let mut state = State {
            taken: vec![false; self.values.len()],
            value: 0,
            best: greedy.to_vec(),
            best_value: self.value_of(greedy),
            left,
            work: 0,
        };
        let root = self.bound(0, &mut state, u128::MAX);
        let mut at = 0;
        // The path: items that were decided, as `taken`; those before `at`.
        loop {
            let done = at == self.values.len();
            if done && state.value > state.best_value {
                state.best_value = state.value;
                state.best.copy_from_slice(&state.taken);
            }
            if state.best_value == root {
                break;
            }
            let best = state.best_value;
            if !done && self.bound(at, &mut state, best) > best {
                state.taken[at] = self.fits(at, &state.left);
                if state.taken[at] {
                    self.take(at, &mut state);
                }
                at += 1;
                if state.work > work {
                    return (state.best, root);
                }
                continue;
            }
            // Back to the last item that was taken: without it.
            let Some(last) = state.taken[..at].iter().rposition(|taken| *taken) else { break };
            state.taken[last..at].fill(false);
            self.put_back(last, &mut state);
            at = last + 1;
            if state.work > work {
                return (state.best, root);
            }
        }
        let value = state.best_value;
        (state.best, value)
    }

    fn value_of(&self, taken: &[bool]) -> u128 {
        taken.iter().zip(&self.values).filter(|(taken, _)| **taken).map(|(_, value)| u128::from(*value)).sum()
    }

    fn take(&self, item: usize, state: &mut State) {
        state.value += u128::from(self.values[item]);
        self.rows.iter().zip(&mut state.left).for_each(|(row, left)| *left -= row[item]);
    }

    fn put_back(&self, item: usize, state: &mut State) {
        state.value -= u128::from(self.values[item]);
        self.rows.iter().zip(&mut state.left).for_each(|(row, left)| *left += row[item]);
    }

    /// No completion of what was decided, all items before `at`, is worth more. It is not made sharper once it is at most
    /// `enough`.
    fn bound(&self, at: usize, state: &mut State, enough: u128) -> u128 {
        let all: u128 = self.values[at..].iter().map(|value| u128::from(*value)).sum();
        let mut least = state.value + all;
        state.work += (self.values.len() - at) as u64;
        for ((row, order), left) in self.rows.iter().zip(&self.by_density).zip(&state.left) {
            if least <= enough && enough != u128::MAX {
                return least;
            }
            let (mut left, mut value) = (*left, state.value);
            for item in order.iter().map(|item| *item as usize) {
                state.work += 1;
                if item < at {
                    continue;
                }
                if row[item] <= left {
                    left -= row[item];
                    value += u128::from(self.values[item]);
                } else {
                    value += u128::from(self.values[item]) * u128::from(left) / u128::from(row[item]);
                    break;
                }
            }
            least = least.min(value);
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_row(capacity: u64, items: &[(u64, u64)]) -> Problem {
        let values = items.iter().map(|(value, _)| *value).collect();
        Problem { capacity, values, rows: vec![items.iter().map(|(_, weight)| *weight).collect()] }
    }

    fn fits(problem: &Problem, choice: &Choice) -> bool {
        problem.rows.iter().all(|row| {
            let sum: u128 = row.iter().zip(&choice.chosen).filter(|(_, c)| **c).map(|(w, _)| u128::from(*w)).sum();
            sum <= u128::from(problem.capacity)
        })
    }

    /// All subsets.
    fn best(problem: &Problem) -> u128 {
        let items = problem.values.len();
        let choice = |bits: u32| Choice {
            chosen: (0..items).map(|item| bits >> item & 1 == 1).collect(),
            value: (0..items).filter(|item| bits >> item & 1 == 1).map(|item| u128::from(problem.values[item])).sum(),
        };
        (0..1u32 << items).map(choice).filter(|c| fits(problem, c)).map(|c| c.value).max().unwrap()
    }

    #[test]
    fn a_known_optimum_that_greed_misses() {
        // The densest item leaves no room for the two that fill it.
        let problem = one_row(10, &[(60, 5), (55, 5), (70, 6)]);
        let solved = problem.solve();
        assert_eq!((solved.greedy.value, solved.exact.value, solved.bound), (115, 115, 115));
        let problem = one_row(10, &[(84, 6), (65, 5), (65, 5)]);
        let solved = problem.solve();
        assert_eq!((solved.greedy.chosen, solved.greedy.value), (vec![true, false, false], 84));
        assert_eq!((solved.exact.chosen.clone(), solved.exact.value), (vec![false, true, true], 130));
        assert_eq!(solved.bound, 130);
    }

    #[test]
    fn what_is_never_there_together_shares_the_room() {
        // Two items of the whole capacity, each at its own time, and one that is always there.
        let problem = Problem { capacity: 10, values: vec![5, 5, 3], rows: vec![vec![10, 0, 2], vec![0, 10, 2]] };
        let solved = problem.solve();
        assert_eq!((solved.exact.chosen, solved.exact.value), (vec![true, true, false], 10));
        let together = Problem { rows: vec![vec![10, 10, 2]], ..problem };
        assert_eq!(together.solve().exact.value, 5);
    }

    #[test]
    fn edges() {
        let nothing = Problem { capacity: 5, values: vec![], rows: vec![] };
        assert_eq!(nothing.solve().exact, Choice::default());
        // Without value, too large, without weight, and no row at all.
        let solved = one_row(10, &[(0, 1), (9, 11), (7, 0), (1, 10)]).solve();
        assert_eq!(solved.exact.chosen, [false, false, true, true]);
        let free = Problem { capacity: 0, values: vec![1, 2], rows: vec![] };
        assert_eq!(free.solve().exact.value, 3);
        let huge = one_row(u64::MAX, &[(u64::MAX, u64::MAX), (u64::MAX, 1)]).solve();
        assert_eq!((huge.exact.value, huge.is_proved()), (u128::from(u64::MAX), true));
    }

    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    /// Against all subsets: the exact one is the best, the greedy one is no better, both fit, the bound holds.
    #[test]
    fn against_every_subset() {
        let mut seed = 7;
        let (mut beaten, mut rounds) = (0, 0);
        for _ in 0..1500 {
            let items = 1 + random(&mut seed) as usize % 10;
            let rows = 1 + random(&mut seed) as usize % 4;
            let capacity = random(&mut seed) % 60;
            let values: Vec<u64> = (0..items).map(|_| random(&mut seed) % 40).collect();
            let rows: Vec<Vec<u64>> =
                (0..rows).map(|_| (0..items).map(|_| (random(&mut seed) % 40).saturating_sub(8)).collect()).collect();
            let problem = Problem { capacity, values, rows };
            let solved = problem.solve();
            assert!(fits(&problem, &solved.exact) && fits(&problem, &solved.greedy));
            assert_eq!(solved.exact.value, best(&problem), "{:?} {capacity} {:?}", problem.values, problem.rows);
            assert!(solved.exact.value >= solved.greedy.value && solved.is_proved());
            beaten += u32::from(solved.exact.value > solved.greedy.value);
            rounds += 1;
        }
        assert!(beaten > rounds / 20, "greed was never wrong: {beaten} of {rounds}");
    }

    /// With no time for it, the answer is still a choice that fits, and the bound holds.
    #[test]
    fn without_time() {
        let mut seed = 3;
        for _ in 0..50 {
            let items: Vec<(u64, u64)> =
                (0..12).map(|_| (1 + random(&mut seed) % 1000, 1 + random(&mut seed) % 1000)).collect();
            let problem = one_row(2000, &items);
            let (short, whole) = (problem.solve_with(30), problem.solve());
            assert!(fits(&problem, &short.exact) && short.exact.value >= short.greedy.value);
            assert!(short.bound >= whole.exact.value && whole.is_proved());
        }
    }

    /// A thousand call stacks and many moments: it ends, and what it says is near its bound.
    #[test]
    fn many() {
        let mut seed = 11;
        let values: Vec<u64> = (0..1000).map(|_| random(&mut seed) % 1_000_000).collect();
        let rows: Vec<Vec<u64>> = (0..20).map(|_| (0..1000).map(|_| random(&mut seed) % (1 << 20)).collect()).collect();
        let problem = Problem { capacity: 100 << 20, values, rows };
        let solved = problem.solve_with(20_000_000);
        assert!(fits(&problem, &solved.exact) && solved.exact.value <= solved.bound);
        assert!(solved.exact.value * 100 >= solved.bound * 95, "{} of {}", solved.exact.value, solved.bound);
    }
}
