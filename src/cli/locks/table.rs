//! The locks of one process, with what a person calls them, and the order graph beside them.

use super::order::{Graph, Order};
use crate::merge::{Site, Sites, program};
use crate::recordings::Loaded;
use crate::report::text::{before_start, call_site};
use crate::symbolise::{Location, Symboliser};
use record::layout::{Counter, state};
use record::lock::kind;
use record::reader::{Lock, MOST};
use std::collections::HashMap;
use std::rc::Rc;

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// How long threads waited for it, in all
    Waited,
    /// How often it was not to be had at once
    Contended,
    /// How long it was held, in all
    Held,
    /// How often it was taken
    Taken,
}

/// A call, and what it is called.
#[derive(Clone, Debug)]
pub struct Call {
    pub site: Site,
    /// Innermost first, where the compiler inlined.
    pub locations: Rc<[Location]>,
}

impl Call {
    /// `finish_request  crash.c:12`, or where it is.
    pub fn words(&self) -> String {
        let known = self.locations.first().and_then(call_site);
        known.unwrap_or_else(|| match &self.site.module {
            Some(module) => format!("{}+{:#x}", crate::escape::bytes(&module.path), self.site.offset),
            None => format!("{:#x}", self.site.offset),
        })
    }
}

/// What a lock is called, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Name {
    pub address: u64,
    pub kind: u8,
    /// Of the variable that it is, or lies in: `table`, `state+0x8`.
    pub variable: Option<String>,
    pub module: Option<Vec<u8>>,
}

impl Name {
    /// `table`, or `0x55d0`.
    pub fn short(&self) -> String {
        match &self.variable {
            Some(name) => crate::escape::shown(name),
            None => format!("{:#x}", self.address),
        }
    }

    pub fn kind(&self) -> &'static str {
        kind::name(self.kind)
    }
}

/// A lock and how it was used.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: Name,
    pub lock: Lock,
    pub created: Vec<Call>,
    pub held_most_at: Vec<Call>,
    pub waited_most_at: Vec<Call>,
}

/// Everything of a process.
pub struct Process {
    pub program: Vec<u8>,
    pub pid: u32,
    pub running: bool,
    pub rows: Vec<Row>,
    pub graph: Graph,
    /// Locks, or orders, beyond the tables of the library.
    pub beyond: u64,
}

/// Names and stacks of one recording.
pub struct Naming<'a> {
    sites: Sites<'a>,
    symbols: &'a mut Symboliser,
    places: HashMap<(u64, u32), Name>,
}

impl<'a> Naming<'a> {
    pub fn new(recording: &'a Loaded, symbols: &'a mut Symboliser) -> Self {
        Self { sites: Sites::new(recording), symbols, places: HashMap::new() }
    }

    /// `place` is a stack of one frame, one byte behind the lock.
    pub fn name(&mut self, address: u64, kind: u8, place: u32) -> Name {
        if let Some(known) = self.places.get(&(address, place)) {
            return known.clone();
        }
        let site = self.sites.stack(place).into_iter().next();
        let name = Name {
            address,
            kind,
            variable: site.as_ref().and_then(|site| self.symbols.variable(site)),
            module: site.and_then(|site| Some(site.module?.path.clone())),
        };
        self.places.insert((address, place), name.clone());
        name
    }

    /// The calls of a stack, without those that start a thread.
    pub fn stack(&mut self, id: u32) -> Vec<Call> {
        let frames = self.sites.stack(id);
        if frames.is_empty() {
            return Vec::new();
        }
        let shown = before_start(&frames, self.symbols).min(frames.len());
        let calls = frames.into_iter().take(shown);
        calls.map(|site| Call { locations: self.symbols.locate(&site), site }).collect()
    }
}

impl Process {
    /// Nothing, when the recording has nothing of locks.
    pub fn new(recording: &Loaded, symbols: &mut Symboliser) -> Option<Self> {
        let head = recording.head();
        let mut naming = Naming::new(recording, symbols);
        let rows: Vec<Row> = recording
            .locks()
            .map(|lock| Row {
                name: naming.name(lock.address, lock.kind, lock.place),
                created: naming.stack(lock.created),
                held_most_at: naming.stack(lock.held_most_at),
                waited_most_at: naming.stack(lock.waited_most_at),
                lock,
            })
            .collect();
        let graph = Graph::new(recording.lock_edges().map(|edge| Order::new(&edge, &mut naming)));
        (!rows.is_empty() || !graph.orders.is_empty()).then(|| Self {
            program: program(&head).to_vec(),
            pid: head.pid,
            running: head.state == state::RUNNING,
            rows,
            graph,
            beyond: recording.counter(Counter::LocksUntracked).min(MOST),
        })
    }

    /// The most first; where that is equal, what was waited for, and taken, more often.
    pub fn sort(&mut self, by: Sort) {
        let key = |row: &Row| {
            let lock = &row.lock;
            let first = match by {
                Sort::Waited => lock.waited,
                Sort::Contended => lock.contended,
                Sort::Held => lock.held,
                Sort::Taken => lock.taken,
            };
            (first, lock.contended, lock.taken, lock.address)
        };
        self.rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
    }
}
