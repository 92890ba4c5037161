use std::fmt;
use std::net::Ipv4Addr;

use super::{Lsa, LsaHeader, LsaKey};
use crate::types::RouterId;

/// The protocol's version, which decides the layout of everything behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V2,
}

/// An area, written like an IPv4 address; 0.0.0.0 is the backbone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaId(pub u32);

/// The options field (RFC 2328 A.2, RFC 5250 for O, RFC 3101 for N/P, RFC 5613 for L).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Options(pub u8);

/// What is behind the header of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Hello(Hello),
    DatabaseDescription(DatabaseDescription),
    LinkStateRequest(Vec<LsaKey>),
    LinkStateUpdate(Vec<Lsa>),
    LinkStateAcknowledgment(Vec<LsaHeader>),
}

/// RFC 2328 A.3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub network_mask: Ipv4Addr,
    /// Seconds; 0 where Hellos go out more often than once a second.
    pub hello_interval: u16,
    pub options: Options,
    pub priority: u8,
    /// Seconds.
    pub dead_interval: u32,
    /// Interface addresses; 0.0.0.0 for none.
    pub designated: Ipv4Addr,
    pub backup: Ipv4Addr,
    pub neighbors: Vec<RouterId>,
}

/// RFC 2328 A.3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseDescription {
    /// Octets of the largest IP datagram that the interface sends unfragmented.
    pub mtu: u16,
    pub options: Options,
    /// I: the first packet of the exchange.
    pub init: bool,
    /// M: more packets follow.
    pub more: bool,
    /// MS: the sender is the master.
    pub master: bool,
    pub sequence: u32,
    pub headers: Vec<LsaHeader>,
}

impl AreaId {
    pub const BACKBONE: AreaId = AreaId(0);
}

impl Options {
    /// External LSAs are flooded into this area.
    pub const EXTERNAL: Options = Options(0x02);
    /// Type 7 LSAs are; in a type 7 LSA's header the same bit is P: translate into type 5 (RFC 3101 §2.3).
    pub const NSSA: Options = Options(0x08);
    /// A data block for link-local signalling follows the packet (RFC 5613).
    pub const LINK_LOCAL_SIGNALLING: Options = Options(0x10);
    /// Opaque LSAs are understood; set in Database Description packets (RFC 5250 §3.1).
    pub const OPAQUE: Options = Options(0x40);

    pub fn contains(self, other: Options) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn with(self, other: Options) -> Options {
        Options(self.0 | other.0)
    }
}

impl fmt::Display for AreaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from_bits(self.0).fmt(f)
    }
}
