//! Uses of a number: the holder mark and the busy mark before the call, what came of it afterwards.
//!
//! Why the two ways to say where: a read or write that went well keeps the return address of the hook, for the price of a
//! load; one that failed or found the end of its stream takes a whole stack, because after that line the close is missing.
//! Set-up calls are rare enough to take a stack each time. See `track::fd::Last`.
//!
//! No guard is up and nothing needs dropping during the call: it may be a cancellation point.

use super::{By, on, slot};
use crate::thread::{self, State};
use crate::{arch, clock, private, sys};
use core::sync::atomic::Ordering::Relaxed;
use libc::c_int;
use record::call::Call;
use record::layout::Thread;
use track::fd::{Ending, FdKind, Generation, Last, Place, ThreadIndex};

/// What an outcome of a call says of the descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Moves bytes to the program: nothing means the end of the stream.
    Read,
    /// Called often, and a 0 is nothing special: writes, waits.
    Often,
    /// Called a few times in the life of a descriptor: takes a stack.
    Seldom,
    /// Only asks: says nothing of what became of the descriptor.
    Query,
}

impl Class {
    #[inline(always)]
    pub const fn of(call: Call) -> Self {
        match call {
            Call::Read | Call::Pread | Call::Readv | Call::Preadv | Call::Preadv2 => Self::Read,
            Call::Recv | Call::Recvfrom | Call::Recvmsg => Self::Read,
            Call::Write | Call::Pwrite | Call::Writev | Call::Pwritev | Call::Pwritev2 => Self::Often,
            Call::Send | Call::Sendto | Call::Sendmsg | Call::Sendmmsg | Call::Recvmmsg => Self::Often,
            Call::EpollWait | Call::EpollPwait | Call::Accept | Call::Accept4 | Call::Sendfile | Call::Splice => {
                Self::Often
            }
            Call::CopyFileRange | Call::Fsync | Call::Fdatasync | Call::Flock | Call::Openat | Call::Fchdir => {
                Self::Often
            }
            Call::EpollCtl | Call::Poll => Self::Query,
            _ if call.is_query() => Self::Query,
            _ => Self::Seldom,
        }
    }
}

/// A use under way.
#[derive(Clone, Copy)]
pub struct Use {
    entry: Option<&'static Thread>,
    life: Option<&'static Generation>,
}

/// The thread is about to use the number. Nothing: it is one of ours, and the call must answer EBADF.
#[inline(always)]
pub fn begin(fd: c_int) -> Option<Use> {
    // A thread may do nothing but wait in calls like this one: it is registered by the first.
    begin_in(thread::watched().or_else(register), fd)
}

