use std::net::IpAddr;

use super::{Settings, VirtualRouterId};

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    Ordered(Order),
    Received(Received<'a>),
    /// An interface is as told now; `None`: it is gone. Also told for interfaces that no virtual router is on.
    LinkChanged {
        interface: u32,
        link: Option<Link>,
    },
    /// Whether the sockets that [`Action::Open`](super::Action::Open) asked for are there: told when they are, when they
    /// cannot be had, and when they are lost.
    Opened {
        interface: u32,
        ipv6: bool,
        open: bool,
    },
    /// The daemon ends: each Active says so with priority 0.
    Stopped,
}

/// What the agent wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// That there is this virtual router, with these settings.
    Want { router: VirtualRouterId, settings: Box<Settings> },
    /// That there is not: an Active says priority 0.
    Drop { router: VirtualRouterId },
    /// How much the tracked objects take from (or add to) the priority of the settings. The result is kept within
    /// 1..=254; an owner's 255 is lowered only by a negative number. In a sync group, the lowest one counts for all.
    Adjust { router: VirtualRouterId, by: i16 },
    /// Be Active only if nobody else is (priority 1, no preemption), or as configured again. An Active that is released
    /// says priority 0 at once: the agent has moved everything else by then. In a sync group, for all as long as one is
    /// released.
    Release { router: VirtualRouterId, released: bool },
    /// The addresses are on the interface: tell the link, now and as often as the settings say. Ends with the next state.
    Announce { router: VirtualRouterId },
    /// Whether we could forward what we would attract: until then a higher priority does not preempt. At the
    /// beginning it is not ready.
    Ready { ready: bool },
}

/// An interface as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Administratively up and with carrier.
    pub up: bool,
    /// Of both families, in the kernel's order.
    pub addresses: Vec<IpAddr>,
}

/// An IP packet of protocol 112.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub interface: u32,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit that it arrived with.
    pub ttl: u8,
    /// What is behind the IP header.
    pub packet: &'a [u8],
}
