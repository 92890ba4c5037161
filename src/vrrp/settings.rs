use std::net::IpAddr;
use std::time::Duration;

use super::timers::active_down_interval;
use crate::types::Mac;
use crate::wire::vrrp::{Checksum, Version};

/// A configured virtual router, for the life of its configuration. Given by the agent. Not the VRID, which is only unique
/// on a link and within a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualRouterId(pub u32);

/// What an operator decides about a virtual router. Priority, interval and flags change while it runs; another
/// interface, VRID, family or version makes it begin anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// By its index in the kernel.
    pub interface: u32,
    pub vrid: u8,
    pub version: Version,
    /// All of one family, not empty; for IPv6 the first one is link-local (RFC 9568 §5.2.9).
    pub addresses: Vec<IpAddr>,
    /// 1..=255; 255: the addresses are our own (the owner).
    pub priority: u8,
    /// Whole centiseconds, 1..=4095; for version 2 whole seconds.
    pub interval: Duration,
    pub preempt: bool,
    /// How long a Backup of higher priority sees the lower Active, while it could take over, before it does. Zero: as RFC
    /// 9568 §6.4.2 has it, after Active_Down_Interval. Not for an owner.
    pub preempt_delay: Duration,
    /// Source of the advertisements, where it is not the interface's first address of the family. Has to be one of the
    /// interface's.
    pub source: Option<IpAddr>,
    /// Addressed one by one instead of by multicast. Empty: multicast. Not empty: only these are listened to.
    pub unicast_peers: Vec<IpAddr>,
    /// Of the advertisements sent; both are accepted.
    pub checksum: Checksum,
    /// Those with the same name change their state together.
    pub sync_group: Option<String>,
    pub mac: MacKind,
    /// How often the addresses are announced after a takeover, and how long apart.
    pub announcements: u8,
    pub announcement_interval: Duration,
}

/// Which Ethernet address the virtual router has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacKind {
    /// 00-00-5E-00-01-VRID, for IPv6 00-00-5E-00-02-VRID (RFC 9568 §7.3).
    Virtual,
    /// The interface's own; neighbours have to learn another one at a takeover.
    Physical,
}

impl Settings {
    pub fn is_ipv6(&self) -> bool {
        self.addresses.first().is_some_and(IpAddr::is_ipv6)
    }

    /// For so long after our last advertisement nobody else becomes Active, unless with a higher priority than ours, which
    /// can only wait where preemption is off or delayed.
    pub fn grace(&self) -> Duration {
        match self.preempt {
            true => active_down_interval(self.version, self.priority, self.interval),
            false => 3 * self.interval,
        }
    }

    /// The virtual router's own Ethernet address, if it has one.
    pub fn virtual_mac(&self) -> Option<Mac> {
        let family = if self.is_ipv6() { 2 } else { 1 };
        (self.mac == MacKind::Virtual).then_some(Mac([0, 0, 0x5e, 0, family, self.vrid]))
    }
}
