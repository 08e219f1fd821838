//! The order of locks: which lock was taken while which was held, and whether two orders could wait for each other.
//!
//! ```text
//! b is taken while a is held ─► Cache: known?  yes: nothing to do, no lock
//!                                              no:  Graph::observe, under a lock of the caller's
//!                                                     a new edge a → b, in the topological order (Pearce and Kelly)
//!                                                     there is a way from b back to a: is it dangerous?
//! ```
//!
//! # Glossary
//! - **node**: a lock that takes part in an edge. It ends with its lock: destroyed, made anew, its memory given back.
//! - **edge**: `to` was taken while `from` was held, in these modes, with these gates.
//! - **gates** ([`Gates`]): what the thread held besides. A lock that all edges of a cycle have among their gates lets one
//!   thread at a time into it, and the cycle cannot close.
//! - **back edge**: one that closed a cycle when it came. It is kept, but has no place in the topological order.
//!
//! # When a cycle is dangerous
//! 1. At no lock of it are both the hold and the acquisition for reading.
//! 2. Its edges have no common gate (one of which at most holds it for reading).
//! 3. More than one thread took part. A single thread that takes two locks in both orders waits for nobody; and where one
//!    thread does it, say, at start and at the end, no other ever does.
//!
//! So an edge with other modes or gates is another edge (a *variant*), and one that was seen in a second thread is looked at
//! again. Edges with more gates than [`MOST_GATES`] count as gated by whatever the other edges have.
//!
//! Why a topological order: an edge that agrees with it closes no cycle, which is known by comparing two numbers; and
//! nearly all edges agree. Only the part of the order between the two ends of one that does not is searched.
//!
//! Everything is bounded and valid while zero; nothing is allocated.

mod cache;
mod cycle;

pub use cache::{Cache, Key};
use cycle::Threads;

use super::{Kind, Mode};

/// Under loom there are as few of everything as its tests need.
pub const NODES: usize = if cfg!(loom) { 8 } else { 4096 };
pub const EDGES: usize = if cfg!(loom) { 8 } else { 8192 };
/// Edges of the longest cycle that is looked for.
pub const LONGEST: usize = 8;
/// Other locks of an edge that are kept by themselves.
pub const MOST_GATES: usize = 6;
/// Edges between the same two locks.
pub const MOST_VARIANTS: usize = 16;
/// Locks are found by their address's line of the cache, so that those in a range of memory are.
const LINE: usize = 64;
const BUCKETS: usize = if cfg!(loom) { 4 } else { 4096 };
/// A range of more lines is looked for among all nodes.
const MOST_LINES: usize = 256;

/// A place in a table, plus one; 0 = none.
type Link = u16;
const NONE: Link = 0;

const fn index(link: Link) -> usize {
    link as usize - 1
}

/// A lock in a mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub kind: Kind,
    pub mode: Mode,
}

impl Taken {
    const fn bits(self) -> u8 {
        self.kind as u8 | (self.mode as u8) << 3
    }

    const fn from_bits(bits: u8) -> Self {
        Self { kind: Kind::from_bits(bits as u32), mode: Mode::from_bits(bits as u32 >> 3) }
    }

    fn reads(self) -> bool {
        self.mode == Mode::Read
    }
}

/// What a thread held besides the two locks of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Hashes of their addresses, the lowest bit set for reading.
    locks: [u32; MOST_GATES],
    len: u8,
    /// There were more.
    beyond: bool,
    /// Of all of them, in any order.
    sum: u64,
}

impl Gates {
    pub const fn new() -> Self {
        Self { locks: [0; MOST_GATES], len: 0, beyond: false, sum: 0 }
    }

    pub fn add(&mut self, lock: usize, mode: Mode) {
        self.sum = self.sum.wrapping_add(cache::of_gate(lock, mode));
        let Some(place) = self.locks.get_mut(usize::from(self.len)) else {
            self.beyond = true;
            return;
        };
        *place = cache::of_gate(lock, Mode::None) as u32 & !1 | u32::from(mode == Mode::Read);
        self.len += 1;
    }

    fn all(&self) -> &[u32] {
        &self.locks[..usize::from(self.len)]
    }

    /// Is everything here there, too?
    fn are_among(&self, other: &Self) -> bool {
        self == other || !self.beyond && self.all().iter().all(|lock| other.all().contains(lock))
    }
}

/// `to` was taken while `from` was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub from: usize,
    pub to: usize,
    pub held: Taken,
    pub taken: Taken,
    pub gates: Gates,
    pub tid: u32,
    /// Where `from` was taken, and then `to`.
    pub stacks: [u32; 2],
}

