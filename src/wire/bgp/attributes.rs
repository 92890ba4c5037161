use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use super::{Community, ExtendedCommunity, LargeCommunity};
use crate::types::{Asn, RouterId};

/// The path attributes of a set of routes, decoded (RFC 4271 §5 and later ones). This is the value
/// that the RIB interns and shares, so equality and hash cover all of it. The next hop is part of it whether it
/// came as NEXT_HOP or inside MP_REACH_NLRI.
///
/// Lists are boxed slices: a set never changes once it is shared. Communities are kept in the order and with
/// the duplicates of the wire.
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
    /// Optional transitive attributes that we do not know, by code, to be passed on with the
    /// Partial bit (RFC 4271 §5). Unknown non-transitive ones are dropped by `parse`.
    pub unknown: Box<[UnknownAttribute]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    Igp,
    Egp,
    Incomplete,
}

/// AS_PATH with four-octet numbers: where the session has only two, it has been merged with AS4_PATH (RFC 6793 §4.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPath(pub Box<[Segment]>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    Set(Box<[Asn]>),
    Sequence(Box<[Asn]>),
    /// RFC 5065; from an external neighbour an error.
    ConfedSequence(Box<[Asn]>),
    ConfedSet(Box<[Asn]>),
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

impl AsPath {
    /// A path of one AS_SEQUENCE; empty if there are no numbers.
    pub fn sequence(numbers: impl IntoIterator<Item = Asn>) -> AsPath {
        let numbers: Box<[Asn]> = numbers.into_iter().collect();
        AsPath(if numbers.is_empty() {
            Box::default()
        } else {
            Box::new([Segment::Sequence(numbers)])
        })
    }

    /// Length for the decision: a set counts one (RFC 4271 §9.1.2.2), confederation segments none (RFC 5065 §5.3).
    pub fn length(&self) -> usize {
        self.0
            .iter()
            .map(|segment| match segment {
                Segment::Sequence(numbers) => numbers.len(),
                Segment::Set(_) => 1,
                Segment::ConfedSequence(_) | Segment::ConfedSet(_) => 0,
            })
            .sum()
    }

    /// Every number in the path, sets and confederations included.
    pub fn numbers(&self) -> impl Iterator<Item = Asn> + '_ {
        self.0.iter().flat_map(|segment| match segment {
            Segment::Set(n)
            | Segment::Sequence(n)
            | Segment::ConfedSequence(n)
            | Segment::ConfedSet(n) => n.iter().copied(),
        })
    }

    pub fn contains(&self, asn: Asn) -> bool {
        self.numbers().any(|number| number == asn)
    }

    /// The neighbouring AS: the first number, if the path begins with a sequence.
    pub fn first(&self) -> Option<Asn> {
        match self.0.first() {
            Some(Segment::Sequence(numbers)) => numbers.first().copied(),
            _ => None,
        }
    }

    /// The path with `asn` put in front `count` times (RFC 4271 §5.1.2). A sequence holds at most 255 numbers.
    #[must_use]
    pub fn prepended(&self, asn: Asn, count: usize) -> AsPath {
        if count == 0 {
            return self.clone();
        }
        let mut segments: Vec<Segment> = Vec::with_capacity(self.0.len() + 1);
        let mut front = vec![asn; count];
        let rest = match self.0.split_first() {
            Some((Segment::Sequence(numbers), rest)) if numbers.len() + count <= 255 => {
                front.extend_from_slice(numbers);
                rest
            }
            _ => &self.0,
        };
        segments.extend(front.chunks(255).map(|chunk| Segment::Sequence(chunk.into())));
        segments.extend_from_slice(rest);
        AsPath(segments.into())
    }
}
