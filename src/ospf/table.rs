//! From shortest paths to routes: who announces a prefix, and whose announcement counts (RFC 2328 §16.1 second stage,
//! §16.2, §16.4, RFC 3101 §2.5).
//!
//! All LSAs about a prefix become [`Candidate`]s, whatever their type: a vertex of the graph, what lies beyond it, and
//! a [`Rank`] that goes before any cost. The least rank counts, and of that the least cost. That is one set of rules
//! for two users: routes, seen from our own tree, and plans, seen from all routers.
//!
//! RFC1583Compatibility is off, as it is by default in FRR and BIRD: where the area is not the backbone, a way to an
//! AS boundary router or forwarding address that stays in the area goes before one through others (§16.4.1).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use smallvec::SmallVec;

use super::attachment::Attachment;
use super::graph::{Graph, Vertex};
use super::prefixes::{Announcer, ExternalLsas, Networks};
use super::spf::Tree;
use super::{Route, RouteKind};
use crate::types::RouterId;
use crate::wire::ospf::{ExternalLsa, LsaKey, LsaType};

/// An announcement that can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub rank: Rank,
    pub vertex: Vertex,
    /// Behind the vertex.
    pub cost: u32,
    /// Who announces it.
    pub exit: RouterId,
    pub tag: u32,
    /// The forwarding address, if there is one.
    pub forwarding: Option<Ipv4Addr>,
}

/// What goes before the cost of the way (RFC 2328 §11, §16.4 step 6). The least is best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub kind: RouteKind,
    /// Of type 2, else 0.
    pub type_2_cost: u32,
    /// Of externals outside the backbone: the way there leaves the area (§16.4.1).
    beyond: bool,
}

impl Rank {
    pub const INTRA_AREA: Rank = Rank { kind: RouteKind::IntraArea, type_2_cost: 0, beyond: false };
}

pub(super) type Candidates = SmallVec<[Candidate; 4]>;

/// The area, seen from our router.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub this: RouterId,
    /// The area is area 0.
    pub backbone: bool,
    pub graph: &'a Graph,
    pub tree: &'a Tree,
    pub networks: &'a Networks,
    pub externals: &'a ExternalLsas,
    pub attachment: &'a Attachment,
}

