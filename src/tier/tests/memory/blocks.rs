//! One behaviour of blocks each: nothing of size zero, zeros, growth, foreign addresses, placement.

use crate::machine::{self, LIBC, block, fill, not_zero, spoilt};
use core::ptr::NonNull;
use tier::memory::os::Os;
use tier::spec::{Kind, NumaPolicy, TierSpec};

#[test]
fn of_no_size_are_blocks_all_the_same() {
    let memory = machine::tiers(&[machine::numa()], 64 << 20);
    let (one, other) = (block(&memory, 1, 0, 16, false).unwrap(), block(&memory, 1, 0, 16, true).unwrap());
    assert_ne!(one, other);
    memory.free(one);
    memory.free(other);
}

#[test]
fn of_every_small_size_are_aligned_like_malloc() {
    let memory = machine::tiers(&[machine::numa()], 64 << 20);
    let blocks: Vec<_> = (0..2048).map(|size| block(&memory, 1, size, 16, false).unwrap()).collect();
    blocks.into_iter().for_each(|block| _ = memory.free(block));
}

#[test]
fn aligned_far_beyond_a_page() {
    let memory = machine::tiers(&[machine::numa()], 64 << 20);
    for bits in 4..=28 {
        for size in [1, 100, 70_000, 3 << 20] {
            let one = block(&memory, 1, size, 1 << bits, true).unwrap_or_else(|| panic!("{size} at 2^{bits}"));
            assert_eq!(not_zero(one, size), None);
            fill(one, size, bits);
            memory.free(one);
        }
    }
}

/// Recycled memory is zeroed again; what was never handed out costs no store, and is zero too.
#[test]
fn zeroed_when_recycled() {
    for kind in [machine::numa(), Kind::Memfd { page: None }, machine::directory()] {
        let memory = machine::tiers(&[kind], 64 << 20);
        for size in [24, 1000, 60_000, 700_000, 1 << 20, 5 << 20, 40 << 20] {
            for round in 0..4 {
                let one = block(&memory, 1, size, 16, true).unwrap();
                assert_eq!(not_zero(one, size), None, "{size} bytes, round {round}");
                fill(one, size, round);
                memory.free(one);
            }
        }
    }
}

#[test]
fn large_ones_grow_and_shrink_in_place() {
    let memory = machine::tiers(&[machine::numa()], 256 << 20);
    let one = block(&memory, 1, 2 << 20, 16, false).unwrap();
    fill(one, 2 << 20, 5);
    assert!(memory.resize(one, 100 << 20), "what is behind it is free");
    assert_eq!(spoilt(one, 2 << 20, 5, 2 << 20), None);
    assert_eq!(memory.facts(1).unwrap().large, 100 << 20);
    let behind = block(&memory, 1, 1 << 20, 16, false).unwrap();
    assert!(!memory.resize(one, 101 << 20), "somebody is behind it");
    assert!(memory.resize(one, 1 << 20));
    assert!(!memory.resize(one, 1000), "a small block belongs among the small");
    assert_eq!(spoilt(one, 2 << 20, 5, 1 << 20), None);
    memory.free(one);
    memory.free(behind);
    assert_eq!(memory.facts(1).unwrap().large, 0);
}

/// What no tier has is nobody's, and what is no block is not freed.
#[test]
fn foreign_addresses_are_told_apart() {
    let memory = machine::tiers(&[machine::numa(), machine::thp()], 64 << 20);
    let (heap, stack) = (Box::new(1), 2);
    for address in
        [0, 1, &raw const *heap as usize, &raw const stack as usize, machine::tiers as *const () as usize, usize::MAX]
    {
        assert_eq!(memory.owner(address), None);
    }
    let one = block(&memory, 1, 1 << 20, 16, false).unwrap();
    let inner = NonNull::new(one.as_ptr().wrapping_add(4096)).unwrap();
    let next = NonNull::new(one.as_ptr().wrapping_add(1 << 20)).unwrap();
    for wrong in [inner, next] {
        assert_eq!(memory.usable(wrong), 0);
        memory.free(wrong);
    }
    memory.free(one);
    memory.free(one);
    let facts = memory.facts(1).unwrap();
    assert_eq!((facts.bad_frees, facts.large), (3, 0));
}

/// The kernel says where each page is.
#[test]
fn lie_where_they_should() {
    if !machine::has_policies() {
        eprintln!("skipped: no mbind here");
        return;
    }
    let all = [NumaPolicy::Bind, NumaPolicy::Preferred, NumaPolicy::PreferredMany, NumaPolicy::Interleave];
    let kinds: Vec<Kind> = all.into_iter().map(|policy| Kind::Numa { nodes: vec![0], policy }).collect();
    let memory = machine::tiers(&kinds, 64 << 20);
    for tier in 1..=4 {
        for size in [5000, 3 << 20] {
            let one = block(&memory, tier, size, 16, true).unwrap();
            fill(one, size, 1);
            let pages = [one.as_ptr() as usize & !4095];
            let mut nodes = [-1];
            LIBC.nodes_of(&pages, &mut nodes).unwrap();
            assert_eq!(nodes, [0]);
        }
    }
    let maps = std::fs::read_to_string("/proc/self/numa_maps").unwrap();
    for policy in ["bind:0", "prefer:0", "prefer (many):0", "interleave:0"] {
        assert!(maps.contains(policy), "no {policy} in {maps}");
    }
}

/// Pages are there before the first store.
#[test]
fn are_there_at_once_with_prefault() {
    for (prefault, resident) in [(true, true), (false, false)] {
        let (memory, complaints) =
            machine::start(vec![TierSpec { prefault, ..machine::spec(machine::numa(), 64 << 20) }]);
        assert_eq!(complaints, []);
        let one = block(&memory, 1, 8 << 20, 16, false).unwrap();
        let pages = [one.as_ptr() as usize + (7 << 20)];
        let mut nodes = [-1];
        LIBC.nodes_of(&pages, &mut nodes).unwrap();
        assert_eq!(nodes[0] >= 0, resident, "{nodes:?}");
    }
}

/// Nothing is kept of what was freed, beyond what is held for the next block.
#[test]
fn give_their_memory_back() {
    for kind in [machine::numa(), Kind::Memfd { page: None }, machine::directory()] {
        let memory = machine::tiers(std::slice::from_ref(&kind), 512 << 20);
        let one = block(&memory, 1, 300 << 20, 16, false).unwrap();
        fill(one, 300 << 20, 3);
        assert!(memory.facts(1).unwrap().committed >= 300 << 20);
        memory.free(one);
        let facts = memory.facts(1).unwrap();
        assert!(facts.committed <= 64 << 20, "{kind:?}: {facts:?}");
        assert!(facts.high_water >= 300 << 20);
    }
}
