//! A lock for slow paths, valid when zero.
//!
//! Why not the standard library's: it must not go through pthread symbols, and waits through [`Os`]. Why a waiting lock and no
//! spin lock: it is held while the kernel maps or reserves memory, which can take milliseconds. Fork takes none: the gate lets
//! nobody be inside then. Rule: held by threads that are inside the gate, never while calling anything that enters it anew.

use super::os::Os;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const FREE: u32 = 0;
const HELD: u32 = 1;
const WAITED_FOR: u32 = 2;

pub struct Lock<T> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

pub struct Held<'a, T> {
    lock: &'a Lock<T>,
    os: &'static dyn Os,
}

impl<T> Lock<T> {
    pub const fn new(value: T) -> Self {
        Self { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    pub fn hold(&self, os: &'static dyn Os) -> Held<'_, T> {
        for _ in 0..100 {
            if self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok() {
                return Held { lock: self, os };
            }
            core::hint::spin_loop();
        }
        while self.word.swap(WAITED_FOR, Acquire) != FREE {
            os.wait(&self.word, WAITED_FOR);
        }
        Held { lock: self, os }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        if self.lock.word.swap(FREE, Release) == WAITED_FOR {
            self.os.wake(&self.lock.word, 1);
        }
    }
}

mod cell {
    //! The one value that the lock guards.
    #![allow(unsafe_code)] // Safety: a `Held` is the proof that no other thread has the value.
    use super::{Deref, DerefMut, Held, Lock};

    // SAFETY: the value is only reached by the holder.
    unsafe impl<T: Send> Sync for Lock<T> {}

    impl<T> Deref for Held<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            // SAFETY: held.
            unsafe { &*self.lock.value.get() }
        }
    }

    impl<T> DerefMut for Held<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: held.
            unsafe { &mut *self.lock.value.get() }
        }
    }
}
