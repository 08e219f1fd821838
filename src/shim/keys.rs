//! Thread-specific keys of this process: asks `track::key`, acts, tells.
//!
//! ```text
//! keys/table.rs         the table, who needs not be judged, the copy in the recording
//! keys/begin.rs         the decoy, libc's keys, our own
//! keys/user.rs          who uses a key: what the code around the call proves
//! keys/destructors.rs   modules that were unloaded; the stubs that libc calls under protect
//! ```
//!
//! Policy is in `track`; here is what needs the process: the modules, the code around a call, libc's own word.
//!
//! Why a deletion is recorded before it happens: once the real call returns, another thread may have the index again.

use crate::descriptors::By;
use crate::options::{self, Mode};
use crate::recording::{self, RECORDING};
use crate::resolve::Slot as Real;
use crate::roster::slots;
use crate::thread::{self, Scope};
use crate::unwind::{self, Object};
use crate::{finding, symbols, sys};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;
use record::findings::{Involved, Key, Report, Resource};
use record::kind::{Kind, Role, Severity};
use record::label::Label;
use record::layout::{Counter, PARTIES, module_flag};
use record::stacks::Frame;
use table::Extent;
use track::actor::{Actor, Party};
use track::key::{self, Call, Fault, KEYS, Refuse, Standing, State, Verdict, Whose};

mod begin;
mod destructors;
mod table;
mod user;

pub use begin::{own, start, take_decoy};
pub use destructors::{after_unload, shim_key_destructor};
pub use table::{after_fork, may_get, may_set};

/// A hooked function.
pub struct Function {
    name: &'static str,
    real: &'static Real,
}

impl Function {
    pub const fn new(name: &'static str, real: &'static Real) -> Self {
        Self { name, real }
    }
}

/// What the program does with a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Get,
    /// The value that it brings.
    Set(usize),
    Delete,
}

#[derive(PartialEq, Eq)]
pub enum Before {
    Call,
    /// Do not make the call: it would hit a key that is not the program's.
    Refuse,
}

/// Is the family watched?
pub fn on() -> bool {
    options::keys_mode() != Mode::Off
}

/// What goes with the finding beside the verdict.
#[derive(Default)]
struct Details {
    /// Stacks of one frame: where the variables lie.
    owner: u32,
    variable: u32,
    value: u64,
}

/// Before a use that the fast path did not let through. `hook`: our function that the program called.
pub fn before(act: Use, index: u32, from: u64, hook: u64, function: &Function) -> Before {
    if thread::internal() {
        begin::by_hand(function.real);
        return Before::Call;
    }
    if !on() || thread::blind() || act != Use::Delete && table::is_judged(index, from) {
        return Before::Call;
    }
    let Some(By::Full(mut scope, actor)) = By::now() else { return Before::Call };
    let slot = table::slot(index);
    let facts = match slot.map(key::Slot::facts) {
        Some(None) => return Before::Call,
        Some(facts) => facts,
        None => None,
    };
    let call = match act {
        Use::Get => Call::Get,
        Use::Set(_) => Call::Set,
        Use::Delete => Call::Delete,
    };
    let mut details = Details::default();
    let verdict = {
        let details = &mut details;
        let scope = &mut scope;
        let judged = key::judge(
            call,
            facts.as_ref(),
            || begin::is_live(index),
            || facts.map_or(key::User::Entitled, |facts| user::find(scope, act, index, &facts, from, hook, details)),
        );
        if judged.is_some_and(|v| v.standing != Standing::Live) && details.variable == 0 {
            details.variable = user::variable(scope, index, from);
        }
        judged
    };
    let Some(verdict) = verdict else {
        if let Some(facts) = facts {
            accept(act, index, from, facts.state);
        }
        return Before::Call;
    };
    report(&mut scope, &actor, function.name, index, &verdict, &details);
    if act == Use::Get && verdict.standing == Standing::Live {
        stop_counting(index);
    }
    let refuse = match verdict.refuse {
        Refuse::Never => false,
        Refuse::Protect => options::keys_mode() == Mode::Protect,
        Refuse::Always => true,
    };
    if refuse {
        recording::count(Counter::KeysRefused);
        return Before::Refuse;
    }
    Before::Call
}

/// A use that is none of our business: the next one shall be fast.
fn accept(act: Use, index: u32, from: u64, state: State) {
    let Some(slot) = table::slot(index) else { return };
    match state {
        State::Unknown | State::Deleted if slot.accepted(Whose::Program) => {
            table::taken();
            table::allow(index, Extent::All, Extent::All);
            table::show(index);
        }
        State::Unseen => table::allow(index, Extent::All, Extent::All),
        State::Live => {
            table::remember(index, from);
            // Where a variable of the life before may still be used, every call site is looked at.
            let before = table::places(index).map_or(0, |places| table::load(&places.before));
            if act == Use::Get && before == 0 {
                table::allow_gets(index);
            }
        }
        _ => {}
    }
}

