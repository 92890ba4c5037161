//! `[vrrp.*]`: the virtual routers of this node.

mod check;
pub(super) mod router;
pub(super) mod track;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::{Prefix, RouterId};
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackedObject {
    /// Up with carrier.
    Interface(String),
    /// There is a route to exactly this prefix, of any neighbour or of OSPF.
    Route(Prefix),
    /// The BGP neighbour of that name is established.
    Neighbor(String),
    /// At least one OSPF neighbour is Full on the interface of that name.
    OspfInterface(String),
    /// The session of `[bfd.session.NAME]` is up.
    Bfd(String),
    /// The file is there.
    File(String),
    /// A command ends with 0 (a health check).
    Command(Command),
}

/// A check by command: no shell, killed with its children when its time is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    /// Never empty; the first is an absolute path.
    pub words: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    /// In a row, to count as up or as down.
    pub rise: u8,
    pub fall: u8,
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

/// As an operator would name it: `interface eth1`, `file /run/ok`.
impl fmt::Display for TrackedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrackedObject::Interface(name) => write!(f, "interface {name}"),
            TrackedObject::Route(prefix) => write!(f, "route {prefix}"),
            TrackedObject::Neighbor(name) => write!(f, "neighbor {name}"),
            TrackedObject::OspfInterface(name) => write!(f, "OSPF on {name}"),
            TrackedObject::Bfd(name) => write!(f, "BFD session {name}"),
            TrackedObject::File(path) => write!(f, "file {path}"),
            TrackedObject::Command(command) => write!(f, "command {}", command.words.join(" ")),
        }
    }
}
