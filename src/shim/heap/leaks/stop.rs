//! Other threads, held still while their memory is looked at, and their registers.
//!
//! ```text
//! the looking thread                      a process of our own that shares its memory (clone with CLONE_VM)
//! signals blocked, spawn ──────────────►  is somebody tracing us, may it trace? (Yama)
//!   allow (PR_SET_PTRACER) ◄───────────   asks, where Yama wants that
//! wait, at most two seconds               each thread: PTRACE_SEIZE, PTRACE_INTERRUPT, registers; until none is new
//! look ◄───────────────────────────────   all stand
//! release ─────────────────────────────►  PTRACE_DETACH; ends
//! ```
//!
//! Why another process: a thread cannot trace those of its own process. Why SEIZE: no signal is sent, so nothing that the
//! program could notice; the kernel goes on with an interrupted call by itself. Some calls (epoll_wait, sigtimedwait, …) say
//! EINTR all the same after a stop: they are made anew, unless a signal waits for the thread.
//!
//! Should the helper die, the kernel lets its threads go. Should we die, it gets SIGKILL. It touches no lock and allocates
//! nothing: whoever was stopped may hold a lock of ours, so the looking thread, too, allocates nothing before the release.
//! Its table of descriptors is a copy, so that what it opens takes no number of the program's.
#![allow(unsafe_code)] // Safety: system calls and one static that the two sides hand to each other by its state.

use crate::arch;
use crate::sys;
use crate::sys::call;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};

/// A thread that stands still.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Seen {
    pub tid: u32,
    pub sp: u64,
    /// What its registers hold, those for vectors included.
    pub words: [u64; GENERAL + VECTORS],
}

const GENERAL: usize = 27;
const VECTORS: usize = 64;
/// Places in `struct user_regs_struct` of x86_64.
const RAX: usize = 10;
const ORIG_RAX: usize = 15;
const RIP: usize = 16;
const RSP: usize = 19;
const FS_BASE: usize = 21;
/// `syscall` is two bytes long.
const SYSCALL_LEN: u64 = 2;

/// How long the threads may take to stop.
const PATIENCE_NS: u64 = 2_000_000_000;
pub const STACK: usize = 64 << 10;

const IDLE: u32 = 0;
/// The helper may begin; it asks to be allowed; it was; all stand; it could not; let them go; they go.
const BEGIN: u32 = 1;
const ASKING: u32 = 2;
const ALLOWED: u32 = 3;
const STOPPED: u32 = 4;
const FAILED: u32 = 5;
const RELEASE: u32 = 6;

static STATE: AtomicU32 = AtomicU32::new(IDLE);
static LOOKER: AtomicU32 = AtomicU32::new(0);
static PROCESS: AtomicU32 = AtomicU32::new(0);
static SEEN: AtomicPtr<Seen> = AtomicPtr::new(null_mut());
static ROOM: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicUsize = AtomicUsize::new(0);

const PTRACE_SEIZE: usize = 0x4206;
const PTRACE_INTERRUPT: usize = 0x4207;
const PTRACE_GETREGSET: usize = 0x4204;
const PTRACE_SETREGSET: usize = 0x4205;
const PTRACE_PEEKSIGINFO: usize = 0x4209;
const PTRACE_CONT: usize = 7;
const PTRACE_DETACH: usize = 17;
const PTRACE_EVENT_STOP: i32 = 128;
const NT_PRSTATUS: usize = 1;
const NT_PRFPREG: usize = 2;
const WALL: usize = 0x4000_0000;
const CLONE_UNTRACED: usize = 0x0080_0000;

impl Seen {
    /// libc's description of the thread: what the thread pointer points to.
    pub fn description(&self) -> u64 {
        self.words[FS_BASE]
    }
}

/// Memory for the threads that stand, and the helper's stack: for a look, and used by it alone.
#[derive(Clone, Copy)]
pub struct Lent {
    seen: *mut Seen,
    room: usize,
    stack: usize,
}

impl Lent {
    /// Nothing when it is too little.
    pub fn new(seen: &'static mut [Seen], stack: &'static mut [u8]) -> Option<Self> {
        let enough = !seen.is_empty() && stack.len() == STACK;
        enough.then_some(Self { seen: seen.as_mut_ptr(), room: seen.len(), stack: stack.as_mut_ptr() as usize })
    }
}

