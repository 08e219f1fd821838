//! Rule files and what they decide: faults word for word, rule by rule, FlexMalloc's files, a naive matcher.
#![allow(clippy::unwrap_used)] // A test that finds nothing where something must be has failed.

mod faults;
mod flexmalloc;
mod model;
mod papers;
mod process;
mod rules;
mod speed;
