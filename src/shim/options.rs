//! `SHIM_OPTIONS`: parsed once, at start, into plain atomics that are valid when zero.
//!
//! Syntax: `key=value:key=value`; `\:` is a colon inside a value. A preset sets the rest, later keys override.
//! A key or value that makes no sense is one line on stderr, and the program runs on without it.

use crate::heap::Level;
use crate::heap::access::Asked;
use crate::message;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64};
use once_cell::race::OnceBox;
use record::text::Line;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Mode {
    Observe = 0,
    Protect = 1,
    Abort = 2,
    Off = 3,
}

static HEAP: AtomicU8 = AtomicU8::new(Level::Unknown as u8);
static HEAP_MODE: AtomicU8 = AtomicU8::new(0);
/// One byte in so many is sampled; 0 means the default.
static HEAP_SAMPLING: AtomicU32 = AtomicU32::new(0);
/// Accesses: 0 = not sampled, u64::MAX = page faults, else one in so many.
static ACCESS: AtomicU64 = AtomicU64::new(0);
/// Redzones around blocks.
static CANARY: AtomicBool = AtomicBool::new(false);
/// Bytes of freed blocks that are held; 0 = none.
static HEAP_QUARANTINE: AtomicU64 = AtomicU64::new(0);
/// One allocation in so many goes on guard pages; 0 = none.
static GUARD: AtomicU32 = AtomicU32::new(0);
static KEYS: AtomicU8 = AtomicU8::new(0);
/// Take one key at start, so that index 0 is nobody's.
static KEY_DECOY: AtomicBool = AtomicBool::new(false);
static LOCKS: AtomicU8 = AtomicU8::new(0);
/// Look at the order in which locks are taken.
static LOCK_ORDER: AtomicBool = AtomicBool::new(false);
/// Measure how long locks are held and waited for.
static LOCK_TIMES: AtomicBool = AtomicBool::new(false);
/// Look for writes to what is locked for reading only.
static LOCK_WATCH: AtomicBool = AtomicBool::new(false);
pub static FD: AtomicU8 = AtomicU8::new(0);
/// Hold closed socket numbers in the quarantine: protect and hunt.
pub static QUARANTINE_FDS: AtomicBool = AtomicBool::new(false);
/// Frames per stack; 0 means the default.
static STACK_DEPTH: AtomicU32 = AtomicU32::new(0);
pub static ERROR_EXITCODE: AtomicI32 = AtomicI32::new(0);
/// The signal that asks for a snapshot; 0 = none.
pub static SNAPSHOT_SIGNAL: AtomicI32 = AtomicI32::new(0);
pub static NO_FOLLOW: AtomicBool = AtomicBool::new(false);

static PATHS: OnceBox<Paths> = OnceBox::new();

/// Where things go; empty = not given.
#[derive(Default)]
pub struct Paths {
    pub record: Vec<u8>,
    pub report: Vec<u8>,
    pub suppressions: Vec<u8>,
    /// A rule file, or `flexmalloc`.
    pub tiers: Vec<u8>,
    /// A path, or `fd:N`.
    pub json: Vec<u8>,
    /// `SHIM_OPTIONS` as given, for the recording.
    pub given: Vec<u8>,
}

pub fn paths() -> Option<&'static Paths> {
    PATHS.get()
}

#[inline]
fn mode(of: &AtomicU8) -> Mode {
    match of.load(Relaxed) {
        0 => Mode::Observe,
        1 => Mode::Protect,
        2 => Mode::Abort,
        _ => Mode::Off,
    }
}

#[inline]
pub fn fd_mode() -> Mode {
    mode(&FD)
}

/// What is done about the misuse of thread-specific keys.
#[inline]
pub fn keys_mode() -> Mode {
    mode(&KEYS)
}

/// Is index 0 kept from everybody?
pub fn key_decoy() -> bool {
    KEY_DECOY.load(Relaxed)
}

/// What is done about the misuse of locks.
#[inline]
pub fn locks_mode() -> Mode {
    mode(&LOCKS)
}

pub fn lock_order() -> bool {
    LOCK_ORDER.load(Relaxed)
}

pub fn lock_times() -> bool {
    LOCK_TIMES.load(Relaxed)
}

pub fn lock_watch() -> bool {
    LOCK_WATCH.load(Relaxed)
}

/// How closely the heap is watched.
pub fn heap_level() -> Level {
    match HEAP.load(Relaxed) {
        1 => Level::Off,
        2 => Level::Count,
        4 => Level::Full,
        _ => Level::Sites,
    }
}

