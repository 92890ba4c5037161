use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use ipnet::Ipv4Net;

use super::attachment::Attachment;
use super::backoff::Backoff;
use super::database::MAX_AGE;
use super::graph::{Graph, Lsas};
use super::neighbor::NeighborState;
use super::prefixes::{ExternalLsas, Networks};
use super::spf::{self, Tree};
use super::table::{Best, View};
use super::{Action, How, OtherAnnouncer, Route, Router};
use crate::types::{RouterId, Time};
use crate::wire::ospf::{AreaId, ExternalLsa, LsaBody, LsaKey, LsaType};

/// The routes, and what is to be computed when (RFC 2328 §16).
///
/// A change of router-, network- or summary-LSAs computes everything, after the [`Backoff`]. A change of external- or
/// NSSA-LSAs computes the routes to their prefixes at once, over the shortest paths that are there (§16.6).
#[derive(Clone, Debug, Default)]
pub(super) struct Calculation {
    backoff: Backoff,
    pub(super) externals: ExternalLsas,
    /// The last run; `None` before the first.
    area: Option<AreaPaths>,
    /// External prefixes to compute, and since when.
    touched: BTreeSet<Ipv4Net>,
    touched_at: Option<Time>,
    /// As told.
    routes: BTreeMap<Ipv4Net, Route>,
    /// In the last run every neighbour in Full announced the way to us as well, so its routes were those of the whole
    /// area.
    complete: bool,
    /// Whether others may announce something else than was last asked.
    pub(super) announcers_stale: bool,
}

/// What is computed of the area before any route.
#[derive(Clone, Debug)]
struct AreaPaths {
    attachment: Attachment,
    graph: Graph,
    tree: Tree,
    networks: Networks,
}

impl Router {
    /// The content of a database entry changed: it is in the database already, or gone, or at MaxAge. `old` is what
    /// was there. Not for a mere refresh.
    pub(super) fn lsa_changed(&mut self, key: LsaKey, old: Option<&LsaBody>, now: Time) {
        match key.kind {
            LsaType::ROUTER
            | LsaType::NETWORK
            | LsaType::SUMMARY_NETWORK
            | LsaType::SUMMARY_BOUNDARY => self.next_hops_changed(now),
            LsaType::EXTERNAL | LsaType::NSSA => {
                let new = self.database.get(&key).filter(|entry| entry.age(now) < MAX_AGE);
                let new = new.and_then(|entry| external(&entry.lsa.body));
                let calculation = &mut self.calculation;
                calculation.announcers_stale = true;
                let before =
                    old.and_then(external).and_then(|lsa| calculation.externals.remove(key, lsa));
                let after = new.and_then(|lsa| calculation.externals.insert(key, lsa));
                // Our own are no routes of ours, and before the first run there is nothing to compute them with.
                if key.advertising_router != self.settings.router_id && calculation.area.is_some() {
                    calculation.touched.extend(before.into_iter().chain(after));
                    calculation.touched_at.get_or_insert(now);
                }
            }
            _ => {}
        }
    }

    /// Something that decides about next hops changed, and perhaps no LSA: an adjacency became or left Full, the DR
    /// changed, an interface's state, cost or addresses, or the settings.
    pub(super) fn next_hops_changed(&mut self, now: Time) {
        self.calculation.backoff.changed(&self.settings.spf, now);
    }

    /// Computes what is due. To be called at the end of whatever may have changed the database, and at the deadline.
    pub(super) fn calculation_tick(&mut self, now: Time) {
        if self.calculation.backoff.take_due(now) {
            self.compute_all(now);
        } else if self.calculation.touched_at.is_some() {
            self.compute_touched();
        }
    }

    /// The routes are those of the database, and that has both ends of each of our adjacencies.
    pub(super) fn routes_are_complete(&self) -> bool {
        self.calculation.complete && self.calculation_deadline().is_none()
    }

    pub(super) fn calculation_deadline(&self) -> Option<Time> {
        self.calculation.touched_at.into_iter().chain(self.calculation.backoff.due()).min()
    }

    /// The routes as they were told last, by prefix.
    pub fn routes(&self) -> impl Iterator<Item = (Ipv4Net, &Route)> {
        self.calculation.routes.iter().map(|(&prefix, route)| (prefix, route))
    }

    /// Those behind a prefix, in order; from the beginning for `None`.
    pub fn routes_behind(
        &self,
        prefix: Option<Ipv4Net>,
    ) -> impl Iterator<Item = (Ipv4Net, &Route)> {
        let from = prefix.map_or(Bound::Unbounded, Bound::Excluded);
        let routes = self.calculation.routes.range((from, Bound::Unbounded));
        routes.map(|(&prefix, route)| (prefix, route))
    }

    pub fn route(&self, prefix: Ipv4Net) -> Option<&Route> {
        self.calculation.routes.get(&prefix)
    }

