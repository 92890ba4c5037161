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
    /// The BFD session with the neighbour that has this address came up, or was up and has failed.
    BfdChanged {
        interface: u32,
        neighbor: Ipv4Addr,
        up: bool,
    },
    /// What we announce for a prefix from now on; `None`: nothing.
    AnnouncementChanged {
        prefix: Ipv4Net,
        announced: Option<Announced>,
    },
    /// Be a stub router (RFC 6987), or no longer.
    DrainChanged {
        drained: bool,
    },
    /// The routes computed so far are in the kernel. Ends the start, during which we are a stub router.
    ForwardingReady,
    Reconfigured(Box<Settings>),
    /// Flush what is ours and take leave. Done when [`super::Router::has_left`].
    Stopped,
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
