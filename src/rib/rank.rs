use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;

use super::{IgpMetric, Path, Source, SourceId, SourceKind};
use crate::types::RouterId;
use crate::wire::bgp::Origin;

/// LOCAL_PREF of a path that has none (RFC 4271 leaves the value open; this is the customary one).
pub(super) const DEFAULT_LOCAL_PREF: u32 = 100;

/// How good a path is: the least one is best. The order of the fields is the decision process, and the derived
/// order of the struct is all of it. No two paths of a prefix are equal, as the source is the last field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// The next hop does not resolve (RFC 4271 §9.1.2), or the origin is invalid (RFC 6811 §3). Such a path never wins.
    pub unusable: bool,
    /// Before BGP's own decision: our own route beats a learned one.
    pub learned: bool,
    /// Degree of preference, higher wins (RFC 4271 §9.1.1).
    pub local_pref: Reverse<u32>,
    /// RFC 4271 §9.1.2.2 a.
    pub path_length: usize,
    /// RFC 4271 §9.1.2.2 b.
    pub origin: Origin,
    /// RFC 4271 §9.1.2.2 c; none counts as 0, and neighbouring ASes are not told apart.
    pub med: u32,
    /// RFC 4271 §9.1.2.2 d: eBGP before iBGP.
    pub internal: bool,
    /// RFC 4271 §9.1.2.2 e: how far the next hop is.
    pub igp_metric: IgpMetric,
    /// RFC 4271 §9.1.2.2 f; ORIGINATOR_ID stands in for it (RFC 4456 §9).
    pub router_id: RouterId,
    /// RFC 4456 §9.
    pub cluster_length: usize,
    /// RFC 4271 §9.1.2.2 g.
    pub address: IpAddr,
    /// Two sessions with one address do not exist; this keeps the order total without knowing that.
    pub source: SourceId,
}

impl Rank {
    pub fn new(path: &Path<'_>, source: &Source) -> Rank {
        let attributes = path.attributes;
        Rank {
            unusable: path.hop.is_err(),
            learned: source.kind != SourceKind::Local,
            local_pref: Reverse(attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)),
            path_length: attributes.as_path.length(),
            origin: attributes.origin,
            med: attributes.med.unwrap_or(0),
            internal: source.kind == SourceKind::Ibgp,
            igp_metric: match path.hop {
                Ok(Some(reached)) => reached.metric,
                Ok(None) | Err(_) => IgpMetric::default(),
            },
            router_id: attributes.originator_id.unwrap_or(source.router_id),
            cluster_length: attributes.cluster_list.len(),
            address: source.address,
            source: path.source,
        }
    }

    /// Good enough to share traffic with `best`: equal in all that says something about the path, so up to
    /// the way to the next hop. The AS paths may differ in their numbers.
    pub fn is_equal_cost(&self, best: &Rank) -> bool {
        let cost = |rank: &Rank| {
            (
                rank.unusable,
                rank.learned,
                rank.local_pref,
                rank.path_length,
                rank.origin,
                rank.med,
                rank.internal,
                rank.igp_metric,
            )
        };
        cost(self) == cost(best)
    }

    /// The first field in which `self` is worse than `best`. Both are usable.
    pub fn worse_by(&self, best: &Rank) -> Reason {
        if self.learned != best.learned {
            Reason::Own
        } else if self.local_pref != best.local_pref {
            Reason::LocalPref { this: self.local_pref.0, best: best.local_pref.0 }
        } else if self.path_length != best.path_length {
            Reason::PathLength { this: self.path_length, best: best.path_length }
        } else if self.origin != best.origin {
            Reason::Origin { this: self.origin, best: best.origin }
        } else if self.med != best.med {
            Reason::Med { this: self.med, best: best.med }
        } else if self.internal != best.internal {
            Reason::Internal
        } else if self.igp_metric != best.igp_metric {
            Reason::IgpMetric { this: self.igp_metric, best: best.igp_metric }
        } else if self.router_id != best.router_id {
            Reason::RouterId { this: self.router_id, best: best.router_id }
        } else if self.cluster_length != best.cluster_length {
            Reason::ClusterLength { this: self.cluster_length, best: best.cluster_length }
        } else if self.address != best.address {
            Reason::Address { this: self.address, best: best.address }
        } else {
            Reason::Source
        }
    }
}

/// Why a usable path or route is not the best one: the first step of the decision process in which it is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// We announce the prefix ourselves.
    Own,
    /// Our own announcement, to BGP neighbours only: the interior protocol knows where the prefix is.
    Elsewhere,
    /// Between protocols.
    Distance { this: u8, best: u8 },
    /// Between protocols of the same distance.
    Protocol,
    /// RFC 4271 §9.1.1.
    LocalPref { this: u32, best: u32 },
    /// RFC 4271 §9.1.2.2 a.
    PathLength { this: usize, best: usize },
    /// RFC 4271 §9.1.2.2 b.
    Origin { this: Origin, best: Origin },
    /// RFC 4271 §9.1.2.2 c.
    Med { this: u32, best: u32 },
    /// RFC 4271 §9.1.2.2 d: iBGP, and the best one is eBGP.
    Internal,
    /// RFC 4271 §9.1.2.2 e.
    IgpMetric { this: IgpMetric, best: IgpMetric },
    /// RFC 4271 §9.1.2.2 f, RFC 4456 §9.
    RouterId { this: RouterId, best: RouterId },
    /// RFC 4456 §9.
    ClusterLength { this: usize, best: usize },
    /// RFC 4271 §9.1.2.2 g.
    Address { this: IpAddr, best: IpAddr },
    /// Equal in all that the protocol compares.
    Source,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Own => f.write_str("learned, and we announce the prefix ourselves"),
            Reason::Elsewhere => {
                f.write_str("announced to BGP neighbors only; packets follow the route of OSPF")
            }
            Reason::Distance { this, best } => {
                write!(f, "higher distance ({this}, best has {best})")
            }
            Reason::Protocol => f.write_str("same distance, and BGP goes before OSPF"),
            Reason::LocalPref { this, best } => {
                write!(f, "lower LOCAL_PREF ({this}, best has {best})")
            }
            Reason::PathLength { this, best } => {
                write!(f, "longer AS path ({this}, best has {best})")
            }
            Reason::Origin { this, best } => {
                write!(f, "worse origin ({}, best has {})", origin(*this), origin(*best))
            }
            Reason::Med { this, best } => write!(f, "higher MED ({this}, best has {best})"),
            Reason::Internal => f.write_str("learned by iBGP, the best one by eBGP"),
            Reason::IgpMetric { this, best } => {
                write!(f, "higher IGP metric ({this}, best has {best})")
            }
            Reason::RouterId { this, best } => {
                write!(f, "higher router id ({this}, best has {best})")
            }
            Reason::ClusterLength { this, best } => {
                write!(f, "longer cluster list ({this}, best has {best})")
            }
            Reason::Address { this, best } => {
                write!(f, "higher neighbour address ({this}, best has {best})")
            }
            Reason::Source => f.write_str("equal, from a neighbour configured later"),
        }
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "IGP",
        Origin::Egp => "EGP",
        Origin::Incomplete => "incomplete",
    }
}
