use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::{Prefix, RouterId};
use crate::vrrp::{Checksum, MacKind, Version};

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

/// `[takeover]`: commands at a change of roles. Each is a list of words, run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// Makes the connections known that the other firewall has told of. Before anything else at a takeover.
    pub commit: Option<Vec<String>>,
    /// When everything has been taken over.
    pub after: Vec<Vec<String>>,
    /// When everything has been released.
    pub release: Vec<Vec<String>>,
    /// Of each command.
    pub timeout: Duration,
}

impl Default for Takeover {
    fn default() -> Takeover {
        Takeover {
            commit: None,
            after: Vec::new(),
            release: Vec::new(),
            timeout: Duration::from_secs(1),
        }
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
