//! The heap: what is asked of an allocation and a free, by the level that the user chose.
//!
//! ```text
//! heap=count    counters in the hook itself                                             hooks/heap.rs
//! heap=sites    as count, and one allocation in many is followed with its call stack    sampled.rs
//! heap=full     every block has an entry in the side table                              full.rs, shadow.rs
//!               and is looked for at the end: which are lost                            leaks.rs
//! canary=1      full, with redzones around every block                                  redzone.rs
//! quarantine=N  full, and freed blocks are held back                                    quarantine.rs
//! access=       full or sites, and which blocks are touched: by samples                   access.rs
//! guard=N       any of them, and one allocation in N lies between closed pages          guard.rs
//! ```
//!
//! How the hooks find their way: a registered thread of `count` and `sites` has its entry in the block
//! (`thread::counters`), and that is the fast path. Everything else, `full` included, is the slow way of the hooks, which asks
//! [`level`]. So a level costs nothing to the others.
//!
//! `track::heap` decides, `accounts` adds up, `finding` tells.

pub mod access;
pub mod accounts;
pub mod allocator;
pub mod elsewhere;
pub mod full;
pub mod guard;
pub mod leaks;
pub mod quarantine;
mod redzone;
pub mod sampled;
pub mod shadow;

use crate::options::{self, Mode};
use crate::recording::RECORDING;
use crate::thread::{self, Entry, Scope};
use crate::{start, tiers, unwind};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicBool, AtomicU8};
use record::heap::level as recorded;
use record::text::Line;
use redzone::Eyes;
use track::fd::Party;
use track::heap::State;

/// How closely the heap is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Level {
    /// Not started yet: nothing is known.
    Unknown = 0,
    Off = 1,
    Count = 2,
    Sites = 3,
    Full = 4,
}

static LEVEL: AtomicU8 = AtomicU8::new(0);

#[inline(always)]
pub fn level() -> Level {
    match LEVEL.load(Relaxed) {
        1 => Level::Off,
        2 => Level::Count,
        3 => Level::Sites,
        4 => Level::Full,
        _ => Level::Unknown,
    }
}

static REINFORCED: AtomicBool = AtomicBool::new(false);

/// Is there more to an allocation of `heap=full` than its entry: redzones, the quarantine, guard
/// pages?
#[inline(always)]
pub fn is_reinforced() -> bool {
    REINFORCED.load(Relaxed)
}

/// At start, with the options known, the recording open and the modules read.
pub fn start() {
    unwind::with_modules(|modules| {
        elsewhere::start(modules);
        crate::hooks::operators::start(modules);
    });
    let mut level = options::heap_level();
    if level == Level::Full && !full::start() {
        crate::message::say(b"shim: heap=full: no address space for its table; heap=sites instead\n");
        level = Level::Sites;
    }
    redzone::start();
    if level == Level::Full && !quarantine::start() {
        crate::message::say(b"shim: quarantine: no address space for it\n");
    }
    if level != Level::Off && !guard::start() {
        crate::message::say(b"shim: guard: no address space for it\n");
    }
    if quarantine::on() {
        crate::faults::start();
    }
    REINFORCED.store(redzone::on() || quarantine::on() || guard::on(), Relaxed);
    if level == Level::Full {
        leaks::start();
    }
    match level {
        Level::Count => record::heap::begin(&RECORDING, recorded::COUNT, options::heap_sampling()),
        Level::Sites => record::heap::begin(&RECORDING, recorded::SITES, options::heap_sampling()),
        Level::Full => record::heap::begin(&RECORDING, recorded::FULL, 0),
        Level::Unknown | Level::Off => {}
    }
    LEVEL.store(level as u8, Relaxed);
    access::start(level);
    if elsewhere::is_owner() && level != Level::Off {
        tell_elsewhere();
    }
}