/// An edge, as it was seen first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeFacts {
    pub from: usize,
    pub to: usize,
    pub held: Taken,
    pub taken: Taken,
    pub tid: u32,
    pub stacks: [u32; 2],
}

/// Edges that lead from one to the next, and from the last to the first. The first is the one that closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    edges: [EdgeFacts; LONGEST],
    len: usize,
}

impl Cycle {
    pub fn edges(&self) -> &[EdgeFacts] {
        &self.edges[..self.len]
    }
}

/// What became of an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its index; nothing when there was no room.
    pub edge: Option<usize>,
    /// It was not known before.
    pub new: bool,
    /// It has been seen in several threads.
    pub many: bool,
    pub cycle: Option<Cycle>,
}

#[derive(Clone, Copy)]
struct Node {
    /// 0 = unused, and then `bucket_next` leads to the next unused one.
    lock: usize,
    rank: u64,
    /// Of the search that came by last.
    mark: u64,
    out: Link,
    into: Link,
    out_len: u16,
    in_len: u16,
    bucket_next: Link,
}

#[derive(Clone, Copy)]
struct Edge {
    /// [`NONE`] = unused, and then `out_next` leads to the next unused one.
    from: Link,
    to: Link,
    out_next: Link,
    out_prev: Link,
    in_next: Link,
    in_prev: Link,
    held: u8,
    taken: u8,
    back: bool,
    many: bool,
    gates: Gates,
    tid: u32,
    stacks: [u32; 2],
}

/// All edges. One thread at a time.
pub struct Graph {
    nodes: [Node; NODES],
    edges: [Edge; EDGES],
    buckets: [Link; BUCKETS],
    /// Unused ones that were in use, and how many places were ever used.
    free_nodes: Link,
    free_edges: Link,
    nodes_used: usize,
    edges_used: usize,
    live_nodes: usize,
    live_edges: usize,
    back_edges: usize,
    last_rank: u64,
    last_mark: u64,
    /// Something found no room.
    was_full: bool,
    /// Of searches: nodes in the order in which they were found, and their ranks.
    found: [Link; NODES],
    pool: [u64; NODES],
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

impl Graph {
    /// All zero.
    pub const fn new() -> Self {
        const NODE: Node = Node { lock: 0, rank: 0, mark: 0, out: 0, into: 0, out_len: 0, in_len: 0, bucket_next: 0 };
        const EDGE: Edge = Edge {
            from: 0,
            to: 0,
            out_next: 0,
            out_prev: 0,
            in_next: 0,
            in_prev: 0,
            held: 0,
            taken: 0,
            back: false,
            many: false,
            gates: Gates::new(),
            tid: 0,
            stacks: [0; 2],
        };
        Self {
            nodes: [NODE; NODES],
            edges: [EDGE; EDGES],
            buckets: [NONE; BUCKETS],
            free_nodes: 0,
            free_edges: 0,
            nodes_used: 0,
            edges_used: 0,
            live_nodes: 0,
            live_edges: 0,
            back_edges: 0,
            last_rank: 0,
            last_mark: 0,
            was_full: false,
            found: [NONE; NODES],
            pool: [0; NODES],
        }
    }

    /// Takes in what was seen. A cycle is given when this edge makes one that is dangerous.
    pub fn observe(&mut self, seen: &Seen) -> Outcome {
        if seen.from == seen.to || seen.from == 0 || seen.to == 0 {
            return Outcome::default();
        }
        let Some(from) = self.node_or_new(seen.from) else { return self.no_room() };
        let Some(to) = self.node_or_new(seen.to) else {
            self.drop_if_bare(from);
            return self.no_room();
        };
        let (known, variants) = self.variant(from, to, seen);
        if let Some(known) = known {
            return self.seen_again(known, seen);
        }
        if variants >= MOST_VARIANTS {
            return Outcome::default();
        }
        let Some(edge) = self.new_edge(from, to, seen) else {
            self.drop_if_bare(from);
            self.drop_if_bare(to);
            return self.no_room();
        };
        if !self.arrange(from, to) {
            self.edges[index(edge)].back = true;
            self.back_edges += 1;
        }
        self.link(edge);
        // Where every edge agrees with the order, there is no cycle.
        let cycle = if self.back_edges > 0 { self.dangerous_cycle(edge, Threads::Several) } else { None };
        Outcome { edge: Some(index(edge)), new: true, many: false, cycle }
    }

    fn no_room(&mut self) -> Outcome {
        self.was_full = true;
        Outcome::default()
    }