impl View<'_> {
    /// All announcements of a prefix that can be reached, our own included.
    pub fn candidates(&self, prefix: Ipv4Net) -> Candidates {
        self.candidates_among(self.networks.of(prefix), self.externals.of(prefix))
    }

    fn candidates_among(
        &self,
        networks: &[(Ipv4Net, Announcer)],
        externals: &[(LsaKey, ExternalLsa)],
    ) -> Candidates {
        let mut candidates = Candidates::new();
        let networks = networks.iter().map(|(_, announced)| announced);
        for announced in networks.filter(|announced| self.reaches(announced)) {
            let kind = if announced.beyond { RouteKind::InterArea } else { RouteKind::IntraArea };
            candidates.push(Candidate {
                rank: Rank { kind, type_2_cost: 0, beyond: false },
                vertex: announced.vertex,
                cost: announced.cost,
                exit: announced.router,
                tag: 0,
                forwarding: None,
            });
        }
        for (key, lsa) in externals {
            self.add_external(*key, lsa, &mut candidates);
        }
        candidates
    }

    pub fn add_external(&self, key: LsaKey, lsa: &ExternalLsa, candidates: &mut Candidates) {
        self.add_by(self.boundary(key.advertising_router), key, lsa, candidates);
    }

    /// The same for an LSA that does not exist yet: its router will be an AS boundary router with it.
    pub fn add_planned(&self, key: LsaKey, lsa: &ExternalLsa, candidates: &mut Candidates) {
        let router = key.advertising_router;
        let mut ways = self.boundary(router);
        if ways.is_empty() {
            let vertex = self.graph.router(router);
            let way = vertex.map(|vertex| Announcer { beyond: false, vertex, cost: 0, router });
            ways.extend(way.filter(|way| self.reaches(way)));
        }
        self.add_by(ways, key, lsa, candidates);
    }

    /// RFC 2328 §16.4 steps 3 to 5, RFC 3101 §2.5 steps 3 to 5. `ways` are those to its originator.
    fn add_by(
        &self,
        ways: SmallVec<[Announcer; 2]>,
        key: LsaKey,
        lsa: &ExternalLsa,
        candidates: &mut Candidates,
    ) {
        let exit = key.advertising_router;
        let unset = lsa.forwarding_address.is_unspecified();
        let forwarding = (!unset).then_some(lsa.forwarding_address);
        let ways = match forwarding {
            // Even with a forwarding address the originator has to be there.
            None => ways,
            Some(_) if ways.is_empty() => return,
            // What is for ourselves goes round in circles.
            Some(address) if exit != self.this && self.attachment.is_own(address) => return,
            Some(address) => self.towards(address, key.kind == LsaType::NSSA),
        };
        candidates.extend(ways.into_iter().map(|way| {
            let beyond = way.beyond && !self.backbone;
            let (rank, cost) = if lsa.type_2 {
                let kind = RouteKind::External2;
                (Rank { kind, type_2_cost: lsa.metric, beyond }, way.cost)
            } else {
                let kind = RouteKind::External1;
                (Rank { kind, type_2_cost: 0, beyond }, way.cost.saturating_add(lsa.metric))
            };
            Candidate { rank, vertex: way.vertex, cost, exit, tag: lsa.tag, forwarding }
        }));
    }

    /// The ways to an AS boundary router.
    fn boundary(&self, router: RouterId) -> SmallVec<[Announcer; 2]> {
        let graph = self.graph;
        let vertex =
            if router == self.this { graph.router(router) } else { graph.boundary(router) };
        let inside = vertex.map(|vertex| Announcer { beyond: false, vertex, cost: 0, router });
        let beyond = self.networks.boundary(router).copied();
        inside.into_iter().chain(beyond).filter(|way| self.reaches(way)).collect()
    }

    /// The ways to a forwarding address: those of the longest network that contains it, inside the area before
    /// others. That of a type 7 LSA has to be inside.
    fn towards(&self, address: Ipv4Addr, inside: bool) -> SmallVec<[Announcer; 2]> {
        for network in
            self.networks.lengths().filter_map(|length| Ipv4Net::new(address, length).ok())
        {
            let mut ways: SmallVec<[Announcer; 2]> = SmallVec::new();
            let all = self.networks.of(network.trunc()).iter().map(|(_, announced)| *announced);
            ways.extend(all.filter(|way| self.reaches(way)));
            if let Some(beyond) = ways.iter().map(|way| way.beyond).min() {
                ways.retain(|way| way.beyond == beyond && !(inside && beyond));
                return ways;
            }
        }
        SmallVec::new()
    }

    fn reaches(&self, way: &Announcer) -> bool {
        self.tree.distance(way.vertex).is_some()
    }

    /// The best route of our router. What we announce ourselves is none: who else announces it is.
    pub fn best(&self, prefix: Ipv4Net, max_paths: usize) -> Option<Best> {
        self.best_among(prefix, self.networks.of(prefix), self.externals.of(prefix), max_paths)
    }

    /// The same for who has found already what is told about the prefix.
    pub fn best_among(
        &self,
        prefix: Ipv4Net,
        networks: &[(Ipv4Net, Announcer)],
        externals: &[(LsaKey, ExternalLsa)],
        max_paths: usize,
    ) -> Option<Best> {
        if self.attachment.is_attached(prefix) {
            return None;
        }
        let mut candidates = self.candidates_among(networks, externals);
        candidates.retain(|candidate| candidate.exit != self.this);
        let total = |candidate: &Candidate| {
            let distance = self.tree.distance(candidate.vertex).unwrap_or(u32::MAX);
            (candidate.rank, distance.saturating_add(candidate.cost))
        };
        let (rank, cost) = candidates.iter().map(total).min()?;
        candidates.retain(|candidate| total(candidate) == (rank, cost));
        candidates.sort_unstable_by_key(|candidate| candidate.exit);
        let mut best = Best {
            kind: rank.kind,
            cost,
            type_2_cost: rank.type_2_cost,
            tag: candidates.first()?.tag,
            hops: candidates.iter().flat_map(|candidate| self.hops(candidate)).collect(),
            exits: candidates.iter().map(|candidate| candidate.exit).collect(),
        };
        best.hops.sort_unstable();
        best.hops.dedup();
        best.hops.truncate(max_paths);
        best.exits.dedup();
        (!best.hops.is_empty()).then_some(best)
    }

    fn hops(&self, candidate: &Candidate) -> SmallVec<[(u32, Ipv4Addr); 4]> {
        // A forwarding address in a network of our own.
        let attached =
            candidate.forwarding.filter(|_| self.tree.distance(candidate.vertex) == Some(0));
        let attached =
            attached.and_then(|address| Some((self.attachment.interface(address)?, address)));
        let hops = self.tree.first_hops(candidate.vertex);
        let hops = hops.filter_map(|hop| self.attachment.hop(hop, candidate.forwarding));
        attached.into_iter().chain(hops).collect()
    }
}