/// In the recording; on stderr when the user has asked for more than what is on by itself.
#[cold]
fn tell_elsewhere() {
    let mut path = [0; 256];
    let Some(owner) = elsewhere::owner(&mut path) else { return };
    record::heap::is_elsewhere(&RECORDING, owner);
    if options::heap_level() == Level::Full {
        let mut buffer = [0; 512];
        let mut line = Line::new(&mut buffer);
        line.text("shim: the heap is not seen: malloc is that of ").foreign(owner).text("\n");
        crate::message::say(line.as_bytes());
    }
}

/// Does the hooks' fast path serve this process? With `off`, too: a few additions cost less than to ask. Not with tiers: who has none
/// shall not pay for them.
pub fn has_fast_path() -> bool {
    matches!(level(), Level::Count | Level::Sites | Level::Off) && !tiers::on()
}

/// Are some allocations sampled?
pub fn samples() -> bool {
    matches!(level(), Level::Count | Level::Sites)
}

/// Are errors of the heap refused?
pub fn protects() -> bool {
    options::heap_mode() == Mode::Protect
}

/// The calling thread ends.
pub fn thread_ends(scope: &mut Scope) {
    access::thread_ends(scope.state);
    if samples() {
        sampled::settle(scope.state);
    } else if level() == Level::Full {
        quarantine::settle(scope);
        accounts::of(scope.state).inspect(|accounts| accounts.tell(scope.state.entry));
    }
}

/// The process ends: what threads have not told yet, and what was lost.
pub fn at_exit(scope: &mut Scope, here: &leaks::Here) {
    access::at_exit(scope.state);
    if samples() {
        sampled::settle(scope.state);
    } else if level() == Level::Full {
        quarantine::settle(scope);
        look_at_blocks(scope);
        settle();
        leaks::look(scope, here, leaks::Occasion::Exit);
    }
}

/// The process is about to die of a fault, in the program's own code: what would be found at the end is found now. A link that was
/// followed into a freed block, whose filling is no address, is the usual reason.
pub fn at_fault() {
    if !quarantine::on() {
        return;
    }
    if let Entry::Full(mut scope) = thread::enter() {
        if !scope.state.is_short_of_stack() {
            look_at_blocks(&mut scope);
        }
    }
}

/// With `full`: what threads have not told yet.
pub fn settle() {
    for state in thread::registry().filter(|state| state.is_live()) {
        accounts::of(state).inspect(|accounts| accounts.tell(state.entry));
    }
}

/// Redzones of live blocks, and what lies in the quarantine. Once: `_exit` and the destructors both come here. A forked child
/// looks at its own blocks: those of before are its parent's to look at.
fn look_at_blocks(scope: &mut Scope) {
    if !redzone::on() && !quarantine::on() || LOOKED.swap(true, Relaxed) {
        return;
    }
    let eyes = if thread::alone() { Eyes::Owner } else { Eyes::Stranger };
    for (address, entry, facts) in shadow::blocks().filter(|(_, _, facts)| facts.epoch == start::epoch()) {
        match facts.state {
            State::Live => {}
            State::Quarantined => quarantine::look_from_outside(scope, address, entry, &facts, eyes),
            _ => continue,
        }
        let damage = redzone::settled(entry, &facts, || redzone::look(address, &facts, eyes));
        if let Some(damage) = damage.filter(|damage| !damage.is_none()) {
            redzone::report(scope, address, &facts, damage, Party::ABSENT, eyes);
        }
    }
}

static LOOKED: AtomicBool = AtomicBool::new(false);

/// In the child of a fork that nobody saw, before [`after_fork`].
pub fn after_missed_fork() {
    quarantine::abandon();
    quarantine::LOCK.release();
}

/// In a forked child.
pub fn after_fork() {
    LOOKED.store(false, Relaxed);
    if guard::on() {
        guard::after_fork();
    }
    accounts::after_fork();
    access::after_fork();
    leaks::after_fork();
    for state in thread::registry() {
        accounts::of(state).inspect(|accounts| accounts.forget());
    }
}
