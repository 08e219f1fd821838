//! Rules that can never match, because an earlier one takes all that they would.
//!
//! What is told is true; not all that is true is told: whether one glob covers another is only known when they are equal or
//! when the later one is a plain text.

use super::Faults;
use super::glob::Glob;
use super::number::quoted;
use super::rule::{Rule, Site, Sites};
use super::vocabulary::{FunctionId, Vocabulary};
use std::collections::BTreeMap;

pub fn complain(rules: &[Rule], vocabulary: &Vocabulary, faults: &mut Faults) {
    // Rules that ask for an innermost site can only cover rules that ask for the same.
    let mut by_site: BTreeMap<Site, Vec<usize>> = BTreeMap::new();
    let mut general: Vec<usize> = Vec::new();
    for (number, later) in rules.iter().enumerate() {
        let same_site = later.sites.first().and_then(|site| by_site.get(&site));
        let earlier = general
            .iter()
            .chain(same_site.into_iter().flatten())
            .filter(|earlier| covers(&rules[**earlier], later, vocabulary));
        if let Some(earlier) = earlier.min() {
            let earlier = &rules[*earlier];
            let (name, by) = (quoted(&later.name), quoted(&earlier.name));
            let what = format!("{name} can never match: {by} in line {} takes all that it would", earlier.at.line);
            faults.add(later.at.line, &what, "the special rule before the general one");
        }
        match later.sites.first() {
            Some(Site::Any) | None => general.push(number),
            Some(site) => by_site.entry(site).or_default().push(number),
        }
    }
}

impl Sites {
    fn first(&self) -> Option<Site> {
        match self {
            Self::Anywhere => None,
            Self::From(sites) | Self::WholeLines(sites) | Self::WholeRaw { sites, .. } => sites.first().copied(),
        }
    }
}

fn covers(earlier: &Rule, later: &Rule, vocabulary: &Vocabulary) -> bool {
    let function = |a: Option<FunctionId>, b: Option<FunctionId>| {
        let glob = |id: FunctionId| vocabulary.functions().get(id.0 as usize);
        covers_glob(a.and_then(glob), b.and_then(glob))
    };
    earlier.sizes.covers(later.sizes)
        && covers_sites(&earlier.sites, &later.sites)
        && function(earlier.function, later.function)
        && function(earlier.within, later.within)
        && (earlier.module.is_none() || earlier.module == later.module)
        && covers_glob(earlier.thread.as_ref(), later.thread.as_ref())
        && covers_ranks(earlier.rank.as_deref(), later.rank.as_deref())
}

fn covers_sites(earlier: &Sites, later: &Sites) -> bool {
    match (earlier, later) {
        (Sites::Anywhere, _) => true,
        (Sites::From(a), Sites::From(b)) => {
            a.len() <= b.len() && a.iter().zip(b).all(|(a, b)| *a == Site::Any || a == b)
        }
        (a, b) => a == b,
    }
}

fn covers_glob(earlier: Option<&Glob>, later: Option<&Glob>) -> bool {
    match (earlier, later) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(a), Some(b)) => a == b || b.literal().is_some_and(|text| a.matches(&text)),
    }
}

fn covers_ranks(earlier: Option<&[(u32, u32)]>, later: Option<&[(u32, u32)]>) -> bool {
    let Some(earlier) = earlier else { return true };
    later.is_some_and(|later| {
        later.iter().all(|(from, to)| earlier.iter().any(|(first, last)| first <= from && to <= last))
    })
}
