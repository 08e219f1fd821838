//! The names of all findings, severities and roles: pinned, dotted, never renamed.
//!
//! The code of a kind is part of the recording's format: new kinds take the next free code of their family.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $($variant:ident = $code:literal $text:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum $name { $($variant = $code),* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|k| k.name() == name)
            }
        }
    };
}

pub(crate) use codes;

codes! {
    /// What was found.
    Kind:
    FdDoubleClose = 0x101 "fd.double-close",
    FdStaleClose = 0x102 "fd.stale-close",
    FdClosedLibc = 0x103 "fd.closed-libc",
    FdOwner = 0x104 "fd.owner",
    FdUseAfterClose = 0x105 "fd.use-after-close",
    FdBadFd = 0x106 "fd.bad-fd",
    FdLeak = 0x107 "fd.leak",
    FdLimit = 0x108 "fd.limit",
    HeapDoubleFree = 0x201 "heap.double-free",
    HeapInvalidFree = 0x202 "heap.invalid-free",
    HeapUseAfterFree = 0x203 "heap.use-after-free",
    HeapWriteAfterFree = 0x204 "heap.write-after-free",
    HeapOverflow = 0x205 "heap.overflow",
    HeapUnderflow = 0x206 "heap.underflow",
    HeapMismatch = 0x207 "heap.mismatch",
    HeapLeak = 0x208 "heap.leak",
    KeyNeverCreated = 0x301 "key.never-created",
    KeyDeleted = 0x302 "key.deleted",
    KeyForeign = 0x303 "key.foreign",
    KeyStale = 0x304 "key.stale",
    KeyUnloaded = 0x305 "key.unloaded",
    KeyExhausted = 0x306 "key.exhausted",
    LockFailed = 0x401 "lock.failed",
    LockIgnored = 0x402 "lock.ignored",
    LockSelfDeadlock = 0x403 "lock.self-deadlock",
    LockUpgrade = 0x404 "lock.upgrade",
    LockNotOwner = 0x405 "lock.not-owner",
    LockNotLocked = 0x406 "lock.not-locked",
    LockDestroyed = 0x407 "lock.destroyed",
    LockHeldAtExit = 0x408 "lock.held-at-exit",
    LockFreedHeld = 0x409 "lock.freed-held",
    LockOrder = 0x40a "lock.order",
    LockCond = 0x40b "lock.cond",
    LockWriteUnderRead = 0x40c "lock.write-under-read",
    TierFull = 0x501 "tier.full",
    TierConfig = 0x502 "tier.config",
}

codes! {
    /// How sure we are: proved, evidence, or only worth knowing.
    Severity:
    Error = 1 "error",
    Suspect = 2 "suspect",
    Info = 3 "info",
}

codes! {
    /// What a stack of a finding shows.
    Role:
    Here = 1 "here",
    Closed = 2 "closed",
    Opened = 3 "opened",
    Allocated = 4 "allocated",
    Freed = 5 "freed",
    Created = 6 "created",
    Deleted = 7 "deleted",
    Locked = 8 "locked",
    Victim = 9 "victim",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_unique_and_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(*kind as u16), Some(*kind));
            assert_eq!(Kind::from_name(kind.name()), Some(*kind));
        }
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert_eq!(Kind::from_code(0), None);
    }
}
