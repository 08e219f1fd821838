//! What a line of the roster becomes: the macro `roster!`, which is used once, on the table.
//!
//! ```text
//! fn close(…) -> c_int = lifetime::close;  ─►  exports::close     the C symbol, which calls the hook
//!                                              slots::close       where the real one is kept
//!                                              real::close        calls it, when there is one
//!                                              known::close       calls it without a look, for registered threads
//!                                              function::close    as a value
//!                                              .shim.roster       name, family, need, versions as text
//! ```
//!
//! Why a macro: what must agree about a symbol is said once. Paths are those of `roster.rs`, where it expands.

macro_rules! roster {
    ($($family:literal { $($need:ident fn $name:ident ( $($arg:ident : $type:ty),* $(; $($var:ident : $vartype:ty),+)? ) -> $ret:ty = $hook:path $(, versions [$($version:literal),*])?;)* })*) => {
        /// The C symbols: thin, one per line of the roster.
        pub mod exports {
            use super::*;
            $($(
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $name($($arg: $type,)* $($($var: $vartype),+)?) -> $ret {
                    // SAFETY: the caller's, who called the libc function of this name.
                    unsafe { $hook($($arg,)* $($($var),+)?) }
                }
                roster!(@entry $need $name $family $($($version)*)?);
            )*)*
        }

        /// The real functions. Each has the contract of the libc function of its name.
        #[allow(dead_code)] // Some are only called as values.
        pub mod real {
            use super::*;
            $($( roster!(@real $need $name ($($arg: $type),*) ($($($var: $vartype),+)?) $ret); )*)*
        }

        /// The same without a check, for the hottest hooks: to be called by registered threads only.
        pub mod known {
            use super::*;
            $($( roster!(@known $need $name ($($arg: $type),*) $ret); )*)*
        }

        /// The required real functions as values.
        pub mod function {
            use super::*;
            $($( roster!(@function $need $name ($($arg: $type),*) ($($($var),+)?) $ret); )*)*
        }

        /// Where the real functions are kept.
        pub mod slots {
            use crate::resolve::Slot;
            $($( roster!(@slot $need $name [$($($version),*)?]); )*)*
        }

        pub static SLOTS: &[Option<&crate::resolve::Slot>] = &[$($(roster!(@kept $need $name)),*),*];
    };

    (@entry $need:ident $name:ident $family:literal $($version:literal)*) => {
        const _: () = {
            const TEXT: &str = concat!(stringify!($name), "\t", $family, "\t", stringify!($need), "\t", $($version, " ",)* "\n");
            #[used]
            #[unsafe(link_section = ".shim.roster")]
            static ENTRY: [u8; TEXT.len()] = {
                let mut bytes = [0; TEXT.len()];
                let mut i = 0;
                while i < bytes.len() {
                    bytes[i] = TEXT.as_bytes()[i];
                    i += 1;
                }
                bytes
            };
        };
    };

    (@slot alias $name:ident [$($version:literal),*]) => {};
    (@slot own $name:ident [$($version:literal),*]) => {};
    (@slot $need:ident $name:ident [$($version:literal),*]) => {
        pub static $name: Slot = Slot::new(
            const {
                const NAME: &[u8] = &crate::resolve::mangled::<{ stringify!($name).len() + 1 }>(stringify!($name));
                match core::ffi::CStr::from_bytes_with_nul(NAME) { Ok(s) => s, Err(_) => c"" }
            },
            const { &[$(match core::ffi::CStr::from_bytes_with_nul(concat!($version, "\0").as_bytes()) { Ok(s) => s, Err(_) => c"" }),*] },
        );
    };

    (@real alias $name:ident $args:tt $vars:tt $ret:ty) => {};
    (@real own $name:ident $args:tt $vars:tt $ret:ty) => {};
    (@real $need:ident $name:ident ($($arg:ident : $type:ty),*) () $ret:ty) => {
        #[inline(always)]
        pub unsafe fn $name($($arg: $type),*) -> $ret {
            match slots::$name.get() {
                // SAFETY: the slot holds the libc function of this name, whose type this is.
                Some(f) => unsafe {
                    core::mem::transmute::<usize, unsafe extern "C" fn($($type),*) -> $ret>(f.get())($($arg),*)
                },
                None => crate::resolve::Absent::absent(),
            }
        }
    };
    (@real $need:ident $name:ident ($($arg:ident : $type:ty),*) ($($var:ident : $vartype:ty),+) $ret:ty) => {
        #[inline(always)]
        pub unsafe fn $name($($arg: $type,)* $($var: $vartype),*) -> $ret {
            match slots::$name.get() {
                // SAFETY: as above; the function is variadic.
                Some(f) => unsafe {
                    core::mem::transmute::<usize, unsafe extern "C" fn($($type,)* ...) -> $ret>(f.get())($($arg,)* $($var),*)
                },
                None => crate::resolve::Absent::absent(),
            }
        }
    };

    (@function required $name:ident ($($arg:ident : $type:ty),*) () $ret:ty) => {
        #[inline(always)]
        #[allow(dead_code)] // Only those that are handed on are asked for.
        pub fn $name() -> unsafe extern "C" fn($($type),*) -> $ret {
            extern "C" fn missing($(_: $type),*) -> $ret {
                crate::resolve::Absent::absent()
            }
            match slots::$name.get() {
                // SAFETY: the slot holds the libc function of this name, whose type this is.
                Some(f) => unsafe { core::mem::transmute::<usize, unsafe extern "C" fn($($type),*) -> $ret>(f.get()) },
                None => missing,
            }
        }
    };
    (@function $need:ident $name:ident $args:tt $vars:tt $ret:ty) => {};

    (@known required $name:ident ($($arg:ident : $type:ty),*) $ret:ty) => {
        #[inline(always)]
        #[allow(dead_code)] // Only a few are hot enough to be called this way.
        pub unsafe fn $name($($arg: $type),*) -> $ret {
            // SAFETY: a registered thread proves that the slot is filled; it holds the libc function of this name.
            unsafe { core::mem::transmute::<usize, unsafe extern "C" fn($($type),*) -> $ret>(slots::$name.known())($($arg),*) }
        }
    };
    (@known $need:ident $name:ident $args:tt $ret:ty) => {};

    (@kept alias $name:ident) => { None };
    (@kept own $name:ident) => { None };
    (@kept $need:ident $name:ident) => { Some(&slots::$name) };
}
