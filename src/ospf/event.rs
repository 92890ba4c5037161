use std::net::Ipv4Addr;

use bytes::Bytes;
use ipnet::Ipv4Net;

use super::{Announced, Settings};

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An interface with this name is as told now; `None`: there is none any more.
    LinkChanged {
        name: String,
        link: Option<Link>,
    },
    /// An IP packet of protocol 89: `packet` is what is behind the IP header.
    PacketReceived {
        interface: u32,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        packet: Bytes,
    },
    /// What is known of the BFD session with the neighbour that has this address.
    BfdChanged {
        interface: u32,
        neighbor: Ipv4Addr,
        bfd: Bfd,
    },
    /// What we announce for a prefix from now on; `None`: nothing. Takes effect with the next tick.
    AnnouncementChanged {
        prefix: Ipv4Net,
        announced: Option<Announced>,
    },
    /// Be a stub router (RFC 6987), or no longer. Takes effect with the next tick.
    DrainChanged {
        drained: bool,
    },
    /// The routes computed so far are in the kernel. Ends the start, during which we are a stub router.
    ForwardingReady,
    Reconfigured(Box<Settings>),
    /// Flush what is ours and take leave. Done when [`super::Router::has_left`].
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bfd {
    /// It is up, or one of both sides has shut it down on purpose, which must not keep an adjacency from coming up
    /// (RFC 5882 §4.1).
    Up,
    /// It is not up (any more), and not because the path has failed.
    Unknown,
    /// It was up, and the path has failed.
    Failed,
}

/// An interface as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    /// Administratively up and with carrier.
    pub up: bool,
    /// Octets of the largest IP datagram.
    pub mtu: u32,
    /// IPv4 addresses, sorted.
    pub addresses: Vec<Address>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub address: Ipv4Addr,
    /// What it makes reachable.
    pub network: Ipv4Net,
}
