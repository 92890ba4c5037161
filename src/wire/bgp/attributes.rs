use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use super::{AsPath, Community, ExtendedCommunity, LargeCommunity};
use crate::types::{Asn, RouterId};

/// The path attributes of a set of routes, decoded (RFC 4271 §5 and later ones). This is the value
/// that the RIB interns and shares, so equality and hash cover all of it. The next hop is part of
/// it whether it came as NEXT_HOP or inside MP_REACH_NLRI.
///
/// Lists are boxed slices: a set never changes once it is shared. Communities are kept in the order
/// of the wire, and with its duplicates except for large ones (RFC 8092 §5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attributes {
    pub origin: Origin,
    pub as_path: AsPath,
    pub next_hop: NextHop,
    pub med: Option<u32>,
    pub local_pref: Option<u32>,
    pub atomic_aggregate: bool,
    pub aggregator: Option<Aggregator>,
    pub communities: Box<[Community]>,
    pub extended_communities: Box<[ExtendedCommunity]>,
    pub large_communities: Box<[LargeCommunity]>,
    /// RFC 4456; only between iBGP neighbours.
    pub originator_id: Option<RouterId>,
    pub cluster_list: Box<[u32]>,
    /// Only to Customer (RFC 9234 §5).
    pub only_to_customer: Option<Asn>,
    /// Optional transitive attributes that we do not know, in ascending order of code, to be
    /// passed on with the Partial bit (RFC 4271 §5). Unknown non-transitive ones are dropped by
    /// `parse`.
    pub unknown: Box<[UnknownAttribute]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Igp,
    Egp,
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    V4(Ipv4Addr),
    /// The link-local address comes beside the global one on a shared link (RFC 2545 §3).
    V6 {
        global: Ipv6Addr,
        link_local: Option<Ipv6Addr>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregator {
    pub asn: Asn,
    pub address: Ipv4Addr,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownAttribute {
    /// As received, without the Extended Length bit; Partial set.
    pub flags: u8,
    pub code: u8,
    pub value: Bytes,
}

impl NextHop {
    pub fn address(&self) -> IpAddr {
        match self {
            NextHop::V4(address) => IpAddr::V4(*address),
            NextHop::V6 { global, .. } => IpAddr::V6(*global),
        }
    }
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> NextHop {
        match address {
            IpAddr::V4(address) => NextHop::V4(address),
            IpAddr::V6(global) => NextHop::V6 { global, link_local: None },
        }
    }
}

impl Attributes {
    /// The attributes of a route of our own: no path yet, nothing optional.
    pub fn originated(next_hop: NextHop) -> Attributes {
        Attributes {
            origin: Origin::Igp,
            as_path: AsPath::default(),
            next_hop,
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Box::default(),
            extended_communities: Box::default(),
            large_communities: Box::default(),
            originator_id: None,
            cluster_list: Box::default(),
            only_to_customer: None,
            unknown: Box::default(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Igp => "igp",
            Origin::Egp => "egp",
            Origin::Incomplete => "incomplete",
        })
    }
}

/// `192.0.2.1`, or `2001:db8::1 (fe80::1)` with a link-local address.
impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NextHop::V4(address) => address.fmt(f),
            NextHop::V6 { global, link_local: None } => global.fmt(f),
            NextHop::V6 { global, link_local: Some(local) } => write!(f, "{global} ({local})"),
        }
    }
}