/// What is done about an error of the heap.
pub fn heap_mode() -> Mode {
    match HEAP_MODE.load(Relaxed) {
        1 => Mode::Protect,
        2 => Mode::Abort,
        _ => Mode::Observe,
    }
}

/// The mean number of bytes between two sampled ones.
#[inline(always)]
pub fn heap_sampling() -> u64 {
    match HEAP_SAMPLING.load(Relaxed) {
        0 if heap_level() == Level::Count => 64 << 10,
        0 => 512 << 10,
        n => u64::from(n),
    }
}

/// How accesses to blocks are sampled.
pub fn access() -> Asked {
    match ACCESS.load(Relaxed) {
        0 => Asked::Off,
        u64::MAX => Asked::Faults,
        n => Asked::Period(n),
    }
}

pub fn canary() -> bool {
    CANARY.load(Relaxed)
}

pub fn heap_quarantine() -> u64 {
    HEAP_QUARANTINE.load(Relaxed)
}

#[inline(always)]
pub fn guard() -> u32 {
    GUARD.load(Relaxed)
}

pub fn stack_depth() -> usize {
    match STACK_DEPTH.load(Relaxed) {
        0 => 32,
        n => n as usize,
    }
}

const KNOWN: &str = "preset, fd, heap, heap_sampling, access, quarantine, guard, canary, keys, key_decoy, locks, lock_times, \
                     lock_watch, tiers, stack_depth, report, record, \
                     json, suppressions, error_exitcode, follow, snapshot_signal";

/// Parses the variable. Called once, by the thread that starts us; allocates from the private allocator.
pub fn parse(text: &[u8]) {
    let mut paths = Paths { given: text.to_vec(), ..Paths::default() };
    let pairs: Vec<Vec<u8>> = split(text);
    // A preset sets the rest wherever it stands, so that later keys override it and earlier ones do, too.
    for (key, value) in pairs.iter().filter_map(|p| pair(p)) {
        if key == b"preset" {
            preset(value);
        }
    }
    for item in &pairs {
        match pair(item) {
            Some((key, value)) => set(key, value, &mut paths),
            None => complain(item, b"", "expected key=value"),
        }
    }
    PATHS.get_or_init(|| Box::new(paths));
}

fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' if rest.peek() == Some(&b':') => {
                rest.next();
                if let Some(last) = items.last_mut() {
                    last.push(b':');
                }
            }
            b':' => items.push(Vec::new()),
            _ => {
                if let Some(last) = items.last_mut() {
                    last.push(byte);
                }
            }
        }
    }
    items.retain(|i| !i.is_empty());
    items
}

fn pair(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = item.iter().position(|b| *b == b'=')?;
    Some((&item[..at], &item[at + 1..]))
}

fn preset(value: &[u8]) {
    match value {
        b"observe" => {}
        b"protect" => {
            FD.store(Mode::Protect as u8, Relaxed);
            QUARANTINE_FDS.store(true, Relaxed);
            keys(Mode::Protect);
            LOCKS.store(Mode::Protect as u8, Relaxed);
        }
        b"hunt" => {
            KEY_DECOY.store(true, Relaxed);
            LOCK_ORDER.store(true, Relaxed);
            LOCK_WATCH.store(true, Relaxed);
            QUARANTINE_FDS.store(true, Relaxed);
            heap(Level::Full, Mode::Observe);
            CANARY.store(true, Relaxed);
            HEAP_QUARANTINE.store(64 << 20, Relaxed);
            GUARD.store(1000, Relaxed);
        }
        _ => complain(b"preset", value, "expected observe, protect or hunt"),
    }
}

