//! The two searches of the graph: for a place in the topological order, and for a dangerous cycle.

use super::{Cycle, EdgeFacts, Gates, Graph, LONGEST, Link, NODES, NONE, Taken, index};

/// Edges that a search for a dangerous cycle looks at, of one length. A search that ends here finds nothing.
const BUDGET: usize = 1 << 13;

/// Whose a cycle must be, to be dangerous.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    Several,
    /// One thread's alone, until now, when a second one has come by its first edge.
    OneBefore,
}

const _: () = assert!(NODES < Link::MAX as usize);
const _: () = assert!(super::EDGES < Link::MAX as usize);

impl Graph {
    /// Moves nodes so that `from` comes before `to` (Pearce and Kelly, "A dynamic topological sort algorithm for directed
    /// acyclic graphs", 2006). False: there is a way from `to` to `from`, and nothing was moved.
    ///
    /// What follows `to` and what leads to `from`, between the two in the order, exchange their places: the latter get the
    /// lower ones.
    pub(super) fn arrange(&mut self, from: Link, to: Link) -> bool {
        let (low, high) = (self.nodes[index(to)].rank, self.nodes[index(from)].rank);
        if high < low {
            return true;
        }
        let Some(behind) = self.behind(to, from, high) else { return false };
        let all = self.before(from, low, behind);
        // The latter first; each part in its own order.
        self.found[..all].rotate_left(behind);
        let first = all - behind;
        let nodes = &self.nodes;
        self.found[..first].sort_unstable_by_key(|link| nodes[index(*link)].rank);
        self.found[first..all].sort_unstable_by_key(|link| nodes[index(*link)].rank);
        for (rank, link) in self.pool.iter_mut().zip(&self.found[..all]) {
            *rank = nodes[index(*link)].rank;
        }
        self.pool[..all].sort_unstable();
        for (rank, link) in self.pool[..all].iter().zip(&self.found[..all]) {
            self.nodes[index(*link)].rank = *rank;
        }
        true
    }

    /// Finds what follows `start` up to this rank; nothing when `goal` does.
    fn behind(&mut self, start: Link, goal: Link, high: u64) -> Option<usize> {
        let mut len = self.begin(start);
        let mut done = 0;
        while done < len {
            let mut at = self.nodes[index(self.found[done])].out;
            done += 1;
            while at != NONE {
                let edge = &self.edges[index(at)];
                let (next, to, back) = (edge.out_next, edge.to, edge.back);
                if !back && to == goal {
                    return None;
                }
                if !back && self.nodes[index(to)].rank <= high {
                    self.mark(to, &mut len);
                }
                at = next;
            }
        }
        Some(len)
    }

    /// Adds what leads to `goal` from this rank on to the `len` that were found. How many there are then.
    fn before(&mut self, goal: Link, low: u64, len: usize) -> usize {
        let (mut done, mut len) = (len, len);
        self.mark(goal, &mut len);
        while done < len {
            let mut at = self.nodes[index(self.found[done])].into;
            done += 1;
            while at != NONE {
                let edge = &self.edges[index(at)];
                let (next, from, back) = (edge.in_next, edge.from, edge.back);
                if !back && self.nodes[index(from)].rank >= low {
                    self.mark(from, &mut len);
                }
                at = next;
            }
        }
        len
    }

    /// A new search, that has found `start`.
    fn begin(&mut self, start: Link) -> usize {
        self.last_mark += 1;
        let mut len = 0;
        self.mark(start, &mut len);
        len
    }

    fn mark(&mut self, link: Link, len: &mut usize) {
        let node = &mut self.nodes[index(link)];
        if node.mark != self.last_mark {
            node.mark = self.last_mark;
            self.found[*len] = link;
            *len += 1;
        }
    }

    /// A cycle with this edge that is dangerous; of the shortest.
    pub(super) fn dangerous_cycle(&mut self, first: Link, threads: Threads) -> Option<Cycle> {
        let (from, to) = (self.edges[index(first)].from, self.edges[index(first)].to);
        // Marks all from which there is a way to `from`: the search below keeps to them.
        let mut len = self.begin(from);
        let mut done = 0;
        while done < len {
            let mut at = self.nodes[index(self.found[done])].into;
            done += 1;
            while at != NONE {
                let (next, before) = (self.edges[index(at)].in_next, self.edges[index(at)].from);
                self.mark(before, &mut len);
                at = next;
            }
        }
        if self.nodes[index(to)].mark != self.last_mark {
            return None;
        }
        (2..=LONGEST).find_map(|len| self.cycle_of(first, len, threads))
    }

    /// A dangerous one of so many edges: all ways of that length, one after the other.
    fn cycle_of(&self, first: Link, len: usize, threads: Threads) -> Option<Cycle> {
        let (from, to) = (self.edges[index(first)].from, self.edges[index(first)].to);
        let mut path = [NONE; LONGEST];
        (path[0], path[1]) = (first, self.nodes[index(to)].out);
        let mut depth = 1;
        for _ in 0..BUDGET {
            let at = path[depth];
            if at == NONE {
                depth -= 1;
                if depth == 0 {
                    return None;
                }
            } else {
                let next = self.edges[index(at)].to;
                let on_path = path[..depth].iter().any(|edge| self.edges[index(*edge)].to == next);
                if depth + 1 < len {
                    let leads = next != from && !on_path && self.nodes[index(next)].mark == self.last_mark;
                    if leads {
                        depth += 1;
                        path[depth] = self.nodes[index(next)].out;
                        continue;
                    }
                } else if next == from && self.is_dangerous(&path[..len], threads) {
                    let mut cycle = Cycle { edges: [EdgeFacts::default(); LONGEST], len };
                    for (to, link) in cycle.edges.iter_mut().zip(&path[..len]) {
                        *to = self.facts(*link);
                    }
                    return Some(cycle);
                }
            }
            path[depth] = self.edges[index(path[depth])].out_next;
        }
        None
    }

    /// See [`super`].
    fn is_dangerous(&self, path: &[Link], threads: Threads) -> bool {
        let edges = || path.iter().map(|link| &self.edges[index(*link)]);
        let mut following = edges().cycle().skip(1);
        let mut several = false;
        let first = edges().next().map_or(0, |edge| edge.tid);
        for edge in edges() {
            let Some(next) = following.next() else { return false };
            if Taken::from_bits(edge.taken).reads() && Taken::from_bits(next.held).reads() {
                return false;
            }
            several |= edge.many || edge.tid != first;
        }
        several == (threads == Threads::Several) && !gated(edges().map(|edge| &edge.gates))
    }
}

/// Is there a lock that all of them have, one at most for reading?
fn gated<'a>(all: impl Iterator<Item = &'a Gates> + Clone) -> bool {
    // One that had more than are kept may have any.
    let known = all.filter(|gates| !gates.beyond);
    let Some(first) = known.clone().next() else { return true };
    first.all().iter().any(|lock| {
        let mut readers = 0;
        known.clone().all(|gates| match gates.all().iter().find(|other| (**other ^ lock) & !1 == 0) {
            Some(other) => {
                readers += other & 1;
                true
            }
            None => false,
        }) && readers <= 1
    })
}
