//! What programs placed on which memory tier (`tiers=`): of many recordings one account.
//!
//! ```text
//! recordings ─→ Extract (two readers) ─→ Placement: tiers, rules and call stacks, equal ones added up ─→ report/tiers.rs (text, JSON)
//!                                                                                                  ─→ report/html/tiers.rs (a page)
//!                                                                                                  ─→ run/placed.rs (lines after a run)
//! ```
//!
//! Equal are tiers of the same name that are made of the same, rules of the same place in the same file, and call stacks as
//! everywhere ([`crate::merge`]). Peaks of processes are added up, whenever each was.

mod extract;
mod totals;

pub use extract::Extract;
pub use totals::{Rule, Site, Tier};

use crate::heap::profile::plus;
use crate::merge::read_each;
use crate::ranks::{self, Spread};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// A process with tiers.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    pub program: Vec<u8>,
    pub rank: Option<u32>,
    pub running: bool,
}

#[derive(Default)]
pub struct Placement {
    pub processes: Vec<Process>,
    /// The ordinary heap first, then in the order of the rule file.
    pub tiers: Vec<Tier>,
    /// In the order of their file.
    pub rules: Vec<Rule>,
    /// Those that allocated most bytes first.
    pub sites: Vec<Site>,
    /// Recordings of processes without tiers.
    pub without: usize,
}

impl Placement {
    /// Reads the files; what is wrong with them, one line each.
    pub fn read(files: &[PathBuf]) -> (Self, Vec<String>) {
        Self::read_wanted(files, &|_| true)
    }

    /// The same of the processes that are wanted.
    pub fn read_wanted(
        files: &[PathBuf],
        wanted: &(dyn Fn(&record::reader::Head) -> bool + Sync),
    ) -> (Self, Vec<String>) {
        let found = Mutex::new(Vec::new());
        let problems = read_each(files, &|number, recording| {
            if wanted(&recording.head()) {
                let extract = Extract::new(recording);
                found.lock().unwrap_or_else(PoisonError::into_inner).push((number, extract));
            }
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Whichever reader was first.
        found.sort_by_key(|(number, _)| *number);
        (Self::of(found.into_iter().map(|(_, extract)| extract)), problems)
    }

    pub fn of(extracts: impl IntoIterator<Item = Option<Extract>>) -> Self {
        let mut this = Self::default();
        let mut known = Known::default();
        for extract in extracts {
            match extract {
                Some(extract) => this.take(extract, &mut known),
                None => this.without += 1,
            }
        }
        this.sites.sort_by_key(|site| std::cmp::Reverse(site.allocated_bytes));
        this
    }

    fn take(&mut self, extract: Extract, known: &mut Known) {
        let process = self.processes.len();
        self.processes.push(extract.process);
        // From the numbers of this process to ours.
        let mut tiers = HashMap::new();
        for tier in extract.tiers {
            let next = self.tiers.len();
            let index = *known.tiers.entry(Tier::key(&tier)).or_insert(next);
            if index == next {
                self.tiers.push(Tier::new(&tier));
            }
            self.tiers[index].add(process, &tier);
            tiers.insert(tier.index, index);
        }
        let mut rules = HashMap::new();
        let mut wanted = HashMap::new();
        for rule in extract.rules {
            let next = self.rules.len();
            let tier = tiers.get(&rule.tier).copied();
            let key = (rule.place.clone(), rule.name.clone(), tier);
            let index = *known.rules.entry(key).or_insert(next);
            if index == next {
                self.rules.push(Rule::new(&rule, tier));
            }
            self.rules[index].add(&rule);
            rules.insert(rule.index, index);
            wanted.insert(rule.index, rule.tier);
        }
        for (site, calls) in extract.sites {
            let next = self.sites.len();
            let (rule, tier) = (rules.get(&site.rule).copied(), tiers.get(&site.tier).copied());
            // What went elsewhere, is another site's as well; nobody counts what stays on the heap.
            if let Some(rule) = rule.filter(|_| site.tier != 0 && wanted.get(&site.rule) == Some(&site.tier)) {
                self.rules[rule].hit(plus(site.allocations, site.elsewhere));
            }
            let index = *known.sites.entry((calls.clone(), rule, tier)).or_insert(next);
            if index == next {
                self.sites.push(Site::new(calls, rule, tier));
            }
            self.sites[index].add(&site);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// The rules that no process ever applied.
    pub fn unmatched(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.never_matched())
    }

    /// Pages that were looked at, and those that were where they belong.
    pub fn verified(&self) -> (u64, u64) {
        self.tiers.iter().fold((0, 0), |(pages, right), tier| (plus(pages, tier.pages), plus(right, tier.pages_right)))
    }

    /// The ranks of all processes, sorted, each once.
    pub fn ranks(&self) -> Vec<u32> {
        let mut ranks: Vec<u32> = self.processes.iter().filter_map(|process| process.rank).collect();
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }

    /// A number of a tier over the ranks. Ranks whose processes do not have the tier have nothing of it.
    pub fn spread(&self, tier: &Tier, number: impl Fn(&totals::Share) -> u64) -> Option<ranks::Spread> {
        let mut each = vec![0; self.processes.len()];
        for share in &tier.shares {
            if let Some(place) = each.get_mut(share.process) {
                *place = plus(*place, number(share));
            }
        }
        Spread::of(
            self.processes.iter().zip(each).filter(|(process, _)| process.rank.is_some()).map(|(p, n)| (p.rank, n)),
        )
    }
}

/// Calls, rule, tier.
type SiteKey = (Vec<crate::merge::Site>, Option<usize>, Option<usize>);

/// Where things stand that were met before.
#[derive(Default)]
struct Known {
    tiers: HashMap<totals::Key, usize>,
    rules: HashMap<(String, String, Option<usize>), usize>,
    sites: HashMap<SiteKey, usize>,
}
