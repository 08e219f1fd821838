//! Once controls: a routine that asks for itself again waits for ever (L3).
//!
//! Which thread runs the routine only libc knows; so it is given one of ours, which puts the control onto the list of the thread
//! and calls the program's. A routine may be left by an exception or a cancellation, and the hold then stays behind. So a hold
//! alone proves nothing: the control must be in progress, its frame must be below that of the call, and no other thread may
//! have it. Its `place` is the address of that frame.
//!
//! A control that is done costs one read.
#![allow(unsafe_code)] // Safety: calls the routine that the program passed for that purpose; reads the control, as the real call will.

use super::{Call, holds, on, report, waits};
use crate::options::{self, Mode};
use crate::thread::{self, Entry, Scope};
use crate::{arch, recording, start, sys};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicUsize};
use libc::c_int;
use record::layout::Counter;
use track::lock::rules::Again;
use track::lock::{HoldFacts, Kind, Mode as How, What};

/// Of glibc's control (nptl/pthreadP.h): __PTHREAD_ONCE_INPROGRESS and __PTHREAD_ONCE_DONE.
const IN_PROGRESS: u32 = 1;
const DONE: u32 = 2;

/// A routine, as a number: what the program passes is libc's to call.
pub type Routine = usize;

/// What the thread wants to be run, between its call and libc's.
pub struct Next {
    control: AtomicUsize,
    routine: AtomicUsize,
    stack: AtomicU32,
}

impl Next {
    pub const fn new() -> Self {
        Self { control: AtomicUsize::new(0), routine: AtomicUsize::new(0), stack: AtomicU32::new(0) }
    }

    fn swap(&self, control: usize, routine: usize, stack: u32) -> (usize, usize, u32) {
        let before = self.stack.swap(stack, Relaxed);
        (self.control.swap(control, Relaxed), self.routine.swap(routine, Relaxed), before)
    }
}

/// `real` is the real function, to be called with a routine. What libc answers, or EDEADLK where `protect` keeps the thread from
/// waiting for itself.
///
/// # Safety
/// `control` points to a once control.
#[inline(always)]
pub unsafe fn once(control: usize, routine: Routine, call: &'static Call, real: impl Fn(Routine) -> c_int) -> c_int {
    // SAFETY: the caller's; libc reads it next.
    if unsafe { word(control) } & DONE != 0 || !on() {
        return real(routine);
    }
    let errno = sys::errno();
    let state = match thread::enter_for_lock() {
        // SAFETY: the caller's.
        Entry::Full(mut scope) => match unsafe { begin(&mut scope, control, call) } {
            Some(stack) => Some((scope.state, stack)),
            None => {
                sys::set_errno(errno);
                return libc::EDEADLK;
            }
        },
        _ => None,
    };
    sys::set_errno(errno);
    let Some((state, stack)) = state else { return real(routine) };
    let before = state.locks.once.swap(control, routine, stack);
    let result = real(run as extern "C" fn() as usize);
    state.locks.once.swap(before.0, before.1, before.2);
    waits::end(state);
    result
}

/// # Safety
/// `control` points to a once control.
unsafe fn word(control: usize) -> u32 {
    // SAFETY: the caller's; other threads change it atomically.
    unsafe { &*(control as *const AtomicU32) }.load(Relaxed)
}

/// The call's stack; nothing: it is refused.
///
/// # Safety
/// `control` points to a once control.
unsafe fn begin(scope: &mut Scope, control: usize, call: &'static Call) -> Option<u32> {
    let own = &scope.state.locks;
    if own.epoch() != start::epoch() {
        own.begin();
    }
    while let Some(at) = own.holder.find(control) {
        let Some(held) = own.holder.facts(at) else { break };
        let runs = held.what.epoch() == own.epoch() && held.place as u64 > arch::stack_pointer();
        if !runs {
            // Its routine was left by an exception.
            own.holder.remove(at);
            continue;
        }
        // SAFETY: the caller's.
        if unsafe { word(control) } & IN_PROGRESS != 0 && holds::elsewhere(scope, control).is_none() {
            report::waits_for_itself(scope, control, call, &held, Again::SelfDeadlock);
            if options::locks_mode() == Mode::Protect {
                recording::count(Counter::LocksRefused);
                return None;
            }
        }
        break;
    }
    waits::begin(scope, control, call);
    Some(scope.state.locks.holder.waiting().map_or(0, |waits| waits.stack))
}

/// What libc runs: it is this thread that does it.
extern "C" fn run() {
    let Some(state) = thread::current() else { return };
    let own = &state.locks;
    let (control, routine) = (own.once.control.load(Relaxed), own.once.routine.load(Relaxed));
    if routine == 0 {
        return;
    }
    waits::end(state);
    let what = What::new(Kind::Once, How::Exclusive, 0, own.epoch());
    let place = arch::stack_pointer() as usize;
    own.holder.push_with(&HoldFacts { lock: control, place, what, stack: own.once.stack.load(Relaxed), since: 0 });
    // SAFETY: the routine that the program passed; `once` has put it here.
    unsafe { core::mem::transmute::<usize, unsafe extern "C" fn()>(routine)() };
    if let Some(at) = own.holder.find(control) {
        own.holder.remove(at);
    } else {
        own.holder.pop_beyond();
    }
}
