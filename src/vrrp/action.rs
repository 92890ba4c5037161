use std::net::IpAddr;

use smallvec::SmallVec;

use super::{State, VirtualRouterId};
use crate::types::{Mac, Time};

/// What to do, in the order polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Receive protocol 112 of a family on an interface, as a member of the VRRP group (224.0.0.18, ff02::12), and be
    /// able to send there. The answer is [`Event::Opened`](super::Event::Opened): no virtual router starts before.
    Open {
        interface: u32,
        ipv6: bool,
    },
    Close {
        interface: u32,
        ipv6: bool,
    },
    /// Send one advertisement with TTL 255, from the virtual router's MAC address where it has one.
    Send {
        router: VirtualRouterId,
        interface: u32,
        /// `None`: the interface's own. Always so to a unicast peer, whose address the kernel has to resolve.
        mac: Option<Mac>,
        source: IpAddr,
        destination: IpAddr,
        packet: SmallVec<[u8; 64]>,
    },
    /// Say on the link that the virtual router's MAC address has this address: gratuitous ARP, or an unsolicited
    /// Neighbor Advertisement (RFC 9568 §6.4.1).
    AnnounceAddress {
        router: VirtualRouterId,
        interface: u32,
        /// `None`: the interface's own.
        mac: Option<Mac>,
        address: IpAddr,
    },
    Changed(Change),
    /// Two are Active: who, with what priority, and whether it is we who yield. Told at the beginning, and then every ten
    /// seconds. Not told by a lower priority that yields: that is what every preemption looks like.
    AnotherActive {
        router: VirtualRouterId,
        address: IpAddr,
        priority: u8,
        yields: bool,
    },
}

/// A virtual router's state or its Active is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub router: VirtualRouterId,
    pub state: State,
    pub reason: Reason,
    /// Who is Active, as far as we know; our own address if we are.
    pub active: Option<IpAddr>,
    /// What the Active says of itself.
    pub active_priority: u8,
    pub at: Time,
}

/// Why a virtual router is in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Started,
    /// The interface is down, gone, or has no address of the family.
    NoLink,
    /// The interface can be used, but not for VRRP: there is no socket. Who cannot hear the Active would become a second
    /// one.
    NoSocket,
    /// We are the owner of the addresses.
    Owner,
    /// Nothing was heard of the Active for Active_Down_Interval.
    ActiveDown,
    /// The Active left with priority 0.
    ActiveLeft,
    /// We have the higher priority.
    Preempted,
    /// Somebody with a higher priority, or the same and a higher address, is Active.
    HigherPriority,
    Released,
    /// Another member of the sync group changed.
    SyncGroup,
    /// We were not scheduled for longer than the others wait, so one of them is Active by now.
    Stalled,
    /// The state is as before, the Active is another one.
    AnotherActive,
}
