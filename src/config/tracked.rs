//! What the priority of a virtual router or the announcement of a group follows.

use std::fmt;
use std::time::Duration;

use crate::types::Prefix;

/// Something that is as it should be, or is not.
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
    /// `[check.NAME]` is not down.
    Check(String),
    /// The virtual router of that name is Active here.
    Vrrp(String),
    /// At least one of the upstreams of `[isolation]` is up: this node is *not* isolated.
    Isolated,
    /// The file is there.
    File(String),
    /// A command ends with 0.
    Command(Command),
}

/// A command: no shell, killed with its children when its time is over.
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

/// As an operator would name it: `interface eth1`, `file /run/ok`.
impl fmt::Display for TrackedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrackedObject::Interface(name) => write!(f, "interface {name}"),
            TrackedObject::Route(prefix) => write!(f, "route {prefix}"),
            TrackedObject::Neighbor(name) => write!(f, "neighbor {name}"),
            TrackedObject::OspfInterface(name) => write!(f, "OSPF on {name}"),
            TrackedObject::Bfd(name) => write!(f, "BFD session {name}"),
            TrackedObject::Check(name) => write!(f, "check {name}"),
            TrackedObject::Vrrp(name) => write!(f, "virtual router {name}"),
            TrackedObject::Isolated => f.write_str("upstreams"),
            TrackedObject::File(path) => write!(f, "file {path}"),
            TrackedObject::Command(command) => write!(f, "command {}", command.words.join(" ")),
        }
    }
}
