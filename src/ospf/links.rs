//! What our router-LSA and network-LSAs say (RFC 2328 §12.4.1, §12.4.2).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{AreaKind, Interface, InterfaceState, NetworkKind, Router};
use crate::wire::ospf::{Link, LinkKind, NetworkLsa, RouterLsa};

/// MaxLinkMetric: a link that is to carry no traffic of others (RFC 6987 §2).
pub(super) const MAX_LINK_METRIC: u16 = 0xffff;

/// As many links as a router-LSA of 65,535 octets has room for.
const MAX_LINKS: usize = (65_535 - 24) / 12;
/// Of these, for announcements.
pub(super) const MAX_STUB_ANNOUNCEMENTS: usize = 5000;

impl Router {
    pub(super) fn router_lsa(&self) -> RouterLsa {
        let mut links = Vec::new();
        let mut stubs = BTreeMap::new();
        for interface in self.interfaces.values() {
            let cost = match self.stub_router() {
                Some(_) => MAX_LINK_METRIC,
                None => interface.settings.cost,
            };
            let transit = interface.links(cost, &mut links);
            for network in interface.networks(transit) {
                stubs.insert(network, interface.settings.cost);
            }
        }
        // An announcement stands for the interface's network where both are the same: it is what an operator moves.
        stubs.extend(self.stub_announcements());
        links.extend(stubs.into_iter().map(|(network, metric)| stub(network, metric)));
        links.truncate(MAX_LINKS);
        RouterLsa {
            // Always, and not from the first external on: whoever computes routes needs no new SPF for that one.
            boundary: self.settings.area.kind != AreaKind::Stub,
            links,
            ..RouterLsa::default()
        }
    }

    /// That of the interface with this address, if we are DR there and somebody is adjacent.
    pub(super) fn network_lsa(&self, address: Ipv4Addr) -> Option<NetworkLsa> {
        let own = |interface: &&Interface| interface.address.is_some_and(|(own, _)| own == address);
        let interface = self.interfaces.values().find(own)?;
        let (_, network) = interface.address?;
        if interface.state != InterfaceState::Dr {
            return None;
        }
        let mut routers: Vec<_> = interface.adjacent().collect();
        if routers.is_empty() {
            return None;
        }
        routers.push(self.settings.router_id);
        routers.sort();
        Some(NetworkLsa { mask: network.netmask(), routers })
    }
}

impl Interface {
    fn adjacent(&self) -> impl Iterator<Item = crate::types::RouterId> + '_ {
        self.neighbors
            .values()
            .filter(|neighbor| neighbor.is_adjacent())
            .map(|neighbor| neighbor.router_id)
    }

    /// Adds the links to other routers. Returns the network that they stand for, so that it is no stub network.
    fn links(&self, cost: u16, links: &mut Vec<Link>) -> Option<Ipv4Net> {
        let (address, network) = self.address?;
        match self.state {
            InterfaceState::PointToPoint => {
                links.extend(self.adjacent().map(|router| Link {
                    kind: LinkKind::PointToPoint,
                    id: router.0,
                    data: address,
                    metric: cost,
                }));
                // The network itself is a stub network (§12.4.1.1, option 2).
                None
            }
            InterfaceState::DrOther | InterfaceState::Backup | InterfaceState::Dr => {
                let transit = if self.state == InterfaceState::Dr {
                    self.adjacent().next().is_some()
                } else {
                    self.neighbors.values().any(|neighbor| {
                        neighbor.is_adjacent() && neighbor.address == self.designated
                    })
                };
                if !transit {
                    return None;
                }
                let (kind, id) = (LinkKind::Transit, self.designated);
                links.push(Link { kind, id, data: address, metric: cost });
                Some(network)
            }
            InterfaceState::Down | InterfaceState::Passive | InterfaceState::Waiting { .. } => None,
        }
    }

    /// What is reached over the interface itself, without the network that it carries traffic over.
    fn networks(&self, transit: Option<Ipv4Net>) -> impl Iterator<Item = Ipv4Net> + '_ {
        let up = self.state != InterfaceState::Down;
        let hosts = self.settings.network == NetworkKind::Loopback;
        self.link
            .addresses
            .iter()
            .filter(move |_| up)
            .map(
                move |address| if hosts { address.address.into() } else { address.network.trunc() },
            )
            .filter(move |network| Some(*network) != transit)
    }
}

fn stub(network: Ipv4Net, metric: u16) -> Link {
    Link { kind: LinkKind::Stub, id: network.network(), data: network.netmask(), metric }
}
