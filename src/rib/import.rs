//! What a learned attribute set becomes before it is stored. Runs once per attribute set; only
//! [`Policy`] looks at prefixes.

use std::fmt;

use super::SourceKind;
use crate::types::{Asn, Prefix, RouterId};
use crate::wire::bgp::{Attributes, Community, Role};

/// Which prefixes of a neighbour are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    None,
    /// Only 0.0.0.0/0 and ::/0.
    DefaultOnly,
    All,
}

impl Policy {
    pub fn accepts(self, prefix: Prefix) -> bool {
        match self {
            Policy::None => false,
            Policy::DefaultOnly => prefix.is_default(),
            Policy::All => true,
        }
    }
}

/// The session a set was received on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// eBGP or iBGP.
    pub kind: SourceKind,
    pub own_asn: Asn,
    pub remote_asn: Asn,
    pub own_router_id: RouterId,
    /// Our own role, if the session has one (RFC 9234 §4.1); without meaning for iBGP.
    pub role: Option<Role>,
}

/// Why the routes of a set are not taken. They count as withdrawn (RFC 7606 §2): an earlier route
/// for the same prefix is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// RFC 4271 §9.1.2: the path has been through here.
    OwnAs(Asn),
    /// RFC 4271 §6.3: the neighbour did not put its AS in front.
    FirstAs { found: Option<Asn>, expected: Asn },
    /// RFC 4456 §8: our own route, reflected.
    OwnOriginator(RouterId),
    /// RFC 9234 §5: `sender` is the neighbour's role, `marked` the AS that said "only to customers".
    Leak { sender: &'static str, marked: Asn },
}

/// The set as the RIB stores it, or why it is not taken.
///
/// From eBGP: LOCAL_PREF is dropped, a path marked GRACEFUL_SHUTDOWN gets LOCAL_PREF 0 (RFC 8326 §4), and the
/// Only-to-Customer mark is checked and added by the roles of RFC 9234 §5. A next hop that is our own address is left
/// to the resolution of next hops, because our addresses change.
pub fn import(mut attributes: Attributes, session: &Session) -> Result<Attributes, Rejected> {
    if attributes.as_path.contains(session.own_asn) {
        return Err(Rejected::OwnAs(session.own_asn));
    }
    if session.kind == SourceKind::Ibgp {
        return match attributes.originator_id {
            Some(id) if id == session.own_router_id => Err(Rejected::OwnOriginator(id)),
            _ => Ok(attributes),
        };
    }
    // A route server does not put itself into the path (RFC 7947 §2.2.2.1).
    let found = attributes.as_path.first();
    if found != Some(session.remote_asn) && session.role != Some(Role::RouteServerClient) {
        return Err(Rejected::FirstAs { found, expected: session.remote_asn });
    }
    attributes.only_to_customer = only_to_customer(attributes.only_to_customer, session)?;
    // Valid only inside an AS, and discarded by the decoder already (RFC 7606 §7.5, §7.9, §7.10).
    attributes.originator_id = None;
    attributes.cluster_list = Box::default();
    let leaving = attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN);
    attributes.local_pref = leaving.then_some(0);
    Ok(attributes)
}

/// The ingress procedure of RFC 9234 §5.
fn only_to_customer(mark: Option<Asn>, session: &Session) -> Result<Option<Asn>, Rejected> {
    let added = Some(mark.unwrap_or(session.remote_asn));
    match (session.role, mark) {
        (Some(Role::Provider), Some(marked)) => Err(Rejected::Leak { sender: "customer", marked }),
        (Some(Role::RouteServer), Some(marked)) => {
            Err(Rejected::Leak { sender: "route server client", marked })
        }
        (Some(Role::Peer), Some(marked)) if marked != session.remote_asn => {
            Err(Rejected::Leak { sender: "peer", marked })
        }
        (Some(Role::Customer | Role::Peer | Role::RouteServerClient), _) => Ok(added),
        (Some(Role::Provider | Role::RouteServer | Role::Unknown(_)) | None, _) => Ok(mark),
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::OwnAs(asn) => write!(f, "AS_PATH holds our own AS {asn}"),
            Rejected::FirstAs { found: Some(found), expected } => {
                write!(f, "AS_PATH begins with {found}, not with the neighbour's AS {expected}")
            }
            Rejected::FirstAs { found: None, expected } => {
                write!(f, "AS_PATH does not begin with the neighbour's AS {expected}")
            }
            Rejected::OwnOriginator(id) => write!(f, "ORIGINATOR_ID {id} is our own router id"),
            Rejected::Leak { sender, marked } => write!(
                f,
                "route leak: a {sender} sent a route that AS {marked} marked only-to-customer"
            ),
        }
    }
}
