use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::Router;
use super::event::Link;
use super::neighbor::Neighbor;
use super::settings::InterfaceSettings;
use crate::types::{RouterId, Time};
use crate::wire::ospf::LsaHeader;

/// RFC 2328 §9.1. Loopback is Passive here: nothing is sent on either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceState {
    Down,
    /// Announced only.
    Passive,
    Waiting {
        until: Time,
    },
    PointToPoint,
    DrOther,
    Backup,
    Dr,
}

/// An interface that is configured and that the kernel has.
#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub link: Link,
    pub settings: InterfaceSettings,
    /// Ours, with its network; `None` while it has none, and the state is Down.
    pub address: Option<(Ipv4Addr, Ipv4Net)>,
    pub state: InterfaceState,
    /// Interface addresses, 0.0.0.0 for none (RFC 2328 §9).
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
    /// By router id, on broadcast networks as well: what is one router has one entry.
    pub neighbors: BTreeMap<RouterId, Neighbor>,
    /// When the next Hello goes out; `None` if none does.
    pub hello_due: Option<Time>,
    /// Headers that wait for a delayed acknowledgement (RFC 2328 §13.5), and until when.
    pub acknowledgements: Vec<LsaHeader>,
    pub acknowledge_at: Option<Time>,
}

impl Interface {
    /// Octets that the body of a packet may have so that nothing is fragmented.
    pub(super) fn room(&self) -> usize {
        (self.link.mtu as usize).saturating_sub(20 + 24 + 64)
    }

    /// The earliest of its own and its neighbours' timers, flooding's apart.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.hello_due
    }
}

impl Router {
    pub(super) fn link_changed(&mut self, name: String, link: Option<Link>, _now: Time) {
        match link {
            Some(link) => self.links.insert(name, link),
            None => self.links.remove(&name),
        };
    }

    pub(super) fn interfaces_tick(&mut self, _now: Time) {}
}
