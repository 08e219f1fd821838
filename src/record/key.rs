//! Thread-specific keys in a recording: the codes that findings use.

/// What is wrong with the index that the program used, `findings::Key::state`.
pub mod state {
    /// No call has created it.
    pub const NEVER: u8 = 1;
    /// It was deleted, and nobody has created it since.
    pub const DELETED: u8 = 2;
    /// PTHREAD_KEYS_MAX or more: no key at all.
    pub const RANGE: u8 = 3;
    /// It is the decoy: the value of a variable that nobody has initialised.
    pub const DECOY: u8 = 4;
    /// It is live and the C library's own.
    pub const LIBC: u8 = 5;
    /// It is live and another module's.
    pub const LIVE: u8 = 6;
    /// It is live, and its destructor, which was unloaded, was not called when a thread ended.
    pub const SKIPPED: u8 = 7;
}

/// Keys that glibc has: PTHREAD_KEYS_MAX.
pub const KEYS: usize = 1024;
