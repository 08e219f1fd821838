//! The order graph of a process: locks, and which was taken while which was held.
//!
//! What the library kept apart (other modes, other locks held besides) is one order here, with the sum of the counts. Orders
//! of locks that are no more are kept apart from those of locks that live: an address may have been several locks.
//!
//! **Rings.** Orders that lead back to where they began are marked, dangerous or not: what the library found to be dangerous
//! is a finding, and in the report.

use super::table::{Call, Name, Naming};
use record::lock::mode;
use record::reader::{LockEdge, MOST};
use std::collections::HashMap;

/// A lock that was taken while another was held.
#[derive(Clone, Debug)]
pub struct Order {
    pub held: Name,
    pub taken: Name,
    pub held_for_reading: bool,
    pub taken_for_reading: bool,
    pub count: u64,
    pub tid: u32,
    pub held_at: Vec<Call>,
    pub taken_at: Vec<Call>,
    /// One of the two is no more.
    pub ended: bool,
    /// It is part of a ring.
    pub in_ring: bool,
}

impl Order {
    pub fn new(edge: &LockEdge, naming: &mut Naming) -> Self {
        let of = &edge.edge;
        Self {
            held: naming.name(of.from, of.held.0, of.places[0]),
            taken: naming.name(of.to, of.taken.0, of.places[1]),
            held_for_reading: of.held.1 == mode::READ,
            taken_for_reading: of.taken.1 == mode::READ,
            count: edge.count,
            tid: of.tid,
            held_at: naming.stack(of.stacks[0]),
            taken_at: naming.stack(of.stacks[1]),
            ended: edge.ended,
            in_ring: false,
        }
    }
}

/// All orders, those of rings first, then the most frequent.
#[derive(Default)]
pub struct Graph {
    pub orders: Vec<Order>,
}

impl Graph {
    pub fn new(all: impl Iterator<Item = Order>) -> Self {
        let mut orders: Vec<Order> = Vec::new();
        let mut known: HashMap<(u64, u64, bool), usize> = HashMap::new();
        for order in all {
            let key = (order.held.address, order.taken.address, order.ended);
            match known.get(&key).and_then(|at| orders.get_mut(*at)) {
                Some(same) => {
                    same.count = same.count.saturating_add(order.count).min(MOST);
                    same.held_for_reading &= order.held_for_reading;
                    same.taken_for_reading &= order.taken_for_reading;
                }
                None => {
                    known.insert(key, orders.len());
                    orders.push(order);
                }
            }
        }
        for ended in [false, true] {
            let of: Vec<usize> = (0..orders.len()).filter(|at| orders[*at].ended == ended).collect();
            let edges: Vec<(u64, u64)> =
                of.iter().map(|at| (orders[*at].held.address, orders[*at].taken.address)).collect();
            for (at, in_ring) in of.into_iter().zip(in_rings(&edges)) {
                orders[at].in_ring = in_ring;
            }
        }
        orders.sort_by_key(|o| (!o.in_ring, o.ended, u64::MAX - o.count, o.held.address, o.taken.address));
        Self { orders }
    }

    /// The locks, each once.
    pub fn locks(&self) -> Vec<&Name> {
        let mut locks: Vec<&Name> = self.orders.iter().flat_map(|order| [&order.held, &order.taken]).collect();
        locks.sort_by_key(|name| name.address);
        locks.dedup_by_key(|name| name.address);
        locks
    }
}

/// Of each edge, whether both of its ends lie in one strongly connected component (Tarjan, without recursion).
fn in_rings(edges: &[(u64, u64)]) -> Vec<bool> {
    let mut number: HashMap<u64, usize> = HashMap::new();
    for (from, to) in edges {
        for node in [from, to] {
            let next = number.len();
            number.entry(*node).or_insert(next);
        }
    }
    let ends: Vec<(usize, usize)> = edges.iter().map(|(from, to)| (number[from], number[to])).collect();
    let mut out = vec![Vec::new(); number.len()];
    for (from, to) in &ends {
        out[*from].push(*to);
    }
    const UNSEEN: usize = usize::MAX;
    let (mut index, mut low) = (vec![UNSEEN; out.len()], vec![0; out.len()]);
    let mut component = vec![UNSEEN; out.len()];
    let (mut stack, mut seen, mut components) = (Vec::new(), 0, 0);
    for start in 0..out.len() {
        if index[start] != UNSEEN {
            continue;
        }
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((node, next)) = path.pop() {
            if next == 0 {
                (index[node], low[node]) = (seen, seen);
                seen += 1;
                stack.push(node);
            }
            if let Some(to) = out[node].get(next).copied() {
                path.push((node, next + 1));
                if index[to] == UNSEEN {
                    path.push((to, 0));
                } else if component[to] == UNSEEN {
                    low[node] = low[node].min(index[to]);
                }
                continue;
            }
            if low[node] == index[node] {
                while let Some(of) = stack.pop() {
                    component[of] = components;
                    if of == node {
                        break;
                    }
                }
                components += 1;
            }
            if let Some((parent, _)) = path.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
        }
    }
    ends.into_iter().map(|(from, to)| from != to && component[from] == component[to]).collect()
}

#[cfg(test)]
mod tests {
    use super::in_rings;

    #[test]
    fn rings() {
        assert_eq!(in_rings(&[]), Vec::<bool>::new());
        assert_eq!(in_rings(&[(1, 2), (2, 3), (1, 3)]), [false; 3]);
        assert_eq!(in_rings(&[(1, 2), (2, 1), (2, 3), (3, 4)]), [true, true, false, false]);
        assert_eq!(in_rings(&[(1, 2), (2, 3), (3, 1), (9, 1), (3, 8), (8, 9)]), [true; 6]);
        assert_eq!(in_rings(&[(5, 6), (7, 8), (8, 7), (6, 7)]), [false, true, true, false]);
        // A long chain needs no stack of ours.
        let chain: Vec<(u64, u64)> = (0..50_000).map(|n| (n, n + 1)).collect();
        assert!(in_rings(&chain).iter().all(|in_ring| !in_ring));
    }
}
