//! `shim snapshot`, `top` and `metrics` on programs that run, with the library that `make build` made.
//!
//! The program is c-tests/live/watched.c. It says when it is ready, so nothing here waits for a time.
#![allow(clippy::expect_used, clippy::unwrap_used)] // A test may end so, in its functions too.

mod deadlock;
mod foreign;
mod killed;
mod metrics;
mod openmetrics;
mod snapshot;
mod top;
mod watched;
