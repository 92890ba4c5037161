use std::fmt;
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::types::{Prefix, Time};

/// One way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// May be of the other family (RFC 8950). Unspecified for a route straight onto the link.
    pub gateway: IpAddr,
    /// Interface index.
    pub interface: u32,
}

/// The ways out of a route, with equal shares: sorted, each once. More than one is equal-cost multipath.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hops(pub(super) SmallVec<[Hop; 1]>);

impl Hops {
    pub fn as_slice(&self) -> &[Hop] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Hop> for Hops {
    fn from_iter<I: IntoIterator<Item = Hop>>(hops: I) -> Hops {
        let mut hops: SmallVec<[Hop; 1]> = hops.into_iter().collect();
        hops.sort_unstable();
        hops.dedup();
        Hops(hops)
    }
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Ways out that the route has for itself.
    Hops(Hops),
    /// A nexthop object, by its id.
    Object(u32),
}

/// A unicast route of ours, in our table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub prefix: Prefix,
    pub via: Via,
    /// Kernel route priority, lower wins.
    pub metric: u32,
}

/// A nexthop object of the kernel, with our protocol number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    Hop(Hop),
    Group(Group),
    /// Of a kind that we never make.
    Other,
}

/// Objects that share the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub members: Members,
    /// Its buckets move to other members only if theirs is gone. The kernel never changes that of a group.
    pub resilient: bool,
}

/// Ids of hops and how much of the traffic each gets, beside the others.
pub type Members = SmallVec<[(u32, u8); 2]>;

/// What the kernel said. Events that echo our own requests may be left out or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// A link is there, or has changed. `up` needs both the administrator's wish and a carrier.
    Link {
        index: u32,
        name: String,
        up: bool,
        /// Octets of the largest IP datagram.
        mtu: u32,
    },
    LinkGone {
        index: u32,
    },
    /// An address of ours. `network` is what it makes reachable: its prefix, or the peer's on a point-to-point link.
    Address {
        interface: u32,
        address: IpAddr,
        network: Prefix,
    },
    AddressGone {
        interface: u32,
        address: IpAddr,
        network: Prefix,
    },
    /// Event: a route with our protocol number was added or replaced. Hops that the kernel marks as dead are left out.
    Route(Route),
    /// Event: a route with our protocol number is no more: deleted, or replaced by another program's, of which the
    /// kernel tells only the new route (RTM_NEWROUTE with NLM_F_REPLACE and another protocol).
    RouteGone {
        prefix: Prefix,
        metric: u32,
    },
    /// Event: a nexthop object with our protocol number was added or replaced.
    Object {
        id: u32,
        object: Object,
    },
    /// Event: it is no more, nor is any route that led to it. Not said of those that go with their link.
    ObjectGone {
        id: u32,
    },
    /// The kernel has no nexthop objects at all.
    NoObjects,
    /// Line of a dump: net.ipv4.nexthop_compat_mode, with which the kernel shows, and tells of, routes that lead to objects as
    /// if they had hops of their own.
    CompatMode(bool),
    /// A dump of links, addresses, our objects and our routes begins, in this order; one that was running is void.
    DumpBegun,
    /// A line of the dump. Links and addresses come in it as [`Observed::Link`] and [`Observed::Address`].
    Dumped(Route),
    DumpedObject {
        id: u32,
        object: Object,
    },
    /// The dump is complete: what was not in it is gone.
    DumpDone,
    /// Events were lost.
    Lost,
}

/// One request to the kernel. Each is answered by [`super::Fib::applied`], in whatever order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Must fail if a route with this prefix and metric exists, whoever owns it (NLM_F_CREATE and NLM_F_EXCL).
    Create(Route),
    /// In place of our own route with this prefix and metric (NLM_F_REPLACE, without NLM_F_CREATE).
    Replace(Route),
    /// By prefix, metric and our protocol number, without hops.
    Delete { prefix: Prefix, metric: u32 },
    /// Must fail if there is an object with this id, whoever owns it.
    CreateObject { id: u32, object: Object },
    /// In place of what there is, of the same kind, for all routes at once.
    ReplaceObject { id: u32, object: Object },
    /// With every route that leads to it.
    DeleteObject { id: u32 },
}

/// What a change is about. At most one per key is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Route(Prefix),
    Object(u32),
}

impl Change {
    pub fn key(&self) -> Key {
        match self {
            Change::Create(route) | Change::Replace(route) => Key::Route(route.prefix),
            Change::Delete { prefix, .. } => Key::Route(*prefix),
            Change::CreateObject { id, .. }
            | Change::ReplaceObject { id, .. }
            | Change::DeleteObject { id } => Key::Object(*id),
        }
    }
}

/// The kernel's answer to a request it did not follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelError {
    /// Positive.
    pub errno: i32,
    /// The kernel's extended text, else the name of the error.
    pub text: String,
}

// The core does not depend on the C library for three numbers that Linux never changes.
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;

impl KernelError {
    /// The route to be replaced or deleted is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.errno, ENOENT | ESRCH)
    }

    /// The key of a new route is taken.
    pub(super) fn is_taken(&self) -> bool {
        self.errno == EEXIST
    }
}

/// A wanted route that the kernel did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub error: KernelError,
    /// In a row.
    pub attempts: u32,
    pub retry_at: Time,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dev #{}", self.gateway, self.interface)
    }
}

impl fmt::Display for Hops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, hop) in self.0.iter().enumerate() {
            write!(f, "{}{hop}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_taken() {
            return f.write_str(
                "another program's route has the same prefix and metric; \
                 it is left alone: delete it, or change kernel.metric",
            );
        }
        write!(f, "{} (errno {})", self.text, self.errno)
    }
}
