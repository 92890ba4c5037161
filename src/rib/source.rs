use std::net::{IpAddr, Ipv4Addr};

use crate::types::RouterId;

/// Who a path came from. Chosen by the agent; stable as long as the neighbour is configured, and never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

impl SourceId {
    /// Our own announcements.
    pub const LOCAL: SourceId = SourceId(0);
    /// The interior protocol, where its route is named beside paths. It is never added.
    pub const IGP: SourceId = SourceId(u32::MAX);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    Local,
    Ebgp,
    Ibgp,
}

/// What the decision needs to know of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub kind: SourceKind,
    /// The neighbour's BGP identifier.
    pub router_id: RouterId,
    /// The neighbour's address on the session.
    pub address: IpAddr,
}

impl Source {
    /// A BGP neighbour; `external` for eBGP.
    pub fn neighbor(external: bool, router_id: RouterId, address: IpAddr) -> Source {
        let kind = if external { SourceKind::Ebgp } else { SourceKind::Ibgp };
        Source { kind, router_id, address }
    }

    /// This node itself.
    pub(super) fn local() -> Source {
        Source {
            kind: SourceKind::Local,
            router_id: RouterId::from_bits(0),
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }
}
