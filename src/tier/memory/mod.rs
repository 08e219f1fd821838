//! The memory of tiers: backings, address range, extents for large blocks, mimalloc for small ones.
