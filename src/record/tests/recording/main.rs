//! The recording from both sides: what the writer puts in, what the reader makes of it and of anything else.
#![allow(clippy::expect_used)] // A test may end so, in its functions too.

mod heap;
mod leaks;
mod locks;
mod reader;
mod sample;
mod sentences;
mod snapshots;
mod suppressions;
mod text;
mod writers;
