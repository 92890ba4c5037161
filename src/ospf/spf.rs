//! Shortest paths (RFC 2328 §16.1): the area as a graph, and the tree of shortest paths from one router.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::ops::Range;

use smallvec::SmallVec;

use super::database::Database;
use crate::types::{RouterId, Time};
use crate::wire::ospf::{LinkKind, LsaBody, LsaType, NetworkLsa, RouterLsa};

/// A transit network or a router, by its place in [`Graph`]: networks come first.
pub(super) type Vertex = u32;

/// The routers and transit networks of the area, and the links that both ends announce.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// Sorted by link state id, then by the router that announces it.
    networks: Vec<(Ipv4Addr, RouterId)>,
    /// Sorted by router id.
    routers: Vec<RouterVertex>,
    /// Where each vertex's edges begin, and behind them where the last one's end.
    bounds: Vec<u32>,
    edges: Vec<Edge>,
}

#[derive(Clone, Copy, Debug)]
struct RouterVertex {
    id: RouterId,
    /// E and B of its router-LSA.
    boundary: bool,
    border: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub to: Vertex,
    pub cost: u32,
    /// The far router's address on this link, as it says itself; of a network nothing.
    address: Ipv4Addr,
    /// Which link of the near router's LSA this is.
    link: u16,
}

impl Graph {
    /// The graph of what is in the database and younger than MaxAge. `own` stands in for the router-LSA of that router.
    pub fn new(database: &Database, own: Option<(RouterId, &RouterLsa)>, now: Time) -> Graph {
        let mut routers = router_lsas(database, now);
        if let Some((id, lsa)) = own {
            match routers.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(at) => routers[at].1 = lsa,
                Err(at) => routers.insert(at, (id, lsa)),
            }
        }
        let networks = network_lsas(database, now);
        Graph::of(&routers, &networks)
    }

    fn of(
        routers: &[(RouterId, &RouterLsa)],
        networks: &[((Ipv4Addr, RouterId), &NetworkLsa)],
    ) -> Graph {
        let mut graph = Graph {
            networks: networks.iter().map(|(key, _)| *key).collect(),
            routers: routers
                .iter()
                .map(|&(id, lsa)| RouterVertex { id, boundary: lsa.boundary, border: lsa.border })
                .collect(),
            bounds: vec![0],
            edges: Vec::new(),
        };
        for (_, lsa) in networks {
            for &router in &lsa.routers {
                let to = graph.router(router);
                let edge = |to| Edge { to, cost: 0, address: Ipv4Addr::UNSPECIFIED, link: 0 };
                graph.edges.extend(to.map(edge));
            }
            graph.end_vertex();
        }
        for (_, lsa) in routers {
            for (link, place) in lsa.links.iter().zip(0..=u16::MAX) {
                let cost = u32::from(link.metric);
                let edge = |to| Edge { to, cost, address: link.data, link: place };
                match link.kind {
                    LinkKind::PointToPoint | LinkKind::Virtual => {
                        graph.edges.extend(graph.router(RouterId(link.id)).map(edge));
                    }
                    // A DR that changed its router id leaves a second LSA for its network: either counts if it
                    // lists the router.
                    LinkKind::Transit => graph.edges.extend(graph.networks_of(link.id).map(edge)),
                    LinkKind::Stub => {}
                }
            }
            graph.end_vertex();
        }
        graph.keep_two_way();
        graph
    }

    /// Closes the next vertex's list of edges. Sorted, so that a link back is found by bisection.
    fn end_vertex(&mut self) {
        let begin = self.bounds.last().map_or(0, |&begin| begin as usize);
        self.edges[begin..].sort_by_key(|edge| (edge.to, edge.link));
        self.bounds.push(self.edges.len() as u32);
    }

    /// Drops the links that the other end does not announce (§16.1 step 2 b), and notes the far addresses.
    fn keep_two_way(&mut self) {
        let mut kept = Vec::with_capacity(self.edges.len());
        let mut bounds = Vec::with_capacity(self.bounds.len());
        for vertex in 0..self.len() as Vertex {
            bounds.push(kept.len() as u32);
            kept.extend(self.edges(vertex).iter().filter_map(|edge| {
                let back = self.edges(edge.to);
                let back = back.get(back.partition_point(|back| back.to < vertex))?;
                (back.to == vertex).then_some(Edge { address: back.address, ..*edge })
            }));
        }
        bounds.push(kept.len() as u32);
        self.edges = kept;
        self.bounds = bounds;
    }

    /// Networks and routers.
    pub fn len(&self) -> usize {
        self.networks.len() + self.routers.len()
    }

    pub fn edges(&self, vertex: Vertex) -> &[Edge] {
        let bound = |at: usize| self.bounds.get(at).map(|&bound| bound as usize);
        let (begin, end) = (bound(vertex as usize), bound(vertex as usize + 1));
        begin.zip(end).and_then(|(begin, end)| self.edges.get(begin..end)).unwrap_or_default()
    }

    pub fn router(&self, id: RouterId) -> Option<Vertex> {
        let at = self.routers.binary_search_by_key(&id, |router| router.id).ok()?;
        Some((self.networks.len() + at) as Vertex)
    }

    /// `None` if it is a network.
    pub fn router_id(&self, vertex: Vertex) -> Option<RouterId> {
        Some(self.vertex_router(vertex)?.id)
    }

    pub fn routers(&self) -> impl Iterator<Item = (Vertex, RouterId)> {
        let first = self.networks.len() as Vertex;
        self.routers.iter().zip(first..).map(|(router, vertex)| (vertex, router.id))
    }

    /// If it is an AS boundary router.
    pub fn boundary(&self, id: RouterId) -> Option<Vertex> {
        self.router(id).filter(|&at| self.vertex_router(at).is_some_and(|router| router.boundary))
    }

    /// If it is an area border router.
    pub fn border(&self, id: RouterId) -> Option<Vertex> {
        self.router(id).filter(|&at| self.vertex_router(at).is_some_and(|router| router.border))
    }

    fn vertex_router(&self, vertex: Vertex) -> Option<&RouterVertex> {
        self.routers.get((vertex as usize).checked_sub(self.networks.len())?)
    }

    /// The networks with this link state id.
    fn networks_of(&self, id: Ipv4Addr) -> Range<Vertex> {
        let begin = self.networks.partition_point(|network| network.0 < id);
        let end = self.networks.partition_point(|network| network.0 <= id);
        begin as Vertex..end as Vertex
    }
}

