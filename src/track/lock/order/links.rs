//! The nodes and edges of the graph in their lists: found, made, tied together, given up.
//!
//! A node is in the list of its bucket, an edge in two: what goes out of its first lock, and what comes into its second. Unused places
//! are in a list of their own, so that nothing is ever searched for room.

use super::{BUCKETS, EDGES, Edge, Graph, LINE, Link, NODES, NONE, Node, Seen, cache, index};

impl Graph {
    pub(super) fn bucket(lock: usize) -> usize {
        cache::spread(lock / LINE) as usize % BUCKETS
    }

    pub(super) fn node(&self, lock: usize) -> Option<Link> {
        let mut at = self.buckets[Self::bucket(lock)];
        while at != NONE && self.nodes[index(at)].lock != lock {
            at = self.nodes[index(at)].bucket_next;
        }
        (at != NONE).then_some(at)
    }

    pub(super) fn node_or_new(&mut self, lock: usize) -> Option<Link> {
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

    pub(super) fn drop_if_bare(&mut self, link: Link) {
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

    pub(super) fn new_edge(&mut self, from: Link, to: Link, seen: &Seen) -> Option<Link> {
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

    pub(super) fn link(&mut self, link: Link) {
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

    pub(super) fn unlink(&mut self, link: Link) {
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
}
