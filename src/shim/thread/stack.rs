//! The stack of a thread: its bounds, and whether an unwinder has room on it.
//!
//! ```text
//! has_room ─→ yes: the stack is walked
//!          └→ not known: may libc be asked?  find_stack   else  probe_stack, probably_has_room
//! ```
//!
//! Why bounds are found late, and in several ways: pthread_getattr_np may allocate, and takes the lock of the thread, which the
//! hook that asks may have been called under.
#![allow(unsafe_code)] // Safety: libc is asked for the attributes of the calling thread.

use super::{State, inside_libc};
use crate::{sys, unwind};
use core::ptr::null_mut;
use core::sync::atomic::Ordering::Relaxed;

/// What the unwinder and the text of a finding take, with something to spare.
const STACK_NEEDED: u64 = 12 << 10;

impl State {
    /// Is it known yet? Whoever may have interrupted pthread_getattr_np asks this first.
    pub fn knows_stack(&self) -> bool {
        self.stack_high.load(Relaxed) != 0
    }

    /// Is it the thread that the process began with?
    pub fn is_main(&self) -> bool {
        let tid = self.tid.load(Relaxed);
        tid != 0 && tid == sys::getpid()
    }

    /// Is it known, or to be had without asking libc, as the main thread's is?
    pub fn knows_stack_unasked(&self) -> bool {
        if !self.knows_stack() && self.is_main() {
            self.find_stack_now();
        }
        self.knows_stack()
    }

    /// Is there room for an unwinder, where libc may not be asked?
    #[cold]
    #[inline(never)]
    pub(super) fn finds_room_unasked(&self) -> bool {
        if self.knows_stack_unasked() {
            return !self.tight();
        }
        self.probe_stack() || self.probably_has_room()
    }

    /// What can be found of the stack without asking: libc keeps its description of a thread at the upper end of the thread's
    /// stack, above all of its frames, and what lies between can be probed, page by page. Kept apart from the true bounds: the
    /// lower one is only as far down as the thread has been, and is moved when it goes deeper.
    fn probe_stack(&self) -> bool {
        const MOST: u64 = 256;
        let at = crate::arch::registers().sp;
        let (low, high) = (at.saturating_sub(STACK_NEEDED) & !4095, self.description.load(Relaxed) & !15);
        let (known_low, known_high) = self.probed();
        let known = known_high == high && known_high != 0;
        let (low, until) = if known { (low.min(known_low), known_low) } else { (low, high) };
        let pages = until.saturating_sub(low).div_ceil(4096);
        if at >= high || pages > MOST || sys::signal_stack().is_some() {
            return false;
        }
        if !(0..pages).all(|page| sys::readable(low + page * 4096)) {
            return false;
        }
        self.probed_low.store(low, Relaxed);
        self.probed_high.store(high, Relaxed);
        self.room.store(low + STACK_NEEDED, Relaxed);
        self.room_len.store(high.saturating_sub(low + STACK_NEEDED), Relaxed);
        true
    }

    /// Bounds between which the stack may be read, where the true ones are not known; 0 and 0 = none.
    #[inline(always)]
    pub fn probed(&self) -> (u64, u64) {
        (self.probed_low.load(Relaxed), self.probed_high.load(Relaxed))
    }

    /// The bounds of the stack, found now. Not at registration: the first hook of a thread may be the realloc that
    /// pthread_getattr_np makes with the thread's own lock held (glibc nptl/pthread_getattr_np.c; a JVM thread begins so),
    /// and asking again from inside would wait for ever. No descriptor hook is called from there.
    #[cold]
    #[inline(never)]
    pub(super) fn find_stack_now(&self) {
        inside_libc(|| self.find_stack());
        let (low, high) = self.stack();
        self.room.store(low + STACK_NEEDED, Relaxed);
        self.room_len.store(high.saturating_sub(low + STACK_NEEDED), Relaxed);
    }

