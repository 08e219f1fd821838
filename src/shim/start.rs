//! The life of the process: lazy start, constructor, fork, exit. Nothing here is ever torn down.
//!
//! ```text
//! first hook ──► ready(): real functions, options, recording, modules      (any thread, before any constructor of ours)
//! constructor ─► fork handlers, thread key, import of inherited descriptors
//! fork ────────► prepare: our locks; child: a private copy of the recording, new epoch
//! exit ────────► flush, summary, exit status; hooks go on working: other destructors still run
//! ```
//!
//! Why lazy: constructors of other libraries call malloc and open before ours runs, and correctness never depends on the
//! constructor. Why nobody waits for a start in progress: it calls dlsym, which takes the loader's lock, which the
//! waiting thread might hold; hooks pass through unwatched for that moment instead.
//!
//! **Fork.** `prepare` handlers run in reverse order of registration, `child` handlers in order. Ours is registered first
//! of all, so our prepare runs last, when every other library has finished, and our child handler first, before any of
//! them calls a hook. The locks taken here are ours alone and are only ever held by threads with their guard up, which
//! never wait for the program; so taking them cannot deadlock.
//!
//! A fork that runs no handlers (`_Fork`, a raw clone) is noticed by a page that the kernel wipes in the child
//! (MADV_WIPEONFORK, Linux 4.14); before that, such a child is taken for its parent until it execs.
#![allow(unsafe_code)] // Safety: registration of handlers with libc, and reads of the environment at start.

use crate::thread::{self, Entry};
use crate::{
    alloc, descriptors, finding, heap, json_lines, keys, locks, message, options, recording, resolve, sandbox,
    snapshot, suppressions, sys, tiers, unwind,
};
use core::ffi::CStr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32};
use libc::{c_char, c_int};
use record::layout::{Op, state};
use record::store::Store;

const COLD: u32 = 0;
const STARTING: u32 = 1;
const READY: u32 = 2;
/// AT_SECURE, or no memory: every hook passes through.
const INERT: u32 = 3;

static STATE: AtomicU32 = AtomicU32::new(COLD);
static EPOCH: AtomicU32 = AtomicU32::new(0);
static HANDLERS: AtomicU32 = AtomicU32::new(0);
/// A page that reads 1 here and 0 in a child of a fork that we did not see.
static WITNESS: AtomicPtr<AtomicU32> = AtomicPtr::new(core::ptr::null_mut());

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// How many forks deep this process is.
#[inline]
pub fn epoch() -> u16 {
    EPOCH.load(Relaxed) as u16
}

/// Is everything set up? Starts it when nobody has. Called with the guard up.
#[inline]
pub fn ready() -> bool {
    match STATE.load(Acquire) {
        READY => true,
        COLD => start(),
        _ => false,
    }
}

#[cold]
fn start() -> bool {
    // SAFETY: reads libc's variable. Null means that libc itself has not started yet.
    if unsafe { environ.is_null() } || STATE.compare_exchange(COLD, STARTING, Acquire, Relaxed).is_err() {
        return false;
    }
    let errno = sys::errno();
    let ready = set_up();
    sys::set_errno(errno);
    STATE.store(if ready { READY } else { INERT }, Release);
    ready
}

fn set_up() -> bool {
    resolve::all();
    sandbox::start();
    // SAFETY: reads the auxiliary vector. A setuid program must not read the user's environment, nor write the user's files.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return false;
    }
    // SAFETY: the environment belongs to the only thread that runs yet, or to a program that has not touched it.
    let given = unsafe { libc::getenv(c"SHIM_OPTIONS".as_ptr()) };
    // SAFETY: NUL-terminated, from the environment.
    let given = if given.is_null() { &b""[..] } else { unsafe { CStr::from_ptr(given) }.to_bytes() };
    options::parse(given);
    keys::take_decoy();
    message::open();
    json_lines::open();
    suppressions::load();
    if !recording::open() {
        return false;
    }
    unwind::start();
    descriptors::start();
    tiers::start();
    heap::start();
    locks::start();
    locks::watch::start();
    keys::start();
    witness();
    true
}

