use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::interface::{Interface, InterfaceState};
use super::spf::FirstHop;
use crate::wire::ospf::{Link, LinkKind, RouterLsa};

/// What our router is attached to, from the interfaces themselves: our own router-LSA may be older than that, as its
/// instances are paced, and it has other costs while we are a stub router (RFC 6987), which are for the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Attachment {
    /// Stands in for our router-LSA. Everything attached is a stub link as well.
    pub lsa: RouterLsa,
    /// Of each of its links that leads to a router or transit network: the interface, and the neighbour's address on
    /// a point-to-point one.
    ways: Vec<(u32, Option<Ipv4Addr>)>,
    /// Sorted.
    networks: Vec<(Ipv4Net, u32)>,
    addresses: Vec<Ipv4Addr>,
}

impl Attachment {
    pub fn new(interfaces: &BTreeMap<u32, Interface>) -> Attachment {
        let mut attachment = Attachment::default();
        for (&index, interface) in interfaces {
            attachment.add_ways(index, interface);
        }
        for (&index, interface) in interfaces {
            if interface.state != InterfaceState::Down {
                attachment.add_networks(index, interface);
            }
        }
        attachment.networks.sort_unstable();
        attachment
    }

    /// The links over which there is a full adjacency (RFC 2328 §12.4.1.1, §12.4.1.2).
    fn add_ways(&mut self, index: u32, interface: &Interface) {
        let Some((address, _)) = interface.address else { return };
        let metric = interface.settings.cost;
        let mut full = interface.neighbors.values().filter(|neighbor| neighbor.is_adjacent());
        match interface.state {
            InterfaceState::PointToPoint => {
                for neighbor in full {
                    let id = neighbor.router_id.0;
                    let kind = LinkKind::PointToPoint;
                    self.lsa.links.push(Link { kind, id, data: address, metric });
                    self.ways.push((index, Some(neighbor.address)));
                }
            }
            InterfaceState::Dr | InterfaceState::Backup | InterfaceState::DrOther => {
                let designated = interface.designated;
                if full.any(|neighbor| {
                    interface.state == InterfaceState::Dr || neighbor.address == designated
                }) {
                    let kind = LinkKind::Transit;
                    self.lsa.links.push(Link { kind, id: designated, data: address, metric });
                    self.ways.push((index, None));
                }
            }
            InterfaceState::Down | InterfaceState::Passive | InterfaceState::Waiting { .. } => {}
        }
    }

    fn add_networks(&mut self, index: u32, interface: &Interface) {
        for address in &interface.link.addresses {
            let network = address.network.trunc();
            self.networks.push((network, index));
            self.addresses.push(address.address);
            self.lsa.links.push(Link {
                kind: LinkKind::Stub,
                id: network.network(),
                data: network.netmask(),
                metric: interface.settings.cost,
            });
        }
    }

    /// Whether the kernel itself knows the way, as it is a network of ours or an address.
    pub fn is_attached(&self, prefix: Ipv4Net) -> bool {
        if prefix.prefix_len() == 32 && self.is_own(prefix.addr()) {
            return true;
        }
        let at = self.networks.partition_point(|(network, _)| *network < prefix);
        self.networks.get(at).is_some_and(|(network, _)| *network == prefix)
    }

    pub fn is_own(&self, address: Ipv4Addr) -> bool {
        self.addresses.contains(&address)
    }

    /// Over which interface an address in an attached network is reached.
    pub fn interface(&self, address: Ipv4Addr) -> Option<u32> {
        let covering = self.networks.iter().filter(|(network, _)| network.contains(&address));
        covering.max_by_key(|(network, _)| network.prefix_len()).map(|&(_, index)| index)
    }

    /// Interface and gateway of a way out. `target`: whom to reach, where that is in the attached network itself.
    pub fn hop(&self, hop: FirstHop, target: Option<Ipv4Addr>) -> Option<(u32, Ipv4Addr)> {
        let &(interface, neighbor) = self.ways.get(usize::from(hop.link))?;
        Some((interface, neighbor.or(hop.gateway).or(target)?))
    }

    /// Whether anybody is adjacent.
    pub fn has_ways(&self) -> bool {
        !self.ways.is_empty()
    }
}

#[cfg(test)]
impl Attachment {
    /// Of the router with this LSA, whose interfaces are its links, numbered from 0. `mask`: that of a transit
    /// network. `neighbor`: the address at the other end of this link.
    pub fn of_lsa(
        lsa: &RouterLsa,
        mask: impl Fn(Ipv4Addr) -> Option<Ipv4Addr>,
        neighbor: impl Fn(usize) -> Option<Ipv4Addr>,
    ) -> Attachment {
        let mut attachment = Attachment { lsa: lsa.clone(), ..Attachment::default() };
        for (link, index) in lsa.links.iter().zip(0..) {
            attachment.ways.push((index, neighbor(index as usize)));
            let mask = match link.kind {
                LinkKind::Stub => Some(link.data),
                LinkKind::Transit => mask(link.id),
                LinkKind::PointToPoint | LinkKind::Virtual => None,
            };
            let network = mask.and_then(|mask| Ipv4Net::with_netmask(link.id, mask).ok());
            attachment.networks.extend(network.map(|network| (network.trunc(), index)));
            attachment.addresses.push(link.data);
        }
        attachment.networks.sort_unstable();
        attachment
    }
}
