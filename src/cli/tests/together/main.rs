//! The command and the library that `make build` made, together: lines of JSON as they come, suppressions that either side
//! decides, and the status of a run.
//!
//! The C tests judge single programs under the library; here it is what a fleet needs of both. Wants `make build` before it.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so.

mod explained;
mod json_lines;
mod options;
mod program;
mod reports;
mod suppressions;
mod tiers;