fn set(key: &[u8], value: &[u8], paths: &mut Paths) {
    match key {
        b"preset" => {}
        b"fd" => match value {
            b"observe" => FD.store(Mode::Observe as u8, Relaxed),
            b"protect" => {
                FD.store(Mode::Protect as u8, Relaxed);
                QUARANTINE_FDS.store(true, Relaxed);
            }
            b"abort" => FD.store(Mode::Abort as u8, Relaxed),
            b"off" => {
                FD.store(Mode::Off as u8, Relaxed);
                QUARANTINE_FDS.store(false, Relaxed);
            }
            _ => complain(key, value, "expected observe, protect, abort or off"),
        },
        b"heap" => match value {
            b"sites" => heap(Level::Sites, Mode::Observe),
            b"count" => heap(Level::Count, Mode::Observe),
            b"full" => heap(Level::Full, Mode::Observe),
            b"protect" => heap(Level::Full, Mode::Protect),
            b"abort" => heap(Level::Full, Mode::Abort),
            b"off" => heap(Level::Off, Mode::Observe),
            _ => complain(key, value, "expected sites, count, full, protect, abort or off"),
        },
        b"keys" => match value {
            b"observe" => keys(Mode::Observe),
            b"protect" => keys(Mode::Protect),
            b"abort" => keys(Mode::Abort),
            b"off" => keys(Mode::Off),
            _ => complain(key, value, "expected observe, protect, abort or off"),
        },
        b"key_decoy" => flag(&KEY_DECOY, key, value),
        b"locks" => match value {
            b"observe" => locks(Mode::Observe, false),
            b"order" => locks(Mode::Observe, true),
            b"protect" => locks(Mode::Protect, false),
            b"abort" => locks(Mode::Abort, false),
            b"off" => locks(Mode::Off, false),
            _ => complain(key, value, "expected observe, order, protect, abort or off"),
        },
        b"lock_times" => flag(&LOCK_TIMES, key, value),
        b"lock_watch" => {
            flag(&LOCK_WATCH, key, value);
            // Which block a lock lies in, the table of all blocks knows.
            if value == b"1" {
                follow_every_block();
            }
        }
        b"canary" => match value {
            b"0" => CANARY.store(false, Relaxed),
            b"1" => {
                CANARY.store(true, Relaxed);
                follow_every_block();
            }
            _ => complain(key, value, "expected 0 or 1"),
        },
        b"quarantine" => match size(value) {
            Some(0) => HEAP_QUARANTINE.store(0, Relaxed),
            Some(n) if (4096..=1 << 40).contains(&n) => {
                HEAP_QUARANTINE.store(n, Relaxed);
                follow_every_block();
            }
            _ => complain(key, value, "expected 0, or 4K to 1024G bytes"),
        },
        b"guard" => match size(value) {
            Some(n) if n <= 1 << 30 => GUARD.store(n as u32, Relaxed),
            _ => complain(key, value, "expected 0 to 1G"),
        },
        b"heap_sampling" => match size(value) {
            Some(n) if (1..=1 << 30).contains(&n) => HEAP_SAMPLING.store(n as u32, Relaxed),
            _ => complain(key, value, "expected 1 to 1G bytes"),
        },
        b"access" if value == b"faults" => ACCESS.store(u64::MAX, Relaxed),
        b"access" => match size(value) {
            Some(n) if n == 0 || (1000..=1 << 30).contains(&n) => ACCESS.store(n, Relaxed),
            _ => complain(key, value, "expected 0, faults, or 1000 to 1G accesses between two samples"),
        },
        b"stack_depth" => match number(value) {
            Some(n) if (1..=record::stacks::MAX_FRAMES as u64).contains(&n) => STACK_DEPTH.store(n as u32, Relaxed),
            _ => complain(key, value, "expected 1 to 64"),
        },
        b"error_exitcode" => match number(value) {
            Some(n) if n <= 255 => ERROR_EXITCODE.store(n as i32, Relaxed),
            _ => complain(key, value, "expected 0 to 255"),
        },
        b"follow" => match value {
            b"1" => {}
            b"0" => NO_FOLLOW.store(true, Relaxed),
            _ => complain(key, value, "expected 0 or 1"),
        },
        b"tiers" if value.is_empty() => complain(key, value, "expected a rule file"),
        b"tiers" => paths.tiers = value.to_vec(),
        b"suppressions" if value.is_empty() => complain(key, value, "expected a file"),
        b"suppressions" => paths.suppressions = value.to_vec(),
        b"json" => match value.strip_prefix(b"fd:") {
            _ if value.is_empty() => complain(key, value, "expected a path or fd:N"),
            Some(given) if descriptor(given).is_none() => complain(key, value, "expected fd:N"),
            _ => paths.json = value.to_vec(),
        },
        b"snapshot_signal" => match signal_number(value) {
            Some(n) => SNAPSHOT_SIGNAL.store(n, Relaxed),
            None => complain(key, value, "expected a signal such as USR2 or RTMIN+3"),
        },
        b"record" if value.is_empty() => complain(key, value, "expected a directory"),
        b"record" => paths.record = value.to_vec(),
        b"report" if value.is_empty() => complain(key, value, "expected stderr or a path"),
        b"report" => {
            paths.report = if value == b"stderr" { Vec::new() } else { value.to_vec() };
        }
        _ => {
            let mut buffer = [0; 512];
            let mut line = Line::new(&mut buffer);
            line.text("shim: SHIM_OPTIONS: unknown key '");
            shortened(key, &mut line);
            line.text("' (known: ").text(KNOWN);
            line.text(")\n");
            message::say(line.as_bytes());
        }
    }
}

