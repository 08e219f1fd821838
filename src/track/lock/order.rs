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
mod links;
mod seen;

pub use cache::{Cache, Key};
use cycle::Threads;
pub use seen::{Cycle, EdgeFacts, Gates, Outcome, Seen, Taken};

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

    /// Does the lock take part in an edge?
    pub fn knows(&self, lock: usize) -> bool {
        self.node(lock).is_some()
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
