//! The memory of tiers, on this machine: real mappings, real files; and a kernel that fails. Forks are in `tests/forks`.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests.

mod blocks;
mod faults;
mod full;
mod machine;
mod model;
mod object;
mod threads;
