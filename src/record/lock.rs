//! Locks in a recording: the codes that findings use.

/// What kind of object it is, `findings::Lock::kind`.
pub mod kind {
    pub const MUTEX: u8 = 1;
    pub const RWLOCK: u8 = 2;
    pub const SPIN: u8 = 3;
    pub const COND: u8 = 4;
    pub const BARRIER: u8 = 5;
    pub const SEM: u8 = 6;
    pub const ONCE: u8 = 7;

    pub const fn name(kind: u8) -> &'static str {
        match kind {
            MUTEX => "mutex",
            RWLOCK => "rwlock",
            SPIN => "spin lock",
            COND => "condition variable",
            BARRIER => "barrier",
            SEM => "semaphore",
            ONCE => "once control",
            _ => "lock",
        }
    }
}

/// How a lock is held or wanted, `findings::Lock::mode`.
pub mod mode {
    pub const NONE: u8 = 0;
    pub const EXCLUSIVE: u8 = 1;
    pub const READ: u8 = 2;
}

/// What happened to the memory of a held lock, or how the program went on after a failure: `findings::Lock::act`.
pub mod act {
    pub const NONE: u8 = 0;
    pub const LOCK: u8 = 1;
    pub const UNLOCK: u8 = 2;
    pub const DESTROY: u8 = 3;
    pub const INIT: u8 = 4;
    pub const FREE: u8 = 5;
    pub const UNMAP: u8 = 6;
    pub const UNLOAD: u8 = 7;
    pub const WAIT: u8 = 8;
    pub const EXIT: u8 = 9;
    /// What excuses a write under a read lock: an atomic instruction, another lock that the writer held, another lock in the block.
    pub const ATOMIC: u8 = 10;
    pub const PROTECTED: u8 = 11;
    pub const BESIDE: u8 = 12;

    /// As in "and then … it".
    pub const fn verb(act: u8) -> &'static str {
        match act {
            LOCK => "locked",
            UNLOCK => "unlocked",
            DESTROY => "destroyed",
            INIT => "initialised",
            FREE => "freed",
            UNMAP => "unmapped",
            UNLOAD => "unloaded",
            WAIT => "waited with",
            EXIT => "ended",
            _ => "used",
        }
    }
}

/// Calls that take a lock, as a code: what failed before a block was misused, `findings::Earlier::call`.
pub mod call {
    const NAMES: [&str; 12] = [
        "pthread_mutex_lock",
        "pthread_mutex_timedlock",
        "pthread_mutex_clocklock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_wrlock",
        "pthread_rwlock_timedrdlock",
        "pthread_rwlock_timedwrlock",
        "pthread_rwlock_clockrdlock",
        "pthread_rwlock_clockwrlock",
        "pthread_spin_lock",
        "mtx_lock",
        "mtx_timedlock",
    ];

    /// 0: another one.
    pub fn code(name: &str) -> u8 {
        NAMES.iter().position(|known| *known == name).map_or(0, |at| at as u8 + 1)
    }

    pub fn name(code: u8) -> &'static str {
        usize::from(code).checked_sub(1).and_then(|at| NAMES.get(at)).copied().unwrap_or("a lock call")
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn names_round_trip() {
            for name in super::NAMES {
                assert_eq!(super::name(super::code(name)), name);
            }
            assert_eq!((super::code("pthread_join"), super::name(0), super::name(200)), (0, "a lock call", "a lock call"));
        }
    }
}
