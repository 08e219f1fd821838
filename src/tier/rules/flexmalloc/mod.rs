//! FlexMalloc's two files and its variables, unchanged, as a policy.
//!
//! ```text
//! definitions   # Memory configuration for allocator memkind/hbwmalloc      a tier
//!               Size 4096 MBytes
//! locations     a.c:10 > main.c:20 @ memkind/hbwmalloc                      a rule
//! FLEXMALLOC_…  what happens to all other allocations, and how stacks are compared
//! ```
//!
//! `posix` is the heap, `memkind/pmem` files in the directories, `memkind/hbwmalloc` the NUMA nodes without processors.
//!
//! Why a stack is compared as a whole: these files are written by tools that record whole stacks, and there a location
//! matches at its exact length only. The longest location says how many frames are looked at, so of that length it is the
//! beginning of a longer stack, too; so it is here. docs/flexmalloc.md says what else is as there, and what is not.

mod definitions;
mod environment;
mod locations;

use super::number::{Window, quoted};
use super::policy::{Options, Parts, Policy};
use super::rule::{Limit, Rule, Sites};
use super::vocabulary::{FunctionId, Vocabulary};
use super::{Faults, LONGEST_FILE, Reading, Recorded, glob::Glob, last_part, shadow};
use crate::spec::{Full, Kind, NumaPolicy, Place, TierSpec};
use definitions::Definitions;
use environment::Environment;

/// The two files, and what the user calls them.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    pub definitions: (&'a [u8], &'a str),
    pub locations: (&'a [u8], &'a str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Allocator {
    Posix,
    Pmem,
    Hbw,
}

impl Allocator {
    const ALL: [Self; 3] = [Self::Posix, Self::Pmem, Self::Hbw];
    const EXPECTED: &'static str = "posix, memkind/pmem or memkind/hbwmalloc";

    fn name(self) -> &'static str {
        match self {
            Self::Posix => "posix",
            Self::Pmem => "memkind/pmem",
            Self::Hbw => "memkind/hbwmalloc",
        }
    }

    fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|allocator| allocator.name().as_bytes().eq_ignore_ascii_case(name.trim_ascii()))
    }
}

/// Tiers, and which allocator is which.
struct Tiers {
    specs: Vec<TierSpec>,
    /// None: not defined.
    of: [Option<u16>; 3],
    /// What posix may hold for locations, when that is not where everything goes anyway.
    heap_limit: Option<u64>,
}

impl Tiers {
    fn index(&self, allocator: Allocator) -> Option<u16> {
        self.of[allocator as usize]
    }
}

impl Policy {
    /// Reads FlexMalloc's files. `variable` is asked for names like `FLEXMALLOC_FALLBACK_ALLOCATOR`; `real_path` follows
    /// links, and answers none for what does not exist.
    pub fn read_flexmalloc(
        files: &Files<'_>,
        variable: &mut dyn FnMut(&str) -> Option<Vec<u8>>,
        real_path: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    ) -> Reading {
        let (definitions, name) = files.definitions;
        let mut faults = Faults::of(name);
        let definitions = definitions::read(bounded(definitions, &mut faults), &mut faults);
        let mut complaints = faults.into_list();
        let mut faults = Faults::of("the environment");
        let environment = environment::read(variable, &mut faults);
        let tiers = tiers(&definitions, environment.fallback, name, &mut faults);
        let fallback = tiers.index(environment.fallback).unwrap_or(0);

        let mut vocabulary = Vocabulary::default();
        let mut rules = Vec::new();
        if let Some((largest, allocator)) = environment.small {
            let tier = tiers.index(allocator).unwrap_or_else(|| {
                faults.add(0, &format!("{} is not defined", quoted(allocator.name())), "an entry in the definitions");
                fallback
            });
            rules.push(bare("FLEXMALLOC_MINSIZE_THRESHOLD", tier, Window { first: 0, last: largest }));
        }
        complaints.extend(faults.into_list());

        let (text, name) = files.locations;
        let mut faults = Faults::of(name);
        let text = bounded(text, &mut faults);
        locations::Reader::new(&environment, &tiers, &mut vocabulary, real_path).read(text, &mut rules, &mut faults);
        shadow::complain(&rules, &vocabulary, &mut faults);
        complaints.extend(faults.into_list());
        if fallback != 0 {
            rules.push(bare("FLEXMALLOC_FALLBACK_ALLOCATOR", fallback, Window::ALL));
        }
        let main = environment.stop_at_main.then(|| mains(&mut vocabulary)).flatten();
        let recorded = Some(Recorded { minus_1: environment.minus_1, main });
        let accounts = u16::from(tiers.heap_limit.is_some());
        let parts = Parts { tiers: tiers.specs, options: Options::default(), rules, vocabulary, recorded, accounts };
        Reading { policy: Some(Policy::new(parts)), complaints }
    }
}