/// Router-LSAs by originator, in order, MaxAge ones left out.
pub(super) fn router_lsas(database: &Database, now: Time) -> Vec<(RouterId, &RouterLsa)> {
    database
        .of_type(LsaType::ROUTER)
        .filter(|entry| entry.is_usable(now))
        .filter_map(|entry| match &entry.lsa.body {
            // The link state id is the router id again (§12.4.1).
            LsaBody::Router(lsa)
                if entry.lsa.header.key.link_state_id
                    == entry.lsa.header.key.advertising_router.0 =>
            {
                Some((entry.lsa.header.key.advertising_router, lsa))
            }
            _ => None,
        })
        .collect()
}

/// Network-LSAs by link state id, in order, MaxAge ones left out.
pub(super) fn network_lsas(
    database: &Database,
    now: Time,
) -> Vec<((Ipv4Addr, RouterId), &NetworkLsa)> {
    database
        .of_type(LsaType::NETWORK)
        .filter(|entry| entry.is_usable(now))
        .filter_map(|entry| match &entry.lsa.body {
            LsaBody::Network(lsa) => {
                let key = entry.lsa.header.key;
                Some(((key.link_state_id, key.advertising_router), lsa))
            }
            _ => None,
        })
        .collect()
}

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
        let beyond = hops.into_iter().filter_map(|hop| match self.first_hops.get(usize::from(hop)) {
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
