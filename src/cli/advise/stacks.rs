//! How much of a call stack a rule has to name.
//!
//! A rule names the innermost calls of a stack. It names as few as tell it from all stacks that belong elsewhere, but at least those up to
//! the call that a person would name: a rule for a wrapper around malloc would take everything. So rules hold for stacks that
//! the recordings have not seen and that differ far out only, stacks that belong to one tier share a rule, and the
//! process walks few frames.
//!
//! A stack that ends where another goes on cannot be told from it by its own calls. The other's rule must stand before; where it
//! belongs on the heap, it gets one that says so.

use std::collections::{BTreeMap, HashMap};

/// A frame that no rule can name: code without a module.
pub const NAMELESS: u32 = u32::MAX;

/// A stack and where it belongs.
pub struct Stack {
    /// Numbers of its calls, innermost first; [`NAMELESS`].
    pub frames: Vec<u32>,
    /// Frames up to the call that a person would name.
    pub named: usize,
    /// `None`: the heap.
    pub tier: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub frames: Vec<u32>,
    pub tier: Option<usize>,
    /// Indexes of the stacks that it is for.
    pub stacks: Vec<usize>,
}

/// Of all stacks with these innermost calls.
#[derive(Clone, Copy, PartialEq)]
enum Common {
    Tier(Option<usize>),
    Mixed,
}

/// Rules in an order in which the first that matches is right, `deepest` frames at most; and how many stacks have no call that a
/// rule could name.
pub fn rules(stacks: &[Stack], deepest: usize) -> (Vec<Rule>, usize) {
    let mut common: HashMap<&[u32], Common> = HashMap::new();
    for stack in stacks {
        for len in 1..=stack.frames.len().min(deepest) {
            let known = common.entry(&stack.frames[..len]).or_insert(Common::Tier(stack.tier));
            if *known != Common::Tier(stack.tier) {
                *known = Common::Mixed;
            }
        }
    }
    let length = |stack: &Stack| {
        let whole = stack.frames.len().min(deepest);
        let tells = |len: &usize| common.get(&stack.frames[..*len]) == Some(&Common::Tier(stack.tier));
        (stack.named.clamp(1, whole.max(1))..=whole).find(tells)
    };
    let mut nameless = 0;
    // By frames: what several stacks have in common is one rule.
    let mut certain: BTreeMap<&[u32], Rule> = BTreeMap::new();
    let mut doubtful: BTreeMap<&[u32], Rule> = BTreeMap::new();
    for (number, stack) in stacks.iter().enumerate().filter(|(_, stack)| stack.tier.is_some()) {
        let (rules, len) = match length(stack) {
            Some(len) => (&mut certain, len),
            None => (&mut doubtful, stack.frames.len().min(deepest)),
        };
        let frames = &stack.frames[..len];
        if frames.iter().all(|frame| *frame == NAMELESS) {
            nameless += 1;
            continue;
        }
        let new = || Rule { frames: frames.to_vec(), tier: stack.tier, stacks: Vec::new() };
        rules.entry(frames).or_insert_with(new).stacks.push(number);
    }
    let mut heap: BTreeMap<&[u32], Rule> = BTreeMap::new();
    for (number, stack) in stacks.iter().enumerate().filter(|(_, stack)| stack.tier.is_none()) {
        let goes_on = |len: &usize| doubtful.contains_key(&stack.frames[..*len]);
        if !(1..stack.frames.len().min(deepest)).any(|len| goes_on(&len)) {
            continue;
        }
        let (rules, len) = match length(stack) {
            Some(len) => (&mut certain, len),
            None => (&mut heap, stack.frames.len().min(deepest)),
        };
        let frames = &stack.frames[..len];
        let new = || Rule { frames: frames.to_vec(), tier: None, stacks: Vec::new() };
        rules.entry(frames).or_insert_with(new).stacks.push(number);
    }
    let mut first: Vec<Rule> = certain.into_values().collect();
    first.sort_by_key(|rule| rule.stacks.first().copied());
    let mut last: Vec<Rule> = doubtful.into_values().chain(heap.into_values()).collect();
    last.sort_by_key(|rule| std::cmp::Reverse(rule.frames.len()));
    first.extend(last);
    (first, nameless)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(frames: &[u32], named: usize, tier: Option<usize>) -> Stack {
        Stack { frames: frames.to_vec(), named, tier }
    }

    fn of(stacks: &[Stack]) -> Vec<(Vec<u32>, Option<usize>, Vec<usize>)> {
        rules(stacks, 64).0.into_iter().map(|rule| (rule.frames, rule.tier, rule.stacks)).collect()
    }

    #[test]
    fn as_few_calls_as_tell() {
        let stacks = [
            stack(&[1, 2, 9], 1, Some(0)),
            stack(&[1, 3, 9], 1, None),
            stack(&[5, 2, 9], 1, Some(0)),
            stack(&[7, 8, 2], 2, Some(1)),
            stack(&[7, 8, 3], 2, Some(1)),
        ];
        let expected = [(vec![1, 2], Some(0), vec![0]), (vec![5], Some(0), vec![2]), (vec![7, 8], Some(1), vec![3, 4])];
        assert_eq!(of(&stacks), expected);
    }

    #[test]
    fn a_stack_that_ends_where_another_goes_on() {
        let stacks = [stack(&[1, 2], 1, Some(0)), stack(&[1, 2, 3], 1, None), stack(&[1, 2, 4], 1, Some(1))];
        let expected =
            [(vec![1, 2, 3], None, vec![1]), (vec![1, 2, 4], Some(1), vec![2]), (vec![1, 2], Some(0), vec![0])];
        assert_eq!(of(&stacks), expected);
        // The other way round nothing is in doubt.
        let stacks = [stack(&[1, 2], 1, None), stack(&[1, 2, 3], 1, Some(0))];
        assert_eq!(of(&stacks), [(vec![1, 2, 3], Some(0), vec![1])]);
    }

    #[test]
    fn code_without_a_module() {
        let n = NAMELESS;
        let stacks = [stack(&[n, n], 1, Some(0)), stack(&[n, 4], 1, Some(0)), stack(&[n, 5], 1, None)];
        let (found, nameless) = rules(&stacks, 64);
        assert_eq!((nameless, found.len(), found[0].frames.clone()), (1, 1, vec![n, 4]));
        assert_eq!(rules(&[stack(&[], 1, Some(0))], 64), (Vec::new(), 1));
    }

    /// First match wins, as in the process: each stack gets its tier.
    #[test]
    fn every_stack_gets_its_tier() {
        let mut seed = 5u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..500 {
            let mut stacks: Vec<Stack> = Vec::new();
            for _ in 0..1 + random(12) {
                let frames: Vec<u32> = (0..1 + random(5)).map(|_| random(3) as u32).collect();
                if stacks.iter().all(|other| other.frames != frames) {
                    stacks.push(stack(&frames, 1 + random(2) as usize, [None, Some(0), Some(1)][random(3) as usize]));
                }
            }
            let (rules, _) = rules(&stacks, 64);
            for one in &stacks {
                let found = rules.iter().find(|rule| one.frames.starts_with(&rule.frames)).and_then(|rule| rule.tier);
                assert_eq!(found, one.tier, "{:?}", one.frames);
            }
        }
    }
}
