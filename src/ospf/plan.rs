//! What-if for the area: the way of every router's traffic to one prefix, before and after a change of what we
//! announce.
//!
//! One search from the announcements outwards, against the direction of the links, finds the distance of all routers
//! at once, instead of one search from each router. Links are two-way, so whoever we reach reaches the same
//! announcements as we do.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use smallvec::SmallVec;

use super::attachment::Attachment;
use super::database::MAX_AGE;
use super::graph::{Graph, Lsas, Vertex};
use super::prefixes::Networks;
use super::spf::Tree;
use super::table::{Candidate, Candidates, Rank, View};
use super::{Announced, AreaKind, How, RouteKind, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{AreaId, ExternalLsa, LsaBody, LsaKey, LsaType};

/// What every router of the area would do with the traffic for one prefix, before a change and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub prefix: Ipv4Net,
    /// Those that we reach, ourselves included, by router id.
    pub routers: Vec<PlannedRouter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRouter {
    pub router_id: RouterId,
    /// As its router information LSA says (RFC 5642).
    pub hostname: Option<String>,
    /// `None`: it has no route there.
    pub before: Option<Way>,
    pub after: Option<Way>,
}

/// Where a router's traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The longest prefix that covers the one asked for: that one itself, if anybody announces it.
    pub matched: Ipv4Net,
    pub kind: RouteKind,
    /// As in [`super::Route`]. For the exit itself the metric of its announcement, of type 2 zero.
    pub cost: u32,
    pub type_2_cost: u32,
    /// The announcers where the traffic ends, sorted. A router that announces the prefix itself is one for all
    /// traffic that comes through it, even if the sender's best path ends elsewhere: what it announces it has a route
    /// of its own for.
    pub exits: Vec<RouterId>,
    /// The routers it is given to first, sorted. Empty at the exit.
    pub first_hops: Vec<RouterId>,
}

impl Router {
    /// What would come of announcing each prefix as told (`None`: not at all), on the database as it is now. Changes
    /// nothing. Each prefix is looked at for itself. Other routers count with the costs that their LSAs have.
    pub fn plan(&self, changes: &[(Ipv4Net, Option<Announced>)], now: Time) -> Vec<Plan> {
        let hostnames = self.hostnames(now);
        let this = self.settings.router_id;
        self.with_area(now, |area| {
            let plan = |&(prefix, announced): &(Ipv4Net, Option<Announced>)| {
                let instead = self.instead(&area.view, prefix, &[(this, announced)].into());
                let before = area.ways(prefix, None);
                let after = area.ways(prefix, Some(&instead));
                let routers = area
                    .reached()
                    .map(|(at, router_id)| PlannedRouter {
                        router_id,
                        hostname: hostnames.get(&router_id).map(|name| (*name).to_owned()),
                        before: before.get(&at).cloned(),
                        after: after.get(&at).cloned(),
                    })
                    .collect();
                Plan { prefix, routers }
            };
            changes.iter().map(plan).collect()
        })
    }

