//! What every OSPF router of the tests can be asked to do and to witness.

mod bird;
mod frr;
mod shunt;

pub use bird::OspfBird;
pub use frr::OspfFrr;
pub use shunt::OspfShunt;

use super::bfd::Timers;

/// An OSPF router's whole configuration, as far as the tests need it. Each peer writes it in its own language.
#[derive(Clone, Default)]
pub struct OspfRouter {
    pub router_id: String,
    /// Its areas that are no normal ones.
    pub areas: Vec<(String, AreaKind)>,
    pub attached: Vec<Attached>,
    /// Announced from the start, and those added since. The kernel of the node drops what is sent to them.
    pub externals: Vec<String>,
    /// Of all `externals`.
    pub external: External,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaKind {
    Stub,
    Nssa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct External {
    /// 1 or 2.
    pub kind: u8,
    pub metric: u32,
    pub tag: u32,
}

impl Default for External {
    fn default() -> External {
        External { kind: 2, metric: 20, tag: 0 }
    }
}

/// An interface that OSPF runs on, in tests with short timers.
#[derive(Clone)]
pub struct Attached {
    pub interface: String,
    pub area: String,
    pub network: Network,
    pub cost: u16,
    pub priority: u8,
    /// Seconds. Hellos go out every second; with a dead interval of one second FRR sends four in that time, which
    /// BIRD cannot.
    pub dead: u8,
    /// Seconds until what is not acknowledged is sent again.
    pub retransmit: u8,
    pub authentication: Authentication,
    /// Its neighbours are watched by BFD.
    pub bfd: Option<Timers>,
    /// RFC 9355. Only shuntd can do that.
    pub bfd_strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    PointToPoint,
    Broadcast,
    /// Only announced.
    Passive,
}

#[derive(Clone)]
pub enum Authentication {
    Null,
    Simple(&'static str),
    Cryptographic(Vec<Key>),
}

#[derive(Clone)]
pub struct Key {
    pub id: u8,
    /// As in the configuration of shunt: `md5`, `hmac-sha-1`, `hmac-sha-256`, `hmac-sha-384`, `hmac-sha-512`.
    pub algorithm: &'static str,
    pub secret: &'static str,
    /// Signs from this time on, or until then, UTC as `2026-01-31 12:00:00`. Only BIRD can do that.
    pub from: Option<String>,
    pub until: Option<String>,
}

impl Attached {
    pub fn new(interface: &str, network: Network) -> Attached {
        Attached {
            interface: interface.to_owned(),
            area: "0.0.0.0".to_owned(),
            network,
            cost: 10,
            priority: 1,
            dead: 4,
            retransmit: 5,
            authentication: Authentication::Null,
            bfd: None,
            bfd_strict: false,
        }
    }
}

impl Key {
    pub fn new(id: u8, algorithm: &'static str, secret: &'static str) -> Key {
        Key { id, algorithm, secret, from: None, until: None }
    }
}

/// A route as a peer has computed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Computed {
    /// `intra-area`, `inter-area`, `external-1` or `external-2`; an NSSA's external counts as any other.
    pub kind: &'static str,
    /// Of a route of type 2, the cost of the way to its exit.
    pub cost: u32,
    /// The metric of a route of type 2.
    pub type_2_metric: Option<u32>,
    pub tag: u32,
}

/// A running OSPF router, asked by its own commands.
pub trait OspfPeer {
    /// The state of the adjacency with a router id and, behind a slash, the neighbour's role: `full/dr`, `full/bdr`,
    /// `2-way/other`, `full/ptp`.
    fn adjacency(&self, neighbor: &str) -> Result<String, String>;
    fn route(&self, prefix: &str) -> Result<Option<Computed>, String>;
    /// Whether its adjacencies may break now, with a return to what was before.
    fn is_settled(&self) -> Result<(), String> {
        Ok(())
    }
    /// Announces these, too.
    fn announce(&mut self, prefixes: &[&str]);
    fn withdraw(&mut self, prefixes: &[&str]);
    /// SIGKILL. The routes in the kernel stay.
    fn kill(&mut self);
    /// Starts again after `kill`, with the same configuration.
    fn start(&mut self);
}