    fn compute_all(&mut self, now: Time) {
        let this = self.settings.router_id;
        let attachment = Attachment::new(&self.interfaces);
        let lsas = Lsas::new(&self.database, Some((this, &attachment.lsa)), now);
        let graph = Graph::new(&lsas);
        let tree = graph.router(this).map(|root| Tree::new(&graph, root)).unwrap_or_default();
        let networks = Networks::new(&lsas, &graph);
        let calculation = &mut self.calculation;
        calculation.announcers_stale = true;
        calculation.complete = attachment.has_ways()
            && self
                .interfaces
                .values()
                .flat_map(|interface| interface.neighbors.values())
                .filter(|neighbor| neighbor.state == NeighborState::Full)
                .all(|neighbor| graph.are_neighbors(this, neighbor.router_id));
        calculation.touched.clear();
        calculation.touched_at = None;
        let area = AreaPaths { attachment, graph, tree, networks };
        let area = self.calculation.area.insert(area);
        let view = area.view(this, self.settings.area.id, &self.calculation.externals);
        // Every prefix that was or may be there, in order: a walk over all three at once looks nothing up.
        let mut networks = view.networks.by_prefix().peekable();
        let mut externals = view.externals.by_prefix().peekable();
        let mut routes = self.calculation.routes.iter().peekable();
        let mut changes = Vec::new();
        loop {
            let firsts = [
                networks.peek().map(|(prefix, _)| *prefix),
                externals.peek().map(|(prefix, _)| *prefix),
                routes.peek().map(|(prefix, _)| **prefix),
            ];
            let Some(prefix) = firsts.into_iter().flatten().min() else { break };
            let network = networks.next_if(|(other, _)| *other == prefix);
            let external = externals.next_if(|(other, _)| *other == prefix);
            let route = routes.next_if(|(other, _)| **other == prefix).map(|(_, route)| route);
            let network = network.map(|(_, network)| network).unwrap_or_default();
            let external = external.map(|(_, lsas)| lsas).unwrap_or_default();
            let best = view.best_among(prefix, network, external, self.settings.max_paths);
            changes.extend(change(best, route).map(|route| (prefix, route)));
        }
        for (prefix, route) in changes {
            file(&mut self.calculation.routes, prefix, route.as_ref());
            self.actions.push_back(Action::RouteChanged { prefix, route });
        }
    }

    fn compute_touched(&mut self) {
        let calculation = &mut self.calculation;
        calculation.touched_at = None;
        let touched = std::mem::take(&mut calculation.touched);
        let Some(area) = &calculation.area else { return };
        let this = self.settings.router_id;
        let view = area.view(this, self.settings.area.id, &calculation.externals);
        for prefix in touched {
            let best = view.best(prefix, self.settings.max_paths);
            if let Some(route) = change(best, calculation.routes.get(&prefix)) {
                file(&mut calculation.routes, prefix, route.as_ref());
                self.actions.push_back(Action::RouteChanged { prefix, route });
            }
        }
    }
}

impl Calculation {
    /// Stub links and networks of the area that are this prefix.
    pub(super) fn stub_announcers(
        &self,
        prefix: Ipv4Net,
    ) -> impl Iterator<Item = OtherAnnouncer> + '_ {
        let networks = self.area.as_ref().map(|area| area.networks.of(prefix)).unwrap_or_default();
        let inside = networks.iter().filter(|(_, announcer)| !announcer.beyond);
        inside.map(|(_, announcer)| OtherAnnouncer {
            router: announcer.router,
            how: How::Stub,
            metric: announcer.cost,
            tag: 0,
        })
    }

    /// The cost of the way from one router to another if what connects the two directly is not there.
    pub(super) fn way(&self, from: RouterId, to: RouterId) -> Option<u32> {
        let graph = &self.area.as_ref()?.graph;
        spf::detour(graph, graph.router(from)?, graph.router(to)?)
    }

    /// Whether there is a way to a router of the area.
    pub(super) fn reaches(&self, router: RouterId) -> bool {
        let distance = |area: &AreaPaths| area.tree.distance(area.graph.router(router)?);
        self.area.as_ref().and_then(distance).is_some()
    }
}

impl AreaPaths {
    fn view<'a>(&'a self, this: RouterId, area: AreaId, externals: &'a ExternalLsas) -> View<'a> {
        View {
            this,
            backbone: area == AreaId::BACKBONE,
            graph: &self.graph,
            tree: &self.tree,
            networks: &self.networks,
            externals,
            attachment: &self.attachment,
        }
    }
}

/// What the route becomes, if it is not what it was.
fn change(best: Option<Best>, route: Option<&Route>) -> Option<Option<Route>> {
    match (best, route) {
        (Some(best), Some(route)) if best.is(route) => None,
        (None, None) => None,
        (best, _) => Some(best.map(Best::into_route)),
    }
}

fn file(routes: &mut BTreeMap<Ipv4Net, Route>, prefix: Ipv4Net, route: Option<&Route>) {
    match route {
        Some(route) => routes.insert(prefix, route.clone()),
        None => routes.remove(&prefix),
    };
}

fn external(body: &LsaBody) -> Option<ExternalLsa> {
    match body {
        LsaBody::External(lsa) => Some(*lsa),
        _ => None,
    }
}
