//! `[vrrp.*]`: the virtual routers of this node.

mod check;
pub(super) mod router;
pub(super) mod track;

use std::net::IpAddr;
use std::time::Duration;

use super::TrackedObject;
use crate::types::RouterId;
use crate::vrrp::{Checksum, MacKind, Settings, Version};

pub(super) use router::read;

/// `[vrrp.NAME]`: one virtual router. All that the core needs, with the interface by its name, and what else there is to
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vrrp {
    pub interface: String,
    pub vrid: u8,
    pub version: Version,
    pub addresses: Vec<IpAddr>,
    /// 255: the owner.
    pub priority: u8,
    pub interval: Duration,
    pub preempt: bool,
    pub preempt_delay: Duration,
    /// Whether what is addressed to the virtual addresses is taken (Accept_Mode, RFC 9568 §6.1). ARP and Neighbor Discovery
    /// always are.
    pub accept: bool,
    pub mac: MacKind,
    pub source: Option<IpAddr>,
    pub unicast_peers: Vec<IpAddr>,
    pub checksum: Checksum,
    pub sync_group: Option<String>,
    pub announcements: u8,
    pub announcement_interval: Duration,
    /// The OSPF router that shares the virtual router with us: that it was Active and is gone is a sign of its death.
    pub twin: Option<RouterId>,
    pub tracks: Vec<Track>,
}

/// `[[vrrp.NAME.track]]`: something that lowers the priority while it is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    pub object: TrackedObject,
    pub lower_by: u8,
}

impl Vrrp {
    /// For the core, once the index of the interface is known.
    pub fn settings(&self, interface: u32) -> Settings {
        Settings {
            interface,
            vrid: self.vrid,
            version: self.version,
            addresses: self.addresses.clone(),
            priority: self.priority,
            interval: self.interval,
            preempt: self.preempt,
            preempt_delay: self.preempt_delay,
            source: self.source,
            unicast_peers: self.unicast_peers.clone(),
            checksum: self.checksum,
            sync_group: self.sync_group.clone(),
            mac: self.mac,
            announcements: self.announcements,
            announcement_interval: self.announcement_interval,
        }
    }

    fn family(&self) -> &'static str {
        if self.is_ipv6() { "IPv6" } else { "IPv4" }
    }

    pub fn is_ipv6(&self) -> bool {
        self.addresses.first().is_some_and(IpAddr::is_ipv6)
    }
}
