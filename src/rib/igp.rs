use std::fmt;

use smallvec::SmallVec;

use super::Resolved;
use crate::types::RouterId;

/// A route of the interior protocol. There is one per prefix: the protocol decides among its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgpRoute {
    /// Protocol and kind as people call it: `OSPF intra-area`.
    pub kind: &'static str,
    /// Cost through the area; for an external route of type 2 that of the way to the exit.
    pub metric: u32,
    /// The external metric of type 2, else 0.
    pub second_metric: u32,
    pub tag: u32,
    /// Never empty.
    pub hops: SmallVec<[Resolved; 1]>,
    /// The routers that announce it.
    pub exits: Box<[RouterId]>,
}

/// Which protocol wins a prefix: the lower one. Our own announcements win over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distances {
    /// Of BGP's own winner, when it was learned by eBGP.
    pub ebgp: u8,
    pub ibgp: u8,
    pub ospf: u8,
}

/// How far a next hop is. The order is that of OSPF: an external metric of type 2 outweighs every cost inside (RFC 2328
/// §16.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct IgpMetric {
    second: u32,
    first: u32,
}

impl IgpRoute {
    pub(super) fn distance_to_hop(&self) -> IgpMetric {
        IgpMetric { second: self.second_metric, first: self.metric }
    }
}

impl Default for Distances {
    /// What routers of most makes have.
    fn default() -> Distances {
        Distances { ebgp: 20, ibgp: 200, ospf: 110 }
    }
}

impl fmt::Display for IgpMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.second {
            0 => write!(f, "{}", self.first),
            second => write!(f, "{second} and {} to the exit", self.first),
        }
    }
}