fn witness() {
    let page = sys::map_anonymous(4096);
    if page == 0 {
        return;
    }
    // SAFETY: advice on our own fresh page; older kernels refuse it and nothing is lost but the notice.
    if unsafe { libc::madvise(page as *mut libc::c_void, 4096, libc::MADV_WIPEONFORK) } == 0 {
        let at = page as *mut AtomicU32;
        // SAFETY: fresh, zeroed, never unmapped.
        unsafe { (*at).store(1, Relaxed) };
        WITNESS.store(at, Release);
    }
}

/// In a child of a fork that ran no handlers, becomes that child. A load and a test otherwise. With the guard up.
#[inline]
pub fn notice_fork() {
    let at = WITNESS.load(Relaxed);
    // SAFETY: null, or the page of `witness`.
    if let Some(page) = unsafe { at.as_ref() } {
        if page.load(Relaxed) == 0 {
            missed_fork(page);
        }
    }
}

#[cold]
fn missed_fork(page: &AtomicU32) {
    page.store(1, Relaxed);
    // Its parent's other threads may have held our locks at that moment; nobody will give them back.
    for lock in [&thread::REGISTRY_LOCK, &unwind::CHANGING, recording::commit_lock(), alloc::PRIVATE.lock()] {
        lock.release();
    }
    heap::after_missed_fork();
    tiers::missed_fork();
    let shared = recording::in_file();
    become_child(&[]);
    if shared {
        descriptors::after_missed_fork();
    }
}

/// The second stage: what needs a libc that has started.
#[ctor::ctor(unsafe)]
fn constructor() {
    let started = matches!(thread::enter(), Entry::Full(_)) || STATE.load(Acquire) == READY;
    if !started || HANDLERS.swap(1, Relaxed) != 0 {
        return;
    }
    thread::make_key();
    thread::inside_libc(|| {
        // SAFETY: three handlers of the right type.
        unsafe { pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
        if options::NO_FOLLOW.load(Relaxed) {
            stop_following();
        }
    });
    finding::guarded(|scope| {
        // What is asked of an address in this thread's stack must not depend on a hook that has taken one before.
        let _known = scope.state.knows_stack_unasked();
        descriptors::import(scope);
    });
    snapshot::start();
}

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<unsafe extern "C" fn()>,
        parent: Option<unsafe extern "C" fn()>,
        child: Option<unsafe extern "C" fn()>,
    ) -> c_int;
}

/// `follow=0`: children do not inherit us. Only our own entry leaves LD_PRELOAD.
fn stop_following() {
    // SAFETY: before main; the environment is touched by this thread only.
    unsafe {
        let value = libc::getenv(c"LD_PRELOAD".as_ptr());
        if value.is_null() {
            return;
        }
        let separator = |b: &u8| *b == b':' || *b == b' ';
        let mut rest: Vec<u8> = CStr::from_ptr(value)
            .to_bytes()
            .split(separator)
            .filter(|p| !p.is_empty() && !p.ends_with(b"libshim.so"))
            .collect::<Vec<_>>()
            .join(&b':');
        if rest.is_empty() {
            libc::unsetenv(c"LD_PRELOAD".as_ptr());
        } else {
            rest.push(0);
            libc::setenv(c"LD_PRELOAD".as_ptr(), rest.as_ptr().cast(), 1);
        }
    }
}

unsafe extern "C" fn before_fork() {
    // A vfork child or a nested hook has nothing to protect. The guard stays up until after the fork, so that other
    // libraries' handlers, which have all run, and libc's own work are not watched.
    if let Entry::Full(scope) = thread::enter() {
        scope.state.log(Op::Fork, 0, 0, 0, 0);
        tiers::before_fork();
        thread::REGISTRY_LOCK.acquire();
        unwind::CHANGING.acquire();
        recording::commit_lock().acquire();
        descriptors::before_fork();
        heap::quarantine::LOCK.acquire();
        alloc::PRIVATE.lock().acquire();
        FORKING.store(forker(), Relaxed);
        descriptors::freeze();
        core::mem::forget(scope);
    }
}

/// The thread that is between prepare and its end.
static FORKING: AtomicU32 = AtomicU32::new(0);

/// The id of the caller; not 0, which is nobody, where a sandbox hides it.
fn forker() -> u32 {
    sys::gettid().max(1)
}

fn unlock() {
    alloc::PRIVATE.lock().release();
    heap::quarantine::LOCK.release();
    recording::commit_lock().release();
    unwind::CHANGING.release();
    thread::REGISTRY_LOCK.release();
}

