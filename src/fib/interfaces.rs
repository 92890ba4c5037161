use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::Observed;
use crate::types::Prefix;

/// Links and addresses as the kernel has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    links: BTreeMap<u32, Link>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Empty as long as only addresses of it have been seen.
    pub name: String,
    pub up: bool,
    /// Octets of the largest IP datagram; 0 as long as only addresses of it have been seen.
    pub mtu: u32,
    /// Our addresses, each with the network it makes reachable.
    pub addresses: BTreeSet<(IpAddr, Prefix)>,
}

impl Interfaces {
    /// Every link that there is, by index.
    pub fn links(&self) -> impl Iterator<Item = (u32, &Link)> {
        self.links.iter().map(|(index, link)| (*index, link))
    }

    /// The index and the link of that name.
    pub fn named(&self, name: &str) -> Option<(u32, &Link)> {
        self.links().find(|(_, link)| link.name == name)
    }

    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The link that an address is on the network of, whether that is up or not, and our own address there: of several
    /// the one with the longest network, and of those the lowest.
    pub fn toward(&self, address: IpAddr) -> Option<(u32, IpAddr)> {
        if is_link_local(address) {
            return None;
        }
        let near = self.links.iter().filter_map(|(index, link)| {
            let (local, network) = link.near(address)?;
            Some((network.length(), *index, local))
        });
        let best = near.max_by_key(|(length, index, _)| (*length, Reverse(*index)));
        best.map(|(_, index, local)| (index, local))
    }

    /// Networks on links that are up. Link-local ones are left out, as they are on every link.
    pub fn connected(&self) -> impl Iterator<Item = (Prefix, u32)> {
        self.links.iter().filter(|(_, link)| link.up).flat_map(|(index, link)| {
            let global = link.addresses.iter().filter(|(address, _)| !is_link_local(*address));
            global.map(|(_, network)| (*network, *index))
        })
    }

    /// Our addresses on all links, whether up or not. An address on two links comes twice.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.links.values().flat_map(|link| link.addresses.iter().map(|(address, _)| *address))
    }

    /// Takes in what is about links and addresses; whether anything changed.
    pub(super) fn observe(&mut self, observed: &Observed) -> bool {
        match observed {
            Observed::Link { index, name, up, mtu } => {
                let link = self.links.entry(*index).or_default();
                let changed = link.name != *name || link.up != *up || link.mtu != *mtu;
                link.name.clone_from(name);
                link.up = *up;
                link.mtu = *mtu;
                changed
            }
            Observed::LinkGone { index } => self.links.remove(index).is_some(),
            Observed::Address { interface, address, network } => {
                let link = self.links.entry(*interface).or_default();
                link.addresses.insert((*address, *network))
            }
            Observed::AddressGone { interface, address, network } => self
                .links
                .get_mut(interface)
                .is_some_and(|link| link.addresses.remove(&(*address, *network))),
            _ => false,
        }
    }
}

impl Link {
    /// Our own address on the network that another one is on.
    pub fn toward(&self, address: IpAddr) -> Option<IpAddr> {
        self.near(address).map(|(local, _)| local)
    }

    /// The same with that network. A host address is on no network with others.
    fn near(&self, address: IpAddr) -> Option<(IpAddr, Prefix)> {
        let near = self
            .addresses
            .iter()
            .filter(|(own, network)| *own != address && network.covers(Prefix::host(address)));
        near.max_by_key(|(own, network)| (network.length(), Reverse(*own))).copied()
    }

    /// Our IPv4 addresses, sorted, each with the network it makes reachable.
    pub fn ipv4(&self) -> impl Iterator<Item = (Ipv4Addr, Ipv4Net)> {
        self.addresses.iter().filter_map(|pair| match pair {
            (IpAddr::V4(address), Prefix::V4(network)) => Some((*address, *network)),
            _ => None,
        })
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
