use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::types::{Prefix, PrefixTable};
use crate::wire::bgp::NextHop;

/// The networks on our links and our own addresses, as the kernel has them now.
#[derive(Clone, Default)]
pub struct Connected {
    networks: PrefixTable<u32>,
    own: BTreeSet<IpAddr>,
}

/// Where packets to a next hop go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resolved {
    pub gateway: IpAddr,
    /// Interface index.
    pub interface: u32,
}

/// Why a path cannot win: its next hop does not resolve, or it is not eligible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// No link that is up has a network with this address, and no interior route but perhaps the default leads to it.
    Unreachable(IpAddr),
    /// A route to ourselves would loop (RFC 4271 §5.1.3).
    OwnAddress(IpAddr),
    /// A link-local address says nothing without an interface, and none came with it (RFC 2545 §3 wants a global one).
    LinkLocal(IpAddr),
    /// The AS at its origin may not originate it (RFC 6811), or a policy rejects it as long as caches say what they say.
    InvalidOrigin,
}

impl Connected {
    /// `networks` with the index of the interface that is up and has them. Where two have the same
    /// network, the lower index is used.
    pub fn new(
        networks: impl IntoIterator<Item = (Prefix, u32)>,
        own: impl IntoIterator<Item = IpAddr>,
    ) -> Connected {
        let mut connected =
            Connected { networks: PrefixTable::new(), own: own.into_iter().collect() };
        for (network, interface) in networks {
            let lowest = connected.networks.get(network).map_or(interface, |i| interface.min(*i));
            connected.networks.insert(network, lowest);
        }
        connected
    }

    /// Where packets for `next_hop` go: itself, over the longest network that has it.
    pub fn resolve(&self, next_hop: &NextHop) -> Result<Resolved, Unusable> {
        let gateway = next_hop.address();
        if self.own.contains(&gateway) {
            return Err(Unusable::OwnAddress(gateway));
        }
        if let IpAddr::V6(address) = gateway
            && address.is_unicast_link_local()
        {
            return Err(Unusable::LinkLocal(gateway));
        }
        match self.networks.covering(gateway).last() {
            Some((_, interface)) => Ok(Resolved { gateway, interface: *interface }),
            None => Err(Unusable::Unreachable(gateway)),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Unreachable(address) => {
                write!(f, "next hop {address} is in no connected network and no OSPF route has it")
            }
            Unusable::OwnAddress(address) => write!(f, "next hop {address} is our own address"),
            Unusable::LinkLocal(address) => {
                write!(f, "next hop {address} is link-local and no global one came with it")
            }
            Unusable::InvalidOrigin => f.write_str("not used for the RPKI state of its origin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hops_resolve_over_the_longest_connected_network() {
        let net = |text: &str| text.parse::<Prefix>().unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let connected = Connected::new(
            [(net("10.0.0.0/8"), 2), (net("10.1.0.0/16"), 3), (net("10.0.0.0/8"), 1)],
            [ip("10.0.0.1")],
        );
        let resolve = |text: &str| connected.resolve(&NextHop::from(ip(text)));
        assert_eq!(resolve("10.1.0.9"), Ok(Resolved { gateway: ip("10.1.0.9"), interface: 3 }));
        assert_eq!(resolve("10.2.0.9").map(|hop| hop.interface), Ok(1));
        assert_eq!(resolve("10.0.0.1"), Err(Unusable::OwnAddress(ip("10.0.0.1"))));
        assert_eq!(resolve("192.0.2.1"), Err(Unusable::Unreachable(ip("192.0.2.1"))));
        assert_eq!(resolve("fe80::1"), Err(Unusable::LinkLocal(ip("fe80::1"))));
    }
}
