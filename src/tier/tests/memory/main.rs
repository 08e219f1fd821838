//! The memory of tiers, on this machine: real mappings, real files, real forks; and a kernel that fails.

mod blocks;
mod faults;
mod forks;
mod full;
mod machine;
mod model;
mod object;
mod threads;
