//! One rule: its conditions, which must all hold, and the tier that it names.

use super::frames::View;
use super::glob::Glob;
use super::number::Window;
use super::vocabulary::{FileId, FunctionId, ModuleId};
use crate::spec::{Full, Place};

#[derive(Debug)]
pub struct Rule {
    pub name: String,
    pub at: Place,
    pub tier: u16,
    pub limit: Option<Limit>,
    pub sizes: Window,
    /// Of the function that calls.
    pub function: Option<FunctionId>,
    /// Of the module that calls.
    pub module: Option<ModuleId>,
    pub sites: Sites,
    /// Of any function of the stack.
    pub within: Option<FunctionId>,
    pub thread: Option<Glob>,
    pub rank: Option<Vec<(u32, u32)>>,
    /// How many decisions were this one.
    pub decisions: u64,
}

/// The live bytes that a rule may place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub bytes: u64,
    /// Rules with the same account share them.
    pub account: u16,
    /// Where blocks go that would be more.
    pub beyond: Full,
}

/// Where the call must come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sites {
    Anywhere,
    /// Innermost first, without gaps; whatever calls the last.
    From(Vec<Site>),
    /// FlexMalloc's addresses: nothing calls the last. So many of the first lie in operator new or libc, and need not be
    /// frames here.
    WholeRaw {
        sites: Vec<Site>,
        may_lack: usize,
    },
    /// FlexMalloc's lines: nothing that has a line calls the last.
    WholeLines(Vec<Site>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Site {
    Any,
    Line {
        file: FileId,
        line: u32,
    },
    /// The link address of the call, or that it returns to.
    Code {
        module: ModuleId,
        address: u64,
    },
    /// The offset in the file of what is compared: see `Recorded`.
    Raw {
        module: ModuleId,
        offset: u64,
    },
}

impl Rule {
    /// Does everything hold except the size?
    pub fn matches(&self, thread: &[u8], rank: Option<u32>, view: &mut View<'_>) -> bool {
        self.thread.as_ref().is_none_or(|glob| glob.matches(thread))
            && self.rank.as_ref().is_none_or(|ranks| {
                rank.is_some_and(|rank| ranks.iter().any(|(from, to)| (*from..=*to).contains(&rank)))
            })
            && self.module.is_none_or(|module| view.is_in(0, module))
            && self.sites.match_stack(view)
            && self.function.is_none_or(|function| view.is_function(0, function))
            && self.within.is_none_or(|function| view.is_within(function))
    }

    /// Does it ask for nothing but the size?
    pub fn is_bare(&self) -> bool {
        let asks = self.function.is_some() || self.within.is_some() || self.module.is_some();
        !asks && self.thread.is_none() && self.rank.is_none() && self.sites == Sites::Anywhere
    }

    /// How many frames it looks at.
    pub fn depth(&self) -> usize {
        let caller = usize::from(self.function.is_some() || self.module.is_some());
        let within = if self.within.is_some() { super::DEEPEST } else { 0 };
        self.sites.depth().max(caller).max(within)
    }
}

impl Sites {
    pub fn depth(&self) -> usize {
        match self {
            Self::Anywhere => 0,
            Self::From(sites) | Self::WholeRaw { sites, .. } | Self::WholeLines(sites) => sites.len(),
        }
    }

    fn match_stack(&self, view: &mut View<'_>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::From(sites) => sites.iter().enumerate().all(|(at, site)| view.is_site(at, *site)),
            Self::WholeRaw { sites, may_lack } => {
                let is_cut = sites.len() >= view.deepest();
                let mut whole = |sites: &[Site]| {
                    sites.iter().enumerate().all(|(at, site)| view.is_site(at, *site))
                        && (is_cut || !view.has(sites.len()))
                };
                (0..=*may_lack)
                    .filter_map(|lacking| sites.get(lacking..))
                    .any(|sites| !sites.is_empty() && whole(sites))
            }
            Self::WholeLines(sites) => view.are_lines(sites),
        }
    }
}
