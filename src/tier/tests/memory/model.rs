//! Random calls against a plain list of what must be there: contents, overlap, alignment, zeros, the ceiling.

use crate::machine::{self, Numbers, block, fill, not_zero, spoilt};
use core::ptr::NonNull;
use std::collections::BTreeMap;
use tier::memory::Memory;
use tier::spec::Kind;

struct Block {
    at: NonNull<u8>,
    size: usize,
    seed: u64,
}

/// The live blocks by address, each with its usable end: a new one must lie between two others.
#[derive(Default)]
struct Addresses(BTreeMap<usize, usize>);

impl Addresses {
    fn add(&mut self, memory: &Memory, at: NonNull<u8>) {
        let (begin, end) = (at.as_ptr() as usize, at.as_ptr() as usize + memory.usable(at));
        if let Some((_, before)) = self.0.range(..end).next_back() {
            assert!(*before <= begin, "blocks overlap");
        }
        self.0.insert(begin, end);
    }

    fn remove(&mut self, at: NonNull<u8>) {
        assert!(self.0.remove(&(at.as_ptr() as usize)).is_some());
    }
}

fn play(memory: &Memory, tier: u16, seed: u64, steps: usize) {
    let (mut numbers, mut live, mut addresses) = (Numbers(seed), Vec::<Block>::new(), Addresses::default());
    let mut misses = 0;
    for step in 0..steps {
        let full = live.len() > 600;
        match numbers.below(if full { 6 } else { 10 }) {
            0..4 if !live.is_empty() => {
                let gone = live.swap_remove(numbers.below(live.len()));
                assert_eq!(spoilt(gone.at, gone.size, gone.seed, gone.size), None, "step {step}: a block was changed");
                addresses.remove(gone.at);
                memory.free(gone.at);
            }
            4 | 5 if !live.is_empty() => {
                // realloc: in place, or to a new block.
                let at = numbers.below(live.len());
                let (old, size) = (&mut live[at], numbers.size());
                let kept = old.size.min(size);
                if memory.resize(old.at, size) {
                    assert!(memory.usable(old.at) >= size);
                    addresses.remove(old.at);
                } else {
                    let Some(new) = block(memory, tier, size, 16, false) else { continue };
                    // SAFETY: two live blocks, each at least this long.
                    #[allow(unsafe_code)]
                    unsafe {
                        core::ptr::copy_nonoverlapping(old.at.as_ptr(), new.as_ptr(), kept);
                    }
                    addresses.remove(old.at);
                    memory.free(old.at);
                    old.at = new;
                }
                addresses.add(memory, old.at);
                assert_eq!(spoilt(old.at, old.size, old.seed, kept), None, "step {step}: realloc lost something");
                (old.size, old.seed) = (size, numbers.next());
                fill(old.at, old.size, old.seed);
            }
            kind => {
                let (size, zeroed) = (numbers.size(), kind % 2 == 0);
                let align = if numbers.below(8) == 0 { 1 << numbers.below(22) } else { 16 };
                let Some(at) = block(memory, tier, size, align.max(16), zeroed) else {
                    misses += 1;
                    continue;
                };
                if zeroed {
                    assert_eq!(not_zero(at, size), None, "step {step}: {size} bytes of calloc are not zero");
                }
                addresses.add(memory, at);
                let seed = numbers.next();
                fill(at, size, seed);
                live.push(Block { at, size, seed });
            }
        }
        if step % 64 == 0 {
            let facts = memory.facts(tier).unwrap();
            assert!(facts.committed <= facts.capacity, "{facts:?}");
        }
    }
    for gone in &live {
        assert_eq!(spoilt(gone.at, gone.size, gone.seed, gone.size), None);
        memory.free(gone.at);
    }
    let facts = memory.facts(tier).unwrap();
    assert_eq!((facts.large, facts.bad_frees), (0, 0), "{facts:?}");
    assert!(misses < steps / 4, "{misses} of {steps} found no room");
}

#[test]
fn anonymous() {
    play(&machine::tiers(&[machine::numa()], 512 << 20), 1, 7, 12_000);
}

#[test]
fn transparent_huge_pages() {
    play(&machine::tiers(&[machine::thp()], 512 << 20), 1, 11, 6_000);
}

#[test]
fn memfd() {
    play(&machine::tiers(&[Kind::Memfd { page: None }], 512 << 20), 1, 13, 6_000);
}

#[test]
fn directory() {
    play(&machine::tiers(&[machine::directory()], 512 << 20), 1, 17, 2_000);
}

/// So little that it is full again and again: chunks are given back and taken by the other half.
#[test]
fn little_memory() {
    for (kind, seed) in [(machine::numa(), 19), (Kind::Memfd { page: None }, 23)] {
        let memory = machine::tiers(&[kind], 40 << 20);
        for round in 0..4 {
            play(&memory, 1, seed + round * 31, 1_000);
        }
    }
}

/// Two tiers side by side never meet.
#[test]
fn side_by_side() {
    let memory = machine::tiers(&[machine::numa(), Kind::Memfd { page: None }], 256 << 20);
    std::thread::scope(|scope| {
        for tier in [1, 2] {
            let memory = &memory;
            scope.spawn(move || {
                play(memory, tier, 100 + u64::from(tier), 2_000);
                memory.thread_ends();
            });
        }
    });
}
