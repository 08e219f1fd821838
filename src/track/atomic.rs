//! The one place where core's atomics are swapped for loom's.
//!
//! Why a module of its own: under `--cfg loom` every atomic becomes a checked object that has no constant constructor and
//! is larger than eight bytes. Everything that follows from that (constructors that are `const` only without loom, arrays
//! of atomics) is hidden here, so that the trackers read the same in both worlds.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// An array whose elements are all made by the same expression.
macro_rules! array_of {
    ($make:expr; $len:expr) => {{
        #[cfg(not(loom))]
        {
            [const { $make }; $len]
        }
        #[cfg(loom)]
        {
            core::array::from_fn::<_, { $len }, _>(|_| $make)
        }
    }};
}

/// A constructor that is `const`, except under loom, whose atomics register themselves when they are made.
macro_rules! constructor {
    ($(#[$meta:meta])* $vis:vis fn $name:ident() -> Self $body:block) => {
        #[cfg(not(loom))]
        $(#[$meta])*
        $vis const fn $name() -> Self $body
        #[cfg(loom)]
        $(#[$meta])*
        $vis fn $name() -> Self $body
    };
}

pub(crate) use {array_of, constructor};
