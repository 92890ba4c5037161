//! For tests: an area written down, and the routes that a router in it computes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Route;
use super::attachment::Attachment;
use super::graph::{Graph, Lsas};
use super::prefixes::{ExternalLsas, Networks};
use super::spf::Tree;
use super::table::View;
use crate::types::RouterId;
use crate::wire::ospf::{
    ExternalLsa, Link, LinkKind, LsaKey, LsaType, NetworkLsa, RouterLsa, SummaryLsa,
};

#[derive(Default)]
pub struct Topology {
    /// The area is not the backbone.
    pub inner: bool,
    pub routers: BTreeMap<RouterId, RouterLsa>,
    pub networks: BTreeMap<(Ipv4Addr, RouterId), NetworkLsa>,
    pub summaries: Vec<(LsaKey, SummaryLsa)>,
    pub externals: ExternalLsas,
}

/// Router number n.
pub fn id(n: u8) -> RouterId {
    RouterId(Ipv4Addr::new(1, 1, 1, n))
}

pub fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

impl Topology {
    pub fn router(&mut self, n: u8) -> &mut RouterLsa {
        self.routers.entry(id(n)).or_default()
    }

    fn add(&mut self, n: u8, kind: LinkKind, id: Ipv4Addr, data: Ipv4Addr, metric: u16) {
        self.router(n).links.push(Link { kind, id, data, metric });
    }

    /// A point-to-point link. The address of a's end is 10.a.b.a, of b's 10.a.b.b.
    pub fn link(&mut self, a: u8, b: u8, cost: u16, back: u16) {
        let address = |end| Ipv4Addr::new(10, a, b, end);
        self.add(a, LinkKind::PointToPoint, id(b).0, address(a), cost);
        self.add(b, LinkKind::PointToPoint, id(a).0, address(b), back);
    }

    /// The network 10.0.n.0/24; router r has the address 10.0.n.r, the first one is DR.
    pub fn lan(&mut self, n: u8, routers: &[(u8, u16)]) {
        let address = |end| Ipv4Addr::new(10, 0, n, end);
        let designated = routers[0].0;
        for &(router, cost) in routers {
            self.add(router, LinkKind::Transit, address(designated), address(router), cost);
        }
        let lsa = NetworkLsa {
            mask: Ipv4Addr::new(255, 255, 255, 0),
            routers: routers.iter().map(|&(router, _)| id(router)).collect(),
        };
        self.networks.insert((address(designated), id(designated)), lsa);
    }

    pub fn stub(&mut self, n: u8, prefix: &str, cost: u16) {
        let prefix = net(prefix);
        self.add(n, LinkKind::Stub, prefix.network(), prefix.netmask(), cost);
    }

    /// Type 3, or 4 if `prefix` is that of a router id.
    pub fn summary(&mut self, n: u8, kind: LsaType, prefix: &str, metric: u32) {
        self.router(n).border = true;
        let prefix = net(prefix);
        let key = LsaKey { kind, link_state_id: prefix.network(), advertising_router: id(n) };
        self.summaries.push((key, SummaryLsa { mask: prefix.netmask(), metric }));
    }

    /// Of router n as AS boundary router; `forwarding` may be "0.0.0.0".
    pub fn external(&mut self, n: u8, prefix: &str, type_2: bool, metric: u32, forwarding: &str) {
        self.router(n).boundary = true;
        self.external_of(LsaType::EXTERNAL, id(n), prefix, type_2, metric, forwarding);
    }

    pub fn external_of(
        &mut self,
        kind: LsaType,
        router: RouterId,
        prefix: &str,
        type_2: bool,
        metric: u32,
        forwarding: &str,
    ) {
        let prefix = net(prefix);
        let key = LsaKey { kind, link_state_id: prefix.network(), advertising_router: router };
        let forwarding_address = forwarding.parse().unwrap();
        let mask = prefix.netmask();
        let lsa = ExternalLsa { mask, type_2, metric, forwarding_address, tag: 7 };
        self.externals.insert(key, lsa);
    }

    pub fn lsas(&self) -> Lsas<'_> {
        Lsas {
            routers: self.routers.iter().map(|(&id, lsa)| (id, lsa)).collect(),
            networks: self.networks.iter().map(|(&key, lsa)| (key, lsa)).collect(),
            summaries: self.summaries.iter().map(|(key, lsa)| (*key, lsa)).collect(),
        }
    }

    /// Looks at the area as this router, whose interfaces are the links of its LSA, numbered from 0.
    pub fn with_view<T>(&self, this: RouterId, look: impl FnOnce(View<'_>) -> T) -> T {
        let lsas = self.lsas();
        let graph = Graph::new(&lsas);
        let own = &self.routers[&this];
        let mask = |network| {
            let lsa = self.networks.iter().find(|((id, _), _)| *id == network);
            lsa.map(|(_, lsa)| lsa.mask)
        };
        // Of parallel links the first leads to the first, and so on.
        let neighbor = |at: usize| {
            let link = own.links.get(at).filter(|link| link.kind == LinkKind::PointToPoint)?;
            let place = own.links[..at].iter().filter(|other| other.id == link.id).count();
            let back = self.routers.get(&RouterId(link.id))?.links.iter();
            let mut back = back.filter(|back| (back.kind, back.id) == (link.kind, this.0));
            back.nth(place).map(|back| back.data)
        };
        look(View {
            this,
            backbone: !self.inner,
            graph: &graph,
            tree: &Tree::new(&graph, graph.router(this).unwrap()),
            networks: &Networks::new(&lsas, &graph),
            externals: &self.externals,
            attachment: &Attachment::of_lsa(own, mask, neighbor),
        })
    }

    pub fn routes_of(&self, this: RouterId) -> BTreeMap<Ipv4Net, Route> {
        self.with_view(this, |view| {
            let networks = view.networks.by_prefix().map(|(prefix, _)| prefix);
            let externals = view.externals.by_prefix().map(|(prefix, _)| prefix);
            let prefixes = networks.chain(externals);
            prefixes
                .filter_map(|prefix| Some((prefix, view.best(prefix, 64)?.into_route())))
                .collect()
        })
    }

    /// `external-2 30+100 via 10.1.2.2 exit 1.1.1.3`, or `none`.
    pub fn route(&self, n: u8, prefix: &str) -> String {
        let routes = self.routes_of(id(n));
        let Some(route) = routes.get(&net(prefix)) else { return "none".to_owned() };
        let list = |items: Vec<String>| items.join(" ");
        format!(
            "{} {}+{} via {} exit {}",
            route.kind,
            route.cost,
            route.type_2_cost,
            list(route.hops.iter().map(|(_, gateway)| gateway.to_string()).collect()),
            list(route.exits.iter().map(RouterId::to_string).collect()),
        )
    }
}