/// A route that need not be kept: most are what they were.
#[derive(Clone, Debug)]
pub(super) struct Best {
    kind: RouteKind,
    cost: u32,
    type_2_cost: u32,
    tag: u32,
    hops: SmallVec<[(u32, Ipv4Addr); 4]>,
    exits: SmallVec<[RouterId; 2]>,
}

impl Best {
    pub fn is(&self, route: &Route) -> bool {
        (self.kind, self.cost, self.type_2_cost, self.tag)
            == (route.kind, route.cost, route.type_2_cost, route.tag)
            && self.hops[..] == route.hops[..]
            && self.exits[..] == route.exits[..]
    }

    pub fn into_route(self) -> Route {
        Route {
            kind: self.kind,
            cost: self.cost,
            type_2_cost: self.type_2_cost,
            tag: self.tag,
            hops: self.hops.into_vec(),
            exits: self.exits.into_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::prefixes::INFINITY;
    use super::super::topology::{Topology, id};
    use super::*;

    /// 1 ─10─ 2 ─10─ 4, 1 ─10─ 3 ─10─ 4, 1 ─5─ 5
    fn diamond() -> Topology {
        let mut area = Topology::default();
        area.link(1, 2, 10, 10);
        area.link(1, 3, 10, 10);
        area.link(2, 4, 10, 10);
        area.link(3, 4, 10, 10);
        area.link(1, 5, 5, 5);
        area
    }

    #[test]
    fn equal_paths_share_and_stubs_add_their_cost() {
        let mut area = diamond();
        area.stub(4, "192.0.2.4/32", 3);
        assert_eq!(
            area.route(1, "192.0.2.4/32"),
            "intra-area 23+0 via 10.1.2.2 10.1.3.3 exit 1.1.1.4"
        );
        // Two announcers at the same cost, and then one nearer.
        area.stub(5, "192.0.2.4/32", 18);
        assert_eq!(
            area.route(1, "192.0.2.4/32"),
            "intra-area 23+0 via 10.1.2.2 10.1.3.3 10.1.5.5 exit 1.1.1.4 1.1.1.5"
        );
        area.stub(5, "192.0.2.4/32", 17);
        assert_eq!(area.route(1, "192.0.2.4/32"), "intra-area 22+0 via 10.1.5.5 exit 1.1.1.5");
        assert_eq!(area.route(5, "192.0.2.4/32"), "none", "attached");
    }

    #[test]
    fn a_link_that_only_one_end_announces_is_none() {
        let mut area = diamond();
        area.stub(4, "192.0.2.4/32", 0);
        area.router(4).links.retain(|link| link.id != id(2).0);
        assert_eq!(area.route(1, "192.0.2.4/32"), "intra-area 20+0 via 10.1.3.3 exit 1.1.1.4");
        assert_eq!(area.route(2, "192.0.2.4/32"), "intra-area 30+0 via 10.1.2.1 exit 1.1.1.4");
        area.router(3).links.retain(|link| link.id != id(4).0);
        assert_eq!(area.route(1, "192.0.2.4/32"), "none");
    }

    #[test]
    fn a_router_behind_a_lan_is_reached_at_its_address_there() {
        let mut area = Topology::default();
        area.lan(1, &[(2, 10), (1, 7), (3, 10)]);
        area.link(3, 4, 1, 1);
        area.stub(3, "192.0.2.3/32", 0);
        area.stub(4, "192.0.2.4/32", 0);
        area.lan(2, &[(4, 2), (5, 2)]);
        assert_eq!(area.route(1, "192.0.2.3/32"), "intra-area 7+0 via 10.0.1.3 exit 1.1.1.3");
        assert_eq!(area.route(1, "192.0.2.4/32"), "intra-area 8+0 via 10.0.1.3 exit 1.1.1.4");
        assert_eq!(area.route(1, "10.0.2.0/24"), "intra-area 10+0 via 10.0.1.3 exit 1.1.1.4");
        assert_eq!(area.route(1, "10.0.1.0/24"), "none", "attached");
        // A network at the same distance as a router, and a second way through it: 1 ─7─ 3 and 1 ─7─ lan 1 ─0─ 3.
        area.link(1, 3, 7, 7);
        assert_eq!(
            area.route(1, "192.0.2.4/32"),
            "intra-area 8+0 via 10.0.1.3 10.1.3.3 exit 1.1.1.4"
        );
    }

    #[test]
    fn a_stub_router_is_a_last_resort() {
        let mut area = diamond();
        area.stub(4, "192.0.2.4/32", 0);
        for link in &mut area.router(2).links {
            link.metric = 0xffff;
        }
        area.stub(2, "192.0.2.2/32", 0);
        assert_eq!(area.route(1, "192.0.2.4/32"), "intra-area 20+0 via 10.1.3.3 exit 1.1.1.4");
        assert_eq!(area.route(1, "192.0.2.2/32"), "intra-area 10+0 via 10.1.2.2 exit 1.1.1.2");
        area.router(3).links.clear();
        assert_eq!(area.route(1, "192.0.2.4/32"), "intra-area 65545+0 via 10.1.2.2 exit 1.1.1.4");
    }

    #[test]
    fn summaries_of_reachable_border_routers_count() {
        let mut area = diamond();
        area.summary(4, LsaType::SUMMARY_NETWORK, "198.51.100.0/24", 5);
        assert_eq!(
            area.route(1, "198.51.100.0/24"),
            "inter-area 25+0 via 10.1.2.2 10.1.3.3 exit 1.1.1.4"
        );
        area.summary(5, LsaType::SUMMARY_NETWORK, "198.51.100.0/24", 30);
        area.summary(2, LsaType::SUMMARY_NETWORK, "198.51.100.0/24", INFINITY);
        assert_eq!(
            area.route(1, "198.51.100.0/24"),
            "inter-area 25+0 via 10.1.2.2 10.1.3.3 exit 1.1.1.4"
        );
        area.router(4).border = false;
        assert_eq!(area.route(1, "198.51.100.0/24"), "inter-area 35+0 via 10.1.5.5 exit 1.1.1.5");
        // Inside goes before outside, whatever the cost, and both before externals.
        area.external(5, "198.51.100.0/24", false, 1, "0.0.0.0");
        assert_eq!(area.route(1, "198.51.100.0/24"), "inter-area 35+0 via 10.1.5.5 exit 1.1.1.5");
        area.stub(2, "198.51.100.0/24", 1000);
        assert_eq!(area.route(1, "198.51.100.0/24"), "intra-area 1010+0 via 10.1.2.2 exit 1.1.1.2");
    }

    #[test]
    fn type_1_adds_the_way_and_type_2_puts_its_metric_first() {
        let mut area = diamond();
        area.external(4, "203.0.113.1/32", true, 100, "0.0.0.0");
        area.external(5, "203.0.113.1/32", true, 101, "0.0.0.0");
        assert_eq!(
            area.route(1, "203.0.113.1/32"),
            "external-2 20+100 via 10.1.2.2 10.1.3.3 exit 1.1.1.4"
        );
        area.external(2, "203.0.113.1/32", true, 100, "0.0.0.0");
        assert_eq!(area.route(1, "203.0.113.1/32"), "external-2 10+100 via 10.1.2.2 exit 1.1.1.2");
        area.external(3, "203.0.113.1/32", true, 100, "0.0.0.0");
        assert_eq!(
            area.route(1, "203.0.113.1/32"),
            "external-2 10+100 via 10.1.2.2 10.1.3.3 exit 1.1.1.2 1.1.1.3"
        );
        area.external(4, "203.0.113.1/32", false, 5000, "0.0.0.0");
        area.external(5, "203.0.113.1/32", false, 5016, "0.0.0.0");
        assert_eq!(
            area.route(1, "203.0.113.1/32"),
            "external-1 5020+0 via 10.1.2.2 10.1.3.3 exit 1.1.1.4"
        );
        // Our own is none of our routes: that of the others is.
        assert_eq!(area.route(2, "203.0.113.1/32"), "external-1 5010+0 via 10.2.4.4 exit 1.1.1.4");
        // LSInfinity, and an originator that does not say E.
        area.external(3, "203.0.113.2/32", true, INFINITY, "0.0.0.0");
        assert_eq!(area.route(1, "203.0.113.2/32"), "none");
        area.router(4).boundary = false;
        area.router(2).boundary = false;
        assert_eq!(area.route(1, "203.0.113.1/32"), "external-1 5021+0 via 10.1.5.5 exit 1.1.1.5");
    }

    #[test]
    fn a_forwarding_address_stands_for_its_network() {
        let mut area = diamond();
        area.lan(9, &[(3, 4), (4, 4)]);
        // Whoever announces it, the way is to the network.
        area.external(5, "203.0.113.0/24", true, 100, "10.0.9.77");
        assert_eq!(area.route(1, "203.0.113.0/24"), "external-2 14+100 via 10.1.3.3 exit 1.1.1.5");
        // Attached to it, the address itself is the gateway.
        assert_eq!(area.route(4, "203.0.113.0/24"), "external-2 4+100 via 10.0.9.77 exit 1.1.1.5");
        // Ours is no gateway for ourselves.
        area.external(5, "203.0.113.128/25", true, 100, "10.0.9.4");
        assert_eq!(area.route(4, "203.0.113.128/25"), "none");
        assert_eq!(
            area.route(1, "203.0.113.128/25"),
            "external-2 14+100 via 10.1.3.3 exit 1.1.1.5"
        );
        // In a stub network of our own.
        area.stub(4, "10.0.8.0/24", 6);
        area.external(5, "203.0.114.0/24", false, 100, "10.0.8.77");
        assert_eq!(area.route(4, "203.0.114.0/24"), "external-1 106+0 via 10.0.8.77 exit 1.1.1.5");
        // Only networks of the AS count, and the originator has to be there.
        area.external(5, "203.0.115.0/24", true, 100, "203.0.113.1");
        assert_eq!(area.route(1, "203.0.115.0/24"), "none");
        area.router(5).boundary = false;
        assert_eq!(area.route(1, "203.0.113.0/24"), "none");
    }

    #[test]
    fn type_7_wants_its_forwarding_address_in_the_area() {
        let mut area = diamond();
        area.inner = true;
        area.router(4).boundary = true;
        area.stub(4, "192.0.2.4/32", 1);
        area.summary(5, LsaType::SUMMARY_NETWORK, "192.0.3.0/24", 1);
        area.external_of(LsaType::NSSA, id(4), "203.0.113.0/24", true, 9, "192.0.2.4");
        area.external_of(LsaType::NSSA, id(4), "203.0.114.0/24", true, 9, "192.0.3.1");
        area.external_of(LsaType::EXTERNAL, id(4), "203.0.115.0/24", true, 9, "192.0.3.1");
        assert_eq!(
            area.route(1, "203.0.113.0/24"),
            "external-2 21+9 via 10.1.2.2 10.1.3.3 exit 1.1.1.4"
        );
        assert_eq!(area.route(1, "203.0.114.0/24"), "none");
        assert_eq!(area.route(1, "203.0.115.0/24"), "external-2 6+9 via 10.1.5.5 exit 1.1.1.4");
    }

    #[test]
    fn outside_the_backbone_a_way_that_stays_in_the_area_goes_first() {
        let mut area = diamond();
        area.external(4, "203.0.113.0/24", true, 100, "0.0.0.0");
        // Router 9 is in another area, and nearer.
        area.summary(5, LsaType::SUMMARY_BOUNDARY, "1.1.1.9/32", 1);
        area.external_of(LsaType::EXTERNAL, id(9), "203.0.113.0/24", true, 100, "0.0.0.0");
        assert_eq!(area.route(1, "203.0.113.0/24"), "external-2 6+100 via 10.1.5.5 exit 1.1.1.9");
        area.inner = true;
        assert_eq!(
            area.route(1, "203.0.113.0/24"),
            "external-2 20+100 via 10.1.2.2 10.1.3.3 exit 1.1.1.4"
        );
        // But not before the metric of type 2.
        area.external_of(LsaType::EXTERNAL, id(9), "203.0.114.0/24", true, 99, "0.0.0.0");
        area.external(4, "203.0.114.0/24", true, 100, "0.0.0.0");
        assert_eq!(area.route(1, "203.0.114.0/24"), "external-2 6+99 via 10.1.5.5 exit 1.1.1.9");
    }
}
