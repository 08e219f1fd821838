//! The locks and keys of a process for the page: a deadlock, how each lock was used, who was taken under whom, the keys.
//!
//! ```text
//! locks::table::Process (as shim locks has it) ─→ locks, each once ─→ locks.js (tables)
//!                                              ─→ orders, by the index of their locks ─→ order.js, layers.js (picture)
//! deadlock::last, report::keys ─→ locks.js
//! ```
//!
//! Why orders name locks by their index: a lock stands in many orders, and its name may be long.
//!
//! Rules: a view only where there is something to see; what is left out is counted and said; times are ns.

use super::process::Stacks;
use crate::deadlock::{self, Step};
use crate::escape::{bytes, shown};
use crate::locks::order::Order;
use crate::locks::table::{Call, Name, Process, Row, Sort};
use crate::merge::Site;
use crate::modules::Modules;
use crate::recordings::Loaded;
use crate::report::keys;
use record::lock::kind;
use record::text::until_nul;
use serde::Serialize;
use std::collections::HashMap;
use track::actor::Party;

/// Locks, and orders, of all processes of a page: about three full tables.
const ALL: usize = 20_000;

/// What the processes before have put into the page.
#[derive(Default)]
pub struct Kept {
    locks: usize,
    orders: usize,
}

#[derive(Serialize)]
pub struct Locks {
    /// Rings of threads.
    deadlocks: Vec<Vec<Waiting>>,
    locks: Vec<Lock>,
    more_locks: usize,
    orders: Vec<Edge>,
    more_orders: usize,
    /// Locks or orders beyond the tables of the library.
    beyond: u64,
    keys: Vec<Key>,
}

/// A thread, and what it waits for.
#[derive(Serialize)]
struct Waiting {
    tid: u32,
    thread: String,
    kind: &'static str,
    lock: String,
    /// Of its variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    waited: u64,
    waits: usize,
    holder: Thread,
    locked: usize,
}

#[derive(Serialize)]
struct Thread {
    tid: u32,
    thread: String,
}

#[derive(Serialize)]
struct Lock {
    /// Of its variable; without one, its address.
    name: String,
    kind: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    used: Option<Use>,
}

/// Taken, of those for reading, contended, changed hands; waited and at most, held and at most; the stacks of where it was
/// made, held longest and waited for longest.
#[derive(Serialize)]
struct Use(u64, u64, u64, u64, u64, u64, u64, u64, [Option<usize>; 3]);

/// Indices of the two locks, whether they are for reading, the thread that was first, how often, whether it is part of a
/// ring and whether a lock of it is no more, the stacks that took the one and then the other.
#[derive(Serialize)]
struct Edge(usize, usize, [bool; 2], u32, u64, bool, bool, [Option<usize>; 2]);

#[derive(Serialize)]
struct Key {
    index: usize,
    state: &'static str,
    variable: Option<String>,
    destructor: Option<String>,
    lives: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<By>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<By>,
}

/// Thread and stack.
#[derive(Serialize)]
struct By(u32, usize);