/// The threads stand until this is dropped.
pub struct Stopped {
    helper: usize,
    mask: u64,
    allowed: bool,
    seen: &'static [Seen],
}

fn nap() {
    let time = [0 as libc::c_long, 30_000];
    // SAFETY: a live timespec.
    unsafe { call(libc::SYS_nanosleep, [time.as_ptr() as usize, 0, 0, 0, 0, 0]) };
}

fn set_mask(mask: u64) -> u64 {
    let mut old = 0u64;
    let (new, to) = (&raw const mask as usize, &raw mut old as usize);
    // SAFETY: sets of the kernel's eight bytes.
    unsafe { call(libc::SYS_rt_sigprocmask, [libc::SIG_SETMASK as usize, new, to, 8, 0, 0]) };
    old
}

/// Stops all other threads. `None`: it cannot be done here; none is stopped.
///
/// pre: one caller at a time.
pub fn stop(lent: Lent) -> Option<Stopped> {
    if sys::in_sandbox() {
        return None;
    }
    LOOKER.store(sys::gettid(), Relaxed);
    PROCESS.store(sys::getpid(), Relaxed);
    SEEN.store(lent.seen, Relaxed);
    ROOM.store(lent.room, Relaxed);
    COUNT.store(0, Relaxed);
    STATE.store(IDLE, Release);
    // The helper has our handlers and, in their eyes, our memory: no signal may reach it.
    let mask = set_mask(u64::MAX);
    let top = lent.stack + STACK;
    // SAFETY: shares the memory only; its stack is its own; `help` makes raw system calls.
    let helper = unsafe { arch::spawn_beside(libc::CLONE_VM as usize | CLONE_UNTRACED, top, help) };
    if helper <= 0 {
        set_mask(mask);
        return None;
    }
    let mut stopped = Stopped { helper: helper as usize, mask, allowed: false, seen: &[] };
    let deadline = sys::now() + PATIENCE_NS;
    STATE.store(BEGIN, Release);
    loop {
        match STATE.load(Acquire) {
            ASKING => {
                allow(helper as usize);
                stopped.allowed = true;
                STATE.store(ALLOWED, Release);
            }
            STOPPED => break,
            state => {
                if state == FAILED || sys::now() > deadline || stopped.is_gone() {
                    return None;
                }
            }
        }
        nap();
    }
    // SAFETY: lent to the helper, which has filled in so many and writes to them no more.
    stopped.seen = unsafe { core::slice::from_raw_parts(lent.seen, COUNT.load(Acquire).min(lent.room)) };
    Some(stopped)
}

/// PR_SET_PTRACER, which Yama asks for (Documentation/admin-guide/LSM/Yama.rst).
fn allow(helper: usize) {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_prctl, [0x5961_6d61, helper, 0, 0, 0, 0]) };
}

impl Stopped {
    pub fn threads(&self) -> &'static [Seen] {
        self.seen
    }

    fn is_gone(&mut self) -> bool {
        if self.helper != 0 && wait(self.helper, libc::WNOHANG as usize).is_some() {
            self.helper = 0;
        }
        self.helper == 0
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        STATE.store(RELEASE, Release);
        let deadline = sys::now() + PATIENCE_NS;
        while !self.is_gone() {
            if sys::now() > deadline {
                // The kernel lets go what it held.
                // SAFETY: a child of ours that was not waited for: the number is still its own.
                unsafe { call(libc::SYS_kill, [self.helper, libc::SIGKILL as usize, 0, 0, 0, 0]) };
                wait(self.helper, 0);
                break;
            }
            nap();
        }
        if self.allowed {
            allow(0);
        }
        set_mask(self.mask);
    }
}

/// The status of a child, or of a thread that is traced, when there is news.
fn wait(id: usize, flags: usize) -> Option<i32> {
    let mut status = 0i32;
    // SAFETY: the kernel writes one int.
    let answer = unsafe { call(libc::SYS_wait4, [id, &raw mut status as usize, flags | WALL, 0, 0, 0]) };
    match answer {
        0 => None,
        n if n < 0 => (n == -(libc::ECHILD as isize)).then_some(0),
        _ => Some(status),
    }
}

