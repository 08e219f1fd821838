//! The look for lost blocks: the index against a search, the marking against a naive model, and the shapes that people know.
#![cfg(not(loom))]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use track::heap::Family;
use track::heap::blocks::{Block, Blocks, Page, Reach, Room, Span};
use track::heap::reach::{Marking, Memory, Root, WORD};

/// A block that is to be.
#[derive(Clone, Debug)]
struct Made {
    start: u64,
    size: u64,
    family: Family,
}

/// Memory that is only there where words were put.
#[derive(Default)]
struct Words {
    words: BTreeMap<u64, u64>,
    tables: BTreeSet<u64>,
    over: bool,
}

impl Memory for Words {
    fn words(&self, start: u64, end: u64, found: &mut impl FnMut(u64)) -> bool {
        for (_, word) in self.words.range(start..end).filter(|(at, _)| **at + WORD <= end) {
            found(*word);
        }
        !self.over
    }

    fn word(&self, at: u64) -> Option<u64> {
        self.words.get(&at).copied()
    }

    fn is_vtable(&self, at: u64) -> bool {
        self.tables.contains(&at)
    }
}

/// The state of each block, what its leader is when it is indirect, and whether there was time.
fn look(made: &[Made], roots: &[(u64, Root)], memory: &Words) -> (Vec<Reach>, Vec<usize>, bool) {
    let mut room = Room::default();
    made.iter().for_each(|m| room.add(m.start, m.size));
    let room = room.finish(false);
    let mut blocks = vec![Block::default(); room.blocks];
    let (mut spans, mut pages) = (vec![Span::default(); room.spans], vec![Page::default(); room.pages]);
    let mut links = vec![0; room.blocks];
    let mut blocks = Blocks::new(&mut blocks, &mut spans, &mut pages);
    for m in made {
        assert!(blocks.push(m.start, m.size, m.family), "no room for {m:?}: {room:?}");
    }
    blocks.seal();
    let mut marking = Marking::new(&mut blocks, &mut links);
    for (value, root) in roots {
        marking.word(memory, *value, *root);
    }
    marking.lose(memory);
    let leaders = (0..made.len()).map(|i| marking.leader(i)).collect();
    let cut = marking.cut;
    (blocks.iter().map(Block::reach).collect(), leaders, cut)
}

/// Blocks of four words, 0x1000 apart, with pointers `(from, word, to, offset)`.
fn shape(count: u64, pointers: &[(u64, u64, u64, u64)]) -> (Vec<Made>, Words) {
    let at = |i: u64| 0x10_0000 + i * 0x1000;
    let mut memory = Words::default();
    let made: Vec<Made> = (0..count).map(|i| Made { start: at(i), size: 4 * WORD, family: Family::Malloc }).collect();
    for word in made.iter().flat_map(|m| (0..4).map(|w| m.start + w * WORD)) {
        memory.words.insert(word, 0);
    }
    for (from, word, to, offset) in pointers {
        memory.words.insert(at(*from) + word * WORD, at(*to) + offset);
    }
    (made, memory)
}

fn at(i: u64) -> u64 {
    0x10_0000 + i * 0x1000
}

use Reach::{Indirect, Lost, Possible, Reachable};

#[test]
fn a_list_is_lost_with_its_head() {
    let (made, memory) = shape(4, &[(0, 0, 1, 0), (1, 0, 2, 0), (2, 1, 3, 0)]);
    let (reach, leaders, _) = look(&made, &[], &memory);
    assert_eq!(reach, [Lost, Indirect, Indirect, Indirect]);
    assert_eq!(leaders, [0, 0, 0, 0]);
    assert_eq!(look(&made, &[(at(0), Root::Program)], &memory).0, [Reachable; 4]);
    assert_eq!(look(&made, &[(at(2), Root::Program)], &memory).0, [Lost, Indirect, Reachable, Reachable]);
}

#[test]
fn of_a_ring_the_lowest_is_lost() {
    let (made, memory) = shape(3, &[(0, 0, 1, 0), (1, 0, 2, 0), (2, 0, 0, 0)]);
    assert_eq!(look(&made, &[], &memory).0, [Lost, Indirect, Indirect]);
}

