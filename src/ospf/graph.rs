use std::net::Ipv4Addr;
use std::ops::Range;

use super::database::{Database, MAX_AGE};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{LinkKind, LsaBody, LsaKey, LsaType, NetworkLsa, RouterLsa, SummaryLsa};

/// What the database says about the area, MaxAge LSAs left out (RFC 2328 §16).
#[derive(Clone, Debug, Default)]
pub(super) struct Lsas<'a> {
    /// By originator, sorted.
    pub routers: Vec<(RouterId, &'a RouterLsa)>,
    /// By link state id and originator, sorted.
    pub networks: Vec<((Ipv4Addr, RouterId), &'a NetworkLsa)>,
    /// Of types 3 and 4.
    pub summaries: Vec<(LsaKey, &'a SummaryLsa)>,
}

impl<'a> Lsas<'a> {
    /// `own` stands in for the router-LSA of that router.
    pub fn new(
        database: &'a Database,
        own: Option<(RouterId, &'a RouterLsa)>,
        now: Time,
    ) -> Lsas<'a> {
        let mut lsas = Lsas::default();
        let kinds = [
            LsaType::ROUTER,
            LsaType::NETWORK,
            LsaType::SUMMARY_NETWORK,
            LsaType::SUMMARY_BOUNDARY,
        ];
        let entries = kinds.into_iter().flat_map(|kind| database.of_type(kind));
        for entry in entries.filter(|entry| entry.age(now) < MAX_AGE) {
            let key = entry.lsa.header.key;
            let from = key.advertising_router;
            match &entry.lsa.body {
                // The link state id is the router id again (RFC 2328 §12.4.1).
                LsaBody::Router(lsa) if key.link_state_id == from.0 => {
                    lsas.routers.push((from, lsa));
                }
                LsaBody::Network(lsa) => lsas.networks.push(((key.link_state_id, from), lsa)),
                LsaBody::Summary(lsa) => lsas.summaries.push((key, lsa)),
                _ => {}
            }
        }
        if let Some((id, lsa)) = own {
            match lsas.routers.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(at) => lsas.routers[at].1 = lsa,
                Err(at) => lsas.routers.insert(at, (id, lsa)),
            }
        }
        lsas
    }
}

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
    pub address: Ipv4Addr,
    /// Which link of the near router's LSA this is.
    pub link: u16,
}

impl Graph {
    pub fn new(lsas: &Lsas<'_>) -> Graph {
        let mut graph = Graph {
            networks: lsas.networks.iter().map(|(key, _)| *key).collect(),
            routers: lsas
                .routers
                .iter()
                .map(|&(id, lsa)| RouterVertex { id, boundary: lsa.boundary, border: lsa.border })
                .collect(),
            bounds: vec![0],
            edges: Vec::new(),
        };
        for (_, lsa) in &lsas.networks {
            for &router in &lsa.routers {
                let to = graph.router(router);
                let edge = |to| Edge { to, cost: 0, address: Ipv4Addr::UNSPECIFIED, link: 0 };
                graph.edges.extend(to.map(edge));
            }
            graph.end_vertex();
        }
        for (_, lsa) in &lsas.routers {
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

    /// Drops the links that the other end does not announce (RFC 2328 §16.1 step 2 b), and notes the far addresses.
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

    /// Whether there is a link or a network between the two that both ends announce.
    pub fn are_neighbors(&self, one: RouterId, other: RouterId) -> bool {
        let Some((one, other)) = self.router(one).zip(self.router(other)) else { return false };
        let leads_there = |edge: &Edge| edge.to == other;
        let is_network = |edge: &&Edge| self.router_id(edge.to).is_none();
        let edges = self.edges(one);
        edges.iter().any(leads_there)
            || edges
                .iter()
                .filter(is_network)
                .any(|edge| self.edges(edge.to).iter().any(leads_there))
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
