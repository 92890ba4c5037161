//! What neighbours are told. It depends on the attribute set and the neighbour only, never on the prefix, so sets are made
//! once for all prefixes that are sent together.

use std::fmt;

use super::rank::DEFAULT_LOCAL_PREF;
use super::{SourceId, SourceKind};
use crate::types::Asn;
use crate::wire::bgp::{
    AsPath, Attributes, Community, ExtendedCommunity, LargeCommunity, NextHop, Role,
};

/// RFC 1997: not outside this AS, member ASes of a confederation included.
const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);

/// The neighbour to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    pub id: SourceId,
    /// eBGP or iBGP.
    pub kind: SourceKind,
    pub own_asn: Asn,
    /// Our own role, if the session has one (RFC 9234 §4.1); without meaning for iBGP.
    pub role: Option<Role>,
}

/// What an announcement of our own says to one neighbour, after its preference has been mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Originated {
    pub med: Option<u32>,
    /// Our AS this many times more than once; only to eBGP.
    pub prepend: u8,
    /// Only to iBGP; missing is 100.
    pub local_pref: Option<u32>,
    pub communities: Box<[Community]>,
    pub large_communities: Box<[LargeCommunity]>,
}

/// Why a learned route is not passed on to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// It is the neighbour's own.
    FromNeighbor,
    /// RFC 4271 §9.2: not from iBGP to iBGP.
    Internal,
    /// RFC 1997.
    NoAdvertise,
    /// RFC 1997.
    NoExport,
    /// RFC 9234 §5: `marked` said that it goes to customers only.
    OnlyToCustomer { marked: Asn },
}

/// Why a learned route is not passed on to `to`; `None` if it is.
pub fn withheld(
    attributes: &Attributes,
    from: SourceId,
    from_kind: SourceKind,
    to: &Neighbor,
) -> Option<Withheld> {
    let says = |community| attributes.communities.contains(&community);
    if from == to.id {
        return Some(Withheld::FromNeighbor);
    }
    if says(Community::NO_ADVERTISE) {
        return Some(Withheld::NoAdvertise);
    }
    if to.kind == SourceKind::Ibgp {
        return (from_kind == SourceKind::Ibgp).then_some(Withheld::Internal);
    }
    if says(Community::NO_EXPORT) || says(NO_EXPORT_SUBCONFED) {
        return Some(Withheld::NoExport);
    }
    match (to.role, attributes.only_to_customer) {
        (Some(Role::Customer | Role::Peer | Role::RouteServerClient), Some(marked)) => {
            Some(Withheld::OnlyToCustomer { marked })
        }
        _ => None,
    }
}

/// A learned route, not [`withheld`], as it is passed on to `to`.
///
/// The next hop is always ours, also to iBGP neighbours and where the neighbour shares a link with the learned next
/// hop: a service address is answered by the node that announces it. MED does not leave the neighbouring AS (RFC 4271
/// §5.1.4), LOCAL_PREF and the reflection attributes do not leave ours.
pub fn export(attributes: &Attributes, to: &Neighbor, next_hop: NextHop) -> Attributes {
    let mut out = attributes.clone();
    out.next_hop = next_hop;
    if to.kind == SourceKind::Ibgp {
        out.local_pref = Some(attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
        return out;
    }
    out.only_to_customer = attributes.only_to_customer.or(only_to_customer(to));
    out.as_path = attributes.as_path.prepended(to.own_asn, 1);
    out.med = None;
    out.local_pref = None;
    out.originator_id = None;
    out.cluster_list = Box::default();
    // Bit 0x40 of the type: not beyond this AS (RFC 4360 §2).
    let transitive = |community: &&ExtendedCommunity| community.0[0] & 0x40 == 0;
    out.extended_communities =
        attributes.extended_communities.iter().filter(transitive).copied().collect();
    out
}

/// Our own announcement as `to` gets it.
pub fn originate(originated: &Originated, to: &Neighbor, next_hop: NextHop) -> Attributes {
    let mut out = Attributes::originated(next_hop);
    out.med = originated.med;
    out.communities = originated.communities.clone();
    out.large_communities = originated.large_communities.clone();
    if to.kind == SourceKind::Ibgp {
        // The path stays empty inside the AS (RFC 4271 §5.1.2), LOCAL_PREF is mandatory (§5.1.5).
        out.local_pref = Some(originated.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
    } else {
        let times = 1 + usize::from(originated.prepend);
        out.as_path = AsPath::default().prepended(to.own_asn, times);
        out.only_to_customer = only_to_customer(to);
    }
    out
}

/// Sees that what policies changed can go to `to`: LOCAL_PREF does not leave our AS, and is mandatory in it (RFC 4271 §5.1.5).
pub fn conform(attributes: &mut Attributes, to: &Neighbor) {
    attributes.local_pref = match to.kind {
        SourceKind::Ibgp => Some(attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)),
        SourceKind::Ebgp | SourceKind::Local => None,
    };
}

/// The mark that a route without one gets on the way out (RFC 9234 §5, egress 1).
fn only_to_customer(to: &Neighbor) -> Option<Asn> {
    match to.role {
        Some(Role::Provider | Role::Peer | Role::RouteServer) => Some(to.own_asn),
        Some(Role::Customer | Role::RouteServerClient | Role::Unknown(_)) | None => None,
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Withheld::FromNeighbor => f.write_str("the neighbour's own route"),
            Withheld::Internal => f.write_str("learned by iBGP, not passed on to iBGP"),
            Withheld::NoAdvertise => f.write_str("community NO_ADVERTISE"),
            Withheld::NoExport => f.write_str("community NO_EXPORT"),
            Withheld::OnlyToCustomer { marked } => {
                write!(f, "AS {marked} marked it only-to-customer")
            }
        }
    }
}
