//! The memory of tiers, on this machine: real mappings, real files, real forks.

mod machine;
mod model;
