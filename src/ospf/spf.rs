//! Shortest paths (RFC 2328 §16.1).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;

use smallvec::SmallVec;

use super::graph::{Edge, Graph, Vertex};

/// The shortest paths from one router, the root, to every vertex.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// Of each vertex; [`UNREACHABLE`] where there is no path.
    distance: Vec<u32>,
    /// Of each vertex: places in `first_hops`, sorted.
    hops: Vec<Hops>,
    first_hops: Vec<FirstHop>,
}

type Hops = SmallVec<[u16; 4]>;

/// The way out of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstHop {
    /// Which link of the root's router-LSA.
    pub link: u16,
    /// `None`: the network that the link leads to, itself.
    pub gateway: Option<Ipv4Addr>,
}

const UNREACHABLE: u32 = u32::MAX;

impl Tree {
    /// Dijkstra's algorithm, with the next hops of all equal paths (§16.1, §16.1.1).
    pub fn new(graph: &Graph, root: Vertex) -> Tree {
        let mut tree = Tree {
            distance: vec![UNREACHABLE; graph.len()],
            hops: vec![Hops::new(); graph.len()],
            first_hops: Vec::new(),
        };
        let mut candidates = BinaryHeap::new();
        if let Some(distance) = tree.distance.get_mut(root as usize) {
            *distance = 0;
            candidates.push(Reverse((0, root)));
        }
        // Of equally distant vertices networks come first (§16.1 step 3), which their lower numbers bring about: they
        // lead on at no cost, perhaps to a router that is as near by another way.
        while let Some(Reverse((distance, vertex))) = candidates.pop() {
            if distance > tree.distance[vertex as usize] {
                continue;
            }
            for edge in graph.edges(vertex).iter().filter(|edge| edge.to != root) {
                let far = distance.saturating_add(edge.cost);
                let known = tree.distance[edge.to as usize];
                if far > known {
                    continue;
                }
                let through = tree.through(graph, root, vertex, edge);
                if far == known {
                    tree.merge(edge.to, &through);
                } else {
                    tree.hops[edge.to as usize] = through;
                    tree.distance[edge.to as usize] = far;
                    candidates.push(Reverse((far, edge.to)));
                }
            }
        }
        tree
    }

    /// `None`: there is no path.
    pub fn distance(&self, vertex: Vertex) -> Option<u32> {
        self.distance.get(vertex as usize).copied().filter(|&distance| distance != UNREACHABLE)
    }

    /// The ways out of the root that lead to the vertex; none to the root itself.
    pub fn first_hops(&self, vertex: Vertex) -> impl Iterator<Item = FirstHop> {
        let hops = self.hops.get(vertex as usize).into_iter().flatten();
        hops.filter_map(|&hop| self.first_hops.get(usize::from(hop)).copied())
    }

    /// The first hops over `edge` out of `vertex` (§16.1.1).
    fn through(&mut self, graph: &Graph, root: Vertex, vertex: Vertex, edge: &Edge) -> Hops {
        let gateway = graph.router_id(edge.to).map(|_| edge.address);
        if vertex == root {
            return self.add(FirstHop { link: edge.link, gateway }).into_iter().collect();
        }
        let hops = self.hops[vertex as usize].clone();
        if graph.router_id(vertex).is_some() {
            return hops;
        }
        // The router behind a network that we are attached to is reached at its address on this network.
        let beyond =
            hops.into_iter().filter_map(|hop| match self.first_hops.get(usize::from(hop)) {
                Some(&FirstHop { link, gateway: None }) => self.add(FirstHop { link, gateway }),
                _ => Some(hop),
            });
        let mut hops: Hops = beyond.collect();
        hops.sort_unstable();
        hops
    }

    /// `None` if there are more than a place has room for.
    fn add(&mut self, hop: FirstHop) -> Option<u16> {
        let place = u16::try_from(self.first_hops.len()).ok()?;
        self.first_hops.push(hop);
        Some(place)
    }

    fn merge(&mut self, vertex: Vertex, more: &Hops) {
        let hops = &mut self.hops[vertex as usize];
        for hop in more {
            if let Err(at) = hops.binary_search(hop) {
                hops.insert(at, *hop);
            }
        }
    }
}

/// What the way from one router to another costs over neither a link nor a network between the two.
pub(super) fn detour(graph: &Graph, from: Vertex, to: Vertex) -> Option<u32> {
    let connects = |edge: &Edge| {
        let is_network = graph.router_id(edge.to).is_none();
        edge.to == to || is_network && graph.edges(edge.to).iter().any(|back| back.to == to)
    };
    let mut nearest = vec![UNREACHABLE; graph.len()];
    let mut candidates = BinaryHeap::from([Reverse((0, from))]);
    while let Some(Reverse((distance, vertex))) = candidates.pop() {
        if vertex == to {
            return Some(distance);
        }
        for edge in graph.edges(vertex).iter().filter(|edge| vertex != from || !connects(edge)) {
            let far = distance.saturating_add(edge.cost);
            if let Some(known) = nearest.get_mut(edge.to as usize).filter(|known| far < **known) {
                *known = far;
                candidates.push(Reverse((far, edge.to)));
            }
        }
    }
    None
}
