use std::fmt;
use std::net::Ipv4Addr;

use bytes::Bytes;
use ipnet::Ipv4Net;

use crate::types::RouterId;

/// What to do, in the order polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin to receive protocol 89 on the interface, with membership in AllSPFRouters (224.0.0.5).
    Open {
        interface: u32,
    },
    /// Nothing of this interface is received or sent any more.
    Close {
        interface: u32,
    },
    /// Join or leave AllDRouters (224.0.0.6).
    Designated {
        interface: u32,
        member: bool,
    },
    /// Send one IP packet, TTL 1, precedence internetwork control.
    Send {
        interface: u32,
        /// Of the interface's addresses the one that its settings name, and digests cover.
        source: Ipv4Addr,
        destination: Ipv4Addr,
        packet: Bytes,
    },
    /// The best route to a prefix, or that there is none any more. Networks that we are attached to are not among
    /// them.
    RouteChanged {
        prefix: Ipv4Net,
        route: Option<Route>,
    },
    Note(Note),
}

/// A route through the area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub kind: RouteKind,
    /// Within the area; for type 2 the cost of the way to the exit.
    pub cost: u32,
    /// The external metric of types 2, else 0.
    pub type_2_cost: u32,
    pub tag: u32,
    /// Interface and gateway, sorted. Never empty.
    pub hops: Vec<(u32, Ipv4Addr)>,
    /// Who announces it: the routers that the best paths end at, sorted.
    pub exits: Vec<RouterId>,
}

/// In the order of preference (RFC 2328 §11, RFC 3101 §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    IntraArea,
    InterArea,
    External1,
    External2,
}

/// What an operator should see. The driver of the core makes an event of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The interface's or neighbour's name as people know it.
    pub subject: String,
    pub text: String,
    pub warning: bool,
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RouteKind::IntraArea => "intra-area",
            RouteKind::InterArea => "inter-area",
            RouteKind::External1 => "external-1",
            RouteKind::External2 => "external-2",
        })
    }
}
