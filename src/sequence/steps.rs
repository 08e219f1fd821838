//! What a program can do. A step that makes no sense where it stands is played as nothing, which the model decides: so any list of
//! steps is a program, and any part of one, too.

use proptest::prelude::*;

/// The most steps of a program; program.c has as many functions.
pub const MOST: usize = 40;
pub const PLACES: usize = 8;

/// The letter of program.c, and the places that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub what: char,
    pub a: usize,
    pub b: usize,
}

const DESCRIPTORS: &str = "NNSSPcccccdD2sf";
const BLOCKS: &str = "mmmnzrxxxkil";
const KEYS: &str = "KKXTTG";
const LOCKS: &str = "IILLLtUUUZJRWVVQ";

fn step(letters: &'static str, places: usize) -> impl Strategy<Value = Step> {
    let letters: Vec<char> = letters.chars().collect();
    (proptest::sample::select(letters), 0..places, 0..places).prop_map(|(what, a, b)| Step { what, a, b })
}

/// Of one family, or of all of them in turn. Few places, so that steps meet.
pub fn programs() -> impl Strategy<Value = Vec<Step>> {
    let any = prop_oneof![
        6 => step(DESCRIPTORS, 4),
        6 => step(BLOCKS, 4),
        3 => step(KEYS, 3),
        5 => step(LOCKS, PLACES),
        1 => step("F", 1),
    ];
    let mixed = prop::collection::vec(any, 1..MOST);
    prop_oneof![
        3 => prop::collection::vec(step(DESCRIPTORS, 5), 1..MOST),
        2 => prop::collection::vec(step(BLOCKS, 4), 1..MOST),
        1 => prop::collection::vec(step(KEYS, 4), 1..MOST),
        2 => prop::collection::vec(step(LOCKS, 6), 1..MOST),
        4 => mixed,
    ]
}