    fn seen_again(&mut self, link: Link, seen: &Seen) -> Outcome {
        let Edge { many, tid, .. } = self.edges[index(link)];
        let mut cycle = None;
        if !many && tid != seen.tid {
            if self.back_edges > 0 {
                cycle = self.dangerous_cycle(link, Threads::OneBefore);
            }
            if let Some(cycle) = &mut cycle {
                let Seen { from, to, held, taken, tid, stacks, .. } = *seen;
                cycle.edges[0] = EdgeFacts { from, to, held, taken, tid, stacks };
            }
            self.edges[index(link)].many = true;
        }
        Outcome { edge: Some(index(link)), new: false, many: self.edges[index(link)].many, cycle }
    }

    /// An edge that says what was seen, or more (fewer gates); and how many there are between the two.
    fn variant(&self, from: Link, to: Link, seen: &Seen) -> (Option<Link>, usize) {
        let (outwards, inwards) = (&self.nodes[index(from)], &self.nodes[index(to)]);
        let by_out = outwards.out_len <= inwards.in_len;
        let mut at = if by_out { outwards.out } else { inwards.into };
        let mut variants = 0;
        while at != NONE {
            let edge = &self.edges[index(at)];
            if edge.from == from && edge.to == to {
                variants += 1;
                let same = edge.held == seen.held.bits() && edge.taken == seen.taken.bits();
                // What another thread did with fewer gates this one did not.
                let says_it = edge.gates == seen.gates
                    || edge.gates.are_among(&seen.gates) && (edge.many || edge.tid == seen.tid);
                if same && says_it {
                    return (Some(at), variants);
                }
            }
            at = if by_out { edge.out_next } else { edge.in_next };
        }
        (None, variants)
    }

    fn bucket(lock: usize) -> usize {
        cache::spread(lock / LINE) as usize % BUCKETS
    }

    fn node(&self, lock: usize) -> Option<Link> {
        let mut at = self.buckets[Self::bucket(lock)];
        while at != NONE && self.nodes[index(at)].lock != lock {
            at = self.nodes[index(at)].bucket_next;
        }
        (at != NONE).then_some(at)
    }

    /// Does the lock take part in an edge?
    pub fn knows(&self, lock: usize) -> bool {
        self.node(lock).is_some()
    }

    fn node_or_new(&mut self, lock: usize) -> Option<Link> {
        if let Some(found) = self.node(lock) {
            return Some(found);
        }
        let link = if self.free_nodes != NONE {
            let link = self.free_nodes;
            self.free_nodes = self.nodes[index(link)].bucket_next;
            link
        } else if self.nodes_used < NODES {
            self.nodes_used += 1;
            self.nodes_used as Link
        } else {
            return None;
        };
        self.live_nodes += 1;
        self.last_rank += 1;
        let bucket = Self::bucket(lock);
        self.nodes[index(link)] = Node {
            lock,
            rank: self.last_rank,
            mark: 0,
            out: NONE,
            into: NONE,
            out_len: 0,
            in_len: 0,
            bucket_next: self.buckets[bucket],
        };
        self.buckets[bucket] = link;
        Some(link)
    }

    fn drop_if_bare(&mut self, link: Link) {
        let node = self.nodes[index(link)];
        if node.lock == 0 || node.out != NONE || node.into != NONE {
            return;
        }
        let bucket = Self::bucket(node.lock);
        let mut at = self.buckets[bucket];
        if at == link {
            self.buckets[bucket] = node.bucket_next;
        } else {
            while self.nodes[index(at)].bucket_next != link {
                at = self.nodes[index(at)].bucket_next;
            }
            self.nodes[index(at)].bucket_next = node.bucket_next;
        }
        self.nodes[index(link)].lock = 0;
        self.nodes[index(link)].bucket_next = self.free_nodes;
        self.free_nodes = link;
        self.live_nodes -= 1;
    }

    fn new_edge(&mut self, from: Link, to: Link, seen: &Seen) -> Option<Link> {
        let link = if self.free_edges != NONE {
            let link = self.free_edges;
            self.free_edges = self.edges[index(link)].out_next;
            link
        } else if self.edges_used < EDGES {
            self.edges_used += 1;
            self.edges_used as Link
        } else {
            return None;
        };
        self.live_edges += 1;
        self.edges[index(link)] = Edge {
            from,
            to,
            out_next: NONE,
            out_prev: NONE,
            in_next: NONE,
            in_prev: NONE,
            held: seen.held.bits(),
            taken: seen.taken.bits(),
            back: false,
            many: false,
            gates: seen.gates,
            tid: seen.tid,
            stacks: seen.stacks,
        };
        Some(link)
    }