/// [`begin`] in this thread.
#[inline(always)]
pub fn begin_in(thread: Option<(&'static Thread, ThreadIndex)>, fd: c_int) -> Option<Use> {
    if private::is(fd) {
        return None;
    }
    let mut found = Use { entry: None, life: None };
    if let Some((entry, index)) = thread {
        if let Some(slot) = slot(fd) {
            found.life = slot.used(index);
            if found.life.is_some() {
                found.entry = Some(entry);
                entry.using.store((fd as u32).wrapping_add(1), Relaxed);
            }
        }
    }
    Some(found)
}

#[cold]
#[inline(never)]
fn register() -> Option<(&'static Thread, ThreadIndex)> {
    thread::current_or_register().and_then(|_| thread::watched())
}

impl Use {
    /// The call has returned `result`; -1 is a failure. True: it failed with EBADF, and the caller asks whose fault that is.
    /// Keeps errno.
    #[inline(always)]
    pub fn end(self, call: Call, result: isize) -> bool {
        let class = Class::of(call);
        if let Some(entry) = self.entry {
            entry.using.store(0, Relaxed);
        }
        match class {
            Class::Read | Class::Often if result > 0 => self.done(call),
            Class::Often if result == 0 => self.done(call),
            Class::Query if result != -1 => {}
            _ => return self.otherwise(call, class, result),
        }
        false
    }

    /// It went well: no more than the return address.
    #[inline(always)]
    fn done(self, call: Call) {
        if let Some(life) = self.life {
            let place = Place::Address(arch::return_address());
            let last = Last { call: call as u8, ending: Ending::Done, errno: 0, thread: 0, place };
            life.acted(last, clock::coarse());
        }
    }

    /// A failure, the end of a stream, or a call that is worth its stack. True: EBADF.
    #[cold]
    #[inline(never)]
    fn otherwise(self, call: Call, class: Class, result: isize) -> bool {
        let errno = sys::errno();
        if result == -1 && errno == libc::EBADF {
            return true;
        }
        self.note(call, class, result, errno);
        sys::set_errno(errno);
        false
    }

    fn note(self, call: Call, class: Class, result: isize, errno: c_int) {
        let Some(life) = self.life else { return };
        let (ending, code) = match (result, errno) {
            (0, _) if class == Class::Read && is_stream(life.kind()) => (Ending::End, 0),
            (-1, libc::EINTR | libc::EFAULT) => return,
            (-1, libc::EINPROGRESS | libc::EALREADY) => (Ending::Done, 0),
            (-1, libc::EAGAIN) => (Ending::Again, libc::EAGAIN),
            // What a query or an option was refused for says nothing of the connection.
            (-1, _) if class == Class::Query => return,
            (-1, code) => (Ending::Failed, code),
            _ => (Ending::Done, 0),
        };
        // An event loop meets EAGAIN all the time; a timeout is at least this long.
        if ending == Ending::Again && !self.first_in_a_while() {
            life.acted(Last { call: call as u8, ending, ..Last::default() }, clock::coarse());
        } else {
            self.record(call, ending, code as u16);
        }
    }

    /// What is known of the descriptor's fate by another way than the result of a call: SO_ERROR. Keeps errno.
    #[cold]
    pub fn learned(self, call: Call, code: u16) {
        let errno = sys::errno();
        self.record(call, Ending::Failed, code);
        sys::set_errno(errno);
    }

    fn record(self, call: Call, ending: Ending, errno: u16) {
        let (Some(life), true) = (self.life, on()) else { return };
        let Some(by) = By::now() else { return };
        let actor = by.actor();
        if let Some(state) = thread::current().filter(|_| ending == Ending::Again) {
            state.again_at.store(actor.now, Relaxed);
        }
        let (thread, place) = (actor.thread.0.wrapping_add(1), Place::Stack(actor.stack));
        let errno = errno.min(0xff);
        life.acted(Last { call: call as u8, ending, errno, thread, place }, clock::coarse());
    }

    fn first_in_a_while(self) -> bool {
        const WHILE_NS: u64 = 1_000_000;
        thread::current().is_some_and(|s| clock::now().saturating_sub(s.again_at.load(Relaxed)) >= WHILE_NS)
    }
}

/// Nothing read means the end: of a file it would mean no more than that its reader has read it.
fn is_stream(kind: FdKind) -> bool {
    matches!(kind, FdKind::Tcp | FdKind::Unix | FdKind::Socket | FdKind::Pipe | FdKind::Pty)
}

/// The thread uses the number in a way that says nothing of its fate. False: it is one of ours.
#[inline(always)]
pub fn used(fd: c_int) -> bool {
    if private::is(fd) {
        return false;
    }
    if let Some(state) = thread::current() {
        if let Some(slot) = slot(fd) {
            slot.used(ThreadIndex(state.index));
        }
    }
    true
}

/// The numbers that live threads are inside a call on at this moment, in order.
pub fn busy_now() -> Vec<c_int> {
    let using = |t: &State| (t.entry.using.load(Relaxed) as c_int).checked_sub(1).filter(|fd| *fd >= 0 && t.is_live());
    let mut busy: Vec<c_int> = thread::registry().filter_map(using).collect();
    busy.sort_unstable();
    busy
}