#[test]
fn a_pointer_to_itself_keeps_nothing() {
    let (made, memory) = shape(1, &[(0, 0, 0, 0)]);
    assert_eq!(look(&made, &[], &memory).0, [Lost]);
}

#[test]
fn a_tree_whose_root_lies_above_its_leaves() {
    let (made, memory) = shape(3, &[(2, 0, 0, 0), (2, 1, 1, 0)]);
    let (reach, leaders, _) = look(&made, &[], &memory);
    assert_eq!(reach, [Indirect, Indirect, Lost]);
    assert_eq!(leaders, [2, 2, 2]);
}

#[test]
fn a_leader_that_is_found_later_hands_its_own_over() {
    let (made, memory) = shape(3, &[(0, 0, 1, 0), (2, 0, 0, 0)]);
    let (reach, leaders, _) = look(&made, &[], &memory);
    assert_eq!(reach, [Indirect, Indirect, Lost]);
    assert_eq!(leaders, [2, 2, 2]);
}

#[test]
fn a_pointer_into_a_block_is_possible_and_so_is_what_it_leads_to() {
    let (made, memory) = shape(3, &[(0, 0, 1, 0), (1, 0, 2, 0)]);
    assert_eq!(look(&made, &[(at(0) + 8, Root::Program)], &memory).0, [Possible; 3]);
    // A better way that is found later counts.
    let roots = [(at(0) + 8, Root::Program), (at(1), Root::Program)];
    assert_eq!(look(&made, &roots, &memory).0, [Possible, Reachable, Reachable]);
    assert_eq!(look(&made, &[(at(0) + 4 * WORD, Root::Program)], &memory).0[0], Lost);
    assert_eq!(look(&made, &[(at(0) + 4 * WORD - 1, Root::Program)], &memory).0[0], Possible);
}

#[test]
fn libc_keeps_pointers_into_blocks_of_threads() {
    let (made, memory) = shape(1, &[]);
    assert_eq!(look(&made, &[(at(0) + 2 * WORD, Root::Thread)], &memory).0, [Reachable]);
}

#[test]
fn the_allocators_lists_keep_nothing() {
    // The header of the chunk behind a block of three words lies in its last word.
    let (mut made, memory) = shape(1, &[]);
    made[0].size = 3 * WORD;
    assert_eq!(look(&made, &[(at(0) + 2 * WORD, Root::Allocator)], &memory).0, [Lost]);
    assert_eq!(look(&made, &[(at(0) + WORD, Root::Allocator)], &memory).0, [Possible]);
    assert_eq!(look(&made, &[(at(0) + 2 * WORD, Root::Program)], &memory).0, [Possible]);
}

#[test]
fn an_array_with_destructors_is_known_by_its_first_element() {
    let (mut made, mut memory) = shape(1, &[]);
    made[0].family = Family::NewArray;
    memory.words.insert(at(0), 3);
    let from = |made: &[Made], memory: &Words, offset| look(made, &[(at(0) + offset, Root::Program)], memory).0[0];
    assert_eq!(from(&made, &memory, WORD), Reachable);
    assert_eq!(from(&made, &memory, 2 * WORD), Possible);
    memory.words.insert(at(0), 5);
    assert_eq!(from(&made, &memory, WORD), Possible, "three words are not five elements");
    memory.words.insert(at(0), 3);
    made[0].family = Family::New;
    assert_eq!(from(&made, &memory, WORD), Possible);
}

#[test]
fn an_old_string_is_known_by_its_characters() {
    let (mut made, mut memory) = shape(1, &[]);
    made[0].size = 3 * WORD + 6;
    memory.words.insert(at(0), 4);
    memory.words.insert(at(0) + WORD, 5);
    let root = [(at(0) + 3 * WORD, Root::Program)];
    assert_eq!(look(&made, &root, &memory).0, [Reachable]);
    memory.words.insert(at(0), 6);
    assert_eq!(look(&made, &root, &memory).0, [Possible], "longer than its capacity");
    memory.words.insert(at(0) + WORD, u64::MAX - 2);
    assert_eq!(look(&made, &root, &memory).0, [Possible]);
}

#[test]
fn a_length_in_front() {
    let (made, mut memory) = shape(1, &[]);
    memory.words.insert(at(0), 4 * WORD - 8);
    if WORD == 8 {
        assert_eq!(look(&made, &[(at(0) + 8, Root::Program)], &memory).0, [Reachable]);
    }
    memory.words.insert(at(0), 4 * WORD);
    assert_eq!(look(&made, &[(at(0) + 8, Root::Program)], &memory).0, [Possible]);
}