fn bounded<'a>(text: &'a [u8], faults: &mut Faults) -> &'a [u8] {
    if text.len() > LONGEST_FILE {
        faults.add(0, "longer than 4 MiB", "a shorter file");
        return &[];
    }
    text
}

/// A rule without conditions beside the size.
fn bare(name: &str, tier: u16, sizes: Window) -> Rule {
    Rule {
        name: name.to_owned(),
        at: Place { file: "the environment".to_owned(), line: 0 },
        tier,
        limit: None,
        sizes,
        function: None,
        module: None,
        sites: Sites::Anywhere,
        within: None,
        thread: None,
        rank: None,
        decisions: 0,
    }
}

/// Where stacks end with FLEXMALLOC_CALLSTACK_STOP_AT_MAIN: names that begin so.
fn mains(vocabulary: &mut Vocabulary) -> Option<[FunctionId; 2]> {
    let mut main = |glob: &str| Glob::parse(glob.as_bytes()).ok().map(|glob| vocabulary.function(glob));
    Some([main("main*")?, main("MAIN__*")?])
}

fn tiers(definitions: &Definitions, fallback: Allocator, file: &str, faults: &mut Faults) -> Tiers {
    let mut tiers = Tiers { specs: vec![TierSpec::heap()], of: [Some(0), None, None], heap_limit: None };
    let place = |line| Place { file: file.to_owned(), line };
    if let Some(hbw) = &definitions.hbw {
        // As there, blocks go elsewhere when these nodes have no room.
        let kind = Kind::Numa { nodes: Vec::new(), policy: NumaPolicy::PreferredMany };
        let mut spec = TierSpec::new(Allocator::Hbw.name(), kind);
        (spec.capacity, spec.at) = (Some(hbw.bytes), place(hbw.line));
        // A tier of nothing is where nothing fits: what it does not hold goes to the fallback.
        if hbw.bytes > 0 {
            tiers.of[Allocator::Hbw as usize] = Some(tiers.specs.len() as u16);
            tiers.specs.push(spec);
        }
    }
    for (number, (directory, line)) in (1..).zip(&definitions.pmem) {
        let name = Allocator::Pmem.name();
        let name = if number == 1 { name.to_owned() } else { format!("{name} {number}") };
        let mut spec = TierSpec::new(&name, Kind::File { path: directory.clone() });
        spec.at = place(*line);
        let index = tiers.specs.len() as u16;
        match tiers.of[Allocator::Pmem as usize] {
            None => tiers.of[Allocator::Pmem as usize] = Some(index),
            // What does not fit into a directory goes to the next.
            Some(_) => {
                if let Some(before) = tiers.specs.last_mut() {
                    before.full = Full::Next(index);
                }
            }
        }
        tiers.specs.push(spec);
    }
    let to = match tiers.index(fallback) {
        Some(0) => Full::Heap,
        Some(index) => Full::Next(index),
        None => {
            let what = format!("FLEXMALLOC_FALLBACK_ALLOCATOR: {} is not defined", quoted(fallback.name()));
            faults.add(0, &what, "an entry in the definitions (posix is taken)");
            Full::Heap
        }
    };
    for (index, spec) in (0..).zip(&mut tiers.specs).skip(1) {
        let is_fallback = spec.name.starts_with(fallback.name());
        if spec.full == Full::Heap && !is_fallback && Full::Next(index) != to {
            spec.full = to;
        }
    }
    if definitions.hbw.as_ref().is_some_and(|hbw| hbw.bytes == 0) {
        tiers.of[Allocator::Hbw as usize] = Some(tiers.index(fallback).unwrap_or(0));
    }
    if to != Full::Heap {
        tiers.heap_limit = definitions.posix.as_ref().map(|posix| posix.bytes);
    }
    tiers
}

impl Tiers {
    fn limit(&self, allocator: Allocator, fallback: Allocator) -> Option<Limit> {
        let bytes = self.heap_limit.filter(|_| allocator == Allocator::Posix)?;
        let beyond = self.index(fallback).filter(|index| *index != 0).map_or(Full::Heap, Full::Next);
        Some(Limit { bytes, account: 0, beyond })
    }
}

/// Modules whose frames FlexMalloc does not translate into lines, wherever they lie. And libc, although it does: else the same file would
/// match or not by whether libc's debug file is there, and binutils name other files for its lines than the line table does.
pub(super) fn without_lines(path: &[u8]) -> bool {
    const BEGINNINGS: [&str; 14] = [
        "libc.so.",
        "libc-2.",
        "libnuma.so",
        "libmemkind.so",
        "libbfd-",
        "libgcc_s-",
        "libm-",
        "librt-",
        "libdl-",
        "ld-",
        "libpthread-",
        "libmpi.so",
        "libmpicxx.so",
        "libmpifort.so",
    ];
    BEGINNINGS.iter().any(|beginning| last_part(path).starts_with(beginning.as_bytes()))
}