unsafe extern "C" fn after_fork_in_parent() {
    if FORKING.load(Relaxed) == forker() {
        FORKING.store(0, Relaxed);
        let frozen = descriptors::take_frozen();
        unlock();
        tiers::fork_in_parent();
        drop(frozen);
        thread::lower_guard();
    }
}

unsafe extern "C" fn after_fork_in_child() {
    // In the child the thread has a new id: FORKING still holds the parent's.
    if FORKING.swap(0, Relaxed) != 0 {
        let frozen = descriptors::take_frozen();
        unlock();
        tiers::fork_in_child();
        become_child(frozen.as_deref().map_or(&[], |f| &f.0));
        drop(frozen);
        thread::lower_guard();
    }
}

/// This process is the child of a fork, with one thread.
fn become_child(frozen: &[u64]) {
    // SAFETY: null, or the page of `witness`.
    if let Some(page) = unsafe { WITNESS.load(Relaxed).as_ref() } {
        page.store(1, Relaxed);
    }
    recording::after_fork();
    EPOCH.fetch_add(1, Relaxed);
    unwind::after_fork();
    finding::after_fork();
    json_lines::after_fork();
    let me = thread::current().map(core::ptr::from_ref);
    for state in thread::registry() {
        state.adopt(Some(core::ptr::from_ref(state)) == me);
    }
    descriptors::after_fork(frozen);
    snapshot::after_fork();
    heap::after_fork();
    locks::after_fork();
    keys::after_fork();
    if options::paths().is_some_and(|p| p.report.windows(2).any(|w| w == b"%p")) {
        message::open();
    }
}

/// A forked child that lives on gets its own recording: see `recording`.
#[inline]
pub fn materialise() {
    if recording::is_private_copy() {
        recording::materialise();
    }
}

/// The program is about to become another, or tries to.
pub fn exec(path: &[u8]) {
    finding::guarded(|scope| {
        finding::flush_held(scope);
        json_lines::repeated(scope);
        scope.state.log(Op::Exec, 0, 0, 0, 0);
        let header = recording::RECORDING.header();
        if !recording::is_private_copy() {
            header
                .exec_path
                .store(record::strings::intern(&recording::RECORDING, &path[..path.len().min(1024)]).0, Relaxed);
        }
        header.state.store(state::EXEC, Release);
    });
}

/// The exec failed.
pub fn exec_failed() {
    finding::guarded(|_| recording::RECORDING.header().state.store(state::RUNNING, Release));
}

/// The process ends with `status`, as far as we can see.
pub fn exiting(status: Option<c_int>) {
    heap::leaks::from_here(&mut |here| ending(status, here));
}

#[inline(never)]
fn ending(status: Option<c_int>, here: &heap::leaks::Here) {
    finding::guarded(|scope| {
        finding::flush_held(scope);
        scope.state.log(Op::Exit, 0, status.unwrap_or(0) as u64, 0, 0);
        descriptors::at_exit(scope);
        locks::watch::at_end(scope);
        heap::at_exit(scope, here);
        tiers::at_exit();
        let header = recording::RECORDING.header();
        header.exit_status.store(status.map_or(0, |s| s as u32), Relaxed);
        header.ended.store(sys::now(), Relaxed);
        header.state.store(state::EXITED, Release);
        json_lines::repeated(scope);
        finding::summary();
    });
}

/// What `_exit` ends with: the program's own status, unless there were errors and the user asked for another.
pub fn exit_status(status: c_int) -> c_int {
    let wanted = options::ERROR_EXITCODE.load(Relaxed);
    if wanted != 0 && !thread::blind() && finding::errors() { wanted } else { status }
}

/// Runs after the program's own static destructors (see the order of `_dl_fini`).
#[unsafe(link_section = ".fini_array")]
#[used]
static AT_EXIT: extern "C" fn() = at_exit;

extern "C" fn at_exit() {
    if STATE.load(Acquire) != READY || thread::blind() {
        return;
    }
    exiting(None);
    let wanted = options::ERROR_EXITCODE.load(Relaxed);
    if wanted != 0 && finding::errors() {
        // exit() flushes stdio after us; with a status of our own, that is on us.
        thread::inside_libc(|| {
            // SAFETY: flushes all streams, then ends the process as exit would.
            unsafe {
                libc::fflush(core::ptr::null_mut());
                crate::roster::real::_exit(wanted);
            }
        });
    }
}