/// What the helper does. Nothing here touches what belongs to a thread: it runs with the block of the looking one.
extern "C" fn help() {
    // SAFETY: no memory.
    unsafe { call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0, 0]) };
    let deadline = sys::now() + PATIENCE_NS;
    while STATE.load(Acquire) == IDLE {
        if sys::now() > deadline {
            return;
        }
        nap();
    }
    let mut tracer = Tracer { process: PROCESS.load(Relaxed), looker: LOOKER.load(Relaxed), count: 0, deadline };
    let done = tracer.stop_all();
    COUNT.store(tracer.count, Relaxed);
    let told = STATE.compare_exchange(BEGIN, if done { STOPPED } else { FAILED }, Release, Relaxed);
    if told.is_err() {
        let _ = STATE.compare_exchange(ALLOWED, if done { STOPPED } else { FAILED }, Release, Relaxed);
    }
    while done && STATE.load(Acquire) == STOPPED {
        nap();
    }
    tracer.release_all();
}

struct Tracer {
    process: u32,
    looker: u32,
    count: usize,
    deadline: u64,
}

/// `/proc/PID/task/TID/stat`: a path in a buffer.
struct Path([u8; 64], usize);

impl Path {
    fn of(process: u32, rest: &[u8]) -> Self {
        let mut path = Self([0; 64], 0);
        path.text(b"/proc/").number(process).text(rest);
        path
    }

    fn text(&mut self, text: &[u8]) -> &mut Self {
        for byte in text {
            // The last byte stays NUL.
            if self.1 + 1 < self.0.len() {
                self.0[self.1] = *byte;
                self.1 += 1;
            }
        }
        self
    }

    fn number(&mut self, number: u32) -> &mut Self {
        let mut digits = [0u8; 10];
        let (mut at, mut rest) = (digits.len(), number);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text(&digits[at..])
    }

    fn open(&self) -> i32 {
        sys::open(&self.0[..=self.1], libc::O_RDONLY | libc::O_CLOEXEC, 0) as i32
    }

    /// The beginning of the file; nothing when it cannot be read.
    fn read<'b>(&self, buffer: &'b mut [u8]) -> &'b [u8] {
        let fd = self.open();
        if fd < 0 {
            return b"";
        }
        let n = sys::read(fd, buffer).max(0) as usize;
        sys::close(fd);
        &buffer[..n]
    }
}

impl Tracer {
    fn seen(&mut self) -> &mut [Seen] {
        // SAFETY: the looking thread has lent this many, and reads them only after it was told.
        unsafe { core::slice::from_raw_parts_mut(SEEN.load(Relaxed), ROOM.load(Relaxed)) }
    }

    fn in_time(&self) -> bool {
        sys::now() < self.deadline && STATE.load(Acquire) != RELEASE
    }