    /// The bounds of the stack, for the unwinder. The main thread's come from `__libc_stack_end`, because
    /// pthread_getattr_np would open /proc/self/maps, and take a descriptor number, there.
    fn find_stack(&self) {
        if self.is_main() {
            if let Some(end) = unwind::main_stack_end() {
                self.stack_low.store(0, Relaxed);
                self.stack_high.store(end, Relaxed);
            }
            return;
        }
        if !sys::allowed(libc::SYS_sched_getaffinity, [self.tid.load(Relaxed) as usize, 0, 0, 0, 0, 0]) {
            return;
        }
        // SAFETY: pthread_getattr_np, which asks for the affinity, too, initialises the attribute, which is then read and destroyed once.
        unsafe {
            let mut attribute = core::mem::MaybeUninit::<libc::pthread_attr_t>::zeroed();
            if libc::pthread_getattr_np(libc::pthread_self(), attribute.as_mut_ptr()) == 0 {
                let (mut low, mut len) = (null_mut(), 0);
                if libc::pthread_attr_getstack(attribute.as_ptr(), &raw mut low, &raw mut len) == 0 {
                    self.stack_low.store(low as u64, Relaxed);
                    self.stack_high.store(low as u64 + len as u64, Relaxed);
                }
                libc::pthread_attr_destroy(attribute.as_mut_ptr());
            }
        }
    }

    /// Is this the thread's own stack, with room for an unwinder and a report?
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        crate::arch::stack_pointer().wrapping_sub(self.room.load(Relaxed)) < self.room_len.load(Relaxed)
    }

    /// Is there too little stack for an unwinder and a report? On a signal stack of 8 KiB, where the kernel's own frame may
    /// have taken half, or in a thread that was given the least that there is.
    #[inline(always)]
    pub fn tight(&self) -> bool {
        !self.has_room() && self.tight_elsewhere(crate::arch::registers().sp)
    }

    /// The same for a handler that may have interrupted anything: nothing is asked of libc.
    #[cold]
    pub fn is_short_of_stack(&self) -> bool {
        let at = crate::arch::registers().sp;
        if let Some((low, _)) = sys::signal_stack() {
            return at.saturating_sub(low) < STACK_NEEDED;
        }
        let (low, high) = self.stack();
        self.knows_stack() && at >= low && at < high && at < low + STACK_NEEDED
    }

    /// Is there room for an unwinder, as far as can be told without asking for the bounds of the stack?
    #[cold]
    fn probably_has_room(&self) -> bool {
        let at = crate::arch::registers().sp;
        if let Some((low, _)) = sys::signal_stack() {
            return at.saturating_sub(low) >= STACK_NEEDED;
        }
        (1..=STACK_NEEDED.div_ceil(4096)).all(|page| sys::readable((at & !4095).saturating_sub(page * 4096)))
    }

    #[cold]
    #[inline(never)]
    fn tight_elsewhere(&self, at: u64) -> bool {
        if self.stack_high.load(Relaxed) == 0 {
            self.find_stack_now();
        }
        let (low, high) = self.stack();
        if at >= low && at < high {
            return at < low + STACK_NEEDED;
        }
        // Neither a signal stack nor its own: a coroutine, whose bounds nobody knows.
        sys::signal_stack().is_some_and(|(low, len)| at >= low && at < low + len && at - low < STACK_NEEDED)
    }

    /// The bounds of the thread's stack, asked for if they are not known. By the thread itself, when it ends.
    pub fn stack_at_end(&self) -> (u64, u64) {
        if !self.knows_stack() {
            self.find_stack_now();
        }
        self.stack()
    }

    /// The bounds between which a walk that begins at `sp` may read.
    #[inline(always)]
    pub fn readable_stack(&self, sp: u64) -> (u64, u64) {
        if self.knows_stack() || !(self.probed().0..self.probed().1).contains(&sp) {
            self.stack()
        } else {
            self.probed()
        }
    }

    /// The bounds of the thread's stack. The main thread's grows; nothing else is mapped within 128 MiB below its end (the
    /// kernel's stack gap).
    #[inline(always)]
    pub fn stack(&self) -> (u64, u64) {
        let (low, high) = (self.stack_low.load(Relaxed), self.stack_high.load(Relaxed));
        (if low == 0 { high.saturating_sub(128 << 20) } else { low }, high)
    }
}
