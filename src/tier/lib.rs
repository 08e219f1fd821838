//! Memory tiers: which device a heap block belongs on, and an allocator that places it there.
//!
//! - [`spec`] is what a tier is; both halves speak it.
//! - [`rules`] reads rule files and decides where a block belongs.
//! - [`names`] finds functions and lines in a module's file, for rules that speak of them.
//! - [`memory`] makes tiers and hands out their blocks.
//!
//! shim asks first where a block belongs, then for the block. This crate knows neither shim nor the recording, and reaches
//! the kernel through [`memory::os::Os`] alone. It may allocate from the global allocator at start and on a slow path, never
//! on a fast one.

pub mod memory;
pub mod names;
pub mod rules;
pub mod spec;
