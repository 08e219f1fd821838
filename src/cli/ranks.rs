//! Many ranks of MPI as one: the total, the least, the median and the most of a number, and who is unlike the others.
//!
//! **The odd rank out.** A rank is odd when its number is further from the median than three times the median absolute deviation,
//! and than a tenth of the median: the first is what is usual here, the second keeps the trembling of equal ranks silent. Both are
//! robust: one rank that is far off does not hide itself.
//!
//! Why not the mean and its deviation: with eight ranks, one that has ten times as much moves both so far that it looks usual.

use crate::ranges;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A rank and its number.
pub type Of = (u32, u64);

/// Odd ranks that are named.
const NAMED: usize = 4;
/// Runs of ranks that a list has before its end.
const RUNS: usize = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    pub ranks: usize,
    pub total: u64,
    pub least: Of,
    pub median: u64,
    pub most: Of,
    /// The furthest from the median first.
    pub odd: Vec<Of>,
}

impl Spread {
    /// Of the numbers of processes, added up by rank. Nothing of fewer than two ranks: there is nothing to compare.
    pub fn of(numbers: impl IntoIterator<Item = (Option<u32>, u64)>) -> Option<Self> {
        let mut by_rank = BTreeMap::new();
        for (rank, number) in numbers {
            let sum: &mut u64 = by_rank.entry(rank?).or_default();
            *sum = sum.saturating_add(number);
        }
        let all: Vec<Of> = by_rank.into_iter().collect();
        let (least, most) = (*all.iter().min_by_key(|of| of.1)?, *all.iter().rev().max_by_key(|of| of.1)?);
        if all.len() < 2 {
            return None;
        }
        let median = median(all.iter().map(|of| of.1));
        let deviation = median_of_deviations(&all, median);
        let far = |number: u64| number.abs_diff(median);
        let is_odd = |number: u64| far(number) > deviation.saturating_mul(3) && far(number) > median / 10;
        let mut odd: Vec<Of> = all.iter().copied().filter(|of| is_odd(of.1)).collect();
        odd.sort_by_key(|(rank, number)| (Reverse(far(*number)), *rank));
        let total = all.iter().fold(0u64, |sum, of| sum.saturating_add(of.1));
        // The first rank with the least, and with the most.
        let most = all.iter().copied().find(|of| of.1 == most.1).unwrap_or(most);
        Some(Self { ranks: all.len(), total, least, median, most, odd })
    }

    /// From the least to the most, in percent of the median; nothing where the median is.
    pub fn percent(&self) -> Option<u64> {
        let apart = u128::from(self.most.1 - self.least.1) * 100;
        apart.checked_div(u128::from(self.median)).map(|share| share.min(u128::from(u64::MAX)) as u64)
    }

    /// `total 12 MiB, median 3.0 MiB, from 2.9 MiB (rank 1) to 9.0 MiB (rank 3), spread 200 %; odd: rank 3 (9.0 MiB)`.
    pub fn words(&self, number: impl Fn(u64) -> String) -> String {
        let Self { total, least, median, most, .. } = self;
        let spread = self.percent().map_or_else(String::new, |share| format!(", spread {share} %"));
        let mut text = format!("total {}, median {}, ", number(*total), number(*median));
        if least.1 == most.1 {
            text += "the same on every rank";
        } else {
            let ((low, less), (high, more)) = (least, most);
            text += &format!("from {} (rank {low}) to {} (rank {high}){spread}", number(*less), number(*more));
        }
        let named: Vec<String> =
            self.odd.iter().take(NAMED).map(|(rank, of)| format!("rank {rank} ({})", number(*of))).collect();
        if !named.is_empty() {
            let more = self.odd.len() - named.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text += &format!("; odd: {}{more}", named.join(", "));
        }
        text
    }
}

/// The same for programs.
#[derive(Serialize)]
pub struct JsonSpread {
    ranks: usize,
    total: u64,
    min: u64,
    min_rank: u32,
    median: u64,
    max: u64,
    max_rank: u32,
    odd: Vec<u32>,
}

impl From<Spread> for JsonSpread {
    fn from(spread: Spread) -> Self {
        Self {
            ranks: spread.ranks,
            total: spread.total,
            min: spread.least.1,
            min_rank: spread.least.0,
            median: spread.median,
            max: spread.most.1,
            max_rank: spread.most.0,
            odd: spread.odd.iter().map(|of| of.0).collect(),
        }
    }
}

fn median(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut sorted: Vec<u64> = numbers.collect();
    sorted.sort_unstable();
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.len() % 2) {
        (Some(middle), 1) => *middle,
        (Some(upper), _) => sorted[half - 1] + (upper - sorted[half - 1]) / 2,
        (None, _) => 0,
    }
}

fn median_of_deviations(all: &[Of], from: u64) -> u64 {
    median(all.iter().map(|of| of.1.abs_diff(from)))
}

/// `ranks 0–3, 7`, `rank 2`; nothing when none is known.
pub fn list(ranks: &[u32]) -> Option<String> {
    match ranks {
        [] => None,
        [one] => Some(format!("rank {one}")),
        many => Some(format!("ranks {}", ranges::words(many, RUNS))),
    }
}

/// The rank of this process, from the launcher's variables; the library asks the same ones.
pub fn own() -> Option<u32> {
    ["PMIX_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(numbers: &[u64]) -> Option<Spread> {
        Spread::of((0..).map(Some).zip(numbers.iter().copied()))
    }

    fn odd(numbers: &[u64]) -> Vec<u32> {
        spread(numbers).unwrap().odd.iter().map(|of| of.0).collect()
    }

    #[test]
    fn who_is_odd() {
        assert_eq!(odd(&[100, 100, 100, 900]), [3]);
        assert_eq!(odd(&[100, 102, 98, 101, 10, 300]), [5, 4]);
        // All the same, all different, next to the same.
        assert!(odd(&[100; 8]).is_empty());
        assert!(odd(&[100, 200, 300, 400]).is_empty());
        assert!(odd(&[1000, 1000, 1000, 1050]).is_empty());
        // Of two, nobody knows which.
        assert!(odd(&[1, 1000]).is_empty());
        // What nobody else has.
        assert_eq!(odd(&[0, 0, 0, 5]), [3]);
        assert_eq!(odd(&[u64::MAX, 0, 0]), [0]);
    }

    #[test]
    fn numbers_of_a_rank_are_added_up() {
        let all = [(Some(0), 5), (Some(1), 7), (Some(0), 3)];
        let spread = Spread::of(all).unwrap();
        assert_eq!((spread.total, spread.least, spread.median, spread.most, spread.ranks), (15, (1, 7), 7, (0, 8), 2));
        // One rank, or a process without one.
        assert_eq!(Spread::of([(Some(0), 5)]), None);
        assert_eq!(Spread::of([(Some(0), 5), (None, 7)]), None);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn in_words() {
        let words = |numbers| spread(numbers).unwrap().words(|n| n.to_string());
        assert_eq!(words(&[4, 4]), "total 8, median 4, the same on every rank");
        assert_eq!(
            words(&[10, 10, 11, 40]),
            "total 71, median 10, from 10 (rank 0) to 40 (rank 3), spread 300 %; odd: rank 3 (40)"
        );
        assert_eq!(list(&[]), None);
        assert_eq!(list(&[4]).as_deref(), Some("rank 4"));
        assert_eq!(list(&[0, 1, 2, 5]).as_deref(), Some("ranks 0–2, 5"));
    }
}
