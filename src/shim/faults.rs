//! SIGSEGV and SIGBUS, where there are guard pages or a quarantine: ours first, then what the program wants done.
//!
//! ```text
//! fault ─► handle ─► in the pool of guard pages? heap::guard tells ─► the program's handler, or the default action
//!                                                          of which the process dies: what lies in the quarantine is looked at
//! ```
//!
//! Our handler stays installed. What the program installs is remembered here, answered when it asks, and called by us; its
//! flags and its mask are those of ours in the kernel, so alternate stacks, masks and restarts are as it wants them. Only
//! SA_RESETHAND is done by us. Where it ignores the signal, nothing of ours is installed: ignoring is inherited by what it
//! executes. The default action of a fault is to let it happen again with nothing installed, so that the core is of the
//! instruction itself.
//!
//! A vfork child has handlers of its own, but our memory: its calls go straight to the kernel.
//!
//! Rules: async-signal-safe; no guard is up while the program's handler runs, which may jump away.
#![allow(unsafe_code)] // Safety: a signal handler; sigaction as the program called it.

use crate::heap::{self, guard};
use crate::roster::real;
use crate::{arch, sys, thread};
use core::mem::zeroed;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize};
use libc::{c_int, c_void, sigaction, siginfo_t};

/// What the program has installed for a signal.
struct Installed {
    handler: AtomicUsize,
    flags: AtomicI32,
    mask: AtomicU64,
}

static INSTALLED: [Installed; 2] = [const {
    Installed { handler: AtomicUsize::new(libc::SIG_DFL), flags: AtomicI32::new(0), mask: AtomicU64::new(0) }
}; 2];
static ON: AtomicBool = AtomicBool::new(false);

fn installed(signal: c_int) -> Option<&'static Installed> {
    match signal {
        libc::SIGSEGV => Some(&INSTALLED[0]),
        libc::SIGBUS => Some(&INSTALLED[1]),
        _ => None,
    }
}

/// Is the signal ours to answer for? For every other the hooks call libc and do nothing else.
pub fn watches(signal: c_int) -> bool {
    ON.load(Relaxed) && installed(signal).is_some() && !thread::internal()
}

fn ours() -> usize {
    handle as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize
}

/// The set that the kernel looks at.
fn mask_of(action: &sigaction) -> u64 {
    // SAFETY: a sigset_t is at least eight bytes.
    unsafe { core::ptr::from_ref(&action.sa_mask).cast::<u64>().read_unaligned() }
}

fn set_mask(action: &mut sigaction, mask: u64) {
    // SAFETY: as above.
    unsafe { core::ptr::from_mut(&mut action.sa_mask).cast::<u64>().write_unaligned(mask) };
}

impl Installed {
    fn read(&self) -> sigaction {
        // SAFETY: a zeroed sigaction is a valid one.
        let mut action: sigaction = unsafe { zeroed() };
        action.sa_sigaction = self.handler.load(Acquire);
        action.sa_flags = self.flags.load(Relaxed);
        set_mask(&mut action, self.mask.load(Relaxed));
        action
    }

    fn write(&self, action: &sigaction) {
        self.flags.store(action.sa_flags, Relaxed);
        self.mask.store(mask_of(action), Relaxed);
        self.handler.store(action.sa_sigaction, Release);
    }
}

/// What the kernel gets for what the program wants.
fn in_front_of(action: &sigaction) -> sigaction {
    let mut made = *action;
    match action.sa_sigaction {
        libc::SIG_IGN => {}
        libc::SIG_DFL => {
            made.sa_sigaction = ours();
            made.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            set_mask(&mut made, 0);
        }
        _ => {
            made.sa_sigaction = ours();
            made.sa_flags = action.sa_flags & !libc::SA_RESETHAND | libc::SA_SIGINFO;
        }
    }
    made
}

/// At start.
pub fn start() {
    if ON.load(Relaxed) {
        return;
    }
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        let Some(known) = installed(signal) else { continue };
        // SAFETY: asks for, and sets, one action.
        unsafe {
            let mut before: sigaction = zeroed();
            if real::sigaction(signal, core::ptr::null(), &raw mut before) == 0 {
                known.write(&before);
                real::sigaction(signal, &in_front_of(&before), null_mut());
            }
        }
    }
    ON.store(true, Release);
}

/// sigaction(2) for a signal that we watch.
///
/// # Safety
/// As sigaction(2).
pub unsafe fn change(signal: c_int, new: *const sigaction, old: *mut sigaction) -> c_int {
    // SAFETY: the caller's pointers.
    unsafe {
        let Some(known) = installed(signal).filter(|_| !thread::blind()) else {
            let result = real::sigaction(signal, new, old);
            // Of a vfork child, which was born with ours.
            if let (0, Some(old), Some(known)) = (result, old.as_mut(), installed(signal)) {
                if old.sa_sigaction == ours() {
                    *old = known.read();
                }
            }
            return result;
        };
        let before = known.read();
        if let Some(new) = new.as_ref() {
            let new = *new;
            // What the program wants is known before the first signal comes.
            known.write(&new);
            let result = real::sigaction(signal, &in_front_of(&new), null_mut());
            if result != 0 {
                known.write(&before);
                return result;
            }
        }
        if let Some(old) = old.as_mut() {
            *old = before;
        }
        0
    }
}

extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes all three.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    // Sent by a call of somebody: no fault, and no address.
    let sent = code <= 0;
    if !sent && guard::owns(address) && !thread::blind() {
        let errno = sys::errno();
        // SAFETY: the context of this signal.
        let (registers, writes) = unsafe { arch::interrupted(context) };
        let goes_on = guard::fault(address, writes, registers);
        sys::set_errno(errno);
        if goes_on {
            return;
        }
    }
    let Some(known) = installed(signal) else { return };
    let handler = known.handler.load(Acquire);
    if handler == libc::SIG_IGN && sent {
        return;
    }
    if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
        if !sent && !thread::blind() {
            let errno = sys::errno();
            heap::at_fault();
            crate::finding::guarded(|scope| {
                if !scope.state.is_short_of_stack() {
                    crate::locks::watch::at_end(scope);
                }
            });
            sys::set_errno(errno);
        }
        return by_default(signal, sent);
    }
    if known.flags.load(Relaxed) & libc::SA_RESETHAND != 0 {
        known.handler.store(libc::SIG_DFL, Release);
        known.flags.store(0, Relaxed);
    }
    // SAFETY: the program's handler of this signal, on the stack and with the mask that it asked for. One that takes only the
    // number finds it where it expects it.
    unsafe {
        core::mem::transmute::<usize, extern "C" fn(c_int, *mut siginfo_t, *mut c_void)>(handler)(
            signal, info, context,
        );
    }
}

/// Nothing is installed any more; what faulted faults again, and what was sent is sent again.
#[cold]
fn by_default(signal: c_int, sent: bool) {
    // SAFETY: sets one action.
    unsafe {
        let action: sigaction = zeroed();
        real::sigaction(signal, &action, null_mut());
    }
    if sent {
        sys::raise(signal);
    }
}
