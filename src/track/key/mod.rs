//! Thread-specific keys: who has created which index, and who may use it.
//!
//! **Glossary.** An *index* is what the program calls a key: a small number that libc hands out and, after a delete, hands out
//! again. A *life* of an index is from its creation to its deletion. Its *variable* is the `pthread_key_t` that the creator
//! gave to pthread_key_create; the module that holds it is the *owner*, and the one that made the call the *maker* (a wrapper
//! like `PyThread_tss_create` makes keys in variables of others). A *stranger* is any other module. The *decoy* is an index that
//! shim keeps for itself so that a variable which is still zero names nobody's key.
//!
//! ```text
//! slot.rs      one index: its life, and the one before it
//! rules.rs     the rule table: pure functions of copies
//! verdict.rs   what comes out
//! ```
//!
//! Why the owner is the module of the variable and not that of the call: `return pthread_getspecific(key);` is a jump, and the
//! return address is then that of the caller's caller.

mod rules;
mod slot;
mod verdict;

pub use rules::{Call, User, filling, judge, skipped, unloaded};
pub use slot::{Facts, Life, Slot, State, Whose};
pub use verdict::{Fault, Refuse, Severity, Standing, Verdict};

/// PTHREAD_KEYS_MAX of glibc.
pub const KEYS: usize = 1024;