/// Gets by strangers that are counted; more of them would only be slow.
const COUNTED: u32 = 100;

fn stop_counting(index: u32) {
    if let Some(places) = table::places(index) {
        if places.strangers.fetch_add(1, Relaxed) + 1 >= COUNTED {
            table::allow_gets(index);
        }
    }
}

/// What [`after_create`] needs.
pub struct Making {
    /// The destructor that libc is given.
    pub handed: usize,
    destructor: usize,
    stub: u32,
}

/// Before an index is created.
pub fn before_create(destructor: usize, function: &Function) -> Making {
    if thread::internal() {
        begin::by_hand(function.real);
        return Making { handed: destructor, destructor, stub: 0 };
    }
    // Starts us, when nobody has: the mode is known by then.
    thread::current_or_register();
    if destructor != 0 && options::keys_mode() == Mode::Protect && !thread::blind() {
        if let Some((stub, handed)) = destructors::take(destructor) {
            return Making { handed, destructor, stub };
        }
    }
    Making { handed: destructor, destructor, stub: 0 }
}

/// After it: `index`, when there is one. `variable`: where libc wrote it.
pub fn after_create(index: Option<u32>, variable: u64, made: Making, from: u64, function: &Function) {
    if index.is_none() {
        destructors::give_back(made.stub);
    }
    if thread::internal() {
        // What we call may be an allocator of the program's, which makes a key of its own.
        match index {
            Some(index) if symbols::lies_in_libc(from) => table::reserve(index, Whose::Libc),
            Some(index) => {
                // It uses the key at once, perhaps while we look for the real functions, which the fast path takes for found. Not for
                // libc: the first dlsym of glibc 2.33 and older makes a key, and another dlsym meanwhile would wait for it for ever.
                slots::pthread_getspecific.get();
                slots::pthread_setspecific.get();
                accept(Use::Get, index, from, State::Unknown);
            }
            None => {}
        }
        return;
    }
    if !on() {
        return;
    }
    let Some(by) = By::now() else { return };
    let actor = *by.actor();
    let mut scope = match by {
        By::Full(scope, _) => Some(scope),
        By::Nested(..) => None,
    };
    if let Some(index) = index {
        record(scope.as_mut(), &actor, index, variable, &made, from);
    }
    if let Some(scope) = &mut scope {
        filling(scope, &actor, index.is_none(), function.name);
    }
}

fn record(scope: Option<&mut Scope>, actor: &Actor, index: u32, variable: u64, made: &Making, from: u64) {
    let (Some(slot), Some(places)) = (table::slot(index), table::places(index)) else { return };
    let module = |at: u64| scope.as_ref().and_then(|s| unwind::module_of(s.state, at)).filter(|o| o.recorded.is_some());
    let (owner, maker, destructor) = (module(variable), module(from), module(made.destructor as u64));
    // Both, as a constructor whose last act is to create a key is left before libc's work: it returns to the loader, then.
    let in_libc = |o: Option<Object>| o.is_some_and(|o| o.flags & module_flag::LIBC != 0);
    let whose = if in_libc(maker) && in_libc(owner) { Whose::Libc } else { Whose::Program };
    table::allow(index, Extent::Nobody, Extent::Nobody);
    let life = slot.facts().filter(|facts| facts.generation > 0).map(|facts| facts.now);
    // It may have been deleted where we could not see.
    if !slot.state().is_taken() {
        table::taken();
    }
    slot.created(variable, made.destructor as u64, actor.party(), whose);
    let number = |object: Option<Object>| table::number(object.and_then(|o| o.recorded));
    // The variable of the life before matters while it holds the number and is another one.
    let before = life.filter(|life| {
        life.variable != variable
            && table::load(&places.variable) != 0
            && user::holds(scope.as_ref().map(|s| s.state), table::load(&places.variable), life.variable, index)
    });
    let before_place = if before.is_some() { places.variable.load(Relaxed) } else { 0 };
    places.before.store(before_place, Relaxed);
    places.variable.store(number(owner), Relaxed);
    places.maker.store(number(maker), Relaxed);
    places.destructor.store(number(destructor), Relaxed);
    places.stub.store(made.stub, Relaxed);
    places.strangers.store(0, Relaxed);
    destructors::belongs_to(made.stub, index);
    table::show(index);
    if whose == Whose::Libc {
        return;
    }
    match owner {
        Some(owner) if before_place == 0 => {
            let own = Extent::Module(owner.start, owner.end);
            let made_elsewhere = maker.is_some_and(|m| m.recorded != owner.recorded);
            table::allow(index, if made_elsewhere { Extent::All } else { own }, own);
        }
        Some(_) => {}
        None => table::allow(index, Extent::All, Extent::All),
    }
}

/// What [`ended`] needs.
pub struct Ending {
    stub: u32,
}

