//! What could be placed: the call stacks of the recordings, how much room each needs at which moment, and what each is worth.
//!
//! **Moments.** A recording has live bytes over time (`record::heap`): at each sample those of the call stacks that hold most. Between
//! two samples a stack needs what it has at the larger of its two ends. That is so where samples can see it: where they saw
//! its most bytes, and its blocks live longer than from one sample to the next. Any other needs its most bytes for as long as it
//! allocated and freed at all. Of a stack that is not among those of a full sample is known that it holds no more than the least
//! of them. Without samples all stacks are there at once.
//!
//! **Processes.** A rule file is for each process, and so is a capacity: the moments of each must fit. Values add up.
//!
//! Rules: what is not known makes the need larger, never smaller; the number of moments is bounded ([`MOST_ROWS`]).

use crate::heap::extract::Extract;
use crate::recordings::Loaded;
use record::layout::SAMPLE_SITES;
use record::reader::{Accesses, HeapSample, HeapSite, Usage};
use std::collections::{BTreeMap, HashMap};

/// Moments of all processes together.
const MOST_ROWS: usize = 256;

/// What an access, or a byte, is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Objective {
    /// Accesses where they were measured; page faults; else allocated bytes
    Auto,
    /// Loads and stores
    Accesses,
    Loads,
    Stores,
    /// First touches of pages
    Faults,
    /// All bytes that were ever allocated
    Allocated,
}

impl Objective {
    /// Of what a value is so many.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Auto | Self::Accesses => "accesses",
            Self::Loads => "loads",
            Self::Stores => "stores",
            Self::Faults => "page faults",
            Self::Allocated => "allocated bytes",
        }
    }

    fn of(self, usage: &Usage, site: &HeapSite, period: u64) -> u64 {
        let times = |samples: u64| samples.saturating_mul(period);
        match self {
            Self::Auto | Self::Accesses => times(usage.loads.saturating_add(usage.stores)),
            Self::Loads => times(usage.loads),
            Self::Stores => times(usage.stores),
            Self::Faults => times(usage.faults),
            Self::Allocated => site.total.bytes,
        }
    }
}

/// A site of one process.
struct Site {
    site: HeapSite,
    usage: Usage,
    /// The most bytes that are known to have been live.
    most: u64,
}

/// What is taken out of one recording.
pub struct Seen {
    sites: Vec<Site>,
    samples: Vec<HeapSample>,
    /// Index of a site in the recording → its place in `sites`.
    places: HashMap<usize, usize>,
    started: u64,
    /// Blocks of a site that outlive this are seen by samples, ms.
    interval: u64,
    pub accesses: Accesses,
}

impl Seen {
    pub fn new(recording: &Loaded, extract: &Extract) -> Self {
        let samples = recording.heap_samples();
        let places: HashMap<usize, usize> =
            extract.indexes().iter().enumerate().map(|(place, at)| (*at, place)).collect();
        let mut sites: Vec<Site> = extract
            .sites()
            .zip(extract.indexes())
            .map(|((site, ..), index)| {
                let usage = recording.heap_usage(*index);
                let block = site.total.bytes / site.total.blocks.max(1);
                let most = usage.most_bytes.max(site.at_peak.bytes).max(site.live.bytes).max(block);
                Site { site: *site, usage, most }
            })
            .collect();
        for (index, bytes) in samples.iter().flat_map(|sample| &sample.sites) {
            if let Some(site) = places.get(index).and_then(|place| sites.get_mut(*place)) {
                site.most = site.most.max(*bytes);
            }
        }
        let widest = samples.windows(2).map(|pair| pair[1].time - pair[0].time).max().unwrap_or(0);
        let accesses = extract.heap.as_ref().map_or_else(Accesses::default, |heap| heap.accesses);
        Self { sites, samples, places, started: extract.head.started, interval: widest / 1_000_000, accesses }
    }

