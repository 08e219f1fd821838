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

/// What the functions of C11 answer instead of an error number: beyond all of these.
pub mod thrd {
    pub const ERROR: u16 = 0xff02;
    pub const NOMEM: u16 = 0xff03;
}

/// The name of an error of a lock, which is an error number or one of [`thrd`].
pub fn error_name(number: u16) -> Option<&'static str> {
    match number {
        thrd::ERROR => Some("thrd_error"),
        thrd::NOMEM => Some("thrd_nomem"),
        _ => crate::errno::name(number),
    }
}