    fn stop_all(&mut self) -> bool {
        let mut buffer = [0u8; 2048];
        let status = Path::of(self.process, b"/status").read(&mut buffer);
        let traced = status.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"TracerPid:\t"));
        if traced != Some(b"0") {
            return false;
        }
        let mut path = Path([0; 64], 0);
        path.text(b"/proc/sys/kernel/yama/ptrace_scope");
        match path.read(&mut buffer).first() {
            None | Some(b'0') => {}
            Some(b'1') => {
                STATE.store(ASKING, Release);
                while STATE.load(Acquire) == ASKING {
                    if !self.in_time() {
                        return false;
                    }
                    nap();
                }
            }
            _ => return false,
        }
        let directory = Path::of(self.process, b"/task").open();
        if directory < 0 {
            return false;
        }
        // Until a whole reading shows nobody new: those that stand start no others.
        loop {
            match self.stop_listed(directory) {
                None => return false,
                Some(0) => return true,
                Some(_) => {}
            }
            if !self.in_time() || sys::lseek(directory, 0) != 0 {
                return false;
            }
        }
    }

    /// How many were stopped that did not stand before.
    fn stop_listed(&mut self, directory: i32) -> Option<u32> {
        let mut entries = [0u8; 4096];
        let mut stopped = 0;
        loop {
            let n = sys::directory_entries(directory, &mut entries);
            if n <= 0 {
                return (n == 0).then_some(stopped);
            }
            let mut rest = &entries[..n as usize];
            // struct linux_dirent64: inode:8, offset:8, length:2, type:1, name.
            while rest.len() > 19 {
                let len = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
                let name = rest.get(19..len)?;
                let digits = name.iter().take_while(|b| b.is_ascii_digit());
                let tid = digits.fold(0u32, |n, b| n.wrapping_mul(10).wrapping_add(u32::from(b - b'0')));
                rest = &rest[len..];
                let count = self.count;
                if tid != 0 && tid != self.looker && !self.seen()[..count].iter().any(|s| s.tid == tid) {
                    stopped += self.stop_one(tid)?;
                }
            }
        }
    }

    /// 1: it stands; 0: it has ended.
    fn stop_one(&mut self, tid: u32) -> Option<u32> {
        let id = tid as usize;
        match ptrace(PTRACE_SEIZE, id, 0, 0) {
            0 => {}
            e if e == -(libc::ESRCH as isize) || self.is_dead(tid) => return Some(0),
            _ => return None,
        }
        let at = self.count;
        if at >= self.seen().len() {
            ptrace(PTRACE_DETACH, id, 0, 0);
            return None;
        }
        ptrace(PTRACE_INTERRUPT, id, 0, 0);
        // Known from here on: whatever happens, it will be let go.
        self.seen()[at] = Seen { tid, sp: 0, words: [0; GENERAL + VECTORS] };
        self.count += 1;
        loop {
            match wait(id, libc::WNOHANG as usize) {
                Some(status) if status & 0xff == 0x7f => {
                    if status >> 16 == PTRACE_EVENT_STOP {
                        break;
                    }
                    // On its way to a signal: it goes there, and stops behind it.
                    ptrace(PTRACE_CONT, id, 0, (status >> 8 & 0xff) as usize);
                }
                Some(_) => {
                    self.count -= 1;
                    return Some(0);
                }
                None if !self.in_time() => return None,
                None => nap(),
            }
        }
        self.read_registers(at).then_some(1)
    }

    fn is_dead(&self, tid: u32) -> bool {
        let mut buffer = [0u8; 256];
        let text = Path::of(self.process, b"/task/").number(tid).text(b"/stat").read(&mut buffer);
        let state = text.iter().rposition(|b| *b == b')').and_then(|at| text.get(at + 2));
        text.is_empty() || matches!(state, Some(b'Z' | b'X'))
    }

    fn read_registers(&mut self, at: usize) -> bool {
        let seen = &mut self.seen()[at];
        let id = seen.tid as usize;
        let (general, vectors) = seen.words.split_at_mut(GENERAL);
        if !registers(PTRACE_GETREGSET, id, NT_PRSTATUS, general) {
            return false;
        }
        // The vectors are there on every x86_64, and their loss is no reason to know nothing.
        registers(PTRACE_GETREGSET, id, NT_PRFPREG, vectors);
        seen.sp = general[RSP];
        let interrupted = general[RAX] as i64 == -i64::from(libc::EINTR) && (general[ORIG_RAX] as i64) >= 0;
        if interrupted && !signal_waits(id) {
            let mut again = [0; GENERAL];
            again.copy_from_slice(general);
            again[RAX] = general[ORIG_RAX];
            again[RIP] -= SYSCALL_LEN;
            registers(PTRACE_SETREGSET, id, NT_PRSTATUS, &mut again);
        }
        true
    }

    fn release_all(&mut self) {
        for at in 0..self.count {
            let id = self.seen()[at].tid as usize;
            // One that has not stopped yet cannot be let go before it does; our end lets go of it then.
            ptrace(PTRACE_DETACH, id, 0, 0);
        }
    }
}

fn ptrace(request: usize, id: usize, address: usize, data: usize) -> isize {
    // SAFETY: what the requests here read and write is argued where they are made.
    unsafe { call(libc::SYS_ptrace, [request, id, address, data, 0, 0]) }
}

fn registers(request: usize, id: usize, set: usize, words: &mut [u64]) -> bool {
    let mut vector = [words.as_mut_ptr() as usize, size_of_val(words)];
    // An iovec of as much room as there is.
    ptrace(request, id, set, vector.as_mut_ptr() as usize) == 0
}

/// Does a signal wait for the thread, or for the process? Then EINTR may be meant.
fn signal_waits(id: usize) -> bool {
    // siginfo_t is 128 bytes; struct ptrace_peeksiginfo_args: offset:8, flags:4, how many:4.
    let mut information = [0u64; 16];
    [0u32, 1].into_iter().any(|flags| {
        let arguments = [0u64, u64::from(flags) | 1 << 32];
        ptrace(PTRACE_PEEKSIGINFO, id, arguments.as_ptr() as usize, information.as_mut_ptr() as usize) != 0
    })
}