/// A zero key is what protection is for.
fn keys(mode: Mode) {
    KEYS.store(mode as u8, Relaxed);
    KEY_DECOY.store(mode == Mode::Protect, Relaxed);
}

fn locks(mode: Mode, order: bool) {
    LOCKS.store(mode as u8, Relaxed);
    LOCK_ORDER.store(order, Relaxed);
    if mode == Mode::Off {
        LOCK_TIMES.store(false, Relaxed);
        LOCK_WATCH.store(false, Relaxed);
    }
}

fn flag(option: &AtomicBool, key: &[u8], value: &[u8]) {
    match value {
        b"0" => option.store(false, Relaxed),
        b"1" => option.store(true, Relaxed),
        _ => complain(key, value, "expected 0 or 1"),
    }
}

/// What the level does not carry goes with it.
fn heap(level: Level, mode: Mode) {
    HEAP.store(level as u8, Relaxed);
    HEAP_MODE.store(mode as u8, Relaxed);
    if level != Level::Full {
        CANARY.store(false, Relaxed);
        HEAP_QUARANTINE.store(0, Relaxed);
    }
    if level == Level::Off {
        GUARD.store(0, Relaxed);
    }
}

/// Redzones and the quarantine need the table of all blocks.
fn follow_every_block() {
    if heap_level() != Level::Full {
        HEAP.store(Level::Full as u8, Relaxed);
    }
}

/// A number of bytes, with K, M or G.
fn size(value: &[u8]) -> Option<u64> {
    let (digits, shift) = match value.split_last()? {
        (b'K' | b'k', digits) => (digits, 10),
        (b'M' | b'm', digits) => (digits, 20),
        (b'G' | b'g', digits) => (digits, 30),
        _ => (value, 0),
    };
    number(digits)?.checked_mul(1 << shift)
}

fn number(value: &[u8]) -> Option<u64> {
    core::str::from_utf8(value).ok()?.parse().ok()
}

/// `N` or `N@INODE`: a descriptor, and the file that it must be.
pub fn descriptor(given: &[u8]) -> Option<(i32, Option<u64>)> {
    let text = core::str::from_utf8(given).ok()?;
    let (fd, inode) = match text.split_once('@') {
        Some((fd, inode)) => (fd, Some(inode.parse().ok()?)),
        None => (text, None),
    };
    Some((fd.parse().ok().filter(|fd| *fd >= 0)?, inode))
}

/// `USR1`, `SIGUSR2`, `RTMIN+3` or a number, as kill(1) takes them; nothing for what is no signal that a program may have.
fn signal_number(name: &[u8]) -> Option<i32> {
    const NAMES: &[(&[u8], i32)] = &[
        (b"HUP", libc::SIGHUP),
        (b"USR1", libc::SIGUSR1),
        (b"USR2", libc::SIGUSR2),
        (b"WINCH", libc::SIGWINCH),
        (b"URG", libc::SIGURG),
        (b"IO", libc::SIGIO),
        (b"PWR", libc::SIGPWR),
        (b"VTALRM", libc::SIGVTALRM),
        (b"PROF", libc::SIGPROF),
        (b"QUIT", libc::SIGQUIT),
    ];
    let name = name.strip_prefix(b"SIG").unwrap_or(name);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let decimal = |text: &[u8]| core::str::from_utf8(text).ok()?.parse::<i32>().ok();
    let (first, last) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    if let Some(rest) = name.strip_prefix(b"RTMIN") {
        let offset = if rest.is_empty() { 0 } else { decimal(rest.strip_prefix(b"+")?)? };
        return first.checked_add(offset).filter(|n| *n <= last && offset >= 0);
    }
    let number = decimal(name)?;
    let known = NAMES.iter().any(|(_, n)| *n == number) || (first..=last).contains(&number);
    known.then_some(number)
}

fn complain(key: &[u8], value: &[u8], expected: &str) {
    let mut buffer = [0; 512];
    let mut line = Line::new(&mut buffer);
    shortened(key, line.text("shim: SHIM_OPTIONS: "));
    if !value.is_empty() {
        shortened(value, line.text("="));
    }
    line.text(": ").text(expected).text("\n");
    message::say(line.as_bytes());
}

/// As much of it as leaves room for what was expected, whatever has to be escaped.
fn shortened(text: &[u8], line: &mut Line) {
    const MOST: usize = 36;
    if text.len() <= MOST {
        line.foreign(text);
        return;
    }
    // Whole characters, as far as there are any.
    let end = (MOST - 3..=MOST).rev().find(|at| text[*at] & 0xc0 != 0x80).unwrap_or(MOST);
    line.foreign(&text[..end]).text("…");
}
