use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

use crate::types::{RouterId, Secret, Wall};
use crate::wire::ospf::{Algorithm, AreaId};

/// What an operator decides about the router. A change of anything but `area` and `router_id` takes effect while
/// the adjacencies that it does not touch stay up.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub router_id: RouterId,
    /// Told to the area (RFC 5642).
    pub hostname: String,
    pub area: Area,
    /// By the interface's name in the kernel.
    pub interfaces: BTreeMap<String, InterfaceSettings>,
    pub spf: SpfDelays,
    /// Between two instances of one LSA of ours.
    pub min_ls_interval: Duration,
    /// Equal-cost next hops of one route, at most.
    pub max_paths: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub id: AreaId,
    pub kind: AreaKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaKind {
    Normal,
    /// No type 5, and none of our own externals (RFC 2328 §3.6).
    Stub,
    /// Our externals are of type 7 (RFC 3101).
    Nssa,
}

#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceSettings {
    pub network: NetworkKind,
    /// Announced, but no neighbours are sought.
    pub passive: bool,
    pub cost: u16,
    /// Under a second: sent as 0 and not compared, and the dead interval is sent as 1 s, as FRR does it.
    pub hello_interval: Duration,
    pub dead_interval: Duration,
    pub retransmit_interval: Duration,
    /// Seconds added to the age of what is sent (InfTransDelay).
    pub transmit_delay: u16,
    /// 0: never DR or BDR.
    pub priority: u8,
    /// A neighbour with another MTU is taken all the same.
    pub mtu_ignore: bool,
    /// The address to speak from where the interface has several; else the lowest.
    pub address: Option<Ipv4Addr>,
    pub authentication: Authentication,
    pub bfd: Watch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    Broadcast,
    PointToPoint,
    /// Each address is announced as a host route; nothing is sent.
    Loopback,
}

/// Whether BFD watches the neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    Off,
    On,
    /// One that says so as well is no neighbour before its BFD session is up (RFC 9355).
    Strict,
}

/// RFC 2328 Appendix D, RFC 5709, RFC 7474.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    Null,
    /// At most eight octets count.
    Simple(Secret),
    Cryptographic {
        keys: Vec<Key>,
        /// Sequence numbers of 64 bits, AuType 3 (RFC 7474).
        extended: bool,
    },
}

/// A key with its lifetimes (RFC 2328 §D.3). Of several valid ones, that whose time to send began last signs; any
/// that may be accepted verifies. When the last one is over it is used on, and reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub id: u8,
    pub algorithm: Algorithm,
    pub secret: Secret,
    /// From, included, to, excluded. `None`: always.
    pub send: Option<Range<Wall>>,
    pub accept: Option<Range<Wall>>,
}

/// How long route computation waits for more changes (RFC 8405 §5, the names are its).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpfDelays {
    pub initial: Duration,
    pub short: Duration,
    pub long: Duration,
    pub time_to_learn: Duration,
    pub hold_down: Duration,
}

impl Default for SpfDelays {
    fn default() -> SpfDelays {
        SpfDelays {
            initial: Duration::from_millis(10),
            short: Duration::from_millis(100),
            long: Duration::from_secs(1),
            time_to_learn: Duration::from_millis(500),
            hold_down: Duration::from_secs(3),
        }
    }
}