    /// Live bytes of each site at each moment.
    fn rows(&self) -> Vec<Vec<u64>> {
        if self.samples.len() < 2 {
            return vec![self.sites.iter().map(|site| site.most).collect()];
        }
        let at: Vec<Vec<u64>> = self.samples.iter().map(|sample| self.live_at(sample)).collect();
        let shown: Vec<u64> =
            (0..self.sites.len()).map(|place| at.iter().map(|live| live[place]).max().unwrap_or(0)).collect();
        let end: Vec<u64> = self.sites.iter().map(|site| site.site.live.bytes).collect();
        (0..=at.len())
            .map(|number| {
                let before = number.checked_sub(1).map(|before| &at[before]);
                let after = at.get(number).unwrap_or(&end);
                let from = number.checked_sub(1).map_or(0, |before| self.ms(self.samples[before].time));
                let to = self.samples.get(number).map_or(u64::MAX, |sample| self.ms(sample.time));
                self.sites
                    .iter()
                    .enumerate()
                    .map(|(place, site)| {
                        let ends = before.map_or(0, |live| live[place]).max(after[place]);
                        if site.is_seen(shown[place], self.interval) {
                            ends
                        } else if site.usage.is_active(from, to) || ends > 0 {
                            site.most
                        } else {
                            0
                        }
                    })
                    .collect()
            })
            .collect()
    }

    fn ms(&self, time: u64) -> u64 {
        time.saturating_sub(self.started) / 1_000_000
    }

    fn live_at(&self, sample: &HeapSample) -> Vec<u64> {
        let is_full = sample.sites.len() >= SAMPLE_SITES;
        let least = if is_full { sample.sites.iter().map(|(_, bytes)| *bytes).min().unwrap_or(0) } else { 0 };
        let mut live: Vec<u64> = self.sites.iter().map(|site| site.most.min(least)).collect();
        for (index, bytes) in &sample.sites {
            if let Some(place) = self.places.get(index) {
                live[*place] = *bytes;
            }
        }
        live
    }
}

impl Site {
    /// Do the samples tell when its blocks were there? `shown`: the most that they show.
    fn is_seen(&self, shown: u64, interval: u64) -> bool {
        let lives_on = match self.usage.ended {
            // Never freed, or nobody knows when.
            0 => self.site.live == self.site.total,
            ended => self.usage.lifetime_ms / ended >= interval.max(1),
        };
        lives_on && self.most <= shown.saturating_add(shown / 10)
    }
}

/// All recordings together.
#[derive(Default)]
pub struct Candidates {
    /// Of each entry of the profile.
    pub values: Vec<u64>,
    /// The most bytes in one process.
    pub most: Vec<u64>,
    pub rows: Vec<Vec<u64>>,
    /// Mean lifetime of freed blocks, ms, where that is known.
    pub lifetimes: Vec<Option<u64>>,
}

/// What all recordings measured, and where they differ.
pub fn objective(seen: &[&Seen], wanted: Objective) -> Result<Objective, String> {
    use record::usage::access;
    let mut kinds: BTreeMap<u64, usize> = BTreeMap::new();
    for one in seen {
        let measured = one.accesses.samples > 0 || one.accesses.kind != access::NONE;
        *kinds.entry(if measured { one.accesses.kind } else { access::NONE }).or_default() += 1;
    }
    if wanted == Objective::Allocated {
        return Ok(wanted);
    }
    let kind = match kinds.keys().copied().collect::<Vec<_>>().as_slice() {
        [one] => *one,
        [access::NONE, _] if wanted == Objective::Auto => return Ok(Objective::Allocated),
        [access::NONE, other] => *other,
        _ => {
            return Err(
                "accesses were not measured alike in all recordings; --objective allocated compares them".to_owned()
            );
        }
    };
    let of_kind = match kind {
        access::LOADS_AND_STORES => Objective::Accesses,
        access::LOADS => Objective::Loads,
        access::FAULTS => Objective::Faults,
        _ => Objective::Allocated,
    };
    match (wanted, of_kind) {
        (Objective::Auto, _) => Ok(of_kind),
        (Objective::Loads | Objective::Stores, Objective::Accesses) => Ok(wanted),
        (wanted, had) if wanted == had => Ok(wanted),
        (wanted, Objective::Allocated) => {
            Err(format!("{} were not measured; run the program with access=", wanted.unit()))
        }
        (wanted, _) => Err(format!("{} were not measured, {} were", wanted.unit(), access::name(kind))),
    }
}

