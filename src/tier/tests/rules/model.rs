//! Any rules on any stack: the index, the cache of what is known, the windows and depths of decisions, against a matcher
//! that asks each rule in turn.

use super::process::{Process, policy, query};
use proptest::prelude::*;

const FILES: [&str; 3] = ["a.c", "b.c", "c.c"];
const FUNCTIONS: [&str; 3] = ["alpha", "beta", "gamma"];

/// A frame is a number below nine: a function and a line; its return address leads back to it.
fn address(frame: usize) -> u64 {
    0x10010 + 0x10 * frame as u64
}

#[derive(Clone, Debug)]
enum Place {
    Any,
    Line(usize),
    Code(usize),
}

#[derive(Clone, Debug)]
struct Said {
    size: Option<(usize, usize)>,
    function: Option<usize>,
    within: Option<usize>,
    stack: Vec<Place>,
    thread: bool,
    rank: Option<u32>,
    is_heap: bool,
}

impl Said {
    fn text(&self) -> String {
        let mut text = format!("[[rule]]\ntier = '{}'\n", if self.is_heap { "heap" } else { "x" });
        if let Some((from, to)) = self.size {
            text.push_str(&format!("size = '{from}..={to}'\n"));
        }
        if let Some(function) = self.function {
            text.push_str(&format!("function = '{}*'\n", &FUNCTIONS[function][..2]));
        }
        if let Some(function) = self.within {
            text.push_str(&format!("within = '{}'\n", FUNCTIONS[function]));
        }
        let places = self.stack.iter().map(|place| match place {
            Place::Any => "'*'".to_owned(),
            Place::Line(frame) => format!("'{}:{}'", FILES[frame % 3], 1 + frame / 3),
            Place::Code(frame) => format!("'app+{:#x}'", address(*frame) - 1 - 0x10000 + 0x1000),
        });
        let places: Vec<_> = places.collect();
        if !places.is_empty() {
            text.push_str(&format!("stack = [{}]\n", places.join(",")));
        }
        if self.thread {
            text.push_str("thread = 'work*'\n");
        }
        if let Some(rank) = self.rank {
            text.push_str(&format!("rank = {rank}\n"));
        }
        text
    }

    fn wants(&self, size: usize, frames: &[usize], thread: &[u8], rank: Option<u32>) -> bool {
        let function = |frame: &usize| frame % 3;
        self.size.is_none_or(|(from, to)| (from..=to).contains(&size))
            && self.function.is_none_or(|f| frames.first().is_some_and(|frame| function(frame) == f))
            && self.within.is_none_or(|f| frames.iter().any(|frame| function(frame) == f))
            && self.stack.len() <= frames.len()
            && self.stack.iter().zip(frames).all(|(place, frame)| match place {
                Place::Any => true,
                // Three functions have three lines in three files.
                Place::Line(wanted) | Place::Code(wanted) => wanted == frame,
            })
            && (!self.thread || thread.starts_with(b"work"))
            && self.rank.is_none_or(|wanted| rank == Some(wanted))
    }
}

fn process() -> Process {
    let mut process = Process::new();
    for frame in 0..9 {
        process.frame(address(frame), FUNCTIONS[frame % 3], (FILES[frame % 3], 1 + frame as u32 / 3));
    }
    process
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    let place = prop_oneof![1 => Just(Place::Any), 4 => (0..9usize).prop_map(Place::Line), 2 => (0..9usize).prop_map(Place::Code)];
    proptest::collection::vec(place, 0..3)
}