/// Nothing when the recording has nothing of locks, and no key but the C library's own.
pub fn look(recording: &Loaded, kept: &mut Kept, stacks: &mut Stacks) -> Option<Locks> {
    let deadlocks = deadlock::last(recording);
    let mut process = Process::new(recording, stacks.symbols());
    let keys = keys::keys(recording, stacks.symbols());
    if deadlocks.is_empty() && process.is_none() && !keys.iter().any(|key| key.is_program_s) {
        return None;
    }
    let modules = (!deadlocks.is_empty()).then(|| Modules::of(recording));
    let mut step = |step: &Step| {
        let site = modules.as_ref().and_then(|modules| modules.site(step.lock));
        waiting(step, site, stacks)
    };
    let deadlocks = deadlocks.iter().map(|ring| ring.iter().map(&mut step).collect()).collect();
    let keys = keys.into_iter().map(|key| Key {
        index: key.index,
        state: key.state,
        variable: key.variable,
        destructor: key.destructor,
        lives: key.lives,
        created: by(key.created, stacks),
        deleted: by(key.deleted, stacks),
    });
    let keys = keys.collect();
    let mut all = All::default();
    let (mut orders, mut more_locks, mut more_orders, mut beyond) = (Vec::new(), 0, 0, 0);
    if let Some(process) = &mut process {
        process.sort(Sort::Waited);
        beyond = process.beyond;
        let rows = process.rows.len().min(ALL.saturating_sub(kept.locks));
        let edges = process.graph.orders.len().min(ALL.saturating_sub(kept.orders));
        let places = process.rows.iter().map(|row| (row.name.address, row)).collect();
        for row in &process.rows[..rows] {
            all.index(&row.name, &places, stacks);
        }
        orders = process.graph.orders[..edges].iter().map(|order| edge(order, &mut all, &places, stacks)).collect();
        more_orders = process.graph.orders.len() - edges;
        more_locks = places.keys().filter(|address| !all.known.contains_key(address)).count();
        kept.locks += all.locks.len();
        kept.orders += edges;
    }
    Some(Locks { deadlocks, locks: all.locks, more_locks, orders, more_orders, beyond, keys })
}

/// The locks of a page, each once.
#[derive(Default)]
struct All {
    locks: Vec<Lock>,
    known: HashMap<u64, usize>,
}

impl All {
    fn index(&mut self, name: &Name, rows: &HashMap<u64, &Row>, stacks: &mut Stacks) -> usize {
        if let Some(index) = self.known.get(&name.address) {
            return *index;
        }
        self.known.insert(name.address, self.locks.len());
        self.locks.push(Lock {
            name: name.short(),
            kind: name.kind(),
            address: format!("{:#x}", name.address),
            module: name.module.as_deref().map(bytes),
            used: rows.get(&name.address).map(|row| used(row, stacks)),
        });
        self.locks.len() - 1
    }
}

fn used(row: &Row, stacks: &mut Stacks) -> Use {
    let lock = &row.lock;
    let at = [&row.created, &row.held_most_at, &row.waited_most_at].map(|calls| stack(calls, stacks));
    Use(
        lock.taken,
        lock.taken_read,
        lock.contended,
        lock.changed_hands,
        lock.waited,
        lock.waited_most,
        lock.held,
        lock.held_most,
        at,
    )
}

fn edge(order: &Order, all: &mut All, rows: &HashMap<u64, &Row>, stacks: &mut Stacks) -> Edge {
    let ends = [&order.held, &order.taken].map(|name| all.index(name, rows, stacks));
    let at = [&order.held_at, &order.taken_at].map(|calls| stack(calls, stacks));
    let reads = [order.held_for_reading, order.taken_for_reading];
    Edge(ends[0], ends[1], reads, order.tid, order.count, order.in_ring, order.ended, at)
}

fn stack(calls: &[Call], stacks: &mut Stacks) -> Option<usize> {
    let sites: Vec<Site> = calls.iter().map(|call| call.site.clone()).collect();
    (!sites.is_empty()).then(|| stacks.of(&sites))
}

fn by(party: Party, stacks: &mut Stacks) -> Option<By> {
    (!party.is_absent()).then(|| By(party.tid.0, stacks.index(party.stack.0)))
}

/// `site` is where the lock lies in a module.
fn waiting(step: &Step, site: Option<Site>, stacks: &mut Stacks) -> Waiting {
    let name = |name: &[u8; 16]| bytes(until_nul(name));
    Waiting {
        tid: step.tid,
        thread: name(&step.name),
        kind: kind::name(step.kind),
        lock: format!("{:#x}", step.lock),
        name: site.and_then(|site| stacks.symbols().variable(&site)).map(shown),
        waited: step.waited,
        waits: stacks.of(&step.waits),
        holder: Thread { tid: step.holder.0, thread: name(&step.holder.1) },
        locked: stacks.of(&step.locked),
    }
}
