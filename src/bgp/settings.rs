use std::time::Duration;

use crate::types::{Asn, Family, RouterId};
use crate::wire::bgp::{Capability, GracefulRestart, Open, Role};

/// How long a neighbour is to keep our routes until we are back, in seconds (RFC 4724 §3).
const RESTART_TIME: u16 = 120;

/// What our OPENs say of our own restart, beside the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnRestart {
    /// This is a new life of ours, and we have not sent all our routes yet: the neighbour is not to wait for them with its
    /// own (R bit).
    pub restarting: bool,
    /// What our routes attracted could be forwarded all the time (F bit).
    pub preserved: bool,
}

/// One neighbour, as far as the session is concerned. Addresses, passwords and TTLs belong to the
/// driver, which dials and accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub local_asn: Asn,
    /// The only AS number the neighbour may open with; equal to `local_asn` means iBGP.
    pub remote_asn: Asn,
    pub router_id: RouterId,
    /// Never dial, wait for the neighbour (PassiveTcpEstablishment, RFC 4271 §8.1.1).
    pub passive: bool,
    /// Seconds that we propose: 0 (no keepalives, no hold timer) or at least 3.
    pub hold_time: u16,
    /// First wait between two attempts to dial; see [`super::Peer`] for how it grows.
    pub connect_retry: Duration,
    /// How long bytes may wait for the neighbour to read (RFC 9687). Zero switches the timer off;
    /// a span not above the negotiated hold time counts as twice the hold time.
    pub send_hold_time: Duration,
    /// Families offered. Empty counts as IPv4, as for a speaker without capabilities.
    pub families: Vec<Family>,
    /// Offer IPv4 prefixes with IPv6 next hops (RFC 8950); needs the IPv4 family.
    pub extended_next_hop: bool,
    /// Our role (RFC 9234); not used towards iBGP neighbours.
    pub role: Option<Role>,
    /// Refuse a neighbour that sends no role (RFC 9234 §4.2).
    pub role_strict: bool,
    /// Keep the routes of a restarting neighbour (RFC 4724 §4.2).
    pub graceful_restart_helper: bool,
    /// And ask it to keep ours (§4.1). Without the former it says nothing.
    pub graceful_restart: bool,
    /// No connection before BFD sees the neighbour. It is not told of that: the capability for it
    /// (draft-ietf-idr-bgp-bfd-strict-mode) would be news to FRR and BIRD.
    pub bfd_strict: bool,
    /// Keeps the session down; the text goes to the neighbour (RFC 9003).
    pub shutdown: Option<String>,
}

impl Settings {
    pub fn is_external(&self) -> bool {
        self.local_asn != self.remote_asn
    }

    /// Whether a session made with these settings may go on under the new ones: the same OPENs, judged
    /// alike, would lead to the same session.
    pub fn keeps_session(&self, new: &Settings) -> bool {
        let own = OwnRestart::default();
        self.open(own) == new.open(own)
            && self.remote_asn == new.remote_asn
            && self.role_strict == new.role_strict
            && self.shutdown.is_some() == new.shutdown.is_some()
    }

    /// The OPEN that we send with these settings.
    pub(super) fn open(&self, own: OwnRestart) -> Open {
        let mut capabilities: Vec<Capability> =
            self.families.iter().copied().map(Capability::multiprotocol).collect();
        if self.extended_next_hop && self.families.contains(&Family::Ipv4) {
            let (ipv4, ipv6) = (Family::Ipv4.afi(), Family::Ipv6.afi());
            capabilities.push(Capability::ExtendedNextHop(vec![(ipv4, 1, ipv6)]));
        }
        capabilities.push(Capability::RouteRefresh);
        capabilities.push(Capability::EnhancedRouteRefresh);
        capabilities.push(Capability::ExtendedMessage);
        capabilities.push(Capability::FourOctetAs(self.local_asn));
        if let (Some(role), true) = (self.role, self.is_external()) {
            capabilities.push(Capability::Role(role));
        }
        if self.graceful_restart_helper {
            // A helper only names no family, so nobody keeps routes of ours (RFC 4724 §3). The N bit
            // lets the neighbour's NOTIFICATION begin a restart as well (RFC 8538 §2).
            let families: &[Family] = if self.graceful_restart { &self.families } else { &[] };
            let listed = families.iter().map(|family| (family.afi(), 1, own.preserved));
            capabilities.push(Capability::GracefulRestart(GracefulRestart {
                restarting: self.graceful_restart && own.restarting,
                notification: true,
                restart_time: if self.graceful_restart { RESTART_TIME } else { 0 },
                families: listed.collect(),
            }));
        }
        Open {
            asn: self.local_asn,
            hold_time: self.hold_time,
            router_id: self.router_id,
            capabilities,
        }
    }
}