    /// As the others see us: with our own LSAs.
    pub(super) fn with_area<T>(&self, now: Time, look: impl FnOnce(&Area<'_>) -> T) -> T {
        let this = self.settings.router_id;
        let lsas = Lsas::new(&self.database, None, now);
        let graph = Graph::new(&lsas);
        let tree = graph.router(this).map(|root| Tree::new(&graph, root)).unwrap_or_default();
        let view = View {
            this,
            backbone: self.settings.area.id == AreaId::BACKBONE,
            graph: &graph,
            tree: &tree,
            networks: &Networks::new(&lsas, &graph),
            externals: &self.calculation.externals,
            attachment: &Attachment::new(&self.interfaces),
        };
        look(&Area::new(view))
    }

    /// What stands for these routers' announcements of a prefix when they announce this.
    pub(super) fn instead(
        &self,
        view: &View<'_>,
        prefix: Ipv4Net,
        announcing: &Announcing,
    ) -> Instead {
        let mut candidates = Candidates::new();
        for (router, announced) in announcing {
            if let Some(announced) = announced {
                self.add_announced(view, *router, prefix, *announced, &mut candidates);
            }
        }
        Instead { routers: announcing.keys().copied().collect(), candidates }
    }

    /// The LSAs that would stand for this.
    fn add_announced(
        &self,
        view: &View<'_>,
        router: RouterId,
        prefix: Ipv4Net,
        announced: Announced,
        candidates: &mut Candidates,
    ) {
        let kind = match self.settings.area.kind {
            AreaKind::Nssa => LsaType::NSSA,
            AreaKind::Normal | AreaKind::Stub => LsaType::EXTERNAL,
        };
        let key = LsaKey { kind, link_state_id: prefix.network(), advertising_router: router };
        if announced.how == How::Stub {
            candidates.extend(view.graph.router(router).map(|vertex| Candidate {
                rank: Rank::INTRA_AREA,
                vertex,
                cost: announced.metric,
                exit: router,
                tag: 0,
                forwarding: None,
            }));
        } else if self.settings.area.kind != AreaKind::Stub {
            let lsa = ExternalLsa {
                mask: prefix.netmask(),
                type_2: announced.how == How::External2,
                metric: announced.metric,
                forwarding_address: self.forwarding_address(router),
                tag: announced.tag,
            };
            view.add_planned(key, &lsa, candidates);
        }
    }

    /// That of a router's type 7 LSAs; of type 5 none.
    fn forwarding_address(&self, router: RouterId) -> Ipv4Addr {
        self.database
            .of_type(LsaType::NSSA)
            .filter(|entry| entry.lsa.header.key.advertising_router == router)
            .find_map(|entry| match &entry.lsa.body {
                LsaBody::External(lsa) => Some(lsa.forwarding_address),
                _ => None,
            })
            .unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// By router id, as far as told (RFC 5642).
    pub fn hostnames(&self, now: Time) -> BTreeMap<RouterId, &str> {
        let entries = self.database.of_type(LsaType::OPAQUE_AREA);
        entries
            .filter(|entry| entry.age(now) < MAX_AGE)
            .filter_map(|entry| match &entry.lsa.body {
                LsaBody::RouterInformation(information) => Some((
                    entry.lsa.header.key.advertising_router,
                    information.hostname.as_deref()?,
                )),
                _ => None,
            })
            .collect()
    }
}

/// The links of a graph by where they lead to.
struct Incoming {
    /// Where the links into each vertex begin, and behind them where the last one's end.
    bounds: Vec<usize>,
    /// From where, at what cost.
    links: Vec<(Vertex, u32)>,
}

impl Incoming {
    fn new(graph: &Graph) -> Incoming {
        let all = || {
            (0..graph.len() as Vertex)
                .flat_map(|from| graph.edges(from).iter().map(move |edge| (from, edge)))
        };
        let mut bounds = vec![0; graph.len() + 1];
        for (_, edge) in all() {
            bounds[edge.to as usize + 1] += 1;
        }
        for at in 1..bounds.len() {
            bounds[at] += bounds[at - 1];
        }
        let mut next = bounds.clone();
        let mut links = vec![(0, 0); bounds[graph.len()]];
        for (from, edge) in all() {
            let place = &mut next[edge.to as usize];
            links[*place] = (from, edge.cost);
            *place += 1;
        }
        Incoming { bounds, links }
    }

    fn of(&self, vertex: Vertex) -> &[(Vertex, u32)] {
        &self.links[self.bounds[vertex as usize]..self.bounds[vertex as usize + 1]]
    }
}

/// The area, and its links looked at from their far ends.
pub(super) struct Area<'a> {
    pub view: View<'a>,
    into: Incoming,
}

/// What some routers announce of a prefix; `None`: nothing.
pub type Announcing = BTreeMap<RouterId, Option<Announced>>;

/// The announcements that are looked at in place of those that these routers make now.
pub(super) struct Instead {
    routers: BTreeSet<RouterId>,
    candidates: Candidates,
}

/// Distances to the announcements that count.
struct Distances {
    /// Of each vertex.
    distance: Vec<Option<u32>>,
    /// The vertices that have one, the nearest first.
    order: Vec<Vertex>,
}

/// What is known of a vertex's traffic.
#[derive(Clone, Default)]
struct Traffic {
    exits: SmallVec<[RouterId; 2]>,
    first_hops: SmallVec<[RouterId; 2]>,
}

impl<'a> Area<'a> {
    pub fn new(view: View<'a>) -> Area<'a> {
        Area { view, into: Incoming::new(view.graph) }
    }

    /// The ways of all routers.
    pub fn ways(&self, prefix: Ipv4Net, instead: Option<&Instead>) -> BTreeMap<Vertex, Way> {
        let matched = self.matched(prefix, instead);
        matched.map(|(matched, candidates)| self.ways_to(matched, candidates)).unwrap_or_default()
    }

    /// Those that can be reached, ourselves included, by router id.
    pub fn reached(&self) -> impl Iterator<Item = (Vertex, RouterId)> {
        self.view.graph.routers().filter(|(at, _)| self.view.tree.distance(*at).is_some())
    }

    /// The ways to these announcements of a prefix.
    pub fn ways_to(&self, matched: Ipv4Net, candidates: Candidates) -> BTreeMap<Vertex, Way> {
        let Some(rank) = candidates.iter().map(|candidate| candidate.rank).min() else {
            return BTreeMap::new();
        };
        let counting: Candidates =
            candidates.iter().filter(|candidate| candidate.rank == rank).copied().collect();
        let distances = self.distances(&counting);
        let traffic = self.traffic(&distances, &counting, &candidates);
        let way = |vertex: Vertex| {
            let own = self.own(vertex, &candidates);
            let Traffic { exits, first_hops } = &traffic[vertex as usize];
            Some(Way {
                matched,
                kind: own.map_or(rank, |own| own.rank).kind,
                cost: match own {
                    Some(own) => own.cost,
                    None => distances.distance[vertex as usize]?,
                },
                type_2_cost: own.map_or(rank, |own| own.rank).type_2_cost,
                exits: exits.to_vec(),
                first_hops: first_hops.to_vec(),
            })
        };
        let routers = self.view.graph.routers();
        routers.filter_map(|(vertex, _)| Some((vertex, way(vertex)?))).collect()
    }

    /// The announcements of the longest prefix that covers this one and has any.
    pub fn matched(
        &self,
        prefix: Ipv4Net,
        instead: Option<&Instead>,
    ) -> Option<(Ipv4Net, Candidates)> {
        let mut candidates = self.view.candidates(prefix);
        if let Some(instead) = instead {
            candidates.retain(|candidate| !instead.routers.contains(&candidate.exit));
            candidates.extend_from_slice(&instead.candidates);
        }
        if !candidates.is_empty() {
            return Some((prefix, candidates));
        }
        let shorter = (0..prefix.prefix_len()).rev();
        shorter
            .filter_map(|length| Ipv4Net::new(prefix.network(), length).ok())
            .map(|covering| (covering.trunc(), self.view.candidates(covering.trunc())))
            .find(|(_, candidates)| !candidates.is_empty())
    }

    /// Dijkstra's algorithm from the announcements, against the links.
    fn distances(&self, candidates: &Candidates) -> Distances {
        let mut distance: Vec<Option<u32>> = vec![None; self.view.graph.len()];
        let mut order = Vec::with_capacity(distance.len());
        let mut heap = BinaryHeap::new();
        // Of equally distant vertices routers come first, as networks are as near as they are.
        let place = |distance: u32, vertex: Vertex| (Reverse(distance), vertex);
        for candidate in candidates {
            let known = &mut distance[candidate.vertex as usize];
            if known.is_none_or(|known| candidate.cost < known) {
                *known = Some(candidate.cost);
                heap.push(place(candidate.cost, candidate.vertex));
            }
        }
        while let Some((Reverse(near), vertex)) = heap.pop() {
            if distance[vertex as usize] != Some(near) {
                continue;
            }
            order.push(vertex);
            for &(from, cost) in self.into.of(vertex) {
                let far = near.saturating_add(cost);
                let known = &mut distance[from as usize];
                if known.is_none_or(|known| far < known) {
                    *known = Some(far);
                    heap.push(place(far, from));
                }
            }
        }
        Distances { distance, order }
    }

    /// Follows the shortest paths from the announcements outwards.
    fn traffic(
        &self,
        distances: &Distances,
        counting: &Candidates,
        all: &Candidates,
    ) -> Vec<Traffic> {
        let mut traffic = vec![Traffic::default(); self.view.graph.len()];
        for &vertex in &distances.order {
            let distance = distances.distance[vertex as usize];
            let mut here = Traffic::default();
            if let Some(own) = self.own(vertex, all) {
                here.exits.push(own.exit);
            } else {
                let ends = counting.iter().filter(|candidate| {
                    candidate.vertex == vertex && Some(candidate.cost) == distance
                });
                here.exits.extend(ends.map(|candidate| candidate.exit));
                for edge in self.view.graph.edges(vertex) {
                    let far = distances.distance[edge.to as usize];
                    if far.map(|far| far.saturating_add(edge.cost)) != distance {
                        continue;
                    }
                    let next = &traffic[edge.to as usize];
                    here.exits.extend_from_slice(&next.exits);
                    match self.view.graph.router_id(edge.to) {
                        Some(router) => here.first_hops.push(router),
                        None => here.first_hops.extend_from_slice(&next.first_hops),
                    }
                }
                for list in [&mut here.exits, &mut here.first_hops] {
                    list.sort_unstable();
                    list.dedup();
                }
            }
            traffic[vertex as usize] = here;
        }
        traffic
    }

    /// The best announcement that the router makes itself.
    fn own<'c>(&self, vertex: Vertex, candidates: &'c Candidates) -> Option<&'c Candidate> {
        let router = self.view.graph.router_id(vertex)?;
        candidates
            .iter()
            .filter(|candidate| candidate.exit == router)
            .min_by_key(|candidate| (candidate.rank, candidate.cost))
    }
}
