//! The memory of tiers, on this machine: real mappings, real files, real forks; and a kernel that fails.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Tests.

mod blocks;
mod faults;
mod forks;
mod full;
mod machine;
mod model;
mod object;
mod threads;