fn said() -> impl Strategy<Value = Said> {
    let window = proptest::option::of((0..16usize, 0..8usize).prop_map(|(from, more)| (from, from + more)));
    let maybe = |some: u32| proptest::option::weighted(f64::from(some) / 10.0, 0..3usize);
    (
        window,
        maybe(2),
        maybe(2),
        places(),
        proptest::bool::weighted(0.1),
        proptest::option::weighted(0.1, 0..3u32),
        proptest::bool::weighted(0.3),
    )
        .prop_map(|(size, function, within, stack, thread, rank, is_heap)| Said {
            size,
            function,
            within,
            stack,
            thread,
            rank,
            is_heap,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn as_each_rule_in_turn(
        rules in proptest::collection::vec(said(), 0..12),
        stacks in proptest::collection::vec((proptest::collection::vec(0..9usize, 0..5), 0..24usize, any::<bool>(), proptest::option::of(0..3u32)), 1..12),
    ) {
        let text: String = rules.iter().map(Said::text).collect();
        let text = format!("[[tier]]\nname = 'x'\nkind = 'memfd'\n{text}");
        // Rules that can never match are told; they are rules all the same.
        let mut policy = tier::rules::Policy::read(text.as_bytes(), "t").policy.unwrap();
        prop_assert_eq!(policy.rules().len(), rules.len());
        let mut process = process();
        for (frames, size, is_worker, rank) in &stacks {
            let thread: &[u8] = if *is_worker { b"worker 1" } else { b"main" };
            let naive = |size: usize, frames: &[usize]| {
                rules.iter().position(|rule| rule.wants(size, frames, thread, *rank)).map(|n| n as u16)
            };
            let addresses: Vec<u64> = frames.iter().map(|frame| address(*frame)).collect();
            let mut query = query(*size, &addresses);
            (query.thread, query.rank) = (thread, *rank);
            let decision = policy.decide(&query, &mut process);
            prop_assert_eq!(decision.rule, naive(*size, frames));
            prop_assert!(decision.sizes.contains(size));
            // The answer holds for all the sizes that it says, ...
            for other in decision.sizes.clone().take_while(|other| *other < 32) {
                prop_assert_eq!(naive(other, frames), decision.rule, "size {}", other);
            }
            // ... and whatever lies beyond the frames that it looked at.
            if decision.depth <= frames.len() {
                for beyond in [&[][..], &[0, 1, 2], &[8], &[4, 4]] {
                    let other = [&frames[..decision.depth], beyond].concat();
                    prop_assert_eq!(naive(*size, &other), decision.rule, "beyond {}", decision.depth);
                }
            }
            // The filter lets through all that belongs elsewhere.
            prop_assert!(decision.tier == 0 || policy.sizes().contains(size));
            if decision.rule.is_some() {
                prop_assert!(decision.depth <= policy.depth());
            }
        }
    }
}

/// The generator above makes what it should.
#[test]
fn the_vocabulary_means_what_it_says() {
    let rule = Said {
        size: None,
        function: Some(1),
        within: None,
        stack: vec![Place::Line(4), Place::Code(7)],
        thread: false,
        rank: None,
        is_heap: false,
    };
    let mut policy = policy(&format!("[[tier]]\nname = 'x'\nkind = 'memfd'\n{}", rule.text()));
    let mut process = process();
    assert_eq!(policy.decide(&query(1, &[address(4), address(7)]), &mut process).rule, Some(0));
    assert_eq!(policy.decide(&query(1, &[address(4), address(8)]), &mut process).rule, None);
}

/// FlexMalloc as it is said to work: locations sorted by length, stacks cut to the longest, lines trimmed and compared in turn.
mod flexmalloc {
    use super::*;
    use tier::rules::Policy;
    use tier::rules::flexmalloc::Files;

    /// A frame from 9 on has no line.
    const FRAMES: usize = 12;

    #[derive(Clone, Debug)]
    pub enum Said {
        Frame(usize),
        Unknown,
    }

    pub fn locations() -> impl Strategy<Value = Vec<Vec<Said>>> {
        let frame = prop_oneof![6 => (0..FRAMES).prop_map(Said::Frame), 1 => Just(Said::Unknown)];
        proptest::collection::vec(proptest::collection::vec(frame, 1..5), 1..10)
    }

    fn text(location: &[Said], is_raw: bool) -> String {
        let frames = location.iter().map(|said| match said {
            Said::Frame(frame) if is_raw => format!("/srv/app!{:x}", address(*frame) - 0x10000),
            Said::Frame(frame) => format!("{}:{}", FILES[frame % 3].to_uppercase(), 1 + frame / 3),
            Said::Unknown if is_raw => "/gone!1".to_owned(),
            Said::Unknown => "Unresolved:0".to_owned(),
        });
        format!("{} @ memkind/pmem\n", frames.collect::<Vec<_>>().join(" > "))
    }

    pub fn policy(locations: &[Vec<Said>], is_raw: bool) -> Policy {
        let locations: String = locations.iter().map(|location| text(location, is_raw)).collect();
        let definitions = b"# Memory configuration for allocator memkind/pmem\n@ /mnt/pmem0\n";
        let files = Files { definitions: (definitions, "D"), locations: (locations.as_bytes(), "L") };
        Policy::read_flexmalloc(&files, &mut |_| None, &mut |_| None).policy.unwrap()
    }

    pub fn process() -> Process {
        let mut process = Process::new();
        for frame in 0..9 {
            // Of the address that is returned to.
            process.lines.insert(address(frame), (FILES[frame % 3], 1 + frame as u32 / 3));
        }
        process
    }

    pub fn naive(locations: &[Vec<Said>], is_raw: bool, stack: &[usize]) -> Option<u16> {
        let trimmed: Vec<Vec<Said>> = locations
            .iter()
            .map(|location| {
                let mut location = location.clone();
                while !is_raw && location.len() > 1 && matches!(location.last(), Some(Said::Unknown)) {
                    location.pop();
                }
                location
            })
            .collect();
        let longest = trimmed.iter().map(Vec::len).max()?;
        let mut stack: &[usize] = &stack[..stack.len().min(longest)];
        if !is_raw {
            let has_line = |frame: &usize| *frame < 9;
            let first = stack.iter().position(has_line)?;
            let last = stack.iter().rposition(has_line)?;
            stack = &stack[first..=last];
        }
        let matches = |location: &Vec<Said>| {
            location.len() == stack.len()
                && location.iter().zip(stack).all(|(said, frame)| match said {
                    Said::Unknown => !is_raw,
                    Said::Frame(said) => said == frame || !is_raw && *frame >= 9,
                })
        };
        trimmed.iter().position(matches).map(|at| at as u16)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn as_flexmalloc(
        locations in flexmalloc::locations(),
        is_raw in any::<bool>(),
        stacks in proptest::collection::vec(proptest::collection::vec(0..12usize, 0..7), 1..20),
    ) {
        let mut policy = flexmalloc::policy(&locations, is_raw);
        prop_assert_eq!(policy.rules().len(), locations.len());
        let mut process = flexmalloc::process();
        for stack in &stacks {
            let addresses: Vec<u64> = stack.iter().map(|frame| address(*frame)).collect();
            let decision = policy.decide(&query(1, &addresses), &mut process);
            prop_assert_eq!(decision.rule, flexmalloc::naive(&locations, is_raw, stack), "{:?}", stack);
            if decision.depth <= stack.len() {
                for beyond in [&[][..], &[0, 1, 2], &[11, 8]] {
                    let other = [&stack[..decision.depth], beyond].concat();
                    prop_assert_eq!(flexmalloc::naive(&locations, is_raw, &other), decision.rule, "beyond {}", decision.depth);
                }
            }
        }
    }
}