impl Candidates {
    /// `seen` with the entry of each site; `entries`: how many there are.
    pub fn new(seen: &[(Seen, Vec<u32>)], entries: usize, objective: Objective) -> Self {
        let mut all =
            Self { values: vec![0; entries], most: vec![0; entries], rows: Vec::new(), lifetimes: vec![None; entries] };
        let mut ended: Vec<(u64, u64)> = vec![(0, 0); entries];
        let each = (MOST_ROWS / seen.len().max(1)).max(1);
        for (one, entry_of) in seen {
            let mut most = vec![0u64; entries];
            for (site, entry) in one.sites.iter().zip(entry_of) {
                let entry = *entry as usize;
                let value = objective.of(&site.usage, &site.site, one.accesses.period);
                all.values[entry] = all.values[entry].saturating_add(value);
                most[entry] = most[entry].saturating_add(site.most);
                let (blocks, ms) = &mut ended[entry];
                (*blocks, *ms) = (blocks.saturating_add(site.usage.ended), ms.saturating_add(site.usage.lifetime_ms));
            }
            all.most.iter_mut().zip(most).for_each(|(all, one)| *all = (*all).max(one));
            for row in coarser(one.rows(), each) {
                let mut of_entries = vec![0u64; entries];
                for (bytes, entry) in row.iter().zip(entry_of) {
                    let place = &mut of_entries[*entry as usize];
                    *place = place.saturating_add(*bytes);
                }
                all.rows.push(of_entries);
            }
            if all.rows.len() > MOST_ROWS {
                all.rows = coarser(std::mem::take(&mut all.rows), MOST_ROWS);
            }
        }
        for (lifetime, (blocks, ms)) in all.lifetimes.iter_mut().zip(ended) {
            *lifetime = u64::checked_div(ms, blocks);
        }
        all
    }
}

