use std::net::SocketAddr;
use std::time::Duration;

use super::{OwnRestart, Restart, Settings};
use crate::wire::bgp::{Capability, Notification, Open, Role, SessionFacts};

/// What two OPENs settled on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub facts: SessionFacts,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The neighbour's OPEN.
    pub open: Open,
    /// The smaller of both proposals; zero switches hold and keepalive timers off.
    pub hold_time: Duration,
    /// A third of the hold time (RFC 4271 §10).
    pub keepalive: Duration,
    /// The neighbour takes ROUTE-REFRESH (RFC 2918).
    pub refresh: bool,
    /// Both mark where a refresh begins and ends (RFC 7313).
    pub enhanced_refresh: bool,
    /// There if we help the neighbour over its restarts.
    pub restart: Option<Restart>,
}

impl Session {
    /// Checks the neighbour's OPEN and settles the session; the error answers the OPEN
    /// (RFC 4271 §6.2). What can be checked without our settings, the decoder has checked.
    pub(super) fn negotiate(
        settings: &Settings,
        theirs: Open,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Session, Notification> {
        if theirs.asn != settings.remote_asn {
            return Err(Notification::bad_peer_as());
        }
        // RFC 6286 §2.2: equal ids are an error only within one AS.
        let same_id = theirs.router_id == settings.router_id && !settings.is_external();
        if !theirs.router_id.is_valid() || same_id {
            return Err(Notification::bad_bgp_identifier());
        }
        check_role(settings, &theirs)?;
        let facts = SessionFacts::negotiate(&settings.open(OwnRestart::default()), &theirs);
        if facts.families.is_empty() {
            let ours: Vec<Capability> =
                settings.families.iter().copied().map(Capability::multiprotocol).collect();
            return Err(Notification::unsupported_capability(&ours));
        }
        let hold_time = Duration::from_secs(settings.hold_time.min(theirs.hold_time).into());
        Ok(Session {
            local,
            remote,
            hold_time,
            keepalive: hold_time / 3,
            refresh: theirs.capabilities.contains(&Capability::RouteRefresh),
            enhanced_refresh: theirs.capabilities.contains(&Capability::EnhancedRouteRefresh),
            restart: Restart::negotiate(settings, &theirs, &facts),
            facts,
            open: theirs,
        })
    }
}

/// RFC 9234 §4.2. Without a role of our own, theirs does not matter.
fn check_role(settings: &Settings, theirs: &Open) -> Result<(), Notification> {
    let (Some(ours), true) = (settings.role, settings.is_external()) else {
        return Ok(());
    };
    let mut said = theirs.capabilities.iter().filter_map(|capability| match capability {
        Capability::Role(role) => Some(*role),
        _ => None,
    });
    let matches = match said.next() {
        // Several are one if they agree, and an error if not.
        Some(first) => fits(ours, first) && said.all(|role| role == first),
        None => !settings.role_strict,
    };
    if matches { Ok(()) } else { Err(Notification::role_mismatch()) }
}

/// The pairs of RFC 9234 §4.2, table 2.
fn fits(ours: Role, theirs: Role) -> bool {
    matches!(
        (ours, theirs),
        (Role::Provider, Role::Customer)
            | (Role::Customer, Role::Provider)
            | (Role::RouteServer, Role::RouteServerClient)
            | (Role::RouteServerClient, Role::RouteServer)
            | (Role::Peer, Role::Peer)
    )
}