    fn link(&mut self, link: Link) {
        let Edge { from, to, .. } = self.edges[index(link)];
        let (first_out, first_in) = (self.nodes[index(from)].out, self.nodes[index(to)].into);
        self.edges[index(link)].out_next = first_out;
        self.edges[index(link)].in_next = first_in;
        if first_out != NONE {
            self.edges[index(first_out)].out_prev = link;
        }
        if first_in != NONE {
            self.edges[index(first_in)].in_prev = link;
        }
        let node = &mut self.nodes[index(from)];
        (node.out, node.out_len) = (link, node.out_len + 1);
        let node = &mut self.nodes[index(to)];
        (node.into, node.in_len) = (link, node.in_len + 1);
    }

    fn unlink(&mut self, link: Link) {
        let Edge { from, to, out_next, out_prev, in_next, in_prev, back, .. } = self.edges[index(link)];
        match out_prev {
            NONE => self.nodes[index(from)].out = out_next,
            before => self.edges[index(before)].out_next = out_next,
        }
        if out_next != NONE {
            self.edges[index(out_next)].out_prev = out_prev;
        }
        match in_prev {
            NONE => self.nodes[index(to)].into = in_next,
            before => self.edges[index(before)].in_next = in_next,
        }
        if in_next != NONE {
            self.edges[index(in_next)].in_prev = in_prev;
        }
        self.nodes[index(from)].out_len -= 1;
        self.nodes[index(to)].in_len -= 1;
        self.back_edges -= usize::from(back);
        self.live_edges -= 1;
        self.edges[index(link)].from = NONE;
        self.edges[index(link)].out_next = self.free_edges;
        self.free_edges = link;
    }

    /// The lock is no more, or another one: its edges end. `ended` is given the index of each.
    pub fn forget(&mut self, lock: usize, cache: &Cache, mut ended: impl FnMut(usize)) {
        if let Some(link) = self.node(lock) {
            self.forget_node(link, cache, &mut ended);
        }
    }

    /// The same for all locks in a range of memory.
    pub fn forget_range(&mut self, start: usize, len: usize, cache: &Cache, mut ended: impl FnMut(usize)) {
        let Some(end) = start.checked_add(len).filter(|end| *end > start) else { return };
        let within = start..end;
        if (end - 1) / LINE - start / LINE >= MOST_LINES {
            for link in 1..=self.nodes_used as Link {
                if within.contains(&self.nodes[index(link)].lock) {
                    self.forget_node(link, cache, &mut ended);
                }
            }
            return;
        }
        for line in start / LINE..=(end - 1) / LINE {
            let bucket = Self::bucket(line * LINE);
            // What is forgotten may take others of the bucket along: from the beginning again.
            loop {
                let mut at = self.buckets[bucket];
                while at != NONE && !within.contains(&self.nodes[index(at)].lock) {
                    at = self.nodes[index(at)].bucket_next;
                }
                if at == NONE {
                    break;
                }
                self.forget_node(at, cache, &mut ended);
            }
        }
    }

    fn forget_node(&mut self, link: Link, cache: &Cache, ended: &mut impl FnMut(usize)) {
        cache.forget(self.nodes[index(link)].lock);
        loop {
            let Node { out, into, .. } = self.nodes[index(link)];
            let edge = if out != NONE { out } else { into };
            if edge == NONE {
                break;
            }
            let other = if out != NONE { self.edges[index(edge)].to } else { self.edges[index(edge)].from };
            self.unlink(edge);
            ended(index(edge));
            self.drop_if_bare(other);
        }
        self.drop_if_bare(link);
        // What found no room is in the cache as known, so that it is not asked for again and again: now there is room.
        let room = self.live_nodes < NODES / 4 * 3 && self.live_edges < EDGES / 4 * 3;
        if self.was_full && room {
            self.was_full = false;
            cache.forget_all();
        }
    }

    fn facts(&self, link: Link) -> EdgeFacts {
        let edge = &self.edges[index(link)];
        EdgeFacts {
            from: self.nodes[index(edge.from)].lock,
            to: self.nodes[index(edge.to)].lock,
            held: Taken::from_bits(edge.held),
            taken: Taken::from_bits(edge.taken),
            tid: edge.tid,
            stacks: edge.stacks,
        }
    }

    /// The edges, and whether each agrees with the topological order.
    pub fn edges(&self) -> impl Iterator<Item = (EdgeFacts, bool)> {
        let live = (1..=self.edges_used as Link).filter(|link| self.edges[index(*link)].from != NONE);
        live.map(|link| {
            let edge = &self.edges[index(link)];
            let agrees = self.nodes[index(edge.from)].rank < self.nodes[index(edge.to)].rank;
            (self.facts(link), agrees || edge.back)
        })
    }

    /// Locks and edges.
    pub fn len(&self) -> (usize, usize) {
        (self.live_nodes, self.live_edges)
    }

    pub fn is_empty(&self) -> bool {
        self.live_nodes == 0
    }
}