/// Before the real deletion.
pub fn ending(index: u32) -> Ending {
    let none = Ending { stub: 0 };
    let (Some(slot), Some(places)) = (table::slot(index), table::places(index)) else { return none };
    if !on() || thread::internal() || !slot.state().is_taken() {
        return none;
    }
    let Some(by) = By::now() else { return none };
    table::allow(index, Extent::Nobody, Extent::Nobody);
    if !slot.deleting(by.actor().party()) {
        return none;
    }
    table::given_back();
    table::show(index);
    Ending { stub: places.stub.swap(0, Relaxed) }
}

/// After it.
pub fn ended(ending: Ending) {
    destructors::give_back(ending.stub);
}

/// The place of a variable, as a stack of one frame: one byte behind it, as return addresses are behind their calls.
fn place(object: &Object, address: u64) -> u32 {
    let Some(index) = object.recorded else { return 0 };
    record::stacks::intern(&RECORDING, &[Frame::in_module(index, address.wrapping_sub(object.bias) + 1).0])
}

fn kind(fault: Fault) -> Kind {
    match fault {
        Fault::NeverCreated => Kind::KeyNeverCreated,
        Fault::Deleted => Kind::KeyDeleted,
        Fault::Foreign => Kind::KeyForeign,
        Fault::Stale => Kind::KeyStale,
        Fault::Unloaded => Kind::KeyUnloaded,
        Fault::Exhausted => Kind::KeyExhausted,
    }
}

fn severity(severity: key::Severity) -> Severity {
    match severity {
        key::Severity::Error => Severity::Error,
        key::Severity::Suspect => Severity::Suspect,
        key::Severity::Info => Severity::Info,
    }
}

fn report(scope: &mut Scope, actor: &Actor, call: &str, index: u32, verdict: &Verdict, details: &Details) {
    use record::key::state;
    let parties = [
        (Role::Here, actor.party()),
        (Role::Deleted, verdict.deleted),
        (Role::Created, verdict.created),
        (Role::Victim, verdict.victim),
    ];
    let about = Key {
        index,
        state: match verdict.standing {
            Standing::Never => state::NEVER,
            Standing::Deleted => state::DELETED,
            Standing::Range => state::RANGE,
            Standing::Decoy => state::DECOY,
            Standing::Libc => state::LIBC,
            Standing::Live => state::LIVE,
            Standing::Skipped => state::SKIPPED,
        },
        owner: details.owner,
        variable: details.variable,
        value: details.value,
        live: table::live() as u32,
        limit: KEYS as u32,
        errno: 0,
    };
    tell(scope, kind(verdict.fault), severity(verdict.severity), &parties, about, call);
}

fn tell(scope: &mut Scope, kind: Kind, severity: Severity, parties: &[(Role, Party)], about: Key, call: &str) {
    let me = scope.state;
    let mut involved = [Involved::default(); PARTIES];
    let present = parties.iter().filter(|(_, party)| !party.is_absent());
    for (to, (role, party)) in involved.iter_mut().zip(present) {
        *to = finding::involved(*role, *party);
    }
    let report = Report {
        kind,
        severity,
        tid: me.tid.load(Relaxed),
        thread: me.name(),
        time: sys::now(),
        resource: Resource::Key(about),
        label: Label::NONE,
        parties: involved,
        detail: call.as_bytes(),
    };
    finding::publish(scope, &report);
}

/// Have we said that there are few left?
static FEW: AtomicBool = AtomicBool::new(false);

/// After a creation: are there few indices left, or none?
fn filling(scope: &mut Scope, actor: &Actor, failed: bool, call: &str) {
    let live = table::live();
    let Some(found) = key::filling(live, KEYS, failed) else { return };
    if found == key::Severity::Info && FEW.swap(true, Relaxed) {
        return;
    }
    let mut parties = [(Role::Created, Party::ABSENT); PARTIES];
    parties[0] = (Role::Here, actor.party());
    for (to, (_, party)) in parties[1..].iter_mut().zip(most()) {
        to.1 = party;
    }
    let errno = if failed { libc::EAGAIN as u16 } else { 0 };
    let about = Key { live: live as u32, limit: KEYS as u32, errno, ..Key::default() };
    tell(scope, Kind::KeyExhausted, severity(found), &parties, about, call);
}

/// Who has created most of the live keys, by call stack, the most first.
fn most() -> [(u32, Party); PARTIES - 1] {
    let mut makers = [(0u32, Party::ABSENT); 64];
    let live = table::all().filter_map(|(_, slot)| slot.facts()).filter(|facts| facts.state == State::Live);
    for party in live.map(|facts| facts.now.created).filter(|party| !party.is_absent()) {
        let known = makers.iter_mut().find(|(count, known)| *count == 0 || known.stack == party.stack);
        if let Some((count, known)) = known {
            *known = party;
            *count += 1;
        }
    }
    makers.sort_unstable_by_key(|(count, _)| core::cmp::Reverse(*count));
    core::array::from_fn(|i| makers[i])
}