/// At most so many rows: neighbours become one that needs what either needs.
fn coarser(rows: Vec<Vec<u64>>, most: usize) -> Vec<Vec<u64>> {
    let each = rows.len().div_ceil(most.max(1)).max(1);
    rows.chunks(each)
        .map(|some| {
            let mut all = some[0].clone();
            some[1..].iter().for_each(|row| all.iter_mut().zip(row).for_each(|(all, one)| *all = (*all).max(*one)));
            all
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::heap::Amount;

    const MB: u64 = 1 << 20;

    fn site(total: u64, live: u64, most: u64, usage: Usage) -> Site {
        let amount = |bytes: u64| Amount { blocks: bytes.div_ceil(MB), bytes };
        Site {
            site: HeapSite { stack: 1, total: amount(total), live: amount(live), ..HeapSite::default() },
            usage,
            most,
        }
    }

    fn sample(second: u64, sites: &[(usize, u64)]) -> HeapSample {
        HeapSample { time: second * 1_000_000_000, live: Amount::default(), sites: sites.to_vec() }
    }

    fn seen(sites: Vec<Site>, samples: Vec<HeapSample>) -> Seen {
        let places = (0..sites.len()).map(|place| (place, place)).collect();
        Seen { sites, samples, places, started: 0, interval: 1000, accesses: Accesses::default() }
    }

    fn long(most: u64) -> Usage {
        Usage { ended: 1, lifetime_ms: 5000, longest_ms: 5000, most_bytes: most, ..Usage::default() }
    }

    #[test]
    fn one_after_the_other() {
        let sites = vec![site(8 * MB, 0, 8 * MB, long(8 * MB)), site(6 * MB, 6 * MB, 6 * MB, Usage::default())];
        let one = seen(
            sites,
            vec![sample(1, &[(0, 8 * MB)]), sample(2, &[(0, 4 * MB)]), sample(3, &[]), sample(4, &[(1, 6 * MB)])],
        );
        let rows = one.rows();
        assert_eq!(rows, [[8 * MB, 0], [8 * MB, 0], [4 * MB, 0], [0, 6 * MB], [0, 6 * MB]]);
    }

    /// Blocks that live shorter than from sample to sample may be there whenever the site was at work.
    #[test]
    fn what_samples_cannot_see_is_there_as_long_as_it_was_at_work() {
        let mut short = Usage { ended: 100, lifetime_ms: 200, longest_ms: 3, most_bytes: MB, ..Usage::default() };
        let samples = || vec![sample(1, &[]), sample(2, &[]), sample(3, &[]), sample(4, &[])];
        let rows = seen(vec![site(100 * MB, 0, MB, short)], samples()).rows();
        assert_eq!(rows.concat(), [MB; 5], "nothing is known of when");
        short.active_ms = Some((1500, 2500));
        let rows = seen(vec![site(100 * MB, 0, MB, short)], samples()).rows();
        assert_eq!(rows.concat(), [0, MB, MB, 0, 0]);
        // A peak that no sample has seen.
        let spike = Usage { most_bytes: 9 * MB, active_ms: Some((900, 2100)), ..long(9 * MB) };
        let rows =
            seen(vec![site(9 * MB, 0, 9 * MB, spike)], vec![sample(1, &[(0, MB)]), sample(2, &[]), sample(3, &[])]);
        assert_eq!(rows.rows().concat(), [9 * MB, 9 * MB, 9 * MB, 0]);
    }

    #[test]
    fn a_full_sample_hides_what_is_small() {
        let listed: Vec<(usize, u64)> = (0..SAMPLE_SITES).map(|n| (n, (40 - n as u64) * MB)).collect();
        let mut sites: Vec<Site> = listed.iter().map(|(_, b)| site(*b, *b, *b, Usage::default())).collect();
        sites.push(site(50 * MB, 0, 50 * MB, long(50 * MB)));
        sites.push(site(MB, MB, MB, Usage::default()));
        let one = seen(sites, vec![sample(1, &listed), sample(2, &listed), sample(3, &[(SAMPLE_SITES, 50 * MB)])]);
        let rows = one.rows();
        let least = (40 - SAMPLE_SITES as u64 + 1) * MB;
        assert_eq!(rows[1][SAMPLE_SITES..], [least, MB]);
        assert_eq!(rows[2][SAMPLE_SITES..], [50 * MB, MB]);
    }

    #[test]
    fn without_samples_the_peaks_add_up() {
        let sites = vec![site(8 * MB, 0, 8 * MB, long(0)), site(6 * MB, 6 * MB, 6 * MB, Usage::default())];
        assert_eq!(seen(sites, vec![sample(1, &[])]).rows(), [[8 * MB, 6 * MB]]);
    }

    #[test]
    fn processes_must_each_fit_and_their_values_add_up() {
        let of = |bytes: u64, samples: u64| {
            let usage = Usage { faults: samples, ..Usage::default() };
            let mut one = seen(vec![site(bytes, bytes, bytes, usage)], Vec::new());
            one.accesses = Accesses { kind: record::usage::access::FAULTS, period: 10, samples, ..Accesses::default() };
            one
        };
        let both = [(of(3 * MB, 5), vec![0]), (of(5 * MB, 7), vec![0])];
        let all = Candidates::new(&both, 1, Objective::Faults);
        assert_eq!((all.values, all.most, all.rows), (vec![120], vec![5 * MB], vec![vec![3 * MB], vec![5 * MB]]));
        let many: Vec<(Seen, Vec<u32>)> = (0..1000).map(|n| (of(n * MB, 1), vec![0])).collect();
        let all = Candidates::new(&many, 1, Objective::Faults);
        assert!(all.rows.len() <= MOST_ROWS);
        assert_eq!(all.rows.iter().map(|row| row[0]).max(), Some(999 * MB));
    }

    #[test]
    fn what_was_measured_decides() {
        use record::usage::access;
        let of = |kind| {
            let mut one = seen(Vec::new(), Vec::new());
            one.accesses = Accesses { kind, period: 1, samples: 1, ..Accesses::default() };
            one
        };
        let [none, faults, both, loads] =
            [access::NONE, access::FAULTS, access::LOADS_AND_STORES, access::LOADS].map(of);
        let auto = |seen: &[&Seen]| objective(seen, Objective::Auto);
        assert_eq!(auto(&[&none]), Ok(Objective::Allocated));
        assert_eq!(auto(&[&faults, &faults]), Ok(Objective::Faults));
        assert_eq!(auto(&[&both]), Ok(Objective::Accesses));
        assert_eq!(auto(&[&loads]), Ok(Objective::Loads));
        // What one process has not measured cannot be compared.
        assert_eq!(auto(&[&faults, &none]), Ok(Objective::Allocated));
        assert!(auto(&[&faults, &both]).is_err());
        assert_eq!(objective(&[&faults, &both], Objective::Allocated), Ok(Objective::Allocated));
        assert_eq!(objective(&[&both], Objective::Stores), Ok(Objective::Stores));
        assert!(objective(&[&faults], Objective::Loads).is_err_and(|why| why.contains("page faults were")));
        assert!(objective(&[&none], Objective::Faults).is_err_and(|why| why.contains("access=")));
    }
}