#[test]
fn an_object_is_known_by_its_second_base() {
    let (made, mut memory) = shape(1, &[]);
    memory.words.insert(at(0), 0x7000);
    memory.words.insert(at(0) + 2 * WORD, 0x7040);
    let root = [(at(0) + 2 * WORD, Root::Program)];
    memory.tables.insert(0x7000);
    assert_eq!(look(&made, &root, &memory).0, [Possible], "one table is not enough");
    memory.tables.insert(0x7040);
    assert_eq!(look(&made, &root, &memory).0, [Reachable]);
}

#[test]
fn an_empty_block_has_an_address() {
    let (mut made, memory) = shape(2, &[]);
    made[0].size = 0;
    assert_eq!(look(&made, &[(at(0), Root::Program)], &memory).0, [Reachable, Lost]);
}

#[test]
fn without_time_it_says_so() {
    let (made, mut memory) = shape(3, &[(0, 0, 1, 0)]);
    memory.over = true;
    assert!(look(&made, &[], &memory).2);
    memory.over = false;
    assert!(!look(&made, &[], &memory).2);
}

#[test]
fn a_block_over_many_spans_is_found_from_anywhere() {
    let mut room = Room::default();
    let all = [(0x3f_ff00u64, 64u64), (0x40_0000, 100 << 20), (0x40_0000 + (100 << 20), 32), (1 << 40, 1 << 33)];
    all.iter().for_each(|(start, size)| room.add(*start, *size));
    let room = room.finish(false);
    let mut blocks = vec![Block::default(); room.blocks];
    let (mut spans, mut pages) = (vec![Span::default(); room.spans], vec![Page::default(); room.pages]);
    let mut blocks = Blocks::new(&mut blocks, &mut spans, &mut pages);
    all.iter().for_each(|(start, size)| assert!(blocks.push(*start, *size, Family::Malloc)));
    blocks.seal();
    for (i, (start, size)) in all.iter().enumerate() {
        for offset in [0, 1, size / 3, size / 2, size - 1] {
            let hit = blocks.find(start + offset).map(|hit| (hit.block, hit.offset));
            assert_eq!(hit, Some((i, offset)), "{start:#x} + {offset:#x}");
        }
    }
    assert_eq!(blocks.find(0x3f_ff00 + 64), None);
    assert_eq!(blocks.find(0x3f_feff), None);
    assert_eq!(blocks.find((1 << 40) - 1), None);
    assert_eq!(blocks.find((1 << 40) + (1 << 33)), None);
    assert!(!blocks.push(1 << 39, 8, Family::Malloc), "not in order");
}

/// Blocks at addresses that fall into few pages, or over several spans, in order and apart.
fn heaps() -> impl Strategy<Value = Vec<Made>> {
    let gap = prop_oneof![4 => 0u64..6, 1 => 0u64..400, 1 => 100_000u64..300_000];
    let size = prop_oneof![8 => 0u64..80, 1 => 80u64..9000, 1 => Just(5u64 << 20)];
    let family = prop_oneof![Just(Family::Malloc), Just(Family::NewArray), Just(Family::New)];
    prop::collection::vec((gap, size, family), 1..40).prop_map(|parts| {
        let mut next = 0x5500_0000_0000u64 & (usize::MAX as u64);
        let mut made = Vec::new();
        for (gap, size, family) in parts {
            let start = next + gap * 32;
            next = (start + size.max(1)).next_multiple_of(32);
            made.push(Made { start, size, family });
        }
        made
    })
}

/// What a word may be: `(what, block, offset)`.
fn values() -> impl Strategy<Value = Vec<(u8, u16, u64)>> {
    prop::collection::vec((0u8..6, any::<u16>(), 0u64..100), 0..160)
}

fn value(made: &[Made], (what, block, offset): (u8, u16, u64)) -> u64 {
    let block = &made[block as usize % made.len()];
    match what {
        0..=2 => block.start,
        3 => block.start + offset % block.size.max(1),
        4 => block.start + block.size + offset,
        _ => offset,
    }
}

/// What memcheck would say, by sets and searches.
fn model(made: &[Made], roots: &[u64], memory: &Words) -> Vec<Reach> {
    let find = |value: u64| made.iter().position(|m| value >= m.start && value - m.start < m.size.max(1));
    let strong = |value: u64| {
        find(value).filter(|i| {
            let (block, offset) = (&made[*i], value - made[*i].start);
            let word = |n: u64| memory.word(block.start + n * WORD);
            let cookie = block.family == Family::NewArray
                && offset == WORD
                && word(0).is_some_and(|n| n > 0 && (block.size - WORD) % n == 0);
            let string = offset == 3 * WORD
                && word(0)
                    .zip(word(1))
                    .is_some_and(|(l, c)| l <= c && u128::from(c) + u128::from(3 * WORD) + 1 == u128::from(block.size));
            let length = offset == 8 && WORD == 8 && word(0) == Some(block.size - 8);
            offset == 0 || cookie || string || length
        })
    };
    let words = |i: usize| {
        let mut all = Vec::new();
        memory.words(made[i].start, made[i].start + made[i].size, &mut |word| all.push(word));
        all
    };
    let closure = |from: Vec<usize>, step: &dyn Fn(u64) -> Option<usize>| {
        let (mut seen, mut todo) = (BTreeSet::new(), from);
        while let Some(i) = todo.pop() {
            if seen.insert(i) {
                todo.extend(words(i).into_iter().filter_map(step));
            }
        }
        seen
    };
    let reachable = closure(roots.iter().filter_map(|v| strong(*v)).collect(), &strong);
    let any = closure(roots.iter().filter_map(|v| find(*v)).collect(), &find);
    let mut state: Vec<Reach> = (0..made.len())
        .map(|i| match (reachable.contains(&i), any.contains(&i)) {
            (true, _) => Reachable,
            (_, true) => Possible,
            _ => Lost,
        })
        .collect();
    for leader in 0..made.len() {
        if state[leader] != Lost {
            continue;
        }
        let mut todo = vec![leader];
        while let Some(i) = todo.pop() {
            for other in words(i).into_iter().filter_map(find) {
                if other != leader && state[other] == Lost {
                    state[other] = Indirect;
                    todo.push(other);
                }
            }
        }
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_a_search_finds(made in heaps(), asked in values()) {
        let mut room = Room::default();
        made.iter().for_each(|m| room.add(m.start, m.size));
        let room = room.finish(false);
        let mut blocks = vec![Block::default(); room.blocks];
        let (mut spans, mut pages) = (vec![Span::default(); room.spans], vec![Page::default(); room.pages]);
        let mut blocks = Blocks::new(&mut blocks, &mut spans, &mut pages);
        for m in &made {
            prop_assert!(blocks.push(m.start, m.size, m.family));
        }
        blocks.seal();
        for word in asked {
            let address = value(&made, word);
            let expected = made.iter().position(|m| address >= m.start && address - m.start < m.size.max(1));
            prop_assert_eq!(blocks.find(address).map(|hit| hit.block), expected, "{:#x}", address);
        }
    }

    #[test]
    fn the_marking_agrees_with_the_model(made in heaps(), contents in values(), from in prop::collection::vec((0u8..6, any::<u16>(), 0u64..100), 0..6)) {
        let mut memory = Words::default();
        let mut contents = contents.into_iter();
        for m in &made {
            let first = m.start.next_multiple_of(WORD);
            for at in (first..m.start + m.size).step_by(WORD as usize).take(4) {
                // A small number now and then: a cookie, a length.
                let Some(word) = contents.next() else { break };
                memory.words.insert(at, value(&made, word));
            }
        }
        let roots: Vec<u64> = from.into_iter().map(|word| value(&made, word)).collect();
        let pairs: Vec<(u64, Root)> = roots.iter().map(|v| (*v, Root::Program)).collect();
        let (got, leaders, cut) = look(&made, &pairs, &memory);
        prop_assert!(!cut);
        prop_assert_eq!(&got, &model(&made, &roots, &memory));
        for (i, leader) in leaders.into_iter().enumerate() {
            match got[i] {
                Indirect => prop_assert_eq!(got[leader], Lost),
                _ => prop_assert_eq!(leader, i),
            }
        }
    }
}
